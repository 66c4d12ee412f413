//! A graphical model fitted to noisy marginals, on a table whose truth is known.

mod common;

use common::{
    SIZES, assert_those_that_meet, condition, measured, plan, survives_its_file, truth, worst_pair,
};
use dpsynth_privacy::PublicRng;
use dpsynth_train::{Generator, MeasurePlan, MeasuredPairs, PairChoice, fit_graphical};
use proptest::prelude::*;

#[test]
fn the_model_draws_rows_like_those_that_were_measured() {
    let plan = plan(4.0, PairChoice::JunctionTree);
    assert_eq!(plan.outlook().pairs, MeasuredPairs::WithinClasses);
    let measurements = measured(4.0, 1, &plan);
    let model = fit_graphical(&measurements);
    // What depends on each other is joined, and the class is a parent of every other column.
    let edges = model.edges();
    let joined = |a, b| edges.contains(&(a, b)) || edges.contains(&(b, a));
    assert!(joined(0, 1) && joined(1, 2), "{edges:?}");
    assert!((0..4).all(|column| edges.contains(&(column, 4))));
    let rows = model.sample(40_000, &mut PublicRng::from_seed(2));
    let distance = worst_pair(&rows, &truth());
    // Two samples of this size from the truth are 0.03 apart; independent columns 0.3.
    assert!(distance < 0.07, "{distance}");
    // Single columns alone, which is what other measurements give, are no such model.
    let alone = fit_graphical(&measured(4.0, 1, &common::plan(4.0, PairChoice::Dependent)));
    let rows = alone.sample(40_000, &mut PublicRng::from_seed(2));
    assert!(worst_pair(&rows, &truth()) > 0.1);
}

#[test]
fn without_a_target_the_pairs_are_of_all_rows() {
    let plan = MeasurePlan {
        target: None,
        ..plan(1.0, PairChoice::JunctionTree)
    };
    let model = fit_graphical(&measured(1.0, 1, &plan));
    let rows = model.sample(40_000, &mut PublicRng::from_seed(2));
    let distance = worst_pair(&rows, &truth());
    // Groups of numbers hold both classes where these meet, which is most of this.
    assert!(distance < 0.12, "{distance}");
}

#[test]
fn less_noise_is_closer() {
    let distance = |noise| {
        let measurements = measured(noise, 7, &plan(noise, PairChoice::JunctionTree));
        let rows = fit_graphical(&measurements).sample(40_000, &mut PublicRng::from_seed(2));
        worst_pair(&rows, &truth())
    };
    let (little, much) = (distance(2.0), distance(80.0));
    assert!(2.0 * little < much, "{little} {much}");
}

#[test]
fn a_model_is_read_back_as_it_was_written() {
    let measurements = measured(8.0, 2, &plan(8.0, PairChoice::JunctionTree));
    survives_its_file(&Generator::Graphical(fit_graphical(&measurements)));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]
    #[test]
    fn any_noise_gives_rows_in_the_domain(noise in 0.3f64..3000.0, seed in 0u64..100, target in 0usize..5) {
        let plan = MeasurePlan {
            target: Some(target),
            ..plan(noise, PairChoice::JunctionTree)
        };
        let model = fit_graphical(&measured(noise, seed, &plan));
        prop_assert_eq!(model.domain_sizes(), SIZES);
        let rows = model.sample(300, &mut PublicRng::from_seed(seed));
        let inside = rows.chunks_exact(5).all(|row| {
            row.iter().zip(&SIZES).all(|(&code, &size)| u32::from(code) < size)
        });
        prop_assert!(inside);
    }
}

#[test]
fn rows_given_a_condition_are_those_of_the_model_that_meet_it() {
    let model = fit_graphical(&measured(4.0, 1, &plan(4.0, PairChoice::JunctionTree)));
    let all = model.sample(400_000, &mut PublicRng::from_seed(3));
    for (column, other) in [(0, 1), (2, 1), (4, 3), (3, 0)] {
        let allowed = condition(&SIZES, column, other);
        let given = model.given(&allowed).expect("possible");
        let drawn = given.sample(100_000, &mut PublicRng::from_seed(4));
        assert_those_that_meet(&allowed, &all, &drawn);
    }
    let mut never = vec![None; SIZES.len()];
    never[1] = Some(vec![false; SIZES[1] as usize]);
    assert!(model.given(&never).is_none());
}
