//! What an attack can find, before it is run.

use crate::attack::pair::Pair;
use crate::statistics::{cdf, clopper_pearson_lower, clopper_pearson_upper};

/// The largest factor on the noise of `pair` that an attack with `runs` judged runs in each world
/// finds with probability 0.9 at least, at error `error`, to a hundredth.
///
/// Rounded down: a hundredth closer to 1 may or may not be found.
#[must_use]
pub fn smallest_found(pair: Pair, runs: usize, error: f64) -> f64 {
    let (mut low, mut high) = (0u32, 100u32);
    while high - low > 1 {
        let middle = u32::midpoint(low, high);
        if finds(pair, f64::from(middle) / 100.0, runs, error) {
            low = middle;
        } else {
            high = middle;
        }
    }
    f64::from(low) / 100.0
}

/// Whether some threshold tells `factor` times the noise from the claim with probability 0.9.
fn finds(pair: Pair, factor: f64, runs: usize, error: f64) -> bool {
    let true_pair = pair.with_noise_times(factor);
    let n = runs as f64;
    (-8..=16).any(|quarter| {
        let level = cdf(-f64::from(quarter) / 4.0);
        let power = true_pair.power(level);
        // Counts as unlucky as one in twenty, in either world.
        let unlucky = |p: f64, sign: f64| {
            let deviation = (p * (1.0 - p) / n).sqrt();
            ((p + sign * 1.645 * deviation).clamp(0.0, 1.0) * n).round() as u64
        };
        let (wrong, right) = (unlucky(level, 1.0), unlucky(power, -1.0));
        let level_high = clopper_pearson_upper(wrong.min(runs as u64), runs as u64, error / 2.0);
        let power_low = clopper_pearson_lower(right, runs as u64, error / 2.0);
        power_low > pair.power(level_high)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn more_runs_find_smaller_faults() {
        let pair = Pair::gaussian(2.0);
        let few = smallest_found(pair, 500, 1e-6);
        let many = smallest_found(pair, 50_000, 1e-6);
        assert!(few < many && few > 0.1 && many > 0.85 && many < 1.0);
    }
}
