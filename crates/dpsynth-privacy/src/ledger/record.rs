//! The records of a ledger file, and the hash chain that joins them.
//!
//! A record is one line of JSON that ends in `,"hash":"…"}`. The hash is SHA-256 over the line
//! without that ending, closed again by `}`: in other words over the record's JSON without the
//! field `hash`, byte for byte as it stands in the file. `previous` is the hash of the line
//! before, so that a line cannot be changed, moved, added or taken out from between two others
//! without rewriting every line after it. The last hash of a file is printed in each report,
//! which is how a rewritten or shortened file is found.

use serde::{Deserialize, Serialize};

use super::digest::{ChargeId, Digest, LedgerId};
use super::error::{Flaw, LedgerError};
use crate::event::DpEvent;
use crate::mechanism::Mechanism;
use crate::numbers::{Delta, Epsilon};
use crate::unit::{Adjacency, PrivacyUnit};

/// A line of the file whose hash and place in the chain have been checked.
#[derive(Clone, Debug, PartialEq)]
pub struct Record {
    /// What the line says.
    pub entry: Entry,
    /// The SHA-256 hash that the line ends in.
    pub hash: Digest,
}

/// What a line says.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Entry {
    /// The loss of one release, booked before its data is opened.
    Charge(Charge),
    /// The first line: whose ledger this is.
    Open(Open),
    /// A charge taken back because nothing that it paid for was ever started.
    Refund(Refund),
}

/// The first line: whose ledger this is, and what may be spent for life.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Open {
    /// The version of the file's format, [`FORMAT_VERSION`].
    pub version: u32,
    /// Always 0.
    pub sequence: u64,
    /// The name of the ledger, which ties every later line to this file.
    pub id: LedgerId,
    /// When the ledger was made, in seconds since 1970-01-01 UTC.
    pub at: i64,
    /// The name of the dataset.
    pub dataset: String,
    /// Whose participation every charge hides.
    pub unit: PrivacyUnit,
    /// What it means to take part.
    pub adjacency: Adjacency,
    /// The most epsilon that all charges together may spend.
    pub lifetime_epsilon: Epsilon,
    /// The most delta that all charges together may spend.
    pub lifetime_delta: Delta,
    /// 64 zeros.
    pub previous: Digest,
}

/// The loss of one release.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Charge {
    /// The number of lines before this one.
    pub sequence: u64,
    /// When the charge was made, in seconds since 1970-01-01 UTC.
    pub at: i64,
    /// The name of the charge.
    pub id: ChargeId,
    /// What the charge is for, such as `release`.
    pub purpose: String,
    /// The hash of the policy under which it was made.
    pub policy_sha256: Digest,
    /// The most epsilon that the release was allowed.
    pub epsilon_asked: Epsilon,
    /// The delta at which the loss was bounded, all of which counts as spent.
    pub delta_asked: Delta,
    /// The accountant's upper bound on epsilon at that delta.
    pub epsilon_spent: f64,
    /// Every mechanism that the charge pays for.
    pub mechanisms: Vec<Mechanism>,
    /// The mechanisms as the accountant sees them, in sequence.
    pub event: DpEvent,
    /// The hash of the line before.
    pub previous: Digest,
}

/// A charge taken back.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Refund {
    /// The number of lines before this one.
    pub sequence: u64,
    /// When the charge was taken back, in seconds since 1970-01-01 UTC.
    pub at: i64,
    /// The name of the charge.
    pub charge: ChargeId,
    /// The hash of the line before.
    pub previous: Digest,
}

impl Entry {
    fn sequence(&self) -> u64 {
        match self {
            Entry::Charge(charge) => charge.sequence,
            Entry::Open(open) => open.sequence,
            Entry::Refund(refund) => refund.sequence,
        }
    }

    fn previous(&self) -> Digest {
        match self {
            Entry::Charge(charge) => charge.previous,
            Entry::Open(open) => open.previous,
            Entry::Refund(refund) => refund.previous,
        }
    }
}

/// What follows the last line end of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tail {
    /// Nothing: the file was written to its end.
    None,
    /// Part of a record: the write of a charge was cut before the charge returned.
    Torn,
    /// A whole, valid record that lacks only its line end; it counts.
    Unended,
}

/// A file taken apart.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Parsed {
    pub(crate) records: Vec<Record>,
    /// How many bytes the records take up.
    pub(crate) length: usize,
    pub(crate) tail: Tail,
}

/// Takes a ledger file apart and checks every line's form, hash and place in the chain.
///
/// # Guarantee
/// Returns an error, or every record whose charge can have returned. What is left out is only
/// text after the last line end that is not a whole record: a line end is the last byte of a
/// write, and a charge returns after the write is on disk.
pub(crate) fn take_apart(bytes: &[u8]) -> Result<Parsed, LedgerError> {
    if bytes.len() as u64 > MAX_FILE_BYTES {
        return Err(LedgerError::FileTooLong);
    }
    let mut parsed = Parsed {
        records: Vec::new(),
        length: 0,
        tail: Tail::None,
    };
    for line in bytes.split_inclusive(|byte| *byte == b'\n') {
        let number = parsed.records.len() as u64 + 1;
        let head = parsed.records.last().map(|record| record.hash);
        let Some(text) = line.strip_suffix(b"\n") else {
            match decode(line, number, head) {
                Ok(record) => {
                    parsed.records.push(record);
                    parsed.length += line.len();
                    parsed.tail = Tail::Unended;
                }
                Err(_) if is_cut(line, number) => parsed.tail = Tail::Torn,
                Err(error) => return Err(error),
            }
            break;
        };
        let record = decode(text, number, head)?;
        parsed.records.push(record);
        parsed.length += line.len();
    }
    Ok(parsed)
}

