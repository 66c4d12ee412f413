//! The bounds against closed forms, against each other, and with controls that must be caught.

use super::*;
use crate::accountant::rdp::Curve;
use crate::event::DpEvent;

fn interval(event: &DpEvent, adjacency: Adjacency, delta: f64) -> Interval {
    let charges = Charges::of(event).expect("an event");
    Plan::new(&charges, adjacency)
        .expect("a plan")
        .epsilon(delta)
        .expect("bounds")
}

fn sampled(rate: f64, event: DpEvent) -> DpEvent {
    DpEvent::PoissonSampled {
        sampling_probability: rate,
        event: Box::new(event),
    }
}

fn repeated(event: DpEvent, count: u32) -> DpEvent {
    DpEvent::SelfComposed {
        event: Box::new(event),
        count,
    }
}

fn gaussian(noise_multiplier: f64) -> DpEvent {
    DpEvent::Gaussian { noise_multiplier }
}

fn holds(interval: Interval, exact: f64) {
    assert!(
        interval.lower <= exact * (1.0 + 1e-12),
        "{interval:?} above {exact}"
    );
    assert!(
        interval.upper >= exact * (1.0 - 1e-12),
        "{interval:?} below {exact}"
    );
    assert!(
        interval.upper - interval.lower <= 1.01e-4 * exact,
        "{interval:?} wide around {exact}"
    );
}

#[test]
fn the_laplace_mechanism_has_its_closed_form() {
    // δ(ε) = 1 - exp((ε - 1/b)/2) for ε ≤ 1/b: Balle, Barthe & Gaboardi (2018), theorem 3.
    for (scale, delta) in [(1.0f64, 1e-3f64), (0.5, 1e-2), (4.0, 1e-3)] {
        let exact = 1.0 / scale + 2.0 * (1.0 - delta).ln();
        holds(
            interval(
                &DpEvent::Laplace {
                    noise_multiplier: scale,
                },
                Adjacency::AddOrRemoveOne,
                delta,
            ),
            exact,
        );
        // Replacing is twice the distance.
        let exact = 2.0 / scale + 2.0 * (1.0 - delta).ln();
        holds(
            interval(
                &DpEvent::Laplace {
                    noise_multiplier: scale,
                },
                Adjacency::ReplaceOne,
                delta,
            ),
            exact,
        );
    }
}

#[test]
fn a_pure_mechanism_has_its_closed_form() {
    // δ(x) = δ₀ + (1 - δ₀)·(exp(ε) - exp(x))/(1 + exp(ε)) for randomised response.
    let (epsilon, lost, delta) = (1.5f64, 1e-6, 1e-2);
    let pure = (delta - lost) / (1.0 - lost);
    let exact = (epsilon.exp() - pure * (1.0 + epsilon.exp())).ln();
    let event = DpEvent::EpsilonDelta {
        epsilon,
        delta: lost,
    };
    holds(interval(&event, Adjacency::AddOrRemoveOne, delta), exact);
}

#[test]
fn sampling_amplifies_one_use_exactly() {
    // ln(1 + q·(exp(ε) - 1)) at q·δ, for removal: Balle, Barthe & Gaboardi (2018), theorem 8.
    for (rate, noise_multiplier, delta) in [(0.1, 1.0, 1e-4), (0.3, 0.7, 1e-5)] {
        let whole = interval(
            &gaussian(noise_multiplier),
            Adjacency::AddOrRemoveOne,
            delta,
        );
        let part = interval(
            &sampled(rate, gaussian(noise_multiplier)),
            Adjacency::AddOrRemoveOne,
            rate * delta,
        );
        let amplified = |epsilon: f64| (rate * epsilon.exp_m1()).ln_1p();
        assert!(
            part.upper >= amplified(whole.lower) && part.lower <= amplified(whole.upper),
            "{part:?}"
        );
    }
}

