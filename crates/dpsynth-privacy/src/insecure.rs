//! Permissions that nothing was paid for. Nothing that comes out of them is private.
//!
//! They exist to measure what privacy costs and to test with known seeds. Whatever they produce
//! carries a [`Taint`], which a report must show. The module is named so that a review can search
//! for it.

use crate::mechanism::Mechanism;
use crate::paid::{Paid, Taint};
use crate::unit::PrivacyUnit;

/// Makes permissions to run `mechanisms` without a charge, noise and sampling drawn from `seed`.
///
/// # Guarantee
/// None: the result is not differentially private, and [`Paid::taint`] says so.
#[must_use]
pub fn paid(unit: PrivacyUnit, mechanisms: Vec<Mechanism>, taint: Taint, seed: u64) -> Paid {
    Paid::tainted(unit, mechanisms, taint, seed)
}
