//! How fast this machine multiplies matrices, and how much there is to multiply.

use std::hint::black_box;
use std::time::Instant;

use dpsynth_privacy::LayerwiseModel;
use dpsynth_privacy::kernel::{Destination, Operand, ProductShape, multiply_f32, multiply_f64};
use dpsynth_privacy::{BLOCK_ROWS, LayerInput};
use dpsynth_train::{Vae, VaeShape};

/// Floating-point operations of the matrix products of one row: forward, back through the
/// layers, and the gradient; the layer that reads codes needs none.
pub(crate) fn flops_of_a_row(shape: &VaeShape) -> f64 {
    Vae::layers(shape)
        .iter()
        .map(|layer| match layer.input {
            LayerInput::Codes { .. } => 0.0,
            LayerInput::Dense { width } => 6.0 * (width * layer.outputs) as f64,
        })
        .sum()
}

/// Speed of a product of one block with a square matrix, in single and double precision, GF/s on
/// one thread.
pub(crate) fn speed() -> (f64, f64) {
    const WIDTH: usize = 256;
    let shape = ProductShape {
        rows: BLOCK_ROWS,
        inner: WIDTH,
        columns: WIDTH,
    };
    let flops = 2.0 * (BLOCK_ROWS * WIDTH * WIDTH) as f64;
    let single = vec![0.5f32; WIDTH * WIDTH];
    let double = vec![0.5f64; WIDTH * WIDTH];
    let mut out = vec![0.0f32; BLOCK_ROWS * WIDTH];
    let mut out_double = vec![0.0f64; BLOCK_ROWS * WIDTH];
    let single = fastest(|| {
        multiply_f32(
            shape,
            (&single, Operand::Plain),
            (&single, Operand::Plain),
            black_box(&mut out),
            Destination::Overwrite,
        );
    });
    let double = fastest(|| {
        multiply_f64(
            shape,
            (&double, Operand::Plain),
            (&double, Operand::Plain),
            black_box(&mut out_double),
            Destination::Overwrite,
        );
    });
    (flops / single / 1e9, flops / double / 1e9)
}

fn fastest(mut work: impl FnMut()) -> f64 {
    (0..300)
        .map(|_| {
            let start = Instant::now();
            work();
            start.elapsed().as_secs_f64()
        })
        .fold(f64::INFINITY, f64::min)
}
