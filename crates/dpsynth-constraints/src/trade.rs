//! Values that rows trade, so that a rule comes to hold and its column keeps its distribution.

use std::collections::BTreeMap;

use polars::prelude::{DataFrame, IdxCa, IdxSize, PolarsResult};
use polars_lazy::prelude::{Expr, NULL, col, lit, when};

use crate::columns::Cell;
use crate::rules::evaluate_all;

/// How rows that meet a condition come to hold given values: by trading with rows that do not meet
/// it and hold them without need.
///
/// If children must have no answer, blanking theirs makes answers rarer than the model drew them. A
/// child's answer is handed to an adult without one instead, for as long as there are such adults.
#[derive(Clone, Debug)]
pub(crate) struct Trade {
    condition: Expr,
    /// What the rule itself asks for, and what other rules ask for under the same condition: columns
    /// that are missing together stay together.
    wants: Vec<Want>,
    /// The rules of the wants.
    rules: Vec<usize>,
}

/// A value that a column is to hold.
#[derive(Clone, Debug)]
struct Want {
    column: String,
    cell: Option<Cell>,
    /// Whether it holds the value.
    holds: Expr,
}

impl Trade {
    /// A trade of one column, in which rows that meet `condition` hold `cell`, or nothing; `holds`
    /// says whether they do.
    pub(crate) fn new(condition: Expr, column: String, cell: Option<Cell>, holds: Expr) -> Self {
        Self {
            condition,
            wants: vec![Want {
                column,
                cell,
                holds,
            }],
            rules: Vec::new(),
        }
    }

    /// The column that the rule itself sets.
    pub(crate) fn column(&self) -> &str {
        &self.wants[0].column
    }

    /// The rules whose columns are traded, the own among them.
    pub(crate) fn rules(&self) -> &[usize] {
        &self.rules
    }

    /// Joins trades under one condition, each with its rule: every one of them trades all columns.
    pub(crate) fn join(trades: &mut [(usize, &mut Self)]) {
        let rules: Vec<usize> = trades.iter().map(|(rule, _)| *rule).collect();
        let wants: Vec<Want> = (trades.iter())
            .map(|(_, trade)| trade.wants[0].clone())
            .collect();
        for (_, trade) in trades {
            let own = trade.column().to_owned();
            let others = wants.iter().filter(|want| want.column != own);
            trade.wants.extend(others.take(MOST_OTHERS).cloned());
            trade.rules.clone_from(&rules);
        }
    }

    /// Trades values between rows, as far as there are partners.
    ///
    /// A partner is drawn among the rows that can give all that a row wants and have the least
    /// besides; where there is none, each column finds a partner of its own.
    pub(crate) fn exchange(
        &self,
        table: &mut DataFrame,
        uniform: &mut dyn FnMut() -> f64,
    ) -> PolarsResult<()> {
        let mut asked = vec![self.condition.clone()];
        asked.extend(self.wants.iter().map(|want| want.holds.clone()));
        let answers = evaluate_all(table, &asked)?;
        let meets: Vec<Option<bool>> = answers[0].bool()?.iter().collect();
        // One bit for each column.
        let (mut wanted, mut given) = (vec![0u64; meets.len()], vec![0u64; meets.len()]);
        for (bit, held) in answers[1..].iter().enumerate() {
            for (row, (held, meets)) in held.bool()?.iter().zip(&meets).enumerate() {
                match (meets, held) {
                    (Some(true), Some(false)) => wanted[row] |= 1 << bit,
                    (Some(false), Some(true)) => given[row] |= 1 << bit,
                    _ => {}
                }
            }
        }
        let mut partners = Partners::new(&given);
        let rows = IdxSize::try_from(meets.len()).unwrap_or(IdxSize::MAX);
        let mut sources: Vec<Vec<IdxSize>> = vec![(0..rows).collect(); self.wants.len()];
        let mut swap = |row: usize, partner: usize, wanted: u64| {
            for (bit, source) in sources.iter_mut().enumerate() {
                if wanted >> bit & 1 == 1 {
                    source.swap(row, partner);
                }
            }
        };
        for (row, &wanted) in wanted
            .iter()
            .enumerate()
            .filter(|(_, wanted)| **wanted != 0)
        {
            if let Some(partner) = partners.take(wanted, uniform) {
                swap(row, partner, wanted);
                continue;
            }
            for bit in (0..u64::BITS).filter(|bit| wanted >> bit & 1 == 1) {
                if let Some(partner) = partners.take(1 << bit, uniform) {
                    swap(row, partner, 1 << bit);
                }
            }
        }
        for (want, source) in self.wants.iter().zip(sources) {
            let source = IdxCa::from_vec("".into(), source);
            let column = table.column(&want.column)?.take(&source)?;
            table.with_column(column)?;
        }
        Ok(())
    }

    /// What is left of a row that found no partner: the value is written.
    pub(crate) fn assign(&self, broken: Expr) -> Expr {
        let Want { column, cell, .. } = &self.wants[0];
        let value = cell.as_ref().map_or_else(|| lit(NULL), Cell::literal);
        (when(broken).then(value).otherwise(col(column.as_str()))).alias(column.as_str())
    }
}

/// The rows that can give something, by what.
struct Partners(BTreeMap<u64, Vec<usize>>);

impl Partners {
    fn new(given: &[u64]) -> Self {
        let mut by_gift: BTreeMap<u64, Vec<usize>> = BTreeMap::new();
        for (row, &gift) in given.iter().enumerate().filter(|(_, gift)| **gift != 0) {
            by_gift.entry(gift).or_default().push(row);
        }
        Self(by_gift)
    }

    /// Takes all that is wanted from one row.
    fn take(&mut self, wanted: u64, uniform: &mut dyn FnMut() -> f64) -> Option<usize> {
        let able = self.0.keys().filter(|gift| *gift & wanted == wanted);
        let gift = *able.min_by_key(|gift| gift.count_ones())?;
        let rows = self.0.get_mut(&gift)?;
        let drawn = ((uniform() * rows.len() as f64) as usize).min(rows.len() - 1);
        let row = rows.swap_remove(drawn);
        if rows.is_empty() {
            self.0.remove(&gift);
        }
        let left = gift & !wanted;
        if left != 0 {
            self.0.entry(left).or_default().push(row);
        }
        Some(row)
    }
}

/// Columns that trade together with a rule's own: one bit each.
const MOST_OTHERS: usize = 63;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn partners_give_what_is_wanted_and_no_more_than_once() {
        let mut partners = Partners::new(&[0b11, 0b01, 0b00, 0b10]);
        let mut first = || 0.0;
        // The one that has nothing else comes first.
        assert_eq!(partners.take(0b01, &mut first), Some(1));
        assert_eq!(partners.take(0b01, &mut first), Some(0));
        assert_eq!(partners.take(0b01, &mut first), None);
        assert_eq!(partners.take(0b11, &mut first), None);
        // What is left of the first row, and the last row.
        let mut rows = [
            partners.take(0b10, &mut first),
            partners.take(0b10, &mut first),
        ];
        rows.sort_unstable();
        assert_eq!(rows, [Some(0), Some(3)]);
        assert_eq!(partners.take(0b10, &mut first), None);
    }
}
