//! Standard normal draws of single precision, many at a time.

use super::widest::widest;

/// Turns random words into standard normal draws (Box and Muller 1958), one row at a time.
///
/// Each row of `out` has `width` draws and is made from its own `width` words, rounded up to an
/// even number; see [`words_per_row`]. The draws lie within ±5.9 and have 24 bits: they steer a
/// model's own loss, and are not the noise that protects anyone.
///
/// # Panics
/// If there are too few words.
pub fn standard_normals(words: &[u32], width: usize, out: &mut [f32]) {
    if width == 0 {
        return;
    }
    let per_row = words_per_row(width);
    assert!(words.len() / per_row >= out.len() / width, "too few words");
    widest(
        #[inline(always)]
        || {
            for (words, out) in words.chunks_exact(per_row).zip(out.chunks_exact_mut(width)) {
                let (radii, angles) = words.split_at(per_row / 2);
                let (cosines, sines) = out.split_at_mut(per_row / 2);
                for ((&radius, &angle), out) in radii.iter().zip(angles).zip(cosines) {
                    *out = pair(radius, angle).0;
                }
                for ((&radius, &angle), out) in radii.iter().zip(angles).zip(sines) {
                    *out = pair(radius, angle).1;
                }
            }
        },
    );
}

/// Words that [`standard_normals`] reads for a row of `width` draws.
#[must_use]
pub fn words_per_row(width: usize) -> usize {
    width.next_multiple_of(2)
}

#[inline(always)]
fn pair(radius: u32, angle: u32) -> (f32, f32) {
    // OK because 24 bits fit a single-precision number, so the casts are exact.
    let uniform = ((radius >> 8) as i32 as f32 + 0.5) * (1.0 / 16_777_216.0);
    let radius = (-2.0 * ln(uniform)).sqrt();
    // Half the angle, from −π/2 to π/2.
    let half = (angle as i32 >> 8) as f32 * (std::f32::consts::PI / 16_777_216.0);
    let (sine, cosine) = sine_and_cosine(half);
    (
        radius * (1.0 - 2.0 * sine * sine),
        radius * (2.0 * sine * cosine),
    )
}

/// Natural logarithm of a normal positive number, with an absolute error below 3e-7 on (0, 1].
#[inline(always)]
fn ln(x: f32) -> f32 {
    // x = m · 2^e with m between √½ and √2.
    let bits = x.to_bits().wrapping_add(0x3f80_0000 - 0x3f35_04f3);
    let exponent = ((bits >> 23) as i32 - 127) as f32;
    let m = f32::from_bits((bits & 0x007f_ffff) + 0x3f35_04f3);
    // ln m = 2 artanh((m − 1)/(m + 1)).
    let s = (m - 1.0) / (m + 1.0);
    let square = s * s;
    let series = 1.0 / 9.0;
    let series = series * square + 1.0 / 7.0;
    let series = series * square + 1.0 / 5.0;
    let series = series * square + 1.0 / 3.0;
    let series = series * square + 1.0;
    exponent * std::f32::consts::LN_2 + 2.0 * s * series
}

/// Taylor polynomials on [−π/2, π/2], with an error below 3e-7.
#[inline(always)]
fn sine_and_cosine(x: f32) -> (f32, f32) {
    let square = x * x;
    let sine = -1.0 / 39_916_800.0;
    let sine = sine * square + 1.0 / 362_880.0;
    let sine = sine * square - 1.0 / 5040.0;
    let sine = sine * square + 1.0 / 120.0;
    let sine = sine * square - 1.0 / 6.0;
    let sine = sine * square + 1.0;
    let cosine = 1.0 / 479_001_600.0;
    let cosine = cosine * square - 1.0 / 3_628_800.0;
    let cosine = cosine * square + 1.0 / 40_320.0;
    let cosine = cosine * square - 1.0 / 720.0;
    let cosine = cosine * square + 1.0 / 24.0;
    let cosine = cosine * square - 0.5;
    let cosine = cosine * square + 1.0;
    (x * sine, cosine)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::PublicRng;

    fn words(count: usize, seed: u64) -> Vec<u32> {
        let mut rng = PublicRng::from_seed(seed);
        (0..count).map(|_| rng.next_u64() as u32).collect()
    }

    #[test]
    fn draws_are_those_of_double_precision() {
        let words = words(20_000, 1);
        let mut out = vec![0.0; 20_000];
        standard_normals(&words, 2, &mut out);
        for (words, out) in words.chunks_exact(2).zip(out.chunks_exact(2)) {
            let uniform = (f64::from(words[0] >> 8) + 0.5) / 16_777_216.0;
            let angle = f64::from(words[1] as i32 >> 8) / 16_777_216.0 * std::f64::consts::TAU;
            let radius = (-2.0 * uniform.ln()).sqrt();
            // Near radius 0 the logarithm's absolute error weighs most.
            assert!((f64::from(out[0]) - radius * angle.cos()).abs() < 1e-3_f64.min(1e-5 / radius));
            assert!((f64::from(out[1]) - radius * angle.sin()).abs() < 1e-3_f64.min(1e-5 / radius));
        }
    }

    #[test]
    fn moments_are_normal_and_rows_are_their_own() {
        let width = 5;
        let words = words(6 * 40_000, 2);
        let mut out = vec![0.0; width * 40_000];
        standard_normals(&words, width, &mut out);
        let mean = |power: i32| {
            out.iter().map(|&x| f64::from(x).powi(power)).sum::<f64>() / out.len() as f64
        };
        // 200,000 draws: six standard errors are 0.014, 0.019 and 0.13.
        assert!(mean(1).abs() < 0.014 && (mean(2) - 1.0).abs() < 0.019);
        assert!((mean(4) - 3.0).abs() < 0.14);
        let mut row = vec![0.0; width];
        standard_normals(&words[6 * 77..6 * 78], width, &mut row);
        assert_eq!(row, out[77 * width..78 * width]);
        assert!(out.iter().all(|x| x.is_finite()));
    }
}
