//! The privacy budget report: what was promised, what it cost, and how to check it.
//!
//! A report is a pure function of the policy, the plan, the charge in the ledger and what
//! enforcing the rules did to synthetic rows, and of what the self test found before the data was
//! opened. It computes no privacy number: every figure is taken from where it was computed, and no
//! clock ran while the data was open.

mod build;
mod claim;
mod html;
mod markdown;
mod other_words;
mod registry;
mod standards;

use std::collections::BTreeMap;

use dpsynth_constraints::RuleOutcome;
use dpsynth_privacy::{Adjacency, DpEvent, Mechanism, PrivacyUnit};
use dpsynth_train::{FitPlan, Network, Optimiser};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize};

use crate::plan::Purpose;
use crate::policy::{ChosenBy, LearnedDomain};
use crate::quality::Quality;
use crate::readings::Readings;
use crate::self_audit::SelfAuditSection;

pub use build::{Ingredients, build};
pub(crate) use build::{ledger_section, universe_section};
pub use claim::claim;
pub(crate) use claim::{delta_text, epsilon_down, epsilon_up};
pub use html::html;
pub(crate) use markdown::capital;
pub use markdown::markdown;
pub(crate) use markdown::mechanism as mechanism_in_words;
pub(crate) use other_words::plan_lines;
pub use registry::registry;
pub use standards::SectionTags;

/// Version of the report's format.
pub const REPORT_VERSION: u32 = 6;

/// The report of one release, as `report.json` holds it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Report {
    /// Version of this format.
    #[serde(deserialize_with = "this_version")]
    pub report_version: u32,
    /// Version of dpsynth that made the release.
    pub tool_version: String,
    /// Why this is not a private release; absent for a private one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub not_private: Option<String>,
    /// The claim in one sentence.
    pub claim: String,
    /// What the release is about.
    pub dataset: String,
    /// What was promised and what it cost.
    pub privacy: PrivacySection,
    /// Every mechanism that has read the data, in the order in which they ran.
    pub mechanisms: Vec<MechanismSection>,
    /// The ledger before and after; absent where nothing was charged.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ledger: Option<LedgerSection>,
    /// The ledger of the universe before and after; absent where the policy names none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub universe: Option<UniverseSection>,
    /// The policy that allowed it.
    pub policy: PolicySection,
    /// Where each column's bounds or categories come from.
    pub columns: Vec<ColumnSection>,
    /// The rules, and what enforcing them did to synthetic rows.
    pub rules: Vec<RuleSection>,
    /// How the rows were made.
    pub synthesis: SynthesisSection,
    /// How near the rows are to the noisy counts, computed on released values alone; absent where the
    /// model was not fitted to counts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub quality: Option<Quality>,
    /// What the self test found before anything was charged.
    pub self_audit: SelfAuditSection,
    /// What the claim does not cover.
    pub not_covered: Vec<String>,
    /// How to check the release.
    pub how_to_check: Vec<String>,
    /// Which part of this report answers which question of two guides.
    pub standards: Vec<SectionTags>,
}

/// What was promised and what it cost.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PrivacySection {
    /// Whose participation is hidden.
    #[schemars(schema_with = "unit_schema")]
    pub unit: PrivacyUnit,
    /// What neighbouring data sets are.
    #[schemars(schema_with = "adjacency_schema")]
    pub adjacency: Adjacency,
    /// ε that was asked for.
    pub epsilon_asked: f64,
    /// δ that was asked for, and at which ε is stated.
    pub delta: f64,
    /// ε that was spent, rounded up. Absent where nothing protects.
    pub epsilon_spent: Option<f64>,
    /// How ε was computed.
    pub accountant: String,
    /// What each accountant says. Absent where nothing protects.
    pub accountants: Option<Accountants>,
    /// The same price in other measures, and for others than the unit; none of it is the claim.
    /// Absent where nothing protects.
    pub readings: Option<Readings>,
    /// ε that the same release costs at other values of δ.
    pub profile: Vec<ProfilePoint>,
}

