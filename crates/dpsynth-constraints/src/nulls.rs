//! Columns that are missing together in some ways, and in no other.

use polars::prelude::{DataFrame, IdxCa, IdxSize, NewChunkedArray, PolarsResult};

/// The ways in which some columns may be missing. A way is a set of columns, one bit for each.
#[derive(Clone, Debug)]
pub(crate) struct Nulls {
    columns: Vec<String>,
    /// Those with fewer missing columns first.
    allowed: Vec<u64>,
}

impl Nulls {
    /// The most columns that one rule can tie together.
    pub(crate) const MOST_COLUMNS: usize = 64;

    /// Lists the ways, each by the positions of the columns that are missing.
    pub(crate) fn new(columns: &[String], ways: &[Vec<usize>]) -> Self {
        let bits = |way: &Vec<usize>| way.iter().fold(0, |bits, column| bits | 1 << column);
        let mut allowed: Vec<u64> = ways.iter().map(bits).collect();
        allowed.sort_by_key(|way| way.count_ones());
        allowed.dedup();
        Self {
            columns: columns.to_vec(),
            allowed,
        }
    }

    /// Returns the rows whose columns are missing in another way.
    pub(crate) fn broken(&self, table: &DataFrame) -> PolarsResult<Vec<bool>> {
        let ways = self.read(table)?;
        Ok((ways.iter())
            .map(|way| !self.allowed.contains(way))
            .collect())
    }

    /// Blanks the fewest cells that bring a row into an allowed way. A row that would have to be filled
    /// stays as it is.
    pub(crate) fn repair(&self, table: &mut DataFrame, broken: &[bool]) -> PolarsResult<()> {
        let ways = self.read(table)?;
        let blanked: Vec<u64> = (ways.iter().zip(broken))
            .map(|(way, broken)| {
                let wider = |allowed: &&u64| way & !**allowed == 0;
                match self.allowed.iter().find(wider) {
                    Some(allowed) if *broken => allowed & !way,
                    _ => 0,
                }
            })
            .collect();
        for (position, name) in self.columns.iter().enumerate() {
            if blanked.iter().all(|blanked| blanked >> position & 1 == 0) {
                continue;
            }
            // A row that takes from nowhere takes nothing.
            let from = blanked
                .iter()
                .enumerate()
                .map(|(row, blanked)| (blanked >> position & 1 == 0).then_some(row as IdxSize));
            let from = IdxCa::from_iter_options("".into(), from);
            let column = table.column(name)?.take(&from)?;
            table.with_column(column)?;
        }
        Ok(())
    }

    /// Reads which columns each row misses.
    fn read(&self, table: &DataFrame) -> PolarsResult<Vec<u64>> {
        let mut ways = vec![0; table.height()];
        for (position, name) in self.columns.iter().enumerate() {
            let missing = table.column(name)?.is_null();
            for (way, missing) in ways.iter_mut().zip(missing.iter()) {
                *way |= u64::from(missing == Some(true)) << position;
            }
        }
        Ok(ways)
    }
}
