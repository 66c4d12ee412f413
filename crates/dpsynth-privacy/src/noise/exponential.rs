//! Bounds of `exp(-x²/2)` in integers of any size: no floating point, no mathematical library.

use dashu_int::UBig;
use dashu_int::ops::BitTest;

/// Binary digits that the argument of the power series has in front at least, all of them 0.
const SMALL: usize = 8;

/// Integers `(low, high)` with `low ≤ 2^precision · exp(-x²/2) ≤ high` for every `x` in
/// `[from, to] · 2^-digits`.
///
/// # Guarantee
/// The bounds hold whatever the arguments; how close they are is a matter of speed. Every operation
/// rounds the lower bound down and the upper bound up. Tested against the error function's
/// derivative in double precision, and for nesting at growing precision.
pub(super) fn bell(from: &UBig, to: &UBig, digits: usize, precision: usize) -> (UBig, UBig) {
    // exp(-t) is decreasing: the lower bound comes from the far end. The square has twice the
    // digits, and halving it adds one more.
    let (low, high) = reciprocal(&growth(to, digits, precision), precision);
    if from == to {
        return (low, high);
    }
    (
        low,
        reciprocal(&growth(from, digits, precision), precision).1,
    )
}

/// Bounds of `2^precision / g` for `g` between the bounds `(low, high) · 2^-precision`.
fn reciprocal((low, high): &(UBig, UBig), precision: usize) -> (UBig, UBig) {
    let one = UBig::ONE << (2 * precision);
    (&one / high, (&one + low - UBig::ONE) / low)
}

/// Bounds of `2^precision · exp(x²/2)` for `x = at · 2^-digits`.
fn growth(at: &UBig, digits: usize, precision: usize) -> (UBig, UBig) {
    let square = at * at;
    let square_digits = 2 * digits + 1;
    // Halve the exponent until the power series is short, then square as often.
    let whole_bits = square.bit_len().saturating_sub(square_digits);
    let halvings = whole_bits + SMALL;
    let (low, high) = scaled(&square, square_digits + halvings, precision);
    let (mut low, mut high) = series(&low, &high, precision);
    for _ in 0..halvings {
        low = (&low * &low) >> precision;
        high = shifted_up(&high * &high, precision);
    }
    (low, high)
}

/// Bounds of `exp(r)·2^precision` for `r` in `[low, high]·2^-precision`, below `2^-SMALL`.
fn series(low: &UBig, high: &UBig, precision: usize) -> (UBig, UBig) {
    let one = UBig::ONE << precision;
    let (mut sum_low, mut sum_high) = (one.clone(), one.clone());
    let (mut term_low, mut term_high) = (one.clone(), one);
    let mut index = 1u32;
    loop {
        term_low = ((&term_low * low) >> precision) / UBig::from(index);
        let divisor = UBig::from(index);
        term_high = (shifted_up(&term_high * high, precision) + &divisor - UBig::ONE) / divisor;
        sum_low += &term_low;
        sum_high += &term_high;
        if term_high <= UBig::ONE {
            // Up: each further term is at most half of the one before, so all of them together
            // are at most the last one that was added.
            return (sum_low, sum_high + term_high);
        }
        index += 1;
    }
}

/// Bounds of `value · 2^(precision - digits)`.
fn scaled(value: &UBig, digits: usize, precision: usize) -> (UBig, UBig) {
    if precision >= digits {
        let exact = value << (precision - digits);
        (exact.clone(), exact)
    } else {
        let shift = digits - precision;
        (value >> shift, shifted_up(value.clone(), shift))
    }
}

/// Returns `⌈value / 2^shift⌉`.
fn shifted_up(value: UBig, shift: usize) -> UBig {
    let ceiling = (UBig::ONE << shift) - UBig::ONE;
    (value + ceiling) >> shift
}

#[cfg(test)]
mod tests {
    use super::*;

    fn as_float(value: &UBig, precision: usize) -> f64 {
        u64::try_from(value >> (precision - 60)).unwrap() as f64 * 2f64.powi(-60)
    }

    #[test]
    fn the_bounds_hold_and_are_close() {
        for step in 0u64..200 {
            // Every 16th of a unit up to 12.5.
            let at = UBig::from(step);
            let (low, high) = bell(&at, &at, 4, 256);
            assert!(
                low <= high && &high - &low < UBig::from(1u32) << 40,
                "{step}"
            );
            let x = step as f64 / 16.0;
            let exact = libm::exp(-x * x / 2.0);
            assert!(
                (as_float(&low, 256) - exact).abs() < 2f64.powi(-50),
                "{step}"
            );
            assert!(
                (as_float(&high, 256) - exact).abs() < 2f64.powi(-50),
                "{step}"
            );
        }
    }

    #[test]
    fn more_precision_narrows_the_bounds_and_never_leaves_them() {
        for at in [0u64, 1, 77, 1234, 5000, 12_800] {
            let at = UBig::from(at);
            let mut outer: Option<(UBig, UBig)> = None;
            for precision in [64, 128, 256, 512] {
                let (low, high) = bell(&at, &at, 10, precision);
                // Compared at 512 digits.
                let shift = 512 - precision;
                let (low, high) = (low << shift, high << shift);
                if let Some((outer_low, outer_high)) = outer {
                    assert!(outer_low <= low && high <= outer_high);
                }
                outer = Some((low, high));
            }
        }
    }

    #[test]
    fn an_interval_is_bounded_by_its_ends() {
        let (from, to) = (UBig::from(1u32 << 10), UBig::from((1u32 << 10) + 3));
        let (low, high) = bell(&from, &to, 10, 128);
        assert_eq!(low, bell(&to, &to, 10, 128).0);
        assert_eq!(high, bell(&from, &from, 10, 128).1);
    }
}
