//! Rules that fit a schema, and what they say of a table.

use polars::prelude::{Column, DataFrame, PolarsResult, polars_err};
use polars_lazy::prelude::{Expr, IntoLazy};

use crate::columns::{Columns, dtype};
use crate::combinations::Combinations;
use crate::derived::Formula;
use crate::error::{RuleError, RuleField, RulePlace, RuleProblem};
use crate::increments::Increments;
use crate::interaction::Interaction;
use crate::nulls::Nulls;
use crate::one_hot::OneHot;
use crate::outcome::Violation;
use crate::repair::Repair;
use crate::scales::Scales;
use crate::spec::Enforcement;
use crate::unique::{Seen, Unique};

/// Rules that fit a schema and do not contradict each other, as far as can be told without rows.
///
/// Made by [`Rules::compile`] only.
#[derive(Clone, Debug)]
pub struct Rules {
    pub(crate) columns: Columns,
    pub(crate) rules: Vec<Rule>,
    /// The rules that compute a column, each after those whose columns it needs.
    pub(crate) derivations: Vec<usize>,
    pub(crate) interactions: Vec<Interaction>,
}

/// One compiled rule.
#[derive(Clone, Debug)]
pub(crate) struct Rule {
    pub(crate) name: String,
    /// The field to blame where the rule cannot be evaluated.
    pub(crate) field: RuleField,
    pub(crate) enforcement: Enforcement,
    pub(crate) test: Test,
    pub(crate) repair: Option<Repair>,
}

/// How a row is judged.
#[derive(Clone, Debug)]
pub(crate) enum Test {
    Combinations(Combinations),
    /// The row breaks the rule where the expression is false.
    Condition(Expr),
    Formula(Box<Formula>),
    Increments(Increments),
    Nulls(Nulls),
    OneHot(OneHot),
    Scales(Box<Scales>),
    /// About all rows together, so that no row breaks it alone.
    Unique(Unique),
}

impl Test {
    /// Returns which rows break the rule by themselves.
    fn broken(&self, table: &DataFrame) -> PolarsResult<Vec<bool>> {
        match self {
            Self::Combinations(combinations) => combinations.broken(table),
            Self::Condition(condition) => {
                evaluate(table, condition).and_then(|mask| falsehoods(&mask))
            }
            Self::Formula(_) | Self::Unique(_) => Ok(vec![false; table.height()]),
            Self::Increments(increments) => increments.broken(table),
            Self::Nulls(nulls) => nulls.broken(table),
            Self::OneHot(one_hot) => one_hot.broken(table),
            Self::Scales(scales) => scales.broken(table),
        }
    }

    /// Changes the `broken` rows of a table.
    pub(crate) fn repair(
        &self,
        repair: &Repair,
        table: &mut DataFrame,
        broken: &[bool],
        uniform: &mut dyn FnMut() -> f64,
    ) -> PolarsResult<()> {
        match self {
            Self::Combinations(combinations) => combinations.repair(table, uniform),
            Self::Condition(condition) => {
                if let Repair::Trade(trade) = repair {
                    trade.exchange(table, uniform)?;
                }
                *table = repair.apply(table.clone(), condition)?;
                Ok(())
            }
            Self::Formula(_) | Self::Unique(_) => Ok(()),
            Self::Increments(increments) => increments.repair(table),
            Self::Nulls(nulls) => nulls.repair(table, broken),
            Self::OneHot(one_hot) => one_hot.repair(table, broken, uniform),
            Self::Scales(scales) => scales.repair(table, broken, uniform),
        }
    }
}

impl Rules {
    /// Returns the names of the columns that are computed, and so are not modelled, in the schema's
    /// order.
    pub fn derived_columns(&self) -> Vec<String> {
        let derived: Vec<&str> = self
            .formulas()
            .map(|(_, formula)| formula.column())
            .collect();
        let names = self.columns.iter().map(|column| &column.name);
        names
            .filter(|name| derived.contains(&name.as_str()))
            .cloned()
            .collect()
    }

    /// Returns the rules whose repair changes what another rule looks at, in policy order.
    pub fn interactions(&self) -> &[Interaction] {
        &self.interactions
    }

    /// Checks that so many rows can be different where a rule says that they are.
    ///
    /// # Errors
    ///
    /// [`RuleProblem::NoRoom`] for the first rule whose columns have too few values.
    pub fn expect_room(&self, rows: u64) -> Result<(), RuleError> {
        for (index, rule) in self.rules.iter().enumerate() {
            if let Test::Unique(unique) = &rule.test
                && let Some(room) = unique.room()
                && room < rows
            {
                return Err(self.blame(index, rule.field, RuleProblem::NoRoom { room }));
            }
        }
        Ok(())
    }

    /// Returns how many rows can be different where a rule says that they are, if one does and its
    /// columns' domains bound it.
    #[must_use]
    pub fn room(&self) -> Option<u64> {
        let rooms = self.rules.iter().filter_map(|rule| match &rule.test {
            Test::Unique(unique) => unique.room(),
            _ => None,
        });
        rooms.min()
    }

