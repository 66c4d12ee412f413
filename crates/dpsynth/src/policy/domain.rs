//! Reading the values that a column may have.

use std::fmt::Write;

use chrono::{NaiveDate, NaiveDateTime, NaiveTime};
use dpsynth_table::{Cells, Domain, DurationForm};

use super::defaults::{date_cells, float_cells, integer_cells, time_cells};
use super::finding::{BAD_DATE, Finding, UNKNOWN_WORD, WRONG_TYPE};
use super::learn::Unstated;
use super::section::{Field, Kind, Section};

pub(super) fn categorical(section: &mut Section<'_>, out: &mut Vec<Finding>) -> Option<Domain> {
    let categories = section.required("categories", out)?.texts(out)?;
    Some(Domain::Categorical { categories })
}

pub(super) fn integer(
    section: &mut Section<'_>,
    open: Option<Unstated>,
    out: &mut Vec<Finding>,
) -> Option<Domain> {
    let [min, max] = match open {
        Some(_) => [Some(-WIDEST as i64), Some(WIDEST as i64)],
        None => ["min", "max"].map(|key| {
            let field = section.required(key, out)?;
            field.integer(i64::MIN, i64::MAX, out)
        }),
    };
    let cells = cells(section, out);
    let (min, max) = (min?, max?);
    Some(Domain::Integer {
        min,
        max,
        cells: cells?.unwrap_or_else(|| integer_cells(min, max)),
    })
}

pub(super) fn float(
    section: &mut Section<'_>,
    open: Option<Unstated>,
    out: &mut Vec<Finding>,
) -> Option<Domain> {
    let decimals = match section.optional("decimals") {
        Some(field) => field.integer(0, i64::from(u8::MAX), out).map(Some),
        None => Some(None),
    };
    let [min, max] = match open {
        // Numbers with their decimals have 15 digits at most.
        Some(_) => {
            let decimals = decimals.flatten().unwrap_or(0).clamp(3, 15) as i32;
            let widest = WIDEST.min(10f64.powi(15 - decimals));
            [Some(-widest), Some(widest)]
        }
        None => ["min", "max"].map(|key| section.required(key, out)?.number(out)),
    };
    let cells = cells(section, out);
    let (min, max) = (min?, max?);
    Some(Domain::Float {
        min,
        max,
        decimals: decimals?.and_then(|decimals| u8::try_from(decimals).ok()),
        cells: cells?.unwrap_or_else(|| float_cells(min, max)),
    })
}

pub(super) fn date(section: &mut Section<'_>, out: &mut Vec<Finding>) -> Option<Domain> {
    let format = match section.optional("format") {
        Some(field) => date_format(&field, out),
        None => Some(DEFAULT_DATE_FORMAT),
    };
    let [min, max] = ["min", "max"].map(|key| {
        let field = section.required(key, out)?;
        bound(&field, format?, out)
    });
    let cells = cells(section, out);
    let (min, max) = (min?, max?);
    Some(Domain::Date {
        min,
        max,
        format: format?.to_owned(),
        cells: cells?.unwrap_or_else(|| date_cells(min, max)),
    })
}

/// Reads a column of days with a time. What format and bounds must be together, the schema knows.
pub(super) fn datetime(section: &mut Section<'_>, out: &mut Vec<Finding>) -> Option<Domain> {
    let format = match section.optional("format") {
        Some(field) => field.filled_text(out),
        None => Some(DEFAULT_TIME_FORMAT),
    };
    let [min, max] = ["min", "max"].map(|key| {
        let field = section.required(key, out)?;
        moment(&field, format?, out)
    });
    let cells = cells(section, out);
    let (min, max) = (min?, max?);
    Some(Domain::Timestamp {
        min,
        max,
        format: format?.to_owned(),
        cells: cells?.unwrap_or_else(time_cells),
    })
}

/// Reads a column of lengths of time.
pub(super) fn duration(section: &mut Section<'_>, out: &mut Vec<Finding>) -> Option<Domain> {
    let forms = DurationForm::ALL.map(|form| (form.name(), form));
    let form = match section.optional("format") {
        Some(field) => field.word(&forms, out),
        None => Some(DurationForm::HoursMinutesSeconds),
    };
    let [min, max] = ["min", "max"].map(|key| {
        let field = section.required(key, out)?;
        length(&field, form?, out)
    });
    let cells = cells(section, out);
    let (min, max) = (min?, max?);
    Some(Domain::Duration {
        min,
        max,
        form: form?,
        cells: cells?.unwrap_or_else(|| integer_cells(min, max)),
    })
}

/// Reads a bound of a column of lengths of time: as the cells are written, or a number of units.
fn length(field: &Field<'_>, form: DurationForm, out: &mut Vec<Finding>) -> Option<i64> {
    if field.kind() == Kind::Number {
        return field.integer(-LONGEST, LONGEST, out);
    }
    let text = field.text(out)?;
    let length = form.parse(text).filter(|length| length.abs() <= LONGEST);
    if length.is_none() {
        let problem = format_args!(
            "is {text:?}, which is not a length of time as {form:?}",
            form = form.name()
        );
        let help = format!(
            "write it as the cells are written, such as {:?}",
            form.write(3 * 3600)
        );
        field.blame(BAD_DATE, problem, help, out);
    }
    length
}

