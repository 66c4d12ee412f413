//! What the tests of the noise measure with: distances to the exact distribution, and limits that a
//! correct sampler exceeds with a stated probability.

use libm::erfc;

/// Probability that `⌊s·Z + 1/2⌋` is at most `value`.
pub(super) fn cdf(value: f64, scale: f64) -> f64 {
    0.5 * erfc(-(value + 0.5) / scale / std::f64::consts::SQRT_2)
}

/// Kolmogorov–Smirnov distance between `draws` and the Gaussian of standard deviation `scale`,
/// rounded.
pub(super) fn distance(draws: &[i64], scale: f64) -> f64 {
    let mut sorted = draws.to_vec();
    sorted.sort_unstable();
    let n = sorted.len() as f64;
    let (mut worst, mut index) = (0.0f64, 0);
    while index < sorted.len() {
        let value = sorted[index];
        let below = index as f64 / n;
        index += sorted[index..].partition_point(|&other| other == value);
        let upto = index as f64 / n;
        worst = worst
            .max((cdf(value as f64 - 1.0, scale) - below).abs())
            .max((cdf(value as f64, scale) - upto).abs());
    }
    worst
}

/// What the distance of `count` draws from their own distribution exceeds with probability at most
/// `alpha` (Massart 1990: 2·exp(-2nt²), for every distribution, discrete ones included).
pub(super) fn distance_limit(count: usize, alpha: f64) -> f64 {
    ((2.0 / alpha).ln() / (2.0 * count as f64)).sqrt()
}

/// Pearson's statistic. A bin that nothing fell into counts in full.
pub(super) fn chi_square(seen: &[u64], expected: &[f64]) -> f64 {
    assert_eq!(seen.len(), expected.len());
    seen.iter()
        .zip(expected)
        .map(|(&seen, &expected)| (seen as f64 - expected).powi(2) / expected)
        .sum()
}

/// What a χ² variable exceeds with probability at most `alpha` (Laurent & Massart 2000, lemma 1).
pub(super) fn chi_square_limit(degrees: usize, alpha: f64) -> f64 {
    let (degrees, x) = (degrees as f64, (1.0 / alpha).ln());
    degrees + 2.0 * (degrees * x).sqrt() + 2.0 * x
}

/// Pearson's statistic of `draws` over bins of an eighth of a standard deviation up to 4.5 of them,
/// and the two tails beyond; with its degrees of freedom.
pub(super) fn binned(draws: &[i64], scale: f64) -> (f64, usize) {
    let edges: Vec<i64> = (-36..=36)
        .map(|eighth| (f64::from(eighth) / 8.0 * scale).round() as i64)
        .collect();
    let mut seen = vec![0u64; edges.len() + 1];
    for &draw in draws {
        seen[edges.partition_point(|&edge| edge < draw)] += 1;
    }
    let upto = |edge: i64| cdf(edge as f64, scale);
    let mut expected: Vec<f64> = edges.windows(2).map(|w| upto(w[1]) - upto(w[0])).collect();
    expected.insert(0, upto(edges[0]));
    // Symmetric, and without the rounding of 1 - Φ.
    expected.push(cdf(-(edges[72] as f64) - 1.0, scale));
    for share in &mut expected {
        *share *= draws.len() as f64;
    }
    (chi_square(&seen, &expected), edges.len())
}

/// Pearson's statistic of the lowest six bits against the uniform distribution: what is left of a
/// Gaussian of a standard deviation of thousands, to within 10^-300 (its Fourier coefficients).
pub(super) fn low_bits(draws: &[i64]) -> (f64, usize) {
    let mut seen = [0u64; 64];
    for &draw in draws {
        seen[(draw & 63) as usize] += 1;
    }
    (chi_square(&seen, &[draws.len() as f64 / 64.0; 64]), 63)
}

mod tests {
    use super::*;

    #[test]
    fn an_empty_bin_counts() {
        assert_eq!(chi_square(&[10, 0], &[5.0, 5.0]), 10.0);
        assert_eq!(chi_square(&[5, 5], &[5.0, 5.0]), 0.0);
    }

    #[test]
    fn limits_are_above_the_exact_quantiles() {
        // The exact quantile for one degree of freedom is that of Z²: erfc(√(x/2)).
        for alpha in [1e-3, 1e-6, 1e-9] {
            let limit = chi_square_limit(1, alpha);
            assert!(libm::erfc((limit / 2.0).sqrt()) <= alpha);
            // And for two: exp(-x/2).
            assert!((-chi_square_limit(2, alpha) / 2.0).exp() <= alpha);
        }
    }

    #[test]
    fn the_distance_of_a_constant_is_what_it_is() {
        assert!((distance(&[0; 10], 1e-3) - 0.0).abs() < 1e-12);
        assert!((distance(&[5; 10], 1e-3) - 1.0).abs() < 1e-12);
    }
}
