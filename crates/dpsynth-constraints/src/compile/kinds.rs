//! Compiles each kind of rule on its own.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};

use dpsynth_table::{Column, Domain};
use polars_lazy::prelude::{Expr, col};

use super::lists;
use crate::columns::{Cell, Columns};
use crate::combinations::Combinations;
use crate::derived::Formula;
use crate::error::{RuleField, RuleProblem};
use crate::expression::{Expression, Finding};
use crate::extent::{Extent, order};
use crate::repair::Repair;
use crate::rules::Test;

use crate::spec::{Enforcement, RuleKind, RuleSpec, Strictness};
use crate::trade::Trade;

/// A rule that fits the schema by itself.
pub(super) struct Draft {
    pub(super) field: RuleField,
    pub(super) test: Test,
    /// Whether the declared domains already imply the rule.
    pub(super) implied: bool,
    /// How to repair, or why that cannot be.
    pub(super) repair: Result<Repair, &'static str>,
    pub(super) claim: Claim,
    /// The columns that the rule looks at.
    pub(super) reads: BTreeSet<String>,
}

/// What a rule says plainly enough to be held against other rules.
pub(super) enum Claim {
    /// A column's cells, and their names where the rule lists them, in some of these ways.
    Combinations {
        columns: Vec<String>,
        allowed: Vec<Vec<Cell>>,
    },
    Formula {
        column: String,
        needs: BTreeSet<String>,
    },
    Inequality {
        low: String,
        high: String,
        strictness: Strictness,
    },
    Increments,
    Nothing,
    /// One of the columns is 1.
    OneHot {
        columns: Vec<String>,
    },
    /// A number's extent, segment by segment.
    Scales {
        column: String,
        extents: Vec<Extent>,
    },
    Range {
        column: String,
        extent: Extent,
    },
}

/// The findings of one rule, each with its field.
pub(super) type Findings = Vec<(RuleField, Finding)>;

/// Compiles one rule; `derived` are the columns that some rule computes.
pub(super) fn draft(
    spec: &RuleSpec,
    columns: &Columns,
    derived: &BTreeMap<String, usize>,
) -> Result<Draft, Findings> {
    match &spec.kind {
        RuleKind::Conditional { when, then } => conditional(when, then, columns, derived),
        RuleKind::Derived { column, formula } => derive(column, formula, columns),
        RuleKind::FixedCombinations {
            columns: names,
            allowed,
        } if spec.enforcement == Some(Enforcement::Construction) => decided(
            names,
            combinations(names, allowed, columns, derived)?,
            columns,
        ),
        RuleKind::FixedCombinations {
            columns: names,
            allowed,
        } => combinations(names, allowed, columns, derived),
        RuleKind::FixedIncrements { column, step } => {
            lists::increments(column, *step, columns, derived)
        }
        RuleKind::FixedNullCombinations {
            columns: names,
            allowed,
        } => lists::nulls(names, allowed.as_deref(), columns, derived),
        RuleKind::MixedScales { by, column, scales } => {
            lists::scales(by, column, scales, columns, derived)
        }
        RuleKind::OneHot { columns: names } => lists::one_hot(names, columns, derived),
        RuleKind::Unique { columns: names } => lists::unique(names, columns),
        RuleKind::Inequality {
            low,
            high,
            strictness,
        } => inequality(low, high, *strictness, columns, derived),
        RuleKind::NonNegative { column } => range(column, Some(0.0), None, columns, derived),
        RuleKind::Range { column, min, max } => range(column, *min, *max, columns, derived),
        RuleKind::Sql { expression } => {
            let expression = Expression::compile_condition(expression, columns)
                .map_err(|found| in_field(RuleField::Sql, found))?;
            Ok(Draft {
                field: RuleField::Sql,
                reads: expression.columns,
                test: Test::Condition(expression.plan),
                implied: false,
                repair: Err("it says what is wrong with a row, not what would be right"),
                claim: Claim::Nothing,
            })
        }
    }
}

