//! Singling out: predicates made from the synthetic table that hold for one person exactly.

use dpsynth_privacy::PublicRng;

use super::table::{AuditColumn, AuditTable};

/// A condition on one cell.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Condition {
    Equals(u32),
    EqualsNumber(f64),
    Missing,
    AtLeast(f64),
    AtMost(f64),
}

/// Conditions on some columns, all of which must hold.
pub(super) struct Predicate(Vec<(usize, Condition)>);

impl Predicate {
    /// Whether it holds for one row of the table and no other.
    pub(super) fn singles_out(&self, table: &AuditTable) -> bool {
        let mut holding = (0..table.rows()).filter(|&row| self.holds(table, row));
        holding.next().is_some() && holding.next().is_none()
    }

    fn holds(&self, table: &AuditTable, row: usize) -> bool {
        self.0.iter().all(
            |&(column, condition)| match (&table.columns()[column], condition) {
                (AuditColumn::Category(cells), Condition::Equals(value)) => {
                    cells[row] == Some(value)
                }
                (AuditColumn::Category(cells), Condition::Missing) => cells[row].is_none(),
                (AuditColumn::Numeric(cells), Condition::Missing) => cells[row].is_none(),
                (AuditColumn::Numeric(cells), Condition::EqualsNumber(value)) => {
                    cells[row] == Some(value)
                }
                (AuditColumn::Numeric(cells), Condition::AtLeast(least)) => {
                    cells[row].is_some_and(|cell| cell >= least)
                }
                (AuditColumn::Numeric(cells), Condition::AtMost(most)) => {
                    cells[row].is_some_and(|cell| cell <= most)
                }
                _ => false,
            },
        )
    }
}

/// Predicates on one column each: categories and numbers that occur once in the synthetic table, the
/// ends of its numbers, and missing cells that are alone.
pub(super) fn univariate(synthetic: &AuditTable, most: usize, seed: u64) -> Vec<Predicate> {
    let mut predicates = Vec::new();
    for (column, cells) in synthetic.columns().iter().enumerate() {
        let mut add = |condition| predicates.push(Predicate(vec![(column, condition)]));
        match cells {
            AuditColumn::Category(cells) => {
                let mut sorted: Vec<u32> = cells.iter().flatten().copied().collect();
                sorted.sort_unstable();
                sorted
                    .chunk_by(|a, b| a == b)
                    .filter(|equal| equal.len() == 1)
                    .for_each(|equal| add(Condition::Equals(equal[0])));
                if cells.iter().filter(|cell| cell.is_none()).count() == 1 {
                    add(Condition::Missing);
                }
            }
            AuditColumn::Numeric(cells) => {
                let mut sorted: Vec<f64> = cells.iter().flatten().copied().collect();
                sorted.sort_unstable_by(f64::total_cmp);
                if let [first, .., last] = sorted[..] {
                    add(Condition::AtMost(first));
                    add(Condition::AtLeast(last));
                }
                sorted
                    .chunk_by(|a, b| a == b)
                    .filter(|equal| equal.len() == 1)
                    .for_each(|equal| add(Condition::EqualsNumber(equal[0])));
                if cells.iter().filter(|cell| cell.is_none()).count() == 1 {
                    add(Condition::Missing);
                }
            }
        }
    }
    shuffle(&mut predicates, seed);
    predicates.truncate(most);
    predicates
}

/// Predicates on several columns: a synthetic row's own values, with numbers to the outside of the
/// middle.
pub(super) fn multivariate(synthetic: &AuditTable, most: usize, seed: u64) -> Vec<Predicate> {
    let mut rng = PublicRng::from_seed(seed);
    let columns = synthetic.columns().len();
    let middles: Vec<f64> = synthetic.columns().iter().map(middle).collect();
    (0..most)
        .map(|_| {
            let row = (rng.uniform() * synthetic.rows() as f64) as usize;
            let mut order: Vec<usize> = (0..columns).collect();
            for place in 0..columns {
                order.swap(
                    place,
                    place + (rng.uniform() * (columns - place) as f64) as usize,
                );
            }
            let used = MOST_COLUMNS.min(columns);
            let conditions = order.into_iter().take(used).map(|column| {
                let condition = match &synthetic.columns()[column] {
                    AuditColumn::Category(cells) => {
                        cells[row].map_or(Condition::Missing, Condition::Equals)
                    }
                    AuditColumn::Numeric(cells) => cells[row].map_or(Condition::Missing, |cell| {
                        if cell >= middles[column] {
                            Condition::AtLeast(cell)
                        } else {
                            Condition::AtMost(cell)
                        }
                    }),
                };
                (column, condition)
            });
            Predicate(conditions.collect())
        })
        .collect()
}

fn middle(column: &AuditColumn) -> f64 {
    let AuditColumn::Numeric(cells) = column else {
        return 0.0;
    };
    let mut sorted: Vec<f64> = cells.iter().flatten().copied().collect();
    sorted.sort_unstable_by(f64::total_cmp);
    sorted.get(sorted.len() / 2).copied().unwrap_or(0.0)
}

fn shuffle<T>(items: &mut [T], seed: u64) {
    let mut rng = PublicRng::from_seed(seed);
    for place in 0..items.len() {
        let left = (items.len() - place) as f64;
        items.swap(place, place + (rng.uniform() * left) as usize);
    }
}

/// Columns of a predicate on several.
const MOST_COLUMNS: usize = 4;
