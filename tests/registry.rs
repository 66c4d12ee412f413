//! The entry for OpenDP's registry of deployments has the fields, kinds and words that its schema allows.
//!
//! The list below was written down from `schemas/deployments-schema.yaml` of the repository
//! `opendp/deployments-registry-data`, commit 3e9c812 (July 2026). That schema allows no other fields.

use std::collections::BTreeMap;

use dpsynth::report::{Report, registry};

use crate::program::Workplace;

/// What a field holds.
enum Kind {
    Text,
    Texts,
    Number,
    Date,
    OneOf(&'static [&'static str]),
}

use Kind::{Date, Number, OneOf, Text, Texts};

const FIELDS: &[(&str, Kind)] = &[
    ("url_slug", Text),
    (
        "status",
        OneOf(&[
            "Converted",
            "Draft",
            "Pending",
            "Changes Required",
            "Approved",
        ]),
    ),
    ("tier", OneOf(&["1", "2", "3"])),
    ("deployment.basic.name", Text),
    ("deployment.basic.data_curators", Texts),
    ("deployment.basic.intended_use", Text),
    (
        "deployment.basic.data_product_type",
        OneOf(&[
            "Summary statistics",
            "Machine learning model",
            "Dataset",
            "Synthetic data",
            "Interactive API",
            "SQL queries",
        ]),
    ),
    ("deployment.basic.data_product_region", Text),
    ("deployment.basic.description", Text),
    ("deployment.basic.publication_date", Date),
    (
        "deployment.basic.data_product_sector",
        OneOf(&[
            "Technology",
            "Healthcare",
            "Education",
            "Government",
            "Energy",
            "Finance",
        ]),
    ),
    (
        "deployment.dp_variant.variant_name",
        OneOf(&[
            "Pure DP",
            "Approximate DP",
            "Zero-concentrated DP",
            "Renyi DP",
            "Custom",
        ]),
    ),
    ("deployment.dp_variant.data_domain", Text),
    ("deployment.dp_variant.unprotected_quantities", Text),
    ("deployment.privacy_loss.privacy_unit", Text),
    ("deployment.privacy_loss.privacy_unit_details", Text),
    ("deployment.privacy_loss.privacy_parameters.epsilon", Number),
    ("deployment.privacy_loss.privacy_parameters.delta", Number),
    ("deployment.privacy_loss.privacy_parameters.rho", Number),
    ("deployment.privacy_loss.privacy_parameters_details", Text),
    (
        "deployment.deployment_model.model_name",
        OneOf(&["Local", "Central", "Shuffle", "Federated", "Varies"]),
    ),
    ("deployment.deployment_model.model_name_details", Text),
    ("deployment.deployment_model.actors", Text),
    (
        "deployment.deployment_model.release_type",
        OneOf(&["One release", "Many releases"]),
    ),
    ("deployment.deployment_model.release_type_details", Text),
    (
        "deployment.deployment_model.data_source_type",
        OneOf(&["Static", "Dynamic"]),
    ),
    ("deployment.deployment_model.data_source_type_details", Text),
    (
        "deployment.deployment_model.access_type",
        OneOf(&["Interactive", "Non-interactive"]),
    ),
    ("deployment.deployment_model.access_type_details", Text),
    ("deployment.accounting.post_processing", Text),
    ("deployment.accounting.composition", Text),
    (
        "deployment.implementation.preprocessing_and_hyperparameter_tuning",
        Text,
    ),
    ("deployment.implementation.mechanisms", Text),
    ("deployment.implementation.justification", Text),
    ("deployment.administrative.sources", Text),
    ("deployment.administrative.notes", Text),
    ("deployment.administrative.registry_authors", Texts),
];

const REQUIRED: [&str; 11] = [
    "url_slug",
    "status",
    "tier",
    "deployment.basic.name",
    "deployment.basic.data_curators",
    "deployment.basic.description",
    "deployment.basic.intended_use",
    "deployment.basic.data_product_type",
    "deployment.basic.data_product_region",
    "deployment.basic.publication_date",
    "deployment.administrative.registry_authors",
];

/// What stands at a path: texts are told from plain values.
#[derive(Debug, PartialEq)]
enum Value {
    Plain(String),
    Text(String),
    Texts(Vec<String>),
}

