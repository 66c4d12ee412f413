//! A lower bound on ε from one run with many canaries.

use crate::statistics::{probability, survival};

/// How well an attacker guessed which canaries were in the data.
#[derive(Clone, Debug, PartialEq)]
pub struct Guesses {
    /// Score of each canary: the larger, the likelier it was in.
    pub scores: Vec<f64>,
    /// Which canaries were in, by coins that nothing else depends on.
    pub truth: Vec<bool>,
}

/// The bound and how it came about.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct OneRun {
    /// Canaries that were guessed about; of the others the attacker says nothing.
    pub guesses: u64,
    /// How many guesses were right.
    pub right: u64,
    /// ε is at least this, with the confidence that was asked for.
    pub epsilon_at_least: f64,
}

impl Guesses {
    /// Bounds ε at `delta` from below with confidence `1 - error`: guesses "in" about the canaries with
    /// the highest scores and "out" about those with the lowest.
    ///
    /// How many are guessed about is picked among a few numbers, each of which gets its part of the
    /// error.
    ///
    /// # References
    /// Steinke, Nasr & Jagielski (2023), *Privacy auditing with one (1) training run*, arXiv
    /// 2305.08846, theorem 5.2.
    #[must_use]
    pub fn lower_bound(&self, delta: f64, error: f64) -> OneRun {
        let mut order: Vec<usize> = (0..self.scores.len()).collect();
        order.sort_by(|&a, &b| self.scores[a].total_cmp(&self.scores[b]));
        let canaries = self.scores.len() as u64;
        let part = error / SHARES.len() as f64;
        SHARES
            .iter()
            .map(|share| {
                let each = ((canaries as f64 * share / 2.0) as usize).max(1);
                let out = order.iter().take(each).filter(|&&at| !self.truth[at]);
                let inside = order.iter().rev().take(each).filter(|&&at| self.truth[at]);
                let (guesses, right) = (2 * each as u64, (out.count() + inside.count()) as u64);
                OneRun {
                    guesses,
                    right,
                    epsilon_at_least: largest_refuted(canaries, guesses, right, delta, part),
                }
            })
            .max_by(|a, b| a.epsilon_at_least.total_cmp(&b.epsilon_at_least))
            .unwrap_or(OneRun {
                guesses: 0,
                right: 0,
                epsilon_at_least: 0.0,
            })
    }
}

/// Shares of the canaries that are guessed about.
const SHARES: [f64; 5] = [0.05, 0.1, 0.25, 0.5, 1.0];

/// The largest ε under which so many right guesses have probability at most `error`.
fn largest_refuted(canaries: u64, guesses: u64, right: u64, delta: f64, error: f64) -> f64 {
    let refuted = |epsilon: f64| chance(canaries, guesses, right, epsilon, delta) <= error;
    if !refuted(0.0) {
        return 0.0;
    }
    let (mut low, mut high) = (0.0, 30.0);
    for _ in 0..40 {
        let middle = 0.5 * (low + high);
        if refuted(middle) {
            low = middle;
        } else {
            high = middle;
        }
    }
    low
}

/// What the probability of at least `right` right guesses is at most, if the run is (ε, δ)-private:
/// β + α·m·δ of theorem 5.2.
fn chance(canaries: u64, guesses: u64, right: u64, epsilon: f64, delta: f64) -> f64 {
    let rate = 1.0 / (1.0 + (-epsilon).exp());
    let beta = survival(right, guesses, rate);
    // P[right > W ≥ right − i], which grows by one term with each i.
    let (mut term, mut within, mut alpha) = (probability(right, guesses, rate), 0.0, 0.0f64);
    for i in 1..=right {
        let count = (right - i + 1) as f64;
        term *= count / (guesses as f64 - count + 1.0) * (1.0 - rate) / rate;
        within += term;
        alpha = alpha.max(2.0 / i as f64 * within);
    }
    (beta + alpha * canaries as f64 * delta).min(1.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use dpsynth_privacy::PublicRng;

    /// Scores of a Gaussian mechanism with `noise` on every canary.
    fn gaussian(canaries: usize, noise: f64, seed: u64) -> Guesses {
        let mut rng = PublicRng::from_seed(seed);
        let truth: Vec<bool> = (0..canaries).map(|_| rng.uniform() < 0.5).collect();
        let scores = truth
            .iter()
            .map(|&there| f64::from(u8::from(there)) + noise * rng.normal())
            .collect();
        Guesses { scores, truth }
    }

    #[test]
    fn the_chance_is_the_binomial_one_where_delta_is_nothing() {
        // Ten of ten at ε = ln 3: three quarters each.
        let ten = chance(10, 10, 10, 3.0f64.ln(), 0.0);
        assert!((ten - 0.75f64.powi(10)).abs() < 1e-9);
        // A δ adds 2·m·δ·max P/i: here at i = 1, P = 10·(1/4)·(3/4)^9.
        let with_delta = chance(10, 10, 10, 3.0f64.ln(), 1e-3);
        let largest = (1..=10)
            .map(|i| {
                let upto = survival(10 - i, 10, 0.75) - 0.75f64.powi(10);
                2.0 / i as f64 * upto
            })
            .fold(0.0, f64::max);
        assert!((with_delta - ten - 10.0 * 1e-3 * largest).abs() < 1e-9);
    }

    #[test]
    fn bounds_are_below_the_truth_and_above_nothing() {
        // σ = 1.2 is ε = 3.6 at δ = 1e-5. At 95 % one of 20 seeds may fail; none of these does.
        for seed in 0..5 {
            let bound = gaussian(2000, 1.2, seed).lower_bound(1e-5, 0.05);
            assert!(
                bound.epsilon_at_least > 0.5 && bound.epsilon_at_least < 3.6,
                "{bound:?}"
            );
        }
        // Negative control: no noise at all.
        let none = gaussian(2000, 0.0, 1).lower_bound(1e-5, 0.05);
        assert!(none.epsilon_at_least > 5.0, "{none:?}");
        // And scores that say nothing.
        assert!(
            gaussian(2000, 1e9, 1)
                .lower_bound(1e-5, 1e-3)
                .epsilon_at_least
                < 0.05
        );
    }
}
