//! Laws that every accountant keeps, closed forms, and refusals.

use proptest::prelude::*;
use proptest::test_runner::RngSeed;

use super::*;
use crate::numbers::NoiseMultiplier;

/// Relative room for the bounds, which are this near the exact price and not monotone below that.
const SLACK: f64 = 1.0 + 2e-4;

const BOTH: [Adjacency; 2] = [Adjacency::AddOrRemoveOne, Adjacency::ReplaceOne];

fn gaussian(noise_multiplier: f64) -> DpEvent {
    DpEvent::Gaussian { noise_multiplier }
}

fn sampled(sampling_probability: f64, noise_multiplier: f64) -> DpEvent {
    DpEvent::PoissonSampled {
        sampling_probability,
        event: Box::new(gaussian(noise_multiplier)),
    }
}

fn repeated(event: DpEvent, count: u32) -> DpEvent {
    DpEvent::SelfComposed {
        event: Box::new(event),
        count,
    }
}

fn composed(events: Vec<DpEvent>) -> DpEvent {
    DpEvent::Composed { events }
}

fn at(delta: f64) -> Delta {
    Delta::new(delta).expect("a delta")
}

fn price(event: &DpEvent, adjacency: Adjacency, delta: f64) -> f64 {
    epsilon(event, adjacency, at(delta)).expect("a price")
}

/// The exact privacy of one Gaussian mechanism with sensitivity over standard deviation
/// `mean`: Balle & Wang (2018), arXiv 1805.06530, theorem 8.
mod closed_form {
    pub(super) fn delta(mean: f64, epsilon: f64) -> f64 {
        let spread = epsilon / mean;
        normal(mean / 2.0 - spread) - (epsilon + log_normal(-mean / 2.0 - spread)).exp()
    }

    pub(super) fn epsilon(mean: f64, target: f64) -> f64 {
        let (mut low, mut high) = (0.0, 1e6);
        for _ in 0..200 {
            let middle = (low + high) / 2.0;
            if delta(mean, middle) > target {
                low = middle;
            } else {
                high = middle;
            }
        }
        low
    }

    /// The standard normal distribution function.
    pub(super) fn normal(x: f64) -> f64 {
        if x > 0.0 {
            1.0 - log_normal(-x).exp()
        } else {
            log_normal(x).exp()
        }
    }

    /// Its logarithm at `x` ≤ 0: a series near 0, Laplace's continued fraction in the tail.
    fn log_normal(x: f64) -> f64 {
        assert!(x <= 0.0);
        let log_density = -x * x / 2.0 - (2.0 * std::f64::consts::PI).ln() / 2.0;
        if x > -3.0 {
            let (mut term, mut sum) = (-x, -x);
            for k in 1..200 {
                term *= x * x / f64::from(2 * k + 1);
                sum += term;
            }
            (0.5 - log_density.exp() * sum).ln()
        } else {
            let fraction = (1..300).rev().fold(-x, |tail, k| -x + f64::from(k) / tail);
            log_density - fraction.ln()
        }
    }

    #[test]
    fn the_oracle_knows_published_values() {
        // Φ(-1), Φ(-5) and the two cases of the vectors that are one Gaussian.
        assert!((normal(-1.0) - 0.158_655_253_931_457_05).abs() < 1e-15);
        assert!((normal(-5.0) / 2.866_515_718_791_939e-7 - 1.0).abs() < 1e-12);
        assert!((epsilon(1.0, 1e-5) - 4.377_178).abs() < 1e-6);
        assert!((epsilon(10f64.sqrt() / 0.3, 1e-12) - 128.940_199).abs() < 1e-5);
    }
}

#[test]
fn nothing_costs_nothing() {
    let nothing = [
        composed(Vec::new()),
        composed(vec![composed(Vec::new())]),
        repeated(composed(Vec::new()), 7),
    ];
    for (event, adjacency) in nothing
        .iter()
        .flat_map(|it| BOTH.map(|adjacency| (it, adjacency)))
    {
        assert_eq!(price(event, adjacency, 1e-6), 0.0);
        let one = Epsilon::new(1.0).expect("an epsilon");
        assert_eq!(delta(event, adjacency, one), Ok(0.0));
    }
}

