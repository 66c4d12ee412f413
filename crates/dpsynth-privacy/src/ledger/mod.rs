//! The ledger: what has been spent on a data set, on disk before the data is opened.
//!
//! A ledger is a file of JSON lines. The first opens it: whose ledger it is, privacy unit,
//! adjacency, caps for life, and the public key that signs. A charge reserves the loss of a
//! release before the release may look at the data, and counts in full from then on. A commit
//! says which release the charge was used for, when that is whole; a refund takes a charge back
//! of which nothing was used. Lines are only ever appended; each carries the hash of the one
//! before, and is signed.
//!
//! Beside the file `x` lie `x.key`, the secret key, and `x.head`, a signed checkpoint that says how
//! long the ledger was after the last write. A line that was changed, moved or taken out is found
//! from the ledger alone, a rewritten chain by its signatures, a ledger that was cut or replaced
//! by an older copy from the checkpoint. Who puts back the checkpoint together with the ledger is
//! found only by comparison with a report: see [`audit()`] and [`LedgerSummary::head_hash`].
//!
//! Losses add up by basic composition, in exact decimal arithmetic. Whatever is in doubt counts
//! as spent: a charge whose release crashed stays, and a charge is refunded only by handing back
//! permissions none of which was used.
//!
//! The file is locked for each write, not in between, and read again under the lock, so several
//! processes can charge one ledger.

mod account;
mod audit;
mod book;
mod charge;
mod checkpoint;
mod decimal;
mod digest;
mod error;
mod file;
mod flaw;
mod key;
mod line;
mod opening;
mod outlook;
mod record;
mod summary;
#[cfg(test)]
mod tests;

use std::path::Path;
use std::time::Duration;

use crate::accountant;
use crate::paid::Paid;
use crate::random::SecretKey;

pub use self::audit::{Audit, Ending, audit};
pub use self::charge::{Booking, ChargeReceipt, ChargeRequest, LedgerTerms, UniverseTerms};
pub use self::checkpoint::CheckpointState;
pub use self::digest::{ChargeId, Digest, LedgerId};
pub use self::error::{Cap, LedgerError};
pub use self::flaw::Flaw;
pub use self::key::{KeyId, KeyState, PublicKey, Signature};
pub use self::outlook::{Outlook, Prospect, Standing};
pub use self::record::{
    Adopt, Charge, Commit, Entry, FORMAT_VERSION, Open, Record, Refund, Subject,
};
pub use self::summary::{ChargeLine, CommittedRelease, LedgerSummary};

use self::account::{Account, Cost};
use self::book::composed;
use self::key::Statement;
use self::line::{Place, take_apart};

/// The ledger of one data set, and that of the universe that it draws on, if any.
#[derive(Debug)]
pub struct Ledger {
    account: Account,
    universe: Option<Account>,
}

impl Ledger {
    /// Opens the ledger at `path`, or makes it where there is none.
    ///
    /// The caps that apply are the smaller of those that the ledger was opened with first and
    /// those of `terms`. Text after the last line end is what a crash left of a write that had
    /// not returned. If it is a whole record it counts all the same; else it is moved to a file
    /// beside the ledger, named like it with `.torn-1` or a later number at the end.
    ///
    /// # Guarantee
    /// Returns an error, or a ledger whose sums include every charge in the file that ever
    /// returned and was not refunded, each at no less than the accountant asks for it now.
    ///
    /// # Errors
    /// If other processes hold the lock for long, the file system refuses, any line is not what was
    /// written, the ledger was cut or has no usable key or checkpoint, `terms` name another data
    /// set, unit or adjacency or loosen a cap, or a recorded charge costs more than was recorded.
    pub fn open(path: &Path, terms: &LedgerTerms) -> Result<Ledger, LedgerError> {
        let account = Account::open(path, &terms.into())?;
        Ok(Ledger {
            account,
            universe: None,
        })
    }

