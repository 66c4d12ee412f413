//! Writing a public table to CSV or Parquet.

use std::fmt::Write as _;
use std::fs::File;
use std::io::{self, BufWriter};
use std::path::Path;

use chrono::format::Item;
use polars::prelude::ParquetWriter;

use crate::duration::DurationForm;
use crate::error::{TableError, WriteError};
use crate::read::Format;
use crate::schema::{Column, Domain, Schema};
use crate::table::{Table, Values};
use crate::text::{date_format, push_date, push_instant};

/// Writes a table to a file, which is replaced if it exists, and waits until it is on disk.
///
/// In CSV, dates are written in their declared format, numbers with their declared decimals, and a
/// missing value as the column's first missing token, or as an empty cell where it has none.
/// [`read`](crate::read) reads back what was written. In Parquet, a missing value is a null.
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
    let failed = |error: io::Error| WriteError::UnwritableFile {
        path: path.to_owned(),
        kind: error.kind(),
    };
    match format {
        Format::Csv => {
            let columns = csv_columns(table, schema).map_err(nonconforming)?;
            let file = File::create(path).map_err(failed)?;
            let mut writer = BufWriter::with_capacity(1 << 16, &file);
            write_csv(&columns, table.rows(), &mut writer).map_err(failed)?;
            drop(writer);
            file.sync_all().map_err(failed)
        }
        Format::Parquet => {
            let mut frame = table.to_dataframe();
            let file = File::create(path).map_err(failed)?;
            let written = ParquetWriter::new(&file).finish(&mut frame);
            written.map_err(|_| WriteError::UnwritableParquet {
                path: path.to_owned(),
            })?;
            file.sync_all().map_err(failed)
        }
    }
}

/// A column with its texts made ready once, instead of once for each row.
struct CsvColumn<'a> {
    name: String,
    missing: String,
    values: CsvValues<'a>,
}

enum CsvValues<'a> {
    Categorical {
        texts: Vec<String>,
        positions: &'a [Option<u16>],
    },
    Date {
        dates: &'a [Option<chrono::NaiveDate>],
        format: Vec<Item<'static>>,
    },
    Duration {
        lengths: &'a [Option<i64>],
        form: DurationForm,
    },
    Float {
        numbers: &'a [Option<f64>],
        decimals: Option<u8>,
    },
    Identifier(&'a [String]),
    Integer(&'a [Option<i64>]),
    Timestamp {
        instants: &'a [Option<chrono::NaiveDateTime>],
        format: Vec<Item<'static>>,
    },
}

fn csv_columns<'a>(table: &'a Table, schema: &Schema) -> Result<Vec<CsvColumn<'a>>, TableError> {
    // A record of nothing but an empty cell would be a blank line.
    let sole = table.columns().len() == 1;
    let columns = table.columns().iter().zip(schema.columns());
    columns
        .map(|(column, declared)| {
            Ok(CsvColumn {
                name: quoted(&column.name, sole),
                missing: quoted(declared.missing_text(), sole),
                values: csv_values(&column.values, declared, sole)?,
            })
        })
        .collect()
}

fn csv_values<'a>(
    values: &'a Values,
    declared: &Column,
    sole: bool,
) -> Result<CsvValues<'a>, TableError> {
    match (values, &declared.domain) {
        (
            Values::Categorical {
                categories,
                positions,
            },
            _,
        ) => Ok(CsvValues::Categorical {
            texts: categories.iter().map(|text| quoted(text, sole)).collect(),
            positions,
        }),
        (Values::Date(dates), Domain::Date { format, .. }) => match date_format(format) {
            Some(format) => Ok(CsvValues::Date { dates, format }),
            None => Err(wrong_type(declared)),
        },
        (Values::Float(numbers), Domain::Float { decimals, .. }) => Ok(CsvValues::Float {
            numbers,
            decimals: *decimals,
        }),
        (Values::Identifier(texts), _) => Ok(CsvValues::Identifier(texts)),
        (Values::Integer(lengths), Domain::Duration { form, .. }) => Ok(CsvValues::Duration {
            lengths,
            form: *form,
        }),
        (Values::Integer(numbers), _) => Ok(CsvValues::Integer(numbers)),
        (Values::Timestamp(instants), Domain::Timestamp { format, .. }) => {
            match date_format(format) {
                Some(format) => Ok(CsvValues::Timestamp { instants, format }),
                None => Err(wrong_type(declared)),
            }
        }
        _ => Err(wrong_type(declared)),
    }
}

