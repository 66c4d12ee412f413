//! From a released generator to a table that obeys the rules: post-processing throughout.

use std::num::NonZeroU32;

use dpsynth_constraints::{
    Condition, Enforcing, Limits, RuleError, RuleOutcome, RuleProblem, Rules,
};
use dpsynth_privacy::PublicRng;
use dpsynth_table::{Cell, Domain, IdFormat, Schema, SchemaError, Table, TableError};
use dpsynth_train::{Generator, TrainError};
use thiserror::Error;

use crate::policy::{Engine, Policy};

/// Rows that are drawn from a generator, some at a time, so that a table of any length needs little memory.
///
/// They are a function of the generator, the policy and the seed, each lies in the schema, and each obeys
/// every rule.
pub struct Synthesis<'p> {
    generator: Generator,
    policy: &'p Policy,
    modelled: Schema,
    ruled: Schema,
    enforcing: Enforcing,
    latents: PublicRng,
    cells: PublicRng,
    choices: PublicRng,
    /// Where columns of identifiers stand, their names and what is in them.
    identifiers: Vec<(usize, String, Identifiers)>,
    /// The condition that all rows make true, if one was asked for.
    condition: Option<String>,
    /// Rows of the whole table, and how many of them were drawn.
    rows: usize,
    drawn: usize,
    /// The rows that were drawn last.
    table: Table,
}

/// Rows that are drawn at a time; several blocks of a model, so that each core has one.
const PIECE_ROWS: usize = 1 << 17;

impl<'p> Synthesis<'p> {
    /// Begins a table of `rows` rows; none is drawn yet.
    ///
    /// # Errors
    /// If the generator does not fit the policy, or a column has too few identifiers.
    pub fn begin(
        generator: Generator,
        policy: &'p Policy,
        rows: usize,
        seed: u64,
    ) -> Result<Self, SynthesisError> {
        policy.rules.expect_room(rows as u64)?;
        let enforcing = policy.rules.enforcing(Limits::default());
        Self::with_rules(generator, policy, enforcing, rows, seed)
    }

    /// As [`begin`](Self::begin), but only rows that make `condition` true.
    ///
    /// The parts of the condition that are about one column each hold by construction, but for the engine `vae`: the
    /// components of a mixture are weighted by how far they meet them, the shares of a graphical model are multiplied
    /// by what is allowed of later columns, and the scores of a copula are drawn within it. What is left, such
    /// as a bound inside a cell, is met by drawing again.
    ///
    /// # Errors
    /// If the condition is not one on the policy's columns, or no row can meet it.
    pub fn begin_where(
        generator: &Generator,
        policy: &'p Policy,
        condition: &str,
        rows: usize,
        seed: u64,
    ) -> Result<Self, SynthesisError> {
        let ruled = policy.ruled_schema()?;
        let text = condition.to_owned();
        let condition = Condition::compile(condition, &ruled)
            .map_err(|findings| unconditional(policy, findings))?;
        let mut specs = policy.rule_specs.clone();
        specs.push(condition.as_rule());
        let rules = Rules::compile(specs, &ruled).map_err(first)?;
        let modelled = policy.modelled_schema(engine(generator))?;
        let mut allowed = vec![None; modelled.columns().len()];
        for name in condition.columns_alone() {
            // Codes of a column that follows others say nothing of its values.
            let own = |column: &usize| modelled.coders()[*column].follows().is_none();
            if let Some(column) = modelled.position(name).filter(own) {
                allowed[column] = Some(allowed_codes(&condition, &modelled, name)?);
            }
        }
        let given = match generator {
            Generator::Mixture(mixture) => mixture
                .given(&allowed)
                .map(|(mixture, _)| Generator::Mixture(mixture)),
            Generator::Graphical(model) => model.given(&allowed).map(Generator::Graphical),
            Generator::Copula(copula) => copula.given(&allowed).map(Generator::Copula),
            generator => allowed
                .iter()
                .flatten()
                .all(|codes| codes.contains(&true))
                .then(|| generator.clone()),
        };
        let given = given.ok_or(SynthesisError::Impossible)?;
        rules.expect_room(rows as u64)?;
        let enforcing = rules.enforcing(FOR_CONDITIONS);
        let synthesis = Self::with_rules(given, policy, enforcing, rows, seed)?;
        Ok(Self {
            condition: Some(text),
            ..synthesis
        })
    }

