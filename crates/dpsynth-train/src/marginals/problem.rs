//! How far a mixture is from noisy marginals, and the gradient of that distance.

use dpsynth_privacy::kernel::{Destination, Operand, ProductShape, multiply_f32, widest};

use super::measurements::Measurements;
use crate::elementwise::{exp_in_place, sum};

/// The marginals as the fit reads them.
pub(super) struct Problem<'m> {
    measurements: &'m Measurements,
    /// Number of groups of all columns in the blocks.
    groups: usize,
    /// Where each column's outputs start, with the classes at the end.
    pub(super) starts: Vec<usize>,
    cells: f64,
}

/// What some components say about one class: sums over them of pairs, and of single groups.
pub(super) struct Moments {
    pairs: Vec<f32>,
    singles: Vec<f32>,
}

/// Gradients of the distance by the means over all components.
pub(super) struct Pulls {
    all_rows: Vec<f32>,
    classes: Vec<f32>,
    /// The same by the pairs and single groups of each class.
    moments: Vec<Moments>,
}

impl<'m> Problem<'m> {
    pub(super) fn new(measurements: &'m Measurements) -> Self {
        let mut starts = vec![0];
        for size in measurements.block_sizes() {
            starts.push(starts[starts.len() - 1] + size);
        }
        let groups = starts[starts.len() - 1];
        if !measurements.classes.is_empty() {
            starts.push(groups + measurements.classes.len());
        }
        Self {
            measurements,
            groups,
            starts,
            cells: measurements.cells() as f64,
        }
    }

    /// Logarithms of the shares of single columns, at which the outputs start.
    pub(super) fn biases(&self) -> Vec<f32> {
        let classes = self.measurements.classes.iter().map(|(share, _)| share);
        let mut shares: Vec<f32> = self
            .measurements
            .one_way
            .iter()
            .chain(classes)
            .copied()
            .collect();
        for column in self.starts.windows(2) {
            let shares = &mut shares[column[0]..column[1]];
            shares
                .iter_mut()
                .for_each(|share| *share = share.max(SMALLEST_SHARE));
            let sum: f32 = shares.iter().sum();
            shares
                .iter_mut()
                .for_each(|share| *share = (*share / sum).ln());
        }
        shares
    }

    /// Number of outputs of a component.
    pub(super) fn outputs(&self) -> usize {
        self.starts[self.starts.len() - 1]
    }

    /// The weight of a component within a class.
    fn class_weight(&self, class: usize, row: &[f32]) -> f32 {
        if self.measurements.classes.is_empty() {
            1.0
        } else {
            row[self.groups + class]
        }
    }

    /// Sums over components, given by the shares of their outputs, what each class holds.
    pub(super) fn moments(&self, shares: &[f32]) -> Vec<Moments> {
        let outputs = self.outputs();
        let groups = self.groups;
        let blocks = block_rows(shares, outputs, groups);
        let shape = ProductShape {
            rows: groups,
            inner: shares.len() / outputs,
            columns: groups,
        };
        (0..self.measurements.slices.len())
            .map(|class| {
                let mut weighted = blocks.clone();
                let mut singles = vec![0.0f32; groups];
                for (row, shares) in weighted
                    .chunks_exact_mut(groups)
                    .zip(shares.chunks_exact(outputs))
                {
                    let weight = self.class_weight(class, shares);
                    for (share, single) in row.iter_mut().zip(&mut singles) {
                        *share *= weight;
                        *single += *share;
                    }
                }
                let mut pairs = vec![0.0f32; groups * groups];
                let operands = (weighted.as_slice(), Operand::Transposed);
                let right = (blocks.as_slice(), Operand::Plain);
                multiply_f32(shape, operands, right, &mut pairs, Destination::Overwrite);
                Moments { pairs, singles }
            })
            .collect()
    }

    /// The gradients of the distance of `components` components, whose moments are given part by
    /// part, and the distance itself: the mean squared deviation of the cells in units of the noise.
    pub(super) fn pulls(&self, parts: Vec<Vec<Moments>>, components: usize) -> (Pulls, f64) {
        let scale = (components as f32).recip();
        let cells = self.cells as f32;
        let mut distance = 0.0f64;
        let mut all_rows = vec![0.0f32; self.groups];
        let mut classes = Vec::new();
        let mut sums = add_up(parts);
        for (class, (moments, slice)) in sums.iter_mut().zip(&self.measurements.slices).enumerate()
        {
            add(&mut all_rows, &moments.singles);
            if let Some(&(share, precision)) = self.measurements.classes.get(class) {
                // Every column's groups add up to the class.
                let total: f32 = moments.singles[..self.starts[1]].iter().sum();
                classes.push(pull(total * scale, share, precision, cells, &mut distance));
            }
            let mut of_pairs = 0.0f64;
            widest(|| {
                of_pairs = pull_all(
                    &mut moments.pairs,
                    &slice.pairs,
                    &slice.pair_precision,
                    scale,
                    cells,
                );
            });
            // Each pair stands on both sides of the diagonal.
            distance += 0.5 * of_pairs;
            distance += pull_all(
                &mut moments.singles,
                &slice.singles,
                &slice.single_precision,
                scale,
                cells,
            );
        }
        let Measurements {
            one_way,
            one_way_precision,
            ..
        } = self.measurements;
        distance += pull_all(&mut all_rows, one_way, one_way_precision, scale, cells);
        let pulls = Pulls {
            all_rows,
            classes,
            moments: sums,
        };
        (pulls, distance / self.cells)
    }

