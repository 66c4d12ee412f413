//! What composed losses say of ε and δ, with all errors on the safe side.

use super::{Composed, Given, largest_weight, weight_norm};
use crate::accountant::pld::spectrum::ROUNDING;

/// Sums of the tilted masses from one loss upwards.
#[derive(Clone, Copy)]
struct Suffix {
    /// Σ mass·exp(-tilt·distance)
    above: f64,
    /// Σ mass·exp(-(tilt + 1)·distance)
    below: f64,
}

/// A bound on δ at an ε, the last, where the sums are those from a loss, the third, upwards.
type Bounding = fn(&Composed, Suffix, f64, f64) -> f64;

impl Composed {
    /// Returns an upper bound on ε at `delta`, or nothing where the window does not hold it.
    pub(in crate::accountant::pld) fn epsilon_above(&self, delta: f64) -> Option<f64> {
        let (_, high) = self.crossing(delta, Self::delta_above)?;
        Some(high.max(self.first) + self.loss_error)
    }

    /// Returns a lower bound on ε at `delta`; -∞ where none is known.
    pub(in crate::accountant::pld) fn epsilon_below(&self, delta: f64) -> f64 {
        self.crossing(delta, Self::delta_below)
            .map_or(f64::NEG_INFINITY, |(low, _)| low - self.loss_error)
    }

    /// Returns bounds below and above on δ at `epsilon`, as far as these losses tell.
    pub(in crate::accountant::pld) fn delta(&self, epsilon: f64) -> (f64, f64) {
        let (least, most) = (epsilon + self.loss_error, epsilon - self.loss_error);
        let suffixes = self.suffixes();
        let at = |epsilon: f64, bound: Bounding| {
            let places = ((epsilon - self.first) / self.step).floor() + 1.0;
            let mut index = (places.max(0.0) as usize).min(self.masses.len());
            // The first loss above `epsilon`, however the division rounded.
            while index > 0 && self.loss(index - 1) > epsilon {
                index -= 1;
            }
            while index < self.masses.len() && self.loss(index) <= epsilon {
                index += 1;
            }
            bound(self, suffixes[index], self.loss(index), epsilon)
        };
        (at(least, Self::delta_below), at(most, Self::delta_above))
    }

    /// Returns two neighbouring ε, such that a bound on δ is at least `delta` at the first and
    /// below it at the second: -∞ where it is below at the window's beginning, nothing where it is
    /// not below at the window's end.
    ///
    /// No more than that is promised, so a bound that does not fall everywhere does no harm.
    fn crossing(&self, delta: f64, bound: Bounding) -> Option<(f64, f64)> {
        let suffixes = self.suffixes();
        // The bound at a loss of the grid: what lies at that loss does not count.
        let at = |index: usize| {
            let next = (index + 1).min(self.masses.len());
            bound(self, suffixes[next], self.loss(next), self.loss(index))
        };
        let mut high = self.masses.len();
        // Written so that a bound that is not a number is refused.
        let resolved = at(high) < delta;
        if !resolved {
            return None;
        }
        // A lower bound on δ rises and falls again, where the error is larger than what is left.
        let mut low = high.saturating_sub(STRIDE);
        while at(low) < delta {
            if low == 0 {
                return Some((f64::NEG_INFINITY, self.loss(low)));
            }
            (low, high) = (low.saturating_sub(STRIDE), low);
        }
        while high - low > 1 {
            let middle = low + (high - low) / 2;
            if at(middle) < delta {
                high = middle;
            } else {
                low = middle;
            }
        }
        let (suffix, from) = (suffixes[high], self.loss(high));
        let (mut low, mut high) = (self.loss(low), from);
        for _ in 0..60 {
            let middle = low + (high - low) / 2.0;
            if bound(self, suffix, from, middle) < delta {
                high = middle;
            } else {
                low = middle;
            }
        }
        Some((low, high))
    }

    /// Returns the sums from each loss upwards, and last from beyond the window.
    fn suffixes(&self) -> Vec<Suffix> {
        let none = Suffix {
            above: 0.0,
            below: 0.0,
        };
        let fall = (-self.tilt * self.step).exp();
        let fall_below = (-(self.tilt + 1.0) * self.step).exp();
        let mut suffixes = vec![none; self.masses.len() + 1];
        for (index, mass) in self.masses.iter().enumerate().rev() {
            let next = suffixes[index + 1];
            suffixes[index] = Suffix {
                above: next.above * fall + mass,
                below: next.below * fall_below + mass,
            };
        }
        suffixes
    }

    fn loss(&self, index: usize) -> f64 {
        self.first + index as f64 * self.step
    }

    /// Returns what the masses from `from` on give at `epsilon`, at most one step below it, in
    /// units of exp(log_scale - tilt·epsilon), and a bound on what rounding changes of it.
    fn sum(&self, suffix: Suffix, from: f64, epsilon: f64) -> (f64, f64) {
        let distance = from - epsilon;
        let above = suffix.above * (-self.tilt * distance).exp();
        let below = suffix.below * (-(self.tilt + 1.0) * distance).exp();
        let terms = (self.masses.len() as f64).min(64.0 / (self.tilt * self.step)) + 16.0;
        let rounding = 4.0 * ROUNDING * terms * (above.abs() + below.abs());
        (
            above - below,
            rounding + self.error * weight_norm(self.tilt, self.step),
        )
    }

    /// Returns the largest value of exp(-λ·u)·(1 - exp(-u)) over u ≥ 0.
    fn largest_weight(&self) -> f64 {
        largest_weight(self.tilt)
    }

    fn delta_above(&self, suffix: Suffix, from: f64, epsilon: f64) -> f64 {
        let (sum, error) = self.sum(suffix, from, epsilon);
        let scale = (self.log_scale - self.tilt * epsilon).exp();
        let beyond = self.loss(self.masses.len());
        let missing = self.wrapped.1 * (self.log_scale - self.tilt * beyond).exp();
        let sum = scale * (sum + error) + missing + self.given(epsilon);
        sum * (1.0 + 2.0 * self.relative_error) + self.infinite
    }

    fn delta_below(&self, suffix: Suffix, from: f64, epsilon: f64) -> f64 {
        let (sum, error) = self.sum(suffix, from, epsilon);
        let scale = (self.log_scale - self.tilt * epsilon).exp();
        let wrapped = (self.wrapped.0 + self.wrapped.1) * self.largest_weight();
        let sum = scale * (sum - error - wrapped) - self.given(epsilon);
        sum * (1.0 - 2.0 * self.relative_error)
    }

    /// Bounds what the errors that the masses had already change of δ at `epsilon`.
    ///
    /// A power of masses of sum 1 with errors of sum s changes by at most (1 + s)^T - 1 in sum. By
    /// Young's and Cauchy and Schwarz's inequalities, what ψ makes of it is also at most T times
    /// the errors' norm times that of ψ times (1 + s)^T.
    fn given(&self, epsilon: f64) -> f64 {
        let scale = (self.given_scale - self.tilt * epsilon).exp();
        let Given {
            wrapped,
            rounded,
            root,
        } = self.given;
        let whole = (wrapped + rounded).exp();
        let rounding = (rounded.exp_m1() * self.largest_weight()).min(root * whole);
        scale * (wrapped.exp_m1() * self.largest_weight() * whole + rounding) * 1.01
    }
}

/// How many losses are passed over at first in the search for an ε.
const STRIDE: usize = 32;
