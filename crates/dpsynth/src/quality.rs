//! How near the synthetic table is to the noisy counts that were paid for. Both are released, so this
//! costs nothing.

use std::f64::consts::PI;

use dpsynth_table::{Schema, Table};
use dpsynth_train::Measurements;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::figures::cell;

/// The synthetic table beside the noisy counts.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Quality {
    /// Each modelled column.
    pub columns: Vec<ColumnFit>,
    /// All pairs of columns of which every cell was counted; absent where there are none.
    pub pairs: Option<PairsFit>,
}

/// A column beside its noisy counts.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ColumnFit {
    /// Name of the column.
    pub name: String,
    /// Half the sum of |noisy share − synthetic share| over the cells that were counted.
    pub distance: f64,
    /// What that sum would be on average if the table had the shares of the data: the noise alone.
    pub noise: f64,
}

/// The pairs of columns beside their noisy counts.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PairsFit {
    /// Number of pairs.
    pub pairs: u64,
    /// Mean of half the sum of |noisy share − synthetic share| over the cells of a pair.
    pub distance: f64,
    /// What that mean would be if the table had the shares of the data: the noise alone.
    pub noise: f64,
}

/// How often groups of codes, and pairs of them, occur in a synthetic table that comes some rows at a
/// time. Columns that are modelled as a distance to another are left out.
pub struct GroupCounts<'m> {
    measurements: &'m Measurements,
    modelled: &'m Schema,
    rows: u64,
    /// For each column, how often each group occurs; nothing where a cell has no code of its own.
    columns: Vec<Option<Vec<u64>>>,
    /// The same for the cells of each pair of blocks, in the order of [`pairs`].
    pairs: Vec<Option<Vec<u64>>>,
}

impl<'m> GroupCounts<'m> {
    /// Begins to count.
    #[must_use]
    pub fn new(measurements: &'m Measurements, modelled: &'m Schema) -> Self {
        let sizes = measurements.block_sizes();
        let cells = |(first, second): (usize, usize)| Some(vec![0; sizes[first] * sizes[second]]);
        Self {
            measurements,
            modelled,
            rows: 0,
            columns: (measurements.groupings.iter())
                .map(|grouping| Some(vec![0; grouping.groups()]))
                .collect(),
            pairs: pairs(sizes.len()).map(cells).collect(),
        }
    }

    /// Counts the rows of a part of the table.
    pub fn add(&mut self, table: &Table) {
        self.rows += table.rows() as u64;
        let (measurements, modelled) = (self.measurements, self.modelled);
        let groups: Vec<Option<Vec<u16>>> = (0..self.columns.len())
            .map(|column| groups_of(measurements, modelled, table, column))
            .collect();
        for (counts, groups) in self.columns.iter_mut().zip(&groups) {
            count(
                counts,
                groups.as_ref().map(|it| it.iter().map(|&it| it.into())),
            );
        }
        let (blocks, sizes) = (measurements.block_columns(), measurements.block_sizes());
        for (counts, (first, second)) in self.pairs.iter_mut().zip(pairs(blocks.len())) {
            let both = groups[blocks[first]]
                .as_ref()
                .zip(groups[blocks[second]].as_ref());
            let width = sizes[second];
            let cells = both.map(|(a, b)| {
                let cell = move |(&a, &b)| usize::from(a) * width + usize::from(b);
                a.iter().zip(b).map(cell)
            });
            count(counts, cells);
        }
    }

