//! Metadata of the Synthetic Data Vault, version 1: what each column is, and neither bounds nor
//! categories, because SDV takes those from the data.

use std::collections::BTreeSet;

use serde::Deserialize;
use serde_json::Value;

use super::draft::{Draft, DraftColumn, DraftKind, DraftUnit, RuleBody};
use super::error::ImportError;
use super::json::{Ordered, malformed, text_of};
use super::sdv_rules::{self, Constraint};
use super::times::{Precision, precision};

/// Reads SDV metadata of one or several tables.
pub(super) fn read(text: &str, asked: Option<&str>) -> Result<Draft, ImportError> {
    let mut file: File = serde_json::from_str(text).map_err(|error| malformed(FORMAT, &error))?;
    if let Some(version) = &file.version
        && !VERSIONS.contains(&version.as_str())
    {
        let why = format!("METADATA_SPEC_VERSION is {version:?}; known are {VERSIONS:?}");
        return Err(ImportError::Malformed {
            format: FORMAT,
            why,
        });
    }
    let mut tables = match (file.tables.take(), file.columns.take()) {
        (Some(Ordered(tables)), _) => tables,
        (None, Some(columns)) => {
            let table = Table {
                columns,
                primary_key: file.primary_key.take(),
                alternate_keys: std::mem::take(&mut file.alternate_keys),
                sequence_key: file.sequence_key.take(),
                constraints: Vec::new(),
            };
            vec![(asked.unwrap_or_default().to_owned(), table)]
        }
        (None, None) => return Err(ImportError::UnknownFormat),
    };
    let names = || tables.iter().map(|(name, _)| name.clone()).collect();
    let index = match asked {
        None if tables.len() == 1 => 0,
        None => return Err(ImportError::SeveralTables { tables: names() }),
        Some(asked) => (tables.iter().position(|(name, _)| name == asked)).ok_or_else(|| {
            ImportError::NoSuchTable {
                table: asked.to_owned(),
                tables: names(),
            }
        })?,
    };
    let (name, table) = tables.swap_remove(index);
    let constraints = (file.constraints.iter())
        .filter(|constraint| constraint.is_about(&name))
        .chain(&table.constraints);
    let rules = sdv_rules::rules(constraints);
    let mut draft = Draft {
        name: Some(name.clone()).filter(|name| !name.is_empty()),
        unit: unit(&name, &table, &file.relationships),
        columns: table
            .columns
            .0
            .iter()
            .map(|(name, column)| drafted(name, column, &table))
            .collect(),
        rules,
        ..Draft::default()
    };
    heed(&mut draft);
    Ok(draft)
}

/// Takes from the rules what they say of columns.
fn heed(draft: &mut Draft) {
    let columns = &mut draft.columns;
    draft.rules.retain(|rule| {
        let named = |column: &DraftColumn| match &rule.body {
            RuleBody::OneHot { columns } | RuleBody::Unique { columns } => {
                columns.contains(&column.name)
            }
            _ => false,
        };
        let named = columns.iter_mut().filter(|column| named(column));
        match rule.body {
            RuleBody::OneHot { .. } => {
                named.for_each(|column| column.kind = ZERO_OR_ONE);
                true
            }
            // Made-up identifiers are all different, so that nothing is left to demand.
            RuleBody::Unique { .. } => !named
                .into_iter()
                .any(|column| matches!(column.kind, DraftKind::Id { .. })),
            _ => true,
        }
    });
}

/// What a column of a one-hot encoding holds.
const ZERO_OR_ONE: DraftKind = DraftKind::Integer {
    min: Some(0),
    max: Some(1),
};

/// Returns a hint at the column that tells people apart. SDV does not know whom to protect.
fn unit(name: &str, table: &Table, relationships: &[Relationship]) -> DraftUnit {
    let mut candidates: Vec<(&str, &str)> = Vec::new();
    candidates.extend(
        (table.sequence_key.iter().flat_map(Value::as_str)).map(|key| (key, "its sequence key")),
    );
    let parents = relationships
        .iter()
        .filter(|relationship| relationship.child == name);
    candidates.extend(
        parents.filter_map(|parent| Some((parent.key.as_str()?, "a key of another table"))),
    );
    let known: BTreeSet<&str> = table
        .columns
        .0
        .iter()
        .map(|(name, _)| name.as_str())
        .collect();
    let hint = (candidates.iter()).find(|(key, _)| known.contains(key)).map(|(key, role)| {
        format!("{key:?} is {role}: if a person has one value of it, write {{ user = {key:?}, max_rows = 5 }}")
    });
    DraftUnit::Unknown { hint }
}

