//! Cells as small codes, cut by the real table.

use std::collections::BTreeMap;

use crate::error::EvaluateError;
use crate::table::{Column, Table, Values};

/// A table as codes, column by column. Code 0 is a missing cell.
#[derive(Clone, Debug)]
pub(crate) struct Codes {
    /// Codes of each column.
    pub(crate) columns: Vec<Vec<u32>>,
    /// Number of rows.
    pub(crate) rows: usize,
}

/// How the columns are cut.
#[derive(Clone, Debug)]
pub(crate) struct Cut {
    /// Names of the columns.
    pub(crate) names: Vec<String>,
    /// Number of codes of each column.
    pub(crate) sizes: Vec<usize>,
    cells: Vec<Cells>,
}

#[derive(Clone, Debug)]
enum Cells {
    /// Edges; a value belongs to the first cell whose edge is not below it.
    Edges(Vec<f64>),
    /// Codes of the levels that are kept apart; all others share code 1.
    Levels(BTreeMap<String, u32>),
}

impl Cut {
    /// Cuts numbers at 20 quantiles of the real column, and keeps its 100 most frequent levels
    /// apart; missing cells have a code of their own.
    pub(crate) fn of(real: &Table) -> Self {
        let cells: Vec<Cells> = real.columns().iter().map(Cells::of).collect();
        Self {
            names: real.columns().iter().map(|it| it.name.clone()).collect(),
            sizes: cells
                .iter()
                .map(|cells| match cells {
                    Cells::Edges(edges) => edges.len() + 2,
                    Cells::Levels(levels) => levels.len() + 2,
                })
                .collect(),
            cells,
        }
    }

    /// Writes a table in codes; `which` names it in the error.
    pub(crate) fn encode(
        &self,
        table: &Table,
        real: &Table,
        which: &'static str,
    ) -> Result<Codes, EvaluateError> {
        let columns = real.columns().iter().zip(&self.cells);
        let columns = columns.map(|(model, cells)| {
            let column = table.like(model);
            column
                .map(|column| cells.encode(column))
                .ok_or_else(|| EvaluateError::ColumnMissing {
                    table: which,
                    column: model.name.clone(),
                })
        });
        Ok(Codes {
            columns: columns.collect::<Result<_, _>>()?,
            rows: table.rows(),
        })
    }

    /// Whether the cells of a column are ranges of numbers.
    pub(crate) fn ordered(&self, column: usize) -> bool {
        matches!(self.cells[column], Cells::Edges(_))
    }

    /// Says in words what a code of a column stands for.
    pub(crate) fn describe(&self, column: usize, code: u32) -> String {
        match (&self.cells[column], code) {
            (_, 0) => "missing".to_owned(),
            (Cells::Edges(edges), _) => {
                let cell = code as usize - 1;
                match (
                    cell.checked_sub(1).and_then(|low| edges.get(low)),
                    edges.get(cell),
                ) {
                    (None, Some(high)) => format!("up to {}", short(*high)),
                    (Some(low), Some(high)) => format!("{} to {}", short(*low), short(*high)),
                    (Some(low), None) => format!("above {}", short(*low)),
                    (None, None) => "any".to_owned(),
                }
            }
            (Cells::Levels(_), 1) => "another level".to_owned(),
            (Cells::Levels(levels), _) => levels
                .iter()
                .find(|(_, known)| **known == code)
                .map_or_else(String::new, |(level, _)| level.clone()),
        }
    }
}

impl Cells {
    fn of(column: &Column) -> Self {
        match &column.values {
            Values::Numeric(values) => Self::Edges(quantiles(values)),
            Values::Category { codes, levels } => Self::Levels(most_frequent(codes, levels)),
        }
    }

    fn encode(&self, column: &Column) -> Vec<u32> {
        match (self, &column.values) {
            (Self::Edges(edges), Values::Numeric(values)) => values
                .iter()
                .map(|value| match value {
                    None => 0,
                    Some(value) => 1 + edges.partition_point(|edge| edge < value) as u32,
                })
                .collect(),
            (Self::Levels(kept), Values::Category { codes, levels }) => {
                let of_level: Vec<u32> = levels
                    .iter()
                    .map(|level| kept.get(level).copied().unwrap_or(1))
                    .collect();
                codes
                    .iter()
                    .map(|code| code.map_or(0, |code| of_level[code as usize]))
                    .collect()
            }
            // `Table::like` gives columns of one kind only.
            _ => Vec::new(),
        }
    }
}

/// The different ones among the inner 20-quantiles, interpolated linearly (Hyndman and Fan 1996,
/// definition 7).
fn quantiles(values: &[Option<f64>]) -> Vec<f64> {
    let mut sorted: Vec<f64> = values.iter().flatten().copied().collect();
    sorted.sort_by(f64::total_cmp);
    if sorted.is_empty() {
        return Vec::new();
    }
    let mut edges: Vec<f64> = (1..QUANTILES)
        .map(|step| {
            let place =
                (sorted.len() - 1) as f64 * (f64::from(step) * (1.0 / f64::from(QUANTILES)));
            let low = place.floor();
            let share = place - low;
            let below = sorted[low as usize];
            let above = sorted[(low as usize + 1).min(sorted.len() - 1)];
            // From the nearer end, so that a quantile between equal values is that value.
            if share < 0.5 {
                below + (above - below) * share
            } else {
                above - (above - below) * (1.0 - share)
            }
        })
        .collect();
    edges.dedup();
    edges
}

fn most_frequent(codes: &[Option<u32>], levels: &[String]) -> BTreeMap<String, u32> {
    let mut counts = vec![0u64; levels.len()];
    let mut seen = Vec::new();
    for &code in codes.iter().flatten() {
        if counts[code as usize] == 0 {
            seen.push(code);
        }
        counts[code as usize] += 1;
    }
    // Stable: of levels that are as frequent, the one that comes first in the table.
    seen.sort_by_key(|&code| std::cmp::Reverse(counts[code as usize]));
    seen.into_iter()
        .take(MOST_LEVELS)
        .zip(2..)
        .map(|(level, code)| (levels[level as usize].clone(), code))
        .collect()
}

/// Writes a number in at most four digits or so.
pub(crate) fn short(value: f64) -> String {
    if value == value.trunc() && value.abs() < 1e9 {
        format!("{value}")
    } else if value.abs() >= 1000.0 {
        format!("{value:.0}")
    } else {
        let text = format!("{value:.2}");
        text.trim_end_matches('0').trim_end_matches('.').to_owned()
    }
}

const QUANTILES: i32 = 20;
const MOST_LEVELS: usize = 100;
