//! One ledger file: locked for each write, and read again before it.

use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::PATIENCE;
use super::book::Book;
use super::charge::{Booking, ChargeRequest, Terms};
use super::checkpoint::{Checkpoint, checkpoint_path};
use super::decimal::Decimal;
use super::digest::{ChargeId, Digest, LedgerId};
use super::error::{Cap, LedgerError};
use super::file::{Absent, LockedFile, resolved};
use super::key::{LedgerKey, Statement};
use super::line::{Parsed, Place, Tail, encode, take_apart};
use super::record::{Adopt, Charge, Commit, Entry, FORMAT_VERSION, Open, Refund, Subject};
use super::summary::{Caps, LedgerSummary};
use crate::event::DpEvent;
use crate::unit::PrivacyUnit;

/// One ledger file, under the terms of a policy. Between two writes other processes may write.
#[derive(Debug)]
pub(crate) struct Account {
    path: PathBuf,
    book: Book,
    caps: Caps,
    key: LedgerKey,
    known: Known,
    state: State,
    patience: Duration,
}

/// The part of the file that this process has read and checked.
#[derive(Clone, Copy, Debug)]
struct Known {
    length: usize,
    sha256: Digest,
    next: Place,
}

/// Whether what is on disk is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Sound,
    Poisoned,
}

/// Whether a checkpoint knows of the last line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Freshness {
    Current,
    Behind,
}

/// What a charge to an account costs, and of what.
#[derive(Clone, Debug)]
pub(crate) struct Cost {
    pub(crate) event: DpEvent,
    pub(crate) price: f64,
    pub(crate) exact: Decimal,
}

impl Account {
    /// Opens the ledger at `path`, or makes it where there is none.
    pub(crate) fn open(path: &Path, terms: &Terms) -> Result<Account, LedgerError> {
        Account::open_within(path, terms, PATIENCE)
    }

    /// As [`Account::open`], waiting for locks for at most `patience`.
    pub(crate) fn open_within(
        path: &Path,
        terms: &Terms,
        patience: Duration,
    ) -> Result<Account, LedgerError> {
        let path = &resolved(path);
        let mut file = LockedFile::lock(path, Absent::Make, patience)?;
        let bytes = file.read()?;
        let checkpoint = Checkpoint::read(path)?;
        let parsed = take_apart(&bytes, Place::START)?;
        // Nothing is written to a file before it has proved to be a sound ledger for `terms`.
        let (book, key) = match parsed.records.as_slice() {
            [] => match checkpoint {
                Some(checkpoint) => return Err(checkpoint.refuse_empty(path)),
                None => return Account::found(file, &bytes, &parsed, terms, patience),
            },
            records => {
                let book = Book::replay(records)?;
                check_terms(&book, terms)?;
                (book, LedgerKey::load(path, &signer(path, &parsed)?)?)
            }
        };
        let freshness = check_checkpoint(path, checkpoint, &book, &parsed)?;
        let known = repair(&mut file, &bytes, &parsed)?;
        let account = Account {
            path: path.to_owned(),
            book,
            caps: terms.caps,
            key,
            known,
            state: State::Sound,
            patience,
        };
        if freshness == Freshness::Behind {
            account.write_checkpoint()?;
        }
        Ok(account)
    }

