//! Attacks on dpsynth's own claim. It looks for faults of the core as it was built: known answers and
//! distributions, worst-case neighbours, canaries in training, and attacks on a released table.
//!
//! It does not prove anything: every result states what the check would find, and with what
//! chance a correct program is found as well. It reads no file and knows no schema.
//!
//! ```text
//! self test   accountants, noise, sampler, ledger, generator against known answers and laws
//! mechanism   run on two neighbouring data sets ─▶ scores ─▶ lower bound on ε   (attack)
//! training    canaries in one run ─▶ guesses ─▶ lower bound on ε                (training)
//! release     singling out, linkability, inference, membership, against a control (release)
//! ```
//!
//! | type | what it is |
//! |---|---|
//! | [`Audit`], [`Check`] | what an audit reports |
//! | [`attack::Subject`] | a mechanism on its worst neighbours |
//! | [`attack::Scores`] | outputs of two worlds, and the lower bound that they give |
//!
//! [`mod@probes`] is all that touches the core. It names the core `crate::privacy`, so that the tests
//! compile the same checks against a copy of the core with known faults.

#![forbid(unsafe_code)]

use dpsynth_privacy as privacy;

pub mod attack;
pub mod probes;
pub mod release;
pub mod statistics;
pub mod training;

mod audits;
mod error;
mod independence;
mod outcome;

pub use audits::{FALSE_ALARM, MechanismAudit, mechanisms, self_test, self_test_before_release};
pub use error::AuditError;
pub use independence::rows_are_independent;
pub use outcome::{Audit, Bounds, Check, Level, Outcome, Watch};
