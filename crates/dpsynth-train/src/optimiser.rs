//! Adam on noisy gradients, and the average of the weights it passes through.

use serde::{Deserialize, Serialize};

use crate::error::TrainError;

/// Adam (Kingma & Ba 2015) with a learning-rate schedule and an average of the last weights.
///
/// Everything it reads is a released noisy gradient, so nothing here has a privacy price.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Optimiser {
    /// Largest learning rate, reached after the warm-up.
    pub learning_rate: f64,
    /// Share of the steps in which the rate rises linearly, in `[0, 1]`.
    pub warm_up: f64,
    /// Rate of the last step as a share of the largest, in `[0, 1]`; a half cosine leads there.
    pub final_rate: f64,
    /// Decay of the mean of gradients, in `[0, 1)`.
    pub first_decay: f64,
    /// Decay of the mean of squared gradients, in `[0, 1)`.
    pub second_decay: f64,
    /// Share of the steps, counted from the end, whose weights are averaged, in `(0, 1]`.
    pub averaged: f64,
    /// What becomes of the noise's own part in the mean of squared gradients.
    pub noise_variance: NoiseVariance,
}

/// What Adam does about the variance that the noise adds to squared gradients.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NoiseVariance {
    /// It stays: coordinates whose gradient is below the noise move slowly.
    Keep,
    /// It is subtracted, down to a floor of a tenth of it (Tang et al. 2024, "DP-AdamBC").
    Subtract,
}

impl Optimiser {
    /// Checks every field.
    pub(crate) fn check(&self) -> Result<(), TrainError> {
        let refuse = |field, expected| Err(TrainError::Plan { field, expected });
        if !(self.learning_rate > 0.0 && self.learning_rate <= 10.0) {
            return refuse("learning_rate", "use a number above 0 and at most 10");
        }
        for (field, share) in [("warm_up", self.warm_up), ("final_rate", self.final_rate)] {
            if !(0.0..=1.0).contains(&share) {
                return refuse(field, "use a number from 0 to 1");
            }
        }
        for (field, decay) in [
            ("first_decay", self.first_decay),
            ("second_decay", self.second_decay),
        ] {
            if !(0.0..1.0).contains(&decay) {
                return refuse(field, "use a number from 0 to below 1");
            }
        }
        if !(self.averaged > 0.0 && self.averaged <= 1.0) {
            return refuse("averaged", "use a number above 0 and at most 1");
        }
        Ok(())
    }

    /// Learning rate of step `step` (from 0) of `steps`.
    fn rate(&self, step: u32, steps: u32) -> f64 {
        let (step, steps) = (f64::from(step), f64::from(steps));
        let rising = self.warm_up * steps;
        if step + 1.0 < rising {
            return self.learning_rate * (step + 1.0) / rising;
        }
        let progress = (step - rising).max(0.0) / (steps - rising).max(1.0);
        let cosine = 0.5 * (1.0 + (std::f64::consts::PI * progress).cos());
        self.learning_rate * (self.final_rate + (1.0 - self.final_rate) * cosine)
    }
}

/// The state of a training run: weights, moments and the average.
#[derive(Debug)]
pub struct Training {
    optimiser: Optimiser,
    steps: u32,
    taken: u32,
    gradient_scale: f32,
    noise_variance: f32,
    weights: Vec<f32>,
    first: Vec<f32>,
    second: Vec<f32>,
    total: Vec<f64>,
    totalled: u32,
}

impl Training {
    /// Starts from `weights`, for `steps` noisy sums that are each divided by `expected_batch`.
    ///
    /// `noise_stddev` is that of the noise in a sum.
    #[must_use]
    pub fn start(
        optimiser: Optimiser,
        steps: u32,
        expected_batch: f64,
        noise_stddev: f64,
        weights: Vec<f32>,
    ) -> Self {
        let deviation = noise_stddev / expected_batch;
        Self {
            optimiser,
            steps,
            taken: 0,
            gradient_scale: expected_batch.recip() as f32,
            noise_variance: (deviation * deviation) as f32,
            first: vec![0.0; weights.len()],
            second: vec![0.0; weights.len()],
            total: vec![0.0; weights.len()],
            totalled: 0,
            weights,
        }
    }

    /// The weights at which the next gradient is taken.
    #[must_use]
    pub fn weights(&self) -> &[f32] {
        &self.weights
    }

