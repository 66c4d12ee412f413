//! Readings against closed forms, other mechanisms of the same privacy, and refusals.

use super::*;
use crate::accountant::{self, epsilon};

const ADD: Adjacency = Adjacency::AddOrRemoveOne;

fn gaussian(noise_multiplier: f64) -> DpEvent {
    DpEvent::Gaussian { noise_multiplier }
}

fn training(rate: f64, noise_multiplier: f64, count: u32) -> DpEvent {
    DpEvent::SelfComposed {
        event: Box::new(DpEvent::PoissonSampled {
            sampling_probability: rate,
            event: Box::new(gaussian(noise_multiplier)),
        }),
        count,
    }
}

fn at(delta: f64) -> Delta {
    Delta::new(delta).expect("a delta")
}

fn cost(event: &DpEvent, delta: f64) -> f64 {
    epsilon(event, ADD, at(delta)).expect("a price")
}

#[test]
fn a_group_costs_what_less_noise_costs() {
    let group = for_group(&gaussian(6.0), 3).expect("a group");
    let (group, third) = (cost(&group, 1e-6), cost(&gaussian(2.0), 1e-6));
    assert!((group / third - 1.0).abs() < 1e-9, "{group} and {third}");
    assert_eq!(for_group(&gaussian(6.0), 1), Ok(gaussian(6.0)));
}

#[test]
fn a_group_in_a_sample_lies_between_one_unit_and_everyone() {
    let (rate, noise, count, delta) = (0.02, 2.0, 200, 1e-6);
    let one = cost(&training(rate, noise, count), delta);
    let mut before = one;
    for units in [2, 4, 8] {
        let group = for_group(&training(rate, noise, count), units).expect("a group");
        let group = cost(&group, delta);
        assert!(group > before, "{group} not above {before}");
        // Where all of the group took part in every step.
        let all = f64::from(units);
        let certain = cost(
            &DpEvent::SelfComposed {
                event: Box::new(gaussian(noise / all)),
                count,
            },
            delta,
        );
        assert!(group < certain, "{group} not below {certain}");
        // A group moves together at most as if it were one unit of so many times the weight.
        let heavier = cost(
            &training(1.0 - (1.0 - rate).powi(units as i32), noise / all, count),
            delta,
        );
        assert!(group < heavier, "{group} not below {heavier}");
        before = group;
    }
}

#[test]
fn a_group_of_two_costs_what_dp_accounting_says() {
    // PLDAccountant of dp-accounting 0.6.0, value_discretization_interval 1e-5, of
    // MixtureOfGaussiansDpEvent(2.0, [0, 1, 2], [0.9604, 0.0392, 0.0004]) 200 times, δ = 1e-6.
    let group = for_group(&training(0.02, 2.0, 200), 2).expect("a group");
    let ours = cost(&group, 1e-6);
    assert!((ours / GROUP_REFERENCE - 1.0).abs() < 1e-4, "{ours}");
}

const GROUP_REFERENCE: f64 = 1.418_105_4;

