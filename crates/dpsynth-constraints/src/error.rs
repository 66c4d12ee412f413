//! What is wrong with a rule, where, and what to do about it.

use std::fmt;
use std::ops::Range;

use thiserror::Error;

use crate::spec::Enforcement;

/// A problem with a rule, and the place it stands at.
#[derive(Clone, Debug, Error, PartialEq)]
#[error("{}{problem}", Blamed(.place.as_deref()))]
pub struct RuleError {
    /// Where the problem is; `None` when the table, and no rule, is at fault.
    pub place: Option<Box<RulePlace>>,
    /// What is wrong.
    #[source]
    pub problem: RuleProblem,
}

impl RuleError {
    /// Every code that [`RuleError::code`] can return.
    pub const CODES: &'static [&'static str] = RuleProblem::CODES;

    /// Returns the stable code of the diagnostic.
    pub fn code(&self) -> &'static str {
        self.problem.code()
    }

    /// Returns the position of the rule in the policy, from zero.
    pub fn rule(&self) -> Option<usize> {
        self.place.as_ref().map(|place| place.rule)
    }
}

/// The part of a policy that a problem is about.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct RulePlace {
    /// Position of the rule in the policy, from zero.
    pub rule: usize,
    /// Name of the rule.
    pub name: String,
    /// The field of the rule.
    pub field: RuleField,
    /// Byte range within the text of the field; `None` stands for all of it.
    pub span: Option<Range<usize>>,
}

/// A field of a rule, by the name it has in the policy.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum RuleField {
    /// The list of allowed combinations; the entry within it, from zero, where one is at fault.
    Allowed(Option<usize>),
    /// One of the columns that make a segment, from zero.
    By(usize),
    /// The column of a range, of a non-negative rule, or of a derived column.
    Column,
    /// One of the columns of fixed combinations, from zero.
    Columns(usize),
    /// How the rule is enforced.
    Enforce,
    /// The formula of a derived column.
    Formula,
    /// The column with the larger value.
    High,
    /// The column with the smaller value.
    Low,
    /// The upper bound.
    Max,
    /// The lower bound.
    Min,
    /// The name of the rule.
    Name,
    /// The scales of segments; the one at fault, from zero, where it is one.
    Scales(Option<usize>),
    /// The expression of an SQL rule.
    Sql,
    /// The step of fixed increments.
    Step,
    /// The consequence of a conditional rule.
    Then,
    /// The condition of a conditional rule.
    When,
    /// A condition that rows are asked for; no part of a policy.
    Where,
}

impl fmt::Display for RuleField {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Allowed(_) => "allowed",
            Self::By(_) => "by",
            Self::Column => "column",
            Self::Columns(_) => "columns",
            Self::Enforce => "enforce",
            Self::Formula => "formula",
            Self::High => "high",
            Self::Low => "low",
            Self::Max => "max",
            Self::Min => "min",
            Self::Name => "name",
            Self::Scales(_) => "scales",
            Self::Sql => "sql",
            Self::Step => "step",
            Self::Then => "then",
            Self::When => "when",
            Self::Where => "where",
        })
    }
}