    fn with_rules(
        generator: Generator,
        policy: &'p Policy,
        enforcing: Enforcing,
        rows: usize,
        seed: u64,
    ) -> Result<Self, SynthesisError> {
        let modelled = policy.modelled_schema(engine(&generator))?;
        if modelled.codes() != generator.domain_sizes() {
            return Err(SynthesisError::PolicyMismatch);
        }
        let streams = PublicRng::from_seed(seed);
        let mut rng = streams.stream(IDENTIFIERS);
        let mut identifiers = Vec::new();
        for (position, column) in policy.schema.columns().iter().enumerate() {
            if let Domain::Identifier { format } = &column.domain {
                let made = Identifiers::new(format, rows, &mut rng);
                let made = made.ok_or_else(|| SynthesisError::NoRoom {
                    column: column.name.clone(),
                })?;
                identifiers.push((position, column.name.clone(), made));
            }
        }
        Ok(Self {
            generator,
            policy,
            ruled: policy.ruled_schema()?,
            enforcing,
            latents: streams.stream(LATENTS),
            cells: streams.stream(CELLS),
            choices: streams.stream(CHOICES),
            identifiers,
            condition: None,
            rows,
            drawn: 0,
            table: Table::decode(&modelled, &[], &mut || 0.0),
            modelled,
        })
    }

    /// Draws the next rows, which take the place of the last ones.
    ///
    /// # Errors
    /// If a rule rejects too many rows, or the generator fails.
    pub fn advance(mut self) -> Result<Self, SynthesisError> {
        let rows = PIECE_ROWS.min(self.rows - self.drawn);
        let mut failure = None;
        let mut draw = |count: usize| {
            let codes = self
                .generator
                .sample_of(self.rows, count, &mut self.latents);
            let codes = codes.unwrap_or_else(|error| {
                failure.get_or_insert(error);
                // No rows: the failure is reported once enforcing has given up.
                Vec::new()
            });
            Table::decode(&self.modelled, &codes, &mut || self.cells.uniform()).to_dataframe()
        };
        let mut uniform = || self.choices.uniform();
        let enforced = self.enforcing.next_rows(rows, &mut draw, &mut uniform);
        if let Some(error) = failure {
            return Err(error.into());
        }
        let enforced = enforced.map_err(|error| self.blame(error))?;
        let mut table = Table::from_dataframe(&enforced, &self.ruled)?;
        for (position, name, made) in &self.identifiers {
            let texts = (self.drawn..self.drawn + rows).map(|row| made.text(row as u64));
            table = table.with_identifiers(*position, name, texts.collect());
        }
        table.conforms(&self.policy.schema)?;
        self.table = table;
        self.drawn += rows;
        Ok(self)
    }

    /// What is wrong where rules reject too many rows: with a condition it is the first suspect.
    fn blame(&self, error: RuleError) -> SynthesisError {
        match (&self.condition, &error.problem) {
            (Some(condition), RuleProblem::Unsatisfied { .. }) => SynthesisError::Rare {
                condition: condition.clone(),
                rule: (error.place)
                    // The condition comes after all rules of the policy.
                    .filter(|place| place.rule < self.policy.rule_specs.len())
                    .map(|place| place.name),
            },
            _ => error.into(),
        }
    }

    /// The rows that were drawn last.
    #[must_use]
    pub fn table(&self) -> &Table {
        &self.table
    }

    /// Whether all rows were drawn.
    #[must_use]
    pub fn is_done(&self) -> bool {
        self.drawn == self.rows
    }

