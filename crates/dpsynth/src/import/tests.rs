//! Drafts from descriptions: what is taken over, what stays a question, and what is refused.

use proptest::prelude::*;

use super::{Draft, DraftColumn, DraftKind, DraftUnit, ImportError, import};
use crate::policy::Policy;

/// SDV metadata of one table, with most of its types and a constraint.
const HOTEL: &str = r#"{
  "METADATA_SPEC_VERSION": "SINGLE_TABLE_V1",
  "primary_key": "guest_email",
  "columns": {
    "guest_email": { "sdtype": "email", "pii": true },
    "visit": { "sdtype": "id", "regex_format": "V_[0-9]{4}" },
    "has_rewards": { "sdtype": "boolean" },
    "room_type": { "sdtype": "categorical", "order_by": null, "order": ["BASIC", "DELUXE"] },
    "city": { "sdtype": "categorical" },
    "amenities_fee": { "sdtype": "numerical", "computer_representation": "Float" },
    "nights": { "sdtype": "numerical", "computer_representation": "Int64" },
    "discount": { "sdtype": "numerical" },
    "checkin": { "sdtype": "datetime", "datetime_format": "%d %b %Y" },
    "paid_at": { "sdtype": "datetime", "datetime_format": "%Y-%m-%d %H:%M" },
    "remark": { "sdtype": "unknown" }
  },
  "constraints": [
    { "constraint_class": "Inequality", "constraint_parameters":
      { "low_column_name": "nights", "high_column_name": "amenities_fee", "strict_boundaries": true } },
    { "constraint_class": "ScalarRange", "column_name": "nights", "low_value": 0, "high_value": 30 },
    { "constraint_class": "FixedCombinations", "constraint_parameters": { "column_names": ["room_type", "city"] } },
    { "constraint_class": "CarryOverColumns", "constraint_parameters": { "column": "x\ny" } }
  ]
}"#;

/// SmartNoise metadata of one table.
const PUMS: &str = "\
\"\":
  PUMS:
    PUMS:
      max_ids: 3
      rows: 1000
      age: {type: int, lower: 0, upper: 100}
      income:
        type: float
        lower: 0
        upper: 500000
        nullable: true
      sex: {type: string, cardinality: 2}
      married: {type: boolean}
      since: {type: datetime}
      pid: {type: int, private_id: True}
";

/// Answers the questions of every draft, in the way of an owner who has no others.
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

/// Answers one question of one column.
fn answer(draft: &str, column: &str, key: &str, value: &str) -> String {
    let column = draft.find(&format!("name = \"{column}\"")).unwrap();
    let question = format!("\n{key} = \"OWNER\"");
    let place = column + draft[column..].find(&question).unwrap();
    let mut answered = draft.to_owned();
    answered.replace_range(place..place + question.len(), &format!("\n{key} = {value}"));
    answered
}

#[track_caller]
fn parsed(text: &str) -> Policy {
    match Policy::parse(text) {
        Ok(policy) => policy,
        Err(findings) => panic!(
            "{text}\n{}",
            crate::diagnostic::render(&findings, "draft", text, crate::diagnostic::Color::Never)
        ),
    }
}

