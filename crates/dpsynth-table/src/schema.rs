//! What the owner of a table declares in public about its columns. Nothing here is learned from data.

use chrono::{NaiveDate, NaiveDateTime};
use serde::{Deserialize, Serialize};

use crate::duration::DurationForm;
use crate::encode::Coder;
use crate::identifier::IdFormat;
use crate::schema_error::{SchemaError, SchemaProblem};

/// The columns of a table, in order, with their domains. Exists only if it is consistent.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(try_from = "Vec<Column>", into = "Vec<Column>")]
pub struct Schema {
    columns: Vec<Column>,
    coders: Vec<Coder>,
}

impl Schema {
    /// Checks the columns and builds a schema of them.
    ///
    /// # Errors
    /// All findings about all columns, at least one, in the order of the columns.
    pub fn new(columns: Vec<Column>) -> Result<Self, Vec<SchemaError>> {
        let mut coders = Vec::with_capacity(columns.len());
        let mut findings = Vec::new();
        for (index, column) in columns.iter().enumerate() {
            let mut find = |field, problem| {
                findings.push(SchemaError {
                    column: Some(index),
                    name: column.name.clone(),
                    field,
                    problem,
                });
            };
            if columns[..index]
                .iter()
                .any(|other| other.name == column.name)
            {
                let problem = SchemaProblem::DuplicateColumn;
                find(problem.field(), problem);
            }
            match Coder::new(column) {
                Ok(coder) => coders.push(coder),
                Err(problems) => {
                    for problem in problems {
                        find(column.field_of(&problem), problem);
                    }
                }
            }
        }
        if columns.is_empty() {
            findings.push(whole_schema(SchemaProblem::NoColumns));
        }
        if findings.is_empty() {
            findings.extend(follow(&columns, &mut coders));
        }
        match findings.is_empty() {
            true => Ok(Self { columns, coders }),
            false => Err(findings),
        }
    }

    /// Returns the columns in order, at least one.
    #[must_use]
    pub fn columns(&self) -> &[Column] {
        &self.columns
    }

    /// Returns what turns cells of each column into codes and back, in the order of the columns.
    #[must_use]
    pub fn coders(&self) -> &[Coder] {
        &self.coders
    }

    /// Returns the number of codes of each column, in order. A column's codes are the numbers
    /// from 0 to before that.
    #[must_use]
    pub fn codes(&self) -> Vec<u32> {
        self.coders.iter().map(Coder::codes).collect()
    }

    /// Returns the names of the columns, in order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.columns.iter().map(|column| column.name.as_str())
    }

    /// Returns the position of the column with that name.
    #[must_use]
    pub fn position(&self, name: &str) -> Option<usize> {
        self.columns.iter().position(|column| column.name == name)
    }

    /// Returns the column with that name.
    #[must_use]
    pub fn column(&self, name: &str) -> Option<&Column> {
        self.columns.iter().find(|column| column.name == name)
    }

    /// Returns a schema of the named columns only, in the order of the names.
    ///
    /// # Errors
    /// When a name is unknown or given twice, or when there is none.
    pub fn select(&self, names: &[&str]) -> Result<Self, SchemaError> {
        let columns = names.iter().map(|name| self.known(name).cloned());
        Self::try_from(columns.collect::<Result<Vec<_>, _>>()?)
    }

    /// Returns a schema without the named columns, the others in their order.
    ///
    /// # Errors
    /// When a name is unknown, or when no column remains.
    pub fn without(&self, names: &[String]) -> Result<Self, SchemaError> {
        for name in names {
            self.known(name)?;
        }
        let columns = self
            .columns
            .iter()
            .filter(|column| !names.contains(&column.name));
        Self::try_from(columns.cloned().collect::<Vec<_>>())
    }

    /// Returns the schema with every numeric and date column cut finely; a column with a cell for
    /// each value stays as it is.
    ///
    /// # Errors
    /// When a column then has too many cells, which no range leads to.
    pub fn finer(&self) -> Result<Self, SchemaError> {
        let columns = self.columns.iter().cloned().map(|mut column| {
            match &mut column.domain {
                Domain::Categorical { .. } | Domain::Identifier { .. } => {}
                Domain::Date { cells, .. }
                | Domain::Duration { cells, .. }
                | Domain::Float { cells, .. }
                | Domain::Integer { cells, .. }
                | Domain::Timestamp { cells, .. } => {
                    *cells = cells.clone().finer();
                }
            }
            column
        });
        Self::try_from(columns.collect::<Vec<_>>())
    }

    fn known(&self, name: &str) -> Result<&Column, SchemaError> {
        self.column(name).ok_or_else(|| SchemaError {
            name: name.to_owned(),
            ..whole_schema(SchemaProblem::UnknownColumn)
        })
    }
}

impl PartialEq for Schema {
    fn eq(&self, other: &Self) -> bool {
        // The rest follows from the columns.
        self.columns == other.columns
    }
}

