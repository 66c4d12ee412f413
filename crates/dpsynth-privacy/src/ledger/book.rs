//! What a chain of records adds up to.

use super::decimal::Decimal;
use super::digest::{ChargeId, Digest};
use super::error::LedgerError;
use super::flaw::Flaw;
use super::record::{Charge, Commit, Entry, Open, Record, Subject};
use crate::accountant::{self, Price};
use crate::event::DpEvent;
use crate::mechanism::Mechanism;
use crate::numbers::Delta;

/// The state of a ledger after its last record.
#[derive(Clone, Debug)]
pub(crate) struct Book {
    pub(crate) open: Open,
    /// Whose ledger it is, as the first line says.
    pub(crate) subject: Subject,
    pub(crate) charges: Vec<Booked>,
    /// The number of records, hence the sequence number of the next one.
    pub(crate) records: u64,
    /// The hash of the last record.
    pub(crate) head: Digest,
}

/// A charge as it counts now.
#[derive(Clone, Debug)]
pub(crate) struct Booked {
    pub(crate) charge: Charge,
    /// The epsilon that counts: what was recorded, or what the accountant says now if that is
    /// more by no more than a machine's arithmetic explains.
    pub(crate) epsilon: f64,
    pub(crate) refunded_at: Option<i64>,
    pub(crate) commit: Option<Commit>,
}

impl Book {
    /// Adds up `records`, at least one, and prices every charge again.
    ///
    /// # Guarantee
    /// Returns an error, or a book whose sums are at least those of the charges that stand, each
    /// at no less than this build's accountant asks for its mechanisms.
    pub(crate) fn replay(records: &[Record]) -> Result<Book, LedgerError> {
        let broken = |line: usize, flaw| LedgerError::Corrupt {
            line: line as u64 + 1,
            flaw,
        };
        let Some((first, rest)) = records.split_first() else {
            return Err(broken(0, Flaw::OpenMissing));
        };
        let Entry::Open(open) = &first.entry else {
            return Err(broken(0, Flaw::OpenMissing));
        };
        let subject = open
            .subject()
            .ok_or_else(|| broken(0, Flaw::SubjectUnclear))?;
        let mut book = Book {
            open: open.clone(),
            subject,
            charges: Vec::new(),
            records: 1,
            head: first.hash,
        };
        book.extend(rest)?;
        Ok(book)
    }

    /// Enters the records that follow, and prices their charges again.
    ///
    /// # Guarantee
    /// As [`Book::replay`].
    pub(crate) fn extend(&mut self, records: &[Record]) -> Result<(), LedgerError> {
        let before = self.charges.len();
        for record in records {
            let line = self.records + 1;
            self.enter(record)
                .map_err(|flaw| LedgerError::Corrupt { line, flaw })?;
        }
        // Releases of one policy are often alike, and a price takes far longer than a comparison.
        let mut alike: Option<(DpEvent, Delta, Price)> = None;
        for booked in &mut self.charges[before..] {
            let charge = &booked.charge;
            let price = match alike.take() {
                Some(known) if (&known.0, known.1) == (&charge.event, charge.delta_asked) => {
                    known.2
                }
                _ => accountant::price(&charge.event, self.open.adjacency, charge.delta_asked)
                    .map_err(|source| LedgerError::Unpriceable {
                        line: charge.sequence + 1,
                        source,
                    })?,
            };
            alike = Some((charge.event.clone(), charge.delta_asked, price));
            booked.price_again(price)?;
        }
        Ok(())
    }

