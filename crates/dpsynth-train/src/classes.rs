//! Starting at the classes of one column: the decoder begins as a mixture of independent columns,
//! one component for each class of the target, at paid counts within each class.
//!
//! The first latent coordinate holds the class: it is cut at normal quantiles into one interval
//! per class, and each cut is a ramp of two hidden layers,
//! `relu(1 - relu(κ·(z - t) + 1/2))`, which is 1 below the cut and 0 above. Ramps are bounded, so
//! the noise of later training cannot blow them up.

use crate::error::TrainError;
use crate::initial::{StartingCounts, log_shares};
use crate::shape::VaeShape;

/// Slope of the ramps.
const SLOPE: f64 = 8.0;

/// Most classes that a start is made from.
pub const MAX_CLASSES: usize = 8;

/// Whether a network has the layers and widths that a start at `classes` classes needs.
#[must_use]
pub fn fits_classes(shape: &VaeShape, classes: usize) -> bool {
    let network = shape.network();
    (2..=MAX_CLASSES).contains(&classes)
        && network.decoder_hidden.len() == 2
        && network.encoder_hidden.len() == 1
        && network
            .decoder_hidden
            .iter()
            .all(|&width| width as usize >= 2 * classes)
        && network.encoder_hidden[0] as usize >= 2 * classes
}

/// Rewrites initial weights so that the autoencoder starts at the classes.
///
/// # Errors
/// [`TrainError::OneWayCounts`] if the counts do not fit the columns.
pub(crate) fn start_at_classes(
    shape: &VaeShape,
    counts: &StartingCounts,
    weights: &mut [f32],
) -> Result<(), TrainError> {
    let Some(by_class) = &counts.by_class else {
        return Ok(());
    };
    let classes = shape.column_range(by_class.target).len();
    if !fits_classes(shape, classes) || by_class.tables.len() != shape.columns() {
        return Err(TrainError::OneWayCounts);
    }
    let target_shares = shares(&counts.one_way[by_class.target], counts.noise_stddev);
    let logits = class_logits(shape, counts, by_class.target, classes)?;
    let cuts = cuts(&target_shares);
    let decoder = shape.latent_layer() + 1;

    let mut first = Layer::of(shape, decoder, weights);
    for (unit, &cut) in cuts.iter().enumerate() {
        first.silence_output(unit);
        first.set(0, unit, SLOPE);
        first.set_bias(unit, 0.5 - SLOPE * cut);
    }
    let mut second = Layer::of(shape, decoder + 1, weights);
    for unit in 0..cuts.len() {
        second.silence_output(unit);
        second.silence_input(unit);
        second.set(unit, unit, -1.0);
        second.set_bias(unit, 1.0);
    }
    // Above all cuts the last class holds; each ramp below its cut steps one class down.
    let mut output = Layer::of(shape, decoder + 2, weights);
    for (code, &logit) in logits[classes - 1].iter().enumerate() {
        output.set_bias(code, logit);
    }
    for (unit, pair) in logits.windows(2).enumerate() {
        for (code, (below, above)) in pair[0].iter().zip(&pair[1]).enumerate() {
            output.set(unit, code, below - above);
        }
    }

    let mut encoder = Layer::of(shape, 0, weights);
    let codes = shape.column_range(by_class.target);
    for class in 0..classes {
        encoder.silence_output(class);
        encoder.set(codes.start + class, class, 1.0);
    }
    let (means, variance) = truncated_moments(&target_shares, &cuts);
    let latent = shape.latent();
    let mut posterior = Layer::of(shape, shape.latent_layer(), weights);
    posterior.silence_output(0);
    posterior.silence_output(latent);
    for (class, &mean) in means.iter().enumerate() {
        posterior.silence_input(class);
        posterior.set(class, 0, mean);
    }
    posterior.set_bias(latent, variance.ln());
    Ok(())
}

/// The weights of one layer, by input and output.
struct Layer<'w> {
    matrix: &'w mut [f32],
    biases: &'w mut [f32],
    outputs: usize,
}

