//! Makes tables that obey: construct, repair, check, and redraw what still breaks a rule.

use polars::prelude::{BooleanChunked, DataFrame, NewChunkedArray, PlSmallStr};

use crate::columns::dtype;
use crate::error::{RuleError, RuleField, RuleProblem};
use crate::outcome::{Limits, RuleOutcome};
use crate::repair::Repair;
use crate::rules::{Rules, Test, fits};
use crate::spec::Enforcement;
use crate::unique::Seen;

impl Rules {
    /// Draws rows until exactly `rows` of them obey every rule.
    ///
    /// `draw(n)` returns `n` fresh rows with every modelled column in its polars type (String,
    /// Int64, Float64 or Date); other columns are ignored. `uniform` returns numbers in [0, 1) and
    /// is asked only where a repair has a choice. The result depends on nothing else.
    ///
    /// Each round computes the derived columns, repairs in the order of the policy, and then checks
    /// *every* rule on the repaired rows, so that no repair leaves another rule broken. Rows that
    /// break a rule are thrown away and drawn again.
    ///
    /// # Guarantee
    ///
    /// Returns exactly `rows` rows, in the order drawn, each of which obeys every rule, or an
    /// error. A drawn row that already obeys is delivered unchanged, unless it gave a value to a row
    /// that needed it.
    ///
    /// # Errors
    ///
    /// [`RuleProblem::NoRoom`] names a rule whose columns cannot be different in so many rows,
    /// [`RuleProblem::Unsatisfied`] the rule that rejected most once `limits` are reached,
    /// [`RuleProblem::Refused`] the first rule with `refuse` that drawn rows break, and
    /// [`RuleProblem::Evaluation`] a rule whose expression fails on a row.
    pub fn enforce(
        &self,
        rows: usize,
        draw: &mut dyn FnMut(usize) -> DataFrame,
        uniform: &mut dyn FnMut() -> f64,
        limits: Limits,
    ) -> Result<(DataFrame, Vec<RuleOutcome>), RuleError> {
        self.expect_room(rows as u64)?;
        let mut enforcing = self.enforcing(limits);
        let table = enforcing.next_rows(rows, draw, uniform)?;
        Ok((table, enforcing.outcomes()))
    }

    /// Begins to draw rows that obey, some at a time.
    #[must_use]
    pub fn enforcing(&self, limits: Limits) -> Enforcing {
        Enforcing {
            rules: self.clone(),
            limits,
            tally: Tally::new(self),
            spare: self.columns.empty_frame(),
        }
    }

    /// Returns the rows of one draw that obey, after construction and repair.
    fn enforce_batch(
        &self,
        batch: DataFrame,
        uniform: &mut dyn FnMut() -> f64,
        tally: &mut Tally,
    ) -> Result<DataFrame, RuleError> {
        tally.drawn += batch.height();
        let (mut table, broken) = self.judge(batch)?;
        for (rule, broken) in broken.iter().enumerate() {
            tally.rules[rule].violated += count(broken);
        }
        self.refuse(&broken, tally)?;

        let mut changed = false;
        for (index, rule) in self.rules.iter().enumerate() {
            let (Enforcement::Repair, Some(repair)) = (rule.enforcement, &rule.repair) else {
                continue;
            };
            let before = self.broken_by(index, &table)?;
            if count(&before) == 0 {
                continue;
            }
            // What is traded together is repaired for all of its rules.
            let mut repaired = vec![(index, before.clone())];
            if let Repair::Trade(trade) = repair {
                for &other in trade.rules().iter().filter(|other| **other != index) {
                    repaired.push((other, self.broken_by(other, &table)?));
                }
            }
            (rule.test.repair(repair, &mut table, &before, uniform))
                .map_err(|_| self.unevaluable(index))?;
            for (rule, before) in repaired {
                let after = self.broken_by(rule, &table)?;
                let pairs = before.iter().zip(&after);
                tally.rules[rule].repaired +=
                    pairs.filter(|(before, after)| **before && !**after).count();
            }
            table = self.construct(table)?.0;
            changed = true;
        }

        let (table, broken) = if changed {
            self.judge(table)?
        } else {
            (table, broken)
        };
        let mut keep = vec![true; table.height()];
        for (rule, broken) in broken.iter().enumerate() {
            tally.rules[rule].redrawn += count(broken);
            for (keep, broken) in keep.iter_mut().zip(broken) {
                *keep &= !broken;
            }
        }
        self.drop_repeated(&table, &mut keep, tally)?;
        tally.kept += count(&keep);
        let keep = BooleanChunked::from_slice(PlSmallStr::EMPTY, &keep);
        table.filter(&keep).map_err(|_| wrong_shape())
    }

