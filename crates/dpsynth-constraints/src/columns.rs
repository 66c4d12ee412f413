//! The schema as the rules see it: columns by name, their polars types, and what their cells can
//! be.

use std::collections::HashMap;

use chrono::{NaiveDate, NaiveDateTime, NaiveTime};
use dpsynth_table::{Column, Domain, Missing, Schema, parse_time};
use polars::prelude::{
    AnyValue, DataFrame, DataType, Field, PlSmallStr, Scalar, Schema as FrameSchema, TimeUnit,
};
use polars_lazy::prelude::{Expr, LiteralValue};

use crate::error::RuleProblem;

/// The columns of a schema, by name.
#[derive(Clone, Debug)]
pub(crate) struct Columns {
    list: Vec<Column>,
    by_name: HashMap<String, usize>,
}

impl Columns {
    pub(crate) fn new(schema: &Schema) -> Self {
        let list = schema.columns().to_vec();
        let by_name = list
            .iter()
            .enumerate()
            .map(|(index, column)| (column.name.clone(), index))
            .collect();
        Self { list, by_name }
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Column> {
        self.list.iter()
    }

    /// Returns the column of that name, or the finding that there is none.
    pub(crate) fn named(&self, name: &str) -> Result<&Column, RuleProblem> {
        // polars reads these two forms as "every column" and as a regular expression over the
        // names.
        if name == "*" || (name.starts_with('^') && name.ends_with('$')) {
            return Err(RuleProblem::NotAvailable {
                construct: format!("a column named `{name}`"),
            });
        }
        match self.by_name.get(name) {
            Some(&index) => Ok(&self.list[index]),
            None => Err(RuleProblem::UnknownColumn {
                column: name.to_owned(),
                nearest: self.nearest(name),
            }),
        }
    }

    /// Returns the column whose name is a small slip away from `name`.
    fn nearest(&self, name: &str) -> Option<String> {
        // Names as long as this are not typed by hand, and the distance takes quadratic time.
        const LONGEST: usize = 64;
        if name.len() > LONGEST {
            return None;
        }
        self.list
            .iter()
            .filter(|column| column.name.len() <= LONGEST)
            .map(|column| {
                (
                    edits(&column.name.to_lowercase(), &name.to_lowercase()),
                    column,
                )
            })
            .filter(|(distance, column)| {
                *distance <= 1 + column.name.len() / 3 && *distance < column.name.len()
            })
            .min_by_key(|(distance, _)| *distance)
            .map(|(_, column)| column.name.clone())
    }

    /// Returns a frame without rows that has every column in its type.
    pub(crate) fn empty_frame(&self) -> DataFrame {
        let schema: FrameSchema = self
            .list
            .iter()
            .map(|column| Field::new(PlSmallStr::from_str(&column.name), dtype(column)))
            .collect();
        DataFrame::empty_with_schema(&schema)
    }
}

/// Returns the polars type that holds the column.
pub(crate) fn dtype(column: &Column) -> DataType {
    match column.domain {
        Domain::Categorical { .. } | Domain::Identifier { .. } => DataType::String,
        Domain::Duration { .. } | Domain::Integer { .. } => DataType::Int64,
        Domain::Float { .. } => DataType::Float64,
        Domain::Date { .. } => DataType::Date,
        Domain::Timestamp { .. } => MOMENTS,
    }
}

/// The type of columns of timestamps.
pub(crate) const MOMENTS: DataType = DataType::Datetime(TimeUnit::Milliseconds, None);

/// Returns whether the column may be missing.
pub(crate) fn may_miss(column: &Column) -> bool {
    column.missing == Missing::Allowed
}

/// One cell's value, in the column's own type.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Cell {
    /// Days since 1970-01-01.
    Date(i32),
    Float(f64),
    Integer(i64),
    /// Milliseconds since 1970-01-01.
    Moment(i64),
    Text(String),
}

impl Cell {
    /// Reads the text of a cell as the column's own files write it; `None` where the column cannot
    /// hold it.
    pub(crate) fn parse(column: &Column, text: &str) -> Option<Self> {
        let cell = match &column.domain {
            Domain::Categorical { .. } | Domain::Identifier { .. } => Self::Text(text.to_owned()),
            Domain::Duration { form, .. } => Self::Integer(form.parse(text)?),
            Domain::Integer { .. } => Self::Integer(text.trim().parse().ok()?),
            Domain::Float { .. } => Self::Float(text.trim().parse().ok()?),
            Domain::Date { format, .. } => {
                Self::Date(days(NaiveDate::parse_from_str(text.trim(), format).ok()?))
            }
            Domain::Timestamp { format, .. } => {
                Self::Moment(milliseconds(parse_time(text, format)?))
            }
        };
        cell.fits(column).then_some(cell)
    }

