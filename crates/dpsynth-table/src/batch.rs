//! A file read some rows at a time, so that it need not fit into memory.

use std::collections::HashMap;
use std::path::Path;

use polars::prelude::{ArrowSchema, DataFrame};

use crate::columnar::{ArrowFile, ParquetFile};
use crate::csv::{CELL_LIMIT, CsvFile, TextBatch, check_names, header_of_file};
use crate::encode::{Cell, CellProblem};
use crate::error::TableError;
use crate::format::{Dialect, Format};
use crate::read::ReadOptions;
use crate::schema::{Domain, Schema};
use crate::series;

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
    Columnar {
        file: ColumnarFile,
        /// Rows that were read so far.
        read: usize,
    },
}

enum ColumnarFile {
    Parquet(ParquetFile),
    Arrow(Box<ArrowFile>),
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
        let format = options.format.map_or_else(|| Format::of_path(path), Ok)?;
        let (positions, source) = match format {
            Format::Csv | Format::CsvGz | Format::CsvZst => {
                let file = CsvFile::open(path, options.dialect)?;
                let positions = positions(file.names(), &wanted, options)?;
                (positions, Source::Csv(Box::new(file)))
            }
            Format::Parquet => {
                let (file, types) = ParquetFile::open(path)?;
                let positions = typed_positions(&types, &wanted, options)?;
                let file = ColumnarFile::Parquet(file);
                (positions, Source::Columnar { file, read: 0 })
            }
            Format::Arrow => {
                let positions = typed_positions(&ArrowFile::types(path)?, &wanted, options)?;
                let file = ArrowFile::open(path, &positions)?;
                let file = ColumnarFile::Arrow(Box::new(file));
                (positions, Source::Columnar { file, read: 0 })
            }
        };
        Ok(Self {
            wanted,
            positions,
            source,
        })
    }

    /// Reads some more rows; nothing after the last one.
    pub(crate) fn next(&mut self) -> Result<Option<Batch>, TableError> {
        match &mut self.source {
            Source::Csv(file) => Ok(file.next_batch(&self.positions)?.map(Batch::Text)),
            Source::Columnar { file, read } => {
                let columns = match file {
                    ColumnarFile::Parquet(file) => file.next_batch(&self.wanted.names)?,
                    ColumnarFile::Arrow(file) => file.next_batch(&self.wanted.names)?,
                };
                let before = *read;
                *read += columns.height();
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

/// As [`positions`], where the file says the types of its columns, which must fit.
fn typed_positions(
    types: &ArrowSchema,
    wanted: &Wanted<'_>,
    options: &ReadOptions,
) -> Result<Vec<usize>, TableError> {
    let names = names_of(types);
    check_names(&names)?;
    let positions = positions(&names, wanted, options)?;
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
    Ok(positions)
}

/// Reads the names of a file's columns.
pub(crate) fn names_of_file(
    path: &Path,
    format: Format,
    dialect: Dialect,
) -> Result<Vec<String>, TableError> {
    match format {
        Format::Csv | Format::CsvGz | Format::CsvZst => header_of_file(path, dialect),
        Format::Parquet => ParquetFile::open(path).map(|(_, types)| names_of(&types)),
        Format::Arrow => ArrowFile::types(path).map(|types| names_of(&types)),
    }
}

fn names_of(types: &ArrowSchema) -> Vec<String> {
    types.iter_names().map(ToString::to_string).collect()
}
