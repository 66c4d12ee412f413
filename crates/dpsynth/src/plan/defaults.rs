//! Settings chosen from public figures alone.

use dpsynth_privacy::{ClipNorm, DpSgd, Epsilon, NoiseMultiplier, NumberError, SamplingRate, StepCount};
use dpsynth_train::{Network, NoiseVariance, Optimiser};

use super::ModelledColumn;

/// What the public figures decide.
pub(super) struct Settings {
    /// Share of the budget for the number of units, where it is not public.
    pub(super) unit_count_share: f64,
    /// Share of the budget for the counts that training starts from.
    pub(super) starting_share: f64,
    pub(super) sampling_rate: SamplingRate,
    pub(super) steps: StepCount,
    pub(super) clip_norm: ClipNorm,
    pub(super) network: Network,
    pub(super) optimiser: Optimiser,
}

/// Chooses the settings of a release.
pub(super) fn settings(
    units: Option<u64>,
    epsilon: Epsilon,
    columns: &[ModelledColumn],
) -> Settings {
    let _ = (units, epsilon);
    Settings {
        unit_count_share: 0.01,
        starting_share: 0.08,
        sampling_rate: SamplingRate::at_most(0.25).expect("a constant in range"),
        steps: StepCount::new(300).expect("a constant in range"),
        clip_norm: ClipNorm::new(2.0).expect("a constant in range"),
        network: Network {
            domain_sizes: columns.iter().map(|column| column.codes).collect(),
            encoder_hidden: vec![64],
            decoder_hidden: vec![64, 64],
            latent: 8,
            kl_weight: 0.5,
            column_weights: columns.iter().map(|column| if column.target { 4.0 } else { 1.0 }).collect(),
        },
        optimiser: Optimiser {
            learning_rate: 5e-3,
            warm_up: 0.05,
            final_rate: 0.1,
            first_decay: 0.9,
            second_decay: 0.99,
            averaged: 0.3,
            noise_variance: NoiseVariance::Keep,
        },
    }
}

/// Training that protects nobody: more and smaller steps, and hardly any clipping.
pub(super) fn without_privacy() -> Result<(DpSgd, Optimiser), NumberError> {
    let sgd = DpSgd {
        sampling_rate: SamplingRate::at_most(1.0 / 64.0)?,
        steps: StepCount::new(4000)?,
        noise_multiplier: NoiseMultiplier::new(1.0)?,
        clip_norm: ClipNorm::new(200.0)?,
    };
    let optimiser = Optimiser {
        learning_rate: 3e-3,
        warm_up: 0.02,
        final_rate: 0.02,
        first_decay: 0.9,
        second_decay: 0.999,
        averaged: 0.2,
        noise_variance: NoiseVariance::Keep,
    };
    Ok((sgd, optimiser))
}
