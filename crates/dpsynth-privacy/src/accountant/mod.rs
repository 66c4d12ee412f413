//! What an event costs: upper bounds on ε and δ, and the noise that a target needs.
//!
//! An accountant is a pure function of an event. Two of them price every event, by different
//! mathematics and without shared code: privacy loss distributions ([`mod@pld`]) bound the exact
//! cost from both sides, a few 10^-5 apart, and Rényi differential privacy ([`mod@rdp`]) bounds it
//! from above. Where they contradict each other there is no price. Every error of the
//! arithmetic is bounded and goes to the safe side.

mod calibrate;
mod charges;
mod pld;
mod rdp;
mod readings;
mod subsampled;
#[cfg(test)]
mod tests;

use thiserror::Error;

pub use self::calibrate::calibrate;
use self::charges::Charges;
use self::rdp::Curve;
pub use self::readings::{
    for_group, gaussian_dp, gaussian_of_epsilon, gaussian_of_same_price, zero_concentrated,
};
use crate::event::DpEvent;
use crate::numbers::{Delta, Epsilon, NumberError};
use crate::unit::Adjacency;

/// Two bounds with the exact value between them.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Interval {
    /// No more than the exact value.
    pub lower: f64,
    /// No less than the exact value.
    pub upper: f64,
}

/// What both accountants say about the ε of an event at one δ.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Price {
    /// The privacy loss distribution's bounds on the exact ε.
    pub certified: Interval,
    /// The Rényi accountant's upper bound.
    pub renyi: f64,
}

impl Price {
    /// Returns the smaller of the two upper bounds, which is what a release pays.
    pub fn epsilon(&self) -> f64 {
        self.certified.upper.min(self.renyi)
    }
}

/// Returns an upper bound on the ε of `event` at `delta`, finite and dimensionless.
///
/// # Guarantee
///
/// Either returns an error, or an ε such that `event` is (ε, δ)-differentially private under
/// `adjacency`. Only an event that composes nothing costs 0.
///
/// # Errors
///
/// As for [`price`].
pub fn epsilon(
    event: &DpEvent,
    adjacency: Adjacency,
    delta: Delta,
) -> Result<f64, AccountingError> {
    Ok(price(event, adjacency, delta)?.epsilon())
}

/// Returns what both accountants say about the ε of `event` at `delta`.
///
/// # Guarantee
///
/// Either returns an error, or bounds such that `event` is (ε, δ)-differentially private under
/// `adjacency` for ε = `certified.upper` and for ε = `renyi`, and for no ε below
/// `certified.lower`. The proof is in `docs/accounting.md`; closed forms, other people's figures
/// and laws are in this crate's tests.
///
/// # Errors
///
/// [`AccountingError`] where the event has no finite price, is of a kind that is not supported,
/// or holds a number that is out of range; [`AccountingError::Contradiction`] where the two
/// accountants cannot both be right.
///
/// # References
///
/// Doroshenko, Ghazi, Kamath, Kumar & Manurangsi (2022), arXiv 2207.04380; Mironov, Talwar &
/// Zhang (2019), arXiv 1908.10530; Canonne, Kamath & Steinke (2020), arXiv 2004.00010,
/// proposition 12.
pub fn price(
    event: &DpEvent,
    adjacency: Adjacency,
    delta: Delta,
) -> Result<Price, AccountingError> {
    Account::new(event, adjacency)?.price(delta)
}

/// Returns an upper bound on the δ of `event` at `epsilon`, from 0 to 1.
///
/// A result of 1 says that nothing is guaranteed at this ε.
///
/// # Guarantee
///
/// Either returns an error, or a δ such that `event` is (ε, δ)-differentially private under
/// `adjacency`. Only an event that composes nothing has a δ of 0.
///
/// # Errors
///
/// As for [`price`].
pub fn delta(
    event: &DpEvent,
    adjacency: Adjacency,
    epsilon: Epsilon,
) -> Result<f64, AccountingError> {
    Account::new(event, adjacency)?.delta(epsilon)
}

