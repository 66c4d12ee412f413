//! Measures how long a trained decoder takes to draw a million rows as wide as Adult's.
//!
//! ```sh
//! cargo run --release -p dpsynth-train --example sample_time -- [rows] [hidden]
//! ```

#![expect(clippy::print_stdout, reason = "a benchmark prints its result")]

use std::time::Instant;

use dpsynth_privacy::{
    ClipNorm, DpSgd, Marginals, Mechanism, NoiseMultiplier, PrivacyUnit, Private, PublicRng,
    Records, SamplingRate, StepCount, Taint, insecure,
};
use dpsynth_train::{
    Network, NoiseVariance, Optimiser, Processor, StartingCounts, TrainingPlan, VaeShape, fit,
};

/// Domain sizes of the columns of Adult under its policy in this repository: 298 codes.
const ADULT: [u32; 15] = [37, 9, 30, 16, 16, 7, 15, 6, 5, 2, 40, 30, 41, 42, 2];

fn main() {
    let mut arguments = std::env::args().skip(1);
    let mut number = |default: usize| {
        arguments
            .next()
            .map_or(default, |value| value.parse().expect("a number"))
    };
    let (rows, hidden) = (number(1_000_000), number(128) as u32);
    let noise_multiplier = NoiseMultiplier::new(1.0).expect("in range");
    let mut paid = insecure::paid(
        PrivacyUnit::Row,
        vec![
            Mechanism::Marginals(Marginals {
                column_sets: (0..ADULT.len() as u32).map(|column| vec![column]).collect(),
                noise_multiplier,
            }),
            Mechanism::DpSgd(DpSgd {
                sampling_rate: SamplingRate::at_most(0.5).expect("in range"),
                steps: StepCount::new(1).expect("in range"),
                noise_multiplier,
                clip_norm: ClipNorm::new(1.0).expect("in range"),
            }),
        ],
        Taint::FixedSeed,
        1,
    );
    let data = Private::load(&paid, (), |()| {
        let codes = (0..500 * ADULT.len()).map(|i| (i * 7 % 101) as u32);
        let codes = codes.zip(ADULT.iter().cycle());
        Records::rows(
            ADULT.to_vec(),
            codes.map(|(code, size)| (code % size) as u16).collect(),
        )
    })
    .expect("codes in their domains");
    let starting = paid
        .authorize::<Marginals>()
        .and_then(|marginals| marginals.measure(&data))
        .expect("paid for")
        .map(|sets| StartingCounts {
            one_way: sets
                .into_iter()
                .map(|set| set.into_iter().map(|count| count as f64).collect())
                .collect(),
            by_class: None,
            noise_stddev: 1.0,
        });
    let plan = TrainingPlan {
        shape: VaeShape::new(Network {
            domain_sizes: ADULT.to_vec(),
            encoder_hidden: vec![hidden],
            decoder_hidden: vec![hidden, hidden],
            latent: 32,
            kl_weight: 1.0,
            column_weights: vec![1.0; ADULT.len()],
        })
        .expect("in range"),
        expected_units: 500.0,
        optimiser: Optimiser {
            learning_rate: 1e-3,
            warm_up: 0.0,
            final_rate: 1.0,
            first_decay: 0.9,
            second_decay: 0.999,
            averaged: 1.0,
            noise_variance: NoiseVariance::Keep,
        },
        seed: 1,
        processor: Processor::Cpu,
    };
    let steps = paid.authorize().expect("paid for");
    let generator = fit(&plan, &starting, steps, &data, &mut |_| {}).expect("a fit");
    for _ in 0..3 {
        let start = Instant::now();
        let codes = generator
            .sample(rows, &mut PublicRng::from_seed(1))
            .expect("a decoder");
        println!(
            "{rows} rows of {} codes, width {hidden}: {:.2} s",
            codes.len() / rows,
            start.elapsed().as_secs_f64()
        );
    }
}
