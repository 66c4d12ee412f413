//! Which marginals are measured, and how closely.

use dpsynth_privacy::{MarginalQuery, MarginalSession, MeasuredMarginal, MechanismError, Released};

use super::grouping::{CodeOrder, Fineness, Grouping};
use super::measurements::{Measurements, Slice, learn};

/// What is decided about the measurement before the data is opened.
#[derive(Clone, Debug, PartialEq)]
pub struct MeasurePlan {
    /// Number of codes of each column.
    pub codes: Vec<u32>,
    /// What the order of each column's codes means.
    pub orders: Vec<CodeOrder>,
    /// A column whose dependence on the others matters most.
    pub target: Option<usize>,
    /// Public or noisy number of units; it decides how fine the groups are.
    pub units: f64,
    /// Standard deviation of a marginal that would have all of the precision, in rows.
    pub noise_stddev: f64,
    /// How the precision is parted.
    pub shares: MeasureShares,
}

/// How the precision of a measurement is parted among its stages; the rest is for the pairs that are
/// measured closely.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct MeasureShares {
    /// For single columns on their codes.
    pub one_way: f64,
    /// For single columns within each class of the target.
    pub by_class: f64,
    /// For all pairs.
    pub all_pairs: f64,
    /// Noise of a cell of a pair over the rows that it holds on average, at the groups that are
    /// chosen.
    pub noise_to_cell: f64,
}

/// Measures in three stages: single columns on their codes, all pairs of columns on groups of
/// codes, and once more the pairs that depend on each other beyond the noise.
///
/// Where there is a target of few classes and rows enough, every pair is measured within each
/// class: the classes part the rows, so that has the sensitivity of measuring the pair once.
///
/// # Guarantee
/// The data is read by [`MarginalSession::measure`] alone, which takes every marginal's share out
/// of what was paid for; every choice here is a function of the plan and of released counts.
///
/// # Errors
/// If a marginal has too many cells, or the noise is out of range.
pub fn measure(
    plan: &MeasurePlan,
    session: &mut MarginalSession<'_>,
) -> Result<Released<Measurements>, MechanismError> {
    let columns = plan.codes.len();
    let singles: Vec<_> = (0u32..)
        .zip(plan.one_way_shares())
        .map(|(column, share)| MarginalQuery {
            columns: vec![column],
            share,
        })
        .collect();
    let one_way = session.measure(&singles)?;
    let split_by = plan.split_by();
    let layout = Layout::new(plan, one_way.clone(), split_by);
    session.merge_codes(&layout.merged_codes())?;
    if columns == 1 {
        return Ok(layout.map(|layout| layout.finish(&[], &[])));
    }
    let pairs = layout.pairs();
    let class_share = if split_by.is_some() {
        plan.shares.by_class
    } else {
        0.0
    };
    let mut queries = Vec::new();
    if split_by.is_some() {
        let blocks = layout.blocks.len() as f64;
        queries.extend((0..layout.blocks.len()).map(|block| MarginalQuery {
            columns: layout.query_columns(&[block]),
            share: class_share / blocks,
        }));
    }
    let all_shares = layout.shares(&pairs, plan.shares.all_pairs);
    queries.extend(
        pairs
            .iter()
            .zip(&all_shares)
            .map(|(&(a, b), &share)| MarginalQuery {
                columns: layout.query_columns(&[a, b]),
                share,
            }),
    );
    let broad = session.measure(&queries)?;
    let left = 1.0 - plan.shares.one_way - class_share - plan.shares.all_pairs;
    let chosen = layout.close_pairs(&pairs, &broad, left);
    let queries: Vec<_> = chosen
        .iter()
        .map(|&((a, b), share)| MarginalQuery {
            columns: layout.query_columns(&[a, b]),
            share,
        })
        .collect();
    let close = session.measure(&queries)?;
    let close_pairs: Vec<_> = chosen.iter().map(|&(pair, _)| pair).collect();
    Ok(layout
        .zip(broad)
        .zip(close)
        .map(|((layout, broad), close)| {
            let mut all = broad;
            all.extend(close);
            layout.finish(&all, &close_pairs)
        }))
}

impl MeasurePlan {
    /// Whether pairs are measured within the classes of the target: a function of public figures.
    fn split_by(&self) -> Option<usize> {
        let target = self.target?;
        let classes = self.codes[target];
        let blocks = self.codes.len() as f64 - 1.0;
        let fits = (2..=MOST_CLASSES).contains(&classes)
            && blocks >= 2.0
            && self.groups_of_a_line(blocks * (blocks - 1.0) / 2.0, f64::from(classes))
                >= FEWEST_SPLIT_GROUPS;
        fits.then_some(target)
    }

