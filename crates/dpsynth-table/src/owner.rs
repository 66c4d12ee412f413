//! The column that tells privacy units apart: read to group rows, never to be written.

use std::collections::HashMap;

use polars::prelude::Series;

use crate::encode::{Cell, CellProblem};
use crate::error::TableError;
use crate::schema::Domain;
use crate::series;

/// The column whose equal values belong to one unit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwnerColumn {
    /// The name in the header; no column of the schema.
    pub name: String,
    /// The exact texts that stand for a missing value; an empty cell does too.
    pub missing_tokens: Vec<String>,
}

impl OwnerColumn {
    /// Numbers the owners of the rows from 0, in the order in which they first appear.
    ///
    /// Texts are compared without the white space around them: one owner too few protects more,
    /// one too many would protect less. `position` is the column's place in the file, from 1.
    ///
    /// # Errors
    /// When a cell is missing: a row of nobody could be anybody's.
    pub(crate) fn owners(&self, cells: &Series, position: usize) -> Result<Vec<u32>, TableError> {
        let mut numbers: HashMap<String, u32> = HashMap::new();
        let mut owners = Vec::with_capacity(cells.len());
        // What is not text is compared as it would be written.
        let texts = Domain::Categorical {
            categories: Vec::new(),
        };
        series::for_each_cell(cells, &texts, &self.name, position, |row, cell| {
            let text = match cell {
                Cell::Text(text) => text.trim(),
                _ => "",
            };
            if text.is_empty() || self.missing_tokens.iter().any(|token| token.trim() == text) {
                return Err(TableError::of_cell(&self.name, row, CellProblem::Missing));
            }
            let number = match numbers.get(text) {
                Some(&number) => number,
                None => {
                    // OK because a table of more rows than 32 bits count is refused as a whole.
                    let next = u32::try_from(numbers.len()).unwrap_or(u32::MAX);
                    numbers.insert(text.to_owned(), next);
                    next
                }
            };
            owners.push(number);
            Ok(())
        })?;
        Ok(owners)
    }
}