/// Reads a bound of a column of times, written in the column's format.
fn moment(field: &Field<'_>, format: &str, out: &mut Vec<Finding>) -> Option<NaiveDateTime> {
    let text = match field.kind() {
        Kind::Text => field.text(out)?,
        _ => {
            field.wrong_type("a time in quotes", out);
            return None;
        }
    };
    let moment = dpsynth_table::parse_time(text, format);
    if moment.is_none() {
        let problem = format_args!("is {text:?}, which is not a time written as {format:?}");
        let help = "write the bound as the cells are written, in the column's `format`";
        field.blame(BAD_DATE, problem, help, out);
    }
    moment
}

/// Reads a date format: one that says a day completely, so that what is written can be read again.
fn date_format<'a>(field: &Field<'a>, out: &mut Vec<Finding>) -> Option<&'a str> {
    let format = field.filled_text(out)?;
    let complete =
        sample(format).and_then(|written| NaiveDate::parse_from_str(&written, format).ok());
    if complete != Some(SAMPLE_DAY) {
        let help = "use the `strftime` signs for year, month and day, such as `%Y-%m-%d`";
        let problem = format_args!("is {format:?}, which does not say a day");
        field.blame(BAD_DATE, problem, help, out);
        return None;
    }
    Some(format)
}

/// Returns a day as `format` writes it, or nothing when it cannot.
fn sample(format: &str) -> Option<String> {
    let mut written = String::new();
    let midnight = SAMPLE_DAY.and_time(NaiveTime::MIN);
    // OK because an unknown sign makes writing fail; only `to_string` would panic.
    write!(written, "{}", midnight.format(format)).ok()?;
    Some(written)
}

/// Reads a bound of a date column, written in the column's format.
fn bound(field: &Field<'_>, format: &str, out: &mut Vec<Finding>) -> Option<NaiveDate> {
    let text = match field.kind() {
        Kind::Text => field.text(out)?,
        _ => {
            field.wrong_type("a date in quotes", out);
            return None;
        }
    };
    let day = NaiveDate::parse_from_str(text, format).ok();
    if day.is_none() {
        field.blame(
            BAD_DATE,
            format_args!("is {text:?}, which is not a day written as {format:?}"),
            format!(
                "write a day such as {:?}",
                sample(format).unwrap_or_default()
            ),
            out,
        );
    }
    day
}

/// Reads how a numeric column is cut, or nothing when that is left to us.
fn cells(section: &mut Section<'_>, out: &mut Vec<Finding>) -> Option<Option<Cells>> {
    let Some(field) = section.optional("cells") else {
        return Some(None);
    };
    if field.kind() == Kind::Text {
        if field.text(out)? == "each" {
            return Some(Some(Cells::Each));
        }
        let help = "write `\"each\"`, or a table such as `{ linear = 32 }`";
        field.blame(UNKNOWN_WORD, "is an unknown word", help, out);
        return None;
    }
    if field.kind() != Kind::Table {
        field.wrong_type("\"each\" or a table", out);
        return None;
    }
    let mut inner = field.section(field.name.clone(), out)?;
    let [linear, log, edges] = ["linear", "log", "edges"].map(|key| inner.optional(key));
    let given = [&linear, &log, &edges].into_iter().flatten().count();
    let cells = match (linear, log, edges) {
        (Some(count), None, None) => count_of(&count, out).map(|count| Cells::Linear { count }),
        (None, Some(count), None) => count_of(&count, out).map(|count| Cells::Log { count }),
        (None, None, Some(edges)) => edges.numbers(out).map(|edges| Cells::Edges { edges }),
        _ => {
            // A key that is none of these is reported below, with what was meant.
            if given > 0 || inner.table().is_empty() {
                let help = "write one of `linear`, `log` and `edges`, such as `{ linear = 32 }`";
                let problem = format_args!("says {given} things");
                field.blame(WRONG_TYPE, problem, help, out);
            }
            None
        }
    };
    inner.finish(&[], "", out);
    cells.map(Some)
}

/// Reads a number of cells.
fn count_of(field: &Field<'_>, out: &mut Vec<Finding>) -> Option<u32> {
    let count = field.integer(0, i64::from(u32::MAX), out)?;
    u32::try_from(count).ok()
}

/// The widest bounds that can be learned.
const WIDEST: f64 = 1e12;

/// The longest length of time, in any unit.
const LONGEST: i64 = 1_000_000_000_000;

/// The format of a date column that does not say.
const DEFAULT_DATE_FORMAT: &str = "%Y-%m-%d";

/// The format of a column of times that does not say.
const DEFAULT_TIME_FORMAT: &str = "%Y-%m-%d %H:%M:%S";

/// A day whose year, month and day cannot be taken for each other.
const SAMPLE_DAY: NaiveDate = match NaiveDate::from_ymd_opt(1994, 5, 31) {
    Some(day) => day,
    None => NaiveDate::MIN,
};
