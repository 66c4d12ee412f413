//! Measuring marginals and fitting a decoder to them, on a table whose truth is known.

mod common;

use common::{SHARES, SIZES, measured, plan, truth, worst_pair};
use dpsynth_privacy::{
    ChosenMarginals, Mechanism, NoiseMultiplier, PrivacyUnit, Private, PublicRng, Records, Taint,
    insecure,
};
use dpsynth_train::{
    CodeOrder, FitPlan, Generator, MeasurePlan, MeasuredPairs, PairChoice, fit_copula, fit_decoder,
    fit_graphical, measure,
};

const FIT: FitPlan = FitPlan {
    latent: 16,
    hidden: 48,
    components: 256,
    steps: 2000,
    learning_rate: 5e-3,
    refining_steps: 0,
    information_price: 0.1,
    seed: 5,
};

#[test]
fn the_fit_draws_rows_like_those_that_were_measured() {
    let plan = plan(4.0, PairChoice::Dependent);
    let measurements = measured(4.0, 1, &plan);
    assert_eq!(plan.outlook().pairs, MeasuredPairs::WithinClasses);
    let mut last = f64::INFINITY;
    let mixture = fit_decoder(&FIT, &measurements, &mut |_, deviation| last = deviation);
    // The fit reaches the noise, and with fewer parameters than cells it does not go far below.
    assert!((0.3..1.6).contains(&last), "{last}");
    let rows = mixture.sample(40_000, &mut PublicRng::from_seed(2));
    let distance = worst_pair(&rows, &truth());
    // Two samples of this size from the truth are 0.03 apart; independent columns 0.3.
    assert!(distance < 0.09, "{distance}");
    let independent: Vec<u16> = rows
        .chunks_exact(5)
        .zip(rows.chunks_exact(5).skip(1))
        .flat_map(|(row, next)| [row[0], next[1], row[2], row[3], next[4]])
        .collect();
    assert!(worst_pair(&independent, &truth()) > 0.2);
    let zeros = rows.chunks_exact(5).filter(|row| row[0] == 0).count() as f64 / 40_000.0;
    assert!((zeros - 0.5).abs() < 0.02, "{zeros}");
}

#[test]
fn refining_comes_nearer_and_its_price_keeps_it_from_the_noise() {
    // Without noise to speak of, the marginals can be met; with it, they should not be.
    let last = |noise: f64, fit: FitPlan| {
        let measurements = measured(noise, 1, &plan(noise, PairChoice::Dependent));
        let mut last = f64::INFINITY;
        let mixture = fit_decoder(&fit, &measurements, &mut |_, deviation| last = deviation);
        (last, mixture)
    };
    let weights_alone = FitPlan { steps: 200, ..FIT };
    let refined = FitPlan {
        steps: 100,
        refining_steps: 100,
        ..FIT
    };
    assert!(last(4.0, refined).0 < 0.8 * last(4.0, weights_alone).0);
    let free = FitPlan {
        information_price: 0.0,
        ..refined
    };
    let (distance, followed) = last(30.0, free);
    let (priced_distance, priced) = last(30.0, refined);
    assert!(distance < priced_distance, "{distance} {priced_distance}");
    let far = |mixture: dpsynth_train::Mixture| {
        let rows = mixture.sample(40_000, &mut PublicRng::from_seed(2));
        worst_pair(&rows, &truth())
    };
    let (followed, priced) = (far(followed), far(priced));
    assert!(priced < followed, "{priced} {followed}");
}

#[test]
fn a_price_that_hides_what_was_measured_is_lowered() {
    let measurements = measured(4.0, 1, &plan(4.0, PairChoice::Dependent));
    let far = |information_price: f64| {
        let fit = FitPlan {
            steps: 100,
            refining_steps: 100,
            information_price,
            ..FIT
        };
        let mut last_step = 0;
        let mixture = fit_decoder(&fit, &measurements, &mut |step, _| {
            assert!(step > last_step);
            last_step = step;
        });
        assert_eq!(last_step, fit.most_steps());
        let rows = mixture.sample(40_000, &mut PublicRng::from_seed(2));
        worst_pair(&rows, &truth())
    };
    // At 32 times the price that serves, columns would be independent and 0.3 away; it is halved five times.
    let (usual, lowered) = (far(0.1), far(3.2));
    assert!(lowered < 1.1 * usual, "{lowered} {usual}");
    // So many times as much cannot be made up for.
    let hidden = far(1e5);
    assert!(hidden > 2.0 * usual, "{hidden} {usual}");
}

