//! The draws against the exact distribution, beside draws that are wrong on purpose.
//!
//! Every test is a pure function of its seed. [`ALPHA`] is the chance that a correct sampler would
//! have been rejected, had the seed been chosen at random. The χ² statistic follows its
//! distribution in the limit only; no bin expects fewer than ten draws and few expect under a
//! thousand.

use super::RoundedGaussian;
use super::statistics::{binned, chi_square_limit, distance, distance_limit, low_bits};
use crate::random::{Purpose, SecretKey, SecretRng};

const ALPHA: f64 = 1e-9;

fn stream(seed: u64) -> SecretRng {
    SecretKey::fixed(seed).stream(Purpose::GradientNoise, 0, 0)
}

fn draws(scale: f64, count: usize, seed: u64) -> Vec<i64> {
    let mut draws = vec![0; count];
    let noise = RoundedGaussian::new(scale).unwrap();
    noise.fill(&mut draws, &mut stream(seed));
    draws
}

/// A Gaussian from single-precision arithmetic (Box & Muller 1958), as a library without care would
/// draw it.
fn careless(scale: f64, count: usize, seed: u64) -> Vec<i64> {
    let mut rng = stream(seed);
    let mut uniform = || ((rng.next_u32() >> 8) as f32 + 0.5) / 16_777_216.0;
    let mut draw = || {
        let (radius, angle) = (uniform(), uniform());
        (-2.0 * radius.ln()).sqrt() * (std::f32::consts::TAU * angle).cos()
    };
    (0..count)
        .map(|_| (draw() * scale as f32).round() as i64)
        .collect()
}

fn accepted((statistic, degrees): (f64, usize)) -> bool {
    statistic <= chi_square_limit(degrees, ALPHA)
}

#[test]
fn kolmogorov_smirnov_accepts_the_noise_and_rejects_wrong_scales() {
    const COUNT: usize = 400_000;
    let limit = distance_limit(COUNT, ALPHA);
    let scales = [
        1.0 / 1024.0,
        0.4,
        1.0,
        30.5,
        1.1e6,
        3.3 * 2f64.powi(40),
        2f64.powi(57),
    ];
    for (seed, scale) in scales.into_iter().enumerate() {
        let sample = draws(scale, COUNT, seed as u64);
        assert!(distance(&sample, scale) < limit, "scale {scale}");
        // At a thousandth, nearly all draws are 0 and a tenth more would not show.
        for wrong in [0.9, 1.1].into_iter().filter(|_| scale > 0.01) {
            assert!(distance(&sample, scale * wrong) > limit, "control {scale}");
        }
    }
}

#[test]
fn karneys_draws_are_accepted_by_the_same_test() {
    const COUNT: usize = 100_000;
    let limit = distance_limit(COUNT, ALPHA);
    for (seed, scale) in [0.4, 30.5, 3.3 * 2f64.powi(40)].into_iter().enumerate() {
        let noise = RoundedGaussian::new(scale).unwrap();
        let mut rng = stream(100 + seed as u64);
        let sample: Vec<i64> = (0..COUNT).map(|_| noise.draw_by_karney(&mut rng)).collect();
        assert!(distance(&sample, scale) < limit, "scale {scale}");
        assert!(distance(&sample, scale * 1.1) > limit, "control {scale}");
    }
}

#[test]
fn chi_square_accepts_the_noise_and_rejects_wrong_scales_and_a_cut_tail() {
    const COUNT: usize = 4_000_000;
    let scale = 2f64.powi(40);
    let mut sample = draws(scale, COUNT, 7);
    assert!(accepted(binned(&sample, scale)));
    for wrong in [0.9, 0.99, 1.01, 1.1] {
        assert!(!accepted(binned(&sample, scale * wrong)), "{wrong}");
    }
    // One draw in two thousand lies beyond 3.5 standard deviations.
    sample.retain(|&draw| (draw.abs() as f64) < 3.5 * scale);
    assert!(sample.len() < COUNT);
    assert!(!accepted(binned(&sample, scale)));
}

