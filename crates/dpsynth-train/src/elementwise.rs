//! Element-wise functions over rows, written so that the compiler vectorises them.
//!
//! No function looks at more than one row, and none fuses a multiplication with an addition, so
//! a row's bits do not depend on its neighbours, on alignment or on the width of vectors.

/// Returns e^x for x clamped to ±[`EXP_LIMIT`], with a relative error below 2e-7; NaN stays NaN.
///
/// The clamp keeps a softmax of a row finite without a pass for its maximum: e^70 times
/// the largest domain is still a finite single-precision number.
#[inline(always)]
pub(crate) fn exp(x: f32) -> f32 {
    let x = x.clamp(-EXP_LIMIT, EXP_LIMIT);
    // Adding 1.5 · 2^23 rounds to the nearest integer and leaves it in the low bits.
    let shifted = x * std::f32::consts::LOG2_E + ROUNDER;
    let n = shifted - ROUNDER;
    // ln 2 in two parts (Cody & Waite 1980), so that the reduction loses no bits.
    let r = (x - n * LN_2_HIGH) - n * LN_2_LOW;
    // Taylor polynomial of degree 7 on |r| <= ln(2)/2; its remainder is below 6e-9.
    let p = 1.0 / 5040.0;
    let p = p * r + 1.0 / 720.0;
    let p = p * r + 1.0 / 120.0;
    let p = p * r + 1.0 / 24.0;
    let p = p * r + 1.0 / 6.0;
    let p = p * r + 0.5;
    let p = p * r + 1.0;
    let p = p * r + 1.0;
    // 2^n: the rounder's own low bits are zero, so the shift leaves n in the exponent field.
    p * f32::from_bits((shifted.to_bits() << 23).wrapping_add(ONE_BITS))
}

/// Replaces every value by its exponential.
#[inline(always)]
pub(crate) fn exp_in_place(values: &mut [f32]) {
    for value in values {
        *value = exp(*value);
    }
}

/// Adds up a slice in eight interleaved sums: a fixed order that vectorises.
#[inline(always)]
pub(crate) fn sum(values: &[f32]) -> f32 {
    let mut lanes = [0.0f32; 8];
    let mut chunks = values.chunks_exact(8);
    for chunk in &mut chunks {
        for (lane, value) in lanes.iter_mut().zip(chunk) {
            *lane += value;
        }
    }
    for (lane, value) in lanes.iter_mut().zip(chunks.remainder()) {
        *lane += value;
    }
    ((lanes[0] + lanes[4]) + (lanes[2] + lanes[6]))
        + ((lanes[1] + lanes[5]) + (lanes[3] + lanes[7]))
}

/// Replaces negative values by zero; NaN becomes zero too.
#[inline(always)]
pub(crate) fn relu_in_place(values: &mut [f32]) {
    for value in values {
        *value = value.max(0.0);
    }
}

/// Sets the gradient to zero where the unit was off.
#[inline(always)]
pub(crate) fn relu_gradient(activations: &[f32], gradients: &mut [f32]) {
    for (gradient, &activation) in gradients.iter_mut().zip(activations) {
        *gradient = if activation > 0.0 { *gradient } else { 0.0 };
    }
}

/// Largest magnitude that [`exp`] takes as it is.
pub(crate) const EXP_LIMIT: f32 = 70.0;
const ROUNDER: f32 = 12_582_912.0;
const ONE_BITS: u32 = 0x3f80_0000;
const LN_2_HIGH: f32 = 355.0 / 512.0;
const LN_2_LOW: f32 = -2.121_944_4e-4;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exp_is_within_its_stated_error() {
        let mut worst = 0.0f64;
        for i in -700_000..=700_000 {
            let x = i as f32 * 1e-4;
            let exact = f64::from(x).exp();
            worst = worst.max((f64::from(exp(x)) / exact - 1.0).abs());
        }
        assert!(worst < 2e-7, "{worst}");
        assert_eq!(exp(0.0), 1.0);
    }

    #[test]
    fn exp_is_finite_or_nan_everywhere() {
        assert_eq!(exp(f32::INFINITY), exp(EXP_LIMIT));
        assert_eq!(exp(f32::NEG_INFINITY), exp(-EXP_LIMIT));
        assert_eq!(exp(f32::MAX), exp(EXP_LIMIT));
        assert!(exp(f32::NAN).is_nan());
        assert!((exp(EXP_LIMIT) * 65_536.0).is_finite());
    }

    #[test]
    fn exp_has_the_same_bits_at_every_place_of_a_slice() {
        let values: Vec<f32> = (0..37).map(|i| (i as f32 - 20.0) * 0.37).collect();
        for start in 0..values.len() {
            let mut tail = values[start..].to_vec();
            exp_in_place(&mut tail);
            for (got, x) in tail.iter().zip(&values[start..]) {
                assert_eq!(got.to_bits(), exp(*x).to_bits());
            }
        }
    }

    #[test]
    fn sum_adds_every_value() {
        for n in 0..40 {
            let values: Vec<f32> = (1..=n).map(|i| i as f32).collect();
            assert_eq!(sum(&values), (n * (n + 1) / 2) as f32);
        }
    }
}
