//! Tables of pairs of columns without most of their noise, that agree with single columns.

use super::margins::Margins;
use super::measurements::Measurements;
use crate::linear::{eigen, from_eigen};

/// Shares of pairs of groups of two blocks within a class, row-major; they are not negative.
#[derive(Clone, Debug)]
pub(super) struct Table {
    pub(super) rows: usize,
    pub(super) columns: usize,
    pub(super) shares: Vec<f64>,
}

impl Table {
    /// Estimates a measured pair.
    ///
    /// What is left of the counts without their margins is a matrix of low rank, as far as two
    /// columns depend on each other smoothly or by few groups, and white noise, so its singular
    /// values are shrunk (Gavish & Donoho 2017, "Optimal shrinkage of singular values", for the
    /// Frobenius norm). The margins are put back, and met exactly by proportional fitting.
    pub(super) fn new(
        measurements: &Measurements,
        margins: &Margins,
        class: usize,
        (a, b): (usize, usize),
    ) -> Self {
        let (left, right) = (margins.of(class, a), margins.of(class, b));
        let (rows, columns) = (left.len(), right.len());
        let slice = &measurements.slices[class];
        let groups = margins.starts[margins.starts.len() - 1];
        let start = margins.starts[a] * groups + margins.starts[b];
        let total = margins.classes[class].max(f64::MIN_POSITIVE);
        let independent: Vec<f64> = left
            .iter()
            .flat_map(|l| right.iter().map(move |r| l * r / total))
            .collect();
        let mut deviations: Vec<f64> = (0..rows * columns)
            .map(|cell| {
                let at = start + cell / columns * groups + cell % columns;
                f64::from(slice.pairs[at]) - independent[cell]
            })
            .collect();
        centre(&mut deviations, columns);
        let noise = f64::from(slice.pair_precision[start]).sqrt().recip();
        let kept = shrink(&deviations, rows, columns, noise);
        let shares = independent
            .iter()
            .zip(kept)
            .map(|(&independent, deviation)| {
                (independent + deviation).max(SMALLEST_RATIO * independent)
            })
            .collect();
        let mut table = Self {
            rows,
            columns,
            shares,
        };
        for _ in 0..ROUNDS {
            table.fit_rows(left);
            table.fit_columns(right);
        }
        table
    }

    /// The same table, rows for columns.
    pub(super) fn transposed(&self) -> Self {
        let shares = (0..self.shares.len())
            .map(|cell| self.shares[cell % self.rows * self.columns + cell / self.rows])
            .collect();
        Self {
            rows: self.columns,
            columns: self.rows,
            shares,
        }
    }

    fn fit_rows(&mut self, sums: &[f64]) {
        for (row, &wanted) in self.shares.chunks_exact_mut(self.columns).zip(sums) {
            let factor = ratio(wanted, row.iter().sum());
            row.iter_mut().for_each(|share| *share *= factor);
        }
    }

    fn fit_columns(&mut self, wanted: &[f64]) {
        let mut sums = vec![0.0; self.columns];
        for row in self.shares.chunks_exact(self.columns) {
            for (sum, share) in sums.iter_mut().zip(row) {
                *sum += share;
            }
        }
        for row in self.shares.chunks_exact_mut(self.columns) {
            for ((share, &wanted), &sum) in row.iter_mut().zip(wanted).zip(&sums) {
                *share *= ratio(wanted, sum);
            }
        }
    }
}

/// What brings `sum` to `wanted`; 0 where there is nothing to bring there.
pub(super) fn ratio(wanted: f64, sum: f64) -> f64 {
    if sum > 0.0 { wanted / sum } else { 0.0 }
}

/// Takes the means of rows and columns out of a matrix.
fn centre(matrix: &mut [f64], columns: usize) {
    let rows = (matrix.len() / columns) as f64;
    for row in matrix.chunks_exact_mut(columns) {
        let mean = row.iter().sum::<f64>() / columns as f64;
        row.iter_mut().for_each(|value| *value -= mean);
    }
    for column in 0..columns {
        let mean = matrix.iter().skip(column).step_by(columns).sum::<f64>() / rows;
        for value in matrix.iter_mut().skip(column).step_by(columns) {
            *value -= mean;
        }
    }
}

/// Shrinks the singular values of a centred matrix whose entries have white noise.
fn shrink(matrix: &[f64], rows: usize, columns: usize, noise: f64) -> Vec<f64> {
    if rows > columns {
        let turned = |rows: usize, columns: usize, matrix: &[f64]| -> Vec<f64> {
            (0..matrix.len())
                .map(|cell| matrix[cell % rows * columns + cell / rows])
                .collect()
        };
        let shrunk = shrink(&turned(rows, columns, matrix), columns, rows, noise);
        return turned(columns, rows, &shrunk);
    }
    if rows < 2 {
        return vec![0.0; matrix.len()];
    }
    let mut squares = vec![0.0; rows * rows];
    for (i, row) in matrix.chunks_exact(columns).enumerate() {
        for (j, other) in matrix.chunks_exact(columns).enumerate() {
            squares[i * rows + j] = row.iter().zip(other).map(|(a, b)| a * b).sum();
        }
    }
    let (values, vectors) = eigen(&squares, rows);
    // A centred matrix has one dimension less each way.
    let (short, long) = (rows as f64 - 1.0, columns as f64 - 1.0);
    let aspect = short / long;
    let factors: Vec<f64> = values
        .iter()
        .map(|value| {
            let squared = value.max(0.0) / (noise * noise * long);
            if squared > (1.0 + aspect.sqrt()).powi(2) {
                ((squared - aspect - 1.0).powi(2) - 4.0 * aspect).sqrt() / squared
            } else {
                0.0
            }
        })
        .collect();
    let filter = from_eigen(&factors, &vectors);
    let mut kept = vec![0.0; matrix.len()];
    for (kept, weights) in kept
        .chunks_exact_mut(columns)
        .zip(filter.chunks_exact(rows))
    {
        for (weight, row) in weights.iter().zip(matrix.chunks_exact(columns)) {
            for (kept, value) in kept.iter_mut().zip(row) {
                *kept += weight * value;
            }
        }
    }
    kept
}

