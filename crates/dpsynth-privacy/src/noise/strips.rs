//! An exact sampler of the absolute value of a standard normal number: rejection from strips.
//!
//! # The distribution
//!
//! Let f(x) = exp(-x²/2). The half-line is cut into strips; strip j begins at `left`, is `width`
//! wide, and is proposed with a probability p that is a power of two. A proposal x is uniform in
//! its strip and is kept if a uniform v in `[0, 1)` is below
//!
//! ```text
//! a(x) = f(x) · width / (p · E)            for one number E, the same for all strips.
//! ```
//!
//! Then a kept value has the density p · (1/width) · a(x) = f(x)/E, up to the common factor of
//! trying again: exactly that of |Z|, whatever E and the strips are, as long as they cover the
//! half-line without overlap and a(x) ≤ 1 everywhere. The second is [`Strips::new`]'s only duty,
//! and it is met in integers: a width is rounded down until a(left) ≤ 1, and f decreases.
//!
//! # The decision
//!
//! One word of 64 bits proposes: its digits name the strip, the place in it, the first digits of v and
//! the sign. `v < a(x)` is decided exactly, in three stages that agree with each other:
//!
//! 1. 12 digits of v against `quick`, an integer lower bound of 2^12 · a at the right end;
//! 2. double precision against 64 digits of v. Its error is below 2^-45; only differences above
//!    `slack` = 2^-40 are decided;
//! 3. digits of v and x, and digits of the exponential, until the intervals no longer overlap.
//!
//! A bound that is too loose sends more proposals to a later stage and changes nothing else.
//!
//! # The tail
//!
//! The last column of each level leads to the next level, whose strips are proposed 1024 times less
//! often; the last column of the last level leads to strips of width 1 from `end` on, the k-th with
//! half the probability of the one before. There is no last strip.
//!
//! Tables hold nothing but integers and doubles made from them by exact conversions, so the same
//! key gives the same draws on every platform.

mod lanes;
mod table;

use dashu_int::UBig;

use super::exponential::bell;
use super::lazy::{LazyDigits, LazyPlace};
use crate::random::Words;
use table::{ENVELOPE_DIGITS, Strip, TWO_TO_MINUS_64};

pub(super) use lanes::{LANES, Lanes};
pub(super) use table::Strips;

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

impl<const BITS: u32> Strips<BITS> {
    /// Digits of the place within a strip that a word holds, beside those of the column, of the
    /// trial and the sign.
    pub(super) const WITHIN_DIGITS: usize = (63 - BITS - TRIAL_DIGITS) as usize;

    /// Draws |Z| and a sign, exactly.
    #[inline(always)]
    pub(super) fn draw(&self, rng: &mut impl Words) -> Draw {
        let strips = self.levels[0].as_slice();
        loop {
            let word = rng.next_u64();
            if let Some(strip) = strips.get(column::<BITS>(word))
                && trial(word) < strip.quick
            {
                return Draw::Quick(place::<BITS>(strip, word));
            }
            if let Some(draw) = self.decide(word, rng) {
                return draw;
            }
        }
    }

    /// The later stages and the deeper levels, for a proposal that the first stage left open.
    #[cold]
    #[inline(never)]
    fn decide(&self, mut word: u64, rng: &mut impl Words) -> Option<Draw> {
        // The sign is the lowest bit of the first word, whatever the level.
        let negative = word & 1 == 1;
        let mut exponent = 0;
        for (strips, peaks) in self.levels.iter().zip(&self.peaks) {
            exponent += BITS;
            let column = column::<BITS>(word);
            if let Some(strip) = strips.get(column) {
                let rest = rng.next_u64() >> TRIAL_DIGITS;
                let trial = (u64::from(trial(word)) << (64 - TRIAL_DIGITS)) | rest;
                let within = within::<BITS>(word);
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
            word = rng.next_u64();
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
        rng: &mut impl Words,
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

/// Column of its level that a word proposes: its first digits.
#[inline(always)]
fn column<const BITS: u32>(word: u64) -> usize {
    (word >> (64 - BITS)) as usize
}

/// Place in the strip that it proposes: the digits after those of the column.
#[inline(always)]
fn within<const BITS: u32>(word: u64) -> u64 {
    (word << BITS) >> (BITS + TRIAL_DIGITS + 1)
}

/// The first digits of v: those before the last, which is the sign.
#[inline(always)]
fn trial(word: u64) -> u32 {
    (word >> 1) as u32 & ((1 << TRIAL_DIGITS) - 1)
}

/// Where in the strip a word points.
#[inline(always)]
fn place<const BITS: u32>(strip: &Strip, word: u64) -> Place {
    let within = within::<BITS>(word);
    // Units of 2^-(GRID + WITHIN_DIGITS) become units of 2^-PLACE_DIGITS.
    let excess = (LazyPlace::GRID + Strips::<BITS>::WITHIN_DIGITS) as u32 - PLACE_DIGITS;
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

/// Digits of v in a word.
const TRIAL_DIGITS: u32 = 12;

/// Binary digits of a [`Place`]'s bounds after the point.
pub(super) const PLACE_DIGITS: u32 = 60;

#[cfg(test)]
mod tests;
