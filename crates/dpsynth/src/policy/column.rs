//! Reading `[[column]]`.

use std::fmt::Write;

use chrono::{NaiveDate, NaiveTime};
use dpsynth_table::{Cells, Column, Domain, IdFormat, Missing, OutOfDomain};

use super::defaults::{date_cells, float_cells, integer_cells};
use super::finding::{BAD_DATE, BAD_TEXT, Finding, UNKNOWN_WORD, WRONG_TYPE};
use super::head::reason;
use super::section::{Field, Kind, Section};

/// What a `[[column]]` says.
pub(super) struct ColumnEntry {
    /// The name, when it could be read.
    pub(super) name: Option<String>,
    /// Why it is so.
    pub(super) reason: Option<String>,
    /// Whether the order of its categories means something.
    pub(super) order: CategoryOrder,
    /// What becomes of the column.
    pub(super) fate: Fate,
}

/// Whether the order in which categories are listed means something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum CategoryOrder {
    /// It does: from the least to the most.
    Meant,
    /// It does not, or the column has no categories.
    None,
}

/// What becomes of a column.
pub(super) enum Fate {
    /// It is read and written.
    Kept(Column),
    /// It is left out.
    Ignored,
    /// It could not be understood; the findings say why.
    Broken,
}

/// Reads one column; cells in `missing_tokens` mean missing unless the column says otherwise.
pub(super) fn column(
    section: &mut Section<'_>,
    missing_tokens: &[String],
    out: &mut Vec<Finding>,
) -> ColumnEntry {
    let name = (section.required("name", out)).and_then(|field| field.text(out));
    if let Some(name) = name {
        section.rename(format!("column `{name}`"));
    }
    let reason = reason(section, out);
    let kind = (section.required("kind", out)).and_then(|field| field.word(&KINDS, out));
    let order = match kind {
        Some(ColumnKind::Categorical) => order(section, out),
        _ => CategoryOrder::None,
    };
    let fate = match kind {
        Some(ColumnKind::Ignore) => Fate::Ignored,
        Some(ColumnKind::Id) => identifier(section, name, out),
        Some(kind) => {
            kept(section, name, kind, missing_tokens, out).map_or(Fate::Broken, Fate::Kept)
        }
        None => {
            // Without a kind there is no telling which of the known keys belong.
            KEYS.iter().for_each(|key| drop(section.optional(key)));
            Fate::Broken
        }
    };
    ColumnEntry {
        name: name.map(str::to_owned),
        reason,
        order,
        fate,
    }
}

/// Reads whether the order of the categories means something.
fn order(section: &mut Section<'_>, out: &mut Vec<Finding>) -> CategoryOrder {
    let stated = section.optional("ordered");
    match stated.and_then(|field| field.flag(out)) {
        Some(true) => CategoryOrder::Meant,
        Some(false) | None => CategoryOrder::None,
    }
}

/// Reads a column that is not left out.
fn kept(
    section: &mut Section<'_>,
    name: Option<&str>,
    kind: ColumnKind,
    missing_tokens: &[String],
    out: &mut Vec<Finding>,
) -> Option<Column> {
    let missing = match section.optional("missing") {
        Some(field) => field.flag(out),
        None => Some(false),
    };
    let missing_tokens = match section.optional("missing_tokens") {
        Some(field) => field.texts(out),
        None => Some(missing_tokens.to_vec()),
    };
    let out_of_domain = match section.optional("out_of_domain") {
        Some(field) => field.word(&FATES_OUT_OF_DOMAIN, out),
        None => Some(OutOfDomain::Stop),
    };
    let domain = match kind {
        ColumnKind::Boolean => Some(Domain::Categorical {
            categories: BOOLEANS.map(str::to_owned).to_vec(),
        }),
        ColumnKind::Categorical => categorical(section, out),
        ColumnKind::Integer => integer(section, out),
        ColumnKind::Float => float(section, out),
        ColumnKind::Date => date(section, out),
        ColumnKind::Id | ColumnKind::Ignore => None,
    };
    Some(Column {
        name: name?.to_owned(),
        domain: domain?,
        missing: if missing? {
            Missing::Allowed
        } else {
            Missing::Refused
        },
        out_of_domain: out_of_domain?,
        missing_tokens: missing_tokens?,
    })
}

