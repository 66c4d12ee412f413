//! Whole training runs on the real core, with permissions that nothing was paid for.

use std::collections::BTreeMap;

use dpsynth_privacy::{
    ClipNorm, DpSgd, Marginals, Mechanism, NoiseMultiplier, Paid, PrivacyUnit, Private, PublicRng,
    Records, Released, SamplingRate, StepCount, Taint, insecure,
};
use dpsynth_train::{
    Generator, Network, NoiseVariance, Optimiser, Processor, StartingCounts, TrainError,
    TrainingPlan, VaeShape, fit,
};

const ROWS: usize = 4000;
const NOISE_MULTIPLIER: f64 = 2.0;

/// Two columns of which the second repeats the first, and a third that is independent.
fn load(_: ()) -> Result<Records, dpsynth_privacy::RecordsError> {
    let mut rng = PublicRng::from_seed(42);
    let mut codes = Vec::with_capacity(3 * ROWS);
    for _ in 0..ROWS {
        let (first, third) = (rng.next_u64() % 4, rng.next_u64() % 3);
        codes.extend([first as u16, first as u16, third as u16]);
    }
    Records::rows(vec![4, 4, 3], codes)
}

fn plan() -> TrainingPlan {
    let network = Network {
        domain_sizes: vec![4, 4, 3],
        encoder_hidden: vec![32],
        decoder_hidden: vec![32],
        latent: 2,
        kl_weight: 0.3,
        column_weights: vec![1.0; 3],
    };
    TrainingPlan {
        shape: VaeShape::new(network).expect("a network of sensible size"),
        expected_units: ROWS as f64,
        optimiser: Optimiser {
            learning_rate: 1e-2,
            warm_up: 0.05,
            final_rate: 0.05,
            first_decay: 0.9,
            second_decay: 0.99,
            averaged: 0.2,
            noise_variance: NoiseVariance::Keep,
        },
        seed: 1,
        processor: Processor::Cpu,
    }
}

fn mechanisms(steps: u32) -> Vec<Mechanism> {
    let noise_multiplier = NoiseMultiplier::new(NOISE_MULTIPLIER).expect("positive");
    vec![
        Mechanism::Marginals(Marginals {
            column_sets: vec![vec![0], vec![1], vec![2]],
            noise_multiplier,
        }),
        Mechanism::DpSgd(DpSgd {
            sampling_rate: SamplingRate::at_most(0.1).expect("between 0 and 1"),
            steps: StepCount::new(steps).expect("positive"),
            noise_multiplier,
            clip_norm: ClipNorm::new(2.0).expect("positive"),
        }),
    ]
}

/// What a run ends with, and the steps that it told of.
struct Run {
    fitted: Result<Released<Generator>, TrainError>,
    progress: Vec<(u32, u32)>,
}

/// Runs everything on one charge.
fn run(mut paid: Paid, plan: &TrainingPlan) -> Run {
    let data = Private::load(&paid, (), load).expect("the codes lie in their domains");
    let one_way = measure(&mut paid, &data);
    let mut progress = Vec::new();
    let fitted = fit(
        plan,
        &one_way,
        paid.authorize().expect("training is paid for"),
        &data,
        &mut |step| {
            progress.push((step.taken, step.steps));
        },
    );
    Run { fitted, progress }
}

fn measure(paid: &mut Paid, data: &Private<Records>) -> Released<StartingCounts> {
    let counts = paid
        .authorize::<Marginals>()
        .expect("counts are paid for")
        .measure(data)
        .expect("the columns exist");
    counts.map(|sets| StartingCounts {
        one_way: sets
            .into_iter()
            .map(|set| set.into_iter().map(|count| count as f64).collect())
            .collect(),
        by_class: None,
        noise_stddev: NOISE_MULTIPLIER,
    })
}

fn permission(taint: Taint, seed: u64, steps: u32) -> Paid {
    insecure::paid(PrivacyUnit::Row, mechanisms(steps), taint, seed)
}

/// Share of sampled rows whose first two columns agree; a quarter if they are independent.
fn agreement(generator: &Generator) -> f64 {
    let codes = generator
        .sample(ROWS, &mut PublicRng::from_seed(9))
        .expect("a model that was fitted can be sampled");
    codes.chunks_exact(3).filter(|row| row[0] == row[1]).count() as f64 / ROWS as f64
}

#[test]
fn dependence_between_columns_is_learned() {
    let without_noise = run(permission(Taint::NoNoise, 3, 400), &plan());
    assert_eq!(
        without_noise.progress,
        (1..=400).map(|taken| (taken, 400)).collect::<Vec<_>>()
    );
    let without_noise = agreement(&without_noise.fitted.unwrap());
    assert!(without_noise > 0.85, "{without_noise}");
    let noisy = run(permission(Taint::FixedSeed, 3, 400), &plan());
    let noisy = agreement(&noisy.fitted.unwrap());
    assert!(noisy > 0.6, "{noisy}");
}

#[test]
fn the_permission_and_the_seed_decide_the_model() {
    let model = |secret, seed| {
        let plan = TrainingPlan { seed, ..plan() };
        let run = run(permission(Taint::FixedSeed, secret, 3), &plan);
        run.fitted.unwrap().to_bytes(&BTreeMap::new()).unwrap()
    };
    assert_eq!(model(1, 1), model(1, 1));
    assert_ne!(model(1, 1), model(2, 1));
    assert_ne!(model(1, 1), model(1, 2));
}

#[test]
fn a_plan_that_is_out_of_range_is_refused_before_the_first_step() {
    let bad_units = TrainingPlan {
        expected_units: f64::NAN,
        ..plan()
    };
    let mut bad_rate = plan();
    bad_rate.optimiser.learning_rate = 0.0;
    for plan in [bad_units, bad_rate] {
        let Run { fitted, progress } = run(permission(Taint::FixedSeed, 1, 3), &plan);
        assert_eq!(fitted.unwrap_err().code(), "DPS3002");
        assert!(progress.is_empty());
    }
}

#[test]
fn a_network_of_other_columns_is_refused() {
    let mut plan = plan();
    let network = Network {
        domain_sizes: vec![4, 4, 4],
        ..plan.shape.network().clone()
    };
    plan.shape = VaeShape::new(network).unwrap();
    let run = run(permission(Taint::FixedSeed, 1, 3), &plan);
    assert_eq!(run.fitted.unwrap_err().code(), "DPS3003");
}
