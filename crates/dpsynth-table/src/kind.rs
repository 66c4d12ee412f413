//! The values of a column, by kind: whether a cell is one of them, and which code it has.

use std::collections::HashMap;

use chrono::format::Item;
use chrono::{NaiveDateTime, NaiveTime};
use foldhash::fast::RandomState;

use crate::duration::DurationForm;
use crate::encode::{Cell, CellProblem};
use crate::grid::{Grid, MAX_CODES};
use crate::identifier::IdFormat;
use crate::schema::{Cells, Domain};
use crate::schema_error::SchemaProblem;
use crate::text::{
    date_of, days_of, finite, instant_of, integer, number, parse_date, parse_instant, seconds_of,
    usable_format, usable_instants, whole, within,
};

/// The values of one column, by kind, and their codes.
#[derive(Debug, Clone)]
pub(crate) enum Kind {
    Categorical {
        categories: Vec<String>,
        positions: HashMap<String, u16, RandomState>,
    },
    Date {
        min: i64,
        max: i64,
        format: Vec<Item<'static>>,
        grid: Grid,
    },
    Duration {
        min: i64,
        max: i64,
        form: DurationForm,
        grid: Grid,
    },
    Float {
        min: f64,
        max: f64,
        grid: Grid,
    },
    Identifier {
        format: IdFormat,
        /// One of them, for whoever decodes the single code.
        first: String,
    },
    Integer {
        min: i64,
        max: i64,
        grid: Grid,
    },
    /// Steps of the grid are as many seconds as `resolution` says.
    Timestamp {
        min: NaiveDateTime,
        max: NaiveDateTime,
        format: Vec<Item<'static>>,
        resolution: i64,
        grid: Grid,
    },
}

impl Kind {
    pub(crate) fn new(domain: &Domain) -> Result<Self, Vec<SchemaProblem>> {
        match domain {
            Domain::Categorical { categories } => Self::categorical(categories),
            Domain::Date {
                min,
                max,
                format,
                cells,
            } => {
                let mut problems = Vec::new();
                let items = usable_format(format, *min, *max);
                if items.is_none() {
                    problems.push(SchemaProblem::UnusableDateFormat);
                }
                let (min, max) = (days_of(*min), days_of(*max));
                match (Grid::integers(min, max, cells), items) {
                    (Ok(grid), Some(format)) => Ok(Self::Date {
                        min,
                        max,
                        format,
                        grid,
                    }),
                    (grid, _) => {
                        problems.extend(grid.err());
                        Err(problems)
                    }
                }
            }
            Domain::Duration {
                min,
                max,
                form,
                cells,
            } => {
                let (min, max, form) = (*min, *max, *form);
                let grid = Grid::integers(min, max, cells).map_err(|problem| vec![problem])?;
                Ok(Self::Duration {
                    min,
                    max,
                    form,
                    grid,
                })
            }
            Domain::Float {
                min,
                max,
                decimals,
                cells,
            } => {
                let grid = match decimals {
                    Some(decimals) => Grid::decimals(*min, *max, *decimals, cells),
                    None => Grid::reals(*min, *max, cells),
                };
                let grid = grid.map_err(|problem| vec![problem])?;
                let (min, max) = (*min, *max);
                Ok(Self::Float { min, max, grid })
            }
            Domain::Identifier { format } => Ok(Self::Identifier {
                first: format.write(0),
                format: format.clone(),
            }),
            Domain::Integer { min, max, cells } => {
                let grid = Grid::integers(*min, *max, cells).map_err(|problem| vec![problem])?;
                let (min, max) = (*min, *max);
                Ok(Self::Integer { min, max, grid })
            }
            Domain::Timestamp {
                min,
                max,
                format,
                cells,
            } => {
                let (min, max) = (*min, *max);
                let usable = usable_instants(format, min, max);
                let (format, resolution) =
                    usable.ok_or_else(|| vec![SchemaProblem::UnusableDateFormat])?;
                let steps = |instant| seconds_of(instant).div_euclid(resolution);
                let (first, last) = (steps(min), steps(max));
                let cells = match cells {
                    Cells::Fine => full_cells(first, last, resolution),
                    cells => cells.clone(),
                };
                let grid = Grid::integers(first, last, &cells).map_err(|problem| vec![problem])?;
                Ok(Self::Timestamp {
                    min,
                    max,
                    format,
                    resolution,
                    grid,
                })
            }
        }
    }

    fn categorical(categories: &[String]) -> Result<Self, Vec<SchemaProblem>> {
        let mut problems = Vec::new();
        if categories.is_empty() {
            problems.push(SchemaProblem::NoCategories);
        }
        if categories.len() > MAX_CODES as usize {
            return Err(vec![SchemaProblem::TooManyCodes]);
        }
        let mut positions =
            HashMap::with_capacity_and_hasher(categories.len(), RandomState::default());
        for (position, category) in categories.iter().enumerate() {
            // OK because there are at most `MAX_CODES` categories.
            if positions
                .insert(category.clone(), position as u16)
                .is_some()
            {
                let category = category.clone();
                problems.push(SchemaProblem::DuplicateCategory { category });
            }
        }
        match problems.is_empty() {
            true => Ok(Self::Categorical {
                categories: categories.to_vec(),
                positions,
            }),
            false => Err(problems),
        }
    }

