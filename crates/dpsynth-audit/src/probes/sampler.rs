//! Who takes part in a step: whether it is Poisson sampling at the rate that is priced.

use super::{permission, records, refused, unit_of};
use crate::error::AuditError;
use crate::outcome::{Check, Watch};
use crate::privacy::{
    Block, ClipNorm, DpSgd, LayerFactors, LayerInput, LayerShape, LayerwiseModel, Mechanism,
    NoiseMultiplier, SamplingRate, StepCount, Taint,
};
use crate::statistics::{chi_square_limit, survival};

/// Chance that one statistic of a correct sampler exceeds its limit.
const ALPHA: f64 = 1e-9;

/// Units of the table.
const UNITS: u32 = 1000;

/// Checks how often units take part, alone, together, and in steps that follow each other, and how
/// the number of those that do varies.
///
/// # Errors
/// If a step refuses to run.
pub fn sampler(rate: f64, steps: u32, seed: u64) -> Result<Vec<Check>, AuditError> {
    let watch = Watch::start();
    let (samples, rate) = samples(rate, steps, seed)?;
    let units = UNITS as usize;
    let name = |what: &str| format!("sampling at rate {rate:.3}: {what}");
    let took_part: u64 = samples
        .iter()
        .flatten()
        .map(|&taken| u64::from(taken))
        .sum();
    // Disjoint pairs, so that they are independent.
    let both = |a: &[bool], b: &[bool]| a.iter().zip(b).filter(|(a, b)| **a && **b).count() as u64;
    let in_a_row: u64 = samples
        .chunks_exact(2)
        .map(|pair| both(&pair[0], &pair[1]))
        .sum();
    let neighbours: u64 = samples
        .iter()
        .flat_map(|sample| sample.chunks_exact(2))
        .map(|pair| u64::from(pair[0] && pair[1]))
        .sum();
    let pairs = (samples.len() / 2 * units) as u64;
    let mut checks = vec![
        binomial(
            name("how often units take part"),
            took_part,
            (samples.len() * units) as u64,
            rate,
            &watch,
        ),
        binomial(
            name("how often a unit takes part in two steps that follow each other"),
            in_a_row,
            pairs,
            rate * rate,
            &watch,
        ),
        binomial(
            name("how often two neighbours take part together"),
            neighbours,
            pairs,
            rate * rate,
            &watch,
        ),
    ];
    // The unit that takes part least often, and the one that does most often.
    let of_unit: Vec<u64> = (0..units)
        .map(|unit| samples.iter().filter(|sample| sample[unit]).count() as u64)
        .collect();
    let rarest = of_unit
        .iter()
        .map(|&taken| tail(taken, samples.len() as u64, rate))
        .fold(1.0, f64::min);
    checks.push(Check::compare(
        name("how often the rarest and the most frequent unit take part"),
        (-rarest.ln(), -(ALPHA / f64::from(UNITS)).ln()),
        ALPHA,
        "a unit that is always or never drawn is found for certain",
        &watch,
    ));
    checks.push(sizes(
        name("how the number of units varies"),
        &samples,
        rate,
        &watch,
    ));
    Ok(checks)
}

/// Compares a count with its binomial distribution; the statistic is minus the logarithm of the
/// chance of a count as extreme.
fn binomial(name: String, seen: u64, trials: u64, rate: f64, watch: &Watch) -> Check {
    let n = trials as f64;
    let shown = 6.2 * (rate * (1.0 - rate) / n).sqrt() / rate;
    Check::compare(
        name,
        (-tail(seen, trials, rate).ln(), -ALPHA.ln()),
        ALPHA,
        format!(
            "a rate that is {:.1} per cent off is found with probability 0.5",
            100.0 * shown
        ),
        watch,
    )
}

/// The chance of a count as extreme as `seen`, on either side.
fn tail(seen: u64, trials: u64, rate: f64) -> f64 {
    let above = survival(seen, trials, rate);
    let below = survival(trials - seen, trials, 1.0 - rate);
    (2.0 * above.min(below)).min(1.0)
}

/// The spread of the number of units in a step against the binomial one, by χ² in the limit of many
/// units: both too little and too much.
fn sizes(name: String, samples: &[Vec<bool>], rate: f64, watch: &Watch) -> Check {
    let expected = f64::from(UNITS) * rate;
    let variance = expected * (1.0 - rate);
    let statistic: f64 = samples
        .iter()
        .map(|sample| {
            let size = sample.iter().filter(|&&taken| taken).count() as f64;
            (size - expected).powi(2) / variance
        })
        .sum();
    let degrees = samples.len();
    let upper = chi_square_limit(degrees, ALPHA / 2.0);
    // Laurent & Massart 2000, lemma 1: the lower tail.
    let lower = degrees as f64 - 2.0 * (degrees as f64 * (2.0 / ALPHA).ln()).sqrt();
    // One number for both sides: 1 at either limit.
    let share = if statistic > degrees as f64 {
        (statistic - degrees as f64) / (upper - degrees as f64)
    } else {
        (degrees as f64 - statistic) / (degrees as f64 - lower)
    };
    Check::compare(
        name,
        (share, 1.0),
        ALPHA,
        "batches of one size are found for certain",
        watch,
    )
}

/// Who took part in each step, and the rate that is priced.
fn samples(rate: f64, steps: u32, seed: u64) -> Result<(Vec<Vec<bool>>, f64), AuditError> {
    let unit = unit_of(1);
    let units: Vec<Vec<Vec<u16>>> = (0..UNITS as u16).map(|code| vec![vec![code]]).collect();
    let data = records(&unit, vec![UNITS], &units)?;
    let rate = SamplingRate::at_most(rate).map_err(refused!())?;
    let mechanism = Mechanism::DpSgd(DpSgd {
        sampling_rate: rate,
        steps: StepCount::new(steps).map_err(refused!())?,
        noise_multiplier: NoiseMultiplier::new(1.0).map_err(refused!())?,
        clip_norm: ClipNorm::new(1.0).map_err(refused!())?,
    });
    // Without noise, a coordinate of each unit's own shows whether it took part.
    let mut paid = permission(&unit, mechanism, Taint::NoNoise, seed);
    let mut sequence = paid.authorize::<DpSgd>().map_err(refused!())?.steps();
    let weights = vec![0.0; UNITS as usize + 1];
    let mut samples = Vec::with_capacity(steps as usize);
    while let Some(step) = sequence.next_step() {
        let sum = step
            .run::<OneEach>(&data, &(), &weights)
            .map_err(refused!())?;
        samples.push(sum[..UNITS as usize].iter().map(|&x| x > 0.25).collect());
    }
    Ok((samples, rate.value()))
}

/// A network in which each code has a parameter of its own.
struct OneEach;

impl LayerwiseModel for OneEach {
    type Shape = ();
    type Weights<'w> = ();
    type Scratch = ();

    fn layers((): &()) -> Vec<LayerShape> {
        vec![LayerShape {
            input: LayerInput::Codes {
                total_codes: UNITS as usize,
            },
            outputs: 1,
        }]
    }

    fn normals_per_row((): &()) -> usize {
        0
    }

    fn lay_out<'w>((): &'w (), _: &'w [f32]) {}

    fn forward((): &(), (): &(), _: &Block<'_>, (): &mut (), _: &mut [LayerFactors]) {}

    fn backward((): &(), (): &(), _: &Block<'_>, (): &mut (), factors: &mut [LayerFactors]) {
        factors[0].deltas.fill(10.0);
    }
}
