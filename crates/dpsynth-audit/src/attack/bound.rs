//! From scores of two worlds to a lower bound on ε.

use crate::attack::pair::Pair;
use crate::statistics::{clopper_pearson_lower, clopper_pearson_upper, quantile};

/// What a mechanism says of itself.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Claim {
    /// The ε that it is charged at `delta`.
    pub epsilon: f64,
    /// The δ.
    pub delta: f64,
    /// Its worst pair, where it has a closed form.
    pub pair: Option<Pair>,
}

/// Scores of independent runs on the data without the unit and with it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Scores {
    /// Without the unit.
    pub without: Vec<f64>,
    /// With the unit.
    pub with: Vec<f64>,
}

/// Lower bounds on ε, each of which holds with the confidence that was asked for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LowerBound {
    /// Whatever the mechanism is: from ln((power − δ) / level) (Kairouz, Oh & Viswanath 2015).
    pub any: f64,
    /// If its noise is Gaussian of some scale: from the claimed pair with less noise.
    pub gaussian: Option<f64>,
    /// The most noise that explains the scores, as a factor of the claimed noise.
    pub most_noise: Option<f64>,
}

impl Scores {
    /// Bounds ε from below, with confidence `1 - error` for each of the bounds.
    ///
    /// Thresholds are picked on the first half of the runs and judged on the second, so picking costs
    /// no confidence.
    #[must_use]
    pub fn lower_bound(&self, claim: &Claim, error: f64) -> LowerBound {
        let (first, second) = self.halves();
        let any = [Direction::Adding, Direction::Removing]
            .into_iter()
            .filter_map(|direction| {
                // Two directions, and two proportions in each.
                let worth = |seen: &Rates| seen.epsilon(direction, claim.delta);
                let cut = best_cut(&first, error / 4.0, worth)?;
                Some(
                    second
                        .exact_rates(cut, error / 4.0)
                        .epsilon(direction, claim.delta),
                )
            })
            .fold(0.0, f64::max);
        let most_noise = claim.pair.map(|pair| {
            let worth = |seen: &Rates| -pair.most_noise(seen.level_high, 1.0 - seen.power_low);
            best_cut(&first, error / 2.0, worth).map_or(f64::INFINITY, |cut| {
                let seen = second.exact_rates(cut, error / 2.0);
                pair.most_noise(seen.level_high, 1.0 - seen.power_low)
            })
        });
        let gaussian = most_noise
            .zip(claim.pair)
            .map(|(factor, pair)| match factor {
                0.0 => f64::INFINITY,
                f64::INFINITY => 0.0,
                factor => pair.with_noise_times(factor).epsilon(claim.delta),
            });
        LowerBound {
            any,
            gaussian,
            most_noise,
        }
    }

    fn halves(&self) -> (Sorted, Sorted) {
        let split = |scores: &[f64]| {
            let (a, b) = scores.split_at(scores.len() / 2);
            (sorted(a), sorted(b))
        };
        let (without_first, without_second) = split(&self.without);
        let (with_first, with_second) = split(&self.with);
        (
            Sorted {
                without: without_first,
                with: with_first,
            },
            Sorted {
                without: without_second,
                with: with_second,
            },
        )
    }
}

/// Which of the two worlds the attack calls likely.
#[derive(Clone, Copy)]
enum Direction {
    Adding,
    Removing,
}

/// Scores in ascending order.
struct Sorted {
    without: Vec<f64>,
    with: Vec<f64>,
}

/// A test: it says that the unit is there where the score is on one side of a value.
#[derive(Clone, Copy, Debug)]
struct Cut {
    at: f64,
    side: Side,
}

#[derive(Clone, Copy, Debug)]
enum Side {
    Above,
    NotAbove,
}

/// Bounds on the chances of a test.
struct Rates {
    /// No less than the chance to say wrongly that the unit is there.
    level_high: f64,
    /// No more than the chance to say so rightly.
    power_low: f64,
}

impl Rates {
    fn epsilon(&self, direction: Direction, delta: f64) -> f64 {
        let (likely, unlikely) = match direction {
            Direction::Adding => (self.power_low, self.level_high),
            Direction::Removing => (1.0 - self.level_high, 1.0 - self.power_low),
        };
        let ratio = (likely - delta) / unlikely;
        // Written so that what is not a number counts as nothing.
        if ratio > 1.0 { ratio.ln() } else { 0.0 }
    }
}

impl Sorted {
    fn counts(&self, cut: Cut) -> (u64, u64) {
        let beyond = |scores: &[f64]| {
            let upto = scores.partition_point(|&score| score <= cut.at);
            match cut.side {
                Side::Above => (scores.len() - upto) as u64,
                Side::NotAbove => upto as u64,
            }
        };
        (beyond(&self.without), beyond(&self.with))
    }

    fn exact_rates(&self, cut: Cut, error: f64) -> Rates {
        let (wrong, right) = self.counts(cut);
        let (n, m) = (self.without.len() as u64, self.with.len() as u64);
        Rates {
            level_high: clopper_pearson_upper(wrong, n, error),
            power_low: clopper_pearson_lower(right, m, error),
        }
    }

    /// The same by Wilson's formula: good enough to pick a threshold.
    fn quick_rates(&self, cut: Cut, z: f64) -> Rates {
        let (wrong, right) = self.counts(cut);
        let middle_and_half = |seen: u64, of: usize| {
            let (seen, n) = (seen as f64, of as f64);
            let (p, room) = (seen / n, 1.0 + z * z / n);
            let half = z * (p * (1.0 - p) / n + z * z / (4.0 * n * n)).sqrt();
            ((p + z * z / (2.0 * n)) / room, half / room)
        };
        let (level, level_half) = middle_and_half(wrong, self.without.len());
        let (power, power_half) = middle_and_half(right, self.with.len());
        Rates {
            level_high: (level + level_half).min(1.0),
            power_low: (power - power_half).max(0.0),
        }
    }
}

