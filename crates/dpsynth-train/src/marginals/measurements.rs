//! Noisy marginals, put together for a fit.

use super::grouping::Grouping;
use super::tree::TreeNode;

/// All noisy marginals of a release, as shares of the rows with the precision of each.
#[derive(Clone, Debug, PartialEq)]
pub struct Measurements {
    /// Groups of every column's codes, in the order of the columns.
    pub groupings: Vec<Grouping>,
    /// The column whose classes the slices stand for; it is not among the blocks of the slices.
    pub split_by: Option<usize>,
    /// Shares of each class of the column that is split by, with their precisions; empty without one.
    pub classes: Vec<(f32, f32)>,
    /// Pairs of columns, one slice for each class, or a single one of all rows.
    pub slices: Vec<Slice>,
    /// Shares of every group of the columns in the blocks among all rows, measured once more.
    pub one_way: Vec<f32>,
    /// Precision of each of them.
    pub one_way_precision: Vec<f32>,
    /// Noisy number of rows.
    pub total: f64,
    /// Pairs of columns that were measured closely.
    pub close_pairs: Vec<(usize, usize)>,
    /// The columns in the blocks as a junction tree, each after its parents; empty where the pairs
    /// were not chosen as one. Nodes are numbered as the blocks are.
    pub tree: Vec<TreeNode>,
}

/// Noisy shares of pairs of groups within one class.
///
/// Matrices are square and row-major over all groups of the columns in the blocks, in order, and
/// symmetric. What was not measured has a precision of 0.
#[derive(Clone, Debug, PartialEq)]
pub struct Slice {
    /// Shares of pairs of groups of different columns.
    pub pairs: Vec<f32>,
    /// Inverse variance of each of them.
    pub pair_precision: Vec<f32>,
    /// Shares of single groups.
    pub singles: Vec<f32>,
    /// Inverse variance of each of them.
    pub single_precision: Vec<f32>,
}

impl Measurements {
    /// The columns in the blocks, in order: all but the one that is split by.
    #[must_use]
    pub fn block_columns(&self) -> Vec<usize> {
        (0..self.groupings.len())
            .filter(|&column| Some(column) != self.split_by)
            .collect()
    }

    /// Number of groups of each column in the blocks.
    #[must_use]
    pub fn block_sizes(&self) -> Vec<usize> {
        let columns = self.block_columns();
        columns
            .iter()
            .map(|&column| self.groupings[column].groups())
            .collect()
    }

    /// Number of noisy shares that a fit is to meet.
    #[must_use]
    pub fn cells(&self) -> usize {
        let measured = |precision: &[f32]| precision.iter().filter(|&&p| p > 0.0).count();
        let slices = self
            .slices
            .iter()
            .map(|slice| measured(&slice.pair_precision) / 2 + measured(&slice.single_precision));
        slices.sum::<usize>() + measured(&self.one_way_precision) + self.classes.len()
    }
}

impl Slice {
    /// A slice of which nothing is known, over `groups` groups.
    pub(super) fn unknown(groups: usize) -> Self {
        Self {
            pairs: vec![0.0; groups * groups],
            pair_precision: vec![0.0; groups * groups],
            singles: vec![0.0; groups],
            single_precision: vec![0.0; groups],
        }
    }

    /// Adds a measurement of the share of a pair of groups to what is known of it.
    pub(super) fn learn_pair(
        &mut self,
        groups: usize,
        (a, b): (usize, usize),
        share: f32,
        precision: f32,
    ) {
        for cell in [a * groups + b, b * groups + a] {
            learn(
                &mut self.pairs[cell],
                &mut self.pair_precision[cell],
                share,
                precision,
            );
        }
    }

    /// Adds a measurement of the share of a group to what is known of it.
    pub(super) fn learn_single(&mut self, group: usize, share: f32, precision: f32) {
        learn(
            &mut self.singles[group],
            &mut self.single_precision[group],
            share,
            precision,
        );
    }
}

/// Averages two measurements of the same share by their precisions.
pub(super) fn learn(share: &mut f32, precision: &mut f32, measured: f32, measured_precision: f32) {
    let sum = *precision + measured_precision;
    *share = (*share * *precision + measured * measured_precision) / sum;
    *precision = sum;
}
