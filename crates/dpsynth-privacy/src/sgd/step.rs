//! One step of DP-SGD, and the sequence of steps that a charge pays for.

use std::num::NonZeroUsize;
use std::ops::Range;
use std::thread;

use super::model::{BLOCK_ROWS, Block, LayerFactors, LayerInput, LayerShape, LayerwiseModel};
use super::quantise::{CLIP_NORM_ON_GRID, Quantised};
use super::sum::ExactSum;
use super::times::{StepTimes, Stopwatch};
use crate::boundary::{Private, Released};
use crate::mechanism::DpSgd;
use crate::noise::RoundedGaussian;
use crate::paid::{Authorized, MechanismError, Taint};
use crate::random::{Purpose, SecretKey};
use crate::records::Records;

/// Parameters whose noise comes from one stream.
const NOISE_BLOCK: usize = 4096;

/// The steps that a charge pays for, handed out one by one and no more of them than were paid.
pub struct StepSequence {
    authorized: Authorized<DpSgd>,
    taken: u32,
}

impl Authorized<DpSgd> {
    /// Turns the permission into its steps.
    #[must_use]
    pub fn steps(self) -> StepSequence {
        StepSequence {
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
            index: self.taken - 1,
        })
    }
}

/// Permission for one step, used up by running it.
pub struct Step<'a> {
    authorized: &'a Authorized<DpSgd>,
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
    /// contributions has L2 sensitivity 2^40 grid units whatever the model computes, and the noise
    /// is a Gaussian of `noise_multiplier · 2^40` grid units rounded to the grid. A sample that is
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

    /// Draws each unit with exactly the probability that the accountant was told: a 32-bit word
    /// below the threshold of the sampling rate.
    fn sample(&self, records: &Records) -> Vec<u32> {
        let threshold = self.authorized.mechanism.sampling_rate.threshold();
        let mut rng = self
            .authorized
            .key
            .stream(Purpose::PoissonSampling, self.index, 0);
        // OK because records hold fewer than 2^32 rows, hence units.
        (0..records.unit_count() as u32)
            .filter(|_| u64::from(rng.next_u32()) < threshold)
            .collect()
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
    let threads = thread_count().min(blocks.len()).max(1);
    let partial_sum = &|worker: usize| {
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
        let mut factors = vec![LayerFactors::default(); layers.len()];
        for (factor, layer) in factors.iter_mut().zip(layers) {
            if let LayerInput::Dense { width } = layer.input {
                factor.activations = vec![0.0; BLOCK_ROWS * width];
            }
            factor.deltas = vec![0.0; BLOCK_ROWS * layer.outputs];
        }
        let mut quantised = Quantised::new(layers);
        let mut sum = ExactSum::new(layers, columns);
        let mut codes = vec![0u16; BLOCK_ROWS * columns];
        let normals_per_row = M::normals_per_row(shape);
        let mut normals = vec![0f32; BLOCK_ROWS * normals_per_row];
        let mut times = StepTimes::default();
        let mut watch = Stopwatch::start();
        for (index, block) in blocks.iter().enumerate().skip(worker).step_by(threads) {
            codes.fill(0);
            for (slot, &row) in block.rows.iter().enumerate() {
                let start = row as usize * columns;
                codes[slot * columns..(slot + 1) * columns]
                    .copy_from_slice(&records.codes()[start..start + columns]);
            }
            let mut draws = key.stream(Purpose::LatentDraws, step, index as u32);
            // Normals are drawn in pairs; row by row, so that no two units share a pair.
            for row in normals.chunks_mut(normals_per_row.max(1)) {
                draws.fill_normals(row);
            }
            let view = Block {
                codes: &codes,
                normals: &normals,
            };
            watch.lap(&mut times.lay_out);
            M::forward(shape, weights, &view, &mut scratch, &mut factors);
            watch.lap(&mut times.forward);
            M::backward(shape, weights, &view, &mut scratch, &mut factors);
            watch.lap(&mut times.backward);
            quantised.fill(layers, columns, &codes, &factors, &block.units, clip_norm);
            watch.lap(&mut times.clip);
            sum.add(&quantised, &codes, &code_offsets);
            watch.lap(&mut times.product);
        }
        sum.flush(&quantised, &code_offsets);
        watch.lap(&mut times.product);
        (sum.into_totals(), times)
    };
    let mut partials = thread::scope(|scope| {
        let others: Vec<_> = (1..threads)
            .map(|worker| scope.spawn(move || partial_sum(worker)))
            .collect();
        let mut partials = vec![partial_sum(0)];
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