impl<'w> Layer<'w> {
    fn of(shape: &VaeShape, layer: usize, weights: &'w mut [f32]) -> Self {
        let sizes = shape.layers()[layer];
        let (matrix, biases) =
            weights[shape.layer_range(layer)].split_at_mut(sizes.inputs() * sizes.outputs);
        Self {
            matrix,
            biases,
            outputs: sizes.outputs,
        }
    }

    fn set(&mut self, input: usize, output: usize, weight: f64) {
        self.matrix[input * self.outputs + output] = weight as f32;
    }

    fn set_bias(&mut self, output: usize, bias: f64) {
        self.biases[output] = bias as f32;
    }

    fn silence_output(&mut self, output: usize) {
        self.matrix
            .iter_mut()
            .skip(output)
            .step_by(self.outputs)
            .for_each(|weight| *weight = 0.0);
        self.biases[output] = 0.0;
    }

    fn silence_input(&mut self, input: usize) {
        self.matrix[input * self.outputs..(input + 1) * self.outputs].fill(0.0);
    }
}

/// Logits of every code within every class.
fn class_logits(
    shape: &VaeShape,
    counts: &StartingCounts,
    target: usize,
    classes: usize,
) -> Result<Vec<Vec<f64>>, TrainError> {
    let mut logits = vec![Vec::with_capacity(shape.total_codes()); classes];
    let by_class = counts.by_class.as_ref().ok_or(TrainError::OneWayCounts)?;
    for column in 0..shape.columns() {
        let size = shape.column_range(column).len();
        if column == target {
            for (class, logits) in logits.iter_mut().enumerate() {
                let other = OTHER_CLASSES / (classes - 1) as f64;
                logits.extend((0..size).map(|code| {
                    if code == class {
                        1.0 - OTHER_CLASSES
                    } else {
                        other
                    }
                    .ln()
                }));
            }
            continue;
        }
        let table = &by_class.tables[column];
        if table.len() != size * classes || table.iter().any(|count| !count.is_finite()) {
            return Err(TrainError::OneWayCounts);
        }
        for (class, logits) in logits.iter_mut().enumerate() {
            let within: Vec<f64> = (0..size)
                .map(|code| table[code * classes + class])
                .collect();
            logits.extend(log_shares(
                &within,
                Some(&counts.one_way[column]),
                counts.noise_stddev,
            ));
        }
    }
    Ok(logits)
}

/// Shares of the classes, none of them zero.
fn shares(counts: &[f64], noise_stddev: f64) -> Vec<f64> {
    log_shares(counts, None, noise_stddev)
        .into_iter()
        .map(|share| share.exp().max(1e-4))
        .collect()
}

/// Normal quantiles that cut off the shares of the first classes, in order.
fn cuts(shares: &[f64]) -> Vec<f64> {
    let total: f64 = shares.iter().sum();
    let mut below = 0.0;
    shares[..shares.len() - 1]
        .iter()
        .map(|share| {
            below += share / total;
            quantile(below.clamp(1e-6, 1.0 - 1e-6))
        })
        .collect()
}

/// Mean of the standard normal within each interval, and the mean of the variances there.
fn truncated_moments(shares: &[f64], cuts: &[f64]) -> (Vec<f64>, f64) {
    let density = |z: f64| (-0.5 * z * z).exp() / (2.0 * std::f64::consts::PI).sqrt();
    let total: f64 = shares.iter().sum();
    let (mut means, mut variance) = (Vec::new(), 0.0);
    for (class, share) in shares.iter().map(|share| share / total).enumerate() {
        // At the open ends the density, and its product with the bound, are 0.
        let edge = |cut: Option<&f64>| cut.map_or((0.0, 0.0), |&z| (density(z), z * density(z)));
        let (low, low_product) = edge(class.checked_sub(1).and_then(|below| cuts.get(below)));
        let (high, high_product) = edge(cuts.get(class));
        let mean = (low - high) / share;
        variance += share * (1.0 + (low_product - high_product) / share - mean * mean);
        means.push(mean);
    }
    (means, variance.clamp(0.01, 1.0))
}

