//! Where training starts: every column independent, at its noisy one-way marginal.

use dpsynth_privacy::{LayerInput, PublicRng};

use crate::classes::start_at_classes;
use crate::error::TrainError;
use crate::shape::VaeShape;

/// Noisy counts at which training starts. All of them are released.
#[derive(Clone, Debug, PartialEq)]
pub struct StartingCounts {
    /// Noisy count of each code of each column.
    pub one_way: Vec<Vec<f64>>,
    /// The same within each class of one column.
    pub by_class: Option<ClassCounts>,
    /// Standard deviation of the noise of each count that was measured.
    pub noise_stddev: f64,
}

/// Noisy counts of every column within each class of a target column.
#[derive(Clone, Debug, PartialEq)]
pub struct ClassCounts {
    /// The target column; its codes are the classes.
    pub target: usize,
    /// For each column its codes by classes, row-major by code; empty for the target.
    pub tables: Vec<Vec<f64>>,
}

/// Draws initial weights, with output biases at the logarithm of the noisy one-way shares, or
/// with a mixture of independent columns, one component per class, where there are class counts.
///
/// Hidden layers have He-normal weights (He et al. 2015), with the fan-in of the first layer
/// being the number of columns because that many of its inputs are 1. The mean's weights are
/// Xavier-normal, those of the log-variance ten times smaller, so that posteriors start near the
/// prior. The output layer is small: the decoder starts near independence.
///
/// # Errors
/// [`TrainError::OneWayCounts`] if the counts do not fit the columns or are not finite.
pub(crate) fn initial_weights(
    shape: &VaeShape,
    counts: &StartingCounts,
    rng: &mut PublicRng,
) -> Result<Vec<f32>, TrainError> {
    let mut weights = vec![0.0f32; shape.parameters()];
    let last = shape.layers().len() - 1;
    for (index, layer) in shape.layers().iter().enumerate() {
        let fan_in = match layer.input {
            LayerInput::Codes { .. } => shape.columns(),
            LayerInput::Dense { width } => width,
        } as f64;
        let range = shape.layer_range(index);
        let matrix = &mut weights[range][..layer.inputs() * layer.outputs];
        for row in matrix.chunks_exact_mut(layer.outputs) {
            for (column, weight) in row.iter_mut().enumerate() {
                let deviation = if index == last {
                    OUTPUT_SCALE / fan_in.sqrt()
                } else if index == shape.latent_layer() {
                    let mean = column < shape.latent();
                    if mean {
                        fan_in.recip().sqrt()
                    } else {
                        LOG_VARIANCE_SCALE / fan_in.sqrt()
                    }
                } else {
                    (2.0 / fan_in).sqrt()
                };
                *weight = (deviation * rng.normal()) as f32;
            }
        }
    }
    let biases = one_way_biases(shape, counts)?;
    let end = weights.len();
    weights[end - biases.len()..].copy_from_slice(&biases);
    start_at_classes(shape, counts, &mut weights)?;
    Ok(weights)
}

/// Logarithms of the smoothed shares of all codes, all columns in a row.
fn one_way_biases(shape: &VaeShape, counts: &StartingCounts) -> Result<Vec<f32>, TrainError> {
    if counts.one_way.len() != shape.columns() {
        return Err(TrainError::OneWayCounts);
    }
    let mut biases = Vec::with_capacity(shape.total_codes());
    for (column, counts_of_column) in counts.one_way.iter().enumerate() {
        if counts_of_column.len() != shape.column_range(column).len()
            || counts_of_column.iter().any(|count| !count.is_finite())
        {
            return Err(TrainError::OneWayCounts);
        }
        let shares = log_shares(counts_of_column, None, counts.noise_stddev);
        biases.extend(shares.into_iter().map(|share| share as f32));
    }
    Ok(biases)
}

