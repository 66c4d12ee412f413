//! Honest readings pass, and each that states too little is caught.

use dpsynth_privacy::{
    Adjacency, ChosenMarginals, Delta, DpEvent, Mechanism, NoiseMultiplier, PrivacyUnit,
};

use super::*;
use crate::readings::{OtherUnit, event_of_row};

fn counts() -> DpEvent {
    DpEvent::SelfComposed {
        event: Box::new(DpEvent::Gaussian {
            noise_multiplier: 20.0,
        }),
        count: 15,
    }
}

fn counts_and_training() -> DpEvent {
    let step = DpEvent::PoissonSampled {
        sampling_probability: 0.05,
        event: Box::new(DpEvent::Gaussian {
            noise_multiplier: 2.0,
        }),
    };
    let training = DpEvent::SelfComposed {
        event: Box::new(step),
        count: 40,
    };
    DpEvent::Composed {
        events: vec![counts(), training],
    }
}

fn user() -> PrivacyUnit {
    PrivacyUnit::User {
        column: "patient".to_owned(),
        max_rows: 4,
    }
}

/// What a report honestly states, and the question and price that it answers.
fn honest<'a>(
    event: &'a DpEvent,
    unit: &'a PrivacyUnit,
    adjacency: Adjacency,
) -> (Readings, Question<'a>, Price) {
    let question = Question {
        event,
        // As for mechanisms that show of one row what they show of its unit.
        event_of_row: event,
        unit,
        adjacency,
        delta: Delta::new(1e-6).expect("a delta"),
    };
    let price = accountant::price(event, adjacency, question.delta).expect("a price");
    let readings = Readings::new(question, price).expect("readings");
    assert_eq!(check(&readings, question, price), Ok(()));
    (readings, question, price)
}

fn epsilons(readings: &Readings) -> Vec<Option<f64>> {
    let epsilon = |it: &OtherUnit| match &it.price {
        OtherPrice::Epsilon(epsilon) => Some(*epsilon),
        OtherPrice::NotAvailable(_) => None,
    };
    readings.other_units.iter().map(epsilon).collect()
}

#[test]
fn larger_groups_of_rows_cost_more_than_the_claim() {
    for event in [counts(), counts_and_training()] {
        let (readings, _, price) = honest(&event, &PrivacyUnit::Row, Adjacency::AddOrRemoveOne);
        let mut before = price.epsilon();
        for epsilon in epsilons(&readings) {
            let epsilon = epsilon.expect("a price for the group");
            assert!(epsilon > 1.5 * before, "{epsilon} and {before}");
            before = epsilon;
        }
    }
}

#[test]
fn one_row_of_a_user_costs_what_replacing_the_user_costs() {
    let unit = user();
    let event = counts_and_training();
    let (readings, question, price) = honest(&event, &unit, Adjacency::AddOrRemoveOne);
    let replaced =
        accountant::price(&event, Adjacency::ReplaceOne, question.delta).expect("a price");
    let expected = [price.epsilon(), replaced.epsilon()].map(Some);
    assert_eq!(epsilons(&readings), expected);
    let (readings, _, price) = honest(&event, &unit, Adjacency::ReplaceOne);
    assert_eq!(epsilons(&readings), [Some(price.epsilon()); 2]);
}

#[test]
fn one_row_of_a_user_costs_less_where_all_mechanisms_count() {
    let noise_multiplier = NoiseMultiplier::new(4.0).expect("in range");
    let chosen = Mechanism::ChosenMarginals(ChosenMarginals { noise_multiplier });
    for max_rows in [1, 4] {
        let unit = PrivacyUnit::User {
            column: "patient".to_owned(),
            max_rows,
        };
        for adjacency in [Adjacency::AddOrRemoveOne, Adjacency::ReplaceOne] {
            let question = Question {
                event: &chosen.event(),
                event_of_row: &event_of_row([&chosen].into_iter(), &unit),
                unit: &unit,
                adjacency,
                delta: Delta::new(1e-6).expect("a delta"),
            };
            let price = accountant::price(question.event, adjacency, question.delta);
            let price = price.expect("a price");
            let readings = Readings::new(question, price).expect("readings");
            assert_eq!(check(&readings, question, price), Ok(()));
            // One row is taken out and one put in: √2 rows, where the noise is for all of them.
            let row = DpEvent::Gaussian {
                noise_multiplier: 4.0 * f64::from(max_rows) / 2f64.sqrt(),
            };
            let row = accountant::price(&row, Adjacency::AddOrRemoveOne, question.delta);
            let row = row.expect("a price").epsilon();
            let stated = epsilons(&readings)[1].expect("a price for the row");
            assert!((stated / row - 1.0).abs() < 1e-3, "{stated} {row}");
            // A release that states less is caught.
            let mut lowered = readings.clone();
            lowered.other_units[1].price = OtherPrice::Epsilon(stated * 0.99);
            assert!(check(&lowered, question, price).is_err());
        }
    }
}