    /// Returns whether the column's domain holds the cell.
    pub(crate) fn fits(&self, column: &Column) -> bool {
        match (self, &column.domain) {
            (Self::Text(text), Domain::Categorical { categories }) => categories.contains(text),
            (Self::Text(text), Domain::Identifier { format }) => format.matches(text),
            (
                Self::Integer(value),
                Domain::Duration { min, max, .. } | Domain::Integer { min, max, .. },
            ) => (min..=max).contains(&value),
            (
                Self::Float(value),
                Domain::Float {
                    min, max, decimals, ..
                },
            ) => {
                (min..=max).contains(&value)
                    && decimals.is_none_or(|decimals| round(*value, decimals) == *value)
            }
            (Self::Date(value), Domain::Date { min, max, .. }) => {
                (days(*min)..=days(*max)).contains(value)
            }
            (Self::Moment(value), Domain::Timestamp { min, max, .. }) => {
                (milliseconds(*min)..=milliseconds(*max)).contains(value)
            }
            _ => false,
        }
    }

    /// Returns the cell as an expression of its column's type.
    pub(crate) fn literal(&self) -> Expr {
        let scalar = match self {
            Self::Date(days) => Scalar::new(DataType::Date, AnyValue::Date(*days)),
            Self::Float(value) => Scalar::from(*value),
            Self::Integer(value) => Scalar::from(*value),
            Self::Moment(value) => {
                let value = AnyValue::Datetime(*value, TimeUnit::Milliseconds, None);
                Scalar::new(MOMENTS, value)
            }
            Self::Text(text) => Scalar::from(PlSmallStr::from_str(text)),
        };
        Expr::Literal(LiteralValue::Scalar(scalar))
    }
}

/// Returns the days from 1970-01-01 to the date.
pub(crate) fn days(date: NaiveDate) -> i32 {
    // OK because chrono's dates span fewer days than i32 counts.
    i32::try_from(date.signed_duration_since(NaiveDate::default()).num_days())
        .expect("a date fits 32 bits of days")
}

/// Returns the milliseconds from 1970-01-01 to the moment.
pub(crate) fn milliseconds(moment: NaiveDateTime) -> i64 {
    moment.and_utc().timestamp_millis()
}

/// Reads a moment as SQL writes it: a date, alone or with hours, minutes and seconds after a space.
pub(crate) fn iso_moment(text: &str) -> Option<NaiveDateTime> {
    match text.split_once(' ') {
        None => iso_date(text).map(|date| date.and_time(NaiveTime::MIN)),
        Some((date, time)) => {
            let plain = time
                .bytes()
                .all(|byte| byte.is_ascii_digit() || byte == b':');
            let time = NaiveTime::parse_from_str(time, "%H:%M:%S")
                .or_else(|_| NaiveTime::parse_from_str(time, "%H:%M"));
            let time = time.ok().filter(|_| plain)?;
            iso_date(date).map(|date| date.and_time(time))
        }
    }
}

/// Reads a date as SQL writes it: year, month and day, nothing else.
pub(crate) fn iso_date(text: &str) -> Option<NaiveDate> {
    let shape = text.len() == 10
        && text.bytes().enumerate().all(|(index, byte)| match index {
            4 | 7 => byte == b'-',
            _ => byte.is_ascii_digit(),
        });
    shape
        .then(|| NaiveDate::parse_from_str(text, "%Y-%m-%d").ok())
        .flatten()
}

/// Rounds to the declared decimals, halves to even, as polars rounds.
pub(crate) fn round(value: f64, decimals: u8) -> f64 {
    let scale = 10_f64.powi(i32::from(decimals));
    let scaled = value * scale;
    // A number so large has no decimals left to round.
    if scaled.is_finite() {
        scaled.round_ties_even() / scale
    } else {
        value
    }
}

/// Returns the number of single-character edits between two words.
fn edits(left: &str, right: &str) -> usize {
    let right: Vec<char> = right.chars().collect();
    let mut row: Vec<usize> = (0..=right.len()).collect();
    for (i, l) in left.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, r) in right.iter().enumerate() {
            let replaced = diagonal + usize::from(l != *r);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[right.len()]
}