/// Turns noisy counts into logarithms of smoothed shares.
///
/// Counts below the noise cannot be told from empty cells. Together they can: their sum, if it is
/// positive, is spread over them, evenly or in proportion to `pattern`. No share is smaller than
/// [`SMALLEST_SHARE`].
pub(crate) fn log_shares(counts: &[f64], pattern: Option<&[f64]>, noise_stddev: f64) -> Vec<f64> {
    let drowned = |count: f64| count <= noise_stddev;
    let left: f64 = counts.iter().filter(|&&count| drowned(count)).sum();
    let weight = |code: usize| pattern.map_or(1.0, |pattern| pattern[code].max(0.0));
    let weights: f64 = (0..counts.len())
        .filter(|&code| drowned(counts[code]))
        .map(weight)
        .sum::<f64>()
        .max(1e-9);
    let smoothed: Vec<f64> = counts
        .iter()
        .enumerate()
        .map(|(code, &count)| {
            if drowned(count) {
                left.max(0.0) * weight(code) / weights
            } else {
                count
            }
        })
        .collect();
    let total = smoothed.iter().sum::<f64>().max(1e-9);
    let floored: Vec<f64> = smoothed
        .iter()
        .map(|count| (count / total).max(SMALLEST_SHARE))
        .collect();
    let sum: f64 = floored.iter().sum();
    floored
        .into_iter()
        .map(|share| (share / sum).ln())
        .collect()
}

/// Deviation of the output weights in units of 1/√fan-in.
const OUTPUT_SCALE: f64 = 0.2;
/// Deviation of the log-variance weights in units of 1/√fan-in.
const LOG_VARIANCE_SCALE: f64 = 0.1;
/// Smallest share that a code starts with.
const SMALLEST_SHARE: f64 = 1e-5;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shape::tests::small;

    fn counts() -> StartingCounts {
        StartingCounts {
            one_way: vec![
                vec![10.0, 20.0, 70.0],
                vec![1.0, -5.0, 0.0, 50.0, 49.0],
                vec![100.0, 0.0],
                vec![11.0; 9],
            ],
            by_class: None,
            noise_stddev: 0.5,
        }
    }

    #[test]
    fn biases_are_the_logarithms_of_shares() {
        let shape = VaeShape::new(small()).unwrap();
        let biases = one_way_biases(&shape, &counts()).unwrap();
        assert!((biases[1] - 0.2f32.ln()).abs() < 1e-4);
        assert!((biases[4] - (SMALLEST_SHARE as f32).ln()).abs() < 1e-3);
        assert!((biases[12] - (1.0f32 / 9.0).ln()).abs() < 1e-6);
        for column in 0..shape.columns() {
            let total: f32 = biases[shape.column_range(column)]
                .iter()
                .map(|b| b.exp())
                .sum();
            assert!((total - 1.0).abs() < 1e-5);
        }
    }

    #[test]
    fn cells_that_drown_in_noise_share_their_sum() {
        let shares = log_shares(&[1000.0, 8.0, -2.0, 6.0], None, 10.0);
        assert!(
            (shares[1] - (4.0f64 / 1012.0).ln()).abs() < 1e-3,
            "{shares:?}"
        );
        assert_eq!(shares[1], shares[2]);
        let patterned = log_shares(&[1000.0, 8.0, -2.0, 6.0], Some(&[0.0, 3.0, 1.0, 0.0]), 10.0);
        assert!((patterned[1] - patterned[2] - 3.0f64.ln()).abs() < 1e-9);
    }

    #[test]
    fn counts_that_are_all_noise_below_zero_are_uniform() {
        let shares = log_shares(&[-3.0, -40.0], None, 1.0);
        assert_eq!(shares[0], shares[1]);
    }

    #[test]
    fn counts_that_do_not_fit_are_refused() {
        let shape = VaeShape::new(small()).unwrap();
        let spoilt: [fn(&mut StartingCounts); 3] = [
            |counts| {
                counts.one_way.pop();
            },
            |counts| {
                counts.one_way[1].pop();
            },
            |counts| counts.one_way[0][0] = f64::INFINITY,
        ];
        for spoil in spoilt {
            let mut bad = counts();
            spoil(&mut bad);
            assert!(matches!(
                one_way_biases(&shape, &bad),
                Err(TrainError::OneWayCounts)
            ));
        }
    }

    #[test]
    fn the_seed_decides_the_weights() {
        let shape = VaeShape::new(small()).unwrap();
        let draw =
            |seed| initial_weights(&shape, &counts(), &mut PublicRng::from_seed(seed)).unwrap();
        assert_eq!(draw(1), draw(1));
        assert_ne!(draw(1), draw(2));
        assert!(draw(1).iter().all(|weight| weight.is_finite()));
    }
}
