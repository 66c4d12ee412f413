//! Random words of a secret stream, one by one or fetched many at a time.

use zeroize::Zeroize;

use super::secret::SecretRng;

/// Where the samplers take their random words from.
pub(crate) trait Words {
    /// Draws 64 random bits.
    fn next_u64(&mut self) -> u64;

    /// Draws 32 random bits.
    fn next_u32(&mut self) -> u32;

    /// Draws 64 random bits and then 32.
    #[inline(always)]
    fn next_u64_and_u32(&mut self) -> (u64, u32) {
        (self.next_u64(), self.next_u32())
    }
}

impl Words for SecretRng {
    #[inline]
    fn next_u64(&mut self) -> u64 {
        SecretRng::next_u64(self)
    }

    #[inline]
    fn next_u32(&mut self) -> u32 {
        SecretRng::next_u32(self)
    }
}

/// The words of a stream in their order, fetched many at a time. What is left is wiped, and lost
/// to the stream, when this is dropped.
pub(crate) struct FetchedWords<'a> {
    rng: &'a mut SecretRng,
    bytes: [u8; FETCHED],
    next: usize,
}

impl<'a> FetchedWords<'a> {
    pub(crate) fn new(rng: &'a mut SecretRng) -> Self {
        Self {
            rng,
            bytes: [0; FETCHED],
            next: FETCHED,
        }
    }

    #[cold]
    #[inline(never)]
    fn fetch(&mut self) {
        self.rng.fill_bytes(&mut self.bytes);
        self.next = 0;
    }
}

impl Words for FetchedWords<'_> {
    #[inline(always)]
    fn next_u64_and_u32(&mut self) -> (u64, u32) {
        if self.next + 12 > FETCHED {
            return (self.next_u64(), self.next_u32());
        }
        let bytes = &self.bytes[self.next..self.next + 12];
        self.next += 12;
        (le_u64(&bytes[..8]), le_u32(&bytes[8..]))
    }

    fn next_u64(&mut self) -> u64 {
        let low = u64::from(self.next_u32());
        low | u64::from(self.next_u32()) << 32
    }

    fn next_u32(&mut self) -> u32 {
        if self.next == FETCHED {
            self.fetch();
        }
        self.next += 4;
        le_u32(&self.bytes[self.next - 4..self.next])
    }
}

impl Drop for FetchedWords<'_> {
    fn drop(&mut self) {
        self.bytes.zeroize();
    }
}

#[inline(always)]
fn le_u32(bytes: &[u8]) -> u32 {
    u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]])
}

#[inline(always)]
fn le_u64(bytes: &[u8]) -> u64 {
    u64::from(le_u32(bytes)) | u64::from(le_u32(&bytes[4..])) << 32
}

/// Bytes that are fetched together: a whole number of words, and of the generator's blocks.
const FETCHED: usize = 768;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::{Purpose, SecretKey};

    #[test]
    fn fetched_words_are_those_of_the_stream() {
        let open = || SecretKey::fixed(9).stream(Purpose::GradientNoise, 1, 2);
        let (mut rng, mut fetching) = (open(), open());
        let mut fetched = FetchedWords::new(&mut fetching);
        // An odd number of single words now and then, so that the end of a fetch falls everywhere.
        for round in 0..2000 {
            if round % 5 == 0 {
                assert_eq!(fetched.next_u32(), rng.next_u32());
            }
            let words = fetched.next_u64_and_u32();
            assert_eq!(words, (rng.next_u64(), rng.next_u32()));
            if round % 7 == 0 {
                assert_eq!(fetched.next_u64(), rng.next_u64());
            }
        }
    }
}
