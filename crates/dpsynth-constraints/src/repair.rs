//! Changes to a row that make it obey a rule.

use polars::prelude::{DataFrame, PolarsResult};
use polars_lazy::prelude::{Expr, IntoLazy, col, lit, when};

use crate::columns::Cell;
use crate::trade::Trade;

/// How the rows that break a rule are changed.
#[derive(Clone, Debug)]
pub(crate) enum Repair {
    /// Moves a number to the nearer bound.
    Clip {
        column: String,
        low: Cell,
        high: Cell,
    },
    /// As the rule's own test knows: from values that the table holds, or at random.
    Own,
    /// Swaps two values where each column can hold the other's.
    Swap {
        low: String,
        high: String,
        both_hold: Expr,
    },
    /// Trades for a literal, or a missing value, with rows that need it less; where none is left, it
    /// is written.
    Trade(Trade),
}

impl Repair {
    /// Changes the rows for which `condition` is false.
    pub(crate) fn apply(&self, table: DataFrame, condition: &Expr) -> PolarsResult<DataFrame> {
        let broken = condition.clone().not().fill_null(lit(false));
        let changed = match self {
            Self::Clip { column, low, high } => {
                let clipped = when(col(column).lt(low.literal()))
                    .then(low.literal())
                    .when(col(column).gt(high.literal()))
                    .then(high.literal())
                    .otherwise(col(column));
                vec![
                    when(broken)
                        .then(clipped)
                        .otherwise(col(column))
                        .alias(column),
                ]
            }
            // Needs the values and randomness, see `Test::repair`.
            Self::Own => Vec::new(),
            Self::Swap {
                low,
                high,
                both_hold,
            } => {
                let swapped = broken.and(both_hold.clone());
                vec![
                    when(swapped.clone())
                        .then(col(high))
                        .otherwise(col(low))
                        .alias(low),
                    when(swapped)
                        .then(col(low))
                        .otherwise(col(high))
                        .alias(high),
                ]
            }
            Self::Trade(trade) => vec![trade.assign(broken)],
        };
        table.lazy().with_columns(changed).collect()
    }
}