    /// Opens the ledger at `path` of the universe that the data set draws on, or makes it where
    /// there is none. From now on every charge counts in both.
    ///
    /// # Errors
    /// As [`Ledger::open`], and if the universe counts under another adjacency than the data set.
    pub fn within(mut self, path: &Path, terms: &UniverseTerms) -> Result<Ledger, LedgerError> {
        let adjacency = self.account.book().open.adjacency;
        if adjacency != terms.adjacency {
            return Err(LedgerError::AdjacencyDiffers {
                subject: self.account.book().subject.clone(),
                recorded: adjacency,
                policy: terms.adjacency,
            });
        }
        self.universe = Some(Account::open(path, &terms.into())?);
        Ok(self)
    }

    /// Reserves the loss of a release, in the universe first and then in the ledger of the data
    /// set. It counts in full from now on, whatever becomes of the release.
    ///
    /// # Guarantee
    /// Returns an error, or the permissions of a charge that is on disk, at a price that is an upper
    /// bound for its mechanisms run in sequence, at most what was asked for and, together with
    /// all charges that stand, at most the caps for life of the data set and of the universe.
    ///
    /// # Errors
    /// If there is no mechanism, the accountant cannot price them, they cost more than was asked
    /// for or than remains, a ledger was changed behind this process, or the file system refuses.
    /// After a failed write the charge may be on disk, so this value then refuses everything; open
    /// the ledger again to see.
    pub fn reserve(&mut self, request: ChargeRequest) -> Result<Paid, LedgerError> {
        // Without random bits nothing could run, so they are drawn before anything is spent.
        let key = SecretKey::from_os()?;
        self.record_charge(request)
            .map(|receipt| Paid::recorded(receipt, key))
    }

    /// Says how far the budget at `path` goes for charges like `prospect`, without a lock or a key, and
    /// without changing anything.
    ///
    /// # Errors
    /// As for [`Ledger::open`], but for what concerns the key.
    pub fn outlook(
        path: &Path,
        terms: &LedgerTerms,
        prospect: Prospect,
    ) -> Result<Outlook, LedgerError> {
        outlook::outlook(path, &terms.into(), prospect)
    }

    /// As [`Ledger::outlook`], for the universe that a data set draws on.
    ///
    /// # Errors
    /// As there.
    pub fn universe_outlook(
        path: &Path,
        terms: &UniverseTerms,
        prospect: Prospect,
    ) -> Result<Outlook, LedgerError> {
        outlook::outlook(path, &terms.into(), prospect)
    }

    /// Takes back a charge of which no mechanism was authorised, in both ledgers.
    ///
    /// # Guarantee
    /// `paid` is used up and held every permission that the charge paid for, so no mechanism of
    /// the charge has run or ever will.
    ///
    /// # Errors
    /// If a mechanism was authorised, the charge is of another ledger or committed already, or the
    /// file system refuses. The charge then stands.
    pub fn refund(&mut self, paid: Paid) -> Result<(), LedgerError> {
        let id = paid.untouched().ok_or(LedgerError::ChargeUsed)?;
        self.record_refund(&id)
    }

    /// Records the release that a charge was used for, in both ledgers, and signs the list of its
    /// files; `manifest` is that list, byte for byte.
    ///
    /// The charge counts as before, and nothing more can be authorised from it. A charge that is
    /// never committed counts as well.
    ///
    /// # Guarantee
    /// Returns an error, or a signature over `manifest` by the key of the data set's ledger, after
    /// the commit is on disk: no other signature over a manifest is ever made.
    ///
    /// # Errors
    /// If the charge is of another ledger, refunded or committed already, the ledger was changed
    /// behind this process, or the file system refuses.
    pub fn commit(&mut self, paid: Paid, manifest: &[u8]) -> Result<Signature, LedgerError> {
        let id = paid.charge().ok_or(LedgerError::ChargeUsed)?;
        self.record_commit(&id, manifest)
    }

