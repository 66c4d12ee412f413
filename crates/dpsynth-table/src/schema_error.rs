//! What can be wrong with a schema.

use thiserror::Error;

/// A finding about one column of a schema, or about the schema as a whole.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{}{problem}", place(self))]
#[non_exhaustive]
pub struct SchemaError {
    /// The index of the column among those given; nothing when the finding is about the whole schema.
    pub column: Option<usize>,
    /// The name of the column; empty when the finding is about the whole schema.
    pub name: String,
    /// The field at fault, as a policy calls it: `name`, `categories`, `min`, `max`, `cells`,
    /// `spikes`, `decimals`, `format`, `missing`, `missing_tokens`, `after` or `out_of_domain`.
    pub field: &'static str,
    /// What is wrong with it.
    pub problem: SchemaProblem,
}

impl SchemaError {
    /// The codes of all findings about a schema.
    pub const CODES: &'static [&'static str] = SchemaProblem::CODES;

    /// Returns the stable code of the finding.
    #[must_use]
    pub fn code(&self) -> &'static str {
        self.problem.code()
    }
}

fn place(error: &SchemaError) -> String {
    match error.column {
        Some(_) => format!("column `{}`: ", error.name),
        None => String::new(),
    }
}

/// What is wrong with a column, and what to do about it. Categories and tokens are public: they
/// come from the schema, never from a table.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum SchemaProblem {
    /// The distances to another column are not bounded.
    #[error(
        "the distances in `after` make no range; state `at_least` from 0 on and `at_most` above it, \
         each a whole number of what the column counts in"
    )]
    AfterBounds,
    /// Values of one kind do not come after those of another.
    #[error(
        "a column that it comes `after` has values of another kind; all must be dates, timestamps of \
         one precision, whole numbers, or numbers with the same `decimals`, and several must be numbers"
    )]
    AfterKind,
    /// A value after a missing one cannot be said.
    #[error(
        "a column that it comes `after` may be missing and this one may not; set `missing = true`"
    )]
    AfterMissing,
    /// The column that another comes after is none, or comes after a third.
    #[error(
        "there is no column of the name in `after`, or it comes after another itself; name a column that does not"
    )]
    AfterUnknown,
    /// The bucket for what is not listed is not listed either.
    #[error("`out_of_domain` names a category that is not listed; add it to `categories`")]
    BucketNotListed,
    /// Missing values are the target of cells outside the domain, but not allowed.
    #[error(
        "cells outside the domain are to become missing, but missing values are not allowed; set \
         `missing = true` or choose another `out_of_domain`"
    )]
    BecomesMissingNeedsMissing,
    /// A category cannot be moved to the nearest one.
    #[error("categories cannot be clipped; set `out_of_domain` to `missing` or `stop`")]
    ClipOnCategories,
    /// A category is listed twice.
    #[error("the category {category:?} is listed more than once; list it once")]
    DuplicateCategory {
        /// The category.
        category: String,
    },
    /// Another column has the same name.
    #[error("an earlier column has the same name; give every column a name of its own")]
    DuplicateColumn,
    /// A cell for each value needs values that can be listed.
    #[error(
        "a cell for each value needs whole values; state `decimals`, or choose `linear`, `log` or \
         `edges`"
    )]
    EachNeedsWholeNumbers,
    /// An edge is outside the bounds, or not a number.
    #[error("an edge lies outside `min` and `max`; remove it or widen the bounds")]
    EdgeOutOfBounds,
    /// The edges of cells do not increase.
    #[error("the edges do not increase; list them from the smallest to the largest, each once")]
    EdgesNotIncreasing,
    /// The lower bound is above the upper one.
    #[error("`min` is above `max`; exchange or correct them")]
    MinAboveMax,
    /// A token for missing values is also a value of the column.
    #[error(
        "the missing token {token:?} is also a value of the column; remove it from the missing \
         tokens or from the domain"
    )]
    MissingTokenIsValue {
        /// The token.
        token: String,
    },
    /// There are no categories.
    #[error("there are no categories; list at least one")]
    NoCategories,
    /// There are no cells.
    #[error("there are no cells; ask for at least one")]
    NoCells,
    /// There are no columns.
    #[error("there are no columns; describe at least one")]
    NoColumns,
    /// A missing value could not be told from a category when written.
    #[error(
        "missing values are allowed and the empty text is a category, so that nothing can stand \
         for a missing value; add a missing token"
    )]
    NoMissingText,
    /// No number with the declared decimals lies between the bounds.
    #[error(
        "no number with that many decimals lies between `min` and `max`; widen the bounds or \
         allow more decimals"
    )]
    NoValueBetweenBounds,
    /// A bound is infinite or not a number.
    #[error("a bound is not a finite number; state a finite one")]
    NotFinite,
    /// There are more codes than 16 bits can hold.
    #[error(
        "the column has more than {} cells; use fewer cells or categories",
        crate::grid::MAX_CODES
    )]
    TooManyCodes,
    /// More decimals than a number can carry.
    #[error("more than {} decimals; declare fewer", crate::grid::MAX_DECIMALS)]
    TooManyDecimals,
    /// A value that is to stand alone cannot occur.
    #[error("one of `spikes` lies outside `min` and `max`; remove it or widen the bounds")]
    SpikeOutOfBounds,
    /// The bounds and decimals together need more digits than a number can carry.
    #[error("the bounds with that many decimals need more than 15 digits; declare fewer decimals")]
    TooPrecise,
    /// There is no column of that name.
    #[error("the schema has no such column; use the name of one that it has")]
    UnknownColumn,
    /// The date format cannot be written and read back.
    #[error(
        "dates do not survive being written and read in that format; use one that says them \
         completely, such as `%Y-%m-%d`, or `%Y-%m-%d %H:%M` for timestamps"
    )]
    UnusableDateFormat,
}

