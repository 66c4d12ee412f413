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

/// Compares the synthetic table with the noisy counts to which its model was fitted. Columns that are
/// modelled as a distance to another are left out.
#[must_use]
pub fn quality(measurements: &Measurements, modelled: &Schema, table: &Table) -> Quality {
    let groups: Vec<Option<Vec<u16>>> = (0..measurements.groupings.len())
        .map(|column| groups_of(measurements, modelled, table, column))
        .collect();
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
    let rows = table.rows() as f64;
    let mut columns = Vec::new();
    for (block, &column) in blocks.iter().enumerate() {
        let Some(codes) = &groups[column] else {
            continue;
        };
        let mut fit = Fit::default();
        let shares = shares(
            codes.iter().map(|&code| usize::from(code)),
            sizes[block],
            rows,
        );
        for (group, share) in shares.into_iter().enumerate() {
            let cell = starts[block] + group;
            let precision = measurements.one_way_precision[cell];
            fit.add(f64::from(measurements.one_way[cell]), share, [precision]);
        }
        columns.extend(fit.column(modelled, column));
    }
    if let Some(column) = measurements.split_by
        && let Some(codes) = &groups[column]
    {
        let mut fit = Fit::default();
        let classes = measurements.classes.len();
        let shares = shares(codes.iter().map(|&code| usize::from(code)), classes, rows);
        for (&(noisy, precision), share) in measurements.classes.iter().zip(shares) {
            fit.add(f64::from(noisy), share, [precision]);
        }
        columns.extend(fit.column(modelled, column));
    }
    let mut pairs = Vec::new();
    for first in 0..blocks.len() {
        for second in first + 1..blocks.len() {
            let (Some(a), Some(b)) = (&groups[blocks[first]], &groups[blocks[second]]) else {
                continue;
            };
            let width = sizes[second];
            let cells = a
                .iter()
                .zip(b)
                .map(|(&a, &b)| usize::from(a) * width + usize::from(b));
            let mut fit = Fit::default();
            for (cell, share) in shares(cells, sizes[first] * width, rows)
                .into_iter()
                .enumerate()
            {
                let at = (starts[first] + cell / width) * all + starts[second] + cell % width;
                let noisy: f64 = measurements
                    .slices
                    .iter()
                    .map(|it| f64::from(it.pairs[at]))
                    .sum();
                fit.add(
                    noisy,
                    share,
                    measurements.slices.iter().map(|it| it.pair_precision[at]),
                );
            }
            pairs.extend(fit.measured());
        }
    }
    Quality {
        columns,
        pairs: mean(&pairs),
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

fn shares(cells: impl Iterator<Item = usize>, count: usize, rows: f64) -> Vec<f64> {
    let mut counts = vec![0u64; count];
    for cell in cells {
        if let Some(count) = counts.get_mut(cell) {
            *count += 1;
        }
    }
    counts
        .into_iter()
        .map(|count| count as f64 / rows.max(1.0))
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
        let table = |codes: &[u16]| Table::decode(&schema, codes, &mut || 0.5);
        let same = quality(&counts(1e4), &schema, &table(&[0, 0, 0, 0, 1, 1, 1, 1]));
        assert!(same.columns.iter().all(|column| column.distance == 0.0));
        let pairs = same.pairs.unwrap();
        assert_eq!((pairs.pairs, pairs.distance), (1, 0.0));
        // Two cells of a column, four of a pair, each with a standard deviation of a hundredth.
        let expected = 0.01 * (2.0 / PI).sqrt();
        assert!((same.columns[0].noise - expected).abs() < 1e-9);
        assert!((pairs.noise - 2.0 * expected).abs() < 1e-9);
        // The same columns, but independent of each other: the pair alone is off.
        let apart = quality(&counts(1e4), &schema, &table(&[0, 0, 0, 1, 1, 0, 1, 1]));
        assert!(apart.columns.iter().all(|column| column.distance == 0.0));
        assert_eq!(apart.pairs.unwrap().distance, 0.5);
    }

    #[test]
    fn what_was_not_counted_is_not_compared() {
        let schema = schema();
        let table = Table::decode(&schema, &[0, 0, 1, 1], &mut || 0.5);
        let none = quality(&counts(0.0), &schema, &table);
        assert!(none.columns.is_empty() && none.pairs.is_none());
    }
}