#[test]
fn something_costs_something_however_little() {
    for adjacency in BOTH {
        for event in [
            gaussian(262_144.0),
            sampled(1e-300, 262_144.0),
            sampled(2f64.powi(-32), 1000.0),
        ] {
            assert!(price(&event, adjacency, 0.999) > 0.0);
            let large = Epsilon::new(1e6).expect("an epsilon");
            assert!(delta(&event, adjacency, large).expect("a delta") > 0.0);
        }
    }
}

#[test]
fn what_has_no_bound_is_refused_at_any_depth() {
    let refused = [
        (DpEvent::NonPrivate, AccountingError::NotPrivate),
        (
            composed(vec![
                gaussian(1.0),
                repeated(composed(vec![DpEvent::NonPrivate]), 2),
            ]),
            AccountingError::NotPrivate,
        ),
        (
            DpEvent::PoissonSampled {
                sampling_probability: 0.5,
                event: Box::new(DpEvent::NonPrivate),
            },
            AccountingError::NotPrivate,
        ),
        (
            DpEvent::PoissonSampled {
                sampling_probability: 0.5,
                event: Box::new(composed(Vec::new())),
            },
            AccountingError::Unsupported {
                event: "ComposedDpEvent",
                outer: "PoissonSampledDpEvent",
            },
        ),
        (
            DpEvent::PoissonSampled {
                sampling_probability: 1.0,
                event: Box::new(sampled(0.5, 1.0)),
            },
            AccountingError::Unsupported {
                event: "PoissonSampledDpEvent",
                outer: "PoissonSampledDpEvent",
            },
        ),
        (
            repeated(
                repeated(repeated(gaussian(1.0), u32::MAX), u32::MAX),
                u32::MAX,
            ),
            AccountingError::TooManySteps,
        ),
    ];
    for (event, error) in refused {
        for adjacency in BOTH {
            assert_eq!(epsilon(&event, adjacency, at(1e-6)), Err(error.clone()));
        }
    }
}

#[test]
fn invalid_numbers_are_refused() {
    for number in [
        0.0,
        -1.0,
        f64::NAN,
        f64::INFINITY,
        f64::NEG_INFINITY,
        f64::MIN_POSITIVE,
        1e300,
    ] {
        let refused = epsilon(&gaussian(number), Adjacency::AddOrRemoveOne, at(1e-6));
        assert!(
            matches!(refused, Err(AccountingError::Number(_))),
            "noise multiplier {number}"
        );
    }
    for number in [0.0, -0.5, 1.0f64.next_up(), f64::NAN, f64::INFINITY] {
        let refused = epsilon(&sampled(number, 1.0), Adjacency::AddOrRemoveOne, at(1e-6));
        assert!(
            matches!(refused, Err(AccountingError::Number(_))),
            "sampling probability {number}"
        );
    }
    let refused = epsilon(
        &repeated(gaussian(1.0), 0),
        Adjacency::AddOrRemoveOne,
        at(1e-6),
    );
    assert!(
        matches!(refused, Err(AccountingError::Number(_))),
        "no repetitions"
    );
}

#[test]
fn an_event_too_large_for_memory_is_refused_by_its_number() {
    for adjacency in BOTH {
        let event = repeated(sampled(0.9, 1.0 / 64.0), u32::MAX);
        let refused = epsilon(&event, adjacency, at(1e-6)).expect_err("too large");
        assert_eq!(refused.code(), "DPS0119");
        assert!(refused.to_string().contains("4294967295"), "{refused}");
    }
}

