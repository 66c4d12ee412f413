//! Scores of rows by a learner that has seen synthetic rows alone.

use forust_ml::{GradientBooster, Matrix};

use crate::error::EvaluateError;
use crate::learn::booster;

/// Boosted trees that say how likely a row is of a class, in a few steps.
///
/// A pure function of the rows that it was trained on. Where these are released, so is the scorer, and
/// what it says of a private row depends on that row alone.
pub struct Scorer {
    trees: Option<GradientBooster>,
    features: Vec<usize>,
    width: usize,
    /// Odds at which a step ends, in order.
    edges: Vec<f64>,
}

impl Scorer {
    /// Trains on rows of codes, one after the other and `width` each, to tell those whose code in column
    /// `target` is `class`.
    ///
    /// # Errors
    /// If training fails.
    pub fn train(
        codes: &[u16],
        width: usize,
        target: usize,
        class: u16,
    ) -> Result<Self, EvaluateError> {
        let features: Vec<usize> = (0..width).filter(|&column| column != target).collect();
        let labels: Vec<f64> = codes
            .chunks_exact(width)
            .map(|row| f64::from(u8::from(row[target] == class)))
            .collect();
        let of_class = labels.iter().filter(|&&label| label > 0.5).count();
        let mut scorer = Self {
            trees: None,
            features,
            width,
            edges: Vec::new(),
        };
        if of_class == 0 || of_class == labels.len() || scorer.features.is_empty() {
            // One class only: every row scores alike.
            return Ok(scorer);
        }
        let mut trees = booster();
        let columns = scorer.columns(codes);
        trees
            .fit_unweighted(
                &Matrix::new(&columns, labels.len(), scorer.features.len()),
                &labels,
                None,
            )
            .map_err(|_| EvaluateError::Training)?;
        scorer.trees = Some(trees);
        let mut odds = scorer.odds(codes);
        odds.sort_by(f64::total_cmp);
        scorer.edges = (1..MOST_STEPS)
            .map(|step| odds[odds.len() * step / MOST_STEPS])
            .collect();
        scorer.edges.dedup();
        Ok(scorer)
    }

    /// How many steps there are, at least 1.
    #[must_use]
    pub fn steps(&self) -> u16 {
        // OK because there are fewer than `MOST_STEPS` edges.
        self.edges.len() as u16 + 1
    }

    /// The step of each row, from 0 to below [`steps`](Self::steps), rising with how likely it is of the
    /// class.
    #[must_use]
    pub fn score(&self, codes: &[u16]) -> Vec<u16> {
        let step = |odds: f64| self.edges.partition_point(|edge| *edge <= odds) as u16;
        self.odds(codes).into_iter().map(step).collect()
    }

    fn odds(&self, codes: &[u16]) -> Vec<f64> {
        let rows = codes.len() / self.width;
        match &self.trees {
            Some(trees) if rows > 0 => {
                let columns = self.columns(codes);
                trees.predict(&Matrix::new(&columns, rows, self.features.len()), false)
            }
            _ => vec![0.0; rows],
        }
    }

    /// The features, column after column.
    fn columns(&self, codes: &[u16]) -> Vec<f64> {
        let rows = codes.chunks_exact(self.width);
        let of_column = |&column: &usize| rows.clone().map(move |row| f64::from(row[column]));
        self.features.iter().flat_map(of_column).collect()
    }
}

