//! Plain columns, of one length and with different names.

use std::collections::BTreeSet;

use crate::error::EvaluateError;

/// A column, whoever's rows they are.
#[derive(Clone, Debug, PartialEq)]
pub struct Column {
    /// The name.
    pub name: String,
    /// One value for each row.
    pub values: Values,
}

/// The values of a column; nothing stands for a missing one.
#[derive(Clone, Debug, PartialEq)]
pub enum Values {
    /// Numbers; days count as numbers.
    Numeric(Vec<Option<f64>>),
    /// Positions in a list of levels.
    Category {
        /// The positions.
        codes: Vec<Option<u32>>,
        /// The levels.
        levels: Vec<String>,
    },
}

impl Values {
    fn len(&self) -> usize {
        match self {
            Self::Numeric(values) => values.len(),
            Self::Category { codes, .. } => codes.len(),
        }
    }
}

/// Columns of one length, at least one row long, with different names.
#[derive(Clone, Debug, PartialEq)]
pub struct Table {
    columns: Vec<Column>,
    rows: usize,
}

impl Table {
    /// Makes a table of columns.
    ///
    /// # Errors
    /// If there is no column or no row, lengths differ, a name is there twice, a number is not
    /// finite, or a position is beyond its levels.
    pub fn new(columns: Vec<Column>) -> Result<Self, EvaluateError> {
        let rows = columns.first().map_or(0, |first| first.values.len());
        if rows == 0 {
            return Err(EvaluateError::Empty);
        }
        let mut names = BTreeSet::new();
        for column in &columns {
            let fits = match &column.values {
                Values::Numeric(values) => values.iter().flatten().all(|value| value.is_finite()),
                Values::Category { codes, levels } => codes
                    .iter()
                    .flatten()
                    .all(|&code| (code as usize) < levels.len()),
            };
            if !fits || column.values.len() != rows || !names.insert(column.name.as_str()) {
                return Err(EvaluateError::Malformed {
                    column: column.name.clone(),
                });
            }
        }
        Ok(Self { columns, rows })
    }

    /// The columns.
    #[must_use]
    pub fn columns(&self) -> &[Column] {
        &self.columns
    }

    /// Number of rows, at least 1.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// The column of that name and kind.
    pub(crate) fn like(&self, model: &Column) -> Option<&Column> {
        self.columns.iter().find(|column| {
            column.name == model.name
                && matches!(
                    (&column.values, &model.values),
                    (Values::Numeric(_), Values::Numeric(_))
                        | (Values::Category { .. }, Values::Category { .. })
                )
        })
    }
}