    /// Parts the precision for single columns so that the sum of their errors is least, where a column
    /// of many codes counts as one of [`COUNTED_CODES`], because its cells will be averaged.
    fn one_way_shares(&self) -> Vec<f64> {
        let weights: Vec<_> = self
            .codes
            .iter()
            .map(|&codes| f64::from(codes.clamp(2, COUNTED_CODES)).powf(2.0 / 3.0))
            .collect();
        let sum: f64 = weights.iter().sum();
        let total = self.shares.one_way * (1.0 - 1e-12);
        weights.iter().map(|weight| total * weight / sum).collect()
    }

    /// Into how many groups a line of cells is cut, so that the noise of a cell of a pair stays in
    /// proportion to the rows that a cell holds on average.
    fn groups_of_a_line(&self, pairs: f64, classes: f64) -> f64 {
        let noise = self.noise_stddev * (pairs.max(1.0) / self.shares.all_pairs).sqrt();
        (self.shares.noise_to_cell * self.units / (classes * noise)).sqrt()
    }
}

/// What public figures say about a measurement before it is made.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct MeasureOutlook {
    /// Standard deviation of each count of a single column, in rows.
    pub one_way_noise: f64,
    /// The same of a pair that is measured like all pairs.
    pub pair_noise: f64,
    /// About how many groups a numeric column is cut into.
    pub groups: f64,
    /// Whether pairs are measured within the classes of the target.
    pub split: bool,
}

impl MeasurePlan {
    /// Foretells the noise and the groups from public figures.
    #[must_use]
    pub fn outlook(&self) -> MeasureOutlook {
        let split = self.split_by();
        let blocks = self.codes.len() as f64 - f64::from(u8::from(split.is_some()));
        let pairs = (blocks * (blocks - 1.0) / 2.0).max(1.0);
        let classes = split.map_or(1.0, |target| f64::from(self.codes[target]));
        MeasureOutlook {
            one_way_noise: self.noise_stddev
                * (self.codes.len() as f64 / self.shares.one_way).sqrt(),
            pair_noise: self.noise_stddev * (pairs / self.shares.all_pairs).sqrt(),
            groups: self
                .groups_of_a_line(pairs, classes)
                .clamp(FEWEST_GROUPS, MOST_GROUPS),
            split: split.is_some(),
        }
    }
}

/// The columns as they are measured together.
#[derive(Clone)]
struct Layout {
    groupings: Vec<Grouping>,
    split_by: Option<usize>,
    classes: usize,
    /// Columns in the blocks of a slice, and where each block starts; the total at the end.
    blocks: Vec<usize>,
    starts: Vec<usize>,
    one_way: Vec<MeasuredMarginal>,
    all_pairs_share: f64,
}

impl Layout {
    fn new(
        plan: &MeasurePlan,
        one_way: Released<Vec<MeasuredMarginal>>,
        split_by: Option<usize>,
    ) -> Released<Self> {
        one_way.map(|one_way| {
            let columns = plan.codes.len();
            let blocks: Vec<_> = (0..columns).filter(|&c| Some(c) != split_by).collect();
            let classes = split_by.map_or(1, |target| plan.codes[target] as usize);
            let pairs = blocks.len() as f64 * (blocks.len() as f64 - 1.0) / 2.0;
            let ordered_groups = plan
                .groups_of_a_line(pairs, classes as f64)
                .clamp(FEWEST_GROUPS, MOST_GROUPS);
            let noise = plan.noise_stddev * (pairs.max(1.0) / plan.shares.all_pairs).sqrt();
            let total = rows(&one_way);
            let groupings = one_way
                .iter()
                .zip(&plan.orders)
                .enumerate()
                .map(|(column, (table, &order))| {
                    if Some(column) == plan.target {
                        return Grouping::each(plan.codes[column]);
                    }
                    let fineness = Fineness {
                        ordered_groups,
                        smallest_category: (0.5 * noise * ordered_groups.sqrt())
                            .min(0.05 * total)
                            .max(2.0 * table.noise_stddev),
                    };
                    Grouping::new(order, &table.counts, table.noise_stddev, total, fineness)
                })
                .collect::<Vec<_>>();
            let mut starts = vec![0];
            for &column in &blocks {
                starts.push(starts[starts.len() - 1] + groupings[column].groups());
            }
            Self {
                groupings,
                split_by,
                classes,
                blocks,
                starts,
                one_way,
                all_pairs_share: plan.shares.all_pairs,
            }
        })
    }

    fn merged_codes(&self) -> Vec<Vec<u16>> {
        self.groupings
            .iter()
            .map(|grouping| grouping.group_of.clone())
            .collect()
    }

    /// The columns of a marginal of some blocks, with the classes last.
    fn query_columns(&self, blocks: &[usize]) -> Vec<u32> {
        blocks
            .iter()
            .map(|&block| self.blocks[block])
            .chain(self.split_by)
            .map(|column| column as u32)
            .collect()
    }

    fn groups(&self, block: usize) -> usize {
        self.starts[block + 1] - self.starts[block]
    }

