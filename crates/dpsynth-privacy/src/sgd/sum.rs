//! The exact sum of quantised contributions.

use super::model::{BLOCK_ROWS, LayerInput, LayerShape};
use super::quantise::Quantised;
use crate::kernel::{Destination, Operand, ProductShape, multiply_f64};

/// Blocks that are gathered before their products are formed: 1,024 rows, for the sake of the
/// matrix product's speed, and well below the 4,096 rows up to which it is exact.
const GROUP_BLOCKS: usize = 8;
const GROUP_ROWS: usize = GROUP_BLOCKS * BLOCK_ROWS;

/// A sum of integer contributions, laid out as the weights are.
///
/// # Guarantee
/// The sum is exact modulo 2^64, whatever the order of the blocks: products of 20-bit factors add
/// up below 2^53 within a group, and groups are added in wrapping 64-bit arithmetic. Reducing
/// modulo 2^64 before or after the noise is the same, so it is post-processing.
pub(crate) struct ExactSum {
    shapes: Vec<LayerShape>,
    columns: usize,
    offsets: Vec<usize>,
    totals: Vec<i64>,
    gathered: usize,
    /// Factors of the gathered blocks, per layer: activations and output gradients.
    groups: Vec<(Vec<f64>, Vec<f64>)>,
    codes: Vec<u16>,
    product: Vec<f64>,
}

impl ExactSum {
    pub(crate) fn new(shapes: &[LayerShape], columns: usize) -> Self {
        let groups = shapes
            .iter()
            .map(|shape| {
                let activations = match shape.input {
                    LayerInput::Codes { .. } => 0,
                    LayerInput::Dense { width } => GROUP_ROWS * (width + 1),
                };
                (
                    vec![0.0; activations],
                    vec![0.0; GROUP_ROWS * shape.outputs],
                )
            })
            .collect();
        let largest = shapes.iter().map(LayerShape::parameters).max().unwrap_or(0);
        Self {
            shapes: shapes.to_vec(),
            columns,
            offsets: shapes
                .iter()
                .scan(0, |end, shape| {
                    let start = *end;
                    *end += shape.parameters();
                    Some(start)
                })
                .collect(),
            totals: vec![0; shapes.iter().map(LayerShape::parameters).sum()],
            gathered: 0,
            groups,
            codes: vec![0; GROUP_ROWS * columns],
            product: vec![0.0; largest],
        }
    }

    /// Adds the contributions of one block; `code_offsets` are the first inputs of the columns.
    pub(crate) fn add(&mut self, quantised: &Quantised, codes: &[u16], code_offsets: &[usize]) {
        let slot = self.gathered;
        for (((activations, deltas), layer), shape) in self
            .groups
            .iter_mut()
            .zip(&quantised.layers)
            .zip(&self.shapes)
        {
            if let LayerInput::Dense { width } = shape.input {
                let size = BLOCK_ROWS * (width + 1);
                activations[slot * size..(slot + 1) * size].copy_from_slice(&layer.activations);
            }
            let size = BLOCK_ROWS * shape.outputs;
            deltas[slot * size..(slot + 1) * size].copy_from_slice(&layer.deltas);
        }
        let size = BLOCK_ROWS * self.columns;
        self.codes[slot * size..(slot + 1) * size].copy_from_slice(codes);
        self.gathered += 1;
        if self.gathered == GROUP_BLOCKS {
            self.flush(quantised, code_offsets);
        }
    }

    /// Forms the products of the gathered blocks.
    pub(crate) fn flush(&mut self, quantised: &Quantised, code_offsets: &[usize]) {
        let rows = self.gathered * BLOCK_ROWS;
        self.gathered = 0;
        if rows == 0 {
            return;
        }
        for (index, shape) in self.shapes.iter().enumerate() {
            let size = shape.parameters();
            let product = &mut self.product[..size];
            let (activations, deltas) = &self.groups[index];
            let scale = match shape.input {
                LayerInput::Dense { width } => {
                    multiply_f64(
                        ProductShape {
                            rows: width + 1,
                            inner: rows,
                            columns: shape.outputs,
                        },
                        (activations, Operand::Transposed),
                        (deltas, Operand::Plain),
                        product,
                        Destination::Overwrite,
                    );
                    1
                }
                LayerInput::Codes { .. } => {
                    product.fill(0.0);
                    scatter(
                        &self.codes[..rows * self.columns],
                        code_offsets,
                        deltas,
                        shape,
                        product,
                    );
                    // OK because an activation is an integer of at most 20 bits.
                    quantised.layers[index].activations[0] as i64
                }
            };
            let totals = &mut self.totals[self.offsets[index]..self.offsets[index] + size];
            for (total, &value) in totals.iter_mut().zip(product.iter()) {
                *total = total.wrapping_add((value as i64).wrapping_mul(scale));
            }
        }
    }

    pub(crate) fn into_totals(self) -> Vec<i64> {
        self.totals
    }
}

/// Adds each row's output gradients to the rows of the inputs that its codes select, and to the
/// bias.
fn scatter(
    codes: &[u16],
    code_offsets: &[usize],
    deltas: &[f64],
    shape: &LayerShape,
    product: &mut [f64],
) {
    let outputs = shape.outputs;
    let bias = shape.inputs() * outputs;
    for (row, delta) in codes
        .chunks_exact(code_offsets.len())
        .zip(deltas.chunks_exact(outputs))
    {
        for (&code, &offset) in row.iter().zip(code_offsets) {
            let start = (offset + usize::from(code)) * outputs;
            add(&mut product[start..start + outputs], delta);
        }
        add(&mut product[bias..bias + outputs], delta);
    }
}

fn add(into: &mut [f64], values: &[f64]) {
    for (sum, value) in into.iter_mut().zip(values) {
        *sum += value;
    }
}
