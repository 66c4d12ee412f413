//! Groups of few people: the first whom a synthetic table forgets.

use serde::Serialize;

use crate::codes::{Codes, Cut};
use crate::distance::joint_shares;

/// How rare groups fare. A group is a level of a column, or a level of a column within a class of
/// the target.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct RareGroups {
    /// Largest share of the real rows that a rare group has.
    pub largest_share: f64,
    /// Number of rare groups with at least [`RareGroups::LEAST_ROWS`] rows.
    pub groups: usize,
    /// Share of them that no synthetic row belongs to.
    pub lost: f64,
    /// Median of |synthetic share − real share| over the real share.
    pub median_relative_error: f64,
    /// The groups that are furthest off, worst first.
    pub worst: Vec<RareGroup>,
}

/// A rare group.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct RareGroup {
    /// Who belongs to it.
    pub group: String,
    /// Share of the real rows.
    pub real: f64,
    /// Share of the synthetic rows.
    pub synthetic: f64,
}

impl RareGroup {
    /// How far the shares are apart, as the absolute logarithm of their ratio; a lost group is
    /// furthest.
    fn distance(&self) -> f64 {
        if self.synthetic > 0.0 {
            (self.synthetic / self.real).ln().abs()
        } else {
            f64::MAX
        }
    }
}

impl RareGroups {
    /// Groups of fewer rows than this are left out: their share is no property of a population.
    pub const LEAST_ROWS: u32 = 10;

    pub(crate) fn new(
        cut: &Cut,
        real: &Codes,
        synthetic: &Codes,
        columns: &[usize],
        target: Option<usize>,
    ) -> Self {
        let least = f64::from(Self::LEAST_ROWS) / real.rows as f64;
        let mut groups = Vec::new();
        for &column in columns {
            let sets = [
                vec![column],
                target.map_or_else(Vec::new, |target| vec![column, target]),
            ];
            for set in sets.iter().filter(|set| !set.is_empty()) {
                if set.len() == 2 && set[0] == set[1] {
                    continue;
                }
                let shares = joint_shares(real, set, &cut.sizes);
                let drawn = joint_shares(synthetic, set, &cut.sizes);
                for (cell, (&real, &synthetic)) in shares.iter().zip(&drawn).enumerate() {
                    if (least..=LARGEST_SHARE).contains(&real) {
                        let group = describe(cut, set, cell);
                        groups.push(RareGroup {
                            group,
                            real,
                            synthetic,
                        });
                    }
                }
            }
        }
        let mut errors: Vec<f64> = groups
            .iter()
            .map(|group| (group.synthetic - group.real).abs() / group.real)
            .collect();
        errors.sort_by(f64::total_cmp);
        let lost = groups.iter().filter(|group| group.synthetic == 0.0).count();
        let count = groups.len();
        // The most frequent first among those that are as far off.
        groups.sort_by(|a, b| {
            (b.distance().total_cmp(&a.distance())).then(b.real.total_cmp(&a.real))
        });
        groups.truncate(MOST_SHOWN);
        Self {
            largest_share: LARGEST_SHARE,
            groups: count,
            lost: lost as f64 / count.max(1) as f64,
            median_relative_error: errors.get(count / 2).copied().unwrap_or(0.0),
            worst: groups,
        }
    }
}

fn describe(cut: &Cut, columns: &[usize], cell: usize) -> String {
    let mut rest = cell;
    let mut parts: Vec<String> = columns
        .iter()
        .rev()
        .map(|&column| {
            let code = rest % cut.sizes[column];
            rest /= cut.sizes[column];
            format!(
                "{} = {}",
                cut.names[column],
                cut.describe(column, code as u32)
            )
        })
        .collect();
    parts.reverse();
    parts.join(", ")
}

const LARGEST_SHARE: f64 = 0.01;
const MOST_SHOWN: usize = 12;