/// Chance that a row of the class is on a higher step than another, ties counting half (Hanley and McNeil
/// 1982), from the numbers of both on each step, with the standard deviation that noise of `noise_stddev` in every
/// number gives it to first order.
///
/// Negative numbers, which noise may give, count as they are: cutting them off would shift the sums.
/// Nothing where a sum is not positive.
#[must_use]
pub fn area_of_counts(of_class: &[f64], others: &[f64], noise_stddev: f64) -> Option<(f64, f64)> {
    let (class_rows, other_rows): (f64, f64) = (of_class.iter().sum(), others.iter().sum());
    if !(class_rows > 0.0 && other_rows > 0.0) {
        return None;
    }
    // Of a row of the class on each step, the share of the others that it is above; and the reverse.
    let mut below = 0.0;
    let above_others: Vec<f64> = others
        .iter()
        .map(|count| {
            below += count;
            (below - count / 2.0) / other_rows
        })
        .collect();
    let mut seen = 0.0;
    let below_class: Vec<f64> = of_class
        .iter()
        .map(|count| {
            seen += count;
            (class_rows - seen + count / 2.0) / class_rows
        })
        .collect();
    let area = (of_class.iter().zip(&above_others))
        .map(|(count, share)| count * share)
        .sum::<f64>()
        / class_rows;
    let spread = |shares: &[f64], rows: f64| {
        let squares = shares.iter().map(|share| (share - area).powi(2));
        squares.sum::<f64>() / (rows * rows)
    };
    let variance = spread(&above_others, class_rows) + spread(&below_class, other_rows);
    Some((area, noise_stddev * variance.sqrt()))
}

/// More steps than these change an area little, and cost more noise.
const MOST_STEPS: usize = 16;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Draws;

    #[test]
    fn a_scorer_finds_the_class_on_rows_that_it_has_not_seen() {
        let mut draws = Draws::new(3);
        let mut rows = |count: usize| -> Vec<u16> {
            (0..count)
                .flat_map(|_| {
                    let (a, b) = (draws.signed() > 0.0, draws.signed() > 0.0);
                    [u16::from(a), u16::from(b), u16::from(a != b)]
                })
                .collect()
        };
        let (train, test) = (rows(2000), rows(500));
        let scorer = Scorer::train(&train, 3, 2, 1).unwrap();
        let steps = scorer.score(&test);
        let mut counts = [
            vec![0.0; usize::from(scorer.steps())],
            vec![0.0; usize::from(scorer.steps())],
        ];
        for (row, step) in test.chunks_exact(3).zip(steps) {
            counts[usize::from(row[2])][usize::from(step)] += 1.0;
        }
        let (area, noise) = area_of_counts(&counts[1], &counts[0], 0.0).unwrap();
        assert!(area > 0.999 && noise == 0.0, "{area}");
    }

    #[test]
    fn one_class_only_is_no_failure() {
        let scorer = Scorer::train(&[0, 1, 1, 1], 2, 1, 1).unwrap();
        assert_eq!((scorer.steps(), scorer.score(&[5, 0])), (1, vec![0]));
    }

    #[test]
    fn the_area_is_that_of_rows_and_its_noise_that_of_draws() {
        let (of_class, others) = ([10.0, 20.0, 70.0], [60.0, 30.0, 10.0]);
        let (area, noise) = area_of_counts(&of_class, &others, 2.0).unwrap();
        // By pairs: 100 × 100 of them.
        let wins = 10.0 * 30.0 + 20.0 * (60.0 + 15.0) + 70.0 * (90.0 + 5.0);
        assert!((area - wins / 10_000.0).abs() < 1e-12, "{area}");
        let mut draws = Draws::new(8);
        // A sum of twelve uniform numbers has variance 12 × 1/3 here: as good as normal.
        let mut noisy = |count: f64| count + (0..12).map(|_| draws.signed()).sum::<f64>();
        let drawn: Vec<f64> = (0..4000)
            .map(|_| {
                let of_class = of_class.map(&mut noisy);
                let others = others.map(&mut noisy);
                area_of_counts(&of_class, &others, 2.0).unwrap().0
            })
            .collect();
        let variance = drawn.iter().map(|it| (it - area).powi(2)).sum::<f64>() / 4000.0;
        // The sample variance of 4,000 draws lies within 15 %, except with probability 1e-9.
        assert!(
            (variance / (noise * noise) - 1.0).abs() < 0.15,
            "{variance} {noise}"
        );
        assert!(area_of_counts(&[0.0], &[1.0], 1.0).is_none());
    }
}