#[test]
fn other_events_that_are_the_same_mechanism_cost_the_same() {
    let step = repeated(sampled(0.02, gaussian(1.1)), 300);
    let mixture = repeated(
        DpEvent::MixtureOfGaussians {
            standard_deviation: 1.1,
            sensitivities: vec![0.0, 1.0],
            sampling_probs: vec![0.98, 0.02],
        },
        300,
    );
    let (a, b) = (
        interval(&step, Adjacency::AddOrRemoveOne, 1e-6),
        interval(&mixture, Adjacency::AddOrRemoveOne, 1e-6),
    );
    assert!(a.lower <= b.upper && b.lower <= a.upper, "{a:?} and {b:?}");

    // A discrete Gaussian with much noise is nearly the continuous one.
    let (a, b) = (
        interval(&gaussian(40.0), Adjacency::AddOrRemoveOne, 1e-6),
        interval(
            &DpEvent::DiscreteGaussian {
                noise_multiplier: 40.0,
            },
            Adjacency::AddOrRemoveOne,
            1e-6,
        ),
    );
    assert!((a.upper / b.upper - 1.0).abs() < 0.02, "{a:?} and {b:?}");
}

#[test]
fn replacing_lies_between_removing_and_twice_the_distance() {
    let event = |noise: f64| repeated(sampled(0.05, gaussian(noise)), 100);
    let remove = interval(&event(1.5), Adjacency::AddOrRemoveOne, 1e-6);
    let replace = interval(&event(1.5), Adjacency::ReplaceOne, 1e-6);
    let doubled = interval(&event(0.75), Adjacency::AddOrRemoveOne, 1e-6);
    assert!(replace.lower > remove.upper, "{replace:?} and {remove:?}");
    assert!(
        replace.upper < 2.0 * doubled.upper,
        "{replace:?} and {doubled:?}"
    );
    assert!(
        (replace.upper - replace.lower) <= 1.01e-4 * replace.upper,
        "{replace:?}"
    );
}

#[test]
fn a_plan_of_several_kinds_costs_more_than_its_parts_and_less_than_their_sum() {
    let parts = [
        repeated(sampled(0.05, gaussian(1.2)), 300),
        repeated(gaussian(8.0), 15),
        DpEvent::Laplace {
            noise_multiplier: 10.0,
        },
        DpEvent::EpsilonDelta {
            epsilon: 0.2,
            delta: 1e-9,
        },
    ];
    let alone: Vec<Interval> = parts
        .iter()
        .map(|it| interval(it, Adjacency::AddOrRemoveOne, 1e-6))
        .collect();
    let whole = interval(
        &DpEvent::Composed {
            events: parts.to_vec(),
        },
        Adjacency::AddOrRemoveOne,
        1e-6,
    );
    let sum: f64 = alone.iter().map(|it| it.upper).sum();
    assert!(
        alone.iter().all(|it| it.lower < whole.upper),
        "{whole:?} and {alone:?}"
    );
    assert!(whole.lower < sum, "{whole:?} and {alone:?}");
    assert!(whole.upper - whole.lower <= 1e-3 * whole.upper, "{whole:?}");
}

#[test]
fn both_accountants_know_the_same_moments() {
    // E[exp((α - 1)·L)] rises with the curve, so the grids' moments are on either side of the exact
    // one, which the other accountant knows for whole orders without any grid.
    for (rate, noise_multiplier) in [(1.0, 1.5), (1.0, 0.8), (0.3, 1.0), (0.01, 0.9), (1e-3, 2.0)] {
        let event = sampled(rate, gaussian(noise_multiplier));
        let charges = Charges::of(&event).expect("an event");
        let curve = Curve::new(&charges, Adjacency::AddOrRemoveOne).expect("a curve");
        let plan = Plan::new(&charges, Adjacency::AddOrRemoveOne).expect("a plan");
        let (pair, _) = &plan.pairs[0];
        let step = 2e-3 * rate.max(0.01) / noise_multiplier;
        let bins = Bins::new(pair, step, 1e-200, Part::All).expect("bins");
        let moment = |bound: Bound, order: f64| {
            let losses = bins.losses(bound, Direction::Removal);
            losses.log_moment(step, 0.0, order - 1.0)
        };
        for order in [2.0, 3.0, 5.0, 8.0, 16.0] {
            let (lower, upper) = (moment(Bound::Better, order), moment(Bound::Worse, order));
            let points = curve.points();
            let (_, exact) = points.iter().find(|it| it.0 == order).expect("an order");
            let what = format!("{rate} {noise_multiplier} {order}: {lower} {exact} {upper}");
            assert!(lower <= exact * (1.0 + 1e-9) + 1e-11, "{what}");
            assert!(*exact <= upper * (1.0 + 1e-9) + 1e-11, "{what}");
            assert!(upper - lower <= 2e-3 * exact + 1e-9, "{what}");
            // The control: one per cent more noise has moments that are out of these bounds.
            let other = sampled(rate, gaussian(noise_multiplier * 1.01));
            let charges = Charges::of(&other).expect("an event");
            let other = Curve::new(&charges, Adjacency::AddOrRemoveOne).expect("a curve");
            let (_, wrong) = other
                .points()
                .iter()
                .find(|it| it.0 == order)
                .expect("an order");
            assert!(*wrong < lower, "{what} and {wrong}");
        }
    }
}

