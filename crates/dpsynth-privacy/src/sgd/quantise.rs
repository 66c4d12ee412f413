//! From factors to integers: clipping whose bound holds in the arithmetic that runs.

use super::model::{BLOCK_ROWS, LayerFactors, LayerInput, LayerShape};

/// Binary digits of a quantised factor.
///
/// With 20 digits on each side a product of factors stays below 2^40 in magnitude, so sums of up
/// to 4,096 rows are exact in double precision, and rounding costs about 10^-5 of a gradient.
pub(crate) const FACTOR_BITS: u32 = 20;

/// The clip norm in units of the integer grid: 2^40.
pub(crate) const CLIP_NORM_ON_GRID: f64 = (1u64 << (2 * FACTOR_BITS)) as f64;

const FACTOR_SCALE: f64 = (1u64 << FACTOR_BITS) as f64;

/// The clip norm is approached from below by this much, so that the rounding of the
/// double-precision norms cannot push an honest contribution over the integer bound. The bound
/// itself does not rest on it.
const CLIP_MARGIN: f64 = 1.0 - 1.0 / FACTOR_SCALE;

/// Quantised factors of the rows of one block, one entry per layer.
pub(crate) struct Quantised {
    pub(crate) layers: Vec<QuantisedLayer>,
}

/// Integer factors of one layer, kept as doubles for the exact matrix product.
pub(crate) struct QuantisedLayer {
    /// `BLOCK_ROWS × (inputs + 1)`, the last column for the bias; for a layer of codes one value
    /// per block, common to all inputs.
    pub(crate) activations: Vec<f64>,
    /// `BLOCK_ROWS × outputs`.
    pub(crate) deltas: Vec<f64>,
}

impl Quantised {
    pub(crate) fn new(layers: &[LayerShape]) -> Self {
        let layers = layers
            .iter()
            .map(|layer| QuantisedLayer {
                activations: match layer.input {
                    LayerInput::Codes { .. } => vec![0.0],
                    LayerInput::Dense { width } => vec![0.0; BLOCK_ROWS * (width + 1)],
                },
                deltas: vec![0.0; BLOCK_ROWS * layer.outputs],
            })
            .collect();
        Self { layers }
    }

    /// Quantises the contributions of the units of one block; `units` are ranges of block rows.
    ///
    /// The contribution of a unit to layer `l` is the integer matrix `Σ_r α_r β_rᵀ` over its rows,
    /// where `α = trunc(2^20·(a,1)/‖(a,1)‖)` and `β = trunc(2^20·c·‖(a,1)‖·δ/C)`. It approximates
    /// `2^40/C` times the clipped gradient.
    ///
    /// # Guarantee
    /// For every input whatsoever, the L2 norm of a unit's integer contribution over all layers is
    /// at most 2^40: the squared norm is computed in integers, without rounding, and a unit that
    /// exceeds it, or has a value that is not finite, contributes zero. Rows of no unit contribute
    /// zero. Tested as a property over random and hostile factors.
    pub(crate) fn fill(
        &mut self,
        shapes: &[LayerShape],
        columns: usize,
        codes: &[u16],
        factors: &[LayerFactors],
        units: &[std::ops::Range<usize>],
        clip_norm: f64,
    ) {
        // (‖a‖² + 1) of each row and layer; a row of codes has one 1 per column, and the bias.
        let code_norm_squared = columns as f64 + 1.0;
        for (layer, shape) in self.layers.iter_mut().zip(shapes) {
            layer.deltas.fill(0.0);
            match shape.input {
                LayerInput::Codes { .. } => {
                    layer.activations[0] = (FACTOR_SCALE / code_norm_squared.sqrt()).trunc();
                }
                LayerInput::Dense { .. } => layer.activations.fill(0.0),
            }
        }
        for unit in units {
            let scale = clip_scale(shapes, columns, codes, factors, unit, clip_norm);
            let Some(scale) = scale else { continue };
            for row in unit.clone() {
                for ((layer, shape), factor) in self.layers.iter_mut().zip(shapes).zip(factors) {
                    quantise_row(
                        layer,
                        shape,
                        factor,
                        row,
                        scale / clip_norm,
                        code_norm_squared,
                    );
                }
            }
            if !self.norm_holds(shapes, columns, codes, unit) {
                self.clear(shapes, unit);
            }
        }
    }

    /// Whether the squared norm of a unit's contribution is at most 2^80, in integers.
    fn norm_holds(
        &self,
        shapes: &[LayerShape],
        columns: usize,
        codes: &[u16],
        unit: &std::ops::Range<usize>,
    ) -> bool {
        let mut total = 0i128;
        for (layer, shape) in self.layers.iter().zip(shapes) {
            let (inputs, outputs) = (shape.inputs() + 1, shape.outputs);
            for first in unit.clone() {
                for second in unit.clone() {
                    let activations = match shape.input {
                        LayerInput::Codes { .. } => {
                            let alpha = layer.activations[0];
                            integer(alpha * alpha).map(|square| {
                                square * (equal_codes(codes, columns, first, second) as i128 + 1)
                            })
                        }
                        LayerInput::Dense { .. } => {
                            integer_dot(&layer.activations, inputs, first, second)
                        }
                    };
                    let deltas = integer_dot(&layer.deltas, outputs, first, second);
                    let product = activations.zip(deltas).and_then(|(a, b)| a.checked_mul(b));
                    match product.and_then(|product| total.checked_add(product)) {
                        Some(sum) => total = sum,
                        None => return false,
                    }
                }
            }
        }
        total <= 1i128 << (4 * FACTOR_BITS)
    }

