//! The binomial distribution function, enclosed by integers.

use dashu_int::UBig;

use super::ONE;

/// Walks up a binomial distribution function, in fixed point with directed rounding.
pub(super) struct Cumulative {
    rarer: u64,
    units: usize,
    pub(super) precision: usize,
    /// The number up to which probabilities are added up.
    pub(super) count: usize,
    /// Bounds of 2^precision times the probability of exactly `count`.
    mass: (UBig, UBig),
    /// Bounds of 2^precision times the probability of at most `count`.
    pub(super) low: UBig,
    pub(super) high: UBig,
}

impl Cumulative {
    pub(super) fn new(rarer: u64, log_units: u32, precision: usize) -> Self {
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
    pub(super) fn advance(&mut self) -> bool {
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
