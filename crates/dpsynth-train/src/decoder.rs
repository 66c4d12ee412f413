//! The decoder of an autoencoder as a generator, with its continuous latents.

use std::sync::Mutex;
use std::thread;

use candle_core::{Device, Tensor};
use candle_nn::{Linear, Module};
use dpsynth_privacy::PublicRng;
use dpsynth_privacy::kernel::widest;

use crate::elementwise::{exp_in_place, sum};
use crate::error::TrainError;
use crate::shape::VaeShape;

/// The decoder of a trained autoencoder: all that is needed to draw rows, and nothing else.
///
/// It holds the linear layers after the latent draw. There is no place in it for rows.
#[derive(Clone, Debug)]
pub struct Decoder {
    shape: VaeShape,
    layers: Vec<Linear>,
    output_bias: Vec<f32>,
}

impl Decoder {
    /// Keeps the decoder out of all weights of an autoencoder.
    pub(crate) fn from_weights(shape: VaeShape, weights: &[f32]) -> Result<Self, TrainError> {
        let tensors = (shape.latent_layer() + 1..shape.layers().len())
            .map(|layer| {
                let (matrix, bias) = shape.layer_weights(layer, weights);
                (matrix.to_vec(), bias.to_vec())
            })
            .collect();
        Self::from_decoder(shape, tensors)
    }

    /// Builds the decoder from each layer's matrix (row-major by input) and biases.
    pub(crate) fn from_decoder(
        shape: VaeShape,
        tensors: Vec<(Vec<f32>, Vec<f32>)>,
    ) -> Result<Self, TrainError> {
        let mut layers = Vec::with_capacity(tensors.len());
        let output_bias = tensors
            .last()
            .map_or_else(Vec::new, |(_, bias)| bias.clone());
        for (layer, (matrix, bias)) in shape.layers()[shape.latent_layer() + 1..]
            .iter()
            .zip(tensors)
        {
            let matrix = Tensor::from_vec(matrix, (layer.inputs(), layer.outputs), &Device::Cpu)
                .and_then(|matrix| matrix.t());
            let bias = Tensor::from_vec(bias, layer.outputs, &Device::Cpu);
            let (Ok(matrix), Ok(bias)) = (matrix, bias) else {
                return Err(TrainError::Decoder);
            };
            layers.push(Linear::new(matrix, Some(bias)));
        }
        Ok(Self {
            shape,
            layers,
            output_bias,
        })
    }

    /// The network whose decoder this is.
    #[must_use]
    pub fn shape(&self) -> &VaeShape {
        &self.shape
    }

    /// The decoder's layers as tensors: outputs × inputs, and biases.
    pub(crate) fn layers(&self) -> &[Linear] {
        &self.layers
    }

    /// Draws `rows` rows of codes, row-major.
    ///
    /// Latents are standard normal, and each column is drawn from its softmax. The draws are a
    /// function of the state of `rng` alone: blocks of rows have streams of their own, so the
    /// number of threads does not matter.
    ///
    /// # Errors
    /// [`TrainError::Decoder`] if the decoder cannot be evaluated, which is a defect.
    pub fn sample(&self, rows: usize, rng: &mut PublicRng) -> Result<Vec<u16>, TrainError> {
        let columns = self.shape.columns();
        let streams = PublicRng::from_seed(rng.next_u64());
        let mut codes = vec![0u16; rows * columns];
        let blocks = Mutex::new(codes.chunks_mut(SAMPLE_ROWS * columns).enumerate());
        let threads = thread::available_parallelism()
            .map_or(1, |count| count.get())
            .min(rows.div_ceil(SAMPLE_ROWS));
        let work = || -> Result<(), TrainError> {
            loop {
                // OK because nothing panics while the lock is held, so it is never poisoned.
                let next = blocks.lock().expect("block queue").next();
                let Some((index, block)) = next else {
                    return Ok(());
                };
                self.sample_block(&mut streams.stream(index as u64), block)?;
            }
        };
        thread::scope(|scope| {
            let workers: Vec<_> = (1..threads).map(|_| scope.spawn(work)).collect();
            let first = work();
            workers
                .into_iter()
                .map(|worker| worker.join().unwrap_or(Err(TrainError::Decoder)))
                .fold(first, Result::and)
        })?;
        Ok(codes)
    }

    /// Draws one block of rows.
    fn sample_block(&self, rng: &mut PublicRng, codes: &mut [u16]) -> Result<(), TrainError> {
        let rows = codes.len() / self.shape.columns();
        let latents: Vec<f32> = (0..rows * self.shape.latent())
            .map(|_| rng.normal() as f32)
            .collect();
        let weights = self.weights(latents, rows)?;
        for (row, codes) in weights
            .chunks_exact(self.shape.total_codes())
            .zip(codes.chunks_exact_mut(self.shape.columns()))
        {
            for (column, code) in codes.iter_mut().enumerate() {
                *code = draw(&row[self.shape.column_range(column)], rng.uniform());
            }
        }
        Ok(())
    }

