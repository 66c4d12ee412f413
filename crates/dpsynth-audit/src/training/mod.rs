//! Canaries in one run: rows that are in the data or not by the toss of a coin, and how well an attacker
//! guesses which.

mod counts;
mod gradients;
mod one_run;

pub use counts::CountCanaries;
pub use gradients::GradientCanaries;
pub use one_run::{Guesses, OneRun};

use dpsynth_privacy::PublicRng;

use crate::outcome::{Bounds, Check, Outcome, Watch};

/// Judges guesses against the (ε, δ) that a run is charged for.
///
/// It finds something where the ε that the guesses show exceeds the claim at a confidence of
/// 1 − [`FALSE_ALARM`]. The bound that it prints has a confidence of 95 %.
#[must_use]
pub fn judge(name: &str, guesses: &Guesses, (epsilon, delta): (f64, f64), watch: &Watch) -> Check {
    let sure = guesses.lower_bound(delta, FALSE_ALARM);
    let shown = guesses.lower_bound(delta, 0.05);
    let canaries = guesses.scores.len();
    Check {
        name: format!(
            "{name}: {} of {} guesses about {canaries} canaries are right",
            shown.right, shown.guesses
        ),
        outcome: if sure.epsilon_at_least > epsilon {
            Outcome::Found
        } else {
            Outcome::Passed
        },
        statistic: sure.epsilon_at_least,
        limit: epsilon,
        false_alarm: FALSE_ALARM,
        power: format!(
            "one run with {canaries} canaries can show an epsilon of {:.1} at most, and shows far less than \
             is given away",
            most_shown(canaries, delta)
        ),
        bounds: Some(Bounds {
            epsilon_claimed: epsilon,
            delta,
            epsilon_at_least: shown.epsilon_at_least,
            epsilon_at_least_if_gaussian: None,
        }),
        seconds: watch.lap(),
    }
}

/// What perfect guesses show.
fn most_shown(canaries: usize, delta: f64) -> f64 {
    let truth: Vec<bool> = (0..canaries).map(|canary| canary % 2 == 0).collect();
    let scores = truth
        .iter()
        .map(|&there| f64::from(u8::from(there)))
        .collect();
    Guesses { scores, truth }
        .lower_bound(delta, FALSE_ALARM)
        .epsilon_at_least
}

/// Chance that a run that keeps its claim is found.
pub const FALSE_ALARM: f64 = 1e-4;

/// The δ at which a run is judged. It is smaller than that of a release, because δ counts once for each
/// canary in the bound.
pub const DELTA: f64 = 1e-8;

/// One fair coin for each canary.
fn coins(canaries: usize, seed: u64) -> Vec<bool> {
    let mut rng = PublicRng::from_seed(seed ^ 0xc017);
    (0..canaries).map(|_| rng.uniform() < 0.5).collect()
}
