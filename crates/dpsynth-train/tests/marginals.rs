//! Measuring marginals and fitting a decoder to them, on a table whose truth is known.

use dpsynth_privacy::{
    ChosenMarginals, Mechanism, NoiseMultiplier, PrivacyUnit, Private, PublicRng, Records,
    Released, Taint, insecure,
};
use dpsynth_train::{
    CodeOrder, FitPlan, Generator, MeasurePlan, MeasureShares, Measurements, fit_decoder, measure,
};

const ROWS: usize = 8000;
const SIZES: [u32; 5] = [40, 6, 3, 4, 2];

/// Rows in which a column of numbers, a column of categories and the class depend on each other,
/// and the others do not. Half of the numbers are exactly the first cell.
fn row(rng: &mut PublicRng) -> [u16; 5] {
    let class = u16::from(rng.uniform() < 0.3);
    let spike = rng.uniform() < 0.5;
    let number = if spike {
        0
    } else {
        1 + (rng.uniform() * 19.0) as u16 + 20 * class
    };
    let category = if rng.uniform() < 0.8 {
        2 * class + u16::from(number > 0)
    } else {
        (rng.uniform() * 4.0) as u16
    };
    let copy = if rng.uniform() < 0.9 { category / 2 } else { 2 };
    [number, category, copy, (rng.uniform() * 4.0) as u16, class]
}

fn plan(noise: f64) -> MeasurePlan {
    MeasurePlan {
        codes: SIZES.to_vec(),
        orders: vec![
            CodeOrder::Ordered { values: 40 },
            CodeOrder::Nominal,
            CodeOrder::Nominal,
            CodeOrder::Nominal,
            CodeOrder::Nominal,
        ],
        target: Some(4),
        units: ROWS as f64,
        noise_stddev: noise,
        shares: SHARES,
    }
}

fn measured(noise: f64, seed: u64, plan: &MeasurePlan) -> Released<Measurements> {
    let mechanism = Mechanism::ChosenMarginals(ChosenMarginals {
        noise_multiplier: NoiseMultiplier::new(noise).unwrap(),
    });
    let mut paid = insecure::paid(PrivacyUnit::Row, vec![mechanism], Taint::FixedSeed, seed);
    let records = Private::load(&paid, seed, |seed| {
        let mut rng = PublicRng::from_seed(seed);
        let codes = (0..ROWS).flat_map(|_| row(&mut rng)).collect();
        Records::rows(SIZES.to_vec(), codes)
    })
    .unwrap();
    let chosen = paid.authorize::<ChosenMarginals>().unwrap();
    let mut session = chosen.open(&records).unwrap();
    let measurements = measure(plan, &mut session).unwrap();
    // Everything that was paid for was used.
    assert!(session.left() < 1e-6, "{}", session.left());
    measurements
}

const SHARES: MeasureShares = MeasureShares {
    one_way: 0.12,
    by_class: 0.04,
    all_pairs: 0.22,
    noise_to_cell: 2.7,
};

const FIT: FitPlan = FitPlan {
    latent: 16,
    hidden: 48,
    components: 256,
    steps: 2000,
    learning_rate: 5e-3,
    enough: 0.0,
    restarts: 1,
    seed: 5,
};

/// Largest distance of all pairs of columns between two tables of codes.
fn worst_pair(a: &[u16], b: &[u16]) -> f64 {
    let histogram = |rows: &[u16], i: usize, j: usize| {
        let mut counts = vec![0.0f64; (SIZES[i] * SIZES[j]) as usize];
        let share = 5.0 / rows.len() as f64;
        for row in rows.chunks_exact(5) {
            counts[usize::from(row[i]) * SIZES[j] as usize + usize::from(row[j])] += share;
        }
        counts
    };
    let pairs = (0..5).flat_map(|i| (i + 1..5).map(move |j| (i, j)));
    pairs
        .map(|(i, j)| {
            let (a, b) = (histogram(a, i, j), histogram(b, i, j));
            0.5 * a.iter().zip(&b).map(|(a, b)| (a - b).abs()).sum::<f64>()
        })
        .fold(0.0, f64::max)
}

fn truth() -> Vec<u16> {
    let mut rng = PublicRng::from_seed(1000);
    (0..40_000).flat_map(|_| row(&mut rng)).collect()
}

#[test]
fn the_fit_draws_rows_like_those_that_were_measured() {
    let plan = plan(4.0);
    let measurements = measured(4.0, 1, &plan);
    assert!(plan.outlook().split);
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
fn equal_seeds_fit_equal_mixtures() {
    let measurements = measured(8.0, 2, &plan(8.0));
    let fit = FitPlan {
        steps: 12,
        restarts: 2,
        ..FIT
    };
    let first = fit_decoder(&fit, &measurements, &mut |_, _| {});
    assert_eq!(first, fit_decoder(&fit, &measurements, &mut |_, _| {}));
    assert_eq!(first.components(), 512);
    let other = FitPlan { seed: 6, ..fit };
    assert_ne!(first, fit_decoder(&other, &measurements, &mut |_, _| {}));
}

#[test]
fn strong_noise_still_gives_rows_in_the_domain() {
    for noise in [60.0, 2000.0] {
        let plan = MeasurePlan {
            target: None,
            ..plan(noise)
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
fn a_single_column_and_a_pair_can_be_measured() {
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
            codes: vec![3; columns],
            orders: vec![CodeOrder::Nominal; columns],
            target: Some(0),
            units: (900 / columns) as f64,
            noise_stddev: 1.0,
            shares: SHARES,
        };
        let mut session = paid
            .authorize::<ChosenMarginals>()
            .unwrap()
            .open(&records)
            .unwrap();
        let measurements = measure(&plan, &mut session).unwrap();
        let mixture = fit_decoder(
            &FitPlan { steps: 600, ..FIT },
            &measurements,
            &mut |_, _| {},
        );
        let rows = mixture.sample(3000, &mut PublicRng::from_seed(2));
        if columns == 2 {
            let equal = rows.chunks_exact(2).filter(|row| row[0] == row[1]).count();
            assert!(equal > 2000, "{equal}");
        }
    }
}

#[test]
fn a_mixture_is_read_back_as_it_was_written() {
    let measurements = measured(8.0, 2, &plan(8.0));
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
