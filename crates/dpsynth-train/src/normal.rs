//! The standard normal distribution.

/// Probability of at most `x` (Marsaglia 2004, "Evaluating the normal distribution"), to about
/// 10^-15 absolutely.
pub(crate) fn cdf(x: f64) -> f64 {
    if x.abs() > FARTHEST {
        return if x > 0.0 { 1.0 } else { 0.0 };
    }
    let (mut sum, mut term, mut odd) = (x, x, 1.0);
    loop {
        odd += 2.0;
        term *= x * x / odd;
        let next = sum + term;
        // Not unequal, so that what is no number ends here too.
        if !(next - sum).abs().gt(&0.0) {
            break;
        }
        sum = next;
    }
    let density = (-0.5 * x * x).exp() / (2.0 * std::f64::consts::PI).sqrt();
    (0.5 + sum * density).clamp(0.0, 1.0)
}

/// The number of which `probability` is at most, by bisection between the farthest ones.
pub(crate) fn quantile(probability: f64) -> f64 {
    let (mut below, mut above) = (-FARTHEST, FARTHEST);
    for _ in 0..BISECTIONS {
        let middle = 0.5 * (below + above);
        if cdf(middle) < probability {
            below = middle;
        } else {
            above = middle;
        }
    }
    0.5 * (below + above)
}

/// Deviations beyond which nothing is told from certainty.
const FARTHEST: f64 = 8.0;
const BISECTIONS: usize = 50;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_values_are_met() {
        // Abramowitz & Stegun (1964), table 26.1.
        for (x, known) in [
            (0.0, 0.5),
            (0.5, 0.691_462_461_274_013),
            (1.0, 0.841_344_746_068_543),
            (1.96, 0.975_002_104_851_780),
            (3.0, 0.998_650_101_968_370),
        ] {
            assert!((cdf(x) - known).abs() < 1e-14, "{x}");
            assert!((cdf(-x) - (1.0 - known)).abs() < 1e-14, "{x}");
        }
        assert_eq!((cdf(40.0), cdf(-40.0)), (1.0, 0.0));
        assert!(cdf(f64::NAN).is_nan());
    }

    #[test]
    fn quantiles_are_the_inverse() {
        for x in [-4.0, -1.3, 0.0, 0.2, 2.5] {
            assert!((quantile(cdf(x)) - x).abs() < 1e-9);
        }
        assert!(quantile(0.0) < -7.9 && quantile(1.0) > 7.9);
    }
}
