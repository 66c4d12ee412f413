//! How often an event uses each mechanism, in whatever order and nesting.

use std::collections::BTreeMap;

use super::AccountingError;
use crate::event::{DpEvent, valid_sampling_probability};
use crate::numbers::{NoiseMultiplier, NumberError};

/// The uses of every mechanism of an event.
#[derive(Clone, Debug)]
pub(super) struct Charges {
    /// From the bits of a mechanism's numbers to the mechanism and the number of its uses. The
    /// map is ordered, so no price depends on the order of composition.
    uses: BTreeMap<Vec<u64>, (Use, u64)>,
}

/// One mechanism, applied to a sample that each unit joins with chance `rate`.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Use {
    pub(super) base: Base,
    pub(super) rate: f64,
}

/// A mechanism, in units of its sensitivity to adding or removing one unit.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Base {
    Gaussian {
        noise_multiplier: f64,
    },
    DiscreteGaussian {
        noise_multiplier: f64,
    },
    Laplace {
        noise_multiplier: f64,
    },
    EpsilonDelta {
        epsilon: f64,
        delta: f64,
    },
    /// `parts` are pairs of sensitivity and probability.
    Mixture {
        standard_deviation: f64,
        parts: Vec<(f64, f64)>,
    },
}

impl Base {
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Self::Gaussian { .. } => "GaussianDpEvent",
            Self::DiscreteGaussian { .. } => "DiscreteGaussianDpEvent",
            Self::Laplace { .. } => "LaplaceDpEvent",
            Self::EpsilonDelta { .. } => "EpsilonDeltaDpEvent",
            Self::Mixture { .. } => "MixtureOfGaussiansDpEvent",
        }
    }

    fn of(event: &DpEvent) -> Result<Option<Self>, AccountingError> {
        Ok(Some(match event {
            DpEvent::Gaussian { noise_multiplier } => Self::Gaussian {
                noise_multiplier: NoiseMultiplier::new(*noise_multiplier)?.value(),
            },
            DpEvent::DiscreteGaussian { noise_multiplier } => Self::DiscreteGaussian {
                noise_multiplier: NoiseMultiplier::new(*noise_multiplier)?.value(),
            },
            DpEvent::Laplace { noise_multiplier } => Self::Laplace {
                noise_multiplier: NoiseMultiplier::new(*noise_multiplier)?.value(),
            },
            DpEvent::EpsilonDelta { epsilon, delta } => Self::EpsilonDelta {
                epsilon: in_range("epsilon", "above 0 and at most 500", *epsilon, |it| {
                    it > 0.0 && it <= 500.0
                })?,
                delta: in_range("delta", "at least 0 and below 1", *delta, |it| {
                    (0.0..1.0).contains(&it)
                })?,
            },
            DpEvent::MixtureOfGaussians {
                standard_deviation,
                sensitivities,
                sampling_probs,
            } => {
                let standard_deviation = NoiseMultiplier::new(*standard_deviation)?.value();
                Self::Mixture {
                    standard_deviation,
                    parts: mixture(sensitivities, sampling_probs)?,
                }
            }
            _ => return Ok(None),
        }))
    }

    fn key(&self) -> Vec<u64> {
        let (tag, numbers) = match self {
            Self::Gaussian { noise_multiplier } => (0, vec![*noise_multiplier]),
            Self::DiscreteGaussian { noise_multiplier } => (1, vec![*noise_multiplier]),
            Self::Laplace { noise_multiplier } => (2, vec![*noise_multiplier]),
            Self::EpsilonDelta { epsilon, delta } => (3, vec![*epsilon, *delta]),
            Self::Mixture {
                standard_deviation,
                parts,
            } => {
                let parts = parts.iter().flat_map(|&(shift, weight)| [shift, weight]);
                (
                    4,
                    std::iter::once(*standard_deviation).chain(parts).collect(),
                )
            }
        };
        std::iter::once(tag)
            .chain(numbers.into_iter().map(f64::to_bits))
            .collect()
    }
}

