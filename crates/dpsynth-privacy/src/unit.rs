//! Who is protected, and against what change of the data.

use serde::{Deserialize, Serialize};

use crate::numbers::NumberError;

/// Which two data sets must be hard to tell apart.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Adjacency {
    /// One holds a privacy unit that the other lacks.
    AddOrRemoveOne,
    /// One holds another privacy unit in the place of one; the number of units is the same.
    ReplaceOne,
}

/// What the guarantee protects as a whole.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum PrivacyUnit {
    /// Each row stands for itself.
    Row,
    /// All rows that share a value of one column.
    User {
        /// The column that names the user.
        column: String,
        /// How many rows of one user are kept at most, at least 1.
        #[serde(deserialize_with = "at_least_one")]
        max_rows: u32,
    },
}

impl PrivacyUnit {
    /// Returns how many rows one unit contributes at most.
    pub fn max_rows(&self) -> u32 {
        match self {
            Self::Row => 1,
            Self::User { max_rows, .. } => *max_rows,
        }
    }
}

fn at_least_one<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<u32, D::Error> {
    match u32::deserialize(deserializer)? {
        0 => Err(serde::de::Error::custom(NumberError::OutOfRange {
            name: "max_rows",
            range: "from 1 to 4294967295",
        })),
        rows => Ok(rows),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn max_rows_is_one_for_rows() {
        assert_eq!(PrivacyUnit::Row.max_rows(), 1);
        let user = PrivacyUnit::User {
            column: "patient".into(),
            max_rows: 5,
        };
        assert_eq!(user.max_rows(), 5);
    }

    #[test]
    fn files_spell_units_in_snake_case_and_refuse_no_rows() {
        let user: PrivacyUnit =
            serde_json::from_str(r#"{"user":{"column":"patient","max_rows":5}}"#).expect("valid");
        assert_eq!(user.max_rows(), 5);
        assert!(
            serde_json::from_str::<PrivacyUnit>(r#"{"user":{"column":"p","max_rows":0}}"#).is_err()
        );
        let adjacency = serde_json::to_string(&Adjacency::AddOrRemoveOne).expect("serialises");
        assert_eq!(adjacency, r#""add_or_remove_one""#);
    }
}
