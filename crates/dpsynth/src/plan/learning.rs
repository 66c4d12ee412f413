//! What is paid for learning the columns that a policy leaves open.

use dpsynth_privacy::{Delta, Epsilon, LaplaceCounts, Mechanism, NumberError, OpenCategories};
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
    let lists = lists.filter(|it| it.what != Open::Range).count() as f64;
    let mut stages = Vec::with_capacity(policy.open.len());
    for (name, unstated) in &policy.open {
        let bounds = policy
            .schema
            .column(name)
            .map_or_else(Vec::new, |column| candidates(&column.domain));
        let certain = f64::from(policy.privacy.unit.max_rows()) * doubt(bounds.len());
        let needed = units.map_or(0.0, |units| certain / (SMALLEST_TAIL * units.max(1) as f64));
        let usual = match unstated.what {
            Open::Categories | Open::Spikes => CATEGORIES_SHARE,
            Open::Range => RANGE_SHARE.max(needed / epsilon.value()),
        };
        let share = unstated.share.unwrap_or(usual.min(MOST_SHARED / open));
        let epsilon = epsilon.value() * share;
        let stage = match unstated.what {
            Open::Categories | Open::Spikes => Mechanism::OpenCategories(OpenCategories {
                epsilon: Epsilon::new(epsilon)?,
                delta: Delta::new(delta.value() * DELTA_SHARE / lists)?,
            }),
            Open::Range => Mechanism::LaplaceCounts(LaplaceCounts {
                column_sets: vec![vec![0]],
                epsilon: Epsilon::new(epsilon)?,
            }),
        };
        stages.push((
            match unstated.what {
                Open::Categories => Purpose::LearnedCategories,
                Open::Spikes => Purpose::LearnedSpikes,
                Open::Range => Purpose::LearnedRange,
            },
            stage,
        ));
    }
    Ok(stages)
}

/// How many scales of noise a count must stand above zero, so that one of several empty ones does so in
/// one release of ten thousand.
pub(crate) fn doubt(counts: usize) -> f64 {
    // The noise of an empty count exceeds t scales with probability exp(-t) / 2.
    (counts.max(1) as f64 / 2e-4).ln()
}

/// The bounds that may be learned of a column of numbers, in steps: 0, and 1, 2 and 5 times every power
/// of ten, of both signs.
pub(crate) fn candidates(domain: &Domain) -> Vec<i64> {
    let (steps_in_one, min, max) = match domain {
        Domain::Integer { min, max, .. } => (1.0, *min as f64, *max as f64),
        Domain::Float { min, max, .. } => (FLOAT_STEPS, *min, *max),
        _ => return Vec::new(),
    };
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

/// Share of ε for a list of categories or of values, and for a range.
const CATEGORIES_SHARE: f64 = 0.05;
const RANGE_SHARE: f64 = 0.02;

/// What all columns may share together, unless the policy states shares.
const MOST_SHARED: f64 = 0.25;

/// Share of δ for lists of categories and of values.
const DELTA_SHARE: f64 = 0.25;

/// Share of the units that a range of values between two candidates must hold to be seen: what is paid
/// for, unless that takes too much.
const SMALLEST_TAIL: f64 = 0.01;

#[cfg(test)]
mod tests {
    use super::*;
    use dpsynth_table::Cells;

    #[test]
    fn candidates_grow_and_are_within_what_a_column_can_hold() {
        let cells = Cells::Fine;
        let whole = candidates(&Domain::Integer {
            min: -1_000_000_000_000,
            max: 1_000_000_000_000,
            cells: cells.clone(),
        });
        assert!(whole.is_sorted_by(|a, b| a < b));
        assert_eq!(
            (whole[0], whole[whole.len() - 1]),
            (-1_000_000_000_000, 1_000_000_000_000)
        );
        let numbers = candidates(&Domain::Float {
            min: -1e12,
            max: 1e12,
            decimals: None,
            cells,
        });
        assert!(numbers.contains(&1), "a millionth");
        assert_eq!(numbers.last(), Some(&500_000_000_000_000_000));
    }
}
