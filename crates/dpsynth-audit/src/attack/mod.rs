//! Attacks on one mechanism: run it many times on two neighbouring data sets, score what comes out,
//! and bound from below what it gives away.

mod bound;
mod pair;
mod power;

pub use bound::{Claim, LowerBound, Scores};
pub use pair::Pair;
pub use power::smallest_found;

use crate::error::AuditError;
use crate::outcome::{Bounds, Check, Outcome, Watch};

/// Which of the two neighbouring data sets a run is on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum World {
    /// The unit is not there.
    Without,
    /// The unit is there.
    With,
}

/// A mechanism on its worst neighbours, or on those that a known mistake makes worst.
pub trait Subject {
    /// Names the mechanism and the neighbours.
    fn name(&self) -> String;

    /// What the mechanism is charged for.
    fn claim(&self) -> Result<Claim, AuditError>;

    /// Runs the mechanism `runs` times on `world`, with secret bits that `seed` decides, and returns
    /// for each of its scores the score of every run. A score may be any function of the output.
    ///
    /// # Errors
    /// If the mechanism refuses to run.
    fn observe(&self, world: World, runs: usize, seed: u64) -> Result<Vec<Vec<f64>>, AuditError>;

    /// What a run costs, where one that takes a few microseconds costs 1.
    fn cost(&self) -> usize {
        1
    }
}

/// How hard to look, and how often to be wrong.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Effort {
    /// Runs on each of the two data sets, of a mechanism that takes a few microseconds; a part of them
    /// for others, by [`Subject::cost`].
    pub runs: usize,
    /// Chance that a correct mechanism is found to leak.
    pub false_alarm: f64,
    /// Decides the secret bits of all runs.
    pub seed: u64,
}

/// Attacks a mechanism and compares what was reached with what it claims.
///
/// It finds something where more was reached than the claim allows, at a confidence of one minus
/// `effort.false_alarm`. The bounds that it prints have a confidence of 95 %.
///
/// # Errors
/// If the mechanism refuses to run.
pub fn attack(subject: &dyn Subject, effort: Effort) -> Result<Check, AuditError> {
    let watch = Watch::start();
    let claim = subject.claim()?;
    let runs = (effort.runs / subject.cost()).max(FEWEST_RUNS);
    let without = subject.observe(World::Without, runs, effort.seed)?;
    let with = subject.observe(World::With, runs, effort.seed ^ OTHER_WORLD)?;
    let scores: Vec<Scores> = without
        .into_iter()
        .zip(with)
        .map(|(without, with)| Scores { without, with })
        .collect();
    // Each score may err, so each gets its part.
    let parts = scores.len() as f64;
    // The pair and the ratio are two tests.
    let error = effort.false_alarm / (2.0 * parts);
    let (mut bounds, mut excess) = (Bounds::of(&claim), Excess::default());
    for scores in &scores {
        let sure = scores.lower_bound(&claim, error);
        excess.take(&claim, &sure);
        bounds.take(&scores.lower_bound(&claim, 0.05 / parts));
    }
    let outcome = if excess.found {
        Outcome::Found
    } else {
        Outcome::Passed
    };
    let power = match claim.pair {
        Some(pair) => format!(
            "noise of {:.2} times what is claimed or less is found with probability 0.9",
            smallest_found(pair, runs / 2, error)
        ),
        None => format!(
            "{:.2} is reached at the confidence of the verdict, so about {:.1} times what is given away is found",
            excess.sure,
            (claim.epsilon / excess.sure.max(1e-2)).max(1.0)
        ),
    };
    Ok(Check {
        name: subject.name(),
        outcome,
        statistic: excess.sure,
        limit: claim.epsilon,
        false_alarm: effort.false_alarm,
        power,
        bounds: Some(bounds),
        seconds: watch.lap(),
    })
}

/// What was reached at the confidence of the verdict.
#[derive(Default)]
struct Excess {
    found: bool,
    sure: f64,
}

impl Excess {
    fn take(&mut self, claim: &Claim, sure: &LowerBound) {
        let noise = sure.most_noise.is_some_and(|factor| factor < 1.0);
        let gaussian = sure.gaussian.is_some_and(|epsilon| epsilon > claim.epsilon);
        self.found |= noise || gaussian || sure.any > claim.epsilon;
        self.sure = self.sure.max(sure.any).max(sure.gaussian.unwrap_or(0.0));
    }
}

/// Fewer runs than this bound nothing.
const FEWEST_RUNS: usize = 200;

/// Makes the secret bits of the two worlds differ.
const OTHER_WORLD: u64 = 0x9e37_79b9_7f4a_7c15;
