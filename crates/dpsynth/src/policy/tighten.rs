//! Flags may only tighten what a policy allows.

use dpsynth_privacy::{Delta, Epsilon, PrivacyUnit};
use dpsynth_table::Format;
use thiserror::Error;

use super::head::figure;
use super::{ExpectedUnits, MAX_ROWS, Policy};

/// What a single release asks for, after policy and flags.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Tightened {
    /// The most epsilon that the release may spend.
    pub epsilon: Epsilon,
    /// The most delta that the release may spend.
    pub delta: Delta,
    /// How many rows to write; `None` waits for the noisy counts of the release.
    pub rows: Option<u64>,
    /// The format to write, or `None` for that of the input.
    pub format: Option<Format>,
}

impl Policy {
    /// Returns what a release asks for when flags are laid over the policy.
    ///
    /// Rows and format are post-processing and may differ freely from the policy.
    ///
    /// # Guarantee
    /// The epsilon and delta returned are at most those that the policy allows for one release, as
    /// the test `flags_only_tighten` checks.
    ///
    /// # Errors
    /// Refuses an epsilon or a delta above that of the policy, and a number of rows that is zero or
    /// above [`MAX_ROWS`].
    pub fn tighten(
        &self,
        epsilon: Option<Epsilon>,
        delta: Option<Delta>,
        rows: Option<u64>,
        format: Option<Format>,
    ) -> Result<Tightened, PolicyError> {
        let allowed = self.privacy.epsilon_per_release;
        let epsilon = epsilon.unwrap_or(allowed);
        if epsilon.value() > allowed.value() {
            return Err(PolicyError::EpsilonAbovePolicy {
                asked: epsilon.value(),
                allowed: allowed.value(),
            });
        }
        let allowed = self.privacy.delta_per_release;
        let delta = delta.unwrap_or(allowed);
        if delta.value() > allowed.value() {
            return Err(PolicyError::DeltaAbovePolicy {
                asked: delta.value(),
                allowed: allowed.value(),
            });
        }
        // How many rows people have together is private, so the number of people does not tell it.
        let expected = match (&self.privacy.unit, self.privacy.expected_units) {
            (PrivacyUnit::Row, ExpectedUnits::Public(units)) => Some(units),
            (PrivacyUnit::User { .. }, _) | (_, ExpectedUnits::Count) => None,
        };
        let rows = rows.or(self.output.rows).or(expected);
        match rows {
            Some(rows) if !(1..=MAX_ROWS).contains(&rows) => {
                return Err(PolicyError::Rows { asked: rows });
            }
            _ => {}
        }
        Ok(Tightened {
            epsilon,
            delta,
            rows,
            format: format.or(self.output.format),
        })
    }
}

/// What a policy does not allow a release to ask for.
#[derive(Clone, Debug, PartialEq, Error)]
#[non_exhaustive]
pub enum PolicyError {
    /// More epsilon than the policy allows for one release.
    #[error(
        "`--epsilon {}` is more than the {} that the policy allows for one release; ask for `--epsilon {}` or less",
        figure(*.asked), figure(*.allowed), figure(*.allowed)
    )]
    EpsilonAbovePolicy {
        /// What was asked for.
        asked: f64,
        /// What the policy allows.
        allowed: f64,
    },
    /// More delta than the policy allows for one release.
    #[error(
        "`--delta {}` is more than the {} that the policy allows for one release; ask for `--delta {}` or less",
        figure(*.asked), figure(*.allowed), figure(*.allowed)
    )]
    DeltaAbovePolicy {
        /// What was asked for.
        asked: f64,
        /// What the policy allows.
        allowed: f64,
    },
    /// No rows, or too many.
    #[error("`--rows {asked}` cannot be delivered; ask for 1 to {MAX_ROWS} rows")]
    Rows {
        /// What was asked for.
        asked: u64,
    },
}

impl PolicyError {
    /// Every code that [`PolicyError::code`] can return.
    pub const CODES: &'static [&'static str] = &["DPS4050", "DPS4051", "DPS4052"];

    /// Returns the stable code of the diagnostic.
    pub fn code(&self) -> &'static str {
        match self {
            Self::EpsilonAbovePolicy { .. } => "DPS4050",
            Self::DeltaAbovePolicy { .. } => "DPS4051",
            Self::Rows { .. } => "DPS4052",
        }
    }
}
