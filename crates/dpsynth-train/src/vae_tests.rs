//! The hand-written gradient against candle's, and the independence of rows.

use candle_core::{DType, Device, Tensor, Var};
use candle_nn::ops::log_softmax;
use dpsynth_privacy::PublicRng;
use proptest::prelude::*;

use super::*;
use crate::shape::Network;
use crate::shape::tests::small;

/// One block with random codes, draws and weights.
pub(crate) struct Case {
    pub(crate) shape: VaeShape,
    pub(crate) weights: Vec<f32>,
    pub(crate) codes: Vec<u16>,
    pub(crate) normals: Vec<f32>,
}

impl Case {
    pub(crate) fn new(network: Network, weight_scale: f64, seed: u64) -> Self {
        let shape = VaeShape::new(network).unwrap();
        let mut rng = PublicRng::from_seed(seed);
        let mut normal = |scale: f64| (scale * rng.normal()) as f32;
        let weights = (0..shape.parameters())
            .map(|_| normal(weight_scale))
            .collect();
        let normals = (0..BLOCK_ROWS * shape.latent())
            .map(|_| normal(1.0))
            .collect();
        let codes = (0..BLOCK_ROWS)
            .flat_map(|_| shape.network().domain_sizes.clone())
            .map(|size| (rng.next_u64() % u64::from(size)) as u16)
            .collect();
        Self {
            shape,
            weights,
            codes,
            normals,
        }
    }

    fn factors(&self) -> Vec<LayerFactors> {
        self.factors_of::<Vae>()
    }

    pub(crate) fn factors_of<M>(&self) -> Vec<LayerFactors>
    where
        M: LayerwiseModel<Shape = VaeShape>,
    {
        let mut factors = vec![LayerFactors::default(); self.shape.layers().len()];
        self.run::<M>(&mut M::Scratch::default(), &mut factors);
        factors
    }

    pub(crate) fn run<M>(&self, scratch: &mut M::Scratch, factors: &mut [LayerFactors])
    where
        M: LayerwiseModel<Shape = VaeShape>,
    {
        let block = Block {
            codes: &self.codes,
            normals: &self.normals,
        };
        let weights = M::lay_out(&self.shape, &self.weights);
        M::forward(&self.shape, &weights, &block, scratch, factors);
        M::backward(&self.shape, &weights, &block, scratch, factors);
    }

    fn one_hot(&self, row: usize) -> Vec<f32> {
        let mut values = vec![0.0; self.shape.total_codes()];
        let columns = self.shape.columns();
        for column in 0..columns {
            let code = self.codes[row * columns + column];
            values[self.shape.column_range(column).start + usize::from(code)] = 1.0;
        }
        values
    }

    /// The gradient summed over `rows`, as outer products of the factors.
    fn gradient(&self, rows: &[usize]) -> Vec<f64> {
        let factors = self.factors();
        let mut gradient = vec![0.0f64; self.shape.parameters()];
        for (index, (layer, factor)) in self.shape.layers().iter().zip(&factors).enumerate() {
            let target = &mut gradient[self.shape.layer_range(index)];
            for &row in rows {
                let input = match layer.input {
                    LayerInput::Codes { .. } => self.one_hot(row),
                    LayerInput::Dense { width } => {
                        factor.activations[row * width..(row + 1) * width].to_vec()
                    }
                };
                let delta = &factor.deltas[row * layer.outputs..(row + 1) * layer.outputs];
                for (i, a) in input.iter().chain([&1.0]).enumerate() {
                    for (o, d) in delta.iter().enumerate() {
                        target[i * layer.outputs + o] += f64::from(*a) * f64::from(*d);
                    }
                }
            }
        }
        gradient
    }

