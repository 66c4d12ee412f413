//! Negative controls: the audits, compiled against a copy of the core with known faults, must find
//! every one of them, and nothing in the copy without a fault.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use dpsynth_audit::{attack, statistics};
use dpsynth_faults as privacy;

/// The same source as in the library, against the copy of the core.
#[allow(
    dead_code,
    unreachable_pub,
    unused_imports,
    reason = "in the library these are public"
)]
#[path = "../../src/probes/mod.rs"]
mod probes;

mod error {
    pub(crate) use dpsynth_audit::AuditError;
}

mod outcome {
    pub(crate) use dpsynth_audit::{Check, Outcome, Watch};
}

mod core_faults;
mod pipelines;
mod table;

use attack::{Effort, Subject, attack as attack_on};
use dpsynth_audit::{AuditError, Check, FALSE_ALARM, Outcome};

/// Attacks a subject with as many runs as a test has time for.
fn attacked(subject: &dyn Subject, runs: usize) -> Result<Vec<Check>, AuditError> {
    let effort = Effort {
        runs,
        false_alarm: FALSE_ALARM,
        seed: 3,
    };
    Ok(vec![attack_on(subject, effort)?])
}

/// The checks that found something, by name.
fn found(checks: &[Check]) -> Vec<&str> {
    checks
        .iter()
        .filter(|check| check.outcome == Outcome::Found)
        .map(|check| check.name.as_str())
        .collect()
}
