//! What a model file says about itself, so that `sample` needs nothing else.

use std::collections::BTreeMap;

use crate::policy::{Findings, LearnError, Policy};
use crate::report::Report;

/// The policy's text, which holds schema and rules.
const POLICY: &str = "policy";
/// The claim of the release that made the model.
const CLAIM: &str = "claim";
/// What was learned of columns that the policy leaves open.
const LEARNED: &str = "learned";
/// Why the model is not private, if it is not.
const NOT_PRIVATE: &str = "not_private";

/// Writes the notes of a model file. All of them are public.
#[must_use]
pub fn notes(policy: &Policy, report: &Report) -> BTreeMap<String, String> {
    let mut notes = BTreeMap::from([
        (POLICY.to_owned(), policy.text.clone()),
        (CLAIM.to_owned(), report.claim.clone()),
    ]);
    let learned = report.learned();
    if let (false, Ok(text)) = (learned.is_empty(), serde_json::to_string(&learned)) {
        notes.insert(LEARNED.to_owned(), text);
    }
    if let Some(why) = &report.not_private {
        notes.insert(NOT_PRIVATE.to_owned(), why.clone());
    }
    notes
}

/// Returns `policy`, read out of the notes, with what was learned of the columns that it leaves open.
///
/// # Errors
/// If the notes do not say that, or something else was learned.
pub fn completed(policy: &Policy, notes: &BTreeMap<String, String>) -> Result<Policy, LearnError> {
    let learned = match notes.get(LEARNED) {
        Some(text) => serde_json::from_str(text).map_err(|_| LearnError::OtherColumns)?,
        None => BTreeMap::new(),
    };
    policy.completed(&learned)
}

/// Reads the policy out of the notes; `None` where they hold none.
///
/// # Errors
/// What is wrong with the policy.
pub fn policy(notes: &BTreeMap<String, String>) -> Option<Result<Policy, Findings>> {
    notes.get(POLICY).map(|text| Policy::parse(text))
}

/// Why the model is not private, if it is not.
#[must_use]
pub fn not_private(notes: &BTreeMap<String, String>) -> Option<&str> {
    notes.get(NOT_PRIVATE).map(String::as_str)
}
