//! Secret randomness: one key for each charge, and one stream for each purpose, step and block.

use std::fmt;
use std::process;

use chacha20::ChaCha20Rng;
use chacha20::rand_core::{Rng, SeedableRng};
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use super::health::{self, RandomnessError};

/// Root key of a charge: 256 bits from the operating system, from which every secret stream of
/// that charge is derived.
///
/// It cannot be cloned, printed or serialised, and its key is wiped when it is dropped. A charge is
/// never given a second key, so there is no reseeding: a stream of one step draws far less than the
/// 2^70 bytes that ChaCha20 yields, and what is drawn twice from one stream would be a defect that
/// a second key would only hide.
///
/// # Guarantee
/// A key is used by the process that drew it. After a fork, parent and child would hold the same
/// key and could add the same noise to two results; [`check_process`](Self::check_process) refuses
/// the child. A machine that is copied as a whole, with its process identifiers, is not noticed.
pub(crate) struct SecretKey {
    key: [u8; 32],
    process: u32,
}

impl SecretKey {
    /// Draws a key from the operating system, after the checks of [`health`].
    pub(crate) fn from_os() -> Result<Self, RandomnessError> {
        let mut drawn = Self::known([0; 32]);
        health::key_from(getrandom::fill, &mut drawn.key)?;
        Ok(drawn)
    }

    /// Derives the key of part `part`, which works in the same process only.
    pub(crate) fn derive(&self, part: u32) -> Self {
        let mut derived = Self {
            key: [0; 32],
            process: self.process,
        };
        let mut stream = self.stream(Purpose::Derivation, part, 0);
        for word in derived.key.chunks_exact_mut(8) {
            word.copy_from_slice(&stream.next_u64().to_le_bytes());
        }
        derived
    }

    /// Makes a key from a known seed. Whatever is drawn from it protects nobody.
    pub(crate) fn fixed(seed: u64) -> Self {
        let mut key = [0u8; 32];
        key[..8].copy_from_slice(&seed.to_le_bytes());
        key[8] = 1;
        Self::known(key)
    }

    fn known(key: [u8; 32]) -> Self {
        Self {
            key,
            process: process::id(),
        }
    }

    /// Refuses a key that another process drew.
    pub(crate) fn check_process(&self) -> Result<(), RandomnessError> {
        if self.process == process::id() {
            Ok(())
        } else {
            Err(RandomnessError::Forked)
        }
    }

    /// Opens the stream of one purpose, step and block.
    ///
    /// Streams are independent as far as ChaCha20 is a pseudorandom function: the 64-bit stream
    /// number names the purpose (8 bits), the step (32 bits) and the block (24 bits), so the bits
    /// that a step uses do not depend on the number of threads.
    ///
    /// # Panics
    /// If `block` needs more than 24 bits, or another process drew the key; mechanisms check the
    /// process first and return an error.
    pub(crate) fn stream(&self, purpose: Purpose, step: u32, block: u32) -> SecretRng {
        assert!(block < 1 << 24, "a stream block needs 24 bits");
        assert!(self.check_process().is_ok(), "the key is another process's");
        let mut rng = ChaCha20Rng::from_seed(self.key);
        rng.set_stream(((purpose as u64) << 56) | (u64::from(step) << 24) | u64::from(block));
        SecretRng(rng)
    }

    fn wipe(&mut self) {
        self.key.zeroize();
    }
}

impl Drop for SecretKey {
    fn drop(&mut self) {
        self.wipe();
    }
}

impl ZeroizeOnDrop for SecretKey {}

impl fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretKey(..)")
    }
}

/// Draws 32 bytes from the operating system for a key that is kept, after the checks of [`health`].
pub(crate) fn fresh_key() -> Result<Zeroizing<[u8; 32]>, RandomnessError> {
    let mut key = Zeroizing::new([0; 32]);
    health::key_from(getrandom::fill, &mut key)?;
    Ok(key)
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
    /// Which rows of a unit are kept where it has too many.
    RowChoice = 6,
}

/// One secret stream of random bits. It cannot be cloned, and its state is wiped when it is
/// dropped.
pub(crate) struct SecretRng(ChaCha20Rng);