/// Returns the upper bound on ε of `event` at each of `deltas`, in their order; those at which no ε holds
/// are left out.
///
/// # Guarantee
///
/// As for [`epsilon`], for each pair; the pairs hold together because they describe one
/// mechanism.
///
/// # Errors
///
/// As for [`price`].
pub fn profile(
    event: &DpEvent,
    adjacency: Adjacency,
    deltas: &[Delta],
) -> Result<Vec<(Delta, f64)>, AccountingError> {
    let account = Account::new(event, adjacency)?;
    let points = deltas.iter().map(|&delta| match account.price(delta) {
        Ok(price) => Some(Ok((delta, price.epsilon()))),
        Err(AccountingError::DeltaTooSmall { .. }) => None,
        Err(error) => Some(Err(error)),
    });
    points.flatten().collect()
}

/// Returns what (ε, δ) says about the power of any test of level `level` for whether one unit is in
/// the data, from 0 to 1: the chance that it says so rightly, where it says so wrongly at most
/// with chance `level`.
///
/// # Guarantee
///
/// No such test has more power than `upper`. Every (ε, δ) that holds bounds the power by
/// δ + exp(ε)·level and by 1 - exp(-ε)·(1 - δ - level): Wasserman & Zhou (2010), theorem 2.4;
/// Kairouz, Oh & Viswanath (2015), theorem 1. The smallest over a list of δ is returned. `lower` is
/// the same for the lower bounds on ε: nothing below it can be shown in this way.
///
/// # Errors
///
/// As for [`price`].
pub fn largest_power(
    event: &DpEvent,
    adjacency: Adjacency,
    level: f64,
) -> Result<Interval, AccountingError> {
    let account = Account::new(event, adjacency)?;
    let allowed = |epsilon: f64, delta: f64| {
        let rising = delta + epsilon.exp() * level;
        let falling = 1.0 - (-epsilon).exp() * (1.0 - delta - level);
        rising.min(falling)
    };
    let (mut lower, mut upper) = (1.0_f64, 1.0_f64);
    for delta in POWER_DELTAS {
        let price = match account.price(Delta::new(delta)?) {
            Ok(price) => price,
            // Where no ε holds, nothing bounds the power.
            Err(AccountingError::DeltaTooSmall { .. }) => continue,
            Err(error) => return Err(error),
        };
        lower = lower.min(allowed(price.certified.lower, delta));
        upper = upper.min(allowed(price.epsilon(), delta));
    }
    // Down and up: by more than the rounding of a few operations.
    Ok(Interval {
        lower: (lower * (1.0 - 1e-12)).clamp(level, 1.0),
        upper: (upper * (1.0 + 1e-12)).clamp(level, 1.0),
    })
}

/// The δ at which the power of a test is bounded.
const POWER_DELTAS: [f64; 9] = [1e-4, 1e-3, 1e-2, 0.05, 0.1, 0.2, 0.3, 0.5, 0.7];

/// An event as each accountant holds it.
struct Account {
    curve: Curve,
    /// Nothing for an event that does nothing.
    plan: Option<pld::Plan>,
}

impl Account {
    fn new(event: &DpEvent, adjacency: Adjacency) -> Result<Self, AccountingError> {
        let charges = Charges::of(event)?;
        Ok(Self {
            curve: Curve::new(&charges, adjacency)?,
            plan: if charges.is_empty() {
                None
            } else {
                Some(pld::Plan::new(&charges, adjacency)?)
            },
        })
    }

    fn price(&self, delta: Delta) -> Result<Price, AccountingError> {
        let Some(plan) = &self.plan else {
            let certified = Interval {
                lower: 0.0,
                upper: 0.0,
            };
            return Ok(Price {
                certified,
                renyi: 0.0,
            });
        };
        let renyi = self.curve.epsilon(delta.value())?;
        let certified = plan.epsilon(delta.value())?;
        agree(certified, renyi)?;
        // Up: an event that does something never costs exactly nothing.
        let upper = certified.upper.max(f64::MIN_POSITIVE);
        Ok(Price {
            certified: Interval { upper, ..certified },
            renyi,
        })
    }

    fn delta(&self, epsilon: Epsilon) -> Result<f64, AccountingError> {
        let Some(plan) = &self.plan else {
            return Ok(0.0);
        };
        let renyi = self.curve.delta(epsilon.value())?;
        let certified = match plan.delta(epsilon.value()) {
            // Far below any δ of use the Rényi bound alone is bound enough.
            Err(AccountingError::TooFine { .. }) => return Ok(renyi),
            certified => certified?,
        };
        agree(certified, renyi)?;
        Ok(certified.upper.min(renyi).max(f64::MIN_POSITIVE))
    }
}

