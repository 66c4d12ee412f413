//! SmartNoise SQL's metadata: a YAML map of collection, schema, table and columns.

use super::draft::{Draft, DraftColumn, DraftKind, DraftUnit};
use super::error::ImportError;
use super::yaml::{self, Node};

/// Reads SmartNoise metadata.
pub(super) fn read(text: &str, asked: Option<&str>) -> Result<Draft, ImportError> {
    let document = yaml::parse(text).map_err(fault)?;
    let tables = tables(&document)?;
    let (name, table) = match (asked, tables.as_slice()) {
        (_, []) => return Err(ImportError::UnknownFormat),
        (None, [only]) => *only,
        (None, several) => {
            return Err(ImportError::SeveralTables {
                tables: several.iter().map(|(name, _)| (*name).to_owned()).collect(),
            });
        }
        (Some(asked), all) => *(all.iter().find(|(name, _)| *name == asked)).ok_or_else(|| {
            ImportError::NoSuchTable {
                table: asked.to_owned(),
                tables: all.iter().map(|(name, _)| (*name).to_owned()).collect(),
            }
        })?,
    };
    drafted(name, table)
}

/// Returns every table with its name: those below a schema, which are below a collection.
fn tables(document: &Node) -> Result<Vec<(&str, &Node)>, ImportError> {
    let mut tables = Vec::new();
    for (_, collection) in document.entries().ok_or(ImportError::UnknownFormat)? {
        for (_, schema) in collection.entries().unwrap_or_default() {
            for (name, table) in schema.entries().unwrap_or_default() {
                // Anything else of YAML has other things this deep.
                let columns = table.entries().unwrap_or_default();
                if columns
                    .iter()
                    .any(|(_, column)| column.value("type").is_some())
                {
                    tables.push((name.as_str(), table));
                }
            }
        }
    }
    Ok(tables)
}

fn drafted(name: &str, table: &Node) -> Result<Draft, ImportError> {
    let mut draft = Draft {
        name: Some(name.to_owned()),
        ..Draft::default()
    };
    let mut user = None;
    for (column, about) in table.entries().unwrap_or_default() {
        if TABLE_KEYS.contains(&column.as_str()) {
            continue;
        }
        let blame = |why: &str| fault(format!("column {column:?}: {why}"));
        if about.entries().is_none() {
            return Err(blame("it is no map of properties"));
        }
        let private_id = flag(about, "private_id").map_err(|why| blame(&why))?;
        if private_id == Some(true) {
            user = Some(column.clone());
        }
        draft
            .columns
            .push(drafted_column(column, about, private_id).map_err(|why| blame(&why))?);
    }
    let row_privacy = flag(table, "row_privacy").map_err(fault)?;
    let max_ids = integer(table, "max_ids").map_err(fault)?;
    draft.unit = match (row_privacy, user) {
        (Some(true), _) => DraftUnit::Row { hint: None },
        (_, Some(column)) => DraftUnit::User {
            column,
            // SmartNoise takes one where the file does not say.
            max_rows: Some(max_ids.unwrap_or(1)),
        },
        (_, None) => DraftUnit::default(),
    };
    draft.units_hint = integer(table, "rows")
        .map_err(fault)?
        .map(|rows| format!("the file says rows = {rows}: state that number where it is public"));
    Ok(draft)
}

fn drafted_column(
    name: &str,
    about: &Node,
    private_id: Option<bool>,
) -> Result<DraftColumn, String> {
    let kind = match about.value("type").and_then(Node::text) {
        _ if private_id == Some(true) => DraftKind::Id { format: None },
        Some("int") => DraftKind::Integer {
            min: integer(about, "lower")?,
            max: integer(about, "upper")?,
        },
        Some("float") => DraftKind::Float {
            min: number(about, "lower")?,
            max: number(about, "upper")?,
        },
        Some("string") => DraftKind::Categorical {
            categories: None,
            ordered: false,
        },
        Some("boolean") => DraftKind::Boolean,
        Some("datetime") => DraftKind::Time {
            format: None,
            min: None,
            max: None,
        },
        _ => DraftKind::Unknown,
    };
    let mut column = DraftColumn::new(name.to_owned(), kind);
    column.missing = flag(about, "nullable")?;
    if let Some(cardinality) = about.value("cardinality").and_then(Node::text) {
        column
            .notes
            .push(format!("the file says cardinality: {cardinality}"));
    }
    if matches!(
        column.kind,
        DraftKind::Integer { min: Some(_), .. } | DraftKind::Float { min: Some(_), .. }
    ) {
        column.reason = Some("stated in the SmartNoise metadata".to_owned());
    }
    Ok(column)
}

fn flag(map: &Node, key: &str) -> Result<Option<bool>, String> {
    match map.value(key).map(|value| value.text().unwrap_or_default()) {
        None => Ok(None),
        Some("true" | "True" | "TRUE") => Ok(Some(true)),
        Some("false" | "False" | "FALSE") => Ok(Some(false)),
        Some(_) => Err(format!("`{key}` is neither true nor false")),
    }
}

fn number(map: &Node, key: &str) -> Result<Option<f64>, String> {
    match map.value(key).map(|value| value.text().unwrap_or_default()) {
        None | Some("" | "~" | "null") => Ok(None),
        Some(text) => (text.parse().ok().filter(|number: &f64| number.is_finite()))
            .map(Some)
            .ok_or_else(|| format!("`{key}` is not a number")),
    }
}

fn integer(map: &Node, key: &str) -> Result<Option<i64>, String> {
    let Some(number) = number(map, key)? else {
        return Ok(None);
    };
    // Beyond 2^53 a float no longer says which whole number was meant.
    if number.fract() == 0.0 && number.abs() <= 9_007_199_254_740_992.0 {
        Ok(Some(number as i64))
    } else {
        Err(format!("`{key}` is not a whole number"))
    }
}

fn fault(why: String) -> ImportError {
    ImportError::Malformed {
        format: "SmartNoise YAML",
        why,
    }
}

/// The keys of a table that are no columns.
const TABLE_KEYS: [&str; 9] = [
    "row_privacy",
    "rows",
    "max_ids",
    "sample_max_ids",
    "censor_dims",
    "clamp_counts",
    "clamp_columns",
    "use_dpsu",
    "max_contrib",
];
