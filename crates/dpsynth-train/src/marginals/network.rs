//! The decoder that is fitted: latents in, one softmax for each column out.

use dpsynth_privacy::PublicRng;
use dpsynth_privacy::kernel::{Destination, Operand, ProductShape, multiply_f32, widest};

use super::problem::{by_logits, softmax};
use crate::elementwise::{relu_gradient, relu_in_place};

/// Sizes of the decoder: two hidden layers of equal width, the second with a bypass.
#[derive(Clone, Debug)]
pub(super) struct Shape {
    pub(super) latent: usize,
    pub(super) hidden: usize,
    /// Where the outputs of each column start; the total at the end.
    pub(super) starts: Vec<usize>,
}

/// Forward values of some latents, kept for the way back.
pub(super) struct Pass {
    latents: Vec<f32>,
    rows: usize,
    first: Vec<f32>,
    rectified: Vec<f32>,
    second: Vec<f32>,
    /// Shares of every output, row-major by latent.
    pub(super) shares: Vec<f32>,
    /// Gradient of the loss by those shares; it is turned into that by the logits on the way back.
    pub(super) share_gradients: Vec<f32>,
    hidden_gradients: Vec<f32>,
    first_gradients: Vec<f32>,
    /// Gradient by the weights.
    pub(super) gradients: Vec<f32>,
}

impl Shape {
    pub(super) fn outputs(&self) -> usize {
        self.starts[self.starts.len() - 1]
    }

    /// Where matrix and biases of the three layers start; the number of weights at the end.
    fn layout(&self) -> [usize; 7] {
        let (latent, hidden, outputs) = (self.latent, self.hidden, self.outputs());
        let lengths = [
            latent * hidden,
            hidden,
            hidden * hidden,
            hidden,
            hidden * outputs,
            outputs,
        ];
        let mut starts = [0; 7];
        for (layer, length) in lengths.into_iter().enumerate() {
            starts[layer + 1] = starts[layer] + length;
        }
        starts
    }

    /// Draws hidden weights (He et al. 2015) and small output weights around biases at the
    /// logarithms of the shares of single columns, so that the fit starts near independence.
    pub(super) fn initial(&self, biases: &[f32], rng: &mut PublicRng) -> Vec<f32> {
        let at = self.layout();
        let mut weights = vec![0.0f32; at[6]];
        let mut fill = |range: std::ops::Range<usize>, deviation: f64, weights: &mut [f32]| {
            for weight in &mut weights[range] {
                *weight = (deviation * rng.normal()) as f32;
            }
        };
        fill(
            at[0]..at[1],
            (self.latent as f64).recip().sqrt(),
            &mut weights,
        );
        fill(
            at[2]..at[3],
            0.6 * (self.hidden as f64).recip().sqrt(),
            &mut weights,
        );
        fill(
            at[4]..at[5],
            0.2 * (self.hidden as f64).recip().sqrt(),
            &mut weights,
        );
        weights[at[5]..].copy_from_slice(biases);
        weights
    }

    pub(super) fn pass(&self, latents: Vec<f32>) -> Pass {
        let rows = latents.len() / self.latent;
        let (hidden, outputs) = (
            vec![0.0; rows * self.hidden],
            vec![0.0; rows * self.outputs()],
        );
        Pass {
            latents,
            rows,
            first: hidden.clone(),
            rectified: hidden.clone(),
            second: hidden.clone(),
            hidden_gradients: hidden.clone(),
            first_gradients: hidden,
            shares: outputs.clone(),
            share_gradients: outputs,
            gradients: vec![0.0; self.layout()[6]],
        }
    }

