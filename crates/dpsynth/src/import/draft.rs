//! What is known of a table before its policy is written, whichever file said it.

use super::error::ImportError;

/// What is known of a table: the draft of a policy.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Draft {
    /// What the data set is called.
    pub name: Option<String>,
    /// The table's file.
    pub file: Option<String>,
    /// The character between cells of a CSV file.
    pub delimiter: Option<char>,
    /// Cells that mean missing.
    pub missing_tokens: Option<Vec<String>>,
    /// Whose participation is hidden.
    pub unit: DraftUnit,
    /// What helps the owner to say how many units there are.
    pub units_hint: Option<String>,
    /// The columns, in the order of the table.
    pub columns: Vec<DraftColumn>,
    /// What a sensible row is.
    pub rules: Vec<DraftRule>,
}

/// Whose participation is hidden.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DraftUnit {
    /// Nobody has said; the hint helps to.
    Unknown {
        /// What the description says about it.
        hint: Option<String>,
    },
    /// A row.
    Row {
        /// What the description says besides.
        hint: Option<String>,
    },
    /// All rows with the same value of a column.
    User {
        /// The column.
        column: String,
        /// The most rows of one person that are used.
        max_rows: Option<i64>,
    },
}

impl Default for DraftUnit {
    fn default() -> Self {
        Self::Unknown { hint: None }
    }
}

/// What is known of a column.
#[derive(Clone, Debug, PartialEq)]
pub struct DraftColumn {
    /// Its name in the header.
    pub name: String,
    /// What it holds.
    pub kind: DraftKind,
    /// Whether cells may be missing.
    pub missing: Option<bool>,
    /// Remarks that become comments.
    pub notes: Vec<String>,
    /// Where bounds and categories come from.
    pub reason: Option<String>,
}

impl DraftColumn {
    /// A column of which nothing else is known.
    pub(super) fn new(name: String, kind: DraftKind) -> Self {
        Self {
            name,
            kind,
            missing: None,
            notes: Vec::new(),
            reason: None,
        }
    }
}

/// What a column holds, as far as it is known.
#[derive(Clone, Debug, PartialEq)]
pub enum DraftKind {
    /// Nobody has said.
    Unknown,
    /// A number, whole or not.
    Number,
    /// One of some values.
    Categorical {
        /// The values, where they are listed.
        categories: Option<Vec<String>>,
        /// Whether they are listed from the least to the most.
        ordered: bool,
    },
    /// One of some values, which the description says nobody has listed.
    Open,
    /// True or false.
    Boolean,
    /// A whole number.
    Integer {
        /// The smallest value.
        min: Option<i64>,
        /// The largest value.
        max: Option<i64>,
    },
    /// A number.
    Float {
        /// The smallest value.
        min: Option<f64>,
        /// The largest value.
        max: Option<f64>,
    },
    /// A day, or a time where the format says one.
    Time {
        /// How it is written.
        format: Option<String>,
        /// The first, in that format.
        min: Option<String>,
        /// The last, in that format.
        max: Option<String>,
    },
    /// What names a person or a record.
    Id {
        /// How made-up ones are written.
        format: Option<String>,
    },
}

/// What a sensible row is, as a description says it.
#[derive(Clone, Debug, PartialEq)]
pub struct DraftRule {
    /// What the rule is called.
    pub name: String,
    /// What it demands.
    pub body: RuleBody,
}

/// What a rule demands.
#[derive(Clone, Debug, PartialEq)]
pub enum RuleBody {
    /// One column is at most, or less than, another.
    Inequality {
        /// The smaller.
        low: String,
        /// The larger.
        high: String,
        /// Whether they must differ.
        strict: bool,
    },
    /// A number lies within bounds.
    Range {
        /// The column.
        column: String,
        /// The lower bound.
        min: Option<f64>,
        /// The upper bound.
        max: Option<f64>,
    },
    /// An expression is not false.
    Sql(String),
    /// Columns take one of some combinations, which the owner lists.
    FixedCombinations {
        /// The columns.
        columns: Vec<String>,
    },
    /// A number is a multiple of a step.
    FixedIncrements {
        /// The column.
        column: String,
        /// The step.
        step: u64,
    },
    /// Columns are missing together in some ways, which the owner lists.
    FixedNulls {
        /// The columns.
        columns: Vec<String>,
    },
    /// A number's bounds depend on other columns; the owner states them.
    MixedScales {
        /// The columns that they depend on.
        by: Vec<String>,
        /// The number.
        column: String,
    },
    /// Exactly one of the columns is 1.
    OneHot {
        /// The columns.
        columns: Vec<String>,
    },
    /// No two rows are alike in the columns.
    Unique {
        /// The columns.
        columns: Vec<String>,
    },
    /// Something that has to be put in words by the owner.
    Unclear {
        /// What the description says.
        said: String,
    },
}

/// A value in a rule.
#[derive(Clone, Debug, PartialEq)]
pub enum Scalar {
    /// A number.
    Number(f64),
    /// A text, such as a date.
    Text(String),
}

impl Draft {
    /// Drafts what a header alone says: the names of the columns.
    pub fn of_header(header: &[String]) -> Self {
        let unknown = |name: &String| DraftColumn::new(name.clone(), DraftKind::Unknown);
        Self {
            columns: header.iter().map(unknown).collect(),
            ..Self::default()
        }
    }

    /// Puts the columns into the order of the table's header. A column of the table that is not
    /// described becomes a question.
    ///
    /// # Errors
    /// When columns are described that the table does not have.
    pub fn arranged(mut self, header: &[String]) -> Result<Self, ImportError> {
        let described = std::mem::take(&mut self.columns);
        let (known, others): (Vec<_>, Vec<_>) =
            (described.into_iter()).partition(|column| header.contains(&column.name));
        if !others.is_empty() {
            let columns = others.into_iter().map(|column| column.name).collect();
            return Err(ImportError::OtherColumns { columns });
        }
        let mut arranged = Self::of_header(header).columns;
        for column in known {
            if let Some(place) = arranged.iter_mut().find(|place| place.name == column.name) {
                *place = column;
            }
        }
        self.columns = arranged;
        Ok(self)
    }
}
