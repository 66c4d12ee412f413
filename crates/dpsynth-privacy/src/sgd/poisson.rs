//! Who takes part in a step: Poisson sampling in time proportional to the sample.

use dashu_int::UBig;

use crate::random::SecretRng;

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

/// Walks up a binomial distribution function, in fixed point with directed rounding.
struct Cumulative {
    rarer: u64,
    units: usize,
    precision: usize,
    /// The number up to which probabilities are added up.
    count: usize,
    /// Bounds of 2^precision times the probability of exactly `count`.
    mass: (UBig, UBig),
    /// Bounds of 2^precision times the probability of at most `count`.
    low: UBig,
    high: UBig,
}

impl Cumulative {
    fn new(rarer: u64, log_units: u32, precision: usize) -> Self {
        // (1 − k/2^32)^L by repeated squaring, rounded down and up.
        let start = UBig::from(ONE - rarer) << (precision - 32);
        let mut mass = (start.clone(), start);
        for _ in 0..log_units {
            mass.0 = (&mass.0 * &mass.0) >> precision;
            mass.1 = ((&mass.1 * &mass.1) >> precision) + UBig::ONE;
        }
        Self {
            rarer,
            units: 1 << log_units,
            precision,
            count: 0,
            low: mass.0.clone(),
            high: mass.1.clone(),
            mass,
        }
    }

    /// Moves to the next count; `false` if there is none.
    fn advance(&mut self) -> bool {
        if self.count == self.units {
            return false;
        }
        // P(j + 1) = P(j) · (L − j) · k / ((j + 1) · (2^32 − k)).
        let up = UBig::from(self.units - self.count) * UBig::from(self.rarer);
        self.count += 1;
        let down = UBig::from(self.count) * UBig::from(ONE - self.rarer);
        self.mass.0 = &self.mass.0 * &up / &down;
        self.mass.1 = &self.mass.1 * &up / &down + UBig::ONE;
        self.low += &self.mass.0;
        self.high += &self.mass.1;
        true
    }
}

