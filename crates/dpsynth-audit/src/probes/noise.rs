//! The noise that the mechanisms add, against its exact distribution.

use super::{permission, records, refused, unit_of};
use crate::error::AuditError;
use crate::outcome::{Check, Watch};
use crate::privacy::{
    Block, ClipNorm, DpSgd, LayerFactors, LayerInput, LayerShape, LayerwiseModel, Marginals,
    Mechanism, NoiseMultiplier, SamplingRate, StepCount, Taint, UnitCount,
};
use crate::statistics::{
    chi_square, chi_square_limit, correlation_limit, distance, distance_limit, gaussian_bins,
};

/// Chance that one statistic of a correct program exceeds its limit.
const ALPHA: f64 = 1e-9;

/// Cells of a column of which nobody has any: its noisy counts are noise alone.
const CELLS: u32 = 65_536;

/// Checks the distribution, the low bits and the independence of the noise.
///
/// # Errors
/// If a mechanism refuses to run.
pub fn noise_distribution(seed: u64) -> Result<Vec<Check>, AuditError> {
    let mut checks = Vec::new();
    for (index, (multiplier, max_rows)) in
        [(3.7, 1), (1000.5, 1), (MOST, 128)].into_iter().enumerate()
    {
        let watch = Watch::start();
        let tables = noise_of_counts(multiplier, max_rows, seed.wrapping_add(index as u64))?;
        let scale = multiplier * f64::from(max_rows);
        checks.extend(shape_checks(
            &format!("noise of counts, scale {scale:.1}"),
            &tables[0],
            scale,
            &watch,
        ));
        if scale > 1e6 {
            checks.push(low_bits(&tables[0], scale));
        }
        checks.push(independence(
            &format!("noise of two column sets, scale {scale:.1}"),
            &tables[0],
            &tables[1],
        ));
    }
    checks.extend(gradient_noise(seed)?);
    checks.push(fresh_keys(seed)?);
    Ok(checks)
}

/// The largest noise multiplier there is. For people of 128 rows the noise exceeds what single
/// precision can count.
const MOST: f64 = 262_144.0;

/// Distance and bins of draws that should be Gaussian of `scale`, rounded.
fn shape_checks(name: &str, draws: &[f64], scale: f64, watch: &Watch) -> [Check; 2] {
    let limit = distance_limit(draws.len(), ALPHA);
    let (statistic, degrees) = gaussian_bins(draws, scale);
    [
        Check::compare(
            format!("{name}: distance to the exact distribution"),
            (distance(draws, scale), limit),
            ALPHA,
            // The largest gap between Φ(x) and Φ(x/f) is about 0.24·|f − 1|.
            format!(
                "another scale is found from {:.0} per cent on",
                (100.0 * 2.0 * limit / 0.24).ceil()
            ),
            watch,
        ),
        Check::compare(
            format!("{name}: shares of 30 bins"),
            (statistic, chi_square_limit(degrees, ALPHA)),
            ALPHA,
            "tails that are cut at 3.5 standard deviations are found",
            watch,
        ),
    ]
}

/// The lowest six bits of draws at a scale so large that they must be uniform.
fn low_bits(draws: &[f64], scale: f64) -> Check {
    let watch = Watch::start();
    let mut seen = [0u64; 64];
    for &draw in draws {
        seen[(draw as i64 & 63) as usize] += 1;
    }
    let expected = [draws.len() as f64 / 64.0; 64];
    Check::compare(
        format!("noise of counts, scale {scale:.1}: lowest six bits"),
        (chi_square(&seen, &expected), chi_square_limit(63, ALPHA)),
        ALPHA,
        "noise that was computed in single precision is found",
        &watch,
    )
}

/// Whether two lots of noise have anything to do with each other.
fn independence(name: &str, first: &[f64], second: &[f64]) -> Check {
    let watch = Watch::start();
    let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
    let correlation = dot(first, second) / (dot(first, first) * dot(second, second)).sqrt();
    let limit = correlation_limit(first.len().min(second.len()), ALPHA);
    Check::compare(
        format!("{name}: correlation"),
        (correlation.abs(), limit),
        ALPHA,
        format!(
            "a correlation of {:.3} or more is found, a repeated stream for certain",
            2.0 * limit
        ),
        &watch,
    )
}

/// Noisy counts of two sets of one column over an empty table.
fn noise_of_counts(multiplier: f64, max_rows: u32, seed: u64) -> Result<[Vec<f64>; 2], AuditError> {
    let unit = unit_of(max_rows);
    let data = records(&unit, vec![CELLS, CELLS], &[])?;
    let mechanism = Mechanism::Marginals(Marginals {
        column_sets: vec![vec![0], vec![1]],
        noise_multiplier: NoiseMultiplier::new(multiplier).map_err(refused!())?,
    });
    let mut paid = permission(&unit, mechanism, Taint::FixedSeed, seed);
    let counts = paid
        .authorize::<Marginals>()
        .and_then(|it| it.measure(&data))
        .map_err(refused!())?;
    let draws = |set: usize| counts[set].iter().map(|&count| count as f64).collect();
    Ok([draws(0), draws(1)])
}

