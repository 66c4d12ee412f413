//! A mixture of products: components, in each of which the columns are independent.

use dpsynth_privacy::PublicRng;

use crate::draw::{GroupCodes, accumulate, draw_blocks, pick};
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
    /// The draws are a function of the state of `rng` alone.
    pub fn sample(&self, rows: usize, rng: &mut PublicRng) -> Vec<u16> {
        let columns = self.groupings.len();
        draw_blocks(rows, columns, rng, &|rng, block| {
            for row in block.chunks_exact_mut(columns) {
                self.draw_row(rng, row);
            }
        })
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
