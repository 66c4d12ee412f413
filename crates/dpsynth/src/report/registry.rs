//! The report as an entry for OpenDP's registry of deployments, to be completed by hand.

use std::fmt::Write;

use dpsynth_privacy::{Adjacency, PrivacyUnit};

use super::Report;
use super::claim::{epsilon_down, epsilon_up};
use super::markdown::{capital, mechanism, model, percent, unit};

/// Writes a draft of an entry, as YAML, with every field of the registry's third tier that the report
/// knows. What only the curator knows is marked `TO BE COMPLETED`.
///
/// Source: `schemas/deployments-schema.yaml` of `opendp/deployments-registry-data`, as of July 2026.
#[must_use]
pub fn registry(report: &Report) -> String {
    let mut entry = Entry::default();
    entry.comment("A draft for OpenDP's registry of deployments, written from report.json.");
    entry.comment("Complete what is marked TO BE COMPLETED, and set the date of publication.");
    entry.text(0, "url_slug", &slug(&report.dataset));
    entry.text(0, "status", "Draft");
    entry.plain(0, "tier", "3");
    entry.section(0, "deployment");
    basic(&mut entry, report);
    privacy(&mut entry, report);
    deployment_model(&mut entry, report);
    accounting(&mut entry, report);
    implementation(&mut entry, report);
    entry.section(1, "administrative");
    entry.text(
        2,
        "notes",
        &format!(
            "Drafted by dpsynth {} from the privacy budget report of the release.",
            report.tool_version
        ),
    );
    entry.items(2, "registry_authors", &[COMPLETE]);
    entry.0
}

fn basic(entry: &mut Entry, report: &Report) {
    entry.section(1, "basic");
    entry.text(2, "name", &format!("Synthetic table of {}", report.dataset));
    entry.items(2, "data_curators", &[COMPLETE]);
    entry.text(2, "intended_use", COMPLETE);
    entry.text(2, "data_product_type", "Synthetic data");
    entry.text(2, "data_product_region", COMPLETE);
    entry.text(
        2,
        "description",
        &format!(
            "{} synthetic rows with {} columns, drawn from a generative model that is part of the release.",
            report.synthesis.rows,
            report.columns.len()
        ),
    );
    entry.comment("TO BE COMPLETED: the date below stands for an unknown one.");
    entry.text(2, "publication_date", "1900-01-01");
}

fn privacy(entry: &mut Entry, report: &Report) {
    let privacy = &report.privacy;
    entry.section(1, "dp_variant");
    entry.text(2, "variant_name", "Approximate DP");
    let columns = report
        .columns
        .iter()
        .map(|column| format!("{}: {}", column.name, column.domain));
    entry.list(2, "data_domain", columns);
    entry.list(
        2,
        "unprotected_quantities",
        report.not_covered.iter().cloned(),
    );
    entry.section(1, "privacy_loss");
    entry.text(2, "privacy_unit", &unit(&privacy.unit));
    entry.text(2, "privacy_unit_details", &neighbours(report));
    entry.section(2, "privacy_parameters");
    // A figure that is written with fewer digits must not be smaller.
    let epsilon = privacy.epsilon_spent.map(epsilon_up);
    if let Some(epsilon) = &epsilon {
        entry.plain(3, "epsilon", epsilon);
        entry.plain(3, "delta", &yaml_number(privacy.delta));
    }
    let mut details = vec![capital(&report.claim)];
    if let Some(why) = &report.not_private {
        details.push(format!("NOT PRIVATE: it was {why}"));
    }
    if let Some(readings) = &privacy.readings {
        if let Some(rho) = readings.zero_concentrated_rho {
            details.push(format!(
                "Zero-concentrated differential privacy with rho = {}",
                epsilon_up(rho)
            ));
        }
        details.push(format!(
            "A test that accuses wrongly in 5 % of cases finds a unit in at most {} % of them",
            epsilon_up(100.0 * readings.largest_power_at_5_percent)
        ));
    }
    details.extend(privacy.profile.iter().map(|point| {
        format!(
            "epsilon = {} at delta = {:e}",
            epsilon_up(point.epsilon),
            point.delta
        )
    }));
    entry.list(2, "privacy_parameters_details", details.into_iter());
}