    /// Writes the gradient of the distance, times the number of components, by every share.
    pub(super) fn share_gradients(&self, pulls: &Pulls, shares: &[f32], gradients: &mut [f32]) {
        let outputs = self.outputs();
        let rows = shares.len() / outputs;
        let groups = self.groups;
        let blocks = block_rows(shares, outputs, groups);
        let shape = ProductShape {
            rows,
            inner: groups,
            columns: groups,
        };
        let mut pulled = vec![0.0f32; rows * groups];
        gradients.fill(0.0);
        for (class, moments) in pulls.moments.iter().enumerate() {
            let left = (blocks.as_slice(), Operand::Plain);
            let right = (moments.pairs.as_slice(), Operand::Plain);
            multiply_f32(shape, left, right, &mut pulled, Destination::Overwrite);
            for (((gradients, shares), pulled), blocks) in gradients
                .chunks_exact_mut(outputs)
                .zip(shares.chunks_exact(outputs))
                .zip(pulled.chunks_exact(groups))
                .zip(blocks.chunks_exact(groups))
            {
                let weight = self.class_weight(class, shares);
                let mut of_class = 0.0f32;
                for (((gradient, &pulled), &share), &single) in gradients
                    .iter_mut()
                    .zip(pulled)
                    .zip(blocks)
                    .zip(&moments.singles)
                {
                    *gradient += weight * (pulled + single);
                    of_class += share * (0.5 * pulled + single);
                }
                if let Some(pull) = pulls.classes.get(class) {
                    gradients[groups + class] += of_class + pull;
                }
            }
        }
        for gradients in gradients.chunks_exact_mut(outputs) {
            add(&mut gradients[..groups], &pulls.all_rows);
        }
    }
}

/// Turns the gradient by shares into that by their logits, column by column.
#[inline(always)]
pub(super) fn by_logits(starts: &[usize], shares: &[f32], gradients: &mut [f32]) {
    let outputs = starts[starts.len() - 1];
    for (gradients, shares) in gradients
        .chunks_exact_mut(outputs)
        .zip(shares.chunks_exact(outputs))
    {
        for column in starts.windows(2) {
            let gradients = &mut gradients[column[0]..column[1]];
            let shares = &shares[column[0]..column[1]];
            let mean: f32 = gradients.iter().zip(shares).map(|(g, s)| g * s).sum();
            for (gradient, share) in gradients.iter_mut().zip(shares) {
                *gradient = share * (*gradient - mean);
            }
        }
    }
}

/// Turns logits into shares in place, column by column.
#[inline(always)]
pub(super) fn softmax(starts: &[usize], logits: &mut [f32]) {
    exp_in_place(logits);
    for row in logits.chunks_exact_mut(starts[starts.len() - 1]) {
        for column in starts.windows(2) {
            let shares = &mut row[column[0]..column[1]];
            let scale = sum(shares).recip();
            shares.iter_mut().for_each(|share| *share *= scale);
        }
    }
}

/// Adds up the moments of all parts.
fn add_up(parts: Vec<Vec<Moments>>) -> Vec<Moments> {
    let mut parts = parts.into_iter();
    let mut sums = parts.next().unwrap_or_default();
    for part in parts {
        for (sum, moments) in sums.iter_mut().zip(part) {
            add(&mut sum.pairs, &moments.pairs);
            add(&mut sum.singles, &moments.singles);
        }
    }
    sums
}

/// Twice the weighted deviation of a mean, per cell; adds the squared deviation to `loss`.
fn pull(mean: f32, share: f32, precision: f32, cells: f32, loss: &mut f64) -> f32 {
    let deviation = mean - share;
    *loss += f64::from(precision * deviation * deviation);
    2.0 * precision * deviation / cells
}

/// Replaces sums by twice the weighted deviation of their means, and adds up the squares.
#[inline(always)]
fn pull_all(sums: &mut [f32], shares: &[f32], precisions: &[f32], scale: f32, cells: f32) -> f64 {
    let factor = 2.0 / cells;
    let mut loss = 0.0f64;
    for ((sums, shares), precisions) in sums
        .chunks_mut(ROW)
        .zip(shares.chunks(ROW))
        .zip(precisions.chunks(ROW))
    {
        let mut of_row = [0.0f32; 16];
        for ((sums, shares), precisions) in sums
            .chunks_mut(16)
            .zip(shares.chunks(16))
            .zip(precisions.chunks(16))
        {
            for (lane, ((sum, &share), &precision)) in of_row
                .iter_mut()
                .zip(sums.iter_mut().zip(shares).zip(precisions))
            {
                let deviation = *sum * scale - share;
                let weighted = precision * deviation;
                *lane += weighted * deviation;
                *sum = factor * weighted;
            }
        }
        loss += of_row.iter().map(|&lane| f64::from(lane)).sum::<f64>();
    }
    loss
}

/// The shares of the columns in the blocks, packed.
fn block_rows(shares: &[f32], outputs: usize, groups: usize) -> Vec<f32> {
    let mut packed = Vec::with_capacity(shares.len() / outputs * groups);
    for row in shares.chunks_exact(outputs) {
        packed.extend_from_slice(&row[..groups]);
    }
    packed
}

pub(super) fn add(sums: &mut [f32], values: &[f32]) {
    for (sum, value) in sums.iter_mut().zip(values) {
        *sum += value;
    }
}

/// Cells whose squares are added in single precision.
const ROW: usize = 1024;
/// Smallest share that an output starts at.
const SMALLEST_SHARE: f32 = 1e-5;
