//! The generator of secret bits.

use crate::outcome::{Check, Watch};
use crate::privacy::check_randomness;

/// Checks that the generator gives the bits of RFC 8439 and that the operating system's source of
/// keys is not stuck, as every charge does.
#[must_use]
pub fn generator_health() -> Check {
    let watch = Watch::start();
    let failed = f64::from(u8::from(check_randomness().is_err()));
    Check::compare(
        "generator: a block of RFC 8439, and two keys of the operating system",
        (failed, 0.0),
        // Two equal keys of 256 bits.
        0.0,
        "another cipher, and a source that repeats itself, are found for certain; a weak source is not",
        &watch,
    )
}
