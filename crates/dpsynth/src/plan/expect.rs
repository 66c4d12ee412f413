//! What public figures say, before anything is spent, about the data to expect.

use dpsynth_privacy::{DpSgd, Mechanism};
use dpsynth_train::{MeasureOutlook, MeasuredPairs, PairChoice};
use serde::Serialize;

use super::{MeasuredColumns, ModelPlan, ReleasePlan, VaePlan};

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
    let mut expected = Expectation {
        one_way_error: None,
        step_noise_to_signal: None,
        remarks: Vec::new(),
    };
    let Some(units) = plan.units.map(|units| units as f64) else {
        expected.remarks.push(
            "the number of units is not public, so the size of the noise relative to the data \
             cannot be foretold"
                .to_owned(),
        );
        return expected;
    };
    let columns = plan.model.measured_columns();
    for stage in &plan.stages {
        match (&stage.mechanism, &plan.model) {
            (Mechanism::ChosenMarginals(chosen), _) => {
                if let Some(columns) = columns {
                    let measured = columns.measure(chosen.noise_multiplier, &plan.unit, units);
                    expected.foretell_measurement(&measured.outlook(), columns, units);
                }
            }
            (Mechanism::Marginals(marginals), ModelPlan::Vae(vae)) => {
                let rows = f64::from(plan.unit.max_rows());
                expected.foretell_counts(marginals.noise_multiplier.value() * rows, vae, units);
            }
            (Mechanism::DpSgd(sgd), ModelPlan::Vae(vae)) => {
                expected.foretell_training(sgd, vae, units);
            }
            // What else a plan holds says nothing about the columns.
            _ => {}
        }
    }
    expected
}

impl Expectation {
    fn foretell_measurement(
        &mut self,
        outlook: &MeasureOutlook,
        columns: &MeasuredColumns,
        units: f64,
    ) {
        self.foretell_one_way(outlook.one_way_noise, &columns.codes, units);
        let cells = units / outlook.groups.powi(2);
        let (of, within) = match outlook.pairs {
            MeasuredPairs::WithinClasses => ("columns", ", within each class of the target"),
            MeasuredPairs::All => ("columns", ""),
            MeasuredPairs::OfTarget => ("the target and another column", ""),
        };
        let closely = match columns.pairs {
            PairChoice::Alike => "",
            _ if outlook.pairs == MeasuredPairs::OfTarget => "",
            PairChoice::Dependent | PairChoice::JunctionTree => {
                ", and those of the pairs that depend most by much less"
            }
        };
        self.remarks.push(format!(
            "numeric columns are cut into about {:.0} groups; each count of a pair of {of} is off by about {:.0} \
             rows{within}{closely}; a cell of two numeric columns holds {cells:.0} rows on average",
            outlook.groups, outlook.pair_noise
        ));
        if outlook.pairs == MeasuredPairs::OfTarget {
            self.remarks.push(
                "rows are so few for this budget that only what each column has to do with the target is measured; \
                 other dependence between columns will not be in the synthetic table"
                    .to_owned(),
            );
        }
        if columns.pairs == PairChoice::Alike {
            self.remarks.push(
                "a copula keeps single columns and one correlation of each pair; dependence that rises and falls, or \
                 that three columns have only together, will not be in the synthetic table"
                    .to_owned(),
            );
        }
        if outlook.groups <= FEW_GROUPS && outlook.pairs != MeasuredPairs::OfTarget {
            self.remarks.push(
                "only strong dependence between columns will be seen: rows are few for this budget and this many \
                 columns; drop columns, or raise epsilon if you may"
                    .to_owned(),
            );
        }
    }

    fn foretell_counts(&mut self, noise: f64, vae: &VaePlan, units: f64) {
        let sizes = &vae.shape.network().domain_sizes;
        // A column measured by class is the sum of its classes, with their noises.
        let classes = vae.target.map_or(1.0, |target| f64::from(sizes[target]));
        self.foretell_one_way(noise * classes.sqrt(), sizes, units);
        if self.one_way_error.is_some_and(|error| error > POOR_ONE_WAY) {
            self.remarks.push(format!(
                "single columns will differ visibly from the real ones: {units:.0} rows are few \
                 for this budget and this many cells; declare fewer cells or categories, \
                 drop columns, or raise epsilon if you may"
            ));
        }
    }

    /// States the noise of the counts of single columns.
    fn foretell_one_way(&mut self, noise: f64, sizes: &[u32], units: f64) {
        // The mean of |N(0, σ²)| is σ·√(2/π); half the sum over the cells is the distance.
        // Cells that are empty are cut at 0, so a distance is at most 1.
        let mean_absolute = noise * (2.0 / std::f64::consts::PI).sqrt();
        let error = sizes
            .iter()
            .map(|&cells| (0.5 * f64::from(cells) * mean_absolute / units).min(1.0))
            .sum::<f64>()
            / sizes.len() as f64;
        self.one_way_error = Some(error);
        self.remarks.push(format!(
            "each count of a single column is off by about {noise:.1} rows; that alone puts a \
             distance of about {error:.3} between real and measured columns (0 is equal, 1 \
             is disjoint), before neighbouring cells are averaged"
        ));
    }

    fn foretell_training(&mut self, sgd: &DpSgd, vae: &VaePlan, units: f64) {
        let noise = sgd.noise_multiplier.value();
        let batch = sgd.sampling_rate.value() * units;
        let parameters = vae.shape.parameters() as f64;
        let ratio = noise * parameters.sqrt() / batch;
        self.step_noise_to_signal = Some(ratio);
        // Steps add up linearly and noise in the square root of their number.
        let overall = ratio / f64::from(sgd.steps.value()).sqrt();
        self.remarks.push(format!(
            "one training step averages about {batch:.0} rows; its noise is {ratio:.1} times \
             the largest possible gradient, over all {} steps {overall:.2} times",
            sgd.steps.value()
        ));
        if overall > POOR_TRAINING {
            self.remarks.push(
                "training will learn little beyond the single columns: expect weak or no \
                 dependence between columns in the synthetic table, and do not use it for \
                 questions about several columns at once"
                    .to_owned(),
            );
        }
    }
}

/// Groups of a numeric column at or below which pairs of columns are mostly noise.
const FEW_GROUPS: f64 = 9.0;
