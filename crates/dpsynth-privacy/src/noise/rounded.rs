//! A Gaussian of exact scale, rounded to the integers.

use dashu_int::UBig;

use super::karney::{LazyNormal, standard_normal};
use super::lazy::LazyPlace;
use super::strips::{Draw, LANES, Lanes, PLACE_DIGITS, Place, Strips};
use crate::kernel::widest;
use crate::random::{FetchedWords, SecretRng, Words};

/// The distribution of `⌊s·Z + 1/2⌋` for a standard normal `Z` and the exact number
/// `s = mantissa · 2^exponent`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RoundedGaussian {
    scale: f64,
    mantissa: u64,
    exponent: i32,
}

impl RoundedGaussian {
    /// Smallest scale: below it the noise would hardly ever differ from 0.
    pub(crate) const MIN_SCALE: f64 = 1.0 / 1024.0;
    /// Largest scale, so that a draw fits a 64-bit integer with a probability that differs from 1
    /// by less than 10^-100; beyond, it is reduced modulo 2^64, as the sums are.
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
        Some(Self {
            scale,
            mantissa,
            exponent,
        })
    }

    /// Draws one value.
    ///
    /// # Guarantee
    /// The value has exactly the distribution of `⌊s·Z + 1/2⌋`: [`Strips`] draws `|Z|` exactly, and
    /// digits of it until the interval that they leave rounds to one integer. Tested against the
    /// exact distribution by Kolmogorov–Smirnov and χ² tests that reject scales off by 10 %, a cut
    /// tail and double-precision noise; against Karney's algorithm; and with the rare branches
    /// made frequent.
    #[inline]
    pub(crate) fn draw(&self, rng: &mut SecretRng) -> i64 {
        self.draw_from(Strips::standard(), rng)
    }

    /// Fills `out` with draws: the same as so many calls of [`draw`](Self::draw), and faster.
    pub(crate) fn fill(&self, out: &mut [i64], rng: &mut SecretRng) {
        out.fill(0);
        self.add_to(out, rng);
    }

    /// Adds a draw to each of `values`, modulo 2^64: which is post-processing, because reducing
    /// before the noise gives the same value as reducing after it.
    ///
    /// # Guarantee
    /// The draws are those of so many calls of [`draw`](Self::draw), in their order: [`Lanes`]
    /// makes those of which it is certain, and what it is not certain of is drawn from the same
    /// words one by one. Tested.
    pub(crate) fn add_to(&self, values: &mut [i64], rng: &mut SecretRng) {
        let (strips, lanes) = (Strips::standard(), Lanes::standard());
        let mut words = FetchedWords::new(rng);
        widest(
            #[inline(always)]
            || {
                let mut rest = values;
                while let Some(values) = rest.first_chunk_mut::<LANES>() {
                    let (draws, certain) = lanes.round(&words.coming(), self.scale);
                    words.take(certain);
                    if certain == LANES {
                        for (value, draw) in values.iter_mut().zip(draws) {
                            *value = value.wrapping_add(draw);
                        }
                        rest = &mut rest[LANES..];
                        continue;
                    }
                    for (value, draw) in values[..certain].iter_mut().zip(draws) {
                        *value = value.wrapping_add(draw);
                    }
                    values[certain] =
                        values[certain].wrapping_add(self.draw_from(strips, &mut words));
                    rest = &mut rest[certain + 1..];
                }
                for value in rest {
                    *value = value.wrapping_add(self.draw_from(strips, &mut words));
                }
            },
        );
    }

    #[inline(always)]
    pub(super) fn draw_from<const BITS: u32>(
        &self,
        strips: &Strips<BITS>,
        rng: &mut impl Words,
    ) -> i64 {
        match strips.draw(rng) {
            Draw::Quick(place) => {
                if let Some(magnitude) = self.settled(place.low, place.high) {
                    // Branch-free, because a sign cannot be predicted.
                    let mask = -i64::from(place.negative);
                    return (magnitude ^ mask) - mask;
                }
                self.settle_quick::<BITS>(&place, rng)
            }
            Draw::Slow(mut place, negative) => self.settle(&mut place, negative, rng),
        }
    }

    /// Rounds `s·x` for `x` between `low` and `high`, in units of 2^-[`PLACE_DIGITS`], if both ends
    /// round alike.
    #[inline(always)]
    fn settled(&self, low: u64, high: u64) -> Option<i64> {
        // Scales lie in 2^-10..=2^58, so 54..=122 digits are dropped, and 64 + 53 bits of product
        // leave room for the half that rounds.
        let shift = (PLACE_DIGITS as i32 - self.exponent) as u32;
        let half = 1u128 << (shift - 1);
        let first = u128::from(low) * u128::from(self.mantissa) + half;
        let last = first + u128::from(high - low) * u128::from(self.mantissa);
        // Fits: the last place, 12, times the largest scale is below 2^62.
        let (first, last) = ((first >> shift) as i64, (last >> shift) as i64);
        (first == last).then_some(first)
    }

    #[cold]
    #[inline(never)]
    fn settle_quick<const BITS: u32>(&self, place: &Place, rng: &mut impl Words) -> i64 {
        self.settle(
            &mut place.lazily(Strips::<BITS>::WITHIN_DIGITS),
            place.negative,
            rng,
        )
    }

    /// Draws digits of the place until what is left of it rounds to one integer.
    fn settle(&self, place: &mut LazyPlace, negative: bool, rng: &mut impl Words) -> i64 {
        loop {
            let (from, to, digits) = place.interval();
            if let Some(rounded) = self.rounded(&from, &to, digits, negative) {
                return rounded;
            }
            place.within.extend(rng);
        }
    }

    /// Rounds `s·x` for `x` in `[from, to] · 2^-digits`, if both ends round alike.
    ///
    /// Magnitudes round half up for a positive sign and half down for a negative one; a tie has
    /// probability 0, so an interval that touches one is settled only when both ends agree.
    fn rounded(&self, from: &UBig, to: &UBig, digits: usize, negative: bool) -> Option<i64> {
        // OK because 24 digits of place and at least 53 of the first word exceed any exponent.
        let shift = usize::try_from(digits as i64 - i64::from(self.exponent)).ok()?;
        let half = UBig::ONE << shift.checked_sub(1)?;
        let (first, last) = (
            (from * UBig::from(self.mantissa) + &half) >> shift,
            (to * UBig::from(self.mantissa) + &half) >> shift,
        );
        (first == last).then(|| {
            // Modulo 2^64, as the sums are kept: cutting off at the largest integer instead would
            // not be a function of the noisy sum. OK because the mask leaves 64 bits.
            let magnitude = u64::try_from(first & UBig::from(u64::MAX)).unwrap_or(0) as i64;
            if negative {
                magnitude.wrapping_neg()
            } else {
                magnitude
            }
        })
    }

    /// Draws one value by Karney's algorithm: the oracle of the tests and of the benchmark.
    pub(crate) fn draw_by_karney(&self, rng: &mut SecretRng) -> i64 {
        let mut normal: LazyNormal = standard_normal(rng);
        let mut value = UBig::from(normal.whole);
        for index in 0.. {
            value = (value << 64) + UBig::from(normal.fraction.digit(index, rng));
            let to = &value + UBig::ONE;
            if let Some(rounded) = self.rounded(&value, &to, 64 * (index + 1), normal.negative) {
                return rounded;
            }
        }
        unreachable!("digits are drawn until the interval rounds to one integer")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::{Purpose, SecretKey};

    impl RoundedGaussian {
        /// What a place rounds to, if no more digits are needed for that.
        pub(in crate::noise) fn settled_place(&self, place: &Place) -> Option<i64> {
            let magnitude = self.settled(place.low, place.high)?;
            Some(if place.negative {
                -magnitude
            } else {
                magnitude
            })
        }
    }

    fn stream(seed: u64) -> SecretRng {
        SecretKey::fixed(seed).stream(Purpose::GradientNoise, 1, 1)
    }

    #[test]
    fn what_the_quick_path_settles_digits_confirm() {
        for scale in [0.001, 0.7, 12.25, 3.3 * 2f64.powi(40), 2f64.powi(50)] {
            let noise = RoundedGaussian::new(scale).unwrap();
            let mut rng = stream(1);
            let (mut settled, mut left_open) = (0, 0);
            while settled < 2000 {
                let Draw::Quick(place) = Strips::standard().draw(&mut rng) else {
                    continue;
                };
                let Some(quick) = noise.settled_place(&place) else {
                    left_open += 1;
                    continue;
                };
                settled += 1;
                let slow = noise.settle_quick::<10>(&place, &mut rng);
                assert_eq!(quick, slow, "{scale}");
            }
            // At the largest scale the digits of one word often do not suffice.
            assert!(scale < 2f64.powi(50) || left_open > 500, "{left_open}");
        }
    }

    #[test]
    fn filling_adding_and_drawing_are_one() {
        // From scales at which every lane is certain to those at which hardly one is, and none.
        for exponent in [-9.7, 0.0, 30.0, 38.5, 41.0, 57.9] {
            let noise = RoundedGaussian::new(f64::exp2(exponent)).unwrap();
            let mut filled = vec![0i64; 100_000];
            noise.fill(&mut filled, &mut stream(4));
            let mut rng = stream(4);
            assert!(filled.iter().all(|&value| value == noise.draw(&mut rng)));
            let mut added = vec![i64::MAX; 100_000];
            noise.add_to(&mut added, &mut stream(4));
            let sums = filled.iter().map(|value| value.wrapping_add(i64::MAX));
            assert!(added.into_iter().eq(sums));
        }
    }

    #[test]
    fn what_does_not_fit_64_bits_is_reduced_modulo_their_number() {
        // 40 standard deviations at the largest scale: 40·2^58 = 2^63 + 2^61.
        let noise = RoundedGaussian::new(RoundedGaussian::MAX_SCALE).unwrap();
        let at = UBig::from(40u32) << 64;
        let wrapped = noise.rounded(&at, &at, 64, false).unwrap();
        assert_eq!(wrapped as u64, (1 << 63) + (1 << 61));
        let negative = noise.rounded(&at, &at, 64, true).unwrap();
        assert_eq!(negative, wrapped.wrapping_neg());
    }

    #[test]
    fn scales_out_of_range_are_refused() {
        for scale in [0.0, -1.0, f64::NAN, f64::INFINITY, 1e-4, 1e18] {
            assert!(RoundedGaussian::new(scale).is_none());
        }
    }
}
