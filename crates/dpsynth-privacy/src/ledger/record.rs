//! The records of a ledger: what its lines say.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::digest::{ChargeId, Digest, LedgerId};
use super::key::{PublicKey, Signature};
use crate::event::DpEvent;
use crate::mechanism::Mechanism;
use crate::numbers::{Delta, Epsilon};
use crate::unit::{Adjacency, PrivacyUnit};

/// A line of the file whose hash, place in the chain and signature have been checked.
#[derive(Clone, Debug, PartialEq)]
pub struct Record {
    /// What the line says.
    pub entry: Entry,
    /// The SHA-256 hash of what it says, which covers the hash of the line before.
    pub hash: Digest,
    /// The signature over the hash; absent before the line that gives the ledger a key.
    pub signature: Option<Signature>,
}

/// What a line says.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Entry {
    /// A ledger from before keys was given one.
    Adopt(Adopt),
    /// The loss of one release: reserved, and counted in full, before its data is opened.
    Charge(Charge),
    /// What a charge was used for: a release, by the hash of its manifest.
    Commit(Commit),
    /// The first line: whose ledger this is.
    Open(Open),
    /// A charge taken back because nothing that it paid for was ever started.
    Refund(Refund),
}

/// The first line: whose ledger this is, what may be spent for life, and who signs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Open {
    /// The version of the file's format: [`FORMAT_VERSION`], or 1 for a ledger from before keys.
    pub version: u32,
    /// Always 0.
    pub sequence: u64,
    /// The name of the ledger, which ties every later line to this file.
    pub id: LedgerId,
    /// When the ledger was made, in seconds since 1970-01-01 UTC.
    pub at: i64,
    /// The name of the data set, where the ledger is that of one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dataset: Option<String>,
    /// The name of the universe of people, where the ledger is that of one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub universe: Option<String>,
    /// Whose participation every charge hides; in a universe each charge says that itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unit: Option<PrivacyUnit>,
    /// What it means to take part.
    pub adjacency: Adjacency,
    /// The most epsilon that all charges together may spend.
    pub lifetime_epsilon: Epsilon,
    /// The most delta that all charges together may spend.
    pub lifetime_delta: Delta,
    /// The key that signs this line and every later one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub public_key: Option<PublicKey>,
    /// 64 zeros.
    pub previous: Digest,
}

/// The loss of one release.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Charge {
    /// The number of lines before this one.
    pub sequence: u64,
    /// When the charge was made, in seconds since 1970-01-01 UTC.
    pub at: i64,
    /// The name of the charge; a charge to a universe has the name of that to the data set.
    pub id: ChargeId,
    /// The data set, in the ledger of a universe.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dataset: Option<String>,
    /// The data set's privacy unit, in the ledger of a universe.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unit: Option<PrivacyUnit>,
    /// What the charge is for, such as `release`.
    pub purpose: String,
    /// The hash of the policy under which it was made.
    pub policy_sha256: Digest,
    /// The most epsilon that the release was allowed.
    pub epsilon_asked: Epsilon,
    /// The delta at which the loss was bounded, all of which counts as spent.
    pub delta_asked: Delta,
    /// The accountant's upper bound on epsilon at that delta.
    pub epsilon_spent: f64,
    /// Every mechanism that the charge pays for.
    pub mechanisms: Vec<Mechanism>,
    /// The mechanisms as the accountant sees them, in sequence.
    pub event: DpEvent,
    /// The hash of the line before.
    pub previous: Digest,
}

/// What a charge was used for. It changes no sum: the charge counted before.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Commit {
    /// The number of lines before this one.
    pub sequence: u64,
    /// When the charge was made, in seconds since 1970-01-01 UTC; in older ledgers, when the release was
    /// whole.
    pub at: i64,
    /// The name of the charge.
    pub charge: ChargeId,
    /// The SHA-256 of the release's `MANIFEST`, which covers every other file of it.
    pub manifest_sha256: Digest,
    /// The hash of the line before.
    pub previous: Digest,
}

/// A charge taken back.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Refund {
    /// The number of lines before this one.
    pub sequence: u64,
    /// When the charge was made, in seconds since 1970-01-01 UTC; in older ledgers, when it was taken back.
    pub at: i64,
    /// The name of the charge.
    pub charge: ChargeId,
    /// The hash of the line before.
    pub previous: Digest,
}

/// A key for a ledger from before keys. Its signature vouches for all lines before.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Adopt {
    /// The number of lines before this one.
    pub sequence: u64,
    /// When the ledger was adopted, in seconds since 1970-01-01 UTC.
    pub at: i64,
    /// The version of the file's format from here on.
    pub version: u32,
    /// The key that signs this line and every later one.
    pub public_key: PublicKey,
    /// The hash of the line before.
    pub previous: Digest,
}

impl Entry {
    pub(crate) fn sequence(&self) -> u64 {
        match self {
            Entry::Adopt(adopt) => adopt.sequence,
            Entry::Charge(charge) => charge.sequence,
            Entry::Commit(commit) => commit.sequence,
            Entry::Open(open) => open.sequence,
            Entry::Refund(refund) => refund.sequence,
        }
    }

    pub(crate) fn previous(&self) -> Digest {
        match self {
            Entry::Adopt(adopt) => adopt.previous,
            Entry::Charge(charge) => charge.previous,
            Entry::Commit(commit) => commit.previous,
            Entry::Open(open) => open.previous,
            Entry::Refund(refund) => refund.previous,
        }
    }

    /// Returns the key that this line gives the ledger, if it gives one.
    pub(crate) fn key(&self) -> Option<PublicKey> {
        match self {
            Entry::Adopt(adopt) => Some(adopt.public_key),
            Entry::Open(open) => open.public_key,
            Entry::Charge(_) | Entry::Commit(_) | Entry::Refund(_) => None,
        }
    }
}

/// Whose ledger it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "of", rename_all = "snake_case", deny_unknown_fields)]
pub enum Subject {
    /// Of one data set.
    Dataset {
        /// Its name.
        name: String,
        /// Whose participation every charge hides.
        unit: PrivacyUnit,
    },
    /// Of a universe of people, who may be in several data sets.
    Universe {
        /// Its name.
        name: String,
    },
}

impl Subject {
    /// Returns the name of the data set or the universe.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Subject::Dataset { name, .. } | Subject::Universe { name } => name,
        }
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Subject::Dataset { name, .. } => write!(f, "data set `{name}`"),
            Subject::Universe { name } => write!(f, "universe `{name}`"),
        }
    }
}

impl Open {
    /// Returns whose ledger it is, if the line says so and fits its version.
    pub(crate) fn subject(&self) -> Option<Subject> {
        let signed = self.version == FORMAT_VERSION;
        match (&self.dataset, &self.unit, &self.universe) {
            (Some(name), Some(unit), None) if signed == self.public_key.is_some() => {
                Some(Subject::Dataset {
                    name: name.clone(),
                    unit: unit.clone(),
                })
            }
            (None, None, Some(name)) if signed && self.public_key.is_some() => {
                Some(Subject::Universe { name: name.clone() })
            }
            _ => None,
        }
    }
}

/// The version of the file's format that this build writes.
pub const FORMAT_VERSION: u32 = 2;
/// The version from before keys, which this build reads; see [`adopt`](super::adopt).
pub(crate) const UNSIGNED_VERSION: u32 = 1;
