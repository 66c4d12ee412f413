//! Reading `[[column]]`.

use dpsynth_table::{After, Cells, Column, Domain, IdFormat, MAX_CODES, Missing, OutOfDomain};

use super::domain::{categorical, date, datetime, duration, float, integer};
use super::finding::{BAD_TEXT, Finding, WRONG_TYPE};
use super::head::reason;
use super::learn::{MOST_SPIKES, Open, Unstated};
use super::section::{Field, Kind, Section};

/// What a `[[column]]` says.
pub(super) struct ColumnEntry {
    /// The name, when it could be read.
    pub(super) name: Option<String>,
    /// Why it is so.
    pub(super) reason: Option<String>,
    /// Whether the order of its categories means something.
    pub(super) order: CategoryOrder,
    /// What the policy leaves open of it.
    pub(super) open: Option<Unstated>,
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
    let mut open = None;
    let fate = match kind {
        Some(ColumnKind::Ignore) => Fate::Ignored,
        Some(ColumnKind::Id) => identifier(section, name, out),
        Some(kind) => {
            let kept = kept(section, name, kind, missing_tokens, out);
            kept.map_or(Fate::Broken, |(column, unstated)| {
                open = unstated;
                Fate::Kept(column)
            })
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
        open,
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
) -> Option<(Column, Option<Unstated>)> {
    let missing = match section.optional("missing") {
        Some(field) => field.flag(out),
        None => Some(false),
    };
    let missing_tokens = match section.optional("missing_tokens") {
        Some(field) => field.texts(out),
        None => Some(missing_tokens.to_vec()),
    };
    let out_of_domain = match section.optional("out_of_domain") {
        Some(field) => out_of_domain(&field, out),
        None => Some(OutOfDomain::Stop),
    };
    let Numbers { open, spikes } = match kind {
        ColumnKind::Categorical => Numbers {
            open: open_categories(section, out_of_domain.as_ref(), out)?,
            ..Numbers::default()
        },
        ColumnKind::Float | ColumnKind::Integer => open_numbers(section, out)?,
        _ => Numbers::default(),
    };
    // What lies beyond learned bounds is to be expected.
    let out_of_domain = match (open, out_of_domain) {
        (
            Some(Unstated {
                what: Open::Range, ..
            }),
            Some(OutOfDomain::Stop),
        ) => Some(OutOfDomain::Clip),
        (_, stated) => stated,
    };
    let after = match kind {
        ColumnKind::Date
        | ColumnKind::Datetime
        | ColumnKind::Duration
        | ColumnKind::Float
        | ColumnKind::Integer => match section.optional("after") {
            Some(field) => {
                without_spikes(section, out)?;
                after(&field, out).map(Some)
            }
            None => Some(None),
        },
        _ => Some(None),
    };
    let open_range = open.filter(|unstated| unstated.what == Open::Range);
    let domain = match kind {
        ColumnKind::Boolean => Some(Domain::Categorical {
            categories: BOOLEANS.map(str::to_owned).to_vec(),
        }),
        ColumnKind::Categorical => match (open, &out_of_domain) {
            (Some(_), Some(OutOfDomain::BecomesCategory(bucket))) => Some(Domain::Categorical {
                categories: vec![bucket.clone()],
            }),
            (Some(_), _) => None,
            (None, _) => categorical(section, out),
        },
        ColumnKind::Integer => integer(section, open_range, out).map(|it| spiked(it, spikes)),
        ColumnKind::Float => float(section, open_range, out).map(|it| spiked(it, spikes)),
        ColumnKind::Date => date(section, out),
        ColumnKind::Datetime => datetime(section, out),
        ColumnKind::Duration => duration(section, out),
        ColumnKind::Id | ColumnKind::Ignore => None,
    };
    let column = Column {
        name: name?.to_owned(),
        domain: domain?,
        missing: if missing? {
            Missing::Allowed
        } else {
            Missing::Refused
        },
        out_of_domain: out_of_domain?,
        missing_tokens: missing_tokens?,
        after: after?,
    };
    if open.is_some_and(|unstated| unstated.what == Open::Spikes) {
        room_for_spikes(section, &column, out)?;
    }
    Some((column, open))
}

/// Refuses cells beside which the values that are learned could be too many, before learning is paid.
fn room_for_spikes(
    section: &mut Section<'_>,
    column: &Column,
    out: &mut Vec<Finding>,
) -> Option<()> {
    // A value in the middle of a cell makes three of it.
    let most = MAX_CODES - 2 * MOST_SPIKES as u32;
    let field = section.optional("spikes")?;
    if column.codes() <= most {
        return Some(());
    }
    let problem = "leaves no room for the values that are learned";
    let help = format!("ask for at most {most} cells, one for missing values included");
    field.blame(WRONG_TYPE, problem, help, out);
    None
}

/// Reads whether the categories are to be learned, which needs a bucket for those that are not.
fn open_categories(
    section: &mut Section<'_>,
    out_of_domain: Option<&OutOfDomain>,
    out: &mut Vec<Finding>,
) -> Option<Option<Unstated>> {
    let Some(field) = section
        .optional("categories")
        .filter(|field| field.kind() == Kind::Text)
    else {
        return Some(None);
    };
    let share = share(section, out)?;
    field.word(&[PRIVATE], out)?;
    match out_of_domain {
        Some(OutOfDomain::BecomesCategory(_)) => Some(Some(Unstated {
            what: Open::Categories,
            share,
        })),
        Some(_) => {
            let help = "add `out_of_domain = { category = \"other\" }`";
            let problem = "needs a category for what is too rare to be released";
            field.blame(WRONG_TYPE, problem, help, out);
            None
        }
        None => None,
    }
}

/// What a column of numbers says of values that stand out, and of what is to be learned.
#[derive(Default)]
struct Numbers {
    open: Option<Unstated>,
    spikes: Vec<f64>,
}

/// Reads whether the bounds are to be learned, and which values stand alone or that these are learned.
fn open_numbers(section: &mut Section<'_>, out: &mut Vec<Finding>) -> Option<Numbers> {
    let range = section.optional("range");
    let spikes = section.optional("spikes");
    let (field, what) = match (range, spikes) {
        (None, None) => return Some(Numbers::default()),
        (Some(range), None) => (range, Open::Range),
        (None, Some(spikes)) if spikes.kind() == Kind::Text => (spikes, Open::Spikes),
        (None, Some(spikes)) => {
            return Some(Numbers {
                open: None,
                spikes: spikes.numbers(out)?,
            });
        }
        (Some(_), Some(spikes)) => {
            let help = "state `min` and `max` in place of `range`, or leave out `spikes`";
            let problem = "cannot stand beside bounds that are learned";
            spikes.blame(WRONG_TYPE, problem, help, out);
            return None;
        }
    };
    let share = share(section, out)?;
    field.word(&[PRIVATE], out)?;
    Some(Numbers {
        open: Some(Unstated { what, share }),
        spikes: Vec::new(),
    })
}

/// Refuses values that stand alone in a column of which distances to another are modelled.
fn without_spikes(section: &mut Section<'_>, out: &mut Vec<Finding>) -> Option<()> {
    let Some(field) = section.optional("spikes") else {
        return Some(());
    };
    let help = "leave out `spikes` or `after`";
    let problem = "cannot be kept where the distance to another column is modelled";
    field.blame(WRONG_TYPE, problem, help, out);
    None
}

/// The domain with some values in cells of their own.
fn spiked(mut domain: Domain, spikes: Vec<f64>) -> Domain {
    if let Domain::Integer { cells, .. } | Domain::Float { cells, .. } = &mut domain
        && !spikes.is_empty()
    {
        let between = Box::new(cells.clone());
        *cells = Cells::Spiked {
            cells: between,
            spikes,
        };
    }
    domain
}

/// Reads the share of ε that learning takes.
fn share(section: &mut Section<'_>, out: &mut Vec<Finding>) -> Option<Option<f64>> {
    let Some(field) = section.optional("share") else {
        return Some(None);
    };
    let share = field.number(out)?;
    if share > 0.0 && share <= MOST_SHARE {
        return Some(Some(share));
    }
    let help = "write a share of epsilon above 0 and up to 0.5";
    field.blame(WRONG_TYPE, format_args!("is {share}"), help, out);
    None
}

/// The word for what is learned with noise.
const PRIVATE: (&str, ()) = ("private", ());

/// The most of ε that a policy may have one column take.
const MOST_SHARE: f64 = 0.5;

/// Reads what becomes of a cell outside the domain: a word, or the category that it becomes.
fn out_of_domain(field: &Field<'_>, out: &mut Vec<Finding>) -> Option<OutOfDomain> {
    if field.kind() != Kind::Table {
        return match field.word(&FATES_OUT_OF_DOMAIN, out)? {
            FateOutOfDomain::Clip => Some(OutOfDomain::Clip),
            FateOutOfDomain::Missing => Some(OutOfDomain::BecomesMissing),
            FateOutOfDomain::Stop => Some(OutOfDomain::Stop),
        };
    }
    let mut inner = field.section(field.name.clone(), out)?;
    let category = inner.required("category", out);
    let category = category.and_then(|field| field.text(out));
    inner.finish(&[], "", out);
    category.map(|category| OutOfDomain::BecomesCategory(category.to_owned()))
}

/// Reads which columns' values this one's come after, and by how much.
fn after(field: &Field<'_>, out: &mut Vec<Finding>) -> Option<After> {
    let mut inner = field.section(field.name.clone(), out)?;
    let columns = match inner.optional("columns") {
        Some(field) => field.texts(out),
        None => {
            let column = inner.required("column", out);
            let column = column.and_then(|field| field.text(out));
            column.map(|column| vec![column.to_owned()])
        }
    };
    let at_least = match inner.optional("at_least") {
        Some(field) => field.number(out),
        None => Some(0.0),
    };
    let at_most = inner.required("at_most", out);
    let at_most = at_most.and_then(|field| field.number(out));
    inner.finish(&[], "", out);
    Some(After {
        columns: columns?,
        at_least: at_least?,
        at_most: at_most?,
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
            after: None,
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

/// The kinds of columns that a policy knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ColumnKind {
    Boolean,
    Categorical,
    Integer,
    Float,
    Date,
    Datetime,
    Duration,
    Id,
    Ignore,
}

const KINDS: [(&str, ColumnKind); 9] = [
    ("boolean", ColumnKind::Boolean),
    ("categorical", ColumnKind::Categorical),
    ("integer", ColumnKind::Integer),
    ("float", ColumnKind::Float),
    ("date", ColumnKind::Date),
    ("datetime", ColumnKind::Datetime),
    ("duration", ColumnKind::Duration),
    ("id", ColumnKind::Id),
    ("ignore", ColumnKind::Ignore),
];

/// What may become of a cell outside the domain, in a word.
#[derive(Clone, Copy)]
enum FateOutOfDomain {
    Clip,
    Missing,
    Stop,
}

const FATES_OUT_OF_DOMAIN: [(&str, FateOutOfDomain); 3] = [
    ("clip", FateOutOfDomain::Clip),
    ("missing", FateOutOfDomain::Missing),
    ("stop", FateOutOfDomain::Stop),
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
    "after",
    "range",
    "share",
    "spikes",
];
