//! Columns whose values the policy does not state: what is to be learned of them, with noise, and the
//! policy that knows it.

use std::collections::BTreeMap;

use dpsynth_constraints::Rules;
use dpsynth_table::{Cells, Column, Domain, OutOfDomain, Schema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::Policy;

/// What is to be learned of a column, at the cost of a share of the release's ε.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Unstated {
    /// What the policy leaves open.
    pub what: Open,
    /// The share, between 0 and 1; a default where the policy states none.
    pub share: Option<f64>,
}

/// What a policy leaves open of a column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Open {
    /// Which categories it has. What is rare stays in a bucket.
    Categories,
    /// Between which bounds its numbers lie, up to the tails.
    Range,
    /// Which of its numbers many units have exactly.
    Spikes,
}

/// What was learned of a column: noisy, and public from then on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum LearnedDomain {
    /// The categories that many units have, in alphabetical order.
    Categories(Vec<String>),
    /// Bounds that nearly all values keep.
    Range {
        /// The lower bound.
        min: f64,
        /// The upper bound.
        max: f64,
    },
    /// The numbers that many units have exactly, in increasing order.
    Spikes(Vec<f64>),
}

/// Values of a column that can stand alone, at most, when they are learned.
pub(crate) const MOST_SPIKES: usize = 500;

impl Policy {
    /// Returns the policy with what was learned of its open columns in place of what it left open.
    ///
    /// # Errors
    /// If something else was learned than the policy leaves open, or no schema and no rules can be made
    /// with it.
    pub fn completed(&self, learned: &BTreeMap<String, LearnedDomain>) -> Result<Self, LearnError> {
        if !self.open.keys().eq(learned.keys()) {
            return Err(LearnError::OtherColumns);
        }
        if learned.is_empty() {
            return Ok(self.clone());
        }
        let columns = self.schema.columns().iter();
        let columns = columns.map(|column| match learned.get(&column.name) {
            Some(learned) => complete(column, learned).ok_or(LearnError::OtherColumns),
            None => Ok(column.clone()),
        });
        let schema = Schema::new(columns.collect::<Result<_, _>>()?);
        let schema = schema.map_err(|_| LearnError::Inconsistent)?;
        let mut completed = Self {
            schema,
            open: BTreeMap::new(),
            ..self.clone()
        };
        let ruled = completed
            .ruled_schema()
            .map_err(|_| LearnError::Inconsistent)?;
        completed.rules = Rules::compile(self.rule_specs.clone(), &ruled)
            .map_err(|_| LearnError::Inconsistent)?;
        Ok(completed)
    }
}

/// A column with what was learned of it; nothing where that is of another kind.
fn complete(column: &Column, learned: &LearnedDomain) -> Option<Column> {
    let domain = match (&column.domain, learned) {
        (Domain::Categorical { .. }, LearnedDomain::Categories(categories)) => {
            let OutOfDomain::BecomesCategory(bucket) = &column.out_of_domain else {
                return None;
            };
            let mut categories = categories.clone();
            // The bucket may occur as a value too.
            categories.retain(|category| category != bucket);
            categories.push(bucket.clone());
            Domain::Categorical { categories }
        }
        (Domain::Integer { cells, .. }, LearnedDomain::Range { min, max }) => Domain::Integer {
            min: *min as i64,
            max: *max as i64,
            cells: cells.clone(),
        },
        (
            Domain::Float {
                decimals, cells, ..
            },
            LearnedDomain::Range { min, max },
        ) => Domain::Float {
            min: *min,
            max: *max,
            decimals: *decimals,
            cells: cells.clone(),
        },
        (domain, LearnedDomain::Spikes(spikes)) => {
            let mut domain = domain.clone();
            let (Domain::Integer { cells, .. } | Domain::Float { cells, .. }) = &mut domain else {
                return None;
            };
            *cells = Cells::Spiked {
                cells: Box::new(cells.clone()),
                spikes: spikes.clone(),
            };
            domain
        }
        _ => return None,
    };
    Some(Column {
        domain,
        ..column.clone()
    })
}

/// Why a policy cannot be completed.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum LearnError {
    /// What was learned makes no schema, or leaves a rule without any row that could obey it.
    #[error(
        "what was learned of the open columns does not fit the rules of the policy; state their \
         categories or bounds, or change the rules"
    )]
    Inconsistent,
    /// Something was learned of other columns than the policy leaves open.
    #[error(
        "what was learned is not what the policy leaves open; use the policy of the same release"
    )]
    OtherColumns,
}

impl LearnError {
    /// The codes of this family.
    pub const CODES: &'static [&'static str] = &["DPS5020", "DPS5029"];

    /// The stable code of the diagnostic.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Inconsistent => "DPS5020",
            Self::OtherColumns => "DPS5029",
        }
    }
}