impl SecretRng {
    /// Fills `bytes` with those that follow.
    pub(super) fn fill_bytes(&mut self, bytes: &mut [u8]) {
        self.0.fill_bytes(bytes);
    }

    /// Fills `words` with those that follow: the same as so many calls of
    /// [`next_u32`](Self::next_u32), and faster.
    pub(crate) fn fill_words(&mut self, words: &mut [u32]) {
        let mut bytes = [0; 1024];
        for words in words.chunks_mut(bytes.len() / 4) {
            self.fill_bytes(&mut bytes[..4 * words.len()]);
            for (word, bytes) in words.iter_mut().zip(bytes.as_chunks::<4>().0) {
                *word = u32::from_le_bytes(*bytes);
            }
        }
        bytes.zeroize();
    }

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

    /// Draws a number from 0 to before `bound`, each equally likely; 0 where `bound` is 0.
    pub(crate) fn below(&mut self, bound: u32) -> u32 {
        // Words beyond the last whole multiple of the bound would favour small numbers.
        let whole = (1u64 << 32) - (1u64 << 32) % u64::from(bound.max(1));
        loop {
            let word = u64::from(self.next_u32());
            if word < whole {
                // OK because a remainder is below the bound.
                return (word % u64::from(bound.max(1))) as u32;
            }
        }
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
            Purpose::RowChoice,
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
        assert_ne!(first.key, second.key);
    }

    #[test]
    fn filled_words_are_those_of_the_stream() {
        let open = || SecretKey::fixed(4).stream(Purpose::LatentDraws, 1, 2);
        let (mut rng, mut filling) = (open(), open());
        for count in [0, 1, 255, 256, 257, 1000] {
            let mut words = vec![0; count];
            filling.fill_words(&mut words);
            assert!(words.into_iter().all(|word| word == rng.next_u32()));
        }
    }

    #[test]
    fn derived_keys_differ_from_their_root_and_each_other() {
        let root = SecretKey::fixed(1);
        let keys = [root.key, root.derive(0).key, root.derive(1).key];
        assert!(keys[0] != keys[1] && keys[1] != keys[2] && keys[0] != keys[2]);
        assert_eq!(root.derive(1).key, SecretKey::fixed(1).derive(1).key);
    }

    #[test]
    fn a_key_prints_nothing() {
        assert_eq!(format!("{:?}", SecretKey::fixed(3)), "SecretKey(..)");
    }

    #[test]
    fn a_dropped_key_is_wiped() {
        let mut key = SecretKey::fixed(u64::MAX);
        assert_ne!(key.key, [0; 32]);
        // What `drop` does; looking at memory after a drop is not possible in safe code.
        key.wipe();
        assert_eq!(key.key, [0; 32]);
        // Does not compile unless the generator's state and buffer are wiped as well.
        fn wiped<T: ZeroizeOnDrop>() {}
        wiped::<SecretKey>();
        wiped::<ChaCha20Rng>();
    }

    /// Which of the two impls `copies` means is ambiguous, and an error, if `T` is `Clone`.
    trait NotClone<A> {
        fn copies() {}
    }
    impl<T> NotClone<()> for T {}
    impl<T: Clone> NotClone<u8> for T {}

    #[test]
    fn keys_and_streams_cannot_be_cloned() {
        <SecretKey as NotClone<_>>::copies();
        <SecretRng as NotClone<_>>::copies();
    }

    /// A key as a child process would find it in its copy of the memory.
    fn inherited() -> SecretKey {
        let mut key = SecretKey::fixed(5);
        key.process = process::id().wrapping_add(1);
        key
    }

    #[test]
    fn the_key_of_another_process_is_refused() {
        assert_eq!(SecretKey::fixed(5).check_process(), Ok(()));
        assert_eq!(inherited().check_process(), Err(RandomnessError::Forked));
    }

    #[test]
    #[should_panic(expected = "another process")]
    fn the_key_of_another_process_opens_no_stream() {
        inherited().stream(Purpose::GradientNoise, 0, 0);
    }
}