#[test]
fn the_order_and_nesting_of_composition_do_not_matter() {
    let (a, b) = (sampled(0.01, 1.1), gaussian(7.0));
    let orders = [
        composed(vec![repeated(a.clone(), 3), b.clone()]),
        composed(vec![
            b.clone(),
            a.clone(),
            composed(vec![repeated(a.clone(), 2)]),
        ]),
        composed(vec![a.clone(), a.clone(), b, a]),
    ];
    for adjacency in BOTH {
        let prices = orders
            .each_ref()
            .map(|event| price(event, adjacency, 1e-6).to_bits());
        assert!(prices.iter().all(|&it| it == prices[0]));
    }
}

#[test]
fn sampling_everyone_is_no_sampling() {
    for adjacency in BOTH {
        assert_eq!(
            price(&sampled(1.0, 2.0), adjacency, 1e-6),
            price(&gaussian(2.0), adjacency, 1e-6)
        );
    }
    // Continuity: nearly everyone costs nearly the same, by another formula.
    for noise_multiplier in [0.15, 0.5, 1.0, 4.0, 50.0] {
        let all = price(&gaussian(noise_multiplier), Adjacency::AddOrRemoveOne, 1e-6);
        let nearly = price(
            &sampled(1.0 - 1e-12, noise_multiplier),
            Adjacency::AddOrRemoveOne,
            1e-6,
        );
        assert!(
            (nearly / all - 1.0).abs() < 1e-4,
            "{noise_multiplier}: {nearly} and {all}"
        );
    }
}

#[test]
fn a_single_step_of_a_sample_is_above_its_closed_form() {
    // Amplification by subsampling is exact for removal: Balle, Barthe & Gaboardi (2018), arXiv
    // 1807.01647, theorem 8.
    for (rate, noise_multiplier, delta) in [(0.01, 1.0, 1e-6), (0.2, 0.5, 1e-5), (0.5, 3.0, 1e-8)] {
        let inner = closed_form::epsilon(1.0 / noise_multiplier, delta / rate);
        let exact = (rate * inner.exp_m1()).ln_1p();
        let price = price(
            &sampled(rate, noise_multiplier),
            Adjacency::AddOrRemoveOne,
            delta,
        );
        assert!(price >= exact, "{price} below {exact}");
    }
}

#[test]
fn a_profile_is_the_price_at_each_delta() {
    let event = repeated(sampled(0.02, 1.3), 200);
    let deltas = [1e-9, 1e-6, 1e-3].map(at);
    let profile = profile(&event, Adjacency::ReplaceOne, &deltas).expect("a profile");
    assert_eq!(profile.len(), 3);
    for (delta, epsilon) in profile {
        assert_eq!(epsilon, price(&event, Adjacency::ReplaceOne, delta.value()));
    }
}

#[test]
fn calibrated_noise_holds_and_less_does_not() {
    for adjacency in BOTH {
        for (target, delta) in [(0.1, 1e-6), (1.0, 1e-5), (10.0, 1e-9)] {
            let build = |noise: NoiseMultiplier| repeated(sampled(0.01, noise.value()), 1000);
            let goal = Epsilon::new(target).expect("an epsilon");
            let noise = calibrate(build, adjacency, goal, at(delta)).expect("noise");
            assert!(price(&build(noise), adjacency, delta) <= target);
            let less = NoiseMultiplier::new(noise.value() * 0.9997).expect("noise");
            assert!(price(&build(less), adjacency, delta) > target);
        }
    }
}

#[test]
fn calibrated_noise_of_a_long_run_holds_and_less_does_not() {
    // Long enough that the search composes its estimates.
    let goal = Epsilon::new(3.5).expect("an epsilon");
    let build = |noise: NoiseMultiplier| repeated(sampled(0.001, noise.value()), 100_000);
    let noise = calibrate(build, Adjacency::AddOrRemoveOne, goal, at(1e-8)).expect("noise");
    let cost = |noise: f64| {
        let noise = NoiseMultiplier::new(noise).expect("noise");
        price(&build(noise), Adjacency::AddOrRemoveOne, 1e-8)
    };
    assert!(cost(noise.value()) <= goal.value());
    assert!(cost(noise.value() * (1.0 - 3e-5)) > goal.value());
}