/// Writes `entry`, which follows the line with hash `head`, as a line with its line end.
///
/// # Guarantee
/// The line is read back as the same record.
pub(crate) fn encode(entry: Entry, head: Option<Digest>) -> Result<(String, Record), LedgerError> {
    let mut line = serde_json::to_string(&entry).map_err(|_| LedgerError::Unwritable)?;
    let hash = Digest::of(line.as_bytes());
    line.truncate(line.len() - 1);
    line.push_str(&format!("{HASH_STARTS}{hash}{HASH_ENDS}"));
    if line.len() > MAX_LINE_BYTES {
        return Err(LedgerError::ChargeTooLong);
    }
    let record = Record { entry, hash };
    match decode(
        line.as_bytes(),
        record.entry.sequence().saturating_add(1),
        head,
    ) {
        Ok(read) if read == record => {}
        Ok(_) | Err(_) => return Err(LedgerError::Unwritable),
    }
    line.push('\n');
    Ok((line, record))
}

/// Reads the line `number` (from 1), without its line end, that follows the one with hash `head`.
fn decode(line: &[u8], number: u64, head: Option<Digest>) -> Result<Record, LedgerError> {
    let flawed = |flaw| LedgerError::Corrupt { line: number, flaw };
    if line.len() > MAX_LINE_BYTES {
        return Err(flawed(Flaw::LineTooLong));
    }
    let (body, hash) = split_hash(line).ok_or_else(|| flawed(Flaw::HashMissing))?;
    if Digest::of(&body) != hash {
        return Err(flawed(Flaw::HashWrong));
    }
    let entry: Entry = serde_json::from_slice(&body).map_err(|source| {
        // The first line of another version may have other fields.
        match serde_json::from_slice(&body) {
            Ok(Versioned { version }) if version != FORMAT_VERSION => {
                LedgerError::VersionUnknown { version }
            }
            _ => LedgerError::RecordUnknown {
                line: number,
                source,
            },
        }
    })?;
    match (&entry, head) {
        (Entry::Open(Open { version, .. }), _) if *version != FORMAT_VERSION => {
            return Err(LedgerError::VersionUnknown { version: *version });
        }
        (Entry::Open(_), Some(_)) => return Err(flawed(Flaw::OpenRepeated)),
        (Entry::Charge(_) | Entry::Refund(_), None) => return Err(flawed(Flaw::OpenMissing)),
        (Entry::Open(_), None) | (Entry::Charge(_) | Entry::Refund(_), Some(_)) => {}
    }
    if entry.sequence() != number - 1 {
        return Err(flawed(Flaw::SequenceBroken));
    }
    if entry.previous() != head.unwrap_or(Digest::NONE) {
        return Err(flawed(Flaw::ChainBroken));
    }
    Ok(Record { entry, hash })
}

/// Splits a line into the bytes that were hashed and the hash.
fn split_hash(line: &[u8]) -> Option<(Vec<u8>, Digest)> {
    let (body, ending) = line.split_at(line.len().checked_sub(ENDING)?);
    let digits = ending
        .strip_prefix(HASH_STARTS.as_bytes())?
        .strip_suffix(HASH_ENDS.as_bytes())?;
    let hash = Digest::from_hex(str::from_utf8(digits).ok()?)?;
    let mut body = body.to_vec();
    body.push(b'}');
    Some((body, hash))
}

/// Says whether `line` can be what a crash left of the write of line `number`: a line that stops
/// before its hash is whole. Anything else was written by another program, and a first line that
/// does not start like one was never a ledger.
fn is_cut(line: &[u8], number: u64) -> bool {
    // OK because JSON escapes the quotes in strings, so this text starts the hash or nothing.
    let starts = line
        .windows(HASH_STARTS.len())
        .position(|part| part == HASH_STARTS.as_bytes());
    let whole = starts.map_or(MAX_LINE_BYTES, |start| start + ENDING);
    let shared = line.len().min(OPENING.len());
    let opens = line[..shared] == OPENING.as_bytes()[..shared];
    line.len() < whole && (number > 1 || opens)
}

/// What every version of a first line has.
#[derive(Deserialize)]
struct Versioned {
    version: u32,
}

/// The version of the file's format that this build reads and writes.
pub const FORMAT_VERSION: u32 = 1;
/// No line is longer; it bounds what one line can make a reader allocate.
pub(crate) const MAX_LINE_BYTES: usize = 1 << 20;
/// No file is longer.
pub(crate) const MAX_FILE_BYTES: u64 = 1 << 26;
const HASH_STARTS: &str = ",\"hash\":\"";
const HASH_DIGITS: usize = 64;
const HASH_ENDS: &str = "\"}";
const ENDING: usize = HASH_STARTS.len() + HASH_DIGITS + HASH_ENDS.len();
/// How every first line starts; [`Entry::Open`] is serialised in the order of its fields.
const OPENING: &str = "{\"kind\":\"open\",\"version\":";