    pub(crate) fn count(&self) -> u32 {
        match self {
            // OK because `categorical` refuses more than `MAX_CODES`.
            Self::Categorical { categories, .. } => categories.len() as u32,
            Self::Identifier { .. } => 1,
            Self::Date { grid, .. }
            | Self::Duration { grid, .. }
            | Self::Float { grid, .. }
            | Self::Integer { grid, .. }
            | Self::Timestamp { grid, .. } => grid.cells(),
        }
    }

    pub(crate) fn code_of(&self, cell: Cell<'_>) -> Result<Option<u16>, CellProblem> {
        let code = match (self, self.value_of(cell)?) {
            (_, Cell::Missing) => return Ok(None),
            (Self::Categorical { positions, .. }, Cell::Text(text)) => {
                return positions
                    .get(text)
                    .copied()
                    .map(Some)
                    .ok_or(CellProblem::NotListed);
            }
            (Self::Identifier { .. }, Cell::Text(_)) => 0,
            (Self::Date { min, max, grid, .. }, Cell::Date(date)) => {
                grid.cell_of_step(within(days_of(date), *min, *max)?)
            }
            (Self::Duration { min, max, grid, .. }, Cell::Integer(value))
            | (Self::Integer { min, max, grid }, Cell::Integer(value)) => {
                grid.cell_of_step(within(value, *min, *max)?)
            }
            (Self::Float { min, max, grid }, Cell::Float(value)) => grid
                .cell_of(within(value, *min, *max)?)
                .ok_or(CellProblem::NotANumber)?,
            (
                Self::Timestamp {
                    min,
                    max,
                    resolution,
                    grid,
                    ..
                },
                Cell::Instant(instant),
            ) => {
                let seconds = seconds_of(within(instant, *min, *max)?);
                grid.cell_of_step(seconds.div_euclid(*resolution))
            }
            (_, _) => unreachable!("`value_of` returns the column's own kind of cell"),
        };
        // OK because there are at most `MAX_CODES` cells.
        Ok(Some(code as u16))
    }