#[test]
fn what_has_no_price_is_said_to_have_none() {
    // For groups in samples no bound is known where rows are replaced.
    let event = counts_and_training();
    let (readings, question, price) = honest(&event, &PrivacyUnit::Row, Adjacency::ReplaceOne);
    assert_eq!(epsilons(&readings), [None; 3]);
    let mut invented = readings.clone();
    invented.other_units[0].price = OtherPrice::Epsilon(1e6);
    let refused = check(&invented, question, price).expect_err("nothing is known");
    assert!(refused.contains("DPS0116"), "{refused}");

    let event = counts();
    let (readings, question, price) = honest(&event, &PrivacyUnit::Row, Adjacency::AddOrRemoveOne);
    let mut withheld = readings;
    withheld.other_units[1].price = OtherPrice::NotAvailable("unknown".to_owned());
    let refused = check(&withheld, question, price).expect_err("a price is known");
    assert!(refused.contains("any 5 rows together"), "{refused}");
}

#[test]
fn a_gaussian_claim_needs_gaussians_that_nothing_samples() {
    let event = counts();
    let (readings, _, _) = honest(&event, &PrivacyUnit::Row, Adjacency::AddOrRemoveOne);
    let (rho, mean) = (15.0 / 800.0, (15.0f64 / 400.0).sqrt());
    let near = |stated: Option<f64>, exact: f64| {
        stated.is_some_and(|stated| stated >= exact && stated < exact * (1.0 + 1e-9))
    };
    assert!(near(readings.zero_concentrated_rho, rho), "{readings:?}");
    assert!(near(readings.gaussian_dp_mu, mean), "{readings:?}");

    let event = counts_and_training();
    let (readings, question, price) = honest(&event, &PrivacyUnit::Row, Adjacency::AddOrRemoveOne);
    assert_eq!(readings.zero_concentrated_rho, None);
    assert_eq!(readings.gaussian_dp_mu, None);
    let invented = [
        Readings {
            zero_concentrated_rho: Some(1e3),
            ..readings.clone()
        },
        Readings {
            gaussian_dp_mu: Some(1e3),
            ..readings
        },
    ];
    for invented in invented {
        assert!(check(&invented, question, price).is_err(), "{invented:?}");
    }
}

#[test]
fn a_reading_that_is_lowered_or_left_out_is_refused() {
    let event = counts();
    let (readings, question, price) = honest(&event, &PrivacyUnit::Row, Adjacency::AddOrRemoveOne);
    let lower: [fn(&mut Readings); 10] = [
        |it| it.zero_concentrated_rho = it.zero_concentrated_rho.map(|rho| rho * 0.999),
        |it| it.zero_concentrated_rho = None,
        |it| it.gaussian_dp_mu = it.gaussian_dp_mu.map(|mean| mean * 0.999),
        |it| it.gaussian_dp_mu = None,
        |it| it.gaussian_of_same_price_mu *= 0.999,
        |it| it.gaussian_of_same_price_mu = f64::NAN,
        |it| it.largest_power_at_5_percent *= 0.99,
        |it| it.other_units.truncate(2),
        |it| it.other_units.swap(0, 1),
        |it| it.other_units[2].price = OtherPrice::Epsilon(0.0),
    ];
    for (number, lower) in lower.into_iter().enumerate() {
        let mut lowered = readings.clone();
        lower(&mut lowered);
        assert!(check(&lowered, question, price).is_err(), "case {number}");
    }
    for group in 0..readings.other_units.len() {
        let mut lowered = readings.clone();
        let OtherPrice::Epsilon(epsilon) = &mut lowered.other_units[group].price else {
            unreachable!("every group has a price");
        };
        *epsilon *= 0.999;
        let refused = check(&lowered, question, price).expect_err("too little is stated");
        assert!(refused.contains("more than stated"), "{refused}");
    }
    // The control: more than is needed is no lie.
    let mut raised = readings;
    raised.largest_power_at_5_percent *= 1.01;
    assert_eq!(check(&raised, question, price), Ok(()));
}
