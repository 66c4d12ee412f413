//! Reading `[[rule]]`, and placing what the constraints crate finds wrong with a rule.

use std::ops::Range;

use dpsynth_constraints::{
    Enforcement, RuleError, RuleField, RuleKind, RulePlace, RuleSpec, Scale, Strictness,
};
use toml::de::{DeTable, DeValue};

use super::finding::{Finding, RULE_SHAPE};
use super::head::reason;
use super::place;
use super::section::{Field, Kind, Section};

/// What a `[[rule]]` says.
pub(super) struct RuleEntry<'a> {
    /// The rule, when it could be understood.
    pub(super) spec: Option<RuleSpec>,
    /// Why it holds.
    pub(super) reason: Option<String>,
    table: &'a DeTable<'a>,
    span: Option<Range<usize>>,
}

impl RuleEntry<'_> {
    /// Returns the rule's name and why it holds, if the policy says.
    pub(super) fn named_reason(&self) -> Option<(String, String)> {
        let name = self.spec.as_ref()?.name.clone();
        Some((name, self.reason.clone()?))
    }
}

/// Reads one rule.
pub(super) fn rule<'a>(mut section: Section<'a>, out: &mut Vec<Finding>) -> RuleEntry<'a> {
    let (table, span) = (section.table(), section.span());
    let name = (section.required("name", out)).and_then(|field| field.filled_text(out));
    if let Some(name) = name {
        section.rename(format!("rule `{name}`"));
    }
    let reason = reason(&mut section, out);
    let enforcement = match section.optional("enforce") {
        // One that cannot be read is reported, and the rest of the rule still checked.
        Some(field) => field.word(&ENFORCEMENTS, out),
        None => None,
    };
    let name = name.unwrap_or(section.label()).to_owned();
    let given: Vec<Field<'a>> = (KINDS.iter())
        .filter_map(|key| section.optional(key))
        .collect();
    let kind = match given.as_slice() {
        [field] => kind(field, out),
        [] => {
            out.push(Finding::new(
                RULE_SHAPE,
                section.span(),
                format!("{} demands nothing", section.label()),
                format!("add one of {}", quoted(&KINDS)),
            ));
            None
        }
        [_, second, ..] => {
            let keys: Vec<&str> = given.iter().map(|field| field.key).collect();
            out.push(Finding::new(
                RULE_SHAPE,
                second.span.clone(),
                format!(
                    "{} demands several things: {}",
                    section.label(),
                    quoted(&keys)
                ),
                "write one rule for each",
            ));
            None
        }
    };
    section.finish(&[], "", out);
    let spec = kind.map(|kind| RuleSpec {
        name,
        kind,
        enforcement,
    });
    RuleEntry {
        spec,
        reason,
        table,
        span,
    }
}

/// Reads what a rule demands.
fn kind(field: &Field<'_>, out: &mut Vec<Finding>) -> Option<RuleKind> {
    match field.key {
        "sql" => {
            let expression = field.filled_text(out)?.to_owned();
            return Some(RuleKind::Sql { expression });
        }
        "non_negative" => {
            let column = field.text(out)?.to_owned();
            return Some(RuleKind::NonNegative { column });
        }
        "one_hot" => {
            let columns = field.texts(out)?;
            return Some(RuleKind::OneHot { columns });
        }
        "unique" => {
            let columns = field.texts(out)?;
            return Some(RuleKind::Unique { columns });
        }
        _ => {}
    }
    if field.kind() != Kind::Table {
        field.wrong_type("a table", out);
        return None;
    }
    let mut section = field.section(field.name.clone(), out)?;
    let kind = match field.key {
        "range" => range(&mut section, out),
        "inequality" => inequality(&mut section, out),
        "fixed_combinations" => fixed_combinations(&mut section, out),
        "fixed_increments" => {
            let [column] = texts(["column"], &mut section, out);
            let step = (section.required("step", out)).and_then(|field| field.number(out));
            column
                .zip(step)
                .map(|(column, step)| RuleKind::FixedIncrements { column, step })
        }
        "fixed_null_combinations" => fixed_null_combinations(&mut section, out),
        "mixed_scales" => mixed_scales(&mut section, out),
        "derived" => {
            let [column, formula] = texts(["column", "formula"], &mut section, out);
            (|| {
                Some(RuleKind::Derived {
                    column: column?,
                    formula: formula?,
                })
            })()
        }
        _ => {
            let [when, then] = texts(["when", "then"], &mut section, out);
            (|| {
                Some(RuleKind::Conditional {
                    when: when?,
                    then: then?,
                })
            })()
        }
    };
    section.finish(&[], "", out);
    kind
}

fn range(section: &mut Section<'_>, out: &mut Vec<Finding>) -> Option<RuleKind> {
    let [column] = texts(["column"], section, out);
    let [min, max] = ["min", "max"].map(|key| match section.optional(key) {
        Some(field) => field.number(out).map(Some),
        None => Some(None),
    });
    Some(RuleKind::Range {
        column: column?,
        min: min?,
        max: max?,
    })
}

