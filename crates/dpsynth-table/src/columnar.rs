//! Parquet and Arrow IPC files, read some rows at a time.

use std::fs::File;
use std::io::{BufReader, ErrorKind};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use polars::prelude::{
    ArrowSchema, Column as FrameColumn, DataFrame, ParquetReader, PolarsResult, SerReader as _,
    Series,
};
use polars_arrow::io::ipc::read::{FileMetadata, FileReader, read_file_metadata};

use crate::error::TableError;

/// Rows of a Parquet file that are held at a time.
const BATCH_ROWS: usize = 1 << 18;

/// A Parquet file of which rows are still to come.
pub(crate) struct ParquetFile {
    path: PathBuf,
    next: usize,
}

impl ParquetFile {
    /// Opens a file and returns the types of its columns with it.
    pub(crate) fn open(path: &Path) -> Result<(Self, ArrowSchema), TableError> {
        let mut reader = ParquetReader::new(open_columns(path)?);
        let types = guarded(|| reader.schema()).ok_or_else(|| unreadable_parquet(path))?;
        let path = path.to_owned();
        Ok((Self { path, next: 0 }, (*types).clone()))
    }

    /// Reads some more rows of these columns, in this order; no rows after the last one.
    pub(crate) fn next_batch(&mut self, names: &[&str]) -> Result<DataFrame, TableError> {
        let reader = ParquetReader::new(open_columns(&self.path)?);
        let wanted = names.iter().map(|name| (*name).to_owned()).collect();
        let slice = Some((self.next, BATCH_ROWS));
        let read = || {
            let columns = reader
                .with_slice(slice)
                .with_columns(Some(wanted))
                .finish()?;
            // In a slice the columns stand as they do in the file.
            columns.select(names.iter().copied())
        };
        let columns = guarded(read).ok_or_else(|| unreadable_parquet(&self.path))?;
        self.next += columns.height();
        Ok(columns)
    }
}

/// An Arrow IPC file of which record batches are still to come.
pub(crate) struct ArrowFile {
    path: PathBuf,
    batches: FileReader<BufReader<File>>,
    /// Where each wanted column is in a batch.
    order: Vec<usize>,
}

impl ArrowFile {
    /// Opens a file and returns the types of its columns.
    pub(crate) fn types(path: &Path) -> Result<ArrowSchema, TableError> {
        arrow_metadata(path).map(|(_, metadata)| (*metadata.schema).clone())
    }

    /// Opens a file to read the columns at these positions, in this order.
    pub(crate) fn open(path: &Path, positions: &[usize]) -> Result<Self, TableError> {
        let (file, metadata) = arrow_metadata(path)?;
        // The reader asks for increasing positions.
        let mut sorted = positions.to_vec();
        sorted.sort_unstable();
        let place = |position: &usize| sorted.binary_search(position).unwrap_or_default();
        let order = positions.iter().map(place).collect();
        let batches = || Ok(FileReader::new(file, metadata, Some(sorted), None));
        Ok(Self {
            path: path.to_owned(),
            batches: guarded(batches).ok_or_else(|| unreadable_arrow(path))?,
            order,
        })
    }

    /// Reads the next record batch that has rows; no rows after the last one.
    pub(crate) fn next_batch(&mut self, names: &[&str]) -> Result<DataFrame, TableError> {
        let Self { batches, order, .. } = self;
        let read = || -> PolarsResult<DataFrame> {
            for batch in batches {
                let batch = batch?;
                let rows = batch.len();
                if rows == 0 {
                    continue;
                }
                let columns = names.iter().zip(order).map(|(name, place)| {
                    let array = batch.arrays()[*place].clone();
                    Series::from_arrow((*name).into(), array).map(FrameColumn::from)
                });
                return DataFrame::new(rows, columns.collect::<PolarsResult<_>>()?);
            }
            Ok(DataFrame::empty())
        };
        guarded(read).ok_or_else(|| unreadable_arrow(&self.path))
    }
}

fn arrow_metadata(path: &Path) -> Result<(BufReader<File>, FileMetadata), TableError> {
    let mut file = BufReader::new(open_columns(path)?);
    let metadata = guarded(|| read_file_metadata(&mut file));
    let metadata = metadata.ok_or_else(|| unreadable_arrow(path))?;
    Ok((file, metadata))
}

fn open_columns(path: &Path) -> Result<File, TableError> {
    let failed = |error: std::io::Error| TableError::of_read(path, &error);
    let file = File::open(path).map_err(failed)?;
    match file.metadata().map_err(failed)? {
        metadata if metadata.is_dir() => Err(TableError::of_file(path, ErrorKind::IsADirectory)),
        metadata if metadata.len() == 0 => Err(TableError::EmptyFile),
        _ => Ok(file),
    }
}

/// Reads a part of a file. Polars panics at some damaged files, and its errors and panics may quote
/// the file, so nothing of them is kept.
fn guarded<T>(read: impl FnOnce() -> PolarsResult<T>) -> Option<T> {
    catch_unwind(AssertUnwindSafe(read)).ok()?.ok()
}

fn unreadable_parquet(path: &Path) -> TableError {
    TableError::UnreadableParquet {
        path: path.to_owned(),
    }
}

fn unreadable_arrow(path: &Path) -> TableError {
    TableError::UnreadableArrow {
        path: path.to_owned(),
    }
}
