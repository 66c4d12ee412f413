//! A Gaussian of exact scale, rounded to the integers.

use dashu_int::UBig;

use super::karney::{LazyNormal, standard_normal};
use crate::random::SecretRng;

/// The distribution of `⌊s·Z + 1/2⌋` for a standard normal `Z` and the exact number
/// `s = mantissa · 2^exponent`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RoundedGaussian {
    mantissa: u64,
    exponent: i32,
}

impl RoundedGaussian {
    /// Smallest scale: below it the noise would hardly ever differ from 0.
    pub(crate) const MIN_SCALE: f64 = 1.0 / 1024.0;
    /// Largest scale, so that a draw fits a 64-bit integer with a probability that differs from 1
    /// by less than 10^-100 (and saturates beyond, which is post-processing).
    pub(crate) const MAX_SCALE: f64 = 288_230_376_151_711_744.0;

    /// Takes a scale, or `None` where it is not a number in
    /// [`MIN_SCALE`](Self::MIN_SCALE)`..=`[`MAX_SCALE`](Self::MAX_SCALE).
    pub(crate) fn new(scale: f64) -> Option<Self> {
        if !(Self::MIN_SCALE..=Self::MAX_SCALE).contains(&scale) {
            return None;
        }
        // The scale is a normal positive double: 53 bits of mantissa times a power of two.
        let bits = scale.to_bits();
        let mantissa = (bits & ((1 << 52) - 1)) | (1 << 52);
        let exponent = (bits >> 52) as i32 - 1075;
        Some(Self { mantissa, exponent })
    }

    /// Draws one value.
    ///
    /// # Guarantee
    /// The value has exactly the distribution of `⌊s·Z + 1/2⌋`: digits of `Z` are drawn until the
    /// interval that they leave rounds to one integer. Tested against the exact distribution by
    /// the Dvoretzky–Kiefer–Wolfowitz bound, with scales off by 10 % as negative controls.
    #[inline]
    pub(crate) fn draw(&self, rng: &mut SecretRng) -> i64 {
        let mut normal = standard_normal(rng);
        // With one digit, |Z| lies in [v, v + 1]·2^-64 for v = whole·2^64 + digit.
        let shift = 64 - self.exponent;
        if (1..=126).contains(&shift) && normal.whole < 1 << 8 {
            let digit = normal.fraction.digit(0, rng);
            let value = (u128::from(normal.whole) << 64) | u128::from(digit);
            // 53 + 72 bits: no overflow.
            let low = value * u128::from(self.mantissa);
            let high = low + u128::from(self.mantissa);
            if let Some(rounded) = settle(low, high, shift as u32, normal.negative) {
                return rounded;
            }
        }
        self.draw_slowly(&mut normal, rng)
    }

    /// Refines digit by digit with integers of any size.
    #[cold]
    fn draw_slowly(&self, normal: &mut LazyNormal, rng: &mut SecretRng) -> i64 {
        let mut value = UBig::from(normal.whole);
        for index in 0.. {
            value = (value << 64) + UBig::from(normal.fraction.digit(index, rng));
            let shift = 64 * (index as i64 + 1) - i64::from(self.exponent);
            if shift < 1 {
                continue;
            }
            let shift = shift as usize;
            let low = &value * UBig::from(self.mantissa);
            let high = &low + UBig::from(self.mantissa);
            let half = UBig::ONE << (shift - 1);
            // Magnitudes round half up for a positive sign and half down for a negative one; the
            // tie itself has probability 0, so an open interval that touches it is settled only
            // when both ends agree.
            let (first, last) = ((&low + &half) >> shift, (&high + &half) >> shift);
            if first == last {
                return signed(u64::try_from(first).unwrap_or(u64::MAX), normal.negative);
            }
        }
        unreachable!("digits are drawn until the interval rounds to one integer")
    }
}

/// Rounds the magnitude interval `[low, high]·2^-shift`, if both ends round alike.
#[inline]
fn settle(low: u128, high: u128, shift: u32, negative: bool) -> Option<i64> {
    let half = 1u128 << (shift - 1);
    let (first, last) = ((low + half) >> shift, (high + half) >> shift);
    (first == last).then(|| signed(u64::try_from(first).unwrap_or(u64::MAX), negative))
}

