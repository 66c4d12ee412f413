//! Compiles the rules about lists of columns, and about steps and scales.

use std::collections::{BTreeMap, BTreeSet};

use dpsynth_table::{Column, Domain};

use super::kinds::{COMPUTED, Claim, Draft, Findings, at, wrong_kind};
use crate::columns::{Cell, Columns, may_miss};
use crate::combinations::Combinations;
use crate::error::{RuleField, RuleProblem};
use crate::extent::Extent;
use crate::increments::Increments;
use crate::nulls::Nulls;
use crate::one_hot::OneHot;
use crate::repair::Repair;
use crate::rules::Test;
use crate::scales::Scales;
use crate::spec::Scale;
use crate::unique::Unique;

/// A number is a multiple of a step.
pub(super) fn increments(
    name: &str,
    step: f64,
    columns: &Columns,
    derived: &BTreeMap<String, usize>,
) -> Result<Draft, Findings> {
    let column = (columns.named(name)).map_err(|problem| vec![at(RuleField::Column, problem)])?;
    let counted = matches!(
        column.domain,
        Domain::Duration { .. }
            | Domain::Integer { .. }
            | Domain::Float {
                decimals: Some(_),
                ..
            }
    );
    if !counted {
        let needs = "a whole number, or a number with declared `decimals`";
        return Err(vec![at(RuleField::Column, wrong_kind(name, needs))]);
    }
    let Some(increments) = Increments::new(column, step) else {
        let column = name.to_owned();
        return Err(vec![at(RuleField::Step, RuleProblem::Step { column })]);
    };
    Ok(Draft {
        field: RuleField::Column,
        implied: increments.is_everything(),
        test: Test::Increments(increments),
        repair: unless_computed(&[name.to_owned()], derived),
        claim: Claim::Increments,
        reads: BTreeSet::from([name.to_owned()]),
    })
}

/// Exactly one of some columns is 1.
pub(super) fn one_hot(
    names: &[String],
    columns: &Columns,
    derived: &BTreeMap<String, usize>,
) -> Result<Draft, Findings> {
    let members = members(names, 2, usize::MAX, columns)?;
    let needs = "columns of whole numbers from 0 to 1, or of `false` and `true`";
    let wrong = |(index, column): (usize, &&Column)| {
        let wrong = !OneHot::takes(column);
        wrong.then(|| at(RuleField::Columns(index), wrong_kind(&column.name, needs)))
    };
    let wrong: Findings = members.iter().enumerate().filter_map(wrong).collect();
    if !wrong.is_empty() {
        return Err(wrong);
    }
    Ok(Draft {
        field: RuleField::Columns(0),
        test: Test::OneHot(OneHot::new(&members)),
        implied: false,
        repair: unless_computed(names, derived),
        claim: Claim::OneHot {
            columns: names.to_vec(),
        },
        reads: names.iter().cloned().collect(),
    })
}

/// No two rows are alike in some columns.
pub(super) fn unique(names: &[String], columns: &Columns) -> Result<Draft, Findings> {
    let members = members(names, 1, usize::MAX, columns)?;
    Ok(Draft {
        field: RuleField::Columns(0),
        test: Test::Unique(Unique::new(&members)),
        implied: false,
        repair: Err("it is about all rows together"),
        claim: Claim::Nothing,
        reads: names.iter().cloned().collect(),
    })
}

/// Some columns are missing together in some ways.
pub(super) fn nulls(
    names: &[String],
    allowed: Option<&[Vec<String>]>,
    columns: &Columns,
    derived: &BTreeMap<String, usize>,
) -> Result<Draft, Findings> {
    let members = members(names, 2, Nulls::MOST_COLUMNS, columns)?;
    let all_or_none = [Vec::new(), names.to_vec()];
    let allowed = allowed.unwrap_or(&all_or_none);
    let mut findings = Vec::new();
    let mut ways = Vec::new();
    for (entry, missing) in allowed.iter().enumerate() {
        let mut way = Vec::new();
        for name in missing {
            match members.iter().position(|column| column.name == *name) {
                Some(position) if may_miss(members[position]) => way.push(position),
                _ => {
                    let column = name.clone();
                    let problem = RuleProblem::NeverMissing { column };
                    findings.push(at(RuleField::Allowed(Some(entry)), problem));
                }
            }
        }
        ways.push(way);
    }
    if ways.is_empty() {
        let needs = "at least one way in which its columns may be missing";
        findings.push(at(
            RuleField::Allowed(None),
            RuleProblem::ColumnList { needs },
        ));
    }
    if !findings.is_empty() {
        return Err(findings);
    }
    let never = members.iter().all(|column| !may_miss(column));
    Ok(Draft {
        field: RuleField::Columns(0),
        test: Test::Nulls(Nulls::new(names, &ways)),
        implied: never && ways.iter().any(Vec::is_empty),
        repair: unless_computed(names, derived),
        claim: Claim::Nothing,
        reads: names.iter().cloned().collect(),
    })
}

