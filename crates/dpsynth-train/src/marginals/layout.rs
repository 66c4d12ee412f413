//! The columns of a table as they are measured together, and what was measured put together.

use dpsynth_privacy::{MarginalQuery, MeasuredMarginal, Released};

use super::grouping::{Fineness, Grouping};
use super::measure::MeasurePlan;
use super::measurements::{Measurements, Slice, learn};
use super::runs::Runs;
use super::stage::{OfTarget, PairStage};
use super::tree::TreeNode;

/// The columns as they are measured together.
#[derive(Clone)]
pub(super) struct Layout {
    groupings: Vec<Grouping>,
    /// The same of the runs of codes in which single columns were counted.
    of_runs: Vec<Grouping>,
    split_by: Option<usize>,
    pub(super) classes: usize,
    /// The block of the target, if it is one.
    target: Option<usize>,
    of_target: OfTarget,
    /// Columns in the blocks of a slice, and where each block starts; the total at the end.
    pub(super) blocks: Vec<usize>,
    starts: Vec<usize>,
    one_way: Vec<MeasuredMarginal>,
}

impl Layout {
    pub(super) fn new(
        plan: &MeasurePlan,
        stage: &PairStage,
        runs: &Runs,
        one_way: Released<Vec<MeasuredMarginal>>,
    ) -> Released<Self> {
        one_way.map(|one_way| {
            let columns = plan.codes.len();
            let split_by = stage.split_by;
            let blocks: Vec<_> = (0..columns).filter(|&c| Some(c) != split_by).collect();
            let ordered_groups = stage.groups_of_a_line;
            let total = rows(&one_way);
            let of_runs = one_way
                .iter()
                .zip(&plan.orders)
                .enumerate()
                .map(|(column, (table, &order))| {
                    if Some(column) == plan.target {
                        return Grouping::each(plan.codes[column]);
                    }
                    let fineness = Fineness {
                        ordered_groups,
                        smallest_category: (0.5 * stage.noise_stddev * ordered_groups.sqrt())
                            .min(0.05 * total)
                            .max(2.0 * table.noise_stddev),
                    };
                    let order = runs.order(column, order);
                    Grouping::new(order, &table.counts, table.noise_stddev, total, fineness)
                })
                .collect::<Vec<_>>();
            let groupings: Vec<_> = (of_runs.iter().enumerate())
                .map(|(column, grouping)| runs.of_codes(column, grouping))
                .collect();
            let mut starts = vec![0];
            for &column in &blocks {
                starts.push(starts[starts.len() - 1] + groupings[column].groups());
            }
            Self {
                groupings,
                of_runs,
                split_by,
                // OK because this is the number of codes of a column.
                classes: stage.classes as usize,
                target: blocks.iter().position(|&c| Some(c) == plan.target),
                of_target: stage.of_target,
                blocks,
                starts,
                one_way,
            }
        })
    }

    pub(super) fn merged_codes(&self) -> Vec<Vec<u16>> {
        self.groupings
            .iter()
            .map(|grouping| grouping.group_of.clone())
            .collect()
    }

    /// The columns of a marginal of some blocks, with the classes last.
    pub(super) fn query_columns(&self, blocks: &[usize]) -> Vec<u32> {
        blocks
            .iter()
            .map(|&block| self.blocks[block])
            .chain(self.split_by)
            .map(|column| column as u32)
            .collect()
    }

    /// Queries of pairs of blocks, each with its share of the precision.
    pub(super) fn queries(&self, pairs: &[((usize, usize), f64)]) -> Vec<MarginalQuery> {
        let query = |&((a, b), share): &((usize, usize), f64)| MarginalQuery {
            columns: self.query_columns(&[a, b]),
            share,
        };
        pairs.iter().map(query).collect()
    }

    pub(super) fn groups(&self, block: usize) -> usize {
        self.starts[block + 1] - self.starts[block]
    }

    /// The pairs of blocks that are measured.
    pub(super) fn pairs(&self) -> Vec<(usize, usize)> {
        let blocks = self.blocks.len();
        (0..blocks)
            .flat_map(|a| (a + 1..blocks).map(move |b| (a, b)))
            .filter(|&pair| self.of_target != OfTarget::Alone || self.has_target(pair))
            .collect()
    }