impl TryFrom<Vec<Column>> for Schema {
    type Error = SchemaError;

    /// Checks the columns and builds a schema of them, or returns the first finding.
    fn try_from(columns: Vec<Column>) -> Result<Self, SchemaError> {
        // OK because `Schema::new` fails with one finding at least.
        Self::new(columns).map_err(|mut findings| findings.swap_remove(0))
    }
}

impl From<Schema> for Vec<Column> {
    fn from(schema: Schema) -> Self {
        schema.columns
    }
}

/// Tells each coder which column its own follows, and returns what is wrong with that.
fn follow(columns: &[Column], coders: &mut [Coder]) -> Vec<SchemaError> {
    let mut findings = Vec::new();
    for (index, column) in columns.iter().enumerate() {
        let Some(after) = &column.after else { continue };
        let base = |name: &String| {
            let base = columns.iter().position(|it| it.name == *name)?;
            columns[base].after.is_none().then_some(base)
        };
        let bases: Option<Vec<usize>> = after.columns.iter().map(base).collect();
        let followed = match bases.filter(|bases| !bases.is_empty()) {
            Some(bases) => {
                let may_miss = |base: &usize| columns[*base].missing == Missing::Allowed;
                let first: Vec<Coder> = bases.iter().map(|base| coders[*base].clone()).collect();
                match column.missing == Missing::Refused && bases.iter().any(may_miss) {
                    true => Err(SchemaProblem::AfterMissing),
                    false => coders[index].follow(bases, &first, after),
                }
            }
            None => Err(SchemaProblem::AfterUnknown),
        };
        if let Err(problem) = followed {
            findings.push(SchemaError {
                column: Some(index),
                name: column.name.clone(),
                field: problem.field(),
                problem,
            });
        }
    }
    findings
}

fn whole_schema(problem: SchemaProblem) -> SchemaError {
    SchemaError {
        column: None,
        name: String::new(),
        field: problem.field(),
        problem,
    }
}

/// One column: its name, its values and what becomes of other cells.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Column {
    /// The name in the header. The empty name is legal.
    pub name: String,
    /// The values that the column may have.
    pub domain: Domain,
    /// Whether a value may be missing.
    pub missing: Missing,
    /// What becomes of a cell outside the domain.
    pub out_of_domain: OutOfDomain,
    /// The exact texts that stand for a missing value. An empty cell does too, unless the empty
    /// text is a category.
    pub missing_tokens: Vec<String>,
    /// The column that this one's values come after; a distance outside the bounds is like a value
    /// outside the domain.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<After>,
}

impl Column {
    /// Returns the number of codes of the column, the one for missing values included: at most
    /// [`MAX_CODES`](crate::MAX_CODES), and 0 for a column that no schema accepts.
    ///
    /// It works the cells out anew; [`Schema::codes`] does not.
    #[must_use]
    pub fn codes(&self) -> u32 {
        Coder::new(self).map_or(0, |coder| coder.codes())
    }

    /// Returns the text that is written for a missing value.
    #[must_use]
    pub fn missing_text(&self) -> &str {
        self.missing_tokens.first().map_or("", String::as_str)
    }

    /// Names the field to point at, where the problem alone does not tell.
    fn field_of(&self, problem: &SchemaProblem) -> &'static str {
        match (problem, &self.domain) {
            (SchemaProblem::NotFinite, Domain::Float { min, .. }) if min.is_finite() => "max",
            (SchemaProblem::TooManyCodes, Domain::Categorical { .. }) => "categories",
            _ => problem.field(),
        }
    }
}

/// The values that a column may have.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Domain {
    /// One of a list of texts.
    Categorical {
        /// The texts, each once. Their order is that of the codes.
        categories: Vec<String>,
    },
    /// Days.
    Date {
        /// The first day.
        #[serde(with = "iso_date")]
        min: NaiveDate,
        /// The last day.
        #[serde(with = "iso_date")]
        max: NaiveDate,
        /// How a day is written in text, as `strftime` has it. A time of day may be part of the
        /// format: it is not kept, and written as midnight.
        format: String,
        /// How the days are cut into cells. Edges count in days from 1970-01-01.
        cells: Cells,
    },
    /// Lengths of time.
    Duration {
        /// The shortest, in the unit that the form counts.
        min: i64,
        /// The longest.
        max: i64,
        /// How one is written in text.
        form: DurationForm,
        /// How the range is cut into cells. Edges count in the form's unit.
        cells: Cells,
    },
    /// Numbers with a fraction.
    Float {
        /// The smallest value.
        min: f64,
        /// The largest value.
        max: f64,
        /// The number of decimals that are written and to which values are rounded, at most
        /// [`MAX_DECIMALS`](crate::MAX_DECIMALS); nothing for as many as it takes.
        decimals: Option<u8>,
        /// How the numbers are cut into cells.
        cells: Cells,
    },
    /// Identifiers that are made up: nothing is learned of them, and none is read from a file of
    /// private records. A column of them has a single code.
    Identifier {
        /// How they are written.
        format: IdFormat,
    },
    /// Whole numbers.
    Integer {
        /// The smallest value.
        min: i64,
        /// The largest value.
        max: i64,
        /// How the numbers are cut into cells.
        cells: Cells,
    },
    /// Days with a time, or times of a day.
    Timestamp {
        /// The first one, in universal time where the format says how far it is from that.
        #[serde(with = "iso_instant")]
        min: NaiveDateTime,
        /// The last one.
        #[serde(with = "iso_instant")]
        max: NaiveDateTime,
        /// How one is written in text, as `strftime` has it. It also says what is kept: hours,
        /// minutes or seconds. Without a day in it, days do not count.
        format: String,
        /// How the range is cut into cells. Edges count in seconds, minutes or hours since
        /// 1970-01-01, as the format has them. Fine cells are full minutes, hours or days.
        cells: Cells,
    },
}

