//! From rules as written to rules that fit a schema; everything that is wrong is found at once.

mod conflicts;
mod interaction;
mod kinds;
mod lists;

use std::collections::BTreeMap;

use dpsynth_table::Schema;

use self::kinds::Draft;
use crate::columns::Columns;
use crate::error::{RuleError, RuleField, RulePlace, RuleProblem};
use crate::expression::Finding;
use crate::repair::Repair;
use crate::rules::{Rule, Rules, Test};
use crate::spec::{Enforcement, RuleKind, RuleSpec};
use crate::trade::Trade;

impl Rules {
    /// Checks rules against a schema.
    ///
    /// # Errors
    ///
    /// Every finding of every rule: names that no column has, types that do not fit together,
    /// expressions that are not about one row, enforcements that a rule does not have, and simple
    /// rules that no value within the declared domains can obey.
    pub fn compile(specs: Vec<RuleSpec>, schema: &Schema) -> Result<Self, Vec<RuleError>> {
        let columns = Columns::new(schema);
        let derived = derived_columns(&specs);
        let mut errors = Vec::new();
        let mut drafts = Vec::new();
        for (index, spec) in specs.iter().enumerate() {
            let mut findings = Vec::new();
            if let Some(problem) = check_name(index, &specs) {
                findings.push((
                    RuleField::Name,
                    Finding {
                        span: None,
                        problem,
                    },
                ));
            }
            match kinds::draft(spec, &columns, &derived) {
                Ok(draft) => {
                    if let Some(problem) = check_derived_once(index, &specs, &derived) {
                        findings.push((
                            RuleField::Column,
                            Finding {
                                span: None,
                                problem,
                            },
                        ));
                    }
                    match enforcement(spec, &draft) {
                        Ok(enforcement) => drafts.push((index, enforcement, draft)),
                        Err(problem) => findings.push((
                            RuleField::Enforce,
                            Finding {
                                span: None,
                                problem,
                            },
                        )),
                    }
                }
                Err(found) => findings.extend(found),
            }
            errors.extend(
                findings
                    .into_iter()
                    .map(|(field, finding)| error(index, &spec.name, field, finding)),
            );
        }
        errors.extend(conflicts::contradictions(&drafts, &specs, &columns));
        errors.extend(conflicts::circles(&drafts, &specs));
        conflicts::agree_on_multiples(&mut drafts);
        trade_together(&mut drafts, &specs);
        let derivations = match conflicts::derivation_order(&drafts, &specs) {
            Ok(order) => order,
            Err(found) => {
                errors.extend(found);
                Vec::new()
            }
        };
        if !errors.is_empty() {
            errors.sort_by_key(RuleError::rule);
            return Err(errors);
        }
        let interactions = interaction::between(&drafts, &specs);
        let rules = drafts
            .into_iter()
            .zip(specs)
            .map(|((_, enforcement, draft), spec)| Rule {
                name: spec.name,
                field: draft.field,
                enforcement,
                test: draft.test,
                repair: draft.repair.ok(),
            })
            .collect();
        Ok(Self {
            columns,
            rules,
            derivations,
            interactions,
        })
    }
}

/// Lets rules that set columns under one and the same condition trade all of them together.
fn trade_together(drafts: &mut [(usize, Enforcement, Draft)], specs: &[RuleSpec]) {
    let mut by_condition: BTreeMap<&str, Vec<(usize, &mut Trade)>> = BTreeMap::new();
    for (index, enforcement, draft) in drafts {
        if let (Enforcement::Repair, Ok(Repair::Trade(trade)), RuleKind::Conditional { when, .. }) =
            (*enforcement, &mut draft.repair, &specs[*index].kind)
        {
            let together = by_condition.entry(when.trim()).or_default();
            together.push((*index, trade));
        }
    }
    for trades in by_condition.values_mut() {
        Trade::join(trades);
    }
}

/// Chooses how a rule is made to hold.
fn enforcement(spec: &RuleSpec, draft: &Draft) -> Result<Enforcement, RuleProblem> {
    let unavailable = |asked, because, instead| RuleProblem::EnforcementUnavailable {
        asked,
        because,
        instead,
    };
    let computed = matches!(draft.test, Test::Formula(_));
    if let (Test::Unique(_), Some(asked)) = (&draft.test, spec.enforcement)
        && asked != Enforcement::Redraw
    {
        return Err(unavailable(
            asked,
            "rows are compared as they are kept",
            "`redraw`",
        ));
    }
    match spec.enforcement {
        None | Some(Enforcement::Construction) if computed || draft.implied => {
            Ok(Enforcement::Construction)
        }
        None => Ok(match &draft.repair {
            Ok(Repair::Clip { .. } | Repair::Own) => Enforcement::Repair,
            _ => Enforcement::Redraw,
        }),
        Some(asked) if computed => Err(unavailable(
            asked,
            "the column is computed and so cannot break it",
            "`construction`, or write the formula as an `sql` rule between modelled columns",
        )),
        Some(asked @ Enforcement::Construction) => Err(unavailable(
            asked,
            "the declared domains do not imply it",
            "another enforcement, or domains that do",
        )),
        Some(asked @ Enforcement::Repair) => match &draft.repair {
            Ok(_) => Ok(asked),
            Err(because) => Err(unavailable(asked, because, "`redraw`")),
        },
        Some(asked @ (Enforcement::Redraw | Enforcement::Refuse)) => Ok(asked),
    }
}

/// Returns the columns that rules derive, each with the first rule that does.
fn derived_columns(specs: &[RuleSpec]) -> BTreeMap<String, usize> {
    let mut derived = BTreeMap::new();
    for (index, spec) in specs.iter().enumerate() {
        if let Some(column) = spec.computes() {
            derived.entry(column.to_owned()).or_insert(index);
        }
    }
    derived
}

fn check_name(index: usize, specs: &[RuleSpec]) -> Option<RuleProblem> {
    let name = &specs[index].name;
    if name.trim().is_empty() {
        return Some(RuleProblem::NoName);
    }
    specs[..index]
        .iter()
        .any(|spec| spec.name == *name)
        .then_some(RuleProblem::DuplicateName)
}

fn check_derived_once(
    index: usize,
    specs: &[RuleSpec],
    derived: &BTreeMap<String, usize>,
) -> Option<RuleProblem> {
    let column = specs[index].computes()?;
    let first = *derived.get(column)?;
    (first != index).then(|| RuleProblem::DerivedTwice {
        column: column.to_owned(),
        other: specs[first].name.clone(),
    })
}

fn error(rule: usize, name: &str, field: RuleField, finding: Finding) -> RuleError {
    let place = RulePlace {
        rule,
        name: name.to_owned(),
        field,
        span: finding.span,
    };
    RuleError {
        place: Some(Box::new(place)),
        problem: finding.problem,
    }
}
