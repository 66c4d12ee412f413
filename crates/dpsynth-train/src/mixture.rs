//! A mixture of products: components, in each of which the columns are independent.

use std::sync::Mutex;
use std::thread;

use dpsynth_privacy::PublicRng;

use crate::marginals::{Grouping, Measurements};

/// A generator that draws one of its components, all alike, and then every column by itself: first
/// a group of codes by the component's shares, then a code of the group by the group's weights.
#[derive(Clone, Debug, PartialEq)]
pub struct Mixture {
    groupings: Vec<Grouping>,
    /// Shares of the groups of all columns, row-major by component.
    shares: Vec<f32>,
    /// Cumulative shares of the groups of all columns, row-major by component.
    cumulative: Vec<f32>,
    /// Where each column's groups start; the total at the end.
    starts: Vec<usize>,
    /// Codes of each column sorted by group, with their cumulative weights within it.
    codes: Vec<GroupCodes>,
}

/// The codes of a column, group by group.
#[derive(Clone, Debug, PartialEq)]
struct GroupCodes {
    codes: Vec<u16>,
    cumulative: Vec<f32>,
    /// Where each group starts; the total at the end.
    starts: Vec<usize>,
}

impl Mixture {
    /// Puts a mixture together from fitted shares: columns in the order of the fit, row-major.
    pub(crate) fn new(measurements: &Measurements, components: Vec<f32>) -> Self {
        let groupings = measurements.groupings.clone();
        let order = measurements
            .block_columns()
            .into_iter()
            .chain(measurements.split_by);
        let mut sources = vec![0; groupings.len()];
        let mut outputs = 0;
        for column in order {
            sources[column] = outputs;
            outputs += groupings[column].groups();
        }
        let mut shares = Vec::with_capacity(components.len());
        for row in components.chunks_exact(outputs) {
            for (grouping, &source) in groupings.iter().zip(&sources) {
                shares.extend_from_slice(&row[source..source + grouping.groups()]);
            }
        }
        Self::from_shares(groupings, shares)
    }

    /// Puts a mixture together from shares of the groups of all columns, row-major by component.
    pub(crate) fn from_shares(groupings: Vec<Grouping>, shares: Vec<f32>) -> Self {
        let mut starts = vec![0];
        for grouping in &groupings {
            starts.push(starts[starts.len() - 1] + grouping.groups());
        }
        let mut cumulative = shares.clone();
        for row in cumulative.chunks_exact_mut(starts[groupings.len()]) {
            for column in starts.windows(2) {
                accumulate(&mut row[column[0]..column[1]]);
            }
        }
        let codes = groupings.iter().map(GroupCodes::new).collect();
        Self {
            groupings,
            shares,
            cumulative,
            starts,
            codes,
        }
    }

    /// Number of codes of each column.
    #[must_use]
    pub fn domain_sizes(&self) -> Vec<u32> {
        self.groupings
            .iter()
            .map(|grouping| grouping.group_of.len() as u32)
            .collect()
    }

    /// Groups of every column's codes.
    #[must_use]
    pub fn groupings(&self) -> &[Grouping] {
        &self.groupings
    }

    /// Shares of the groups of all columns, row-major by component.
    pub(crate) fn shares(&self) -> &[f32] {
        &self.shares
    }

    /// Number of components.
    #[must_use]
    pub fn components(&self) -> usize {
        self.cumulative.len() / self.starts[self.groupings.len()]
    }

    /// Draws `rows` rows of codes, row-major.
    ///
    /// The draws are a function of the state of `rng` alone: blocks of rows have streams of their
    /// own, so the number of threads does not matter.
    pub fn sample(&self, rows: usize, rng: &mut PublicRng) -> Vec<u16> {
        let columns = self.groupings.len();
        let streams = PublicRng::from_seed(rng.next_u64());
        let mut codes = vec![0u16; rows * columns];
        let blocks = Mutex::new(codes.chunks_mut(SAMPLE_ROWS * columns).enumerate());
        let threads = thread::available_parallelism()
            .map_or(1, |count| count.get())
            .min(rows.div_ceil(SAMPLE_ROWS));
        let work = || {
            loop {
                // OK because nothing panics while the lock is held, so it is never poisoned.
                let next = blocks.lock().expect("block queue").next();
                let Some((index, block)) = next else { return };
                let mut rng = streams.stream(index as u64);
                for row in block.chunks_exact_mut(columns) {
                    self.draw_row(&mut rng, row);
                }
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

    fn draw_row(&self, rng: &mut PublicRng, row: &mut [u16]) {
        let width = self.starts[self.groupings.len()];
        let component = (rng.uniform() * self.components() as f64) as usize;
        let shares = &self.cumulative[component * width..(component + 1) * width];
        for ((column, codes), code) in self.starts.windows(2).zip(&self.codes).zip(row) {
            let group = pick(&shares[column[0]..column[1]], rng.uniform());
            *code = codes.draw(group, rng);
        }
    }
}

impl GroupCodes {
    fn new(grouping: &Grouping) -> Self {
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

    fn draw(&self, group: usize, rng: &mut PublicRng) -> u16 {
        let range = self.starts[group]..self.starts[group + 1];
        if range.len() == 1 {
            return self.codes[range.start];
        }
        self.codes[range.start + pick(&self.cumulative[range], rng.uniform())]
    }
}

/// Turns weights into their running sums.
fn accumulate(weights: &mut [f32]) {
    let mut sum = 0.0f32;
    for weight in weights {
        sum += *weight;
        *weight = sum;
    }
}

/// The first place whose running sum exceeds the share `uniform` of the last one.
fn pick(cumulative: &[f32], uniform: f64) -> usize {
    let last = cumulative.len() - 1;
    let target = uniform as f32 * cumulative[last];
    cumulative[..last].partition_point(|&sum| sum <= target)
}

/// Rows that are drawn together, from one stream.
const SAMPLE_ROWS: usize = 4096;
