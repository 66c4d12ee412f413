//! Drafts of policies, as a user makes them: from schema files of real tables, and filled in and run.

use dpsynth::policy::Policy;

use crate::program::{Workplace, shared_data, table};

/// Answers what only an owner knows: whom to protect, and how well.
fn with_privacy(draft: &str) -> String {
    draft
        .replace("unit = \"OWNER\"", "unit = \"row\"")
        .replace(
            "epsilon_per_release = \"OWNER\"",
            "epsilon_per_release = 1.0",
        )
        .replace("delta_per_release = \"OWNER\"", "delta_per_release = 1e-6")
        .replace("epsilon_for_life = \"OWNER\"", "epsilon_for_life = 3.0")
        .replace("delta_for_life = \"OWNER\"", "delta_for_life = 1e-5")
        .replace("expected_units = \"OWNER\"", "expected_units = \"count\"")
}

#[test]
fn a_schema_file_leaves_the_questions_of_privacy_alone() {
    let Some(folder) = shared_data("a_schema_file_leaves_the_questions_of_privacy_alone") else {
        return;
    };
    let here = Workplace::new();
    let mut drafted = 0;
    for (name, data) in [
        ("adult", "adult_train.csv"),
        ("diabetic_data", "diabetic_data.csv.gz"),
        ("flights", "flights.csv.gz"),
        ("german_credit_data", "german_credit_data.csv"),
        (
            "german_credit_data_with_risk",
            "german_credit_data_with_risk.csv",
        ),
        ("ma2019", "ma2019.csv"),
        ("taxis", "taxis.csv"),
        ("tx2019", "tx2019.csv"),
    ] {
        let schema = folder.join(format!("{name}.schema.json"));
        let (schema, data) = (schema.to_str().unwrap(), folder.join(data));
        let alone = here
            .run(&["init", "--from", schema])
            .expect(0, "OWNER")
            .out
            .clone();
        let with_data = here.run(&["init", data.to_str().unwrap(), "--from", schema]);
        let columns = |draft: &str| draft[draft.find("[[column]]").unwrap()..].to_owned();
        assert_eq!(
            columns(&alone),
            columns(&with_data.expect(0, "OWNER").out),
            "{name}"
        );
        assert!(
            Policy::parse(&alone).is_err(),
            "{name}: nothing runs unanswered"
        );
        let answered = with_privacy(&alone);
        if let Err(findings) = Policy::parse(&answered) {
            panic!("{name}: {findings:#?}");
        }
        drafted += 1;
    }
    assert_eq!(drafted, 8);
}

#[test]
fn a_draft_that_is_filled_in_runs() {
    let here = Workplace::new();
    here.write("data.csv", table(600));
    here.run(&["init", "data.csv", "--out", "draft.toml"])
        .expect(0, "Of the table only the header");
    let mut draft = with_privacy(&here.read("draft.toml"));
    for (column, answer) in [
        ("age", "\"integer\"\nmin = 0\nmax = 120"),
        (
            "city",
            "\"categorical\"\ncategories = [\"north\", \"south\"]",
        ),
        (
            "income",
            "\"float\"\nmin = 0\nmax = 1000000\nout_of_domain = \"clip\"",
        ),
        (
            "since",
            "\"date\"\nmin = \"2000-01-01\"\nmax = \"2030-12-31\"\nout_of_domain = \"clip\"",
        ),
    ] {
        let question = format!("name = \"{column}\"\nkind = \"OWNER\"");
        assert!(draft.contains(&question), "{draft}");
        draft = draft.replace(&question, &format!("name = \"{column}\"\nkind = {answer}"));
    }
    draft = draft.replace("missing = false", "missing = true");
    here.write("filled.toml", draft);
    here.run(&["plan", "--policy", "filled.toml"]).expect(0, "");
    here.run(&[
        "release",
        "--policy",
        "filled.toml",
        "--rows",
        "100",
        "--engine",
        "copula",
    ])
    .expect(0, "");
    assert_eq!(here.read("release/synthetic.csv").lines().count(), 101);
}

#[test]
fn descriptions_are_told_by_their_content_and_faulty_ones_explained() {
    let here = Workplace::new();
    here.write(
        "any.txt",
        "db: {s: {t: {age: {type: int, lower: 0, upper: 120}}}}",
    );
    let draft = here
        .run(&["init", "--from", "any.txt"])
        .expect(0, "max = 120")
        .out
        .clone();
    assert!(draft.contains("name = \"t\""), "{draft}");
    here.run(&["init", "--from", "any.txt", "--table", "u"])
        .expect(2, "DPS5113");
    here.write("other.yaml", "a: 1");
    here.run(&["init", "--from", "other.yaml"])
        .expect(2, "DPS5110");
    here.run(&["init", "data.csv", "--from", "missing.json"])
        .expect(2, "DPS5102");
    here.run(&["init"]).expect(2, "required");
    here.write(
        "wide.json",
        r#"{"METADATA_SPEC_VERSION": "V1", "columns": {"height": {"sdtype": "numerical"}}}"#,
    );
    here.run(&["init", "data.csv", "--from", "wide.json"])
        .expect(2, "DPS5114");
}