    /// The same by candle's automatic differentiation of the loss as it is documented.
    fn candle_gradient(&self, rows: &[usize]) -> candle_core::Result<Vec<f64>> {
        let device = &Device::Cpu;
        let shape = &self.shape;
        let latent = shape.latent();
        let mut variables = Vec::new();
        for (index, layer) in shape.layers().iter().enumerate() {
            let (matrix, bias) = shape.layer_weights(index, &self.weights);
            let matrix = Tensor::from_slice(matrix, (layer.inputs(), layer.outputs), device)?;
            let bias = Tensor::from_slice(bias, layer.outputs, device)?;
            variables.push((Var::from_tensor(&matrix)?, Var::from_tensor(&bias)?));
        }
        let linear = |x: &Tensor, layer: usize| {
            x.matmul(&variables[layer].0)?
                .broadcast_add(&variables[layer].1)
        };
        let one_hot: Vec<f32> = rows.iter().flat_map(|&row| self.one_hot(row)).collect();
        let one_hot = Tensor::from_vec(one_hot, (rows.len(), shape.total_codes()), device)?;
        let epsilon: Vec<f32> = rows
            .iter()
            .flat_map(|&row| self.normals[row * latent..(row + 1) * latent].to_vec())
            .collect();
        let epsilon = Tensor::from_vec(epsilon, (rows.len(), latent), device)?;
        let mut values = one_hot.clone();
        for layer in 0..shape.latent_layer() {
            values = linear(&values, layer)?.relu()?;
        }
        let statistics = linear(&values, shape.latent_layer())?;
        let mean = statistics.narrow(1, 0, latent)?;
        let limit = f64::from(LOG_VARIANCE_LIMIT);
        let log_variance = statistics.narrow(1, latent, latent)?.clamp(-limit, limit)?;
        values = (&mean + ((&log_variance * 0.5)?.exp()? * epsilon)?)?;
        let last = shape.layers().len() - 1;
        for layer in shape.latent_layer() + 1..last {
            values = linear(&values, layer)?.relu()?;
        }
        let logits = linear(&values, last)?;
        let mut loss = Tensor::zeros((), DType::F32, device)?;
        for column in 0..shape.columns() {
            let range = shape.column_range(column);
            let log_shares = log_softmax(&logits.narrow(1, range.start, range.len())?, 1)?;
            let seen = one_hot.narrow(1, range.start, range.len())?;
            let entropy = (log_shares * seen)?.sum_all()?.neg()?;
            loss = (loss + (entropy * f64::from(shape.network().column_weights[column]))?)?;
        }
        let divergence =
            (((mean.sqr()? + log_variance.exp()?)? - 1.0)? - &log_variance)?.sum_all()?;
        loss = (loss + (divergence * (0.5 * f64::from(shape.network().kl_weight)))?)?;
        let gradients = loss.backward()?;
        let mut flat = Vec::new();
        for (matrix, bias) in &variables {
            for variable in [matrix, bias] {
                let zeros = variable.zeros_like()?;
                let gradient = gradients.get(variable).unwrap_or(&zeros);
                flat.extend(gradient.flatten_all()?.to_vec1::<f32>()?);
            }
        }
        Ok(flat.into_iter().map(f64::from).collect())
    }
}

pub(crate) fn networks() -> Vec<Network> {
    vec![
        small(),
        Network {
            encoder_hidden: vec![],
            decoder_hidden: vec![],
            ..small()
        },
        Network {
            encoder_hidden: vec![16, 8],
            decoder_hidden: vec![8, 16],
            ..small()
        },
        Network {
            domain_sizes: vec![20, 9, 16, 7, 15, 6, 5, 2, 42, 2],
            encoder_hidden: vec![64],
            decoder_hidden: vec![64],
            latent: 8,
            kl_weight: 0.5,
            column_weights: vec![1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 4.0],
        },
    ]
}

fn relative_error(left: &[f64], right: &[f64]) -> f64 {
    assert_eq!(left.len(), right.len());
    let norm = |values: &mut dyn Iterator<Item = f64>| values.map(|v| v * v).sum::<f64>().sqrt();
    let difference = norm(&mut left.iter().zip(right).map(|(a, b)| a - b));
    difference / norm(&mut right.iter().copied())
}

#[test]
fn the_gradient_agrees_with_candle() {
    for (index, network) in networks().into_iter().enumerate() {
        let case = Case::new(network, 0.3, 100 + index as u64);
        let whole_block: Vec<usize> = (0..BLOCK_ROWS).collect();
        let groups = [0, 1, 63, BLOCK_ROWS - 1].map(|row| vec![row]);
        for rows in groups.iter().chain([&whole_block]) {
            let error = relative_error(&case.gradient(rows), &case.candle_gradient(rows).unwrap());
            assert!(error < ORACLE_TOLERANCE, "network {index}: {error}");
        }
    }
}

#[test]
fn a_clamped_log_variance_has_no_gradient() {
    let mut case = Case::new(networks().swap_remove(1), 8.0, 7);
    // A small decoder, so that latents of e^4 do not leave the range of the softmax.
    let decoder = case.shape.layer_range(1);
    case.weights[decoder]
        .iter_mut()
        .for_each(|weight| *weight *= 1e-3);
    let factors = case.factors();
    let latent = case.shape.latent();
    let layer = case.shape.latent_layer();
    let mut clamped = 0;
    for row in 0..BLOCK_ROWS {
        let mut raw = case.shape.layer_weights(layer, &case.weights).1.to_vec();
        let matrix = case.shape.layer_weights(layer, &case.weights).0;
        for (input, _) in case
            .one_hot(row)
            .iter()
            .enumerate()
            .filter(|(_, value)| **value > 0.0)
        {
            for (sum, weight) in raw.iter_mut().zip(&matrix[input * 2 * latent..]) {
                *sum += weight;
            }
        }
        for (k, value) in raw.iter().enumerate().skip(latent) {
            if value.abs() > LOG_VARIANCE_LIMIT {
                clamped += 1;
                assert_eq!(factors[layer].deltas[row * 2 * latent + k], 0.0);
            }
        }
    }
    assert!(clamped > BLOCK_ROWS);
    // With the clamp active in many rows, candle's gradient is still the same.
    let rows: Vec<usize> = (0..BLOCK_ROWS).collect();
    let error = relative_error(&case.gradient(&rows), &case.candle_gradient(&rows).unwrap());
    assert!(error < ORACLE_TOLERANCE, "{error}");
}