/// The standard normal quantile, by bisection on an Abramowitz and Stegun (1964, 26.2.17) tail.
///
/// It places cuts of a starting point; an error of 10^-6 does not matter there.
fn quantile(probability: f64) -> f64 {
    let cumulative = |z: f64| {
        let t = 1.0 / (1.0 + 0.231_641_9 * z.abs());
        let poly = t
            * (0.319_381_530
                + t * (-0.356_563_782
                    + t * (1.781_477_937 + t * (-1.821_255_978 + t * 1.330_274_429))));
        let tail = (-0.5 * z * z).exp() / (2.0 * std::f64::consts::PI).sqrt() * poly;
        if z >= 0.0 { 1.0 - tail } else { tail }
    };
    let (mut low, mut high) = (-8.0, 8.0);
    for _ in 0..60 {
        let middle = 0.5 * (low + high);
        if cumulative(middle) < probability {
            low = middle;
        } else {
            high = middle;
        }
    }
    0.5 * (low + high)
}

/// Share of the target's draws that fall outside the class of their component at the start.
const OTHER_CLASSES: f64 = 0.005;

#[cfg(test)]
mod tests {
    use dpsynth_privacy::PublicRng;

    use super::*;
    use crate::decoder::Decoder;
    use crate::initial::{ClassCounts, initial_weights};
    use crate::shape::Network;

    #[test]
    fn quantiles_and_moments_are_those_of_the_normal() {
        assert!((quantile(0.975) - 1.959_964).abs() < 1e-5);
        assert!((quantile(0.5)).abs() < 1e-6);
        let (means, variance) = truncated_moments(&[0.5, 0.5], &[0.0]);
        assert!((means[1] - 0.797_885).abs() < 1e-5 && (means[0] + 0.797_885).abs() < 1e-5);
        assert!((variance - 0.363_380).abs() < 1e-5);
    }

    #[test]
    fn the_start_draws_each_class_at_its_own_counts() {
        let shape = VaeShape::new(Network {
            domain_sizes: vec![4, 3],
            encoder_hidden: vec![16],
            decoder_hidden: vec![16, 16],
            latent: 2,
            kl_weight: 1.0,
            column_weights: vec![1.0; 2],
        })
        .unwrap();
        // Classes are the codes of column 1, with shares 0.5, 0.3 and 0.2; code 0 of column 0 has
        // shares 0.7, 0.1 and 0.4 within them.
        let within = [
            [700.0, 100.0, 100.0, 100.0],
            [60.0, 420.0, 60.0, 60.0],
            [160.0, 80.0, 80.0, 80.0],
        ];
        let totals = [1000.0, 600.0, 400.0];
        let table: Vec<f64> = (0..4)
            .flat_map(|code| (0..3).map(move |class| (code, class)))
            .map(|(code, class)| within[class][code])
            .collect();
        let counts = StartingCounts {
            one_way: vec![vec![920.0, 600.0, 240.0, 240.0], totals.to_vec()],
            by_class: Some(ClassCounts {
                target: 1,
                tables: vec![table, vec![]],
            }),
            noise_stddev: 1.0,
        };
        let weights = initial_weights(&shape, &counts, &mut PublicRng::from_seed(3)).unwrap();
        let generator = Decoder::from_weights(shape, &weights).unwrap();
        let rows = generator
            .sample(40_000, &mut PublicRng::from_seed(4))
            .unwrap();
        for class in 0..3 {
            let of_class: Vec<_> = rows
                .chunks(2)
                .filter(|row| usize::from(row[1]) == class)
                .collect();
            let share = of_class.len() as f64 / 40_000.0;
            assert!(
                (share - totals[class] / 2000.0).abs() < 0.03,
                "{class}: {share}"
            );
            let zeros =
                of_class.iter().filter(|row| row[0] == 0).count() as f64 / of_class.len() as f64;
            let expected = within[class][0] / within[class].iter().sum::<f64>();
            assert!(
                (zeros - expected).abs() < 0.06,
                "{class}: {zeros} {expected}"
            );
        }
    }
}