/// One, in units of the sampling rate.
const ONE: u64 = 1 << 32;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::{Purpose, SecretKey};

    const RATES: [u64; 7] = [
        1,
        880_000,
        270_000_000,
        ONE / 2,
        ONE / 2 + 1,
        ONE - 1,
        ONE / 10,
    ];

    fn stream(step: u32) -> SecretRng {
        SecretKey::fixed(5).stream(Purpose::PoissonSampling, step, 0)
    }

    #[test]
    fn the_bounds_enclose_exact_fractions_closely() {
        for rate in RATES {
            let log_units = 4;
            let rarer = rate.min(ONE - rate);
            let mut steps = Cumulative::new(rarer, log_units, 256);
            // Exact: Σ C(16, i) k^i (2^32 − k)^(16 − i) over 2^512.
            let mut exact = UBig::ZERO;
            let mut choose = UBig::ONE;
            for j in 0..=16usize {
                exact += &choose * UBig::from(rarer).pow(j) * UBig::from(ONE - rarer).pow(16 - j);
                choose = choose * UBig::from(16 - j) / UBig::from(j + 1);
                assert!(&steps.low << 256 <= exact && exact <= &steps.high << 256);
                assert!(&steps.high - &steps.low < UBig::ONE << 60);
                assert_eq!(steps.advance(), j < 16);
            }
            assert_eq!(exact, UBig::ONE << 512);
        }
    }

    #[test]
    fn the_slow_path_agrees_with_the_quick_one() {
        for rate in RATES {
            let sampler = PoissonSampler::new(rate);
            let mut rng = stream(1);
            for step in 0..300 {
                let word = stream(step).next_u64();
                assert_eq!(
                    sampler.count_slowly(word, &mut rng),
                    sampler.count(&mut stream(step))
                );
            }
            // At the bounds themselves, where only further digits decide.
            for &(low, high) in &sampler.bounds {
                for word in
                    low.saturating_sub(1)..=high.saturating_add(1).min(low.saturating_add(9))
                {
                    let count = sampler.count_slowly(word, &mut rng);
                    assert!(count <= 1 << sampler.log_units);
                }
            }
        }
    }

    #[test]
    fn a_word_at_a_bound_falls_on_the_right_side() {
        // For rate 1/2 and 16 units nobody takes part with probability 2^-16 exactly.
        let sampler = PoissonSampler::new(ONE / 2);
        assert_eq!(sampler.log_units, 4);
        let mut rng = stream(9);
        assert_eq!(sampler.count_slowly((1 << 48) - 1, &mut rng), 0);
        assert_eq!(sampler.count_slowly(1 << 48, &mut rng), 1);
    }

    /// Sizes, single units and neighbouring pairs over many draws.
    fn moments(rate: u64, units: usize, draws: u32) -> (f64, f64, f64) {
        let sampler = PoissonSampler::new(rate);
        let (mut total, mut squares, mut pairs) = (0.0, 0.0, 0.0);
        for step in 0..draws {
            let members = sampler.draw(units, &mut stream(step));
            assert!(members.is_sorted_by(|a, b| a < b));
            assert!(members.iter().all(|&unit| (unit as usize) < units));
            let deviation = members.len() as f64 - units as f64 * rate as f64 / ONE as f64;
            total += deviation;
            squares += deviation * deviation;
            pairs += members.windows(2).filter(|w| w[1] == w[0] + 1).count() as f64;
        }
        let count = f64::from(draws);
        (total / count, squares / count, pairs / count)
    }

    #[test]
    fn sizes_and_pairs_are_those_of_independent_units() {
        const DRAWS: u32 = 4000;
        for (rate, units) in [(ONE / 10, 1000), (ONE / 3 * 2, 777), (ONE / 200, 5003)] {
            let q = rate as f64 / ONE as f64;
            let n = units as f64;
            let variance = n * q * (1.0 - q);
            let (mean, spread, pairs) = moments(rate, units, DRAWS);
            // Six standard errors: a correct sampler fails with probability below 1e-8.
            let error = 6.0 / f64::from(DRAWS).sqrt();
            assert!(mean.abs() < error * variance.sqrt(), "{mean}");
            assert!((spread / variance - 1.0).abs() < error * 1.5, "{spread}");
            let expected = (n - 1.0) * q * q;
            let pair_variance = n * q * q * (1.0 + 2.0 * q - 3.0 * q * q);
            assert!(
                (pairs - expected).abs() < error * pair_variance.sqrt(),
                "{pairs}"
            );
            // Negative control: a rate that is off by 2 % shows in the mean.
            let (wrong, _, _) = moments(rate - rate / 50, units, DRAWS);
            let shifted = wrong - n * (rate / 50) as f64 / ONE as f64;
            assert!(shifted.abs() > error * variance.sqrt(), "{shifted}");
        }
    }

    #[test]
    fn every_unit_is_as_likely_as_the_next() {
        let sampler = PoissonSampler::new(ONE / 20);
        let mut seen = vec![0u32; 300];
        for step in 0..20_000 {
            for unit in sampler.draw(300, &mut stream(step)) {
                seen[unit as usize] += 1;
            }
        }
        // 1,000 expected with a standard deviation of 31; seven of them for 300 units.
        assert!(
            seen.iter().all(|&count| count.abs_diff(1000) < 216),
            "{seen:?}"
        );
    }

    #[test]
    fn certain_and_impossible_are_exact() {
        let all: Vec<u32> = (0..100).collect();
        assert_eq!(PoissonSampler::new(ONE).draw(100, &mut stream(0)), all);
        assert!(PoissonSampler::new(ONE).draw(0, &mut stream(0)).is_empty());
        assert!(PoissonSampler::new(1).draw(1000, &mut stream(0)).is_empty());
    }
}