/// The bounds of a number depend on other columns.
pub(super) fn scales(
    by: &[String],
    name: &str,
    scales: &[Scale],
    columns: &Columns,
    derived: &BTreeMap<String, usize>,
) -> Result<Draft, Findings> {
    let mut findings = Vec::new();
    let mut segments: Vec<&Column> = Vec::new();
    for (index, segment) in by.iter().enumerate() {
        match columns.named(segment) {
            Ok(_) if by[..index].contains(segment) || segment == name => {
                let needs = "different columns";
                findings.push(at(RuleField::By(index), RuleProblem::ColumnList { needs }));
            }
            Ok(column) => segments.push(column),
            Err(problem) => findings.push(at(RuleField::By(index), problem)),
        }
    }
    let number = match columns.named(name) {
        Ok(column) if Extent::within(column, None, None).is_some() => Some(column),
        Ok(_) => {
            findings.push(at(RuleField::Column, wrong_kind(name, "a number")));
            None
        }
        Err(problem) => {
            findings.push(at(RuleField::Column, problem));
            None
        }
    };
    if by.is_empty() || scales.is_empty() {
        findings.push(at(RuleField::Scales(None), RuleProblem::CombinationShape));
    }
    let (mut cells, mut extents) = (Vec::new(), Vec::new());
    for (entry, scale) in scales.iter().enumerate() {
        let field = RuleField::Scales(Some(entry));
        let twice = scales[..entry].iter().any(|other| other.when == scale.when);
        if scale.when.len() != by.len() || twice {
            findings.push(at(field, RuleProblem::CombinationShape));
            continue;
        }
        let (Some(number), true) = (number, segments.len() == by.len()) else {
            continue;
        };
        for (column, text) in segments.iter().zip(&scale.when) {
            if Cell::parse(column, text).is_none() {
                let column = column.name.clone();
                findings.push(at(field, RuleProblem::CombinationCell { column }));
            }
        }
        let bounds = [scale.min, scale.max].into_iter().flatten();
        let ordered = (scale.min.zip(scale.max)).is_none_or(|(min, max)| min <= max);
        if !bounds.clone().all(f64::is_finite) || !ordered || bounds.count() == 0 {
            findings.push(at(field, RuleProblem::Bounds));
            continue;
        }
        match Extent::within(number, scale.min, scale.max) {
            Some((extent, _)) if !extent.is_empty() => extents.push(extent),
            _ => {
                let (column, other) = (name.to_owned(), None);
                findings.push(at(field, RuleProblem::Contradiction { column, other }));
            }
        }
        let parsed = segments.iter().zip(&scale.when);
        cells.push(
            parsed
                .filter_map(|(column, text)| Cell::parse(column, text))
                .collect(),
        );
    }
    if !findings.is_empty() {
        return Err(findings);
    }
    let mut reads: BTreeSet<String> = by.iter().cloned().collect();
    reads.insert(name.to_owned());
    let combinations = Combinations::new(&segments, cells);
    Ok(Draft {
        field: RuleField::Column,
        test: Test::Scales(Box::new(Scales::new(name, combinations, extents.clone()))),
        implied: false,
        repair: unless_computed(&[name.to_owned()], derived),
        claim: Claim::Scales {
            column: name.to_owned(),
            extents,
        },
        reads,
    })
}

/// Returns the columns of a list of different names, at least and at most so many.
fn members<'a>(
    names: &[String],
    least: usize,
    most: usize,
    columns: &'a Columns,
) -> Result<Vec<&'a Column>, Findings> {
    let (mut members, mut findings) = (Vec::new(), Vec::new());
    for (index, name) in names.iter().enumerate() {
        match columns.named(name) {
            Ok(_) if names[..index].contains(name) => {
                let needs = "different columns";
                findings.push(at(
                    RuleField::Columns(index),
                    RuleProblem::ColumnList { needs },
                ));
            }
            Ok(column) => members.push(column),
            Err(problem) => findings.push(at(RuleField::Columns(index), problem)),
        }
    }
    if !(least..=most).contains(&names.len()) {
        let needs = match least {
            1 => "at least one column",
            _ if names.len() > most => "64 columns at most",
            _ => "at least two columns",
        };
        findings.push(at(RuleField::Columns(0), RuleProblem::ColumnList { needs }));
    }
    match findings.is_empty() {
        true => Ok(members),
        false => Err(findings),
    }
}

/// A repair by the rule itself, where it changes no column that is computed.
fn unless_computed(
    names: &[String],
    derived: &BTreeMap<String, usize>,
) -> Result<Repair, &'static str> {
    if names.iter().any(|name| derived.contains_key(name)) {
        Err(COMPUTED)
    } else {
        Ok(Repair::Own)
    }
}