#[test]
fn low_bits_are_uniform_and_those_of_single_precision_are_not() {
    const COUNT: usize = 1_000_000;
    let scale = 2f64.powi(40);
    assert!(accepted(low_bits(&draws(scale, COUNT, 8))));
    let careless = careless(scale, COUNT, 8);
    // The control is a good Gaussian to the eye of a histogram: it fails on its grid alone.
    assert!(distance(&careless, scale) < distance_limit(COUNT, ALPHA));
    assert!(!accepted(low_bits(&careless)));
}

#[test]
fn the_tail_is_neither_cut_nor_fat() {
    const COUNT: usize = 4_000_000;
    let scale = 2f64.powi(40);
    let sample = draws(scale, COUNT, 99);
    for limit in [3.0, 4.0, 4.5, 5.0] {
        let expected = COUNT as f64 * libm::erfc(limit / std::f64::consts::SQRT_2);
        let beyond = |draw: &&i64| draw.unsigned_abs() as f64 > limit * scale;
        let seen = sample.iter().filter(beyond).count() as f64;
        // Chernoff: P(|X - μ| > 6.5√μ + 21) < 1e-9 for a binomial of mean μ.
        let allowed = 6.5 * expected.sqrt() + 21.0;
        assert!(
            (seen - expected).abs() < allowed,
            "{limit}: {seen} {expected}"
        );
        // A tail cut at 3.5 would have shown at 3.
        if limit == 3.0 {
            let missing = COUNT as f64 * libm::erfc(3.5 / std::f64::consts::SQRT_2);
            assert!(missing > allowed);
        }
    }
}

#[test]
fn draws_agree_with_opendps_discrete_gaussian() {
    // The two distributions differ, by a total variation that is computed here; in 20,000 draws it
    // moves the statistic by far less than its limit leaves.
    use dashu_ratio::RBig;
    use opendp::traits::samplers::sample_discrete_gaussian;
    const COUNT: usize = 20_000;
    const SCALE: i64 = 100;
    let scale = SCALE as f64;
    let weight = |k: i64| (-(k as f64 / scale).powi(2) / 2.0).exp();
    let total: f64 = (-1000..=1000).map(weight).sum();
    let variation: f64 = (-1000i64..=1000)
        .map(|k| {
            let rounded = super::statistics::cdf(k as f64, scale)
                - super::statistics::cdf(k as f64 - 1.0, scale);
            (rounded - weight(k) / total).abs() / 2.0
        })
        .sum();
    assert!(variation < 1e-5, "{variation}");

    let theirs: Vec<i64> = (0..COUNT)
        .map(|_| i64::try_from(sample_discrete_gaussian(RBig::from(SCALE)).unwrap()).unwrap())
        .collect();
    let ours = draws(scale, COUNT, 11);
    assert!(accepted(two_samples(&ours, &theirs, SCALE)));
    let wrong = draws(1.1 * scale, COUNT, 12);
    assert!(!accepted(two_samples(&wrong, &theirs, SCALE)));
}

/// Pearson's statistic of two samples of one size over bins of a quarter of a standard deviation,
/// with the tails beyond 2.5 of them.
fn two_samples(first: &[i64], second: &[i64], scale: i64) -> (f64, usize) {
    let mut bins = [[0u64; 22]; 2];
    for (bins, sample) in bins.iter_mut().zip([first, second]) {
        for draw in sample {
            bins[((draw * 4).div_euclid(scale).clamp(-11, 10) + 11) as usize] += 1;
        }
    }
    let statistic = bins[0]
        .iter()
        .zip(&bins[1])
        .map(|(&a, &b)| (a as f64 - b as f64).powi(2) / (a + b) as f64)
        .sum();
    (statistic, 21)
}
