//! The columns of which marginals are measured.

use dpsynth_privacy::{NoiseMultiplier, PrivacyUnit};
use dpsynth_table::{Domain, Schema};
use dpsynth_train::{CodeOrder, MeasurePlan, PairChoice};

use super::defaults;
use crate::policy::Policy;

/// Columns of which marginals are measured.
#[derive(Clone, Debug)]
pub struct MeasuredColumns {
    /// Number of codes of each modelled column.
    pub codes: Vec<u32>,
    /// What the order of each column's codes means.
    pub orders: Vec<CodeOrder>,
    /// Codes of each column that are counted alone, however few rows there are.
    pub alone: Vec<Vec<u32>>,
    /// Position among the modelled columns of the policy's target.
    pub target: Option<usize>,
    /// Which pairs of columns the model needs.
    pub pairs: PairChoice,
}

impl MeasuredColumns {
    pub(super) fn new(policy: &Policy, schema: &Schema, pairs: PairChoice) -> Self {
        let target = policy.model.target.as_deref();
        Self {
            codes: schema.codes(),
            orders: code_orders(schema, &policy.ordered),
            alone: spikes(schema),
            target: target.and_then(|target| schema.position(target)),
            pairs,
        }
    }

    /// Number of codes of all columns.
    #[must_use]
    pub fn cells(&self) -> u32 {
        self.codes.iter().sum()
    }

    /// What is measured, for a public or noisy number of units.
    #[must_use]
    pub fn measure(
        &self,
        noise_multiplier: NoiseMultiplier,
        unit: &PrivacyUnit,
        units: f64,
    ) -> MeasurePlan {
        let noise_stddev = noise_multiplier.value() * f64::from(unit.max_rows());
        MeasurePlan {
            codes: self.codes.clone(),
            orders: self.orders.clone(),
            alone: self.alone.clone(),
            target: self.target,
            pairs: self.pairs,
            units,
            noise_stddev,
            shares: defaults::shares(self.codes.len(), noise_stddev, units),
        }
    }
}

/// What the order of each column's codes means; `ordered` names the categories in an order.
fn code_orders(schema: &Schema, ordered: &[String]) -> Vec<CodeOrder> {
    schema
        .columns()
        .iter()
        .zip(schema.coders())
        .map(|(column, coder)| match (&column.domain, coder.grid()) {
            (Domain::Categorical { categories }, _) if ordered.contains(&column.name) => {
                // OK because a column has at most 65,536 categories.
                let values = categories.len() as u32;
                CodeOrder::Ordered { values }
            }
            (Domain::Categorical { .. }, _) | (_, None) => CodeOrder::Nominal,
            (_, Some(grid)) => CodeOrder::Ordered {
                values: grid.cells(),
            },
        })
        .collect()
}

/// The codes of the values of each column that stand alone.
fn spikes(schema: &Schema) -> Vec<Vec<u32>> {
    let columns = schema.columns().iter().zip(schema.coders());
    columns
        .map(|(column, coder)| match (&column.domain, coder.grid()) {
            (Domain::Integer { cells, .. } | Domain::Float { cells, .. }, Some(grid)) => {
                let codes = cells.spikes().iter();
                codes.filter_map(|spike| grid.cell_of(*spike)).collect()
            }
            _ => Vec::new(),
        })
        .collect()
}
