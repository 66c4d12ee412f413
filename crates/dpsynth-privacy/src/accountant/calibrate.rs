//! The smallest noise that meets a target.

use super::AccountingError;
use super::charges::Charges;
use super::pld::Plan;
use super::rdp::Curve;
use crate::event::DpEvent;
use crate::numbers::{Delta, Epsilon, NoiseMultiplier};
use crate::unit::Adjacency;

/// Returns a noise multiplier at which the event that `build` describes costs at most
/// `epsilon` at `delta`, within [`TOLERANCE`] of the smallest one.
///
/// `build` must describe the run exactly as it will be recorded. More noise should cost less;
/// where it does not, the result holds all the same but need not be the smallest.
///
/// # Guarantee
///
/// Either returns an error, or a noise multiplier σ such that
/// `epsilon(&build(σ), adjacency, delta)` was computed for this very σ and is at most `epsilon`.
///
/// # Errors
///
/// [`AccountingError::OutOfReach`] where even the largest noise multiplier costs more, and any
/// error of pricing the event.
pub fn calibrate(
    build: impl Fn(NoiseMultiplier) -> DpEvent,
    adjacency: Adjacency,
    epsilon: Epsilon,
    delta: Delta,
) -> Result<NoiseMultiplier, AccountingError> {
    let target = epsilon.value();
    let mut guess = Guess {
        build: &build,
        adjacency,
        delta,
        by: Estimate::Tilted,
    };
    let mut search = Search::default();
    let mut next = guess.noise(target);
    if guess
        .plan(next)
        .is_some_and(|plan| plan.takes_long(delta.value()))
    {
        guess.by = Estimate::Composed;
        next = guess.nearer(next, target);
    }
    for _ in 0..MOST_ROUNDS {
        let noise = NoiseMultiplier::new(next.clamp(SMALLEST, LARGEST))?;
        let reached = super::epsilon(&build(noise), adjacency, delta)?;
        // Only a noise multiplier that was priced can become the result.
        search.found(noise, (reached / target).ln(), reached <= target)?;
        match (search.fails, search.holds) {
            (None, Some((holds, _))) if holds.value() <= SMALLEST => return Ok(holds),
            (Some((fails, _)), None) if fails.value() >= LARGEST => {
                let (delta, largest) = (delta.value(), fails.value());
                return Err(AccountingError::OutOfReach {
                    target,
                    delta,
                    largest,
                    reached,
                });
            }
            (Some((fails, _)), Some((holds, _)))
                if holds.value() <= fails.value() * (1.0 + TOLERANCE) =>
            {
                return Ok(holds);
            }
            _ => next = search.next(&guess),
        }
    }
    match search.holds {
        Some((holds, _)) => Ok(holds),
        None => Err(AccountingError::NotConverged { target }),
    }
}

/// What is known of the price: the noise multipliers nearest to the target on either side, with
/// the logarithm of price over target.
#[derive(Default)]
struct Search {
    fails: Option<(NoiseMultiplier, f64)>,
    holds: Option<(NoiseMultiplier, f64)>,
    rounds: u32,
}

impl Search {
    fn found(
        &mut self,
        noise: NoiseMultiplier,
        excess: f64,
        holds: bool,
    ) -> Result<(), AccountingError> {
        if excess.is_nan() {
            return Err(AccountingError::NotFinite);
        }
        self.rounds += 1;
        *(if holds {
            &mut self.holds
        } else {
            &mut self.fails
        }) = Some((noise, excess));
        Ok(())
    }

    /// Returns the noise multiplier to price next.
    ///
    /// The estimate errs by a factor that hardly changes with the noise. From the nearer side the
    /// next one aims a little beyond the target, so that the other side is found as near.
    fn next(&self, guess: &Guess<impl Fn(NoiseMultiplier) -> DpEvent>) -> f64 {
        let far = 4f64.powi((self.rounds as i32 - 2).clamp(0, 8));
        let aim = |(noise, excess): (NoiseMultiplier, f64), beyond: f64| {
            let beyond = 0.4 * TOLERANCE * if excess > 0.0 { beyond } else { -beyond };
            guess.cheaper(noise.value(), excess) * beyond.exp()
        };
        match (self.fails, self.holds) {
            (Some(fails), Some(holds)) => {
                let (low, high) = (fails.0.value(), holds.0.value());
                // Over a wide interval the estimate knows more of the price than its ends.
                let (near, other) = if fails.1 < -holds.1 {
                    (fails, holds)
                } else {
                    (holds, fails)
                };
                if near.1.abs() < CURVED * other.1.abs() && self.rounds <= LINEAR_ROUNDS {
                    let next = aim(near, 1.0);
                    if next > low && next < high {
                        return next;
                    }
                }
                let width = (high / low).ln();
                let share = if self.rounds > LINEAR_ROUNDS {
                    0.5
                } else {
                    let nearer = if fails.1 < -holds.1 { 1.0 } else { -1.0 };
                    let root = fails.1 / (fails.1 - holds.1);
                    (root + nearer * 0.4 * TOLERANCE / width).clamp(0.02, 0.98)
                };
                low * (width * share).exp()
            }
            (Some(fails), None) => aim(fails, far),
            (None, Some(holds)) => aim(holds, far),
            (None, None) => LARGEST,
        }
    }
}

