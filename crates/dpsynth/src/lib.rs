//! One command from a policy and a table to a folder that may be published, with a report that
//! an auditor can recompute.
//!
//! This crate holds the policy, the plan, the straight line of a release, the report and the
//! command line. It adds no noise and opens no private value: that is `dpsynth-privacy`'s part.
//!
//! ```text
//! Policy ─▶ ReleasePlan ─▶ Ledger::reserve ─▶ Private::load ─▶ measure, train ─▶ Released<Generator>
//!                                                  sample ─▶ enforce ─▶ report ─▶ folder
//! ```

#![forbid(unsafe_code)]

pub mod audits;
pub mod cli;
pub mod diagnostic;
pub mod figures;
pub mod folder;
pub mod import;
mod learn;
pub mod model_notes;
pub mod plan;
pub mod policy;
pub mod quality;
pub mod readings;
pub mod release;
pub mod report;
pub mod self_audit;
pub mod synthesise;
pub mod verify;
