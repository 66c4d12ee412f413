//! Numbers that are multiples of a step.

use dpsynth_table::{Column as SchemaColumn, Domain};
use polars::prelude::{
    Column, DataFrame, Float64Chunked, Int64Chunked, IntoColumn, NewChunkedArray, PolarsResult,
};

use crate::columns::Cell;
use crate::extent::Extent;

/// A column whose every value is a multiple of a step.
///
/// Numbers are counted in units of their last decimal, so that multiples are exact.
#[derive(Clone, Debug)]
pub(crate) struct Increments {
    column: String,
    /// Units in 1, for a column with decimals; nothing for a whole one.
    scale: Option<f64>,
    /// The step in units, at least 1.
    step: i64,
    /// The smallest and the largest multiple that the column can hold, in units.
    first: i64,
    last: i64,
}

impl Increments {
    /// Returns the multiples of `step` in a number column; nothing where the step is no positive
    /// multiple of the smallest difference between two of its values, or there is none.
    pub(crate) fn new(column: &SchemaColumn, step: f64) -> Option<Self> {
        let scale = match &column.domain {
            Domain::Duration { .. } | Domain::Integer { .. } => None,
            Domain::Float {
                decimals: Some(decimals),
                ..
            } => Some(10_f64.powi(i32::from(*decimals))),
            _ => return None,
        };
        let units = step * scale.unwrap_or(1.0);
        let whole = units.round();
        // Decimals such as 0.05 are no binary fractions, so that their count is only nearly whole.
        let close = (units - whole).abs() <= 1e-9 * whole.abs();
        if !close || !(1.0..=MOST_UNITS).contains(&whole) {
            return None;
        }
        let mut increments = Self {
            column: column.name.clone(),
            scale,
            step: whole as i64,
            first: i64::MIN,
            last: i64::MAX,
        };
        increments.narrow(&Extent::declared(column)?);
        Some(increments)
    }

    /// Leaves out the multiples beyond an extent of the column.
    pub(crate) fn narrow(&mut self, extent: &Extent) {
        let ends = [&extent.low, &extent.high].map(|end| match end {
            Cell::Integer(value) => Some(*value),
            Cell::Float(value) => self.units(*value),
            _ => None,
        });
        let [Some(low), Some(high)] = ends else {
            return;
        };
        let below = |value: i64| value.div_euclid(self.step).saturating_mul(self.step);
        let first = match below(low) {
            multiple if multiple < low => multiple.saturating_add(self.step),
            multiple => multiple,
        };
        self.first = self.first.max(first);
        self.last = self.last.min(below(high));
    }

    pub(crate) fn column(&self) -> &str {
        &self.column
    }

    /// Returns the smallest and the largest multiple.
    pub(crate) fn ends(&self) -> Extent {
        let cell = |units: i64| match self.scale {
            None => Cell::Integer(units),
            Some(scale) => Cell::Float(units as f64 / scale),
        };
        Extent {
            low: cell(self.first),
            high: cell(self.last),
        }
    }

    /// Returns whether no multiple is left.
    pub(crate) fn is_empty(&self) -> bool {
        self.first > self.last
    }

    /// Returns whether every value that the column can hold is a multiple.
    pub(crate) fn is_everything(&self) -> bool {
        self.step == 1
    }

    /// Returns which rows hold something else; a missing value does not count.
    pub(crate) fn broken(&self, table: &DataFrame) -> PolarsResult<Vec<bool>> {
        let units = self.read(table)?;
        let breaks = |units: Option<i64>| units.is_some_and(|units| units % self.step != 0);
        Ok(units.into_iter().map(breaks).collect())
    }

    /// Rounds what is no multiple to the nearest one that the column can hold, halves away from zero.
    pub(crate) fn repair(&self, table: &mut DataFrame) -> PolarsResult<()> {
        let repaired = self.read(table)?.into_iter().map(|units| {
            let units = units?;
            Some(if units % self.step == 0 {
                units
            } else {
                self.nearest(units)
            })
        });
        let name = self.column.as_str().into();
        let column: Column = match self.scale {
            None => Int64Chunked::from_iter_options(name, repaired).into_column(),
            Some(scale) => {
                let values = repaired.map(|units| units.map(|units| units as f64 / scale));
                Float64Chunked::from_iter_options(name, values).into_column()
            }
        };
        table.with_column(column)?;
        Ok(())
    }

    fn nearest(&self, units: i64) -> i64 {
        let over = units.rem_euclid(self.step);
        let below = units - over;
        let up = 2 * i128::from(over) > i128::from(self.step)
            || (2 * i128::from(over) == i128::from(self.step) && units > 0);
        let nearest = if up {
            below.saturating_add(self.step)
        } else {
            below
        };
        nearest.clamp(self.first, self.last)
    }

    fn units(&self, value: f64) -> Option<i64> {
        let units = (value * self.scale.unwrap_or(1.0)).round();
        (units.abs() <= MOST_UNITS).then_some(units as i64)
    }

    /// Reads the column in units.
    fn read(&self, table: &DataFrame) -> PolarsResult<Vec<Option<i64>>> {
        let column = table.column(&self.column)?;
        Ok(match self.scale {
            None => column.i64()?.iter().collect(),
            Some(_) => (column.f64()?.iter())
                .map(|value| self.units(value?))
                .collect(),
        })
    }
}

/// Up to here a float tells whole numbers apart.
const MOST_UNITS: f64 = 9_007_199_254_740_992.0;
