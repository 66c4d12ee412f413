//! Numbers and dates as tables write them.

use std::fmt::Write as _;

use chrono::format::{Item, Parsed, StrftimeItems};
use chrono::{NaiveDate, NaiveTime};

use crate::encode::CellProblem;

/// Returns a value that lies between the bounds.
pub(crate) fn within<T: PartialOrd>(value: T, min: T, max: T) -> Result<T, CellProblem> {
    if value < min {
        return Err(CellProblem::BelowMinimum);
    }
    match value > max {
        true => Err(CellProblem::AboveMaximum),
        false => Ok(value),
    }
}

pub(crate) fn integer(text: &str) -> Result<i64, CellProblem> {
    match text.trim().parse() {
        Ok(value) => Ok(value),
        // "3.0" and "1e3" are whole as well.
        Err(_) => number(text).and_then(whole),
    }
}

pub(crate) fn number(text: &str) -> Result<f64, CellProblem> {
    let value = text.trim().parse().map_err(|_| CellProblem::NotANumber)?;
    finite(value)
}

pub(crate) fn finite(value: f64) -> Result<f64, CellProblem> {
    match value.is_finite() {
        true => Ok(value),
        false => Err(CellProblem::NotANumber),
    }
}

pub(crate) fn whole(value: f64) -> Result<i64, CellProblem> {
    /// 2^63: the first float that no `i64` reaches.
    const LIMIT: f64 = 9_223_372_036_854_775_808.0;
    match finite(value)? {
        value if value.fract() != 0.0 => Err(CellProblem::NotWhole),
        value if value < -LIMIT => Err(CellProblem::BelowMinimum),
        value if value >= LIMIT => Err(CellProblem::AboveMaximum),
        value => Ok(value as i64),
    }
}

/// Days since 1970-01-01.
pub(crate) fn days_of(date: NaiveDate) -> i64 {
    i64::from(date.to_epoch_days())
}

pub(crate) fn date_of(days: i64) -> Option<NaiveDate> {
    NaiveDate::from_epoch_days(i32::try_from(days).ok()?)
}

pub(crate) fn parse_date(text: &str, format: &[Item<'_>]) -> Option<NaiveDate> {
    let mut parsed = Parsed::new();
    chrono::format::parse(&mut parsed, text, format.iter()).ok()?;
    parsed.to_naive_date().ok()
}

/// Appends a date; false when the format asks for what a date does not have.
pub(crate) fn push_date(date: NaiveDate, format: &[Item<'_>], to: &mut String) -> bool {
    // A format may hold a time of day.
    let midnight = date.and_time(NaiveTime::MIN);
    write!(to, "{}", midnight.format_with_items(format.iter())).is_ok()
}

/// Reads a format, which must give back the first and the last date.
pub(crate) fn usable_format(
    format: &str,
    min: NaiveDate,
    max: NaiveDate,
) -> Option<Vec<Item<'static>>> {
    let items = date_format(format)?;
    let survives = |date| {
        let mut text = String::new();
        push_date(date, &items, &mut text) && parse_date(&text, &items) == Some(date)
    };
    (survives(min) && survives(max)).then_some(items)
}

/// Reads a format as `strftime` has it.
pub(crate) fn date_format(format: &str) -> Option<Vec<Item<'static>>> {
    StrftimeItems::new(format).parse_to_owned().ok()
}
