//! The ledger: what has been spent on a dataset, on disk before the data is opened.
//!
//! A ledger is a file of JSON lines. The first opens it: dataset, privacy unit, adjacency, caps
//! for life. Each further line is a charge, written before the release that it pays for may look
//! at the data, or the refund of a charge of which nothing was used. Lines are only ever
//! appended, and each carries the hash of the one before.
//!
//! What the chain shows and what it does not: a line that was changed, moved or taken out is
//! found when the file is opened. A file that was cut after some line, replaced by an older
//! copy, or written anew by somebody who computes the hashes again is not, from the file alone.
//! Each report prints [`LedgerSummary::head_hash`], so a report names the file that it was made
//! with; keep the ledger where only the custodian can write.
//!
//! Losses add up by basic composition, in exact decimal arithmetic. Whatever is in doubt counts
//! as spent: a charge whose release crashed stays, and a charge is refunded only by handing back
//! permissions none of which was used.

mod book;
mod charge;
mod decimal;
mod digest;
mod error;
mod file;
mod record;
mod summary;
#[cfg(test)]
mod tests;

use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use crate::accountant;
use crate::paid::Paid;
use crate::random::SecretKey;

pub use self::charge::{ChargeReceipt, ChargeRequest, LedgerTerms};
pub use self::digest::{ChargeId, Digest, LedgerId};
pub use self::error::{Cap, Flaw, LedgerError};
pub use self::record::{Charge, Entry, FORMAT_VERSION, Open, Record, Refund};
pub use self::summary::{ChargeLine, LedgerSummary};

use self::book::{Book, composed};
use self::decimal::Decimal;
use self::file::LockedFile;
use self::record::{Tail, encode, take_apart};
use self::summary::Caps;

/// The ledger of one dataset, open for charges. No other process can open it meanwhile.
#[derive(Debug)]
pub struct Ledger {
    file: LockedFile,
    book: Book,
    caps: Caps,
    state: State,
}

/// Whether what is on disk is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Sound,
    Poisoned,
}

impl Ledger {
    /// Opens the ledger at `path`, or makes it where there is none, and locks it until the value
    /// is dropped.
    ///
    /// The caps that apply are the smaller of those that the ledger was opened with first and
    /// those of `terms`. Text after the last line end is what a crash left of a charge that had
    /// not returned. If it is a whole record it counts all the same; else it is moved to a file
    /// beside the ledger, named like it with `.torn-1` or a later number at the end.
    ///
    /// # Guarantee
    /// Returns an error, or a ledger whose sums include every charge in the file that ever
    /// returned and was not refunded, each at no less than the accountant asks for it now.
    ///
    /// # Errors
    /// If another process has it open, the file system refuses, any line is not what was
    /// written, `terms` name another dataset, unit or adjacency or loosen a cap, or a recorded
    /// charge costs more than was recorded.
    pub fn open(path: &Path, terms: &LedgerTerms) -> Result<Ledger, LedgerError> {
        let mut file = LockedFile::lock(path)?;
        let bytes = file.read()?;
        let parsed = take_apart(&bytes)?;
        // Nothing is written to a file before it has proved to be a sound ledger for `terms`.
        let book = match parsed.records.as_slice() {
            [] => None,
            records => Some(Book::replay(records)?),
        };
        if let Some(book) = &book {
            check_terms(&book.open, terms)?;
        }
        match parsed.tail {
            Tail::None => {}
            Tail::Torn => file.set_torn_aside(&bytes, parsed.length)?,
            Tail::Unended => file.append("\n")?,
        }
        let book = match book {
            Some(book) => book,
            None => {
                let (line, record) = encode(Entry::Open(opening(terms)?), None)?;
                file.append(&line)?;
                file.sync_name()?;
                Book::replay(&[record])?
            }
        };
        // `terms` are no looser than the record: they were checked, or they are the record.
        let caps = Caps {
            epsilon: terms.lifetime_epsilon,
            delta: terms.lifetime_delta,
        };
        Ok(Ledger {
            file,
            book,
            caps,
            state: State::Sound,
        })
    }

