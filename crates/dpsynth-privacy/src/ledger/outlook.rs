//! What a budget for life leaves for more charges of one price, without changing anything.

use std::path::Path;

use super::book::Book;
use super::charge::Terms;
use super::checkpoint::Checkpoint;
use super::decimal::Decimal;
use super::error::LedgerError;
use super::file;
use super::line::{Place, take_apart};
use super::opening::{check_checkpoint, check_terms};
use crate::numbers::{Delta, Epsilon};

/// How far the budget of one ledger goes.
#[derive(Debug)]
pub struct Outlook {
    /// What stands at its place.
    pub ledger: Standing,
    /// What remains of ε, rounded down.
    pub remaining_epsilon: f64,
    /// What remains of δ, rounded down.
    pub remaining_delta: f64,
    /// What remains of ε after one such charge, rounded down; 0 if none is admitted.
    pub epsilon_after: f64,
    /// How many such charges are admitted, one after the other; at most 10,000 are counted.
    pub charges: u32,
    /// Why not a single one is admitted, if none is.
    pub refusal: Option<LedgerError>,
}

/// What stands at the place of a ledger.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Nothing yet: the first charge makes it.
    Absent,
    /// A ledger.
    Sound,
}

/// A charge that is not made: what it would cost.
#[derive(Clone, Copy, Debug)]
pub struct Prospect {
    /// The upper bound on its ε.
    pub epsilon_spent: f64,
    /// The most ε that was asked for.
    pub epsilon: Epsilon,
    /// δ.
    pub delta: Delta,
}

/// Looks ahead under `terms`. The key is not needed: whoever plans need not be able to sign.
pub(crate) fn outlook(
    path: &Path,
    terms: &Terms,
    prospect: Prospect,
) -> Result<Outlook, LedgerError> {
    let (ledger, left) = match file::resolved(path) {
        path if path.exists() => (Standing::Sound, left(&path, terms)?),
        _ => (Standing::Absent, terms.caps.whole()),
    };
    let (epsilon, delta) = left;
    let refusal = terms.caps.admit(&terms.subject, left, prospect).err();
    let mut outlook = Outlook {
        ledger,
        remaining_epsilon: epsilon.round_down(),
        remaining_delta: delta.round_down(),
        epsilon_after: 0.0,
        charges: 0,
        refusal,
    };
    let price = Decimal::of(prospect.epsilon_spent).zip(Decimal::of(prospect.delta.value()));
    if let (None, Some(price)) = (&outlook.refusal, price) {
        outlook.epsilon_after = epsilon.minus(price.0).round_down();
        let mut sum = price;
        while outlook.charges < MOST_COUNTED && sum.0 <= epsilon && sum.1 <= delta {
            outlook.charges += 1;
            sum = (sum.0.plus(price.0), sum.1.plus(price.1));
        }
    }
    Ok(outlook)
}

/// What the ledger at `path` leaves, if a charge under `terms` could open it.
fn left(path: &Path, terms: &Terms) -> Result<(Decimal, Decimal), LedgerError> {
    // The checkpoint first, as in an audit.
    let checkpoint = Checkpoint::read(path)?;
    let parsed = take_apart(&file::read_unlocked(path)?, Place::START)?;
    match (parsed.records.as_slice(), checkpoint) {
        ([], Some(checkpoint)) => Err(checkpoint.refuse_empty(path)),
        ([], None) => Ok(terms.caps.whole()),
        (records, checkpoint) => {
            let book = Book::replay(records)?;
            check_terms(&book, terms)?;
            check_checkpoint(path, checkpoint, &book, &parsed)?;
            Ok(terms.caps.remaining(&book))
        }
    }
}

/// Beyond this nobody counts.
const MOST_COUNTED: u32 = 10_000;
