//! Permissions that nothing was paid for. Nothing that comes out of them is private.
//!
//! They exist to measure what privacy costs and to test with known seeds. Whatever they produce
//! carries a [`Taint`], which a report must show. The module is named so that a review can search
//! for it.

use crate::boundary::{Private, Released};
use crate::mechanism::Mechanism;
use crate::paid::{MechanismError, Paid, Taint};
use crate::records::Records;
use crate::sgd::{LayerwiseModel, Step, StepTimes};
use crate::unit::PrivacyUnit;

/// Makes permissions to run `mechanisms` without a charge, noise and sampling drawn from `seed`.
///
/// # Guarantee
/// None: the result is not differentially private, and [`Paid::taint`] says so.
#[must_use]
pub fn paid(unit: PrivacyUnit, mechanisms: Vec<Mechanism>, taint: Taint, seed: u64) -> Paid {
    Paid::tainted(unit, mechanisms, taint, seed)
}

/// Runs a step as [`Step::run`] does, and says how long its parts took.
///
/// # Guarantee
/// The times are `None` for a step that was paid for: they depend on the sample.
///
/// # Errors
/// Those of [`Step::run`].
pub fn run_timed<M: LayerwiseModel>(
    step: Step<'_>,
    data: &Private<Records>,
    shape: &M::Shape,
    weights: &[f32],
) -> Result<(Released<Vec<f32>>, Option<StepTimes>), MechanismError> {
    step.run_timed::<M>(data, shape, weights)
}