    /// Books the loss of a release.
    ///
    /// # Guarantee
    /// Returns an error, or the permissions of a charge that is on disk, at a price that is an upper
    /// bound for its mechanisms run in sequence, at most what was asked for and, together with
    /// all charges that stand, at most the caps for life.
    ///
    /// # Errors
    /// If there is no mechanism, the accountant cannot price them, they cost more than was asked
    /// for or than remains, or the file system refuses. After a failed write the charge may be
    /// on disk, so this value then refuses everything; open the ledger again to see.
    pub fn charge(&mut self, request: ChargeRequest) -> Result<Paid, LedgerError> {
        // Without random bits nothing could run, so they are drawn before anything is spent.
        let key = SecretKey::from_os()?;
        self.record_charge(request)
            .map(|receipt| Paid::recorded(receipt, key))
    }

    /// Takes back a charge of which no mechanism was authorised.
    ///
    /// # Guarantee
    /// `paid` is used up and held every permission that the charge paid for, so no mechanism of
    /// the charge has run or ever will.
    ///
    /// # Errors
    /// If a mechanism was authorised, the charge is of another ledger, or the file system
    /// refuses. The charge then stands.
    pub fn refund(&mut self, paid: Paid) -> Result<(), LedgerError> {
        let id = paid.untouched().ok_or(LedgerError::ChargeUsed)?;
        self.record_refund(&id)
    }

    /// Writes a charge and returns its receipt.
    fn record_charge(&mut self, request: ChargeRequest) -> Result<ChargeReceipt, LedgerError> {
        self.check_sound()?;
        if request.mechanisms.is_empty() {
            return Err(LedgerError::MechanismMissing);
        }
        let event = composed(&request.mechanisms);
        let price = accountant::epsilon(&event, self.book.open.adjacency, request.delta)?;
        // Written so that a price that is not a number is refused.
        let within = price <= request.epsilon.value();
        let Some(cost) = Decimal::of(price).filter(|_| within) else {
            return Err(LedgerError::OverRequest {
                requested: request.epsilon.value(),
                price,
            });
        };
        self.check_caps(cost, price, &request)?;
        let before = self.summary();
        let id = ChargeId::draw()?;
        let charge = Charge {
            sequence: self.book.records,
            at: now(),
            id,
            purpose: request.purpose,
            policy_sha256: request.policy_sha256,
            epsilon_asked: request.epsilon,
            delta_asked: request.delta,
            epsilon_spent: price,
            mechanisms: request.mechanisms,
            event,
            previous: self.book.head,
        };
        let Charge {
            sequence,
            mechanisms,
            ..
        } = charge.clone();
        self.append(Entry::Charge(charge))?;
        let after = self.summary();
        let delta_spent = request.delta;
        Ok(ChargeReceipt {
            id,
            sequence,
            epsilon_spent: price,
            delta_spent,
            mechanisms,
            before,
            after,
        })
    }

    /// Takes the charge `id` back.
    ///
    /// The caller vouches that no mechanism of it was, or ever will be, run.
    fn record_refund(&mut self, id: &ChargeId) -> Result<(), LedgerError> {
        self.check_sound()?;
        if self.book.standing(id).is_none() {
            return Err(LedgerError::ChargeUnknown { id: *id });
        }
        self.append(Entry::Refund(Refund {
            sequence: self.book.records,
            at: now(),
            charge: *id,
            previous: self.book.head,
        }))
    }

    /// Returns what the ledger says, under the caps that apply.
    #[must_use]
    pub fn summary(&self) -> LedgerSummary {
        self.caps.summary(&self.book)
    }

    fn check_sound(&self) -> Result<(), LedgerError> {
        match self.state {
            State::Sound => Ok(()),
            State::Poisoned => Err(LedgerError::Poisoned),
        }
    }

