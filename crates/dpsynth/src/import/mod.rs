//! Descriptions of tables that people have already, turned into the draft of a policy.
//!
//! SDV's metadata, SmartNoise's metadata and schema files say kinds, and some of them categories and
//! bounds. What they say is taken over; everything else stays a question that only the owner of the
//! data can answer. Nothing here opens a table.
//!
//! ```text
//! SDV JSON ──────▶ ┐
//! SmartNoise YAML ▶├─▶ Draft ──▶ TOML with a line that says OWNER for each question
//! schema JSON ───▶ │
//! a header ──────▶ ┘
//! ```

mod draft;
mod error;
mod json;
mod schema;
mod sdv;
mod sdv_rules;
mod smartnoise;
#[cfg(test)]
mod tests;
mod times;
mod write;
mod yaml;

pub use draft::{Draft, DraftColumn, DraftKind, DraftRule, DraftUnit, RuleBody, Scalar};
pub use error::ImportError;

/// Drafts a policy from the text of a description; its format is told by its content.
///
/// `table` chooses one where several are described.
///
/// # Errors
/// When the text is of no known format, is malformed, or does not describe the one table that is
/// asked for.
pub fn import(text: &str, table: Option<&str>) -> Result<Draft, ImportError> {
    let text = text.trim_start_matches('\u{feff}');
    if !text.trim_start().starts_with('{') {
        return smartnoise::read(text, table);
    }
    match json::format(text)? {
        json::Format::Sdv => sdv::read(text, table),
        json::Format::Schema => schema::read(text, table),
    }
}
