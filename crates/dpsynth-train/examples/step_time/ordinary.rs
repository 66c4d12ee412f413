//! The same network's step without privacy: what an ordinary program would run.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Instant;

use dpsynth_privacy::kernel::{
    Destination, Operand, ProductShape, multiply_f32, standard_normals, widest, words_per_row,
};
use dpsynth_privacy::{BLOCK_ROWS, Block, LayerFactors, LayerInput, LayerwiseModel, PublicRng};
use dpsynth_train::{Vae, VaeScratch, VaeShape, VaeWeights};

/// CPU seconds of the parts of a step.
#[derive(Clone, Copy, Default)]
pub(crate) struct OrdinaryTimes {
    pub(crate) sample: f64,
    pub(crate) lay_out: f64,
    pub(crate) forward: f64,
    pub(crate) backward: f64,
    pub(crate) product: f64,
}

impl OrdinaryTimes {
    pub(crate) fn total(&self) -> f64 {
        self.sample + self.lay_out + self.forward + self.backward + self.product
    }
}

/// A table, and the rate at which its rows take part in a step.
pub(crate) struct OrdinaryStep<'a> {
    shape: &'a VaeShape,
    codes: Vec<u16>,
    rate: f64,
}

impl<'a> OrdinaryStep<'a> {
    pub(crate) fn new(shape: &'a VaeShape, codes: Vec<u16>, rate: f64) -> Self {
        Self { shape, codes, rate }
    }

    /// Sums the gradients of a sample of rows.
    pub(crate) fn run(&self, weights: &[f32], seed: u64) -> (Vec<f32>, OrdinaryTimes) {
        let columns = self.shape.columns();
        let start = Instant::now();
        let mut rng = PublicRng::from_seed(seed);
        let threshold = (self.rate * 4_294_967_296.0) as u64;
        let sampled: Vec<usize> = (0..self.codes.len() / columns)
            .filter(|_| rng.next_u64() >> 32 < threshold)
            .collect();
        let sample = start.elapsed().as_secs_f64();
        let blocks: Vec<&[usize]> = sampled.chunks(BLOCK_ROWS).collect();
        let next = AtomicUsize::new(0);
        let threads = thread::available_parallelism().map_or(1, |count| count.get());
        let laid_out = Vae::lay_out(self.shape, weights);
        let work = || self.sum_blocks(&laid_out, &blocks, &next, seed);
        let (mut sum, mut times) = thread::scope(|scope| {
            let others: Vec<_> = (1..threads).map(|_| scope.spawn(work)).collect();
            let (mut sum, mut times) = work();
            for other in others {
                let (part, part_times) = other.join().expect("a worker");
                for (sum, part) in sum.iter_mut().zip(part) {
                    *sum += part;
                }
                times.lay_out += part_times.lay_out;
                times.forward += part_times.forward;
                times.backward += part_times.backward;
                times.product += part_times.product;
            }
            (sum, times)
        });
        times.sample = sample;
        sum.iter_mut().for_each(|value| *value /= 2048.0);
        (sum, times)
    }

    fn sum_blocks(
        &self,
        weights: &VaeWeights<'_>,
        blocks: &[&[usize]],
        next: &AtomicUsize,
        seed: u64,
    ) -> (Vec<f32>, OrdinaryTimes) {
        let columns = self.shape.columns();
        let latent = Vae::normals_per_row(self.shape);
        let mut times = OrdinaryTimes::default();
        let mut clock = Instant::now();
        let mut lap = |part: &mut f64| {
            let now = Instant::now();
            *part += (now - clock).as_secs_f64();
            clock = now;
        };
        let mut sum = vec![0.0f32; self.shape.parameters()];
        let mut codes = vec![0u16; BLOCK_ROWS * columns];
        let mut normals = vec![0.0f32; BLOCK_ROWS * latent];
        let mut words = vec![0u32; BLOCK_ROWS * words_per_row(latent)];
        let mut scratch = VaeScratch::default();
        let mut factors = vec![LayerFactors::default(); Vae::layers(self.shape).len()];
        loop {
            let index = next.fetch_add(1, Ordering::Relaxed);
            let Some(rows) = blocks.get(index) else { break };
            let mut rng = PublicRng::from_seed(seed).stream(index as u64);
            for (&row, codes) in rows.iter().zip(codes.chunks_exact_mut(columns)) {
                codes.copy_from_slice(&self.codes[row * columns..(row + 1) * columns]);
            }
            for pair in words.chunks_exact_mut(2) {
                let word = rng.next_u64();
                pair.copy_from_slice(&[word as u32, (word >> 32) as u32]);
            }
            standard_normals(&words, latent, &mut normals);
            let block = Block {
                codes: &codes,
                normals: &normals,
            };
            lap(&mut times.lay_out);
            Vae::forward(self.shape, weights, &block, &mut scratch, &mut factors);
            lap(&mut times.forward);
            Vae::backward(self.shape, weights, &block, &mut scratch, &mut factors);
            lap(&mut times.backward);
            widest(
                #[inline(always)]
                || self.add_gradient(&codes, rows.len(), &factors, &mut sum),
            );
            lap(&mut times.product);
        }
        (sum, times)
    }

    /// Adds the gradient of the first `rows` rows of a block, one product per layer.
    #[inline(always)]
    fn add_gradient(&self, codes: &[u16], rows: usize, factors: &[LayerFactors], sum: &mut [f32]) {
        let mut rest = sum;
        for (layer, factor) in Vae::layers(self.shape).iter().zip(factors) {
            let outputs = layer.outputs;
            let (gradient, others) = rest.split_at_mut(layer.parameters());
            rest = others;
            let (matrix, bias) = gradient.split_at_mut(layer.inputs() * outputs);
            let deltas = factor.deltas[..rows * outputs].chunks_exact(outputs);
            match layer.input {
                LayerInput::Dense { width } => multiply_f32(
                    ProductShape {
                        rows: width,
                        inner: rows,
                        columns: outputs,
                    },
                    (&factor.activations[..rows * width], Operand::Transposed),
                    (&factor.deltas[..rows * outputs], Operand::Plain),
                    matrix,
                    Destination::Accumulate,
                ),
                LayerInput::Codes { .. } => {
                    let sizes = &self.shape.network().domain_sizes;
                    for (delta, codes) in deltas.clone().zip(codes.chunks_exact(sizes.len())) {
                        let mut offset = 0;
                        for (&code, &size) in codes.iter().zip(sizes) {
                            let at = (offset + usize::from(code)) * outputs;
                            add(&mut matrix[at..at + outputs], delta);
                            offset += size as usize;
                        }
                    }
                }
            }
            for delta in deltas {
                add(bias, delta);
            }
        }
    }
}

#[inline(always)]
fn add(into: &mut [f32], values: &[f32]) {
    for (sum, value) in into.iter_mut().zip(values) {
        *sum += value;
    }
}
