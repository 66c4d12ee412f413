//! Cells of a polars column, as its type and the column's domain have it.

use polars::prelude::{ArrowDataType, DataType, NamedFrom as _, Series, TimeUnit};

use crate::encode::Cell;
use crate::error::TableError;
use crate::schema::Domain;
use crate::text::instant_of;

/// Whether values of a type can be read into a domain, or as texts where there is none, for types
/// that polars was built with.
pub(crate) fn fits(dtype: &DataType, domain: Option<&Domain>) -> bool {
    let of_time = matches!(domain, Some(Domain::Date { .. } | Domain::Timestamp { .. }));
    match dtype {
        DataType::String | DataType::Null => true,
        DataType::Date | DataType::Datetime(_, _) => of_time,
        DataType::Boolean
        | DataType::Int32
        | DataType::Int64
        | DataType::UInt32
        | DataType::UInt64
        | DataType::Float32
        | DataType::Float64 => !of_time,
        _ => false,
    }
}

/// The polars type of a Parquet column; nothing for types that polars was not built with, for
/// some of which it would panic.
pub(crate) fn known_type(arrow: &ArrowDataType) -> Option<DataType> {
    Some(match arrow {
        ArrowDataType::Boolean => DataType::Boolean,
        ArrowDataType::Date32 => DataType::Date,
        ArrowDataType::Date64 | ArrowDataType::Timestamp(_, None) => {
            DataType::Datetime(TimeUnit::Milliseconds, None)
        }
        ArrowDataType::Float32 => DataType::Float32,
        ArrowDataType::Float64 => DataType::Float64,
        ArrowDataType::Int32 => DataType::Int32,
        ArrowDataType::Int64 => DataType::Int64,
        ArrowDataType::Null => DataType::Null,
        ArrowDataType::UInt32 => DataType::UInt32,
        ArrowDataType::UInt64 => DataType::UInt64,
        ArrowDataType::LargeUtf8 | ArrowDataType::Utf8 | ArrowDataType::Utf8View => {
            DataType::String
        }
        _ => return None,
    })
}

/// Calls `each` with every cell and its row, counted from 0, until one fails. Where no domain is
/// given, what is not text is taken as it would be written.
///
/// `name` is for errors.
pub(crate) fn for_each_cell(
    series: &Series,
    domain: Option<&Domain>,
    name: &str,
    mut each: impl FnMut(usize, Cell<'_>) -> Result<(), TableError>,
) -> Result<(), TableError> {
    // A cast between types that `fits` allows fails only when polars lacks it.
    let wrong_type = |_| TableError::WrongType {
        column: name.to_owned(),
    };
    if !fits(series.dtype(), domain) {
        return Err(TableError::WrongType {
            column: name.to_owned(),
        });
    }
    let texts = matches!(
        domain,
        None | Some(Domain::Categorical { .. } | Domain::Identifier { .. })
    );
    // Categories and identifiers are texts, so what is not text is compared as it would be written.
    let mut number = |row, cell: Cell<'_>| match (texts, cell) {
        (true, Cell::Integer(value)) => each(row, Cell::Text(&value.to_string())),
        (true, Cell::Float(value)) => each(row, Cell::Text(&value.to_string())),
        (_, cell) => each(row, cell),
    };
    match series.dtype() {
        DataType::String => {
            for (row, text) in series.str().map_err(wrong_type)?.iter().enumerate() {
                each(row, text.map_or(Cell::Missing, Cell::Text))?;
            }
        }
        DataType::Null => {
            for row in 0..series.len() {
                each(row, Cell::Missing)?;
            }
        }
        DataType::Date | DataType::Datetime(_, _) => {
            let milliseconds = DataType::Datetime(TimeUnit::Milliseconds, None);
            let instants = series.cast(&milliseconds).map_err(wrong_type)?;
            let instants = instants.datetime().map_err(wrong_type)?;
            for (row, instant) in instants.physical().iter().enumerate() {
                let instant = instant.map(|it| instant_of(it.div_euclid(1000)));
                each(
                    row,
                    match instant {
                        None => Cell::Missing,
                        Some(Some(instant)) => Cell::Instant(instant),
                        // Beyond the calendar, hence beyond any domain.
                        Some(None) => Cell::Float(f64::NAN),
                    },
                )?;
            }
        }
        DataType::Boolean => {
            for (row, flag) in series.bool().map_err(wrong_type)?.iter().enumerate() {
                match flag {
                    None => each(row, Cell::Missing)?,
                    Some(flag) if texts => {
                        each(row, Cell::Text(if flag { "true" } else { "false" }))?
                    }
                    Some(flag) => each(row, Cell::Integer(i64::from(flag)))?,
                }
            }
        }
        DataType::UInt64 => {
            for (row, value) in series.u64().map_err(wrong_type)?.iter().enumerate() {
                number(row, value.map_or(Cell::Missing, unsigned))?;
            }
        }
        DataType::Float32 => {
            for (row, value) in series.f32().map_err(wrong_type)?.iter().enumerate() {
                number(
                    row,
                    value.map_or(Cell::Missing, |value| Cell::Float(widened(value))),
                )?;
            }
        }
        DataType::Float64 => {
            for (row, value) in series.f64().map_err(wrong_type)?.iter().enumerate() {
                number(row, value.map_or(Cell::Missing, Cell::Float))?;
            }
        }
        _ => {
            let integers = series.cast(&DataType::Int64).map_err(wrong_type)?;
            for (row, value) in integers.i64().map_err(wrong_type)?.iter().enumerate() {
                number(row, value.map_or(Cell::Missing, Cell::Integer))?;
            }
        }
    }
    Ok(())
}

/// Builds a column of days since 1970-01-01.
pub(crate) fn dates(
    name: &str,
    days: &[Option<i32>],
) -> Result<Series, polars::prelude::PolarsError> {
    Series::new(name.into(), days).cast(&DataType::Date)
}

/// Builds a column of seconds since 1970-01-01.
pub(crate) fn instants(
    name: &str,
    seconds: impl Iterator<Item = Option<i64>>,
) -> Result<Series, polars::prelude::PolarsError> {
    let milliseconds: Vec<Option<i64>> = seconds.map(|it| it.map(|it| it * 1000)).collect();
    let dtype = DataType::Datetime(TimeUnit::Milliseconds, None);
    Series::new(name.into(), milliseconds).cast(&dtype)
}

fn unsigned(value: u64) -> Cell<'static> {
    i64::try_from(value).map_or(Cell::Float(value as f64), Cell::Integer)
}

/// The number that the shortest text of a 32-bit float says: 0.1 stays 0.1, and within bounds
/// that a person wrote.
fn widened(value: f32) -> f64 {
    value.to_string().parse().unwrap_or(f64::from(value))
}
