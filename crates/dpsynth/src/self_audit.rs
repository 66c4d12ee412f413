//! The self test that every release runs before it charges anything, as its report tells of it.

use dpsynth_audit::{Audit, AuditError, Outcome, self_test_before_release};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use thiserror::Error;

/// What the self test found: it ran on data of its own, before the table was opened.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SelfAuditSection {
    /// Every check.
    pub checks: Vec<SelfAuditCheck>,
    /// Chance that a correct program is refused by it.
    pub false_alarm: f64,
    /// How long it took.
    pub seconds: f64,
    /// What a pass is worth.
    pub caution: String,
}

/// One check of the self test.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SelfAuditCheck {
    /// What was checked.
    pub name: String,
    /// What was measured.
    pub statistic: f64,
    /// What it may be at most.
    pub limit: f64,
    /// `passed`, or `not_run` where this machine has no temporary folder.
    pub outcome: String,
}

/// Why the self test refuses a release.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum SelfAuditError {
    /// It could not be carried out.
    #[error(transparent)]
    Audit(#[from] AuditError),
    /// It found something.
    #[error(
        "the self test found a fault ({check}), so nothing was charged and no data was read; see `dpsynth audit self`, and do not use this build or this machine"
    )]
    Found {
        /// The first check that did.
        check: String,
    },
    /// The operating system gives no random bits.
    #[error(
        "the operating system gave no random bytes for the self test; check its random device, then try again"
    )]
    NoSeed,
}

impl SelfAuditError {
    /// The codes of this family, without those of [`AuditError`].
    pub const CODES: &'static [&'static str] = &["DPS6011", "DPS6012"];

    /// The stable code of the diagnostic.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Audit(error) => error.code(),
            Self::Found { .. } => "DPS6011",
            Self::NoSeed => "DPS6012",
        }
    }
}

/// Runs the self test.
///
/// # Guarantee
/// It touches no private value: it is called before anything is charged or loaded.
///
/// # Errors
/// If it finds a fault, or cannot be carried out.
pub fn self_audit() -> Result<SelfAuditSection, SelfAuditError> {
    let mut seed = [0u8; 8];
    getrandom::fill(&mut seed).map_err(|_| SelfAuditError::NoSeed)?;
    section(&self_test_before_release(u64::from_le_bytes(seed))?)
}

fn section(audit: &Audit) -> Result<SelfAuditSection, SelfAuditError> {
    let found = |check: &&dpsynth_audit::Check| check.outcome == Outcome::Found;
    if let Some(check) = audit.checks.iter().find(found) {
        return Err(SelfAuditError::Found {
            check: check.name.clone(),
        });
    }
    Ok(SelfAuditSection {
        checks: audit
            .checks
            .iter()
            .map(|check| SelfAuditCheck {
                name: check.name.clone(),
                statistic: check.statistic,
                limit: check.limit,
                outcome: match check.outcome {
                    Outcome::NotRun => "not_run",
                    _ => "passed",
                }
                .to_owned(),
            })
            .collect(),
        false_alarm: audit.false_alarm,
        seconds: audit.seconds(),
        caution: audit.caution.clone(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_found_refuses_the_release() {
        let mut audit = self_test_before_release(3).expect("the core allows it");
        let passed = section(&audit).expect("nothing is found");
        assert_eq!(passed.checks.len(), audit.checks.len());
        assert!(passed.checks.iter().all(|check| check.outcome == "passed"));
        audit.checks[4].outcome = Outcome::Found;
        let refused = section(&audit).expect_err("a fault");
        assert_eq!(refused.code(), "DPS6011");
        assert!(refused.to_string().contains(&audit.checks[4].name));
    }
}
