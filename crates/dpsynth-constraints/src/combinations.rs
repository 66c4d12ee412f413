//! Columns that together take one of the combinations that a policy lists.

use std::collections::HashMap;

use dpsynth_table::Column as SchemaColumn;
use polars::prelude::{Column, DataFrame, DataType, NewChunkedArray, PolarsResult};
use polars::prelude::{Float64Chunked, Int32Chunked, Int64Chunked, IntoColumn, StringChunked};

use crate::columns::{Cell, MOMENTS};

/// The allowed combinations of some columns.
#[derive(Clone, Debug)]
pub(crate) struct Combinations {
    columns: Vec<String>,
    /// The cells of each allowed combination, in the order of the columns.
    allowed: Vec<Vec<Cell>>,
    /// The same as codes.
    allowed_codes: Vec<Vec<u32>>,
    /// For each column, a number for each value that occurs in a combination.
    codes: Vec<HashMap<Key, u32>>,
    /// The combinations that begin with a sequence of codes; a whole combination is a key too.
    by_prefix: HashMap<Vec<u32>, Vec<usize>>,
}

impl Combinations {
    /// Indexes combinations whose every cell fits its column.
    pub(crate) fn new(columns: &[&SchemaColumn], listed: Vec<Vec<Cell>>) -> Self {
        let mut codes: Vec<HashMap<Key, u32>> = vec![HashMap::new(); columns.len()];
        let mut by_prefix: HashMap<Vec<u32>, Vec<usize>> = HashMap::new();
        let mut allowed = Vec::with_capacity(listed.len());
        let mut allowed_codes = Vec::with_capacity(listed.len());
        for cells in listed {
            let key: Vec<u32> = cells
                .iter()
                .zip(&mut codes)
                .map(|(cell, codes)| {
                    // OK because a policy file cannot list four billion combinations.
                    let next =
                        u32::try_from(codes.len()).expect("fewer combinations than u32 counts");
                    *codes.entry(Key::from(cell)).or_insert(next)
                })
                .collect();
            // Listed twice is allowed once: it must not be drawn twice as often.
            if by_prefix.contains_key(&key) {
                continue;
            }
            for length in 1..=key.len() {
                by_prefix
                    .entry(key[..length].to_vec())
                    .or_default()
                    .push(allowed.len());
            }
            allowed.push(cells);
            allowed_codes.push(key);
        }
        let columns = columns.iter().map(|column| column.name.clone()).collect();
        Self {
            columns,
            allowed,
            allowed_codes,
            codes,
            by_prefix,
        }
    }

    /// Returns which rows break the rule; a row with a missing cell does not.
    pub(crate) fn broken(&self, table: &DataFrame) -> PolarsResult<Vec<bool>> {
        Ok(self
            .keys(table)?
            .iter()
            .map(|key| self.breaks(key))
            .collect())
    }

    /// Replaces each broken row's cells by an allowed combination that agrees in as many leading
    /// columns as possible. A row whose first cell is in no combination stays as it is.
    ///
    /// Among several, one is drawn by how often its other cells occur in the table, so that a column
    /// that is repaired keeps about the shares that it was drawn with.
    pub(crate) fn repair(
        &self,
        table: &mut DataFrame,
        uniform: &mut dyn FnMut() -> f64,
    ) -> PolarsResult<()> {
        let keys = self.keys(table)?;
        let occurrences = self.occurrences(&keys);
        let chosen: Vec<Option<usize>> = keys
            .iter()
            .map(|key| {
                if self.breaks(key) {
                    self.closest(key, &occurrences, uniform)
                } else {
                    None
                }
            })
            .collect();
        for (position, name) in self.columns.iter().enumerate() {
            let cells: Vec<Option<&Cell>> = chosen
                .iter()
                .map(|entry| entry.map(|entry| &self.allowed[entry][position]))
                .collect();
            let repaired = replace(table.column(name)?, &cells)?;
            table.with_column(repaired)?;
        }
        Ok(())
    }

