//! Reading a table from a file into codes.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use crate::batch::{Rows, Wanted, names_of_file};
use crate::coded::Coded;
use crate::csv;
use crate::encode::{Cell, Coder};
use crate::error::TableError;
use crate::format::{Dialect, Format};
use crate::owner::{OwnerColumn, Texts};
use crate::schema::{Domain, Schema};
use crate::table::Table;

/// How a file is to be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReadOptions {
    /// The format; nothing to tell it from the file's name.
    pub format: Option<Format>,
    /// How a CSV file is written.
    pub dialect: Dialect,
    /// Columns that the file may have and that are not read.
    pub ignored: Vec<String>,
}

impl Default for ReadOptions {
    /// The format from the file's name, the usual dialect, no column ignored.
    fn default() -> Self {
        Self {
            format: None,
            dialect: Dialect::default(),
            ignored: Vec::new(),
        }
    }
}

/// A table as codes, one row after the other.
///
/// It holds what it was read from: a caller keeps that of private records inside the boundary.
#[derive(Clone, PartialEq, Eq)]
pub struct CodedTable {
    /// The codes, row by row, each row in the order of the schema's columns.
    pub codes: Vec<u16>,
    /// The number of columns, at least 1.
    pub columns: usize,
}

impl CodedTable {
    /// Returns the number of rows.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.codes.len() / self.columns
    }
}

impl fmt::Debug for CodedTable {
    /// Shows no code and no count of rows: both may be private.
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        to.debug_struct("CodedTable")
            .field("columns", &self.columns)
            .finish_non_exhaustive()
    }
}

/// A table as codes, with the owner of each row.
///
/// As [`CodedTable`], a caller keeps that of private records inside the boundary.
pub struct OwnedTable {
    /// The codes.
    pub table: CodedTable,
    /// Numbers of the owners, from 0 and equal for rows of the same owner, in the order of the rows.
    pub owners: Vec<u32>,
}

impl fmt::Debug for OwnedTable {
    /// Shows nothing but the number of columns.
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.table.fmt(to)
    }
}

/// Reads the names of a file's columns, and nothing but its header.
///
/// # Errors
/// When the file cannot be read, is empty, or has two columns of the same name.
pub fn read_header(
    path: &Path,
    format: Option<Format>,
    dialect: Dialect,
) -> Result<Vec<String>, TableError> {
    let format = format.map_or_else(|| Format::of_path(path), Ok)?;
    let names = names_of_file(path, format, dialect)?;
    csv::check_names(&names)?;
    Ok(names)
}

/// Reads a file into codes: every cell ends in its column's domain, or the reading stops.
///
/// The columns of the file may have any order. Where it has a fault, the first one in some of its
/// rows is named, by column and record, never by its content. No more than a few megabytes of the
/// file are held at a time.
///
/// # Errors
/// When the file cannot be read, its columns are not those of the schema and the ignored ones, or
/// a cell cannot be a value of its column.
pub fn read(path: &Path, schema: &Schema, options: ReadOptions) -> Result<CodedTable, TableError> {
    let mut rows = Rows::open(path, Wanted::of(schema), &options)?;
    let mut coded = Coded::new(schema);
    while let Some(batch) = rows.next()? {
        coded.take(&rows, &batch)?;
    }
    Ok(coded.table)
}

/// Reads a file into codes, and tells the rows of the same owner: of the same value of `owner`,
/// a column that the schema does not have.
///
/// # Errors
/// As [`read`], and when the owner of a row is missing.
pub fn read_owned(
    path: &Path,
    schema: &Schema,
    options: ReadOptions,
    owner: &OwnerColumn,
) -> Result<OwnedTable, TableError> {
    let wanted = Wanted::of(schema).and_texts(&owner.name);
    let mut rows = Rows::open(path, wanted, &options)?;
    let mut coded = Coded::new(schema);
    let mut owners = owner.owners();
    let last = schema.columns().len();
    while let Some(batch) = rows.next()? {
        coded.take(&rows, &batch)?;
        rows.for_each_cell(&batch, last, |_, cell| owners.take(cell))?;
    }
    Ok(OwnedTable {
        table: coded.table,
        owners: owners.numbers,
    })
}