    /// Returns the rules that a whole table breaks, with the number of rows that break each; none
    /// if it obeys.
    ///
    /// # Errors
    ///
    /// [`RuleProblem::TableMismatch`] if the table lacks a column or holds it in another type, and
    /// [`RuleProblem::Evaluation`] if a rule's expression fails on a row.
    pub fn check(&self, table: &DataFrame) -> Result<Vec<Violation>, RuleError> {
        for column in self.columns.iter() {
            fits(table, &column.name, &dtype(column))?;
        }
        let mut violations = Vec::new();
        for (rule, broken) in self.broken(table)?.into_iter().enumerate() {
            let broken = match &self.rules[rule].test {
                Test::Formula(formula) => {
                    formula.broken(table).map_err(|_| self.unevaluable(rule))?
                }
                Test::Unique(unique) => {
                    let all = vec![true; table.height()];
                    (unique.repeated(table, &all, &mut Seen::default()))
                        .map_err(|_| self.unevaluable(rule))?
                }
                _ => broken,
            };
            let count = broken.iter().filter(|broken| **broken).count();
            if count > 0 {
                violations.push(Violation {
                    rule,
                    name: self.rules[rule].name.clone(),
                    count,
                });
            }
        }
        Ok(violations)
    }

    /// Returns for each rule which rows break it; for a formula, none.
    pub(crate) fn broken(&self, table: &DataFrame) -> Result<Vec<Vec<bool>>, RuleError> {
        let mut plans = Vec::new();
        for (index, rule) in self.rules.iter().enumerate() {
            if let Test::Condition(condition) = &rule.test {
                plans.push((index, condition.clone()));
            }
        }
        let mut broken = vec![vec![false; table.height()]; self.rules.len()];
        // One pass over the table for all conditions; one by one only to find the one that fails.
        let all: Vec<Expr> = plans.iter().map(|(_, plan)| plan.clone()).collect();
        let mut together = evaluate_all(table, &all).ok().map(Vec::into_iter);
        for (index, plan) in plans {
            let mask = match together.as_mut().and_then(Iterator::next) {
                Some(mask) => Ok(mask),
                None => evaluate(table, &plan),
            };
            broken[index] = mask
                .and_then(|mask| falsehoods(&mask))
                .map_err(|_| self.unevaluable(index))?;
        }
        for (index, rule) in self.rules.iter().enumerate() {
            if !matches!(rule.test, Test::Condition(_)) {
                broken[index] = (rule.test.broken(table)).map_err(|_| self.unevaluable(index))?;
            }
        }
        Ok(broken)
    }

    /// Returns which rows break one rule; for a formula, none.
    pub(crate) fn broken_by(&self, rule: usize, table: &DataFrame) -> Result<Vec<bool>, RuleError> {
        (self.rules[rule].test.broken(table)).map_err(|_| self.unevaluable(rule))
    }

    /// Returns the rules that compute a column, in policy order.
    pub(crate) fn formulas(&self) -> impl Iterator<Item = (usize, &Formula)> {
        self.rules
            .iter()
            .enumerate()
            .filter_map(|(index, rule)| match &rule.test {
                Test::Formula(formula) => Some((index, formula.as_ref())),
                _ => None,
            })
    }

    pub(crate) fn unevaluable(&self, rule: usize) -> RuleError {
        self.blame(rule, self.rules[rule].field, RuleProblem::Evaluation)
    }

    pub(crate) fn blame(&self, rule: usize, field: RuleField, problem: RuleProblem) -> RuleError {
        let place = RulePlace {
            rule,
            name: self.rules[rule].name.clone(),
            field,
            span: None,
        };
        RuleError {
            place: Some(Box::new(place)),
            problem,
        }
    }
}

/// Checks that a table holds a column in its type.
pub(crate) fn fits(
    table: &DataFrame,
    name: &str,
    dtype: &polars::prelude::DataType,
) -> Result<(), RuleError> {
    match table.column(name) {
        Ok(held) if held.dtype() == dtype => Ok(()),
        _ => Err(RuleError {
            place: None,
            problem: RuleProblem::TableMismatch {
                column: name.to_owned(),
            },
        }),
    }
}

/// Evaluates an expression to one value for each row.
pub(crate) fn evaluate(table: &DataFrame, plan: &Expr) -> PolarsResult<Column> {
    let mut columns = evaluate_all(table, std::slice::from_ref(plan))?;
    Ok(columns.swap_remove(0))
}

/// Evaluates expressions to one value each for each row.
pub(crate) fn evaluate_all(table: &DataFrame, plans: &[Expr]) -> PolarsResult<Vec<Column>> {
    let rows = table.height();
    // Polars divides many values by a number in another way than one, and the last digit can differ.
    // A row must be judged as it is among others, so that a single one is given company.
    let table = if rows == 1 {
        table.vstack(table)?
    } else {
        table.clone()
    };
    let named = plans
        .iter()
        .enumerate()
        .map(|(index, plan)| plan.clone().alias(index.to_string()));
    let values = table.lazy().select(named.collect::<Vec<_>>()).collect()?;
    let each = values.columns().iter().map(|value| match value.len() {
        held if held >= rows && held > 1 => Ok(value.slice(0, rows)),
        // Polars may find that an expression has one value for every row.
        1 => Ok(value.new_from_index(0, rows)),
        0 if rows == 0 => Ok(value.clone()),
        _ => Err(polars_err!(ShapeMismatch: "an expression has one value for each row")),
    });
    each.collect()
}

/// Returns the rows for which a condition is false, and not merely unknown.
fn falsehoods(mask: &Column) -> PolarsResult<Vec<bool>> {
    Ok(mask
        .bool()?
        .iter()
        .map(|truth| truth == Some(false))
        .collect())
}
