//! Rényi differential privacy: one curve for a whole event, and what it says about (ε, δ).
//!
//! The curve holds upper bounds on the *log-moment* `(α - 1)·D_α` at a fixed grid of orders α,
//! D_α being the Rényi divergence between the outputs on neighbouring data sets. Log-moments
//! of composed mechanisms add, also when each is chosen after seeing the results before it:
//! Mironov (2017), arXiv 1702.07476, proposition 1.

use super::AccountingError;
use super::charges::{Base, Charges, Use};
use super::subsampled::LogMoments;
use crate::rounding::{add_up, mul_up};
use crate::unit::Adjacency;

/// Upper bounds on the log-moments of an event.
pub(super) struct Curve {
    /// Pairs of order and log-moment, orders ascending; empty for an event that does nothing.
    points: Vec<(f64, f64)>,
    /// The chance that some mechanism gives everything away.
    lost: f64,
}

impl Curve {
    /// Returns the sum of the curves of all `charges`.
    pub(super) fn new(charges: &Charges, adjacency: Adjacency) -> Result<Self, AccountingError> {
        let orders = orders();
        let mut points: Vec<(f64, f64)> = orders.iter().map(|&order| (order, 0.0)).collect();
        let mut lost = 0.0;
        for (used, uses) in charges.iter() {
            let mechanism = PricedMechanism::new(used, adjacency, &orders);
            lost = add_up(lost, mul_up(mechanism.lost(), uses));
            for (order, total) in &mut points {
                let log_moment = mechanism.log_moment(*order);
                // A mechanism with a moment of 0 would be free.
                let priced = log_moment > 0.0 && log_moment.is_finite();
                if !priced {
                    return Err(AccountingError::NotFinite);
                }
                *total = add_up(*total, mul_up(log_moment, uses));
            }
        }
        if charges.is_empty() {
            points.clear();
        }
        Ok(Self { points, lost })
    }

    /// Returns the orders with the bounds on the log-moments.
    #[cfg(test)]
    pub(super) fn points(&self) -> &[(f64, f64)] {
        &self.points
    }

    /// Returns an upper bound on ε at `delta`.
    ///
    /// # References
    ///
    /// Canonne, Kamath & Steinke (2020), arXiv 2004.00010, proposition 12, solved for ε. Where
    /// that is negative, the same proposition gives the δ asked for at ε = 0 as well.
    pub(super) fn epsilon(&self, delta: f64) -> Result<f64, AccountingError> {
        if self.points.is_empty() {
            return Ok(0.0);
        }
        // What is lost altogether is lost in addition: the rest is as private as its curve.
        let rest = delta - self.lost;
        let holds = rest > 0.0;
        if !holds {
            return Err(AccountingError::DeltaTooSmall {
                delta,
                spent: self.lost,
            });
        }
        // Down: the difference is rounded once.
        let delta = if self.lost > 0.0 {
            rest.next_down()
        } else {
            rest
        };
        let bounds = self.points.iter().map(|&(order, log_moment)| {
            let (log_delta, log_order) = (delta.ln(), order.ln());
            let log_ratio = (-1.0 / order).ln_1p();
            let epsilon = (log_moment - log_delta - log_order) / (order - 1.0) + log_ratio;
            let magnitude =
                (log_moment + log_delta.abs() + log_order) / (order - 1.0) + log_ratio.abs();
            // Up: by more than the arithmetic can have lost.
            epsilon + CONVERSION_MARGIN * magnitude
        });
        // Up: an event that does something never costs exactly nothing.
        Ok(smallest(bounds)?.max(f64::MIN_POSITIVE))
    }

