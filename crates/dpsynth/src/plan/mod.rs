//! Everything about a release that is decided before the data is opened.

mod defaults;
mod expect;

use dpsynth_privacy::{
    Adjacency, Delta, DpEvent, DpSgd, Epsilon, Marginals, Mechanism, NoiseMultiplier, NumberError,
    PrivacyUnit, UnitCount, accountant,
};
use dpsynth_table::Format;
use dpsynth_train::{Network, Optimiser, TrainError, VaeShape, fits_classes};
use serde::Serialize;
use thiserror::Error;

use crate::policy::{Engine, ExpectedUnits, Policy, Tightened};

pub use expect::Expectation;

/// What a release will do: every number that its price, its noise and its model depend on.
///
/// It is a function of the policy, the flags and a public seed alone; making one reads no data.
#[derive(Clone, Debug)]
pub struct ReleasePlan {
    /// What generates the rows.
    pub engine: Engine,
    /// Largest ε that the release may spend.
    pub epsilon: Epsilon,
    /// Largest δ that the release may spend.
    pub delta: Delta,
    /// ε that the stages cost together at `delta`, rounded up.
    pub epsilon_spent: f64,
    /// Whose participation is hidden.
    pub unit: PrivacyUnit,
    /// What neighbouring data sets are.
    pub adjacency: Adjacency,
    /// Number of units, if it is public.
    pub units: Option<u64>,
    /// Rows to deliver, or `None` for the paid noisy number of units.
    pub rows: Option<u64>,
    /// Format to write, or `None` for that of the input.
    pub format: Option<Format>,
    /// What is paid for, in the order in which it runs.
    pub stages: Vec<Stage>,
    /// The network that DP-SGD trains.
    pub shape: VaeShape,
    /// How its weights follow the noisy gradients.
    pub optimiser: Optimiser,
    /// Position among the modelled columns of the column whose classes training starts from: the
    /// policy's target, if it has few classes.
    pub target: Option<usize>,
    /// Seed of everything that is post-processing.
    pub seed: u64,
}

/// One mechanism of a release, and what it costs.
#[derive(Clone, Debug, Serialize)]
pub struct Stage {
    /// What the stage is for.
    pub purpose: Purpose,
    /// The mechanism, with all its numbers.
    pub mechanism: Mechanism,
    /// ε of this stage alone at the release's δ, rounded up. Stages cost less together than the
    /// sum of these.
    pub epsilon_alone: f64,
}

/// What a stage is for.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, Serialize, serde::Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Purpose {
    /// The noisy number of units, where the policy states none.
    UnitCount,
    /// Noisy counts of each column, by class of the target where there is one, at which the
    /// decoder starts.
    StartingCounts,
    /// Noisy gradient steps.
    Training,
}

impl Purpose {
    /// A phrase for people.
    #[must_use]
    pub fn describe(self) -> &'static str {
        match self {
            Self::UnitCount => "number of units",
            Self::StartingCounts => "counts to start from",
            Self::Training => "training steps (DP-SGD)",
        }
    }
}

