//! What can go wrong with a table. No error holds a cell, or a message of a library that may quote one.

use std::io;
use std::path::{Path, PathBuf};

use thiserror::Error;

use crate::decode::Undecodable;
use crate::encode::CellProblem;
use crate::format::Encoding;

/// Why a file could not be read as a table of a schema, or why a table does not conform to one.
///
/// Records count from 1, the header left out.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum TableError {
    /// Two columns have the same name.
    #[error(
        "columns {first} and {second} of the file have the same name; rename or remove one of them"
    )]
    DuplicatedColumn {
        /// The position of the first, counted from 1.
        first: usize,
        /// The position of the second, counted from 1.
        second: usize,
    },
    /// The file has no header.
    #[error("the file is empty; give one that starts with a header of column names")]
    EmptyFile,
    /// None of the expected columns is in the first record.
    #[error(
        "the file's first record names none of the expected columns; give a file with a header, \
         and check the delimiter"
    )]
    HeaderNotFound,
    /// A cell or a column name is too large.
    #[error(
        "{}column {column} of the file holds more than {} bytes; shorten the cell, and check for a \
         missing closing quote",
        place(*record),
        crate::csv::CELL_LIMIT
    )]
    HugeCell {
        /// The record; nothing for the header.
        record: Option<u64>,
        /// The position of the column in the file, counted from 1.
        column: usize,
    },
    /// Quotes are not as CSV has them.
    #[error(
        "{}a quote is not closed, or stands inside a cell; put the whole cell in quotes and \
         double those inside it",
        place(*record)
    )]
    MalformedQuotes {
        /// The record; nothing for the header.
        record: Option<u64>,
    },
    /// A cell is missing where the column does not allow it.
    #[error(
        "record {record}, column `{column}`: the cell is missing; correct the record, or allow \
         missing values with `missing = true`"
    )]
    MissingCell {
        /// The name of the column.
        column: String,
        /// The record.
        record: u64,
    },
    /// There is no such file.
    #[error("the file `{}` does not exist; check its name and the working directory", path.display())]
    MissingFile {
        /// The file, as it was named.
        path: PathBuf,
    },
    /// Bytes that are not UTF-8.
    #[error("{}the text is not UTF-8; save the file as UTF-8, or state its `encoding`", place(*record))]
    NotUtf8 {
        /// The record; nothing for the header.
        record: Option<u64>,
    },
    /// A cell cannot be a value of its column.
    #[error(
        "record {record}, column `{column}`: the cell {problem}; {}",
        advice(problem)
    )]
    OutOfDomain {
        /// The name of the column.
        column: String,
        /// The record.
        record: u64,
        /// Why not.
        problem: CellProblem,
    },
    /// A record has more or fewer cells than the header.
    #[error(
        "record {record}: it has more or fewer cells than the header; complete it, and quote \
         cells that hold the delimiter"
    )]
    RaggedRecord {
        /// The record.
        record: u64,
    },
    /// Bytes that are not of the stated encoding.
    #[error(
        "the text of `{}` is not {}; state the `encoding` that the file has, or save it as UTF-8",
        path.display(),
        encoding.name()
    )]
    NotInEncoding {
        /// The file, as it was named.
        path: PathBuf,
        /// What it was to be.
        encoding: Encoding,
    },
    /// The file is not an Arrow file, or a damaged one.
    #[error("the file `{}` cannot be read as an Arrow IPC file; check its format, and write it anew", path.display())]
    UnreadableArrow {
        /// The file, as it was named.
        path: PathBuf,
    },
    /// The file is not a Parquet file, or a damaged one.
    #[error("the file `{}` cannot be read as Parquet; check its format, and write it anew", path.display())]
    UnreadableParquet {
        /// The file, as it was named.
        path: PathBuf,
    },
    /// The file could not be read.
    #[error("the file `{}` cannot be read ({kind}); check that it is a file and may be read", path.display())]
    UnreadableFile {
        /// The file, as it was named.
        path: PathBuf,
        /// What the operating system says.
        kind: io::ErrorKind,
    },
    /// The delimiter is not one that CSV files can have.
    #[error("that delimiter cannot separate cells; use one ASCII character such as `,` `;` or tab")]
    UnsupportedDelimiter,
    /// The quote is not one that CSV files can have.
    #[error(
        "that quote cannot stand around cells; use one ASCII sign such as `\"` or `'` that is not the delimiter"
    )]
    UnsupportedQuote,
    /// The format does not follow from the name of the file.
    #[error(
        "the format of `{}` cannot be told from its name; use a name that ends in `.csv`, \
         `.csv.gz`, `.csv.zst`, `.parquet`, `.arrow`, `.feather` or `.ipc`, or state the format",
        path.display()
    )]
    UnsupportedExtension {
        /// The file, as it was named.
        path: PathBuf,
    },
    /// Lines end in a way that is not supported.
    #[error(
        "header: it holds a carriage return that ends no line; save the file with line feeds as \
         line ends"
    )]
    UnsupportedLineEnds,
    /// Columns are missing, or not expected.
    #[error(
        "{}; correct the file, or describe or ignore the columns",
        header(missing, unexpected)
    )]
    WrongHeader {
        /// Columns of the schema that the table lacks.
        missing: Vec<String>,
        /// Columns of the table that the schema neither has nor ignores.
        unexpected: Vec<String>,
    },
    /// The column's type cannot hold values of its domain.
    #[error(
        "column `{column}`: its type in the file does not fit its declared kind; convert it to \
         text, 32- or 64-bit numbers or dates, or declare another kind"
    )]
    WrongType {
        /// The name of the column.
        column: String,
    },
}