    /// Returns an upper bound on δ at `epsilon`.
    ///
    /// # References
    ///
    /// Canonne, Kamath & Steinke (2020), arXiv 2004.00010, proposition 12.
    pub(super) fn delta(&self, epsilon: f64) -> Result<f64, AccountingError> {
        if self.points.is_empty() {
            return Ok(0.0);
        }
        let bounds = self.points.iter().map(|&(order, log_moment)| {
            let spent = (order - 1.0) * epsilon;
            let factor = (order - 1.0) * (-1.0 / order).ln_1p() - order.ln();
            let magnitude = log_moment + spent + factor.abs() + 1.0;
            // Up: by more than the arithmetic can have lost.
            log_moment - spent + factor + CONVERSION_MARGIN * magnitude
        });
        let delta = add_up(
            smallest(bounds)?.exp() * (1.0 + CONVERSION_MARGIN),
            self.lost,
        );
        // Up: an event that does something never costs exactly nothing.
        Ok(delta.clamp(f64::MIN_POSITIVE, 1.0))
    }
}

/// One mechanism's log-moments under one adjacency.
enum PricedMechanism {
    /// The sampled Gaussian, which has bounds of its own.
    SampledGaussian {
        moments: LogMoments,
        adjacency: Adjacency,
    },
    /// Any other, by its log-moments without sampling.
    Other { used: Use, sensitivity: f64 },
}

impl PricedMechanism {
    fn new(used: &Use, adjacency: Adjacency, orders: &[f64]) -> Self {
        // Replacing a unit is removing one and adding another: twice the sensitivity.
        let sensitivity = match adjacency {
            Adjacency::AddOrRemoveOne => 1.0,
            Adjacency::ReplaceOne => 2.0,
        };
        match used {
            Use {
                base: Base::Gaussian { noise_multiplier },
                rate,
            } if *rate < 1.0 => {
                let moments = LogMoments::new(*rate, *noise_multiplier, orders);
                Self::SampledGaussian { moments, adjacency }
            }
            _ => Self::Other {
                used: used.clone(),
                sensitivity,
            },
        }
    }

    fn log_moment(&self, order: f64) -> f64 {
        match self {
            Self::SampledGaussian { moments, adjacency } => match adjacency {
                Adjacency::AddOrRemoveOne => moments.add_or_remove_one(order),
                Adjacency::ReplaceOne => moments.replace_one(order),
            },
            Self::Other { used, sensitivity } => {
                let whole = used.base.log_moment(order, *sensitivity);
                if used.rate == 1.0 {
                    return whole;
                }
                // The moment of a pair of mixtures is at most the mixture of the moments, because
                // (x, y) ↦ x^α·y^(1 - α) is jointly convex.
                let gain = used.rate * whole.exp_m1();
                let mixed = if gain < 1e300 { gain.ln_1p() } else { whole };
                mixed * (1.0 + CONVERSION_MARGIN) + f64::MIN_POSITIVE
            }
        }
    }

    /// Returns the chance that the mechanism gives the unit away.
    fn lost(&self) -> f64 {
        match self {
            Self::Other {
                used:
                    Use {
                        base: Base::EpsilonDelta { epsilon, delta },
                        ..
                    },
                sensitivity,
            } => {
                // Twice the distance: (2ε, (1 + exp ε)·δ) by group privacy.
                let steps = if *sensitivity > 1.0 {
                    1.0 + epsilon.exp()
                } else {
                    1.0
                };
                mul_up(steps * (1.0 + CONVERSION_MARGIN), *delta)
            }
            _ => 0.0,
        }
    }
}

