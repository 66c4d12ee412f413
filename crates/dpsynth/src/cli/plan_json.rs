//! `dpsynth plan --json`: the plan for programs.

use dpsynth_privacy::{Adjacency, PrivacyUnit};
use serde::Serialize;

use crate::plan::{Cost, Expectation, PlanError, ReleasePlan, Stage};
use crate::policy::{ChosenBy, Policy};
use crate::readings::Readings;
use crate::report::ProfilePoint;

/// What `dpsynth plan --json` prints. Nothing of it has touched the data.
#[derive(Serialize)]
pub(super) struct PlanFigures<'a> {
    dataset: &'a str,
    engine: &'static str,
    chosen_by: ChosenBy,
    unit: &'a PrivacyUnit,
    adjacency: Adjacency,
    epsilon_asked: f64,
    epsilon_spent: f64,
    delta: f64,
    units: Option<u64>,
    rows: Option<u64>,
    seed: u64,
    stages: &'a [Stage],
    accountants: Accountants,
    readings: Readings,
    profile: Vec<ProfilePoint>,
    expectation: Expectation,
    ledgers: Vec<Remaining>,
    /// Whether what remains in every ledger suffices.
    allowed: bool,
}

#[derive(Serialize)]
struct Accountants {
    certified_lower: f64,
    certified_upper: f64,
    renyi_upper: f64,
}

/// What remains in a ledger before the release.
#[derive(Serialize)]
pub(super) struct Remaining {
    pub(super) what: &'static str,
    pub(super) path: String,
    pub(super) epsilon: f64,
    pub(super) delta: f64,
    /// Whether the release fits into it.
    pub(super) suffices: bool,
}

impl<'a> PlanFigures<'a> {
    /// Puts the figures of a plan together.
    ///
    /// # Errors
    /// If the plan has no price, which planning excludes.
    pub(super) fn new(
        policy: &'a Policy,
        plan: &'a ReleasePlan,
        ledgers: Vec<Remaining>,
    ) -> Result<Self, PlanError> {
        let Cost {
            price,
            readings,
            profile,
        } = plan.cost()?;
        Ok(Self {
            dataset: &policy.dataset.name,
            engine: plan.engine.name(),
            chosen_by: plan.chosen_by,
            unit: &plan.unit,
            adjacency: plan.adjacency,
            epsilon_asked: plan.epsilon.value(),
            epsilon_spent: plan.epsilon_spent,
            delta: plan.delta.value(),
            units: plan.units,
            rows: plan.rows,
            seed: plan.seed,
            stages: &plan.stages,
            accountants: Accountants {
                certified_lower: price.certified.lower,
                certified_upper: price.certified.upper,
                renyi_upper: price.renyi,
            },
            readings,
            profile: profile
                .into_iter()
                .map(|(delta, epsilon)| ProfilePoint { delta, epsilon })
                .collect(),
            expectation: plan.expectation(),
            allowed: ledgers.iter().all(|ledger| ledger.suffices),
            ledgers,
        })
    }
}
