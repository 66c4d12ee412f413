//! Rényi differential privacy: one curve for a whole event, and what it says about (ε, δ).
//!
//! The curve holds upper bounds on the *log-moment* `(α - 1)·D_α` at a fixed grid of orders α,
//! D_α being the Rényi divergence between the outputs on neighbouring data sets. Log-moments
//! of composed mechanisms add, also when each is chosen after seeing the results before it:
//! Mironov (2017), arXiv 1702.07476, proposition 1.

use super::subsampled::LogMoments;
use super::{AccountingError, Charges};
use crate::rounding::{add_up, mul_up};
use crate::unit::Adjacency;

/// Upper bounds on the log-moments of an event.
pub(super) struct Curve {
    /// Pairs of order and log-moment, orders ascending; empty for an event that does nothing.
    points: Vec<(f64, f64)>,
}

impl Curve {
    /// Returns the sum of the curves of all `charges`.
    pub(super) fn new(charges: &Charges, adjacency: Adjacency) -> Result<Self, AccountingError> {
        let orders = orders();
        let mut points: Vec<(f64, f64)> = orders.iter().map(|&order| (order, 0.0)).collect();
        let mut empty = true;
        for (rate, noise_multiplier, uses) in charges.iter() {
            empty = false;
            let mechanism = PricedMechanism::new(rate, noise_multiplier, adjacency, &orders);
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
        if empty {
            points.clear();
        }
        Ok(Self { points })
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
        let delta = smallest(bounds)?.exp() * (1.0 + CONVERSION_MARGIN);
        // Up: an event that does something never costs exactly nothing.
        Ok(delta.clamp(f64::MIN_POSITIVE, 1.0))
    }
}

/// One mechanism's log-moments under one adjacency.
enum PricedMechanism {
    Gaussian {
        inverse_variance: f64,
    },
    Subsampled {
        moments: LogMoments,
        adjacency: Adjacency,
    },
}

impl PricedMechanism {
    fn new(rate: f64, noise_multiplier: f64, adjacency: Adjacency, orders: &[f64]) -> Self {
        if rate < 1.0 {
            let moments = LogMoments::new(rate, noise_multiplier, orders);
            return Self::Subsampled { moments, adjacency };
        }
        // Replacing a unit is removing one and adding another: twice the sensitivity.
        let sensitivity = match adjacency {
            Adjacency::AddOrRemoveOne => 1.0,
            Adjacency::ReplaceOne => 2.0,
        };
        let inverse_multiplier = sensitivity / noise_multiplier;
        Self::Gaussian {
            inverse_variance: inverse_multiplier * inverse_multiplier,
        }
    }

    fn log_moment(&self, order: f64) -> f64 {
        match self {
            // Mironov (2017), arXiv 1702.07476, proposition 7. Up: by more than the rounding of
            // seven operations.
            Self::Gaussian { inverse_variance } => {
                (order - 1.0) * order * inverse_variance / 2.0 * (1.0 + CONVERSION_MARGIN)
            }
            Self::Subsampled { moments, adjacency } => match adjacency {
                Adjacency::AddOrRemoveOne => moments.add_or_remove_one(order),
                Adjacency::ReplaceOne => moments.replace_one(order),
            },
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