    /// Compares what was counted with the noisy counts to which the model was fitted.
    #[must_use]
    pub fn quality(&self) -> Quality {
        let measurements = self.measurements;
        let blocks = measurements.block_columns();
        let sizes = measurements.block_sizes();
        let starts: Vec<usize> = sizes
            .iter()
            .scan(0, |start, size| {
                let this = *start;
                *start += size;
                Some(this)
            })
            .collect();
        let all: usize = sizes.iter().sum();
        let mut columns = Vec::new();
        for (block, &column) in blocks.iter().enumerate() {
            let Some(counts) = &self.columns[column] else {
                continue;
            };
            let mut fit = Fit::default();
            for (group, share) in self.shares(counts, sizes[block]).enumerate() {
                let cell = starts[block] + group;
                let precision = measurements.one_way_precision[cell];
                fit.add(f64::from(measurements.one_way[cell]), share, [precision]);
            }
            columns.extend(fit.column(self.modelled, column));
        }
        if let Some(column) = measurements.split_by
            && let Some(counts) = &self.columns[column]
        {
            let mut fit = Fit::default();
            let shares = self.shares(counts, measurements.classes.len());
            for (&(noisy, precision), share) in measurements.classes.iter().zip(shares) {
                fit.add(f64::from(noisy), share, [precision]);
            }
            columns.extend(fit.column(self.modelled, column));
        }
        let mut fits = Vec::new();
        for (counts, (first, second)) in self.pairs.iter().zip(pairs(blocks.len())) {
            let Some(counts) = counts else { continue };
            let width = sizes[second];
            let mut fit = Fit::default();
            for (cell, share) in self.shares(counts, sizes[first] * width).enumerate() {
                let at = (starts[first] + cell / width) * all + starts[second] + cell % width;
                let slices = measurements.slices.iter();
                let noisy: f64 = slices.clone().map(|it| f64::from(it.pairs[at])).sum();
                fit.add(noisy, share, slices.map(|it| it.pair_precision[at]));
            }
            fits.extend(fit.measured());
        }
        Quality {
            columns,
            pairs: mean(&fits),
        }
    }

    /// The shares of the first `size` cells, of which those that were not counted have none.
    fn shares<'c>(&self, counts: &'c [u64], size: usize) -> impl Iterator<Item = f64> + use<'c> {
        let rows = self.rows.max(1) as f64;
        let counts = counts.iter().copied().chain(std::iter::repeat(0));
        counts.take(size).map(move |count| count as f64 / rows)
    }
}

/// All pairs of blocks, the first before the second.
fn pairs(blocks: usize) -> impl Iterator<Item = (usize, usize)> {
    (0..blocks).flat_map(move |first| (first + 1..blocks).map(move |second| (first, second)))
}

/// Counts cells; where there are none to count, what was counted before is worth nothing.
fn count(counts: &mut Option<Vec<u64>>, cells: Option<impl Iterator<Item = usize>>) {
    match (counts.as_mut(), cells) {
        (Some(counts), Some(cells)) => cells.for_each(|cell| {
            if let Some(count) = counts.get_mut(cell) {
                *count += 1;
            }
        }),
        _ => *counts = None,
    }
}

/// The group of each row's cell, or nothing where cells have no code of their own.
fn groups_of(
    measurements: &Measurements,
    modelled: &Schema,
    table: &Table,
    column: usize,
) -> Option<Vec<u16>> {
    let declared = modelled.columns().get(column)?;
    if declared.after.is_some() {
        return None;
    }
    let coder = &modelled.coders()[column];
    let group_of = &measurements.groupings[column].group_of;
    let values = &table
        .columns()
        .iter()
        .find(|it| it.name == declared.name)?
        .values;
    (0..table.rows())
        .map(|row| {
            let code = coder.encode(cell(values, row)).ok()?;
            group_of.get(usize::from(code)).copied()
        })
        .collect()
}

/// Sums over the cells of one marginal.
#[derive(Default)]
struct Fit {
    distance: f64,
    noise: f64,
    unmeasured: bool,
}

impl Fit {
    /// Adds a cell whose noisy share is the sum of measurements of these precisions.
    fn add(&mut self, noisy: f64, share: f64, precisions: impl IntoIterator<Item = f32>) {
        let mut variance = 0.0;
        for precision in precisions {
            self.unmeasured |= precision <= 0.0;
            variance += 1.0 / f64::from(precision);
        }
        self.distance += 0.5 * (noisy - share).abs();
        // The mean of the absolute value of a centred normal variable.
        self.noise += 0.5 * (2.0 * variance / PI).sqrt();
    }

