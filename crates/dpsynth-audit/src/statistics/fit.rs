//! Distances between draws and the distribution that they are said to come from.

use super::normal::{cdf, quantile};

/// Probability that `⌊s·Z + 1/2⌋` is at most `value`, for a standard normal Z.
fn rounded_cdf(value: f64, scale: f64) -> f64 {
    cdf((value + 0.5) / scale)
}

/// Kolmogorov–Smirnov distance between whole-numbered `draws` and the Gaussian of standard deviation
/// `scale`, rounded.
#[must_use]
pub fn distance(draws: &[f64], scale: f64) -> f64 {
    let mut sorted = draws.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    let n = sorted.len() as f64;
    let (mut worst, mut index) = (0.0f64, 0);
    while index < sorted.len() {
        let value = sorted[index];
        let below = index as f64 / n;
        index += sorted[index..]
            .partition_point(|&other| other <= value)
            .max(1);
        let upto = index as f64 / n;
        let gap = (rounded_cdf(value - 1.0, scale) - below)
            .abs()
            .max((rounded_cdf(value, scale) - upto).abs());
        // A draw that is not a number is no draw of this distribution.
        worst = worst.max(if gap.is_nan() { 1.0 } else { gap });
    }
    worst
}

/// What the distance of `count` draws from their own distribution exceeds with probability at most
/// `alpha`, for every distribution (Massart 1990).
#[must_use]
pub fn distance_limit(count: usize, alpha: f64) -> f64 {
    ((2.0 / alpha).ln() / (2.0 * count as f64)).sqrt()
}

/// Pearson's statistic. A bin that nothing fell into counts in full.
#[must_use]
pub fn chi_square(seen: &[u64], expected: &[f64]) -> f64 {
    seen.iter()
        .zip(expected)
        .map(|(&seen, &expected)| (seen as f64 - expected).powi(2) / expected)
        .sum()
}

/// What a χ² variable exceeds with probability at most `alpha` (Laurent & Massart 2000, lemma 1).
#[must_use]
pub fn chi_square_limit(degrees: usize, alpha: f64) -> f64 {
    let (degrees, x) = (degrees as f64, (1.0 / alpha).ln());
    degrees + 2.0 * (degrees * x).sqrt() + 2.0 * x
}

/// Pearson's statistic of whole-numbered `draws` over bins of a quarter of a standard deviation up to
/// 3.5 of them and the two tails beyond, with its degrees of freedom.
#[must_use]
pub fn gaussian_bins(draws: &[f64], scale: f64) -> (f64, usize) {
    let mut edges: Vec<f64> = (-14..=14)
        .map(|quarter| (f64::from(quarter) / 4.0 * scale).round())
        .collect();
    // At a small scale several fall on one number.
    edges.dedup();
    let mut seen = vec![0u64; edges.len() + 1];
    for &draw in draws {
        seen[edges.partition_point(|&edge| edge < draw)] += 1;
    }
    let last = edges[edges.len() - 1];
    let mut shares = vec![rounded_cdf(edges[0], scale)];
    shares.extend(
        edges
            .windows(2)
            .map(|pair| rounded_cdf(pair[1], scale) - rounded_cdf(pair[0], scale)),
    );
    // Symmetric, and without the rounding of 1 - Φ.
    shares.push(rounded_cdf(-last - 1.0, scale));
    let expected: Vec<f64> = shares
        .iter()
        .map(|share| share * draws.len() as f64)
        .collect();
    (chi_square(&seen, &expected), edges.len())
}

/// What the correlation of `count` pairs of independent values exceeds in magnitude with probability
/// `alpha`, in the limit of many pairs.
#[must_use]
pub fn correlation_limit(count: usize, alpha: f64) -> f64 {
    -quantile(alpha / 2.0) / (count as f64).sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_bin_counts() {
        assert_eq!(chi_square(&[10, 0], &[5.0, 5.0]), 10.0);
        assert_eq!(chi_square(&[5, 5], &[5.0, 5.0]), 0.0);
    }

    #[test]
    fn limits_are_above_the_exact_quantiles() {
        for alpha in [1e-3, 1e-6, 1e-9] {
            // One degree of freedom is Z², two are exponential.
            assert!(libm::erfc((chi_square_limit(1, alpha) / 2.0).sqrt()) <= alpha);
            assert!((-chi_square_limit(2, alpha) / 2.0).exp() <= alpha);
        }
        assert!((correlation_limit(100, 0.05) - 0.196).abs() < 1e-3);
    }

    #[test]
    fn the_distance_of_a_constant_is_what_it_is() {
        assert!(distance(&[0.0; 10], 1e-3) < 1e-12);
        assert!((distance(&[5.0; 10], 1e-3) - 1.0).abs() < 1e-12);
        assert!((distance(&[f64::NAN; 10], 1.0) - 1.0).abs() < 1e-12);
    }

    #[test]
    fn equal_shares_of_a_gaussian_pass_and_another_scale_does_not() {
        let draws: Vec<f64> = (0..20_000)
            .map(|i| (1000.0 * quantile((f64::from(i) + 0.5) / 20_000.0)).round())
            .collect();
        let rejected = |scale: f64| {
            let (statistic, degrees) = gaussian_bins(&draws, scale);
            statistic > chi_square_limit(degrees, 1e-9)
        };
        assert!(!rejected(1000.0) && rejected(920.0) && rejected(1080.0));
        assert!(distance(&draws, 1000.0) < 1e-3);
        assert!(distance(&draws, 1100.0) > 0.02);
    }
}