/// What is wrong with a rule.
///
/// Shares are of synthetic rows. Text in a message comes from the policy, never from a table.
#[derive(Clone, Debug, Error, PartialEq)]
#[non_exhaustive]
pub enum RuleProblem {
    /// A bound of a range is missing, not finite, or the lower one is above the upper one.
    #[error("the bounds make no range; give `min`, `max` or both, finite and in order")]
    Bounds,
    /// A combination has a cell that its column cannot hold.
    #[error(
        "the combination has a cell that is not in the domain of column `{column}`; correct the \
         cell, or widen the column's domain"
    )]
    CombinationCell {
        /// The column that cannot hold the cell.
        column: String,
    },
    /// Fixed combinations name fewer than two columns, one twice, none allowed, or an entry of the
    /// wrong length.
    #[error(
        "the combinations do not fit their columns; name at least two different columns and give \
         every allowed combination one cell for each of them"
    )]
    CombinationShape,
    /// A rule about several columns names too few, too many, or one twice.
    #[error("the rule does not name {needs}; correct its columns")]
    ColumnList {
        /// What is needed.
        needs: &'static str,
    },
    /// Nothing within the declared domains and the other simple rules can obey.
    #[error(
        "no value of column `{column}` can obey this rule{}; change a bound of the rule or of the \
         column",
        .other.as_ref().map(|name| format!(" and rule `{name}` together")).unwrap_or_default()
    )]
    Contradiction {
        /// The column that is left without a value.
        column: String,
        /// The earlier rule that this one contradicts, where it is not the declared domain.
        other: Option<String>,
    },
    /// A function looks at other rows.
    #[error(
        "`{function}` looks at more than one row, and a rule speaks of one row; compare the \
         columns of the row itself"
    )]
    CouplesRows {
        /// The function, as written.
        function: String,
    },
    /// Derived columns need each other.
    #[error(
        "column `{column}` is computed, directly or through other formulas, from itself; let one \
         formula of the circle use modelled columns only"
    )]
    DerivedCycle {
        /// A column of the circle.
        column: String,
    },
    /// A column is derived by two rules.
    #[error("column `{column}` is already derived by rule `{other}`; keep one formula")]
    DerivedTwice {
        /// The column.
        column: String,
        /// The earlier rule.
        other: String,
    },
    /// Two rules have one name.
    #[error("another rule has the same name; give each rule a name of its own")]
    DuplicateName,
    /// The enforcement does not exist for the rule.
    #[error("`{asked}` is not available for this rule, because {because}; use {instead}")]
    EnforcementUnavailable {
        /// What the policy asks for.
        asked: Enforcement,
        /// Why that cannot be.
        because: &'static str,
        /// What can be used.
        instead: &'static str,
    },
    /// The expression cannot be computed for some row.
    #[error(
        "the expression cannot be computed for some synthetic row; write `TRY_CAST` where a \
         conversion can fail, and `NULLIF` where a divisor can be zero"
    )]
    Evaluation,
    /// The literal is not what its column can hold.
    #[error(
        "column `{column}` can never be {literal}; correct the literal, or add it to the column's \
         domain"
    )]
    LiteralOutsideDomain {
        /// The column.
        column: String,
        /// The literal, as the policy writes it.
        literal: String,
    },
    /// The rule has no name.
    #[error("the rule has no name; give it one, for messages and for the report")]
    NoName,
    /// The expression names no column.
    #[error(
        "the expression names no column, so it says nothing about a row; name a column, in double \
         quotes where its name is not a plain word"
    )]
    NoColumn,
    /// Fewer rows can be different than are to be written.
    #[error(
        "its columns can be different in {room} rows at most; ask for fewer rows, widen a column, or name one \
         more"
    )]
    NoRoom {
        /// How many rows can be different.
        room: u64,
    },
    /// The construct is not part of the rule language.
    #[error(
        "{construct} cannot be used in a rule; see the rule language in `docs/policy.md` for what \
         can"
    )]
    NotAvailable {
        /// The construct.
        construct: String,
    },
    /// The expression is not true or false.
    #[error("the expression gives {found}, not true or false; compare it with something")]
    NotBoolean {
        /// The type that it gives, in words.
        found: String,
    },
    /// A violation was found where none may be.
    #[error(
        "{} of the synthetic rows break it, and its enforcement is `refuse`; use `redraw` or \
         correct the rule", Share(*.share)
    )]
    Refused {
        /// Share of the drawn rows that break the rule, from 0 to 1.
        share: f64,
    },
    /// Increments that a column cannot have.
    #[error(
        "column `{column}` has no such step; give a positive number that is a multiple of its smallest \
         difference"
    )]
    Step {
        /// The column.
        column: String,
    },
    /// A draw has fewer rows than it was asked for, or a step changed the shape of a table.
    #[error(
        "a table has another shape than was asked for; this is a bug of dpsynth, please report it"
    )]
    WrongShape,
    /// The text is not an SQL expression.
    #[error(
        "this is not an SQL expression ({detail}); write one expression such as `age >= 16`, text \
         in single quotes"
    )]
    Syntax {
        /// What the parser says.
        detail: String,
    },
    /// The drawn or given table does not fit the schema.
    #[error(
        "the table does not hold column `{column}` in the type that the schema gives it; use a \
         table of the same schema"
    )]
    TableMismatch {
        /// The column.
        column: String,
    },
    /// The expression is nested too deep or has too many parts.
    #[error("the expression has too many parts; split it into several rules")]
    TooComplex,
    /// The expression is too long.
    #[error("the expression is longer than {limit} bytes; split it into several rules")]
    TooLong {
        /// The longest that is accepted.
        limit: usize,
    },
    /// The types of the expression do not fit together.
    #[error(
        "the expression does not fit the columns' types ({detail}); compare like with like, or \
         convert with `CAST`"
    )]
    Types {
        /// What polars says.
        detail: String,
    },
    /// A way of being missing names a column that the rule does not, or that is never missing.
    #[error(
        "column `{column}` cannot be missing here; name one of the rule's `columns` that has `missing = true`"
    )]
    NeverMissing {
        /// The column.
        column: String,
    },
    /// The column is not in the schema.
    #[error("there is no column `{column}`; {}", .nearest.as_ref().map_or_else(
        || "name a column of the policy, odd names in double quotes and text in single".to_owned(),
        |nearest| format!("did you mean `{nearest}`?")))]
    UnknownColumn {
        /// The name that is not known.
        column: String,
        /// The column that it most resembles.
        nearest: Option<String>,
    },
    /// Too few rows obey.
    #[error(
        "too few synthetic rows obey the rules, and this one rejected the most ({} of the rows \
         drawn); loosen it, use `repair` where it can, or tighten the columns' domains",
        Share(*.share)
    )]
    Unsatisfied {
        /// Share of the drawn rows that this rule rejected, from 0 to 1.
        share: f64,
    },
    /// The column is not of a kind that the rule can speak of.
    #[error(
        "column `{column}` does not fit, the rule needs {needs}; write the rule as `sql` instead"
    )]
    WrongKind {
        /// The column.
        column: String,
        /// What is needed.
        needs: &'static str,
    },
}

