//! Everything about a release that is decided before the data is opened.

mod columns;
mod defaults;
mod expect;
mod learning;

use dpsynth_privacy::{
    Adjacency, ChosenMarginals, Delta, DpEvent, DpSgd, Epsilon, Marginals, Mechanism,
    NoiseMultiplier, NumberError, PrivacyUnit, UnitCount, accountant,
};
use dpsynth_table::{Format, SchemaError};
use dpsynth_train::{FitPlan, Optimiser, PairChoice, TrainError, VaeShape, fits_classes};
use serde::Serialize;
use thiserror::Error;

use crate::policy::{ChosenBy, Engine, ExpectedUnits, Policy, Tightened};
use crate::readings::{Question, Readings};

pub use columns::MeasuredColumns;
pub use expect::Expectation;
pub(crate) use learning::{FLOAT_STEPS, candidates, doubt};

/// What a release will do: every number that its price, its noise and its model depend on.
///
/// It is a function of the policy, the flags and a public seed alone; making one reads no data.
#[derive(Clone, Debug)]
pub struct ReleasePlan {
    /// What generates the rows.
    pub engine: Engine,
    /// Who chose the engine.
    pub chosen_by: ChosenBy,
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
    /// Rows to deliver, or `None` for what the noisy counts of the release say.
    pub rows: Option<u64>,
    /// Format to write, or `None` for that of the input.
    pub format: Option<Format>,
    /// What is paid for, in the order in which it runs.
    pub stages: Vec<Stage>,
    /// What is fitted to what the stages release.
    pub model: ModelPlan,
    /// Seed of everything that is post-processing.
    pub seed: u64,
}

/// What is fitted to what the stages release.
#[derive(Clone, Debug)]
pub enum ModelPlan {
    /// A decoder, to noisy marginals.
    Decoder(DecoderPlan),
    /// A graphical model, to noisy marginals of the cliques of a junction tree.
    Marginals(MeasuredColumns),
    /// A Gaussian copula, to noisy margins and correlations.
    Copula(MeasuredColumns),
    /// A variational autoencoder, by DP-SGD.
    Vae(VaePlan),
}

impl ModelPlan {
    /// The columns of which marginals are measured, if the model is fitted to these.
    #[must_use]
    pub fn measured_columns(&self) -> Option<&MeasuredColumns> {
        match self {
            Self::Decoder(decoder) => Some(&decoder.columns),
            Self::Marginals(columns) | Self::Copula(columns) => Some(columns),
            Self::Vae(_) => None,
        }
    }
}

/// A decoder that is fitted to noisy marginals.
#[derive(Clone, Debug)]
pub struct DecoderPlan {
    /// The columns, and which pairs of them it needs.
    pub columns: MeasuredColumns,
    /// How it is fitted.
    pub fit: FitPlan,
}

/// A variational autoencoder that is trained by DP-SGD.
#[derive(Clone, Debug)]
pub struct VaePlan {
    /// The network.
    pub shape: VaeShape,
    /// How its weights follow the noisy gradients.
    pub optimiser: Optimiser,
    /// Position among the modelled columns of the column whose classes training starts from: the
    /// policy's target, if it has few classes.
    pub target: Option<usize>,
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
    /// The categories of a column that the policy leaves open.
    LearnedCategories,
    /// The bounds of a column that the policy leaves open.
    LearnedRange,
    /// The numbers that many units have exactly, of a column that the policy leaves open.
    LearnedSpikes,
    /// Noisy marginals to which a model is fitted.
    Marginals,
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
            Self::LearnedCategories => "categories left open",
            Self::LearnedRange => "bounds left open",
            Self::LearnedSpikes => "values that stand out",
            Self::Marginals => "marginals to fit",
            Self::StartingCounts => "counts to start from",
            Self::Training => "training steps (DP-SGD)",
        }
    }
}