#[test]
fn a_target_out_of_reach_is_refused_with_its_number() {
    let build = |noise: NoiseMultiplier| composed(vec![gaussian(1.0), gaussian(noise.value())]);
    let goal = Epsilon::new(0.25).expect("an epsilon");
    let refused =
        calibrate(build, Adjacency::AddOrRemoveOne, goal, at(1e-6)).expect_err("out of reach");
    assert_eq!(refused.code(), "DPS0114");
    assert!(
        refused.to_string().contains("epsilon 0.25 at delta 1e-6"),
        "{refused}"
    );

    let goal = Epsilon::new(1e6).expect("an epsilon");
    let least = calibrate(
        |noise| gaussian(noise.value()),
        Adjacency::AddOrRemoveOne,
        goal,
        at(0.5),
    );
    assert_eq!(least, Ok(NoiseMultiplier::SMALLEST));
    let no_noise = |_: NoiseMultiplier| DpEvent::NonPrivate;
    assert_eq!(
        calibrate(no_noise, Adjacency::AddOrRemoveOne, goal, at(0.5)),
        Err(AccountingError::NotPrivate)
    );
}

#[test]
fn codes_are_distinct_and_listed() {
    let errors = [
        AccountingError::Contradiction {
            lower: 1.0,
            upper: 1.0,
            renyi: 0.5,
        },
        AccountingError::DeltaTooSmall {
            delta: 0.1,
            spent: 0.2,
        },
        AccountingError::NotConverged { target: 1.0 },
        AccountingError::NotFinite,
        AccountingError::NotPrivate,
        AccountingError::OutOfReach {
            target: 1.0,
            delta: 0.1,
            largest: 1.0,
            reached: 2.0,
        },
        AccountingError::TooFine {
            name: "count",
            value: 1.0,
        },
        AccountingError::TooManySteps,
        AccountingError::Unsupported {
            event: "a",
            outer: "b",
        },
    ];
    assert_eq!(errors.map(|it| it.code()), AccountingError::CODES);
}