fn conditional(
    when: &str,
    then: &str,
    columns: &Columns,
    derived: &BTreeMap<String, usize>,
) -> Result<Draft, Findings> {
    let (when, then) = match (
        Expression::compile_condition(when, columns),
        Expression::compile_condition(then, columns),
    ) {
        (Ok(when), Ok(then)) => (when, then),
        (when, then) => {
            let mut findings = in_field(RuleField::When, when.err().unwrap_or_default());
            findings.extend(in_field(RuleField::Then, then.err().unwrap_or_default()));
            return Err(findings);
        }
    };
    let repair = match then.assignment {
        None => Err(
            "its `then` is not `column = literal` or `column IS NULL` with what the column holds",
        ),
        Some(assigned) if derived.contains_key(&assigned.column) => Err(COMPUTED),
        Some(assigned) => Ok(Repair::Trade(Trade::new(
            when.plan.clone(),
            assigned.column,
            assigned.cell,
            then.plan.clone(),
        ))),
    };
    let mut reads = when.columns;
    reads.extend(then.columns);
    Ok(Draft {
        field: RuleField::Then,
        reads,
        // Unknown where the condition is unknown and the consequence false: the rule is silent, as
        // it should be.
        test: Test::Condition(when.plan.not().or(then.plan)),
        implied: false,
        repair,
        claim: Claim::Nothing,
    })
}

fn derive(name: &str, formula: &str, columns: &Columns) -> Result<Draft, Findings> {
    let column = columns
        .named(name)
        .map_err(|problem| vec![at(RuleField::Column, problem)]);
    let expression =
        Expression::compile(formula, columns).map_err(|found| in_field(RuleField::Formula, found));
    let (column, expression) = match (column, expression) {
        (Ok(column), Ok(expression)) => (column, expression),
        (column, expression) => {
            let mut findings = column.err().unwrap_or_default();
            findings.extend(expression.err().unwrap_or_default());
            return Err(findings);
        }
    };
    if !Formula::fills(column, &expression.dtype) {
        let detail = format!("the formula cannot fill a column such as `{name}`");
        return Err(vec![at(RuleField::Formula, RuleProblem::Types { detail })]);
    }
    Ok(Draft {
        field: RuleField::Formula,
        reads: expression.columns.clone(),
        test: Test::Formula(Box::new(Formula::new(column, expression.plan))),
        implied: true,
        repair: Err(COMPUTED),
        claim: Claim::Formula {
            column: name.to_owned(),
            needs: expression.columns,
        },
    })
}

/// Computes the second of two columns from the first, which must decide it.
fn decided(names: &[String], listed: Draft, columns: &Columns) -> Result<Draft, Findings> {
    let (Test::Combinations(combinations), [first, second]) = (listed.test, names) else {
        return Err(vec![at(RuleField::Enforce, UNDECIDED)]);
    };
    if !combinations.first_decides() {
        return Err(vec![at(RuleField::Enforce, UNDECIDED)]);
    }
    let column = columns
        .named(second)
        .map_err(|problem| vec![at(RuleField::Columns(1), problem)])?;
    Ok(Draft {
        reads: BTreeSet::from([first.clone()]),
        test: Test::Formula(Box::new(Formula::second(column, combinations))),
        implied: true,
        repair: Err(COMPUTED),
        claim: Claim::Formula {
            column: second.clone(),
            needs: BTreeSet::from([first.clone()]),
        },
        ..listed
    })
}

/// Why combinations do not hold by construction.
const UNDECIDED: RuleProblem = RuleProblem::EnforcementUnavailable {
    asked: Enforcement::Construction,
    because: "the first column does not decide the second and only other one",
    instead: "`repair`, or two columns of which the first has each value in one combination only",
};

