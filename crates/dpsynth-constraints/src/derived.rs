//! Columns that are computed from others instead of being modelled.

use std::collections::HashSet;

use dpsynth_table::{Column as SchemaColumn, Domain};
use polars::prelude::{
    ChunkCompareEq, Column, DataFrame, DataType, NewChunkedArray, PlSmallStr, PolarsResult,
};
use polars::prelude::{Float64Chunked, Int32Chunked, Int64Chunked, IntoColumn, StringChunked};
use polars_lazy::prelude::Expr;

use crate::columns::{MOMENTS, days, dtype, may_miss, milliseconds, round};
use crate::combinations::Combinations;
use crate::rules::evaluate;

/// A column and the formula that computes it.
#[derive(Clone, Debug)]
pub(crate) struct Formula {
    column: SchemaColumn,
    source: Source,
    categories: HashSet<String>,
}

/// What a column is computed from.
#[derive(Clone, Debug)]
enum Source {
    /// The first column of two of which it decides the second.
    Combinations(Combinations),
    Plan(Expr),
}

/// A computed column, and the rows whose value the column's domain does not hold.
pub(crate) struct Computed {
    pub(crate) column: Column,
    pub(crate) outside: Vec<bool>,
}

impl Formula {
    /// What the first column of two decides.
    pub(crate) fn second(column: &SchemaColumn, combinations: Combinations) -> Self {
        Self {
            column: column.clone(),
            source: Source::Combinations(combinations),
            categories: HashSet::new(),
        }
    }

    pub(crate) fn new(column: &SchemaColumn, plan: Expr) -> Self {
        let categories = match &column.domain {
            Domain::Categorical { categories } => categories.iter().cloned().collect(),
            _ => HashSet::new(),
        };
        Self {
            column: column.clone(),
            source: Source::Plan(plan),
            categories,
        }
    }

    pub(crate) fn column(&self) -> &str {
        &self.column.name
    }

    /// Returns whether a formula of this type can fill the column.
    pub(crate) fn fills(column: &SchemaColumn, dtype: &DataType) -> bool {
        match column.domain {
            Domain::Categorical { .. } | Domain::Identifier { .. } => *dtype == DataType::String,
            Domain::Date { .. } => matches!(dtype, DataType::Date | DataType::Datetime(..)),
            // A number counts seconds since 1970-01-01.
            Domain::Timestamp { .. } => {
                matches!(dtype, DataType::Date | DataType::Datetime(..)) || dtype.is_numeric()
            }
            Domain::Duration { .. } | Domain::Float { .. } | Domain::Integer { .. } => {
                dtype.is_numeric()
            }
        }
    }

