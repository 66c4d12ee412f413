//! One step of DP-SGD, and the sequence of steps that a charge pays for.

use std::num::NonZeroUsize;
use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use super::model::{BLOCK_ROWS, Block, LayerFactors, LayerInput, LayerShape, LayerwiseModel};
use super::poisson::PoissonSampler;
use super::quantise::{CLIP_NORM_ON_GRID, Quantised};
use super::sum::ExactSum;
use super::times::{StepTimes, Stopwatch};
use crate::boundary::{Private, Released};
use crate::kernel::{standard_normals, words_per_row};
use crate::mechanism::DpSgd;
use crate::noise::RoundedGaussian;
use crate::paid::{Authorized, MechanismError, Taint};
use crate::random::{Purpose, SecretKey, SecretRng};
use crate::records::Records;

/// Parameters whose noise comes from one stream.
const NOISE_BLOCK: usize = 4096;

/// Stream of the word that steers the rounding of a step, beyond those of its blocks.
const ROUNDING: u32 = (1 << 24) - 1;

/// The steps that a charge pays for, handed out one by one and no more of them than were paid.
pub struct StepSequence {
    authorized: Authorized<DpSgd>,
    sampler: PoissonSampler,
    taken: u32,
}

impl Authorized<DpSgd> {
    /// Turns the permission into its steps.
    #[must_use]
    pub fn steps(self) -> StepSequence {
        StepSequence {
            sampler: PoissonSampler::new(self.mechanism.sampling_rate.threshold()),
            authorized: self,
            taken: 0,
        }
    }
}

impl StepSequence {
    /// Takes the next step, or `None` when all that were paid for are taken.
    pub fn next_step(&mut self) -> Option<Step<'_>> {
        if self.taken == self.authorized.mechanism.steps.value() {
            return None;
        }
        self.taken += 1;
        Some(Step {
            authorized: &self.authorized,
            sampler: &self.sampler,
            index: self.taken - 1,
        })
    }
}

/// Permission for one step, used up by running it.
pub struct Step<'a> {
    authorized: &'a Authorized<DpSgd>,
    sampler: &'a PoissonSampler,
    index: u32,
}

impl Step<'_> {
    /// Draws a Poisson sample of units, sums their clipped gradients, and adds noise.
    ///
    /// Returns the noisy *sum* in gradient units, laid out as `weights` are. An average is formed
    /// by dividing by a public constant, never by the number of units drawn.
    ///
    /// # Guarantee
    /// The result is a post-processing of the Poisson-subsampled Gaussian mechanism with exactly
    /// the sampling rate, noise multiplier and clip norm of the charge: the sum of integer
    /// contributions has L2 sensitivity 2^24 grid units whatever the model computes, and the noise
    /// is a Gaussian of `noise_multiplier · 2^24` grid units rounded to the grid. A sample that is
    /// empty is summed and noised like any other.
    ///
    /// # Errors
    /// If the model does not fit the records or the weights, or the records allow more rows per
    /// unit than were paid for.
    ///
    /// # References
    /// Abadi et al. (2016), Algorithm 1, without its division by the realised batch; the argument
    /// for the arithmetic is in `docs/claim.md`.
    pub fn run<M: LayerwiseModel>(
        self,
        data: &Private<Records>,
        shape: &M::Shape,
        weights: &[f32],
    ) -> Result<Released<Vec<f32>>, MechanismError> {
        self.run_watched::<M>(data, shape, weights)
            .map(|(sum, _)| sum)
    }

    /// Runs the step, and says how long its parts took if nothing that comes out is private.
    pub(crate) fn run_timed<M: LayerwiseModel>(
        self,
        data: &Private<Records>,
        shape: &M::Shape,
        weights: &[f32],
    ) -> Result<(Released<Vec<f32>>, Option<StepTimes>), MechanismError> {
        let tainted = self.authorized.taint.is_some();
        self.run_watched::<M>(data, shape, weights)
            .map(|(sum, times)| (sum, tainted.then_some(times)))
    }

    /// The times that are returned are private.
    fn run_watched<M: LayerwiseModel>(
        self,
        data: &Private<Records>,
        shape: &M::Shape,
        weights: &[f32],
    ) -> Result<(Released<Vec<f32>>, StepTimes), MechanismError> {
        // Private: records, the sample and the sum are in hand from here to the noise.
        let records = data.expose();
        self.authorized.admits(records)?;
        let sgd = &self.authorized.mechanism;
        let layers = M::layers(shape);
        check_shapes(&layers, records, weights.len())?;
        let noise = RoundedGaussian::new(sgd.noise_multiplier.value() * CLIP_NORM_ON_GRID)
            .ok_or(MechanismError::Scale)?;
        let mut watch = Stopwatch::start();
        let mut sampling = 0.0;
        let sampled = self.sample(records);
        watch.lap(&mut sampling);
        let (mut totals, mut times) = clipped_sum::<M>(
            records,
            &sampled,
            &layers,
            shape,
            weights,
            sgd.clip_norm.value(),
            (&self.authorized.key, self.index),
        );
        times.sample = sampling;
        if self.authorized.taint != Some(Taint::NoNoise) {
            times.noise = add_noise(&mut totals, &noise, &self.authorized.key, self.index);
        }
        let unit = sgd.clip_norm.value() / CLIP_NORM_ON_GRID;
        let sum = totals
            .iter()
            .map(|&sum| (sum as f64 * unit) as f32)
            .collect();
        Ok((Released::by_mechanism(sum), times))
    }

    /// Draws each unit with exactly the probability that the accountant was told.
    fn sample(&self, records: &Records) -> Vec<u32> {
        let mut rng = self
            .authorized
            .key
            .stream(Purpose::PoissonSampling, self.index, 0);
        self.sampler.draw(records.unit_count(), &mut rng)
    }
}