/// Bits of everything that belongs to one row.
pub(crate) fn row_bits(shape: &VaeShape, factors: &[LayerFactors], row: usize) -> Vec<u32> {
    let mut bits = Vec::new();
    for (layer, factor) in shape.layers().iter().zip(factors) {
        if let LayerInput::Dense { width } = layer.input {
            bits.extend(
                factor.activations[row * width..(row + 1) * width]
                    .iter()
                    .map(|v| v.to_bits()),
            );
        }
        let width = layer.outputs;
        bits.extend(
            factor.deltas[row * width..(row + 1) * width]
                .iter()
                .map(|v| v.to_bits()),
        );
    }
    bits
}

pub(crate) fn swap_rows<T>(values: &mut [T], width: usize, left: usize, right: usize) {
    for offset in 0..width {
        values.swap(left * width + offset, right * width + offset);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn a_row_has_the_same_bits_whatever_the_others_hold(
        network in 0usize..4,
        seed in 0u64..1 << 32,
        kept in 0usize..BLOCK_ROWS,
        place in 0usize..BLOCK_ROWS,
        padded in 0usize..BLOCK_ROWS,
    ) {
        let case = Case::new(networks().swap_remove(network), 0.5, seed);
        let expected = row_bits(&case.shape, &case.factors(), kept);
        let (columns, latent) = (case.shape.columns(), case.shape.latent());
        // Every other row is replaced, the last ones by padding, and the row itself is moved.
        let mut other = Case::new(networks().swap_remove(network), 0.5, seed ^ 1);
        other.weights = case.weights.clone();
        other.codes[padded * columns..].fill(0);
        other.codes[place * columns..(place + 1) * columns]
            .copy_from_slice(&case.codes[kept * columns..(kept + 1) * columns]);
        other.normals[place * latent..(place + 1) * latent]
            .copy_from_slice(&case.normals[kept * latent..(kept + 1) * latent]);
        prop_assert_eq!(&row_bits(&other.shape, &other.factors(), place), &expected);
    }

    #[test]
    fn permuting_a_block_permutes_its_factors(
        network in 0usize..4,
        seed in 0u64..1 << 32,
        swaps in proptest::collection::vec((0usize..BLOCK_ROWS, 0usize..BLOCK_ROWS), 1..64),
    ) {
        let mut case = Case::new(networks().swap_remove(network), 0.5, seed);
        let before = case.factors();
        let mut order: Vec<usize> = (0..BLOCK_ROWS).collect();
        let (columns, latent) = (case.shape.columns(), case.shape.latent());
        for (left, right) in swaps {
            order.swap(left, right);
            swap_rows(&mut case.codes, columns, left, right);
            swap_rows(&mut case.normals, latent, left, right);
        }
        let after = case.factors();
        for (place, &row) in order.iter().enumerate() {
            prop_assert_eq!(
                row_bits(&case.shape, &after, place),
                row_bits(&case.shape, &before, row)
            );
        }
    }
}

#[test]
fn a_row_that_is_not_finite_spoils_no_other() {
    let mut case = Case::new(small(), 0.5, 5);
    let before = case.factors();
    case.normals[3 * case.shape.latent()] = f32::NAN;
    case.normals[9 * case.shape.latent()] = f32::INFINITY;
    let after = case.factors();
    for row in (0..BLOCK_ROWS).filter(|row| ![3, 9].contains(row)) {
        assert_eq!(
            row_bits(&case.shape, &after, row),
            row_bits(&case.shape, &before, row)
        );
    }
}

#[test]
fn scratch_from_another_shape_does_no_harm() {
    let (large, little) = (
        Case::new(networks().swap_remove(3), 0.5, 1),
        Case::new(small(), 0.5, 2),
    );
    let mut scratch = VaeScratch::default();
    let mut factors = vec![LayerFactors::default(); 4];
    for case in [&large, &little, &large] {
        case.run::<Vae>(&mut scratch, &mut factors);
        let fresh = case.factors();
        for row in 0..BLOCK_ROWS {
            assert_eq!(
                row_bits(&case.shape, &factors, row),
                row_bits(&case.shape, &fresh, row)
            );
        }
    }
}

/// Largest relative L2 difference between two single-precision gradients of one loss.
const ORACLE_TOLERANCE: f64 = 1e-4;