    /// Returns whether there are two columns, and the value of the first leaves one of the second.
    pub(crate) fn first_decides(&self) -> bool {
        let alone = |(key, entries): (&Vec<u32>, &Vec<usize>)| key.len() > 1 || entries.len() == 1;
        self.columns.len() == 2 && self.by_prefix.iter().all(alone)
    }

    /// Computes the second column, where the first decides it, and tells the rows whose first value is
    /// in no combination.
    pub(crate) fn second(
        &self,
        table: &DataFrame,
        dtype: &DataType,
    ) -> PolarsResult<(Column, Vec<bool>)> {
        let [first, second] = self.columns.as_slice() else {
            unreachable!("compiled only where the first of two columns decides");
        };
        let keys = self.codes_of(table, first, &self.codes[0])?;
        let decided = |code: &Code| match code {
            Code::Listed(code) => self.by_prefix.get(&vec![*code]).map(|entries| entries[0]),
            Code::Missing | Code::Unlisted => None,
        };
        let cells: Vec<Option<&Cell>> = keys
            .iter()
            .map(|code| decided(code).map(|entry| &self.allowed[entry][1]))
            .collect();
        let nothing = Column::full_null(second.as_str().into(), table.height(), dtype);
        let unlisted = keys.iter().map(|code| *code == Code::Unlisted).collect();
        Ok((replace(&nothing, &cells)?, unlisted))
    }

    /// Returns for each row which of the combinations it has, in the order in which they were listed.
    pub(crate) fn entries(&self, table: &DataFrame) -> PolarsResult<Vec<Option<usize>>> {
        let entry = |key: &Vec<Code>| {
            let entries = self.by_prefix.get(&known(key)?)?;
            entries.first().copied()
        };
        Ok(self.keys(table)?.iter().map(entry).collect())
    }

    fn breaks(&self, key: &[Code]) -> bool {
        if key.contains(&Code::Missing) {
            return false;
        }
        !known(key).is_some_and(|key| self.by_prefix.contains_key(&key))
    }

    fn closest(
        &self,
        key: &[Code],
        occurrences: &[Vec<f64>],
        uniform: &mut dyn FnMut() -> f64,
    ) -> Option<usize> {
        let (agreeing, candidates) = (1..key.len()).rev().find_map(|length| {
            let candidates = self.by_prefix.get(&known(&key[..length])?)?;
            Some((length, candidates))
        })?;
        let weight = |candidate: &usize| -> f64 {
            let others = self.allowed_codes[*candidate].iter().zip(occurrences);
            others
                .skip(agreeing)
                .map(|(&code, occurrences)| occurrences[code as usize])
                .product()
        };
        let total: f64 = candidates.iter().map(weight).sum();
        let mut left = uniform() * total;
        let drawn = candidates.iter().find(|candidate| {
            left -= weight(candidate);
            left < 0.0
        });
        // Rounding, and a draw of exactly one, which the contract excludes, take the last candidate.
        drawn.or(candidates.last()).copied()
    }

    /// Returns how often each code of each column occurs, and once more, so that none is impossible.
    fn occurrences(&self, keys: &[Vec<Code>]) -> Vec<Vec<f64>> {
        let mut occurrences: Vec<Vec<f64>> = self
            .codes
            .iter()
            .map(|codes| vec![1.0; codes.len()])
            .collect();
        for key in keys {
            for (code, occurrences) in key.iter().zip(&mut occurrences) {
                if let Code::Listed(code) = code {
                    occurrences[*code as usize] += 1.0;
                }
            }
        }
        occurrences
    }

    /// Returns the codes of each row's cells.
    fn keys(&self, table: &DataFrame) -> PolarsResult<Vec<Vec<Code>>> {
        let mut keys = vec![Vec::with_capacity(self.columns.len()); table.height()];
        for (name, codes) in self.columns.iter().zip(&self.codes) {
            for (key, code) in keys.iter_mut().zip(self.codes_of(table, name, codes)?) {
                key.push(code);
            }
        }
        Ok(keys)
    }

