//! What a policy accepts, refuses, and says.

use std::path::Path;

use super::*;
use crate::diagnostic::{Color, render};
use dpsynth_privacy::{Adjacency, Delta, Epsilon, PrivacyUnit};
use dpsynth_table::{Cells, Dialect, Domain, Encoding, Format, Missing, OutOfDomain};

mod columns;
mod robustness;
mod shown;

/// A policy that uses every key.
const FULL: &str = r#"version = 1

[dataset]
name = "clinic-2024"
file = "clinic.csv"
delimiter = ";"
quote = "'"
encoding = "windows-1252"
missing_tokens = ["NA"]
ledger = "spent/clinic.jsonl"

[privacy]
unit = { user = "patient", max_rows = 5 }
adjacency = "replace_one"
epsilon_per_release = 3
delta_per_release = 1e-6
epsilon_for_life = 10.0
delta_for_life = 1e-5
expected_units = 71_000
reason = "agreed"

[model]
engine = "vae"
target = "outcome"

[[column]]
name = "patient"
kind = "ignore"
reason = "an identifier"

[[column]]
name = "age"
kind = "integer"
min = 0
max = 120
reason = "years"

[[column]]
name = "charge"
kind = "float"
min = 0
max = 1e5
decimals = 2
cells = { log = 20 }
out_of_domain = "clip"

[[column]]
name = "fees"
kind = "float"
min = 0
max = 2e5
decimals = 2

[[column]]
name = "admitted"
kind = "date"
min = "01.01.2019"
max = "31.12.2024"
format = "%d.%m.%Y"
missing = true
missing_tokens = ["-"]
out_of_domain = "missing"

[[column]]
name = "outcome"
kind = "categorical"
categories = ["well", "ill"]

[[rule]]
name = "fees are twice the charge"
derived = { column = "fees", formula = "charge * 2" }
reason = "law"

[[rule]]
name = "grown up"
enforce = "redraw"
sql = '"age" >= 16'

[output]
rows = 500
format = "parquet"

[universe]
name = "citizens"
ledger = "spent/citizens.jsonl"
epsilon_for_life = 12
delta_for_life = 2e-5
"#;

/// The sections of a valid policy, by key.
const PARTS: [(&str, &str); 4] = [
    ("version", "version = 1\n"),
    ("dataset", "[dataset]\nname = \"survey\"\n"),
    (
        "privacy",
        "[privacy]\nunit = \"row\"\nepsilon_per_release = 3\ndelta_per_release = 1e-6\n\
         epsilon_for_life = 10\ndelta_for_life = 1e-5\nexpected_units = 1000\n",
    ),
    (
        "column",
        "[[column]]\nname = \"age\"\nkind = \"integer\"\nmin = 0\nmax = 120\n",
    ),
];

/// Completes `fragment` with the sections that it lacks.
fn complete(fragment: &str, parts: &[(&str, &str)]) -> String {
    let given = toml::de::DeTable::parse(fragment).expect("the fragment is TOML");
    let lacking = |key: &str| !given.get_ref().contains_key(key);
    let part = |key: &str| match parts.iter().find(|(known, _)| *known == key) {
        Some((_, part)) if lacking(key) => *part,
        _ => "",
    };
    let rest = ["dataset", "privacy", "column"].map(part).concat();
    format!("{}{fragment}\n{rest}", part("version"))
}

/// Returns the policy of a fragment that must be valid.
fn valid(fragment: &str) -> Policy {
    parsed(&complete(fragment, &PARTS))
}

/// Returns the policy of a text that must be valid.
fn parsed(text: &str) -> Policy {
    Policy::parse(text)
        .unwrap_or_else(|findings| panic!("{}", render(&findings, "policy", text, Color::Never)))
}

/// Returns what is said about a text that must not be valid.
fn refused(text: &str) -> Findings {
    Policy::parse(text).expect_err("the policy is wrong")
}

/// Returns the codes of what is said about `[privacy]` when `line` replaces the line of its key.
fn privacy_codes(line: &str) -> Vec<&'static str> {
    let key = line.split(' ').next().expect("the line has a key");
    let lines = PARTS[2].1.lines();
    let changed: Vec<&str> = lines
        .map(|old| if old.starts_with(key) { line } else { old })
        .collect();
    let text = complete(&changed.join("\n"), &PARTS);
    match Policy::parse(&text) {
        Ok(_) => Vec::new(),
        Err(findings) => findings.iter().map(|finding| finding.code).collect(),
    }
}

