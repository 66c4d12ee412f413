//! Tables as the attacks see them, and the distance of their rows.

use dpsynth_privacy::PublicRng;

use crate::error::AuditError;

/// One column. Categories of the same column have the same numbers in all tables.
#[derive(Clone, Debug, PartialEq)]
pub enum AuditColumn {
    /// Numbers, or dates as numbers; `None` is missing.
    Numeric(Vec<Option<f64>>),
    /// Categories by number; `None` is missing.
    Category(Vec<Option<u32>>),
}

/// A table: columns of one length.
#[derive(Clone, Debug, PartialEq)]
pub struct AuditTable {
    names: Vec<String>,
    columns: Vec<AuditColumn>,
    rows: usize,
}

impl AuditColumn {
    fn len(&self) -> usize {
        match self {
            Self::Numeric(cells) => cells.len(),
            Self::Category(cells) => cells.len(),
        }
    }

    fn pick(&self, rows: &[usize]) -> Self {
        match self {
            Self::Numeric(cells) => Self::Numeric(rows.iter().map(|&row| cells[row]).collect()),
            Self::Category(cells) => Self::Category(rows.iter().map(|&row| cells[row]).collect()),
        }
    }
}

impl AuditTable {
    /// Takes named columns.
    ///
    /// # Errors
    /// If there are none, or they differ in length or number from their names.
    pub fn new(names: Vec<String>, columns: Vec<AuditColumn>) -> Result<Self, AuditError> {
        let rows = columns.first().map_or(0, AuditColumn::len);
        let even = columns.iter().all(|column| column.len() == rows);
        if names.len() != columns.len() || !even || rows == 0 {
            return Err(AuditError::Columns);
        }
        Ok(Self {
            names,
            columns,
            rows,
        })
    }

    /// Names of the columns.
    #[must_use]
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// The columns.
    #[must_use]
    pub fn columns(&self) -> &[AuditColumn] {
        &self.columns
    }

    /// Number of rows.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// At most `most` rows in an order that `seed` decides.
    pub(super) fn sample(&self, most: usize, seed: u64) -> Self {
        let mut rng = PublicRng::from_seed(seed);
        let mut rows: Vec<usize> = (0..self.rows).collect();
        for place in 0..most.min(self.rows) {
            let left = (self.rows - place) as f64;
            rows.swap(place, place + (rng.uniform() * left) as usize);
        }
        rows.truncate(most);
        Self {
            names: self.names.clone(),
            columns: self.columns.iter().map(|it| it.pick(&rows)).collect(),
            rows: rows.len(),
        }
    }

    /// Whether both have columns of the same names and kinds.
    pub(super) fn like(&self, other: &Self) -> bool {
        let kinds = self.columns.iter().zip(&other.columns);
        self.names == other.names
            && kinds
                .into_iter()
                .all(|(a, b)| std::mem::discriminant(a) == std::mem::discriminant(b))
    }
}

/// Distances between rows of two tables: the mean over columns of the difference over the range, or of
/// whether categories differ (Gower 1971). A missing cell differs from any other by 1.
pub(super) struct Distances {
    ranges: Vec<f64>,
}

impl Distances {
    /// Takes the ranges of a table's columns.
    pub(super) fn of(table: &AuditTable) -> Self {
        let range = |column: &AuditColumn| match column {
            AuditColumn::Category(_) => 1.0,
            AuditColumn::Numeric(cells) => {
                let present = cells.iter().flatten().copied();
                let (low, high) = present.fold((f64::INFINITY, f64::NEG_INFINITY), |(l, h), x| {
                    (l.min(x), h.max(x))
                });
                if high > low { high - low } else { 1.0 }
            }
        };
        Self {
            ranges: table.columns.iter().map(range).collect(),
        }
    }

    /// The range of a column of numbers.
    pub(super) fn range(&self, column: usize) -> f64 {
        self.ranges[column]
    }

    /// The sum over `columns` of the differences of a row of `a` and a row of `b`.
    pub(super) fn between(
        &self,
        columns: &[usize],
        (a, row): (&AuditTable, usize),
        (b, other): (&AuditTable, usize),
    ) -> f64 {
        columns
            .iter()
            .map(|&column| match (&a.columns[column], &b.columns[column]) {
                (AuditColumn::Numeric(a), AuditColumn::Numeric(b)) => match (a[row], b[other]) {
                    (Some(a), Some(b)) => ((a - b).abs() / self.ranges[column]).min(1.0),
                    (None, None) => 0.0,
                    _ => 1.0,
                },
                (AuditColumn::Category(a), AuditColumn::Category(b)) => {
                    f64::from(u8::from(a[row] != b[other]))
                }
                _ => 1.0,
            })
            .sum()
    }

    /// The `count` rows of `table` that are nearest to a row, nearest first.
    pub(super) fn nearest(
        &self,
        columns: &[usize],
        row: (&AuditTable, usize),
        table: &AuditTable,
        count: usize,
    ) -> Vec<(f64, usize)> {
        let mut nearest: Vec<(f64, usize)> = Vec::with_capacity(count + 1);
        for other in 0..table.rows {
            let distance = self.between(columns, row, (table, other));
            if nearest.len() == count && nearest.last().is_some_and(|last| last.0 <= distance) {
                continue;
            }
            let place = nearest.partition_point(|(near, _)| *near <= distance);
            nearest.insert(place, (distance, other));
            nearest.truncate(count);
        }
        nearest
    }
}
