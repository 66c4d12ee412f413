//! The price of a release said otherwise: in other measures, and for others than the unit.
//!
//! None of these is the claim. Each follows from the same mechanisms, and `dpsynth verify` computes
//! each again.

use dpsynth_privacy::accountant::{self, AccountingError, Price};
use dpsynth_privacy::{Adjacency, Delta, DpEvent, Mechanism, PrivacyUnit};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What a release costs in other measures, and what it promises to others than the unit.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Readings {
    /// ρ of zero-concentrated differential privacy, rounded up. Absent where some mechanism has
    /// none of use: a sampled one, or one with a δ of its own.
    pub zero_concentrated_rho: Option<f64>,
    /// μ of Gaussian differential privacy, at all δ at once, rounded up. Absent unless every
    /// mechanism adds Gaussian noise and nothing is sampled.
    pub gaussian_dp_mu: Option<f64>,
    /// Difference of means over standard deviation of the Gaussian mechanism that has the same ε
    /// at the same δ, rounded up. It restates that one pair and claims no Gaussian differential
    /// privacy.
    pub gaussian_of_same_price_mu: f64,
    /// The largest chance, of any test, to say rightly that a unit is in the data, where it says so
    /// wrongly with chance 5 %.
    pub largest_power_at_5_percent: f64,
    /// ε for others than the unit of the claim, at the same δ.
    pub other_units: Vec<OtherUnit>,
}

/// What the release promises to one other than the unit.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct OtherUnit {
    /// Whose participation is hidden.
    pub whose: Whose,
    /// How well.
    pub price: OtherPrice,
}

/// Whose participation is hidden, if not the unit's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Whose {
    /// Any so many rows together, where the unit is the row: for people who have several.
    RowsTogether(u32),
    /// The unit of several rows itself, as the claim states it.
    Unit,
    /// One row of a unit of several, whatever it is replaced by, also where it is added or removed.
    RowOfUnit,
}

/// The ε for another than the unit.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum OtherPrice {
    /// ε at the δ of the claim, rounded up.
    Epsilon(f64),
    /// No ε is known, and why not.
    NotAvailable(String),
}

/// What is read: the mechanisms, and the terms of the claim.
#[derive(Clone, Copy, Debug)]
pub struct Question<'a> {
    /// All mechanisms as one event.
    pub event: &'a DpEvent,
    /// What they show of one row of a unit, as [`event_of_row`] has it.
    pub event_of_row: &'a DpEvent,
    /// The unit of the claim.
    pub unit: &'a PrivacyUnit,
    /// What neighbouring data sets are.
    pub adjacency: Adjacency,
    /// δ of the claim.
    pub delta: Delta,
}

impl Readings {
    /// Computes all readings of an event whose price at the δ of the claim is `price`.
    ///
    /// # Guarantee
    /// Every number is an upper bound, in the sense that its field states.
    ///
    /// # Errors
    /// As for [`accountant::price`], but for other units, which may have no price.
    pub fn new(question: Question<'_>, price: Price) -> Result<Self, AccountingError> {
        let Question {
            event,
            unit,
            adjacency,
            delta,
            ..
        } = question;
        let other_units = Whose::all(unit)
            .into_iter()
            .map(|whose| {
                let price = match question.price(whose)? {
                    Ok(price) => OtherPrice::Epsilon(price.epsilon()),
                    Err(why) => OtherPrice::NotAvailable(why),
                };
                Ok(OtherUnit { whose, price })
            })
            .collect::<Result<_, AccountingError>>()?;
        Ok(Self {
            zero_concentrated_rho: accountant::zero_concentrated(event, adjacency)?,
            gaussian_dp_mu: accountant::gaussian_dp(event, adjacency)?,
            gaussian_of_same_price_mu: accountant::gaussian_of_epsilon(price.epsilon(), delta)?,
            largest_power_at_5_percent: accountant::largest_power(event, adjacency, TEST_LEVEL)?
                .upper,
            other_units,
        })
    }
}

/// What mechanisms show of one row of a unit, as one event to be priced under *replace one*.
#[must_use]
pub fn event_of_row<'m>(
    mechanisms: impl Iterator<Item = &'m Mechanism>,
    unit: &PrivacyUnit,
) -> DpEvent {
    let event = |mechanism: &Mechanism| mechanism.event_of_row(unit.max_rows());
    DpEvent::Composed {
        events: mechanisms.map(event).collect(),
    }
}

impl Question<'_> {
    /// Returns the price of the event for another than the unit, or why there is none.
    ///
    /// # Errors
    /// Where the accountants contradict each other or nothing protects, which is no property of
    /// the other unit.
    pub(crate) fn price(&self, whose: Whose) -> Result<Result<Price, String>, AccountingError> {
        let group;
        let (event, adjacency) = match whose {
            Whose::RowsTogether(rows) => match accountant::for_group(self.event, rows) {
                Ok(event) => {
                    group = event;
                    (&group, self.adjacency)
                }
                Err(error) => return not_available(error).map(Err),
            },
            Whose::Unit => (self.event, self.adjacency),
            // The event of a row is made to be priced so, whatever the neighbours of the claim are.
            Whose::RowOfUnit => (self.event_of_row, Adjacency::ReplaceOne),
        };
        match accountant::price(event, adjacency, self.delta) {
            Ok(price) => Ok(Ok(price)),
            Err(error) => not_available(error).map(Err),
        }
    }
}

/// Returns why another unit has no price, in words, unless the error is one of the release itself.
fn not_available(error: AccountingError) -> Result<String, AccountingError> {
    match error {
        AccountingError::Contradiction { .. } | AccountingError::NotPrivate => Err(error),
        AccountingError::Unsupported { .. } => {
            Ok(format!("no bound is proved for it ({})", error.code()))
        }
        _ => Ok(format!(
            "it is beyond what can be priced ({})",
            error.code()
        )),
    }
}

impl Whose {
    /// Returns whom a release of this unit is priced for besides.
    pub(crate) fn all(unit: &PrivacyUnit) -> Vec<Self> {
        match unit {
            PrivacyUnit::Row => GROUPS.map(Self::RowsTogether).to_vec(),
            PrivacyUnit::User { .. } => vec![Self::Unit, Self::RowOfUnit],
        }
    }

    /// A phrase for people.
    #[must_use]
    pub fn describe(self) -> String {
        match self {
            Self::RowsTogether(rows) => format!("any {rows} rows together"),
            Self::Unit => "all rows of one unit, as in the claim".to_owned(),
            Self::RowOfUnit => "any one row of a unit, changed, added or removed".to_owned(),
        }
    }
}

impl OtherPrice {
    /// The figure for people, rounded up, or that there is none.
    pub(crate) fn describe(&self) -> String {
        match self {
            Self::Epsilon(epsilon) => crate::report::epsilon_up(*epsilon),
            Self::NotAvailable(why) => format!("not available: {why}"),
        }
    }
}

/// How many rows the groups have for which a price is stated.
const GROUPS: [u32; 3] = [2, 5, 10];

/// The level of the test whose power is stated.
pub(crate) const TEST_LEVEL: f64 = 0.05;
