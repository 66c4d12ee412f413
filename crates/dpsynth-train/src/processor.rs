//! What computes the forward and backward pass, and the trial of it before anything is charged.

use dpsynth_privacy::{BLOCK_ROWS, Block, LayerFactors, LayerInput, LayerwiseModel, PublicRng};

use crate::error::TrainError;
use crate::on_device::{self, DeviceVae};
use crate::shape::VaeShape;
use crate::vae::Vae;

/// What computes the forward and backward pass of a training run.
///
/// Clipping, sums and noise are the host's in every case, and the price does not depend on it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Processor {
    /// The host, by [`Vae`].
    #[default]
    Cpu,
    /// The first graphics processor, by [`DeviceVae`].
    Cuda,
}

impl Processor {
    /// Sees that the processor can be used for a network; asks nothing of the host.
    ///
    /// # Errors
    /// If this build knows no graphics processor, and those of [`device_check`].
    pub fn check(self, shape: &VaeShape) -> Result<(), TrainError> {
        match self {
            Self::Cpu => Ok(()),
            Self::Cuda if cfg!(feature = "cuda") => device_check(shape).map(|_| ()),
            Self::Cuda => Err(TrainError::DeviceNotBuilt),
        }
    }
}

/// Opens the device of [`DeviceVae`] and tries it with random weights and rows; returns its name.
///
/// It reads no data, so it can run before anything is charged.
///
/// # Guarantee
/// None beyond what is tried: on one network of this shape, the bits of rows in four places were
/// the same when all other rows were replaced, those of every row when the block was reversed, and
/// each factor differed from that of [`Vae`] by at most a thousandth of its size. A library that sums
/// over rows fails for certain; one that does so now and then may pass.
///
/// # Errors
/// If the device cannot be opened or used, or if one of these does not hold.
pub fn device_check(shape: &VaeShape) -> Result<String, TrainError> {
    let device = on_device::open().map_err(closed)?;
    on_device::try_once(shape, &device).map_err(closed)?;
    check::<DeviceVae>(shape)?;
    Ok(on_device::name(&device))
}

/// Compares a model with itself under other rows, and with [`Vae`].
fn check<M: LayerwiseModel<Shape = VaeShape>>(shape: &VaeShape) -> Result<(), TrainError> {
    let mut rng = PublicRng::from_seed(TRIAL_SEED);
    let weights = trial_weights(shape, &mut rng);
    let first = Rows::draw(shape, &mut rng);
    let before = first.factors::<M>(shape, &weights);
    let mut alike = true;
    for kept in [0, 1, BLOCK_ROWS / 2 - 1, BLOCK_ROWS - 1] {
        for mut other in [Rows::draw(shape, &mut rng), Rows::padding(shape)] {
            other.copy_row(&first, kept, shape);
            let after = other.factors::<M>(shape, &weights);
            alike &= row_bits(shape, &after, kept) == row_bits(shape, &before, kept);
        }
    }
    let reversed = first.reversed(shape).factors::<M>(shape, &weights);
    alike &= (0..BLOCK_ROWS).all(|row| {
        row_bits(shape, &reversed, BLOCK_ROWS - 1 - row) == row_bits(shape, &before, row)
    });
    if !alike {
        return Err(TrainError::DeviceRows);
    }
    let expected = first.factors::<Vae>(shape, &weights);
    // Written so that NaN is refused.
    let close = before.iter().zip(&expected).all(|(found, expected)| {
        relative_error(&found.deltas, &expected.deltas) <= TOLERANCE
            && relative_error(&found.activations, &expected.activations) <= TOLERANCE
    });
    match close {
        true => Ok(()),
        false => Err(TrainError::DeviceDiffers),
    }
}

/// The first line of what candle says; a trace may follow.
fn closed(error: candle_core::Error) -> TrainError {
    let text = error.to_string();
    TrainError::DeviceClosed {
        reason: text.lines().next().unwrap_or_default().to_owned(),
    }
}

/// Codes and draws of one block.
struct Rows {
    codes: Vec<u16>,
    normals: Vec<f32>,
}

