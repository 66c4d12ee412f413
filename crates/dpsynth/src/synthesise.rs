//! From a released generator to a table that obeys the rules: post-processing throughout.

use dpsynth_constraints::{Limits, RuleError, RuleOutcome};
use dpsynth_privacy::PublicRng;
use dpsynth_table::{SchemaError, Table, TableError};
use dpsynth_train::{Generator, TrainError};
use thiserror::Error;

use crate::policy::{Engine, Policy};

/// Draws exactly `rows` rows that lie in the schema and obey every rule.
///
/// The rows are a function of the generator, the policy and the seed.
///
/// # Errors
/// If a rule rejects too many rows, or the generator does not fit the policy.
pub fn synthesise(
    generator: &Generator,
    policy: &Policy,
    rows: usize,
    seed: u64,
) -> Result<(Table, Vec<RuleOutcome>), SynthesisError> {
    let modelled = policy.modelled_schema(engine(generator))?;
    if modelled.codes() != generator.domain_sizes() {
        return Err(SynthesisError::PolicyMismatch);
    }
    let streams = PublicRng::from_seed(seed);
    let mut latents = streams.stream(LATENTS);
    let mut cells = streams.stream(CELLS);
    let mut choices = streams.stream(CHOICES);
    let mut failure = None;
    let mut draw = |count: usize| {
        let codes = generator
            .sample(count, &mut latents)
            .unwrap_or_else(|error| {
                failure.get_or_insert(error);
                // No rows: the failure is reported once enforcing has given up.
                Vec::new()
            });
        Table::decode(&modelled, &codes, &mut || cells.uniform()).to_dataframe()
    };
    let enforced = policy.rules.enforce(
        rows,
        &mut draw,
        &mut || choices.uniform(),
        Limits::default(),
    );
    if let Some(error) = failure {
        return Err(error.into());
    }
    let (frame, outcomes) = enforced?;
    let table = Table::from_dataframe(&frame, &policy.schema)?;
    table.conforms(&policy.schema)?;
    Ok((table, outcomes))
}

/// The engine that makes generators of this kind.
fn engine(generator: &Generator) -> Engine {
    match generator {
        Generator::Decoder(_) => Engine::Vae,
        Generator::Mixture(_) => Engine::Decoder,
        Generator::Graphical(_) => Engine::Marginals,
        Generator::Copula(_) => Engine::Copula,
    }
}

// Streams of the public seed. Stream 0 draws the initial weights.
const LATENTS: u64 = 1;
const CELLS: u64 = 2;
const CHOICES: u64 = 3;

/// Why no rows could be drawn.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum SynthesisError {
    /// The generator was made under another policy.
    #[error(
        "the model was made for other columns than the policy declares; use the policy of its own release"
    )]
    PolicyMismatch,
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
}

impl SynthesisError {
    /// The codes of this family.
    pub const CODES: &'static [&'static str] = &["DPS5001"];

    /// The stable code of the diagnostic.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::PolicyMismatch => "DPS5001",
            Self::Rule(error) => error.code(),
            Self::Schema(error) => error.code(),
            Self::Table(error) => error.code(),
            Self::Train(error) => error.code(),
        }
    }
}
