//! Permissions that nothing was paid for. Nothing that comes out of them is private.
//!
//! They exist to measure what privacy costs and to test with known seeds. Whatever they produce
//! carries a [`Taint`], which a report must show. The module is named so that a review can search
//! for it.

use crate::boundary::{Private, Released};
use crate::mechanism::Mechanism;
use crate::noise::RoundedGaussian;
use crate::paid::{MechanismError, Paid, Taint};
use crate::random::{Purpose, SecretKey};
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

/// Which sampler draws noise that protects nobody.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sampler {
    /// Karney's algorithm: the oracle.
    Karney,
    /// Rejection from strips: what the mechanisms use.
    Strips,
}

/// Fills `out` with Gaussian noise of standard deviation `scale`, rounded to the integers, from
/// `seed`: for benchmarks and tests. Returns `None` where the mechanisms do not accept `scale`.
///
/// # Guarantee
/// None: anyone who knows the seed can subtract the noise.
#[must_use]
pub fn fill_noise(sampler: Sampler, scale: f64, seed: u64, out: &mut [i64]) -> Option<()> {
    let noise = RoundedGaussian::new(scale)?;
    let mut rng = SecretKey::fixed(seed).stream(Purpose::GradientNoise, 0, 0);
    match sampler {
        Sampler::Karney => out.fill_with(|| noise.draw_by_karney(&mut rng)),
        Sampler::Strips => noise.fill(out, &mut rng),
    }
    Some(())
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