    /// Returns the codes of a column's cells.
    fn codes_of(
        &self,
        table: &DataFrame,
        name: &str,
        codes: &HashMap<Key, u32>,
    ) -> PolarsResult<Vec<Code>> {
        let code = |key: Option<Key>| match key {
            None => Code::Missing,
            Some(key) => codes
                .get(&key)
                .map_or(Code::Unlisted, |code| Code::Listed(*code)),
        };
        let column = table.column(name)?;
        let cells: Vec<Option<Key>> = match column.dtype() {
            DataType::String => column
                .str()?
                .iter()
                .map(|cell| cell.map(|text| Key::Text(text.into())))
                .collect(),
            DataType::Int64 => column
                .i64()?
                .iter()
                .map(|cell| cell.map(Key::Integer))
                .collect(),
            DataType::Float64 => column
                .f64()?
                .iter()
                .map(|cell| cell.map(Key::float))
                .collect(),
            DataType::Datetime(..) => column
                .datetime()?
                .physical()
                .iter()
                .map(|cell| cell.map(Key::Moment))
                .collect(),
            _ => column
                .date()?
                .physical()
                .iter()
                .map(|cell| cell.map(Key::Date))
                .collect(),
        };
        Ok(cells.into_iter().map(code).collect())
    }
}

/// What a rule knows of a cell.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Code {
    Listed(u32),
    Missing,
    Unlisted,
}

/// A cell as a key of a map.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
enum Key {
    Date(i32),
    Float(u64),
    Integer(i64),
    Moment(i64),
    Text(String),
}

impl Key {
    fn float(value: f64) -> Self {
        // Adding zero makes one of the two zeros, which are equal but have different bits.
        Self::Float((value + 0.0).to_bits())
    }
}

impl From<&Cell> for Key {
    fn from(cell: &Cell) -> Self {
        match cell {
            Cell::Date(days) => Self::Date(*days),
            Cell::Float(value) => Self::float(*value),
            Cell::Integer(value) => Self::Integer(*value),
            Cell::Moment(value) => Self::Moment(*value),
            Cell::Text(text) => Self::Text(text.clone()),
        }
    }
}

/// Returns the codes, where every cell occurs in some combination.
fn known(key: &[Code]) -> Option<Vec<u32>> {
    key.iter()
        .map(|code| match code {
            Code::Listed(code) => Some(*code),
            Code::Missing | Code::Unlisted => None,
        })
        .collect()
}

/// Returns the column with some cells replaced.
fn replace(column: &Column, cells: &[Option<&Cell>]) -> PolarsResult<Column> {
    let name = column.name().clone();
    Ok(match column.dtype() {
        DataType::String => {
            let texts = column.str()?.iter().zip(cells).map(|(old, new)| match new {
                Some(Cell::Text(text)) => Some(text.as_str()),
                _ => old,
            });
            StringChunked::from_iter_options(name, texts).into_column()
        }
        DataType::Int64 => {
            let numbers = column.i64()?.iter().zip(cells).map(|(old, new)| match new {
                Some(Cell::Integer(value)) => Some(*value),
                _ => old,
            });
            Int64Chunked::from_iter_options(name, numbers).into_column()
        }
        DataType::Float64 => {
            let numbers = column.f64()?.iter().zip(cells).map(|(old, new)| match new {
                Some(Cell::Float(value)) => Some(*value),
                _ => old,
            });
            Float64Chunked::from_iter_options(name, numbers).into_column()
        }
        DataType::Datetime(..) => {
            let moments = column.datetime()?.physical().iter().zip(cells);
            let moments = moments.map(|(old, new)| match new {
                Some(Cell::Moment(value)) => Some(*value),
                _ => old,
            });
            Int64Chunked::from_iter_options(name, moments)
                .into_column()
                .cast(&MOMENTS)?
        }
        _ => {
            let dates = column
                .date()?
                .physical()
                .iter()
                .zip(cells)
                .map(|(old, new)| match new {
                    Some(Cell::Date(days)) => Some(*days),
                    _ => old,
                });
            Int32Chunked::from_iter_options(name, dates)
                .into_column()
                .cast(&DataType::Date)?
        }
    })
}