impl TableError {
    /// The codes of all errors.
    pub const CODES: &'static [&'static str] = &[
        "DPS1101", "DPS1102", "DPS1103", "DPS1104", "DPS1105", "DPS1106", "DPS1107", "DPS1108",
        "DPS1109", "DPS1110", "DPS1111", "DPS1112", "DPS1113", "DPS1114", "DPS1115", "DPS1116",
        "DPS1117", "DPS1118", "DPS1119", "DPS1120",
    ];

    /// Returns the stable code of the error.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::MissingFile { .. } => "DPS1101",
            Self::UnreadableFile { .. } => "DPS1102",
            Self::EmptyFile => "DPS1103",
            Self::UnsupportedExtension { .. } => "DPS1104",
            Self::UnsupportedDelimiter => "DPS1105",
            Self::NotUtf8 { .. } => "DPS1106",
            Self::DuplicatedColumn { .. } => "DPS1107",
            Self::HeaderNotFound => "DPS1108",
            Self::WrongHeader { .. } => "DPS1109",
            Self::RaggedRecord { .. } => "DPS1110",
            Self::HugeCell { .. } => "DPS1111",
            Self::MalformedQuotes { .. } => "DPS1112",
            Self::UnreadableParquet { .. } => "DPS1113",
            Self::WrongType { .. } => "DPS1114",
            Self::OutOfDomain { .. } => "DPS1115",
            Self::MissingCell { .. } => "DPS1116",
            Self::UnsupportedLineEnds => "DPS1117",
            Self::UnsupportedQuote => "DPS1118",
            Self::NotInEncoding { .. } => "DPS1119",
            Self::UnreadableArrow { .. } => "DPS1120",
        }
    }

    /// The error of one cell. `row` counts from 0.
    pub(crate) fn of_cell(column: &str, row: usize, problem: CellProblem) -> Self {
        let column = column.to_owned();
        let record = row as u64 + 1;
        match problem {
            CellProblem::Missing => Self::MissingCell { column, record },
            problem => Self::OutOfDomain {
                column,
                record,
                problem,
            },
        }
    }

    /// The error of a file, and nothing of the library's message, which may quote it.
    pub(crate) fn of_read(path: &Path, error: &io::Error) -> Self {
        Self::of_file(path, error.kind())
    }

    /// As [`of_read`](Self::of_read), of a file whose text has an encoding.
    pub(crate) fn of_text(path: &Path, error: &io::Error, encoding: Encoding) -> Self {
        if error
            .get_ref()
            .is_some_and(|inner| inner.is::<Undecodable>())
        {
            let path = path.to_owned();
            return Self::NotInEncoding { path, encoding };
        }
        Self::of_read(path, error)
    }

    pub(crate) fn of_file(path: &Path, kind: io::ErrorKind) -> Self {
        let path = path.to_owned();
        match kind {
            io::ErrorKind::NotFound => Self::MissingFile { path },
            kind => Self::UnreadableFile { path, kind },
        }
    }
}