    fn clear(&mut self, shapes: &[LayerShape], unit: &std::ops::Range<usize>) {
        for (layer, shape) in self.layers.iter_mut().zip(shapes) {
            layer.deltas[unit.start * shape.outputs..unit.end * shape.outputs].fill(0.0);
        }
    }
}

/// The factor by which a unit's gradient is scaled, or `None` where the unit must not contribute.
fn clip_scale(
    shapes: &[LayerShape],
    columns: usize,
    codes: &[u16],
    factors: &[LayerFactors],
    unit: &std::ops::Range<usize>,
    clip_norm: f64,
) -> Option<f64> {
    let mut squared = 0.0f64;
    let mut largest_row = 0.0f64;
    for first in unit.clone() {
        for second in unit.clone() {
            let mut product = 0.0f64;
            for (shape, factor) in shapes.iter().zip(factors) {
                let activations = match shape.input {
                    LayerInput::Codes { .. } => equal_codes(codes, columns, first, second) as f64,
                    LayerInput::Dense { width } => dot(&factor.activations, width, first, second),
                };
                product += (activations + 1.0) * dot(&factor.deltas, shape.outputs, first, second);
            }
            squared += product;
            if first == second {
                largest_row = largest_row.max(product);
                // `max` drops a NaN, so it is looked for by itself.
                if !product.is_finite() {
                    return None;
                }
            }
        }
    }
    // Rows of one unit may cancel; bounding each row as well keeps every factor below 2^20.
    let norm = squared.max(largest_row).max(0.0).sqrt();
    if !squared.is_finite() || !norm.is_finite() {
        return None;
    }
    // Where the norm is 0, so is the gradient, and any scale will do.
    let scale = if norm <= clip_norm {
        1.0
    } else {
        clip_norm / norm
    };
    Some(scale * CLIP_MARGIN)
}

fn quantise_row(
    layer: &mut QuantisedLayer,
    shape: &LayerShape,
    factor: &LayerFactors,
    row: usize,
    scale: f64,
    code_norm_squared: f64,
) {
    let norm = match shape.input {
        LayerInput::Codes { .. } => code_norm_squared.sqrt(),
        LayerInput::Dense { width } => {
            let values = &factor.activations[row * width..(row + 1) * width];
            let norm = (values
                .iter()
                .map(|&a| f64::from(a) * f64::from(a))
                .sum::<f64>()
                + 1.0)
                .sqrt();
            let out = &mut layer.activations[row * (width + 1)..(row + 1) * (width + 1)];
            let unit = FACTOR_SCALE / norm;
            for (out, &a) in out.iter_mut().zip(values) {
                *out = (f64::from(a) * unit).trunc();
            }
            out[width] = unit.trunc();
            norm
        }
    };
    let unit = FACTOR_SCALE * scale * norm;
    let values = &factor.deltas[row * shape.outputs..(row + 1) * shape.outputs];
    let out = &mut layer.deltas[row * shape.outputs..(row + 1) * shape.outputs];
    for (out, &delta) in out.iter_mut().zip(values) {
        *out = (f64::from(delta) * unit).trunc();
    }
}

fn equal_codes(codes: &[u16], columns: usize, first: usize, second: usize) -> usize {
    if first == second {
        return columns;
    }
    let row = |index: usize| &codes[index * columns..(index + 1) * columns];
    row(first)
        .iter()
        .zip(row(second))
        .filter(|(a, b)| a == b)
        .count()
}

/// Dot product of two rows, in double precision; several running sums let it use vector units.
fn dot(values: &[f32], width: usize, first: usize, second: usize) -> f64 {
    let row = |index: usize| &values[index * width..(index + 1) * width];
    let (first, second) = (row(first), row(second));
    let mut sums = [0.0f64; 8];
    let (mut left, mut right) = (first.chunks_exact(8), second.chunks_exact(8));
    for (a, b) in left.by_ref().zip(right.by_ref()) {
        for lane in 0..8 {
            sums[lane] += f64::from(a[lane]) * f64::from(b[lane]);
        }
    }
    let rest: f64 = left
        .remainder()
        .iter()
        .zip(right.remainder())
        .map(|(&a, &b)| f64::from(a) * f64::from(b))
        .sum();
    sums.iter().sum::<f64>() + rest
}

/// Exact dot product of two rows of integers, or `None` where it may not be exact.
fn integer_dot(values: &[f64], width: usize, first: usize, second: usize) -> Option<i128> {
    let row = |index: usize| &values[index * width..(index + 1) * width];
    let (first, second) = (row(first), row(second));
    let mut sums = [0.0f64; 8];
    let mut magnitudes = [0.0f64; 8];
    let (mut left, mut right) = (first.chunks_exact(8), second.chunks_exact(8));
    for (a, b) in left.by_ref().zip(right.by_ref()) {
        for lane in 0..8 {
            let product = a[lane] * b[lane];
            sums[lane] += product;
            magnitudes[lane] += product.abs();
        }
    }
    let (mut sum, mut magnitude) = (sums.iter().sum::<f64>(), magnitudes.iter().sum::<f64>());
    for (a, b) in left.remainder().iter().zip(right.remainder()) {
        sum += a * b;
        magnitude += (a * b).abs();
    }
    // Every term is an integer; while the magnitudes add up to less than 2^53, so is every
    // partial sum, and the result is exact. A NaN fails the comparison.
    if magnitude < EXACT_BELOW {
        integer(sum)
    } else {
        None
    }
}

/// A double that holds an integer below 2^53, as an integer.
fn integer(value: f64) -> Option<i128> {
    (value.abs() < EXACT_BELOW).then_some(value as i128)
}

const EXACT_BELOW: f64 = 9_007_199_254_740_992.0;
