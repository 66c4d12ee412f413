//! The forward and backward pass of the autoencoder, block by block.

use dpsynth_privacy::kernel::widest;
use dpsynth_privacy::{BLOCK_ROWS, Block, LayerFactors, LayerInput, LayerShape, LayerwiseModel};

use crate::elementwise::{exp, exp_in_place, relu_gradient, relu_in_place, sum};
use crate::shape::VaeShape;
use crate::vae_weights::VaeWeights;

/// A variational autoencoder over categorical codes (Kingma & Welling 2014), with one softmax per
/// column.
///
/// The loss of one row x is
///
/// ```text
/// Σ_j w_j · −ln p_j(x_j | z)  +  β · ½ Σ_k (μ_k² + e^{s_k} − 1 − s_k),   z = μ + e^{s/2} · ε
/// ```
///
/// with ε from the block's normal draws, μ and s the encoder's mean and log-variance, s clamped
/// to ±[`LOG_VARIANCE_LIMIT`], β the [`kl_weight`](crate::Network::kl_weight) and w the
/// [`column_weights`](crate::Network::column_weights).
///
/// # Guarantee
/// Row i of every factor is a function of row i of the block alone: so are the rows of a product
/// ([`multiply_panels`](dpsynth_privacy::kernel::multiply_panels)), and everything else is
/// element-wise or within a row. The tests of this module replace and permute the other rows and
/// compare bits.
#[derive(Clone, Copy, Debug)]
pub struct Vae;

/// Working memory of [`Vae`], reused between blocks.
#[derive(Debug, Default)]
pub struct VaeScratch {
    /// Mean and raw log-variance of each row.
    statistics: Vec<f32>,
    /// Gradient of the loss with respect to z.
    latent_gradient: Vec<f32>,
}

impl LayerwiseModel for Vae {
    type Shape = VaeShape;
    type Weights<'w> = VaeWeights<'w>;
    type Scratch = VaeScratch;

    fn layers(shape: &VaeShape) -> Vec<LayerShape> {
        shape.layers().to_vec()
    }

    fn normals_per_row(shape: &VaeShape) -> usize {
        shape.latent()
    }

    fn lay_out<'w>(shape: &'w VaeShape, weights: &'w [f32]) -> VaeWeights<'w> {
        VaeWeights::lay_out(shape, weights)
    }

    fn forward(
        shape: &VaeShape,
        weights: &VaeWeights<'_>,
        block: &Block<'_>,
        scratch: &mut VaeScratch,
        factors: &mut [LayerFactors],
    ) {
        prepare(shape, scratch, factors);
        forward(shape, weights, block, scratch, factors);
    }

    fn backward(
        shape: &VaeShape,
        weights: &VaeWeights<'_>,
        block: &Block<'_>,
        scratch: &mut VaeScratch,
        factors: &mut [LayerFactors],
    ) {
        widest(
            #[inline(always)]
            || reconstruction_gradient(shape, block, factors),
        );
        let first_decoder = shape.latent_layer() + 1;
        for layer in (first_decoder + 1..shape.layers().len()).rev() {
            through_hidden(weights, layer, factors);
        }
        weights.backward(
            first_decoder,
            &factors[first_decoder].deltas,
            &mut scratch.latent_gradient,
        );
        widest(
            #[inline(always)]
            || {
                latent_gradient(
                    shape,
                    block,
                    scratch,
                    &mut factors[shape.latent_layer()].deltas,
                );
            },
        );
        for layer in (1..first_decoder).rev() {
            through_hidden(weights, layer, factors);
        }
    }
}

/// Sizes every buffer; after the first block of a shape this allocates nothing.
fn prepare(shape: &VaeShape, scratch: &mut VaeScratch, factors: &mut [LayerFactors]) {
    scratch
        .statistics
        .resize(BLOCK_ROWS * 2 * shape.latent(), 0.0);
    scratch
        .latent_gradient
        .resize(BLOCK_ROWS * shape.latent(), 0.0);
    for (layer, factor) in shape.layers().iter().zip(factors) {
        let width = match layer.input {
            LayerInput::Codes { .. } => 0,
            LayerInput::Dense { width } => width,
        };
        factor.activations.resize(BLOCK_ROWS * width, 0.0);
        factor.deltas.resize(BLOCK_ROWS * layer.outputs, 0.0);
    }
}

/// Computes every layer's activations, and leaves the logits in the last layer's deltas.
fn forward(
    shape: &VaeShape,
    weights: &VaeWeights<'_>,
    block: &Block<'_>,
    scratch: &mut VaeScratch,
    factors: &mut [LayerFactors],
) {
    let last = shape.layers().len() - 1;
    for layer in 0..=last {
        let (before, after) = factors.split_at_mut(layer + 1);
        let current = &mut before[layer];
        let output = if layer == last {
            &mut current.deltas
        } else if layer == shape.latent_layer() {
            &mut scratch.statistics
        } else {
            &mut after[0].activations
        };
        match shape.layers()[layer].input {
            LayerInput::Codes { .. } => widest(
                #[inline(always)]
                || gather(shape, weights.flat(), block.codes, output),
            ),
            LayerInput::Dense { .. } => {
                weights.forward(layer, &current.activations, output);
            }
        }
        if layer == shape.latent_layer() {
            widest(
                #[inline(always)]
                || {
                    draw_latents(
                        shape,
                        block.normals,
                        &scratch.statistics,
                        &mut after[0].activations,
                    );
                },
            );
        } else if layer != last {
            widest(
                #[inline(always)]
                || relu_in_place(output),
            );
        }
    }
}

