//! One function for everything that reads a file: none may panic or hang, whatever the bytes.
//!
//! The fuzzer calls them with bytes of its own; the test suite replays the corpora.

use std::io::Write;

use dpsynth::policy::Policy;
use dpsynth_constraints::{RuleKind, RuleSpec, Rules};
use dpsynth_privacy::ledger;
use dpsynth_table::{
    Cells, Column, Dialect, Domain, Encoding, Format, Missing, OutOfDomain, ReadOptions, Schema,
    read, read_header,
};
use dpsynth_train::Generator;

/// A policy: what parses names itself by the hash of its own text.
pub fn policy(bytes: &[u8]) {
    if let Ok(policy) = Policy::parse_bytes(bytes) {
        assert_eq!(policy.text.as_bytes(), bytes);
        assert_eq!(policy.sha256().len(), 64);
    }
}

/// A description of a table in another tool's format: its draft is TOML, with questions or without.
pub fn import(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    let Ok(draft) = dpsynth::import::import(text, None) else {
        return;
    };
    if let Err(findings) = Policy::parse(&draft.to_toml()) {
        let not_toml = findings.iter().any(|finding| finding.code == "DPS4001");
        assert!(!not_toml, "{findings}");
    }
}

/// A rule's expression, as a condition and as a formula.
pub fn rules(bytes: &[u8]) {
    let Ok(expression) = std::str::from_utf8(bytes) else {
        return;
    };
    let expression = expression.to_owned();
    let kinds = [
        RuleKind::Sql {
            expression: expression.clone(),
        },
        RuleKind::Derived {
            column: "total".to_owned(),
            formula: expression,
        },
    ];
    for kind in kinds {
        let spec = RuleSpec {
            name: "rule".to_owned(),
            kind,
            enforcement: None,
        };
        let _ = Rules::compile(vec![spec], &schema());
    }
}

/// A table: the first byte chooses the format. What is read lies in its domain.
pub fn table(bytes: &[u8]) {
    let Some((&choice, rest)) = bytes.split_first() else {
        return;
    };
    let format = match choice % 4 {
        0 | 2 => Format::Csv,
        1 => Format::Parquet,
        _ => Format::Arrow,
    };
    // The next bits of the choice are those of the text.
    let dialect = Dialect {
        encoding: match choice {
            0x80.. => Encoding::Utf16,
            _ => Encoding::Utf8,
        },
        ..Dialect::default()
    };
    let Ok(mut file) = tempfile::NamedTempFile::new() else {
        return;
    };
    if file.write_all(rest).is_err() {
        return;
    }
    let _ = read_header(file.path(), Some(format), dialect);
    let schema = schema();
    let options = ReadOptions {
        format: Some(format),
        dialect,
        ignored: Vec::new(),
    };
    if let Ok(table) = read(file.path(), &schema, options) {
        for row in table.codes.chunks(table.columns) {
            assert!(
                row.iter()
                    .zip(schema.codes())
                    .all(|(&code, size)| u32::from(code) < size)
            );
        }
    }
}

/// A ledger.
pub fn ledger(bytes: &[u8]) {
    let _ = ledger::parse(bytes);
}

/// A model file: what is read is written back the same.
pub fn model(bytes: &[u8]) {
    if let Ok((generator, notes)) = Generator::from_bytes(bytes) {
        let written = generator
            .to_bytes(&notes)
            .expect("what was read can be written");
        assert!(Generator::from_bytes(&written).is_ok());
    }
}

fn schema() -> Schema {
    let column = |name: &str, domain, missing| Column {
        name: name.to_owned(),
        domain,
        missing,
        out_of_domain: OutOfDomain::Stop,
        missing_tokens: vec!["NA".to_owned()],
        after: None,
    };
    let cells = Cells::Linear { count: 8 };
    Schema::new(vec![
        column(
            "age",
            Domain::Integer {
                min: 0,
                max: 120,
                cells: cells.clone(),
            },
            Missing::Allowed,
        ),
        column(
            "city",
            Domain::Categorical {
                categories: vec!["a".to_owned(), "b".to_owned()],
            },
            Missing::Refused,
        ),
        column(
            "total",
            Domain::Float {
                min: -10.0,
                max: 1e6,
                decimals: Some(2),
                cells,
            },
            Missing::Allowed,
        ),
    ])
    .expect("a schema that is consistent")
}
