//! Reading the sections that a policy has once: data set, privacy, model and output.

use std::path::PathBuf;

use dpsynth_privacy::{Adjacency, BLOCK_ROWS, Delta, Epsilon, PrivacyUnit};
use dpsynth_table::{Dialect, Encoding, Format};

use super::finding::{
    BAD_NUMBER, BAD_TEXT, CAP_ORDER, DELTA_TOO_LARGE, Finding, UNKNOWN_WORD, VERSION,
};
use super::section::{Field, Kind, Section};
use super::{
    Dataset, Engine, ExpectedUnits, FORMAT_VERSION, MAX_DELTA, MAX_ROWS, Output, Privacy, Universe,
};

/// Reads the version of the format.
pub(super) fn version(field: &Field<'_>, out: &mut Vec<Finding>) -> Option<u32> {
    let version = field.integer(0, i64::from(u32::MAX), out)?;
    if version != i64::from(FORMAT_VERSION) {
        field.blame(
            VERSION,
            format_args!("is {version}, which this program does not read"),
            format!(
                "write `version = {FORMAT_VERSION}`, or use the program that the policy is for"
            ),
            out,
        );
        return None;
    }
    Some(FORMAT_VERSION)
}

/// Reads `[dataset]`.
pub(super) fn dataset(mut section: Section<'_>, out: &mut Vec<Finding>) -> Option<Dataset> {
    let name = (section.required("name", out)).and_then(|field| dataset_name(&field, out));
    let file = path(section.optional("file"), out);
    let dialect = dialect(&mut section, out);
    let missing_tokens = match section.optional("missing_tokens") {
        Some(field) => field.texts(out),
        None => Some(Vec::new()),
    };
    let ledger = path(section.optional("ledger"), out);
    section.finish(&[], "", out);

    let name = name?;
    let ledger = ledger?.unwrap_or_else(|| PathBuf::from(format!("{name}.ledger.jsonl")));
    Some(Dataset {
        name,
        file: file?,
        dialect: dialect?,
        missing_tokens: missing_tokens?,
        ledger,
    })
}

/// Reads a name that may become part of a file name.
fn dataset_name(field: &Field<'_>, out: &mut Vec<Finding>) -> Option<String> {
    let name = field.filled_text(out)?;
    let plain = name
        .chars()
        .all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-'));
    if !plain || name.starts_with('.') || name.len() > MAX_NAME {
        field.blame(
            BAD_TEXT,
            format_args!("is {name:?}, which cannot be part of a file name"),
            format!(
                "use at most {MAX_NAME} ASCII letters, digits, `_`, `.` and `-`, and no `.` in front"
            ),
            out,
        );
        return None;
    }
    Some(name.to_owned())
}

/// Reads a path that may be left out.
fn path(field: Option<Field<'_>>, out: &mut Vec<Finding>) -> Option<Option<PathBuf>> {
    match field {
        None => Some(None),
        Some(field) => field.filled_text(out).map(|path| Some(path.into())),
    }
}

/// Reads how the text of a CSV file is written.
fn dialect(section: &mut Section<'_>, out: &mut Vec<Finding>) -> Option<Dialect> {
    let usual = Dialect::default();
    let delimiter = match section.optional("delimiter") {
        Some(field) => delimiter(&field, out),
        None => Some(usual.delimiter),
    };
    let quote = match section.optional("quote") {
        Some(field) => quote(&field, delimiter, out),
        None => Some(usual.quote),
    };
    let encoding = match section.optional("encoding") {
        Some(field) => field.word(&ENCODINGS, out),
        None => Some(usual.encoding),
    };
    Some(Dialect {
        delimiter: delimiter?,
        quote: quote?,
        encoding: encoding?,
    })
}

fn quote(field: &Field<'_>, delimiter: Option<u8>, out: &mut Vec<Finding>) -> Option<u8> {
    let text = field.text(out)?;
    match text.as_bytes() {
        [byte] if byte.is_ascii_punctuation() && Some(*byte) != delimiter => Some(*byte),
        _ => {
            let help = "write one ASCII sign such as `\"` or `'` that is not the delimiter";
            field.blame(BAD_TEXT, format_args!("is {text:?}"), help, out);
            None
        }
    }
}