/// Returns the codes of what is said about a column that has `lines` besides its name.
fn column_codes(lines: &str) -> Vec<&'static str> {
    let text = complete(&format!("[[column]]\nname = \"x\"\n{lines}\n"), &PARTS);
    match Policy::parse(&text) {
        Ok(_) => Vec::new(),
        Err(findings) => findings.iter().map(|finding| finding.code).collect(),
    }
}

#[test]
fn every_key_is_read() {
    let policy = parsed(FULL);
    assert_eq!(policy.version, 1);
    let dataset = &policy.dataset;
    assert_eq!(dataset.name, "clinic-2024");
    assert_eq!(dataset.dialect.delimiter, b';');
    assert_eq!(dataset.dialect.quote, b'\'');
    assert_eq!(dataset.dialect.encoding, Encoding::Windows1252);
    assert_eq!(
        dataset
            .file_beside(Path::new("policies/clinic.toml"))
            .as_deref(),
        Some(Path::new("policies/clinic.csv"))
    );
    assert_eq!(
        dataset.ledger_beside(Path::new("clinic.toml")),
        Path::new("spent/clinic.jsonl")
    );

    let privacy = &policy.privacy;
    assert_eq!(
        privacy.unit,
        PrivacyUnit::User {
            column: "patient".to_owned(),
            max_rows: 5
        }
    );
    assert_eq!(privacy.adjacency, Adjacency::ReplaceOne);
    assert_eq!(privacy.epsilon_per_release.value(), 3.0);
    assert_eq!(privacy.delta_per_release.value(), 1e-6);
    assert_eq!(privacy.epsilon_for_life.value(), 10.0);
    assert_eq!(privacy.delta_for_life.value(), 1e-5);
    assert_eq!(privacy.expected_units, ExpectedUnits::Public(71_000));
    assert_eq!(privacy.reason.as_deref(), Some("agreed"));

    let universe = policy.universe.as_ref().expect("a universe");
    assert_eq!(universe.name, "citizens");
    assert_eq!(
        universe.ledger_beside(Path::new("policies/clinic.toml")),
        Path::new("policies/spent/citizens.jsonl")
    );
    assert_eq!(universe.epsilon_for_life.value(), 12.0);
    assert_eq!(universe.delta_for_life.value(), 2e-5);

    assert_eq!(policy.model.engine, Some(Engine::Vae));
    assert_eq!(policy.model.target.as_deref(), Some("outcome"));
    assert_eq!(policy.ignored, ["patient"]);
    assert_eq!(policy.derived(), ["fees"]);
    assert_eq!(policy.modelled(), ["age", "charge", "admitted", "outcome"]);
    assert_eq!(policy.column_reasons["patient"], "an identifier");
    assert_eq!(policy.rule_reasons["fees are twice the charge"], "law");
    assert_eq!(policy.rule_specs.len(), 2);
    assert_eq!(policy.output.rows, Some(500));
    assert_eq!(policy.output.format, Some(Format::Parquet));

    let columns = policy.schema.columns();
    let age = &columns[0];
    assert_eq!(
        age.domain,
        Domain::Integer {
            min: 0,
            max: 120,
            cells: Cells::Each
        }
    );
    assert_eq!(age.missing, Missing::Refused);
    assert_eq!(age.missing_tokens, ["NA"]);
    assert_eq!(age.out_of_domain, OutOfDomain::Stop);
    assert_eq!(columns[1].out_of_domain, OutOfDomain::Clip);
    let admitted = &columns[3];
    assert_eq!(admitted.missing, Missing::Allowed);
    assert_eq!(admitted.missing_tokens, ["-"]);
    assert!(matches!(
        &admitted.domain,
        Domain::Date { cells: Cells::Linear { count: 32 }, format, .. } if format == "%d.%m.%Y"
    ));
}

#[test]
fn a_universe_is_named_has_caps_and_is_not_needed() {
    assert_eq!(valid("").universe, None);
    let universe = "[universe]\nname = \"all\"\nepsilon_for_life = 1\ndelta_for_life = 1e-6\n";
    let read = valid(universe).universe.expect("a universe");
    assert_eq!(read.ledger, Path::new("all.universe.jsonl"));
    for (from, to) in [
        ("name = \"all\"\n", ""),
        ("\"all\"", "\"a/b\""),
        ("epsilon_for_life = 1\n", ""),
        ("epsilon_for_life = 1\n", "epsilon_for_life = 0\n"),
        ("1e-6", "0.1"),
        ("name", "epsilon_per_release = 1\nname"),
    ] {
        let text = complete(&universe.replacen(from, to, 1), &PARTS);
        assert_eq!(refused(&text).iter().count(), 1, "{text}");
    }
}

