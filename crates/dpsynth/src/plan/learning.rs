//! What is paid for learning the columns that a policy leaves open.

use dpsynth_privacy::{
    Delta, Epsilon, Mechanism, NumberError, OpenCategories, QuantileLevel, Quantiles,
};
use dpsynth_table::Domain;

use super::Purpose;
use crate::policy::{Open, Policy};

/// The mechanisms that learn open columns, in the order of their names.
///
/// # Errors
/// If a share leaves too little for a mechanism.
pub(super) fn stages(
    policy: &Policy,
    epsilon: Epsilon,
    delta: Delta,
    units: Option<u64>,
) -> Result<Vec<(Purpose, Mechanism)>, NumberError> {
    let open = policy.open.len() as f64;
    let lists = policy.open.values();
    let lists = lists.filter(|it| it.what == Open::Categories).count() as f64;
    let mut stages = Vec::with_capacity(policy.open.len());
    for (name, unstated) in &policy.open {
        let candidates = match policy.schema.column(name).map(|column| &column.domain) {
            Some(Domain::Integer { min, max, .. }) => candidates(1.0, *min as f64, *max as f64),
            Some(Domain::Float { min, max, .. }) => candidates(FLOAT_STEPS, *min, *max),
            _ => Vec::new(),
        };
        let choice = Choice {
            candidates: candidates.len(),
            max_rows: policy.privacy.unit.max_rows(),
            units,
        };
        let usual = match unstated.what {
            Open::Categories => CATEGORIES_SHARE,
            Open::Range => RANGE_SHARE.max(2.0 * choice.epsilon_for(USUAL_LEVEL) / epsilon.value()),
        };
        let share = unstated.share.unwrap_or(usual.min(MOST_SHARED / open));
        let epsilon = epsilon.value() * share;
        let stage = match unstated.what {
            Open::Categories => Mechanism::OpenCategories(OpenCategories {
                epsilon: Epsilon::new(epsilon)?,
                delta: Delta::new(delta.value() * DELTA_SHARE / lists)?,
            }),
            Open::Range => {
                let epsilon = epsilon / 2.0;
                let level = choice.level_for(epsilon);
                Mechanism::Quantiles(Quantiles {
                    levels: vec![QuantileLevel::new(level)?, QuantileLevel::new(1.0 - level)?],
                    candidates,
                    epsilon: Epsilon::new(epsilon)?,
                })
            }
        };
        stages.push((
            match unstated.what {
                Open::Categories => Purpose::LearnedCategories,
                Open::Range => Purpose::LearnedRange,
            },
            stage,
        ));
    }
    Ok(stages)
}

/// The choice of one bound among candidates.
struct Choice {
    candidates: usize,
    max_rows: u32,
    units: Option<u64>,
}

impl Choice {
    /// How many units a choice with ε = 1 is off by: few candidates further away are taken.
    ///
    /// A candidate that is off by r ranks is exp(-ε r / (2 max_rows)) times as likely as the right one.
    fn ranks(&self) -> f64 {
        2.0 * f64::from(self.max_rows) * ((self.candidates.max(2) as f64).ln() + 3.0)
    }

    /// The ε at which a bound can be told from what lies beyond a share `level` of the units.
    fn epsilon_for(&self, level: f64) -> f64 {
        self.units
            .map_or(0.0, |units| self.ranks() / (level * units.max(1) as f64))
    }

    /// The share of the units that a bound leaves beyond it, so that it can be told at `epsilon`.
    fn level_for(&self, epsilon: f64) -> f64 {
        let level = self.units.map_or(USUAL_LEVEL, |units| {
            self.ranks() / (epsilon * units.max(1) as f64)
        });
        level.clamp(SMALLEST_LEVEL, LARGEST_LEVEL)
    }
}

/// The bounds that may be chosen, in steps: 0, and 1, 2 and 5 times every power of ten, of both signs.
fn candidates(steps_in_one: f64, min: f64, max: f64) -> Vec<i64> {
    let mut magnitudes = Vec::new();
    let mut power = 1i64;
    while let Some(next) = power.checked_mul(10) {
        magnitudes.extend([power, 2 * power, 5 * power]);
        // OK because five times a power of ten has a tenfold in range before it overflows.
        power = next;
    }
    let negative = magnitudes.iter().rev().map(|step| -step);
    let all = negative.chain([0]).chain(magnitudes.iter().copied());
    let within = |step: &i64| (min..=max).contains(&(*step as f64 / steps_in_one));
    all.filter(within).collect()
}

/// Steps in 1, for columns of numbers with a fraction.
pub(crate) const FLOAT_STEPS: f64 = 1e6;

/// Share of ε for a list of categories, and for a range.
const CATEGORIES_SHARE: f64 = 0.05;
const RANGE_SHARE: f64 = 0.02;

/// What all columns may share together, unless the policy states shares.
const MOST_SHARED: f64 = 0.25;

/// Share of δ for lists of categories.
const DELTA_SHARE: f64 = 0.25;

/// Share of the units beyond a bound: what is paid for, unless that takes too much, and limits.
const USUAL_LEVEL: f64 = 0.02;
const SMALLEST_LEVEL: f64 = 5e-4;
const LARGEST_LEVEL: f64 = 0.1;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn candidates_grow_and_are_within_what_a_column_can_hold() {
        let whole = candidates(1.0, -1e12, 1e12);
        assert!(whole.is_sorted_by(|a, b| a < b));
        assert_eq!(
            (whole[0], whole[whole.len() - 1]),
            (-1_000_000_000_000, 1_000_000_000_000)
        );
        let numbers = candidates(FLOAT_STEPS, -1e12, 1e12);
        assert!(numbers.contains(&1));
        assert_eq!(numbers.last(), Some(&500_000_000_000_000_000));
    }

    #[test]
    fn bounds_leave_more_beyond_them_where_noise_is_larger() {
        let choice = |units| Choice {
            candidates: 100,
            max_rows: 1,
            units: Some(units),
        };
        assert_eq!(choice(10_000_000).level_for(0.03), SMALLEST_LEVEL);
        assert_eq!(choice(1000).level_for(0.03), LARGEST_LEVEL);
        assert!(choice(100_000).level_for(0.03) < choice(50_000).level_for(0.03));
        let paid = choice(50_000);
        let level = paid.level_for(paid.epsilon_for(USUAL_LEVEL));
        assert!((level - USUAL_LEVEL).abs() < 1e-12);
        let unknown = Choice {
            units: None,
            ..choice(1)
        };
        assert_eq!(unknown.level_for(0.03), USUAL_LEVEL);
    }
}