impl RuleProblem {
    /// Every code that [`RuleProblem::code`] can return.
    pub const CODES: &'static [&'static str] = &[
        "DPS2001", "DPS2002", "DPS2003", "DPS2004", "DPS2005", "DPS2006", "DPS2007", "DPS2008",
        "DPS2009", "DPS2010", "DPS2011", "DPS2012", "DPS2013", "DPS2014", "DPS2015", "DPS2016",
        "DPS2017", "DPS2018", "DPS2019", "DPS2020", "DPS2021", "DPS2022", "DPS2023", "DPS2030",
        "DPS2031", "DPS2032", "DPS2033", "DPS2034", "DPS2035",
    ];

    /// Returns the stable code of the diagnostic.
    pub fn code(&self) -> &'static str {
        match self {
            Self::NoName => "DPS2001",
            Self::DuplicateName => "DPS2002",
            Self::UnknownColumn { .. } => "DPS2003",
            Self::WrongKind { .. } => "DPS2004",
            Self::TooLong { .. } => "DPS2005",
            Self::TooComplex => "DPS2006",
            Self::Syntax { .. } => "DPS2007",
            Self::NotAvailable { .. } => "DPS2008",
            Self::CouplesRows { .. } => "DPS2009",
            Self::NotBoolean { .. } => "DPS2010",
            Self::Types { .. } => "DPS2011",
            Self::NoColumn => "DPS2012",
            Self::LiteralOutsideDomain { .. } => "DPS2013",
            Self::Bounds => "DPS2014",
            Self::Contradiction { .. } => "DPS2015",
            Self::EnforcementUnavailable { .. } => "DPS2016",
            Self::CombinationShape => "DPS2017",
            Self::CombinationCell { .. } => "DPS2018",
            Self::DerivedTwice { .. } => "DPS2019",
            Self::DerivedCycle { .. } => "DPS2020",
            Self::ColumnList { .. } => "DPS2021",
            Self::Step { .. } => "DPS2022",
            Self::NeverMissing { .. } => "DPS2023",
            Self::Refused { .. } => "DPS2030",
            Self::Unsatisfied { .. } => "DPS2031",
            Self::Evaluation => "DPS2032",
            Self::TableMismatch { .. } => "DPS2033",
            Self::WrongShape => "DPS2034",
            Self::NoRoom { .. } => "DPS2035",
        }
    }
}

/// Prints the rule or the condition that an error is about, where there is one.
struct Blamed<'a>(Option<&'a RulePlace>);

impl fmt::Display for Blamed<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            None => Ok(()),
            Some(place) if place.field == RuleField::Where => {
                write!(f, "condition `{}`: ", place.name)
            }
            Some(place) => write!(f, "rule `{}`: ", place.name),
        }
    }
}

/// Prints a share as a percentage that is never shown as nothing.
struct Share(f64);

impl fmt::Display for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let percent = self.0 * 100.0;
        if percent < 0.1 {
            f.write_str("fewer than 0.1 %")
        } else {
            write!(f, "{percent:.1} %")
        }
    }
}
