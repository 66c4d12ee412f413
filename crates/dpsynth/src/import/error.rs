//! Why a description of a table cannot be drafted from.

use thiserror::Error;

/// Why a description of a table cannot be drafted from.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ImportError {
    /// The content is none of the known formats.
    #[error(
        "the file is of no known format; give SDV metadata (JSON, version 1), SmartNoise metadata (YAML) or a schema file"
    )]
    UnknownFormat,
    /// The format is known, and the content is not of it.
    #[error(
        "the file is not valid {format} ({why}); mend it, or write it anew with the program it comes from"
    )]
    Malformed {
        /// What the file was taken for.
        format: &'static str,
        /// What does not fit, with its place where it is known.
        why: String,
    },
    /// Several tables are described, and none is named.
    #[error("the file describes {} tables; name one with `--table`: {}", .tables.len(), listing(.tables))]
    SeveralTables {
        /// Their names.
        tables: Vec<String>,
    },
    /// The table that is asked for is not described.
    #[error("the file does not describe a table `{table}`; it has {}", listing(.tables))]
    NoSuchTable {
        /// The name that was asked for.
        table: String,
        /// Those that there are.
        tables: Vec<String>,
    },
    /// Columns are described that the table does not have.
    #[error(
        "the file describes columns that the table does not have: {}; check that both are about the same table",
        listing(.columns)
    )]
    OtherColumns {
        /// Their names.
        columns: Vec<String>,
    },
}

impl ImportError {
    /// Every code that [`ImportError::code`] can return.
    pub const CODES: &'static [&'static str] =
        &["DPS5110", "DPS5111", "DPS5112", "DPS5113", "DPS5114"];

    /// Returns the stable code of the diagnostic.
    pub fn code(&self) -> &'static str {
        match self {
            Self::UnknownFormat => "DPS5110",
            Self::Malformed { .. } => "DPS5111",
            Self::SeveralTables { .. } => "DPS5112",
            Self::NoSuchTable { .. } => "DPS5113",
            Self::OtherColumns { .. } => "DPS5114",
        }
    }
}

/// Writes the first few names of a list.
fn listing(names: &[String]) -> String {
    let mut quoted: Vec<String> = (names.iter().take(MOST_LISTED))
        .map(|name| format!("`{}`", name.escape_debug()))
        .collect();
    if names.len() > MOST_LISTED {
        quoted.push(format!("and {} more", names.len() - MOST_LISTED));
    }
    quoted.join(", ")
}

/// More names than this help nobody.
const MOST_LISTED: usize = 10;