/// Estimates of the price that no guarantee rests on.
struct Guess<'build, Build> {
    build: &'build Build,
    adjacency: Adjacency,
    delta: Delta,
    by: Estimate,
}

/// How a price is estimated.
enum Estimate {
    /// From moments alone, which takes a fraction of a millisecond.
    Tilted,
    /// By composing on a coarse grid: far nearer, for a twentieth of the time of a long price.
    Composed,
}

impl<Build: Fn(NoiseMultiplier) -> DpEvent> Guess<'_, Build> {
    fn charges(&self, noise: f64) -> Option<Charges> {
        let noise = NoiseMultiplier::new(noise.clamp(SMALLEST, LARGEST)).ok()?;
        Charges::of(&(self.build)(noise)).ok()
    }

    fn plan(&self, noise: f64) -> Option<Plan> {
        Plan::new(&self.charges(noise)?, self.adjacency).ok()
    }

    /// Returns about the logarithm of the price, where one is known.
    fn log_price(&self, noise: f64) -> Option<f64> {
        let delta = self.delta.value();
        let estimate = match self.by {
            Estimate::Tilted => {
                let charges = self.charges(noise)?;
                let estimate =
                    Plan::new(&charges, self.adjacency).and_then(|plan| plan.estimate(delta));
                estimate
                    .or_else(|_| Curve::new(&charges, self.adjacency)?.epsilon(delta))
                    .ok()
            }
            Estimate::Composed => self.plan(noise)?.composed_estimate(delta),
        };
        estimate.map(f64::ln).filter(|it| it.is_finite())
    }

    /// Returns about the smallest noise multiplier that costs no more than `target`.
    fn noise(&self, target: f64) -> f64 {
        let (mut low, mut high) = (SMALLEST.ln(), LARGEST.ln());
        // Halving finds a start however the price behaves.
        while high - low > 1e-3 {
            let middle = low + (high - low) / 2.0;
            match self.log_price(middle.exp()) {
                Some(price) if price <= target.ln() => high = middle,
                _ => low = middle,
            }
        }
        // Where the ends are the answer, nothing else is.
        if low == SMALLEST.ln() {
            SMALLEST
        } else if high == LARGEST.ln() {
            LARGEST
        } else {
            (low / 2.0 + high / 2.0).exp()
        }
    }

    /// Returns about the noise multiplier that costs `target`, searched from `noise` on.
    fn nearer(&self, noise: f64, target: f64) -> f64 {
        match self.log_price(noise) {
            Some(here) => self.searched(noise, here, target.ln()),
            None => noise,
        }
    }

    /// Returns about the noise multiplier at which the logarithm of the price is lower by `by`.
    fn cheaper(&self, noise: f64, by: f64) -> f64 {
        match self.log_price(noise) {
            Some(here) => self.searched(noise, here, here - by),
            None => noise * by.clamp(-FARTHEST, FARTHEST).exp(),
        }
    }

    /// Returns about the noise multiplier whose estimated price has the logarithm `goal`, where
    /// that of `noise` has `here`: by secants, the first of which has a slope from nearby.
    fn searched(&self, noise: f64, here: f64, goal: f64) -> f64 {
        let (mut at, mut price) = (noise, here);
        let Some(nearby) = self.log_price(at * NEARBY) else {
            return at;
        };
        let mut slope = ((nearby - price) / NEARBY.ln()).clamp(STEEPEST, FLATTEST);
        for _ in 0..MOST_SECANTS {
            let step = ((goal - price) / slope).clamp(-FARTHEST, FARTHEST);
            let next = (at * step.exp()).clamp(SMALLEST, LARGEST);
            if next == at || step.abs() < SMALLEST_SECANT {
                return next;
            }
            let Some(found) = self.log_price(next) else {
                return next;
            };
            slope = ((found - price) / (next / at).ln()).clamp(STEEPEST, FLATTEST);
            (at, price) = (next, found);
        }
        (at * ((goal - price) / slope).clamp(-FARTHEST, FARTHEST).exp()).clamp(SMALLEST, LARGEST)
    }
}

const SMALLEST: f64 = NoiseMultiplier::SMALLEST.value();
const LARGEST: f64 = NoiseMultiplier::LARGEST.value();

/// How far above the smallest sufficient noise multiplier the result may be, relatively: less
/// than the bounds on the price are apart.
const TOLERANCE: f64 = 2e-5;

/// How often the price is computed at most.
const MOST_ROUNDS: usize = 40;

/// After how many rounds the interval is halved, because the price is not as smooth as expected.
const LINEAR_ROUNDS: u32 = 10;

/// How much nearer one side is than the other where the price is not taken for linear between.
const CURVED: f64 = 0.1;

/// How much more noise tells the slope of the price.
const NEARBY: f64 = 1.01;

/// Between what the slope of the logarithm of the price over that of the noise is taken to lie.
const STEEPEST: f64 = -20.0;
const FLATTEST: f64 = -0.2;

/// How often an estimate is improved at most, and the step, as a logarithm, that is too short to
/// be.
const MOST_SECANTS: usize = 5;
const SMALLEST_SECANT: f64 = 2e-4;

/// How far one step goes at most, as a logarithm.
const FARTHEST: f64 = 1.0;
