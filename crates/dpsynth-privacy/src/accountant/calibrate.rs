//! The smallest noise that meets a target.

use super::AccountingError;
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

    let mut holds = NoiseMultiplier::LARGEST;
    let reached = price(holds)?;
    // Written so that a price that is not a number is refused.
    let reachable = reached <= target;
    if !reachable {
        return Err(AccountingError::OutOfReach {
            target,
            delta: delta.value(),
            largest: holds.value(),
            reached,
        });
    }
    let mut fails = NoiseMultiplier::SMALLEST;
    if price(fails)? <= target {
        return Ok(fails);
    }
    // The interval halves on a logarithmic scale, so the loop ends by itself.
    while holds.value() > fails.value() * (1.0 + TOLERANCE) {
        let middle = NoiseMultiplier::new((holds.value() * fails.value()).sqrt())?;
        // Up: only a noise multiplier that was priced can become the result.
        if price(middle)? <= target {
            holds = middle;
        } else {
            fails = middle;
        }
    }
    if price(holds)? <= target {
        Ok(holds)
    } else {
        Err(AccountingError::NotConverged { target })
    }
}

/// How far above the smallest sufficient noise multiplier the result may be, relatively.
const TOLERANCE: f64 = 1e-7;