impl Rows {
    fn draw(shape: &VaeShape, rng: &mut PublicRng) -> Self {
        Self {
            codes: (0..BLOCK_ROWS)
                .flat_map(|_| &shape.network().domain_sizes)
                .map(|&size| (rng.next_u64() % u64::from(size)) as u16)
                .collect(),
            normals: (0..BLOCK_ROWS * shape.latent())
                .map(|_| rng.normal() as f32)
                .collect(),
        }
    }

    fn padding(shape: &VaeShape) -> Self {
        Self {
            codes: vec![0; BLOCK_ROWS * shape.columns()],
            normals: vec![0.0; BLOCK_ROWS * shape.latent()],
        }
    }

    fn copy_row(&mut self, from: &Self, row: usize, shape: &VaeShape) {
        let codes = row * shape.columns()..(row + 1) * shape.columns();
        let normals = row * shape.latent()..(row + 1) * shape.latent();
        self.codes[codes.clone()].copy_from_slice(&from.codes[codes]);
        self.normals[normals.clone()].copy_from_slice(&from.normals[normals]);
    }

    fn reversed(&self, shape: &VaeShape) -> Self {
        Self {
            codes: reverse_rows(&self.codes, shape.columns()),
            normals: reverse_rows(&self.normals, shape.latent()),
        }
    }

    fn factors<M: LayerwiseModel<Shape = VaeShape>>(
        &self,
        shape: &VaeShape,
        weights: &[f32],
    ) -> Vec<LayerFactors> {
        let mut factors = vec![LayerFactors::default(); shape.layers().len()];
        let mut scratch = M::Scratch::default();
        let block = Block {
            codes: &self.codes,
            normals: &self.normals,
        };
        let weights = M::lay_out(shape, weights);
        M::forward(shape, &weights, &block, &mut scratch, &mut factors);
        M::backward(shape, &weights, &block, &mut scratch, &mut factors);
        factors
    }
}

fn reverse_rows<T: Copy>(values: &[T], width: usize) -> Vec<T> {
    values
        .chunks_exact(width)
        .rev()
        .flatten()
        .copied()
        .collect()
}

/// Random weights, of a size at which no layer's output explodes.
fn trial_weights(shape: &VaeShape, rng: &mut PublicRng) -> Vec<f32> {
    let mut weights = Vec::with_capacity(shape.parameters());
    for layer in shape.layers() {
        let terms = match layer.input {
            LayerInput::Codes { .. } => shape.columns(),
            LayerInput::Dense { width } => width,
        };
        let scale = (terms as f64).sqrt().recip();
        weights.extend((0..layer.parameters()).map(|_| (scale * rng.normal()) as f32));
    }
    weights
}

/// Bits of everything that belongs to one row.
fn row_bits(shape: &VaeShape, factors: &[LayerFactors], row: usize) -> Vec<u32> {
    let mut bits = Vec::new();
    for (layer, factor) in shape.layers().iter().zip(factors) {
        let width = match layer.input {
            LayerInput::Codes { .. } => 0,
            LayerInput::Dense { width } => width,
        };
        let activations = &factor.activations[row * width..(row + 1) * width];
        let deltas = &factor.deltas[row * layer.outputs..(row + 1) * layer.outputs];
        bits.extend(
            activations
                .iter()
                .chain(deltas)
                .map(|value| value.to_bits()),
        );
    }
    bits
}

/// L2 norm of the difference against that of `right`; 0 for empty slices.
fn relative_error(left: &[f32], right: &[f32]) -> f64 {
    let squares = |values: &mut dyn Iterator<Item = f64>| values.map(|it| it * it).sum::<f64>();
    let pairs = left.iter().zip(right);
    let difference = squares(&mut pairs.map(|(a, b)| f64::from(*a) - f64::from(*b)));
    if left.len() != right.len() {
        return f64::INFINITY;
    }
    if difference == 0.0 {
        return 0.0;
    }
    (difference / squares(&mut right.iter().map(|it| f64::from(*it)))).sqrt()
}

/// Seed of the trial; any would do.
const TRIAL_SEED: u64 = 0x7272_6961_6c00;
/// Largest relative difference of a factor from that of the host: far above single precision's
/// rounding, and far below what a wrong formula gives.
const TOLERANCE: f64 = 1e-3;

#[cfg(test)]
#[path = "processor_tests.rs"]
mod tests;