/// Smallest share of a cell over the product of its margins, so that fitting them finds a way.
const SMALLEST_RATIO: f64 = 0.01;
/// Rounds of proportional fitting.
const ROUNDS: usize = 30;

#[cfg(test)]
mod tests {
    use dpsynth_privacy::PublicRng;

    use super::*;
    use crate::marginals::Grouping;
    use crate::marginals::measurements::Slice;

    /// Two columns of four and five groups that depend on each other by `strength`, measured with
    /// `noise`.
    fn measured(strength: f64, noise: f64, seed: u64) -> (Vec<f64>, Measurements) {
        let mut rng = PublicRng::from_seed(seed);
        let (rows, columns) = (4, 5);
        let truth: Vec<f64> = (0..rows * columns)
            .map(|cell| {
                let (i, j) = ((cell / columns) as f64 - 1.5, (cell % columns) as f64 - 2.0);
                (1.0 + strength * i * j) / (rows * columns) as f64
            })
            .collect();
        let groups = rows + columns;
        let mut slice = Slice::unknown(groups);
        let precision = noise.powi(-2) as f32;
        for (cell, share) in truth.iter().enumerate() {
            let pair = (cell / columns, rows + cell % columns);
            let share = (share + noise * rng.normal()) as f32;
            slice.learn_pair(groups, pair, share, precision);
        }
        let mut one_way = vec![1.0 / rows as f32; rows];
        one_way.extend(vec![1.0 / columns as f32; columns]);
        let measurements = Measurements {
            groupings: vec![Grouping::each(rows as u32), Grouping::each(columns as u32)],
            split_by: None,
            classes: Vec::new(),
            slices: vec![slice],
            one_way,
            one_way_precision: vec![precision; groups],
            total: 1000.0,
            close_pairs: Vec::new(),
            tree: Vec::new(),
        };
        (truth, measurements)
    }

    fn estimated(measurements: &Measurements) -> (Margins, Table) {
        let margins = Margins::new(measurements);
        let table = Table::new(measurements, &margins, 0, (0, 1));
        (margins, table)
    }

    fn distance(a: &[f64], b: &[f64]) -> f64 {
        a.iter()
            .zip(b)
            .map(|(a, b)| (a - b).powi(2))
            .sum::<f64>()
            .sqrt()
    }

    #[test]
    fn a_table_has_its_margins_and_nothing_negative() {
        for (seed, noise) in [1e-4, 0.01, 0.1, 10.0].into_iter().enumerate() {
            let (_, measurements) = measured(0.2, noise, seed as u64);
            let (margins, table) = estimated(&measurements);
            assert!(table.shares.iter().all(|&share| share >= 0.0));
            let right = table.transposed();
            for (table, block) in [(&table, 0), (&right, 1)] {
                let sums: Vec<f64> = table
                    .shares
                    .chunks_exact(table.columns)
                    .map(|row| row.iter().sum())
                    .collect();
                assert!(
                    distance(&sums, margins.of(0, block)) < 1e-6,
                    "{noise} {sums:?}"
                );
            }
            assert!((table.shares.iter().sum::<f64>() - 1.0).abs() < 1e-9);
        }
    }

    #[test]
    fn noise_is_taken_out_and_dependence_is_kept() {
        let (mut closer, mut independent) = (0, 0);
        for seed in 0..40 {
            let (truth, measurements) = measured(0.2, 0.012, seed);
            let raw: Vec<f64> = (0..20)
                .map(|cell| f64::from(measurements.slices[0].pairs[cell / 5 * 9 + 4 + cell % 5]))
                .collect();
            let (_, table) = estimated(&measurements);
            closer += usize::from(distance(&table.shares, &truth) < distance(&raw, &truth));
            // Where there is no dependence, most of the time none is seen.
            let (truth, measurements) = measured(0.0, 0.012, seed);
            let (margins, table) = estimated(&measurements);
            let alone: Vec<f64> = (0..20)
                .map(|cell| margins.of(0, 0)[cell / 5] * margins.of(0, 1)[cell % 5])
                .collect();
            independent += usize::from(
                distance(&table.shares, &alone) < 0.5 * distance(&alone, &truth).max(0.02),
            );
        }
        assert!(closer >= 36, "{closer}");
        assert!(independent >= 20, "{independent}");
        // Without noise the table is the truth.
        let (truth, measurements) = measured(0.2, 1e-6, 1);
        assert!(distance(&estimated(&measurements).1.shares, &truth) < 1e-4);
    }
}