/// The first layer: adds the weight rows of a row's codes to the biases.
#[inline(always)]
fn gather(shape: &VaeShape, weights: &[f32], codes: &[u16], output: &mut [f32]) {
    let width = shape.layers()[0].outputs;
    let (matrix, bias) = shape.layer_weights(0, weights);
    for (row, out) in codes
        .chunks_exact(shape.columns())
        .zip(output.chunks_exact_mut(width))
    {
        // A stretch of the sums stays in registers while all codes are added.
        for (part, out) in out.chunks_mut(STRETCH).enumerate() {
            let from = part * STRETCH;
            let mut sums = [0.0f32; STRETCH];
            sums[..out.len()].copy_from_slice(&bias[from..from + out.len()]);
            for (column, &code) in row.iter().enumerate() {
                let at = code_index(shape, column, code) * width + from;
                for (sum, weight) in sums.iter_mut().zip(&matrix[at..at + out.len()]) {
                    *sum += weight;
                }
            }
            out.copy_from_slice(&sums[..out.len()]);
        }
    }
}

/// Outputs of the first layer that are summed together.
const STRETCH: usize = 64;

/// The place of a code among all codes. A code outside its column counts as the column's last.
#[inline(always)]
pub(crate) fn code_index(shape: &VaeShape, column: usize, code: u16) -> usize {
    let range = shape.column_range(column);
    (range.start + usize::from(code)).min(range.end - 1)
}

/// Takes the gradient from the output of `layer` to the output of the one before, through the
/// ReLU between them.
fn through_hidden(weights: &VaeWeights<'_>, layer: usize, factors: &mut [LayerFactors]) {
    let (before, after) = factors.split_at_mut(layer);
    let gradient = &mut before[layer - 1].deltas;
    weights.backward(layer, &after[0].deltas, gradient);
    widest(
        #[inline(always)]
        || relu_gradient(&after[0].activations, gradient),
    );
}

/// Draws z for each row from its mean and log-variance.
#[inline(always)]
fn draw_latents(shape: &VaeShape, normals: &[f32], statistics: &[f32], z: &mut [f32]) {
    let latent = shape.latent();
    for ((z, epsilon), row) in z
        .chunks_exact_mut(latent)
        .zip(normals.chunks_exact(latent))
        .zip(statistics.chunks_exact(2 * latent))
    {
        let (mean, log_variance) = row.split_at(latent);
        for k in 0..latent {
            z[k] = mean[k] + exp(0.5 * clamp_log_variance(log_variance[k])) * epsilon[k];
        }
    }
}

/// Turns the logits in the last deltas into gradients: w_j (softmax − one-hot) for each column.
#[inline(always)]
fn reconstruction_gradient(shape: &VaeShape, block: &Block<'_>, factors: &mut [LayerFactors]) {
    let Some(output) = factors.last_mut() else {
        return;
    };
    let rows = output.deltas.chunks_exact_mut(shape.total_codes());
    for (row, codes) in rows.zip(block.codes.chunks_exact(shape.columns())) {
        exp_in_place(row);
        for (column, &code) in codes.iter().enumerate() {
            let range = shape.column_range(column);
            let weight = shape.network().column_weights[column];
            let scale = weight / sum(&row[range.clone()]);
            for value in &mut row[range] {
                *value *= scale;
            }
            row[code_index(shape, column, code)] -= weight;
        }
    }
}

/// Adds the Kullback–Leibler term to the gradient that arrives at z, and takes both to the mean
/// and the raw log-variance.
#[inline(always)]
fn latent_gradient(shape: &VaeShape, block: &Block<'_>, scratch: &VaeScratch, deltas: &mut [f32]) {
    let latent = shape.latent();
    let beta = shape.network().kl_weight;
    for (((delta, row), gradient), epsilon) in deltas
        .chunks_exact_mut(2 * latent)
        .zip(scratch.statistics.chunks_exact(2 * latent))
        .zip(scratch.latent_gradient.chunks_exact(latent))
        .zip(block.normals.chunks_exact(latent))
    {
        let (mean, raw) = row.split_at(latent);
        let (mean_delta, log_variance_delta) = delta.split_at_mut(latent);
        for k in 0..latent {
            mean_delta[k] = gradient[k] + beta * mean[k];
            let log_variance = clamp_log_variance(raw[k]);
            let deviation = exp(0.5 * log_variance);
            let slope = 0.5 * (gradient[k] * epsilon[k] * deviation)
                + 0.5 * beta * (deviation * deviation - 1.0);
            // The clamp is flat outside its range.
            log_variance_delta[k] = if raw[k] == log_variance { slope } else { 0.0 };
        }
    }
}

#[inline(always)]
fn clamp_log_variance(raw: f32) -> f32 {
    raw.clamp(-LOG_VARIANCE_LIMIT, LOG_VARIANCE_LIMIT)
}

/// Largest magnitude of a log-variance: standard deviations from e^-4 to e^4.
pub(crate) const LOG_VARIANCE_LIMIT: f32 = 8.0;

#[cfg(test)]
#[path = "vae_tests.rs"]
pub(crate) mod tests;
