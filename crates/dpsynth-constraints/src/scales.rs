//! A number whose scale depends on other columns: a height is of another size in inches.

use polars::prelude::{
    DataFrame, DataType, Float64Chunked, Int64Chunked, IntoColumn, NewChunkedArray, PolarsResult,
};

use crate::columns::Cell;
use crate::combinations::Combinations;
use crate::extent::{Extent, order};

/// A number column, and between which values it lies in which segment of the rows.
#[derive(Clone, Debug)]
pub(crate) struct Scales {
    column: String,
    /// The segments, each a combination of cells of other columns.
    segments: Combinations,
    /// For each of them, in the order listed.
    extents: Vec<Extent>,
}

impl Scales {
    /// Ties segments, all of them different, to extents of a number column.
    pub(crate) fn new(column: &str, segments: Combinations, extents: Vec<Extent>) -> Self {
        Self {
            column: column.to_owned(),
            segments,
            extents,
        }
    }

    /// Returns the rows whose number is not of their segment's scale. A row of another segment, or
    /// with a missing cell, obeys.
    pub(crate) fn broken(&self, table: &DataFrame) -> PolarsResult<Vec<bool>> {
        let segments = self.segments.entries(table)?;
        let breaks = |(segment, number): (Option<usize>, Option<Cell>)| {
            let (Some(segment), Some(number)) = (segment, number) else {
                return false;
            };
            !self.extents[segment].contains(&number)
        };
        let numbers = self.read(table)?.into_iter();
        Ok(segments.into_iter().zip(numbers).map(breaks).collect())
    }

    /// Gives each broken row the number of a row of its segment that obeys, drawn evenly, and where
    /// there is none the nearer end of the scale.
    pub(crate) fn repair(
        &self,
        table: &mut DataFrame,
        broken: &[bool],
        uniform: &mut dyn FnMut() -> f64,
    ) -> PolarsResult<()> {
        let segments = self.segments.entries(table)?;
        let mut numbers = self.read(table)?;
        let mut donors: Vec<Vec<Cell>> = vec![Vec::new(); self.extents.len()];
        for (row, number) in numbers.iter().enumerate() {
            if let (Some(segment), Some(number), false) = (segments[row], number, broken[row]) {
                donors[segment].push(number.clone());
            }
        }
        for row in (0..numbers.len()).filter(|row| broken[*row]) {
            let (Some(segment), Some(number)) = (segments[row], &numbers[row]) else {
                continue;
            };
            let donors = &donors[segment];
            let drawn = (uniform() * donors.len() as f64) as usize;
            let given = donors.get(drawn).or(donors.last());
            let Extent { low, high } = &self.extents[segment];
            let below = order(number, low).is_some_and(std::cmp::Ordering::is_lt);
            let nearer = if below { low } else { high };
            numbers[row] = Some(given.unwrap_or(nearer).clone());
        }
        let name = self.column.as_str().into();
        let column = match table.column(&self.column)?.dtype() {
            DataType::Int64 => {
                let numbers = numbers.iter().map(|cell| match cell {
                    Some(Cell::Integer(value)) => Some(*value),
                    _ => None,
                });
                Int64Chunked::from_iter_options(name, numbers).into_column()
            }
            _ => {
                let numbers = numbers.iter().map(|cell| match cell {
                    Some(Cell::Float(value)) => Some(*value),
                    _ => None,
                });
                Float64Chunked::from_iter_options(name, numbers).into_column()
            }
        };
        table.with_column(column)?;
        Ok(())
    }

    fn read(&self, table: &DataFrame) -> PolarsResult<Vec<Option<Cell>>> {
        let column = table.column(&self.column)?;
        Ok(match column.dtype() {
            DataType::Int64 => (column.i64()?.iter())
                .map(|cell| cell.map(Cell::Integer))
                .collect(),
            _ => (column.f64()?.iter())
                .map(|cell| cell.map(Cell::Float))
                .collect(),
        })
    }
}
