//! Measures the time of one training step: private and exact, and without privacy.
//!
//! ```sh
//! cargo run --release -p dpsynth-train --example step_time -- [--hidden 128] [--rows 32561]
//!     [--columns 15] [--batch 2048] [--steps 60] [--json]
//! ```
//!
//! Both steps run the same forward and backward pass over the same rows, on all cores. The step
//! without privacy neither clips, quantises nor adds noise; it forms each layer's gradient with
//! one single-precision product per block. The two take turns, and the fastest and the middle
//! step of each are printed. Parts are sums over threads, as shares of the threads' time.

#![expect(clippy::print_stdout, reason = "a benchmark prints its result")]

mod ordinary;
mod products;

use std::time::Instant;

use dpsynth_privacy::{
    ClipNorm, DpSgd, Mechanism, NoiseMultiplier, PrivacyUnit, Private, PublicRng, Records,
    SamplingRate, StepCount, StepTimes, Taint, insecure,
};
use dpsynth_train::{Network, NoiseVariance, Optimiser, Training, Vae, VaeShape};

use ordinary::{OrdinaryStep, OrdinaryTimes};

/// Domain sizes of the columns of Adult under its policy in this repository: 298 codes.
const ADULT: [u32; 15] = [37, 9, 30, 16, 16, 7, 15, 6, 5, 2, 40, 30, 41, 42, 2];

struct Settings {
    hidden: u32,
    rows: usize,
    columns: usize,
    batch: f64,
    steps: u32,
    json: Output,
}

#[derive(PartialEq)]
enum Output {
    Text,
    Json,
}

fn settings() -> Settings {
    let mut settings = Settings {
        hidden: 128,
        rows: 32_561,
        columns: ADULT.len(),
        batch: 2048.0,
        steps: 60,
        json: Output::Text,
    };
    let mut arguments = std::env::args().skip(1);
    while let Some(name) = arguments.next() {
        let mut number = || -> f64 {
            arguments
                .next()
                .and_then(|value| value.parse().ok())
                .unwrap_or_else(|| panic!("{name} takes a number"))
        };
        match name.as_str() {
            "--hidden" => settings.hidden = number() as u32,
            "--rows" => settings.rows = number() as usize,
            "--columns" => settings.columns = number() as usize,
            "--batch" => settings.batch = number(),
            "--steps" => settings.steps = number() as u32,
            "--json" => settings.json = Output::Json,
            _ => panic!("there is no option {name}"),
        }
    }
    settings
}

/// Codes with a skew, so that some are rare, as in real tables.
fn codes(domain_sizes: &[u32], rows: usize) -> Vec<u16> {
    let mut state = 1u64;
    let mut codes = Vec::with_capacity(rows * domain_sizes.len());
    for _ in 0..rows {
        for &size in domain_sizes {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            let uniform = (state >> 40) as f32 / (1u64 << 24) as f32;
            codes.push((uniform * uniform * size as f32) as u16);
        }
    }
    codes
}

fn optimiser() -> Optimiser {
    Optimiser {
        learning_rate: 1e-2,
        warm_up: 0.1,
        final_rate: 0.1,
        first_decay: 0.9,
        second_decay: 0.999,
        averaged: 0.25,
        noise_variance: NoiseVariance::Subtract,
    }
}

fn main() {
    let settings = settings();
    let domain_sizes: Vec<u32> = ADULT
        .iter()
        .copied()
        .cycle()
        .take(settings.columns)
        .collect();
    let shape = VaeShape::new(Network {
        column_weights: vec![1.0; domain_sizes.len()],
        domain_sizes: domain_sizes.clone(),
        encoder_hidden: vec![settings.hidden],
        decoder_hidden: vec![settings.hidden, settings.hidden],
        latent: 32,
        kl_weight: 1.0,
    })
    .expect("a network in range");
    let mut rng = PublicRng::from_seed(1);
    let weights: Vec<f32> = (0..shape.parameters())
        .map(|_| (0.05 * rng.normal()) as f32)
        .collect();

    let mechanism = DpSgd {
        sampling_rate: SamplingRate::at_most(settings.batch / settings.rows as f64)
            .expect("a rate in range"),
        steps: StepCount::new(settings.steps).expect("a number of steps in range"),
        noise_multiplier: NoiseMultiplier::new(1.0).expect("a multiplier in range"),
        clip_norm: ClipNorm::new(2.0).expect("a norm in range"),
    };
    let rate = mechanism.sampling_rate.value();
    let mut paid = insecure::paid(
        PrivacyUnit::Row,
        vec![Mechanism::DpSgd(mechanism)],
        Taint::FixedSeed,
        7,
    );
    let data = Private::load(&paid, (domain_sizes, settings.rows), |(sizes, rows)| {
        let codes = codes(&sizes, rows);
        Records::rows(sizes, codes)
    })
    .expect("codes in their domains");
    // The step without privacy reads a table of Adult's size whatever `--rows` says.
    let ordinary_rows = settings.rows.min(32_561);
    let ordinary = OrdinaryStep::new(
        &shape,
        codes(&shape.network().domain_sizes, ordinary_rows),
        (rate * settings.rows as f64 / ordinary_rows as f64).min(1.0),
    );

    let mut steps = paid
        .authorize::<DpSgd>()
        .expect("the mechanism was not taken yet")
        .steps();
    let mut training = Training::start(optimiser(), settings.steps, 2048.0, 2.0, weights.clone());
    let mut private = Vec::new();
    let mut plain = Vec::new();
    let mut updates = Vec::new();
    while let Some(step) = steps.next_step() {
        let start = Instant::now();
        let (sum, times) =
            insecure::run_timed::<Vae>(step, &data, &shape, &weights).expect("a step that fits");
        private.push((start.elapsed().as_secs_f64(), times.unwrap_or_default()));
        let start = Instant::now();
        training.update(&sum);
        updates.push(start.elapsed().as_secs_f64());
        let start = Instant::now();
        let (_, times) = ordinary.run(&weights, private.len() as u64);
        plain.push((start.elapsed().as_secs_f64(), times));
    }
    print_all(&settings, &shape, private, plain, updates);
}