    /// Computes the shares of every output.
    pub(super) fn forward(&self, weights: &[f32], pass: &mut Pass) {
        let at = self.layout();
        let (hidden, outputs, rows) = (self.hidden, self.outputs(), pass.rows);
        let product = |inner, columns| ProductShape {
            rows,
            inner,
            columns,
        };
        add_biases(&weights[at[1]..at[2]], &mut pass.first);
        let first = (pass.latents.as_slice(), &weights[at[0]..at[1]]);
        plain(product(self.latent, hidden), first, &mut pass.first);
        widest(|| relu_in_place(&mut pass.first));
        add_biases(&weights[at[3]..at[4]], &mut pass.rectified);
        plain(
            product(hidden, hidden),
            (&pass.first, &weights[at[2]..at[3]]),
            &mut pass.rectified,
        );
        widest(|| {
            relu_in_place(&mut pass.rectified);
            for ((second, &rectified), &first) in
                pass.second.iter_mut().zip(&pass.rectified).zip(&pass.first)
            {
                *second = rectified + first;
            }
        });
        add_biases(&weights[at[5]..at[6]], &mut pass.shares);
        plain(
            product(hidden, outputs),
            (&pass.second, &weights[at[4]..at[5]]),
            &mut pass.shares,
        );
        widest(|| softmax(&self.starts, &mut pass.shares));
    }

    /// Turns the gradient by the shares into the gradient by the weights.
    pub(super) fn backward(&self, weights: &[f32], pass: &mut Pass) {
        let at = self.layout();
        let (hidden, outputs, rows) = (self.hidden, self.outputs(), pass.rows);
        widest(|| by_logits(&self.starts, &pass.shares, &mut pass.share_gradients));
        let transposed = |inner, columns| ProductShape {
            rows: inner,
            inner: rows,
            columns,
        };
        let logits = pass.share_gradients.as_slice();
        let shape = transposed(hidden, outputs);
        weight_gradient(
            shape,
            (&pass.second, logits),
            &mut pass.gradients[at[4]..at[5]],
        );
        sum_rows(logits, &mut pass.gradients[at[5]..at[6]]);
        let back = |inner| ProductShape {
            rows,
            inner,
            columns: hidden,
        };
        pass.hidden_gradients.fill(0.0);
        multiply_f32(
            back(outputs),
            (logits, Operand::Plain),
            (&weights[at[4]..at[5]], Operand::Transposed),
            &mut pass.hidden_gradients,
            Destination::Overwrite,
        );
        // The bypass carries the gradient to the first layer, beside the second layer's own.
        pass.first_gradients.copy_from_slice(&pass.hidden_gradients);
        widest(|| relu_gradient(&pass.rectified, &mut pass.hidden_gradients));
        let shape = transposed(hidden, hidden);
        let second = (pass.first.as_slice(), pass.hidden_gradients.as_slice());
        weight_gradient(shape, second, &mut pass.gradients[at[2]..at[3]]);
        sum_rows(&pass.hidden_gradients, &mut pass.gradients[at[3]..at[4]]);
        multiply_f32(
            back(hidden),
            (&pass.hidden_gradients, Operand::Plain),
            (&weights[at[2]..at[3]], Operand::Transposed),
            &mut pass.first_gradients,
            Destination::Accumulate,
        );
        widest(|| relu_gradient(&pass.first, &mut pass.first_gradients));
        let shape = transposed(self.latent, hidden);
        let first = (pass.latents.as_slice(), pass.first_gradients.as_slice());
        weight_gradient(shape, first, &mut pass.gradients[at[0]..at[1]]);
        sum_rows(&pass.first_gradients, &mut pass.gradients[at[1]..at[2]]);
    }
}

/// Starts every row of a layer's output at its biases.
fn add_biases(biases: &[f32], rows: &mut [f32]) {
    for row in rows.chunks_exact_mut(biases.len()) {
        row.copy_from_slice(biases);
    }
}

fn plain(shape: ProductShape, (left, right): (&[f32], &[f32]), output: &mut [f32]) {
    let (left, right) = ((left, Operand::Plain), (right, Operand::Plain));
    multiply_f32(shape, left, right, output, Destination::Accumulate);
}

fn weight_gradient(shape: ProductShape, (inputs, gradients): (&[f32], &[f32]), output: &mut [f32]) {
    let (left, right) = ((inputs, Operand::Transposed), (gradients, Operand::Plain));
    multiply_f32(shape, left, right, output, Destination::Overwrite);
}

fn sum_rows(rows: &[f32], sums: &mut [f32]) {
    sums.fill(0.0);
    for row in rows.chunks_exact(sums.len()) {
        for (sum, value) in sums.iter_mut().zip(row) {
            *sum += value;
        }
    }
}