/// Reads an identifier: made up from a format, or left out without one.
fn identifier(section: &mut Section<'_>, name: Option<&str>, out: &mut Vec<Finding>) -> Fate {
    let Some(field) = section.optional("format") else {
        return Fate::Ignored;
    };
    let Some(text) = field.filled_text(out) else {
        return Fate::Broken;
    };
    match (IdFormat::new(text), name) {
        (Ok(format), Some(name)) => Fate::Kept(Column {
            name: name.to_owned(),
            domain: Domain::Identifier { format },
            missing: Missing::Refused,
            out_of_domain: OutOfDomain::Stop,
            missing_tokens: Vec::new(),
        }),
        (Ok(_), None) => Fate::Broken,
        (Err(_), _) => {
            let help = "write `#` for a digit and `@` for a letter, such as `P-######`";
            let problem = format_args!("is {text:?}, which names one identifier at most");
            field.blame(BAD_TEXT, problem, help, out);
            Fate::Broken
        }
    }
}

fn categorical(section: &mut Section<'_>, out: &mut Vec<Finding>) -> Option<Domain> {
    let categories = section.required("categories", out)?.texts(out)?;
    Some(Domain::Categorical { categories })
}

fn integer(section: &mut Section<'_>, out: &mut Vec<Finding>) -> Option<Domain> {
    let [min, max] = ["min", "max"].map(|key| {
        let field = section.required(key, out)?;
        field.integer(i64::MIN, i64::MAX, out)
    });
    let cells = cells(section, out);
    let (min, max) = (min?, max?);
    Some(Domain::Integer {
        min,
        max,
        cells: cells?.unwrap_or_else(|| integer_cells(min, max)),
    })
}

fn float(section: &mut Section<'_>, out: &mut Vec<Finding>) -> Option<Domain> {
    let [min, max] = ["min", "max"].map(|key| section.required(key, out)?.number(out));
    let decimals = match section.optional("decimals") {
        Some(field) => field.integer(0, i64::from(u8::MAX), out).map(Some),
        None => Some(None),
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

fn date(section: &mut Section<'_>, out: &mut Vec<Finding>) -> Option<Domain> {
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

/// The kinds of columns that a policy knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ColumnKind {
    Boolean,
    Categorical,
    Integer,
    Float,
    Date,
    Id,
    Ignore,
}

const KINDS: [(&str, ColumnKind); 7] = [
    ("boolean", ColumnKind::Boolean),
    ("categorical", ColumnKind::Categorical),
    ("integer", ColumnKind::Integer),
    ("float", ColumnKind::Float),
    ("date", ColumnKind::Date),
    ("id", ColumnKind::Id),
    ("ignore", ColumnKind::Ignore),
];

const FATES_OUT_OF_DOMAIN: [(&str, OutOfDomain); 3] = [
    ("clip", OutOfDomain::Clip),
    ("missing", OutOfDomain::BecomesMissing),
    ("stop", OutOfDomain::Stop),
];

/// The values of a boolean column, as they are written; those of Parquet are read as these.
const BOOLEANS: [&str; 2] = ["false", "true"];

/// Every key that a column of some kind has.
pub(super) const KEYS: &[&str] = &[
    "name",
    "kind",
    "reason",
    "missing",
    "missing_tokens",
    "out_of_domain",
    "categories",
    "ordered",
    "min",
    "max",
    "cells",
    "decimals",
    "format",
];

/// The format of a date column that does not say.
const DEFAULT_DATE_FORMAT: &str = "%Y-%m-%d";

/// A day whose year, month and day cannot be taken for each other.
const SAMPLE_DAY: NaiveDate = match NaiveDate::from_ymd_opt(1994, 5, 31) {
    Some(day) => day,
    None => NaiveDate::MIN,
};