proptest! {
    // A fixed seed: the suite is a pure function of the source.
    #![proptest_config(ProptestConfig { cases: 6, rng_seed: RngSeed::Fixed(0x6163_636f), failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn prices_rise_with_what_is_taken(
        log_rate in -7.0..-0.01f64,
        log_noise in -1.0..3.0f64,
        steps in 1..2_000u32,
        log_delta in -30.0..-1.0f64,
        more in 1.001..3.0f64,
        both in 0..2usize,
    ) {
        let adjacency = BOTH[both];
        let (rate, noise, delta) = (log_rate.exp(), log_noise.exp(), log_delta.exp());
        let base = price(&repeated(sampled(rate, noise), steps), adjacency, delta);
        prop_assert!(base > 0.0 && base.is_finite());

        let noisier = price(&repeated(sampled(rate, noise * more), steps), adjacency, delta);
        prop_assert!(noisier <= base * SLACK, "noise: {noisier} above {base}");
        let rarer = price(&repeated(sampled(rate / more, noise), steps), adjacency, delta);
        prop_assert!(rarer <= base * SLACK, "rate: {rarer} above {base}");
        let longer = price(&repeated(sampled(rate, noise), steps * 2), adjacency, delta);
        prop_assert!(longer * SLACK >= base, "steps: {longer} below {base}");
        let stricter = price(&repeated(sampled(rate, noise), steps), adjacency, delta / more);
        prop_assert!(stricter * SLACK >= base, "delta: {stricter} below {base}");
        let everyone = price(&repeated(gaussian(noise), steps), adjacency, delta);
        prop_assert!(everyone * SLACK >= base, "everyone: {everyone} below {base}");
        let with_another = price(&composed(vec![repeated(sampled(rate, noise), steps), gaussian(noise)]), adjacency, delta);
        prop_assert!(with_another * SLACK >= base, "composition: {with_another} below {base}");
    }

    #[test]
    fn replacing_costs_at_least_as_much_as_removing(
        log_rate in -7.0..0.0f64,
        log_noise in -1.0..3.0f64,
        steps in 1..2_000u32,
        log_delta in -30.0..-1.0f64,
    ) {
        let event = repeated(sampled(log_rate.exp(), log_noise.exp()), steps);
        let [remove, replace] = BOTH.map(|adjacency| price(&event, adjacency, log_delta.exp()));
        prop_assert!(replace * SLACK >= remove, "{replace} below {remove}");
        // One unit replaced is one removed and one added: twice the sensitivity bounds it.
        let everyone = price(&repeated(gaussian(log_noise.exp()), steps), Adjacency::ReplaceOne, log_delta.exp());
        prop_assert!(replace <= everyone * SLACK, "{replace} above {everyone}");
    }

    #[test]
    fn gaussians_are_above_the_closed_form_and_near_it(
        log_noise in -1.0..3.0f64,
        steps in 1..1000u32,
        log_delta in -28.0..-4.0f64,
        both in 0..2usize,
    ) {
        let sensitivity = [1.0, 2.0][both];
        let mean = sensitivity * f64::from(steps).sqrt() / log_noise.exp();
        let event = repeated(gaussian(log_noise.exp()), steps);
        let bound = price(&event, BOTH[both], log_delta.exp());
        let exact = closed_form::epsilon(mean, log_delta.exp());
        prop_assert!(bound >= exact * (1.0 - 1e-9), "{bound} below {exact}");
        prop_assert!(bound <= exact * 1.0002 + 1e-8, "{bound} far above {exact}");
        prop_assume!(exact > 1e-6);
        let at_exact = delta(&event, BOTH[both], Epsilon::new(exact).expect("an epsilon")).expect("a delta");
        prop_assert!(at_exact >= log_delta.exp() * (1.0 - 1e-6), "{at_exact} below {}", log_delta.exp());
    }

    #[test]
    fn delta_is_the_inverse_of_epsilon(
        log_rate in -7.0..0.0f64,
        log_noise in -1.0..3.0f64,
        steps in 1..2_000u32,
        log_delta in -30.0..-1.0f64,
        more in 1.01..3.0f64,
        both in 0..2usize,
    ) {
        let event = repeated(sampled(log_rate.exp(), log_noise.exp()), steps);
        let price = price(&event, BOTH[both], log_delta.exp());
        prop_assume!((1e-6..1e5).contains(&price));
        let at_price = delta(&event, BOTH[both], Epsilon::new(price).expect("an epsilon")).expect("a delta");
        // A relative change of ε is a larger one of δ.
        prop_assert!(at_price <= log_delta.exp() * 1.02, "{at_price} above {}", log_delta.exp());
        let beyond = delta(&event, BOTH[both], Epsilon::new(price * more).expect("an epsilon")).expect("a delta");
        prop_assert!(beyond <= at_price * 1.001, "{beyond} above {at_price}");
    }
}

#[test]
fn a_delta_that_the_mechanisms_lose_altogether_is_refused_with_its_number() {
    let event = repeated(
        DpEvent::EpsilonDelta {
            epsilon: 0.1,
            delta: 1e-6,
        },
        10,
    );
    for adjacency in BOTH {
        let refused = epsilon(&event, adjacency, at(1e-6)).expect_err("nothing is left");
        assert_eq!(refused.code(), "DPS0118");
        assert!(refused.to_string().contains("1e-6"), "{refused}");
    }
    assert!(Delta::new(0.0).is_err());
}

#[test]
fn accountants_that_contradict_each_other_refuse() {
    let certified = Interval {
        lower: 1.0,
        upper: 1.1,
    };
    assert_eq!(agree(certified, 1.2), Ok(()));
    for (certified, renyi) in [
        (certified, 0.99),
        (certified, f64::NAN),
        (
            Interval {
                lower: 1.2,
                upper: 1.1,
            },
            2.0,
        ),
    ] {
        assert_eq!(
            agree(certified, renyi).expect_err("refused").code(),
            "DPS0117"
        );
    }
}
