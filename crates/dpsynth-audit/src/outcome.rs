//! What an audit reports: checks with their statistics, their power and their chance of a false alarm.

use std::cell::Cell;
use std::time::Instant;

use serde::{Deserialize, Serialize};

use crate::attack::{Claim, LowerBound};

/// One audit: its checks, and what they say together.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Audit {
    /// Which audit.
    pub level: Level,
    /// Every check.
    pub checks: Vec<Check>,
    /// Chance that a correct program is found by any of the checks: their sum.
    pub false_alarm: f64,
    /// What a pass is worth.
    pub caution: String,
    /// What the figures were computed from, where that must not be published.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_private: Option<String>,
}

/// What stands on every audit of a release.
const NOT_PRIVATE: &str = "these figures are computed from records without any noise; they are for the custodian, do not publish them";

/// How deep an audit looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    /// Known answers and distributions, in seconds.
    #[serde(rename = "self")]
    SelfTest,
    /// The part of it that every release runs first, in a second.
    #[serde(rename = "self_before_release")]
    SelfBeforeRelease,
    /// Attacks on single mechanisms.
    Mechanism,
    /// Canaries in one training run.
    Training,
    /// Attacks on a released table.
    Release,
}

/// One check of an audit.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Check {
    /// What was checked.
    pub name: String,
    /// What came of it.
    pub outcome: Outcome,
    /// What was measured.
    pub statistic: f64,
    /// What it may be at most.
    pub limit: f64,
    /// Chance that a correct program exceeds the limit; 0 where chance has no part.
    pub false_alarm: f64,
    /// What the check would find.
    pub power: String,
    /// Bounds on ε, where the check has them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bounds: Option<Bounds>,
    /// How long it took.
    pub seconds: f64,
}

/// What came of a check.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// Nothing was found, which proves nothing.
    Passed,
    /// Something is wrong.
    Found,
    /// It could not be carried out here.
    NotRun,
}

/// Lower bounds on ε at a confidence of 95 %, beside the claim.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Bounds {
    /// The ε that is claimed.
    pub epsilon_claimed: f64,
    /// The δ of all of them.
    pub delta: f64,
    /// The largest ε that the attack shows to be given away, whatever the mechanism is.
    pub epsilon_at_least: f64,
    /// The same, if the noise is Gaussian of some scale.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub epsilon_at_least_if_gaussian: Option<f64>,
}

impl Bounds {
    pub(crate) fn of(claim: &Claim) -> Self {
        Self {
            epsilon_claimed: claim.epsilon,
            delta: claim.delta,
            epsilon_at_least: 0.0,
            epsilon_at_least_if_gaussian: claim.pair.map(|_| 0.0),
        }
    }

    /// Keeps the larger of two bounds.
    pub(crate) fn take(&mut self, bound: &LowerBound) {
        self.epsilon_at_least = self.epsilon_at_least.max(bound.any);
        if let (Some(kept), Some(gaussian)) =
            (&mut self.epsilon_at_least_if_gaussian, bound.gaussian)
        {
            *kept = kept.max(gaussian);
        }
    }

    /// The largest bound that holds under what is known of the mechanism.
    #[must_use]
    pub fn best(&self) -> f64 {
        self.epsilon_at_least
            .max(self.epsilon_at_least_if_gaussian.unwrap_or(0.0))
    }
}

impl Audit {
    /// Puts checks together.
    #[must_use]
    pub fn new(level: Level, mut checks: Vec<Check>) -> Self {
        for check in &mut checks {
            check.make_finite();
        }
        Self {
            level,
            false_alarm: checks.iter().map(|check| check.false_alarm).sum(),
            checks,
            caution: CAUTION.to_owned(),
            not_private: (level == Level::Release).then(|| NOT_PRIVATE.to_owned()),
        }
    }

    /// Whether any check found something.
    #[must_use]
    pub fn found(&self) -> bool {
        self.checks
            .iter()
            .any(|check| check.outcome == Outcome::Found)
    }

    /// How long it took.
    #[must_use]
    pub fn seconds(&self) -> f64 {
        self.checks.iter().map(|check| check.seconds).sum()
    }
}

impl Check {
    /// Replaces what is not finite, which JSON cannot hold, by the largest number.
    fn make_finite(&mut self) {
        let finite = |value: &mut f64| {
            if !value.is_finite() {
                *value = f64::MAX;
            }
        };
        finite(&mut self.statistic);
        finite(&mut self.limit);
        if let Some(bounds) = &mut self.bounds {
            finite(&mut bounds.epsilon_at_least);
            if let Some(gaussian) = &mut bounds.epsilon_at_least_if_gaussian {
                finite(gaussian);
            }
        }
    }

    /// A check that compares a statistic with a limit. A statistic that is not a number is found.
    #[must_use]
    pub fn compare(
        name: impl Into<String>,
        (statistic, limit): (f64, f64),
        false_alarm: f64,
        power: impl Into<String>,
        watch: &Watch,
    ) -> Self {
        Self {
            name: name.into(),
            // Written so that what is not a number is found.
            outcome: if statistic <= limit {
                Outcome::Passed
            } else {
                Outcome::Found
            },
            statistic,
            limit,
            false_alarm,
            power: power.into(),
            bounds: None,
            seconds: watch.lap(),
        }
    }
}

/// Measures how long checks take that follow each other.
#[derive(Debug)]
pub struct Watch(Cell<Instant>);

impl Watch {
    /// Starts now.
    #[must_use]
    pub fn start() -> Self {
        Self(Cell::new(Instant::now()))
    }

    /// Seconds since the start, or since this was asked last.
    #[must_use]
    pub fn lap(&self) -> f64 {
        self.0.replace(Instant::now()).elapsed().as_secs_f64()
    }
}

/// What every audit says of itself.
const CAUTION: &str = "that nothing was found proves nothing: an audit shows the presence of the faults that it looks for, \
    never the absence of others; the claim rests on its proof";