/// What two accountants, by different mathematics, say about the ε of a release at its δ.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Accountants {
    /// No smaller ε holds: a lower bound from privacy loss distributions.
    pub certified_lower: f64,
    /// This ε holds: an upper bound from privacy loss distributions.
    pub certified_upper: f64,
    /// This ε holds: an upper bound from Rényi differential privacy.
    pub renyi_upper: f64,
}

/// One point of the privacy profile.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ProfilePoint {
    /// δ.
    pub delta: f64,
    /// ε at this δ, rounded up.
    pub epsilon: f64,
}

/// One mechanism that has read the data.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MechanismSection {
    /// What it was for.
    pub purpose: Purpose,
    /// Its public numbers.
    #[schemars(schema_with = "mechanism_schema")]
    pub mechanism: Mechanism,
    /// The event that the accountant priced.
    #[schemars(schema_with = "event_schema")]
    pub event: DpEvent,
    /// ε of this mechanism alone. Together they cost less than the sum.
    pub epsilon_alone: Option<f64>,
}

/// The ledger before and after.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LedgerSection {
    /// Identifier of this release's charge.
    pub charge: String,
    /// Identifier of the ledger.
    pub ledger: String,
    /// The ed25519 key that signs the ledger and the release's `MANIFEST`, in hexadecimal.
    pub public_key: String,
    /// Cap on the sum of ε over all releases.
    pub epsilon_for_life: f64,
    /// Cap on the sum of δ over all releases.
    pub delta_for_life: f64,
    /// Sums before this release.
    pub before: LedgerSums,
    /// Sums after this release.
    pub after: LedgerSums,
    /// Hash of the charge's record, which was the ledger's last one then.
    pub head_hash: String,
}

/// The ledger of the universe before and after; the charge has the same identifier there.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct UniverseSection {
    /// Name of the universe.
    pub name: String,
    /// Identifier of its ledger.
    pub ledger: String,
    /// The ed25519 key that signs that ledger, in hexadecimal.
    pub public_key: String,
    /// Cap on the sum of ε over all releases of all its data sets.
    pub epsilon_for_life: f64,
    /// Cap on the sum of δ over all releases of all its data sets.
    pub delta_for_life: f64,
    /// Sums before this release.
    pub before: LedgerSums,
    /// Sums after this release.
    pub after: LedgerSums,
    /// Hash of the charge's record, which was that ledger's last one then.
    pub head_hash: String,
}

/// What a ledger has spent and what remains.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LedgerSums {
    /// Sum of ε, rounded up.
    pub epsilon_spent: f64,
    /// Sum of δ, rounded up.
    pub delta_spent: f64,
    /// ε that remains, rounded down.
    pub epsilon_remaining: f64,
    /// δ that remains, rounded down.
    pub delta_remaining: f64,
}

/// The policy that allowed the release.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PolicySection {
    /// SHA-256 of the policy's bytes, which lie beside this report as `policy.toml`.
    pub sha256: String,
    /// Largest ε of one release.
    pub epsilon_per_release: f64,
    /// Largest δ of one release.
    pub delta_per_release: f64,
    /// Public number of units, or absent where a noisy count was paid for.
    pub expected_units: Option<u64>,
    /// Why the owner finds these numbers acceptable.
    pub reason: Option<String>,
}

/// Where a column's bounds or categories come from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ColumnSection {
    /// Name of the column.
    pub name: String,
    /// Its kind and its public domain, in words.
    pub domain: String,
    /// Where the domain comes from: the policy, or a mechanism.
    pub provenance: String,
    /// What was learned of the column, where the policy left it open.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub learned: Option<LearnedDomain>,
    /// The owner's reason.
    pub reason: Option<String>,
}

/// A rule, and what enforcing it did to synthetic rows.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RuleSection {
    /// Name of the rule.
    pub name: String,
    /// The rule in words.
    pub rule: String,
    /// The owner's reason.
    pub reason: Option<String>,
    /// How it was made to hold: construction, redraw, repair or refuse.
    pub enforcement: String,
    /// Share of the rows drawn that broke it, from 0 to 1.
    pub violation_rate: f64,
    /// Share of the rows drawn that it repaired.
    pub repair_rate: f64,
    /// Share of the rows drawn that were drawn again because of it.
    pub redraw_rate: f64,
}

