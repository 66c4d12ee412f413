//! Cells in which records and synthetic rows are compared: chosen from the synthetic rows alone.

use dpsynth_table::{Cell, Column, Domain, Schema, SchemaError, Table, Values};

/// The synthetic rows in cells, and how a code of a record becomes a cell.
pub(super) struct Cells {
    /// Cell of each code of each column.
    pub(super) merged: Vec<Vec<u16>>,
    /// Number of cells of each column.
    pub(super) sizes: Vec<u16>,
    /// Cells of the synthetic rows, row after row.
    pub(super) rows: Vec<u16>,
}

/// The columns that can be compared: those that are released and that the table has. None is a distance
/// to another here, so that every cell has a code of its own.
pub(super) fn compared_schema(
    ruled: &Schema,
    header: &[String],
) -> Result<Schema, Vec<SchemaError>> {
    let columns = ruled.columns().iter();
    let columns = columns
        .filter(|column| header.contains(&column.name))
        .map(|column| Column {
            after: None,
            ..column.clone()
        });
    Schema::new(columns.collect())?
        .finer()
        .map_err(|error| vec![error])
}

impl Cells {
    /// Cuts the columns of `schema` by the synthetic table: numbers and times into about 20 cells of
    /// equal shares, the 100 most frequent categories apart, missing values apart.
    ///
    /// Returns nothing if a cell of the table is not in the schema.
    pub(super) fn new(schema: &Schema, synthetic: &Table) -> Option<Self> {
        let mut merged = Vec::new();
        let mut columns = Vec::new();
        for (column, coder) in schema.columns().iter().zip(schema.coders()) {
            let found = synthetic.columns().iter();
            let values = &found.clone().find(|it| it.name == column.name)?.values;
            let codes: Option<Vec<u16>> = (0..synthetic.rows())
                .map(|row| coder.encode(cell(values, row)).ok())
                .collect();
            let codes = codes?;
            let mut counts = vec![0u64; coder.codes() as usize];
            for &code in &codes {
                counts[usize::from(code)] += 1;
            }
            let cells = match column.domain {
                Domain::Categorical { .. } => frequent(&counts),
                _ => equal_shares(&counts, coder.missing_code()),
            };
            columns.push(codes);
            merged.push(cells);
        }
        let rows = (0..synthetic.rows())
            .flat_map(|row| {
                let cells = columns.iter().zip(&merged);
                cells.map(move |(codes, merged)| merged[usize::from(codes[row])])
            })
            .collect();
        let size = |cells: &Vec<u16>| cells.iter().max().map_or(0, |most| most + 1);
        Some(Self {
            sizes: merged.iter().map(size).collect(),
            merged,
            rows,
        })
    }

    /// Cells of records, row after row, from their codes.
    pub(super) fn of(merged: &[Vec<u16>], codes: &[u16]) -> Vec<u16> {
        codes
            .chunks_exact(merged.len())
            .flat_map(|row| row.iter().zip(merged))
            .map(|(&code, cells)| cells[usize::from(code)])
            .collect()
    }

    /// Number of columns.
    pub(super) fn width(&self) -> usize {
        self.merged.len()
    }

    /// The rarest cell of a column among those that the synthetic rows have.
    pub(super) fn rarest(&self, column: usize) -> u16 {
        let mut counts = vec![0u64; usize::from(self.sizes[column])];
        for row in self.rows.chunks_exact(self.width()) {
            counts[usize::from(row[column])] += 1;
        }
        let cells = (0u16..).zip(counts).filter(|(_, count)| *count > 0);
        cells
            .min_by_key(|(_, count)| *count)
            .map_or(0, |(cell, _)| cell)
    }
}

/// The cell of one row.
pub(crate) fn cell(values: &Values, row: usize) -> Cell<'_> {
    match values {
        Values::Categorical {
            categories,
            positions,
        } => positions[row].map_or(Cell::Missing, |it| Cell::Text(&categories[usize::from(it)])),
        Values::Date(days) => days[row].map_or(Cell::Missing, Cell::Date),
        Values::Float(numbers) => numbers[row].map_or(Cell::Missing, Cell::Float),
        Values::Identifier(texts) => Cell::Text(&texts[row]),
        Values::Integer(numbers) => numbers[row].map_or(Cell::Missing, Cell::Integer),
        Values::Timestamp(times) => times[row].map_or(Cell::Missing, Cell::Instant),
    }
}

/// Keeps the most frequent codes apart; the others share a cell, which is the last.
fn frequent(counts: &[u64]) -> Vec<u16> {
    if counts.len() <= MOST_CATEGORIES {
        // OK because a column has fewer codes than a u16 has values.
        return (0..counts.len()).map(|code| code as u16).collect();
    }
    let mut order: Vec<usize> = (0..counts.len()).collect();
    order.sort_by_key(|&code| std::cmp::Reverse(counts[code]));
    let mut cells = vec![MOST_CATEGORIES as u16; counts.len()];
    for (cell, &code) in order[..MOST_CATEGORIES].iter().enumerate() {
        cells[code] = cell as u16;
    }
    cells
}

/// Cuts ordered codes into cells of about equal counts; a code with more than its share is a cell of its own,
/// and so is the one for what is missing.
fn equal_shares(counts: &[u64], missing: Option<u16>) -> Vec<u16> {
    let is_missing = |code: usize| missing.is_some_and(|it| usize::from(it) == code);
    let total: u64 = (0..counts.len())
        .filter(|&code| !is_missing(code))
        .map(|code| counts[code])
        .sum();
    let share = (total / MOST_RANGES).max(1);
    let mut cells = vec![0u16; counts.len()];
    let (mut cell, mut held) = (0u16, 0u64);
    for code in (0..counts.len()).filter(|&code| !is_missing(code)) {
        let count = counts[code];
        if held >= share || (held > 0 && count >= share) {
            cell += 1;
            held = 0;
        }
        cells[code] = cell;
        held += count;
    }
    if let Some(code) = missing {
        cells[usize::from(code)] = cell + 1;
    }
    cells
}

const MOST_CATEGORIES: usize = 100;
const MOST_RANGES: u64 = 20;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_hold_equal_shares_and_spikes_stand_alone() {
        let mut counts = vec![1u64; 40];
        counts[7] = 60;
        let cells = equal_shares(&counts, None);
        assert!(cells.is_sorted());
        let held = |cell: u16| -> u64 {
            (cells.iter().zip(&counts))
                .filter(|(it, _)| **it == cell)
                .map(|(_, count)| count)
                .sum()
        };
        assert_eq!(held(cells[7]), 60);
        assert!((0..=*cells.last().unwrap()).all(|cell| cell == cells[7] || held(cell) <= 5));
        let cells = equal_shares(&[5, 5, 9], Some(2));
        assert_eq!(cells, [0, 1, 2]);
    }

    #[test]
    fn rare_categories_share_a_cell() {
        let mut counts: Vec<u64> = (0..150).collect();
        counts[0] = 1000;
        let cells = frequent(&counts);
        assert_eq!((cells[0], cells[149], cells[1]), (0, 1, 100));
        assert_eq!(frequent(&[3, 0, 1]), [0, 1, 2]);
    }
}