fn check_shapes(
    layers: &[LayerShape],
    records: &Records,
    weights: usize,
) -> Result<(), MechanismError> {
    let codes: usize = records
        .domain_sizes()
        .iter()
        .map(|&size| size as usize)
        .sum();
    let codes_fit = layers.iter().all(|layer| match layer.input {
        LayerInput::Codes { total_codes } => total_codes == codes,
        LayerInput::Dense { .. } => true,
    });
    let parameters: usize = layers.iter().map(LayerShape::parameters).sum();
    if codes_fit && parameters == weights {
        Ok(())
    } else {
        Err(MechanismError::ModelMismatch)
    }
}

/// Units of one block and the block rows that they fill.
struct PackedBlock {
    rows: Vec<u32>,
    units: Vec<Range<usize>>,
}

/// Packs the rows of the sampled units into blocks; a unit is never split.
fn pack(records: &Records, sampled: &[u32]) -> Vec<PackedBlock> {
    let mut blocks: Vec<PackedBlock> = Vec::new();
    for &unit in sampled {
        let rows = records.unit_rows(unit as usize);
        if blocks
            .last()
            .is_none_or(|block| block.rows.len() + rows.len() > BLOCK_ROWS)
        {
            blocks.push(PackedBlock {
                rows: Vec::with_capacity(BLOCK_ROWS),
                units: Vec::new(),
            });
        }
        if let Some(block) = blocks.last_mut() {
            let start = block.rows.len();
            block.rows.extend(rows.map(|row| row as u32));
            block.units.push(start..block.rows.len());
        }
    }
    blocks
}

/// Sums the clipped contributions of the sampled units, as integers on the grid.
fn clipped_sum<M: LayerwiseModel>(
    records: &Records,
    sampled: &[u32],
    layers: &[LayerShape],
    shape: &M::Shape,
    weights: &[f32],
    clip_norm: f64,
    (key, step): (&SecretKey, u32),
) -> (Vec<i64>, StepTimes) {
    let blocks = pack(records, sampled);
    let word = key.stream(Purpose::LatentDraws, step, ROUNDING).next_u64();
    let next = AtomicUsize::new(0);
    let threads = thread_count().min(blocks.len()).max(1);
    let partial_sum = || {
        let columns = records.columns();
        let code_offsets: Vec<usize> = records
            .domain_sizes()
            .iter()
            .scan(0, |end, &size| {
                let start = *end;
                *end += size as usize;
                Some(start)
            })
            .collect();
        let mut scratch = M::Scratch::default();
        let mut factors = empty_factors(layers);
        let mut quantised = Quantised::new(layers, columns);
        let mut sum = ExactSum::new(layers, code_offsets, quantised.code_activation());
        let mut codes = vec![0u16; BLOCK_ROWS * columns];
        let mut draws = Draws::new(M::normals_per_row(shape));
        let mut times = StepTimes::default();
        let mut watch = Stopwatch::start();
        // The sum is the same whichever thread takes which block.
        while let Some((index, block)) = take_next(&next, &blocks) {
            codes.fill(0);
            for (slot, &row) in block.rows.iter().enumerate() {
                let start = row as usize * columns;
                codes[slot * columns..(slot + 1) * columns]
                    .copy_from_slice(&records.codes()[start..start + columns]);
            }
            draws.fill(&mut key.stream(Purpose::LatentDraws, step, index as u32));
            let view = Block {
                codes: &codes,
                normals: &draws.normals,
            };
            watch.lap(&mut times.lay_out);
            M::forward(shape, weights, &view, &mut scratch, &mut factors);
            watch.lap(&mut times.forward);
            M::backward(shape, weights, &view, &mut scratch, &mut factors);
            watch.lap(&mut times.backward);
            quantised.fill(layers, &codes, &factors, word, &block.units, clip_norm);
            watch.lap(&mut times.clip);
            sum.add(&quantised, &codes);
            watch.lap(&mut times.product);
        }
        let totals = sum.into_totals();
        watch.lap(&mut times.product);
        (totals, times)
    };
    let mut partials = thread::scope(|scope| {
        let others: Vec<_> = (1..threads).map(|_| scope.spawn(partial_sum)).collect();
        let mut partials = vec![partial_sum()];
        for other in others {
            // A panic of a worker is ours to pass on, not to hide in a smaller sum.
            partials.push(
                other
                    .join()
                    .unwrap_or_else(|panic| std::panic::resume_unwind(panic)),
            );
        }
        partials
    });
    let (mut totals, mut times) = partials.swap_remove(0);
    for (partial, others) in partials {
        times.add(&others);
        for (total, value) in totals.iter_mut().zip(partial) {
            *total = total.wrapping_add(value);
        }
    }
    (totals, times)
}