    /// What became of the rows in the eyes of each rule, those included that were not delivered.
    #[must_use]
    pub fn outcomes(&self) -> Vec<RuleOutcome> {
        self.enforcing.outcomes()
    }
}

/// The codes of a column that may hold a value that meets the parts of a condition about it.
///
/// A cell is tried at its ends and between them; one that holds a literal of the condition may meet
/// it there.
fn allowed_codes(
    condition: &Condition,
    modelled: &Schema,
    name: &str,
) -> Result<Vec<bool>, SynthesisError> {
    let alone = modelled.select(&[name])?;
    let coder = &alone.coders()[0];
    let codes: Vec<u16> = (0..coder.codes()).map(|code| code as u16).collect();
    let mut allowed = vec![false; codes.len()];
    let values_at = |at: f64| Table::decode(&alone, &codes, &mut || at).to_dataframe();
    for at in CELL_PLACES {
        let values = values_at(at);
        let holds = condition.holds_alone(name, &values)?;
        for (allowed, holds) in allowed.iter_mut().zip(holds) {
            *allowed |= holds;
        }
    }
    if coder.grid().is_some() {
        for literal in condition.literals_of(name) {
            let Ok(code) = coder.encode(Cell::Text(literal)) else {
                continue;
            };
            let [low, .., high] = CELL_PLACES;
            // A cell of one value was tried whole.
            if coder.decode(code, low) != coder.decode(code, high) {
                allowed[usize::from(code)] = true;
            }
        }
    }
    Ok(allowed)
}

/// What is wrong with a condition; a column that is there but not modelled is no unknown one.
fn unconditional(policy: &Policy, findings: Vec<RuleError>) -> SynthesisError {
    let told = findings.iter().find_map(|finding| match &finding.problem {
        RuleProblem::UnknownColumn { column, .. } => {
            let why = if policy.identifiers().contains(column) {
                "is made up after the rows are drawn"
            } else if policy.ignored.contains(column) {
                "is left out by the policy"
            } else {
                return None;
            };
            Some(SynthesisError::Unconditional {
                column: column.clone(),
                why,
            })
        }
        _ => None,
    });
    told.unwrap_or_else(|| first(findings))
}

/// The first of several findings; one at least is there.
fn first(mut findings: Vec<RuleError>) -> SynthesisError {
    SynthesisError::Rule(findings.swap_remove(0))
}

/// Made-up identifiers, one for every row and no two alike.
///
/// They are numbered from a place and in steps that the seed decides, so that they neither count the
/// rows nor stand in order.
struct Identifiers {
    format: IdFormat,
    start: u64,
    step: u64,
}

impl Identifiers {
    /// Decides place and step; nothing where the format has too few identifiers.
    fn new(format: &IdFormat, rows: usize, rng: &mut PublicRng) -> Option<Self> {
        let room = format.room();
        if room < rows as u64 {
            return None;
        }
        let mut below = |bound: u64| ((rng.uniform() * bound as f64) as u64).min(bound - 1);
        let start = below(room);
        // OK because a format has two identifiers at least.
        let mut step = 1 + below(room - 1);
        // A step without a common divisor meets every number once before it meets one again.
        while common_divisor(step, room) != 1 {
            step = 1 + step % (room - 1);
        }
        let format = format.clone();
        Some(Self {
            format,
            start,
            step,
        })
    }

    /// The identifier of a row.
    fn text(&self, row: u64) -> String {
        let number = u128::from(self.start) + u128::from(self.step) * u128::from(row);
        self.format
            .write((number % u128::from(self.format.room())) as u64)
    }
}

fn common_divisor(a: u64, b: u64) -> u64 {
    if b == 0 { a } else { common_divisor(b, a % b) }
}

/// The engine that makes generators of this kind.
pub(crate) fn engine(generator: &Generator) -> Engine {
    match generator {
        Generator::Decoder(_) => Engine::Vae,
        Generator::Mixture(_) => Engine::Decoder,
        Generator::Graphical(_) => Engine::Marginals,
        Generator::Copula(_) => Engine::Copula,
    }
}