impl ReleasePlan {
    /// Decides everything about a release; without `engine`, by that of the policy.
    ///
    /// # Guarantee
    /// The composed event of the stages was priced at `delta` and costs at most `epsilon`.
    ///
    /// # Errors
    /// If the budget is too small for any noise that the mechanisms support, or the columns make
    /// no network.
    pub fn new(
        policy: &Policy,
        asked: &Tightened,
        engine: Option<Engine>,
        seed: u64,
    ) -> Result<Self, PlanError> {
        let (engine, chosen_by) = policy.model.choose(engine);
        let units = match policy.privacy.expected_units {
            ExpectedUnits::Public(units) => Some(units),
            ExpectedUnits::Count => None,
        };
        let adjacency = policy.privacy.adjacency;
        let schema = policy.modelled_schema(engine)?;
        let target = policy
            .model
            .target
            .as_deref()
            .and_then(|target| schema.position(target));
        let budget = Budget {
            adjacency,
            epsilon: asked.epsilon,
            delta: asked.delta,
        };
        let mut mechanisms = Vec::new();
        if units.is_none() {
            mechanisms.push((
                Purpose::UnitCount,
                Mechanism::UnitCount(UnitCount {
                    noise_multiplier: budget.share(defaults::UNIT_COUNT_SHARE, 1.0)?,
                }),
            ));
        }
        mechanisms.extend(learning::stages(policy, asked.epsilon, asked.delta, units)?);
        let columns = |pairs| MeasuredColumns::new(policy, &schema, pairs);
        let model = match engine {
            Engine::Decoder => {
                mechanisms = budget.marginal_stages(mechanisms)?;
                ModelPlan::Decoder(DecoderPlan {
                    columns: columns(PairChoice::Dependent),
                    fit: defaults::fit(units, seed),
                })
            }
            Engine::Marginals => {
                mechanisms = budget.marginal_stages(mechanisms)?;
                ModelPlan::Marginals(columns(PairChoice::JunctionTree))
            }
            Engine::Copula => {
                mechanisms = budget.marginal_stages(mechanisms)?;
                ModelPlan::Copula(columns(PairChoice::Alike))
            }
            Engine::Vae => {
                let settings = defaults::settings(units, &schema.codes())?;
                let shape = VaeShape::new(settings.network.clone())?;
                let target =
                    target.filter(|&target| fits_classes(&shape, schema.codes()[target] as usize));
                mechanisms = budget.vae_stages(mechanisms, &settings, target)?;
                ModelPlan::Vae(VaePlan {
                    shape,
                    optimiser: settings.optimiser,
                    target,
                })
            }
        };
        let epsilon_spent = accountant::epsilon(&composed(&mechanisms), adjacency, asked.delta)?;
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
            engine,
            chosen_by,
            epsilon: asked.epsilon,
            delta: asked.delta,
            epsilon_spent,
            unit: policy.privacy.unit.clone(),
            adjacency,
            units,
            rows: asked.rows,
            format: asked.format,
            stages,
            model,
            seed,
        })
    }

    /// Returns the plan for a policy that knows what was learned of the columns that it left open.
    /// The stages, and so the price, stay as they are.
    ///
    /// # Errors
    /// If the columns make no network.
    pub fn completed(mut self, policy: &Policy) -> Result<Self, PlanError> {
        let schema = policy.modelled_schema(self.engine)?;
        match &mut self.model {
            ModelPlan::Decoder(DecoderPlan { columns, .. })
            | ModelPlan::Marginals(columns)
            | ModelPlan::Copula(columns) => {
                *columns = MeasuredColumns::new(policy, &schema, columns.pairs);
            }
            ModelPlan::Vae(vae) => {
                let settings = defaults::settings(self.units, &schema.codes())?;
                vae.shape = VaeShape::new(settings.network)?;
            }
        }
        Ok(self)
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
            match &mut stage.mechanism {
                Mechanism::DpSgd(paid) => {
                    *paid = DpSgd {
                        noise_multiplier: paid.noise_multiplier,
                        ..sgd.clone()
                    };
                }
                // Groups are as fine as hardly any noise would allow.
                Mechanism::ChosenMarginals(chosen) => {
                    chosen.noise_multiplier = NoiseMultiplier::new(defaults::HARDLY_ANY_NOISE)?;
                }
                _ => {}
            }
        }
        if let ModelPlan::Vae(vae) = &mut self.model {
            vae.optimiser = optimiser;
        }
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

    /// What all stages show of one row of a unit, as one event to be priced under *replace one*.
    #[must_use]
    pub fn event_of_row(&self) -> DpEvent {
        crate::readings::event_of_row(self.stages.iter().map(|stage| &stage.mechanism), &self.unit)
    }

    /// What the release costs, in every way in which plan and report say it.
    ///
    /// # Errors
    /// If the event cannot be priced. What has no price for others than the unit is no error.
    pub fn cost(&self) -> Result<Cost, PlanError> {
        let event = self.event();
        let price = accountant::price(&event, self.adjacency, self.delta)?;
        let question = Question {
            event: &event,
            event_of_row: &self.event_of_row(),
            unit: &self.unit,
            adjacency: self.adjacency,
            delta: self.delta,
        };
        let deltas = PROFILE_DELTAS
            .iter()
            .map(|&delta| Delta::new(delta))
            .collect::<Result<Vec<_>, _>>()?;
        let profile = accountant::profile(&event, self.adjacency, &deltas)?;
        Ok(Cost {
            price,
            readings: Readings::new(question, price)?,
            profile: profile
                .into_iter()
                .map(|(delta, epsilon)| (delta.value(), epsilon))
                .collect(),
        })
    }

    /// What the public figures say about the data to expect.
    #[must_use]
    pub fn expectation(&self) -> Expectation {
        expect::expectation(self)
    }
}

