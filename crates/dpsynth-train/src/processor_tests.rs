//! The trial of a device: passes the host, and finds models that are made wrong on purpose.

use std::marker::PhantomData;

use dpsynth_privacy::LayerShape;

use super::*;
use crate::vae::VaeScratch;
use crate::vae::tests::networks;
use crate::vae_weights::VaeWeights;

/// [`Vae`] with a fault.
struct Faulty<F>(PhantomData<F>);

trait Fault {
    fn spoil(deltas: &mut [f32], width: usize);
}

impl<F: Fault> LayerwiseModel for Faulty<F> {
    type Shape = VaeShape;
    type Weights<'w> = VaeWeights<'w>;
    type Scratch = VaeScratch;

    fn layers(shape: &VaeShape) -> Vec<LayerShape> {
        Vae::layers(shape)
    }

    fn normals_per_row(shape: &VaeShape) -> usize {
        Vae::normals_per_row(shape)
    }

    fn lay_out<'w>(shape: &'w VaeShape, weights: &'w [f32]) -> VaeWeights<'w> {
        Vae::lay_out(shape, weights)
    }

    fn forward(
        shape: &VaeShape,
        weights: &VaeWeights<'_>,
        block: &Block<'_>,
        scratch: &mut VaeScratch,
        factors: &mut [LayerFactors],
    ) {
        Vae::forward(shape, weights, block, scratch, factors);
    }

    fn backward(
        shape: &VaeShape,
        weights: &VaeWeights<'_>,
        block: &Block<'_>,
        scratch: &mut VaeScratch,
        factors: &mut [LayerFactors],
    ) {
        Vae::backward(shape, weights, block, scratch, factors);
        F::spoil(&mut factors[0].deltas, shape.layers()[0].outputs);
    }
}

/// Normalises by the block: a ten-thousandth of the mean over all rows is taken off each.
struct BatchMean;
impl Fault for BatchMean {
    fn spoil(deltas: &mut [f32], _: usize) {
        let mean = deltas.iter().sum::<f32>() / deltas.len() as f32;
        deltas.iter_mut().for_each(|delta| *delta -= 1e-4 * mean);
    }
}

/// Computes the last rows by another path than the first ones.
struct Place;
impl Fault for Place {
    fn spoil(deltas: &mut [f32], width: usize) {
        let last = deltas.len() - width;
        deltas[last..].iter_mut().for_each(|it| *it *= 1.0 + 1e-6);
    }
}

/// Keeps seven binary digits, as bfloat16 would.
struct Coarse;
impl Fault for Coarse {
    fn spoil(deltas: &mut [f32], _: usize) {
        for delta in deltas {
            *delta = f32::from_bits(delta.to_bits() & !0xffff);
        }
    }
}

/// Has failed.
struct Nothing;
impl Fault for Nothing {
    fn spoil(deltas: &mut [f32], _: usize) {
        deltas.fill(f32::NAN);
    }
}

/// Does nothing wrong.
struct Harmless;
impl Fault for Harmless {
    fn spoil(_: &mut [f32], _: usize) {}
}

fn code<F: Fault>(shape: &VaeShape) -> Option<&'static str> {
    check::<Faulty<F>>(shape).err().map(|error| error.code())
}

#[test]
fn the_trial_finds_what_is_wrong_and_nothing_else() {
    for network in networks() {
        let shape = VaeShape::new(network).unwrap();
        assert_eq!(code::<Harmless>(&shape), None);
        assert_eq!(code::<BatchMean>(&shape), Some("DPS3007"));
        assert_eq!(code::<Place>(&shape), Some("DPS3007"));
        assert_eq!(code::<Coarse>(&shape), Some("DPS3008"));
        assert_eq!(code::<Nothing>(&shape), Some("DPS3008"));
    }
}

#[test]
fn the_device_of_this_build_passes() {
    for network in networks() {
        let name = device_check(&VaeShape::new(network).unwrap()).unwrap();
        assert_eq!(name == "cpu", !cfg!(feature = "cuda"));
    }
}

#[test]
#[cfg(not(feature = "cuda"))]
fn a_build_without_the_feature_says_how_to_get_one() {
    let shape = VaeShape::new(networks().swap_remove(0)).unwrap();
    assert!(Processor::Cpu.check(&shape).is_ok());
    let refused = Processor::Cuda.check(&shape).unwrap_err();
    assert_eq!(refused.code(), "DPS3005");
    assert!(refused.to_string().contains("--features cuda"));
}
