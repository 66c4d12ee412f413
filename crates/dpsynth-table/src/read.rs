//! Reading a table from CSV or Parquet into codes.

use std::fmt;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::batch::{Batch, Rows, Wanted, parquet_header};
use crate::csv;
use crate::encode::{Cell, Coder};
use crate::error::TableError;
use crate::owner::OwnerColumn;
use crate::schema::{Domain, Schema};
use crate::table::Table;

/// The format of a table in a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Format {
    /// Comma-separated text in UTF-8 with a header. Quotes as in RFC 4180.
    Csv,
    /// Apache Parquet.
    Parquet,
}

impl Format {
    /// Tells the format from the name of a file.
    ///
    /// # Errors
    /// When the name ends neither in `.csv` nor in `.parquet`.
    pub fn of_path(path: &Path) -> Result<Self, TableError> {
        let extension = path.extension().and_then(|extension| extension.to_str());
        match extension.map(str::to_ascii_lowercase).as_deref() {
            Some("csv") => Ok(Self::Csv),
            Some("parquet") => Ok(Self::Parquet),
            _ => Err(TableError::UnsupportedExtension {
                path: path.to_owned(),
            }),
        }
    }

    /// Tells the format of a file to read, which may be compressed CSV.
    ///
    /// # Errors
    /// When the name ends in none of `.csv`, `.csv.gz` and `.parquet`.
    pub fn of_input(path: &Path) -> Result<Self, TableError> {
        let zipped = path
            .extension()
            .is_some_and(|extension| extension.eq_ignore_ascii_case("gz"));
        match Self::of_path(&path.with_extension("")) {
            Ok(Self::Csv) if zipped => Ok(Self::Csv),
            _ => Self::of_path(path),
        }
    }

    /// Returns the extension of files of this format, without the dot.
    #[must_use]
    pub fn extension(self) -> &'static str {
        match self {
            Self::Csv => "csv",
            Self::Parquet => "parquet",
        }
    }
}

/// How a file is to be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReadOptions {
    /// The format; nothing to tell it from the file's name.
    pub format: Option<Format>,
    /// What separates the cells of a CSV file.
    pub delimiter: u8,
    /// Columns that the file may have and that are not read.
    pub ignored: Vec<String>,
}

impl Default for ReadOptions {
    /// The format from the file's name, commas, no column ignored.
    fn default() -> Self {
        Self {
            format: None,
            delimiter: b',',
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
    delimiter: u8,
) -> Result<Vec<String>, TableError> {
    let names = match format.map_or_else(|| Format::of_input(path), Ok)? {
        Format::Csv => csv::header_of_file(path, delimiter)?,
        Format::Parquet => parquet_header(path)?,
    };
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
    /// Of a column of categories, listed or not.
    Texts(Vec<Option<String>>),
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
    let mut values = match schema.columns()[0].domain {
        Domain::Categorical { .. } | Domain::Identifier { .. } => ColumnValues::Texts(Vec::new()),
        _ => ColumnValues::Numbers(Vec::new()),
    };
    while let Some(batch) = rows.next()? {
        rows.for_each_cell(&batch, 0, |_, cell| {
            let value = coder.value_of(cell).unwrap_or(Cell::Missing);
            match &mut values {
                ColumnValues::Texts(texts) => texts.push(match value {
                    Cell::Text(text) => Some(text.to_owned()),
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

/// A table of codes that is being read.
struct Coded<'a> {
    schema: &'a Schema,
    table: CodedTable,
}

impl<'a> Coded<'a> {
    fn new(schema: &'a Schema) -> Self {
        let columns = schema.columns().len();
        let codes = Vec::new();
        Self {
            schema,
            table: CodedTable { codes, columns },
        }
    }

    fn take(&mut self, rows: &Rows<'_>, batch: &Batch) -> Result<(), TableError> {
        let CodedTable { codes, columns } = &mut self.table;
        let columns = *columns;
        let start = codes.len();
        codes.resize(start + batch.rows() * columns, 0);
        let codes = &mut codes[start..];
        for (index, coder) in self.schema.coders().iter().enumerate() {
            let Some(bases) = coder.follows() else {
                rows.for_each_cell(batch, index, |row, cell| {
                    codes[row * columns + index] = coder.encode(cell)?;
                    Ok(())
                })?;
                continue;
            };
            let mut steps = vec![Some(0i64); batch.rows()];
            for &base in bases {
                let first = &self.schema.coders()[base];
                rows.for_each_cell(batch, base, |row, cell| {
                    // What is wrong with it is said where it is encoded itself.
                    let sum = steps[row].zip(first.step(cell));
                    steps[row] = sum.and_then(|(sum, step)| sum.checked_add(step));
                    Ok(())
                })?;
            }
            rows.for_each_cell(batch, index, |row, cell| {
                codes[row * columns + index] = coder.encode_after(steps[row], cell)?;
                Ok(())
            })?;
        }
        Ok(())
    }
}