impl ReleasePlan {
    /// Decides everything about a release.
    ///
    /// # Guarantee
    /// The composed event of the stages was priced at `delta` and costs at most `epsilon`.
    ///
    /// # Errors
    /// If the budget is too small for any noise that the mechanisms support, or the columns make
    /// no network.
    pub fn new(policy: &Policy, asked: &Tightened, seed: u64) -> Result<Self, PlanError> {
        let columns = modelled_columns(policy)?;
        let units = match policy.privacy.expected_units {
            ExpectedUnits::Public(units) => Some(units),
            ExpectedUnits::Count => None,
        };
        let adjacency = policy.privacy.adjacency;
        let settings = defaults::settings(units, &columns)?;
        let shape = VaeShape::new(settings.network)?;
        let target = columns
            .iter()
            .position(|column| column.target)
            .filter(|&target| fits_classes(&shape, columns[target].codes as usize));
        let mut mechanisms = Vec::new();
        // The noise at which one Gaussian alone would spend the whole budget; a share of the
        // budget is a share of its inverse square (Dong, Roth & Su 2022, Corollary 3.3).
        let alone = accountant::calibrate(
            |noise_multiplier| DpEvent::Gaussian {
                noise_multiplier: noise_multiplier.value(),
            },
            adjacency,
            asked.epsilon,
            asked.delta,
        )?;
        let share = |share: f64, mechanisms: f64| {
            NoiseMultiplier::new(alone.value() * (mechanisms / share).sqrt())
        };
        if units.is_none() {
            mechanisms.push((
                Purpose::UnitCount,
                Mechanism::UnitCount(UnitCount {
                    noise_multiplier: share(settings.unit_count_share, 1.0)?,
                }),
            ));
        }
        mechanisms.push((
            Purpose::StartingCounts,
            Mechanism::Marginals(Marginals {
                column_sets: column_sets(columns.len() as u32, target),
                noise_multiplier: share(settings.starting_share, columns.len() as f64)?,
            }),
        ));
        let sgd = |noise_multiplier| DpSgd {
            sampling_rate: settings.sampling_rate,
            steps: settings.steps,
            noise_multiplier,
            clip_norm: settings.clip_norm,
        };
        let composed = |noise_multiplier| DpEvent::Composed {
            events: mechanisms
                .iter()
                .map(|(_, mechanism)| mechanism.event())
                .chain([Mechanism::DpSgd(sgd(noise_multiplier)).event()])
                .collect(),
        };
        let noise_multiplier =
            accountant::calibrate(composed, adjacency, asked.epsilon, asked.delta)?;
        let epsilon_spent =
            accountant::epsilon(&composed(noise_multiplier), adjacency, asked.delta)?;
        mechanisms.push((Purpose::Training, Mechanism::DpSgd(sgd(noise_multiplier))));
        let stages = mechanisms
            .into_iter()
            .map(|(purpose, mechanism)| {
                let epsilon_alone =
                    accountant::epsilon(&mechanism.event(), adjacency, asked.delta)?;
                Ok(Stage {
                    purpose,
                    mechanism,
                    epsilon_alone,
                })
            })
            .collect::<Result<_, PlanError>>()?;
        Ok(Self {
            engine: policy.model.engine,
            epsilon: asked.epsilon,
            delta: asked.delta,
            epsilon_spent,
            unit: policy.privacy.unit.clone(),
            adjacency,
            units,
            rows: asked.rows,
            format: asked.format,
            stages,
            shape,
            optimiser: settings.optimiser,
            target,
            seed,
        })
    }

    /// Replaces the training by one that protects nobody, to see what privacy costs.
    ///
    /// Same network and data path; more steps, and a clip norm that hardly clips. Its charge is
    /// never made: the permissions come from [`dpsynth_privacy::insecure`].
    ///
    /// # Errors
    /// If a number is out of range, which is a defect.
    pub fn without_privacy(mut self) -> Result<Self, PlanError> {
        let (sgd, optimiser) = defaults::without_privacy()?;
        for stage in &mut self.stages {
            if let Mechanism::DpSgd(paid) = &mut stage.mechanism {
                *paid = DpSgd {
                    noise_multiplier: paid.noise_multiplier,
                    ..sgd.clone()
                };
            }
        }
        self.optimiser = optimiser;
        Ok(self)
    }

    /// The mechanisms, in the order of the stages.
    #[must_use]
    pub fn mechanisms(&self) -> Vec<Mechanism> {
        self.stages
            .iter()
            .map(|stage| stage.mechanism.clone())
            .collect()
    }

    /// All stages as one event.
    #[must_use]
    pub fn event(&self) -> DpEvent {
        DpEvent::Composed {
            events: self
                .stages
                .iter()
                .map(|stage| stage.mechanism.event())
                .collect(),
        }
    }

