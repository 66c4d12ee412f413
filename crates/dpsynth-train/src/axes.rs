//! What the latent space of a released model is about: the axes along which its rows differ.

use dpsynth_privacy::PublicRng;

use crate::decoder::Decoder;
use crate::error::TrainError;
use crate::generator::Generator;
use crate::mixture::Mixture;

/// A direction in a model's latent space, and how rows at its two ends differ.
#[derive(Clone, Debug, PartialEq)]
pub struct Axis {
    /// Share of the differences between components that lie along the axis, from 0 to 1; `None` for
    /// a latent coordinate of an autoencoder, which is what it is.
    pub share: Option<f64>,
    /// What the axis does to each column, in the order of the columns.
    pub columns: Vec<Move>,
}

/// How a column differs between the two ends of an axis.
#[derive(Clone, Debug, PartialEq)]
pub struct Move {
    /// Total variation distance of the column between the ends, from 0 to 1.
    pub distance: f64,
    /// Shares of the column's codes at the low end; they add up to 1.
    pub low: Vec<f64>,
    /// The same at the high end.
    pub high: Vec<f64>,
}

/// Components as points: shares of the codes of every column, row-major.
struct Points {
    shares: Vec<f64>,
    /// Where each column's codes start; the total at the end.
    starts: Vec<usize>,
}

impl Generator {
    /// The axes of the latent space, at most `most`: for a mixture the principal axes of its components,
    /// the widest first; for an autoencoder each latent coordinate. `None` for a model without latents.
    ///
    /// An end is the tenth of the components that lies furthest out. It is a function of the released
    /// model alone.
    ///
    /// # Errors
    /// [`TrainError::Decoder`] if the model cannot be evaluated, which is a defect.
    pub fn axes(&self, most: usize) -> Result<Option<Vec<Axis>>, TrainError> {
        match self {
            Self::Mixture(mixture) => Ok(Some(principal(&of_mixture(mixture), most))),
            Self::Decoder(decoder) => of_decoder(decoder, most).map(Some),
            Self::Copula(_) | Self::Graphical(_) => Ok(None),
        }
    }
}

fn of_mixture(mixture: &Mixture) -> Points {
    let groupings = mixture.groupings();
    let codes = groupings.iter().map(|grouping| grouping.group_of.len());
    let starts = starts(codes);
    let groups: usize = groupings.iter().map(|grouping| grouping.groups()).sum();
    let mut shares = Vec::with_capacity(mixture.components() * starts[groupings.len()]);
    for row in mixture.shares().chunks_exact(groups) {
        let mut rest = row;
        for grouping in groupings {
            let (of_column, others) = rest.split_at(grouping.groups());
            rest = others;
            let mut weights = vec![0.0; of_column.len()];
            for (&group, &weight) in grouping.group_of.iter().zip(&grouping.weights) {
                weights[usize::from(group)] += f64::from(weight);
            }
            let sum: f64 = of_column.iter().map(|&share| f64::from(share)).sum();
            let pairs = grouping.group_of.iter().zip(&grouping.weights);
            shares.extend(pairs.map(|(&group, &weight)| {
                let group = usize::from(group);
                f64::from(of_column[group]) / sum * f64::from(weight) / weights[group]
            }));
        }
    }
    Points { shares, starts }
}

/// Each latent coordinate as an axis, over latents as they are drawn.
fn of_decoder(decoder: &Decoder, most: usize) -> Result<Vec<Axis>, TrainError> {
    let latent = decoder.shape().latent();
    let mut rng = PublicRng::from_seed(LATENTS);
    let latents: Vec<f32> = (0..DRAWN * latent).map(|_| rng.normal() as f32).collect();
    let shares = decoder.shares(latents.clone(), DRAWN)?;
    let sizes = decoder.shape().network().domain_sizes.iter();
    let points = Points {
        shares,
        starts: starts(sizes.map(|&size| size as usize)),
    };
    let coordinates = (0..latent.min(most)).map(|axis| {
        let scores: Vec<f64> = latents
            .iter()
            .skip(axis)
            .step_by(latent)
            .map(|&latent| f64::from(latent))
            .collect();
        points.axis(&scores, None)
    });
    Ok(coordinates.collect())
}

fn starts(sizes: impl Iterator<Item = usize>) -> Vec<usize> {
    let mut starts = vec![0];
    starts.extend(sizes.scan(0, |sum, size| {
        *sum += size;
        Some(*sum)
    }));
    starts
}

/// Principal axes of the square roots of the shares, in which equal steps are about equally easy to
/// tell apart (Hellinger), found by orthogonal iteration.
fn principal(points: &Points, most: usize) -> Vec<Axis> {
    let width = points.starts[points.starts.len() - 1];
    let rows = points.shares.len() / width;
    let mut roots: Vec<f64> = points.shares.iter().map(|share| share.sqrt()).collect();
    for column in 0..width {
        let mean = roots.iter().skip(column).step_by(width).sum::<f64>() / rows as f64;
        roots
            .iter_mut()
            .skip(column)
            .step_by(width)
            .for_each(|root| *root -= mean);
    }
    let total: f64 = roots.iter().map(|root| root * root).sum();
    let mut rng = PublicRng::from_seed(LATENTS);
    let mut axes: Vec<Vec<f64>> = (0..most.min(rows).min(width))
        .map(|_| (0..width).map(|_| rng.normal()).collect())
        .collect();
    orthonormalise(&mut axes);
    for _ in 0..ITERATIONS {
        for axis in &mut axes {
            let scores = scores(&roots, axis);
            axis.fill(0.0);
            for (row, score) in roots.chunks_exact(width).zip(&scores) {
                for (value, root) in axis.iter_mut().zip(row) {
                    *value += score * root;
                }
            }
        }
        orthonormalise(&mut axes);
    }
    let mut found: Vec<_> = axes
        .iter()
        .map(|axis| scores(&roots, axis))
        .map(|scores| {
            let along: f64 = scores.iter().map(|score| score * score).sum();
            (along / total.max(f64::MIN_POSITIVE), scores)
        })
        .filter(|(share, _)| *share > SMALLEST_AXIS)
        .collect();
    found.sort_by(|a, b| b.0.total_cmp(&a.0));
    found
        .into_iter()
        .map(|(share, scores)| points.axis(&scores, Some(share)))
        .collect()
}