fn wrong_type(declared: &Column) -> TableError {
    TableError::WrongType {
        column: declared.name.clone(),
    }
}

fn write_csv(columns: &[CsvColumn<'_>], rows: usize, to: &mut impl io::Write) -> io::Result<()> {
    let names: Vec<&str> = columns.iter().map(|column| column.name.as_str()).collect();
    writeln!(to, "{}", names.join(","))?;
    let mut line = String::new();
    let mut date = String::new();
    for row in 0..rows {
        line.clear();
        for (index, column) in columns.iter().enumerate() {
            if index > 0 {
                line.push(',');
            }
            if !push_value(&column.values, row, &mut line, &mut date) {
                line.push_str(&column.missing);
            }
        }
        line.push('\n');
        to.write_all(line.as_bytes())?;
    }
    to.flush()
}

/// Appends a value; false when it is missing.
fn push_value(values: &CsvValues<'_>, row: usize, line: &mut String, date: &mut String) -> bool {
    match values {
        CsvValues::Categorical { texts, positions } => positions[row]
            .map(|position| line.push_str(&texts[usize::from(position)]))
            .is_some(),
        CsvValues::Date { dates, format } => {
            let Some(day) = dates[row] else { return false };
            date.clear();
            // OK because the schema tried the format.
            push_date(day, format, date);
            line.push_str(&quoted(date, false));
            true
        }
        // Writing to a string cannot fail.
        CsvValues::Float { numbers, decimals } => match (numbers[row], decimals) {
            (None, _) => false,
            (Some(number), Some(decimals)) => {
                write!(line, "{:.*}", usize::from(*decimals), positive_zero(number)).is_ok()
            }
            (Some(number), None) => write!(line, "{}", positive_zero(number)).is_ok(),
        },
        CsvValues::Identifier(texts) => {
            line.push_str(&quoted(&texts[row], false));
            true
        }
        CsvValues::Timestamp { instants, format } => {
            let Some(instant) = instants[row] else {
                return false;
            };
            date.clear();
            // OK because the schema tried the format.
            push_instant(instant, format, date);
            line.push_str(&quoted(date, false));
            true
        }
        CsvValues::Duration { lengths, form } => {
            let length = lengths[row].map(|length| form.push(length, line));
            length.is_some()
        }
        CsvValues::Integer(numbers) => {
            numbers[row].is_some_and(|number| write!(line, "{number}").is_ok())
        }
    }
}

/// Turns `-0` into `0`.
fn positive_zero(number: f64) -> f64 {
    number + 0.0
}

/// Quotes a text where CSV needs it.
fn quoted(text: &str, sole: bool) -> String {
    let special = |c: char| matches!(c, ',' | '"' | '\n' | '\r' | '\u{feff}');
    match text.contains(special) || (sole && text.is_empty()) {
        true => format!("\"{}\"", text.replace('"', "\"\"")),
        false => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_needs_quotes_gets_them() {
        for (text, sole, expected) in [
            ("a b", false, "a b"),
            ("", false, ""),
            ("", true, "\"\""),
            ("a,b", false, "\"a,b\""),
            ("a\"b", false, "\"a\"\"b\""),
            ("a\r", false, "\"a\r\""),
        ] {
            assert_eq!(quoted(text, sole), expected);
        }
    }
}
