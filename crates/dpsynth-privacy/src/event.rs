//! What a mechanism did, as data that any accountant can price.
//!
//! Names and meanings are those of Google's `dp_accounting`, so that a stored event can be
//! priced again by somebody else's program. A variant is never removed and its meaning never
//! changes; what an accountant does not know is an error, never free.

use serde::{Deserialize, Deserializer, Serialize};

use crate::numbers::{Delta, Epsilon, NoiseMultiplier, NumberError, StepCount};

/// One use of private data, in units of the sensitivity to adding or removing one privacy unit.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(tag = "type", deny_unknown_fields)]
pub enum DpEvent {
    /// All of the events, each free to depend on the results of those before it.
    #[serde(rename = "ComposedDpEvent")]
    Composed {
        /// The events; none of them costs nothing.
        events: Vec<DpEvent>,
    },

    /// Discrete Gaussian noise added to an integer of sensitivity 1.
    #[serde(rename = "DiscreteGaussianDpEvent")]
    DiscreteGaussian {
        /// The parameter σ of the noise, from 2^-10 to 2^18.
        #[serde(deserialize_with = "noise_multiplier")]
        noise_multiplier: f64,
    },

    /// Anything that is (ε, δ)-differentially private under adding or removing one unit.
    ///
    /// Google's accountants have no event of this name; they know it as the distribution made
    /// from privacy parameters.
    #[serde(rename = "EpsilonDeltaDpEvent")]
    EpsilonDelta {
        /// ε, above 0 and at most 10^6.
        #[serde(deserialize_with = "epsilon")]
        epsilon: f64,
        /// δ, at least 0 and below 1.
        #[serde(deserialize_with = "delta_or_none")]
        delta: f64,
    },

    /// Gaussian noise added to a vector of L2 sensitivity 1.
    #[serde(rename = "GaussianDpEvent")]
    Gaussian {
        /// The noise's standard deviation, from 2^-10 to 2^18.
        #[serde(deserialize_with = "noise_multiplier")]
        noise_multiplier: f64,
    },

    /// Laplace noise added to a number of sensitivity 1.
    #[serde(rename = "LaplaceDpEvent")]
    Laplace {
        /// The noise's scale, from 2^-10 to 2^18.
        #[serde(deserialize_with = "noise_multiplier")]
        noise_multiplier: f64,
    },

    /// Gaussian noise added to a number whose sensitivity is drawn for each unit.
    #[serde(rename = "MixtureOfGaussiansDpEvent")]
    MixtureOfGaussians {
        /// The noise's standard deviation, from 2^-10 to 2^18.
        #[serde(deserialize_with = "noise_multiplier")]
        standard_deviation: f64,
        /// The sensitivities, none negative.
        sensitivities: Vec<f64>,
        /// The chance of each sensitivity; together 1.
        sampling_probs: Vec<f64>,
    },

    /// Something that no accountant can bound. It has no finite price.
    #[serde(rename = "NonPrivateDpEvent")]
    NonPrivate,

    /// The event applied to a sample that each unit joins independently.
    #[serde(rename = "PoissonSampledDpEvent")]
    PoissonSampled {
        /// The chance that a unit joins, above 0 and at most 1.
        #[serde(deserialize_with = "sampling_probability")]
        sampling_probability: f64,
        /// What is applied to the sample.
        event: Box<DpEvent>,
    },

    /// The same event, several times.
    #[serde(rename = "SelfComposedDpEvent")]
    SelfComposed {
        /// What is repeated.
        event: Box<DpEvent>,
        /// How often, at least once.
        #[serde(deserialize_with = "count")]
        count: u32,
    },
}

impl DpEvent {
    /// Returns the name of the event's kind, as files spell it.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Composed { .. } => "ComposedDpEvent",
            Self::DiscreteGaussian { .. } => "DiscreteGaussianDpEvent",
            Self::EpsilonDelta { .. } => "EpsilonDeltaDpEvent",
            Self::Gaussian { .. } => "GaussianDpEvent",
            Self::Laplace { .. } => "LaplaceDpEvent",
            Self::MixtureOfGaussians { .. } => "MixtureOfGaussiansDpEvent",
            Self::NonPrivate => "NonPrivateDpEvent",
            Self::PoissonSampled { .. } => "PoissonSampledDpEvent",
            Self::SelfComposed { .. } => "SelfComposedDpEvent",
        }
    }
}

