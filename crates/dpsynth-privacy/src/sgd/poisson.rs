//! Who takes part in a step: Poisson sampling in time proportional to the sample.

mod cumulative;

use dashu_int::UBig;

use crate::random::SecretRng;
use cumulative::Cumulative;

/// Draws sets of units in which each unit is with probability exactly `threshold / 2^32`,
/// independently of the others.
///
/// Asking every unit costs a draw for each unit of the table. Here the units are cut into blocks
/// of `L = 2^m`. A block's *number* of members is binomial, and given the number every set of so
/// many members is equally likely; so one draw settles a block, and one more each member.
///
/// # Guarantee
/// The distribution is exact. The number is drawn by inverting the binomial distribution function
/// at a uniform real number whose digits are drawn as they are needed: a digit string decides only
/// where it lies outside proved bounds of that function, and both are refined otherwise.
/// The set is drawn by taking uniform `m`-bit numbers and dropping repetitions. A block that
/// reaches beyond the last unit is drawn as a whole, and what is beyond is dropped. Tested: bounds
/// against exact fractions, the refinement against the quick path, and rates, sizes and pairs
/// against binomial bounds, with wrong rates rejected.
pub(crate) struct PoissonSampler {
    /// Probability of the rarer of being in and being out, times 2^32; at most 2^31.
    rarer: u64,
    rare: Rare,
    /// Base-two logarithm of the units in a block.
    log_units: u32,
    /// For j = 0, 1, …: bounds of 2^64 times the probability of at most j. A draw below the
    /// first is surely below it, one that reaches the second surely is not.
    bounds: Vec<(u64, u64)>,
}

/// What the rarer of the two outcomes is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Rare {
    In,
    Out,
}

impl PoissonSampler {
    /// Prepares draws for a sampling rate of `threshold / 2^32`, at most 1.
    pub(crate) fn new(threshold: u64) -> Self {
        let (rarer, rare) = if threshold <= ONE / 2 {
            (threshold, Rare::In)
        } else {
            (ONE - threshold, Rare::Out)
        };
        // About eight of the rarer kind in a block.
        let log_units = (8 * ONE / rarer.max(1)).ilog2().clamp(3, 16);
        let mut bounds = Vec::new();
        let mut steps = Cumulative::new(rarer, log_units, 256);
        loop {
            let shift = steps.precision - 64;
            let low = u64::try_from(&steps.low >> shift).unwrap_or(u64::MAX);
            let high = u64::try_from((&steps.high >> shift) + UBig::ONE).unwrap_or(u64::MAX);
            bounds.push((low, high));
            if high == u64::MAX || !steps.advance() {
                break;
            }
        }
        Self {
            rarer,
            rare,
            log_units,
            bounds,
        }
    }

    /// Draws the members among units `0..units`, ascending.
    pub(crate) fn draw(&self, units: usize, rng: &mut SecretRng) -> Vec<u32> {
        let size = 1usize << self.log_units;
        let mut members = Vec::new();
        let mut rare = Vec::new();
        for start in (0..units).step_by(size) {
            rare.clear();
            let count = self.count(rng);
            while rare.len() < count {
                // OK because a block has 2^3 to 2^16 units.
                let place = (rng.next_u32() >> (32 - self.log_units)) as usize;
                if !rare.contains(&place) {
                    rare.push(place);
                }
            }
            rare.sort_unstable();
            // OK because records hold fewer than 2^32 units.
            let inside = |place: usize| (start + place < units).then_some((start + place) as u32);
            match self.rare {
                Rare::In => members.extend(rare.iter().filter_map(|&place| inside(place))),
                Rare::Out => members.extend(
                    (0..size)
                        .filter(|place| rare.binary_search(place).is_err())
                        .filter_map(inside),
                ),
            }
        }
        members
    }

    /// Draws the number of the rarer kind in one block.
    fn count(&self, rng: &mut SecretRng) -> usize {
        if self.rarer == 0 {
            return 0;
        }
        let word = rng.next_u64();
        let below = self.bounds.iter().position(|&(low, _)| word < low);
        match below {
            Some(count) if count == 0 || word >= self.bounds[count - 1].1 => count,
            _ => self.count_slowly(word, rng),
        }
    }

    /// Draws the number given the first 64 digits of the uniform number, with as many more digits
    /// and as sharp bounds as it takes.
    #[cold]
    fn count_slowly(&self, word: u64, rng: &mut SecretRng) -> usize {
        let (mut digits, mut bits) = (UBig::from(word), 64);
        let mut precision = 256;
        'sharper: loop {
            let mut steps = Cumulative::new(self.rarer, self.log_units, precision);
            loop {
                // The uniform number lies in [digits, digits + 1] · 2^-bits.
                let shift = precision - bits;
                if (&digits + UBig::ONE) << shift <= steps.low {
                    return steps.count;
                }
                if &digits << shift >= steps.high {
                    if !steps.advance() {
                        // The function is 1 at the last count, whatever its bounds say.
                        return steps.count;
                    }
                    continue;
                }
                digits = (digits << 64) + UBig::from(rng.next_u64());
                bits += 64;
                if bits + 64 > precision {
                    precision *= 2;
                    continue 'sharper;
                }
            }
        }
    }
}

/// One, in units of the sampling rate.
const ONE: u64 = 1 << 32;

#[cfg(test)]
mod tests;
