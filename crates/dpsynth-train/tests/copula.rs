//! A Gaussian copula fitted to noisy marginals.

mod common;

use common::{
    ROWS, SIZES, assert_those_that_meet, condition, measured, plan, survives_its_file, truth,
};
use dpsynth_privacy::{
    ChosenMarginals, Mechanism, NoiseMultiplier, PrivacyUnit, Private, PublicRng, Records, Taint,
    insecure,
};
use dpsynth_train::{
    CodeOrder, Copula, Generator, MeasurePlan, MeasuredPairs, PairChoice, fit_copula, measure,
};
use proptest::prelude::*;

/// Fits a copula to two columns of cut normal scores with a correlation, and a third by itself.
fn of_scores(correlation: f64, noise: f64, seed: u64) -> Copula {
    let mechanism = Mechanism::ChosenMarginals(ChosenMarginals {
        noise_multiplier: NoiseMultiplier::new(noise).expect("it fits"),
    });
    let mut paid = insecure::paid(PrivacyUnit::Row, vec![mechanism], Taint::FixedSeed, seed);
    let sizes = vec![30, 3, 5];
    let records = Private::load(&paid, (correlation, seed), |(correlation, seed)| {
        let mut rng = PublicRng::from_seed(seed);
        let codes = (0..ROWS).flat_map(|_| {
            let first = rng.normal();
            let second =
                correlation * first + (1.0 - correlation * correlation).sqrt() * rng.normal();
            let cell = ((first + 3.0) * 5.0).clamp(0.0, 29.0) as u16;
            [
                cell,
                u16::from(second > -0.3) + u16::from(second > 1.0),
                (rng.uniform() * 5.0) as u16,
            ]
        });
        Records::rows(vec![30, 3, 5], codes.collect())
    })
    .expect("it fits");
    let plan = MeasurePlan {
        alone: vec![Vec::new(); 3],
        codes: sizes,
        orders: vec![CodeOrder::Ordered { values: 30 }; 3],
        target: None,
        pairs: PairChoice::Alike,
        units: ROWS as f64,
        noise_stddev: noise,
        shares: common::SHARES,
    };
    let mut session = paid
        .authorize::<ChosenMarginals>()
        .expect("it fits")
        .open(&records)
        .expect("it fits");
    let measurements = measure(&plan, &mut session).expect("it fits");
    assert!(session.left() < 1e-6);
    fit_copula(&measurements, &plan.orders)
}

#[test]
fn correlations_are_found_through_any_cells() {
    for known in [-0.8, -0.3, 0.0, 0.5, 0.9] {
        let copula = of_scores(known, 2.0, 1);
        // A sample of this size is off by 0.01 to 0.02; the cells of the second column alone would
        // take a fifth off a correlation that was not corrected for them.
        assert!(
            (copula.correlation(0, 1) - known).abs() < 0.04,
            "{known} {}",
            copula.correlation(0, 1)
        );
        assert!(copula.correlation(0, 2).abs() < 0.04);
        assert!((copula.correlation(0, 0) - 1.0).abs() < 1e-5);
    }
}

#[test]
fn what_the_noise_explains_is_no_correlation() {
    let sum: f64 = (0..6)
        .map(|seed| of_scores(0.5, 3000.0, seed).correlation(0, 1).abs())
        .sum();
    assert!(sum < 2.0, "{sum}");
}

#[test]
fn single_columns_are_those_that_were_measured() {
    let plan = plan(0.5, PairChoice::Alike);
    assert_eq!(plan.outlook().pairs, MeasuredPairs::All);
    let copula = fit_copula(&measured(0.5, 1, &plan), &plan.orders);
    let rows = copula.sample(40_000, &mut PublicRng::from_seed(2));
    for column in 0..5 {
        let shares = |rows: &[u16]| {
            let mut shares = vec![0.0f64; SIZES[column] as usize];
            for row in rows.chunks_exact(5) {
                shares[usize::from(row[column])] += 5.0 / rows.len() as f64;
            }
            shares
        };
        let (drawn, known) = (shares(&rows), shares(&truth()));
        let distance: f64 = drawn.iter().zip(&known).map(|(a, b)| (a - b).abs()).sum();
        assert!(0.5 * distance < 0.04, "{column} {distance}");
    }
}

#[test]
fn a_copula_is_read_back_as_it_was_written() {
    let plan = plan(8.0, PairChoice::Alike);
    let copula = fit_copula(&measured(8.0, 2, &plan), &plan.orders);
    survives_its_file(&Generator::Copula(copula));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]
    #[test]
    fn any_noise_gives_rows_in_the_domain(noise in 0.3f64..3000.0, seed in 0u64..100) {
        let plan = plan(noise, PairChoice::Alike);
        let copula = fit_copula(&measured(noise, seed, &plan), &plan.orders);
        prop_assert_eq!(copula.domain_sizes(), SIZES);
        let rows = copula.sample(300, &mut PublicRng::from_seed(seed));
        let inside = rows.chunks_exact(5).all(|row| {
            row.iter().zip(&SIZES).all(|(&code, &size)| u32::from(code) < size)
        });
        prop_assert!(inside);
    }
}

#[test]
fn rows_given_a_condition_are_those_of_the_copula_that_meet_it() {
    let copula = of_scores(0.7, 2.0, 1);
    let sizes = copula.domain_sizes();
    let all = copula.sample(400_000, &mut PublicRng::from_seed(3));
    for (column, other) in [(0, 1), (1, 0), (2, 1)] {
        let allowed = condition(&sizes, column, other);
        let given = copula.given(&allowed).expect("possible");
        let drawn = given.sample(100_000, &mut PublicRng::from_seed(4));
        assert_those_that_meet(&allowed, &all, &drawn);
    }
    let mut never = vec![None; sizes.len()];
    never[1] = Some(vec![false; sizes[1] as usize]);
    assert!(copula.given(&never).is_none());
}
