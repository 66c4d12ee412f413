//! Proportions: exact binomial tails and the intervals that they give.

use libm::lgamma;

use super::normal::quantile;

/// Lower end of the one-sided Clopper–Pearson interval: a true proportion below it shows `successes`
/// of `trials` or more with probability at most `error`.
///
/// # References
/// Clopper & Pearson (1934), *The use of confidence or fiducial limits illustrated in the case of the
/// binomial*.
#[must_use]
pub fn clopper_pearson_lower(successes: u64, trials: u64, error: f64) -> f64 {
    if successes == 0 {
        return 0.0;
    }
    // Down: the last proportion that was found to be below the end.
    solve(|p| survival(successes, trials, p) <= error).0
}

/// Upper end of the one-sided Clopper–Pearson interval: a true proportion above it shows `successes`
/// of `trials` or fewer with probability at most `error`.
#[must_use]
pub fn clopper_pearson_upper(successes: u64, trials: u64, error: f64) -> f64 {
    // What succeeds at most so often fails at least as often as the rest.
    1.0 - clopper_pearson_lower(trials - successes, trials, error)
}

/// Probability of at least `successes` in `trials` that each succeed with probability `p`.
#[must_use]
pub fn survival(successes: u64, trials: u64, p: f64) -> f64 {
    if successes == 0 {
        return 1.0;
    }
    if successes > trials {
        return 0.0;
    }
    incomplete_beta(successes as f64, (trials - successes) as f64 + 1.0, p)
}

/// Probability of exactly `successes` in `trials` that each succeed with probability `p`.
#[must_use]
pub fn probability(successes: u64, trials: u64, p: f64) -> f64 {
    let (k, n) = (successes as f64, trials as f64);
    // 0·ln 0 is 0 here.
    let power = |count: f64, p: f64| if count == 0.0 { 0.0 } else { count * p.ln() };
    (lgamma(n + 1.0) - lgamma(k + 1.0) - lgamma(n - k + 1.0) + power(k, p) + power(n - k, 1.0 - p))
        .exp()
}

/// The interval of Wilson (1927) for a proportion, at confidence `1 - error`.
#[must_use]
pub fn wilson(successes: u64, trials: u64, error: f64) -> (f64, f64) {
    if trials == 0 {
        return (0.0, 1.0);
    }
    let n = trials as f64;
    let p = successes as f64 / n;
    let z = quantile(1.0 - error / 2.0);
    let centre = (p + z * z / (2.0 * n)) / (1.0 + z * z / n);
    let half = z / (1.0 + z * z / n) * (p * (1.0 - p) / n + z * z / (4.0 * n * n)).sqrt();
    ((centre - half).max(0.0), (centre + half).min(1.0))
}

/// Halves [0, 1] until nothing is left between where `holds` and where it does not.
fn solve(holds: impl Fn(f64) -> bool) -> (f64, f64) {
    let (mut low, mut high) = (0.0, 1.0);
    for _ in 0..60 {
        let middle = 0.5 * (low + high);
        if holds(middle) {
            low = middle;
        } else {
            high = middle;
        }
    }
    (low, high)
}

/// The regularised incomplete beta function I_x(a, b), by the continued fraction of Didonato &
/// Morris (1992), evaluated as Lentz (1976) does.
fn incomplete_beta(a: f64, b: f64, x: f64) -> f64 {
    if x <= 0.0 {
        return 0.0;
    }
    if x >= 1.0 {
        return 1.0;
    }
    // The fraction converges on the side of the mean that x lies on.
    if x > (a + 1.0) / (a + b + 2.0) {
        return 1.0 - incomplete_beta(b, a, 1.0 - x);
    }
    let front =
        (lgamma(a + b) - lgamma(a) - lgamma(b) + a * x.ln() + b * libm::log1p(-x)).exp() / a;
    let apart = |value: f64| if value.abs() < TINY { TINY } else { value };
    let mut d = 1.0 / apart(1.0 - (a + b) * x / (a + 1.0));
    let (mut c, mut fraction) = (1.0, d);
    for m in 1..MOST_TERMS {
        let m = f64::from(m);
        let even = m * (b - m) * x / ((a + 2.0 * m - 1.0) * (a + 2.0 * m));
        d = 1.0 / apart(1.0 + even * d);
        c = apart(1.0 + even / c);
        fraction *= d * c;
        let odd = -(a + m) * (a + b + m) * x / ((a + 2.0 * m) * (a + 2.0 * m + 1.0));
        d = 1.0 / apart(1.0 + odd * d);
        c = apart(1.0 + odd / c);
        fraction *= d * c;
        if (d * c - 1.0).abs() < 1e-15 {
            break;
        }
    }
    (front * fraction).clamp(0.0, 1.0)
}

/// Keeps a division of the fraction finite.
const TINY: f64 = 1e-300;
/// Far more terms than 10^9 trials need.
const MOST_TERMS: u32 = 200_000;

#[cfg(test)]
mod tests {
    use super::*;

    /// The tail, term by term.
    fn summed(successes: u64, trials: u64, p: f64) -> f64 {
        (successes..=trials)
            .map(|k| probability(k, trials, p))
            .sum()
    }

    #[test]
    fn tails_are_the_sums_of_their_terms() {
        for (successes, trials) in [(0, 1), (1, 1), (3, 10), (10, 10), (40, 100), (900, 2000)] {
            for p in [0.001, 0.2, 0.45, 0.5, 0.9] {
                let (ours, exact) = (survival(successes, trials, p), summed(successes, trials, p));
                assert!((ours - exact).abs() < 1e-10, "{successes}/{trials} {p}");
            }
        }
    }

    #[test]
    fn intervals_hold_what_they_promise_and_no_more() {
        // Nothing in n trials: the exact upper end is 1 - error^(1/n).
        let upper = clopper_pearson_upper(0, 50, 0.05);
        assert!((upper - (1.0 - 0.05f64.powf(1.0 / 50.0))).abs() < 1e-9);
        assert_eq!(clopper_pearson_lower(0, 50, 0.05), 0.0);
        assert_eq!(clopper_pearson_upper(50, 50, 0.05), 1.0);
        for (successes, trials) in [(1u64, 20u64), (17, 40), (5_000, 100_000)] {
            let low = clopper_pearson_lower(successes, trials, 0.025);
            let high = clopper_pearson_upper(successes, trials, 0.025);
            assert!((survival(successes, trials, low) - 0.025).abs() < 1e-6);
            assert!((1.0 - survival(successes + 1, trials, high) - 0.025).abs() < 1e-6);
            // Negative control: another error gives another end.
            assert!(clopper_pearson_lower(successes, trials, 0.05) > low);
        }
        // A textbook value: 10 of 20 at 95 %: Wilson 0.299 to 0.701.
        let (low, high) = wilson(10, 20, 0.05);
        assert!((low - 0.2993).abs() < 1e-3 && (high - 0.7007).abs() < 1e-3);
        assert_eq!(wilson(0, 0, 0.05), (0.0, 1.0));
    }
}