fn neighbours(report: &Report) -> String {
    let rows = match &report.privacy.unit {
        PrivacyUnit::Row => "one row".to_owned(),
        PrivacyUnit::User { column, max_rows } => format!(
            "all rows with one value of the column {column}, of which at most {max_rows}, chosen at random, were used"
        ),
    };
    match report.privacy.adjacency {
        Adjacency::AddOrRemoveOne => {
            format!("Two tables are adjacent if one has {rows} more than the other.")
        }
        Adjacency::ReplaceOne => {
            format!("Two tables are adjacent if they differ in the content of {rows}.")
        }
    }
}

fn deployment_model(entry: &mut Entry, report: &Report) {
    entry.section(1, "deployment_model");
    entry.text(2, "model_name", "Central");
    entry.list(
        2,
        "actors",
        [
            "The custodian holds the data and runs the release; trusted with the data.".to_owned(),
            "Whoever receives the folder of the release: trusted with nothing, and taken to know all other rows.".to_owned(),
            format!("{COMPLETE}: who else sees the data, noisy counts or synthetic rows"),
        ]
        .into_iter(),
    );
    let earlier = report
        .ledger
        .as_ref()
        .is_some_and(|ledger| ledger.before.epsilon_spent > 0.0);
    let kind = if earlier {
        "Many releases"
    } else {
        "One release"
    };
    entry.text(2, "release_type", kind);
    if let Some(ledger) = &report.ledger {
        entry.text(
            2,
            "release_type_details",
            &format!(
                "All releases of the data set share a cap of epsilon = {} and delta = {:e} that never resets; after this release \
                 epsilon = {} remains.",
                ledger.epsilon_for_life,
                ledger.delta_for_life,
                epsilon_down(ledger.after.epsilon_remaining)
            ),
        );
    }
    entry.text(2, "data_source_type", "Static");
    entry.text(2, "access_type", "Non-interactive");
    entry.text(
        2,
        "access_type_details",
        "The folder of the release is published as it is; drawing more rows from its model costs no budget.",
    );
}

fn accounting(entry: &mut Entry, report: &Report) {
    entry.section(1, "accounting");
    let mut steps = vec![
        format!("{}.", capital(&model(&report.synthesis.model))),
        "Every row is brought into the declared domains and made to obey every rule of the policy."
            .to_owned(),
    ];
    steps.extend(report.rules.iter().map(|rule| {
        format!(
            "Rule {}: {} of the rows drawn were repaired, {} drawn again.",
            rule.name,
            percent(rule.repair_rate),
            percent(rule.redraw_rate)
        )
    }));
    entry.list(2, "post_processing", steps.into_iter());
    let mut composition = vec![
        format!("{}.", report.privacy.accountant),
        "Releases of one data set add up in a ledger that refuses what exceeds the cap.".to_owned(),
    ];
    if let Some(ledger) = &report.ledger {
        composition.push(format!(
            "After this release the ledger holds epsilon = {} of {}.",
            epsilon_up(ledger.after.epsilon_spent),
            ledger.epsilon_for_life
        ));
    }
    entry.list(2, "composition", composition.into_iter());
}

fn implementation(entry: &mut Entry, report: &Report) {
    entry.section(1, "implementation");
    entry.list(
        2,
        "preprocessing_and_hyperparameter_tuning",
        [
            provenance(report),
            "Nothing was tuned on the data: what is spent on what follows from the policy and public figures alone.".to_owned(),
            format!("{COMPLETE}: what was looked at in the data before the policy was written"),
        ]
        .into_iter(),
    );
    let mut mechanisms: Vec<String> = report
        .mechanisms
        .iter()
        .map(|section| {
            format!(
                "{}: {}.",
                capital(section.purpose.describe()),
                mechanism(&section.mechanism)
            )
        })
        .collect();
    mechanisms.extend([
        format!(
            "Implemented in dpsynth {}; the release can be checked with `dpsynth verify`.",
            report.tool_version
        ),
        "Noise is drawn with ChaCha20 under a key from the operating system.".to_owned(),
        "Not interactive; how long a run takes is not protected.".to_owned(),
    ]);
    entry.list(2, "mechanisms", mechanisms.into_iter());
    let reason = report.policy.reason.as_deref().unwrap_or(COMPLETE);
    entry.list(2, "justification", std::iter::once(reason.to_owned()));
}

