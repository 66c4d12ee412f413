//! Columns that together take one of the combinations that a policy lists.

use std::collections::HashMap;

use foldhash::fast::RandomState;

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
    codes: Vec<Codes>,
    /// The combinations that begin with a sequence of codes; a whole combination is a key too.
    by_prefix: HashMap<Vec<u32>, Vec<usize>, RandomState>,
}

/// A number for each value of one column that occurs in a combination.
#[derive(Clone, Debug, Default)]
struct Codes {
    texts: HashMap<String, u32, RandomState>,
    /// All others, see [`number`].
    numbers: HashMap<i64, u32, RandomState>,
}

/// The codes of some rows' cells, row by row.
struct Keys {
    codes: Vec<Code>,
    width: usize,
}

impl Keys {
    fn rows(&self) -> impl Iterator<Item = &[Code]> {
        self.codes.chunks_exact(self.width)
    }
}

impl Combinations {
    /// Indexes combinations whose every cell fits its column.
    pub(crate) fn new(columns: &[&SchemaColumn], listed: Vec<Vec<Cell>>) -> Self {
        let mut codes = vec![Codes::default(); columns.len()];
        let mut by_prefix: HashMap<Vec<u32>, Vec<usize>, RandomState> = HashMap::default();
        let mut allowed = Vec::with_capacity(listed.len());
        let mut allowed_codes = Vec::with_capacity(listed.len());
        for cells in listed {
            let key: Vec<u32> = cells
                .iter()
                .zip(&mut codes)
                .map(|(cell, codes)| codes.enter(cell))
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
        let mut known = Vec::with_capacity(self.columns.len());
        Ok(self
            .keys(table)?
            .rows()
            .map(|key| self.breaks(key, &mut known))
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
        let mut known = Vec::with_capacity(self.columns.len());
        let chosen: Vec<Option<usize>> = keys
            .rows()
            .map(|key| {
                if self.breaks(key, &mut known) {
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
        let mut keys = Vec::with_capacity(table.height());
        self.codes[0].of(table, first, |code| keys.push(code))?;
        let decided = |code: &Code| match code {
            Code::Listed(code) => self
                .by_prefix
                .get([*code].as_slice())
                .map(|entries| entries[0]),
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
        let mut listed = Vec::with_capacity(self.columns.len());
        let mut entry = |key: &[Code]| {
            known(key, &mut listed).then_some(())?;
            let entries = self.by_prefix.get(listed.as_slice())?;
            entries.first().copied()
        };
        let keys = self.keys(table)?;
        Ok(keys.rows().map(&mut entry).collect())
    }

    /// `listed` is room to work in.
    fn breaks(&self, key: &[Code], listed: &mut Vec<u32>) -> bool {
        if key.contains(&Code::Missing) {
            return false;
        }
        !known(key, listed) || !self.by_prefix.contains_key(listed.as_slice())
    }

    fn closest(
        &self,
        key: &[Code],
        occurrences: &[Vec<f64>],
        uniform: &mut dyn FnMut() -> f64,
    ) -> Option<usize> {
        let mut listed = Vec::with_capacity(key.len());
        let (agreeing, candidates) = (1..key.len()).rev().find_map(|length| {
            known(&key[..length], &mut listed).then_some(())?;
            let candidates = self.by_prefix.get(listed.as_slice())?;
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
    fn occurrences(&self, keys: &Keys) -> Vec<Vec<f64>> {
        let mut occurrences: Vec<Vec<f64>> = self
            .codes
            .iter()
            .map(|codes| vec![1.0; codes.count()])
            .collect();
        for key in keys.rows() {
            for (code, occurrences) in key.iter().zip(&mut occurrences) {
                if let Code::Listed(code) = code {
                    occurrences[*code as usize] += 1.0;
                }
            }
        }
        occurrences
    }

    /// Returns the codes of each row's cells.
    fn keys(&self, table: &DataFrame) -> PolarsResult<Keys> {
        let width = self.columns.len();
        let mut keys = vec![Code::Missing; table.height() * width];
        for (position, (name, codes)) in self.columns.iter().zip(&self.codes).enumerate() {
            let mut places = keys[position..].iter_mut().step_by(width);
            codes.of(table, name, |code| {
                if let Some(place) = places.next() {
                    *place = code;
                }
            })?;
        }
        Ok(Keys { codes: keys, width })
    }
}

impl Codes {
    fn count(&self) -> usize {
        self.texts.len() + self.numbers.len()
    }

    /// Returns the code of a cell of a combination, a new one where it has none.
    fn enter(&mut self, cell: &Cell) -> u32 {
        // OK because a policy file cannot list four billion combinations.
        let next = u32::try_from(self.count()).expect("fewer combinations than u32 counts");
        match cell {
            Cell::Text(text) => *self.texts.entry(text.clone()).or_insert(next),
            Cell::Date(days) => *self.numbers.entry(i64::from(*days)).or_insert(next),
            Cell::Float(value) => *self.numbers.entry(number(*value)).or_insert(next),
            Cell::Integer(value) | Cell::Moment(value) => {
                *self.numbers.entry(*value).or_insert(next)
            }
        }
    }

    /// Calls `each` with the code of every cell of a column.
    fn of(&self, table: &DataFrame, name: &str, mut each: impl FnMut(Code)) -> PolarsResult<()> {
        let listed = |code: Option<&u32>| code.map_or(Code::Unlisted, |code| Code::Listed(*code));
        let number = |value: Option<i64>| match value {
            None => Code::Missing,
            Some(value) => listed(self.numbers.get(&value)),
        };
        let column = table.column(name)?;
        match column.dtype() {
            DataType::String => column.str()?.iter().for_each(|cell| {
                each(match cell {
                    None => Code::Missing,
                    Some(text) => listed(self.texts.get(text)),
                });
            }),
            DataType::Int64 => column.i64()?.iter().for_each(|cell| each(number(cell))),
            DataType::Float64 => {
                let cells = column.f64()?.iter();
                cells.for_each(|cell| each(number(cell.map(self::number))));
            }
            DataType::Datetime(..) => {
                let cells = column.datetime()?.physical().iter();
                cells.for_each(|cell| each(number(cell)));
            }
            _ => {
                let cells = column.date()?.physical().iter();
                cells.for_each(|cell| each(number(cell.map(i64::from))));
            }
        }
        Ok(())
    }
}

/// A float as a key of a map.
fn number(value: f64) -> i64 {
    // Adding zero makes one of the two zeros, which are equal but have different bits.
    (value + 0.0).to_bits().cast_signed()
}

/// What a rule knows of a cell.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Code {
    Listed(u32),
    Missing,
    Unlisted,
}

/// Puts the codes into `listed`; false where a cell occurs in no combination.
fn known(key: &[Code], listed: &mut Vec<u32>) -> bool {
    listed.clear();
    listed.extend(key.iter().map_while(|code| match code {
        Code::Listed(code) => Some(*code),
        Code::Missing | Code::Unlisted => None,
    }));
    listed.len() == key.len()
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