    /// Writes a charge and returns its receipt.
    fn record_charge(&mut self, request: ChargeRequest) -> Result<ChargeReceipt, LedgerError> {
        if request.mechanisms.is_empty() {
            return Err(LedgerError::MechanismMissing);
        }
        let event = composed(&request.mechanisms);
        let adjacency = self.account.book().open.adjacency;
        let price = accountant::epsilon(&event, adjacency, request.delta)?;
        // Written so that a price that is not a number is refused.
        let within = price <= request.epsilon.value();
        if !within {
            return Err(LedgerError::OverRequest {
                requested: request.epsilon.value(),
                price,
            });
        }
        let cost = Cost { event, price };
        // A charge that this ledger will refuse need not be written to the other one first.
        self.account.check_caps(&cost, &request)?;
        let id = ChargeId::draw()?;
        let (name, unit) = match &self.account.book().subject {
            Subject::Dataset { name, unit } => (name.clone(), unit.clone()),
            // OK because only terms of a data set open the first account.
            Subject::Universe { .. } => return Err(LedgerError::Unwritable),
        };
        let universe = match &mut self.universe {
            Some(universe) => Some(universe.reserve(id, &cost, &request, Some((&name, &unit)))?),
            None => None,
        };
        let booking = match self.account.reserve(id, &cost, &request, None) {
            Ok(booking) => booking,
            Err(error) => {
                // No permission was made, so nothing of the charge can have run. If this fails the
                // universe counts it, which errs on the safe side.
                if let Some(universe) = &mut self.universe {
                    let _ = universe.refund(&id);
                }
                return Err(error);
            }
        };
        Ok(ChargeReceipt {
            id,
            unit,
            epsilon_spent: price,
            delta_spent: request.delta,
            mechanisms: request.mechanisms,
            booking,
            universe,
        })
    }

    /// Takes the charge `id` back.
    ///
    /// The caller vouches that no mechanism of it was, or ever will be, run.
    fn record_refund(&mut self, id: &ChargeId) -> Result<(), LedgerError> {
        self.account.refund(id)?;
        match &mut self.universe {
            Some(universe) => universe.refund(id),
            None => Ok(()),
        }
    }

    fn record_commit(&mut self, id: &ChargeId, manifest: &[u8]) -> Result<Signature, LedgerError> {
        let sha256 = Digest::of(manifest);
        if let Some(universe) = &mut self.universe {
            universe.commit(id, sha256)?;
        }
        self.account.commit(id, sha256)?;
        Ok(self.account.sign(Statement::Manifest(manifest)))
    }

    /// Returns what the ledger of the data set said when it was last read, under the caps that
    /// apply.
    #[must_use]
    pub fn summary(&self) -> LedgerSummary {
        self.account.summary()
    }
}

/// Reads the ledger at `path` under the caps that it was opened with, and checks all of it.
///
/// It takes no lock and changes nothing, so it can run beside a release; part of a record at the
/// end of the file is left out. It needs no key. Where there is a checkpoint, the ledger must
/// agree with it.
///
/// # Errors
/// As [`audit()`], and if the ledger does not agree with its checkpoint.
pub fn read(path: &Path) -> Result<LedgerSummary, LedgerError> {
    let audit = audit(path)?;
    audit.checkpoint?;
    Ok(audit.summary)
}

/// Vouches for the ledger at `path` as it stands: gives one from before keys a key, which signs all
/// that follows and by its first signature all that went before, and writes a checkpoint where
/// there is none. Compare the ledger with every published report first.
///
/// # Errors
/// As [`audit()`], if the ledger does not agree with its checkpoint, its key is missing, or the file
/// system refuses.
pub fn adopt(path: &Path) -> Result<LedgerSummary, LedgerError> {
    opening::adopt(path)
}

/// Takes a ledger file apart and checks the form, the hash, the place and the signature of every
/// line; numbers are checked for their range but not priced again.
///
/// Part of a record after the last line end is left out. Memory is proportional to `bytes`.
///
/// # Errors
/// If any line is not what a ledger writes.
pub fn parse(bytes: &[u8]) -> Result<Vec<Record>, LedgerError> {
    Ok(take_apart(bytes, Place::START)?.records)
}

/// For how long a process waits while others write: far longer than a write takes.
pub(crate) const PATIENCE: Duration = Duration::from_secs(10);
/// How many times longer a commit waits.
pub(crate) const COMMIT_PATIENCE: u32 = 60;
