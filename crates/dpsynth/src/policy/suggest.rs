//! Finding the word that was probably meant.

/// Returns the candidate closest to `word`, when one is close enough to be a slip of the pen.
pub(super) fn nearest<'c>(word: &str, candidates: &[&'c str]) -> Option<&'c str> {
    let folded = fold(word);
    if folded.len() > MAX_WORD {
        return None;
    }
    candidates
        .iter()
        .map(|candidate| (distance(&folded, &fold(candidate)), *candidate))
        .filter(|(distance, candidate)| *distance <= tolerance(candidate))
        .min()
        .map(|(_, candidate)| candidate)
}

/// Returns how many slips still make `candidate` the word that was meant.
fn tolerance(candidate: &str) -> usize {
    (candidate.chars().count() / 3).max(1)
}

/// Writes a word so that case and the choice of separator do not count as slips.
fn fold(word: &str) -> Vec<char> {
    word.chars()
        .take(MAX_WORD + 1)
        .flat_map(char::to_lowercase)
        .map(|c| if c == '-' || c == ' ' { '_' } else { c })
        .collect()
}

/// Returns the number of insertions, deletions, replacements and swaps of neighbours between two
/// words (optimal string alignment).
fn distance(left: &[char], right: &[char]) -> usize {
    let width = right.len() + 1;
    let mut before_last = vec![0; width];
    let mut last: Vec<usize> = (0..width).collect();
    for (i, &l) in left.iter().enumerate() {
        let mut row = vec![i + 1; width];
        for (j, &r) in right.iter().enumerate() {
            let replaced = last[j] + usize::from(l != r);
            row[j + 1] = replaced.min(last[j + 1] + 1).min(row[j] + 1);
            let swapped = i > 0 && j > 0 && l == right[j - 1] && left[i - 1] == r;
            if swapped {
                row[j + 1] = row[j + 1].min(before_last[j - 1] + 1);
            }
        }
        before_last = std::mem::replace(&mut last, row);
    }
    last[right.len()]
}

/// Longer words than this are not compared, which bounds the work on hostile input.
const MAX_WORD: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slips_are_recognised_and_other_words_are_not() {
        let keys = ["epsilon_per_release", "delta_per_release", "unit", "name"];
        let meant = |word: &str| nearest(word, &keys);
        assert_eq!(meant("epsilon_per_relase"), Some("epsilon_per_release"));
        assert_eq!(meant("epsilon-per-release"), Some("epsilon_per_release"));
        assert_eq!(meant("Unit"), Some("unit"));
        assert_eq!(meant("nmae"), Some("name"));
        assert_eq!(meant("colour"), None);
        assert_eq!(meant(&"x".repeat(1000)), None);
        assert_eq!(meant(""), None);
    }
}