/// The cut that is worth most on these scores.
fn best_cut(scores: &Sorted, error: f64, worth: impl Fn(&Rates) -> f64) -> Option<Cut> {
    if scores.without.is_empty() || scores.with.is_empty() {
        return None;
    }
    // Strict, so that a cut far out that was lucky is not picked for its luck.
    let z = (-quantile(error)).max(STRICT);
    let places = [&scores.without, &scores.with]
        .into_iter()
        .flat_map(|side| {
            let n = side.len();
            // Evenly over the ranks, and finer towards both ends, where ratios are largest.
            let even = (0..CUTS).map(move |i| i * (n - 1) / (CUTS - 1));
            let ends = (0..n.ilog2()).flat_map(move |i| [(1 << i) - 1, n - (1 << i)]);
            even.chain(ends).map(move |rank| side[rank])
        });
    places
        .flat_map(|at| [Side::Above, Side::NotAbove].map(|side| Cut { at, side }))
        .map(|cut| (worth(&scores.quick_rates(cut, z)), cut))
        .max_by(|(a, _), (b, _)| a.total_cmp(b))
        .map(|(_, cut)| cut)
}

fn sorted(scores: &[f64]) -> Vec<f64> {
    // An output that is not a number is an event like any other.
    let number = |&score: &f64| if score.is_nan() { f64::INFINITY } else { score };
    let mut sorted: Vec<f64> = scores.iter().map(number).collect();
    sorted.sort_unstable_by(f64::total_cmp);
    sorted
}

/// Standard errors by which a cut's rates count as worse while it is picked.
const STRICT: f64 = 4.0;

/// Thresholds that are tried, evenly over the ranks of either world.
const CUTS: usize = 65;

#[cfg(test)]
mod tests {
    use super::*;
    use dpsynth_privacy::PublicRng;

    fn gaussian_scores(pair: Pair, runs: usize, seed: u64) -> Scores {
        let mut rng = PublicRng::from_seed(seed);
        let mut world = |shift: f64| -> Vec<f64> {
            (0..runs)
                .map(|_| {
                    let taken = rng.uniform() < pair.sampling_rate;
                    pair.noise_multiplier * rng.normal() + if taken { shift } else { 0.0 }
                })
                .collect()
        };
        Scores {
            without: world(0.0),
            with: world(1.0),
        }
    }

    fn claim(pair: Pair) -> Claim {
        Claim {
            epsilon: pair.epsilon(1e-5),
            delta: 1e-5,
            pair: Some(pair),
        }
    }

    #[test]
    fn bounds_lie_below_the_truth_and_near_it() {
        for (rate, noise) in [(1.0, 3.73), (1.0, 1.2), (0.3, 1.0)] {
            let pair = Pair {
                sampling_rate: rate,
                noise_multiplier: noise,
            };
            let claim = claim(pair);
            let bound = gaussian_scores(pair, 40_000, 5).lower_bound(&claim, 0.05);
            let gaussian = bound.gaussian.unwrap();
            assert!(
                gaussian > 0.6 * claim.epsilon && gaussian < claim.epsilon,
                "{bound:?} {claim:?}"
            );
            assert!(bound.any > 0.1 * claim.epsilon && bound.any < claim.epsilon);
        }
    }

    #[test]
    fn less_noise_than_claimed_is_seen_and_the_right_noise_is_not() {
        // The stated chance of a false alarm is 10^-6 for each of the 40 runs.
        let pair = Pair::gaussian(2.0);
        let claim = claim(pair);
        for seed in 0..40 {
            let right = gaussian_scores(pair, 4000, seed).lower_bound(&claim, 1e-6);
            assert!(right.most_noise.unwrap() > 1.0);
            assert!(right.any < claim.epsilon);
        }
        let half = gaussian_scores(pair.with_noise_times(0.5), 4000, 1);
        assert!(half.lower_bound(&claim, 1e-6).most_noise.unwrap() < 1.0);
    }

    #[test]
    fn the_confidence_is_what_it_says() {
        // At 50 % the bound on the noise misses the truth in half of the runs at most; in 200 runs
        // more than 130 misses have probability below 1e-4. A bound that ignored chance would miss in
        // almost all of them, because it picks the best of many thresholds.
        let pair = Pair::gaussian(2.0);
        let claim = claim(pair);
        let misses = (0..200)
            .filter(|&seed| {
                let bound = gaussian_scores(pair, 1000, 900 + seed).lower_bound(&claim, 0.5);
                bound.most_noise.unwrap() < 1.0
            })
            .count();
        assert!(misses <= 130, "{misses}");
        assert!(misses > 5, "the bound is not loose beyond use: {misses}");
    }

    #[test]
    fn an_output_that_occurs_in_one_world_only_is_found() {
        let claim = Claim {
            epsilon: 1.0,
            delta: 0.0,
            pair: None,
        };
        let scores = Scores {
            without: vec![0.0; 1000],
            with: (0..1000)
                .map(|run| if run % 2 == 0 { f64::NAN } else { 0.0 })
                .collect(),
        };
        assert!(scores.lower_bound(&claim, 1e-6).any > 2.0);
        let same = Scores {
            with: vec![0.0; 1000],
            ..scores
        };
        assert_eq!(same.lower_bound(&claim, 1e-6).any, 0.0);
    }
}