#[test]
fn every_engine_is_read_by_its_name_and_has_a_plan_within_the_budget() {
    for engine in Engine::ALL {
        let policy = valid(&format!("[model]\nengine = \"{}\"\n", engine.name()));
        assert_eq!(policy.model.choose(None), (engine, ChosenBy::Policy));
        let asked = policy.tighten(None, None, None, None).unwrap();
        let plan = crate::plan::ReleasePlan::new(&policy, &asked, None, 1).unwrap();
        assert_eq!((plan.engine, plan.chosen_by), (engine, ChosenBy::Policy));
        assert!(plan.epsilon_spent <= asked.epsilon.value());
        assert!(plan.epsilon_spent > 0.99 * asked.epsilon.value());
        assert_eq!(
            plan.model.measured_columns().is_none(),
            engine == Engine::Vae
        );
    }
}

#[test]
fn what_is_left_out_has_a_default() {
    let policy = valid("");
    assert_eq!(policy.privacy.adjacency, Adjacency::AddOrRemoveOne);
    assert_eq!(policy.dataset.ledger, Path::new("survey.ledger.jsonl"));
    assert_eq!(policy.dataset.dialect, Dialect::default());
    assert_eq!(policy.dataset.file_beside(Path::new("p.toml")), None);
    let chosen = |asked| policy.model.choose(asked);
    assert_eq!(chosen(None), (Engine::Decoder, ChosenBy::Default));
    assert_eq!(
        chosen(Some(Engine::Decoder)),
        (Engine::Decoder, ChosenBy::CommandLine)
    );
    assert_eq!(policy.model.target, None);
    assert_eq!(
        policy.output,
        Output {
            rows: None,
            format: None
        }
    );
}

#[test]
fn the_hash_is_of_the_exact_text() {
    let policy = valid("");
    assert_eq!(policy.sha256().len(), 64);
    let commented = parsed(&format!("{}# a remark\n", policy.text));
    assert_ne!(policy.sha256(), commented.sha256());
}

#[test]
fn epsilon_and_delta_are_numbers_that_mean_something() {
    for good in ["1", "0.5", "1e-3", "10.0", "1_0"] {
        assert!(
            privacy_codes(&format!("epsilon_per_release = {good}")).is_empty(),
            "{good}"
        );
    }
    for bad in [
        "0", "0.0", "-1", "nan", "-nan", "inf", "-inf", "1e308", "1e999", "1000001",
    ] {
        let codes = privacy_codes(&format!("epsilon_per_release = {bad}"));
        assert_eq!(codes, [finding::BAD_NUMBER], "{bad}");
    }
    let many_digits = format!("epsilon_per_release = {}", "9".repeat(400));
    assert_eq!(privacy_codes(&many_digits), [finding::BAD_NUMBER]);
    assert_eq!(
        privacy_codes("epsilon_per_release = \"3\""),
        [finding::WRONG_TYPE]
    );
    assert_eq!(
        privacy_codes("epsilon_per_release = true"),
        [finding::WRONG_TYPE]
    );
    for bad in ["0", "1", "-1e-6", "nan", "1e308"] {
        let codes = privacy_codes(&format!("delta_per_release = {bad}"));
        assert_eq!(codes, [finding::BAD_NUMBER], "{bad}");
    }
    assert_eq!(
        privacy_codes("delta_for_life = 2e-3"),
        [finding::DELTA_TOO_LARGE]
    );
    assert_eq!(privacy_codes("delta_for_life = 1e-3"), [""; 0]);
}

#[test]
fn a_release_cannot_spend_more_than_the_whole_life() {
    assert_eq!(
        privacy_codes("epsilon_for_life = 2.9"),
        [finding::CAP_ORDER]
    );
    assert_eq!(privacy_codes("delta_for_life = 1e-7"), [finding::CAP_ORDER]);
    assert_eq!(privacy_codes("epsilon_for_life = 3"), [""; 0]);
}

