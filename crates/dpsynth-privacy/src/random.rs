//! The two kinds of randomness: secret draws that protect people, and public ones that do not.

use std::fmt;

use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use zeroize::Zeroize;

/// Root key of a charge: 256 bits from the operating system, from which every secret stream of
/// that charge is derived.
///
/// It cannot be cloned, printed or serialised, and its key is wiped when it is dropped.
pub(crate) struct SecretKey([u8; 32]);

impl SecretKey {
    /// Draws a key from the operating system.
    pub(crate) fn from_os() -> Result<Self, getrandom::Error> {
        let mut key = [0u8; 32];
        getrandom::fill(&mut key)?;
        // An all-zero key has probability 2^-256: seeing one means that the source is broken.
        if key == [0u8; 32] {
            return Err(getrandom::Error::UNEXPECTED);
        }
        Ok(Self(key))
    }

    /// Takes a key that was derived from another.
    pub(crate) fn derived(key: [u8; 32]) -> Self {
        Self(key)
    }

    /// Makes a key from a known seed. Whatever is drawn from it protects nobody.
    pub(crate) fn fixed(seed: u64) -> Self {
        let mut key = [0u8; 32];
        key[..8].copy_from_slice(&seed.to_le_bytes());
        key[8] = 1;
        Self(key)
    }

    /// Opens the stream of one purpose, step and block.
    ///
    /// Streams are independent as far as ChaCha20 is a pseudorandom function: the 64-bit stream
    /// number names the purpose (8 bits), the step (32 bits) and the block (24 bits), so the bits
    /// that a step uses do not depend on the number of threads.
    ///
    /// # Panics
    /// If `block` needs more than 24 bits.
    pub(crate) fn stream(&self, purpose: Purpose, step: u32, block: u32) -> SecretRng {
        assert!(block < 1 << 24, "a stream block needs 24 bits");
        let mut rng = ChaCha20Rng::from_seed(self.0);
        rng.set_stream(((purpose as u64) << 56) | (u64::from(step) << 24) | u64::from(block));
        SecretRng(rng)
    }
}

impl Drop for SecretKey {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretKey(..)")
    }
}

/// What a secret stream is for. Two purposes never share a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Purpose {
    /// Noise on counts.
    CountNoise = 1,
    /// Which units a DP-SGD step draws.
    PoissonSampling = 2,
    /// Noise on a clipped gradient sum.
    GradientNoise = 3,
    /// Standard normal draws that the model's own loss asks for.
    LatentDraws = 4,
    /// Keys of single authorisations.
    Derivation = 5,
}

/// One secret stream of random bits.
pub(crate) struct SecretRng(ChaCha20Rng);

impl SecretRng {
    /// Draws 64 random bits.
    #[inline]
    pub(crate) fn next_u64(&mut self) -> u64 {
        self.0.next_u64()
    }

    /// Draws 32 random bits.
    #[inline]
    pub(crate) fn next_u32(&mut self) -> u32 {
        self.0.next_u32()
    }
}

/// Turns two 32-bit words into two standard normal draws (Box and Muller 1958).
fn box_muller(radius_bits: u32, angle_bits: u32) -> (f64, f64) {
    let uniform = (f64::from(radius_bits) + 0.5) / 4_294_967_296.0;
    let radius = (-2.0 * uniform.ln()).sqrt();
    let (sin, cos) = (f64::from(angle_bits) / 4_294_967_296.0 * std::f64::consts::TAU).sin_cos();
    (radius * cos, radius * sin)
}

/// Seeded randomness for everything that is post-processing: initial weights, latent draws of a
/// released model, decoding. Its seed is public and printed in the report.
#[derive(Clone, Debug)]
pub struct PublicRng(ChaCha20Rng);

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn streams_differ_by_every_part_of_their_name() {
        let key = SecretKey::fixed(7);
        let mut seen = std::collections::BTreeSet::new();
        for purpose in [
            Purpose::CountNoise,
            Purpose::PoissonSampling,
            Purpose::GradientNoise,
            Purpose::LatentDraws,
        ] {
            for step in 0..20 {
                for block in 0..20 {
                    assert!(seen.insert(key.stream(purpose, step, block).next_u64()));
                }
            }
        }
    }

    #[test]
    fn a_stream_is_reproducible_and_keys_differ() {
        let draw = |seed| {
            SecretKey::fixed(seed)
                .stream(Purpose::CountNoise, 1, 2)
                .next_u64()
        };
        assert_eq!(draw(1), draw(1));
        assert_ne!(draw(1), draw(2));
        let (first, second) = (SecretKey::from_os().unwrap(), SecretKey::from_os().unwrap());
        assert_ne!(first.0, second.0);
    }

    #[test]
    fn a_key_prints_nothing() {
        assert_eq!(format!("{:?}", SecretKey::fixed(3)), "SecretKey(..)");
    }
}
