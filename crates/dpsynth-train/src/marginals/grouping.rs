//! Which codes of a column are measured together, chosen from its noisy counts.

use serde::{Deserialize, Serialize};

use super::denoise::{project, smooth};

/// What the order of a column's codes means.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CodeOrder {
    /// None: the codes are categories.
    Nominal,
    /// The first `values` codes are cells of a line, in order; those after them stand alone.
    Ordered {
        /// Number of cells.
        values: u32,
    },
}

/// Groups of a column's codes, and the shares of the codes within their group.
///
/// Everything here was learned from noisy counts, and so is released.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Grouping {
    /// Group of each code.
    pub group_of: Vec<u16>,
    /// Weight of each code within its group, at least 0; not all of a group are 0.
    pub weights: Vec<f32>,
}

/// How fine groups may be.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Fineness {
    /// Groups of equal mass into which an ordered column is cut.
    pub(super) ordered_groups: f64,
    /// Rows below which a category is measured together with others.
    pub(super) smallest_category: f64,
}

impl Grouping {
    /// Number of groups.
    #[must_use]
    pub fn groups(&self) -> usize {
        self.group_of
            .iter()
            .max()
            .map_or(0, |&last| usize::from(last) + 1)
    }

    /// The grouping given that codes are among those that are allowed, and of each group the share of it
    /// that is.
    pub(crate) fn given(&self, allowed: &[bool]) -> (Self, Vec<f64>) {
        let mut parts = vec![(0.0f64, 0.0f64); self.groups()];
        let mut weights = self.weights.clone();
        for ((&group, weight), &allowed) in self.group_of.iter().zip(&mut weights).zip(allowed) {
            let part = &mut parts[usize::from(group)];
            part.0 += f64::from(*weight);
            if allowed {
                part.1 += f64::from(*weight);
            } else {
                *weight = 0.0;
            }
        }
        let group_of = self.group_of.clone();
        let kept = parts.into_iter().map(|(all, kept)| kept / all).collect();
        (Self { group_of, weights }, kept)
    }

    /// Every code in a group of its own.
    #[must_use]
    pub fn each(codes: u32) -> Self {
        Self {
            group_of: (0..codes).map(|code| code as u16).collect(),
            weights: vec![1.0; codes as usize],
        }
    }

    /// Groups the codes of a column by their noisy counts, which add up to about `total`.
    pub(super) fn new(
        order: CodeOrder,
        counts: &[f64],
        noise_stddev: f64,
        total: f64,
        fineness: Fineness,
    ) -> Self {
        let group_of = match order {
            CodeOrder::Nominal => {
                let shares = project(counts, total);
                return Self::of_categories(&shares, fineness.smallest_category);
            }
            CodeOrder::Ordered { values } => values as usize,
        };
        let values = group_of.min(counts.len());
        let mut smoothed = smooth(&counts[..values], noise_stddev);
        smoothed.extend_from_slice(&counts[values..]);
        let shares = project(&smoothed, total);
        Self::of_line(&shares, values, total / fineness.ordered_groups)
    }

    /// Cuts a line of cells into runs of about `mass` rows. A cell that holds as much is a run.
    ///
    /// Where such cells hold most rows, the runs beside them are smaller: what is left of a column
    /// with a spike, such as capital gains, often says more than its mass.
    fn of_line(shares: &[f64], values: usize, mass: f64) -> Self {
        let beside_spikes: f64 = shares[..values].iter().filter(|&&share| share < mass).sum();
        let runs = RUNS_BESIDE_SPIKES.min(shares[..values].iter().sum::<f64>() / mass);
        let mass = mass.min((beside_spikes / runs).max(mass / SMALLEST_RUN));
        let mut group_of = Vec::with_capacity(shares.len());
        let (mut group, mut held) = (0u16, 0.0);
        for &share in &shares[..values] {
            if held >= mass || (share >= mass && held > 0.0) {
                group += 1;
                held = 0.0;
            }
            held += share;
            group_of.push(group);
        }
        // A last run without mass could never be drawn from, so it joins the one before.
        if held <= 0.0 && group > 0 {
            for of_cell in group_of.iter_mut().rev().take_while(|of| **of == group) {
                *of_cell = group - 1;
            }
            group -= 1;
        }
        for _ in values..shares.len() {
            if !group_of.is_empty() {
                group += 1;
            }
            group_of.push(group);
        }
        Self::with_weights(group_of, shares)
    }

    /// Gives every category of at least `smallest` rows a group, and one to the others together.
    fn of_categories(shares: &[f64], smallest: f64) -> Self {
        let mut largest: Vec<usize> = (0..shares.len()).collect();
        largest.sort_by(|&a, &b| shares[b].total_cmp(&shares[a]));
        let alone = largest
            .iter()
            .take(MOST_CATEGORIES)
            .filter(|&&code| shares[code] >= smallest)
            .count();
        // A single code that is left over is a group of its own anyway.
        let rest = alone as u16;
        let mut group_of = vec![rest; shares.len()];
        for (group, &code) in largest[..alone].iter().enumerate() {
            group_of[code] = group as u16;
        }
        // Groups in the order of their first code, so that a column that keeps all is unchanged.
        let mut renamed = vec![None; alone + 1];
        let mut next = 0u16;
        for group in &mut group_of {
            let name = renamed[usize::from(*group)].get_or_insert_with(|| {
                next += 1;
                next - 1
            });
            *group = *name;
        }
        Self::with_weights(group_of, shares)
    }