    pub(crate) fn value_of<'a>(&self, cell: Cell<'a>) -> Result<Cell<'a>, CellProblem> {
        match (self, cell) {
            (_, Cell::Missing) => Ok(Cell::Missing),
            (Self::Categorical { positions, .. }, Cell::Text(""))
                if !positions.contains_key("") =>
            {
                Ok(Cell::Missing)
            }
            (Self::Categorical { .. }, Cell::Text(text)) => Ok(Cell::Text(text)),
            (Self::Categorical { .. }, _) => Err(CellProblem::NotListed),
            (Self::Identifier { format, .. }, Cell::Text(text)) if format.matches(text) => {
                Ok(Cell::Text(text))
            }
            (Self::Identifier { .. }, _) => Err(CellProblem::NotInFormat),
            (_, Cell::Text(text)) if text.trim().is_empty() => Ok(Cell::Missing),
            (Self::Date { format, .. }, Cell::Text(text)) => parse_date(text, format)
                .map(Cell::Date)
                .ok_or(CellProblem::NotADate),
            (Self::Date { .. }, Cell::Date(date)) => Ok(Cell::Date(date)),
            (Self::Date { .. }, Cell::Instant(instant)) => Ok(Cell::Date(instant.date())),
            (Self::Timestamp { format, .. }, Cell::Text(text)) => parse_instant(text, format)
                .map(Cell::Instant)
                .ok_or(CellProblem::NotADate),
            (Self::Timestamp { .. }, Cell::Date(date)) => {
                Ok(Cell::Instant(date.and_time(NaiveTime::MIN)))
            }
            (Self::Timestamp { .. }, Cell::Instant(instant)) => Ok(Cell::Instant(instant)),
            (Self::Date { .. } | Self::Timestamp { .. }, _) => Err(CellProblem::NotADate),
            (Self::Duration { form, .. }, Cell::Text(text)) => {
                let length = form.parse(text).map(Cell::Integer);
                length.ok_or(CellProblem::NotADuration)
            }
            (Self::Duration { .. }, Cell::Float(value)) => whole(value).map(Cell::Integer),
            (Self::Duration { .. }, Cell::Integer(value)) => Ok(Cell::Integer(value)),
            (Self::Duration { .. }, _) => Err(CellProblem::NotADuration),
            (Self::Integer { .. }, Cell::Text(text)) => integer(text).map(Cell::Integer),
            (Self::Integer { .. }, Cell::Float(value)) => whole(value).map(Cell::Integer),
            (Self::Integer { .. }, Cell::Integer(value)) => Ok(Cell::Integer(value)),
            (Self::Float { .. }, Cell::Text(text)) => number(text).map(Cell::Float),
            (Self::Float { .. }, Cell::Integer(value)) => Ok(Cell::Float(value as f64)),
            (Self::Float { .. }, Cell::Float(value)) => finite(value).map(Cell::Float),
            (Self::Integer { .. } | Self::Float { .. }, Cell::Date(_) | Cell::Instant(_)) => {
                Err(CellProblem::NotANumber)
            }
        }
    }

    /// The cells of a numeric column, or one of days or times.
    pub(crate) fn grid(&self) -> Option<&Grid> {
        match self {
            Self::Categorical { .. } | Self::Identifier { .. } => None,
            Self::Date { grid, .. }
            | Self::Duration { grid, .. }
            | Self::Float { grid, .. }
            | Self::Integer { grid, .. }
            | Self::Timestamp { grid, .. } => Some(grid),
        }
    }

    /// The number of steps of a value of this kind; nothing where it has none.
    pub(crate) fn step(&self, value: Cell<'_>) -> Option<i64> {
        match (self, value) {
            (Self::Date { .. }, Cell::Date(date)) => Some(days_of(date)),
            (Self::Float { grid, .. }, Cell::Float(value)) => grid.step(value),
            (Self::Duration { .. } | Self::Integer { .. }, Cell::Integer(value)) => Some(value),
            (Self::Timestamp { resolution, .. }, Cell::Instant(instant)) => {
                Some(seconds_of(instant).div_euclid(*resolution))
            }
            _ => None,
        }
    }

    /// The value of so many steps, moved inside the bounds.
    pub(crate) fn value_of_step(&self, step: i64) -> Cell<'static> {
        match self {
            Self::Categorical { .. } | Self::Identifier { .. } => Cell::Missing,
            Self::Date { min, max, .. } => {
                date_of(step.clamp(*min, *max)).map_or(Cell::Missing, Cell::Date)
            }
            Self::Float { grid, .. } => Cell::Float(grid.value_of_step(step)),
            Self::Duration { min, max, .. } | Self::Integer { min, max, .. } => {
                Cell::Integer(step.clamp(*min, *max))
            }
            Self::Timestamp {
                min,
                max,
                resolution,
                ..
            } => {
                let instant = step.checked_mul(*resolution).and_then(instant_of);
                let instant = instant.map(|instant| instant.clamp(*min, *max));
                instant.map_or(Cell::Missing, Cell::Instant)
            }
        }
    }

    /// How many steps make one of what distances are stated in, where both kinds have the same
    /// steps: days, seconds, or numbers.
    pub(crate) fn steps_between(&self, other: &Self) -> Option<f64> {
        match (self, other) {
            (Self::Date { .. }, Self::Date { .. })
            | (Self::Integer { .. }, Self::Integer { .. }) => Some(1.0),
            (Self::Duration { form, .. }, Self::Duration { form: other, .. }) => {
                (form.seconds() == other.seconds()).then_some(1.0)
            }
            (Self::Float { grid, .. }, Self::Float { grid: other, .. }) => {
                let scale = grid.scale();
                scale.filter(|_| scale == other.scale())
            }
            (
                Self::Timestamp { resolution, .. },
                Self::Timestamp {
                    resolution: other, ..
                },
            ) => (resolution == other).then(|| 1.0 / *resolution as f64),
            _ => None,
        }
    }
}

/// Cuts a range of time at full minutes, hours or days, into no more cells than fine ones are.
fn full_cells(first: i64, last: i64, resolution: i64) -> Cells {
    let steps = last.saturating_sub(first);
    let width = FULL_SECONDS
        .into_iter()
        .filter(|seconds| seconds % resolution == 0)
        .map(|seconds| seconds / resolution)
        .find(|width| steps / width < MOST_FULL_CELLS);
    // Longer than a million years.
    let Some(width) = width else {
        return Cells::Fine;
    };
    if width <= 1 {
        return Cells::Each;
    }
    let from = first.div_euclid(width) + 1;
    Cells::Edges {
        edges: (from..=last.div_euclid(width))
            .map(|edge| (edge * width) as f64)
            .collect(),
    }
}

/// The most cells of full minutes, hours or days.
const MOST_FULL_CELLS: i64 = 1000;

/// Lengths of time that people count in.
const FULL_SECONDS: [i64; 19] = [
    1,
    5,
    10,
    30,
    60,
    5 * 60,
    10 * 60,
    15 * 60,
    30 * 60,
    3600,
    2 * 3600,
    3 * 3600,
    6 * 3600,
    12 * 3600,
    86_400,
    7 * 86_400,
    28 * 86_400,
    364 * 86_400,
    3640 * 86_400,
];