fn delimiter(field: &Field<'_>, out: &mut Vec<Finding>) -> Option<u8> {
    let text = field.text(out)?;
    match text.as_bytes() {
        [byte] if *byte == b'\t' || (byte.is_ascii_punctuation() && *byte != b'"') => Some(*byte),
        [b' '] => Some(b' '),
        _ => {
            let help = "write one ASCII character such as `,`, `;`, `|` or `\\t`, but no quote";
            field.blame(BAD_TEXT, format_args!("is {text:?}"), help, out);
            None
        }
    }
}

/// Reads `[privacy]`.
pub(super) fn privacy(mut section: Section<'_>, out: &mut Vec<Finding>) -> Option<Privacy> {
    let unit = (section.required("unit", out)).and_then(|field| unit(&field, out));
    let adjacency = match section.optional("adjacency") {
        Some(field) => field.word(&ADJACENCIES, out),
        None => Some(Adjacency::AddOrRemoveOne),
    };
    let mut epsilons = ["epsilon_per_release", "epsilon_for_life"].map(|key| {
        let field = section.required(key, out)?;
        Some((epsilon(&field, out)?, field))
    });
    let mut deltas = ["delta_per_release", "delta_for_life"].map(|key| {
        let field = section.required(key, out)?;
        Some((delta(&field, out)?, field))
    });
    let expected_units =
        (section.required("expected_units", out)).and_then(|field| expected_units(&field, out));
    let reason = reason(&mut section, out);
    section.finish(&[], "", out);

    if let [Some((per_release, field)), Some((for_life, _))] = &epsilons {
        cap_order(field, per_release.value(), for_life.value(), "epsilon", out);
    }
    if let [Some((per_release, field)), Some((for_life, _))] = &deltas {
        cap_order(field, per_release.value(), for_life.value(), "delta", out);
    }
    Some(Privacy {
        unit: unit?,
        adjacency: adjacency?,
        epsilon_per_release: epsilons[0].take()?.0,
        epsilon_for_life: epsilons[1].take()?.0,
        delta_per_release: deltas[0].take()?.0,
        delta_for_life: deltas[1].take()?.0,
        expected_units: expected_units?,
        reason,
    })
}

/// Reads `[universe]`.
pub(super) fn universe(mut section: Section<'_>, out: &mut Vec<Finding>) -> Option<Universe> {
    let name = (section.required("name", out)).and_then(|field| dataset_name(&field, out));
    let ledger = path(section.optional("ledger"), out);
    let epsilon_for_life =
        (section.required("epsilon_for_life", out)).and_then(|field| epsilon(&field, out));
    let delta_for_life =
        (section.required("delta_for_life", out)).and_then(|field| delta(&field, out));
    section.finish(&[], "", out);

    let name = name?;
    let ledger = ledger?.unwrap_or_else(|| PathBuf::from(format!("{name}.universe.jsonl")));
    Some(Universe {
        name,
        ledger,
        epsilon_for_life: epsilon_for_life?,
        delta_for_life: delta_for_life?,
    })
}

/// Reads whose participation is hidden.
fn unit(field: &Field<'_>, out: &mut Vec<Finding>) -> Option<PrivacyUnit> {
    match field.kind() {
        Kind::Text if field.text(out)? == "row" => Some(PrivacyUnit::Row),
        Kind::Text => {
            let help = "write `row`, or `{ user = \"column\", max_rows = 5 }`";
            field.blame(UNKNOWN_WORD, "is an unknown word", help, out);
            None
        }
        Kind::Table => {
            let mut section = field.section(field.name.clone(), out)?;
            let column = (section.required("user", out)).and_then(|field| field.text(out));
            let max_rows = (section.required("max_rows", out))
                .and_then(|field| field.integer(1, i64::from(MAX_ROWS_PER_USER), out));
            section.finish(&[], "", out);
            Some(PrivacyUnit::User {
                column: column?.to_owned(),
                max_rows: u32::try_from(max_rows?).ok()?,
            })
        }
        _ => {
            field.wrong_type("\"row\" or `{ user = \"column\", max_rows = 5 }`", out);
            None
        }
    }
}

fn expected_units(field: &Field<'_>, out: &mut Vec<Finding>) -> Option<ExpectedUnits> {
    match field.kind() {
        Kind::Text if field.text(out)? == "count" => Some(ExpectedUnits::Count),
        Kind::Text => {
            let help = "write a public figure such as `32000`, or `\"count\"` to pay for a count";
            field.blame(UNKNOWN_WORD, "is an unknown word", help, out);
            None
        }
        _ => {
            let units = field.integer(1, MAX_ROWS as i64, out)?;
            u64::try_from(units).ok().map(ExpectedUnits::Public)
        }
    }
}