fn print_all(
    settings: &Settings,
    shape: &VaeShape,
    mut private: Vec<(f64, StepTimes)>,
    mut plain: Vec<(f64, OrdinaryTimes)>,
    mut updates: Vec<f64>,
) {
    private.sort_by(|a, b| a.0.total_cmp(&b.0));
    plain.sort_by(|a, b| a.0.total_cmp(&b.0));
    updates.sort_by(f64::total_cmp);
    let (fastest, parts) = private[0];
    let (fastest_plain, plain_parts) = plain[0];
    let flops = products::flops_of_a_row(shape) * settings.batch;
    let (single, double) = products::speed();
    let ms = |seconds: f64| 1e3 * seconds;
    let middle = |times: &[f64]| times[times.len() / 2];
    let all: Vec<f64> = private.iter().map(|(time, _)| *time).collect();
    let all_plain: Vec<f64> = plain.iter().map(|(time, _)| *time).collect();
    if settings.json == Output::Json {
        println!(
            "{{\"parameters\":{},\"private_ms\":{:.3},\"private_median_ms\":{:.3},\
             \"plain_ms\":{:.3},\"plain_median_ms\":{:.3},\"optimiser_ms\":{:.3},\
             \"sample_ms\":{:.3},\"lay_out_ms\":{:.3},\"forward_ms\":{:.3},\
             \"backward_ms\":{:.3},\"clip_ms\":{:.3},\"product_ms\":{:.3},\"noise_ms\":{:.3},\
             \"f32_gflops\":{single:.1},\"f64_gflops\":{double:.1}}}",
            shape.parameters(),
            ms(fastest),
            ms(middle(&all)),
            ms(fastest_plain),
            ms(middle(&all_plain)),
            ms(updates[0]),
            ms(parts.sample),
            ms(parts.lay_out),
            ms(parts.forward),
            ms(parts.backward),
            ms(parts.clip),
            ms(parts.product),
            ms(parts.noise),
        );
        return;
    }
    println!(
        "{} rows, {} codes, width {}, {} weights, {} rows a step",
        settings.rows,
        shape.total_codes(),
        settings.hidden,
        shape.parameters(),
        settings.batch
    );
    println!("one product of 128 rows, one thread: {single:.0} GF/s single, {double:.0} double");
    println!("                 private      not private   (CPU ms of the fastest step)");
    let rows = [
        ("sample", parts.sample, plain_parts.sample),
        ("lay out", parts.lay_out, plain_parts.lay_out),
        ("forward", parts.forward, plain_parts.forward),
        ("backward", parts.backward, plain_parts.backward),
        ("clip, quantise", parts.clip, 0.0),
        ("product", parts.product, plain_parts.product),
        ("noise", parts.noise, 0.0),
        ("all parts", parts.total(), plain_parts.total()),
    ];
    for (name, private, plain) in rows {
        println!("{name:>14} {:>9.2} {:>16.2}", ms(private), ms(plain));
    }
    println!(
        "{:>14} {:>9.2} {:>16.2}   ratio {:.2}",
        "step, fastest",
        ms(fastest),
        ms(fastest_plain),
        fastest / fastest_plain
    );
    println!(
        "{:>14} {:>9.2} {:>16.2}   ratio {:.2}",
        "middle",
        ms(middle(&all)),
        ms(middle(&all_plain)),
        middle(&all) / middle(&all_plain)
    );
    println!(
        "{:>14} {:>9.2}   (after the step)",
        "optimiser",
        ms(updates[0])
    );
    println!(
        "products of the step: {:.0} MF, {:.0} GF/s over the whole private step",
        flops / 1e6,
        flops / fastest / 1e9
    );
}