fn combinations(
    names: &[String],
    allowed: &[Vec<String>],
    columns: &Columns,
    derived: &BTreeMap<String, usize>,
) -> Result<Draft, Findings> {
    let mut findings = Vec::new();
    let mut members: Vec<&Column> = Vec::new();
    for (index, name) in names.iter().enumerate() {
        match columns.named(name) {
            Ok(column) => members.push(column),
            Err(problem) => findings.push(at(RuleField::Columns(index), problem)),
        }
        if names[..index].contains(name) {
            findings.push(at(RuleField::Columns(index), RuleProblem::CombinationShape));
        }
    }
    if names.len() < 2 || allowed.is_empty() {
        findings.push(at(RuleField::Allowed(None), RuleProblem::CombinationShape));
    }
    let mut listed = Vec::new();
    for (entry, texts) in allowed.iter().enumerate() {
        let field = RuleField::Allowed(Some(entry));
        if texts.len() != names.len() {
            findings.push(at(field, RuleProblem::CombinationShape));
            continue;
        }
        // Unknown columns have their finding already; without them cells cannot be told apart.
        if members.len() != names.len() {
            continue;
        }
        let mut cells = Vec::new();
        for (column, text) in members.iter().zip(texts) {
            match Cell::parse(column, text) {
                Some(cell) => cells.push(cell),
                None => findings.push(at(
                    field,
                    RuleProblem::CombinationCell {
                        column: column.name.clone(),
                    },
                )),
            }
        }
        listed.push(cells);
    }
    if !findings.is_empty() {
        return Err(findings);
    }
    let computed = names.iter().any(|name| derived.contains_key(name));
    Ok(Draft {
        field: RuleField::Allowed(None),
        reads: names.iter().cloned().collect(),
        claim: Claim::Combinations {
            columns: names.to_vec(),
            allowed: listed.clone(),
        },
        test: Test::Combinations(Combinations::new(&members, listed)),
        implied: false,
        repair: if computed {
            Err(COMPUTED)
        } else {
            Ok(Repair::Own)
        },
    })
}

fn inequality(
    low: &str,
    high: &str,
    strictness: Strictness,
    columns: &Columns,
    derived: &BTreeMap<String, usize>,
) -> Result<Draft, Findings> {
    let mut findings = Vec::new();
    let mut side = |name: &str, field| {
        let found = columns
            .named(name)
            .and_then(|column| match Extent::declared(column) {
                Some(extent) => Ok((column, extent)),
                None => Err(wrong_kind(name, "two numbers or two dates")),
            });
        found
            .map_err(|problem| findings.push(at(field, problem)))
            .ok()
    };
    let sides = (side(low, RuleField::Low), side(high, RuleField::High));
    let (Some((low_column, low_extent)), Some((high_column, high_extent))) = sides else {
        return Err(findings);
    };
    let Some(ends) = order(&low_extent.high, &high_extent.low) else {
        return Err(vec![at(
            RuleField::High,
            wrong_kind(high, "two numbers or two dates"),
        )]);
    };
    if !same_unit(low_column, high_column) {
        let needs = "two lengths of time that count the same unit";
        return Err(vec![at(RuleField::High, wrong_kind(high, needs))]);
    }
    if low == high {
        return Err(vec![at(
            RuleField::High,
            wrong_kind(high, "two different columns"),
        )]);
    }
    let (test, implied) = match strictness {
        Strictness::OrEqual => (col(low).lt_eq(col(high)), ends.is_le()),
        Strictness::Strict => (col(low).lt(col(high)), ends == Ordering::Less),
    };
    let repair = if derived.contains_key(low) || derived.contains_key(high) {
        Err(COMPUTED)
    } else if !same_kind(low_column, high_column) {
        Err("the two columns are of different kinds or decimals and cannot swap values")
    } else {
        let holds = |name: &str, extent: &Extent| {
            col(name)
                .gt_eq(extent.low.literal())
                .and(col(name).lt_eq(extent.high.literal()))
        };
        let both_hold = holds(high, &low_extent).and(holds(low, &high_extent));
        Ok(Repair::Swap {
            low: low.to_owned(),
            high: high.to_owned(),
            both_hold,
        })
    };
    Ok(Draft {
        field: RuleField::Low,
        reads: BTreeSet::from([low.to_owned(), high.to_owned()]),
        test: Test::Condition(test),
        implied,
        repair,
        claim: Claim::Inequality {
            low: low.to_owned(),
            high: high.to_owned(),
            strictness,
        },
    })
}