fn inequality(section: &mut Section<'_>, out: &mut Vec<Finding>) -> Option<RuleKind> {
    let [low, high] = texts(["low", "high"], section, out);
    let strict = match section.optional("strict") {
        Some(field) => field.flag(out),
        None => Some(false),
    };
    Some(RuleKind::Inequality {
        low: low?,
        high: high?,
        strictness: if strict? {
            Strictness::Strict
        } else {
            Strictness::OrEqual
        },
    })
}

fn fixed_combinations(section: &mut Section<'_>, out: &mut Vec<Finding>) -> Option<RuleKind> {
    let columns = (section.required("columns", out)).and_then(|field| field.texts(out));
    let allowed = (section.required("allowed", out)).and_then(|field| lists(&field, out));
    Some(RuleKind::FixedCombinations {
        columns: columns?,
        allowed: allowed?,
    })
}

fn fixed_null_combinations(section: &mut Section<'_>, out: &mut Vec<Finding>) -> Option<RuleKind> {
    let columns = (section.required("columns", out)).and_then(|field| field.texts(out));
    let allowed = match section.optional("allowed") {
        Some(field) => lists(&field, out).map(Some),
        None => Some(None),
    };
    Some(RuleKind::FixedNullCombinations {
        columns: columns?,
        allowed: allowed?,
    })
}

fn mixed_scales(section: &mut Section<'_>, out: &mut Vec<Finding>) -> Option<RuleKind> {
    let [column] = texts(["column"], section, out);
    let by = (section.required("by", out)).and_then(|field| field.texts(out));
    let scales = (section.required("scales", out)).and_then(|field| {
        let scales: Vec<_> = (field.elements(out)?.iter())
            .map(|scale| scale_of(scale, out))
            .collect();
        scales.into_iter().collect::<Option<Vec<_>>>()
    });
    Some(RuleKind::MixedScales {
        by: by?,
        column: column?,
        scales: scales?,
    })
}

fn scale_of(field: &Field<'_>, out: &mut Vec<Finding>) -> Option<Scale> {
    let mut section = field.section(field.name.clone(), out)?;
    let when = (section.required("when", out)).and_then(|field| field.texts(out));
    let [min, max] = ["min", "max"].map(|key| match section.optional(key) {
        Some(field) => field.number(out).map(Some),
        None => Some(None),
    });
    section.finish(&[], "", out);
    Some(Scale {
        when: when?,
        min: min?,
        max: max?,
    })
}

/// Reads a list of lists of strings.
fn lists(field: &Field<'_>, out: &mut Vec<Finding>) -> Option<Vec<Vec<String>>> {
    let rows: Vec<_> = (field.elements(out)?.iter())
        .map(|row| row.texts(out))
        .collect();
    rows.into_iter().collect()
}

/// Reads strings that must be there.
fn texts<const N: usize>(
    keys: [&'static str; N],
    section: &mut Section<'_>,
    out: &mut Vec<Finding>,
) -> [Option<String>; N] {
    keys.map(|key| {
        let field = section.required(key, out)?;
        field.text(out).map(str::to_owned)
    })
}

/// Turns an error about one of the `rules` into a finding with its place.
pub(super) fn finding(error: &RuleError, rules: &[&RuleEntry<'_>], source: &str) -> Finding {
    let span = error.place.as_ref().and_then(|place| {
        let entry = rules.get(place.rule)?;
        place_of(place, entry, source).or_else(|| entry.span.clone())
    });
    Finding::from_error(error.code(), span, &error.to_string())
}

/// Returns the bytes of the policy that a place within a rule stands for.
fn place_of(place: &RulePlace, entry: &RuleEntry<'_>, source: &str) -> Option<Range<usize>> {
    let key = match place.field {
        RuleField::Column if entry.table.contains_key("non_negative") => "non_negative".to_owned(),
        RuleField::Columns(_) if entry.table.contains_key("one_hot") => "one_hot".to_owned(),
        RuleField::Columns(_) if entry.table.contains_key("unique") => "unique".to_owned(),
        field => field.to_string(),
    };
    let value = place::value_of(entry.table, &key)?;
    let element = match place.field {
        RuleField::Columns(index)
        | RuleField::By(index)
        | RuleField::Allowed(Some(index))
        | RuleField::Scales(Some(index)) => {
            (value.get_ref().as_array()).and_then(|array| array.get(index))
        }
        _ => None,
    };
    let value = element.unwrap_or(value);
    match (value.get_ref(), &place.span) {
        (DeValue::String(text), Some(inner)) => {
            Some(place::inside(source, value.span(), text, inner.clone()))
        }
        _ => Some(value.span()),
    }
}

fn quoted(keys: &[&str]) -> String {
    let quoted: Vec<String> = keys.iter().map(|key| format!("`{key}`")).collect();
    quoted.join(", ")
}

/// The keys of which a rule has exactly one.
const KINDS: [&str; 12] = [
    "sql",
    "range",
    "non_negative",
    "inequality",
    "fixed_combinations",
    "fixed_increments",
    "fixed_null_combinations",
    "mixed_scales",
    "one_hot",
    "unique",
    "derived",
    "conditional",
];

const ENFORCEMENTS: [(&str, Enforcement); 4] = [
    ("construction", Enforcement::Construction),
    ("redraw", Enforcement::Redraw),
    ("repair", Enforcement::Repair),
    ("refuse", Enforcement::Refuse),
];
