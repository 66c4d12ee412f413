//! Noisy marginals made into two sets whose noises are independent.

use dpsynth_privacy::PublicRng;

use super::measurements::Measurements;

/// Two sets of marginals of the same shape.
pub(super) struct Thinned {
    /// Those to fit, a little noisier than what they were made from.
    pub(super) fitted: Measurements,
    /// Those to judge the fit by.
    pub(super) judging: Measurements,
}

/// Adds noise to marginals twice, with opposite signs, so that what is left in the one set says nothing
/// about that in the other.
///
/// With noise x of variance v and a draw y of the same variance, x + y√a and x − y/√a are
/// uncorrelated, and as both are normal, independent (Tian & Taylor 2018; Neufeld et al. 2024, "Data
/// thinning"). Both sets are functions of what was released.
pub(super) fn thin(measurements: &Measurements, rng: &mut PublicRng) -> Thinned {
    let (mut fitted, mut judging) = (measurements.clone(), measurements.clone());
    for (fitted, judging) in fitted.classes.iter_mut().zip(&mut judging.classes) {
        part(
            (&mut fitted.0, &mut fitted.1),
            (&mut judging.0, &mut judging.1),
            rng,
        );
    }
    part_all(
        (&mut fitted.one_way, &mut fitted.one_way_precision),
        (&mut judging.one_way, &mut judging.one_way_precision),
        rng,
    );
    for (fitted, judging) in fitted.slices.iter_mut().zip(&mut judging.slices) {
        part_all(
            (&mut fitted.singles, &mut fitted.single_precision),
            (&mut judging.singles, &mut judging.single_precision),
            rng,
        );
        let groups = fitted.singles.len();
        for row in 0..groups {
            // A pair stands on both sides of the diagonal, and has one noise.
            let right = row * groups + row + 1..(row + 1) * groups;
            part_all(
                (
                    &mut fitted.pairs[right.clone()],
                    &mut fitted.pair_precision[right.clone()],
                ),
                (
                    &mut judging.pairs[right.clone()],
                    &mut judging.pair_precision[right],
                ),
                rng,
            );
        }
        for slice in [fitted, judging] {
            mirror(&mut slice.pairs, groups);
            mirror(&mut slice.pair_precision, groups);
        }
    }
    Thinned { fitted, judging }
}

/// Shares, and the precision of each.
type Noisy<'m> = (&'m mut [f32], &'m mut [f32]);

fn part_all(fitted: Noisy<'_>, judging: Noisy<'_>, rng: &mut PublicRng) {
    let fitted = fitted.0.iter_mut().zip(fitted.1);
    let judging = judging.0.iter_mut().zip(judging.1);
    for (fitted, judging) in fitted.zip(judging) {
        part(fitted, judging, rng);
    }
}

/// Parts one share, unless it was not measured.
fn part(fitted: (&mut f32, &mut f32), judging: (&mut f32, &mut f32), rng: &mut PublicRng) {
    if *fitted.1 <= 0.0 {
        return;
    }
    let draw = rng.normal() / f64::from(*fitted.1).sqrt();
    let (share, precision) = (f64::from(*fitted.0), f64::from(*fitted.1));
    *fitted.0 = (share + ADDED.sqrt() * draw) as f32;
    *judging.0 = (share - draw / ADDED.sqrt()) as f32;
    *fitted.1 = (precision / (1.0 + ADDED)) as f32;
    *judging.1 = (precision / (1.0 + 1.0 / ADDED)) as f32;
}

/// Copies what is right of a square matrix's diagonal to the left of it.
fn mirror(matrix: &mut [f32], size: usize) {
    for row in 0..size {
        for column in 0..row {
            matrix[row * size + column] = matrix[column * size + row];
        }
    }
}

