//! How many draws of Gaussian noise a second one thread makes, sampler by sampler.
//!
//! ```sh
//! cargo run -p dpsynth-privacy --example noise_speed --config 'profile.dev.package.opendp.opt-level=3'
//! ```
//!
//! Each figure is the best of many short runs, because a run that another program interrupts says
//! nothing about the sampler.

use std::hint::black_box;
use std::io::{self, Write};
use std::time::{Duration, Instant};

use dashu_ratio::RBig;
use dpsynth_privacy::PublicRng;
use dpsynth_privacy::insecure::{Sampler, fill_noise};
use opendp::traits::samplers::sample_discrete_gaussian;

/// The noise of one coordinate of DP-SGD at a noise multiplier of 1.5.
const SCALE: f64 = 1.5 * 1_099_511_627_776.0;

/// How long each sampler is watched.
const WATCHED: Duration = Duration::from_secs(4);

fn main() -> io::Result<()> {
    let mut out = io::stdout().lock();
    let mut report = |name: &str, (rate, total): (f64, usize)| {
        let nanoseconds = 1e9 / rate;
        writeln!(
            out,
            "{name:58} {:8.2} M/s {nanoseconds:9.1} ns   ({total} draws)",
            rate / 1e6
        )
    };
    let mut noise = vec![0i64; 1 << 15];
    report(
        "round(s·Z), exact, from strips, ChaCha20",
        best(noise.len(), |seed| {
            black_box(fill_noise(Sampler::Strips, SCALE, seed, &mut noise));
        }),
    )?;
    report(
        "round(s·Z), exact, Karney (2016), ChaCha20",
        best(1 << 11, |seed| {
            black_box(fill_noise(
                Sampler::Karney,
                SCALE,
                seed,
                &mut noise[..1 << 11],
            ));
        }),
    )?;
    let scale = RBig::try_from(SCALE).map_err(io::Error::other)?;
    report(
        "discrete Gaussian, exact, OpenDP 0.16",
        best(1 << 7, |_| {
            for _ in 0..1 << 7 {
                black_box(sample_discrete_gaussian(scale.clone())).ok();
            }
        }),
    )?;
    let mut floats = vec![0f64; 1 << 15];
    report(
        "s·Z in doubles, not exact, Box and Muller, ChaCha20",
        best(floats.len(), |seed| {
            let mut rng = PublicRng::from_seed(seed);
            for pair in floats.chunks_exact_mut(2) {
                let radius = (-2.0 * (1.0 - rng.uniform()).ln()).sqrt();
                let (sin, cos) = (std::f64::consts::TAU * rng.uniform()).sin_cos();
                pair.copy_from_slice(&[SCALE * radius * cos, SCALE * radius * sin]);
            }
            black_box(&floats);
        }),
    )?;
    report(
        "the 96 bits alone that a draw from strips takes",
        best(1 << 15, |seed| {
            let mut rng = PublicRng::from_seed(seed);
            let sum = (0..3 << 14).fold(0u64, |sum, _| sum ^ rng.next_u64());
            black_box(sum);
        }),
    )
}

/// Draws a second in the best run of `run`, which makes `draws` of them from a seed; and all draws.
fn best(draws: usize, mut run: impl FnMut(u64)) -> (f64, usize) {
    let start = Instant::now();
    let (mut shortest, mut runs) = (f64::INFINITY, 0u64);
    while start.elapsed() < WATCHED || runs < 10 {
        let begun = Instant::now();
        run(runs);
        shortest = shortest.min(begun.elapsed().as_secs_f64());
        runs += 1;
    }
    (draws as f64 / shortest, draws * runs as usize)
}