    /// Distance and noise, if every cell was measured.
    fn measured(&self) -> Option<(f64, f64)> {
        (!self.unmeasured).then_some((self.distance, self.noise))
    }

    fn column(&self, modelled: &Schema, column: usize) -> Option<ColumnFit> {
        let (distance, noise) = self.measured()?;
        let name = modelled.columns().get(column)?.name.clone();
        Some(ColumnFit {
            name,
            distance,
            noise,
        })
    }
}

fn mean(pairs: &[(f64, f64)]) -> Option<PairsFit> {
    let count = pairs.len() as f64;
    (!pairs.is_empty()).then(|| PairsFit {
        pairs: pairs.len() as u64,
        distance: pairs.iter().map(|pair| pair.0).sum::<f64>() / count,
        noise: pairs.iter().map(|pair| pair.1).sum::<f64>() / count,
    })
}

#[cfg(test)]
mod tests {
    use dpsynth_table::{Cells, Column, Domain, Missing, OutOfDomain};
    use dpsynth_train::Grouping;

    use super::*;

    /// Counts a table in two parts.
    fn quality(measurements: &Measurements, schema: &Schema, codes: &[u16]) -> Quality {
        let mut counts = GroupCounts::new(measurements, schema);
        for part in [&codes[..2], &codes[2..]] {
            counts.add(&Table::decode(schema, part, &mut || 0.5));
        }
        counts.quality()
    }

    fn schema() -> Schema {
        let column = |name: &str| Column {
            name: name.to_owned(),
            domain: Domain::Integer {
                min: 0,
                max: 1,
                cells: Cells::Each,
            },
            missing: Missing::Refused,
            out_of_domain: OutOfDomain::Stop,
            missing_tokens: Vec::new(),
            after: None,
        };
        Schema::new(vec![column("a"), column("b")]).unwrap()
    }

    /// Counts of four rows without noise: `a` is 0, 0, 1, 1 and `b` the same.
    fn counts(precision: f32) -> Measurements {
        let mut slice = dpsynth_train::Slice {
            pairs: vec![0.0; 16],
            pair_precision: vec![precision; 16],
            singles: vec![0.0; 4],
            single_precision: vec![0.0; 4],
        };
        slice.pairs[2] = 0.5;
        slice.pairs[4 + 3] = 0.5;
        Measurements {
            groupings: vec![Grouping::each(2), Grouping::each(2)],
            split_by: None,
            classes: Vec::new(),
            slices: vec![slice],
            one_way: vec![0.5; 4],
            one_way_precision: vec![precision; 4],
            total: 4.0,
            close_pairs: Vec::new(),
            tree: Vec::new(),
        }
    }

    #[test]
    fn distances_are_of_columns_and_pairs_and_noise_is_that_of_a_normal_variable() {
        let schema = schema();
        let same = quality(&counts(1e4), &schema, &[0, 0, 0, 0, 1, 1, 1, 1]);
        assert!(same.columns.iter().all(|column| column.distance == 0.0));
        let pairs = same.pairs.unwrap();
        assert_eq!((pairs.pairs, pairs.distance), (1, 0.0));
        // Two cells of a column, four of a pair, each with a standard deviation of a hundredth.
        let expected = 0.01 * (2.0 / PI).sqrt();
        assert!((same.columns[0].noise - expected).abs() < 1e-9);
        assert!((pairs.noise - 2.0 * expected).abs() < 1e-9);
        // The same columns, but independent of each other: the pair alone is off.
        let apart = quality(&counts(1e4), &schema, &[0, 0, 0, 1, 1, 0, 1, 1]);
        assert!(apart.columns.iter().all(|column| column.distance == 0.0));
        assert_eq!(apart.pairs.unwrap().distance, 0.5);
    }

    #[test]
    fn what_was_not_counted_is_not_compared() {
        let schema = schema();
        let none = quality(&counts(0.0), &schema, &[0, 0, 1, 1]);
        assert!(none.columns.is_empty() && none.pairs.is_none());
    }
}
