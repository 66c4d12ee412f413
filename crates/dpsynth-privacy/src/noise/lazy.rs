//! Numbers whose binary digits are drawn when they are needed.

use dashu_int::UBig;

use crate::random::Words;

/// A uniform number in `[0, 1)` of which some leading binary digits are known.
#[derive(Clone, Debug)]
pub(super) struct LazyDigits {
    known: UBig,
    count: usize,
}

impl LazyDigits {
    /// Starts with the `count` digits of `known`.
    pub(super) fn new(known: u64, count: usize) -> Self {
        Self {
            known: UBig::from(known),
            count,
        }
    }

    /// Draws 64 more digits.
    pub(super) fn extend(&mut self, rng: &mut impl Words) {
        self.known = (std::mem::take(&mut self.known) << 64) + UBig::from(rng.next_u64());
        self.count += 64;
    }

    /// The known digits as an integer: the number lies in `[known, known + 1) · 2^-count`.
    pub(super) fn known(&self) -> &UBig {
        &self.known
    }

    /// How many digits are known.
    pub(super) fn count(&self) -> usize {
        self.count
    }
}

/// A place in a strip: `(left + width · u) · 2^-GRID` for a uniform `u` with lazy digits.
#[derive(Clone, Debug)]
pub(super) struct LazyPlace {
    pub(super) left: u64,
    pub(super) width: u32,
    pub(super) within: LazyDigits,
}

impl LazyPlace {
    /// Binary digits of a strip's edges after the point.
    pub(super) const GRID: usize = 24;

    /// The interval `[from, to)` in units of `2^-digits` that the known digits leave.
    pub(super) fn interval(&self) -> (UBig, UBig, usize) {
        let from = (UBig::from(self.left) << self.within.count())
            + UBig::from(self.width) * self.within.known();
        let to = &from + UBig::from(self.width);
        (from, to, Self::GRID + self.within.count())
    }
}