/// The place of every row along an axis.
fn scores(rows: &[f64], axis: &[f64]) -> Vec<f64> {
    rows.chunks_exact(axis.len())
        .map(|row| row.iter().zip(axis).map(|(a, b)| a * b).sum())
        .collect()
}

/// Makes vectors orthogonal to those before them, and of length 1 (Gram & Schmidt, twice, because once
/// leaves rounding that counts where little is left). What is nothing but rounding becomes 0.
fn orthonormalise(vectors: &mut [Vec<f64>]) {
    for place in 0..vectors.len() {
        let (before, rest) = vectors.split_at_mut(place);
        let vector = &mut rest[0];
        let whole = length(vector);
        for other in before.iter().chain(before.iter()) {
            let along: f64 = vector.iter().zip(other).map(|(a, b)| a * b).sum();
            for (value, other) in vector.iter_mut().zip(other) {
                *value -= along * other;
            }
        }
        let left = length(vector);
        let scale = if left > ROUNDING * whole {
            left.recip()
        } else {
            0.0
        };
        vector.iter_mut().for_each(|value| *value *= scale);
    }
}

fn length(vector: &[f64]) -> f64 {
    vector.iter().map(|value| value * value).sum::<f64>().sqrt()
}

impl Points {
    /// Compares the two ends of an axis.
    fn axis(&self, scores: &[f64], share: Option<f64>) -> Axis {
        let mut order: Vec<usize> = (0..scores.len()).collect();
        order.sort_by(|&a, &b| scores[a].total_cmp(&scores[b]));
        let end = (scores.len() / 10).max(1);
        let low = self.mean(&order[..end]);
        let high = self.mean(&order[order.len() - end..]);
        let columns = self.starts.windows(2).map(|column| {
            let (low, high) = (&low[column[0]..column[1]], &high[column[0]..column[1]]);
            Move {
                distance: 0.5
                    * low
                        .iter()
                        .zip(high)
                        .map(|(a, b)| (a - b).abs())
                        .sum::<f64>(),
                low: low.to_vec(),
                high: high.to_vec(),
            }
        });
        Axis {
            share,
            columns: columns.collect(),
        }
    }

    fn mean(&self, rows: &[usize]) -> Vec<f64> {
        let width = self.starts[self.starts.len() - 1];
        let mut mean = vec![0.0; width];
        for &row in rows {
            for (mean, share) in mean.iter_mut().zip(&self.shares[row * width..]) {
                *mean += share / rows.len() as f64;
            }
        }
        mean
    }
}

/// Seed of the latents at which an autoencoder is looked at, and of the first guess of axes.
const LATENTS: u64 = 0;
const DRAWN: usize = 2000;
const ITERATIONS: usize = 60;
/// Part of a vector that rounding can leave.
const ROUNDING: f64 = 1e-10;
/// Share below which an axis is rounding.
const SMALLEST_AXIS: f64 = 1e-9;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::marginals::Grouping;

    /// Components that differ in the first two columns together, a little in the third, and not in the last.
    fn model() -> Generator {
        let shares = (0..40).flat_map(|component| {
            let first = component as f32 / 39.0;
            let third = 0.5 + 0.1 * (component % 2) as f32;
            [
                first,
                1.0 - first,
                1.0 - first,
                first,
                third,
                1.0 - third,
                0.3,
                0.7,
            ]
        });
        let grouped = Grouping {
            group_of: vec![0, 1, 1],
            weights: vec![1.0, 0.25, 0.75],
        };
        let groupings = vec![
            grouped,
            Grouping::each(2),
            Grouping::each(2),
            Grouping::each(2),
        ];
        Generator::Mixture(Mixture::from_shares(groupings, shares.collect(), None))
    }

    #[test]
    fn the_widest_axis_moves_what_moves_together() {
        let axes = model().axes(5).unwrap().unwrap();
        assert!(axes.len() >= 2);
        let shares: Vec<f64> = axes.iter().map(|axis| axis.share.unwrap()).collect();
        assert!(shares.is_sorted_by(|a, b| a >= b));
        assert!(
            shares[0] > 0.8 && shares.iter().sum::<f64>() < 1.0 + 1e-9,
            "{shares:?}"
        );
        let columns = &axes[0].columns;
        assert!(columns[0].distance > 0.85 && columns[1].distance > 0.85);
        assert!(columns[2].distance < 0.06 && columns[3].distance < 1e-6);
        // Opposite codes go together, and codes of a group keep their proportion.
        let risen = columns[0].high[0] - columns[0].low[0];
        assert!((risen + columns[1].high[0] - columns[1].low[0]).abs() < 1e-6);
        assert!((columns[0].high[2] - 3.0 * columns[0].high[1]).abs() < 1e-6);
        for column in columns {
            assert!((column.low.iter().sum::<f64>() - 1.0).abs() < 1e-6);
        }
    }

    #[test]
    fn a_model_of_one_component_has_no_axis() {
        let shares = vec![0.2, 0.8];
        let model = Mixture::from_shares(vec![Grouping::each(2)], shares, None);
        let axes = Generator::Mixture(model).axes(5).unwrap().unwrap();
        assert!(axes.is_empty());
    }
}
