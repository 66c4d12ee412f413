//! Schemas that are refused, with all that is wrong, and what can be done with others.

use super::*;
use crate::schema_error::SchemaProblem as Problem;

fn column(name: &str, domain: Domain) -> Column {
    Column {
        name: name.to_owned(),
        domain,
        missing: Missing::Refused,
        out_of_domain: OutOfDomain::Stop,
        missing_tokens: Vec::new(),
        after: None,
    }
}

fn integer(min: i64, max: i64, cells: Cells) -> Domain {
    Domain::Integer { min, max, cells }
}

fn float(min: f64, max: f64, decimals: Option<u8>, cells: Cells) -> Domain {
    Domain::Float {
        min,
        max,
        decimals,
        cells,
    }
}

fn categorical(categories: &[&str]) -> Domain {
    Domain::Categorical {
        categories: categories.iter().map(|text| (*text).to_owned()).collect(),
    }
}

fn date(min: &str, max: &str, format: &str) -> Domain {
    let parse = |text| NaiveDate::parse_from_str(text, "%Y-%m-%d").unwrap();
    Domain::Date {
        min: parse(min),
        max: parse(max),
        format: format.to_owned(),
        cells: Cells::Linear { count: 10 },
    }
}

fn edges(edges: &[f64]) -> Cells {
    Cells::Edges {
        edges: edges.to_vec(),
    }
}

fn spiked(spike: f64) -> Cells {
    Cells::Spiked {
        cells: Box::new(Cells::Fine),
        spikes: vec![spike],
    }
}

fn findings(column: Column) -> Vec<(&'static str, Problem)> {
    let findings = Schema::new(vec![column]).expect_err("the column is faulty");
    findings
        .into_iter()
        .map(|finding| (finding.field, finding.problem))
        .collect()
}

#[test]
fn each_fault_is_found() {
    let linear = |count| Cells::Linear { count };
    let cases = [
        (integer(3, 2, Cells::Each), "max", Problem::MinAboveMax),
        (
            float(1.0, 0.0, None, linear(3)),
            "max",
            Problem::MinAboveMax,
        ),
        (
            float(f64::NAN, 0.0, None, linear(3)),
            "min",
            Problem::NotFinite,
        ),
        (
            float(0.0, f64::INFINITY, Some(2), linear(3)),
            "max",
            Problem::NotFinite,
        ),
        (integer(0, 9, linear(0)), "cells", Problem::NoCells),
        (
            float(0.0, 9.0, None, Cells::Log { count: 0 }),
            "cells",
            Problem::NoCells,
        ),
        (integer(0, 9, edges(&[])), "cells", Problem::NoCells),
        (
            integer(0, 9, edges(&[3.0, 3.0])),
            "cells",
            Problem::EdgesNotIncreasing,
        ),
        (
            integer(0, 9, edges(&[3.0, 10.0])),
            "cells",
            Problem::EdgeOutOfBounds,
        ),
        (
            float(0.0, 9.0, None, spiked(9.5)),
            "spikes",
            Problem::SpikeOutOfBounds,
        ),
        (
            integer(0, 9, spiked(f64::NAN)),
            "spikes",
            Problem::SpikeOutOfBounds,
        ),
        (
            float(0.0, 9.0, None, edges(&[f64::NAN])),
            "cells",
            Problem::EdgeOutOfBounds,
        ),
        (
            float(0.0, 9.0, None, Cells::Each),
            "cells",
            Problem::EachNeedsWholeNumbers,
        ),
        (
            integer(1, 65_537, Cells::Each),
            "cells",
            Problem::TooManyCodes,
        ),
        (
            integer(0, i64::MAX, linear(65_537)),
            "cells",
            Problem::TooManyCodes,
        ),
        (
            float(0.0, 1.0, None, linear(65_537)),
            "cells",
            Problem::TooManyCodes,
        ),
        (
            float(0.0, 1.0, Some(13), linear(9)),
            "decimals",
            Problem::TooManyDecimals,
        ),
        (
            float(0.0, 1e6, Some(12), linear(9)),
            "decimals",
            Problem::TooPrecise,
        ),
        (
            float(0.1, 0.2, Some(0), linear(9)),
            "max",
            Problem::NoValueBetweenBounds,
        ),
        (categorical(&[]), "categories", Problem::NoCategories),
        (
            categorical(&["a", "b", "a"]),
            "categories",
            Problem::DuplicateCategory {
                category: "a".to_owned(),
            },
        ),
        (
            date("2020-01-02", "2020-01-01", "%Y-%m-%d"),
            "max",
            Problem::MinAboveMax,
        ),
        (
            date("2020-01-01", "2020-01-02", "%Y-%m"),
            "format",
            Problem::UnusableDateFormat,
        ),
        (
            date("2020-01-01", "2020-01-02", "%Q"),
            "format",
            Problem::UnusableDateFormat,
        ),
        (
            date("2020-01-01", "2020-01-02", "%Y-%m-%d %z"),
            "format",
            Problem::UnusableDateFormat,
        ),
        (
            date("1920-01-01", "2020-01-02", "%d.%m.%y"),
            "format",
            Problem::UnusableDateFormat,
        ),
    ];
    for (domain, field, problem) in cases {
        assert_eq!(findings(column("x", domain)), [(field, problem)]);
    }
    assert_eq!(
        Schema::new(vec![]).unwrap_err()[0].problem,
        Problem::NoColumns
    );
}