impl SchemaProblem {
    /// The codes of all problems.
    pub const CODES: &'static [&'static str] = &[
        "DPS1001", "DPS1002", "DPS1003", "DPS1004", "DPS1005", "DPS1006", "DPS1007", "DPS1008",
        "DPS1009", "DPS1010", "DPS1011", "DPS1012", "DPS1013", "DPS1014", "DPS1015", "DPS1016",
        "DPS1017", "DPS1018", "DPS1019", "DPS1020", "DPS1021", "DPS1022", "DPS1023", "DPS1024",
        "DPS1025", "DPS1026",
    ];

    /// Returns the stable code of the problem.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::NoColumns => "DPS1001",
            Self::DuplicateColumn => "DPS1002",
            Self::NoCategories => "DPS1003",
            Self::DuplicateCategory { .. } => "DPS1004",
            Self::MissingTokenIsValue { .. } => "DPS1005",
            Self::MinAboveMax => "DPS1006",
            Self::NotFinite => "DPS1007",
            Self::NoCells => "DPS1008",
            Self::EdgesNotIncreasing => "DPS1009",
            Self::EdgeOutOfBounds => "DPS1010",
            Self::EachNeedsWholeNumbers => "DPS1011",
            Self::TooManyCodes => "DPS1012",
            Self::TooManyDecimals => "DPS1013",
            Self::TooPrecise => "DPS1014",
            Self::NoValueBetweenBounds => "DPS1015",
            Self::UnusableDateFormat => "DPS1016",
            Self::BecomesMissingNeedsMissing => "DPS1017",
            Self::ClipOnCategories => "DPS1018",
            Self::NoMissingText => "DPS1019",
            Self::UnknownColumn => "DPS1020",
            Self::AfterUnknown => "DPS1021",
            Self::AfterKind => "DPS1022",
            Self::AfterBounds => "DPS1023",
            Self::AfterMissing => "DPS1024",
            Self::BucketNotListed => "DPS1025",
            Self::SpikeOutOfBounds => "DPS1026",
        }
    }

    /// The field of a column that the problem points at.
    pub(crate) fn field(&self) -> &'static str {
        match self {
            Self::NoColumns | Self::DuplicateColumn | Self::UnknownColumn => "name",
            Self::NoCategories | Self::DuplicateCategory { .. } => "categories",
            Self::MissingTokenIsValue { .. } | Self::NoMissingText => "missing_tokens",
            Self::MinAboveMax | Self::NoValueBetweenBounds => "max",
            Self::NotFinite => "min",
            Self::NoCells
            | Self::EdgesNotIncreasing
            | Self::EdgeOutOfBounds
            | Self::EachNeedsWholeNumbers
            | Self::TooManyCodes => "cells",
            Self::SpikeOutOfBounds => "spikes",
            Self::TooManyDecimals | Self::TooPrecise => "decimals",
            Self::UnusableDateFormat => "format",
            Self::AfterUnknown | Self::AfterKind | Self::AfterBounds | Self::AfterMissing => {
                "after"
            }
            Self::BecomesMissingNeedsMissing | Self::BucketNotListed | Self::ClipOnCategories => {
                "out_of_domain"
            }
        }
    }
}
