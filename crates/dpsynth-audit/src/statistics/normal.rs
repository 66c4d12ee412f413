//! The standard normal distribution.

use libm::erfc;

/// Probability that a standard normal value is at most `x`.
#[must_use]
pub fn cdf(x: f64) -> f64 {
    0.5 * erfc(-x / std::f64::consts::SQRT_2)
}

/// The `x` that a standard normal value is below with probability `p`, for `p` in (0, 1); minus or
/// plus infinity at and beyond the ends.
#[must_use]
pub fn quantile(p: f64) -> f64 {
    if p <= 0.0 {
        return f64::NEG_INFINITY;
    }
    if p >= 1.0 {
        return f64::INFINITY;
    }
    // Small probabilities keep their digits on the left, so the right half is mirrored.
    if p > 0.5 {
        return -quantile(1.0 - p);
    }
    let (mut low, mut high) = (-40.0, 0.0);
    for _ in 0..80 {
        let middle = 0.5 * (low + high);
        if cdf(middle) < p {
            low = middle;
        } else {
            high = middle;
        }
    }
    0.5 * (low + high)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_undo_the_distribution_function() {
        for p in [1e-12, 1e-5, 0.025, 0.5, 0.841_344_746, 0.999] {
            assert!((cdf(quantile(p)) / p - 1.0).abs() < 1e-9, "{p}");
        }
        // Tabulated: Φ(1.959964) = 0.975.
        assert!((quantile(0.975) - 1.959_963_985).abs() < 1e-8);
        assert_eq!(quantile(0.0), f64::NEG_INFINITY);
        assert_eq!(quantile(1.0), f64::INFINITY);
    }
}
