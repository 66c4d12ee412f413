//! All columns of a policy together, and what other parts of the policy may say about them.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use dpsynth_table::{Column, Domain, OutOfDomain, Schema, SchemaError, SchemaProblem};
use toml::de::DeTable;

use super::column::{self, CategoryOrder, ColumnEntry, Fate};
use super::finding::{DUPLICATE, Finding, NOTHING_TO_MODEL, UNKNOWN_COLUMN, WRONG_COLUMN};
use super::learn::{Open, Unstated};
use super::place;
use super::section::Field;
use super::suggest::nearest;

/// Every `[[column]]` of a policy, in order.
pub(super) struct Columns<'a> {
    entries: Vec<Entry<'a>>,
    /// The place of the first of them.
    span: Range<usize>,
}

/// One `[[column]]`, and its table to find the place of a key.
struct Entry<'a> {
    column: ColumnEntry,
    table: &'a DeTable<'a>,
}

impl<'a> Columns<'a> {
    /// Reads the columns; cells in `missing_tokens` mean missing unless a column says otherwise.
    pub(super) fn read(
        field: &Field<'a>,
        missing_tokens: &[String],
        out: &mut Vec<Finding>,
    ) -> Option<Self> {
        let mut entries = Vec::new();
        for (index, element) in field.elements(out)?.iter().enumerate() {
            let Some(mut section) = element.section(format!("column {}", index + 1), out) else {
                continue;
            };
            let table = section.table();
            let column = column::column(&mut section, missing_tokens, out);
            section.finish(column::KEYS, "because of its kind", out);
            entries.push(Entry { column, table });
        }
        let mut columns = Self {
            entries,
            span: field.span.clone(),
        };
        columns.clip_after_learned_ranges();
        columns.expect_no_ignored_twice(out);
        Some(columns)
    }

