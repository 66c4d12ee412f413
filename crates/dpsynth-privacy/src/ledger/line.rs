//! How records are written: one line of JSON each, hashed, chained and signed.
//!
//! A line ends in `,"hash":"…","signature":"…"}`. The hash is SHA-256 over the line without that
//! ending, closed again by `}`: in other words over the record's JSON without those two fields,
//! byte for byte as it stands in the file. `previous` is the hash of the line before, so that a
//! line cannot be changed, moved, added or taken out from between two others without rewriting
//! every line after it. The signature is ed25519 over the text `dpsynth ledger line ` and the
//! hash's 64 digits, by the key that the first line names, so that only its holder can rewrite.
//!
//! In a ledger from before keys lines end in `,"hash":"…"}`, until one of the kind `adopt`.

use serde::Deserialize;

use super::digest::Digest;
use super::error::LedgerError;
use super::flaw::Flaw;
use super::key::{LedgerKey, PublicKey, Signature, Statement};
use super::record::{Adopt, Entry, FORMAT_VERSION, Open, Record, UNSIGNED_VERSION};

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

/// Where in a chain lines are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    /// The number of lines before.
    pub(crate) records: u64,
    /// The hash of the last of them.
    pub(crate) head: Option<Digest>,
    /// The key that signs, once there is one.
    pub(crate) key: Option<PublicKey>,
}

impl Place {
    /// Before the first line.
    pub(crate) const START: Place = Place {
        records: 0,
        head: None,
        key: None,
    };

    fn after(self, record: &Record) -> Place {
        Place {
            records: self.records + 1,
            head: Some(record.hash),
            key: record.entry.key().or(self.key),
        }
    }
}

/// Lines taken apart.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Parsed {
    pub(crate) records: Vec<Record>,
    /// How many bytes the records take up.
    pub(crate) length: usize,
    pub(crate) tail: Tail,
    /// Where the next line belongs.
    pub(crate) next: Place,
}

