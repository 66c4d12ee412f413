//! Drawing rows of codes, whatever the model.

use std::sync::Mutex;
use std::thread;

use dpsynth_privacy::PublicRng;

use crate::marginals::Grouping;

/// Draws rows of `columns` codes, row-major, in blocks of `block_rows` that `draw` fills.
///
/// Blocks have streams of their own, so the draws are a function of the state of `rng` alone, and
/// the number of threads does not matter.
pub(crate) fn draw_blocks(
    rows: usize,
    columns: usize,
    block_rows: usize,
    rng: &mut PublicRng,
    draw: &(dyn Fn(&mut PublicRng, &mut [u16]) + Sync),
) -> Vec<u16> {
    let streams = PublicRng::from_seed(rng.next_u64());
    let mut codes = vec![0u16; rows * columns];
    let blocks = Mutex::new(codes.chunks_mut(block_rows * columns).enumerate());
    let threads = thread::available_parallelism()
        .map_or(1, |count| count.get())
        .min(rows.div_ceil(block_rows));
    let work = || {
        loop {
            // OK because nothing panics while the lock is held, so it is never poisoned.
            let next = blocks.lock().expect("block queue").next();
            let Some((index, block)) = next else { return };
            draw(&mut streams.stream(index as u64), block);
        }
    };
    thread::scope(|scope| {
        for _ in 1..threads {
            scope.spawn(work);
        }
        work();
    });
    codes
}

/// The codes of a column, group by group.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct GroupCodes {
    codes: Vec<u16>,
    cumulative: Vec<f32>,
    /// Where each group starts; the total at the end.
    starts: Vec<usize>,
}

impl GroupCodes {
    pub(crate) fn new(grouping: &Grouping) -> Self {
        let groups = grouping.groups();
        let mut by_group: Vec<u16> = (0..grouping.group_of.len())
            .map(|code| code as u16)
            .collect();
        by_group.sort_by_key(|&code| grouping.group_of[usize::from(code)]);
        let mut cumulative: Vec<f32> = by_group
            .iter()
            .map(|&code| grouping.weights[usize::from(code)])
            .collect();
        let mut starts = vec![0];
        for group in 0..groups {
            let end = by_group.partition_point(|&code| {
                usize::from(grouping.group_of[usize::from(code)]) <= group
            });
            accumulate(&mut cumulative[starts[group]..end]);
            starts.push(end);
        }
        Self {
            codes: by_group,
            cumulative,
            starts,
        }
    }

    /// Draws a code of a group by the codes' weights.
    pub(crate) fn draw(&self, group: usize, rng: &mut PublicRng) -> u16 {
        let range = self.starts[group]..self.starts[group + 1];
        if range.len() == 1 {
            return self.codes[range.start];
        }
        self.codes[range.start + pick(&self.cumulative[range], rng.uniform())]
    }

    /// Replaces groups by codes of them, each group's codes spread evenly over its places by
    /// their weights.
    pub(crate) fn spread<'p>(
        &self,
        places: impl Iterator<Item = &'p mut u16>,
        rng: &mut PublicRng,
    ) {
        let mut uniforms: Vec<f64> = self.starts[1..].iter().map(|_| rng.uniform()).collect();
        for place in places {
            let group = usize::from(*place);
            let range = self.starts[group]..self.starts[group + 1];
            // Multiples of the golden ratio are spread evenly, however many there are (Weyl 1916).
            uniforms[group] = (uniforms[group] + GOLDEN).fract();
            *place = self.codes[range.start + pick(&self.cumulative[range], uniforms[group])];
        }
    }
}

/// Turns weights into their running sums.
pub(crate) fn accumulate(weights: &mut [f32]) {
    let mut sum = 0.0f32;
    for weight in weights {
        sum += *weight;
        *weight = sum;
    }
}

/// The first place whose running sum exceeds the share `uniform` of the last one: one of those with a
/// weight above 0.
pub(crate) fn pick(cumulative: &[f32], uniform: f64) -> usize {
    let last = cumulative.len() - 1;
    let target = uniform * f64::from(cumulative[last]);
    let mut place = cumulative[..last].partition_point(|&sum| f64::from(sum) <= target);
    // Only where the product was rounded up to the whole.
    while place > 0 && cumulative[place] == cumulative[place - 1] {
        place -= 1;
    }
    place
}

/// Rows that are drawn together, from one stream, where rows are drawn one by one.
pub(crate) const BLOCK_ROWS: usize = 4096;
/// The golden ratio less 1.
const GOLDEN: f64 = 0.618_033_988_749_894_9;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_of_weight_zero_is_picked() {
        for uniform in [0.0, 0.5, 1.0 - f64::EPSILON / 2.0] {
            assert_eq!(pick(&[0.0, 0.0, 0.7, 0.7, 0.7], uniform), 2);
        }
    }

    #[test]
    fn codes_are_spread_by_their_weights() {
        let grouping = Grouping {
            group_of: vec![0, 1, 1, 0],
            weights: vec![1.0, 0.3, 0.7, 0.0],
        };
        let mut codes: Vec<u16> = (0..400).map(|place| u16::from(place % 4 > 0)).collect();
        GroupCodes::new(&grouping).spread(codes.iter_mut(), &mut PublicRng::from_seed(5));
        let count = |code| codes.iter().filter(|&&found| found == code).count();
        assert_eq!((count(0), count(3)), (100, 0));
        // Independent draws would miss 90 by eight.
        assert!(count(1).abs_diff(90) <= 2, "{}", count(1));
    }
}