impl Base {
    /// Returns an upper bound on the log-moment at `order`, without sampling.
    fn log_moment(&self, order: f64, sensitivity: f64) -> f64 {
        // Up: by more than the rounding of a few operations.
        let up = 1.0 + CONVERSION_MARGIN;
        let gaussian = |inverse_multiplier: f64| {
            (order - 1.0) * order * inverse_multiplier * inverse_multiplier / 2.0 * up
        };
        match self {
            // Mironov (2017), arXiv 1702.07476, proposition 7; the same bounds the discrete
            // Gaussian: Canonne, Kamath & Steinke (2020), arXiv 2004.00010, proposition 5.
            Self::Gaussian { noise_multiplier } | Self::DiscreteGaussian { noise_multiplier } => {
                gaussian(sensitivity / noise_multiplier)
            }
            // Mironov (2017), proposition 6.
            Self::Laplace { noise_multiplier } => {
                let reach = sensitivity / noise_multiplier;
                let (rising, falling) = ((order - 1.0) * reach, -order * reach);
                // α·(exp(rising) - 1) + (α - 1)·(exp(falling) - 1), which is 0 at reach = 0.
                let excess = if rising < 600.0 {
                    let sum = order * rising.exp_m1() + (order - 1.0) * falling.exp_m1();
                    (sum / (2.0 * order - 1.0)).ln_1p()
                } else {
                    rising + (order / (2.0 * order - 1.0)).ln()
                };
                // Up: near 0 the two terms cancel to second order.
                (excess + 4.0 * f64::EPSILON * order * reach) * up + f64::MIN_POSITIVE
            }
            // Randomised response, the worst of its ε: Kairouz, Oh & Viswanath (2015), theorem 3.
            Self::EpsilonDelta { epsilon, .. } => {
                let epsilon = sensitivity * epsilon;
                let answer = (-epsilon).exp().ln_1p();
                let (truth, lie) = (-answer, -epsilon - answer);
                let first = order * truth + (1.0 - order) * lie;
                let second = order * lie + (1.0 - order) * truth;
                let sum = first + (second - first).exp().ln_1p();
                // Up: the terms are of magnitude order·epsilon.
                sum.max(0.0) + 16.0 * f64::EPSILON * (order * epsilon + 1.0)
            }
            // Convexity again.
            Self::Mixture {
                standard_deviation,
                parts,
            } => {
                let terms: Vec<f64> = parts
                    .iter()
                    .map(|(shift, weight)| {
                        weight.ln() + gaussian(shift * sensitivity / standard_deviation)
                    })
                    .collect();
                let largest = terms.iter().copied().fold(f64::NEG_INFINITY, f64::max);
                let sum: f64 = terms.iter().map(|term| (term - largest).exp()).sum();
                (largest + sum.ln()).max(0.0) * up + 16.0 * f64::EPSILON * (1.0 + largest.abs())
            }
        }
    }
}

fn smallest(bounds: impl Iterator<Item = f64>) -> Result<f64, AccountingError> {
    let mut smallest = f64::INFINITY;
    for bound in bounds {
        // `f64::min` would drop NaN.
        if bound.is_nan() {
            return Err(AccountingError::NotFinite);
        }
        smallest = smallest.min(bound);
    }
    if smallest.is_finite() {
        Ok(smallest)
    } else {
        Err(AccountingError::NotFinite)
    }
}

/// Returns the grid of orders, ascending: geometric in α - 1 near 1, where large losses have
/// their best order, then integers, then geometric again.
fn orders() -> Vec<f64> {
    let mut orders = Vec::new();
    let mut above_one = SMALLEST_ORDER_ABOVE_ONE;
    while above_one < FIRST_INTEGER - 1.0 {
        orders.push(1.0 + above_one);
        above_one *= ORDER_RATIO;
    }
    let mut order = 2.0;
    while order <= LARGEST_ORDER {
        orders.push(order);
        order = f64::max(order + 1.0, (order * ORDER_RATIO).floor());
    }
    orders.sort_by(f64::total_cmp);
    orders.dedup();
    orders
}

/// Bounds the relative error of a handful of float operations and logarithms, each of which is
/// within a few units of 2^-53 (about 1.1e-16) of the magnitudes that it is multiplied by.
const CONVERSION_MARGIN: f64 = 1e-13;

const SMALLEST_ORDER_ABOVE_ONE: f64 = 1e-4;
const FIRST_INTEGER: f64 = 8.0;
const LARGEST_ORDER: f64 = 1_048_576.0;

/// An order between two of the grid costs at most the excess of `(√r + 1/√r)/2` over 1, here
/// 0.03 %, against the best order.
const ORDER_RATIO: f64 = 1.05;
