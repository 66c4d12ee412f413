//! The policy: what the owner of a data set allows, in public, before anything is opened.
//!
//! A [`Policy`] exists only if it is valid. [`Policy::parse`] reports everything that is wrong at
//! once, each [`Finding`] with its place; `diagnostic::render` shows them as a compiler would.
//! Flags of the command line can only tighten a policy: see [`Policy::tighten`].
//!
//! A policy does not say how the data look; nothing here opens the data.
//!
//! The keys of the file are described in `docs/policy.md`.

mod column;
mod columns;
mod defaults;
mod domain;
mod finding;
mod head;
mod keys;
mod learn;
mod model;
mod place;
mod read;
mod rule;
mod section;
mod suggest;
#[cfg(test)]
mod tests;
mod tighten;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use dpsynth_constraints::{RuleSpec, Rules};
use dpsynth_privacy::{Adjacency, Delta, Epsilon, PrivacyUnit};
use dpsynth_table::{Column, Dialect, Domain, Format, Schema, SchemaError};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

pub use finding::{CODES, Finding, Findings};
pub(crate) use learn::MOST_SPIKES;
pub use learn::{LearnError, LearnedDomain, Open, Unstated};
pub use model::{ChosenBy, Engine, Model};
pub use tighten::{PolicyError, Tightened};

/// What the owner of a data set allows.
#[derive(Clone, Debug)]
pub struct Policy {
    /// The version of the format; [`FORMAT_VERSION`] is the only one.
    pub version: u32,
    /// Which data set this is about.
    pub dataset: Dataset,
    /// What is promised to whom, and how much may be spent.
    pub privacy: Privacy,
    /// The people whom this data set shares with others, and their budget.
    pub universe: Option<Universe>,
    /// How the data are modelled.
    pub model: Model,
    /// All columns that are kept, in the order of the policy; derived columns are among them.
    pub schema: Schema,
    /// Columns of the file that are never read further than their header.
    pub ignored: Vec<String>,
    /// Columns of categories that are listed from the least to the most.
    pub ordered: Vec<String>,
    /// What is to be learned of columns that the policy leaves open, by column. Until then the schema
    /// has a bucket alone, or the widest bounds, in their place.
    pub open: BTreeMap<String, Unstated>,
    /// Why a column's bounds or categories are what they are, by column.
    pub column_reasons: BTreeMap<String, String>,
    /// What a sensible row is, ready to be enforced.
    pub rules: Rules,
    /// The rules as they were stated.
    pub rule_specs: Vec<RuleSpec>,
    /// Why a rule holds, by rule.
    pub rule_reasons: BTreeMap<String, String>,
    /// What a release writes.
    pub output: Output,
    /// The exact text of the policy.
    pub text: String,
}

impl Policy {
    /// Reads a policy.
    ///
    /// # Errors
    /// Returns everything that is wrong with the text, in the order of the text.
    pub fn parse(text: &str) -> Result<Self, Findings> {
        read::policy(text)
    }

    /// Reads a policy from the bytes of a file.
    ///
    /// # Errors
    /// Returns everything that is wrong with the text, or that it is not UTF-8.
    pub fn parse_bytes(bytes: &[u8]) -> Result<Self, Findings> {
        match std::str::from_utf8(bytes) {
            Ok(text) => Self::parse(text),
            Err(_) => Err(Findings::one(Finding {
                code: finding::NOT_UTF8,
                message: "the policy is not UTF-8 text".to_owned(),
                help: "save it as UTF-8".to_owned(),
                span: None,
                notes: Vec::new(),
            })),
        }
    }

