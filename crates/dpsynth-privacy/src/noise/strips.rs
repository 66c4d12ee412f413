//! An exact sampler of the absolute value of a standard normal number: rejection from strips.
//!
//! # The distribution
//!
//! Let f(x) = exp(-x²/2). The half-line is cut into strips; strip j begins at `left`, is `width`
//! wide, and is proposed with a probability p that is a power of two. A proposal x is uniform in its
//! strip and is kept if a uniform v in `[0, 1)` is below
//!
//! ```text
//! a(x) = f(x) · width / (p · E)            for one number E, the same for all strips.
//! ```
//!
//! Then a kept value has the density p · (1/width) · a(x) = f(x)/E, up to the common factor of trying
//! again: exactly that of |Z|, whatever E and the strips are, as long as they cover the half-line
//! without overlap and a(x) ≤ 1 everywhere. The second is [`Strips::new`]'s only duty, and it is met in
//! integers: a width is rounded down until a(left) ≤ 1, and f decreases.
//!
//! # The decision
//!
//! `v < a(x)` is decided exactly, in three stages that agree with each other:
//!
//! 1. 32 digits of v against `quick`, an integer lower bound of 2^32 · a at the right end;
//! 2. double precision against 64 digits of v. Its error is below 2^-45; only differences above
//!    `slack` = 2^-40 are decided;
//! 3. digits of v and x, and digits of the exponential, until the intervals no longer overlap.
//!
//! A bound that is too loose sends more proposals to a later stage and changes nothing else.
//!
//! # The tail
//!
//! The last column of each level leads to the next level, whose strips are proposed 1024 times less
//! often; the last column of the last level leads to strips of width 1 from `end` on, the k-th with half
//! the probability of the one before. There is no last strip.
//!
//! Tables hold nothing but integers and doubles made from them by exact conversions, so the same
//! key gives the same draws on every platform.

use std::sync::LazyLock;

use dashu_int::UBig;

use super::exponential::bell;
use super::lazy::{LazyDigits, LazyPlace};
use crate::random::SecretRng;

/// Strips with `2^BITS` columns on each level.
pub(super) struct Strips<const BITS: u32> {
    levels: Vec<Vec<Strip>>,
    /// a(left end) of each strip, to the nearest double.
    peaks: Vec<Vec<f64>>,
    /// Where the strips of width 1 begin.
    end: u64,
    /// E in units of 2^-[`ENVELOPE_DIGITS`].
    envelope: u64,
    slack: f64,
}

/// One strip, as a draw reads it first.
#[derive(Clone, Copy, Debug)]
struct Strip {
    /// Left end, in units of 2^-24.
    left: u32,
    /// Width, in the same units.
    width: u32,
    /// A lower bound of 2^32 · a(right end).
    quick: u32,
}

/// How a table is cut.
#[derive(Clone, Copy)]
pub(super) struct Cut {
    pub(super) levels: u32,
    /// Where the strips of width 1 begin: a whole number.
    pub(super) end: u32,
    /// E in units of 2^-[`ENVELOPE_DIGITS`].
    pub(super) envelope: u64,
    /// Largest difference that double precision does not decide.
    pub(super) slack: f64,
    /// Largest value of `quick`, to make the later stages frequent in tests.
    pub(super) most_quick: u32,
}

/// What a draw knows of |Z|: it lies between `low` and `high`, in units of 2^-[`PLACE_DIGITS`].
pub(super) struct Place {
    pub(super) low: u64,
    pub(super) high: u64,
    pub(super) negative: bool,
    left: u32,
    width: u32,
    within: u64,
}

impl Place {
    /// Hands over to digits that can be extended.
    #[cold]
    pub(super) fn lazily(&self, digits: usize) -> LazyPlace {
        LazyPlace {
            left: u64::from(self.left),
            width: self.width,
            within: LazyDigits::new(self.within, digits),
        }
    }
}

/// What came of a proposal.
pub(super) enum Draw {
    /// Kept at the first stage.
    Quick(Place),
    /// Kept at a later stage, with the digits that were drawn for it; and whether it is negative.
    Slow(LazyPlace, bool),
}

impl Strips<10> {
    /// The table that noise is drawn with: 1,023 strips up to about 3.4, as many up to 12.
    pub(super) fn standard() -> &'static Self {
        static TABLE: LazyLock<Strips<10>> = LazyLock::new(|| {
            Strips::new(Cut {
                levels: 2,
                end: 12,
                // 1.2577, 0.35 % above √(π/2): that much room is what the strips waste.
                envelope: 1_318_794,
                slack: SLACK,
                most_quick: u32::MAX,
            })
        });
        &TABLE
    }
}