/// Where bounds and categories come from.
fn provenance(report: &Report) -> String {
    let learned: Vec<String> = report.learned().into_keys().collect();
    if learned.is_empty() {
        return "Bounds, categories and rules are stated in a public policy and are not taken from the data.".to_owned();
    }
    format!(
        "Bounds, categories and rules are stated in a public policy, but for the columns {}: theirs were learned by mechanisms that \
         were paid for and are listed below.",
        learned.join(", ")
    )
}

/// YAML that is written line by line.
#[derive(Default)]
struct Entry(String);

impl Entry {
    fn line(&mut self, depth: usize, text: &str) {
        // Writing to a string cannot fail.
        let _ = writeln!(self.0, "{}{text}", "  ".repeat(depth));
    }

    fn comment(&mut self, text: &str) {
        self.line(0, &format!("# {text}"));
    }

    fn section(&mut self, depth: usize, key: &str) {
        self.line(depth, &format!("{key}:"));
    }

    /// A value that is no text.
    fn plain(&mut self, depth: usize, key: &str, value: &str) {
        self.line(depth, &format!("{key}: {value}"));
    }

    fn text(&mut self, depth: usize, key: &str, text: &str) {
        self.line(depth, &format!("{key}: {}", quoted(text)));
    }

    fn items(&mut self, depth: usize, key: &str, texts: &[&str]) {
        self.section(depth, key);
        for text in texts {
            self.line(depth + 1, &format!("- {}", quoted(text)));
        }
    }

    /// One text that is a list in Markdown.
    fn list(&mut self, depth: usize, key: &str, texts: impl Iterator<Item = String>) {
        self.line(depth, &format!("{key}: |"));
        for text in texts {
            self.line(depth + 1, &format!("- {}", one_line(&text)));
        }
    }
}

/// Puts a text between single quotes, where nothing but the quote itself has a meaning.
fn quoted(text: &str) -> String {
    format!("'{}'", one_line(text).replace('\'', "''"))
}

/// Keeps a text on its line, and free of what YAML does not allow.
fn one_line(text: &str) -> String {
    let allowed = |letter: char| {
        let control = letter.is_control()
            || matches!(
                letter,
                '\u{2028}' | '\u{2029}' | '\u{feff}' | '\u{fffe}' | '\u{ffff}'
            );
        if control { ' ' } else { letter }
    };
    text.chars()
        .map(allowed)
        .collect::<String>()
        .trim()
        .to_owned()
}

/// Writes a number so that every reader of YAML takes it for one: some want a dot before an exponent.
fn yaml_number(number: f64) -> String {
    let text = format!("{number:e}");
    match text.split_once('e') {
        Some((digits, power)) if !digits.contains('.') => {
            let sign = if power.starts_with('-') { "" } else { "+" };
            format!("{digits}.0e{sign}{power}")
        }
        Some((digits, power)) if !power.starts_with('-') => format!("{digits}e+{power}"),
        _ => text,
    }
}

fn slug(dataset: &str) -> String {
    let letters = dataset.to_lowercase();
    let parts: Vec<&str> = letters
        .split(|letter: char| !letter.is_ascii_alphanumeric())
        .filter(|part| !part.is_empty())
        .collect();
    format!("synthetic-table-of-{}", parts.join("-"))
}

const COMPLETE: &str = "TO BE COMPLETED";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_a_dot_and_a_signed_power() {
        assert_eq!(yaml_number(1e-6), "1.0e-6");
        assert_eq!(yaml_number(2.5e-7), "2.5e-7");
        assert_eq!(yaml_number(0.0), "0.0e+0");
    }

    #[test]
    fn a_text_stays_on_its_line() {
        assert_eq!(quoted("it's\n- x: y\u{2028}# z"), "'it''s - x: y # z'");
    }
}