/// A condition across columns may be met by one row in a thousand.
const FOR_CONDITIONS: Limits = Limits {
    max_rounds: NonZeroU32::new(256).expect("not zero"),
    max_draw_factor: NonZeroU32::new(1000).expect("not zero"),
};

/// Where in a cell a condition is tried.
const CELL_PLACES: [f64; 5] = [0.0, 0.25, 0.5, 0.75, 1.0 - f64::EPSILON];

// Streams of the public seed. Stream 0 draws the initial weights.
const LATENTS: u64 = 1;
const CELLS: u64 = 2;
const CHOICES: u64 = 3;
const IDENTIFIERS: u64 = 4;

/// Why no rows could be drawn.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum SynthesisError {
    /// No row can meet the condition.
    #[error(
        "no row of this model can meet the condition; check its values against the policy, or ask for less"
    )]
    Impossible,
    /// A column has fewer identifiers than rows.
    #[error(
        "the format of `{column}` has fewer identifiers than the rows that were asked for; add a `#` to it, or ask \
         for fewer rows"
    )]
    NoRoom {
        /// The column.
        column: String,
    },
    /// The generator was made under another policy.
    #[error(
        "the model was made for other columns than the policy declares; use the policy of its own release"
    )]
    PolicyMismatch,
    /// Too few rows meet a condition.
    #[error(
        "too few of the rows that this model draws meet the condition `{condition}` and obey every rule{}; ask for \
         a condition that leaves more of them and that no rule forbids",
        .rule.as_ref().map_or_else(String::new, |rule| format!(" (the rule `{rule}` rejected the most)"))
    )]
    Rare {
        /// The condition.
        condition: String,
        /// The rule that rejected the most rows, unless it was the condition itself.
        rule: Option<String>,
    },
    /// A rule could not be enforced.
    #[error(transparent)]
    Rule(#[from] RuleError),
    /// The columns make no schema.
    #[error(transparent)]
    Schema(#[from] SchemaError),
    /// The drawn table is not in its domain.
    #[error(transparent)]
    Table(#[from] TableError),
    /// The generator failed.
    #[error(transparent)]
    Train(#[from] TrainError),
    /// A condition speaks of a column that no model knows.
    #[error("column `{column}` {why}, so no condition can speak of it; leave it out of `--where`")]
    Unconditional {
        /// The column.
        column: String,
        /// Why no model knows it.
        why: &'static str,
    },
}

impl SynthesisError {
    /// The codes of this family.
    pub const CODES: &'static [&'static str] =
        &["DPS5001", "DPS5002", "DPS5003", "DPS5004", "DPS5005"];

    /// The stable code of the diagnostic.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Impossible => "DPS5002",
            Self::NoRoom { .. } => "DPS5003",
            Self::PolicyMismatch => "DPS5001",
            Self::Rare { .. } => "DPS5004",
            Self::Rule(error) => error.code(),
            Self::Schema(error) => error.code(),
            Self::Table(error) => error.code(),
            Self::Train(error) => error.code(),
            Self::Unconditional { .. } => "DPS5005",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_identifiers_are_alike_and_all_are_reached() {
        for (format, rows) in [("#", 10), ("@#", 260), ("P-######", 5_000)] {
            let format = IdFormat::new(format).unwrap();
            for seed in 0..5 {
                let mut rng = PublicRng::from_seed(seed);
                let made = Identifiers::new(&format, rows, &mut rng).unwrap();
                let made: Vec<String> = (0..rows as u64).map(|row| made.text(row)).collect();
                let distinct: std::collections::BTreeSet<&String> = made.iter().collect();
                assert_eq!(distinct.len(), rows);
                assert!(made.iter().all(|text| format.matches(text)));
                assert!(rows == 10 || !made.is_sorted(), "in no order");
            }
        }
        let ten = IdFormat::new("#").unwrap();
        assert!(Identifiers::new(&ten, 11, &mut PublicRng::from_seed(1)).is_none());
    }
}
