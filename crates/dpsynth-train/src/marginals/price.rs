//! What information may cost, as the marginals themselves tell.

use dpsynth_privacy::PublicRng;

use super::fit::{FitPlan, fit_weights};
use super::measurements::Measurements;
use super::problem::Problem;
use super::refine::refine;
use super::thin::{Thinned, thin};

/// Chooses the price of information at which a fit comes nearest to marginals that it did not see.
///
/// Of the marginals two sets with independent noises are made. Mixtures are fitted to one set, from the
/// plan's price on at half of it each time, and judged by the other, until one is not clearly better than
/// the one before. A low price follows the noise, and a high one loses what columns have to do with
/// each other; which of the two weighs more depends on the table.
pub(super) fn choose_price(
    plan: &FitPlan,
    measurements: &Measurements,
    on_step: &mut dyn FnMut(u32, f64),
) -> f64 {
    let mut rng = PublicRng::from_seed(plan.seed).stream(THIN);
    let Thinned { fitted, judging } = thin(measurements, &mut rng);
    let (fitted, judging) = (Problem::new(&fitted), Problem::new(&judging));
    let weights = FitPlan {
        steps: plan.steps.min(WEIGHT_STEPS),
        ..*plan
    };
    let start = fit_weights(&weights, &fitted, on_step);
    let mut taken = weights.steps;
    let mut distance_at = |information_price: f64| {
        let trial = FitPlan {
            information_price,
            ..*plan
        };
        let mut parts = start.clone();
        refine(&trial, &fitted, &mut parts, &mut |step, distance| {
            on_step(taken + step, distance);
        });
        taken += plan.refining_steps;
        let moments = parts.iter().map(|part| judging.moments(part)).collect();
        let (_, mean_squared) = judging.pulls(moments, plan.components);
        mean_squared * measurements.cells() as f64
    };
    let mut price = plan.information_price;
    let mut nearest = distance_at(price);
    for _ in 1..MOST_TRIALS {
        let distance = distance_at(0.5 * price);
        // Also false where either is not a number.
        let better = nearest - distance > LEAST_GAIN;
        if !better {
            break;
        }
        (price, nearest) = (0.5 * price, distance);
    }
    price
}

/// Most steps that a choice takes.
pub(super) fn most_steps(plan: &FitPlan) -> u32 {
    plan.steps.min(WEIGHT_STEPS) + MOST_TRIALS * plan.refining_steps
}

/// Stream of the public seed for the noise that parts the marginals.
const THIN: u64 = (1 << 32) + 1;
/// Steps on the weights before the trials start, at most: enough to tell prices apart.
const WEIGHT_STEPS: u32 = 100;
/// Prices that are tried at most.
const MOST_TRIALS: u32 = 6;
/// Sum of squared deviations in units of the noise by which a fit is clearly better.
const LEAST_GAIN: f64 = 4.0;
