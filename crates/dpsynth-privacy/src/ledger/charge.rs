//! What goes into a ledger and what comes back: terms, requests, receipts.

use super::digest::{ChargeId, Digest};
use super::record::Subject;
use super::summary::{Caps, LedgerSummary};
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

/// What a policy says about a universe of people who may be in several data sets, and the budget
/// that all these data sets share.
#[derive(Clone, Debug, PartialEq)]
pub struct UniverseTerms {
    /// The name of the universe.
    pub universe: String,
    /// What it means to take part, the same in every data set.
    pub adjacency: Adjacency,
    /// The most epsilon that all charges of all data sets together may spend.
    pub lifetime_epsilon: Epsilon,
    /// The most delta that all charges of all data sets together may spend.
    pub lifetime_delta: Delta,
}

/// The terms of one file.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Terms {
    pub(crate) subject: Subject,
    pub(crate) adjacency: Adjacency,
    pub(crate) caps: Caps,
}

impl From<&LedgerTerms> for Terms {
    fn from(terms: &LedgerTerms) -> Terms {
        Terms {
            subject: Subject::Dataset {
                name: terms.dataset.clone(),
                unit: terms.unit.clone(),
            },
            adjacency: terms.adjacency,
            caps: Caps {
                epsilon: terms.lifetime_epsilon,
                delta: terms.lifetime_delta,
            },
        }
    }
}

impl From<&UniverseTerms> for Terms {
    fn from(terms: &UniverseTerms) -> Terms {
        Terms {
            subject: Subject::Universe {
                name: terms.universe.clone(),
            },
            adjacency: terms.adjacency,
            caps: Caps {
                epsilon: terms.lifetime_epsilon,
                delta: terms.lifetime_delta,
            },
        }
    }
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

/// A charge that is on disk. Only [`Ledger::reserve`](super::Ledger::reserve) makes one.
#[derive(Debug)]
#[must_use = "a charge that is not used is spent all the same"]
pub struct ChargeReceipt {
    pub(crate) id: ChargeId,
    pub(crate) unit: PrivacyUnit,
    pub(crate) epsilon_spent: f64,
    pub(crate) delta_spent: Delta,
    pub(crate) mechanisms: Vec<Mechanism>,
    pub(crate) booking: Booking,
    pub(crate) universe: Option<Booking>,
}

/// A charge's place in one ledger.
#[derive(Clone, Debug, PartialEq)]
pub struct Booking {
    /// The number of records before the charge.
    pub sequence: u64,
    /// The ledger as it stood before the charge.
    pub before: LedgerSummary,
    /// The ledger as it stood after the charge.
    pub after: LedgerSummary,
}

impl ChargeReceipt {
    /// Returns the name of the charge.
    #[must_use]
    pub fn id(&self) -> ChargeId {
        self.id
    }

    /// Returns whose participation the charge hides.
    #[must_use]
    pub fn unit(&self) -> &PrivacyUnit {
        &self.unit
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

    /// Returns the charge's place in the ledger of the data set.
    #[must_use]
    pub fn booking(&self) -> &Booking {
        &self.booking
    }

    /// Returns the charge's place in the ledger of the universe, if it draws on one.
    #[must_use]
    pub fn universe(&self) -> Option<&Booking> {
        self.universe.as_ref()
    }
}
