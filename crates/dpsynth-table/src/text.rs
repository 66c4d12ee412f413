//! Numbers and dates as tables write them.

use std::fmt::Write as _;

use chrono::format::{Item, ParseErrorKind, Parsed, StrftimeItems};
use chrono::{DateTime, NaiveDate, NaiveDateTime, NaiveTime, TimeDelta};

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

/// Seconds since 1970-01-01.
pub(crate) fn seconds_of(instant: NaiveDateTime) -> i64 {
    instant.and_utc().timestamp()
}

pub(crate) fn instant_of(seconds: i64) -> Option<NaiveDateTime> {
    DateTime::from_timestamp(seconds, 0).map(|instant| instant.naive_utc())
}

/// Reads a day with a time, or a time alone, which is then one of 1970-01-01. Where the text says
/// how far it is from universal time, that is what is returned.
pub(crate) fn parse_instant(text: &str, format: &[Item<'_>]) -> Option<NaiveDateTime> {
    let mut parsed = Parsed::new();
    chrono::format::parse(&mut parsed, text.trim(), format.iter()).ok()?;
    if parsed.offset().is_some() {
        return parsed.to_datetime().ok().map(|instant| instant.naive_utc());
    }
    if let Ok(instant) = parsed.to_naive_datetime_with_offset(0) {
        return Some(instant);
    }
    match (parsed.to_naive_date(), parsed.to_naive_time()) {
        (Ok(date), Ok(time)) => Some(date.and_time(time)),
        (Ok(date), Err(_)) => hour_alone(&parsed).map(|time| date.and_time(time)),
        // A day that contradicts itself is none; a day that is not there may be any.
        (Err(error), time) if error.kind() == ParseErrorKind::NotEnough => {
            let time = time.ok().or_else(|| hour_alone(&parsed))?;
            Some(NaiveDate::default().and_time(time))
        }
        (Err(_), _) => None,
    }
}

/// Reads a text as a column of timestamps with this format does; nothing where it is none, or the
/// format is none.
#[must_use]
pub fn parse_time(text: &str, format: &str) -> Option<NaiveDateTime> {
    parse_instant(text, &date_format(format)?)
}

/// The full hour, where a text says no minutes.
fn hour_alone(parsed: &Parsed) -> Option<NaiveTime> {
    let half = parsed.hour_div_12()?;
    NaiveTime::from_hms_opt(half * 12 + parsed.hour_mod_12()?, 0, 0)
}

/// Appends an instant; false when the format asks for what an instant does not have.
pub(crate) fn push_instant(instant: NaiveDateTime, format: &[Item<'_>], to: &mut String) -> bool {
    write!(to, "{}", instant.and_utc().format_with_items(format.iter())).is_ok()
}

/// Reads a format of instants, and the fewest seconds by which two that it tells apart differ. The
/// first and the last instant must survive it.
pub(crate) fn usable_instants(
    format: &str,
    min: NaiveDateTime,
    max: NaiveDateTime,
) -> Option<(Vec<Item<'static>>, i64)> {
    let items = date_format(format)?;
    let written = |instant| {
        let mut text = String::new();
        push_instant(instant, &items, &mut text).then_some(text)
    };
    let survives =
        |instant| written(instant).and_then(|text| parse_instant(&text, &items)) == Some(instant);
    if !survives(min) || !survives(max) {
        return None;
    }
    let resolution = [1, 60, 3600]
        .into_iter()
        .find(|seconds| written(min) != written(min + TimeDelta::seconds(*seconds)));
    // A coarser one tells days apart, which is what dates are for.
    Some((items, resolution?))
}
