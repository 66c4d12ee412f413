//! Columns whose values no two rows share.

use std::collections::{HashMap, HashSet};

use dpsynth_table::{Column as SchemaColumn, Domain};
use polars::prelude::{DataFrame, DataType, PolarsResult};

use crate::columns::may_miss;

/// Columns whose values together are different in every row.
#[derive(Clone, Debug)]
pub(crate) struct Unique {
    columns: Vec<String>,
    /// How many rows can be different, where that is bounded.
    room: Option<u64>,
}

/// What the rows so far hold.
#[derive(Default)]
pub(crate) struct Seen {
    keys: HashSet<Vec<u64>>,
    texts: HashMap<String, u64>,
}

impl Unique {
    pub(crate) fn new(columns: &[&SchemaColumn]) -> Self {
        Self {
            columns: columns.iter().map(|column| column.name.clone()).collect(),
            room: columns.iter().try_fold(1_u64, |room, column| {
                Some(room.saturating_mul(values(column)?))
            }),
        }
    }

    /// Returns how many rows can be different, where the columns' domains bound that.
    pub(crate) fn room(&self) -> Option<u64> {
        self.room
    }

    /// Returns which of the rows that are `kept` so far repeat another, and remembers the others. As
    /// in SQL, a row with a missing cell repeats none.
    pub(crate) fn repeated(
        &self,
        table: &DataFrame,
        kept: &[bool],
        seen: &mut Seen,
    ) -> PolarsResult<Vec<bool>> {
        let keys = self.keys(table, seen)?;
        Ok(keys
            .into_iter()
            .zip(kept)
            .map(|(key, kept)| match key {
                Some(key) if *kept => !seen.keys.insert(key),
                _ => false,
            })
            .collect())
    }

    /// Returns one number for each cell of each row.
    fn keys(&self, table: &DataFrame, seen: &mut Seen) -> PolarsResult<Vec<Option<Vec<u64>>>> {
        let mut keys: Vec<Option<Vec<u64>>> =
            vec![Some(Vec::with_capacity(self.columns.len())); table.height()];
        for name in &self.columns {
            let column = table.column(name)?;
            let numbers: Vec<Option<u64>> = match column.dtype() {
                DataType::String => {
                    let texts = &mut seen.texts;
                    (column.str()?.iter())
                        .map(|cell| cell.map(|text| number(text, texts)))
                        .collect()
                }
                DataType::Float64 => (column.f64()?.iter())
                    // Adding zero makes one of the two zeros.
                    .map(|cell| cell.map(|value| (value + 0.0).to_bits()))
                    .collect(),
                _ => (column.cast(&DataType::Int64)?.i64()?.iter())
                    .map(|cell| cell.map(|value| value as u64))
                    .collect(),
            };
            for (key, number) in keys.iter_mut().zip(numbers) {
                match (key.as_mut(), number) {
                    (Some(cells), Some(number)) => cells.push(number),
                    _ => *key = None,
                }
            }
        }
        Ok(keys)
    }
}

/// Returns the number of a text: that of the same text before, or a new one.
fn number(text: &str, texts: &mut HashMap<String, u64>) -> u64 {
    if let Some(number) = texts.get(text) {
        return *number;
    }
    let next = texts.len() as u64;
    texts.insert(text.to_owned(), next);
    next
}

/// Returns how many values a column can hold, where that is bounded: rows that miss one are never alike.
fn values(column: &SchemaColumn) -> Option<u64> {
    if may_miss(column) {
        return None;
    }
    let between = |low: i64, high: i64| u64::try_from(i128::from(high) - i128::from(low) + 1).ok();
    match &column.domain {
        Domain::Categorical { categories } => Some(categories.len() as u64),
        Domain::Duration { min, max, .. } | Domain::Integer { min, max, .. } => between(*min, *max),
        Domain::Date { min, max, .. } => u64::try_from((*max - *min).num_days() + 1).ok(),
        Domain::Float {
            min,
            max,
            decimals: Some(decimals),
            ..
        } => {
            let units = (max - min) * 10_f64.powi(i32::from(*decimals)) + 1.0;
            (units < 1e15).then(|| units.round() as u64)
        }
        Domain::Timestamp { min, max, .. } => u64::try_from((*max - *min).num_seconds() + 1).ok(),
        Domain::Float { .. } | Domain::Identifier { .. } => None,
    }
}
