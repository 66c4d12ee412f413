//! SDV's predefined constraints as rules. SDV learns combinations from the data; here the owner
//! lists them.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Map, Value};

use super::draft::{DraftRule, RuleBody, Scalar};

/// One constraint, as SDV writes it: its class, and its parameters beside or below.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Constraint {
    #[serde(alias = "constraint_name")]
    constraint_class: String,
    table_name: Option<String>,
    constraint_parameters: Option<Map<String, Value>>,
    #[serde(flatten)]
    beside: Map<String, Value>,
}

impl Constraint {
    /// Returns whether the constraint is about a table.
    pub(super) fn is_about(&self, table: &str) -> bool {
        (self.table_name.as_ref()).is_none_or(|named| named == table || table.is_empty())
    }

    fn parameter(&self, key: &str) -> Option<&Value> {
        match &self.constraint_parameters {
            Some(below) => below.get(key),
            None => self.beside.get(key),
        }
    }

    fn text(&self, key: &str) -> Option<String> {
        self.parameter(key)?.as_str().map(str::to_owned)
    }

    fn texts(&self, key: &str) -> Option<Vec<String>> {
        let listed = self.parameter(key)?.as_array()?.iter();
        listed
            .map(|name| name.as_str().map(str::to_owned))
            .collect()
    }

    fn scalar(&self, key: &str) -> Option<Scalar> {
        match self.parameter(key)? {
            Value::Number(number) => number.as_f64().map(Scalar::Number),
            Value::String(text) => Some(Scalar::Text(text.clone())),
            _ => None,
        }
    }

    /// Whether bounds themselves are left out; SDV's own default differs from class to class.
    fn strict(&self, default: bool) -> bool {
        self.parameter("strict_boundaries")
            .and_then(Value::as_bool)
            .unwrap_or(default)
    }
}

/// Returns a rule for each constraint, under names that are all different.
pub(super) fn rules<'a>(constraints: impl Iterator<Item = &'a Constraint>) -> Vec<DraftRule> {
    let mut times: BTreeMap<String, usize> = BTreeMap::new();
    let mut rules = Vec::new();
    for constraint in constraints {
        let class = &constraint.constraint_class;
        let bodies = bodies(constraint).unwrap_or_else(|| vec![unclear(constraint)]);
        for body in bodies {
            let time = times.entry(class.clone()).or_default();
            *time += 1;
            rules.push(DraftRule {
                name: format!("{class} {time} of SDV"),
                body,
            });
        }
    }
    rules
}

/// Returns what a constraint demands; nothing where its parameters are not those of its class.
fn bodies(constraint: &Constraint) -> Option<Vec<RuleBody>> {
    let column = || constraint.text("column_name");
    let columns = || constraint.texts("column_names");
    let one = |body: RuleBody| Some(vec![body]);
    match constraint.constraint_class.as_str() {
        "Inequality" => one(RuleBody::Inequality {
            low: constraint.text("low_column_name")?,
            high: constraint.text("high_column_name")?,
            strict: constraint.strict(false),
        }),
        "Range" => {
            let middle = constraint.text("middle_column_name")?;
            let strict = constraint.strict(true);
            let ends = [
                (constraint.text("low_column_name")?, middle.clone()),
                (middle, constraint.text("high_column_name")?),
            ];
            Some(
                ends.map(|(low, high)| RuleBody::Inequality { low, high, strict })
                    .into(),
            )
        }
        "ScalarInequality" => {
            let relation = constraint.text("relation")?;
            let (column, value) = (column()?, constraint.scalar("value")?);
            one(match (relation.as_str(), &value) {
                (">=", Scalar::Number(min)) => RuleBody::Range {
                    column,
                    min: Some(*min),
                    max: None,
                },
                ("<=", Scalar::Number(max)) => RuleBody::Range {
                    column,
                    min: None,
                    max: Some(*max),
                },
                (">" | ">=" | "<" | "<=", _) => RuleBody::Sql(format!(
                    "{} {relation} {}",
                    quoted(&column),
                    literal(&value)
                )),
                _ => return None,
            })
        }
        "ScalarRange" => {
            let column = column()?;
            let (low, high) = (
                constraint.scalar("low_value")?,
                constraint.scalar("high_value")?,
            );
            one(match (&low, &high, constraint.strict(true)) {
                (Scalar::Number(min), Scalar::Number(max), false) => RuleBody::Range {
                    column,
                    min: Some(*min),
                    max: Some(*max),
                },
                (_, _, strict) => {
                    let (column, below) = (quoted(&column), if strict { "<" } else { "<=" });
                    let (low, high) = (literal(&low), literal(&high));
                    RuleBody::Sql(format!(
                        "{low} {below} {column} AND {column} {below} {high}"
                    ))
                }
            })
        }
        "Positive" | "Negative" => {
            let (column, positive) = (column()?, constraint.constraint_class == "Positive");
            let zero = |bound: bool| bound.then_some(0.0);
            one(if constraint.strict(false) {
                RuleBody::Sql(format!(
                    "{} {} 0",
                    quoted(&column),
                    if positive { ">" } else { "<" }
                ))
            } else {
                RuleBody::Range {
                    column,
                    min: zero(positive),
                    max: zero(!positive),
                }
            })
        }
        "FixedIncrements" => {
            let step = constraint
                .parameter("increment_value")
                .or(constraint.parameter("increment"))?;
            let step = step.as_u64().filter(|step| *step > 0)?;
            one(RuleBody::FixedIncrements {
                column: column()?,
                step,
            })
        }
        "FixedNullCombinations" => one(RuleBody::FixedNulls {
            columns: columns()?,
        }),
        "MixedScales" => one(RuleBody::MixedScales {
            by: constraint.texts("segment_column_names")?,
            column: constraint.text("mixed_scale_column_name")?,
        }),
        "OneHotEncoding" => one(RuleBody::OneHot {
            columns: columns()?,
        }),
        "Unique" => one(RuleBody::Unique {
            columns: columns()?,
        }),
        "FixedCombinations" => one(RuleBody::FixedCombinations {
            columns: columns()?,
        }),
        _ => None,
    }
}

/// Repeats a constraint that has no rule here, for the owner to put in words.
fn unclear(constraint: &Constraint) -> RuleBody {
    let parameters = match &constraint.constraint_parameters {
        Some(below) => below,
        None => &constraint.beside,
    };
    let said = serde_json::to_string(parameters).unwrap_or_default();
    RuleBody::Unclear {
        said: format!("{} {said}", constraint.constraint_class),
    }
}

/// Quotes a column for an expression.
fn quoted(column: &str) -> String {
    format!("\"{}\"", column.replace('"', "\"\""))
}

fn literal(value: &Scalar) -> String {
    match value {
        Scalar::Number(number) => format!("{number}"),
        Scalar::Text(text) => format!("'{}'", text.replace('\'', "''")),
    }
}