#[test]
fn sdv_says_kinds_and_the_owner_the_rest() {
    let mut draft = with_privacy(&import(HOTEL, None).unwrap().to_toml());
    assert!(draft.contains("format = \"V_####\""), "{draft}");
    assert!(
        draft.contains("name = \"OWNER\""),
        "SDV does not name its table"
    );
    assert!(
        draft.contains(r#"{"column":"x\ny"}"#),
        "what is unclear is quoted on one line"
    );
    assert!(Policy::parse(&draft).is_err(), "questions are open");
    draft = draft.replacen("name = \"OWNER\"", "name = \"hotel\"", 1);
    for (column, key, value) in [
        ("city", "categories", "[\"Rome\", \"Oslo\"]"),
        ("amenities_fee", "min", "0"),
        ("amenities_fee", "max", "500"),
        ("nights", "min", "0"),
        ("nights", "max", "30"),
        ("discount", "kind", "\"integer\""),
        ("discount", "min", "0"),
        ("discount", "max", "100"),
        ("checkin", "min", "\"01 Jan 2020\""),
        ("checkin", "max", "\"31 Dec 2024\""),
        ("paid_at", "min", "\"2020-01-01 00:00\""),
        ("paid_at", "max", "\"2024-12-31 23:59\""),
        ("remark", "kind", "\"ignore\""),
        ("CarryOverColumns 1 of SDV", "sql", "\"nights >= 0\""),
    ] {
        draft = answer(&draft, column, key, value);
    }
    // An ignored column has no other keys.
    draft = draft.replace(
        "kind = \"ignore\"",
        "kind = \"categorical\"\ncategories = [\"x\"]",
    );
    draft = draft.replace("allowed = \"OWNER\"", "allowed = [[\"BASIC\", \"Rome\"]]");
    let policy = parsed(&draft);
    assert_eq!(policy.ignored, ["guest_email"]);
    assert_eq!(policy.identifiers(), ["visit"]);
    assert_eq!(policy.ordered, ["room_type"]);
    assert_eq!(policy.rule_specs.len(), 4);
}

#[test]
fn every_class_of_sdv_becomes_a_rule() {
    let text = r#"{"METADATA_SPEC_VERSION": "V1", "columns": {
        "key": {"sdtype": "id"}, "a": {"sdtype": "numerical"}, "b": {"sdtype": "numerical"},
        "c": {"sdtype": "numerical", "computer_representation": "Int64"},
        "d": {"sdtype": "numerical", "computer_representation": "Int64"},
        "k": {"sdtype": "categorical"}}, "constraints": [
        {"constraint_class": "Inequality", "low_column_name": "c", "high_column_name": "d"},
        {"constraint_class": "Range", "low_column_name": "c", "middle_column_name": "d", "high_column_name": "e"},
        {"constraint_class": "ScalarInequality", "column_name": "c", "relation": ">=", "value": 1},
        {"constraint_class": "ScalarRange", "column_name": "c", "low_value": 0, "high_value": 9},
        {"constraint_class": "Positive", "column_name": "c"},
        {"constraint_class": "Negative", "column_name": "d"},
        {"constraint_class": "FixedCombinations", "column_names": ["k", "a"]},
        {"constraint_class": "FixedIncrements", "column_name": "c", "increment_value": 5},
        {"constraint_class": "OneHotEncoding", "column_names": ["a", "b"]},
        {"constraint_class": "Unique", "column_names": ["key"]},
        {"constraint_class": "Unique", "column_names": ["c", "d"]},
        {"constraint_class": "FixedNullCombinations", "column_names": ["c", "d"]},
        {"constraint_class": "MixedScales", "segment_column_names": ["k"], "mixed_scale_column_name": "d"}]}"#;
    let draft = import(text, None).unwrap();
    let unclear = draft
        .rules
        .iter()
        .filter(|rule| matches!(rule.body, super::RuleBody::Unclear { .. }));
    assert_eq!(unclear.count(), 0);
    assert_eq!(
        draft.rules.len(),
        13,
        "Range is two rules, and a made-up key is unique anyhow"
    );
    let names: std::collections::BTreeSet<_> = draft.rules.iter().map(|rule| &rule.name).collect();
    assert_eq!(names.len(), 13);
    let text = draft.to_toml();
    for line in [
        "range = { column = \"d\", max = 0.0 }",
        "fixed_increments = { column = \"c\", step = 5 }",
        "one_hot = [\"a\", \"b\"]",
        "unique = [\"c\", \"d\"]",
        "fixed_null_combinations = { columns = [\"c\", \"d\"], allowed = \"OWNER\" }",
        "mixed_scales = { by = [\"k\"], column = \"d\", scales = \"OWNER\" }",
        "name = \"a\"\nkind = \"integer\"\nmin = 0\nmax = 1\n",
    ] {
        assert!(text.contains(line), "{line}\n{text}");
    }
}

#[test]
fn one_of_several_tables_has_to_be_named() {
    let several = r#"{"METADATA_SPEC_VERSION": "V1", "tables": {
        "users": {"primary_key": "id", "columns": {"id": {"sdtype": "id"}}},
        "visits": {"columns": {"user": {"sdtype": "id"}, "cost": {"sdtype": "numerical"}}}},
        "relationships": [{"parent_table_name": "users", "parent_primary_key": "id",
            "child_table_name": "visits", "child_foreign_key": "user"}]}"#;
    let tables = vec!["users".to_owned(), "visits".to_owned()];
    assert_eq!(
        import(several, None),
        Err(ImportError::SeveralTables {
            tables: tables.clone()
        })
    );
    let table = "people".to_owned();
    assert_eq!(
        import(several, Some("people")),
        Err(ImportError::NoSuchTable { table, tables })
    );
    let draft = import(several, Some("visits")).unwrap();
    assert_eq!(draft.name.as_deref(), Some("visits"));
    assert!(
        draft
            .to_toml()
            .contains("{ user = \"user\", max_rows = 5 }"),
        "a foreign key is a hint"
    );
    assert!(
        draft.to_toml().contains("unit = \"OWNER\""),
        "and no answer"
    );
}