    /// Takes out of the rows to keep those that repeat one that is kept already.
    fn drop_repeated(
        &self,
        table: &DataFrame,
        keep: &mut [bool],
        tally: &mut Tally,
    ) -> Result<(), RuleError> {
        for (index, rule) in self.rules.iter().enumerate() {
            let Test::Unique(unique) = &rule.test else {
                continue;
            };
            let repeated = unique.repeated(table, keep, &mut tally.seen[index]);
            let repeated = repeated.map_err(|_| self.unevaluable(index))?;
            tally.rules[index].violated += count(&repeated);
            tally.rules[index].redrawn += count(&repeated);
            for (keep, repeated) in keep.iter_mut().zip(repeated) {
                *keep &= !repeated;
            }
        }
        Ok(())
    }

    /// Computes the derived columns and returns which rows break which rule.
    fn judge(&self, table: DataFrame) -> Result<(DataFrame, Vec<Vec<bool>>), RuleError> {
        let (table, outside) = self.construct(table)?;
        let mut broken = self.broken(&table)?;
        for Outside { rule, rows } in outside {
            broken[rule] = rows;
        }
        Ok((table, broken))
    }

    /// Computes the derived columns, and for each of their rules the rows whose value its column
    /// cannot hold.
    fn construct(&self, mut table: DataFrame) -> Result<(DataFrame, Vec<Outside>), RuleError> {
        let mut outside = Vec::with_capacity(self.derivations.len());
        for &rule in &self.derivations {
            let Test::Formula(formula) = &self.rules[rule].test else {
                continue;
            };
            let computed = formula
                .compute(&table)
                .map_err(|_| self.unevaluable(rule))?;
            table
                .with_column(computed.column)
                .map_err(|_| wrong_shape())?;
            outside.push(Outside {
                rule,
                rows: computed.outside,
            });
        }
        let order: Vec<&str> = self
            .columns
            .iter()
            .map(|column| column.name.as_str())
            .collect();
        let table = table.select(order).map_err(|_| wrong_shape())?;
        Ok((table, outside))
    }

    /// Ends the run if a rule that is to refuse is broken by a row as drawn. A row that no derived
    /// column can hold is not a row of the table yet, and so refuses nothing.
    fn refuse(&self, broken: &[Vec<bool>], tally: &Tally) -> Result<(), RuleError> {
        for (index, rule) in self.rules.iter().enumerate() {
            if rule.enforcement != Enforcement::Refuse {
                continue;
            }
            let real = |row: usize| {
                !self
                    .derivations
                    .iter()
                    .any(|derivation| broken[*derivation][row])
            };
            let breaking = broken[index]
                .iter()
                .enumerate()
                .filter(|(row, broken)| **broken && real(*row))
                .count();
            if breaking > 0 {
                // Of all rows drawn so far: an earlier round had none that break the rule.
                let share = breaking as f64 / tally.drawn as f64;
                return Err(self.blame(index, RuleField::Enforce, RuleProblem::Refused { share }));
            }
        }
        Ok(())
    }

    /// Returns the modelled columns of a draw, in the schema's order.
    fn modelled(&self, draw: DataFrame) -> Result<DataFrame, RuleError> {
        let derived = self.derived_columns();
        let mut names = Vec::new();
        for column in self
            .columns
            .iter()
            .filter(|column| !derived.contains(&column.name))
        {
            fits(&draw, &column.name, &dtype(column))?;
            names.push(column.name.as_str());
        }
        draw.select(names).map_err(|_| wrong_shape())
    }
}

/// Rules that are enforced on rows which are drawn some at a time, as for a table that is too large to
/// be held. It holds no rows but a few that were drawn too many.
pub struct Enforcing {
    rules: Rules,
    limits: Limits,
    tally: Tally,
    /// Rows that obey and were not asked for yet.
    spare: DataFrame,
}

