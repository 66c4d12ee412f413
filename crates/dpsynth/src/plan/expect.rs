//! What public figures say, before anything is spent, about the data to expect.

use dpsynth_privacy::Mechanism;
use serde::Serialize;

use super::ReleasePlan;

/// Predictions from public figures: the size of the noise beside the size of what it hides.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Expectation {
    /// Mean over the columns of the total variation distance that the noise alone puts between
    /// the measured and the real shares; `None` if the number of units is not public.
    pub one_way_error: Option<f64>,
    /// Norm of the noise in the average gradient over the largest norm that a gradient can have,
    /// for one step; `None` if the number of units is not public.
    pub step_noise_to_signal: Option<f64>,
    /// Sentences for people.
    pub remarks: Vec<String>,
}

/// One-way errors above this leave columns unlike the real ones.
const POOR_ONE_WAY: f64 = 0.05;
/// Noise of a whole training, relative to the largest possible gradient, above which it learns
/// little. Real gradients are far below the largest possible one, so the line is drawn at a
/// twentieth, from public tables: at 0.03 (Adult at an epsilon of 1) training still improves pairs of
/// columns; at 0.07 (the American Community Survey at 3) and 0.08 (German credit at 10) hardly any
/// dependence is learned.
const POOR_TRAINING: f64 = 0.05;

pub(super) fn expectation(plan: &ReleasePlan) -> Expectation {
    let sizes = &plan.network().domain_sizes;
    let (mut one_way_error, mut step_noise_to_signal) = (None, None);
    let mut remarks = Vec::new();
    let Some(units) = plan.units.map(|units| units as f64) else {
        remarks.push(
            "the number of units is not public, so the size of the noise relative to the data \
             cannot be foretold"
                .to_owned(),
        );
        return Expectation {
            one_way_error,
            step_noise_to_signal,
            remarks,
        };
    };
    for stage in &plan.stages {
        match &stage.mechanism {
            // No plan of this version holds those of OpenDP.
            Mechanism::LaplaceCounts(_)
            | Mechanism::OpenCategories(_)
            | Mechanism::Quantiles(_)
            | Mechanism::TopCells(_)
            | Mechanism::UnitCount(_) => {}
            Mechanism::Marginals(marginals) => {
                let noise = marginals.noise_multiplier.value();
                // The mean of |N(0, σ²)| is σ·√(2/π); half the sum over the cells is the distance.
                // Cells that are empty are cut at 0, so a distance is at most 1.
                // A column measured by class is the sum of its classes, with their noises.
                let classes = plan.target.map_or(1.0, |target| f64::from(sizes[target]));
                let noise = noise * classes.sqrt();
                let mean_absolute = noise * (2.0 / std::f64::consts::PI).sqrt();
                let error = sizes
                    .iter()
                    .map(|&cells| (0.5 * f64::from(cells) * mean_absolute / units).min(1.0))
                    .sum::<f64>()
                    / sizes.len() as f64;
                one_way_error = Some(error);
                remarks.push(format!(
                    "each count of a single column is off by about {noise:.1} rows; that alone puts a \
                     distance of about {error:.3} between real and measured columns (0 is equal, 1 \
                     is disjoint)"
                ));
                if error > POOR_ONE_WAY {
                    remarks.push(format!(
                        "single columns will differ visibly from the real ones: {units:.0} rows are few \
                         for this budget and this many cells; declare fewer cells or categories, \
                         drop columns, or raise epsilon if you may"
                    ));
                }
            }
            Mechanism::DpSgd(sgd) => {
                let noise = sgd.noise_multiplier.value();
                let batch = sgd.sampling_rate.value() * units;
                let parameters = plan.shape.parameters() as f64;
                let ratio = noise * parameters.sqrt() / batch;
                step_noise_to_signal = Some(ratio);
                // Steps add up linearly and noise in the square root of their number.
                let overall = ratio / f64::from(sgd.steps.value()).sqrt();
                remarks.push(format!(
                    "one training step averages about {batch:.0} rows; its noise is {ratio:.1} times \
                     the largest possible gradient, over all {} steps {overall:.2} times",
                    sgd.steps.value()
                ));
                if overall > POOR_TRAINING {
                    remarks.push(
                        "training will learn little beyond the single columns: expect weak or no \
                         dependence between columns in the synthetic table, and do not use it for \
                         questions about several columns at once"
                            .to_owned(),
                    );
                }
            }
        }
    }
    Expectation {
        one_way_error,
        step_noise_to_signal,
        remarks,
    }
}
