//! Mechanisms that OpenDP runs: counts and categories with discrete Laplace noise, quantiles, and
//! the most frequent cells. All cost a pair of ε and δ and nothing of the Gaussian budget.
//!
//! OpenDP keeps its own account of what it runs. Before any of them looks at the data, [`within`]
//! compares that account with what the ledger was charged; the two are computed by different
//! people from different formulas, and the mechanism does not run unless they agree.
//!
//! OpenDP draws from a generator of its own, keyed by the operating system (ChaCha20 in `rand` 0.7,
//! reseeded, and again after a fork). It cannot be given a seed, so under a known seed these
//! mechanisms are not reproducible; a known seed taints the ledger anyway. Nothing of OpenDP's
//! errors is shown.

mod categories;
mod counts;
mod quantiles;
mod top_cells;

use opendp::error::{Error, Fallible};

use crate::numbers::Epsilon;
use crate::paid::{MechanismError, Taint};

/// What OpenDP accounts for one unit: ε and δ.
#[derive(Clone, Copy, Debug)]
struct Account {
    epsilon: f64,
    delta: f64,
}

/// Refuses a mechanism that costs more than was charged by OpenDP's account of it.
///
/// # Guarantee
/// Where it returns `Ok`, the mechanism is (`epsilon`, `delta`)-differentially private under adding
/// or removing one unit, and (2·`epsilon`, (1 + e^`epsilon`)·`delta`)-differentially private under
/// replacing one, both by OpenDP's maps. The second pair is what two steps of the first come to,
/// one unit out and one in, so an accountant may price replacement at it. A number that is not one
/// is refused.
fn within(
    epsilon: Epsilon,
    delta: f64,
    added: Fallible<Account>,
    replaced: Fallible<Account>,
) -> Result<(), MechanismError> {
    let (added, replaced) = (added.map_err(refused)?, replaced.map_err(refused)?);
    let epsilon = epsilon.value();
    let delta_replaced = if delta == 0.0 {
        0.0
    } else {
        (1.0 + epsilon.exp()) * delta
    };
    // Written so that NaN is refused.
    let holds = added.epsilon <= epsilon
        && added.delta <= delta
        && replaced.epsilon <= 2.0 * epsilon
        && replaced.delta <= delta_replaced;
    if holds {
        Ok(())
    } else {
        Err(MechanismError::Overpriced)
    }
}

/// The smallest scale of noise that costs at most `epsilon` by `account`, which maps a scale to
/// what one added or removed unit costs; `start` is where the formula says that it lies.
fn smallest_scale(
    start: f64,
    epsilon: Epsilon,
    account: impl Fn(f64) -> Fallible<f64>,
) -> Result<f64, MechanismError> {
    // Up: where OpenDP rounds its account up, a little more noise brings it down.
    let mut scale = start;
    for step in 0..TRIALS {
        if account(scale).map_err(refused)? <= epsilon.value() {
            return Ok(scale);
        }
        scale = scale.next_up() * (1.0 + f64::EPSILON * (1u64 << step) as f64);
    }
    Err(MechanismError::Overpriced)
}

/// How often the scale is raised: by parts in 10^16 at first, and by half at last.
const TRIALS: u32 = 52;

/// The scale that is run: none under the taint that asks for none.
fn scale_to_run(scale: f64, taint: Option<Taint>) -> f64 {
    if taint == Some(Taint::NoNoise) {
        0.0
    } else {
        scale
    }
}

fn refused(_: Error) -> MechanismError {
    MechanismError::OpenDp
}

#[cfg(test)]
mod tests {
    use super::*;

    fn account(epsilon: f64, delta: f64) -> Fallible<Account> {
        Ok(Account { epsilon, delta })
    }

    #[test]
    fn what_costs_more_than_was_charged_is_refused() {
        let epsilon = Epsilon::new(0.5).unwrap();
        let check = |added, replaced| within(epsilon, 1e-6, added, replaced);
        assert_eq!(check(account(0.5, 1e-6), account(1.0, 2e-6)), Ok(()));
        for (added, replaced) in [
            (account(0.5f64.next_up(), 0.0), account(1.0, 0.0)),
            (account(0.5, 1.1e-6), account(1.0, 0.0)),
            (account(0.5, 0.0), account(1.1, 0.0)),
            (account(0.5, 0.0), account(1.0, 3e-6)),
            (account(f64::NAN, 0.0), account(1.0, 0.0)),
            (account(0.5, f64::NAN), account(1.0, 0.0)),
        ] {
            assert_eq!(check(added, replaced), Err(MechanismError::Overpriced));
        }
    }

    #[test]
    fn a_scale_is_raised_until_the_account_holds_and_no_further() {
        let epsilon = Epsilon::new(0.1).unwrap();
        let scale = smallest_scale(10.0, epsilon, |scale| Ok((1.0 / scale).next_up())).unwrap();
        assert!((1.0 / scale).next_up() <= 0.1 && scale < 10.0 * (1.0 + 1e-14));
        let never = smallest_scale(10.0, epsilon, |_| Ok(f64::NAN));
        assert_eq!(never, Err(MechanismError::Overpriced));
    }
}
