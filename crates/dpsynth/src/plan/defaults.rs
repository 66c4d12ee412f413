//! Settings chosen from public figures alone.

use dpsynth_privacy::{ClipNorm, DpSgd, NoiseMultiplier, NumberError, SamplingRate, StepCount};
use dpsynth_train::{FitPlan, MeasureShares, Network, NoiseVariance, Optimiser};

/// What the public figures decide.
pub(super) struct Settings {
    /// Share of the budget for the counts that training starts from.
    pub(super) starting_share: f64,
    pub(super) sampling_rate: SamplingRate,
    pub(super) steps: StepCount,
    pub(super) clip_norm: ClipNorm,
    pub(super) network: Network,
    pub(super) optimiser: Optimiser,
}

/// Chooses the settings of a release.
///
/// Large samples and few steps, because noise averages out over the units of a sample and adds up
/// over steps; beyond [`LARGEST_BATCH`] a larger sample would only take longer.
pub(super) fn settings(units: Option<u64>, codes: &[u32]) -> Result<Settings, NumberError> {
    let largest = units.map_or(1.0, |units| LARGEST_BATCH / units.max(1) as f64);
    Ok(Settings {
        starting_share: 0.08,
        sampling_rate: SamplingRate::at_most(largest.min(0.25))?,
        steps: StepCount::new(300)?,
        clip_norm: ClipNorm::new(2.0)?,
        network: Network {
            domain_sizes: codes.to_vec(),
            encoder_hidden: vec![64],
            decoder_hidden: vec![64, 64],
            latent: 8,
            kl_weight: 1.0,
            column_weights: vec![1.0; codes.len()],
        },
        optimiser: Optimiser {
            learning_rate: 1e-2,
            warm_up: 0.05,
            final_rate: 0.1,
            first_decay: 0.9,
            second_decay: 0.99,
            averaged: 0.3,
            noise_variance: NoiseVariance::Keep,
        },
    })
}

/// How a decoder is fitted.
///
/// It costs no budget, only time. Fewer components where rows are few, because the noise then hides
/// what more of them could show.
pub(super) fn fit(units: Option<u64>, seed: u64) -> FitPlan {
    let components = units.map_or(MOST_COMPONENTS, |units| units / ROWS_PER_COMPONENT);
    FitPlan {
        latent: 64,
        hidden: 256,
        components: components.clamp(128, MOST_COMPONENTS) as usize,
        steps: 400,
        learning_rate: 8e-3,
        refining_steps: 300,
        information_price: 0.1,
        seed,
    }
}

/// Most components of a mixture; more of them hardly show.
const MOST_COMPONENTS: u64 = 1024;

/// Rows for each component of a mixture, between bounds.
const ROWS_PER_COMPONENT: u64 = 16;

/// How the budget for marginals is parted: a function of public figures.
///
/// `noise_stddev` is that of a marginal with all of the budget. Where the counts of single columns
/// would be poor, they get more: their error is part of that of every pair.
pub(super) fn shares(columns: usize, noise_stddev: f64, units: f64) -> MeasureShares {
    let noise = noise_stddev * (columns as f64 / LEAST_ONE_WAY).sqrt();
    // The mean of |N(0, σ²)| is 0.8 σ; half the sum over some 24 cells is the distance.
    let error = 0.5 * 24.0 * 0.8 * noise / units;
    let one_way = LEAST_ONE_WAY * (error / 0.02).powf(0.72);
    let one_way = one_way.clamp(LEAST_ONE_WAY, MOST_ONE_WAY);
    MeasureShares {
        one_way,
        by_class: 0.04,
        all_pairs: f64::min(0.22, 0.95 - one_way),
        noise_to_cell: 2.7,
    }
}

/// Least share of the budget for single columns.
const LEAST_ONE_WAY: f64 = 0.12;

/// Most of it: where rows are so few that pairs drown in noise.
const MOST_ONE_WAY: f64 = 0.85;

/// Share of the budget for the number of units, where it is not public.
pub(super) const UNIT_COUNT_SHARE: f64 = 0.01;

/// Noise multiplier that the plan of a release without privacy pretends.
pub(super) const HARDLY_ANY_NOISE: f64 = 0.25;

/// Units that a step draws at most, on average.
const LARGEST_BATCH: f64 = 16_384.0;

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
