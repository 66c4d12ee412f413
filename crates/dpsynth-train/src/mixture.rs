//! A mixture of products: components, in each of which the columns are independent.

use dpsynth_privacy::PublicRng;

use crate::balance::{Components, shuffle_rows};
use crate::draw::{GroupCodes, accumulate, draw_blocks};
use crate::marginals::{Grouping, Measurements};

/// A generator of rows from components, within each of which every column is drawn by itself: first a
/// group of codes by the component's shares, then a code of the group by the group's weights.
#[derive(Clone, Debug, PartialEq)]
pub struct Mixture {
    groupings: Vec<Grouping>,
    /// Shares of the groups of all columns, row-major by component.
    shares: Vec<f32>,
    /// Running sums of the components' weights.
    weights: Vec<f32>,
    /// Where each column's groups start; the total at the end.
    starts: Vec<usize>,
    /// Codes of each column sorted by group, with their cumulative weights within it.
    codes: Vec<GroupCodes>,
    /// A column within whose classes pairs of the others matter.
    classed_by: Option<usize>,
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
        Self::from_shares(groupings, shares, measurements.split_by)
    }

    /// Puts a mixture together from shares of the groups of all columns, row-major by component.
    pub(crate) fn from_shares(
        groupings: Vec<Grouping>,
        shares: Vec<f32>,
        classed_by: Option<usize>,
    ) -> Self {
        let mut starts = vec![0];
        for grouping in &groupings {
            starts.push(starts[starts.len() - 1] + grouping.groups());
        }
        let codes = groupings.iter().map(GroupCodes::new).collect();
        let components = shares.len() / starts[groupings.len()];
        Self {
            weights: (1..=components).map(|count| count as f32).collect(),
            groupings,
            shares,
            starts,
            codes,
            classed_by,
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

    /// A column within whose classes pairs of the others matter.
    pub(crate) fn classed_by(&self) -> Option<usize> {
        self.classed_by
    }

    /// Number of components.
    #[must_use]
    pub fn components(&self) -> usize {
        self.shares.len() / self.starts[self.groupings.len()]
    }

    /// The mixture given that the code of each column is among those that are allowed, and the share
    /// of the rows for which that is so; `None` if no row has such codes.
    ///
    /// `allowed` has a list for each column, as long as its domain, or `None` where all codes are
    /// allowed. Because columns are independent within a component, this is exact: components are
    /// weighted by the shares of what is allowed (Bayes), and the columns are drawn from what is left.
    ///
    /// # Panics
    /// If a list is shorter than its column's domain.
    #[must_use]
    pub fn given(&self, allowed: &[Option<Vec<bool>>]) -> Option<(Self, f64)> {
        let mut given = self.clone();
        let width = self.starts[self.groupings.len()];
        let mut weights = vec![1.0f64; self.components()];
        for (column, allowed) in allowed.iter().enumerate() {
            let Some(allowed) = allowed else { continue };
            let (grouping, kept) = self.groupings[column].given(allowed);
            let columns = self.starts[column]..self.starts[column + 1];
            for (component, weight) in weights.iter_mut().enumerate() {
                let row = component * width;
                let shares = &mut given.shares[row + columns.start..row + columns.end];
                let all: f64 = shares.iter().map(|&share| f64::from(share)).sum();
                for (share, kept) in shares.iter_mut().zip(&kept) {
                    *share *= *kept as f32;
                }
                *weight *= shares.iter().map(|&share| f64::from(share)).sum::<f64>() / all;
            }
            given.codes[column] = GroupCodes::new(&grouping);
            given.groupings[column] = grouping;
        }
        let share = weights.iter().sum::<f64>() / weights.len() as f64;
        // Relative to the largest, so that a rare condition keeps its precision.
        let largest = weights.iter().copied().fold(0.0, f64::max);
        if largest <= 0.0 {
            return None;
        }
        given.weights = weights
            .iter()
            .map(|weight| (weight / largest) as f32)
            .collect();
        accumulate(&mut given.weights);
        Some((given, share))
    }

    /// Draws `rows` rows of codes, row-major: a function of the state of `rng` alone.
    ///
    /// The rows are not independent of each other but balanced: their counts, of single columns as of
    /// pairs, are nearer to what the mixture expects than those of independent rows would be. Rows
    /// stand in random order, so that a part of them is as good as another.
    pub fn sample(&self, rows: usize, rng: &mut PublicRng) -> Vec<u16> {
        self.sample_of(rows, rows, rng)
    }

    /// As [`sample`](Self::sample), of a table that has `all` rows when it is whole: the more there are, the
    /// less is done to balance each part.
    pub(crate) fn sample_of(&self, all: usize, rows: usize, rng: &mut PublicRng) -> Vec<u16> {
        let columns = self.groupings.len();
        let components = Components {
            weights: &self.weights,
            shares: &self.shares,
            starts: &self.starts,
            classed_by: self.classed_by,
        };
        // Sampling noise fades where rows are many, and time does not.
        let sweeps = (MOST_OFFERS / (all * columns * columns).max(1)).min(MOST_SWEEPS);
        draw_blocks(rows, columns, BALANCED_ROWS, rng, &|rng, block| {
            components.draw(rng, sweeps, block);
            for (column, codes) in self.codes.iter().enumerate() {
                codes.spread(block[column..].iter_mut().step_by(columns), rng);
            }
            shuffle_rows(block, columns, rng);
        })
    }
}

/// Rows that are balanced together.
const BALANCED_ROWS: usize = 1 << 15;
/// Times that every cell is offered for a swap, at most.
const MOST_SWEEPS: usize = 5;
/// Cells of pairs that are looked at on the way, about.
const MOST_OFFERS: usize = 100_000_000;

#[cfg(test)]
mod tests {
    use super::*;

    /// Two components over a column of three codes in two groups, and one of two codes.
    fn mixture() -> Mixture {
        let grouped = Grouping {
            group_of: vec![0, 1, 1],
            weights: vec![1.0, 0.25, 0.75],
        };
        let shares = vec![0.5, 0.5, 0.9, 0.1, 1.0, 0.0, 0.2, 0.8];
        Mixture::from_shares(vec![grouped, Grouping::each(2)], shares, None)
    }

    /// Shares of the six cells among many draws.
    fn drawn(mixture: &Mixture) -> [f64; 6] {
        let rows = 200_000;
        let mut shares = [0.0; 6];
        for row in mixture
            .sample(rows, &mut PublicRng::from_seed(1))
            .chunks_exact(2)
        {
            shares[usize::from(row[0] * 2 + row[1])] += 1.0 / rows as f64;
        }
        shares
    }

    fn near(found: [f64; 6], expected: [f64; 6]) -> bool {
        // Five deviations of a share of 200,000 draws are below 0.0056.
        found
            .iter()
            .zip(expected)
            .all(|(a, b)| (a - b).abs() < 0.006)
    }

    /// Shares of the cells by the definition of the mixture.
    const EXACT: [f64; 6] = [0.325, 0.425, 0.05625, 0.00625, 0.16875, 0.01875];

    #[test]
    fn rows_have_the_shares_of_the_mixture() {
        assert!(near(drawn(&mixture()), EXACT));
        let wrong = [0.34, 0.41, 0.05625, 0.00625, 0.16875, 0.01875];
        assert!(!near(drawn(&mixture()), wrong));
    }

    #[test]
    fn rows_given_a_condition_are_those_of_the_mixture_that_meet_it() {
        let conditions: [[Option<Vec<bool>>; 2]; 4] = [
            [None, None],
            [None, Some(vec![false, true])],
            [Some(vec![true, false, true]), None],
            [Some(vec![false, true, true]), Some(vec![true, false])],
        ];
        for allowed in conditions {
            let (given, share) = mixture().given(&allowed).expect("possible");
            let meets = |cell: usize| {
                let allows = |column: usize, code: usize| {
                    allowed[column].as_ref().is_none_or(|codes| codes[code])
                };
                allows(0, cell / 2) && allows(1, cell % 2)
            };
            let mut expected = EXACT;
            for (cell, share) in expected.iter_mut().enumerate() {
                *share *= f64::from(u8::from(meets(cell)));
            }
            let total: f64 = expected.iter().sum();
            assert!((share - total).abs() < 1e-6, "{allowed:?}");
            assert!(
                near(drawn(&given), expected.map(|cell| cell / total)),
                "{allowed:?}"
            );
        }
    }

    #[test]
    fn what_no_row_can_be_is_said() {
        assert!(mixture().given(&[None, Some(vec![false, false])]).is_none());
        let first_code_only = [Some(vec![false, true, false]), None];
        let (given, _) = mixture()
            .given(&first_code_only)
            .expect("the first component can");
        let rows = given.sample(500, &mut PublicRng::from_seed(1));
        assert!(rows.chunks_exact(2).all(|row| row[0] == 1));
    }
}