    /// Clips the distance of a column that follows one whose range is learned, where it would stop the
    /// run: values beyond learned bounds are clipped, and a distance from one of them may become longer
    /// than the policy says, when learning has been paid for already.
    fn clip_after_learned_ranges(&mut self) {
        let learned = |entry: &Entry<'_>| {
            let open = entry.column.open?;
            entry
                .column
                .name
                .clone()
                .filter(|_| open.what == Open::Range)
        };
        let learned: BTreeSet<String> = self.entries.iter().filter_map(learned).collect();
        for entry in &mut self.entries {
            if let Fate::Kept(column) = &mut entry.column.fate
                && column.out_of_domain == OutOfDomain::Stop
                && let Some(after) = &column.after
                && after.columns.iter().any(|base| learned.contains(base))
            {
                column.out_of_domain = OutOfDomain::Clip;
            }
        }
    }

    /// Returns the names of the columns that are left out.
    pub(super) fn ignored(&self) -> Vec<String> {
        let ignored = |entry: &Entry<'_>| match entry.column.fate {
            Fate::Ignored => entry.column.name.clone(),
            _ => None,
        };
        self.entries.iter().filter_map(ignored).collect()
    }

    /// Returns the names of the columns whose categories are listed in an order that means something.
    pub(super) fn ordered(&self) -> Vec<String> {
        let meant = |entry: &&Entry<'_>| entry.column.order == CategoryOrder::Meant;
        (self.entries.iter().filter(meant))
            .filter_map(|entry| entry.column.name.clone())
            .collect()
    }

    /// Returns what is to be learned of columns that are left open.
    pub(super) fn open(&self) -> BTreeMap<String, Unstated> {
        let open = |entry: &Entry<'_>| Some((entry.column.name.clone()?, entry.column.open?));
        self.entries.iter().filter_map(open).collect()
    }

    /// Returns why columns are as they are.
    pub(super) fn reasons(&self) -> BTreeMap<String, String> {
        let reason = |entry: &Entry<'_>| {
            let ColumnEntry { name, reason, .. } = &entry.column;
            Some((name.clone()?, reason.clone()?))
        };
        self.entries.iter().filter_map(reason).collect()
    }

    /// Returns the schema of the kept columns, and reports why there is none.
    ///
    /// Columns that could not be read are left out, so that the rest can still be checked; the
    /// schema then is not the policy's, which does not matter because the policy has findings.
    pub(super) fn schema(&self, out: &mut Vec<Finding>) -> Option<Schema> {
        let kept: Vec<(&Entry<'_>, &Column)> = (self.entries.iter())
            .filter_map(|entry| match &entry.column.fate {
                Fate::Kept(column) => Some((entry, column)),
                _ => None,
            })
            .collect();
        let columns = kept.iter().map(|(_, column)| (*column).clone());
        let errors = match Schema::new(columns.collect()) {
            Ok(schema) => return Some(schema),
            Err(errors) => errors,
        };
        // A schema without any column is no news: `expect_something_to_model` tells, or each of the
        // columns has a finding of its own.
        let told = |error: &&SchemaError| error.problem != SchemaProblem::NoColumns;
        for error in errors.iter().filter(told) {
            let entry = error.column.and_then(|index| kept.get(index));
            out.push(finding(error, entry.map(|(entry, _)| *entry)));
        }
        let broken: BTreeSet<usize> = errors.iter().filter_map(|error| error.column).collect();
        let sound = (kept.iter().enumerate())
            .filter(|(index, _)| !broken.contains(index))
            .map(|(_, (_, column))| (*column).clone());
        Schema::new(sound.collect()).ok()
    }

    /// Returns whether a column called `name` may have been meant to exist: nothing should be said
    /// about its absence.
    pub(super) fn may_be_broken(&self, name: &str) -> bool {
        let meant = |entry: &Entry<'_>| match (&entry.column.name, &entry.column.fate) {
            (Some(known), Fate::Broken | Fate::Kept(_)) => known == name,
            (None, _) => true,
            _ => false,
        };
        self.entries.iter().any(meant)
    }

    /// Reports a policy whose every column is left out or computed.
    pub(super) fn expect_something_to_model(&self, derived: &[String], out: &mut Vec<Finding>) {
        let modelled = |entry: &Entry<'_>| match (&entry.column.fate, &entry.column.name) {
            (Fate::Ignored, _) => false,
            (Fate::Kept(column), _) if is_identifier(column) => false,
            (_, Some(name)) => !derived.contains(name),
            (_, None) => true,
        };
        if !self.entries.iter().any(modelled) {
            out.push(Finding::new(
                NOTHING_TO_MODEL,
                self.span.clone(),
                "no column is left to model",
                "keep at least one column that is neither ignored, an identifier nor derived",
            ));
        }
    }

    /// Reports a column that the policy does not have at all; `role` says what it was named for.
    pub(super) fn expect_known(
        &self,
        name: &str,
        role: &str,
        span: Option<Range<usize>>,
        out: &mut Vec<Finding>,
    ) -> bool {
        let known = self.entry(name).is_some() || self.may_be_broken(name);
        if !known {
            let names: Vec<&str> = (self.entries.iter())
                .filter_map(|entry| entry.column.name.as_deref())
                .collect();
            let help = match nearest(name, &names) {
                Some(meant) => format!("did you mean `{meant}`?"),
                None => "name a column that has a `[[column]]` of its own".to_owned(),
            };
            let message = format!("{role} is `{name}`, which is not a column of the policy");
            out.push(Finding::new(UNKNOWN_COLUMN, span, message, help));
        }
        known
    }

    /// Reports a unit's column that does not exist, or that would be modelled: who a row belongs to
    /// is no property that synthetic rows should have.
    pub(super) fn expect_identifier(
        &self,
        name: &str,
        span: Option<Range<usize>>,
        out: &mut Vec<Finding>,
    ) {
        if !self.expect_known(name, "the unit's column", span.clone(), out) {
            return;
        }
        let kept = |entry: &Entry<'_>| match &entry.column.fate {
            Fate::Kept(column) => !is_identifier(column),
            Fate::Ignored | Fate::Broken => false,
        };
        if self.entry(name).is_some_and(kept) {
            out.push(Finding::new(
                WRONG_COLUMN,
                span,
                format!("the unit's column is `{name}`, which is modelled"),
                "give that column the kind `id`: it says whose row it is, and is never released",
            ));
        }
    }

    /// Reports a target that is not modelled.
    pub(super) fn expect_modelled(
        &self,
        name: &str,
        target: &Field<'_>,
        derived: &[String],
        out: &mut Vec<Finding>,
    ) {
        if !self.expect_known(name, &target.name, Some(target.span.clone()), out) {
            return;
        }
        let ignored =
            (self.entry(name)).is_some_and(|entry| matches!(entry.column.fate, Fate::Ignored));
        let fate = if ignored {
            "ignored"
        } else if self.is_identifier(name) {
            "an identifier"
        } else if derived.iter().any(|derived| derived == name) {
            "derived by a rule"
        } else if self
            .entry(name)
            .is_some_and(|entry| entry.column.open.is_some())
        {
            "left open, so that its classes are not known beforehand"
        } else {
            return;
        };
        let problem = format_args!("is `{name}`, which is {fate}");
        target.blame(
            WRONG_COLUMN,
            problem,
            "name a column that is modelled and stated",
            out,
        );
    }

    /// Returns whether a column is an identifier that is made up.
    pub(super) fn is_identifier(&self, name: &str) -> bool {
        self.entry(name)
            .is_some_and(|entry| match &entry.column.fate {
                Fate::Kept(column) => is_identifier(column),
                Fate::Ignored | Fate::Broken => false,
            })
    }

    /// Reports an ignored column that is stated a second time; of two kept ones the schema knows.
    fn expect_no_ignored_twice(&self, out: &mut Vec<Finding>) {
        let mut seen: BTreeMap<&str, bool> = BTreeMap::new();
        for entry in &self.entries {
            let Some(name) = entry.column.name.as_deref() else {
                continue;
            };
            let ignored = matches!(entry.column.fate, Fate::Ignored);
            if let Some(earlier_ignored) = seen.insert(name, ignored)
                && (ignored || earlier_ignored)
            {
                out.push(Finding::new(
                    DUPLICATE,
                    place::value_of(entry.table, "name").map(|value| value.span()),
                    format!("column `{name}` is stated twice"),
                    "keep one of the two",
                ));
            }
        }
    }

    fn entry(&self, name: &str) -> Option<&Entry<'a>> {
        (self.entries.iter()).find(|entry| entry.column.name.as_deref() == Some(name))
    }
}

fn is_identifier(column: &Column) -> bool {
    matches!(column.domain, Domain::Identifier { .. })
}

/// Turns an error about one column of the schema into a finding with its place.
fn finding(error: &SchemaError, entry: Option<&Entry<'_>>) -> Finding {
    let at_fault = entry.and_then(|entry| place::value_of(entry.table, error.field));
    let span = match (at_fault, entry) {
        (Some(value), _) => Some(value.span()),
        (None, Some(entry)) => place::value_of(entry.table, "name").map(|value| value.span()),
        (None, None) => None,
    };
    let finding = Finding::from_error(error.code(), span, &error.to_string());
    if error.field == "missing_tokens" && at_fault.is_none() {
        finding.with_note("the tokens of `[dataset]` hold for every column without its own")
    } else {
        finding
    }
}