/// Variance that is added to what is fitted, over the variance of the noise.
const ADDED: f64 = 0.5;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::marginals::Grouping;
    use crate::marginals::measurements::Slice;

    /// Two columns of 30 groups within each of two classes: shares of 0 with noise of a precision that
    /// grows from cell to cell, and a few that were not measured.
    fn noisy(rng: &mut PublicRng) -> Measurements {
        let groups = 60;
        let mut drawn = |cell: usize| {
            let precision = 1.0 + cell as f64;
            ((rng.normal() / precision.sqrt()) as f32, precision as f32)
        };
        let mut slice = || {
            let mut slice = Slice::unknown(groups);
            for a in 0..30 {
                for b in 30..60 {
                    let (share, precision) = drawn(a);
                    slice.learn_pair(groups, (a, b), share, precision);
                }
                let (share, precision) = drawn(a);
                slice.learn_single(a, share, precision);
            }
            slice
        };
        let slices = vec![slice(), slice()];
        let (one_way, one_way_precision) = (0..groups).map(&mut drawn).unzip();
        Measurements {
            groupings: vec![Grouping::each(30), Grouping::each(30), Grouping::each(2)],
            split_by: Some(2),
            classes: vec![drawn(0), drawn(1)],
            slices,
            one_way,
            one_way_precision,
            total: 1000.0,
            close_pairs: Vec::new(),
            tree: Vec::new(),
        }
    }

    /// Every share in units of its noise, and how many were not measured.
    fn standardised(measurements: &Measurements) -> (Vec<f64>, usize) {
        let mut all: Vec<(f32, f32)> = measurements.classes.clone();
        let both = |shares: &[f32], precisions: &[f32]| -> Vec<(f32, f32)> {
            shares
                .iter()
                .copied()
                .zip(precisions.iter().copied())
                .collect()
        };
        all.extend(both(&measurements.one_way, &measurements.one_way_precision));
        for slice in &measurements.slices {
            all.extend(both(&slice.singles, &slice.single_precision));
            all.extend(both(&slice.pairs, &slice.pair_precision));
        }
        let cells = all.len();
        let measured: Vec<f64> = (all.into_iter())
            .filter(|(_, precision)| *precision > 0.0)
            .map(|(share, precision)| f64::from(share) * f64::from(precision).sqrt())
            .collect();
        let unknown = cells - measured.len();
        (measured, unknown)
    }

    #[test]
    fn the_two_sets_have_the_noise_that_they_state_and_none_in_common() {
        let mut rng = PublicRng::from_seed(3);
        let (mut of_fitted, mut of_judging, mut common, mut count) = (0.0, 0.0, 0.0, 0.0);
        for _ in 0..20 {
            let measurements = noisy(&mut rng);
            let Thinned { fitted, judging } = thin(&measurements, &mut rng);
            let (fitted, unknown) = standardised(&fitted);
            let (judging, also_unknown) = standardised(&judging);
            // What was not measured stays so.
            assert_eq!(unknown, standardised(&measurements).1);
            assert_eq!((unknown, fitted.len()), (also_unknown, judging.len()));
            for (a, b) in fitted.into_iter().zip(judging) {
                of_fitted += a * a;
                of_judging += b * b;
                common += a * b;
                count += 1.0;
            }
        }
        // 36,000 independent draws, each pair of which is there twice: the standard error of a mean of
        // squares is 0.01 at most and that of products less. Six of them: a false alarm in a billion; a
        // variance off by 10 % would be seen.
        for (mean, expected) in [(of_fitted, 1.0), (of_judging, 1.0), (common, 0.0)] {
            assert!((mean / count - expected).abs() < 0.06, "{mean} {expected}");
        }
    }

    #[test]
    fn a_pair_is_the_same_on_both_sides() {
        let mut rng = PublicRng::from_seed(4);
        let measurements = noisy(&mut rng);
        let Thinned { fitted, judging } = thin(&measurements, &mut rng);
        for slice in fitted.slices.iter().chain(&judging.slices) {
            for (a, b) in [(0, 30), (7, 44), (29, 59)] {
                assert_eq!(slice.pairs[a * 60 + b], slice.pairs[b * 60 + a]);
            }
        }
        // Both sets average to what was there, each by its precision.
        let (at, whole) = (7 * 60 + 44, &measurements.slices[1]);
        let (a, b) = (&fitted.slices[1], &judging.slices[1]);
        let sum = a.pair_precision[at] + b.pair_precision[at];
        let mean = (a.pairs[at] * a.pair_precision[at] + b.pairs[at] * b.pair_precision[at]) / sum;
        assert!((mean - whole.pairs[at]).abs() < 1e-5);
        assert!((sum / whole.pair_precision[at] - 1.0).abs() < 1e-5);
    }
}