impl<const BITS: u32> Strips<BITS> {
    /// Digits of the place within a strip that the first word holds.
    pub(super) const WITHIN_DIGITS: usize = 63 - BITS as usize;

    /// Cuts the half-line.
    ///
    /// # Guarantee
    /// The strips cover `[0, end)` without overlap, those of width 1 the rest, and a(x) ≤ 1 for all of
    /// them, both by assertion.
    ///
    /// # Panics
    /// If the cut is impossible: an envelope too small for its levels. The tests build every cut.
    pub(super) fn new(cut: Cut) -> Self {
        let end = cut.end << LazyPlace::GRID;
        let mut left = 0u32;
        let (mut levels, mut peaks) = (Vec::new(), Vec::new());
        let mut bell_at_left = bell_at(left);
        for level in 1..=cut.levels {
            let (mut strips, mut heights) = (Vec::new(), Vec::new());
            for _ in 1..1u32 << BITS {
                // p·E in units of 2^-PRECISION: 1 in 2^BITS for each level.
                let room = UBig::from(cut.envelope) << PRECISION
                    >> (ENVELOPE_DIGITS + (BITS * level) as usize);
                // Down: the widest strip with width · f(left) ≤ p·E.
                let widest = (&room << LazyPlace::GRID) / &bell_at_left.1;
                let widest = u64::try_from(widest).unwrap_or(u64::MAX);
                let width = widest.min(gentle_width(left)).min(u64::from(end - left)) as u32;
                let right = left + width;
                let bell_at_right = bell_at(right);
                let share = |bell: &UBig| -> u64 {
                    // Down; in units of 2^-64, where 1 itself becomes the number below it.
                    let share = ((bell * UBig::from(width)) << (64 - LazyPlace::GRID)) / &room;
                    u64::try_from(share).unwrap_or(u64::MAX)
                };
                assert!(UBig::from(width) * &bell_at_left.1 <= &room << LazyPlace::GRID);
                strips.push(Strip {
                    left,
                    width,
                    quick: ((share(&bell_at_right.0) >> 32) as u32).min(cut.most_quick),
                });
                heights.push(share(&bell_at_left.0) as f64 * TWO_TO_MINUS_64);
                (left, bell_at_left) = (right, bell_at_right);
            }
            levels.push(strips);
            peaks.push(heights);
        }
        assert!(left == end, "the strips end before the tail begins");
        // f falls by more than half from each whole number above 1 to the next, and so do the
        // chances of the strips of width 1: if the first keeps a(x) ≤ 1, all do.
        let first = UBig::from(cut.envelope) << PRECISION
            >> (ENVELOPE_DIGITS + (BITS * cut.levels) as usize + 1);
        assert!(
            cut.end >= 1 && bell_at_left.1 <= first,
            "the tail is too high"
        );
        Self {
            levels,
            peaks,
            end: u64::from(cut.end),
            envelope: cut.envelope,
            slack: cut.slack,
        }
    }

    /// Draws |Z| and a sign, exactly.
    #[inline(always)]
    pub(super) fn draw(&self, rng: &mut SecretRng) -> Draw {
        let strips = self.levels[0].as_slice();
        loop {
            let word = rng.next_u64();
            let trial = rng.next_u32();
            let column = (word >> (64 - BITS)) as usize;
            if let Some(strip) = strips.get(column)
                && trial < strip.quick
            {
                return Draw::Quick(place::<BITS>(strip, word));
            }
            if let Some(draw) = self.decide(word, trial, rng) {
                return draw;
            }
        }
    }

    /// The later stages and the deeper levels, for a proposal that the first stage left open.
    #[cold]
    #[inline(never)]
    fn decide(&self, mut word: u64, mut trial: u32, rng: &mut SecretRng) -> Option<Draw> {
        // The sign is the lowest bit of the first word, whatever the level.
        let negative = word & 1 == 1;
        let mut exponent = 0;
        for (strips, peaks) in self.levels.iter().zip(&self.peaks) {
            exponent += BITS;
            let column = (word >> (64 - BITS)) as usize;
            if let Some(strip) = strips.get(column) {
                let trial = (u64::from(trial) << 32) | u64::from(rng.next_u32());
                let within = (word << BITS) >> (BITS + 1);
                let place = LazyPlace {
                    left: u64::from(strip.left),
                    width: strip.width,
                    within: LazyDigits::new(within, Self::WITHIN_DIGITS),
                };
                let estimate = peaks[column] * strip.decline(within, Self::WITHIN_DIGITS);
                let difference = trial as f64 * TWO_TO_MINUS_64 - estimate;
                if difference > self.slack {
                    return None;
                }
                if difference < -self.slack {
                    return Some(Draw::Slow(place, negative));
                }
                return self
                    .resolve(place, trial, exponent, rng)
                    .map(|place| Draw::Slow(place, negative));
            }
            (word, trial) = (rng.next_u64(), rng.next_u32());
        }
        // Beyond the last level: width 1, and each strip half as likely as the one before.
        let mut strip = u64::from(word.trailing_zeros());
        while word == 0 {
            word = rng.next_u64();
            strip += u64::from(word.trailing_zeros());
        }
        let place = LazyPlace {
            left: (self.end + strip) << LazyPlace::GRID,
            width: 1 << LazyPlace::GRID,
            within: LazyDigits::new(rng.next_u64(), 64),
        };
        let exponent = exponent + strip as u32 + 1;
        let trial = rng.next_u64();
        self.resolve(place, trial, exponent, rng)
            .map(|place| Draw::Slow(place, negative))
    }

