use super::*;
use crate::random::{Purpose, SecretKey};

const RATES: [u64; 7] = [
    1,
    880_000,
    270_000_000,
    ONE / 2,
    ONE / 2 + 1,
    ONE - 1,
    ONE / 10,
];

fn stream(step: u32) -> SecretRng {
    SecretKey::fixed(5).stream(Purpose::PoissonSampling, step, 0)
}

#[test]
fn the_bounds_enclose_exact_fractions_closely() {
    for rate in RATES {
        let log_units = 4;
        let rarer = rate.min(ONE - rate);
        let mut steps = Cumulative::new(rarer, log_units, 256);
        // Exact: Σ C(16, i) k^i (2^32 − k)^(16 − i) over 2^512.
        let mut exact = UBig::ZERO;
        let mut choose = UBig::ONE;
        for j in 0..=16usize {
            exact += &choose * UBig::from(rarer).pow(j) * UBig::from(ONE - rarer).pow(16 - j);
            choose = choose * UBig::from(16 - j) / UBig::from(j + 1);
            assert!(&steps.low << 256 <= exact && exact <= &steps.high << 256);
            assert!(&steps.high - &steps.low < UBig::ONE << 60);
            assert_eq!(steps.advance(), j < 16);
        }
        assert_eq!(exact, UBig::ONE << 512);
    }
}

#[test]
fn the_slow_path_agrees_with_the_quick_one() {
    for rate in RATES {
        let sampler = PoissonSampler::new(rate);
        let mut rng = stream(1);
        for step in 0..300 {
            let word = stream(step).next_u64();
            assert_eq!(
                sampler.count_slowly(word, &mut rng),
                sampler.count(&mut stream(step))
            );
        }
        // At the bounds themselves, where only further digits decide.
        for &(low, high) in &sampler.bounds {
            for word in low.saturating_sub(1)..=high.saturating_add(1).min(low.saturating_add(9)) {
                let count = sampler.count_slowly(word, &mut rng);
                assert!(count <= 1 << sampler.log_units);
            }
        }
    }
}

#[test]
fn a_word_at_a_bound_falls_on_the_right_side() {
    // For rate 1/2 and 16 units nobody takes part with probability 2^-16 exactly.
    let sampler = PoissonSampler::new(ONE / 2);
    assert_eq!(sampler.log_units, 4);
    let mut rng = stream(9);
    assert_eq!(sampler.count_slowly((1 << 48) - 1, &mut rng), 0);
    assert_eq!(sampler.count_slowly(1 << 48, &mut rng), 1);
}

/// Sizes, single units and neighbouring pairs over many draws.
fn moments(rate: u64, units: usize, draws: u32) -> (f64, f64, f64) {
    let sampler = PoissonSampler::new(rate);
    let (mut total, mut squares, mut pairs) = (0.0, 0.0, 0.0);
    for step in 0..draws {
        let members = sampler.draw(units, &mut stream(step));
        assert!(members.is_sorted_by(|a, b| a < b));
        assert!(members.iter().all(|&unit| (unit as usize) < units));
        let deviation = members.len() as f64 - units as f64 * rate as f64 / ONE as f64;
        total += deviation;
        squares += deviation * deviation;
        pairs += members.windows(2).filter(|w| w[1] == w[0] + 1).count() as f64;
    }
    let count = f64::from(draws);
    (total / count, squares / count, pairs / count)
}

#[test]
fn sizes_and_pairs_are_those_of_independent_units() {
    const DRAWS: u32 = 4000;
    for (rate, units) in [(ONE / 10, 1000), (ONE / 3 * 2, 777), (ONE / 200, 5003)] {
        let q = rate as f64 / ONE as f64;
        let n = units as f64;
        let variance = n * q * (1.0 - q);
        let (mean, spread, pairs) = moments(rate, units, DRAWS);
        // Six standard errors: a correct sampler fails with probability below 1e-8.
        let error = 6.0 / f64::from(DRAWS).sqrt();
        assert!(mean.abs() < error * variance.sqrt(), "{mean}");
        assert!((spread / variance - 1.0).abs() < error * 1.5, "{spread}");
        let expected = (n - 1.0) * q * q;
        let pair_variance = n * q * q * (1.0 + 2.0 * q - 3.0 * q * q);
        assert!(
            (pairs - expected).abs() < error * pair_variance.sqrt(),
            "{pairs}"
        );
        // Negative control: a rate that is off by 2 % shows in the mean.
        let (wrong, _, _) = moments(rate - rate / 50, units, DRAWS);
        let shifted = wrong - n * (rate / 50) as f64 / ONE as f64;
        assert!(shifted.abs() > error * variance.sqrt(), "{shifted}");
    }
}

#[test]
fn every_unit_is_as_likely_as_the_next() {
    let sampler = PoissonSampler::new(ONE / 20);
    let mut seen = vec![0u32; 300];
    for step in 0..20_000 {
        for unit in sampler.draw(300, &mut stream(step)) {
            seen[unit as usize] += 1;
        }
    }
    // 1,000 expected with a standard deviation of 31; seven of them for 300 units.
    assert!(
        seen.iter().all(|&count| count.abs_diff(1000) < 216),
        "{seen:?}"
    );
}

#[test]
fn certain_and_impossible_are_exact() {
    let all: Vec<u32> = (0..100).collect();
    assert_eq!(PoissonSampler::new(ONE).draw(100, &mut stream(0)), all);
    assert!(PoissonSampler::new(ONE).draw(0, &mut stream(0)).is_empty());
    assert!(PoissonSampler::new(1).draw(1000, &mut stream(0)).is_empty());
}
