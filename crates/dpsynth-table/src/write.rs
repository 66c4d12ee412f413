//! Writing a public table to a file, whole or some rows at a time.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use flate2::Compression;
use flate2::write::GzEncoder;
use polars::io::{ipc, parquet};
use polars::prelude::{CompatLevel, IpcWriter, ParquetWriter, PolarsResult, SerWriter as _};
use polars_arrow::io::ipc::IpcField;
use zstd::stream::write::Encoder as ZstdEncoder;

use crate::csv_text::{csv_columns, csv_header, write_records};
use crate::error::WriteError;
use crate::format::Format;
use crate::schema::Schema;
use crate::table::Table;

/// Writes a table to a file, which is replaced if it exists, and waits until it is on disk.
///
/// In CSV, dates are written in their declared format, numbers with their declared decimals, and a
/// missing value as the column's first missing token, or as an empty cell where it has none.
/// [`read`](crate::read) reads back what was written. In Parquet and Arrow, a missing value is a null.
///
/// # Errors
/// When the table does not conform to the schema, in which case no file is made; or when
/// the file cannot be written.
pub fn write(
    table: &Table,
    schema: &Schema,
    path: &Path,
    format: Format,
) -> Result<(), WriteError> {
    let nonconforming = |source| WriteError::Nonconforming { source };
    table.conforms(schema).map_err(nonconforming)?;
    let mut writer = TableWriter::create(path, schema, format)?;
    writer.write(table)?;
    writer.finish()
}

/// A file that tables of one schema are written to, one after the other, as if they were one.
///
/// It holds no rows but those that are being written.
pub struct TableWriter {
    schema: Schema,
    /// For errors.
    path: PathBuf,
    sink: Sink,
}

enum Sink {
    Text(TextSink),
    Parquet {
        file: File,
        writer: Box<parquet::write::BatchedWriter<File>>,
    },
    Arrow {
        file: File,
        writer: Box<ipc::BatchedWriter<File>>,
    },
}

/// Where the text of a CSV file goes.
enum TextSink {
    Plain(BufWriter<File>),
    Gzip(GzEncoder<File>),
    Zstd(ZstdEncoder<'static, File>),
    /// Not a file.
    Stream(Box<dyn Write>),
}

impl TableWriter {
    /// Makes a file, which is replaced if it exists, and writes what stands before the first row.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn create(path: &Path, schema: &Schema, format: Format) -> Result<Self, WriteError> {
        let failed = |error: io::Error| WriteError::UnwritableFile {
            path: path.to_owned(),
            kind: error.kind(),
        };
        let file = File::create(path).map_err(failed)?;
        let sink = match format {
            Format::Csv => Sink::Text(TextSink::Plain(BufWriter::with_capacity(1 << 16, file))),
            Format::CsvGz => {
                Sink::Text(TextSink::Gzip(GzEncoder::new(file, Compression::default())))
            }
            Format::CsvZst => Sink::Text(TextSink::Zstd(
                ZstdEncoder::new(file, ZSTD_LEVEL).map_err(failed)?,
            )),
            Format::Parquet | Format::Arrow => {
                columnar(&file, schema, format).map_err(|_| unwritable(path, format))?
            }
        };
        let path = path.to_owned();
        Self {
            schema: schema.clone(),
            path,
            sink,
        }
        .with_header()
    }

    /// Writes CSV to something that is not a file, such as standard output; `name` is for errors.
    ///
    /// # Errors
    /// When it cannot be written to.
    pub fn to_stream(to: Box<dyn Write>, name: &str, schema: &Schema) -> Result<Self, WriteError> {
        Self {
            schema: schema.clone(),
            path: name.into(),
            sink: Sink::Text(TextSink::Stream(to)),
        }
        .with_header()
    }

