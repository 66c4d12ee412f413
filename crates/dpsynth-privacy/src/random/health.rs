//! Checks before a key is drawn: that the cipher is ChaCha20, and that the source of keys is not
//! stuck. Where one fails there is no key, and hence no charge.

use chacha20::ChaCha20Rng;
use chacha20::rand_core::{Rng, SeedableRng};
use thiserror::Error;
use zeroize::Zeroize;

/// Why there are no secret random bits.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum RandomnessError {
    /// The stream cipher does not give the bits that its standard lists.
    #[error(
        "the stream cipher does not give the bits that RFC 8439 lists; do not use this build or this machine"
    )]
    CipherWrong,
    /// The key was drawn by another process, of which this one is a copy.
    #[error(
        "the permissions were made by another process; open the ledger in the process that runs the release"
    )]
    Forked,
    /// The operating system gives no random bits.
    #[error("the operating system gave no random bytes; check its random device, then try again")]
    Refused(getrandom::Error),
    /// The operating system repeats itself.
    #[error(
        "the operating system gave the same random bytes twice, or only zeros; do not use this machine"
    )]
    Stuck,
}

impl RandomnessError {
    /// The codes of this family.
    pub const CODES: &'static [&'static str] = &["DPS0219", "DPS0321", "DPS0322", "DPS0323"];

    /// The stable code of the diagnostic.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Refused(_) => "DPS0219",
            Self::Stuck => "DPS0321",
            Self::CipherWrong => "DPS0322",
            Self::Forked => "DPS0323",
        }
    }
}

/// Writes a key from `source`, after both checks.
///
/// # Guarantee
/// Where it returns `Ok`, the generator reproduced a block of RFC 8439, and two draws of 32 bytes
/// from `source` differed and were not all zero. Either has probability 2^-256 at a sound source.
/// The checks find what is broken, not what is weak: no test of a few bytes can.
pub(super) fn key_from(
    mut source: impl FnMut(&mut [u8]) -> Result<(), getrandom::Error>,
    key: &mut [u8; 32],
) -> Result<(), RandomnessError> {
    check_cipher(&first_words)?;
    let mut other = [0; 32];
    let drawn = source(&mut other).and_then(|()| source(key));
    let stuck = *key == other || *key == [0; 32] || other == [0; 32];
    other.zeroize();
    match drawn {
        Ok(()) if stuck => {
            key.zeroize();
            Err(RandomnessError::Stuck)
        }
        Ok(()) => Ok(()),
        Err(error) => {
            key.zeroize();
            Err(RandomnessError::Refused(error))
        }
    }
}

/// Compares a generator with the block of RFC 8439, section 2.3.2.
fn check_cipher(
    first_words: &dyn Fn([u8; 32], u64, u64) -> [u32; 16],
) -> Result<(), RandomnessError> {
    let mut key = [0; 32];
    for (index, byte) in key.iter_mut().enumerate() {
        *byte = index as u8;
    }
    // The RFC's state ends in a 32-bit counter of 1 and the nonce 00:00:00:09 00:00:00:4a
    // 00:00:00:00; ours reads the same four words as a 64-bit counter and a 64-bit stream.
    if first_words(key, 0x0900_0000_0000_0001, 0x4a00_0000) == RFC_8439_BLOCK {
        Ok(())
    } else {
        Err(RandomnessError::CipherWrong)
    }
}

/// The block of 16 words that the generator gives for a key, a block counter and a stream.
fn first_words(key: [u8; 32], counter: u64, stream: u64) -> [u32; 16] {
    let mut rng = ChaCha20Rng::from_seed(key);
    rng.set_stream(stream);
    rng.set_word_pos(u128::from(counter) * 16);
    std::array::from_fn(|_| rng.next_u32())
}

/// The state after the ChaCha20 block function, RFC 8439, section 2.3.2.
const RFC_8439_BLOCK: [u32; 16] = [
    0xe4e7_f110,
    0x1559_3bd1,
    0x1fdd_0f50,
    0xc471_20a3,
    0xc7f4_d1c7,
    0x0368_c033,
    0x9aaa_2204,
    0x4e6c_d4c3,
    0x4664_82d2,
    0x09aa_9f07,
    0x05d7_c214,
    0xa202_8bd9,
    0xd19c_12b5,
    0xb94e_16de,
    0xe883_d0cb,
    0x4e3c_50a2,
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_generator_is_chacha20() {
        assert_eq!(check_cipher(&first_words), Ok(()));
    }

    #[test]
    fn another_cipher_or_another_layout_is_refused() {
        // Negative controls: one bit off, and counter and stream exchanged.
        let flipped = |key, counter, stream| {
            let mut words = first_words(key, counter, stream);
            words[15] ^= 1;
            words
        };
        assert_eq!(check_cipher(&flipped), Err(RandomnessError::CipherWrong));
        let exchanged = |key, counter, stream| first_words(key, stream, counter);
        assert_eq!(check_cipher(&exchanged), Err(RandomnessError::CipherWrong));
    }

    #[test]
    fn a_sound_source_gives_its_second_draw() {
        let mut draws = 0u8;
        let counting = |bytes: &mut [u8]| {
            draws += 1;
            bytes.fill(draws);
            Ok(())
        };
        let mut key = [0; 32];
        assert_eq!(key_from(counting, &mut key), Ok(()));
        assert_eq!(key, [2; 32]);
    }

    #[test]
    fn a_stuck_or_refusing_source_gives_no_key() {
        for constant in [0, 7] {
            let mut key = [9; 32];
            let stuck = |bytes: &mut [u8]| {
                bytes.fill(constant);
                Ok(())
            };
            assert_eq!(key_from(stuck, &mut key), Err(RandomnessError::Stuck));
            assert_eq!(key, [0; 32]);
        }
        let mut key = [9; 32];
        let refusing = |_: &mut [u8]| Err(getrandom::Error::UNSUPPORTED);
        let refused = RandomnessError::Refused(getrandom::Error::UNSUPPORTED);
        assert_eq!(key_from(refusing, &mut key), Err(refused));
        assert_eq!(key, [0; 32]);
    }

    #[test]
    fn every_error_has_a_code() {
        for error in [
            RandomnessError::CipherWrong,
            RandomnessError::Forked,
            RandomnessError::Refused(getrandom::Error::UNEXPECTED),
            RandomnessError::Stuck,
        ] {
            assert!(RandomnessError::CODES.contains(&error.code()));
        }
    }
}
