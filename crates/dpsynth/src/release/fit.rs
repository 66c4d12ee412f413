//! Running every mechanism of a plan, and making a generator of what they release.

use dpsynth_privacy::{
    ChosenMarginals, DpSgd, Marginals, Paid, PrivacyUnit, Private, Records, Released, UnitCount,
};
use dpsynth_train::{
    ClassCounts, Generator, Measurements, Processor, StartingCounts, StepProgress, TrainingPlan,
    fit, fit_copula, fit_decoder, fit_graphical, measure,
};

use super::{Progress, ReleaseError};
use crate::plan::{MeasuredColumns, ModelPlan, ReleasePlan, VaePlan};
use crate::policy::MAX_ROWS;

/// What the mechanisms of a plan have released.
pub(super) struct Fitted {
    pub(super) generator: Released<Generator>,
    /// How many rows the noisy counts speak of.
    pub(super) rows: u64,
    /// The counts that the generator was fitted to, where it was fitted to counts.
    pub(super) measured: Option<Released<Measurements>>,
}

/// Runs every mechanism of the plan; the last values here that depend on records unreleased.
pub(super) fn fit_generator(
    plan: &ReleasePlan,
    processor: Processor,
    paid: &mut Paid,
    records: &Private<Records>,
    on_progress: &mut dyn FnMut(Progress),
) -> Result<Fitted, ReleaseError> {
    on_progress(Progress::Measuring);
    let units = match plan.units {
        Some(units) => units,
        None => {
            let count = paid.authorize::<UnitCount>()?.count(records)?;
            // Noise may bring a small count below 1.
            (*count).max(1).unsigned_abs()
        }
    };
    let expected = units as f64;
    let (generator, counted_rows, measured) = match &plan.model {
        ModelPlan::Decoder(decoder) => {
            let measured = measure_columns(plan, &decoder.columns, expected, paid, records)?;
            let steps = decoder.fit.most_steps();
            let generator = measured.clone().map(|measurements| {
                Generator::Mixture(fit_decoder(&decoder.fit, &measurements, &mut |taken, _| {
                    on_progress(Progress::Fitting(StepProgress { taken, steps }));
                }))
            });
            (generator, measured.total, Some(measured))
        }
        ModelPlan::Marginals(columns) => {
            let measured = measure_columns(plan, columns, expected, paid, records)?;
            let fitted = |it| Generator::Graphical(fit_graphical(&it));
            (measured.clone().map(fitted), measured.total, Some(measured))
        }
        ModelPlan::Copula(columns) => {
            let measured = measure_columns(plan, columns, expected, paid, records)?;
            let fitted = |it| Generator::Copula(fit_copula(&it, &columns.orders));
            (measured.clone().map(fitted), measured.total, Some(measured))
        }
        ModelPlan::Vae(vae) => {
            let training = TrainingPlan {
                shape: vae.shape.clone(),
                expected_units: expected,
                optimiser: vae.optimiser,
                seed: plan.seed,
                processor,
            };
            let (generator, rows) = train(plan, vae, &training, paid, records, on_progress)?;
            (generator, rows, None)
        }
    };
    let rows = match plan.unit {
        PrivacyUnit::Row => units,
        // The rows of all units, after the cap: as released counts say, within what can be written.
        PrivacyUnit::User { .. } => counted_rows.round().clamp(1.0, MAX_ROWS as f64) as u64,
    };
    Ok(Fitted {
        generator,
        rows,
        measured,
    })
}

/// Spends the charge for chosen marginals.
fn measure_columns(
    plan: &ReleasePlan,
    columns: &MeasuredColumns,
    units: f64,
    paid: &mut Paid,
    records: &Private<Records>,
) -> Result<Released<Measurements>, ReleaseError> {
    let chosen = paid.authorize::<ChosenMarginals>()?;
    let planned = columns.measure(chosen.mechanism().noise_multiplier, &plan.unit, units);
    Ok(measure(&planned, &mut chosen.open(records)?)?)
}

/// Measures the counts to start from and trains the autoencoder; returns it with the number of rows
/// that the counts speak of.
fn train(
    plan: &ReleasePlan,
    vae: &VaePlan,
    training: &TrainingPlan,
    paid: &mut Paid,
    records: &Private<Records>,
    on_progress: &mut dyn FnMut(Progress),
) -> Result<(Released<Generator>, f64), ReleaseError> {
    let marginals = paid.authorize::<Marginals>()?;
    let noise_stddev =
        marginals.mechanism().noise_multiplier.value() * f64::from(plan.unit.max_rows());
    let sizes = &vae.shape.network().domain_sizes;
    let counts = marginals
        .measure(records)?
        .map(|marginals| starting_counts(sizes, vae.target, marginals, noise_stddev));
    let columns = counts.one_way.len() as f64;
    let rows = counts.one_way.iter().flatten().sum::<f64>() / columns;
    let generator = fit(
        training,
        &counts,
        paid.authorize::<DpSgd>()?,
        records,
        &mut |step| {
            on_progress(Progress::Training(step));
        },
    )?;
    Ok((generator, rows))
}

/// Sorts measured marginals into the counts at which training starts. Without a target they are
/// of single columns; with one, every other column was measured together with it.
fn starting_counts(
    sizes: &[u32],
    target: Option<usize>,
    marginals: Vec<Vec<i64>>,
    noise_stddev: f64,
) -> StartingCounts {
    let tables: Vec<Vec<f64>> = marginals
        .into_iter()
        .map(|counts| counts.into_iter().map(|count| count as f64).collect())
        .collect();
    let Some(target) = target else {
        return StartingCounts {
            one_way: tables,
            by_class: None,
            noise_stddev,
        };
    };
    let classes = sizes[target] as usize;
    let one_way = tables
        .iter()
        .enumerate()
        .map(|(column, table)| {
            if column == target {
                table.clone()
            } else {
                table
                    .chunks(classes)
                    .map(|within| within.iter().sum())
                    .collect()
            }
        })
        .collect();
    let tables = tables
        .into_iter()
        .enumerate()
        .map(|(column, table)| if column == target { Vec::new() } else { table })
        .collect();
    let by_class = Some(ClassCounts { target, tables });
    StartingCounts {
        one_way,
        by_class,
        noise_stddev,
    }
}
