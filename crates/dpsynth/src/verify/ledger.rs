//! The ledger: that it is whole, and that it holds the releases that were charged to it.

use std::path::{Path, PathBuf};

use dpsynth_privacy::ledger::{
    Audit, ChargeLine, CheckpointState, Digest, Ending, KeyState, LedgerError, Subject, audit,
};

use super::Check;
use super::files::read_text;
use super::stated::{Stated, Told};
use crate::folder::MANIFEST;

const CHARGE: &str = "the ledger holds the charge";
const COMMIT: &str = "the ledger names this release";
const WHOLE: &str = "the ledger holds all that its checkpoint knows of";

/// Checks the ledger at `path`, and that it holds the charge and the commit of each of `releases`.
///
/// # Errors
/// If the ledger cannot be read at all, or has a format that this version does not know. A ledger
/// that was read and is not sound is a failed check.
pub fn verify_ledger(path: &Path, releases: &[PathBuf]) -> Result<Vec<Check>, LedgerError> {
    const CHAIN: &str = "every line is whole, follows the one before, and costs what it says";
    let found = match audit(path) {
        Ok(found) => found,
        Err(
            error @ (LedgerError::Io { .. }
            | LedgerError::FileTooLong
            | LedgerError::RecordUnknown { .. }
            | LedgerError::Unpriceable { .. }
            | LedgerError::VersionUnknown { .. }),
        ) => return Err(error),
        Err(error) => return Ok(vec![Check::of(CHAIN, Err(error.to_string()))]),
    };
    let mut checks = vec![
        Check::of(CHAIN, Ok(())),
        signatures(&found),
        checkpoint(&found),
        key(&found),
        Check::of("the sums are within the caps", within_caps(&found)),
    ];
    if found.ending == Ending::Torn {
        checks.push(Check::skipped(
            "the part of a line at the end",
            "a write was cut before it returned; it is set aside at the next charge",
        ));
    }
    for folder in releases {
        for check in release(&found, folder) {
            checks.push(Check {
                what: format!("{}: {}", folder.display(), check.what),
                ..check
            });
        }
    }
    Ok(checks)
}

/// Checks that the ledger at `path`, if one is given, is sound and holds the release in `folder`.
pub(super) fn holds(path: Option<&Path>, folder: &Path, stated: &Stated<'_>) -> Vec<Check> {
    let Some(path) = path else {
        let why = "no ledger was given; name it with `--ledger`";
        return vec![Check::skipped(CHARGE, why), Check::skipped(COMMIT, why)];
    };
    match audit(path) {
        Ok(found) => {
            let mut checks = vec![checkpoint(&found)];
            checks.extend(held(&found, folder, stated));
            checks
        }
        Err(error) => vec![Check::of(CHARGE, Err(error.to_string()))],
    }
}

fn signatures(found: &Audit) -> Check {
    const SIGNED: &str = "every line is signed with the ledger's key";
    match (&found.summary.public_key, found.unsigned) {
        (Some(_), 0) => Check::of(SIGNED, Ok(())),
        (Some(_), lines) => Check::of(
            format!("every line after the first {lines}, which the owner vouched for, is signed"),
            Ok(()),
        ),
        (None, _) => Check::skipped(
            SIGNED,
            "the ledger is from before keys; vouch for it with `dpsynth ledger adopt`",
        ),
    }
}

fn checkpoint(found: &Audit) -> Check {
    match &found.checkpoint {
        Ok(CheckpointState::Behind(_)) => Check::of(WHOLE, Ok(())),
        Ok(CheckpointState::Absent) => Check::skipped(
            WHOLE,
            "there is no checkpoint beside it; only published releases can show that it was cut",
        ),
        Err(error) => Check::of(WHOLE, Err(error.to_string())),
    }
}

fn key(found: &Audit) -> Check {
    const KEY: &str = "the key beside the ledger is its own";
    match &found.key {
        KeyState::Own => Check::of(KEY, Ok(())),
        KeyState::Absent => {
            Check::skipped(KEY, "there is none, so the ledger cannot be charged here")
        }
        KeyState::Unusable { why } => Check::of(KEY, Err(why.clone())),
    }
}