fn range(
    name: &str,
    min: Option<f64>,
    max: Option<f64>,
    columns: &Columns,
    derived: &BTreeMap<String, usize>,
) -> Result<Draft, Findings> {
    let column = columns
        .named(name)
        .map_err(|problem| vec![at(RuleField::Column, problem)])?;
    let number = matches!(
        column.domain,
        Domain::Duration { .. } | Domain::Float { .. } | Domain::Integer { .. }
    );
    if !number {
        return Err(vec![at(RuleField::Column, wrong_kind(name, "a number"))]);
    }
    let finite = [min, max].into_iter().flatten().all(f64::is_finite);
    let ordered = min.zip(max).is_none_or(|(min, max)| min <= max);
    if !finite || !ordered || (min.is_none() && max.is_none()) {
        let field = if min.is_some_and(f64::is_finite) {
            RuleField::Max
        } else {
            RuleField::Min
        };
        return Err(vec![at(field, RuleProblem::Bounds)]);
    }
    let Some((extent, implied)) = Extent::within(column, min, max) else {
        return Err(vec![at(RuleField::Column, wrong_kind(name, "a number"))]);
    };
    if extent.is_empty() {
        let problem = RuleProblem::Contradiction {
            column: name.to_owned(),
            other: None,
        };
        return Err(vec![at(RuleField::Column, problem)]);
    }
    // The ends lie on values that the column can hold, so that a moved value obeys exactly.
    let within: Expr = match (min, max) {
        (Some(_), None) => col(name).gt_eq(extent.low.literal()),
        (None, Some(_)) => col(name).lt_eq(extent.high.literal()),
        _ => col(name)
            .gt_eq(extent.low.literal())
            .and(col(name).lt_eq(extent.high.literal())),
    };
    let clip = Repair::Clip {
        column: name.to_owned(),
        low: extent.low.clone(),
        high: extent.high.clone(),
    };
    Ok(Draft {
        field: RuleField::Column,
        reads: BTreeSet::from([name.to_owned()]),
        test: Test::Condition(within),
        implied,
        repair: if derived.contains_key(name) {
            Err(COMPUTED)
        } else {
            Ok(clip)
        },
        claim: Claim::Range {
            column: name.to_owned(),
            extent,
        },
    })
}

/// Returns whether neither column is a length of time, or both are in one unit.
fn same_unit(left: &Column, right: &Column) -> bool {
    let unit = |column: &Column| match column.domain {
        Domain::Duration { form, .. } => Some(form.seconds()),
        _ => None,
    };
    unit(left) == unit(right)
}

/// Returns whether each column can hold the other's values, bounds aside.
fn same_kind(left: &Column, right: &Column) -> bool {
    match (&left.domain, &right.domain) {
        (Domain::Date { .. }, Domain::Date { .. })
        | (Domain::Timestamp { .. }, Domain::Timestamp { .. })
        | (Domain::Integer { .. }, Domain::Integer { .. })
        | (Domain::Duration { .. }, Domain::Duration { .. }) => true,
        (
            Domain::Float { decimals: left, .. },
            Domain::Float {
                decimals: right, ..
            },
        ) => left == right,
        _ => false,
    }
}

pub(super) fn wrong_kind(column: &str, needs: &'static str) -> RuleProblem {
    RuleProblem::WrongKind {
        column: column.to_owned(),
        needs,
    }
}

pub(super) fn at(field: RuleField, problem: RuleProblem) -> (RuleField, Finding) {
    (
        field,
        Finding {
            span: None,
            problem,
        },
    )
}

fn in_field(field: RuleField, findings: Vec<Finding>) -> Findings {
    findings
        .into_iter()
        .map(|finding| (field, finding))
        .collect()
}

pub(super) const COMPUTED: &str = "it would change a column that is computed";
