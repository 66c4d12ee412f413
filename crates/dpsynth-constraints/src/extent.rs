//! The values that a column can take between a smallest and a largest one.

use std::cmp::Ordering;

use dpsynth_table::{Column, Domain};

use crate::columns::{Cell, days, milliseconds, round};

/// The smallest and the largest value of a column. Empty where the first is larger.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Extent {
    pub(crate) low: Cell,
    pub(crate) high: Cell,
}

impl Extent {
    /// Returns the declared extent of a column that has one: a number, a date or a timestamp.
    pub(crate) fn declared(column: &Column) -> Option<Self> {
        let (low, high) = match &column.domain {
            Domain::Categorical { .. } | Domain::Identifier { .. } => return None,
            Domain::Date { min, max, .. } => (Cell::Date(days(*min)), Cell::Date(days(*max))),
            Domain::Float {
                min, max, decimals, ..
            } => (
                Cell::Float(inward(*min, *decimals, Ordering::Less)),
                Cell::Float(inward(*max, *decimals, Ordering::Greater)),
            ),
            Domain::Duration { min, max, .. } | Domain::Integer { min, max, .. } => {
                (Cell::Integer(*min), Cell::Integer(*max))
            }
            Domain::Timestamp { min, max, .. } => (
                Cell::Moment(milliseconds(*min)),
                Cell::Moment(milliseconds(*max)),
            ),
        };
        Some(Self { low, high })
    }

    /// Returns the part of a number column's declared extent within bounds, and whether that is all
    /// of it. The ends are values that the column can hold. `None` for a column that is not a
    /// number.
    pub(crate) fn within(
        column: &Column,
        min: Option<f64>,
        max: Option<f64>,
    ) -> Option<(Self, bool)> {
        let declared = Self::declared(column)?;
        let extent = match (&column.domain, &declared.low, &declared.high) {
            (
                Domain::Duration { .. } | Domain::Integer { .. },
                Cell::Integer(low),
                Cell::Integer(high),
            ) => Self {
                // Conversion saturates, which is what a bound beyond the integers means.
                low: Cell::Integer(min.map_or(*low, |min| (*low).max(min.ceil() as i64))),
                high: Cell::Integer(max.map_or(*high, |max| (*high).min(max.floor() as i64))),
            },
            (Domain::Float { decimals, .. }, Cell::Float(low), Cell::Float(high)) => Self {
                low: Cell::Float(
                    min.map_or(*low, |min| low.max(inward(min, *decimals, Ordering::Less))),
                ),
                high: Cell::Float(max.map_or(*high, |max| {
                    high.min(inward(max, *decimals, Ordering::Greater))
                })),
            },
            _ => return None,
        };
        let all = extent == declared;
        Some((extent, all))
    }

    /// Returns the values that are in both extents.
    pub(crate) fn and(&self, other: &Self) -> Self {
        let larger = order(&self.low, &other.low) == Some(Ordering::Less);
        let smaller = order(&self.high, &other.high) == Some(Ordering::Greater);
        Self {
            low: if larger {
                other.low.clone()
            } else {
                self.low.clone()
            },
            high: if smaller {
                other.high.clone()
            } else {
                self.high.clone()
            },
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        order(&self.low, &self.high) == Some(Ordering::Greater)
    }

    pub(crate) fn contains(&self, cell: &Cell) -> bool {
        order(&self.low, cell).is_some_and(Ordering::is_le)
            && order(cell, &self.high).is_some_and(Ordering::is_le)
    }
}

/// Orders two cells that are both numbers, both dates or both timestamps.
pub(crate) fn order(left: &Cell, right: &Cell) -> Option<Ordering> {
    match (left, right) {
        (Cell::Date(left), Cell::Date(right)) => Some(left.cmp(right)),
        (Cell::Float(left), Cell::Float(right)) => left.partial_cmp(right),
        (Cell::Float(left), Cell::Integer(right)) => left.partial_cmp(&(*right as f64)),
        (Cell::Integer(left), Cell::Float(right)) => (*left as f64).partial_cmp(right),
        (Cell::Integer(left), Cell::Integer(right)) => Some(left.cmp(right)),
        (Cell::Moment(left), Cell::Moment(right)) => Some(left.cmp(right)),
        _ => None,
    }
}

/// Returns the nearest number of that many decimals that is not on the `outside` of a bound.
fn inward(bound: f64, decimals: Option<u8>, outside: Ordering) -> f64 {
    let Some(decimals) = decimals else {
        return bound;
    };
    let step = 10_f64.powi(-i32::from(decimals));
    let nearest = round(bound, decimals);
    if nearest.partial_cmp(&bound) != Some(outside) {
        return nearest;
    }
    round(
        if outside == Ordering::Less {
            nearest + step
        } else {
            nearest - step
        },
        decimals,
    )
}