impl Enforcing {
    /// Draws the next `rows` rows that obey; everything is as in [`Rules::enforce`], and the limits are
    /// those for so many rows.
    ///
    /// # Errors
    /// As [`Rules::enforce`].
    pub fn next_rows(
        &mut self,
        rows: usize,
        draw: &mut dyn FnMut(usize) -> DataFrame,
        uniform: &mut dyn FnMut() -> f64,
    ) -> Result<DataFrame, RuleError> {
        let drawn_before = self.tally.drawn;
        let mut table = std::mem::take(&mut self.spare);
        for round in 0..self.limits.max_rounds.get() {
            let drawn = self.tally.drawn - drawn_before;
            let left = self.limits.draws(rows).saturating_sub(drawn);
            let missing = rows.saturating_sub(table.height());
            let wanted = match round {
                0 => missing,
                _ => self.tally.next_batch(rows, missing),
            };
            let wanted = wanted.min(left);
            if wanted == 0 {
                break;
            }
            let batch = self.rules.modelled(draw(wanted))?;
            if batch.height() < wanted {
                return Err(wrong_shape());
            }
            let obeying = self.rules.enforce_batch(batch, uniform, &mut self.tally)?;
            table.vstack_mut(&obeying).map_err(|_| wrong_shape())?;
        }
        if table.height() < rows {
            return Err(self.tally.unsatisfied(&self.rules));
        }
        self.spare = table.slice(rows as i64, usize::MAX);
        let mut table = table.head(Some(rows));
        table.rechunk_mut();
        Ok(table)
    }

    /// Returns what became of all rows that were drawn.
    #[must_use]
    pub fn outcomes(&self) -> Vec<RuleOutcome> {
        self.tally.outcomes(&self.rules)
    }
}

/// The rows whose computed value its column cannot hold.
struct Outside {
    rule: usize,
    rows: Vec<bool>,
}

/// What happened so far.
struct Tally {
    drawn: usize,
    kept: usize,
    rules: Vec<Counts>,
    /// What the rows kept so far hold, for each rule that says that rows differ.
    seen: Vec<Seen>,
}

#[derive(Clone, Default)]
struct Counts {
    violated: usize,
    repaired: usize,
    redrawn: usize,
}

impl Tally {
    fn new(rules: &Rules) -> Self {
        Self {
            drawn: 0,
            kept: 0,
            rules: vec![Counts::default(); rules.rules.len()],
            seen: rules.rules.iter().map(|_| Seen::default()).collect(),
        }
    }

    /// Returns how many rows to draw next of a table of `rows`, given how many of the last ones obeyed.
    fn next_batch(&self, rows: usize, missing: usize) -> usize {
        if missing == 0 || self.drawn == 0 {
            return missing;
        }
        let obeyed = (self.kept as f64 / self.drawn as f64).max(LEAST_SHARE);
        let expected = (missing as f64 / obeyed * SURPLUS).ceil() as usize;
        // Bounds memory, and keeps a first bad draw from asking for everything at once.
        expected.clamp(
            missing.min(SMALL_BATCH),
            rows.max(SMALL_BATCH).saturating_mul(4),
        )
    }

    fn unsatisfied(&self, rules: &Rules) -> RuleError {
        let mut worst: Option<usize> = None;
        for (index, counts) in self.rules.iter().enumerate() {
            if counts.redrawn > worst.map_or(0, |worst| self.rules[worst].redrawn) {
                worst = Some(index);
            }
        }
        match worst {
            Some(worst) => {
                let share = self.rules[worst].redrawn as f64 / self.drawn as f64;
                rules.blame(
                    worst,
                    rules.rules[worst].field,
                    RuleProblem::Unsatisfied { share },
                )
            }
            // The first batch has every row, so that without a rejection none is missing.
            None => RuleError {
                place: None,
                problem: RuleProblem::WrongShape,
            },
        }
    }

    fn outcomes(&self, rules: &Rules) -> Vec<RuleOutcome> {
        let each = rules.rules.iter().zip(&self.rules);
        each.map(|(rule, counts)| RuleOutcome {
            name: rule.name.clone(),
            enforcement: rule.enforcement,
            drawn: self.drawn as u64,
            violated: counts.violated as u64,
            repaired: counts.repaired as u64,
            redrawn: counts.redrawn as u64,
        })
        .collect()
    }
}

fn count(mask: &[bool]) -> usize {
    mask.iter().filter(|set| **set).count()
}

fn wrong_shape() -> RuleError {
    RuleError {
        place: None,
        problem: RuleProblem::WrongShape,
    }
}

/// The share of obeying rows below which batches grow no further.
const LEAST_SHARE: f64 = 0.02;

/// A batch as small as this costs next to nothing.
const SMALL_BATCH: usize = 1_024;

/// A little more than expected, so that the last round seldom falls short by a few rows.
const SURPLUS: f64 = 1.1;
