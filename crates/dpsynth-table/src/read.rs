//! Reading a table from CSV or Parquet into codes.

use std::collections::HashMap;
use std::fmt;
use std::io::Cursor;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Arc;

use polars::prelude::{
    CsvParseOptions, CsvReadOptions, DataFrame, DataType, Field, ParquetReader,
    Schema as FrameSchema, SerReader as _,
};
use serde::{Deserialize, Serialize};

use crate::encode::Coder;
use crate::error::TableError;
use crate::owner::OwnerColumn;
use crate::schema::{Domain, Schema};
use crate::table::Table;
use crate::{csv, file, series};

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
    let names = match format_of(path, format)? {
        Format::Csv => {
            csv::check_delimiter(delimiter)?;
            csv::header_of_file(path, delimiter)?
        }
        Format::Parquet => {
            let mut reader = open_parquet(path)?;
            let schema = guarded(path, || reader.schema())?;
            schema.iter_names().map(|name| name.to_string()).collect()
        }
    };
    csv::check_names(&names)?;
    Ok(names)
}

/// Reads a file into codes: every cell ends in its column's domain, or the reading stops.
///
/// The columns of the file may have any order. Where it has a fault, the first one is named, by
/// column and record, never by its content.
///
/// # Errors
/// When the file cannot be read, its columns are not those of the schema and the ignored ones, or
/// a cell cannot be a value of its column.
pub fn read(path: &Path, schema: &Schema, options: ReadOptions) -> Result<CodedTable, TableError> {
    let (frame, _) = read_frame(path, &Wanted::of(schema), &options)?;
    coded(&frame, schema)
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
    let wanted = Wanted {
        schema,
        owner: Some(&owner.name),
    };
    let (frame, positions) = read_frame(path, &wanted, &options)?;
    let table = coded(&frame, schema)?;
    let cells = frame
        .column(&owner.name)
        .map_err(|_| TableError::WrongType {
            column: owner.name.clone(),
        })?;
    let position = positions.last().map_or(1, |position| position + 1);
    let owners = owner.owners(cells.as_materialized_series(), position)?;
    Ok(OwnedTable { table, owners })
}

fn coded(frame: &DataFrame, schema: &Schema) -> Result<CodedTable, TableError> {
    let columns = schema.columns().len();
    let mut codes = vec![0; frame.height() * columns];
    for (index, (column, coder)) in schema.columns().iter().zip(schema.coders()).enumerate() {
        let name = &column.name;
        let wrong_type = |_| TableError::WrongType {
            column: name.clone(),
        };
        let cells = frame.column(name).map_err(wrong_type)?;
        let cells = cells.as_materialized_series();
        series::for_each_cell(cells, &column.domain, name, index + 1, |row, cell| {
            let code = coder.encode(cell);
            codes[row * columns + index] =
                code.map_err(|problem| TableError::of_cell(name, row, problem))?;
            Ok(())
        })?;
    }
    Ok(CodedTable { codes, columns })
}

/// Reads a *public* file, such as a synthetic table, into typed values, each in its domain.
///
/// # Errors
/// As [`read`].
pub fn read_table(path: &Path, schema: &Schema, options: ReadOptions) -> Result<Table, TableError> {
    let (frame, _) = read_frame(path, &Wanted::of(schema), &options)?;
    let table = Table::from_dataframe(&frame, schema)?;
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
    let (frame, _) = read_frame(path, &Wanted::of(schema), &options)?;
    Table::from_cells(&frame, schema, Coder::settle)
}

/// The columns to read from a file.
struct Wanted<'a> {
    schema: &'a Schema,
    /// A column besides, which comes last.
    owner: Option<&'a str>,
}

impl<'a> Wanted<'a> {
    fn of(schema: &'a Schema) -> Self {
        let owner = None;
        Self { schema, owner }
    }

    fn names(&self) -> impl Iterator<Item = &'a str> {
        self.schema.names().chain(self.owner)
    }

    fn has(&self, name: &str) -> bool {
        self.schema.position(name).is_some() || self.owner == Some(name)
    }
}

/// Reads the wanted columns, in their order and by their names, with their positions in the file;
/// cells of CSV files stay text.
fn read_frame(
    path: &Path,
    wanted: &Wanted<'_>,
    options: &ReadOptions,
) -> Result<(DataFrame, Vec<usize>), TableError> {
    let format = format_of(path, options.format)?;
    let (frame, positions) = match format {
        Format::Csv => read_csv(path, wanted, options)?,
        Format::Parquet => read_parquet(path, wanted, options)?,
    };
    let wrong_type = |name: &str| TableError::WrongType {
        column: name.to_owned(),
    };
    let mut columns = Vec::with_capacity(positions.len());
    for (name, position) in wanted.names().zip(&positions) {
        let column = match format {
            Format::Csv => frame.column(&csv_name(*position)),
            Format::Parquet => frame.column(name),
        };
        let mut column = column.map_err(|_| wrong_type(name))?.clone();
        column.rename(name.into());
        columns.push(column);
    }
    let first = wanted.names().next().unwrap_or_default().to_owned();
    let frame = DataFrame::new(frame.height(), columns).map_err(|_| wrong_type(&first))?;
    Ok((frame, positions))
}

