//! Prints the certified cost of each golden case, its reference and the time it took.
//!
//! `cargo run -p dpsynth-privacy --example accountant` prints a table; with `--json` a
//! line of JSON for each case, which `docs/benchmarks/accountant.py` sets beside other accountants.
//! Names of cases after that leave out the others.

#![allow(clippy::print_stdout, reason = "printing is what it is for")]

use std::time::Instant;

use dpsynth_privacy::accountant::{calibrate, price};
use dpsynth_privacy::{Adjacency, Delta, DpEvent, Epsilon, NoiseMultiplier};

/// The least that is timed, in seconds.
const SHORTEST: f64 = 0.1;

struct Case {
    name: String,
    sampling_probability: f64,
    noise_multiplier: f64,
    steps: u32,
    delta: f64,
    reference: f64,
}

fn cases() -> Vec<Case> {
    let rows = |text: &'static str| {
        text.lines()
            .skip(1)
            .map(|line| line.split(',').collect::<Vec<_>>())
    };
    let number = |field: &str| -> f64 { field.parse().expect("a number") };
    let case = |name: String, fields: &[&str]| Case {
        name,
        sampling_probability: number(fields[0]),
        noise_multiplier: number(fields[1]),
        steps: number(fields[2]) as u32,
        delta: number(fields[3]),
        reference: number(fields[4]),
    };
    let golden = rows(include_str!("../tests/vectors/accounting.csv"))
        .map(|fields| case(fields[0].to_owned(), &fields[1..]));
    let extreme = rows(include_str!("../tests/vectors/extreme_delta.csv"))
        .enumerate()
        .map(|(index, fields)| case(format!("x{}", index + 1), &fields));
    let names: Vec<String> = std::env::args()
        .skip(1)
        .filter(|it| it != "--json")
        .collect();
    golden
        .chain(extreme)
        .filter(|case| names.is_empty() || names.contains(&case.name))
        .collect()
}

fn event(case: &Case, noise_multiplier: f64) -> DpEvent {
    DpEvent::SelfComposed {
        event: Box::new(DpEvent::PoissonSampled {
            sampling_probability: case.sampling_probability,
            event: Box::new(DpEvent::Gaussian { noise_multiplier }),
        }),
        count: case.steps,
    }
}

/// Returns the seconds that this process has had a core, or has run where the system does not say.
fn seconds(start: Instant) -> f64 {
    std::fs::read_to_string("/proc/self/schedstat")
        .ok()
        .and_then(|text| text.split(' ').next()?.parse::<f64>().ok())
        .map_or_else(
            || start.elapsed().as_secs_f64(),
            |nanoseconds| nanoseconds / 1e9,
        )
}

fn main() {
    let beginning = Instant::now();
    let json = std::env::args().any(|argument| argument == "--json");
    let mut times = Vec::new();
    if !json {
        println!(
            "case        q    sigma    steps    delta   reference       lower       upper  (up-low)/up  |up-ref|/ref  seconds"
        );
    }
    for case in cases() {
        let delta = Delta::new(case.delta).expect("a delta");
        let event = event(&case, case.noise_multiplier);
        // The system counts processor time in ticks, so short runs are timed together.
        let best = |run: &dyn Fn()| {
            (0..3)
                .map(|_| {
                    let (start, mut runs) = (seconds(beginning), 0.0);
                    loop {
                        run();
                        runs += 1.0;
                        let time = seconds(beginning) - start;
                        if time >= SHORTEST {
                            return time / runs;
                        }
                    }
                })
                .fold(f64::INFINITY, f64::min)
        };
        let answer = price(&event, Adjacency::AddOrRemoveOne, delta);
        let seconds = best(&|| {
            let _ = price(&event, Adjacency::AddOrRemoveOne, delta);
        });
        times.push(seconds);
        match answer {
            Ok(price) => {
                let (lower, upper) = (price.certified.lower, price.certified.upper);
                if json {
                    println!(
                        "{{\"case\":\"{}\",\"q\":{},\"sigma\":{},\"steps\":{},\"delta\":{},\"reference\":{},\"lower\":{lower},\"upper\":{upper},\"renyi\":{},\"seconds\":{seconds}}}",
                        case.name,
                        case.sampling_probability,
                        case.noise_multiplier,
                        case.steps,
                        case.delta,
                        case.reference,
                        price.renyi
                    );
                } else {
                    let holds = upper >= case.reference - 1e-6
                        && (upper - lower) / upper <= 1e-4
                        && (upper / case.reference - 1.0).abs() <= 1e-4;
                    println!(
                        "{:>4} {:>8.5} {:>8} {:>8} {:>8.0e} {:>11.6} {lower:>11.6} {upper:>11.6}    {:>9.2e}     {:>9.2e} {seconds:>8.4} {}",
                        case.name,
                        case.sampling_probability,
                        case.noise_multiplier,
                        case.steps,
                        case.delta,
                        case.reference,
                        (upper - lower) / upper,
                        (upper / case.reference - 1.0).abs(),
                        if holds { "" } else { "MISSED" }
                    );
                }
            }
            Err(error) => println!("{:>4} {error}", case.name),
        }
    }
    times.sort_by(f64::total_cmp);
    if json {
        return;
    }
    println!(
        "median {:.4} s, worst {:.4} s, together {:.3} s",
        times[times.len() / 2],
        times[times.len() - 1],
        times.iter().sum::<f64>()
    );
    for case in cases().iter().filter(|case| !case.name.starts_with('x')) {
        let start = seconds(beginning);
        let (epsilon, delta) = (
            Epsilon::new(case.reference).expect("an epsilon"),
            Delta::new(case.delta).expect("a delta"),
        );
        let noise = calibrate(
            |noise: NoiseMultiplier| event(case, noise.value()),
            Adjacency::AddOrRemoveOne,
            epsilon,
            delta,
        );
        match noise {
            Ok(noise) => println!(
                "{:>4} calibrated to {:.6} for {} in {:.3} s",
                case.name,
                noise.value(),
                case.noise_multiplier,
                seconds(beginning) - start
            ),
            Err(error) => println!("{:>4} {error}", case.name),
        }
    }
}