/// Reads the part of YAML that entries are written in, and refuses everything else.
fn parse(entry: &str) -> BTreeMap<String, Value> {
    let mut values = BTreeMap::new();
    let mut path: Vec<&str> = Vec::new();
    let mut block: Option<usize> = None;
    for line in entry.lines() {
        let indent = line.len() - line.trim_start_matches(' ').len();
        let content = &line[indent..];
        assert!(!content.contains('\t') && !content.is_empty(), "{line:?}");
        if let Some(depth) = block {
            if indent > depth {
                let Some(Value::Text(text)) = values.get_mut(&path.join(".")) else {
                    panic!("no text before {line:?}");
                };
                text.push_str(content);
                text.push('\n');
                continue;
            }
            block = None;
        }
        if content.starts_with('#') {
            continue;
        }
        if let Some(item) = content.strip_prefix("- ") {
            let list = values
                .entry(path.join("."))
                .or_insert_with(|| Value::Texts(Vec::new()));
            let Value::Texts(items) = list else {
                panic!("{line:?} is in no list")
            };
            items.push(unquoted(item).unwrap());
            continue;
        }
        assert!(
            indent.is_multiple_of(2) && indent / 2 <= path.len(),
            "{line:?}"
        );
        path.truncate(indent / 2);
        let (key, rest) = content.split_once(':').unwrap();
        assert!(
            key.bytes()
                .all(|byte| byte.is_ascii_lowercase() || byte == b'_'),
            "{key}"
        );
        path.push(key);
        let value = match rest.trim_start() {
            "" => continue,
            "|" => {
                block = Some(indent);
                Value::Text(String::new())
            }
            rest => unquoted(rest).map_or_else(|| Value::Plain(rest.to_owned()), Value::Text),
        };
        assert!(
            values.insert(path.join("."), value).is_none(),
            "{key} twice"
        );
    }
    values
}

/// What single quotes hold; two of them within stand for one.
fn unquoted(text: &str) -> Option<String> {
    let inner = text.strip_prefix('\'')?.strip_suffix('\'')?;
    assert!(!inner.replace("''", "").contains('\''), "{text}");
    Some(inner.replace("''", "'"))
}

/// What is wrong with an entry.
fn findings(entry: &str) -> Vec<String> {
    let values = parse(entry);
    let mut findings = Vec::new();
    for (path, value) in &values {
        let Some((_, kind)) = FIELDS.iter().find(|(field, _)| field == path) else {
            findings.push(format!("{path} is no field"));
            continue;
        };
        let fits = match (kind, value) {
            (Text, Value::Text(text)) => !text.is_empty(),
            (Texts, Value::Texts(texts)) => !texts.is_empty(),
            // A reader that follows YAML 1.1 takes a number with an exponent but no dot for a text.
            (Number, Value::Plain(number)) => number.contains('.') && number.parse::<f64>().is_ok(),
            (Date, Value::Text(date)) => {
                chrono::NaiveDate::parse_from_str(date, "%Y-%m-%d").is_ok()
            }
            (OneOf(words), Value::Text(word) | Value::Plain(word)) => {
                words.contains(&word.as_str())
            }
            _ => false,
        };
        if !fits {
            findings.push(format!("{path} holds {value:?}"));
        }
    }
    let missing = REQUIRED
        .iter()
        .filter(|field| !values.contains_key(**field));
    findings.extend(missing.map(|field| format!("{field} is missing")));
    findings
}

#[test]
fn an_entry_has_the_fields_that_the_registry_knows() {
    let here = Workplace::new();
    here.run(&[
        "release",
        "--epsilon",
        "2",
        "--engine",
        "marginals",
        "--out",
        "out",
    ])
    .expect(0, "");
    let mut report = Report::parse(here.read("out/report.json").as_bytes()).unwrap();
    let entry = registry(&report);
    assert_eq!(findings(&entry), Vec::<String>::new(), "{entry}");
    let values = parse(&entry);
    let number = |field: &str| match &values[field] {
        Value::Plain(number) => number.parse::<f64>().unwrap(),
        other => panic!("{other:?}"),
    };
    // Rounded up, and never more than was asked for beyond that.
    let stated = number("deployment.privacy_loss.privacy_parameters.epsilon");
    let spent = report.privacy.epsilon_spent.unwrap();
    assert!(stated >= spent && stated < spent + 2e-4);
    assert_eq!(
        number("deployment.privacy_loss.privacy_parameters.delta"),
        1e-6
    );

    // Names that would break the file if they were not quoted.
    let hostile = "it's: |\n# - \u{2028}'x': {y}";
    report.dataset = hostile.to_owned();
    report.policy.reason = Some(hostile.to_owned());
    report.columns[0].name = hostile.to_owned();
    report.not_covered.push(hostile.to_owned());
    let entry = registry(&report);
    assert_eq!(findings(&entry), Vec::<String>::new(), "{entry}");
    assert!(entry.contains("it''s: | # -"), "{entry}");
}

#[test]
fn an_entry_that_the_registry_would_refuse_is_found() {
    let bad = "url_slug: 'x'\nstatus: 'Done'\ntier: 4\nsurprise: 'y'\ndeployment:\n  privacy_loss:\n    privacy_parameters:\n      delta: 1e-6\n";
    let found = findings(bad);
    for word in [
        "status holds",
        "tier holds",
        "surprise is no field",
        "delta holds",
        "basic.name is missing",
    ] {
        assert!(
            found.iter().any(|finding| finding.contains(word)),
            "{word}: {found:?}"
        );
    }
}