fn format_of(path: &Path, format: Option<Format>) -> Result<Format, TableError> {
    format.map_or_else(|| Format::of_input(path), Ok)
}

/// Where the wanted columns are among the file's.
fn positions(
    names: &[String],
    wanted: &Wanted<'_>,
    options: &ReadOptions,
) -> Result<Vec<usize>, TableError> {
    let index: HashMap<&str, usize> = names.iter().map(String::as_str).zip(0..).collect();
    let found: Vec<Option<usize>> = wanted
        .names()
        .map(|name| index.get(name).copied())
        .collect();
    if found.iter().all(Option::is_none) {
        // The first record may be one of data, and must not be shown then.
        return Err(TableError::HeaderNotFound);
    }
    let known = |name: &String| wanted.has(name) || options.ignored.contains(name);
    let unexpected: Vec<String> = names.iter().filter(|name| !known(name)).cloned().collect();
    let missing: Vec<String> = wanted
        .names()
        .filter(|name| !index.contains_key(name))
        .map(str::to_owned)
        .collect();
    match missing.is_empty() && unexpected.is_empty() {
        true => Ok(found.into_iter().flatten().collect()),
        false => Err(TableError::WrongHeader {
            missing,
            unexpected,
        }),
    }
}

/// Reads the wanted columns as text, named by their positions.
fn read_csv(
    path: &Path,
    wanted: &Wanted<'_>,
    options: &ReadOptions,
) -> Result<(DataFrame, Vec<usize>), TableError> {
    csv::check_delimiter(options.delimiter)?;
    let bytes = file::bytes_of(path)?;
    let bytes = csv::without_mark(&bytes);
    let (names, start) = csv::header(bytes, options.delimiter)?;
    let positions = positions(&names, wanted, options)?;
    let bytes = &bytes[..start + csv::without_blank_end(&bytes[start..], names.len()).len()];
    let records = csv::check_records(&bytes[start..], names.len(), options.delimiter)?;

    let fields = (0..names.len()).map(|at| Field::new(csv_name(at).into(), DataType::String));
    let mut projection = positions.clone();
    projection.sort_unstable();
    let parse = CsvParseOptions::default()
        .with_separator(options.delimiter)
        .with_quote_char(Some(b'"'))
        // An empty cell is an empty text, which may be a category.
        .with_missing_is_null(false)
        .with_try_parse_dates(false);
    // The header goes along as a record and is cut off after: polars drops blank lines before
    // the first record, and in a file of one column those are records.
    let reader = CsvReadOptions::default()
        .with_has_header(false)
        .with_infer_schema_length(Some(0))
        .with_schema(Some(Arc::new(fields.collect::<FrameSchema>())))
        .with_projection(Some(Arc::new(projection)))
        .with_parse_options(parse)
        .into_reader_with_file_handle(Cursor::new(bytes));
    // The error would quote the file.
    let frame = reader.finish().map_err(|_| TableError::Disagreement)?;
    match frame.height() == records + 1 {
        true => Ok((frame.slice(1, records), positions)),
        false => Err(TableError::Disagreement),
    }
}

fn csv_name(position: usize) -> String {
    format!("column_{position}")
}

/// Reads the wanted columns with their own types.
fn read_parquet(
    path: &Path,
    wanted: &Wanted<'_>,
    options: &ReadOptions,
) -> Result<(DataFrame, Vec<usize>), TableError> {
    let mut reader = open_parquet(path)?;
    let types = guarded(path, || reader.schema())?;
    let names: Vec<String> = types.iter_names().map(|name| name.to_string()).collect();
    csv::check_names(&names)?;
    let positions = positions(&names, wanted, options)?;
    let texts = Domain::Categorical {
        categories: Vec::new(),
    };
    for name in wanted.names() {
        let domain = wanted.schema.column(name).map_or(&texts, |it| &it.domain);
        let known = types
            .get(name)
            .and_then(|field| series::known_type(&field.dtype));
        if !known.is_some_and(|dtype| series::fits(&dtype, domain)) {
            return Err(TableError::WrongType {
                column: name.to_owned(),
            });
        }
    }
    let names = wanted.names().map(str::to_owned).collect();
    let frame = guarded(path, || reader.with_columns(Some(names)).finish())?;
    Ok((frame, positions))
}

fn open_parquet(path: &Path) -> Result<ParquetReader<std::fs::File>, TableError> {
    let failed = |error: std::io::Error| TableError::of_file(path, error.kind());
    let file = std::fs::File::open(path).map_err(failed)?;
    match file.metadata().map_err(failed)? {
        metadata if metadata.is_dir() => {
            Err(TableError::of_file(path, std::io::ErrorKind::IsADirectory))
        }
        metadata if metadata.len() == 0 => Err(TableError::EmptyFile),
        _ => Ok(ParquetReader::new(file)),
    }
}

/// Reads a part of a Parquet file. Polars panics at some damaged files, and its errors and
/// panics may quote the file, so nothing of them is kept.
fn guarded<T>(
    path: &Path,
    read: impl FnOnce() -> polars::prelude::PolarsResult<T>,
) -> Result<T, TableError> {
    match catch_unwind(AssertUnwindSafe(read)) {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(_)) | Err(_) => Err(TableError::UnreadableParquet {
            path: path.to_owned(),
        }),
    }
}