fn place(record: Option<u64>) -> String {
    match record {
        Some(record) => format!("record {record}: "),
        None => "header: ".to_owned(),
    }
}

fn advice(problem: &CellProblem) -> &'static str {
    match problem {
        CellProblem::AboveMaximum | CellProblem::BelowMinimum => {
            "correct the record, widen the bounds, or set `out_of_domain` to `clip` or `missing`"
        }
        CellProblem::NotListed => {
            "correct the record, list the category, or set `out_of_domain` to `missing` or a bucket"
        }
        CellProblem::TooFar | CellProblem::TooNear => {
            "correct the record, widen the distances in `after`, or set `out_of_domain` to `clip` or \
             `missing`"
        }
        CellProblem::Missing
        | CellProblem::NotADate
        | CellProblem::NotADuration
        | CellProblem::NotANumber
        | CellProblem::NotInFormat
        | CellProblem::NotWhole => {
            "correct the record, name it among the missing tokens, or set `out_of_domain` to \
             `missing` (it cannot be clipped)"
        }
    }
}

fn header(missing: &[String], unexpected: &[String]) -> String {
    let list = |names: &[String]| {
        let quoted: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
        quoted.join(", ")
    };
    match (missing.is_empty(), unexpected.is_empty()) {
        (false, true) => format!("the file lacks columns: {}", list(missing)),
        (true, _) => format!(
            "the file has columns that the schema does not: {}",
            list(unexpected)
        ),
        (false, false) => format!(
            "the file lacks columns: {}; and has others that the schema does not: {}",
            list(missing),
            list(unexpected)
        ),
    }
}

/// Why a table could not be written.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum WriteError {
    /// The table is not one of the schema.
    #[error("the table was not written, because it does not conform to its schema: {source}")]
    Nonconforming {
        /// How it departs from the schema.
        source: TableError,
    },
    /// The file could not be written.
    #[error("the file `{}` cannot be written ({kind}); check the folder and the space left", path.display())]
    UnwritableFile {
        /// The file, as it was named.
        path: PathBuf,
        /// What the operating system says.
        kind: io::ErrorKind,
    },
    /// The table could not be turned into Arrow's format.
    #[error("the table cannot be written to `{}` as an Arrow IPC file; write CSV instead", path.display())]
    UnwritableArrow {
        /// The file, as it was named.
        path: PathBuf,
    },
    /// The table could not be turned into Parquet.
    #[error("the table cannot be written to `{}` as Parquet; write CSV instead", path.display())]
    UnwritableParquet {
        /// The file, as it was named.
        path: PathBuf,
    },
}

impl WriteError {
    /// The codes of all errors.
    pub const CODES: &'static [&'static str] = &["DPS1201", "DPS1202", "DPS1203", "DPS1204"];

    /// Returns the stable code of the error.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Nonconforming { .. } => "DPS1201",
            Self::UnwritableFile { .. } => "DPS1202",
            Self::UnwritableParquet { .. } => "DPS1203",
            Self::UnwritableArrow { .. } => "DPS1204",
        }
    }
}