    fn check_caps(
        &self,
        cost: Decimal,
        price: f64,
        request: &ChargeRequest,
    ) -> Result<(), LedgerError> {
        let requested_delta = request.delta.value();
        let (epsilon, delta) = self.caps.remaining(&self.book);
        if cost <= epsilon && Decimal::of(requested_delta).is_some_and(|asked| asked <= delta) {
            return Ok(());
        }
        let (remaining_epsilon, remaining_delta) = (epsilon.round_down(), delta.round_down());
        let nearest = (
            request.epsilon.value().min(remaining_epsilon),
            requested_delta.min(remaining_delta),
        );
        Err(LedgerError::OverCap {
            requested_epsilon: price,
            requested_delta,
            remaining_epsilon,
            remaining_delta,
            nearest: Some(nearest).filter(|(epsilon, delta)| *epsilon > 0.0 && *delta > 0.0),
        })
    }

    /// Writes `entry`, once it is certain that it can be read back and fits the book.
    fn append(&mut self, entry: Entry) -> Result<(), LedgerError> {
        let (line, record) = encode(entry, Some(self.book.head))?;
        let mut book = self.book.clone();
        // OK because the caller made the entry to fit; if it did not, nothing has been written.
        book.enter(&record).map_err(|_| LedgerError::Unwritable)?;
        // From here on the write may have happened, whatever is returned.
        self.state = State::Poisoned;
        self.file.append(&line)?;
        self.state = State::Sound;
        self.book = book;
        Ok(())
    }
}

/// Reads the ledger at `path` under the caps that it was opened with, and checks all of it.
///
/// It takes no lock and changes nothing, so it can run beside a release; part of a record at the
/// end of the file is left out.
///
/// # Errors
/// As [`Ledger::open`], but for those about the lock and the terms.
pub fn read(path: &Path) -> Result<LedgerSummary, LedgerError> {
    let parsed = take_apart(&file::read_unlocked(path)?)?;
    let book = Book::replay(&parsed.records)?;
    Ok(Caps::recorded(&book.open).summary(&book))
}

/// Takes a ledger file apart and checks the form, the hash and the place of every line; numbers
/// are checked for their range but not priced again.
///
/// Part of a record after the last line end is left out. Memory is proportional to `bytes`.
///
/// # Errors
/// If any line is not what a ledger writes.
pub fn parse(bytes: &[u8]) -> Result<Vec<Record>, LedgerError> {
    Ok(take_apart(bytes)?.records)
}

/// Says what the first line of a new ledger says.
fn opening(terms: &LedgerTerms) -> Result<Open, LedgerError> {
    Ok(Open {
        version: FORMAT_VERSION,
        sequence: 0,
        id: LedgerId::draw()?,
        at: now(),
        dataset: terms.dataset.clone(),
        unit: terms.unit.clone(),
        adjacency: terms.adjacency,
        lifetime_epsilon: terms.lifetime_epsilon,
        lifetime_delta: terms.lifetime_delta,
        previous: Digest::NONE,
    })
}

/// Refuses terms under which the recorded charges would not add up, or a cap would grow.
fn check_terms(open: &Open, terms: &LedgerTerms) -> Result<(), LedgerError> {
    if open.dataset != terms.dataset {
        return Err(LedgerError::DatasetDiffers {
            recorded: open.dataset.clone(),
            policy: terms.dataset.clone(),
        });
    }
    if (&open.unit, open.adjacency) != (&terms.unit, terms.adjacency) {
        return Err(LedgerError::UnitDiffers {
            recorded: Box::new((open.unit.clone(), open.adjacency)),
            policy: Box::new((terms.unit.clone(), terms.adjacency)),
        });
    }
    let caps = [
        (
            Cap::Epsilon,
            open.lifetime_epsilon.value(),
            terms.lifetime_epsilon.value(),
        ),
        (
            Cap::Delta,
            open.lifetime_delta.value(),
            terms.lifetime_delta.value(),
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