    /// Writes the first line of a new ledger.
    fn found(
        mut file: LockedFile,
        bytes: &[u8],
        parsed: &Parsed,
        terms: &Terms,
        patience: Duration,
    ) -> Result<Account, LedgerError> {
        let path = file.path().to_owned();
        let mut known = repair(&mut file, bytes, parsed)?;
        // The key first: a first line whose key is lost could never be followed by another.
        let key = LedgerKey::make(&path)?;
        let entry = Entry::Open(opening(terms, &key)?);
        let (line, record) = encode(entry, Place::START, Some(&key))?;
        file.append(&line)?;
        file.sync_name()?;
        let book = Book::replay(&[record])?;
        known = known.with(
            &[],
            &line,
            Place {
                records: 1,
                head: Some(book.head),
                key: Some(key.public()),
            },
        );
        let account = Account {
            path,
            book,
            caps: terms.caps,
            key,
            known,
            state: State::Sound,
            patience,
        };
        account.write_checkpoint()?;
        Ok(account)
    }

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
        let (mut file, bytes) = self.lock()?;
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
        let (mut file, bytes) = self.lock()?;
        self.expect_open(id)?;
        let refund = Refund {
            sequence: self.book.records,
            at: now(),
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
        let (mut file, bytes) = self.lock()?;
        self.expect_open(id)?;
        let commit = Commit {
            sequence: self.book.records,
            at: now(),
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
        let requested_delta = request.delta.value();
        let (epsilon, delta) = self.caps.remaining(&self.book);
        if cost.exact <= epsilon && Decimal::of(requested_delta).is_some_and(|asked| asked <= delta)
        {
            return Ok(());
        }
        let (remaining_epsilon, remaining_delta) = (epsilon.round_down(), delta.round_down());
        let nearest = (
            request.epsilon.value().min(remaining_epsilon),
            requested_delta.min(remaining_delta),
        );
        Err(LedgerError::OverCap {
            subject: self.book.subject.clone(),
            requested_epsilon: cost.price,
            requested_delta,
            remaining_epsilon,
            remaining_delta,
            nearest: Some(nearest).filter(|(epsilon, delta)| *epsilon > 0.0 && *delta > 0.0),
        })
    }

    fn expect_open(&mut self, id: &ChargeId) -> Result<(), LedgerError> {
        match self.book.reserved(id) {
            Some(_) => Ok(()),
            None => Err(LedgerError::ChargeUnknown { id: *id }),
        }
    }

    /// Locks the file and takes in what others wrote since this process last read it.
    ///
    /// # Guarantee
    /// Returns an error, or the lock with a book that says what the file says. Everything that
    /// this process ever read of the file is still there, byte for byte.
    fn lock(&mut self) -> Result<(LockedFile, Vec<u8>), LedgerError> {
        if self.state == State::Poisoned {
            return Err(LedgerError::Poisoned);
        }
        let mut file = LockedFile::lock(&self.path, Absent::Replaced, self.patience)?;
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
    fn write_checkpoint(&self) -> Result<(), LedgerError> {
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
    fn with(self, bytes: &[u8], line: &str, next: Place) -> Known {
        let whole = [bytes, line.as_bytes()].concat();
        Known {
            length: whole.len(),
            sha256: Digest::of(&whole),
            next,
        }
    }
}

/// Vouches for the ledger at `path` as it stands: gives one from before keys a key, and writes a
/// checkpoint where there is none.
pub(crate) fn adopt(path: &Path) -> Result<LedgerSummary, LedgerError> {
    let path = &resolved(path);
    let mut file = LockedFile::lock(path, Absent::Refuse, PATIENCE)?;
    let bytes = file.read()?;
    let checkpoint = Checkpoint::read(path)?;
    let parsed = take_apart(&bytes, Place::START)?;
    let mut book = Book::replay(&parsed.records)?;
    let mut public = parsed.next.key;
    let key = match public {
        Some(public) => LedgerKey::load(path, &public)?,
        None => LedgerKey::make(path)?,
    };
    if let (Some(checkpoint), Some(public)) = (checkpoint, public) {
        checkpoint.lines_since(path, book.open.id, &public, &parsed.records)?;
    }
    repair(&mut file, &bytes, &parsed)?;
    if public.is_none() {
        let entry = Entry::Adopt(Adopt {
            sequence: book.records,
            at: now(),
            version: FORMAT_VERSION,
            public_key: key.public(),
            previous: book.head,
        });
        let (line, record) = encode(entry, parsed.next, Some(&key))?;
        file.append(&line)?;
        book.enter(&record).map_err(|_| LedgerError::Unwritable)?;
        public = Some(key.public());
    }
    Checkpoint::write(path, book.open.id, book.records, book.head, &key)?;
    Ok(Caps::recorded(&book.open).summary(&book, public))
}

/// Returns the key that signs the ledger, which must have one to be charged.
fn signer(path: &Path, parsed: &Parsed) -> Result<super::PublicKey, LedgerError> {
    parsed.next.key.ok_or_else(|| LedgerError::Unsigned {
        path: path.to_owned(),
    })
}

/// Refuses a ledger that lacks its checkpoint, or lines that the checkpoint knows of.
fn check_checkpoint(
    path: &Path,
    checkpoint: Option<Checkpoint>,
    book: &Book,
    parsed: &Parsed,
) -> Result<Freshness, LedgerError> {
    match checkpoint {
        Some(checkpoint) => {
            let key = signer(path, parsed)?;
            let since = checkpoint.lines_since(path, book.open.id, &key, &parsed.records)?;
            Ok(match since {
                0 => Freshness::Current,
                _ => Freshness::Behind,
            })
        }
        // The process that made the ledger can have been killed between its first two writes.
        None if matches!(parsed.records.as_slice(), [only] if only.signature.is_some()) => {
            Ok(Freshness::Behind)
        }
        None => Err(LedgerError::CheckpointMissing {
            path: checkpoint_path(path),
        }),
    }
}

/// Brings the end of a file in order: what a crash cut is set aside, and a missing line end added.
fn repair(file: &mut LockedFile, bytes: &[u8], parsed: &Parsed) -> Result<Known, LedgerError> {
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

/// Says what the first line of a new ledger says.
fn opening(terms: &Terms, key: &LedgerKey) -> Result<Open, LedgerError> {
    let (dataset, unit, universe) = match terms.subject.clone() {
        Subject::Dataset { name, unit } => (Some(name), Some(unit), None),
        Subject::Universe { name } => (None, None, Some(name)),
    };
    Ok(Open {
        version: FORMAT_VERSION,
        sequence: 0,
        id: LedgerId::draw()?,
        at: now(),
        dataset,
        universe,
        unit,
        adjacency: terms.adjacency,
        lifetime_epsilon: terms.caps.epsilon,
        lifetime_delta: terms.caps.delta,
        public_key: Some(key.public()),
        previous: Digest::NONE,
    })
}

/// Refuses terms under which the recorded charges would not add up, or a cap would grow.
fn check_terms(book: &Book, terms: &Terms) -> Result<(), LedgerError> {
    match (&book.subject, &terms.subject) {
        (
            Subject::Dataset { name, unit },
            Subject::Dataset {
                name: other,
                unit: asked,
            },
        ) if name == other => {
            if (unit, book.open.adjacency) != (asked, terms.adjacency) {
                return Err(LedgerError::UnitDiffers {
                    recorded: Box::new((unit.clone(), book.open.adjacency)),
                    policy: Box::new((asked.clone(), terms.adjacency)),
                });
            }
        }
        (Subject::Universe { name }, Subject::Universe { name: other }) if name == other => {
            if book.open.adjacency != terms.adjacency {
                return Err(LedgerError::AdjacencyDiffers {
                    subject: book.subject.clone(),
                    recorded: book.open.adjacency,
                    policy: terms.adjacency,
                });
            }
        }
        (recorded, policy) => {
            return Err(LedgerError::DatasetDiffers {
                recorded: recorded.clone(),
                policy: policy.clone(),
            });
        }
    }
    let caps = [
        (
            Cap::Epsilon,
            book.open.lifetime_epsilon.value(),
            terms.caps.epsilon.value(),
        ),
        (
            Cap::Delta,
            book.open.lifetime_delta.value(),
            terms.caps.delta.value(),
        ),
    ];
    match caps
        .into_iter()
        .find(|(_, recorded, policy)| policy > recorded)
    {
        Some((cap, recorded, policy)) => Err(LedgerError::CapLoosened {
            cap,
            recorded,
            policy,
        }),
        None => Ok(()),
    }
}

/// Returns the seconds since 1970-01-01 UTC. The time is for readers; nothing depends on it.
fn now() -> i64 {
    let (seconds, sign) = match SystemTime::now().duration_since(UNIX_EPOCH) {
        Ok(after) => (after.as_secs(), 1),
        Err(before) => (before.duration().as_secs(), -1),
    };
    i64::try_from(seconds).unwrap_or(i64::MAX) * sign
}