/// Refuses an upper bound of one accountant that is below the other's lower bound.
fn agree(certified: Interval, renyi: f64) -> Result<(), AccountingError> {
    // Written so that a bound that is not a number is refused.
    if certified.lower <= certified.upper && certified.lower <= renyi {
        Ok(())
    } else {
        let (lower, upper) = (certified.lower, certified.upper);
        Err(AccountingError::Contradiction {
            lower,
            upper,
            renyi,
        })
    }
}

/// Why an event has no price, or a target no noise.
#[derive(Clone, Debug, Error, PartialEq)]
#[non_exhaustive]
pub enum AccountingError {
    /// The two accountants cannot both be right.
    #[error(
        "the two accountants contradict each other: between {lower:?} and {upper:?}, and at most \
         {renyi:?}; this is a bug, please report it"
    )]
    Contradiction {
        /// The privacy loss distribution's lower bound.
        lower: f64,
        /// The privacy loss distribution's upper bound.
        upper: f64,
        /// The Rényi accountant's upper bound.
        renyi: f64,
    },

    /// Some mechanism gives more away than δ allows, at any ε.
    #[error(
        "no epsilon holds at delta {delta:?}: the mechanisms fail altogether with probability \
         {spent:?}; allow a larger delta"
    )]
    DeltaTooSmall {
        /// The δ asked for.
        delta: f64,
        /// What the mechanisms give away.
        spent: f64,
    },

    /// The calibrated noise did not hold when it was priced again.
    #[error(
        "the noise found for epsilon {target:?} costs more when it is priced again; this is a bug, \
         please report it"
    )]
    NotConverged {
        /// The ε asked for.
        target: f64,
    },

    /// The arithmetic left the range of floats.
    #[error("the cost of the mechanisms is not a finite number; use fewer steps or more noise")]
    NotFinite,

    /// The event holds something that no noise protects.
    #[error("a mechanism without noise has no privacy bound; leave it out or give it noise")]
    NotPrivate,

    /// The event holds a number out of range.
    #[error(transparent)]
    Number(#[from] NumberError),

    /// No noise within range meets the target.
    #[error(
        "epsilon {target:?} at delta {delta:?} is out of reach: the largest noise multiplier, \
         {largest:?}, still costs epsilon {reached:?}; allow a larger epsilon or delta, or use \
         fewer steps"
    )]
    OutOfReach {
        /// The ε asked for.
        target: f64,
        /// The δ asked for.
        delta: f64,
        /// The largest noise multiplier that was tried.
        largest: f64,
        /// What it costs.
        reached: f64,
    },

    /// The exact cost needs a finer grid than fits in memory.
    #[error(
        "`{name}` is {value:?}, for which the exact cost needs more memory than is allowed; use \
         fewer steps or more noise"
    )]
    TooFine {
        /// The number's name, as events spell it.
        name: &'static str,
        /// The number.
        value: f64,
    },

    /// More repetitions than can be counted exactly.
    #[error("the event repeats a mechanism more than 2^53 times; use fewer steps")]
    TooManySteps,

    /// The accountant knows no bound for an event of this kind in this place.
    #[error(
        "no bound is known for {event} inside {outer}; apply the sampling to one GaussianDpEvent"
    )]
    Unsupported {
        /// The kind of the event without a bound.
        event: &'static str,
        /// The kind of the event around it.
        outer: &'static str,
    },
}

impl AccountingError {
    /// The codes of all variants, without those of [`NumberError`].
    pub const CODES: &'static [&'static str] = &[
        "DPS0117", "DPS0118", "DPS0111", "DPS0112", "DPS0113", "DPS0114", "DPS0119", "DPS0115",
        "DPS0116",
    ];

    /// Returns the stable code of this error.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Contradiction { .. } => "DPS0117",
            Self::DeltaTooSmall { .. } => "DPS0118",
            Self::NotConverged { .. } => "DPS0111",
            Self::NotFinite => "DPS0112",
            Self::NotPrivate => "DPS0113",
            Self::Number(error) => error.code(),
            Self::OutOfReach { .. } => "DPS0114",
            Self::TooFine { .. } => "DPS0119",
            Self::TooManySteps => "DPS0115",
            Self::Unsupported { .. } => "DPS0116",
        }
    }
}