    /// Takes one step along a noisy sum of gradients.
    pub fn update(&mut self, noisy_sum: &[f32]) {
        let Optimiser {
            first_decay,
            second_decay,
            ..
        } = self.optimiser;
        let correction = |decay: f64| 1.0 - decay.powf(f64::from(self.taken) + 1.0);
        let rate = (self.optimiser.rate(self.taken, self.steps) / correction(first_decay)) as f32;
        let second_scale = correction(second_decay).recip() as f32;
        let (first_decay, second_decay) = (first_decay as f32, second_decay as f32);
        let (subtracted, floor) = match self.optimiser.noise_variance {
            NoiseVariance::Keep => (0.0, 0.0),
            NoiseVariance::Subtract => (self.noise_variance, 0.1 * self.noise_variance),
        };
        for (((weight, first), second), &sum) in self
            .weights
            .iter_mut()
            .zip(&mut self.first)
            .zip(&mut self.second)
            .zip(noisy_sum)
        {
            let gradient = sum * self.gradient_scale;
            *first = first_decay * *first + (1.0 - first_decay) * gradient;
            *second = second_decay * *second + (1.0 - second_decay) * gradient * gradient;
            let variance = (*second * second_scale - subtracted).max(floor);
            *weight -= rate * *first / (variance.sqrt() + STABILISER);
        }
        self.taken += 1;
        if f64::from(self.steps - self.taken) < self.optimiser.averaged * f64::from(self.steps) {
            self.totalled += 1;
            for (total, &weight) in self.total.iter_mut().zip(&self.weights) {
                *total += f64::from(weight);
            }
        }
    }

    /// The average of the last weights.
    ///
    /// # Errors
    /// [`TrainError::Diverged`] if a weight is not finite.
    pub fn averaged_weights(self) -> Result<Vec<f32>, TrainError> {
        let average: Vec<f32> = if self.totalled == 0 {
            self.weights
        } else {
            let scale = f64::from(self.totalled).recip();
            self.total
                .iter()
                .map(|total| (total * scale) as f32)
                .collect()
        };
        if average.iter().all(|weight| weight.is_finite()) {
            Ok(average)
        } else {
            Err(TrainError::Diverged)
        }
    }
}

/// Keeps the division finite where a gradient has always been zero.
const STABILISER: f32 = 1e-8;

#[cfg(test)]
mod tests {
    use super::*;

    fn plain() -> Optimiser {
        Optimiser {
            learning_rate: 0.1,
            warm_up: 0.1,
            final_rate: 0.01,
            first_decay: 0.9,
            second_decay: 0.99,
            averaged: 0.25,
            noise_variance: NoiseVariance::Keep,
        }
    }

    #[test]
    fn the_rate_rises_then_falls() {
        let rates: Vec<f64> = (0..100).map(|step| plain().rate(step, 100)).collect();
        assert!((rates[0] - 0.01).abs() < 1e-12);
        assert!(rates[..10].is_sorted());
        assert!(rates[10..].is_sorted_by(|a, b| a >= b));
        assert!(rates[99] < 0.002);
        assert!(rates.iter().all(|&rate| rate > 0.0 && rate <= 0.1));
    }

    #[test]
    fn a_quadratic_is_minimised() {
        for noise_variance in [NoiseVariance::Keep, NoiseVariance::Subtract] {
            let optimiser = Optimiser {
                noise_variance,
                ..plain()
            };
            let mut training = Training::start(optimiser, 400, 8.0, 0.0, vec![3.0, -2.0]);
            for _ in 0..400 {
                let sum: Vec<f32> = training
                    .weights()
                    .iter()
                    .zip([1.0, 0.5])
                    .map(|(weight, target)| 8.0 * (weight - target))
                    .collect();
                training.update(&sum);
            }
            let weights = training.averaged_weights().unwrap();
            assert!((weights[0] - 1.0).abs() < 1e-2 && (weights[1] - 0.5).abs() < 1e-2);
        }
    }

    #[test]
    fn the_average_is_over_the_last_steps() {
        let optimiser = Optimiser {
            averaged: 0.5,
            ..plain()
        };
        let mut training = Training::start(optimiser, 4, 1.0, 0.0, vec![0.0]);
        let mut seen = Vec::new();
        for _ in 0..4 {
            training.update(&[1.0]);
            seen.push(training.weights()[0]);
        }
        let average = training.averaged_weights().unwrap()[0];
        assert!((average - 0.5 * (seen[2] + seen[3])).abs() < 1e-7);
    }

    #[test]
    fn divergence_is_an_error() {
        let mut training = Training::start(plain(), 1, 1.0, 0.0, vec![0.0]);
        training.update(&[f32::NAN]);
        assert!(matches!(
            training.averaged_weights(),
            Err(TrainError::Diverged)
        ));
    }

    #[test]
    fn fields_out_of_range_are_named() {
        for (name, bad) in [
            (
                "learning_rate",
                Optimiser {
                    learning_rate: f64::NAN,
                    ..plain()
                },
            ),
            (
                "warm_up",
                Optimiser {
                    warm_up: 1.5,
                    ..plain()
                },
            ),
            (
                "final_rate",
                Optimiser {
                    final_rate: -0.1,
                    ..plain()
                },
            ),
            (
                "first_decay",
                Optimiser {
                    first_decay: 1.0,
                    ..plain()
                },
            ),
            (
                "second_decay",
                Optimiser {
                    second_decay: f64::INFINITY,
                    ..plain()
                },
            ),
            (
                "averaged",
                Optimiser {
                    averaged: 0.0,
                    ..plain()
                },
            ),
        ] {
            match bad.check() {
                Err(TrainError::Plan { field, .. }) => assert_eq!(field, name),
                other => panic!("{name}: {other:?}"),
            }
        }
        assert!(plain().check().is_ok());
    }
}
