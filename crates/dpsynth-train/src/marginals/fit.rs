//! Fitting a decoder to noisy marginals: post-processing, as long as one likes.

use std::thread;

use dpsynth_privacy::PublicRng;
use serde::{Deserialize, Serialize};

use super::adam::Adam;
use super::measurements::Measurements;
use super::network::{Pass, Shape};
use super::price::{choose_price, most_steps};
use super::problem::{Problem, add};
use super::refine::refine;
use crate::mixture::Mixture;

/// How a decoder is fitted.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FitPlan {
    /// Number of latent coordinates.
    pub latent: usize,
    /// Width of both hidden layers.
    pub hidden: usize,
    /// Fixed latents, each of which is a component of the mixture that the decoder is.
    pub components: usize,
    /// Steps of Adam on the weights of the decoder; 1 at least.
    pub steps: u32,
    /// Largest learning rate of those steps.
    pub learning_rate: f64,
    /// Steps of Adam on the components themselves, from where the decoder put them.
    pub refining_steps: u32,
    /// What a nat of information between component and columns costs in those steps, in mean squared
    /// deviations of the marginals in units of their noise; at least 0. A fit takes this price or a lower one.
    pub information_price: f64,
    /// Seed of latents and initial weights; public.
    pub seed: u64,
}

impl FitPlan {
    /// The number of steps at most, with those that choose the price of information.
    #[must_use]
    pub fn most_steps(&self) -> u32 {
        self.choosing_steps() + self.steps + self.refining_steps
    }

    fn choosing_steps(&self) -> u32 {
        if self.refining_steps == 0 || self.information_price <= 0.0 {
            return 0;
        }
        most_steps(self)
    }
}

/// Fits a decoder with a fixed set of latents to all marginals at once, each cell weighted by the
/// precision of its measurement, and then moves its components to where the marginals want them.
///
/// With the latents fixed the decoder is a finite mixture of products of columns, so its pairwise
/// marginals are a matrix product and exact: no sampling error adds to the noise. Many mixtures
/// have the same marginals. The decoder starts at a smooth one; from there on the price of
/// information holds back what the marginals do not ask for: the information between component and
/// columns bounds their total correlation (Watanabe 1960), which is least where the entropy is largest
/// (Jaynes 1957). How high a price serves best is found first, by the marginals alone. `on_step` is called
/// with the steps taken, of [`FitPlan::most_steps`], and the mean squared deviation over the cells in units
/// of the noise.
pub fn fit_decoder(
    plan: &FitPlan,
    measurements: &Measurements,
    on_step: &mut dyn FnMut(u32, f64),
) -> Mixture {
    let choosing = plan.choosing_steps();
    let plan = &FitPlan {
        information_price: match choosing {
            0 => plan.information_price,
            _ => choose_price(plan, measurements, on_step),
        },
        ..*plan
    };
    let problem = Problem::new(measurements);
    let mut parts = fit_weights(plan, &problem, &mut |taken, distance| {
        on_step(choosing + taken, distance);
    });
    refine(plan, &problem, &mut parts, &mut |taken, distance| {
        on_step(choosing + plan.steps + taken, distance);
    });
    Mixture::new(measurements, parts.concat())
}

/// Fits the weights, and returns the shares of every output for each latent, in parts.
pub(super) fn fit_weights(
    plan: &FitPlan,
    problem: &Problem<'_>,
    on_step: &mut dyn FnMut(u32, f64),
) -> Vec<Vec<f32>> {
    let mut rng = PublicRng::from_seed(plan.seed).stream(FIT);
    let shape = Shape {
        latent: plan.latent,
        hidden: plan.hidden,
        starts: problem.starts.clone(),
    };
    let latents: Vec<f32> = (0..plan.components * plan.latent)
        .map(|_| rng.normal() as f32)
        .collect();
    let mut weights = shape.initial(&problem.biases(), &mut rng);
    // Parts of a fixed size, so that no bit depends on the number of threads.
    let part = plan.components.div_ceil(PARTS) * plan.latent;
    let mut passes: Vec<Pass> = latents
        .chunks(part)
        .map(|latents| shape.pass(latents.to_vec()))
        .collect();
    let mut adam = Adam::new(weights.len(), plan.steps, plan.learning_rate);
    for step in 0..plan.steps {
        let moments = in_parallel(&mut passes, |pass| {
            shape.forward(&weights, pass);
            problem.moments(&pass.shares)
        });
        let (pulls, distance) = problem.pulls(moments, plan.components);
        in_parallel(&mut passes, |pass| {
            problem.share_gradients(&pulls, &pass.shares, &mut pass.share_gradients);
            shape.backward(&weights, pass);
        });
        let mut gradients = passes[0].gradients.clone();
        for pass in &passes[1..] {
            add(&mut gradients, &pass.gradients);
        }
        adam.update(&mut weights, &gradients);
        on_step(step + 1, distance);
    }
    in_parallel(&mut passes, |pass| {
        shape.forward(&weights, pass);
        std::mem::take(&mut pass.shares)
    })
}

/// Runs `work` on every part, each on a thread of its own, and returns the results in order.
pub(super) fn in_parallel<P: Send, R: Send>(
    parts: &mut [P],
    work: impl Fn(&mut P) -> R + Sync,
) -> Vec<R> {
    let work = &work;
    thread::scope(|scope| {
        let (first, others) = parts.split_at_mut(1);
        let others: Vec<_> = others
            .iter_mut()
            .map(|part| scope.spawn(move || work(part)))
            .collect();
        let mut results = vec![work(&mut first[0])];
        // OK because a part that panics is a defect.
        results.extend(
            others
                .into_iter()
                .map(|part| part.join().expect("a part panicked")),
        );
        results
    })
}

/// Stream of the public seed for fits.
const FIT: u64 = 1 << 32;
/// Parts of the latents that are worked on at the same time.
const PARTS: usize = 2;
