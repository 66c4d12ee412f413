//! What rules that are each fine by themselves do to each other.

use std::collections::{BTreeMap, BTreeSet};

use super::error;
use super::kinds::{Claim, Draft};
use crate::columns::{Cell, Columns};
use crate::error::{RuleError, RuleField, RuleProblem};
use crate::expression::Finding;
use crate::extent::{Extent, order};
use crate::repair::Repair;
use crate::rules::Test;
use crate::spec::{Enforcement, RuleSpec, Strictness};

/// A rule's position, its enforcement and its compiled form.
type Drafts = [(usize, Enforcement, Draft)];

/// Finds simple rules that leave a column without any value.
pub(super) fn contradictions(
    drafts: &Drafts,
    specs: &[RuleSpec],
    columns: &Columns,
) -> Vec<RuleError> {
    let mut found = Vec::new();
    let mut report = |rule: usize, field, column: &str, other: Option<usize>| {
        let problem = RuleProblem::Contradiction {
            column: column.to_owned(),
            other: other.map(|other| specs[other].name.clone()),
        };
        found.push(error(
            rule,
            &specs[rule].name,
            field,
            Finding {
                span: None,
                problem,
            },
        ));
    };

    // What each column can still be, and the ranges that make it so.
    let mut extents: BTreeMap<&str, Extent> = BTreeMap::new();
    let mut ranges: BTreeMap<&str, Vec<(usize, &Extent)>> = BTreeMap::new();
    for column in columns.iter() {
        if let Some(extent) = Extent::declared(column) {
            extents.insert(&column.name, extent);
        }
    }
    for (index, _, draft) in drafts {
        let Claim::Range { column, extent } = &draft.claim else {
            continue;
        };
        let Some(left) = extents.get(column.as_str()) else {
            continue;
        };
        let both = left.and(extent);
        let earlier = ranges.entry(column).or_default();
        if both.is_empty() {
            // Intervals that have no value in common include two that have none.
            let other = earlier
                .iter()
                .find(|(_, other)| other.and(extent).is_empty())
                .map(|(other, _)| *other);
            report(*index, RuleField::Column, column, other);
            continue;
        }
        earlier.push((*index, extent));
        extents.insert(column, both);
    }

    let range_of = |column: &str| {
        ranges
            .get(column)
            .and_then(|ranges| ranges.last())
            .map(|(rule, _)| *rule)
    };
    for (index, _, draft) in drafts {
        match &draft.claim {
            Claim::Inequality {
                low,
                high,
                strictness,
            } => {
                let (Some(left), Some(right)) =
                    (extents.get(low.as_str()), extents.get(high.as_str()))
                else {
                    continue;
                };
                let least = order(&left.low, &right.high);
                let possible = match strictness {
                    Strictness::OrEqual => least.is_some_and(std::cmp::Ordering::is_le),
                    Strictness::Strict => least.is_some_and(std::cmp::Ordering::is_lt),
                };
                if !possible {
                    report(
                        *index,
                        RuleField::High,
                        high,
                        range_of(high).or_else(|| range_of(low)),
                    );
                }
            }
            Claim::Combinations { columns, allowed } => {
                for (position, column) in columns.iter().enumerate() {
                    let Some(extent) = extents.get(column.as_str()) else {
                        continue;
                    };
                    if !allowed
                        .iter()
                        .any(|cells| extent.contains(&cells[position]))
                    {
                        report(*index, RuleField::Allowed(None), column, range_of(column));
                    }
                }
            }
            Claim::OneHot { columns } => {
                let extent = |column: &String| extents.get(column.as_str());
                let one = Cell::Integer(1);
                let zero = Cell::Integer(0);
                let never =
                    |column: &&String| extent(column).is_some_and(|extent| !extent.contains(&one));
                let always =
                    |column: &&String| extent(column).is_some_and(|extent| !extent.contains(&zero));
                let set: Vec<&String> = columns.iter().filter(always).collect();
                let fault = match set.as_slice() {
                    [_, second, ..] => Some(*second),
                    _ if columns.iter().all(|column| never(&column)) => columns.last(),
                    _ => None,
                };
                if let Some(column) = fault {
                    report(*index, RuleField::Columns(0), column, range_of(column));
                }
            }
            Claim::Scales {
                column,
                extents: scales,
            } => {
                let Some(extent) = extents.get(column.as_str()) else {
                    continue;
                };
                let empty = |scale: &Extent| extent.and(scale).is_empty();
                if let Some(scale) = scales.iter().position(empty) {
                    report(
                        *index,
                        RuleField::Scales(Some(scale)),
                        column,
                        range_of(column),
                    );
                }
            }
            Claim::Increments => {
                let Test::Increments(increments) = &draft.test else {
                    continue;
                };
                let mut increments = increments.clone();
                let column = increments.column().to_owned();
                if let Some(extent) = extents.get(column.as_str()) {
                    increments.narrow(extent);
                }
                if increments.is_empty() {
                    report(*index, RuleField::Column, &column, range_of(&column));
                }
            }
            Claim::Formula { .. } | Claim::Nothing | Claim::Range { .. } => {}
        }
    }
    found
}

