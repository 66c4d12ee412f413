//! Why an audit could not be carried out. What an audit finds is no error but an outcome.

use thiserror::Error;

/// Why an audit could not be carried out.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum AuditError {
    /// A part of the core refused what the audit asked of it.
    #[error(
        "a mechanism refused to be audited ({code}: {message}); this is a bug, please report it"
    )]
    Refused {
        /// The code of the core's own error.
        code: &'static str,
        /// Its message.
        message: String,
    },
    /// The ledger's check needs a folder to write to.
    #[error(
        "the audit cannot write to a temporary folder ({kind}); set `TMPDIR` to one that it can write to"
    )]
    TemporaryFolder {
        /// What the operating system said.
        kind: std::io::ErrorKind,
    },
    /// The tables of a release audit do not have the same columns.
    #[error(
        "the tables of the audit do not have the same columns, or one has no rows; name three tables of one schema"
    )]
    Columns,
    /// A table has too few rows to attack.
    #[error("the tables are too small to audit; use at least 20 rows each")]
    TooFewRows,
}

impl AuditError {
    /// The codes of this family.
    pub const CODES: &'static [&'static str] = &["DPS6001", "DPS6002", "DPS6003", "DPS6004"];

    /// The stable code of the diagnostic.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Refused { .. } => "DPS6001",
            Self::TemporaryFolder { .. } => "DPS6002",
            Self::Columns => "DPS6003",
            Self::TooFewRows => "DPS6004",
        }
    }

    /// Wraps an error of the core.
    pub fn refused(code: &'static str, error: &dyn std::error::Error) -> Self {
        Self::Refused {
            code,
            message: error.to_string(),
        }
    }
}
