//! The text of a CSV file: a table's records.

use std::fmt::Write as _;
use std::io;

use chrono::format::Item;

use crate::duration::DurationForm;
use crate::error::TableError;
use crate::schema::{Column, Domain, Schema};
use crate::table::{Table, Values};
use crate::text::{date_format, push_date, push_instant};

/// A column of a table with its texts made ready once, instead of once for each row.
pub(crate) struct CsvColumn<'a> {
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

/// Makes the columns of a table ready to be written.
pub(crate) fn csv_columns<'a>(
    table: &'a Table,
    schema: &Schema,
) -> Result<Vec<CsvColumn<'a>>, TableError> {
    // A record of nothing but an empty cell would be a blank line.
    let sole = table.columns().len() == 1;
    let columns = table.columns().iter().zip(schema.columns());
    columns
        .map(|(column, declared)| {
            Ok(CsvColumn {
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

/// The header of a schema's tables, with its line end.
pub(crate) fn csv_header(schema: &Schema) -> String {
    let sole = schema.columns().len() == 1;
    let names: Vec<String> = schema.names().map(|name| quoted(name, sole)).collect();
    names.join(",") + "\n"
}

/// Writes the records of some columns, each with its line end.
pub(crate) fn write_records(
    columns: &[CsvColumn<'_>],
    rows: usize,
    to: &mut dyn io::Write,
) -> io::Result<()> {
    let mut lines = String::new();
    let mut date = String::new();
    for row in 0..rows {
        for (index, column) in columns.iter().enumerate() {
            if index > 0 {
                lines.push(',');
            }
            if !push_value(&column.values, row, &mut lines, &mut date) {
                lines.push_str(&column.missing);
            }
        }
        lines.push('\n');
        if lines.len() >= PIECE {
            to.write_all(lines.as_bytes())?;
            lines.clear();
        }
    }
    to.write_all(lines.as_bytes())
}

/// Bytes that are written at a time, about.
const PIECE: usize = 1 << 16;

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
