//! Rules as the policy writes them, before anything is checked.

use std::fmt;

use serde::{Deserialize, Serialize};

/// One rule of the policy.
#[derive(Clone, Debug, PartialEq)]
pub struct RuleSpec {
    /// What messages and the report call the rule; unique within a policy.
    pub name: String,
    /// What the rule demands of a row.
    pub kind: RuleKind,
    /// How the rule is made to hold; `None` takes the best way for the kind, see [`RuleKind`].
    pub enforcement: Option<Enforcement>,
}

impl RuleSpec {
    /// The column that the rule computes, if it computes one.
    pub(crate) fn computes(&self) -> Option<&str> {
        match (&self.kind, self.enforcement) {
            (RuleKind::Derived { column, .. }, _) => Some(column),
            (RuleKind::FixedCombinations { columns, .. }, Some(Enforcement::Construction)) => {
                columns.get(1).map(String::as_str)
            }
            _ => None,
        }
    }
}

/// What a rule demands of a row, and how it can be made to hold (the default first).
#[derive(Clone, Debug, PartialEq)]
pub enum RuleKind {
    /// When `when` is true, `then` must not be false. Redraw or refuse; repair only where `then` is
    /// `column = literal` or `column IS NULL`, because only then is it plain what to write.
    Conditional {
        /// SQL expression that says which rows the rule speaks of.
        when: String,
        /// SQL expression that must not be false for them.
        then: String,
    },
    /// The column is what the formula says. Always by construction: the column is not modelled but
    /// computed, in the column's type (whole numbers and declared decimals by rounding half to
    /// even). A row whose result lies outside the column's domain is redrawn.
    Derived {
        /// The column that is computed.
        column: String,
        /// SQL expression over other columns.
        formula: String,
    },
    /// The columns together take one of the allowed combinations. Repair (an allowed combination
    /// that agrees with the row in as many leading columns as possible, and at least in the first,
    /// is drawn), redraw or refuse; a row with a missing value in one of the columns obeys. Or
    /// construction, where the first of two columns decides the second, which is then computed.
    FixedCombinations {
        /// At least two columns.
        columns: Vec<String>,
        /// One entry for each combination, its cells written as in the table.
        allowed: Vec<Vec<String>>,
    },
    /// Every value of the column is a multiple of a step. By construction where the domain already
    /// implies it, else repair (the value is rounded to the nearest multiple), redraw or refuse.
    FixedIncrements {
        /// An integer column, or a float column with declared decimals.
        column: String,
        /// The step, above zero.
        step: f64,
    },
    /// The columns are missing together in one of the allowed ways. By construction where none of
    /// them may be missing, else repair (the fewest cells are blanked), redraw or refuse; a row that
    /// repair would have to fill is redrawn.
    FixedNullCombinations {
        /// At least two columns.
        columns: Vec<String>,
        /// Each way: the columns that are missing. `None` stands for all of them or none.
        allowed: Option<Vec<Vec<String>>>,
    },
    /// One column is at most (or less than) another. By construction where the domains already
    /// imply it, else redraw, repair (the two values are swapped) or refuse.
    Inequality {
        /// The column with the smaller value.
        low: String,
        /// The column with the larger value.
        high: String,
        /// Whether equal values obey.
        strictness: Strictness,
    },
    /// The number lies between bounds that depend on other columns. Repair (the number of another
    /// row of the same segment that obeys is taken), redraw or refuse. A row whose segment is not
    /// listed obeys, and so does one with a missing value in one of the columns.
    MixedScales {
        /// The columns whose values make a segment.
        by: Vec<String>,
        /// An integer or float column.
        column: String,
        /// The bounds of each segment.
        scales: Vec<Scale>,
    },
    /// The number is zero or more: a range with only a lower bound.
    NonNegative {
        /// An integer or float column.
        column: String,
    },
    /// Exactly one of the columns is 1 (or `true`), and every other 0 (or `false`). Repair (one of
    /// those that are 1 stays, or one is drawn), redraw or refuse; a row with a missing value in one
    /// of the columns obeys.
    OneHot {
        /// At least two columns of whole numbers from 0 to 1, or of `false` and `true`.
        columns: Vec<String>,
    },
    /// The number lies within bounds, both included. By construction where the domain already
    /// implies it, else repair (the value is moved to the nearer bound), redraw or refuse.
    Range {
        /// An integer or float column.
        column: String,
        /// The lower bound.
        min: Option<f64>,
        /// The upper bound.
        max: Option<f64>,
    },
    /// The expression is not false. Redraw or refuse.
    Sql {
        /// SQL expression that is true, false or unknown for a row.
        expression: String,
    },
    /// No two rows have the same values in the columns. Redraw: of rows that are alike the first is
    /// kept. A row with a missing value in one of the columns is like no other.
    Unique {
        /// At least one column.
        columns: Vec<String>,
    },
}

/// The bounds of a number in one segment of the rows, both included.
#[derive(Clone, Debug, PartialEq)]
pub struct Scale {
    /// The cells that make the segment, written as in the table.
    pub when: Vec<String>,
    /// The lower bound.
    pub min: Option<f64>,
    /// The upper bound.
    pub max: Option<f64>,
}

/// How a rule is made to hold.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Enforcement {
    /// No row can break the rule: the declared domains imply it, or the column is computed.
    Construction,
    /// A row that breaks the rule is thrown away and another is drawn.
    Redraw,
    /// A row that breaks the rule as drawn ends the run.
    Refuse,
    /// A row that breaks the rule is changed so that it does not.
    Repair,
}

impl fmt::Display for Enforcement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Construction => "construction",
            Self::Redraw => "redraw",
            Self::Refuse => "refuse",
            Self::Repair => "repair",
        })
    }
}

/// Whether equal values obey an inequality.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Strictness {
    /// `low <= high`.
    OrEqual,
    /// `low < high`.
    Strict,
}