    /// Enters one more record.
    pub(crate) fn enter(&mut self, record: &Record) -> Result<(), Flaw> {
        match &record.entry {
            Entry::Charge(charge) => self.enter_charge(charge)?,
            Entry::Commit(commit) => {
                let booked = self.reserved(&commit.charge).ok_or(Flaw::ChargeMisnamed)?;
                booked.commit = Some(commit.clone());
            }
            Entry::Open(_) => return Err(Flaw::OpenRepeated),
            Entry::Refund(refund) => {
                let booked = self.reserved(&refund.charge).ok_or(Flaw::ChargeMisnamed)?;
                booked.refunded_at = Some(refund.at);
            }
            // The key is a matter of the lines, not of the sums.
            Entry::Adopt(_) => {}
        }
        self.records += 1;
        self.head = record.hash;
        Ok(())
    }

    fn enter_charge(&mut self, charge: &Charge) -> Result<(), Flaw> {
        // Decimals exist for finite non-negative numbers only.
        if Decimal::of(charge.epsilon_spent).is_none()
            || charge.epsilon_spent > charge.epsilon_asked.value()
        {
            return Err(Flaw::NumberOutOfRange);
        }
        // In a universe each charge says for which data set it is; elsewhere the first line does.
        let in_universe = matches!(self.subject, Subject::Universe { .. });
        if (charge.dataset.is_some(), charge.unit.is_some()) != (in_universe, in_universe) {
            return Err(Flaw::SubjectUnclear);
        }
        if charge.mechanisms.is_empty() || charge.event != composed(&charge.mechanisms) {
            return Err(Flaw::EventDiffers);
        }
        if self
            .charges
            .iter()
            .any(|booked| booked.charge.id == charge.id)
        {
            return Err(Flaw::ChargeMisnamed);
        }
        let epsilon = charge.epsilon_spent;
        self.charges.push(Booked {
            charge: charge.clone(),
            epsilon,
            refunded_at: None,
            commit: None,
        });
        Ok(())
    }

    /// Returns the charge of that name, if it has been neither refunded nor committed.
    pub(crate) fn reserved(&mut self, id: &ChargeId) -> Option<&mut Booked> {
        self.charges
            .iter_mut()
            .find(|it| it.charge.id == *id && it.refunded_at.is_none() && it.commit.is_none())
    }

    /// Returns the exact sums of epsilon and delta over the charges that stand: basic
    /// composition, Dwork & Roth (2014), theorem 3.16, which holds although each mechanism is
    /// chosen after the release of the ones before.
    pub(crate) fn spent(&self) -> (Decimal, Decimal) {
        let standing = self
            .charges
            .iter()
            .filter(|booked| booked.refunded_at.is_none());
        standing.fold(
            (Decimal::ZERO, Decimal::ZERO),
            |(epsilon, delta), booked| {
                // OK because both numbers were checked when the charge was entered.
                let of = |number| Decimal::of(number).expect("a privacy number that was checked");
                (
                    epsilon.plus(of(booked.epsilon)),
                    delta.plus(of(booked.charge.delta_asked.value())),
                )
            },
        )
    }
}

impl Booked {
    fn price_again(&mut self, price: Price) -> Result<(), LedgerError> {
        let line = self.charge.sequence + 1;
        // No true price is below the lower bound; above it two machines may bound differently.
        let (least, price) = (price.certified.lower, price.epsilon());
        let recorded = self.charge.epsilon_spent;
        // Written so that a price that is not a number is refused.
        let explained = least <= recorded * (1.0 + ARITHMETIC_SLACK);
        if !explained {
            return Err(LedgerError::UnderPriced {
                line,
                recorded,
                price,
            });
        }
        // Up: of two bounds the larger one counts.
        if price > recorded {
            self.epsilon = price;
        }
        Ok(())
    }
}

/// Returns what the accountant sees of `mechanisms`: all of them, in sequence.
pub(crate) fn composed(mechanisms: &[Mechanism]) -> DpEvent {
    DpEvent::Composed {
        events: mechanisms.iter().map(Mechanism::event).collect(),
    }
}

/// How much more, relative to the record, another machine's arithmetic can make the accountant
/// ask. A larger difference means that the record is wrong, not that a logarithm was rounded.
const ARITHMETIC_SLACK: f64 = 1e-9;
