//! Exact sums of privacy numbers, as decimals.
//!
//! A ledger is a decimal document: the owner writes `1e-6` per release and `3e-6` for life, and
//! an auditor adds up what is printed in the file. Binary sums would refuse the third of those
//! releases, or allow one too many, by the luck of the last bit. So a number is read as the
//! shortest decimal that names its double, which is exactly what the file shows, and sums and
//! comparisons are exact.

use std::fmt::Write as _;

/// A non-negative decimal with a fixed, generous number of places, so that no sum is rounded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Decimal {
    /// Base [`BASE`], least significant first; limb `FRACTION_LIMBS` holds the units.
    limbs: [u32; LIMBS],
}

impl Decimal {
    /// No loss at all.
    pub(crate) const ZERO: Decimal = Decimal { limbs: [0; LIMBS] };

    /// Returns the shortest decimal that names `number`, or nothing when it is negative, not
    /// finite, or at least [`TOO_LARGE`].
    pub(crate) fn of(number: f64) -> Option<Decimal> {
        if !(0.0..TOO_LARGE).contains(&number) || number.is_sign_negative() {
            return None;
        }
        let text = format!("{number:e}");
        let (digits, exponent) = text.split_once('e')?;
        let exponent: i32 = exponent.parse().ok()?;
        let mut decimal = Decimal::ZERO;
        let significant = digits.bytes().filter(u8::is_ascii_digit);
        for (place, digit) in (0_i32..).zip(significant) {
            let power = exponent - place + FRACTION_PLACES;
            let power = usize::try_from(power).ok()?;
            let limb = decimal.limbs.get_mut(power / PLACES_PER_LIMB)?;
            let within = u32::try_from(power % PLACES_PER_LIMB).ok()?;
            *limb += u32::from(digit - b'0') * 10_u32.pow(within);
        }
        Some(decimal)
    }

    /// Returns the exact sum.
    pub(crate) fn plus(self, other: Decimal) -> Decimal {
        let mut sum = Decimal::ZERO;
        let mut carry = 0;
        for (limb, (a, b)) in sum
            .limbs
            .iter_mut()
            .zip(self.limbs.iter().zip(&other.limbs))
        {
            let total = a + b + carry;
            carry = total / BASE;
            *limb = total % BASE;
        }
        // OK because every term is below `TOO_LARGE` and the whole limbs hold 10^18 such terms,
        // more than a ledger of bounded size can have.
        debug_assert_eq!(carry, 0, "a sum of privacy numbers overflowed");
        sum
    }

    /// Returns the exact difference, or zero when `other` is larger: nothing remains then.
    pub(crate) fn minus(self, other: Decimal) -> Decimal {
        if other >= self {
            return Decimal::ZERO;
        }
        let mut difference = Decimal::ZERO;
        let mut borrow = 0;
        let pairs = self.limbs.iter().zip(&other.limbs);
        for (limb, (a, b)) in difference.limbs.iter_mut().zip(pairs) {
            let taken = b + borrow;
            borrow = u32::from(*a < taken);
            *limb = a + borrow * BASE - taken;
        }
        difference
    }

    /// Returns the smallest double whose decimal is at least this one.
    pub(crate) fn round_up(self) -> f64 {
        let nearest = self.nearest();
        match Decimal::of(nearest) {
            Some(decimal) if decimal >= self => nearest,
            // Up: the shortest decimal of the next double lies above the midpoint, hence above.
            _ => nearest.next_up(),
        }
    }

    /// Returns the largest double whose decimal is at most this one.
    pub(crate) fn round_down(self) -> f64 {
        let nearest = self.nearest();
        match Decimal::of(nearest) {
            Some(decimal) if decimal <= self => nearest,
            // Down: the shortest decimal of the previous double lies below the midpoint.
            _ => nearest.next_down().max(0.0),
        }
    }

