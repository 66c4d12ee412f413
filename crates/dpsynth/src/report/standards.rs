//! Which part of the report answers which question of two guides.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The themes and clauses that a part of the report speaks to. They say where to look, and certify
/// nothing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SectionTags {
    /// The field of `report.json`.
    pub section: String,
    /// Themes of NIST SP 800-226, Guidelines for Evaluating Differential Privacy Guarantees (2025).
    pub nist_sp_800_226: Vec<String>,
    /// Clauses of ISO/IEC 27559:2022, Privacy enhancing data de-identification framework.
    pub iso_iec_27559: Vec<String>,
}

/// The tags of every part of a report.
#[must_use]
pub(super) fn tags() -> Vec<SectionTags> {
    let texts = |texts: &[&str]| texts.iter().map(|&text| text.to_owned()).collect();
    TAGS.iter()
        .map(|(section, themes, clauses)| SectionTags {
            section: (*section).to_owned(),
            nist_sp_800_226: texts(themes),
            iso_iec_27559: texts(clauses),
        })
        .collect()
}

type Tags = (
    &'static str,
    &'static [&'static str],
    &'static [&'static str],
);

const TAGS: [Tags; 12] = [
    (
        "claim",
        &["privacy parameter ε", "unit of privacy"],
        &["8 identifiability assessment and mitigation"],
    ),
    (
        "privacy",
        &[
            "privacy parameter ε",
            "unit of privacy",
            "interpreting ε and δ",
        ],
        &["8 identifiability assessment and mitigation"],
    ),
    (
        "mechanisms",
        &["algorithms and correctness", "composition"],
        &["8 identifiability assessment and mitigation"],
    ),
    ("ledger", &["composition"], &["9 governance"]),
    (
        "universe",
        &["composition", "unit of privacy"],
        &["9 governance"],
    ),
    (
        "policy",
        &["data collection exposure", "access control"],
        &["6 context assessment", "9 governance"],
    ),
    (
        "columns",
        &["data collection exposure"],
        &["7 data assessment"],
    ),
    ("rules", &["utility and bias"], &["7 data assessment"]),
    (
        "synthesis",
        &["machine learning and synthetic data"],
        &["8 identifiability assessment and mitigation"],
    ),
    ("quality", &["utility and bias"], &["7 data assessment"]),
    (
        "self_audit",
        &["algorithms and correctness"],
        &["8 identifiability assessment and mitigation"],
    ),
    (
        "not_covered",
        &["trust model", "side channels"],
        &["6 context assessment"],
    ),
];