/// How the rows were made.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SynthesisSection {
    /// What generated the rows.
    pub engine: String,
    /// Who chose the engine; the data had no part in it.
    pub chosen_by: ChosenBy,
    /// Rows delivered.
    pub rows: u64,
    /// Seed of all post-processing; whoever has the model can draw the same rows.
    pub seed: u64,
    /// What was fitted.
    pub model: ModelSection,
    /// How the columns were cut into cells.
    pub modelled_columns: Vec<String>,
}

/// What was fitted to what the mechanisms released.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum ModelSection {
    /// A decoder, to noisy marginals.
    Decoder {
        /// Its sizes, and how it was fitted.
        #[schemars(schema_with = "object_schema")]
        fit: FitPlan,
    },
    /// A graphical model, to noisy marginals of the cliques of a junction tree.
    Marginals,
    /// A Gaussian copula, to noisy margins and correlations.
    Copula,
    /// A variational autoencoder, by DP-SGD.
    Vae {
        /// The network.
        #[schemars(schema_with = "object_schema")]
        network: Network,
        /// How its weights followed the noisy gradients.
        #[schemars(schema_with = "object_schema")]
        optimiser: Optimiser,
    },
}

impl Report {
    /// Returns what was learned of columns that the policy left open, by column.
    #[must_use]
    pub fn learned(&self) -> BTreeMap<String, LearnedDomain> {
        let columns = self.columns.iter();
        columns
            .filter_map(|column| Some((column.name.clone(), column.learned.clone()?)))
            .collect()
    }

    /// Reads a report; unknown fields are refused.
    ///
    /// # Errors
    /// The parser's message where the text is not a report of this version.
    pub fn parse(text: &[u8]) -> Result<Self, serde_json::Error> {
        serde_json::from_slice(text)
    }

    /// Writes the report as it lies in a release.
    #[must_use]
    pub fn to_json(&self) -> String {
        let mut text = serde_json::to_string_pretty(self).unwrap_or_default();
        text.push('\n');
        text
    }
}

/// The JSON schema of the report, as `docs/report.schema.json` holds it.
#[must_use]
pub fn json_schema_text() -> String {
    let schema = schemars::schema_for!(Report);
    let mut text = serde_json::to_string_pretty(&schema).unwrap_or_default();
    text.push('\n');
    text
}

fn this_version<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u32, D::Error> {
    match u32::deserialize(deserializer)? {
        REPORT_VERSION => Ok(REPORT_VERSION),
        other => Err(serde::de::Error::custom(format!(
            "the report has version {other}, and this program reads version {REPORT_VERSION}"
        ))),
    }
}

/// Turns the outcome of a rule into rates.
fn rates(outcome: &RuleOutcome) -> (f64, f64, f64) {
    let rate = |count: u64| {
        if outcome.drawn == 0 {
            0.0
        } else {
            count as f64 / outcome.drawn as f64
        }
    };
    (
        rate(outcome.violated),
        rate(outcome.repaired),
        rate(outcome.redrawn),
    )
}

fn unit_schema(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "oneOf": [
            { "const": "row" },
            { "type": "object", "required": ["user"], "additionalProperties": false,
              "properties": { "user": { "type": "object", "required": ["column", "max_rows"],
                "additionalProperties": false,
                "properties": { "column": { "type": "string" }, "max_rows": { "type": "integer", "minimum": 1 } } } } }
        ]
    })
}

fn adjacency_schema(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "enum": ["add_or_remove_one", "replace_one"] })
}

fn mechanism_schema(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "object",
        "required": ["mechanism"],
        "properties": { "mechanism": { "enum": [
            "unit_count", "marginals", "chosen_marginals", "dp_sgd", "laplace_counts", "open_categories", "quantiles", "top_cells", "distances"
        ] } }
    })
}

fn event_schema(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "object",
        "required": ["type"],
        "properties": { "type": { "enum": [
            "GaussianDpEvent", "PoissonSampledDpEvent", "SelfComposedDpEvent", "ComposedDpEvent", "NonPrivateDpEvent",
            "LaplaceDpEvent", "DiscreteGaussianDpEvent", "MixtureOfGaussiansDpEvent", "EpsilonDeltaDpEvent"
        ] } }
    })
}

fn object_schema(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "object" })
}

#[cfg(test)]
mod tests;