#[test]
fn pure_privacy_of_a_group_is_a_multiple() {
    let event = DpEvent::EpsilonDelta {
        epsilon: 0.3,
        delta: 1e-8,
    };
    match for_group(&event, 4).expect("a group") {
        DpEvent::EpsilonDelta { epsilon, delta } => {
            assert!((1.2..1.2 + 1e-12).contains(&epsilon));
            // 1 + e^0.3 + e^0.6 + e^0.9
            let times = 1.0 + 0.3f64.exp() + 0.6f64.exp() + 0.9f64.exp();
            assert!((delta / (times * 1e-8) - 1.0).abs() < 1e-12 && delta >= times * 1e-8);
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn probabilities_of_a_group_are_never_too_small_at_the_top() {
    for (units, rate) in [(2, 0.5), (5, 1e-9), (1000, 0.3), (7, 1.0 - 1e-12)] {
        let probabilities = binomial(units, rate);
        let sum: f64 = probabilities.iter().sum();
        assert!((sum - 1.0).abs() < 1e-12, "{sum}");
        let top = probabilities[units as usize];
        assert!(top >= rate.powi(units as i32) * (1.0 - 1e-12), "{top}");
        assert!(probabilities.iter().all(|it| *it >= 0.0));
    }
}

#[test]
fn groups_without_a_bound_are_refused() {
    for units in [0, 1001, u32::MAX] {
        let refused = for_group(&gaussian(1.0), units).expect_err("no such group");
        assert!(refused.to_string().contains("units"), "{refused}");
    }
    let discrete = DpEvent::DiscreteGaussian {
        noise_multiplier: 4.0,
    };
    let refused = for_group(&discrete, 2).expect_err("no bound");
    assert!(
        refused.to_string().contains("DiscreteGaussianDpEvent"),
        "{refused}"
    );
    assert_eq!(
        for_group(&DpEvent::NonPrivate, 2),
        Err(AccountingError::NotPrivate)
    );
    // So large a group that the noise leaves its range is refused when it is priced.
    let thin = for_group(&gaussian(1.0 / 512.0), 1000).expect("a group");
    assert!(epsilon(&thin, ADD, at(1e-6)).is_err());
}

#[test]
fn rho_is_known_where_every_mechanism_has_one() {
    let plan = DpEvent::Composed {
        events: vec![
            DpEvent::SelfComposed {
                event: Box::new(gaussian(10.0)),
                count: 20,
            },
            DpEvent::DiscreteGaussian {
                noise_multiplier: 5.0,
            },
            DpEvent::EpsilonDelta {
                epsilon: 0.1,
                delta: 0.0,
            },
        ],
    };
    let exact = 20.0 / 200.0 + 1.0 / 50.0 + 0.005;
    for (adjacency, times) in [(ADD, 1.0), (Adjacency::ReplaceOne, 4.0)] {
        let rho = zero_concentrated(&plan, adjacency)
            .expect("numbers in range")
            .expect("a rho");
        assert!(
            rho >= exact * times && rho < exact * times * (1.0 + 1e-12),
            "{rho}"
        );
    }
    assert_eq!(zero_concentrated(&training(0.1, 1.0, 3), ADD), Ok(None));
    let lossy = DpEvent::EpsilonDelta {
        epsilon: 0.1,
        delta: 1e-9,
    };
    assert_eq!(zero_concentrated(&lossy, ADD), Ok(None));
    assert!(zero_concentrated(&gaussian(0.0), ADD).is_err());
}

#[test]
fn a_gaussian_is_its_own_reading() {
    for (noise, count, delta) in [
        (1.0, 1, 1e-5),
        (50.0, 1000, 1e-9),
        (0.3, 10, 1e-12),
        (300.0, 1, 1e-7),
    ] {
        let exact = f64::from(count).sqrt() / noise;
        let event = DpEvent::SelfComposed {
            event: Box::new(gaussian(noise)),
            count,
        };
        let mean = gaussian_of_same_price(&event, ADD, at(delta)).expect("a reading");
        assert!(mean >= exact * (1.0 - 1e-9), "{mean} below {exact}");
        assert!(mean <= exact * 1.0001, "{mean} far above {exact}");
    }
    let nothing = DpEvent::Composed { events: Vec::new() };
    assert_eq!(gaussian_of_same_price(&nothing, ADD, at(1e-6)), Ok(0.0));
    // More noise reads as less.
    let reading = |noise: f64| gaussian_of_same_price(&training(0.01, noise, 500), ADD, at(1e-6));
    assert!(reading(1.2).expect("a reading") < reading(1.0).expect("a reading"));
}

#[test]
fn gaussians_that_nothing_samples_are_gaussian_private() {
    let plan = DpEvent::Composed {
        events: vec![
            DpEvent::SelfComposed {
                event: Box::new(gaussian(10.0)),
                count: 20,
            },
            gaussian(4.0),
        ],
    };
    let exact = (20.0 / 100.0 + 1.0 / 16.0f64).sqrt();
    for (adjacency, times) in [(ADD, 1.0), (Adjacency::ReplaceOne, 2.0)] {
        let mean = gaussian_dp(&plan, adjacency)
            .expect("numbers in range")
            .expect("a mean");
        let exact = exact * times;
        assert!(mean >= exact && mean < exact * (1.0 + 1e-12), "{mean}");
        // The same at one δ, by way of its price.
        let read = gaussian_of_same_price(&plan, adjacency, at(1e-6)).expect("a reading");
        assert!((read / mean - 1.0).abs() < 1e-4, "{read} and {mean}");
    }
    let discrete = DpEvent::DiscreteGaussian {
        noise_multiplier: 4.0,
    };
    for other in [training(0.1, 1.0, 3), discrete] {
        assert_eq!(gaussian_dp(&other, ADD), Ok(None));
    }
}

#[test]
fn a_delta_below_what_the_mechanisms_spend_bounds_no_power() {
    // At δ = 1e-4, the smallest that is looked at, no ε holds for one that has 1e-3 of its own.
    let learned = DpEvent::EpsilonDelta {
        epsilon: 0.5,
        delta: 1e-3,
    };
    let both = DpEvent::Composed {
        events: vec![learned, gaussian(5.0)],
    };
    let power = accountant::largest_power(&both, ADD, 0.05).expect("a power");
    // Kairouz, Oh & Viswanath (2015): some mechanism of that (ε, δ) alone allows a test of this power.
    let least = 1e-3 + 0.5_f64.exp() * 0.05;
    assert!((least..2.0 * least).contains(&power.upper), "{power:?}");
}

#[test]
fn no_test_has_more_power_than_is_stated() {
    // The best test between N(0, 1) and N(μ, 1) at level 5 % has power Φ(μ - 1.6449).
    for noise in [0.5, 1.0, 3.0, 20.0] {
        let best = libm::erfc((1.644_853_627 - 1.0 / noise) / SQRT_2) / 2.0;
        let power = accountant::largest_power(&gaussian(noise), ADD, 0.05).expect("a power");
        assert!(power.upper >= best, "{power:?} below {best}");
        assert!(power.upper < 1.3 * best, "{power:?} far above {best}");
        assert!(
            power.lower <= power.upper && power.lower > power.upper * (1.0 - 1e-3),
            "{power:?}"
        );
    }
}