/// What a release costs.
#[derive(Clone, Debug)]
pub struct Cost {
    /// What both accountants say at the δ of the release.
    pub price: accountant::Price,
    /// The same in other measures, and for others than the unit.
    pub readings: Readings,
    /// The price at several δ: each pair (δ, ε) rounded up.
    pub profile: Vec<(f64, f64)>,
}

/// What a release may spend.
struct Budget {
    adjacency: Adjacency,
    epsilon: Epsilon,
    delta: Delta,
}

impl Budget {
    /// The noise at which `mechanisms` Gaussians together spend a share of the budget.
    ///
    /// A share of the budget is a share of the inverse square of the noise at which one Gaussian
    /// would spend all of it (Dong, Roth & Su 2022, Corollary 3.3).
    fn share(&self, share: f64, mechanisms: f64) -> Result<NoiseMultiplier, PlanError> {
        let alone = self.calibrate(|noise_multiplier| DpEvent::Gaussian {
            noise_multiplier: noise_multiplier.value(),
        })?;
        Ok(NoiseMultiplier::new(
            alone.value() * (mechanisms / share).sqrt(),
        )?)
    }

    fn calibrate(
        &self,
        event: impl Fn(NoiseMultiplier) -> DpEvent,
    ) -> Result<NoiseMultiplier, PlanError> {
        Ok(accountant::calibrate(
            event,
            self.adjacency,
            self.epsilon,
            self.delta,
        )?)
    }

    /// Adds a last mechanism that spends what the others leave.
    fn spend_the_rest(
        &self,
        mut mechanisms: Vec<(Purpose, Mechanism)>,
        purpose: Purpose,
        last: impl Fn(NoiseMultiplier) -> Mechanism,
    ) -> Result<Vec<(Purpose, Mechanism)>, PlanError> {
        let noise_multiplier = self.calibrate(|noise_multiplier| {
            let mut all = mechanisms.clone();
            all.push((purpose, last(noise_multiplier)));
            composed(&all)
        })?;
        mechanisms.push((purpose, last(noise_multiplier)));
        Ok(mechanisms)
    }

    fn marginal_stages(
        &self,
        mechanisms: Vec<(Purpose, Mechanism)>,
    ) -> Result<Vec<(Purpose, Mechanism)>, PlanError> {
        self.spend_the_rest(mechanisms, Purpose::Marginals, |noise_multiplier| {
            Mechanism::ChosenMarginals(ChosenMarginals { noise_multiplier })
        })
    }

    fn vae_stages(
        &self,
        mut mechanisms: Vec<(Purpose, Mechanism)>,
        settings: &defaults::Settings,
        target: Option<usize>,
    ) -> Result<Vec<(Purpose, Mechanism)>, PlanError> {
        let columns = settings.network.domain_sizes.len();
        mechanisms.push((
            Purpose::StartingCounts,
            Mechanism::Marginals(Marginals {
                column_sets: column_sets(columns as u32, target),
                noise_multiplier: self.share(settings.starting_share, columns as f64)?,
            }),
        ));
        self.spend_the_rest(mechanisms, Purpose::Training, |noise_multiplier| {
            Mechanism::DpSgd(DpSgd {
                sampling_rate: settings.sampling_rate,
                steps: settings.steps,
                noise_multiplier,
                clip_norm: settings.clip_norm,
            })
        })
    }
}

fn composed(mechanisms: &[(Purpose, Mechanism)]) -> DpEvent {
    DpEvent::Composed {
        events: mechanisms
            .iter()
            .map(|(_, mechanism)| mechanism.event())
            .collect(),
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
    /// The columns make no schema.
    #[error(transparent)]
    Schema(#[from] SchemaError),
}

impl PlanError {
    /// The codes of this family.
    pub const CODES: &'static [&'static str] = &[];

    /// The stable code of the diagnostic.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Accounting(error) => error.code(),
            Self::Network(error) => error.code(),
            Self::Number(error) => error.code(),
            Self::Schema(error) => error.code(),
        }
    }
}
