//! What an event costs: upper bounds on ε and δ, and the noise that a target needs.
//!
//! An accountant is a pure function of an event. It prices with Rényi differential privacy
//! ([`mod@rdp`]): milliseconds, rigorous, and a few per cent above the exact cost in the usual
//! range. Every error of the arithmetic is bounded and added to the price.

mod calibrate;
mod rdp;
mod subsampled;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use thiserror::Error;

pub use self::calibrate::calibrate;
use self::rdp::Curve;
use crate::event::{DpEvent, valid_sampling_probability};
use crate::numbers::{Delta, Epsilon, NoiseMultiplier, NumberError};
use crate::unit::Adjacency;

/// Returns an upper bound on the ε of `event` at `delta`, finite and dimensionless.
///
/// # Guarantee
///
/// Either returns an error, or an ε such that `event` is (ε, δ)-differentially private under
/// `adjacency`. Only an event that composes nothing costs 0.
///
/// # Errors
///
/// [`AccountingError`] where the event has no finite price, is of a kind that is not supported,
/// or holds a number that is out of range.
///
/// # References
///
/// Mironov, Talwar & Zhang (2019), arXiv 1908.10530; Canonne, Kamath & Steinke (2020), arXiv
/// 2004.00010, proposition 12.
pub fn epsilon(
    event: &DpEvent,
    adjacency: Adjacency,
    delta: Delta,
) -> Result<f64, AccountingError> {
    Curve::new(&Charges::of(event)?, adjacency)?.epsilon(delta.value())
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
/// As for [`epsilon`].
pub fn delta(
    event: &DpEvent,
    adjacency: Adjacency,
    epsilon: Epsilon,
) -> Result<f64, AccountingError> {
    Curve::new(&Charges::of(event)?, adjacency)?.delta(epsilon.value())
}

/// Returns the upper bound on ε of `event` at each of `deltas`, in their order.
///
/// # Guarantee
///
/// As for [`epsilon`], for each pair; the pairs hold together because they describe one
/// mechanism.
///
/// # Errors
///
/// As for [`epsilon`].
pub fn profile(
    event: &DpEvent,
    adjacency: Adjacency,
    deltas: &[Delta],
) -> Result<Vec<(Delta, f64)>, AccountingError> {
    let curve = Curve::new(&Charges::of(event)?, adjacency)?;
    deltas
        .iter()
        .map(|&delta| Ok((delta, curve.epsilon(delta.value())?)))
        .collect()
}

/// Why an event has no price, or a target no noise.
#[derive(Clone, Debug, Error, PartialEq)]
#[non_exhaustive]
pub enum AccountingError {
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
        "DPS0111", "DPS0112", "DPS0113", "DPS0114", "DPS0115", "DPS0116",
    ];

    /// Returns the stable code of this error.
    pub fn code(&self) -> &'static str {
        match self {
            Self::NotConverged { .. } => "DPS0111",
            Self::NotFinite => "DPS0112",
            Self::NotPrivate => "DPS0113",
            Self::Number(error) => error.code(),
            Self::OutOfReach { .. } => "DPS0114",
            Self::TooManySteps => "DPS0115",
            Self::Unsupported { .. } => "DPS0116",
        }
    }
}

/// How often an event uses each subsampled Gaussian, in whatever order and nesting.
struct Charges {
    /// From the bits of (sampling probability, noise multiplier) to the number of uses. The map
    /// is ordered, so the price does not depend on the order of composition to the last bit.
    uses: BTreeMap<(u64, u64), u64>,
}

impl Charges {
    fn of(event: &DpEvent) -> Result<Self, AccountingError> {
        let mut charges = Self {
            uses: BTreeMap::new(),
        };
        charges.add(event, 1)?;
        Ok(charges)
    }

    fn add(&mut self, event: &DpEvent, count: u64) -> Result<(), AccountingError> {
        match event {
            DpEvent::Composed { events } => events.iter().try_for_each(|it| self.add(it, count)),
            DpEvent::EpsilonDelta { .. } => Err(AccountingError::Unsupported {
                event: event.kind(),
                outer: "this accountant",
            }),
            DpEvent::Gaussian { noise_multiplier } => {
                self.use_gaussian(1.0, *noise_multiplier, count)
            }
            DpEvent::NonPrivate => Err(AccountingError::NotPrivate),
            DpEvent::PoissonSampled {
                sampling_probability,
                event: inner,
            } => match inner.as_ref() {
                DpEvent::Gaussian { noise_multiplier } => {
                    self.use_gaussian(*sampling_probability, *noise_multiplier, count)
                }
                DpEvent::NonPrivate => Err(AccountingError::NotPrivate),
                other => Err(AccountingError::Unsupported {
                    event: other.kind(),
                    outer: event.kind(),
                }),
            },
            DpEvent::SelfComposed {
                event: inner,
                count: times,
            } => {
                if *times == 0 {
                    let (name, range) = ("count", "from 1 to 4294967295");
                    return Err(NumberError::OutOfRange { name, range }.into());
                }
                let count = count.checked_mul(u64::from(*times));
                self.add(inner, count.ok_or(AccountingError::TooManySteps)?)
            }
        }
    }

    fn use_gaussian(
        &mut self,
        rate: f64,
        noise_multiplier: f64,
        count: u64,
    ) -> Result<(), AccountingError> {
        let rate = valid_sampling_probability(rate)?;
        let noise_multiplier = NoiseMultiplier::new(noise_multiplier)?.value();
        let uses = self
            .uses
            .entry((rate.to_bits(), noise_multiplier.to_bits()))
            .or_insert(0);
        let sum = uses.checked_add(count).filter(|&sum| sum <= MOST_USES);
        *uses = sum.ok_or(AccountingError::TooManySteps)?;
        Ok(())
    }

    /// Returns (sampling probability, noise multiplier, uses) of each distinct mechanism.
    fn iter(&self) -> impl Iterator<Item = (f64, f64, f64)> {
        self.uses.iter().map(|(&(rate, noise_multiplier), &uses)| {
            // OK because a float holds every integer up to `MOST_USES`.
            (
                f64::from_bits(rate),
                f64::from_bits(noise_multiplier),
                uses as f64,
            )
        })
    }
}

/// 2^53, up to which every integer is a float.
const MOST_USES: u64 = 1 << 53;
