//! Drawing rows of codes, whatever the model.

use std::sync::Mutex;
use std::thread;

use dpsynth_privacy::PublicRng;

use crate::marginals::Grouping;

/// Draws rows of `columns` codes, row-major, in blocks that `draw` fills.
///
/// Blocks have streams of their own, so the draws are a function of the state of `rng` alone, and
/// the number of threads does not matter.
pub(crate) fn draw_blocks(
    rows: usize,
    columns: usize,
    rng: &mut PublicRng,
    draw: &(dyn Fn(&mut PublicRng, &mut [u16]) + Sync),
) -> Vec<u16> {
    let streams = PublicRng::from_seed(rng.next_u64());
    let mut codes = vec![0u16; rows * columns];
    let blocks = Mutex::new(codes.chunks_mut(BLOCK_ROWS * columns).enumerate());
    let threads = thread::available_parallelism()
        .map_or(1, |count| count.get())
        .min(rows.div_ceil(BLOCK_ROWS));
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

/// Rows that are drawn together, from one stream.
const BLOCK_ROWS: usize = 4096;
