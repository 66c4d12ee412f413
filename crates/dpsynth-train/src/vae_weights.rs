//! The autoencoder's weights as its matrix products read them.

use dpsynth_privacy::LayerInput;
use dpsynth_privacy::kernel::{Operand, Panels, multiply_panels};

use crate::shape::VaeShape;

/// The weights of a step, and each dense layer's matrix laid out for the products of both passes.
#[derive(Debug)]
pub struct VaeWeights<'w> {
    flat: &'w [f32],
    /// One entry per layer; those that read codes have none.
    layers: Vec<Option<DenseLayer<'w>>>,
    /// What the products of the way back start from.
    zeros: Vec<f32>,
}

#[derive(Debug)]
struct DenseLayer<'w> {
    bias: &'w [f32],
    inputs: usize,
    /// `inputs × outputs`, for the way forward.
    forward: Panels,
    /// `outputs × inputs`, for the way back.
    backward: Panels,
}

impl<'w> VaeWeights<'w> {
    pub(crate) fn lay_out(shape: &VaeShape, flat: &'w [f32]) -> Self {
        let layers = shape.layers().iter().enumerate();
        let dense = layers.map(|(index, layer)| match layer.input {
            LayerInput::Codes { .. } => None,
            LayerInput::Dense { width } => {
                let (matrix, bias) = shape.layer_weights(index, flat);
                Some(DenseLayer {
                    bias,
                    inputs: width,
                    forward: Panels::new(width, layer.outputs, matrix, Operand::Plain),
                    backward: Panels::new(layer.outputs, width, matrix, Operand::Transposed),
                })
            }
        });
        let layers: Vec<_> = dense.collect();
        let widest = layers.iter().flatten().map(|layer| layer.inputs).max();
        Self {
            flat,
            layers,
            zeros: vec![0.0; widest.unwrap_or(0)],
        }
    }

    /// All weights, as they were handed over.
    pub(crate) fn flat(&self) -> &'w [f32] {
        self.flat
    }

    /// `output = input · weights + bias` for one block, through a dense layer.
    pub(crate) fn forward(&self, layer: usize, input: &[f32], output: &mut [f32]) {
        if let Some(layer) = &self.layers[layer] {
            multiply_panels(input, &layer.forward, layer.bias, output);
        }
    }

    /// `input_gradient = deltas · weightsᵀ` for one block, through a dense layer.
    pub(crate) fn backward(&self, layer: usize, deltas: &[f32], input_gradient: &mut [f32]) {
        if let Some(layer) = &self.layers[layer] {
            let zeros = &self.zeros[..layer.inputs];
            multiply_panels(deltas, &layer.backward, zeros, input_gradient);
        }
    }
}
