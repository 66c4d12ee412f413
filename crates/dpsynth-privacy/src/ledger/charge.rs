//! What goes into a ledger and what comes back: terms, requests, receipts.

use super::digest::{ChargeId, Digest};
use super::summary::LedgerSummary;
use crate::mechanism::Mechanism;
use crate::numbers::{Delta, Epsilon};
use crate::unit::{Adjacency, PrivacyUnit};

/// What a policy says about a dataset and its budget.
#[derive(Clone, Debug, PartialEq)]
pub struct LedgerTerms {
    /// The name of the dataset.
    pub dataset: String,
    /// Whose participation every charge hides.
    pub unit: PrivacyUnit,
    /// What it means to take part.
    pub adjacency: Adjacency,
    /// The most epsilon that all charges together may spend.
    pub lifetime_epsilon: Epsilon,
    /// The most delta that all charges together may spend.
    pub lifetime_delta: Delta,
}

/// What a release asks for.
#[derive(Clone, Debug, PartialEq)]
pub struct ChargeRequest {
    /// What the charge is for, such as `release`.
    pub purpose: String,
    /// The hash of the policy's bytes.
    pub policy_sha256: Digest,
    /// Every mechanism that the release will run.
    pub mechanisms: Vec<Mechanism>,
    /// The most epsilon that they may cost.
    pub epsilon: Epsilon,
    /// The delta at which they are priced, all of which counts as spent.
    pub delta: Delta,
}

/// A charge that is on disk. Only [`Ledger::charge`](super::Ledger::charge) makes one.
#[derive(Debug)]
#[must_use = "a charge that is not used is spent all the same"]
pub struct ChargeReceipt {
    pub(crate) id: ChargeId,
    pub(crate) sequence: u64,
    pub(crate) epsilon_spent: f64,
    pub(crate) delta_spent: Delta,
    pub(crate) mechanisms: Vec<Mechanism>,
    pub(crate) before: LedgerSummary,
    pub(crate) after: LedgerSummary,
}

impl ChargeReceipt {
    /// Returns the name of the charge.
    #[must_use]
    pub fn id(&self) -> ChargeId {
        self.id
    }

    /// Returns the number of records before the charge.
    #[must_use]
    pub fn sequence(&self) -> u64 {
        self.sequence
    }

    /// Returns the epsilon that the charge spent: the accountant's upper bound.
    #[must_use]
    pub fn epsilon_spent(&self) -> f64 {
        self.epsilon_spent
    }

    /// Returns the delta that the charge spent.
    #[must_use]
    pub fn delta_spent(&self) -> Delta {
        self.delta_spent
    }

    /// Returns the mechanisms that the charge pays for, as recorded.
    #[must_use]
    pub fn mechanisms(&self) -> &[Mechanism] {
        &self.mechanisms
    }

    /// Returns the ledger as it stood before the charge.
    #[must_use]
    pub fn before(&self) -> &LedgerSummary {
        &self.before
    }

    /// Returns the ledger as it stood after the charge.
    #[must_use]
    pub fn after(&self) -> &LedgerSummary {
        &self.after
    }
}
