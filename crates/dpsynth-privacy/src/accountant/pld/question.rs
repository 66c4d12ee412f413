//! What is asked of a plan, and how near the answer has to be.

use super::Interval;
use super::compose::Composed;

/// What is asked of a plan.
#[derive(Clone, Copy)]
pub(super) enum Question {
    /// ε at this δ.
    EpsilonAt(f64),
    /// δ at this ε.
    DeltaAt(f64),
}

impl Question {
    pub(super) fn between(self, better: &Composed, worse: &Composed) -> Option<Interval> {
        let upper = self.above(worse)?;
        let lower = match self {
            Self::EpsilonAt(delta) => better.epsilon_below(delta),
            Self::DeltaAt(epsilon) => better.delta(epsilon).0,
        };
        let sane = upper.is_finite() && !lower.is_nan();
        sane.then(|| Interval {
            lower: lower.max(0.0),
            upper: upper.max(0.0),
        })
    }

    pub(super) fn above(self, worse: &Composed) -> Option<f64> {
        match self {
            Self::EpsilonAt(delta) => worse.epsilon_above(delta),
            Self::DeltaAt(epsilon) => Some(worse.delta(epsilon).1.min(1.0)),
        }
    }

    /// Returns how far apart the bounds may be.
    pub(super) fn allowed(self, found: Interval) -> f64 {
        match self {
            Self::EpsilonAt(_) => (found.upper * NEAR).max(NEAR_NOTHING),
            // A relative change of δ by λ·x is one of ε by x.
            Self::DeltaAt(_) => (found.upper * NEAR * 10.0).max(1e-300),
        }
    }

    pub(super) fn usable(self, found: Interval) -> bool {
        let gap = found.upper - found.lower;
        gap <= 1000.0 * self.allowed(found)
    }
}

/// How near the bounds on ε have to be, relative to ε.
pub(super) const NEAR: f64 = 9.8e-5;

/// How near they have to be where ε is next to nothing.
const NEAR_NOTHING: f64 = 1e-9;