fn drafted(name: &str, column: &Column, table: &Table) -> DraftColumn {
    let mut notes = Vec::new();
    let kind = match column.sdtype.as_deref() {
        Some("numerical") => match column.representation.as_deref() {
            Some(whole) if whole.starts_with("Int") || whole.starts_with("UInt") => {
                DraftKind::Integer {
                    min: None,
                    max: None,
                }
            }
            Some("Float") => DraftKind::Float {
                min: None,
                max: None,
            },
            _ => DraftKind::Number,
        },
        Some("categorical") => {
            let listed = column.order.iter().map(text_of).collect::<Option<Vec<_>>>();
            let listed = listed.filter(|listed| !listed.is_empty());
            DraftKind::Categorical {
                ordered: listed.is_some(),
                categories: listed,
            }
        }
        Some("boolean") => DraftKind::Boolean,
        Some("datetime") => DraftKind::Time {
            format: readable(column.format.as_deref(), &mut notes),
            min: None,
            max: None,
        },
        Some("id") => DraftKind::Id {
            format: column.regex.as_deref().and_then(made_up),
        },
        Some("unknown") | None => DraftKind::Unknown,
        // Every other type of SDV is one of names, addresses and numbers of people.
        Some(personal) => {
            notes.push(format!("{personal} in SDV's metadata"));
            DraftKind::Id { format: None }
        }
    };
    let keys = (table.primary_key.iter()).chain(&table.alternate_keys);
    if keys.flat_map(names).any(|key| key == name) {
        notes.push("a key of the table: no two rows are alike".to_owned());
    }
    let mut drafted = DraftColumn::new(name.to_owned(), kind);
    drafted.notes = notes;
    drafted
}

/// Returns a format of times that a column can have.
fn readable(format: Option<&str>, notes: &mut Vec<String>) -> Option<String> {
    let format = format?;
    if precision(format) == Precision::Fraction {
        notes.push(format!(
            "the metadata says {format:?}; parts of a second are not kept"
        ));
        return None;
    }
    Some(format.to_owned())
}

/// Returns the columns of a key, which is a text or a list of them.
fn names(key: &Value) -> Vec<&str> {
    match key {
        Value::String(name) => vec![name],
        Value::Array(several) => several.iter().flat_map(names).collect(),
        _ => Vec::new(),
    }
}

/// Turns a regular expression of plain signs, digits and capital letters into a format of made-up
/// identifiers; nothing where it says more.
fn made_up(regex: &str) -> Option<String> {
    let mut format = String::new();
    let mut rest = regex.strip_prefix('^').unwrap_or(regex);
    rest = rest.strip_suffix('$').unwrap_or(rest);
    while let Some(sign) = rest.chars().next() {
        let (place, after) = if let Some(after) = rest
            .strip_prefix("[0-9]")
            .or_else(|| rest.strip_prefix(r"\d"))
        {
            ("#".to_owned(), after)
        } else if let Some(after) = rest.strip_prefix("[A-Z]") {
            ("@".to_owned(), after)
        } else if sign.is_alphanumeric() || "-_/: ".contains(sign) {
            (sign.to_string(), &rest[sign.len_utf8()..])
        } else if let Some(after) = rest.strip_prefix(r"\.") {
            (".".to_owned(), after)
        } else {
            return None;
        };
        rest = after;
        let mut times = 1;
        if let Some(counted) = rest.strip_prefix('{') {
            let (count, after) = counted.split_once('}')?;
            times = count
                .parse()
                .ok()
                .filter(|times| (1..=64).contains(times))?;
            rest = after;
        }
        format.push_str(&place.repeat(times));
    }
    dpsynth_table::IdFormat::new(&format)
        .is_ok()
        .then_some(format)
}

const FORMAT: &str = "SDV metadata";

const VERSIONS: [&str; 3] = ["V1", "SINGLE_TABLE_V1", "MULTI_TABLE_V1"];

#[derive(Deserialize)]
struct File {
    #[serde(rename = "METADATA_SPEC_VERSION")]
    version: Option<String>,
    tables: Option<Ordered<Table>>,
    #[serde(default)]
    relationships: Vec<Relationship>,
    #[serde(default)]
    constraints: Vec<Constraint>,
    // A file of one table has its keys at the top.
    columns: Option<Ordered<Column>>,
    primary_key: Option<Value>,
    #[serde(default)]
    alternate_keys: Vec<Value>,
    sequence_key: Option<Value>,
}

#[derive(Deserialize)]
struct Table {
    columns: Ordered<Column>,
    primary_key: Option<Value>,
    #[serde(default)]
    alternate_keys: Vec<Value>,
    sequence_key: Option<Value>,
    #[serde(default)]
    constraints: Vec<Constraint>,
}

#[derive(Deserialize)]
struct Relationship {
    #[serde(rename = "child_table_name")]
    child: String,
    #[serde(rename = "child_foreign_key")]
    key: Value,
}

#[derive(Debug, Deserialize)]
struct Column {
    sdtype: Option<String>,
    #[serde(rename = "computer_representation")]
    representation: Option<String>,
    #[serde(rename = "datetime_format")]
    format: Option<String>,
    #[serde(rename = "regex_format")]
    regex: Option<String>,
    #[serde(default)]
    order: Vec<Value>,
}

#[cfg(test)]
mod tests {
    use super::made_up;

    #[test]
    fn a_plain_regular_expression_is_a_format() {
        assert_eq!(made_up("U_[0-9]{3}").as_deref(), Some("U_###"));
        assert_eq!(made_up(r"^[A-Z]{2}-\d{4}$").as_deref(), Some("@@-####"));
        assert_eq!(made_up("(a|b)[0-9]"), None);
        assert_eq!(made_up("[0-9]{1,3}"), None);
        assert_eq!(made_up("abc"), None, "which names one identifier only");
        assert_eq!(made_up("[0-9]{99999}"), None);
    }
}
