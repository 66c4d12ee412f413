//! Seeded draws that decide which rows are looked at; nothing here protects anyone.

/// SplitMix64 (Steele, Lea and Flood 2014).
pub(crate) struct Draws(u64);

impl Draws {
    /// Starts at a seed.
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A whole number below `end`; the bias is below 2^-32 for what is counted here.
    fn below(&mut self, end: usize) -> usize {
        ((u128::from(self.next()) * end as u128) >> 64) as usize
    }

    /// A number in [-1, 1).
    pub(crate) fn signed(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1u64 << 52) as f64 - 1.0
    }

    /// The whole numbers below `end` in random order.
    pub(crate) fn order(&mut self, end: usize) -> Vec<usize> {
        let mut order: Vec<usize> = (0..end).collect();
        for place in (1..end).rev() {
            order.swap(place, self.below(place + 1));
        }
        order
    }

    /// At most `most` of the whole numbers below `end`, in rising order.
    pub(crate) fn some(&mut self, end: usize, most: usize) -> Vec<usize> {
        let mut chosen = self.order(end);
        chosen.truncate(most);
        chosen.sort_unstable();
        chosen
    }
}
