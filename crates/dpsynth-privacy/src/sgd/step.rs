//! One step of DP-SGD, and the sequence of steps that a charge pays for.

use std::sync::Mutex;
use std::thread;

use super::model::{LayerInput, LayerShape, LayerwiseModel};
use super::poisson::PoissonSampler;
use super::quantise::CLIP_NORM_ON_GRID;
use super::times::{StepTimes, Stopwatch};
use super::worker::{Parts, SumTask, Workers, thread_count};
use crate::boundary::{Private, Released};
use crate::kernel::widest;
use crate::mechanism::DpSgd;
use crate::noise::RoundedGaussian;
use crate::paid::{Authorized, MechanismError, Taint};
use crate::random::Purpose;
use crate::records::Records;

/// Parameters that a thread adds up and scales at once.
const STRETCH: usize = 4096;

/// The steps that a charge pays for, handed out one by one and no more of them than were paid.
pub struct StepSequence {
    authorized: Authorized<DpSgd>,
    sampler: PoissonSampler,
    workers: Workers,
    taken: u32,
}

impl Authorized<DpSgd> {
    /// Turns the permission into its steps.
    #[must_use]
    pub fn steps(self) -> StepSequence {
        StepSequence {
            sampler: PoissonSampler::new(self.mechanism.sampling_rate.threshold()),
            authorized: self,
            workers: Workers::default(),
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
            workers: &self.workers,
            index: self.taken - 1,
        })
    }
}

/// Permission for one step, used up by running it.
pub struct Step<'a> {
    authorized: &'a Authorized<DpSgd>,
    sampler: &'a PoissonSampler,
    workers: &'a Workers,
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
        let task = SumTask::<M> {
            records,
            layers: &layers,
            shape,
            weights,
            clip_norm: sgd.clip_norm.value(),
            noise: (self.authorized.taint != Some(Taint::NoNoise)).then_some(noise),
            key: &self.authorized.key,
            step: self.index,
        };
        let (parts, mut times) = task.sum(&sampled, self.workers);
        times.sample = sampling;
        let unit = sgd.clip_norm.value() / CLIP_NORM_ON_GRID;
        let mut sum = vec![0.0; weights.len()];
        times.add(&self.merge(&parts, unit, &mut sum));
        self.workers.keep(parts);
        Ok((Released::by_mechanism(sum), times))
    }

    /// Adds up the parts of the noisy sum, and takes it to gradient units, of which `unit` is a step of
    /// the grid.
    fn merge(&self, parts: &Parts, unit: f64, sum: &mut [f32]) -> StepTimes {
        let stretches = Mutex::new(sum.chunks_mut(STRETCH).enumerate());
        let work = || {
            let mut totals = [0; STRETCH];
            let mut times = StepTimes::default();
            let mut watch = Stopwatch::start();
            loop {
                // OK because nothing panics while the lock is held, so it is never poisoned.
                let next = stretches.lock().expect("queue of stretches").next();
                let Some((stretch, sum)) = next else {
                    watch.lap(&mut times.product);
                    return times;
                };
                let totals = &mut totals[..sum.len()];
                totals.fill(0);
                parts.add_to(stretch * STRETCH, totals);
                widest(
                    #[inline(always)]
                    || {
                        for (sum, &total) in sum.iter_mut().zip(&*totals) {
                            *sum = (total as f64 * unit) as f32;
                        }
                    },
                );
            }
        };
        thread::scope(|scope| {
            let others: Vec<_> = (1..thread_count()).map(|_| scope.spawn(work)).collect();
            let mut times = work();
            for other in others {
                let part = other
                    .join()
                    .unwrap_or_else(|panic| std::panic::resume_unwind(panic));
                times.add(&part);
            }
            times
        })
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

#[cfg(test)]
mod tests;
