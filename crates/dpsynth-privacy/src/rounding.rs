//! Arithmetic that says which way it errs.
//!
//! What was spent rounds up. Each function returns the exact result where a float holds it, and
//! otherwise the neighbour on the side that its name says.
//!
//! NaN stays NaN: the caller's constructor of a privacy number refuses it.

/// Returns a float at or above `a + b`, at most one step away.
pub(crate) fn add_up(a: f64, b: f64) -> f64 {
    let sum = a + b;
    // The error of a float addition is itself a float: Knuth (1969), TwoSum.
    let shifted = sum - a;
    let error = (a - (sum - shifted)) + (b - shifted);
    // Up: a NaN error means that an infinity took part, and then one step up is right too.
    if error <= 0.0 { sum } else { sum.next_up() }
}

/// Returns a float at or above `a * b`, at most one step away.
pub(crate) fn mul_up(a: f64, b: f64) -> f64 {
    let product = a * b;
    if a == 0.0 || b == 0.0 {
        return product;
    }
    let error = a.mul_add(b, -product);
    let exact = error <= 0.0 && product.abs() > SMALLEST_WITH_EXACT_ERROR;
    // Up: also where the error itself could have been lost to underflow.
    if exact { product } else { product.next_up() }
}

/// 2^-960: the error of a product or quotient above it is at least 2^-1066, so it is a float.
const SMALLEST_WITH_EXACT_ERROR: f64 = f64::from_bits((1023 - 960) << 52);

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn exact_results_stay_exact() {
        assert_eq!(add_up(0.5, 0.5), 1.0);
        assert_eq!(add_up(1.0, -0.25), 0.75);
        assert_eq!(mul_up(3.0, 0.125), 0.375);
        assert_eq!(mul_up(0.0, 7.0), 0.0);
    }

    #[test]
    fn inexact_results_move_one_step() {
        assert_eq!(add_up(1.0, 1e-30), 1.0f64.next_up());
        assert_eq!(add_up(1.0, -1e-30), 1.0);
        assert!(mul_up(0.1, 0.1) > -mul_up(-0.1, 0.1));
        assert!(mul_up(1e-200, 1e-200) > 0.0);
    }

    #[test]
    fn nan_and_overflow_are_never_comfortable() {
        assert!(add_up(f64::NAN, 1.0).is_nan());
        assert!(mul_up(f64::NAN, 1.0).is_nan());
        assert_eq!(add_up(f64::MAX, f64::MAX), f64::INFINITY);
        assert_eq!(mul_up(f64::MAX, 2.0), f64::INFINITY);
    }

    proptest! {
        #[test]
        fn results_are_at_or_one_step_above_the_exact_one(a in -(1i64 << 40)..1i64 << 40, b in -(1i64 << 40)..1i64 << 40) {
            // Sums and products of these integers are exact in 128 bits; shifting one operand
            // down makes the float results inexact.
            let shift = 2f64.powi(-30);
            let shifted = |exact: i128, up: f64| {
                let up = (up * 2f64.powi(30)).ceil() as i128;
                let step = (exact.unsigned_abs() >> 51) as i128 + 1;
                exact <= up && up <= exact + step
            };
            prop_assert!(shifted((i128::from(a) << 30) + i128::from(b), add_up(a as f64, b as f64 * shift)));
            prop_assert!(shifted(i128::from(a) * i128::from(b), mul_up(a as f64, b as f64 * shift)));
        }
    }
}
