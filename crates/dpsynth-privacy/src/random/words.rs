//! Random words of a secret stream, one by one or fetched many at a time.

use zeroize::Zeroize;

use super::secret::SecretRng;

/// Where the samplers take their random words from.
pub(crate) trait Words {
    /// Draws 64 random bits.
    fn next_u64(&mut self) -> u64;
}

impl Words for SecretRng {
    #[inline]
    fn next_u64(&mut self) -> u64 {
        SecretRng::next_u64(self)
    }
}

/// The words of a stream in their order, fetched many at a time. What is left is wiped, and lost
/// to the stream, when this is dropped.
pub(crate) struct FetchedWords<'a> {
    rng: &'a mut SecretRng,
    /// Room for what is left of one fetch, and the next.
    bytes: [u8; LEFT + FETCHED],
    next: usize,
}

impl<'a> FetchedWords<'a> {
    pub(crate) fn new(rng: &'a mut SecretRng) -> Self {
        Self {
            rng,
            bytes: [0; LEFT + FETCHED],
            next: LEFT + FETCHED,
        }
    }

    /// The next eight words, which are not taken yet.
    #[inline(always)]
    pub(crate) fn coming(&mut self) -> [u64; 8] {
        if self.next + LEFT > LEFT + FETCHED {
            self.fetch();
        }
        let mut words = [0; 8];
        let bytes = &self.bytes[self.next..self.next + LEFT];
        for (word, bytes) in words.iter_mut().zip(bytes.as_chunks::<8>().0) {
            *word = u64::from_le_bytes(*bytes);
        }
        words
    }

    /// Takes so many of the words that are [`coming`](Self::coming).
    #[inline(always)]
    pub(crate) fn take(&mut self, words: usize) {
        self.next += 8 * words;
    }

    /// Fetches words behind those that are left, fewer than eight.
    #[cold]
    #[inline(never)]
    fn fetch(&mut self) {
        let left = LEFT + FETCHED - self.next;
        self.bytes.copy_within(self.next.., LEFT - left);
        self.rng.fill_bytes(&mut self.bytes[LEFT..]);
        self.next = LEFT - left;
    }
}

impl Words for FetchedWords<'_> {
    #[inline(always)]
    fn next_u64(&mut self) -> u64 {
        let word = self.coming()[0];
        self.take(1);
        word
    }
}

impl Drop for FetchedWords<'_> {
    fn drop(&mut self) {
        self.bytes.zeroize();
    }
}

/// Bytes of eight words.
const LEFT: usize = 64;
/// Bytes that are fetched together: a whole number of words, and of the generator's blocks.
const FETCHED: usize = 1024;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::{Purpose, SecretKey};

    #[test]
    fn fetched_words_are_those_of_the_stream() {
        let open = || SecretKey::fixed(9).stream(Purpose::GradientNoise, 1, 2);
        let (mut rng, mut fetching) = (open(), open());
        let mut fetched = FetchedWords::new(&mut fetching);
        // Another number each time, so that the end of a fetch falls everywhere.
        for round in 0..2000 {
            let coming = fetched.coming();
            for word in &coming[..round % 9] {
                assert_eq!(*word, rng.next_u64());
            }
            fetched.take(round % 9);
            if round % 7 == 0 {
                assert_eq!(fetched.next_u64(), rng.next_u64());
            }
        }
    }
}
