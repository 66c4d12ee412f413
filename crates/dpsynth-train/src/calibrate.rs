//! Last step of a training, at no cost: the decoder's single columns are brought back to the
//! counts that were paid for.
//!
//! Training under noise moves the shares of single columns. They were measured, so each output
//! bias is corrected until the decoder's mean over latents has the measured share: iterative
//! proportional fitting (Deming & Stephan 1940), one column at a time, on released values only.

use dpsynth_privacy::PublicRng;

use crate::decoder::Decoder;
use crate::elementwise::exp_in_place;
use crate::error::TrainError;
use crate::initial::{StartingCounts, log_shares};
use crate::shape::VaeShape;

/// Latents over which the decoder's mean is taken.
const LATENTS: usize = 4096;
/// Rounds of corrections; each at least halves what is left in practice.
const ROUNDS: usize = 30;
/// Largest correction of one round, in logarithms.
const STEP: f32 = 1.0;

/// Corrects the output biases among all `weights` so that single columns have the measured shares.
pub(crate) fn calibrate_columns(
    shape: &VaeShape,
    weights: &mut [f32],
    counts: &StartingCounts,
    rng: &mut PublicRng,
) -> Result<(), TrainError> {
    let generator = Decoder::from_weights(shape.clone(), weights)?;
    let latents: Vec<f32> = (0..LATENTS * shape.latent())
        .map(|_| rng.normal() as f32)
        .collect();
    let logits = generator
        .logits_without_bias(latents, LATENTS)
        .map_err(|_| TrainError::Decoder)?;
    let total = shape.total_codes();
    let start = weights.len() - total;
    for column in 0..shape.columns() {
        let range = shape.column_range(column);
        let wanted = log_shares(&counts.one_way[column], None, counts.noise_stddev);
        let biases = &mut weights[start + range.start..start + range.end];
        let mut row = vec![0.0f32; range.len()];
        for _ in 0..ROUNDS {
            let mut means = vec![0.0f64; range.len()];
            for logits in logits.chunks_exact(total) {
                for ((value, &logit), &bias) in row
                    .iter_mut()
                    .zip(&logits[range.clone()])
                    .zip(biases.iter())
                {
                    *value = logit + bias;
                }
                let largest = row.iter().copied().fold(f32::MIN, f32::max);
                row.iter_mut().for_each(|value| *value -= largest);
                exp_in_place(&mut row);
                let sum: f32 = row.iter().sum();
                for (mean, &value) in means.iter_mut().zip(&row) {
                    *mean += f64::from(value / sum);
                }
            }
            for ((bias, wanted), mean) in biases.iter_mut().zip(&wanted).zip(&means) {
                let correction = wanted - (mean / LATENTS as f64).max(1e-12).ln();
                *bias += (correction as f32).clamp(-STEP, STEP);
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::initial::initial_weights;
    use crate::shape::tests::small;

    #[test]
    fn single_columns_come_back_to_their_counts() {
        let shape = VaeShape::new(small()).unwrap();
        let counts = StartingCounts {
            one_way: vec![
                vec![100.0, 200.0, 700.0],
                vec![10.0, 5.0, 400.0, 500.0, 85.0],
                vec![900.0, 100.0],
                vec![111.0; 9],
            ],
            by_class: None,
            noise_stddev: 1.0,
        };
        let mut rng = PublicRng::from_seed(1);
        let mut weights = initial_weights(&shape, &counts, &mut rng).unwrap();
        // A drift, as noisy training leaves it.
        weights
            .iter_mut()
            .for_each(|weight| *weight += 0.3 * rng.normal() as f32);
        calibrate_columns(&shape, &mut weights, &counts, &mut rng).unwrap();
        let generator = Decoder::from_weights(shape, &weights).unwrap();
        let rows = generator.sample(40_000, &mut rng).unwrap();
        let ones = rows.chunks(4).filter(|row| row[2] == 1).count() as f64 / 40_000.0;
        let twos = rows.chunks(4).filter(|row| row[0] == 2).count() as f64 / 40_000.0;
        assert!(
            (ones - 0.1).abs() < 0.02 && (twos - 0.7).abs() < 0.03,
            "{ones} {twos}"
        );
    }
}
