//! Schema files: what an owner states of a table in public, one JSON object for each column.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

use super::draft::{Draft, DraftColumn, DraftKind, DraftUnit};
use super::error::ImportError;
use super::json::{malformed, text_of};

/// Reads a schema file.
pub(super) fn read(text: &str, table: Option<&str>) -> Result<Draft, ImportError> {
    let file: File = serde_json::from_str(text).map_err(|error| malformed(FORMAT, &error))?;
    if let Some(asked) = table
        && file.dataset.as_deref() != Some(asked)
    {
        return Err(ImportError::NoSuchTable {
            table: asked.to_owned(),
            tables: file.dataset.into_iter().collect(),
        });
    }
    if file.schema_version != 1 {
        return Err(fault(format!(
            "schema_version is {}, not 1",
            file.schema_version
        )));
    }
    let basis = file.knowledge_basis.as_deref();
    let columns = (file.columns.iter()).map(|column| drafted(column, &file.domains, basis));
    Ok(Draft {
        name: file.dataset.clone(),
        file: file.files.first().cloned(),
        delimiter: file.csv.delimiter,
        missing_tokens: file.csv.missing_tokens.clone(),
        unit: unit(&file.privacy_unit)?,
        units_hint: None,
        columns: columns.collect::<Result<_, _>>()?,
        rules: Vec::new(),
    })
}

fn unit(unit: &Unit) -> Result<DraftUnit, ImportError> {
    match unit.unit.as_deref() {
        None => Ok(DraftUnit::default()),
        Some("row") => Ok(DraftUnit::Row {
            hint: unit.alternative.as_ref().and_then(|other| {
                let column = other.column.as_deref()?;
                Some(format!(
                    "the schema offers another unit: {{ user = {column:?}, max_rows = {} }}",
                    other.max_rows.unwrap_or(1)
                ))
            }),
        }),
        Some("user") => match &unit.column {
            Some(column) => Ok(DraftUnit::User {
                column: column.clone(),
                max_rows: unit.max_rows,
            }),
            None => Err(fault("the unit `user` names no column".to_owned())),
        },
        Some(other) => Err(fault(format!("the unit {other:?} is not known"))),
    }
}

fn drafted(
    column: &Column,
    domains: &BTreeMap<String, Vec<Value>>,
    basis: Option<&str>,
) -> Result<DraftColumn, ImportError> {
    let blame = |why: &str| fault(format!("column {:?}: {why}", column.name));
    let kind = match column.kind.as_str() {
        "categorical" => {
            let listed = match (&column.categories, &column.categories_ref) {
                (Some(listed), _) => Some(listed),
                (None, Some(name)) => Some(
                    (domains.get(name))
                        .ok_or_else(|| blame("its `categories_ref` is not there"))?,
                ),
                (None, None) => None,
            };
            let categories = listed.map(|listed| listed.iter().map(text_of).collect());
            let categories: Option<Option<Vec<String>>> = categories;
            DraftKind::Categorical {
                categories: (categories.map(|listed| {
                    listed.ok_or_else(|| blame("a category is neither a text nor a number"))
                }))
                .transpose()?,
                ordered: column.ordered,
            }
        }
        "boolean" => DraftKind::Boolean,
        "integer" => {
            let [min, max] = [&column.min, &column.max].map(|bound| match bound {
                None => Ok(None),
                Some(bound) => whole(bound)
                    .map(Some)
                    .ok_or_else(|| blame("a bound is no integer")),
            });
            DraftKind::Integer {
                min: min?,
                max: max?,
            }
        }
        "float" => {
            let [min, max] = [&column.min, &column.max].map(|bound| match bound {
                None => Ok(None),
                Some(bound) => bound
                    .as_f64()
                    .map(Some)
                    .ok_or_else(|| blame("a bound is no number")),
            });
            DraftKind::Float {
                min: min?,
                max: max?,
            }
        }
        "date" | "datetime" => {
            let [min, max] = [&column.min, &column.max].map(|bound| match bound {
                None => Ok(None),
                Some(bound) => (bound.as_str().map(|text| Some(text.to_owned())))
                    .ok_or_else(|| blame("a bound is no text")),
            });
            DraftKind::Time {
                format: column.format.clone(),
                min: min?,
                max: max?,
            }
        }
        "string" => DraftKind::Open,
        "id" => DraftKind::Id { format: None },
        other => return Err(blame(&format!("the kind {other:?} is not known"))),
    };
    let mut drafted = DraftColumn::new(column.name.clone(), kind);
    drafted.missing = column.missing;
    drafted.notes.extend(column.note.clone());
    drafted.reason = match (column.bounds_basis.as_deref(), basis) {
        (Some("documented") | None, Some(basis)) => Some(basis.to_owned()),
        (Some(stated), _) => Some(stated.to_owned()),
        (None, None) => None,
    };
    Ok(drafted)
}

/// Returns a whole number, also where it is written with a decimal point.
fn whole(value: &Value) -> Option<i64> {
    let rounded = || {
        let number = value.as_f64()?;
        // Above 2^53 a float no longer says which whole number was meant.
        (number.fract() == 0.0 && number.abs() <= 9_007_199_254_740_992.0).then_some(number as i64)
    };
    value.as_i64().or_else(rounded)
}

fn fault(why: String) -> ImportError {
    ImportError::Malformed {
        format: FORMAT,
        why,
    }
}

const FORMAT: &str = "schema JSON";

#[derive(Deserialize)]
struct File {
    schema_version: u32,
    dataset: Option<String>,
    #[serde(default)]
    files: Vec<String>,
    #[serde(default)]
    csv: Csv,
    #[serde(default)]
    privacy_unit: Unit,
    knowledge_basis: Option<String>,
    #[serde(default)]
    domains: BTreeMap<String, Vec<Value>>,
    columns: Vec<Column>,
}

#[derive(Default, Deserialize)]
struct Csv {
    delimiter: Option<char>,
    missing_tokens: Option<Vec<String>>,
}

#[derive(Default, Deserialize)]
struct Unit {
    unit: Option<String>,
    column: Option<String>,
    #[serde(rename = "suggested_max_rows_per_user")]
    max_rows: Option<i64>,
    alternative: Option<Box<Unit>>,
}

#[derive(Deserialize)]
struct Column {
    name: String,
    kind: String,
    categories: Option<Vec<Value>>,
    categories_ref: Option<String>,
    #[serde(default)]
    ordered: bool,
    min: Option<Value>,
    max: Option<Value>,
    format: Option<String>,
    missing: Option<bool>,
    note: Option<String>,
    bounds_basis: Option<String>,
}
