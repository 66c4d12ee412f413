//! What generates the rows, and who chose it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How the data are modelled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Model {
    /// What generates the rows, or `None` for the default.
    pub engine: Option<Engine>,
    /// The column whose dependence on the others matters most.
    pub target: Option<String>,
}

impl Model {
    /// Returns what generates the rows, and who chose it: whoever asks, then the policy, then the program.
    pub fn choose(&self, asked: Option<Engine>) -> (Engine, ChosenBy) {
        match (asked, self.engine) {
            (Some(engine), _) => (engine, ChosenBy::CommandLine),
            (None, Some(engine)) => (engine, ChosenBy::Policy),
            (None, None) => (Engine::ALL[0], ChosenBy::Default),
        }
    }
}

/// What generates synthetic rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Engine {
    /// A decoder fitted to noisy marginals: the default.
    Decoder,
    /// A graphical model fitted to noisy marginals on a junction tree.
    Marginals,
    /// A Gaussian copula fitted to noisy margins and correlations.
    Copula,
    /// A variational autoencoder trained by DP-SGD.
    Vae,
}

impl Engine {
    /// All engines, the default first.
    pub const ALL: [Self; 4] = [Self::Decoder, Self::Marginals, Self::Copula, Self::Vae];

    /// Returns the name that policies and flags use.
    pub fn name(self) -> &'static str {
        match self {
            Self::Decoder => "decoder",
            Self::Marginals => "marginals",
            Self::Copula => "copula",
            Self::Vae => "vae",
        }
    }
}

/// Who chose the engine of a release: never the data.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ChosenBy {
    /// The program, because nobody named one.
    Default,
    /// The owner, in the policy.
    Policy,
    /// The custodian, by a flag.
    CommandLine,
}

impl ChosenBy {
    /// Returns why this engine and no other, as a clause that follows the engine's name.
    pub fn reason(self) -> &'static str {
        match self {
            Self::Default => {
                "the default, whose rows were the nearest of all engines' to the public tables that were tried"
            }
            Self::Policy => "which the policy names",
            Self::CommandLine => "which was asked for by `--engine`",
        }
    }
}
