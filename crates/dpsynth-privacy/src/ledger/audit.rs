//! Everything that can be checked about a ledger without changing it.

use std::path::Path;

use super::book::Book;
use super::checkpoint::{Checkpoint, CheckpointState};
use super::digest::Digest;
use super::error::LedgerError;
use super::file;
use super::key::{self, KeyState};
use super::line::{Place, Tail, take_apart};
use super::record::Record;
use super::summary::{Caps, LedgerSummary};

/// A ledger that was read and found sound, but for what the fields say.
#[derive(Debug)]
pub struct Audit {
    /// What it says, under the caps that it was opened with.
    pub summary: LedgerSummary,
    /// Its lines.
    pub records: Vec<Record>,
    /// The number of lines before the first signed one: 0 in a ledger that always had a key.
    pub unsigned: u64,
    /// What the checkpoint beside it says.
    pub checkpoint: Result<CheckpointState, LedgerError>,
    /// Whether the key beside it is its own.
    pub key: KeyState,
    /// What follows the last whole line.
    pub ending: Ending,
}

/// What follows the last whole line of a ledger.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// Nothing.
    Whole,
    /// Part of a line, of a write that was cut before it returned; it is set aside when the ledger
    /// is opened for the next charge.
    Torn,
}

/// Reads the ledger at `path` and checks all of it: the form, hash, place and signature of every
/// line, the price of every charge, the checkpoint and the key beside it.
///
/// It takes no lock and changes nothing, so it can run beside a release.
///
/// # Errors
/// If the file cannot be read, any line is not what a ledger writes, or a recorded charge costs
/// more than was recorded. What is wrong with checkpoint and key is in the fields.
pub fn audit(path: &Path) -> Result<Audit, LedgerError> {
    let path = &file::resolved(path);
    // The checkpoint first: the ledger is read later, so it holds at least what that one knows.
    let checkpoint = Checkpoint::read(path);
    let parsed = take_apart(&file::read_unlocked(path)?, Place::START)?;
    let book = Book::replay(&parsed.records)?;
    let public = parsed.next.key;
    let checkpoint = match (checkpoint, &public) {
        (Ok(None), _) => Ok(CheckpointState::Absent),
        (Ok(Some(checkpoint)), Some(key)) => checkpoint
            .lines_since(path, book.open.id, key, &parsed.records)
            .map(CheckpointState::Behind),
        (Ok(Some(_)), None) => Err(LedgerError::Unsigned {
            path: path.to_owned(),
        }),
        (Err(error), _) => Err(error),
    };
    let unsigned = parsed.records.iter();
    Ok(Audit {
        summary: Caps::recorded(&book.open).summary(&book, public),
        unsigned: unsigned.filter(|record| record.signature.is_none()).count() as u64,
        checkpoint,
        key: public.map_or(KeyState::Absent, |public| key::state(path, &public)),
        ending: match parsed.tail {
            Tail::None | Tail::Unended => Ending::Whole,
            Tail::Torn => Ending::Torn,
        },
        records: parsed.records,
    })
}

impl Audit {
    /// Returns whether the ledger has ever had the hash `head` after so many lines.
    #[must_use]
    pub fn had(&self, head: Digest, lines: u64) -> bool {
        let last = lines.checked_sub(1).map(usize::try_from);
        let record = last
            .and_then(Result::ok)
            .and_then(|at| self.records.get(at));
        record.is_some_and(|record| record.hash == head)
    }
}