    /// The last stage: keeps or drops a proposal that was made with probability `2^-exponent`, by
    /// drawing digits until the answer is certain.
    #[cold]
    fn resolve(
        &self,
        mut place: LazyPlace,
        trial: u64,
        exponent: u32,
        rng: &mut SecretRng,
    ) -> Option<LazyPlace> {
        let mut trial = LazyDigits::new(trial, 64);
        loop {
            let precision = trial.count() + 64;
            let (from, to, digits) = place.interval();
            let (least, most) = bell(&from, &to, digits, precision);
            // v < f(x)·width/(p·E), without fractions: v·E·2^GRID < f(x)·width·2^exponent.
            let left = |v: UBig| {
                (v * UBig::from(self.envelope)) << (LazyPlace::GRID + precision - trial.count())
            };
            let right =
                |f: UBig| (f * UBig::from(place.width)) << (exponent as usize + ENVELOPE_DIGITS);
            if left(trial.known() + UBig::ONE) <= right(least) {
                return Some(place);
            }
            if left(trial.known().clone()) >= right(most) {
                return None;
            }
            trial.extend(rng);
            place.within.extend(rng);
        }
    }
}

impl Strip {
    /// f(x)/f(left) to within 2^-46, for `x = left + width · within · 2^-digits`.
    ///
    /// Every operation is one that IEEE 754 defines to the last bit. The exponent is at most 1/2
    /// ([`gentle_width`]), where 14 terms of the power series leave less than 2^-55.
    fn decline(&self, within: u64, digits: usize) -> f64 {
        let grid = f64::from(1u32 << LazyPlace::GRID);
        let step = f64::from(self.width) / grid * (within as f64 / (1u64 << digits) as f64);
        let exponent = step * (f64::from(self.left) / grid + 0.5 * step);
        (1..=14)
            .rev()
            .fold(1.0, |sum, term| 1.0 - exponent / f64::from(term) * sum)
    }
}

/// Widest strip from `left` over which -ln f grows by at most 1/2, so that a short power series will
/// do: `left·w + w²/2 ≤ 1/2`.
fn gentle_width(left: u32) -> u64 {
    let left = u64::from(left);
    ((left * left) + (1u64 << (2 * LazyPlace::GRID))).isqrt() - left
}

/// Bounds of f at `left`, in units of 2^-[`PRECISION`].
fn bell_at(left: u32) -> (UBig, UBig) {
    let left = UBig::from(left);
    bell(&left, &left, LazyPlace::GRID, PRECISION)
}

/// Where in the strip the first word points.
#[inline(always)]
fn place<const BITS: u32>(strip: &Strip, word: u64) -> Place {
    let within = (word << BITS) >> (BITS + 1);
    // Units of 2^-(GRID + 63 - BITS) become units of 2^-PLACE_DIGITS.
    let excess = LazyPlace::GRID as u32 + 63 - BITS - PLACE_DIGITS;
    let beyond = (u128::from(strip.width) * u128::from(within)) >> excess;
    // OK because the strips end at 12, and 12·2^60 < 2^64.
    let low = (u64::from(strip.left) << (PLACE_DIGITS - LazyPlace::GRID as u32)) + beyond as u64;
    Place {
        low,
        // Up: one for what the shift cut off, the rest for the digits that are not drawn yet.
        high: low + 2 + u64::from(strip.width >> excess),
        negative: word & 1 == 1,
        left: strip.left,
        width: strip.width,
        within,
    }
}

/// Binary digits of a [`Place`]'s bounds after the point.
pub(super) const PLACE_DIGITS: u32 = 60;

/// Largest difference between a trial and the double-precision height that stage 3 decides.
const SLACK: f64 = 9.094_947_017_729_282e-13;

/// Binary digits of the envelope after the point.
const ENVELOPE_DIGITS: usize = 20;

/// Binary digits that the table is computed with.
const PRECISION: usize = 128;

const TWO_TO_MINUS_64: f64 = 5.421_010_862_427_522e-20;

#[cfg(test)]
mod tests;
