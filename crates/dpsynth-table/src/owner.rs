//! The column that tells privacy units apart: read to group rows, never to be written.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use foldhash::quality::RandomState;

use crate::encode::{Cell, CellProblem};

/// The column whose equal values belong to one unit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwnerColumn {
    /// The name in the header; no column of the schema.
    pub name: String,
    /// The exact texts that stand for a missing value; an empty cell does too.
    pub missing_tokens: Vec<String>,
}

impl OwnerColumn {
    /// Starts to number owners.
    pub(crate) fn owners(&self) -> Owners<'_> {
        Owners {
            column: self,
            known: HashMap::default(),
            numbers: Vec::new(),
        }
    }
}

/// The owners of the rows so far, numbered from 0 in the order in which they first appear.
pub(crate) struct Owners<'a> {
    column: &'a OwnerColumn,
    known: HashMap<String, u32, RandomState>,
    /// The number of each row's owner.
    pub(crate) numbers: Vec<u32>,
}

impl Owners<'_> {
    /// Takes the owner of the next row.
    ///
    /// Texts are compared without the white space around them: one owner too few protects more,
    /// one too many would protect less.
    ///
    /// # Errors
    /// When the cell is missing: a row of nobody could be anybody's.
    pub(crate) fn take(&mut self, cell: Cell<'_>) -> Result<(), CellProblem> {
        let text = match cell {
            Cell::Text(text) => text.trim(),
            _ => "",
        };
        let tokens = &self.column.missing_tokens;
        if text.is_empty() || tokens.iter().any(|token| token.trim() == text) {
            return Err(CellProblem::Missing);
        }
        let number = match self.known.get(text) {
            Some(&number) => number,
            None => {
                // OK because a table of more rows than 32 bits count is refused as a whole.
                let next = u32::try_from(self.known.len()).unwrap_or(u32::MAX);
                self.known.insert(text.to_owned(), next);
                next
            }
        };
        self.numbers.push(number);
        Ok(())
    }
}

/// Texts, each of which is held once.
#[derive(Default)]
pub(crate) struct Texts {
    // The hash is seeded at random, so that nobody can write a table whose texts collide.
    known: HashSet<Arc<str>, RandomState>,
}

impl Texts {
    /// Returns the text as it is held.
    pub(crate) fn shared(&mut self, text: &str) -> Arc<str> {
        if let Some(known) = self.known.get(text) {
            return Arc::clone(known);
        }
        let new: Arc<str> = text.into();
        self.known.insert(Arc::clone(&new));
        new
    }
}