/// Returns the probability if it is above 0 and at most 1.
pub(crate) fn valid_sampling_probability(value: f64) -> Result<f64, NumberError> {
    let (name, range) = ("sampling_probability", "above 0 and at most 1");
    if !value.is_finite() {
        Err(NumberError::NotFinite { name, range })
    } else if value > 0.0 && value <= 1.0 {
        Ok(value)
    } else {
        Err(NumberError::OutOfRange { name, range })
    }
}

fn epsilon<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
    Epsilon::deserialize(deserializer).map(Epsilon::value)
}

fn delta_or_none<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
    match f64::deserialize(deserializer)? {
        0.0 => Ok(0.0),
        delta => Delta::new(delta)
            .map(Delta::value)
            .map_err(serde::de::Error::custom),
    }
}

fn noise_multiplier<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
    NoiseMultiplier::deserialize(deserializer).map(NoiseMultiplier::value)
}

fn sampling_probability<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
    valid_sampling_probability(f64::deserialize(deserializer)?).map_err(serde::de::Error::custom)
}

fn count<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u32, D::Error> {
    StepCount::deserialize(deserializer).map(StepCount::value)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dp_sgd() -> DpEvent {
        DpEvent::SelfComposed {
            event: Box::new(DpEvent::PoissonSampled {
                sampling_probability: 0.01,
                event: Box::new(DpEvent::Gaussian {
                    noise_multiplier: 1.1,
                }),
            }),
            count: 1000,
        }
    }

    #[test]
    fn files_use_the_names_of_dp_accounting() {
        let text = serde_json::to_string(&dp_sgd()).expect("serialises");
        assert_eq!(
            text,
            r#"{"type":"SelfComposedDpEvent","event":{"type":"PoissonSampledDpEvent","sampling_probability":0.01,"event":{"type":"GaussianDpEvent","noise_multiplier":1.1}},"count":1000}"#
        );
    }

    #[test]
    fn every_kind_comes_back_from_a_file() {
        let event = DpEvent::Composed {
            events: vec![
                dp_sgd(),
                DpEvent::EpsilonDelta {
                    epsilon: 0.5,
                    delta: 0.0,
                },
                DpEvent::NonPrivate,
                DpEvent::Composed { events: Vec::new() },
            ],
        };
        let text = serde_json::to_string(&event).expect("serialises");
        for kind in [&event, &dp_sgd(), &DpEvent::NonPrivate].map(DpEvent::kind) {
            assert!(text.contains(kind), "{kind}");
        }
        assert_eq!(
            serde_json::from_str::<DpEvent>(&text).expect("valid"),
            event
        );
    }

    #[test]
    fn files_with_numbers_out_of_range_are_refused() {
        for refused in [
            r#"{"type":"GaussianDpEvent","noise_multiplier":0}"#,
            r#"{"type":"GaussianDpEvent","noise_multiplier":-1.0}"#,
            r#"{"type":"GaussianDpEvent","noise_multiplier":null}"#,
            r#"{"type":"GaussianDpEvent","noise_multiplier":1e300}"#,
            r#"{"type":"GaussianDpEvent"}"#,
            r#"{"type":"GaussianDpEvent","noise_multiplier":1.0,"extra":1}"#,
            r#"{"type":"PoissonSampledDpEvent","sampling_probability":0,"event":{"type":"GaussianDpEvent","noise_multiplier":1}}"#,
            r#"{"type":"PoissonSampledDpEvent","sampling_probability":1.5,"event":{"type":"GaussianDpEvent","noise_multiplier":1}}"#,
            r#"{"type":"SelfComposedDpEvent","event":{"type":"GaussianDpEvent","noise_multiplier":1},"count":0}"#,
            r#"{"type":"SelfComposedDpEvent","event":{"type":"GaussianDpEvent","noise_multiplier":0},"count":1}"#,
            r#"{"type":"EpsilonDeltaDpEvent","epsilon":0.0,"delta":0.0}"#,
            r#"{"type":"EpsilonDeltaDpEvent","epsilon":1.0,"delta":1.0}"#,
            r#"{"type":"EpsilonDeltaDpEvent","epsilon":1.0,"delta":-1e-9}"#,
            r#"{"type":"EpsilonDeltaDpEvent","epsilon":1.0}"#,
            r#"{"type":"LaplaceDpEvent","noise_multiplier":0.0}"#,
            r#"{"type":"DiscreteLaplaceDpEvent","noise_multiplier":1.0}"#,
        ] {
            assert!(
                serde_json::from_str::<DpEvent>(refused).is_err(),
                "{refused}"
            );
        }
    }
}