    /// Computes the column in its declared type.
    pub(crate) fn compute(&self, table: &DataFrame) -> PolarsResult<Computed> {
        let plan = match &self.source {
            Source::Plan(plan) => plan,
            Source::Combinations(combinations) => {
                let (column, unlisted) = combinations.second(table, &dtype(&self.column))?;
                let missing = column.is_null();
                let may_miss = may_miss(&self.column);
                let outside = unlisted
                    .into_iter()
                    .zip(missing.iter())
                    .map(|(unlisted, missing)| unlisted || (missing == Some(true) && !may_miss))
                    .collect();
                return Ok(Computed { column, outside });
            }
        };
        let raw = evaluate(table, plan)?;
        let missing = raw.is_null();
        let name = PlSmallStr::from_str(&self.column.name);
        let (column, inside): (Column, Vec<Option<bool>>) = match &self.column.domain {
            Domain::Categorical { .. } => {
                let texts = raw.str()?;
                let inside = texts
                    .iter()
                    .map(|text| text.map(|text| self.categories.contains(text)))
                    .collect();
                (
                    StringChunked::from_iter_options(name, texts.iter()).into_column(),
                    inside,
                )
            }
            Domain::Identifier { format } => {
                let texts = raw.str()?;
                let inside = texts
                    .iter()
                    .map(|text| text.map(|text| format.matches(text)))
                    .collect();
                (
                    StringChunked::from_iter_options(name, texts.iter()).into_column(),
                    inside,
                )
            }
            Domain::Date { min, max, .. } => {
                let (low, high) = (days(*min), days(*max));
                let dates: Vec<Option<i32>> = raw
                    .cast(&DataType::Date)?
                    .date()?
                    .physical()
                    .iter()
                    .collect();
                let inside = dates
                    .iter()
                    .map(|day| day.map(|day| (low..=high).contains(&day)))
                    .collect();
                let column = Int32Chunked::from_iter_options(name, dates.into_iter()).into_column();
                (column.cast(&DataType::Date)?, inside)
            }
            Domain::Float {
                min, max, decimals, ..
            } => {
                let rounded =
                    |value: f64| decimals.map_or(value, |decimals| round(value, decimals));
                let numbers: Vec<Option<f64>> = raw
                    .cast(&DataType::Float64)?
                    .f64()?
                    .iter()
                    .map(|value| value.map(rounded))
                    .collect();
                // A value that is not a number lies in no range.
                let inside = numbers
                    .iter()
                    .map(|value| value.map(|value| (*min..=*max).contains(&value)))
                    .collect();
                (
                    Float64Chunked::from_iter_options(name, numbers.into_iter()).into_column(),
                    inside,
                )
            }
            Domain::Timestamp { min, max, .. } => {
                let bounds = milliseconds(*min)..=milliseconds(*max);
                let moments: Vec<Option<i64>> = match raw.dtype().is_numeric() {
                    true => {
                        let seconds = whole(&raw)?.into_iter();
                        let milliseconds = |it: i64| it.saturating_mul(1000);
                        seconds.map(|it| it.map(milliseconds)).collect()
                    }
                    false => {
                        let moments = raw.cast(&MOMENTS)?;
                        moments.datetime()?.physical().iter().collect()
                    }
                };
                let inside = moments
                    .iter()
                    .map(|moment| moment.map(|moment| bounds.contains(&moment)))
                    .collect();
                let column =
                    Int64Chunked::from_iter_options(name, moments.into_iter()).into_column();
                (column.cast(&MOMENTS)?, inside)
            }
            Domain::Duration { min, max, .. } | Domain::Integer { min, max, .. } => {
                let numbers = whole(&raw)?;
                let inside = numbers
                    .iter()
                    .map(|value| value.map(|value| (*min..=*max).contains(&value)))
                    .collect();
                (
                    Int64Chunked::from_iter_options(name, numbers.into_iter()).into_column(),
                    inside,
                )
            }
        };
        let outside = inside
            .into_iter()
            .zip(missing.iter())
            .map(|(inside, missing)| match inside {
                Some(inside) => !inside,
                // Either the formula gave nothing, which the column may allow, or its result has no
                // place in the type.
                None => missing != Some(true) || !may_miss(&self.column),
            })
            .collect();
        Ok(Computed { column, outside })
    }

    /// Returns the rows in which a table's column is not what the formula says.
    pub(crate) fn broken(&self, table: &DataFrame) -> PolarsResult<Vec<bool>> {
        let computed = self.compute(table)?.column;
        let held = table.column(&self.column.name)?;
        Ok(
            if let (Ok(held), Ok(computed)) = (held.f64(), computed.f64()) {
                let same = |pair| match pair {
                    (Some(held), Some(computed)) => close(held, computed),
                    (held, computed) => held.is_none() && computed.is_none(),
                };
                held.iter()
                    .zip(computed.iter())
                    .map(|pair| !same(pair))
                    .collect()
            } else {
                let same = held
                    .as_materialized_series()
                    .equal_missing(computed.as_materialized_series())?;
                same.iter().map(|same| same != Some(true)).collect()
            },
        )
    }
}

/// Returns the numbers in 64 bits, rounded to whole ones, halves to even; `None` where they have no
/// place there.
fn whole(raw: &Column) -> PolarsResult<Vec<Option<i64>>> {
    if !raw.dtype().is_float() {
        return Ok(raw.cast(&DataType::Int64)?.i64()?.iter().collect());
    }
    let rounded = |value: f64| {
        let value = value.round_ties_even();
        // The upper end itself is one more than the largest integer.
        (value >= i64::MIN as f64 && value < i64::MAX as f64).then_some(value as i64)
    };
    Ok(raw
        .cast(&DataType::Float64)?
        .f64()?
        .iter()
        .map(|value| value.and_then(rounded))
        .collect())
}

/// Returns whether two numbers are equal but for the rounding of another build of polars.
fn close(left: f64, right: f64) -> bool {
    (left - right).abs() <= 1e-9 * left.abs().max(right.abs()).max(1.0)
}