    fn has_target(&self, (a, b): (usize, usize)) -> bool {
        self.target == Some(a) || self.target == Some(b)
    }

    pub(super) fn cells(&self, (a, b): (usize, usize)) -> f64 {
        (self.groups(a) * self.groups(b) * self.classes) as f64
    }

    /// Parts `total` among pairs so that the sum of all cells' mean errors is least: in proportion
    /// to the number of cells to the power of two thirds. Pairs with the target weigh more.
    pub(super) fn shares(&self, pairs: &[(usize, usize)], total: f64) -> Vec<f64> {
        let weights: Vec<_> = pairs
            .iter()
            .map(|&pair| {
                let weight = self.cells(pair).powf(2.0 / 3.0);
                match self.of_target {
                    OfTarget::Weight(more) if self.has_target(pair) => more * weight,
                    _ => weight,
                }
            })
            .collect();
        let sum: f64 = weights.iter().sum();
        // Down, so that no sum of shares exceeds its total.
        weights
            .iter()
            .map(|weight| total * weight / sum * (1.0 - 1e-12))
            .collect()
    }

    /// Puts all counts together, as shares of the rows.
    pub(super) fn finish(
        self,
        tables: &[MeasuredMarginal],
        close_pairs: Vec<(usize, usize)>,
        tree: Vec<TreeNode>,
    ) -> Measurements {
        let total = rows(self.one_way.iter().chain(tables));
        let groups = self.starts[self.blocks.len()];
        let mut slices = vec![Slice::unknown(groups); self.classes];
        let block_of = |column: u32| {
            self.blocks
                .iter()
                .position(|&block| block == column as usize)
        };
        for table in tables {
            let precision = (total / table.noise_stddev).powi(2) as f32;
            let blocks: Vec<_> = table.columns.iter().filter_map(|&c| block_of(c)).collect();
            for (cell, &count) in table.counts.iter().enumerate() {
                let (cell, class) = (cell / self.classes, cell % self.classes);
                let share = (count / total) as f32;
                match blocks[..] {
                    [block] => {
                        slices[class].learn_single(self.starts[block] + cell, share, precision);
                    }
                    [a, b] => {
                        let pair = (
                            self.starts[a] + cell / self.groups(b),
                            self.starts[b] + cell % self.groups(b),
                        );
                        slices[class].learn_pair(groups, pair, share, precision);
                    }
                    _ => {}
                }
            }
        }
        let mut one_way = vec![0.0f32; groups];
        let mut one_way_precision = vec![0.0f32; groups];
        for (block, &column) in self.blocks.iter().enumerate() {
            let table = &self.one_way[column];
            let mut sums = vec![(0.0f64, 0.0f64); self.groups(block)];
            for (&group, count) in self.of_runs[column].group_of.iter().zip(&table.counts) {
                let sum = &mut sums[usize::from(group)];
                *sum = (sum.0 + count, sum.1 + 1.0);
            }
            for (group, (sum, cells)) in sums.into_iter().enumerate() {
                let precision = (total / table.noise_stddev).powi(2) / cells;
                learn(
                    &mut one_way[self.starts[block] + group],
                    &mut one_way_precision[self.starts[block] + group],
                    (sum / total) as f32,
                    precision as f32,
                );
            }
        }
        let classes = self.split_by.map_or_else(Vec::new, |target| {
            let table = &self.one_way[target];
            let precision = (total / table.noise_stddev).powi(2) as f32;
            let share = |count: &f64| ((count / total) as f32, precision);
            table.counts.iter().map(share).collect()
        });
        Measurements {
            groupings: self.groupings,
            split_by: self.split_by,
            classes,
            slices,
            one_way,
            one_way_precision,
            total,
            close_pairs: close_pairs
                .into_iter()
                .map(|(a, b)| (self.blocks[a], self.blocks[b]))
                .collect(),
            tree,
        }
    }
}

/// The number of rows that tables say together: their sums, weighted by precision; at least 1.
fn rows<'t>(tables: impl IntoIterator<Item = &'t MeasuredMarginal>) -> f64 {
    let (mut sum, mut precision) = (0.0, 0.0);
    for table in tables {
        let of_table = (table.noise_stddev.powi(2) * table.counts.len() as f64).recip();
        sum += of_table * table.counts.iter().sum::<f64>();
        precision += of_table;
    }
    (sum / precision).max(1.0)
}
