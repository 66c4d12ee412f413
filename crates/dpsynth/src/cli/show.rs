//! `dpsynth verify` and `dpsynth ledger show`.

use std::fmt::Write;
use std::path::Path;

use dpsynth_privacy::ledger::{self, LedgerSummary};

use super::args::Verify;
use super::error::CliError;
use super::{print, read_policy};
use crate::report::{delta_text, epsilon_down, epsilon_up};
use crate::verify::{Outcome, verify as run_checks};

/// Checks a release and prints every check.
pub(super) fn verify(args: &Verify) -> Result<(), CliError> {
    if !args.folder.is_dir() {
        let missing = std::io::Error::from(std::io::ErrorKind::NotFound);
        return Err(CliError::io(&args.folder, missing));
    }
    let checks = run_checks(&args.folder, args.ledger.as_deref());
    let mut text = String::new();
    let mut failed = false;
    for check in &checks {
        // Writing to a string cannot fail.
        let _ = match &check.outcome {
            Outcome::Passed => writeln!(text, "  ok      {}", check.what),
            Outcome::Skipped { why } => writeln!(text, "  skipped {}: {why}", check.what),
            Outcome::Failed { why } => {
                failed = true;
                writeln!(text, "  FAILED  {}: {why}", check.what)
            }
        };
    }
    print(&text);
    if failed {
        Err(CliError::VerificationFailed)
    } else {
        Ok(())
    }
}

/// Prints what a ledger says.
pub(super) fn ledger(path: Option<&Path>, policy: &Path) -> Result<(), CliError> {
    let path = match path {
        Some(path) => path.to_owned(),
        None => read_policy(policy)?.dataset.ledger_beside(policy),
    };
    print(&describe(&ledger::read(&path)?));
    Ok(())
}

fn describe(summary: &LedgerSummary) -> String {
    let mut text = String::new();
    // Writing to a string cannot fail.
    let _ = writeln!(text, "Ledger of `{}`\n", summary.dataset);
    let _ = writeln!(
        text,
        "  epsilon   {} spent of {}, {} remains",
        epsilon_up(summary.spent_epsilon),
        summary.lifetime_epsilon.value(),
        epsilon_down(summary.remaining_epsilon)
    );
    let _ = writeln!(
        text,
        "  delta     {} spent of {}, {} remains\n",
        delta_text(summary.spent_delta),
        delta_text(summary.lifetime_delta.value()),
        delta_text(summary.remaining_delta)
    );
    let _ = writeln!(
        text,
        "  {:>6}  {:<20}  {:>10}  {:>8}  {:<10}  charge",
        "record", "time (UTC)", "epsilon", "delta", "for"
    );
    for line in &summary.charges {
        let time = chrono::DateTime::from_timestamp(line.at, 0).map_or_else(
            || line.at.to_string(),
            |time| time.format("%Y-%m-%d %H:%M:%S").to_string(),
        );
        let state = if line.refunded_at.is_some() {
            "  handed back unused: counts for nothing"
        } else {
            ""
        };
        let _ = writeln!(
            text,
            "  {:>6}  {time:<20}  {:>10}  {:>8e}  {:<10}  {}{state}",
            line.sequence,
            epsilon_up(line.epsilon_spent),
            line.delta_asked.value(),
            line.purpose,
            line.id
        );
    }
    let _ = writeln!(text, "\n  last hash {}", summary.head_hash);
    text
}
