//! The values of a column, by kind: whether a cell is one of them, and which code it has.

use std::collections::HashMap;

use chrono::format::Item;

use crate::encode::{Cell, CellProblem};
use crate::grid::{Grid, MAX_CODES};
use crate::identifier::IdFormat;
use crate::schema::Domain;
use crate::schema_error::SchemaProblem;
use crate::text::{days_of, finite, integer, number, parse_date, usable_format, whole, within};

/// The values of one column, by kind, and their codes.
#[derive(Debug, Clone)]
pub(crate) enum Kind {
    Categorical {
        categories: Vec<String>,
        positions: HashMap<String, u16>,
    },
    Date {
        min: i64,
        max: i64,
        format: Vec<Item<'static>>,
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
        let mut positions = HashMap::with_capacity(categories.len());
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
            Self::Date { grid, .. } | Self::Float { grid, .. } | Self::Integer { grid, .. } => {
                grid.cells()
            }
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
            (Self::Integer { min, max, grid }, Cell::Integer(value)) => {
                grid.cell_of_step(within(value, *min, *max)?)
            }
            (Self::Float { min, max, grid }, Cell::Float(value)) => grid
                .cell_of(within(value, *min, *max)?)
                .ok_or(CellProblem::NotANumber)?,
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
            (Self::Date { .. }, _) => Err(CellProblem::NotADate),
            (Self::Integer { .. }, Cell::Text(text)) => integer(text).map(Cell::Integer),
            (Self::Integer { .. }, Cell::Float(value)) => whole(value).map(Cell::Integer),
            (Self::Integer { .. }, Cell::Integer(value)) => Ok(Cell::Integer(value)),
            (Self::Float { .. }, Cell::Text(text)) => number(text).map(Cell::Float),
            (Self::Float { .. }, Cell::Integer(value)) => Ok(Cell::Float(value as f64)),
            (Self::Float { .. }, Cell::Float(value)) => finite(value).map(Cell::Float),
            (Self::Integer { .. } | Self::Float { .. }, Cell::Date(_)) => {
                Err(CellProblem::NotANumber)
            }
        }
    }
}
