//! The smallest noise that meets a target.

use super::AccountingError;
use super::charges::Charges;
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
    let price = |noise: NoiseMultiplier| super::epsilon(&build(noise), adjacency, delta);
    // Written so that a price that is not a number is refused.
    let holds_at = |noise: NoiseMultiplier| Ok::<_, AccountingError>(price(noise)? <= target);

    // The Rényi accountant is fast and above the exact price, so what it finds holds.
    let mut holds = by_renyi(&build, adjacency, target, delta)?;
    if !holds_at(holds)? {
        return Err(AccountingError::NotConverged { target });
    }
    // Down by growing steps until the noise fails.
    let (mut fails, mut factor) = (holds, 0.97);
    loop {
        let less = fails.value() * factor;
        if less <= NoiseMultiplier::SMALLEST.value() {
            if holds_at(NoiseMultiplier::SMALLEST)? {
                return Ok(NoiseMultiplier::SMALLEST);
            }
            fails = NoiseMultiplier::SMALLEST;
            break;
        }
        fails = NoiseMultiplier::new(less)?;
        if !holds_at(fails)? {
            break;
        }
        holds = fails;
        factor *= factor;
    }
    // The logarithm of the price is nearly linear in that of the noise.
    let excess = |noise: NoiseMultiplier| Ok::<_, AccountingError>((price(noise)? / target).ln());
    let (mut low, mut high) = (excess(fails)?, excess(holds)?);
    for round in 0..MOST_ROUNDS {
        if holds.value() <= fails.value() * (1.0 + TOLERANCE) {
            break;
        }
        let share = if round % 3 == 2 {
            0.5
        } else {
            (low / (low - high)).clamp(0.02, 0.98)
        };
        // A little towards more noise, so that the next one holds more often than not.
        let ratio = (holds.value() / fails.value()).ln();
        let next = fails.value() * (ratio * share + 0.25 * TOLERANCE).exp();
        let next = NoiseMultiplier::new(next.clamp(fails.value(), holds.value()))?;
        let found = excess(next)?;
        // Up: only a noise multiplier that was priced can become the result.
        if found <= 0.0 {
            (holds, high) = (next, found);
        } else {
            (fails, low) = (next, found);
        }
    }
    if holds_at(holds)? {
        Ok(holds)
    } else {
        Err(AccountingError::NotConverged { target })
    }
}

/// Returns about the smallest noise multiplier that holds by the Rényi accountant.
fn by_renyi(
    build: &impl Fn(NoiseMultiplier) -> DpEvent,
    adjacency: Adjacency,
    target: f64,
    delta: Delta,
) -> Result<NoiseMultiplier, AccountingError> {
    let price = |noise: NoiseMultiplier| {
        Curve::new(&Charges::of(&build(noise))?, adjacency)?.epsilon(delta.value())
    };
    let mut holds = NoiseMultiplier::LARGEST;
    let reached = price(holds)?;
    let reachable = reached <= target;
    if !reachable {
        // The exact price is lower, and may be low enough.
        let reached = super::epsilon(&build(holds), adjacency, delta)?;
        if reached <= target {
            return Ok(holds);
        }
        let (delta, largest) = (delta.value(), holds.value());
        return Err(AccountingError::OutOfReach {
            target,
            delta,
            largest,
            reached,
        });
    }
    let mut fails = NoiseMultiplier::SMALLEST;
    if price(fails)? <= target {
        return Ok(fails);
    }
    // The interval halves on a logarithmic scale, so the loop ends by itself.
    while holds.value() > fails.value() * (1.0 + 1e-3) {
        let middle = NoiseMultiplier::new((holds.value() * fails.value()).sqrt())?;
        if price(middle)? <= target {
            holds = middle;
        } else {
            fails = middle;
        }
    }
    Ok(holds)
}

/// How far above the smallest sufficient noise multiplier the result may be, relatively: less
/// than the bounds on the price are apart.
const TOLERANCE: f64 = 2e-5;

/// How often the price is computed at most.
const MOST_ROUNDS: usize = 24;