/// Makes ranges and increments of one column agree: what is rounded stays within the ranges, and what
/// is moved to a bound is moved to a multiple.
pub(super) fn agree_on_multiples(drafts: &mut [(usize, Enforcement, Draft)]) {
    let ranges: Vec<(String, Extent)> = (drafts.iter())
        .filter_map(|(_, _, draft)| match &draft.claim {
            Claim::Range { column, extent } => Some((column.clone(), extent.clone())),
            _ => None,
        })
        .collect();
    let mut multiples: Vec<(String, Extent)> = Vec::new();
    for (_, _, draft) in drafts.iter_mut() {
        if let Test::Increments(increments) = &mut draft.test {
            let column = increments.column().to_owned();
            for (_, extent) in ranges.iter().filter(|(name, _)| *name == column) {
                increments.narrow(extent);
            }
            multiples.push((column, increments.ends()));
        }
    }
    for (_, _, draft) in drafts {
        if let Ok(Repair::Clip { column, low, high }) = &mut draft.repair {
            for (_, ends) in multiples.iter().filter(|(name, _)| name == column) {
                let clipped = Extent {
                    low: low.clone(),
                    high: high.clone(),
                }
                .and(ends);
                (*low, *high) = (clipped.low, clipped.high);
            }
        }
    }
}

/// Finds inequalities that run in a circle in which some value would have to be less than itself.
pub(super) fn circles(drafts: &Drafts, specs: &[RuleSpec]) -> Vec<RuleError> {
    let edges: Vec<(usize, &str, &str, Strictness)> = (drafts.iter())
        .filter_map(|(index, _, draft)| match &draft.claim {
            Claim::Inequality {
                low,
                high,
                strictness,
            } => Some((*index, low.as_str(), high.as_str(), *strictness)),
            _ => None,
        })
        .collect();
    let mut found = Vec::new();
    for &(index, low, high, strictness) in &edges {
        if strictness != Strictness::Strict {
            continue;
        }
        // From the larger side, is there a way back to the smaller one?
        let mut reached: BTreeMap<&str, usize> = BTreeMap::new();
        let mut next = vec![high];
        while let Some(from) = next.pop() {
            for &(rule, _, above, _) in edges.iter().filter(|(_, below, ..)| *below == from) {
                if !reached.contains_key(above) {
                    reached.insert(above, rule);
                    next.push(above);
                }
            }
        }
        if let Some(closing) = reached.get(low) {
            let problem = RuleProblem::Contradiction {
                column: high.to_owned(),
                other: Some(specs[*closing].name.clone()),
            };
            let finding = Finding {
                span: None,
                problem,
            };
            found.push(error(index, &specs[index].name, RuleField::High, finding));
        }
    }
    found
}

/// Orders the rules that compute a column, each after those whose columns its formula needs.
pub(super) fn derivation_order(
    drafts: &Drafts,
    specs: &[RuleSpec],
) -> Result<Vec<usize>, Vec<RuleError>> {
    let mut waiting: Vec<(usize, &str, &BTreeSet<String>)> = Vec::new();
    for (index, _, draft) in drafts {
        if let Claim::Formula { column, needs } = &draft.claim {
            waiting.push((*index, column, needs));
        }
    }
    let mut order = Vec::new();
    while !waiting.is_empty() {
        let unknown: BTreeSet<&str> = waiting.iter().map(|(_, column, _)| *column).collect();
        let (blocked, ready): (Vec<_>, Vec<_>) = waiting
            .iter()
            .partition(|(_, _, needs)| needs.iter().any(|need| unknown.contains(need.as_str())));
        if ready.is_empty() {
            // Others are blocked too, but only because they use a column of the circle.
            let circle = blocked
                .iter()
                .filter(|(_, column, _)| needs_itself(column, &blocked));
            let errors = circle.map(|(index, column, _)| {
                let problem = RuleProblem::DerivedCycle {
                    column: (*column).to_owned(),
                };
                error(
                    *index,
                    &specs[*index].name,
                    RuleField::Formula,
                    Finding {
                        span: None,
                        problem,
                    },
                )
            });
            return Err(errors.collect());
        }
        order.extend(ready.iter().map(|(index, _, _)| *index));
        waiting = blocked;
    }
    Ok(order)
}

/// Returns whether a column is needed, directly or through others, by its own formula.
fn needs_itself(column: &str, formulas: &[(usize, &str, &BTreeSet<String>)]) -> bool {
    let mut reached: BTreeSet<&str> = BTreeSet::new();
    let mut next = vec![column];
    while let Some(column) = next.pop() {
        for (_, _, needs) in formulas.iter().filter(|(_, derived, _)| *derived == column) {
            next.extend(
                needs
                    .iter()
                    .map(String::as_str)
                    .filter(|need| reached.insert(need)),
            );
        }
    }
    reached.contains(column)
}
