//! The numbers that privacy rests on, each valid from the moment it exists.
//!
//! Every type is read from a file through the same constructor that the program uses, so a
//! number that is not finite, or out of range, cannot come back from disk. None of them has
//! arithmetic: adding two budgets is the accountant's work.

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// Why a privacy number was refused.
#[derive(Clone, Copy, Debug, Error, PartialEq)]
#[non_exhaustive]
pub enum NumberError {
    /// The number is NaN or infinite.
    #[error("`{name}` is not a finite number; give one {range}")]
    NotFinite {
        /// The number's name, as policies spell it.
        name: &'static str,
        /// The range that is accepted, in words.
        range: &'static str,
    },

    /// The number is finite and out of range.
    #[error("`{name}` is out of range; give a number {range}")]
    OutOfRange {
        /// The number's name, as policies spell it.
        name: &'static str,
        /// The range that is accepted, in words.
        range: &'static str,
    },
}

impl NumberError {
    /// The codes of all variants.
    pub const CODES: &'static [&'static str] = &["DPS0101", "DPS0102"];

    /// Returns the stable code of this error.
    pub fn code(&self) -> &'static str {
        match self {
            Self::NotFinite { .. } => "DPS0101",
            Self::OutOfRange { .. } => "DPS0102",
        }
    }
}