#[test]
fn parting_rare_losses_from_the_bulk_changes_no_bound() {
    // The same plan in two stages and in one.
    let event = repeated(sampled(0.005, gaussian(0.7)), 5000);
    let charges = Charges::of(&event).expect("an event");
    let plan = Plan::new(&charges, Adjacency::AddOrRemoveOne).expect("a plan");
    let question = Question::EpsilonAt(1e-6);
    for direction in [Direction::Removal, Direction::Addition] {
        let outlook = Outlook::new(&plan.pairs, direction, question).expect("an outlook");
        let found = [Layout::Staged, Layout::Single].map(|layout| {
            let frame = Frame::new(&plan, &outlook, 1.0, layout).expect("a frame");
            let grid = Grid::new(&plan, &outlook, direction, frame).expect("a grid");
            let mut transforms = Transforms::new();
            let better = grid
                .composed(Bound::Better, &mut transforms)
                .expect("losses");
            let worse = grid
                .composed(Bound::Worse, &mut transforms)
                .expect("losses");
            question.between(&better, &worse).expect("bounds")
        });
        let [a, b] = found;
        assert!(a.lower <= b.upper && b.lower <= a.upper, "{a:?} and {b:?}");
        for it in found {
            assert!(it.upper - it.lower <= 1e-4 * it.upper, "{it:?}");
        }
    }
}

#[test]
fn a_direction_is_left_out_only_where_it_is_below_the_other() {
    let question = Question::EpsilonAt(1e-6);
    for (rate, noise, uses) in [
        (0.0001, 0.6, 100_000),
        (0.1, 1.0, 20),
        (0.02, 1.5, 500),
        (0.5, 20.0, 200),
    ] {
        let event = repeated(sampled(rate, gaussian(noise)), uses);
        let charges = Charges::of(&event).expect("an event");
        let plan = Plan::new(&charges, Adjacency::AddOrRemoveOne).expect("a plan");
        let addition = plan
            .answer(Direction::Addition, question)
            .expect("an answer");
        for times in [0.5, 0.999, 0.9999, 1.0001, 1.001, 1.1, 3.0] {
            let lower = addition.upper * times;
            let upper = lower * 1.0001;
            let kept = plan
                .answer_above(question, Interval { lower, upper })
                .expect("an answer");
            // The control: what is above the other direction is never left out.
            assert!(kept.is_some() || lower > addition.lower, "{rate} {times}");
            // And it is found out by a multiple, or the short ways are of no use.
            assert!(kept.is_none() || times < 3.0, "{rate} {times}");
        }
    }
}

#[test]
fn the_composed_estimate_is_near_the_bounds() {
    for (rate, noise, uses) in [(0.0001, 0.6, 300_000), (0.001, 0.8, 100_000)] {
        let at = |noise: f64| {
            let event = repeated(sampled(rate, gaussian(noise)), uses);
            let charges = Charges::of(&event).expect("an event");
            let plan = Plan::new(&charges, Adjacency::AddOrRemoveOne).expect("a plan");
            assert!(plan.takes_long(1e-7));
            let estimate = plan.composed_estimate(1e-7).expect("an estimate");
            estimate / plan.epsilon(1e-7).expect("bounds").upper
        };
        let (here, nearby) = (at(noise), at(noise * 1.0001));
        assert!((here - 1.0).abs() < 2e-3, "{here}");
        assert!((here - nearby).abs() < 2e-5, "{here} {nearby}");
    }
}

#[test]
fn a_price_that_is_a_little_off_is_caught() {
    // The control: noise that is one per cent more than what is priced falls out of the bounds.
    let truth = interval(
        &repeated(sampled(0.01, gaussian(1.0)), 1000),
        Adjacency::AddOrRemoveOne,
        1e-5,
    );
    let wrong = interval(
        &repeated(sampled(0.01, gaussian(1.01)), 1000),
        Adjacency::AddOrRemoveOne,
        1e-5,
    );
    assert!(wrong.upper < truth.lower, "{wrong:?} and {truth:?}");
}
