//! Mechanisms as data: what the ledger records, the accountant prices, and the core then runs.

use serde::{Deserialize, Serialize};

use crate::event::DpEvent;
use crate::numbers::{ClipNorm, NoiseMultiplier, SamplingRate, StepCount};

/// One mechanism of a charge, with every number that its price and its noise depend on.
///
/// The same value is priced, written to the ledger, and read by the code that adds the noise, so
/// the three cannot disagree. Every noise multiplier is relative to what a *whole privacy unit*
/// can change.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "mechanism", rename_all = "snake_case")]
pub enum Mechanism {
    /// A noisy number of privacy units.
    UnitCount(UnitCount),
    /// Noisy counts of every cell of some column sets.
    Marginals(Marginals),
    /// Training by noisy clipped gradient sums over Poisson samples of units.
    DpSgd(DpSgd),
}

/// A noisy number of privacy units: sensitivity 1, Gaussian noise rounded to the integers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UnitCount {
    /// Standard deviation of the noise, in units.
    pub noise_multiplier: NoiseMultiplier,
}

/// Noisy counts of every cell of some column sets.
///
/// Each column set is a mechanism of its own. A unit changes the counts of one set by at most its
/// number of rows, so the noise has a standard deviation of `noise_multiplier` times the largest
/// number of rows of a unit.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Marginals {
    /// Indices of the columns of each marginal.
    pub column_sets: Vec<Vec<u32>>,
    /// Standard deviation of the noise over the sensitivity of one marginal.
    pub noise_multiplier: NoiseMultiplier,
}

/// DP-SGD: `steps` times a Poisson sample, per-unit clipping to `clip_norm`, a sum, and noise.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DpSgd {
    /// Probability with which each unit takes part in a step.
    pub sampling_rate: SamplingRate,
    /// Number of steps.
    pub steps: StepCount,
    /// Standard deviation of the noise over the clip norm.
    pub noise_multiplier: NoiseMultiplier,
    /// Largest L2 norm of a unit's gradient.
    pub clip_norm: ClipNorm,
}

impl Mechanism {
    /// Describes the mechanism as an event for the accountants.
    ///
    /// The event is in units of the sensitivity under adding or removing one unit; an accountant
    /// doubles it for replacing one.
    ///
    /// # Guarantee
    /// The event's noise multiplier is the very number that the mechanism draws its noise with;
    /// clipping and counting bound the sensitivity that it is relative to.
    #[must_use]
    pub fn event(&self) -> DpEvent {
        match self {
            Self::UnitCount(count) => gaussian(count.noise_multiplier),
            Self::Marginals(marginals) => match u32::try_from(marginals.column_sets.len()) {
                Ok(0) => DpEvent::Composed { events: Vec::new() },
                Ok(count) => DpEvent::SelfComposed {
                    event: Box::new(gaussian(marginals.noise_multiplier)),
                    count,
                },
                // Up: more tables than an event can count have no price.
                Err(_) => DpEvent::NonPrivate,
            },
            Self::DpSgd(sgd) => DpEvent::SelfComposed {
                event: Box::new(DpEvent::PoissonSampled {
                    sampling_probability: sgd.sampling_rate.value(),
                    event: Box::new(gaussian(sgd.noise_multiplier)),
                }),
                count: sgd.steps.value(),
            },
        }
    }
}

fn gaussian(noise_multiplier: NoiseMultiplier) -> DpEvent {
    DpEvent::Gaussian {
        noise_multiplier: noise_multiplier.value(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sigma(value: f64) -> NoiseMultiplier {
        NoiseMultiplier::new(value).expect("in range")
    }

    fn sgd() -> DpSgd {
        DpSgd {
            sampling_rate: SamplingRate::at_most(0.01).expect("in range"),
            steps: StepCount::new(1000).expect("in range"),
            noise_multiplier: sigma(1.1),
            clip_norm: ClipNorm::new(1.0).expect("in range"),
        }
    }

    #[test]
    fn dp_sgd_prices_the_rate_that_the_sampler_uses() {
        let expected = DpEvent::SelfComposed {
            event: Box::new(DpEvent::PoissonSampled {
                sampling_probability: sgd().sampling_rate.threshold() as f64 / 4_294_967_296.0,
                event: Box::new(DpEvent::Gaussian {
                    noise_multiplier: 1.1,
                }),
            }),
            count: 1000,
        };
        assert_eq!(Mechanism::DpSgd(sgd()).event(), expected);
    }

    #[test]
    fn every_marginal_has_a_price_of_its_own() {
        let marginals = |sets: Vec<Vec<u32>>| {
            Mechanism::Marginals(Marginals {
                column_sets: sets,
                noise_multiplier: sigma(5.0),
            })
            .event()
        };
        assert_eq!(marginals(vec![]), DpEvent::Composed { events: vec![] });
        assert!(matches!(
            marginals(vec![vec![0], vec![1, 2]]),
            DpEvent::SelfComposed { count: 2, .. }
        ));
    }

    #[test]
    fn what_is_written_is_what_is_read_and_nothing_else_is_accepted() {
        let text = serde_json::to_string(&Mechanism::DpSgd(sgd())).expect("plain data");
        assert!(text.starts_with(r#"{"mechanism":"dp_sgd","#), "{text}");
        assert_eq!(
            serde_json::from_str::<Mechanism>(&text).expect("our own text"),
            Mechanism::DpSgd(sgd())
        );
        for bad in [
            text.replace("1.1", "-1.1"),
            text.replace("1.1", "null"),
            text.replace("\"steps\":1000", "\"steps\":0"),
            text.replace("clip_norm", "clip"),
            text.replace("dp_sgd", "other"),
        ] {
            assert!(serde_json::from_str::<Mechanism>(&bad).is_err(), "{bad}");
        }
    }
}