    /// Returns the SHA-256 of the exact bytes of the policy, in lower-case hexadecimal.
    pub fn sha256(&self) -> String {
        let digest = Sha256::digest(self.text.as_bytes());
        digest.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// Returns the columns that are computed by a rule and not modelled.
    pub fn derived(&self) -> Vec<String> {
        self.rules.derived_columns()
    }

    /// Returns the columns whose identifiers are made up.
    pub fn identifiers(&self) -> Vec<String> {
        identifiers(&self.schema)
    }

    /// Returns the fewest identifiers that a column of them has room for, with its name.
    pub fn identifier_room(&self) -> Option<(&str, u64)> {
        let room = |column: &Column| match &column.domain {
            Domain::Identifier { format } => Some(format.room()),
            _ => None,
        };
        let columns = self.schema.columns().iter();
        columns
            .filter_map(|column| Some((column.name.as_str(), room(column)?)))
            .min_by_key(|(_, room)| *room)
    }

    /// Returns how many rows a table can have at most, where identifiers or rules bound that.
    pub fn room(&self) -> Option<u64> {
        let identifiers = self.identifier_room().map(|(_, room)| room);
        identifiers.into_iter().chain(self.rules.room()).min()
    }

    /// Returns the schema of the columns that rules speak of: all that are kept but the identifiers.
    ///
    /// # Errors
    /// If no column is left, which a policy excludes.
    pub fn ruled_schema(&self) -> Result<Schema, SchemaError> {
        self.schema.without(&self.identifiers())
    }

    /// Returns the schema of the columns that `engine` models.
    ///
    /// Cells are fine where counts tell which of them to take together; the autoencoder's are those
    /// of the policy.
    ///
    /// # Errors
    /// If no column is left, which a policy excludes.
    pub fn modelled_schema(&self, engine: Engine) -> Result<Schema, SchemaError> {
        let schema = self.ruled_schema()?.without(&self.derived())?;
        match engine {
            Engine::Decoder | Engine::Marginals | Engine::Copula => schema.finer(),
            Engine::Vae => Ok(schema),
        }
    }

    /// Returns the columns that are modelled, in the order of the schema: all that are kept but the
    /// derived ones and the identifiers.
    pub fn modelled(&self) -> Vec<&str> {
        let mut derived = self.derived();
        derived.extend(self.identifiers());
        let columns = self.schema.columns().iter();
        columns
            .map(|column| column.name.as_str())
            .filter(|name| !derived.iter().any(|derived| derived == name))
            .collect()
    }
}

/// Which data set a policy is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dataset {
    /// Its name, of ASCII letters, digits, `_`, `.` and `-`.
    pub name: String,
    /// The file, when the policy names one, relative to the policy.
    pub file: Option<PathBuf>,
    /// How the text of a CSV file is written.
    pub dialect: Dialect,
    /// Cells that mean missing in every column that does not say otherwise.
    pub missing_tokens: Vec<String>,
    /// The ledger, relative to the policy.
    pub ledger: PathBuf,
}

impl Dataset {
    /// Returns the path of the data when the policy lies at `policy`, if the policy names a file.
    pub fn file_beside(&self, policy: &Path) -> Option<PathBuf> {
        self.file.as_deref().map(|file| beside(policy, file))
    }

    /// Returns the path of the ledger when the policy lies at `policy`.
    pub fn ledger_beside(&self, policy: &Path) -> PathBuf {
        beside(policy, &self.ledger)
    }
}

/// What is promised to whom, and how much may be spent.
#[derive(Clone, Debug, PartialEq)]
pub struct Privacy {
    /// Whose participation is hidden.
    pub unit: PrivacyUnit,
    /// What neighbouring data sets are.
    pub adjacency: Adjacency,
    /// The most epsilon that one release may spend.
    pub epsilon_per_release: Epsilon,
    /// The most delta that one release may spend.
    pub delta_per_release: Delta,
    /// The most epsilon that all releases together may spend.
    pub epsilon_for_life: Epsilon,
    /// The most delta that all releases together may spend.
    pub delta_for_life: Delta,
    /// How many units there are, as far as the public knows.
    pub expected_units: ExpectedUnits,
    /// Why these numbers are acceptable.
    pub reason: Option<String>,
}

/// People who may be in several data sets, and what all these data sets together may spend.
#[derive(Clone, Debug, PartialEq)]
pub struct Universe {
    /// Its name, of ASCII letters, digits, `_`, `.` and `-`.
    pub name: String,
    /// Its ledger, relative to the policy.
    pub ledger: PathBuf,
    /// The most epsilon that all releases of all its data sets together may spend.
    pub epsilon_for_life: Epsilon,
    /// The most delta that all releases of all its data sets together may spend.
    pub delta_for_life: Delta,
}

impl Universe {
    /// Returns the path of the ledger when the policy lies at `policy`.
    pub fn ledger_beside(&self, policy: &Path) -> PathBuf {
        beside(policy, &self.ledger)
    }
}

/// How many units a data set has, as far as the public knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ExpectedUnits {
    /// A public figure, at least 1; it need not be exact.
    Public(u64),
    /// Unknown: a noisy count is to be paid for.
    Count,
}

/// What a release writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Output {
    /// How many rows, or `None` for the expected number of units where these are rows, and for the
    /// noisy number of rows otherwise.
    pub rows: Option<u64>,
    /// The format, or `None` for that of the input.
    pub format: Option<Format>,
}

/// The version of the policy format that is read.
pub const FORMAT_VERSION: u32 = 1;

/// The most rows that a release may be asked for.
pub const MAX_ROWS: u64 = 1_000_000_000;

/// The largest delta that a policy may allow: above it, a release that copies a random record could
/// pass as private.
pub const MAX_DELTA: f64 = 1e-3;

/// Returns the columns of a schema whose identifiers are made up.
fn identifiers(schema: &Schema) -> Vec<String> {
    let columns = schema.columns().iter();
    columns
        .filter(|column| matches!(column.domain, Domain::Identifier { .. }))
        .map(|column| column.name.clone())
        .collect()
}

/// Returns `file` as seen from the folder of `policy`.
fn beside(policy: &Path, file: &Path) -> PathBuf {
    policy.parent().unwrap_or(Path::new("")).join(file)
}
