//! What people read: the policies of the repository, the reference, and what is said of mistakes.

use std::path::Path;

use super::{FULL, PARTS, complete, parsed, refused};
use crate::diagnostic::{Color, render};
use crate::policy::{column, keys};

#[test]
fn every_policy_of_the_repository_is_valid() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../policies");
    let mut names = Vec::new();
    for entry in std::fs::read_dir(folder).expect("the repository has policies") {
        let path = entry.expect("the folder can be read").path();
        if path
            .extension()
            .is_some_and(|extension| extension == "toml")
        {
            let text = std::fs::read_to_string(&path).expect("the policy can be read");
            let policy = parsed(&text);
            let stated = policy.column_reasons.len() + policy.rule_reasons.len();
            let all =
                policy.schema.columns().len() + policy.ignored.len() + policy.rule_specs.len();
            assert_eq!(stated, all, "{} lacks a reason", path.display());
            assert!(policy.privacy.reason.is_some());
            names.push(policy.dataset.name);
        }
    }
    for name in ["adult", "german_credit"] {
        assert!(names.iter().any(|known| known == name), "{name} is missing");
    }
}

#[test]
fn every_example_of_the_reference_is_valid() {
    let reference = include_str!("../../../../../docs/policy.md");
    let number = |name: &str| {
        format!("[[column]]\nname = \"{name}\"\nkind = \"float\"\nmin = 0\nmax = 500\n")
    };
    let day = |name: &str| {
        format!(
            "[[column]]\nname = \"{name}\"\nkind = \"date\"\nmin = \"2019-01-01\"\nmax = \"2019-12-31\"\n"
        )
    };
    let list = |name: &str, list: &str| {
        format!("[[column]]\nname = \"{name}\"\nkind = \"categorical\"\ncategories = [{list}]\n")
    };
    let columns = [
        number("age"),
        number("fare"),
        number("tip"),
        number("total"),
        day("admitted"),
        day("discharged"),
        list("workclass", "\"Private\", \"Never-worked\""),
        list("city", "\"Boston\", \"Austin\""),
        list("state", "\"MA\", \"TX\""),
        list("bed", "\"1\", \"2\"") + "missing = true\n",
        list("ward", "\"east\", \"west\"") + "missing = true\n",
        day("treated") + "missing = true\n",
        list("unit", "\"cm\", \"in\""),
        number("size"),
        "[[column]]\nname = \"salary\"\nkind = \"integer\"\nmin = 0\nmax = 99999\n".to_owned(),
        ["is_open", "is_closed", "is_blocked"]
            .map(|name| format!("[[column]]\nname = \"{name}\"\nkind = \"boolean\"\n"))
            .concat(),
        "[[column]]\nname = \"patient\"\nkind = \"ignore\"\n".to_owned(),
    ]
    .concat();
    let mut parts = PARTS;
    parts[3].1 = &columns;
    let mut examples = 0;
    for example in reference.split("```toml\n").skip(1) {
        let (example, _) = example.split_once("```").expect("the example ends");
        parsed(&complete(example, &parts));
        examples += 1;
    }
    assert!(examples > 10);
}

#[test]
fn every_key_of_the_format_has_an_example() {
    for key in column::KEYS {
        assert!(keys::example(key).starts_with(key), "{key}");
    }
    for line in FULL.lines() {
        if let Some((key, _)) = line.split_once(" = ") {
            assert!(keys::example(key).starts_with(key), "{key}");
        }
    }
}

/// Compares what is rendered with the file `name` of `snapshots`, or writes it when the variable
/// `DPSYNTH_UPDATE_SNAPSHOTS` is set.
fn assert_snapshot(name: &str, text: &str) {
    let rendered = render(&refused(text), "dpsynth.toml", text, Color::Never);
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/policy/snapshots");
    let path = folder.join(name);
    if std::env::var_os("DPSYNTH_UPDATE_SNAPSHOTS").is_some() {
        std::fs::write(&path, &rendered).expect("the snapshot can be written");
    }
    let expected = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        rendered == expected,
        "{name} differs; set DPSYNTH_UPDATE_SNAPSHOTS=1 to accept:\n{rendered}"
    );
}

#[test]
fn findings_are_shown_at_their_place() {
    assert_snapshot("empty.txt", "");
    assert_snapshot("syntax.txt", "version = 1\n[dataset\nname = \"a\"\n");
    let many = FULL
        .replace("epsilon_per_release = 3", "epsilon_per_relase = 3")
        .replace("delta_per_release = 1e-6", "delta_per_release = 0.5")
        .replace(
            "expected_units = 71_000",
            "expected_units = \"about 71000\"",
        )
        .replace("max = 120", "max = \"120\"\ndecimals = 1")
        .replace("target = \"outcome\"", "target = \"patient\"")
        .replace("min = \"01.01.2019\"", "min = \"2019-01-01\"");
    assert_snapshot("many.txt", &many);
    let rules = FULL
        .replace("charge * 2", "charge * two")
        .replace("\"age\" >= 16", "\"patient\" IS NOT NULL")
        .replace("enforce = \"redraw\"", "enforce = \"redrew\"");
    assert_snapshot("rules.txt", &rules);
    let schema = FULL
        .replace(
            "categories = [\"well\", \"ill\"]",
            "categories = [\"well\", \"NA\", \"well\"]",
        )
        .replace("max = 1e5", "max = -1");
    assert_snapshot("schema.txt", &schema);
}
