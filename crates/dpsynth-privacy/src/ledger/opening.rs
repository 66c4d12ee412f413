//! How a ledger file is opened, made where there is none, or vouched for.

use std::path::Path;
use std::time::Duration;

use super::PATIENCE;
use super::account::{Account, State, now, repair};
use super::book::Book;
use super::charge::Terms;
use super::checkpoint::{Checkpoint, checkpoint_path};
use super::digest::{Digest, LedgerId};
use super::error::{Cap, LedgerError};
use super::file::{Absent, LockedFile, resolved};
use super::key::{LedgerKey, PublicKey};
use super::line::{Parsed, Place, encode, take_apart};
use super::record::{Adopt, Entry, FORMAT_VERSION, Open, Subject};
use super::summary::{Caps, LedgerSummary};

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
}

/// Whether a checkpoint knows of the last line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Freshness {
    Current,
    Behind,
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
    match (checkpoint, public) {
        (Some(checkpoint), Some(public)) => {
            checkpoint.lines_since(path, book.open.id, &public, &parsed.records)?;
        }
        // A checkpoint was signed, so this is not the ledger that it was written for.
        (Some(_), None) => {
            return Err(LedgerError::CheckpointDamaged {
                path: checkpoint_path(path),
            });
        }
        (None, _) => {}
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
fn signer(path: &Path, parsed: &Parsed) -> Result<PublicKey, LedgerError> {
    parsed.next.key.ok_or_else(|| LedgerError::Unsigned {
        path: path.to_owned(),
    })
}

/// Refuses a ledger that lacks its checkpoint, or lines that the checkpoint knows of.
pub(super) fn check_checkpoint(
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
pub(super) fn check_terms(book: &Book, terms: &Terms) -> Result<(), LedgerError> {
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