    /// What both accountants say about the release at its δ.
    ///
    /// # Errors
    /// If the event cannot be priced.
    pub fn price(&self) -> Result<accountant::Price, PlanError> {
        Ok(accountant::price(
            &self.event(),
            self.adjacency,
            self.delta,
        )?)
    }

    /// An upper bound on the power of any test, at level 5 %, for whether a unit is in the data.
    ///
    /// # Errors
    /// If the event cannot be priced.
    pub fn largest_power(&self) -> Result<f64, PlanError> {
        Ok(accountant::largest_power(
            &self.event(),
            self.adjacency,
            TEST_LEVEL,
        )?)
    }

    /// The price of the release at several δ, each pair (δ, ε) rounded up.
    ///
    /// # Errors
    /// If the event cannot be priced.
    pub fn profile(&self) -> Result<Vec<(f64, f64)>, PlanError> {
        let deltas = PROFILE_DELTAS
            .iter()
            .map(|&delta| Delta::new(delta))
            .collect::<Result<Vec<_>, _>>()?;
        let profile = accountant::profile(&self.event(), self.adjacency, &deltas)?;
        Ok(profile
            .into_iter()
            .map(|(delta, epsilon)| (delta.value(), epsilon))
            .collect())
    }

    /// What the public figures say about the data to expect.
    #[must_use]
    pub fn expectation(&self) -> Expectation {
        expect::expectation(self)
    }

    /// The network as it is written down.
    #[must_use]
    pub fn network(&self) -> &Network {
        self.shape.network()
    }
}

/// Which marginals training starts from: single columns, each together with the target if there
/// is one. The number of mechanisms, and so their price, is the same.
fn column_sets(columns: u32, target: Option<usize>) -> Vec<Vec<u32>> {
    let target = target.map(|target| target as u32);
    (0..columns)
        .map(|column| match target {
            Some(target) if target != column => vec![column, target],
            _ => vec![column],
        })
        .collect()
}

/// δ at which plan and report state the price.
const PROFILE_DELTAS: [f64; 6] = [1e-4, 1e-5, 1e-6, 1e-7, 1e-8, 1e-9];

/// The level of the test whose power the report states.
const TEST_LEVEL: f64 = 0.05;

/// What the plan needs to know of a modelled column.
struct ModelledColumn {
    codes: u32,
    target: bool,
}

fn modelled_columns(policy: &Policy) -> Result<Vec<ModelledColumn>, PlanError> {
    if policy.privacy.unit != PrivacyUnit::Row {
        return Err(PlanError::UnitUnsupported);
    }
    let names = policy.modelled();
    Ok(policy
        .schema
        .columns()
        .iter()
        .filter(|column| names.contains(&column.name.as_str()))
        .map(|column| ModelledColumn {
            codes: column.codes(),
            target: policy.model.target.as_deref() == Some(column.name.as_str()),
        })
        .collect())
}

/// Why there is no plan.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum PlanError {
    /// The accountant refused.
    #[error(transparent)]
    Accounting(#[from] accountant::AccountingError),
    /// The columns make no network.
    #[error(transparent)]
    Network(#[from] TrainError),
    /// A number is out of the range that a mechanism supports.
    #[error(transparent)]
    Number(#[from] NumberError),
    /// Units of several rows.
    #[error(
        "units of several rows are not supported in this version; use `unit = \"row\"` only if no person has more than one row, otherwise wait for the version that caps rows"
    )]
    UnitUnsupported,
}

impl PlanError {
    /// The codes of this family.
    pub const CODES: &'static [&'static str] = &["DPS4101"];

    /// The stable code of the diagnostic.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Accounting(error) => error.code(),
            Self::Network(error) => error.code(),
            Self::Number(error) => error.code(),
            Self::UnitUnsupported => "DPS4101",
        }
    }
}