#[inline]
fn signed(magnitude: u64, negative: bool) -> i64 {
    let magnitude = i64::try_from(magnitude).unwrap_or(i64::MAX);
    if negative { -magnitude } else { magnitude }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::{Purpose, SecretKey};

    /// Largest distance between the empirical distribution of `draws` and that of a Gaussian of
    /// standard deviation `scale`, rounded.
    fn distance(draws: &mut [i64], scale: f64) -> f64 {
        draws.sort_unstable();
        let n = draws.len() as f64;
        let mut worst = 0.0f64;
        let mut index = 0;
        while index < draws.len() {
            let value = draws[index];
            let below = index as f64 / n;
            while index < draws.len() && draws[index] == value {
                index += 1;
            }
            let upto = index as f64 / n;
            let cdf = |x: f64| 0.5 * libm::erfc(-x / scale / std::f64::consts::SQRT_2);
            worst = worst.max((cdf(value as f64 - 0.5) - below).abs());
            worst = worst.max((cdf(value as f64 + 0.5) - upto).abs());
        }
        worst
    }

    fn draws(scale: f64, count: usize, seed: u64) -> Vec<i64> {
        let noise = RoundedGaussian::new(scale).unwrap();
        let mut rng = SecretKey::fixed(seed).stream(Purpose::GradientNoise, 0, 0);
        (0..count).map(|_| noise.draw(&mut rng)).collect()
    }

    #[test]
    fn draws_follow_the_rounded_gaussian_and_controls_are_rejected() {
        // False-positive rate of each scale: P(distance > t) ≤ 2·exp(-2nt²) (Massart 1990).
        const ALPHA: f64 = 1e-9;
        const COUNT: usize = 300_000;
        let threshold = ((2.0 / ALPHA).ln() / (2.0 * COUNT as f64)).sqrt();
        for (seed, scale) in [0.4, 1.0, 30.5, 1.1e6, 3.3 * 2f64.powi(40), 2f64.powi(57)]
            .into_iter()
            .enumerate()
        {
            let mut sample = draws(scale, COUNT, seed as u64);
            assert!(distance(&mut sample, scale) < threshold, "scale {scale}");
            for wrong in [0.9, 1.1] {
                assert!(
                    distance(&mut sample, scale * wrong) > threshold,
                    "control {scale}"
                );
            }
        }
    }

    #[test]
    fn the_tail_is_neither_cut_nor_fat() {
        const COUNT: usize = 2_000_000;
        let sample = draws(2f64.powi(40), COUNT, 99);
        for limit in [3.0, 4.0, 4.5] {
            let expected = COUNT as f64 * libm::erfc(limit / std::f64::consts::SQRT_2);
            let seen = sample
                .iter()
                .filter(|x| x.unsigned_abs() as f64 > limit * 2f64.powi(40))
                .count() as f64;
            // Chernoff: P(|X - μ| > 6.5√μ + 21) < 1e-9 for a binomial of mean μ.
            assert!(
                (seen - expected).abs() < 6.5 * expected.sqrt() + 21.0,
                "{limit}: {seen} {expected}"
            );
        }
        // Negative control: a tail cut at 3 would have shown nothing beyond it.
        assert!(COUNT as f64 * libm::erfc(3.0 / std::f64::consts::SQRT_2) > 6.5 * 73.5 + 21.0);
    }

    #[test]
    fn the_slow_path_agrees_with_the_fast_one() {
        for seed in 0..200 {
            for scale in [0.001, 0.7, 12.25, 3.3 * 2f64.powi(40)] {
                let noise = RoundedGaussian::new(scale).unwrap();
                let key = SecretKey::fixed(seed);
                let fast = noise.draw(&mut key.stream(Purpose::GradientNoise, 1, 1));
                let mut rng = key.stream(Purpose::GradientNoise, 1, 1);
                let mut normal = standard_normal(&mut rng);
                assert_eq!(fast, noise.draw_slowly(&mut normal, &mut rng));
            }
        }
    }

    #[test]
    fn scales_out_of_range_are_refused() {
        for scale in [0.0, -1.0, f64::NAN, f64::INFINITY, 1e-4, 1e18] {
            assert!(RoundedGaussian::new(scale).is_none());
        }
    }
}