#[test]
fn tokens_and_treatments_are_checked_against_the_domain() {
    let faulty = Column {
        out_of_domain: OutOfDomain::Clip,
        missing_tokens: vec!["?".to_owned(), "a".to_owned()],
        ..column("x", categorical(&["a", "b"]))
    };
    let token = "a".to_owned();
    assert_eq!(
        findings(faulty),
        [
            ("out_of_domain", Problem::ClipOnCategories),
            ("missing_tokens", Problem::MissingTokenIsValue { token }),
        ]
    );
    let faulty = Column {
        out_of_domain: OutOfDomain::BecomesMissing,
        missing_tokens: vec!["99".to_owned(), "100".to_owned()],
        ..column("x", integer(0, 99, Cells::Each))
    };
    let token = "99".to_owned();
    assert_eq!(
        findings(faulty),
        [
            ("out_of_domain", Problem::BecomesMissingNeedsMissing),
            ("missing_tokens", Problem::MissingTokenIsValue { token }),
        ]
    );
    let faulty = Column {
        missing: Missing::Allowed,
        ..column("x", categorical(&["", "b"]))
    };
    assert_eq!(
        findings(faulty),
        [("missing_tokens", Problem::NoMissingText)]
    );
}

#[test]
fn findings_of_all_columns_come_at_once() {
    let columns = vec![
        column("a", integer(3, 2, Cells::Each)),
        column("b", categorical(&["x"])),
        column("b", categorical(&[])),
    ];
    let findings = Schema::new(columns).unwrap_err();
    let found: Vec<_> = findings
        .iter()
        .map(|finding| (finding.column, finding.code()))
        .collect();
    assert_eq!(
        found,
        [
            (Some(0), "DPS1006"),
            (Some(2), "DPS1002"),
            (Some(2), "DPS1003")
        ]
    );
    assert_eq!(
        findings[0].to_string(),
        "column `a`: `min` is above `max`; exchange or correct them"
    );
}

#[test]
fn codes_count_cells_and_missing() {
    let allowed = Column {
        missing: Missing::Allowed,
        ..column("x", categorical(&["a", "b"]))
    };
    assert_eq!(allowed.codes(), 3);
    assert_eq!(column("x", integer(0, 65_535, Cells::Each)).codes(), 65_536);
    let too_many = Column {
        missing: Missing::Allowed,
        ..column("x", integer(0, 65_535, Cells::Each))
    };
    assert_eq!(findings(too_many), [("cells", Problem::TooManyCodes)]);
}

#[test]
fn a_schema_survives_json_and_a_faulty_one_is_refused() {
    let columns = vec![
        column("a", categorical(&["x", "y"])),
        column("b", integer(i64::MIN, i64::MAX, Cells::Log { count: 9 })),
        column("c", float(0.1, 0.3, Some(1), Cells::Each)),
        column("d", float(0.0, 1.0, None, edges(&[0.25]))),
        column("e", date("2020-01-01", "2020-12-31", "%d/%m/%Y")),
    ];
    let schema = Schema::new(columns.clone()).unwrap();
    let text = serde_json::to_string(&schema).unwrap();
    let back: Schema = serde_json::from_str(&text).unwrap();
    assert_eq!(back, schema);
    assert_eq!(back.codes(), schema.codes());
    assert!(text.contains(r#""min":"2020-01-01""#), "{text}");
    let twice = serde_json::to_string(&[&columns[0], &columns[0]]).unwrap();
    assert!(serde_json::from_str::<Schema>(&twice).is_err());
}

#[test]
fn columns_can_be_chosen_and_left_out() {
    let names = ["a", "b", "c"];
    let columns = names
        .map(|name| column(name, categorical(&[name])))
        .to_vec();
    let schema = Schema::new(columns).unwrap();
    let chosen = schema.select(&["c", "a"]).unwrap();
    assert_eq!(chosen.names().collect::<Vec<_>>(), ["c", "a"]);
    let rest = schema.without(&["b".to_owned()]).unwrap();
    assert_eq!(rest.names().collect::<Vec<_>>(), ["a", "c"]);
    assert_eq!(
        schema.select(&["d"]).unwrap_err().problem,
        Problem::UnknownColumn
    );
    assert_eq!(schema.select(&[]).unwrap_err().problem, Problem::NoColumns);
    assert_eq!(
        schema.select(&["a", "a"]).unwrap_err().problem,
        Problem::DuplicateColumn
    );
    assert_eq!(
        schema
            .without(&names.map(str::to_owned))
            .unwrap_err()
            .problem,
        Problem::NoColumns
    );
}