impl Charges {
    /// Returns the uses of `event`, every number checked.
    pub(super) fn of(event: &DpEvent) -> Result<Self, AccountingError> {
        let mut charges = Self {
            uses: BTreeMap::new(),
        };
        charges.add(event, 1)?;
        Ok(charges)
    }

    fn add(&mut self, event: &DpEvent, count: u64) -> Result<(), AccountingError> {
        if let Some(base) = Base::of(event)? {
            return self.record(Use { base, rate: 1.0 }, count);
        }
        match event {
            DpEvent::Composed { events } => events.iter().try_for_each(|it| self.add(it, count)),
            DpEvent::PoissonSampled {
                sampling_probability,
                event: inner,
            } => {
                if matches!(inner.as_ref(), DpEvent::NonPrivate) {
                    return Err(AccountingError::NotPrivate);
                }
                let rate = valid_sampling_probability(*sampling_probability)?;
                match Base::of(inner)? {
                    Some(base) if rate == 1.0 || !matches!(base, Base::Mixture { .. }) => {
                        self.record(Use { base, rate }, count)
                    }
                    _ => Err(AccountingError::Unsupported {
                        event: inner.kind(),
                        outer: event.kind(),
                    }),
                }
            }
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
            _ => Err(AccountingError::NotPrivate),
        }
    }

    fn record(&mut self, used: Use, count: u64) -> Result<(), AccountingError> {
        let mut key = used.base.key();
        key.push(used.rate.to_bits());
        let (_, uses) = self.uses.entry(key).or_insert((used, 0));
        let sum = uses.checked_add(count).filter(|&sum| sum <= MOST_USES);
        *uses = sum.ok_or(AccountingError::TooManySteps)?;
        Ok(())
    }

    /// Returns each distinct mechanism with the number of its uses, which a float holds exactly.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&Use, f64)> {
        self.uses
            .values()
            .map(|(used, count)| (used, *count as f64))
    }

    /// Returns whether the event does nothing.
    pub(super) fn is_empty(&self) -> bool {
        self.uses.is_empty()
    }
}

/// Returns the parts of a mixture as pairs of sensitivity and probability, sensitivities rising.
fn mixture(
    sensitivities: &[f64],
    probabilities: &[f64],
) -> Result<Vec<(f64, f64)>, AccountingError> {
    let (name, range) = (
        "sampling_probs",
        "for each sensitivity, that together make 1",
    );
    let wrong = NumberError::OutOfRange { name, range };
    let sum: f64 = probabilities.iter().sum();
    // Written so that a sum that is not a number is refused.
    let whole = (sum - 1.0).abs() <= 1e-12;
    let probable = probabilities.iter().all(|it| (0.0..=1.0).contains(it));
    if sensitivities.len() != probabilities.len() || !probable || !whole {
        return Err(wrong.into());
    }
    let mut parts = Vec::new();
    for (&sensitivity, &probability) in sensitivities.iter().zip(probabilities) {
        let range = "from 0 to 1000000";
        in_range("sensitivities", range, sensitivity, |it| {
            (0.0..=1e6).contains(&it)
        })?;
        if probability > 0.0 {
            parts.push((sensitivity, probability));
        }
    }
    parts.sort_by(|a, b| a.0.total_cmp(&b.0));
    match parts.last() {
        Some(&(largest, _)) if largest > 0.0 => Ok(parts),
        _ => Err(NumberError::OutOfRange {
            name: "sensitivities",
            range: "at least one above 0",
        }
        .into()),
    }
}

fn in_range(
    name: &'static str,
    range: &'static str,
    value: f64,
    accepts: impl Fn(f64) -> bool,
) -> Result<f64, NumberError> {
    if !value.is_finite() {
        Err(NumberError::NotFinite { name, range })
    } else if accepts(value) {
        Ok(value)
    } else {
        Err(NumberError::OutOfRange { name, range })
    }
}

/// 2^53, up to which every integer is a float.
const MOST_USES: u64 = 1 << 53;