    /// The weights of every column's codes for some latents, which need not add up to 1.
    fn weights(&self, latents: Vec<f32>, rows: usize) -> Result<Vec<f32>, TrainError> {
        let mut weights = self
            .logits_without_bias(latents, rows)
            .map_err(|_| TrainError::Decoder)?;
        for row in weights.chunks_exact_mut(self.shape.total_codes()) {
            widest(
                #[inline(always)]
                || {
                    for (weight, bias) in row.iter_mut().zip(&self.output_bias) {
                        *weight += bias;
                    }
                    exp_in_place(row);
                },
            );
        }
        Ok(weights)
    }

    /// The shares of every column's codes for some latents, row-major.
    pub(crate) fn shares(&self, latents: Vec<f32>, rows: usize) -> Result<Vec<f64>, TrainError> {
        let weights = self.weights(latents, rows)?;
        let mut shares: Vec<f64> = weights.into_iter().map(f64::from).collect();
        for row in shares.chunks_exact_mut(self.shape.total_codes()) {
            for column in 0..self.shape.columns() {
                let shares = &mut row[self.shape.column_range(column)];
                let sum: f64 = shares.iter().sum();
                shares.iter_mut().for_each(|share| *share /= sum);
            }
        }
        Ok(shares)
    }

    /// Runs latents through the decoder, but for the biases of the last layer: adding those by
    /// candle's broadcast would take longer than the product.
    pub(crate) fn logits_without_bias(
        &self,
        latents: Vec<f32>,
        rows: usize,
    ) -> candle_core::Result<Vec<f32>> {
        let mut values = Tensor::from_vec(latents, (rows, self.shape.latent()), &Device::Cpu)?;
        let last = self.layers.len() - 1;
        for layer in &self.layers[..last] {
            values = layer.forward(&values)?.relu()?;
        }
        values = values.matmul(&self.layers[last].weight().t()?)?;
        values.flatten_all()?.to_vec1()
    }
}

/// Inverts the distribution function: the first code whose cumulative weight exceeds the share
/// `uniform` of the total. Weights that are not numbers give the last code.
fn draw(weights: &[f32], uniform: f64) -> u16 {
    let target = uniform as f32 * sum(weights);
    let mut cumulative = 0.0f32;
    let last = weights.len() - 1;
    for (code, &weight) in weights[..last].iter().enumerate() {
        cumulative += weight;
        if target < cumulative {
            return code as u16;
        }
    }
    last as u16
}

/// Rows that are drawn together, from one stream.
const SAMPLE_ROWS: usize = 1024;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::initial::{StartingCounts, initial_weights};
    use crate::shape::tests::small;

    fn generator(seed: u64) -> Decoder {
        let shape = VaeShape::new(small()).unwrap();
        let sizes = shape.network().domain_sizes.iter();
        let counts = StartingCounts {
            one_way: sizes
                .map(|&size| (1..=size).map(f64::from).collect())
                .collect(),
            by_class: None,
            noise_stddev: 0.1,
        };
        let weights = initial_weights(&shape, &counts, &mut PublicRng::from_seed(seed)).unwrap();
        Decoder::from_weights(shape, &weights).unwrap()
    }

    #[test]
    fn codes_lie_in_their_domains_and_follow_the_biases() {
        let generator = generator(3);
        let rows = 20_000;
        let codes = generator
            .sample(rows, &mut PublicRng::from_seed(5))
            .unwrap();
        assert_eq!(codes.len(), rows * 4);
        for (column, &size) in generator.shape().network().domain_sizes.iter().enumerate() {
            let mut counts = vec![0.0f64; size as usize];
            for row in codes.chunks_exact(4) {
                counts[row[column] as usize] += 1.0;
            }
            let total = f64::from(size * (size + 1) / 2);
            for (code, count) in counts.iter().enumerate() {
                let share = (code + 1) as f64 / total;
                // The small output weights leave some dependence on the latents.
                assert!((count / rows as f64 - share).abs() < 0.1, "column {column}");
            }
        }
    }

    #[test]
    fn draws_are_a_function_of_the_seed_and_move_it_on() {
        let generator = generator(3);
        let mut rng = PublicRng::from_seed(9);
        let first = generator.sample(3000, &mut rng).unwrap();
        let second = generator.sample(3000, &mut rng).unwrap();
        assert_ne!(first, second);
        assert_eq!(
            first,
            generator
                .sample(3000, &mut PublicRng::from_seed(9))
                .unwrap()
        );
        assert!(generator.sample(0, &mut rng).unwrap().is_empty());
    }

    #[test]
    fn draws_follow_the_weights() {
        let weights = [1.0f32, 0.0, 3.0];
        assert_eq!(draw(&weights, 0.0), 0);
        assert_eq!(draw(&weights, 0.2499), 0);
        assert_eq!(draw(&weights, 0.25), 2);
        assert_eq!(draw(&weights, 0.999_999_999_999), 2);
        assert_eq!(draw(&[f32::NAN, 1.0], 0.5), 1);
        assert_eq!(draw(&[7.0], 0.5), 0);
    }
}
