//! One ledger file: locked for each write, and read again before it.

use std::path::PathBuf;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::COMMIT_PATIENCE;
use super::book::Book;
use super::charge::{Booking, ChargeRequest};
use super::checkpoint::Checkpoint;
use super::digest::{ChargeId, Digest};
use super::error::LedgerError;
use super::file::{Absent, LockedFile};
use super::key::{LedgerKey, Statement};
use super::line::{Parsed, Place, Tail, encode, take_apart};
use super::outlook::Prospect;
use super::record::{Charge, Commit, Entry, Refund};
use super::summary::{Caps, LedgerSummary};
use crate::event::DpEvent;
use crate::unit::PrivacyUnit;

/// One ledger file, under the terms of a policy. Between two writes other processes may write.
#[derive(Debug)]
pub(crate) struct Account {
    pub(super) path: PathBuf,
    pub(super) book: Book,
    pub(super) caps: Caps,
    pub(super) key: LedgerKey,
    pub(super) known: Known,
    pub(super) state: State,
    pub(super) patience: Duration,
}

/// The part of the file that this process has read and checked.
#[derive(Clone, Copy, Debug)]
pub(super) struct Known {
    length: usize,
    sha256: Digest,
    next: Place,
}

/// Whether what is on disk is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    Sound,
    Poisoned,
}

/// What a charge to an account costs, and of what.
#[derive(Clone, Debug)]
pub(crate) struct Cost {
    pub(crate) event: DpEvent,
    pub(crate) price: f64,
}

impl Account {
    pub(crate) fn summary(&self) -> LedgerSummary {
        self.caps.summary(&self.book, self.known.next.key)
    }

    pub(crate) fn book(&self) -> &Book {
        &self.book
    }

    /// Signs what a commit names.
    pub(crate) fn sign(&self, statement: Statement<'_>) -> super::Signature {
        self.key.sign(statement)
    }

    /// Writes a charge of `cost` and returns its place.
    ///
    /// # Guarantee
    /// Returns an error, or the place of a charge that is on disk and, together with all charges
    /// that stand there, whoever wrote them, is within the caps.
    pub(crate) fn reserve(
        &mut self,
        id: ChargeId,
        cost: &Cost,
        request: &ChargeRequest,
        data: Option<(&str, &PrivacyUnit)>,
    ) -> Result<Booking, LedgerError> {
        let (mut file, bytes) = self.lock(self.patience)?;
        self.check_caps(cost, request)?;
        let before = self.summary();
        let sequence = self.book.records;
        let charge = Charge {
            sequence,
            at: now(),
            id,
            dataset: data.map(|(name, _)| name.to_owned()),
            unit: data.map(|(_, unit)| unit.clone()),
            purpose: request.purpose.clone(),
            policy_sha256: request.policy_sha256,
            epsilon_asked: request.epsilon,
            delta_asked: request.delta,
            epsilon_spent: cost.price,
            mechanisms: request.mechanisms.clone(),
            event: cost.event.clone(),
            previous: self.book.head,
        };
        self.append(&mut file, &bytes, Entry::Charge(charge))?;
        Ok(Booking {
            sequence,
            before,
            after: self.summary(),
        })
    }

    /// Takes the charge `id` back. The caller vouches that nothing of it was, or ever will be, run.
    pub(crate) fn refund(&mut self, id: &ChargeId) -> Result<(), LedgerError> {
        let (mut file, bytes) = self.lock(self.patience)?;
        let refund = Refund {
            at: self.charged_at(id)?,
            sequence: self.book.records,
            charge: *id,
            previous: self.book.head,
        };
        self.append(&mut file, &bytes, Entry::Refund(refund))
    }

    /// Records what the charge `id` was used for.
    pub(crate) fn commit(
        &mut self,
        id: &ChargeId,
        manifest_sha256: Digest,
    ) -> Result<(), LedgerError> {
        // What was paid for would be lost, so a commit has more patience than a charge.
        let (mut file, bytes) = self.lock(self.patience * COMMIT_PATIENCE)?;
        let commit = Commit {
            at: self.charged_at(id)?,
            sequence: self.book.records,
            charge: *id,
            manifest_sha256,
            previous: self.book.head,
        };
        self.append(&mut file, &bytes, Entry::Commit(commit))
    }

    /// Refuses a charge that the caps leave no room for, as far as this process knows the file.
    pub(crate) fn check_caps(
        &self,
        cost: &Cost,
        request: &ChargeRequest,
    ) -> Result<(), LedgerError> {
        let asked = Prospect {
            epsilon_spent: cost.price,
            epsilon: request.epsilon,
            delta: request.delta,
        };
        let left = self.caps.remaining(&self.book);
        self.caps.admit(&self.book.subject, left, asked)
    }

