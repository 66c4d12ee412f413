//! The pass over tensors against the one over slices, on candle's device of this build.

use dpsynth_privacy::{
    ClipNorm, DpSgd, Mechanism, NoiseMultiplier, PrivacyUnit, Private, PublicRng, Records,
    SamplingRate, StepCount, Taint, insecure,
};
use proptest::prelude::*;

use super::*;
use crate::shape::tests::small;
use crate::vae::Vae;
use crate::vae::tests::{Case, networks, row_bits, swap_rows};

/// L2 norm of the difference, and of `right`.
fn distance(left: &[f32], right: &[f32]) -> (f64, f64) {
    assert_eq!(left.len(), right.len());
    let pairs = left.iter().zip(right);
    let squared: f64 = pairs.map(|(a, b)| f64::from(a - b).powi(2)).sum();
    let norm: f64 = right.iter().map(|value| f64::from(*value).powi(2)).sum();
    (squared.sqrt(), norm.sqrt())
}

#[test]
fn factors_agree_with_those_over_slices() {
    for (index, network) in networks().into_iter().enumerate() {
        // At the larger scale log-variances are clamped and logits reach the limit of exp.
        for scale in [0.3, 2.0] {
            let case = Case::new(network.clone(), scale, 300 + index as u64);
            let found = case.factors_of::<DeviceVae>();
            for (layer, (found, expected)) in found.iter().zip(case.factors_of::<Vae>()).enumerate()
            {
                for (found, expected) in [
                    (&found.activations, &expected.activations),
                    (&found.deltas, &expected.deltas),
                ] {
                    let (difference, norm) = distance(found, expected);
                    assert!(
                        difference <= 1e-4 * norm,
                        "network {index}, layer {layer}: {difference} of {norm}"
                    );
                }
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]

    #[test]
    fn a_row_has_the_same_bits_whatever_the_others_hold(
        network in 0usize..4,
        seed in 0u64..1 << 32,
        kept in 0usize..BLOCK_ROWS,
        place in 0usize..BLOCK_ROWS,
        padded in 0usize..BLOCK_ROWS,
    ) {
        let case = Case::new(networks().swap_remove(network), 0.5, seed);
        let expected = row_bits(&case.shape, &case.factors_of::<DeviceVae>(), kept);
        let (columns, latent) = (case.shape.columns(), case.shape.latent());
        let mut other = Case::new(networks().swap_remove(network), 0.5, seed ^ 1);
        other.weights = case.weights.clone();
        other.codes[padded * columns..].fill(0);
        other.codes[place * columns..(place + 1) * columns]
            .copy_from_slice(&case.codes[kept * columns..(kept + 1) * columns]);
        other.normals[place * latent..(place + 1) * latent]
            .copy_from_slice(&case.normals[kept * latent..(kept + 1) * latent]);
        let found = other.factors_of::<DeviceVae>();
        prop_assert_eq!(&row_bits(&other.shape, &found, place), &expected);
    }

    #[test]
    fn permuting_a_block_permutes_its_factors(
        network in 0usize..4,
        seed in 0u64..1 << 32,
        swaps in proptest::collection::vec((0usize..BLOCK_ROWS, 0usize..BLOCK_ROWS), 1..64),
    ) {
        let mut case = Case::new(networks().swap_remove(network), 0.5, seed);
        let before = case.factors_of::<DeviceVae>();
        let mut order: Vec<usize> = (0..BLOCK_ROWS).collect();
        let (columns, latent) = (case.shape.columns(), case.shape.latent());
        for (left, right) in swaps {
            order.swap(left, right);
            swap_rows(&mut case.codes, columns, left, right);
            swap_rows(&mut case.normals, latent, left, right);
        }
        let after = case.factors_of::<DeviceVae>();
        for (place, &row) in order.iter().enumerate() {
            prop_assert_eq!(
                row_bits(&case.shape, &after, place),
                row_bits(&case.shape, &before, row)
            );
        }
    }
}

#[test]
fn a_row_that_is_not_finite_spoils_no_other() {
    let mut case = Case::new(small(), 0.5, 5);
    let before = case.factors_of::<DeviceVae>();
    case.normals[3 * case.shape.latent()] = f32::NAN;
    case.normals[9 * case.shape.latent()] = f32::INFINITY;
    let after = case.factors_of::<DeviceVae>();
    for row in 0..BLOCK_ROWS {
        let same = row_bits(&case.shape, &after, row) == row_bits(&case.shape, &before, row);
        assert_eq!(same, ![3, 9].contains(&row));
    }
}

#[test]
fn scratch_of_other_weights_or_another_shape_does_no_harm() {
    let large = Case::new(networks().swap_remove(3), 0.5, 1);
    let little = Case::new(small(), 0.5, 2);
    let mut changed = Case::new(small(), 0.5, 2);
    changed.weights[7] += 1.0;
    let mut scratch = DeviceScratch::default();
    let mut factors = vec![LayerFactors::default(); 4];
    for case in [&large, &little, &changed, &little, &large] {
        case.run::<DeviceVae>(&mut scratch, &mut factors);
        let fresh = case.factors_of::<DeviceVae>();
        for row in 0..BLOCK_ROWS {
            assert_eq!(
                row_bits(&case.shape, &factors, row),
                row_bits(&case.shape, &fresh, row)
            );
        }
    }
}

#[test]
fn where_the_device_fails_every_factor_is_nan() {
    let mut case = Case::new(small(), 0.5, 3);
    let good = case.factors_of::<DeviceVae>();
    case.weights.pop();
    let mut factors = good.clone();
    let mut scratch = DeviceScratch::default();
    case.run::<DeviceVae>(&mut scratch, &mut factors);
    for (factor, good) in factors.iter().zip(&good) {
        for (values, good) in [
            (&factor.activations, &good.activations),
            (&factor.deltas, &good.deltas),
        ] {
            assert_eq!(values.len(), good.len());
            assert!(values.iter().all(|value| value.is_nan()));
        }
    }
    // Nothing of an earlier block is taken for this one's.
    assert!(scratch.pass.is_none());
}

/// [`DeviceVae`] with a device that fails.
struct Failing;

impl LayerwiseModel for Failing {
    type Shape = VaeShape;
    type Weights<'w> = &'w [f32];
    type Scratch = DeviceScratch;

    fn layers(shape: &VaeShape) -> Vec<LayerShape> {
        DeviceVae::layers(shape)
    }

    fn normals_per_row(shape: &VaeShape) -> usize {
        DeviceVae::normals_per_row(shape)
    }

    fn lay_out<'w>(_: &'w VaeShape, weights: &'w [f32]) -> &'w [f32] {
        &weights[1..]
    }

    fn forward(
        shape: &VaeShape,
        weights: &&[f32],
        block: &Block<'_>,
        scratch: &mut DeviceScratch,
        factors: &mut [LayerFactors],
    ) {
        DeviceVae::forward(shape, weights, block, scratch, factors);
    }

    fn backward(
        shape: &VaeShape,
        weights: &&[f32],
        block: &Block<'_>,
        scratch: &mut DeviceScratch,
        factors: &mut [LayerFactors],
    ) {
        DeviceVae::backward(shape, weights, block, scratch, factors);
    }
}

const CLIP_NORM: f64 = 2.0;

/// The sum of one step without noise.
fn step<M: LayerwiseModel<Shape = VaeShape>>(case: &Case) -> Vec<f32> {
    let mechanism = DpSgd {
        sampling_rate: SamplingRate::at_most(0.5).unwrap(),
        steps: StepCount::new(1).unwrap(),
        noise_multiplier: NoiseMultiplier::new(1.0).unwrap(),
        clip_norm: ClipNorm::new(CLIP_NORM).unwrap(),
    };
    let mechanisms = vec![Mechanism::DpSgd(mechanism)];
    let mut paid = insecure::paid(PrivacyUnit::Row, mechanisms, Taint::NoNoise, 7);
    let sizes = case.shape.network().domain_sizes.clone();
    let data = Private::load(&paid, sizes, |sizes| {
        let mut rng = PublicRng::from_seed(8);
        let codes = (0..600)
            .flat_map(|_| &sizes)
            .map(|&size| (rng.next_u64() % u64::from(size)) as u16)
            .collect();
        Records::rows(sizes.clone(), codes)
    })
    .unwrap();
    let mut steps = paid.authorize::<DpSgd>().unwrap().steps();
    let step = steps.next_step().unwrap();
    let (sum, _) = insecure::run_timed::<M>(step, &data, &case.shape, &case.weights).unwrap();
    sum.to_vec()
}

#[test]
fn a_whole_step_sums_to_the_same() {
    let case = Case::new(networks().swap_remove(3), 0.3, 9);
    let expected = step::<Vae>(&case);
    let (difference, norm) = distance(&step::<DeviceVae>(&case), &expected);
    assert!(norm > 10.0 * CLIP_NORM, "{norm}");
    assert!(difference < 1e-2 * CLIP_NORM, "{difference}");
    // Other weights give another sum, so the comparison can fail.
    let other = Case::new(networks().swap_remove(3), 0.3, 10);
    let (difference, _) = distance(&step::<DeviceVae>(&other), &expected);
    assert!(difference > CLIP_NORM, "{difference}");
}

#[test]
fn a_device_that_fails_leaves_a_sum_of_nothing() {
    let case = Case::new(small(), 0.3, 9);
    assert!(step::<Failing>(&case).iter().all(|value| *value == 0.0));
}