    fn pairs(&self) -> Vec<(usize, usize)> {
        let blocks = self.blocks.len();
        (0..blocks)
            .flat_map(|a| (a + 1..blocks).map(move |b| (a, b)))
            .collect()
    }

    fn cells(&self, (a, b): (usize, usize)) -> f64 {
        (self.groups(a) * self.groups(b) * self.classes) as f64
    }

    /// Parts `total` among pairs so that the sum of all cells' mean errors is least: in proportion
    /// to the number of cells to the power of two thirds.
    fn shares(&self, pairs: &[(usize, usize)], total: f64) -> Vec<f64> {
        let weights: Vec<_> = pairs
            .iter()
            .map(|&pair| self.cells(pair).powf(2.0 / 3.0))
            .collect();
        let sum: f64 = weights.iter().sum();
        // Down, so that no sum of shares exceeds its total.
        weights
            .iter()
            .map(|weight| total * weight / sum * (1.0 - 1e-12))
            .collect()
    }

    /// Chooses the pairs to measure again: those whose distance from independence, beyond what the
    /// noise shows, exceeds what a close measurement would leave, as many as gain together.
    fn close_pairs(
        &self,
        pairs: &[(usize, usize)],
        broad: &[MeasuredMarginal],
        share: f64,
    ) -> Vec<((usize, usize), f64)> {
        let broad = &broad[broad.len() - pairs.len()..];
        let mut scored: Vec<_> = pairs
            .iter()
            .zip(broad)
            .map(|(&pair, table)| {
                let noise = MEAN_ABSOLUTE * table.noise_stddev * self.cells(pair);
                (pair, self.distance_from_independence(pair, table) - noise)
            })
            .collect();
        scored.sort_by(|a, b| b.1.total_cmp(&a.1));
        let noise = broad.first().map_or(1.0, |table| {
            // The noise of a marginal that would have all of the precision.
            table.noise_stddev * self.shares(pairs, self.all_pairs_share)[0].sqrt()
        });
        let mut best = (f64::NEG_INFINITY, 0);
        let (mut signal, mut weight) = (0.0, 0.0);
        for (kept, &(pair, score)) in scored.iter().enumerate() {
            signal += score.max(0.0);
            weight += self.cells(pair).powf(2.0 / 3.0);
            // With shares in proportion to cells^(2/3), the summed errors are this.
            let error = MEAN_ABSOLUTE * noise * (weight / share).sqrt() * weight;
            if signal - error > best.0 || kept < FEWEST_CLOSE_PAIRS {
                best = (signal - error, kept + 1);
            }
        }
        let chosen: Vec<_> = scored[..best.1].iter().map(|&(pair, _)| pair).collect();
        let shares = self.shares(&chosen, share);
        chosen.into_iter().zip(shares).collect()
    }

    /// Sum of the absolute differences between a measured pair and the product of its margins,
    /// within each class.
    fn distance_from_independence(&self, (a, b): (usize, usize), table: &MeasuredMarginal) -> f64 {
        let (rows, columns) = (self.groups(a), self.groups(b));
        let mut distance = 0.0;
        for class in 0..self.classes {
            let at = |i: usize, j: usize| table.counts[(i * columns + j) * self.classes + class];
            let left: Vec<f64> = (0..rows)
                .map(|i| (0..columns).map(|j| at(i, j)).sum())
                .collect();
            let right: Vec<f64> = (0..columns)
                .map(|j| (0..rows).map(|i| at(i, j)).sum())
                .collect();
            let total = left.iter().sum::<f64>().max(1.0);
            for (i, left) in left.iter().enumerate() {
                for (j, right) in right.iter().enumerate() {
                    distance += (at(i, j) - left.max(0.0) * right.max(0.0) / total).abs();
                }
            }
        }
        distance
    }

    /// Puts all counts together, as shares of the rows.
    fn finish(self, tables: &[MeasuredMarginal], close_pairs: &[(usize, usize)]) -> Measurements {
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
            for (&group, count) in self.groupings[column].group_of.iter().zip(&table.counts) {
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
                .iter()
                .map(|&(a, b)| (self.blocks[a], self.blocks[b]))
                .collect(),
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

/// Most classes of a target within which pairs are measured.
const MOST_CLASSES: u32 = 4;
/// Fewest groups of a line at which pairs are still measured within classes.
const FEWEST_SPLIT_GROUPS: f64 = 8.0;
/// Codes as which a column of more counts when precision is parted among single columns.
const COUNTED_CODES: u32 = 24;
const FEWEST_GROUPS: f64 = 6.0;
const MOST_GROUPS: f64 = 32.0;
const FEWEST_CLOSE_PAIRS: usize = 3;
/// Mean of the absolute value of a standard normal draw.
const MEAN_ABSOLUTE: f64 = 0.797_884_560_802_865_4;