    /// Writes the next rows.
    ///
    /// # Errors
    /// When the table does not conform to the schema, in which case none of its rows is written; or
    /// when the file cannot be written.
    pub fn write(&mut self, table: &Table) -> Result<(), WriteError> {
        let nonconforming = |source| WriteError::Nonconforming { source };
        table.conforms(&self.schema).map_err(nonconforming)?;
        match &mut self.sink {
            Sink::Text(sink) => {
                let columns = csv_columns(table, &self.schema).map_err(nonconforming)?;
                let written = write_records(&columns, table.rows(), sink);
                written.map_err(|error| self.failed(&error))
            }
            Sink::Parquet { writer, .. } => {
                let written = writer.write_batch(&table.to_dataframe());
                written.map_err(|_| unwritable(&self.path, Format::Parquet))
            }
            Sink::Arrow { writer, .. } => {
                let written = writer.write_batch(&table.to_dataframe());
                written.map_err(|_| unwritable(&self.path, Format::Arrow))
            }
        }
    }

    /// Writes what stands after the last row, and waits until a file is on disk.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn finish(mut self) -> Result<(), WriteError> {
        let finished = match &mut self.sink {
            Sink::Text(sink) => sink.finish(),
            Sink::Parquet { writer, file } => {
                let written = writer.finish().map(|_| ());
                written.map_err(|_| unwritable(&self.path, Format::Parquet))?;
                file.sync_all()
            }
            Sink::Arrow { writer, file } => {
                let written = writer.finish();
                written.map_err(|_| unwritable(&self.path, Format::Arrow))?;
                file.sync_all()
            }
        };
        finished.map_err(|error| self.failed(&error))
    }

    fn with_header(mut self) -> Result<Self, WriteError> {
        if let Sink::Text(sink) = &mut self.sink {
            let written = sink.write_all(csv_header(&self.schema).as_bytes());
            written.map_err(|error| self.failed(&error))?;
        }
        Ok(self)
    }

    fn failed(&self, error: &io::Error) -> WriteError {
        WriteError::UnwritableFile {
            path: self.path.clone(),
            kind: error.kind(),
        }
    }
}

/// How hard Zstandard tries; its own default.
const ZSTD_LEVEL: i32 = 3;

fn columnar(file: &File, schema: &Schema, format: Format) -> PolarsResult<Sink> {
    let types = Table::without_rows(schema).to_dataframe().schema().clone();
    let (file, to) = (file.try_clone()?, file.try_clone()?);
    Ok(match format {
        Format::Arrow => {
            // No column has parts or a dictionary.
            let plain = IpcField {
                fields: Vec::new(),
                dictionary_id: None,
            };
            let fields = vec![plain; types.len()];
            // Types that readers of all ages know.
            let writer = IpcWriter::new(to).with_compat_level(CompatLevel::oldest());
            let writer = Box::new(writer.batched(&types, fields)?);
            Sink::Arrow { file, writer }
        }
        _ => {
            let writer = Box::new(ParquetWriter::new(to).batched(&types)?);
            Sink::Parquet { file, writer }
        }
    })
}

fn unwritable(path: &Path, format: Format) -> WriteError {
    let path = path.to_owned();
    match format {
        Format::Arrow => WriteError::UnwritableArrow { path },
        _ => WriteError::UnwritableParquet { path },
    }
}

impl TextSink {
    fn to(&mut self) -> &mut dyn Write {
        match self {
            Self::Plain(file) => file,
            Self::Gzip(file) => file,
            Self::Zstd(file) => file,
            Self::Stream(to) => to,
        }
    }

    fn finish(&mut self) -> io::Result<()> {
        match self {
            Self::Plain(file) => {
                file.flush()?;
                file.get_ref().sync_all()
            }
            Self::Gzip(file) => {
                file.try_finish()?;
                file.get_ref().sync_all()
            }
            Self::Zstd(file) => {
                file.do_finish()?;
                file.get_ref().sync_all()
            }
            Self::Stream(to) => to.flush(),
        }
    }
}

impl Write for TextSink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.to().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.to().flush()
    }
}
