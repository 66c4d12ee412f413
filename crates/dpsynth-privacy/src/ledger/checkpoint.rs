//! The checkpoint beside a ledger: how long it was after the last write, signed.
//!
//! A chain of hashes does not show that its end was cut off, or that an older copy was put back.
//! The checkpoint does, unless it is put back together with the ledger. It is replaced after each
//! line, so a crash in between leaves the ledger one whole line ahead, which is no fault.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::digest::{Digest, LedgerId};
use super::error::LedgerError;
use super::file::{self, Access, beside};
use super::key::{LedgerKey, PublicKey, Signature, Statement};
use super::record::Record;

/// What a checkpoint says.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Checkpoint {
    /// Which ledger it is about.
    ledger: LedgerId,
    /// How many lines the ledger had.
    records: u64,
    /// The hash of the last of them.
    head: Digest,
    /// By the ledger's key.
    signature: Signature,
}

/// What the checkpoint beside a ledger says about the ledger.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CheckpointState {
    /// There is none.
    Absent,
    /// The ledger holds everything that the checkpoint knows of, and this many lines more.
    Behind(u64),
}

impl Checkpoint {
    /// Reads the checkpoint of the ledger at `ledger`, if there is one.
    pub(crate) fn read(ledger: &Path) -> Result<Option<Checkpoint>, LedgerError> {
        let path = checkpoint_path(ledger);
        let Some(bytes) = file::read_small(&path, Access::All)? else {
            return Ok(None);
        };
        let text = bytes.strip_suffix(b"\n").unwrap_or(&bytes);
        serde_json::from_slice(text)
            .map(Some)
            .map_err(|_| LedgerError::CheckpointDamaged { path })
    }

    /// Replaces the checkpoint of the ledger at `ledger`.
    ///
    /// # Guarantee
    /// After a crash there is the old one or the new one, whole.
    pub(crate) fn write(
        ledger: &Path,
        id: LedgerId,
        records: u64,
        head: Digest,
        key: &LedgerKey,
    ) -> Result<(), LedgerError> {
        let signature = key.sign(Statement::Head {
            ledger: id,
            records,
            head,
        });
        let checkpoint = Checkpoint {
            ledger: id,
            records,
            head,
            signature,
        };
        let mut text = serde_json::to_string(&checkpoint).map_err(|_| LedgerError::Unwritable)?;
        text.push('\n');
        file::put_whole(&checkpoint_path(ledger), text.as_bytes(), Access::All)
    }

    /// Compares the checkpoint with the ledger `id`, whose lines are `records`.
    ///
    /// # Guarantee
    /// Returns an error, or how many lines were added since the checkpoint was written; a ledger
    /// that lacks a line that the checkpoint knows of is an error.
    pub(crate) fn lines_since(
        &self,
        ledger: &Path,
        id: LedgerId,
        key: &PublicKey,
        records: &[Record],
    ) -> Result<u64, LedgerError> {
        let statement = Statement::Head {
            ledger: self.ledger,
            records: self.records,
            head: self.head,
        };
        if self.ledger != id || !statement.is_signed(key, &self.signature) {
            return Err(LedgerError::CheckpointDamaged {
                path: checkpoint_path(ledger),
            });
        }
        let found = records.len() as u64;
        let last = self.records.checked_sub(1).map(usize::try_from);
        let known = last.and_then(Result::ok).and_then(|last| records.get(last));
        if known.is_some_and(|record| record.hash == self.head) {
            Ok(found - self.records)
        } else {
            Err(LedgerError::RolledBack {
                path: ledger.to_owned(),
                known: self.records,
                found,
            })
        }
    }

    /// Refuses a checkpoint of which the ledger has no line at all left.
    pub(crate) fn refuse_empty(&self, ledger: &Path) -> LedgerError {
        LedgerError::RolledBack {
            path: ledger.to_owned(),
            known: self.records,
            found: 0,
        }
    }
}

/// Where the checkpoint of the ledger at `ledger` is kept.
pub(crate) fn checkpoint_path(ledger: &Path) -> PathBuf {
    beside(ledger, ".head")
}
