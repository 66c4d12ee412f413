//! How many draws of Gaussian noise a second one thread makes, sampler by sampler.
//!
//! ```sh
//! cargo run --release -p dpsynth-privacy --example noise_speed
//! ```
//!
//! The samplers take turns, and each figure is the best of many short runs, because a run that
//! another program interrupts says nothing about the sampler.

use std::hint::black_box;
use std::io::{self, Write};
use std::time::{Duration, Instant};

use dashu_ratio::RBig;
use dpsynth_privacy::PublicRng;
use dpsynth_privacy::insecure::{Sampler, fill_noise};
use opendp::traits::samplers::sample_discrete_gaussian;

/// The noise of one coordinate of DP-SGD at a noise multiplier of 1.5.
const SCALE: f64 = 1.5 * 16_777_216.0;

/// How often each sampler has its turn, and for how long.
const TURNS: u32 = 40;
const TURN: Duration = Duration::from_millis(100);

fn main() -> io::Result<()> {
    let scale = RBig::try_from(SCALE).map_err(io::Error::other)?;
    let mut noise = vec![0i64; 1 << 13];
    let mut few = vec![0i64; 1 << 9];
    let mut floats = vec![0f64; 1 << 13];
    // The first draw of a process makes the table.
    let begun = Instant::now();
    black_box(fill_noise(Sampler::Strips, SCALE, 0, &mut few[..1]));
    let table = begun.elapsed();
    let mut samplers = [
        Timed::new("round(s·Z), exact, from strips", 1 << 13, |seed| {
            black_box(fill_noise(Sampler::Strips, SCALE, seed, &mut noise));
        }),
        Timed::new("round(s·Z), exact, Karney (2016)", 1 << 9, |seed| {
            black_box(fill_noise(Sampler::Karney, SCALE, seed, &mut few));
        }),
        Timed::new("discrete Gaussian, exact, OpenDP 0.16", 1 << 5, |_| {
            for _ in 0..1 << 5 {
                black_box(sample_discrete_gaussian(scale.clone())).ok();
            }
        }),
        Timed::new("s·Z in doubles, Box and Muller", 1 << 13, |seed| {
            let mut rng = PublicRng::from_seed(seed);
            for pair in floats.chunks_exact_mut(2) {
                let radius = (-2.0 * (1.0 - rng.uniform()).ln()).sqrt();
                let (sin, cos) = (std::f64::consts::TAU * rng.uniform()).sin_cos();
                pair.copy_from_slice(&[SCALE * radius * cos, SCALE * radius * sin]);
            }
            black_box(&floats);
        }),
        Timed::new("the 64 bits alone of a draw from strips", 1 << 13, |seed| {
            let mut rng = PublicRng::from_seed(seed);
            black_box((0..1 << 13).fold(0u64, |sum, _| sum ^ rng.next_u64()));
        }),
    ];
    for _ in 0..TURNS {
        for sampler in &mut samplers {
            sampler.take_turn();
        }
    }
    let mut out = io::stdout().lock();
    writeln!(out, "making the table of strips, once: {table:.0?}")?;
    for Timed {
        name, draws, best, ..
    } in &samplers
    {
        let nanoseconds = 1e9 * best / f64::from(*draws);
        let millions = 1e3 / nanoseconds;
        writeln!(out, "{name:42} {millions:8.2} M/s {nanoseconds:9.1} ns")?;
    }
    Ok(())
}

/// A sampler and its shortest run.
struct Timed<'a> {
    name: &'static str,
    /// Draws in one run.
    draws: u32,
    run: Box<dyn FnMut(u64) + 'a>,
    runs: u64,
    /// Seconds of the shortest run.
    best: f64,
}

impl<'a> Timed<'a> {
    fn new(name: &'static str, draws: u32, run: impl FnMut(u64) + 'a) -> Self {
        Self {
            name,
            draws,
            run: Box::new(run),
            runs: 0,
            best: f64::INFINITY,
        }
    }

    fn take_turn(&mut self) {
        let start = Instant::now();
        while start.elapsed() < TURN {
            let begun = Instant::now();
            (self.run)(self.runs);
            self.best = self.best.min(begun.elapsed().as_secs_f64());
            self.runs += 1;
        }
    }
}