/// The noise of three steps without any gradient, over more parameters than one stream is for.
fn gradient_noise(seed: u64) -> Result<Vec<Check>, AuditError> {
    let watch = Watch::start();
    let unit = unit_of(1);
    let data = records(&unit, vec![1], &[vec![vec![0]]])?;
    let multiplier = 1.3;
    let mechanism = Mechanism::DpSgd(DpSgd {
        sampling_rate: SamplingRate::at_most(0.5).map_err(refused!())?,
        steps: StepCount::new(3).map_err(refused!())?,
        noise_multiplier: NoiseMultiplier::new(multiplier).map_err(refused!())?,
        clip_norm: ClipNorm::new(1.0).map_err(refused!())?,
    });
    let mut paid = permission(&unit, mechanism, Taint::FixedSeed, seed ^ 0x5eed);
    let mut sequence = paid.authorize::<DpSgd>().map_err(refused!())?.steps();
    let weights = vec![0.0; 2 * WIDTH];
    let mut steps: Vec<Vec<f64>> = Vec::new();
    while let Some(step) = sequence.next_step() {
        let sum = step
            .run::<Silent>(&data, &(), &weights)
            .map_err(refused!())?;
        // Far finer than the noise, so that rounding to whole numbers changes nothing.
        steps.push(sum.iter().map(|&x| (f64::from(x) * FINE).round()).collect());
    }
    let handed_out = steps.len() as f64;
    let mut checks = vec![Check::compare(
        "steps that are handed out for three that are paid for",
        ((handed_out - 3.0).abs(), 0.0),
        0.0,
        "one step too many or too few is found for certain",
        &watch,
    )];
    if let [first, second, ..] = steps.as_slice() {
        checks.extend(shape_checks(
            "noise of a gradient step",
            first,
            multiplier * FINE,
            &watch,
        ));
        checks.push(independence("noise of two gradient steps", first, second));
        let (left, right) = (&first[..first.len() - STREAM], &first[STREAM..]);
        checks.push(independence("noise of neighbouring blocks", left, right));
    }
    Ok(checks)
}

/// Outputs of the layer whose noise is looked at.
const WIDTH: usize = 16_384;
/// Parameters apart that are noised from streams of their own.
const STREAM: usize = 4096;
/// Steps of the grid on which a clip norm's worth of noise is looked at.
const FINE: f64 = 1e6;

/// Whether two permissions give the same noise: they must not, whatever else they share.
fn fresh_keys(seed: u64) -> Result<Check, AuditError> {
    let watch = Watch::start();
    let unit = unit_of(1);
    let data = records(&unit, vec![1], &[])?;
    let count = Mechanism::UnitCount(UnitCount {
        noise_multiplier: NoiseMultiplier::new(MOST).map_err(refused!())?,
    });
    let mut seen = std::collections::BTreeSet::new();
    let mut repeated = 0.0;
    for run in 0..4 {
        let mechanisms = vec![count.clone(), count.clone()];
        let mut paid = crate::privacy::insecure::paid(
            unit.clone(),
            mechanisms,
            Taint::FixedSeed,
            seed.wrapping_add(run),
        );
        for _ in 0..2 {
            let noisy = paid
                .authorize::<UnitCount>()
                .and_then(|it| it.count(&data))
                .map_err(refused!())?;
            repeated += f64::from(u8::from(!seen.insert(*noisy)));
        }
    }
    // Eight draws of a scale of 2^18 meet once in 30,000 times, twice in 10^9.
    Ok(Check::compare(
        "noise that two authorisations share",
        (repeated, 1.0),
        ALPHA,
        "authorisations or charges with one key are found for certain",
        &watch,
    ))
}

/// A wide network without a gradient.
struct Silent;

impl LayerwiseModel for Silent {
    type Shape = ();
    type Weights<'w> = ();
    type Scratch = ();

    fn layers((): &()) -> Vec<LayerShape> {
        vec![LayerShape {
            input: LayerInput::Codes { total_codes: 1 },
            outputs: WIDTH,
        }]
    }

    fn normals_per_row((): &()) -> usize {
        0
    }

    fn lay_out<'w>((): &'w (), _: &'w [f32]) {}

    fn forward((): &(), (): &(), _: &Block<'_>, (): &mut (), _: &mut [LayerFactors]) {}

    fn backward((): &(), (): &(), _: &Block<'_>, (): &mut (), factors: &mut [LayerFactors]) {
        factors[0].deltas.fill(0.0);
    }
}
