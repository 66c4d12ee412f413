//! Training: from paid steps and paid one-way counts to a generator.

use dpsynth_privacy::{Authorized, DpSgd, Private, PublicRng, Records, Released};

use crate::calibrate::calibrate_columns;
use crate::decoder::Decoder;
use crate::error::TrainError;
use crate::generator::Generator;
use crate::initial::{StartingCounts, initial_weights};
use crate::on_device::DeviceVae;
use crate::optimiser::{Optimiser, Training};
use crate::processor::Processor;
use crate::shape::VaeShape;
use crate::vae::Vae;

/// Everything about a training run that is decided before the data is opened, besides what the
/// ledger was charged for.
#[derive(Clone, Debug)]
pub struct TrainingPlan {
    /// The network.
    pub shape: VaeShape,
    /// Public (or paid) number of privacy units; the noisy sum of gradients is divided by this
    /// times the sampling rate.
    pub expected_units: f64,
    /// How the weights follow the gradients.
    pub optimiser: Optimiser,
    /// Seed of the initial weights; public.
    pub seed: u64,
    /// What computes the forward and backward pass. The price does not depend on it.
    pub processor: Processor,
}

/// How far a training run has come. It says nothing about the data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StepProgress {
    /// Steps taken.
    pub taken: u32,
    /// Steps paid for.
    pub steps: u32,
}

/// Trains the autoencoder with the steps that were paid for, and returns its decoder.
///
/// `starting` holds noisy counts: training starts from independent columns with these shares, or
/// from a mixture of them by class. `on_step` is called after every step.
///
/// # Guarantee
/// The data is read by [`Step::run`](dpsynth_privacy::Step::run) alone. Everything else here is
/// a function of released values and of the plan, so the result costs what was charged for the
/// counts and the steps, and nothing more.
///
/// # Errors
/// If the plan is out of range, its processor cannot be used, the counts do not fit the network, a step fails, or the weights
/// diverge.
pub fn fit(
    plan: &TrainingPlan,
    starting: &Released<StartingCounts>,
    authorized: Authorized<DpSgd>,
    data: &Private<Records>,
    on_step: &mut dyn FnMut(StepProgress),
) -> Result<Released<Generator>, TrainError> {
    plan.optimiser.check()?;
    plan.processor.check(&plan.shape)?;
    if !(plan.expected_units.is_finite() && plan.expected_units >= 1.0) {
        return Err(TrainError::Plan {
            field: "expected_units",
            expected: "use a finite number of at least 1",
        });
    }
    let sgd = authorized.mechanism();
    let steps = sgd.steps.value();
    let expected_batch = plan.expected_units * sgd.sampling_rate.value();
    let noise_stddev = sgd.noise_multiplier.value() * sgd.clip_norm.value();
    let mut training = starting.clone().try_map(|counts| {
        let mut rng = PublicRng::from_seed(plan.seed);
        let weights = initial_weights(&plan.shape, &counts, &mut rng)?;
        Ok::<_, TrainError>(Training::start(
            plan.optimiser,
            steps,
            expected_batch,
            noise_stddev,
            weights,
        ))
    })?;
    let mut sequence = authorized.steps();
    let mut taken = 0;
    while let Some(step) = sequence.next_step() {
        let noisy_sum = match plan.processor {
            Processor::Cpu => step.run::<Vae>(data, &plan.shape, training.weights())?,
            Processor::Cuda => step.run::<DeviceVae>(data, &plan.shape, training.weights())?,
        };
        training = training.zip(noisy_sum).map(|(mut training, sum)| {
            training.update(&sum);
            training
        });
        taken += 1;
        on_step(StepProgress { taken, steps });
    }
    training
        .zip(starting.clone())
        .try_map(|(training, counts)| {
            let mut weights = training.averaged_weights()?;
            let mut rng = PublicRng::from_seed(plan.seed).stream(CALIBRATION);
            calibrate_columns(&plan.shape, &mut weights, &counts, &mut rng)?;
            Decoder::from_weights(plan.shape.clone(), &weights).map(Generator::Decoder)
        })
}

/// Stream of the public seed from which the latents of the calibration are drawn.
const CALIBRATION: u64 = 16;
