//! What the JSON formats share: telling them apart, and objects whose order means something.

use std::collections::BTreeSet;
use std::fmt;
use std::marker::PhantomData;

use serde::de::{Error as _, IgnoredAny, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::Value;

use super::error::ImportError;

/// The JSON formats that are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    /// Metadata of the Synthetic Data Vault.
    Sdv,
    /// A schema file.
    Schema,
}

/// Tells the format of a JSON text by its keys.
pub(super) fn format(text: &str) -> Result<Format, ImportError> {
    let probe: Probe = serde_json::from_str(text).map_err(|error| malformed("JSON", &error))?;
    match (&probe.version, &probe.tables, &probe.columns) {
        (Some(_), _, _) | (None, Some(_), _) => Ok(Format::Sdv),
        (None, None, Some(Value::Array(_))) if probe.schema_version.is_some() => Ok(Format::Schema),
        (None, None, Some(Value::Object(columns)))
            if columns
                .values()
                .any(|column| column.get("sdtype").is_some()) =>
        {
            Ok(Format::Sdv)
        }
        _ => Err(ImportError::UnknownFormat),
    }
}

/// The keys that tell a format.
#[derive(Deserialize)]
struct Probe {
    #[serde(rename = "METADATA_SPEC_VERSION")]
    version: Option<IgnoredAny>,
    tables: Option<IgnoredAny>,
    schema_version: Option<IgnoredAny>,
    columns: Option<Value>,
}

/// Wraps what the JSON reader says.
pub(super) fn malformed(format: &'static str, error: &serde_json::Error) -> ImportError {
    ImportError::Malformed {
        format,
        why: error.to_string(),
    }
}

/// A JSON object in the order of the file, without a key twice.
#[derive(Debug)]
pub(super) struct Ordered<T>(pub(super) Vec<(String, T)>);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Ordered<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Entries(PhantomData))
    }
}

struct Entries<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for Entries<T> {
    type Value = Ordered<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let (mut entries, mut seen) = (Vec::new(), BTreeSet::new());
        while let Some((key, value)) = map.next_entry::<String, T>()? {
            if !seen.insert(key.clone()) {
                return Err(A::Error::custom(format_args!("{key:?} stands there twice")));
            }
            entries.push((key, value));
        }
        Ok(Ordered(entries))
    }
}

/// Returns the text of a JSON scalar as a table writes it.
pub(super) fn text_of(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(flag) => Some(flag.to_string()),
        _ => None,
    }
}
