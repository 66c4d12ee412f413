//! The exact sum of quantised contributions.

use super::model::{BLOCK_ROWS, LayerInput, LayerShape};
use super::quantise::Quantised;
use crate::kernel::{FACTOR_LIMIT, LeftRows, RightRows, add_product, widest};

/// Blocks that are gathered before their products are formed.
const GROUP_BLOCKS: usize = 4;

/// Blocks whose output gradients add up in 32 bits: 2^19 rows of factors below 2^12.
const SCATTER_BLOCKS: usize = (1 << 19) / BLOCK_ROWS;
const _: () = assert!((SCATTER_BLOCKS * BLOCK_ROWS) as i64 * (FACTOR_LIMIT as i64) < 1 << 31);

/// A sum of integer contributions, laid out as the weights are.
///
/// # Guarantee
/// The sum is exact modulo 2^64, whatever the order of the blocks, because it is formed in
/// integers that cannot overflow before they are added in wrapping 64-bit arithmetic. Reducing
/// modulo 2^64 before or after the noise is the same, so it is post-processing.
pub(crate) struct ExactSum {
    layers: Vec<LayerSum>,
    code_offsets: Vec<usize>,
    code_activation: i64,
    /// Blocks since the last products.
    gathered: usize,
    /// Blocks since the last time that the sums of code layers were added to the totals.
    scattered: usize,
    totals: Vec<i64>,
}

struct LayerSum {
    shape: LayerShape,
    /// Where the layer's totals start.
    offset: usize,
    gathered: Gathered,
}

enum Gathered {
    Dense(LeftRows, RightRows),
    /// Sums of output gradients for each code, and for the bias.
    Codes(Vec<i32>),
}

impl ExactSum {
    /// Starts at zero; `code_offsets` are the first inputs of the columns.
    pub(crate) fn new(
        shapes: &[LayerShape],
        code_offsets: Vec<usize>,
        code_activation: i64,
    ) -> Self {
        let mut offset = 0;
        let layers = shapes
            .iter()
            .map(|&shape| {
                let rows = GROUP_BLOCKS * BLOCK_ROWS;
                let gathered = match shape.input {
                    LayerInput::Codes { .. } => Gathered::Codes(vec![0; shape.parameters()]),
                    LayerInput::Dense { width } => Gathered::Dense(
                        LeftRows::new(rows, width + 1),
                        RightRows::new(rows, shape.outputs),
                    ),
                };
                let start = offset;
                offset += shape.parameters();
                LayerSum {
                    shape,
                    offset: start,
                    gathered,
                }
            })
            .collect();
        Self {
            layers,
            code_offsets,
            code_activation,
            gathered: 0,
            scattered: 0,
            totals: vec![0; offset],
        }
    }

    /// Adds the contributions of one block.
    pub(crate) fn add(&mut self, quantised: &Quantised, codes: &[u16]) {
        let first_row = self.gathered * BLOCK_ROWS;
        let (rows, offsets) = (quantised.rows, &self.code_offsets);
        for (layer, factors) in self.layers.iter_mut().zip(&quantised.layers) {
            let outputs = layer.shape.outputs;
            match &mut layer.gathered {
                Gathered::Dense(left, right) => widest(
                    #[inline(always)]
                    || {
                        left.write(first_row, &factors.activations);
                        right.write(first_row, &factors.deltas);
                    },
                ),
                Gathered::Codes(sums) => {
                    let codes = &codes[..rows * offsets.len()];
                    let deltas = &factors.deltas[..rows * outputs];
                    widest(
                        #[inline(always)]
                        || scatter(codes, offsets, deltas, outputs, sums),
                    );
                }
            }
        }
        self.gathered += 1;
        self.scattered += 1;
        if self.gathered == GROUP_BLOCKS {
            self.multiply();
        }
        if self.scattered == SCATTER_BLOCKS {
            self.collect();
        }
    }

    /// Adds the products of the gathered blocks to the totals.
    fn multiply(&mut self) {
        if self.gathered == 0 {
            return;
        }
        let rows = self.gathered * BLOCK_ROWS;
        self.gathered = 0;
        for layer in &self.layers {
            if let Gathered::Dense(left, right) = &layer.gathered {
                let totals = &mut self.totals[layer.offset..][..layer.shape.parameters()];
                add_product(left, right, rows, totals);
            }
        }
    }

    /// Adds the sums of code layers to the totals, and starts them anew.
    fn collect(&mut self) {
        if self.scattered == 0 {
            return;
        }
        self.scattered = 0;
        for layer in &mut self.layers {
            if let Gathered::Codes(sums) = &mut layer.gathered {
                let totals = &mut self.totals[layer.offset..];
                for (total, sum) in totals.iter_mut().zip(sums) {
                    *total = total.wrapping_add(i64::from(*sum) * self.code_activation);
                    *sum = 0;
                }
            }
        }
    }

    /// Starts at zero again.
    pub(crate) fn restart(&mut self) {
        self.finish();
        self.totals.fill(0);
    }

    /// Adds what was gathered to the totals.
    pub(crate) fn finish(&mut self) {
        self.multiply();
        self.collect();
    }

    /// One block of coordinates of the sum, to which noise may be added modulo 2^64.
    pub(crate) fn coordinates(&mut self, block: usize, length: usize) -> &mut [i64] {
        let start = block * length;
        let end = self.totals.len().min(start + length);
        &mut self.totals[start..end]
    }

    /// The sum of what was added before the last [`finish`](Self::finish).
    pub(crate) fn totals(&self) -> &[i64] {
        &self.totals
    }
}

/// Adds each row's output gradients to the rows of the inputs that its codes select, and to the
/// bias.
#[inline(always)]
fn scatter(codes: &[u16], offsets: &[usize], deltas: &[i16], outputs: usize, sums: &mut [i32]) {
    let bias = sums.len() - outputs;
    for (row, delta) in codes
        .chunks_exact(offsets.len())
        .zip(deltas.chunks_exact(outputs))
    {
        for (&code, &offset) in row.iter().zip(offsets) {
            let start = (offset + usize::from(code)) * outputs;
            add(&mut sums[start..start + outputs], delta);
        }
        add(&mut sums[bias..], delta);
    }
}

#[inline(always)]
fn add(into: &mut [i32], values: &[i16]) {
    for (sum, &value) in into.iter_mut().zip(values) {
        *sum += i32::from(value);
    }
}
