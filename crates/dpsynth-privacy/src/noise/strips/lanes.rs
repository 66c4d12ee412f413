//! Eight draws at a time, in double precision with a bound of its error.
//!
//! This decides nothing that the exact path would decide otherwise: a proposal counts only where it
//! is kept at the first stage, and where its place, all that rounding and digits not drawn yet could
//! add included, rounds to one integer. All others are left to the exact path, from the same word.

use std::sync::LazyLock;

use super::table::Strips;
use super::{LazyPlace, TRIAL_DIGITS, column, trial, within};

/// Draws that are made together.
pub(in crate::noise) const LANES: usize = 8;

/// The first level of [`Strips::standard`]: left end, width and `quick` of each strip in one word.
pub(in crate::noise) struct Lanes([u64; COLUMNS]);

impl Lanes {
    pub(in crate::noise) fn standard() -> &'static Self {
        static TABLE: LazyLock<Lanes> = LazyLock::new(|| Lanes::new(Strips::standard()));
        &TABLE
    }

    /// Packs a table.
    ///
    /// # Guarantee
    /// Every strip of the first level fits, by assertion; the last column, which leads to the next
    /// level, keeps nothing.
    fn new(strips: &Strips<BITS>) -> Self {
        let mut packed = [0; COLUMNS];
        assert!(
            strips.levels[0].len() < COLUMNS,
            "no column for the next level"
        );
        for (packed, strip) in packed.iter_mut().zip(&strips.levels[0]) {
            let fits =
                strip.left + strip.width <= 1 << LEFT_DIGITS && strip.width < 1 << WIDTH_DIGITS;
            assert!(
                fits && strip.quick < 1 << TRIAL_DIGITS,
                "a strip is too wide"
            );
            *packed = u64::from(strip.left)
                | u64::from(strip.width) << LEFT_DIGITS
                | u64::from(strip.quick) << (LEFT_DIGITS + WIDTH_DIGITS);
        }
        Self(packed)
    }

    /// Rounds `scale·Z` for the Z that each word proposes; and says of how many, from the first on,
    /// this is certain.
    ///
    /// # Guarantee
    /// What is certain is what the exact path draws from the same word. Let t be the place in units
    /// of 2^-24, below 2^26; the product, the sum, the scaling and the half that is added round
    /// once each, so the result is off by at most `2^-53·4·(4·scale + 1/2)` below
    /// `scale·2^-49 + 2^-50`; the digits of the place that are not drawn yet add at most
    /// `scale · 2^-24 · 2^22 · 2^-41`. Only what is further than `scale·2^-42 + 2^-49` from the next integers
    /// is certain. Tested against the exact path word by word.
    #[inline(always)]
    pub(in crate::noise) fn round(
        &self,
        words: &[u64; LANES],
        scale: f64,
    ) -> ([i64; LANES], usize) {
        let unit = scale * (1.0 / (1u64 << LazyPlace::GRID) as f64);
        let step = 1.0 / (1u64 << Strips::<BITS>::WITHIN_DIGITS) as f64;
        // Numbers whose fraction is closer to a half than this are certain.
        let room = 0.5 - (scale * (1.0 / (1u64 << 42) as f64) + 1.0 / (1u64 << 49) as f64);
        let mut strips = [0; LANES];
        for (strip, &word) in strips.iter_mut().zip(words) {
            *strip = self.0[column::<BITS>(word)];
        }
        let mut rounded = [0; LANES];
        // Whole words and no branches, so that the compiler keeps the lanes together.
        let mut certain = [0u64; LANES];
        for lane in 0..LANES {
            let (strip, word) = (strips[lane], words[lane]);
            let left = (strip & ((1 << LEFT_DIGITS) - 1)) as i64 as f64;
            let width = (strip >> LEFT_DIGITS & ((1 << WIDTH_DIGITS) - 1)) as i64 as f64;
            let place = left + width * (within::<BITS>(word) as i64 as f64 * step);
            let up = place * unit + 0.5;
            let whole = up.floor();
            let kept = u64::from(trial(word)) < strip >> (LEFT_DIGITS + WIDTH_DIGITS);
            let settled = (up - whole - 0.5).abs() < room;
            certain[lane] = u64::from(kept) & u64::from(settled);
            // Its digits are the last of the sum's, wherever it is certain: that is below 2^45.
            let digits = (whole + INTEGERS)
                .to_bits()
                .wrapping_sub(INTEGERS.to_bits()) as i64;
            // The sign without a branch, because it cannot be predicted.
            let mask = -((word & 1) as i64);
            rounded[lane] = (digits ^ mask).wrapping_sub(mask);
        }
        let all = certain.iter().fold(1, |all, certain| all & certain);
        let count = if all == 1 {
            LANES
        } else {
            certain.iter().take_while(|certain| **certain == 1).count()
        };
        (rounded, count)
    }
}

/// Doubles from here to twice as much are the integers.
const INTEGERS: f64 = (1u64 << 52) as f64;

const BITS: u32 = 10;
const COLUMNS: usize = 1 << BITS;
const LEFT_DIGITS: u32 = 26;
const WIDTH_DIGITS: u32 = 22;