/// Says that the values of a column come after those of another, or exceed the sum of others. What is
/// modelled is the distance, so rows are drawn so.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct After {
    /// The other column, or several columns of numbers whose sum counts. None of them follows others
    /// itself, and their values are of the same kind.
    pub columns: Vec<String>,
    /// The smallest distance, 0 or more: in days for dates, in seconds for timestamps.
    pub at_least: f64,
    /// The largest distance.
    pub at_most: f64,
}

/// How the range of a numeric column is cut into cells.
///
/// Where values are whole (integers, days, numbers with declared decimals) no cell is empty, and a
/// count above the number of values means one cell for each.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Cells {
    /// One cell for each value. Not for numbers without declared decimals.
    Each,
    /// Cells that start at the given edges, and at the lower bound. The upper bound may be given
    /// as the last edge, and is implied otherwise.
    Edges {
        /// The edges, increasing, between the bounds.
        edges: Vec<f64>,
    },
    /// As fine as counts of single columns can use: one cell for each value of a short range of whole
    /// values, otherwise about 700 cells that widen away from zero, with cells of their own for
    /// zero, for the bounds and, where a float column is narrow enough, for whole numbers.
    Fine,
    /// Cells that widen away from zero on both sides, as ln(1 + |x| / unit) grows evenly. The unit
    /// is 1, or a thousandth of the largest bound of a float column if that is less. Among whole
    /// values zero has a cell of its own.
    Log {
        /// The number of cells.
        count: u32,
    },
    /// Cells of equal width.
    Linear {
        /// The number of cells.
        count: u32,
    },
    /// Cells as stated, of which some values stand out, each in a cell of its own.
    Spiked {
        /// The cells between them.
        cells: Box<Cells>,
        /// The values, in any order.
        spikes: Vec<f64>,
    },
}

impl Cells {
    /// Cells as fine as counts can use; those for each value stay, and so do values that stand alone.
    fn finer(self) -> Self {
        match self {
            Self::Each => Self::Each,
            Self::Spiked { cells, spikes } => Self::Spiked {
                cells: Box::new(cells.finer()),
                spikes,
            },
            _ => Self::Fine,
        }
    }

    /// The values that stand alone wherever the cells are cut.
    #[must_use]
    pub fn spikes(&self) -> &[f64] {
        match self {
            Self::Spiked { spikes, .. } => spikes,
            _ => &[],
        }
    }
}

/// Whether a value may be missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Missing {
    /// A missing value is a value like others, with a code of its own.
    Allowed,
    /// A missing value stops the reading.
    Refused,
}

/// What becomes of a cell outside the domain.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OutOfDomain {
    /// It becomes this category: the bucket for all that is not listed.
    BecomesCategory(String),
    /// It becomes a missing value.
    BecomesMissing,
    /// A number or date below or above the bounds becomes the bound. Anything else stops the
    /// reading.
    Clip,
    /// It stops the reading.
    Stop,
}

/// Dates in files of ours, whatever their format in tables.
mod iso_date {
    use chrono::NaiveDate;
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    const FORMAT: &str = "%Y-%m-%d";

    pub(super) fn serialize<S: Serializer>(date: &NaiveDate, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(&date.format(FORMAT))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<NaiveDate, D::Error> {
        let text = String::deserialize(from)?;
        NaiveDate::parse_from_str(&text, FORMAT)
            .map_err(|_| D::Error::custom("expected a date as `2000-12-31`"))
    }
}

/// Days with a time in files of ours.
mod iso_instant {
    use chrono::NaiveDateTime;
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    const FORMAT: &str = "%Y-%m-%dT%H:%M:%S";

    pub(super) fn serialize<S: Serializer>(at: &NaiveDateTime, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(&at.format(FORMAT))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        from: D,
    ) -> Result<NaiveDateTime, D::Error> {
        let text = String::deserialize(from)?;
        NaiveDateTime::parse_from_str(&text, FORMAT)
            .map_err(|_| D::Error::custom("expected a time as `2000-12-31T23:59:59`"))
    }
}

#[cfg(test)]
mod tests;
