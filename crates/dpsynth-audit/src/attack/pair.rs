//! The worst pair of outputs that a mechanism claims to have: what any attack on it can reach.

use crate::statistics::{cdf, quantile};

/// Two distributions: N(0, s²) for the data without the unit, and (1 − q)·N(0, s²) + q·N(1, s²) for
/// the data with it. With q = 1 it is the pair of the Gaussian mechanism.
///
/// Neighbours of a mechanism that claims this pair are told apart by no test better than these two
/// are (Dong, Roth & Su 2022, *Gaussian differential privacy*, definition 2.3; Zhu, Dong & Wang 2022,
/// *Optimal accounting of differential privacy via characteristic function*, theorem 10). The formulas
/// here are closed and share nothing with the accountants.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Pair {
    /// Sampling rate q, above 0 and at most 1.
    pub sampling_rate: f64,
    /// Standard deviation s of the noise over the sensitivity.
    pub noise_multiplier: f64,
}

impl Pair {
    /// The pair of the Gaussian mechanism.
    #[must_use]
    pub fn gaussian(noise_multiplier: f64) -> Self {
        Self {
            sampling_rate: 1.0,
            noise_multiplier,
        }
    }

    /// The same with `factor` times the noise.
    #[must_use]
    pub fn with_noise_times(self, factor: f64) -> Self {
        Self {
            noise_multiplier: self.noise_multiplier * factor,
            ..self
        }
    }

    /// The largest chance to say rightly that the unit is there, for a test that says it wrongly with
    /// chance `level`: Neyman & Pearson, because the likelihood ratio rises with the output.
    #[must_use]
    pub fn power(self, level: f64) -> f64 {
        self.power_at(level, quantile(level))
    }

    /// As [`power`](Self::power), where the quantile of `level` is known.
    fn power_at(self, level: f64, quantile: f64) -> f64 {
        let (q, s) = (self.sampling_rate, self.noise_multiplier);
        (1.0 - q) * level + q * cdf(1.0 / s + quantile)
    }

    /// The smallest δ at `epsilon`, in both directions.
    #[must_use]
    pub fn delta(self, epsilon: f64) -> f64 {
        let (q, s) = (self.sampling_rate, self.noise_multiplier);
        // Where the likelihood ratio is `ratio`; it never falls to 1 − q.
        let place = |ratio: f64| {
            let odds = (ratio - 1.0 + q) / q;
            (odds > 0.0).then(|| s * s * odds.ln() + 0.5)
        };
        let there = |x: f64| (1.0 - q) * cdf(x / s) + q * cdf((x - 1.0) / s);
        let adding = place(epsilon.exp()).map_or(0.0, |x| {
            let above = (1.0 - q) * cdf(-x / s) + q * cdf((1.0 - x) / s);
            above - epsilon.exp() * cdf(-x / s)
        });
        let removing =
            place((-epsilon).exp()).map_or(0.0, |x| cdf(x / s) - epsilon.exp() * there(x));
        adding.max(removing).clamp(0.0, 1.0)
    }

    /// The smallest ε at `delta`, to nine digits; infinite where none below 200 will do.
    #[must_use]
    pub fn epsilon(self, delta: f64) -> f64 {
        let (mut low, mut high) = (0.0, 200.0);
        if self.delta(high) > delta {
            return f64::INFINITY;
        }
        if self.delta(low) <= delta {
            return 0.0;
        }
        for _ in 0..60 {
            let middle = 0.5 * (low + high);
            if self.delta(middle) <= delta {
                high = middle;
            } else {
                low = middle;
            }
        }
        low
    }

    /// The most noise, as a factor of this pair's, under which a test can have false positives at most
    /// `level` and false negatives at most `missed`.
    ///
    /// Infinite where a test needs no data for that, and 0 where no noise explains it.
    #[must_use]
    pub fn most_noise(self, level: f64, missed: f64) -> f64 {
        let quantile = quantile(level);
        let explained = |log_factor: f64| {
            let noisier = self.with_noise_times(log_factor.exp());
            noisier.power_at(level, quantile) >= 1.0 - missed
        };
        if 1.0 - missed <= level {
            return f64::INFINITY;
        }
        let (mut low, mut high) = (-12.0, 12.0);
        if !explained(low) {
            return 0.0;
        }
        for _ in 0..50 {
            let middle = 0.5 * (low + high);
            if explained(middle) {
                low = middle;
            } else {
                high = middle;
            }
        }
        // Up: the bound is on how much noise there can be.
        high.exp()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_gaussian_has_its_textbook_profile() {
        // Balle & Wang 2018, theorem 8.
        for (s, epsilon) in [(1.0f64, 1.0f64), (4.0, 0.5), (0.5, 6.0)] {
            let a = 1.0 / (2.0 * s) - epsilon * s;
            let b = -1.0 / (2.0 * s) - epsilon * s;
            let delta = cdf(a) - epsilon.exp() * cdf(b);
            let ours = Pair::gaussian(s).delta(epsilon);
            assert!(
                (ours - delta).abs() < 1e-12,
                "{s} {epsilon}: {ours} {delta}"
            );
            assert!((Pair::gaussian(s).epsilon(delta) - epsilon).abs() < 1e-6);
        }
        // `dp-accounting`: sigma 1, delta 1e-5.
        assert!((Pair::gaussian(1.0).epsilon(1e-5) - 4.377_178).abs() < 1e-6);
    }

    #[test]
    fn sampling_amplifies_and_its_power_is_between_chance_and_all() {
        let pair = Pair {
            sampling_rate: 0.01,
            noise_multiplier: 1.0,
        };
        // Reference value of one step: sigma 1, rate 0.01, delta 1e-6.
        assert!((pair.epsilon(1e-6) - 0.363_948).abs() < 1e-5);
        for level in [0.001, 0.1, 0.5, 0.9] {
            assert!(
                pair.power(level) > level && pair.power(level) < Pair::gaussian(1.0).power(level)
            );
        }
    }

    #[test]
    fn what_a_test_reaches_says_how_much_noise_there_is() {
        for rate in [0.2, 1.0] {
            let pair = Pair {
                sampling_rate: rate,
                noise_multiplier: 2.0,
            };
            for level in [0.01, 0.3] {
                let missed = 1.0 - pair.with_noise_times(0.7).power(level);
                assert!((pair.most_noise(level, missed) - 0.7).abs() < 1e-6);
            }
        }
        assert_eq!(Pair::gaussian(1.0).most_noise(0.5, 0.5), f64::INFINITY);
        let sampled = Pair {
            sampling_rate: 0.1,
            noise_multiplier: 2.0,
        };
        assert_eq!(sampled.most_noise(0.01, 0.5), 0.0);
    }
}
