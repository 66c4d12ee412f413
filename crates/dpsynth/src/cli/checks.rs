//! `dpsynth verify` and `dpsynth ledger verify`.

use std::fmt::Write;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::args::Verify;
use super::error::CliError;
use super::{Shown, print, print_json};
use crate::verify::{Check, Outcome, verify, verify_ledger};

/// Checks a release and prints every check.
pub(super) fn release(args: &Verify) -> Result<(), CliError> {
    expect_folder(&args.folder)?;
    let checks = verify(&args.folder, args.ledger.as_deref(), args.key.as_ref());
    if args.json {
        print_json(&ReleaseVerification {
            release: args.folder.display().to_string(),
            passed: !checks.iter().any(has_failed),
            checks: &checks,
        });
    } else {
        print(&lines(&checks));
    }
    outcome(&checks, "release")
}

/// Checks a ledger and the releases charged to it, and prints every check.
pub(super) fn ledger(path: &Path, releases: &[PathBuf], shown: Shown) -> Result<(), CliError> {
    for folder in releases {
        expect_folder(folder)?;
    }
    let checks = verify_ledger(path, releases)?;
    match shown {
        Shown::Text => print(&lines(&checks)),
        Shown::Json => print_json(&Verification {
            ledger: path.display().to_string(),
            passed: !checks.iter().any(has_failed),
            checks: &checks,
        }),
    }
    outcome(&checks, "ledger")
}

/// What `dpsynth verify --json` prints.
#[derive(Serialize)]
struct ReleaseVerification<'a> {
    release: String,
    passed: bool,
    checks: &'a [Check],
}

/// What `dpsynth ledger verify --json` prints.
#[derive(Serialize)]
struct Verification<'a> {
    ledger: String,
    passed: bool,
    checks: &'a [Check],
}

fn lines(checks: &[Check]) -> String {
    let mut text = String::new();
    for check in checks {
        // Writing to a string cannot fail.
        let _ = match &check.outcome {
            Outcome::Passed => writeln!(text, "  ok      {}", check.what),
            Outcome::Skipped { why } => writeln!(text, "  skipped {}: {why}", check.what),
            Outcome::Failed { why } => writeln!(text, "  FAILED  {}: {why}", check.what),
        };
    }
    text
}

fn has_failed(check: &Check) -> bool {
    matches!(check.outcome, Outcome::Failed { .. })
}

fn outcome(checks: &[Check], what: &'static str) -> Result<(), CliError> {
    if checks.iter().any(has_failed) {
        Err(CliError::VerificationFailed { what })
    } else {
        Ok(())
    }
}

fn expect_folder(folder: &Path) -> Result<(), CliError> {
    match std::fs::metadata(folder) {
        Ok(found) if found.is_dir() => Ok(()),
        Ok(_) => Err(CliError::io(folder, ErrorKind::NotADirectory.into())),
        Err(missing) => Err(CliError::io(folder, missing)),
    }
}
