//! A file read some rows at a time, so that it need not fit into memory.

use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use polars::prelude::{DataFrame, ParquetReader, SerReader as _};

use crate::csv::{CELL_LIMIT, CsvFile, TextBatch, check_names};
use crate::encode::{Cell, CellProblem};
use crate::error::TableError;
use crate::read::{Format, ReadOptions};
use crate::schema::{Domain, Schema};
use crate::series;

/// Rows of a Parquet file that are held at a time.
const BATCH_ROWS: usize = 1 << 18;

/// The columns to read from a file, in the order in which they are given out.
pub(crate) struct Wanted<'a> {
    names: Vec<&'a str>,
    /// What the cells of each are to be; nothing for texts of any kind.
    domains: Vec<Option<&'a Domain>>,
}

impl<'a> Wanted<'a> {
    pub(crate) fn of(schema: &'a Schema) -> Self {
        Self {
            names: schema.names().collect(),
            domains: (schema.columns().iter())
                .map(|column| Some(&column.domain))
                .collect(),
        }
    }

    /// Adds a column whose cells are read as they would be written.
    pub(crate) fn and_texts(mut self, name: &'a str) -> Self {
        self.names.push(name);
        self.domains.push(None);
        self
    }
}

/// A file of which rows are still to come.
pub(crate) struct Rows<'a> {
    wanted: Wanted<'a>,
    /// Where the wanted columns are in the file.
    positions: Vec<usize>,
    source: Source,
}

enum Source {
    Csv(Box<CsvFile>),
    Parquet { path: PathBuf, next: usize },
}

/// Some rows of a file, or all of a data frame: the wanted columns, in their order.
pub(crate) enum Batch {
    Text(TextBatch),
    Frame {
        columns: DataFrame,
        /// Rows of the file before these.
        before: usize,
    },
}

impl<'a> Rows<'a> {
    /// Opens a file that has the wanted columns, and no others but the ignored ones.
    pub(crate) fn open(
        path: &Path,
        wanted: Wanted<'a>,
        options: &ReadOptions,
    ) -> Result<Self, TableError> {
        let format = options.format.map_or_else(|| Format::of_input(path), Ok)?;
        match format {
            Format::Csv => {
                let file = CsvFile::open(path, options.delimiter)?;
                let positions = positions(file.names(), &wanted, options)?;
                Ok(Self {
                    wanted,
                    positions,
                    source: Source::Csv(Box::new(file)),
                })
            }
            Format::Parquet => {
                let mut reader = open_parquet(path)?;
                let types = guarded(path, || reader.schema())?;
                let names: Vec<String> = types.iter_names().map(|name| name.to_string()).collect();
                check_names(&names)?;
                let positions = positions(&names, &wanted, options)?;
                for (name, domain) in wanted.names.iter().zip(&wanted.domains) {
                    let known = types
                        .get(name)
                        .and_then(|field| series::known_type(&field.dtype));
                    if !known.is_some_and(|dtype| series::fits(&dtype, *domain)) {
                        return Err(TableError::WrongType {
                            column: (*name).to_owned(),
                        });
                    }
                }
                let path = path.to_owned();
                Ok(Self {
                    wanted,
                    positions,
                    source: Source::Parquet { path, next: 0 },
                })
            }
        }
    }

    /// Reads some more rows; nothing after the last one.
    pub(crate) fn next(&mut self) -> Result<Option<Batch>, TableError> {
        match &mut self.source {
            Source::Csv(file) => Ok(file.next_batch(&self.positions)?.map(Batch::Text)),
            Source::Parquet { path, next } => {
                let reader = open_parquet(path)?;
                let names = self.wanted.names.iter().map(|name| (*name).to_owned());
                let names = names.collect();
                let before = *next;
                let read = || {
                    let slice = Some((before, BATCH_ROWS));
                    reader.with_slice(slice).with_columns(Some(names)).finish()
                };
                let columns = guarded(path, read)?;
                *next += columns.height();
                // In a slice the columns stand as they do in the file.
                let columns = columns.select(self.wanted.names.iter().copied());
                let columns =
                    columns.map_err(|_| TableError::UnreadableParquet { path: path.clone() })?;
                Ok((columns.height() > 0).then_some(Batch::Frame { columns, before }))
            }
        }
    }

    /// Calls `each` with every cell of a wanted column and its row in the batch, until one fails.
    pub(crate) fn for_each_cell(
        &self,
        batch: &Batch,
        column: usize,
        each: impl FnMut(usize, Cell<'_>) -> Result<(), CellProblem>,
    ) -> Result<(), TableError> {
        let name = self.wanted.names[column];
        let (domain, position) = (self.wanted.domains[column], self.positions[column] + 1);
        batch.for_each_cell(column, name, domain, position, each)
    }
}

impl Batch {
    pub(crate) fn rows(&self) -> usize {
        match self {
            Self::Text(batch) => batch.rows(),
            Self::Frame { columns, .. } => columns.height(),
        }
    }

    /// Calls `each` with every cell of a column and its row in the batch, until one fails.
    ///
    /// `name` is for errors, `position` the column's place in the file, counted from 1.
    pub(crate) fn for_each_cell(
        &self,
        column: usize,
        name: &str,
        domain: Option<&Domain>,
        position: usize,
        mut each: impl FnMut(usize, Cell<'_>) -> Result<(), CellProblem>,
    ) -> Result<(), TableError> {
        match self {
            Self::Text(batch) => {
                for (row, text) in batch.column(column).enumerate() {
                    each(row, Cell::Text(text)).map_err(|problem| {
                        TableError::of_cell(name, batch.before as usize + row, problem)
                    })?;
                }
                Ok(())
            }
            Self::Frame { columns, before } => {
                let cells = columns.columns()[column].as_materialized_series();
                series::for_each_cell(cells, domain, name, |row, cell| {
                    if matches!(cell, Cell::Text(text) if text.len() > CELL_LIMIT) {
                        return Err(TableError::HugeCell {
                            record: Some((before + row) as u64 + 1),
                            column: position,
                        });
                    }
                    each(row, cell)
                        .map_err(|problem| TableError::of_cell(name, before + row, problem))
                })
            }
        }
    }
}

/// Where the wanted columns are among the file's.
fn positions(
    names: &[String],
    wanted: &Wanted<'_>,
    options: &ReadOptions,
) -> Result<Vec<usize>, TableError> {
    let index: HashMap<&str, usize> = names.iter().map(String::as_str).zip(0..).collect();
    let found: Vec<Option<usize>> = (wanted.names.iter())
        .map(|name| index.get(name).copied())
        .collect();
    if found.iter().all(Option::is_none) {
        // The first record may be one of data, and must not be shown then.
        return Err(TableError::HeaderNotFound);
    }
    let known =
        |name: &&String| wanted.names.contains(&name.as_str()) || options.ignored.contains(name);
    let unexpected: Vec<String> = names.iter().filter(|name| !known(name)).cloned().collect();
    let missing: Vec<String> = (wanted.names.iter())
        .filter(|name| !index.contains_key(*name))
        .map(|name| (*name).to_owned())
        .collect();
    match missing.is_empty() && unexpected.is_empty() {
        true => Ok(found.into_iter().flatten().collect()),
        false => Err(TableError::WrongHeader {
            missing,
            unexpected,
        }),
    }
}

/// Reads the names of a Parquet file's columns.
pub(crate) fn parquet_header(path: &Path) -> Result<Vec<String>, TableError> {
    let mut reader = open_parquet(path)?;
    let schema = guarded(path, || reader.schema())?;
    Ok(schema.iter_names().map(|name| name.to_string()).collect())
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