/// Takes the lines at `place` apart and checks the form, hash, place and signature of each.
///
/// # Guarantee
/// Returns an error, or every record whose charge can have returned. What is left out is only
/// text after the last line end that is not a whole record: a line end is the last byte of a
/// write, and a charge returns after the write is on disk.
pub(crate) fn take_apart(bytes: &[u8], place: Place) -> Result<Parsed, LedgerError> {
    if bytes.len() as u64 > MAX_FILE_BYTES {
        return Err(LedgerError::FileTooLong);
    }
    let mut parsed = Parsed {
        records: Vec::new(),
        length: 0,
        tail: Tail::None,
        next: place,
    };
    for line in bytes.split_inclusive(|byte| *byte == b'\n') {
        let (text, ended) = match line.strip_suffix(b"\n") {
            Some(text) => (text, Ended::Yes),
            None => (line, Ended::No),
        };
        match decode(text, parsed.next) {
            Ok(record) => {
                parsed.next = parsed.next.after(&record);
                parsed.records.push(record);
                parsed.length += line.len();
                if ended == Ended::No {
                    parsed.tail = Tail::Unended;
                }
            }
            Err(_) if ended == Ended::No && is_cut(text, parsed.next) => parsed.tail = Tail::Torn,
            Err(error) => return Err(error),
        }
    }
    // Signatures take longest, so they are checked once everything else is sound.
    let mut at = place;
    for record in &parsed.records {
        at = at.after(record);
        check_signature(record, at)?;
    }
    Ok(parsed)
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Ended {
    Yes,
    No,
}

/// Checks that a line is signed where the ledger has a key; `at` is the place after it.
fn check_signature(record: &Record, at: Place) -> Result<(), LedgerError> {
    let flaw = match (&at.key, &record.signature) {
        (None, None) => return Ok(()),
        (None, Some(_)) => Flaw::SignatureUnexpected,
        (Some(_), None) => Flaw::SignatureMissing,
        (Some(key), Some(signature)) => {
            if Statement::Line(record.hash).is_signed(key, signature) {
                return Ok(());
            }
            Flaw::SignatureWrong
        }
    };
    Err(LedgerError::Corrupt {
        line: at.records,
        flaw,
    })
}

/// Writes `entry`, which belongs at `place`, as a line with its line end.
///
/// # Guarantee
/// The line is read back as the same record.
pub(crate) fn encode(
    entry: Entry,
    place: Place,
    key: Option<&LedgerKey>,
) -> Result<(String, Record), LedgerError> {
    let mut line = serde_json::to_string(&entry).map_err(|_| LedgerError::Unwritable)?;
    let hash = Digest::of(line.as_bytes());
    line.truncate(line.len() - 1);
    line.push_str(&format!("{HASH_STARTS}{hash}"));
    let signature = key.map(|key| key.sign(Statement::Line(hash)));
    if let Some(signature) = &signature {
        line.push_str(&format!("{SIGNATURE_STARTS}{signature}"));
    }
    line.push_str(ENDS);
    if line.len() > MAX_LINE_BYTES {
        return Err(LedgerError::ChargeTooLong);
    }
    let record = Record {
        entry,
        hash,
        signature,
    };
    let read = decode(line.as_bytes(), place).map_err(|_| LedgerError::Unwritable)?;
    if read != record {
        return Err(LedgerError::Unwritable);
    }
    check_signature(&record, place.after(&record)).map_err(|_| LedgerError::Unwritable)?;
    line.push('\n');
    Ok((line, record))
}

/// Reads a line, without its line end, that belongs at `place`; its signature is not checked.
fn decode(line: &[u8], place: Place) -> Result<Record, LedgerError> {
    let number = place.records + 1;
    let flawed = |flaw| LedgerError::Corrupt { line: number, flaw };
    if line.len() > MAX_LINE_BYTES {
        return Err(flawed(Flaw::LineTooLong));
    }
    let (body, hash, signature) = split(line).ok_or_else(|| flawed(Flaw::HashMissing))?;
    if Digest::of(&body) != hash {
        return Err(flawed(Flaw::HashWrong));
    }
    let entry: Entry = serde_json::from_slice(&body).map_err(|source| {
        // The first line of another version may have other fields.
        match serde_json::from_slice(&body) {
            Ok(Versioned { version }) if !is_known(version) => {
                LedgerError::VersionUnknown { version }
            }
            _ => LedgerError::RecordUnknown {
                line: number,
                source,
            },
        }
    })?;
    match (&entry, place.head) {
        (Entry::Open(Open { version, .. }), _) if !is_known(*version) => {
            return Err(LedgerError::VersionUnknown { version: *version });
        }
        (Entry::Adopt(Adopt { version, .. }), _) if *version != FORMAT_VERSION => {
            return Err(LedgerError::VersionUnknown { version: *version });
        }
        (Entry::Open(_), Some(_)) => return Err(flawed(Flaw::OpenRepeated)),
        (Entry::Open(open), None) if open.subject().is_none() => {
            return Err(flawed(Flaw::SubjectUnclear));
        }
        (Entry::Open(_), None) => {}
        (_, None) => return Err(flawed(Flaw::OpenMissing)),
        (Entry::Adopt(_), Some(_)) if place.key.is_some() => {
            return Err(flawed(Flaw::KeyRepeated));
        }
        (_, Some(_)) => {}
    }
    if entry.sequence() != place.records {
        return Err(flawed(Flaw::SequenceBroken));
    }
    if entry.previous() != place.head.unwrap_or(Digest::NONE) {
        return Err(flawed(Flaw::ChainBroken));
    }
    Ok(Record {
        entry,
        hash,
        signature,
    })
}

fn is_known(version: u32) -> bool {
    version == FORMAT_VERSION || version == UNSIGNED_VERSION
}

/// Splits a line into the bytes that were hashed, the hash, and the signature if there is one.
fn split(line: &[u8]) -> Option<(Vec<u8>, Digest, Option<Signature>)> {
    let text = str::from_utf8(line).ok()?.strip_suffix(ENDS)?;
    // OK because a part of a text is as long as its last bytes are.
    let (text, signature) = match text.len().checked_sub(SIGNATURE_STARTS.len() + 128) {
        Some(at) if text.as_bytes()[at..].starts_with(SIGNATURE_STARTS.as_bytes()) => {
            let digits = text.get(at + SIGNATURE_STARTS.len()..)?;
            (text.get(..at)?, Some(Signature::from_hex(digits)?))
        }
        _ => (text, None),
    };
    let at = text.len().checked_sub(HASH_STARTS.len() + 64)?;
    let digits = text.get(at..)?.strip_prefix(HASH_STARTS)?;
    let hash = Digest::from_hex(digits)?;
    let mut body = text.as_bytes()[..at].to_vec();
    body.push(b'}');
    Some((body, hash, signature))
}

/// Says whether `line` can be what a crash left of the write of the line at `place`: a line that
/// stops before its ending is whole. Anything else was written by another program, and a first
/// line that does not start like one was never a ledger.
fn is_cut(line: &[u8], place: Place) -> bool {
    // OK because JSON escapes the quotes in strings, so this text starts the hash or nothing.
    let starts = line
        .windows(HASH_STARTS.len())
        .position(|part| part == HASH_STARTS.as_bytes());
    let whole = starts.map_or(MAX_LINE_BYTES, |start| {
        let hashed = start + HASH_STARTS.len() + 64;
        match line.get(hashed) {
            Some(b'"') if line.get(hashed + 1) == Some(&b'}') => hashed + ENDS.len(),
            _ => hashed + SIGNATURE_STARTS.len() + 128 + ENDS.len(),
        }
    });
    let shared = line.len().min(OPENING.len());
    let opens = line[..shared] == OPENING.as_bytes()[..shared];
    line.len() < whole && (place.records > 0 || opens)
}

/// What every version of a first line has.
#[derive(Deserialize)]
struct Versioned {
    version: u32,
}

/// No line is longer; it bounds what one line can make a reader allocate.
pub(crate) const MAX_LINE_BYTES: usize = 1 << 20;
/// No file is longer.
pub(crate) const MAX_FILE_BYTES: u64 = 1 << 26;
const HASH_STARTS: &str = ",\"hash\":\"";
const SIGNATURE_STARTS: &str = "\",\"signature\":\"";
const ENDS: &str = "\"}";
/// How every first line starts; [`Entry::Open`] is serialised in the order of its fields.
const OPENING: &str = "{\"kind\":\"open\",\"version\":";
