//! OpenDP as the oracle: its sampler and its conversion, written by other people, beside ours.

use dpsynth_privacy::{
    Adjacency, Delta, DpEvent, Mechanism, NoiseMultiplier, PrivacyUnit, Private, Records, Taint,
    UnitCount, accountant, insecure,
};
use opendp::combinators::make_zCDP_to_approxDP;
use opendp::domains::AtomDomain;
use opendp::measurements::make_gaussian;
use opendp::measures::ZeroConcentratedDivergence;
use opendp::metrics::AbsoluteDistance;

#[test]
fn the_price_of_a_gaussian_is_opendps() {
    for noise_multiplier in [0.5, 1.0, 3.0, 20.0] {
        for delta in [1e-5, 1e-6, 1e-9] {
            let gaussian = make_gaussian::<_, _, ZeroConcentratedDivergence>(
                AtomDomain::<i64>::default(),
                AbsoluteDistance::<i64>::default(),
                noise_multiplier,
                None,
            )
            .unwrap();
            let profile = make_zCDP_to_approxDP(gaussian).unwrap().map(&1).unwrap();
            let theirs = profile.epsilon(delta).unwrap();
            let event = DpEvent::Gaussian { noise_multiplier };
            let ours = accountant::price(
                &event,
                Adjacency::AddOrRemoveOne,
                Delta::new(delta).unwrap(),
            )
            .unwrap();
            // OpenDP and the second accountant convert the same Rényi curve; the second takes
            // the best of a list of orders. The first is exact, and so below both.
            assert!(
                (ours.renyi / theirs - 1.0).abs() < 2e-3,
                "{noise_multiplier} {delta}: {ours:?} {theirs}"
            );
            assert!(
                ours.certified.upper < theirs,
                "{noise_multiplier} {delta}: {ours:?} {theirs}"
            );
        }
    }
}

#[test]
fn noise_is_distributed_as_opendps() {
    // Two samples of n: their empirical distributions differ by more than t with probability at
    // most 4·exp(-nt²/2) (Massart 1990, once for each sample at t/2): below 1e-9 here.
    const COUNT: usize = 6000;
    let threshold = (2.0 * (4.0f64 / 1e-9).ln() / COUNT as f64).sqrt();
    const SCALE: f64 = 9.0;
    let ours: Vec<i64> = (0..COUNT as u64)
        .map(|seed| noisy_count(SCALE, seed))
        .collect();
    assert!(distance(&ours, &theirs(SCALE, COUNT)) < threshold);
    // Negative control: twice the scale is told apart.
    assert!(distance(&ours, &theirs(2.0 * SCALE, COUNT)) > threshold);
}

/// The noise of one paid count of units, from a known seed.
fn noisy_count(scale: f64, seed: u64) -> i64 {
    let noise_multiplier = NoiseMultiplier::new(scale).unwrap();
    let mechanisms = vec![Mechanism::UnitCount(UnitCount { noise_multiplier })];
    let mut paid = insecure::paid(PrivacyUnit::Row, mechanisms, Taint::FixedSeed, seed);
    let records = Private::load(&paid, 3, |rows| Records::rows(vec![2], vec![0; rows])).unwrap();
    *paid
        .authorize::<UnitCount>()
        .unwrap()
        .count(&records)
        .unwrap()
        - 3
}

fn theirs(scale: f64, count: usize) -> Vec<i64> {
    let gaussian = make_gaussian::<_, _, ZeroConcentratedDivergence>(
        AtomDomain::<i64>::default(),
        AbsoluteDistance::<i64>::default(),
        scale,
        None,
    )
    .unwrap();
    (0..count).map(|_| gaussian.invoke(&0).unwrap()).collect()
}

/// Largest distance between two empirical distributions.
fn distance(first: &[i64], second: &[i64]) -> f64 {
    let share = |sample: &[i64], at: i64| {
        sample.iter().filter(|&&x| x <= at).count() as f64 / sample.len() as f64
    };
    (-80..=80)
        .map(|at| (share(first, at) - share(second, at)).abs())
        .fold(0.0, f64::max)
}
