//! What a ledger says to a reader: the caps, the sums and every charge.

use serde::{Deserialize, Serialize};

use super::book::{Book, Booked};
use super::decimal::Decimal;
use super::digest::{ChargeId, Digest, LedgerId};
use super::error::LedgerError;
use super::key::PublicKey;
use super::outlook::Prospect;
use super::record::{Open, Subject};
use crate::event::DpEvent;
use crate::mechanism::Mechanism;
use crate::numbers::{Delta, Epsilon};
use crate::unit::{Adjacency, PrivacyUnit};

/// A ledger as it stands. All of it is public.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LedgerSummary {
    /// The name of the ledger.
    pub id: LedgerId,
    /// Whose ledger it is.
    pub subject: Subject,
    /// The key that signs it; absent in a ledger from before keys.
    pub public_key: Option<PublicKey>,
    /// What it means to take part.
    pub adjacency: Adjacency,
    /// The cap on epsilon that applies: that of the ledger, or a tighter one of the policy.
    pub lifetime_epsilon: Epsilon,
    /// The cap on delta that applies.
    pub lifetime_delta: Delta,
    /// The sum of epsilon over the charges that stand, rounded up.
    pub spent_epsilon: f64,
    /// The sum of delta over the charges that stand, rounded up.
    pub spent_delta: f64,
    /// The epsilon that remains, rounded down.
    pub remaining_epsilon: f64,
    /// The delta that remains, rounded down.
    pub remaining_delta: f64,
    /// Every charge ever made, in order.
    pub charges: Vec<ChargeLine>,
    /// The hash of the last record, which commits to the whole file.
    pub head_hash: Digest,
}

/// One charge in a [`LedgerSummary`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ChargeLine {
    /// The number of records before it.
    pub sequence: u64,
    /// The name of the charge.
    pub id: ChargeId,
    /// When it was made, in seconds since 1970-01-01 UTC.
    pub at: i64,
    /// The data set, in the ledger of a universe.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dataset: Option<String>,
    /// The data set's privacy unit, in the ledger of a universe.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unit: Option<PrivacyUnit>,
    /// What it was for.
    pub purpose: String,
    /// The hash of the policy under which it was made.
    pub policy_sha256: Digest,
    /// The most epsilon that the release was allowed.
    pub epsilon_asked: Epsilon,
    /// The delta at which the loss was bounded, all of which counts as spent.
    pub delta_asked: Delta,
    /// The epsilon that counts.
    pub epsilon_spent: f64,
    /// What it paid for.
    pub mechanisms: Vec<Mechanism>,
    /// The same as the accountant sees it.
    pub event: DpEvent,
    /// The time that the line bears which took it back, if one did: that of the charge, but in older
    /// ledgers. A charge that was taken back counts for nothing.
    pub refunded_at: Option<i64>,
    /// The release that it was used for. Absent while the release runs, after a crash, and where it
    /// was taken back; a charge without a release counts in full all the same.
    pub release: Option<CommittedRelease>,
}

/// The release that a charge was used for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CommittedRelease {
    /// The number of records before the commit.
    pub sequence: u64,
    /// When the charge was made, in seconds since 1970-01-01 UTC; in older ledgers, when the release was
    /// whole.
    pub at: i64,
    /// The SHA-256 of its `MANIFEST`.
    pub manifest_sha256: Digest,
}

/// The caps that apply.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Caps {
    pub(crate) epsilon: Epsilon,
    pub(crate) delta: Delta,
}

impl Caps {
    /// Returns the caps that a ledger was opened with first.
    pub(crate) fn recorded(open: &Open) -> Caps {
        Caps {
            epsilon: open.lifetime_epsilon,
            delta: open.lifetime_delta,
        }
    }

    /// Returns what the charges of `book` leave of the caps: epsilon and delta, exactly.
    pub(crate) fn remaining(self, book: &Book) -> (Decimal, Decimal) {
        let (epsilon, delta) = self.whole();
        let (spent_epsilon, spent_delta) = book.spent();
        (epsilon.minus(spent_epsilon), delta.minus(spent_delta))
    }

    /// Returns all of both, where nothing was spent.
    pub(crate) fn whole(self) -> (Decimal, Decimal) {
        // OK because a cap that is no decimal would leave nothing, and caps are validated.
        let of = |cap: f64| Decimal::of(cap).unwrap_or(Decimal::ZERO);
        (of(self.epsilon.value()), of(self.delta.value()))
    }

    /// Refuses a charge that what is `left` of `subject`'s budget has no room for.
    pub(crate) fn admit(
        self,
        subject: &Subject,
        left: (Decimal, Decimal),
        asked: Prospect,
    ) -> Result<(), LedgerError> {
        let (epsilon, delta) = left;
        let requested_delta = asked.delta.value();
        let fits = |price: f64, left| Decimal::of(price).is_some_and(|price| price <= left);
        if fits(asked.epsilon_spent, epsilon) && fits(requested_delta, delta) {
            return Ok(());
        }
        let (remaining_epsilon, remaining_delta) = (epsilon.round_down(), delta.round_down());
        let nearest = (
            asked.epsilon.value().min(remaining_epsilon),
            requested_delta.min(remaining_delta),
        );
        Err(LedgerError::OverCap {
            subject: subject.clone(),
            requested_epsilon: asked.epsilon_spent,
            requested_delta,
            remaining_epsilon,
            remaining_delta,
            nearest: Some(nearest).filter(|(epsilon, delta)| *epsilon > 0.0 && *delta > 0.0),
        })
    }

    pub(crate) fn summary(self, book: &Book, public_key: Option<PublicKey>) -> LedgerSummary {
        let (spent_epsilon, spent_delta) = book.spent();
        let (remaining_epsilon, remaining_delta) = self.remaining(book);
        LedgerSummary {
            id: book.open.id,
            subject: book.subject.clone(),
            public_key,
            adjacency: book.open.adjacency,
            lifetime_epsilon: self.epsilon,
            lifetime_delta: self.delta,
            // Up: a reader must not think that less was spent.
            spent_epsilon: spent_epsilon.round_up(),
            spent_delta: spent_delta.round_up(),
            // Down: a reader must not think that more remains.
            remaining_epsilon: remaining_epsilon.round_down(),
            remaining_delta: remaining_delta.round_down(),
            charges: book.charges.iter().map(ChargeLine::of).collect(),
            head_hash: book.head,
        }
    }
}

impl ChargeLine {
    fn of(booked: &Booked) -> ChargeLine {
        let charge = &booked.charge;
        ChargeLine {
            sequence: charge.sequence,
            id: charge.id,
            at: charge.at,
            dataset: charge.dataset.clone(),
            unit: charge.unit.clone(),
            purpose: charge.purpose.clone(),
            policy_sha256: charge.policy_sha256,
            epsilon_asked: charge.epsilon_asked,
            delta_asked: charge.delta_asked,
            epsilon_spent: booked.epsilon,
            mechanisms: charge.mechanisms.clone(),
            event: charge.event.clone(),
            refunded_at: booked.refunded_at,
            release: booked.commit.as_ref().map(|commit| CommittedRelease {
                sequence: commit.sequence,
                at: commit.at,
                manifest_sha256: commit.manifest_sha256,
            }),
        }
    }
}