fn within_caps(found: &Audit) -> Result<(), String> {
    let summary = &found.summary;
    // Written so that a number that is not one fails.
    let holds = summary.spent_epsilon <= summary.lifetime_epsilon.value()
        && summary.spent_delta <= summary.lifetime_delta.value();
    if holds {
        Ok(())
    } else {
        Err("more was spent than the ledger was opened for".to_owned())
    }
}

/// Checks a release against a ledger: its signature, its charge and its commit.
fn release(found: &Audit, folder: &Path) -> Vec<Check> {
    let mut checks = super::verify_files(folder);
    match Told::read(folder) {
        Ok(told) => checks.extend(held(found, folder, &told.stated())),
        Err(why) => checks.push(Check::of("report.json is a report", Err(why))),
    }
    checks
}

fn held(found: &Audit, folder: &Path, stated: &Stated<'_>) -> Vec<Check> {
    let line = charged(found, stated);
    let named = line.clone().and_then(|line| committed(line, folder));
    vec![
        Check::of(CHARGE, line.map(|_| ())),
        Check::of(COMMIT, named),
    ]
}

/// Where a report says that its charge is.
struct Place<'a> {
    ledger: &'a str,
    public_key: &'a str,
    head_hash: &'a str,
}

fn charged<'a>(found: &'a Audit, stated: &Stated<'_>) -> Result<&'a ChargeLine, String> {
    let summary = &found.summary;
    let section = stated.ledger.ok_or("the report names no charge")?;
    let place = match (&summary.subject, stated.universe) {
        (Subject::Dataset { name, .. }, _) if *name != stated.dataset => {
            return Err(format!("the ledger is that of the {}", summary.subject));
        }
        (Subject::Dataset { .. }, _) => Place {
            ledger: &section.ledger,
            public_key: &section.public_key,
            head_hash: &section.head_hash,
        },
        (Subject::Universe { .. }, Some(universe)) => Place {
            ledger: &universe.ledger,
            public_key: &universe.public_key,
            head_hash: &universe.head_hash,
        },
        (Subject::Universe { .. }, None) => {
            return Err("the release draws on no universe".to_owned());
        }
    };
    let key = summary.public_key.map(|key| key.to_string());
    if summary.id.to_string() != place.ledger || key.as_deref() != Some(place.public_key) {
        return Err("the report names another ledger, or one with another key".to_owned());
    }
    let head = Digest::from_hex(place.head_hash).ok_or("the report names no hash")?;
    let mut charges = summary.charges.iter();
    // The charge was the last line then, so its hash is that of everything up to it.
    let line = charges
        .find(|line| line.id.to_string() == section.charge)
        .filter(|line| found.had(head, line.sequence.saturating_add(1)))
        .ok_or("the ledger does not hold the charge of this release: it was cut, or made anew")?;
    if line.refunded_at.is_some() {
        return Err("the charge was handed back".to_owned());
    }
    let holds = line.mechanisms.iter().eq(stated.mechanisms.iter().copied())
        && Some(line.epsilon_spent) >= stated.epsilon_spent
        && line.delta_asked.value() == stated.delta
        && line.policy_sha256.to_string() == stated.policy_sha256
        && line.dataset.as_deref().unwrap_or(stated.dataset) == stated.dataset
        && line.unit.as_ref().unwrap_or(stated.unit) == stated.unit;
    if holds {
        Ok(line)
    } else {
        Err("the ledger's charge differs from the report".to_owned())
    }
}

fn committed(line: &ChargeLine, folder: &Path) -> Result<(), String> {
    let manifest = read_text(folder, MANIFEST)?;
    match &line.release {
        Some(release) if release.manifest_sha256 == Digest::of(manifest.as_bytes()) => Ok(()),
        Some(_) => Err("it names another manifest than that of this folder".to_owned()),
        None => Err("the charge was never committed to any release".to_owned()),
    }
}