#[test]
fn smartnoise_says_bounds_and_whom_it_protects() {
    let draft = import(PUMS, None).unwrap();
    let unit = DraftUnit::User {
        column: "pid".to_owned(),
        max_rows: Some(3),
    };
    assert_eq!(draft.unit, unit);
    let names: Vec<&str> = draft
        .columns
        .iter()
        .map(|column| column.name.as_str())
        .collect();
    assert_eq!(
        names,
        ["age", "income", "sex", "married", "since", "pid"],
        "in the order of the file"
    );
    let mut text = with_privacy(&draft.to_toml());
    assert!(
        text.contains("rows = 1000"),
        "a hint at the number of units"
    );
    for (column, key, value) in [
        ("sex", "categories", "[\"0\", \"1\"]"),
        ("since", "kind", "\"date\""),
        ("since", "format", "\"%Y-%m-%d\""),
        ("since", "min", "\"2000-01-01\""),
        ("since", "max", "\"2019-12-31\""),
    ] {
        text = answer(&text, column, key, value);
    }
    let policy = parsed(&text);
    assert_eq!(policy.dataset.name, "PUMS");
    assert_eq!(policy.schema.columns().len(), 5);
}

#[test]
fn a_header_puts_columns_in_order_and_asks_for_the_others() {
    let header = ["pid", "sex", "height", "age", "income", "married", "since"].map(str::to_owned);
    let draft = import(PUMS, None).unwrap().arranged(&header).unwrap();
    let names: Vec<&str> = draft
        .columns
        .iter()
        .map(|column| column.name.as_str())
        .collect();
    assert_eq!(names, header.each_ref().map(String::as_str));
    assert_eq!(draft.columns[2].kind, DraftKind::Unknown);
    let other = import(PUMS, None)
        .unwrap()
        .arranged(&header[..3])
        .unwrap_err();
    assert_eq!(other.code(), "DPS5114");
    assert!(other.to_string().contains("`age`"), "{other}");
}

#[test]
fn what_fits_no_format_is_refused() {
    let code = |text: &str| import(text, None).unwrap_err().code();
    for unknown in [
        "{}",
        "{\"fields\": {}}",
        "plain text",
        "a: 1",
        "a:\n  b:\n    c: {d: 1}",
        "[]",
    ] {
        assert_eq!(code(unknown), "DPS5110", "{unknown}");
    }
    for malformed in [
        "",
        "{\"columns\": ",
        "a: [1",
        "a: *b",
        "a: 1\n---\nb: 2",
        "a: 1\na: 2",
        "{\"METADATA_SPEC_VERSION\": \"V9\", \"columns\": {}}",
        "{\"METADATA_SPEC_VERSION\": \"V1\", \"columns\": {\"a\": {}, \"a\": {}}}",
        "d: {s: {t: {age: {type: int, lower: low}}}}",
        "{\"schema_version\": 2, \"columns\": []}",
        "{\"schema_version\": 1, \"columns\": [{\"name\": \"a\", \"kind\": \"float\", \"min\": \"x\"}]}",
        "{\"schema_version\": 1, \"columns\": [{\"name\": \"a\", \"kind\": \"shape\"}]}",
        "{\"schema_version\": 1, \"columns\": [{\"name\": \"a\", \"kind\": \"categorical\", \"categories_ref\": \"b\"}]}",
    ] {
        assert_eq!(code(malformed), "DPS5111", "{malformed}");
    }
    let deep = "[".repeat(5000);
    assert_eq!(code(&format!("a: {deep}")), "DPS5111");
    assert_eq!(code(&format!("{{\"a\": {deep}")), "DPS5111");
}

proptest! {
    /// Whatever a column is called and a file remarks, the draft is TOML and holds it as it is.
    #[test]
    fn a_draft_is_toml_whatever_names_hold(name in any::<String>(), note in any::<String>()) {
        let mut column = DraftColumn::new(name.clone(), DraftKind::Categorical {
            categories: Some(vec![name.clone(); 30]),
            ordered: false,
        });
        column.notes.push(note.clone());
        column.reason = Some(note.clone());
        let draft = Draft { columns: vec![column], name: Some(name.clone()), ..Draft::default() };
        let table: toml::Table = draft.to_toml().parse().unwrap();
        let column = &table["column"][0];
        prop_assert_eq!(column["name"].as_str(), Some(name.as_str()));
        prop_assert_eq!(column["categories"][29].as_str(), Some(name.as_str()));
        prop_assert_eq!(column["reason"].as_str(), Some(note.as_str()));
    }

    /// No text makes the readers panic.
    #[test]
    fn any_text_is_read_or_refused(text in any::<String>(), structured in r#"[\[\]{}:,"a-c0-9*&! \n-]{0,60}"#) {
        let _ = import(&text, None);
        let _ = import(&structured, None);
        let _ = import(&format!("{{{structured}"), None);
    }
}