    /// Weighs the codes of each group by their shares, evenly where all of them are 0.
    fn with_weights(group_of: Vec<u16>, shares: &[f64]) -> Self {
        let groups = group_of
            .iter()
            .max()
            .map_or(0, |&last| usize::from(last) + 1);
        let mut masses = vec![0.0; groups];
        for (&group, share) in group_of.iter().zip(shares) {
            masses[usize::from(group)] += share;
        }
        let weights = group_of
            .iter()
            .zip(shares)
            .map(|(&group, &share)| {
                let mass = masses[usize::from(group)];
                if mass > 0.0 {
                    (share / mass) as f32
                } else {
                    1.0
                }
            })
            .collect();
        Self { group_of, weights }
    }
}

/// Runs into which what stands beside spikes is cut at least.
const RUNS_BESIDE_SPIKES: f64 = 6.0;
/// By how much such runs may be smaller than others.
const SMALLEST_RUN: f64 = 4.0;
/// Most categories of a column that are measured apart.
const MOST_CATEGORIES: usize = 96;

#[cfg(test)]
mod tests {
    use super::*;

    const FINENESS: Fineness = Fineness {
        ordered_groups: 4.0,
        smallest_category: 50.0,
    };

    #[test]
    fn a_line_is_cut_into_equal_masses_and_spikes_stand_alone() {
        let mut counts = vec![10.0; 40];
        counts[0] = 400.0;
        let order = CodeOrder::Ordered { values: 40 };
        let grouping = Grouping::new(order, &counts, 1.0, 790.0, FINENESS);
        assert_eq!(grouping.group_of[0], 0);
        assert_eq!(grouping.group_of[1], 1);
        assert!((3..=5).contains(&grouping.groups()), "{grouping:?}");
        assert!(grouping.group_of.windows(2).all(|pair| pair[0] <= pair[1]));
    }

    #[test]
    fn what_is_left_beside_a_spike_is_cut_finer() {
        let order = CodeOrder::Ordered { values: 41 };
        let mut counts = vec![5.0; 41];
        counts[0] = 1800.0;
        let with_spike = Grouping::new(order, &counts, 1.0, 2000.0, FINENESS);
        // Two hundred rows are less than half of a quarter, and would be one group with it.
        assert!(
            (2..=6).contains(&(with_spike.groups() - 1)),
            "{with_spike:?}"
        );
        let without = Grouping::new(order, &[50.0; 41], 1.0, 2050.0, FINENESS);
        assert!((4..=5).contains(&without.groups()), "{without:?}");
    }

    #[test]
    fn what_stands_after_the_line_stands_alone() {
        let order = CodeOrder::Ordered { values: 3 };
        let grouping = Grouping::new(order, &[5.0, 5.0, 5.0, 1.0], 0.1, 16.0, FINENESS);
        let missing = grouping.group_of[3];
        assert!(grouping.group_of[..3].iter().all(|&group| group != missing));
        let only = Grouping::new(CodeOrder::Ordered { values: 0 }, &[3.0], 0.1, 3.0, FINENESS);
        assert_eq!((only.groups(), only.weights), (1, vec![1.0]));
    }

    #[test]
    fn rare_categories_share_a_group_by_their_counts() {
        let counts = [500.0, 10.0, 200.0, 30.0, 60.0];
        let grouping = Grouping::new(CodeOrder::Nominal, &counts, 1.0, 800.0, FINENESS);
        assert_eq!(grouping.group_of, [0, 1, 2, 1, 3]);
        assert!((grouping.weights[3] / grouping.weights[1] - 3.0).abs() < 1e-5);
        let each = Grouping::new(CodeOrder::Nominal, &[80.0; 3], 1.0, 240.0, FINENESS);
        assert_eq!(each.group_of, [0, 1, 2]);
    }

    #[test]
    fn no_group_is_without_weight() {
        let order = CodeOrder::Ordered { values: 5 };
        for counts in [[0.0; 5], [-3.0; 5], [9.0, 0.0, 0.0, -5.0, -9.0]] {
            let grouping = Grouping::new(order, &counts, 1.0, 5.0, FINENESS);
            for group in 0..grouping.groups() {
                let of_group = |&(of, _): &(&u16, &f32)| usize::from(*of) == group;
                let weights = grouping.group_of.iter().zip(&grouping.weights);
                let sum: f32 = weights.filter(of_group).map(|(_, weight)| weight).sum();
                assert!(sum > 0.0, "{counts:?} {grouping:?}");
            }
        }
    }
}
