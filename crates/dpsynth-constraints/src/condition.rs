//! A condition on rows that is not a rule: which rows someone asks for.

use polars::prelude::DataFrame;
use polars_lazy::prelude::Expr;

use crate::columns::Columns;
use crate::error::{RuleError, RuleField, RulePlace, RuleProblem};
use crate::expression::{Expression, conjuncts, literals};
use crate::rules::evaluate;
use crate::spec::{RuleKind, RuleSpec};
use dpsynth_table::Schema;

/// A condition in the language of rules, such as `income = '>50K' AND age < 30`.
#[derive(Clone, Debug)]
pub struct Condition {
    text: String,
    /// Its parts that are joined by `AND`.
    parts: Vec<Part>,
}

/// A part of a condition: all rows that are asked for make it true.
#[derive(Clone, Debug)]
struct Part {
    plan: Expr,
    /// The column that the part is about, if it is about one alone.
    column: Option<String>,
    literals: Vec<String>,
}

impl Condition {
    /// Reads a condition on the columns of a schema.
    ///
    /// # Errors
    /// Everything that is wrong with it: names that no column has, types that do not fit together,
    /// expressions that are not about one row.
    pub fn compile(text: &str, schema: &Schema) -> Result<Self, Vec<RuleError>> {
        let columns = Columns::new(schema);
        let place = |span| {
            Some(Box::new(RulePlace {
                rule: 0,
                name: text.to_owned(),
                field: RuleField::Where,
                span,
            }))
        };
        let blame = |findings: Vec<crate::expression::Finding>| -> Vec<RuleError> {
            let error = |finding: crate::expression::Finding| RuleError {
                place: place(finding.span),
                problem: finding.problem,
            };
            findings.into_iter().map(error).collect()
        };
        Expression::compile_condition(text, &columns).map_err(blame)?;
        let parts = conjuncts(text)
            .iter()
            .map(|part| {
                let expression = Expression::compile_condition(part, &columns).map_err(blame)?;
                let mut names = expression.columns.into_iter();
                let column = names.next().filter(|_| names.next().is_none());
                Ok(Part {
                    plan: expression.plan,
                    column,
                    literals: literals(part),
                })
            })
            .collect::<Result<_, Vec<RuleError>>>()?;
        Ok(Self {
            text: text.to_owned(),
            parts,
        })
    }

    /// The columns about each of which a part of the condition speaks alone, each once.
    pub fn columns_alone(&self) -> Vec<&str> {
        let mut names: Vec<&str> = self
            .parts
            .iter()
            .filter_map(|part| part.column.as_deref())
            .collect();
        names.sort_unstable();
        names.dedup();
        names
    }

    /// The literals in the parts about `column` alone, as they are written.
    pub fn literals_of<'c>(&'c self, column: &'c str) -> Vec<&'c str> {
        self.parts_of(column)
            .flat_map(|part| part.literals.iter().map(String::as_str))
            .collect()
    }

    /// Says for each row of `values`, a table of `column` at least, whether the parts about that
    /// column alone are all true; a part that is unknown is not.
    ///
    /// # Errors
    /// [`RuleProblem::Evaluation`] if a part fails on a row.
    pub fn holds_alone(&self, column: &str, values: &DataFrame) -> Result<Vec<bool>, RuleError> {
        let mut holds = vec![true; values.height()];
        for part in self.parts_of(column) {
            let unevaluable = |_| RuleError {
                place: None,
                problem: RuleProblem::Evaluation,
            };
            let truth = evaluate(values, &part.plan).map_err(unevaluable)?;
            let truth = truth.bool().map_err(unevaluable)?;
            for (holds, truth) in holds.iter_mut().zip(truth.iter()) {
                *holds &= truth == Some(true);
            }
        }
        Ok(holds)
    }

    /// The condition as a rule that redraws rows that do not make it true.
    #[must_use]
    pub fn as_rule(&self) -> RuleSpec {
        RuleSpec {
            name: format!("rows asked for: {}", self.text),
            kind: RuleKind::Sql {
                // On lines of its own: it may end in a comment.
                expression: format!("COALESCE((\n{}\n), 1 = 0)", self.text),
            },
            enforcement: None,
        }
    }

    fn parts_of<'c>(&'c self, column: &'c str) -> impl Iterator<Item = &'c Part> {
        self.parts
            .iter()
            .filter(move |part| part.column.as_deref() == Some(column))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use dpsynth_table::{Cells, Column, Domain, Missing, OutOfDomain};
    use polars::df;

    fn schema() -> Schema {
        let column = |name: &str, domain| Column {
            name: name.to_owned(),
            domain,
            missing: Missing::Allowed,
            out_of_domain: OutOfDomain::Stop,
            missing_tokens: vec![],
            after: None,
        };
        let categories = ["<=50K", ">50K"].map(str::to_owned).to_vec();
        Schema::new(vec![
            column(
                "age",
                Domain::Integer {
                    min: 0,
                    max: 99,
                    cells: Cells::Each,
                },
            ),
            column("income", Domain::Categorical { categories }),
        ])
        .expect("a schema")
    }

    #[test]
    fn parts_are_judged_by_column_and_the_unknown_is_not_true() {
        let text =
            "(age >= 30 AND income = '>50K') AND NOT age = 40 AND (age > 1 OR income IS NULL)";
        let condition = Condition::compile(text, &schema()).expect("a condition");
        assert_eq!(condition.columns_alone(), ["age", "income"]);
        assert_eq!(condition.literals_of("age"), ["30", "40"]);
        assert_eq!(condition.literals_of("income"), [">50K"]);
        let ages = df!("age" => [Some(29i64), Some(30), Some(40), None]).expect("a table");
        let holds = condition.holds_alone("age", &ages).expect("evaluates");
        assert_eq!(holds, [false, true, false, false]);
        assert!(condition.as_rule().name.contains("income"));
        let remarked = Condition::compile("age > 3 -- grown", &schema()).expect("a condition");
        crate::Rules::compile(vec![remarked.as_rule()], &schema()).expect("a rule");
    }

    #[test]
    fn what_makes_no_condition_is_refused() {
        for text in [
            "",
            "age",
            "agee > 3",
            "age > 'x' AND",
            "SUM(age) > 3",
            "1 = 1",
        ] {
            assert!(Condition::compile(text, &schema()).is_err(), "{text}");
        }
    }
}