/// Takes the next block that no thread has taken.
fn take_next<'b>(
    next: &AtomicUsize,
    blocks: &'b [PackedBlock],
) -> Option<(usize, &'b PackedBlock)> {
    let index = next.fetch_add(1, Ordering::Relaxed);
    blocks.get(index).map(|block| (index, block))
}

/// Room for the factors of one block.
fn empty_factors(layers: &[LayerShape]) -> Vec<LayerFactors> {
    layers
        .iter()
        .map(|layer| LayerFactors {
            activations: match layer.input {
                LayerInput::Codes { .. } => Vec::new(),
                LayerInput::Dense { width } => vec![0.0; BLOCK_ROWS * width],
            },
            deltas: vec![0.0; BLOCK_ROWS * layer.outputs],
        })
        .collect()
}

/// Random draws of the model's own for the rows of a block: independent of who takes part, and no
/// draw is shared by two rows.
struct Draws {
    normals_per_row: usize,
    words: Vec<u32>,
    normals: Vec<f32>,
}

impl Draws {
    fn new(normals_per_row: usize) -> Self {
        Self {
            normals_per_row,
            words: vec![0; BLOCK_ROWS * words_per_row(normals_per_row)],
            normals: vec![0.0; BLOCK_ROWS * normals_per_row],
        }
    }

    fn fill(&mut self, rng: &mut SecretRng) {
        self.words
            .iter_mut()
            .for_each(|word| *word = rng.next_u32());
        standard_normals(&self.words, self.normals_per_row, &mut self.normals);
    }
}

/// Adds an independent rounded Gaussian to every coordinate; returns the seconds that it took,
/// added up over threads.
fn add_noise(totals: &mut [i64], noise: &RoundedGaussian, key: &SecretKey, step: u32) -> f64 {
    let share = totals
        .len()
        .div_ceil(thread_count())
        .next_multiple_of(NOISE_BLOCK);
    let noisy_share = |part: usize, values: &mut [i64]| {
        let mut watch = Stopwatch::start();
        for (block, values) in values.chunks_mut(NOISE_BLOCK).enumerate() {
            let stream = part * (share / NOISE_BLOCK) + block;
            let mut rng = key.stream(Purpose::GradientNoise, step, stream as u32);
            for value in values {
                *value = value.wrapping_add(noise.draw(&mut rng));
            }
        }
        let mut seconds = 0.0;
        watch.lap(&mut seconds);
        seconds
    };
    thread::scope(|scope| {
        let workers: Vec<_> = totals
            .chunks_mut(share)
            .enumerate()
            .map(|(part, values)| scope.spawn(move || noisy_share(part, values)))
            .collect();
        workers
            .into_iter()
            .map(|worker| {
                worker
                    .join()
                    .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
            })
            .sum()
    })
}

fn thread_count() -> usize {
    thread::available_parallelism().map_or(1, NonZeroUsize::get)
}

#[cfg(test)]
mod tests;