#[test]
fn units_are_rows_or_users_of_a_column() {
    assert_eq!(privacy_codes("unit = \"person\""), [finding::UNKNOWN_WORD]);
    assert_eq!(privacy_codes("unit = 1"), [finding::WRONG_TYPE]);
    assert_eq!(
        privacy_codes("unit = { user = \"age\" }"),
        [finding::MISSING_KEY]
    );
    let nobody = "unit = { user = \"nobody\", max_rows = 5 }";
    assert_eq!(privacy_codes(nobody), [finding::UNKNOWN_COLUMN]);
    let no_rows = "unit = { user = \"age\", max_rows = 0 }";
    assert_eq!(privacy_codes(no_rows), [finding::BAD_NUMBER]);
    let many_rows = "unit = { user = \"age\", max_rows = 129 }";
    assert_eq!(privacy_codes(many_rows), [finding::BAD_NUMBER]);
    let modelled = "unit = { user = \"age\", max_rows = 5 }";
    assert_eq!(privacy_codes(modelled), [finding::WRONG_COLUMN]);
    assert_eq!(privacy_codes("expected_units = 0"), [finding::BAD_NUMBER]);
    assert_eq!(privacy_codes("expected_units = 1.5"), [finding::WRONG_TYPE]);
    assert_eq!(
        privacy_codes("expected_units = \"some\""),
        [finding::UNKNOWN_WORD]
    );
    assert_eq!(privacy_codes("expected_units = \"count\""), [""; 0]);
}

#[test]
fn every_finding_is_told_at_once_and_in_order() {
    let text = FULL
        .replace("version = 1", "version = 2")
        .replace("adjacency = \"replace_one\"", "adjacency = \"replace\"")
        .replace("epsilon_per_release = 3", "epsilon_per_relase = 3")
        .replace("decimals = 2\ncells", "decimals = \"2\"\ncells")
        .replace(
            "categories = [\"well\", \"ill\"]",
            "categories = [\"well\", 3]",
        )
        .replace("\"age\" >= 16", "\"age\" >= sixteen");
    let findings = refused(&text);
    let codes: Vec<&str> = findings.iter().map(|finding| finding.code).collect();
    let expected = [
        "DPS4014", "DPS4003", "DPS4006", "DPS4002", "DPS4004", "DPS4004", "DPS2003",
    ];
    assert_eq!(codes, expected, "{findings}");
    let spans: Vec<_> = findings
        .iter()
        .filter_map(|finding| finding.span.clone())
        .collect();
    assert!(spans.is_sorted_by_key(|span| span.start));
    assert_eq!(&text[spans[6].clone()], "sixteen");
}

#[test]
fn bytes_that_are_not_text_are_refused() {
    let findings = Policy::parse_bytes(&[0xff, 0xfe]).expect_err("not UTF-8");
    assert_eq!(
        findings.iter().next().map(|f| f.code),
        Some(finding::NOT_UTF8)
    );
    assert!(Policy::parse_bytes(FULL.as_bytes()).is_ok());
}

#[test]
fn flags_only_tighten() {
    let policy = valid("");
    let epsilon = |value| Some(Epsilon::new(value).expect("an epsilon"));
    let delta = |value| Some(Delta::new(value).expect("a delta"));
    let asked = policy
        .tighten(None, None, None, None)
        .expect("the policy allows itself");
    assert_eq!(asked.epsilon.value(), 3.0);
    assert_eq!(asked.delta.value(), 1e-6);
    assert_eq!(asked.rows, Some(1000));
    assert_eq!(asked.format, None);

    let asked = policy
        .tighten(epsilon(1.5), delta(1e-7), Some(7), Some(Format::Csv))
        .expect("the flags tighten");
    assert_eq!((asked.epsilon.value(), asked.delta.value()), (1.5, 1e-7));
    assert_eq!((asked.rows, asked.format), (Some(7), Some(Format::Csv)));

    let error = policy.tighten(epsilon(3.0f64.next_up()), None, None, None);
    assert_eq!(error.expect_err("too much").code(), "DPS4050");
    let error = policy
        .tighten(epsilon(5.0), None, None, None)
        .expect_err("too much");
    assert_eq!(
        error.to_string(),
        "`--epsilon 5` is more than the 3 that the policy allows for one release; \
         ask for `--epsilon 3` or less"
    );
    let error = policy
        .tighten(None, delta(1e-5), None, None)
        .expect_err("too much");
    assert_eq!(
        error.to_string(),
        "`--delta 1e-5` is more than the 1e-6 that the policy allows for one release; \
         ask for `--delta 1e-6` or less"
    );
    for rows in [0, MAX_ROWS + 1] {
        let error = policy
            .tighten(None, None, Some(rows), None)
            .expect_err("not deliverable");
        assert_eq!(error.code(), "DPS4052");
    }
    let counted = valid(&PARTS[2].1.replace("1000", "\"count\""));
    assert_eq!(
        counted
            .tighten(None, None, None, None)
            .map(|asked| asked.rows),
        Ok(None)
    );
}
