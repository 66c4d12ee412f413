//! Moving the components of a mixture themselves.

use dpsynth_privacy::kernel::widest;

use super::adam::Adam;
use super::fit::{FitPlan, in_parallel};
use super::problem::{Problem, add, by_logits, softmax};

/// Some components of the mixture.
struct Part<'s> {
    shares: &'s mut Vec<f32>,
    logits: Vec<f32>,
    gradients: Vec<f32>,
    adam: Adam,
}

/// Takes the plan's refining steps from `shares`, given by output for each component in parts.
///
/// A component of a decoder moves only as the weights let it; on its own it comes as near to the
/// marginals in a tenth of the steps. Without the price of information it would follow their noise.
pub(super) fn refine(
    plan: &FitPlan,
    problem: &Problem<'_>,
    shares: &mut [Vec<f32>],
    on_step: &mut dyn FnMut(u32, f64),
) {
    let outputs = problem.outputs();
    let mut parts: Vec<_> = shares
        .iter_mut()
        .map(|shares| Part {
            logits: shares
                .iter()
                .map(|share| share.max(SMALLEST_SHARE).ln())
                .collect(),
            gradients: vec![0.0; shares.len()],
            adam: Adam::new(shares.len(), plan.refining_steps, LEARNING_RATE),
            shares,
        })
        .collect();
    for step in 0..plan.refining_steps {
        let (moments, means): (Vec<_>, Vec<_>) = in_parallel(&mut parts, |part| {
            (problem.moments(part.shares), sums(outputs, part.shares))
        })
        .into_iter()
        .unzip();
        let (pulls, distance) = problem.pulls(moments, plan.components);
        let mean_logits = mean_logits(means, plan.components);
        in_parallel(&mut parts, |part| {
            problem.share_gradients(&pulls, part.shares, &mut part.gradients);
            widest(|| {
                charge(
                    &mean_logits,
                    &part.logits,
                    plan.information_price as f32,
                    &mut part.gradients,
                );
                by_logits(&problem.starts, part.shares, &mut part.gradients);
            });
            part.adam.update(&mut part.logits, &part.gradients);
            part.shares.copy_from_slice(&part.logits);
            widest(|| softmax(&problem.starts, part.shares));
        });
        on_step(step + 1, distance);
    }
}

/// Adds the gradient of the information: of Σ p ln(p / mean) over the outputs of a component.
///
/// What is the same for all outputs of a column has no effect on logits, so the logits need not be
/// normalised.
#[inline(always)]
fn charge(mean_logits: &[f32], logits: &[f32], price: f32, gradients: &mut [f32]) {
    for (gradients, logits) in gradients
        .chunks_exact_mut(mean_logits.len())
        .zip(logits.chunks_exact(mean_logits.len()))
    {
        for ((gradient, logit), mean) in gradients.iter_mut().zip(logits).zip(mean_logits) {
            *gradient += price * (logit - mean);
        }
    }
}

fn sums(outputs: usize, shares: &[f32]) -> Vec<f32> {
    let mut sums = vec![0.0; outputs];
    for row in shares.chunks_exact(outputs) {
        add(&mut sums, row);
    }
    sums
}

/// Logarithms of the mean shares of all components.
fn mean_logits(parts: Vec<Vec<f32>>, components: usize) -> Vec<f32> {
    let mut all = vec![0.0; parts[0].len()];
    for part in parts {
        add(&mut all, &part);
    }
    for mean in &mut all {
        *mean = (*mean / components as f32).max(SMALLEST_SHARE).ln();
    }
    all
}

const LEARNING_RATE: f64 = 0.1;
/// Share below which an output counts as this one.
const SMALLEST_SHARE: f32 = 1e-7;