fn epsilon(field: &Field<'_>, out: &mut Vec<Finding>) -> Option<Epsilon> {
    let number = field.number(out)?;
    let epsilon = Epsilon::new(number).ok();
    if epsilon.is_none() {
        let help = "write a number above 0 and at most 1000000, such as `3.0`";
        let problem = format!("is {}", figure(number));
        field.blame(BAD_NUMBER, problem, help, out);
    }
    epsilon
}

fn delta(field: &Field<'_>, out: &mut Vec<Finding>) -> Option<Delta> {
    let number = field.number(out)?;
    let Ok(delta) = Delta::new(number) else {
        let help = "write a number above 0 and below 1, such as `1e-6`";
        let problem = format!("is {}", figure(number));
        field.blame(BAD_NUMBER, problem, help, out);
        return None;
    };
    if number > MAX_DELTA {
        field.blame(
            DELTA_TOO_LARGE,
            format_args!("is {}, which promises too little", figure(number)),
            format!("write at most `{MAX_DELTA:e}`, and far less than one in the number of units"),
            out,
        );
        return None;
    }
    Some(delta)
}

/// Reports a release that could spend more than all releases may.
fn cap_order(
    field: &Field<'_>,
    per_release: f64,
    for_life: f64,
    what: &str,
    out: &mut Vec<Finding>,
) {
    if per_release > for_life {
        let (one, all) = (figure(per_release), figure(for_life));
        field.blame(
            CAP_ORDER,
            format_args!("is {one}, but `{what}_for_life` is only {all}"),
            format!("lower it to at most {all}, or raise `{what}_for_life`"),
            out,
        );
    }
}

/// Writes a number shortly: `1e308` rather than three hundred digits.
pub(super) fn figure(number: f64) -> String {
    let magnitude = number.abs();
    if number != 0.0 && !(1e-4..1e9).contains(&magnitude) {
        format!("{number:e}")
    } else {
        format!("{number}")
    }
}

/// Reads `[model]`, without the target; the inner `None` is for the default.
pub(super) fn engine(section: &mut Section<'_>, out: &mut Vec<Finding>) -> Option<Option<Engine>> {
    match section.optional("engine") {
        Some(field) => field
            .word(&Engine::ALL.map(|engine| (engine.name(), engine)), out)
            .map(Some),
        None => Some(None),
    }
}

/// Reads `[output]`.
pub(super) fn output(mut section: Section<'_>, out: &mut Vec<Finding>) -> Option<Output> {
    let rows = match section.optional("rows") {
        Some(field) => field.integer(1, MAX_ROWS as i64, out).map(Some),
        None => Some(None),
    };
    let format = match section.optional("format") {
        Some(field) => field.word(&FORMATS, out).map(Some),
        None => Some(None),
    };
    section.finish(&[], "", out);
    Some(Output {
        rows: rows?.and_then(|rows| u64::try_from(rows).ok()),
        format: format?,
    })
}

/// Reads `reason`; an unreadable one is reported and otherwise as good as none.
pub(super) fn reason(section: &mut Section<'_>, out: &mut Vec<Finding>) -> Option<String> {
    let field = section.optional("reason")?;
    field.filled_text(out).map(str::to_owned)
}

const ADJACENCIES: [(&str, Adjacency); 2] = [
    ("add_or_remove_one", Adjacency::AddOrRemoveOne),
    ("replace_one", Adjacency::ReplaceOne),
];

const FORMATS: [(&str, Format); 5] = [
    ("csv", Format::Csv),
    ("csv.gz", Format::CsvGz),
    ("csv.zst", Format::CsvZst),
    ("parquet", Format::Parquet),
    ("arrow", Format::Arrow),
];

const ENCODINGS: [(&str, Encoding); 4] = [
    ("utf-8", Encoding::Utf8),
    ("utf-16", Encoding::Utf16),
    ("latin-1", Encoding::Latin1),
    ("windows-1252", Encoding::Windows1252),
];

/// The longest name of a data set, so that files named after it can be made anywhere.
const MAX_NAME: usize = 100;

/// The largest cap on the rows of one user.
const MAX_ROWS_PER_USER: u32 = BLOCK_ROWS as u32;