    fn nearest(self) -> f64 {
        let mut text = String::with_capacity(LIMBS * PLACES_PER_LIMB + 1);
        for (index, limb) in self.limbs.iter().enumerate().rev() {
            if index + 1 == FRACTION_LIMBS {
                text.push('.');
            }
            // OK because writing to a `String` cannot fail.
            let _ = write!(text, "{limb:09}");
        }
        // OK because the text is digits around one point; an impossible failure would read as
        // "not a number", which every comparison with a cap refuses.
        text.parse().unwrap_or(f64::NAN)
    }
}

impl Ord for Decimal {
    fn cmp(&self, other: &Decimal) -> std::cmp::Ordering {
        self.limbs.iter().rev().cmp(other.limbs.iter().rev())
    }
}

impl PartialOrd for Decimal {
    fn partial_cmp(&self, other: &Decimal) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

/// Numbers from here on are not privacy numbers of any use.
const TOO_LARGE: f64 = 1e18;
const BASE: u32 = 1_000_000_000;
const PLACES_PER_LIMB: usize = 9;
/// Enough for the last digit of the smallest positive double.
const FRACTION_LIMBS: usize = 38;
const FRACTION_PLACES: i32 = 342;
const WHOLE_LIMBS: usize = 4;
const LIMBS: usize = FRACTION_LIMBS + WHOLE_LIMBS;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn decimal(number: f64) -> Decimal {
        Decimal::of(number).expect("a number in range")
    }

    #[test]
    fn sums_are_those_of_a_person_with_a_pencil() {
        let three = decimal(0.1).plus(decimal(0.1)).plus(decimal(0.1));
        assert_eq!(three, decimal(0.3));
        let ten = (0..10).fold(Decimal::ZERO, |sum, _| sum.plus(decimal(1e-6)));
        assert_eq!(ten.round_up(), 1e-5);
        assert_eq!(decimal(1e6).minus(decimal(1e-300)).round_up(), 1e6);
        assert!(decimal(1e6).minus(decimal(1e-300)).round_down() < 1e6);
    }

    #[test]
    fn what_is_not_a_privacy_number_is_not_a_decimal() {
        for number in [
            -1.0,
            -0.0,
            f64::NAN,
            f64::INFINITY,
            f64::NEG_INFINITY,
            1e18,
            f64::MAX,
        ] {
            assert_eq!(Decimal::of(number), None, "{number}");
        }
        for number in [
            0.0,
            f64::from_bits(1),
            f64::MIN_POSITIVE,
            2.225_073_858_507_201e-308,
        ] {
            assert_eq!(decimal(number).round_up(), number);
            assert_eq!(decimal(number).round_down(), number);
        }
    }

    proptest! {
        #[test]
        fn doubles_survive(bits in 0_u64..1e18_f64.to_bits()) {
            let number = f64::from_bits(bits);
            prop_assert_eq!(decimal(number).round_up().to_bits(), bits);
            prop_assert_eq!(decimal(number).round_down().to_bits(), bits);
        }

        #[test]
        fn rounding_brackets_the_sum(a in 0.0..1e6_f64, b in 0.0..1.0_f64, c in 0.0..1e-9_f64) {
            let sum = decimal(a).plus(decimal(b)).plus(decimal(c));
            let (down, up) = (sum.round_down(), sum.round_up());
            prop_assert!(decimal(down) <= sum && sum <= decimal(up));
            prop_assert!(down == up || down.next_up() == up);
            prop_assert_eq!(sum.minus(decimal(c)).minus(decimal(b)), decimal(a));
            prop_assert_eq!(decimal(c).minus(sum), Decimal::ZERO);
        }

        #[test]
        fn order_is_that_of_doubles(a in 0_u64..1e18_f64.to_bits(), b in 0_u64..1e18_f64.to_bits()) {
            let (a, b) = (f64::from_bits(a), f64::from_bits(b));
            prop_assert_eq!(decimal(a).cmp(&decimal(b)), a.total_cmp(&b));
        }
    }
}