/// The cells of one column as values of its kind, in the order of the rows; nothing for missing ones.
///
/// It holds what it was read from: a caller keeps that of private records inside the boundary.
pub struct ColumnCells {
    /// The values.
    pub values: ColumnValues,
    /// Numbers of the owners, as in [`OwnedTable`], where an owner was asked for.
    pub owners: Option<Vec<u32>>,
}

/// The values of a column, inside its bounds or not.
pub enum ColumnValues {
    /// Of a column of categories, listed or not; equal ones are held once.
    Texts(Vec<Option<Arc<str>>>),
    /// Of a column of numbers.
    Numbers(Vec<Option<f64>>),
}

/// Reads a column of categories or of numbers before its domain is known: the one of the schema.
///
/// # Errors
/// As [`read_owned`], but what is outside the column's domain is no error. A cell that is no value of the column's
/// kind counts as missing: [`read`] says so once the domain is known.
pub fn read_column(
    path: &Path,
    schema: &Schema,
    options: &ReadOptions,
    owner: Option<&OwnerColumn>,
) -> Result<ColumnCells, TableError> {
    let mut wanted = Wanted::of(schema);
    if let Some(owner) = owner {
        wanted = wanted.and_texts(&owner.name);
    }
    let mut rows = Rows::open(path, wanted, options)?;
    let mut owners = owner.map(OwnerColumn::owners);
    let coder = &schema.coders()[0];
    let mut known = Texts::default();
    let mut values = match schema.columns()[0].domain {
        Domain::Categorical { .. } | Domain::Identifier { .. } => ColumnValues::Texts(Vec::new()),
        _ => ColumnValues::Numbers(Vec::new()),
    };
    while let Some(batch) = rows.next()? {
        rows.for_each_cell(&batch, 0, |_, cell| {
            let value = coder.value_of(cell).unwrap_or(Cell::Missing);
            match &mut values {
                ColumnValues::Texts(texts) => texts.push(match value {
                    Cell::Text(text) => Some(known.shared(text)),
                    _ => None,
                }),
                ColumnValues::Numbers(numbers) => numbers.push(match value {
                    Cell::Integer(number) => Some(number as f64),
                    Cell::Float(number) => Some(number),
                    _ => None,
                }),
            }
            Ok(())
        })?;
        if let Some(owners) = &mut owners {
            rows.for_each_cell(&batch, schema.columns().len(), |_, cell| owners.take(cell))?;
        }
    }
    Ok(ColumnCells {
        values,
        owners: owners.map(|owners| owners.numbers),
    })
}

/// Reads a *public* file, such as a synthetic table, into typed values, each in its domain.
///
/// # Errors
/// As [`read`].
pub fn read_table(path: &Path, schema: &Schema, options: ReadOptions) -> Result<Table, TableError> {
    let mut rows = Rows::open(path, Wanted::of(schema), &options)?;
    let mut table = Table::without_rows(schema);
    while let Some(batch) = rows.next()? {
        table.append(&batch, schema)?;
    }
    table.conforms(schema)?;
    Ok(table)
}

/// Reads a file of private rows into typed values *outside* the boundary: cells outside their domain
/// become what the schema says.
///
/// For the custodian's own screen only. The table is not protected, and nothing that may be published
/// can be made of it: a release writes released tables alone.
///
/// # Errors
/// As [`read`].
pub fn read_unprotected(
    path: &Path,
    schema: &Schema,
    options: ReadOptions,
) -> Result<Table, TableError> {
    let mut rows = Rows::open(path, Wanted::of(schema), &options)?;
    let mut table = Table::without_rows(schema);
    while let Some(batch) = rows.next()? {
        table.append_as(&batch, schema, Coder::settle)?;
    }
    Ok(table)
}