    /// Returns when the charge `id` was made, if it has been neither refunded nor committed. The lines
    /// that say what became of it bear the same time, because how long a run took depends on the table.
    fn charged_at(&mut self, id: &ChargeId) -> Result<i64, LedgerError> {
        let booked = (self.book.reserved(id)).ok_or(LedgerError::ChargeUnknown { id: *id })?;
        Ok(booked.charge.at)
    }

    /// Locks the file, waiting at most `patience`, and takes in what others wrote since this process
    /// last read it.
    ///
    /// # Guarantee
    /// Returns an error, or the lock with a book that says what the file says. Everything that
    /// this process ever read of the file is still there, byte for byte.
    fn lock(&mut self, patience: Duration) -> Result<(LockedFile, Vec<u8>), LedgerError> {
        if self.state == State::Poisoned {
            return Err(LedgerError::Poisoned);
        }
        let mut file = LockedFile::lock(&self.path, Absent::Replaced, patience)?;
        let mut bytes = file.read()?;
        let unchanged = bytes
            .get(..self.known.length)
            .is_some_and(|known| Digest::of(known) == self.known.sha256);
        if !unchanged {
            return Err(LedgerError::FileReplaced {
                path: self.path.clone(),
            });
        }
        let new = take_apart(&bytes[self.known.length..], self.known.next)?;
        let mut book = self.book.clone();
        book.extend(&new.records)?;
        let parsed = Parsed {
            length: self.known.length + new.length,
            ..new
        };
        self.known = repair(&mut file, &bytes, &parsed)?;
        self.book = book;
        bytes.truncate(parsed.length);
        if parsed.tail == Tail::Unended {
            bytes.push(b'\n');
        }
        Ok((file, bytes))
    }

    /// Writes `entry` after `bytes`, once it is certain that it can be read back and fits the book.
    fn append(
        &mut self,
        file: &mut LockedFile,
        bytes: &[u8],
        entry: Entry,
    ) -> Result<(), LedgerError> {
        let (line, record) = encode(entry, self.known.next, Some(&self.key))?;
        let mut book = self.book.clone();
        // OK because the caller made the entry to fit; if it did not, nothing has been written.
        book.enter(&record).map_err(|_| LedgerError::Unwritable)?;
        let next = Place {
            records: book.records,
            head: Some(book.head),
            key: self.known.next.key,
        };
        // From here on the write may have happened, whatever is returned.
        self.state = State::Poisoned;
        file.append(&line)?;
        self.book = book;
        self.known = self.known.with(bytes, &line, next);
        self.write_checkpoint()?;
        self.state = State::Sound;
        Ok(())
    }

    /// Writes how long the ledger is now. The caller holds the lock.
    pub(super) fn write_checkpoint(&self) -> Result<(), LedgerError> {
        Checkpoint::write(
            &self.path,
            self.book.open.id,
            self.book.records,
            self.book.head,
            &self.key,
        )
    }
}

impl Known {
    /// Returns what is known after `line` was written after `bytes`, up to `next`.
    pub(super) fn with(self, bytes: &[u8], line: &str, next: Place) -> Known {
        let whole = [bytes, line.as_bytes()].concat();
        Known {
            length: whole.len(),
            sha256: Digest::of(&whole),
            next,
        }
    }
}

/// Brings the end of a file in order: what a crash cut is set aside, and a missing line end added.
pub(super) fn repair(
    file: &mut LockedFile,
    bytes: &[u8],
    parsed: &Parsed,
) -> Result<Known, LedgerError> {
    let whole = &bytes[..parsed.length];
    let ending = match parsed.tail {
        Tail::None => "",
        Tail::Torn => {
            file.set_torn_aside(bytes, parsed.length)?;
            ""
        }
        Tail::Unended => {
            file.append("\n")?;
            "\n"
        }
    };
    let known = Known {
        length: 0,
        sha256: Digest::NONE,
        next: parsed.next,
    };
    Ok(known.with(whole, ending, parsed.next))
}

/// Returns the seconds since 1970-01-01 UTC. The time is for readers; nothing depends on it.
pub(super) fn now() -> i64 {
    let (seconds, sign) = match SystemTime::now().duration_since(UNIX_EPOCH) {
        Ok(after) => (after.as_secs(), 1),
        Err(before) => (before.duration().as_secs(), -1),
    };
    i64::try_from(seconds).unwrap_or(i64::MAX) * sign
}
