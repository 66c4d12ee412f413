//! Why there is no evaluation.

use thiserror::Error;

/// Why tables cannot be compared.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum EvaluateError {
    /// A table lacks a column, or has it with another kind.
    #[error(
        "the {table} table has no column `{column}` of the kind that the real one has; give tables of one schema"
    )]
    ColumnMissing {
        /// The table.
        table: &'static str,
        /// The column.
        column: String,
    },
    /// A table has no rows.
    #[error("a table has no columns or no rows; give tables with at least one row")]
    Empty,
    /// A column does not fit its table.
    #[error(
        "column `{column}` does not fit its table; its length, its name or one of its values is not possible"
    )]
    Malformed {
        /// The column.
        column: String,
    },
    /// The target is no column.
    #[error(
        "there is no column `{column}` to predict; name a column of the tables with `--target`"
    )]
    TargetUnknown {
        /// The name that was given.
        column: String,
    },
    /// A learner gave up.
    #[error("a learner could not be trained on these rows; evaluate without `--target`")]
    Training,
}

impl EvaluateError {
    /// The codes of this family.
    pub const CODES: &'static [&'static str] =
        &["DPS7001", "DPS7002", "DPS7003", "DPS7004", "DPS7005"];

    /// The stable code of the diagnostic.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::ColumnMissing { .. } => "DPS7001",
            Self::Empty => "DPS7002",
            Self::Malformed { .. } => "DPS7003",
            Self::TargetUnknown { .. } => "DPS7004",
            Self::Training => "DPS7005",
        }
    }
}