/// Declares a privacy number held as a float, with its name and its range.
macro_rules! float_number {
    ($(#[$docs:meta])* $type:ident, $name:literal, $range:literal, $accepts:expr) => {
        $(#[$docs])*
        #[derive(Clone, Copy, Debug, Deserialize, PartialEq, PartialOrd, Serialize)]
        #[serde(try_from = "f64", into = "f64")]
        pub struct $type(f64);

        impl $type {
            /// Returns the number if it is finite and in range.
            ///
            /// # Errors
            ///
            /// [`NumberError`] names the number and the accepted range.
            pub fn new(value: f64) -> Result<Self, NumberError> {
                let (name, range) = ($name, $range);
                if !value.is_finite() {
                    return Err(NumberError::NotFinite { name, range });
                }
                let accepts: fn(f64) -> bool = $accepts;
                if accepts(value) {
                    Ok(Self(value))
                } else {
                    Err(NumberError::OutOfRange { name, range })
                }
            }

            /// Returns the number.
            pub const fn value(self) -> f64 {
                self.0
            }
        }

        impl TryFrom<f64> for $type {
            type Error = NumberError;

            fn try_from(value: f64) -> Result<Self, NumberError> {
                Self::new(value)
            }
        }

        impl From<$type> for f64 {
            fn from(number: $type) -> f64 {
                number.0
            }
        }
    };
}

float_number!(
    /// The ε of (ε, δ)-differential privacy: above 0 and at most 10^6, dimensionless.
    Epsilon,
    "epsilon",
    "above 0 and at most 1000000",
    |value| value > 0.0 && value <= 1e6
);

float_number!(
    /// The δ of (ε, δ)-differential privacy: strictly between 0 and 1, dimensionless.
    Delta,
    "delta",
    "above 0 and below 1",
    |value| value > 0.0 && value < 1.0
);

float_number!(
    /// The standard deviation of Gaussian noise over the add-or-remove sensitivity of what it
    /// covers: from 2^-10 to 2^18, dimensionless: with more the noise would not fit 64-bit integers on the grid.
    NoiseMultiplier,
    "noise_multiplier",
    "from 2^-10 to 2^18",
    |value| (NoiseMultiplier::SMALLEST.0..=NoiseMultiplier::LARGEST.0).contains(&value)
);

impl NoiseMultiplier {
    /// The smallest accepted noise multiplier, 2^-10.
    pub const SMALLEST: Self = Self(1.0 / 1024.0);
    /// The largest accepted noise multiplier, 2^18.
    pub const LARGEST: Self = Self(262_144.0);
}

float_number!(
    /// The L2 norm that one privacy unit's contribution is clipped to: above 0 and at most
    /// 10^9, in the units of what is clipped.
    ClipNorm,
    "clip_norm",
    "above 0 and at most 1000000000",
    |value| value > 0.0 && value <= 1e9
);

float_number!(
    /// Which quantile: the share of the values below it, strictly between 0 and 1.
    QuantileLevel,
    "level",
    "above 0 and below 1",
    |value| value > 0.0 && value < 1.0
);

/// The chance that a privacy unit takes part in a step: a whole number of 2^-32nds, from one of
/// them to certainty.
///
/// The sampler compares 32 random bits with [`threshold`](Self::threshold) and the accountant
/// prices [`value`](Self::value): they are the same number.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(try_from = "StoredSamplingRate", into = "StoredSamplingRate")]
pub struct SamplingRate {
    threshold: u64,
}

impl SamplingRate {
    /// Returns the largest sampling rate that is at most `value`.
    ///
    /// # Errors
    ///
    /// [`NumberError`] where `value` is not a number from 2^-32 to 1.
    pub fn at_most(value: f64) -> Result<Self, NumberError> {
        if !value.is_finite() {
            return Err(NumberError::NotFinite {
                name: SAMPLING_RATE,
                range: SAMPLING_RATE_RANGE,
            });
        }
        let scaled = value * SAMPLING_RATE_ONE as f64;
        if !(1.0..=SAMPLING_RATE_ONE as f64).contains(&scaled) {
            return Err(NumberError::OutOfRange {
                name: SAMPLING_RATE,
                range: SAMPLING_RATE_RANGE,
            });
        }
        // Down: multiplying by a power of two is exact, and the cast drops the fraction.
        Self::from_threshold(scaled as u64)
    }

    /// Returns the sampling rate `threshold / 2^32`.
    ///
    /// # Errors
    ///
    /// [`NumberError`] where `threshold` is 0 or above 2^32.
    pub fn from_threshold(threshold: u64) -> Result<Self, NumberError> {
        if (1..=SAMPLING_RATE_ONE).contains(&threshold) {
            Ok(Self { threshold })
        } else {
            Err(NumberError::OutOfRange {
                name: SAMPLING_RATE,
                range: SAMPLING_RATE_RANGE,
            })
        }
    }

    /// Returns the rate times 2^32: a unit takes part when 32 random bits are below it.
    pub fn threshold(self) -> u64 {
        self.threshold
    }

    /// Returns the rate as a float, exactly.
    pub fn value(self) -> f64 {
        // OK because both numbers are integers below 2^53 and the divisor is a power of two.
        self.threshold as f64 / SAMPLING_RATE_ONE as f64
    }
}

const SAMPLING_RATE: &str = "sampling_rate";
const SAMPLING_RATE_RANGE: &str = "from 2^-32 to 1";
const SAMPLING_RATE_ONE: u64 = 1 << 32;

/// A sampling rate as files hold it.
#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct StoredSamplingRate {
    threshold: u64,
}

impl TryFrom<StoredSamplingRate> for SamplingRate {
    type Error = NumberError;

    fn try_from(stored: StoredSamplingRate) -> Result<Self, NumberError> {
        Self::from_threshold(stored.threshold)
    }
}

impl From<SamplingRate> for StoredSamplingRate {
    fn from(rate: SamplingRate) -> Self {
        Self {
            threshold: rate.threshold,
        }
    }
}

/// The number of steps of an iterative mechanism: from 1 to 2^32 - 1.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(try_from = "u32", into = "u32")]
pub struct StepCount(u32);

impl StepCount {
    /// Returns the count if there is at least one step.
    ///
    /// # Errors
    ///
    /// [`NumberError::OutOfRange`] where there is none.
    pub fn new(value: u32) -> Result<Self, NumberError> {
        if value == 0 {
            return Err(NumberError::OutOfRange {
                name: "steps",
                range: "from 1 to 4294967295",
            });
        }
        Ok(Self(value))
    }

    /// Returns the count.
    pub fn value(self) -> u32 {
        self.0
    }
}

impl TryFrom<u32> for StepCount {
    type Error = NumberError;

    fn try_from(value: u32) -> Result<Self, NumberError> {
        Self::new(value)
    }
}

impl From<StepCount> for u32 {
    fn from(steps: StepCount) -> u32 {
        steps.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn floats_accept_their_ends_and_refuse_the_rest() {
        assert!(Epsilon::new(1e6).is_ok());
        assert!(Epsilon::new(f64::MIN_POSITIVE).is_ok());
        assert!(Delta::new(0.999).is_ok());
        assert_eq!(
            NoiseMultiplier::new(1.0 / 1024.0),
            Ok(NoiseMultiplier::SMALLEST)
        );
        assert_eq!(
            NoiseMultiplier::new(262_144.0),
            Ok(NoiseMultiplier::LARGEST)
        );
        assert!(ClipNorm::new(1e9).is_ok());
        for refused in [0.0, -1.0, 1.1e9, f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
            assert!(Epsilon::new(refused).is_err(), "epsilon {refused}");
            assert!(Delta::new(refused).is_err(), "delta {refused}");
            assert!(
                NoiseMultiplier::new(refused).is_err(),
                "noise multiplier {refused}"
            );
            assert!(ClipNorm::new(refused).is_err(), "clip norm {refused}");
            assert!(
                SamplingRate::at_most(refused).is_err(),
                "sampling rate {refused}"
            );
        }
        assert!(Delta::new(1.0).is_err());
    }

    #[test]
    fn sampling_rate_rounds_down_and_is_exact() {
        let rate = SamplingRate::at_most(0.01).expect("0.01 is a rate");
        assert_eq!(rate.threshold(), 42_949_672);
        assert!(rate.value() <= 0.01);
        assert_eq!(rate.value() * 2f64.powi(32), 42_949_672.0);
        assert_eq!(SamplingRate::at_most(1.0).map(SamplingRate::value), Ok(1.0));
        assert!(SamplingRate::at_most(2f64.powi(-33)).is_err());
        assert!(SamplingRate::at_most(1.0f64.next_up()).is_err());
        assert!(SamplingRate::from_threshold(0).is_err());
        assert!(SamplingRate::from_threshold((1 << 32) + 1).is_err());
    }

    #[test]
    fn counts_start_at_one() {
        assert!(StepCount::new(0).is_err());
        assert!(StepCount::new(u32::MAX).is_ok());
    }

    #[test]
    fn files_pass_through_the_constructors() {
        assert!(serde_json::from_str::<Epsilon>("0.0").is_err());
        assert!(serde_json::from_str::<Epsilon>("-1").is_err());
        assert!(serde_json::from_str::<Delta>("1").is_err());
        assert!(serde_json::from_str::<NoiseMultiplier>("null").is_err());
        assert!(serde_json::from_str::<StepCount>("0").is_err());
        assert!(serde_json::from_str::<StepCount>("4294967296").is_err());
        assert!(serde_json::from_str::<SamplingRate>(r#"{"threshold":0}"#).is_err());
        assert!(serde_json::from_str::<SamplingRate>("0.5").is_err());

        let rate = SamplingRate::from_threshold(7).expect("7 is a threshold");
        assert_eq!(
            serde_json::to_string(&rate).expect("serialises"),
            r#"{"threshold":7}"#
        );
        let epsilon = Epsilon::new(0.1).expect("0.1 is an epsilon");
        assert_eq!(serde_json::to_string(&epsilon).expect("serialises"), "0.1");
    }

    #[test]
    fn messages_name_the_number_and_what_to_do() {
        let error = Epsilon::new(-1.0).expect_err("negative");
        assert_eq!(
            error.to_string(),
            "`epsilon` is out of range; give a number above 0 and at most 1000000"
        );
        assert_eq!(error.code(), "DPS0102");
        let error = Delta::new(f64::NAN).expect_err("NaN");
        assert_eq!(error.code(), "DPS0101");
        assert!(NumberError::CODES.contains(&error.code()));
    }
}
