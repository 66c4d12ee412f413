//! Prices beside those of other people's programs; `vectors/README.md` says where they are from.

use dpsynth_privacy::accountant::epsilon;
use dpsynth_privacy::{Adjacency, Delta, DpEvent};

/// One line of the vectors.
struct Case {
    line: &'static str,
    sampling_probability: f64,
    noise_multiplier: f64,
    steps: u32,
    delta: f64,
    exact: f64,
    renyi: f64,
}

impl Case {
    fn parse(line: &'static str) -> Self {
        let fields: Vec<f64> = line
            .split(',')
            .map(|field| field.parse().expect("a number"))
            .collect();
        let [
            _,
            sampling_probability,
            noise_multiplier,
            steps,
            delta,
            exact,
            renyi,
        ] = fields[..]
        else {
            panic!("seven fields in {line}");
        };
        Self {
            line,
            sampling_probability,
            noise_multiplier,
            steps: steps as u32,
            delta,
            exact,
            renyi,
        }
    }

    fn price(&self, adjacency: Adjacency) -> f64 {
        let step = DpEvent::PoissonSampled {
            sampling_probability: self.sampling_probability,
            event: Box::new(DpEvent::Gaussian {
                noise_multiplier: self.noise_multiplier,
            }),
        };
        let event = DpEvent::SelfComposed {
            event: Box::new(step),
            count: self.steps,
        };
        let delta = Delta::new(self.delta).expect("a delta");
        epsilon(&event, adjacency, delta).expect("a price")
    }
}

fn cases() -> Vec<Case> {
    let cases: Vec<Case> = include_str!("vectors/accounting.csv")
        .lines()
        .skip(1)
        .map(Case::parse)
        .collect();
    assert_eq!(cases.len(), 24);
    cases
}

#[test]
fn no_price_is_below_the_exact_one() {
    for case in cases() {
        let price = case.price(Adjacency::AddOrRemoveOne);
        assert!(
            price >= case.exact - REFERENCE_ERROR,
            "{price} below the exact price of {}",
            case.line
        );
    }
}

#[test]
fn no_price_is_far_above_the_accountant_of_dp_accounting() {
    for case in cases() {
        let price = case.price(Adjacency::AddOrRemoveOne);
        assert!(
            price <= case.renyi * LARGEST_RATIO,
            "{price} far above the price of {}",
            case.line
        );
    }
}

#[test]
fn replacing_a_unit_costs_more_than_removing_it_and_not_far_more() {
    for case in cases() {
        let remove = case.price(Adjacency::AddOrRemoveOne);
        let replace = case.price(Adjacency::ReplaceOne);
        assert!(
            replace > remove,
            "{replace} not above {remove} at {}",
            case.line
        );
        assert!(
            replace < LARGEST_REPLACEMENT * remove,
            "{replace} far above {remove} at {}",
            case.line
        );
    }
}

/// What the reference may be off by.
const REFERENCE_ERROR: f64 = 1e-6;

/// The largest allowed ratio to the other accountant.
const LARGEST_RATIO: f64 = 1.03;

/// The largest allowed ratio of replacing a unit to removing it. A Gaussian of twice the
/// sensitivity costs up to four times as much; samples with little noise cost less.
const LARGEST_REPLACEMENT: f64 = 4.0;