#[test]
fn equal_seeds_fit_equal_mixtures() {
    let measurements = measured(8.0, 2, &plan(8.0, PairChoice::Dependent));
    let fit = FitPlan {
        steps: 12,
        refining_steps: 3,
        ..FIT
    };
    let first = fit_decoder(&fit, &measurements, &mut |_, _| {});
    assert_eq!(first, fit_decoder(&fit, &measurements, &mut |_, _| {}));
    assert_eq!(first.components(), FIT.components);
    let other = FitPlan { seed: 6, ..fit };
    assert_ne!(first, fit_decoder(&other, &measurements, &mut |_, _| {}));
}

#[test]
fn strong_noise_still_gives_rows_in_the_domain() {
    for noise in [60.0, 2000.0] {
        let plan = MeasurePlan {
            target: None,
            ..plan(noise, PairChoice::Dependent)
        };
        let measurements = measured(noise, 3, &plan);
        let fit = FitPlan { steps: 30, ..FIT };
        let mixture = fit_decoder(&fit, &measurements, &mut |_, _| {});
        let rows = mixture.sample(500, &mut PublicRng::from_seed(2));
        assert_eq!(mixture.domain_sizes(), SIZES);
        let inside = |row: &[u16]| {
            row.iter()
                .zip(&SIZES)
                .all(|(&c, &size)| u32::from(c) < size)
        };
        assert!(rows.chunks_exact(5).all(inside));
    }
}

#[test]
fn a_single_column_and_a_pair_can_be_measured_for_every_model() {
    for pairs in [
        PairChoice::Dependent,
        PairChoice::JunctionTree,
        PairChoice::Alike,
    ] {
        for columns in [1usize, 2] {
            let mechanism = Mechanism::ChosenMarginals(ChosenMarginals {
                noise_multiplier: NoiseMultiplier::new(1.0).unwrap(),
            });
            let mut paid = insecure::paid(PrivacyUnit::Row, vec![mechanism], Taint::FixedSeed, 4);
            let records = Private::load(&paid, columns, |columns| {
                let codes = (0..900).map(|i| (i / columns % 3) as u16).collect();
                Records::rows(vec![3; columns], codes)
            })
            .unwrap();
            let plan = MeasurePlan {
                alone: vec![Vec::new(); columns],
                codes: vec![3; columns],
                // The order by share, which a copula gives to categories, is luck where all are alike.
                orders: vec![CodeOrder::Ordered { values: 3 }; columns],
                target: Some(0),
                pairs,
                units: (900 / columns) as f64,
                noise_stddev: 1.0,
                shares: SHARES,
            };
            let chosen = paid.authorize::<ChosenMarginals>().unwrap();
            let mut session = chosen.open(&records).unwrap();
            let measurements = measure(&plan, &mut session).unwrap();
            let fit = FitPlan { steps: 600, ..FIT };
            let generator = match pairs {
                PairChoice::Dependent => {
                    Generator::Mixture(fit_decoder(&fit, &measurements, &mut |_, _| {}))
                }
                PairChoice::JunctionTree => Generator::Graphical(fit_graphical(&measurements)),
                PairChoice::Alike => Generator::Copula(fit_copula(&measurements, &plan.orders)),
            };
            let rows = generator
                .sample(3000, &mut PublicRng::from_seed(2))
                .unwrap();
            assert_eq!(rows.len(), 3000 * columns);
            if columns == 2 {
                let equal = rows.chunks_exact(2).filter(|row| row[0] == row[1]).count();
                assert!(equal > 2000, "{equal}");
            }
        }
    }
}

#[test]
fn a_mixture_is_read_back_as_it_was_written() {
    let measurements = measured(8.0, 2, &plan(8.0, PairChoice::Dependent));
    let fit = FitPlan {
        steps: 5,
        components: 8,
        ..FIT
    };
    let mixture = fit_decoder(&fit, &measurements, &mut |_, _| {});
    let generator = Generator::Mixture(mixture);
    let notes = std::collections::BTreeMap::new();
    let bytes = generator.to_bytes(&notes).unwrap();
    let (read, _) = Generator::from_bytes(&bytes).unwrap();
    assert_eq!(read.to_bytes(&notes).unwrap(), bytes);
    let draw = |generator: &Generator| generator.sample(999, &mut PublicRng::from_seed(3)).unwrap();
    assert_eq!(draw(&read), draw(&generator));
    // A share or weight that is negative is refused.
    let start = 8 + u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
    let (mut positive, mut refused) = (0, 0);
    for at in (start..start + 400).step_by(4) {
        if f32::from_le_bytes(bytes[at..at + 4].try_into().unwrap()) > 0.0 {
            positive += 1;
            let mut changed = bytes.clone();
            changed[at + 3] |= 0x80;
            refused += usize::from(Generator::from_bytes(&changed).is_err());
        }
    }
    assert!(
        positive > 20 && refused == positive,
        "{refused} of {positive}"
    );
}
