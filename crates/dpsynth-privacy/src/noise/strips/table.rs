//! The table of strips: how the half-line is cut, and why no strip is too low.

use std::sync::LazyLock;

use dashu_int::UBig;

use crate::noise::exponential::bell;
use crate::noise::lazy::LazyPlace;

use super::TRIAL_DIGITS;

/// Strips with `2^BITS` columns on each level.
pub(in crate::noise) struct Strips<const BITS: u32> {
    pub(super) levels: Vec<Vec<Strip>>,
    /// a(left end) of each strip, to the nearest double.
    pub(super) peaks: Vec<Vec<f64>>,
    /// Where the strips of width 1 begin.
    pub(super) end: u64,
    /// E in units of 2^-[`ENVELOPE_DIGITS`].
    pub(super) envelope: u64,
    pub(super) slack: f64,
}

/// One strip, as a draw reads it first.
#[derive(Clone, Copy, Debug)]
pub(super) struct Strip {
    /// Left end, in units of 2^-24.
    pub(super) left: u32,
    /// Width, in the same units.
    pub(super) width: u32,
    /// A lower bound of 2^[`TRIAL_DIGITS`] · a(right end), below 2^[`TRIAL_DIGITS`].
    pub(super) quick: u32,
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

impl Strips<10> {
    /// The table that noise is drawn with: 1,023 strips up to about 3.4, as many up to 12.
    pub(in crate::noise) fn standard() -> &'static Self {
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
    /// Cuts the half-line.
    ///
    /// # Guarantee
    /// The strips cover `[0, end)` without overlap, those of width 1 the rest, and a(x) ≤ 1 for all
    /// of them, both by assertion.
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
                    quick: ((share(&bell_at_right.0) >> (64 - TRIAL_DIGITS)) as u32)
                        .min(cut.most_quick),
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
}

impl Strip {
    /// f(x)/f(left) to within 2^-46, for `x = left + width · within · 2^-digits`.
    ///
    /// Every operation is one that IEEE 754 defines to the last bit. The exponent is at most 1/2
    /// ([`gentle_width`]), where 14 terms of the power series leave less than 2^-55.
    pub(super) fn decline(&self, within: u64, digits: usize) -> f64 {
        let grid = f64::from(1u32 << LazyPlace::GRID);
        let step = f64::from(self.width) / grid * (within as f64 / (1u64 << digits) as f64);
        let exponent = step * (f64::from(self.left) / grid + 0.5 * step);
        (1..=14)
            .rev()
            .fold(1.0, |sum, term| 1.0 - exponent / f64::from(term) * sum)
    }
}

/// Widest strip from `left` over which -ln f grows by at most 1/2, so that a short power series
/// will do: `left·w + w²/2 ≤ 1/2`.
fn gentle_width(left: u32) -> u64 {
    let left = u64::from(left);
    ((left * left) + (1u64 << (2 * LazyPlace::GRID))).isqrt() - left
}

/// Bounds of f at `left`, in units of 2^-[`PRECISION`].
fn bell_at(left: u32) -> (UBig, UBig) {
    let left = UBig::from(left);
    bell(&left, &left, LazyPlace::GRID, PRECISION)
}

/// Largest difference between a trial and the double-precision height that stage 3 decides.
pub(super) const SLACK: f64 = 9.094_947_017_729_282e-13;

/// Binary digits of the envelope after the point.
pub(super) const ENVELOPE_DIGITS: usize = 20;

/// Binary digits that the table is computed with.
const PRECISION: usize = 128;

pub(super) const TWO_TO_MINUS_64: f64 = 5.421_010_862_427_522e-20;
