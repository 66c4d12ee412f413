//! Randomness of what is post-processing.

use chacha20::ChaCha20Rng;
use chacha20::rand_core::{Rng, SeedableRng};

/// Seeded randomness for everything that is post-processing: initial weights, latent draws of a
/// released model, decoding. Its seed is public and printed in the report.
#[derive(Debug)]
pub struct PublicRng(ChaCha20Rng);

impl Clone for PublicRng {
    fn clone(&self) -> Self {
        Self(ChaCha20Rng::deserialize_state(&self.0.serialize_state()))
    }
}

impl PublicRng {
    /// Starts the generator that `seed` names.
    #[must_use]
    pub fn from_seed(seed: u64) -> Self {
        Self(ChaCha20Rng::seed_from_u64(seed))
    }

    /// Moves to the independent stream `stream` of the same seed.
    #[must_use]
    pub fn stream(&self, stream: u64) -> Self {
        let mut rng = ChaCha20Rng::from_seed(self.0.get_seed());
        rng.set_stream(stream);
        Self(rng)
    }

    /// Draws 64 random bits.
    #[inline]
    pub fn next_u64(&mut self) -> u64 {
        self.0.next_u64()
    }

    /// Draws a multiple of 2^-53 in `[0, 1)`.
    #[inline]
    pub fn uniform(&mut self) -> f64 {
        (self.next_u64() >> 11) as f64 / 9_007_199_254_740_992.0
    }

    /// Draws one standard normal value.
    pub fn normal(&mut self) -> f64 {
        let bits = self.next_u64();
        box_muller((bits >> 32) as u32, bits as u32).0
    }
}

/// Turns two 32-bit words into two standard normal draws (Box and Muller 1958).
pub(super) fn box_muller(radius_bits: u32, angle_bits: u32) -> (f64, f64) {
    let uniform = (f64::from(radius_bits) + 0.5) / 4_294_967_296.0;
    let radius = (-2.0 * uniform.ln()).sqrt();
    let (sin, cos) = (f64::from(angle_bits) / 4_294_967_296.0 * std::f64::consts::TAU).sin_cos();
    (radius * cos, radius * sin)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clone_continues_where_the_original_stands() {
        for drawn in 0..70 {
            let mut rng = PublicRng::from_seed(3).stream(9);
            for _ in 0..drawn {
                rng.next_u64();
            }
            let mut clone = rng.clone();
            assert_eq!(
                [rng.next_u64(), rng.next_u64()],
                [clone.next_u64(), clone.next_u64()]
            );
        }
    }
}
