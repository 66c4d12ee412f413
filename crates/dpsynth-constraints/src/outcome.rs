//! What checking and enforcing found, and how long enforcing may go on.

use std::num::NonZeroU32;

use serde::{Deserialize, Serialize};

use crate::spec::Enforcement;

/// A rule that a table breaks.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Violation {
    /// Position of the rule in the policy, from zero.
    pub rule: usize,
    /// Name of the rule.
    pub name: String,
    /// Rows that break it.
    pub count: usize,
}

/// What became of the rows that were drawn, in the eyes of one rule. All counts are of synthetic
/// rows, over every row that was drawn, the surplus of the last round included.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct RuleOutcome {
    /// Name of the rule.
    pub name: String,
    /// How the rule was made to hold.
    pub enforcement: Enforcement,
    /// Rows drawn; the same for every rule of a run.
    pub drawn: u64,
    /// Rows that broke this rule as drawn, before any repair.
    pub violated: u64,
    /// Rows that this rule's own repair changed.
    pub repaired: u64,
    /// Rows thrown away that broke this rule after every repair. A row that breaks two rules counts
    /// for both.
    pub redrawn: u64,
}

/// How long redrawing may go on before the run fails.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Limits {
    /// Most times that rows are drawn.
    pub max_rounds: NonZeroU32,
    /// Most rows drawn in all, as a multiple of the rows asked for (of [`Limits::SMALL_TABLE`]
    /// where fewer are asked for, so that a handful of rows is not given up on at once).
    pub max_draw_factor: NonZeroU32,
}

impl Limits {
    /// The table size below which the allowance of draws no longer shrinks.
    pub const SMALL_TABLE: usize = 1_000;

    /// Returns the most rows that may be drawn for a table of `rows` rows.
    pub(crate) fn draws(self, rows: usize) -> usize {
        rows.max(Self::SMALL_TABLE)
            .saturating_mul(self.max_draw_factor.get() as usize)
    }
}

impl Default for Limits {
    /// Goes on while at least one row in fifty obeys.
    fn default() -> Self {
        const ROUNDS: NonZeroU32 = NonZeroU32::new(32).expect("32 is not zero");
        const DRAW_FACTOR: NonZeroU32 = NonZeroU32::new(50).expect("50 is not zero");
        Self {
            max_rounds: ROUNDS,
            max_draw_factor: DRAW_FACTOR,
        }
    }
}
