//! From factors to integers: clipping whose bound holds in the arithmetic that runs.

use std::ops::Range;

use super::model::{BLOCK_ROWS, LayerFactors, LayerInput, LayerShape};
use crate::kernel::{FACTOR_LIMIT, widest};

/// Binary digits of a quantised factor.
///
/// With 12 digits on each side, 128 products of factors stay below 2^31, so they are summed in
/// 32-bit integers. What is rounded away is drawn at random, hence right on average; the noise of
/// a private step is thousands of times larger.
const FACTOR_BITS: u32 = 12;

/// The clip norm in units of the integer grid: 2^24.
pub(crate) const CLIP_NORM_ON_GRID: f64 = (1u64 << (2 * FACTOR_BITS)) as f64;

const FACTOR_SCALE: f64 = (1u64 << FACTOR_BITS) as f64;

/// The clip norm is approached from below by this much, so that random rounding does not push an
/// honest contribution over the integer bound: more than five standard deviations of it.
/// The bound itself does not rest on it.
const CLIP_MARGIN: f64 = 1.0 / 1024.0;

/// Quantised factors of the rows of one block, one entry per layer.
pub(crate) struct Quantised {
    pub(crate) layers: Vec<QuantisedLayer>,
    /// Rows from the first that any unit fills.
    pub(crate) rows: usize,
    /// What of the clip norm an honest contribution may reach.
    reach: f64,
    /// The factor that stands for a 1 among the inputs of a layer of codes.
    code_activation: i64,
}

/// Integer factors of one layer, each at most [`FACTOR_LIMIT`] in magnitude.
pub(crate) struct QuantisedLayer {
    /// `BLOCK_ROWS × (inputs + 1)`, the last column for the bias; empty for a layer of codes.
    pub(crate) activations: Vec<i16>,
    /// `BLOCK_ROWS × outputs`.
    pub(crate) deltas: Vec<i16>,
    /// ‖(a, 1)‖² of each row, in double precision.
    norms_squared: Vec<f64>,
}

impl Quantised {
    /// Makes room for the blocks of a model; a row has `columns` codes.
    pub(crate) fn new(shapes: &[LayerShape], columns: usize) -> Self {
        let layers = shapes
            .iter()
            .map(|shape| QuantisedLayer {
                activations: match shape.input {
                    LayerInput::Codes { .. } => Vec::new(),
                    LayerInput::Dense { width } => vec![0; BLOCK_ROWS * (width + 1)],
                },
                deltas: vec![0; BLOCK_ROWS * shape.outputs],
                norms_squared: vec![0.0; BLOCK_ROWS],
            })
            .collect();
        // Random rounding of n factors adds at most n/4 to a squared norm of 2^24, on average.
        let factors: usize = shapes
            .iter()
            .map(|shape| shape.outputs + shape.inputs() + 1)
            .sum();
        Self {
            layers,
            rows: 0,
            reach: 1.0 - CLIP_MARGIN - (factors as f64 / 8.0 / CLIP_NORM_ON_GRID).min(0.5),
            // A row of codes has one 1 per column, and the bias.
            code_activation: (FACTOR_SCALE / (columns as f64 + 1.0).sqrt()) as i64,
        }
    }

    /// The factor that stands for a 1 among the inputs of a layer of codes.
    pub(crate) fn code_activation(&self) -> i64 {
        self.code_activation
    }

    /// Quantises the contributions of the units of one block; `units` are ranges of block rows
    /// that follow each other, and `word` is the step's random word for the rounding.
    ///
    /// The contribution of a unit to layer `l` is the integer matrix `Σ_r α_r β_rᵀ` over its rows,
    /// where `α = ⌊2^12·(a,1)/‖(a,1)‖ + u⌋` and `β = ⌊2^12·c·‖(a,1)‖·δ/C + v⌋` with u and v in
    /// [0, 1) from the row's word, which is the step's plus a number that the row's codes decide.
    /// On average over the step's word it is `2^24/C` times the clipped gradient.
    ///
    /// # Guarantee
    /// For every input whatsoever, the L2 norm of a unit's integer contribution over all layers is
    /// at most 2^24: the squared norm is computed in integers, without rounding, and a unit that
    /// exceeds it, or has a value that is not finite, contributes zero. Rows of no unit contribute
    /// zero. Given the step's word, a row's integers depend on its codes and factors alone. Tested as a property over random and hostile factors.
    pub(crate) fn fill(
        &mut self,
        shapes: &[LayerShape],
        codes: &[u16],
        factors: &[LayerFactors],
        word: u64,
        units: &[Range<usize>],
        clip_norm: f64,
    ) {
        self.rows = units.last().map_or(0, |unit| unit.end);
        for (layer, shape) in self.layers.iter_mut().zip(shapes) {
            layer.deltas[self.rows * shape.outputs..].fill(0);
        }
        for unit in units {
            let quantised = widest(
                #[inline(always)]
                || self.fill_unit(shapes, codes, factors, word, unit, clip_norm),
            );
            if !quantised {
                self.clear(shapes, unit);
            }
        }
    }

    /// Quantises one unit; `false` where it must not contribute.
    // Loops instead of closures, because only what is inlined here uses wide vectors.
    #[inline(always)]
    fn fill_unit(
        &mut self,
        shapes: &[LayerShape],
        codes: &[u16],
        factors: &[LayerFactors],
        word: u64,
        unit: &Range<usize>,
        clip_norm: f64,
    ) -> bool {
        let columns = codes.len() / BLOCK_ROWS;
        let Some(scale) = self.clip_scale(shapes, columns, codes, factors, unit, clip_norm) else {
            return false;
        };
        for row in unit.clone() {
            let word = word.wrapping_add(fingerprint(&codes[row * columns..(row + 1) * columns]));
            if !self.quantise_row(shapes, factors, row, word, scale / clip_norm) {
                return false;
            }
        }
        self.norm_holds(shapes, columns, codes, unit)
    }

    /// The factor by which a unit's gradient is scaled, or `None` where the unit must not
    /// contribute. Nothing rests on its rounding.
    #[inline(always)]
    fn clip_scale(
        &mut self,
        shapes: &[LayerShape],
        columns: usize,
        codes: &[u16],
        factors: &[LayerFactors],
        unit: &Range<usize>,
        clip_norm: f64,
    ) -> Option<f64> {
        let mut squared = 0.0f64;
        let mut largest_row = 0.0f64;
        for first in unit.clone() {
            for second in unit.clone() {
                let mut product = 0.0f64;
                for ((layer, shape), factor) in self.layers.iter_mut().zip(shapes).zip(factors) {
                    let activations = match shape.input {
                        LayerInput::Codes { .. } => {
                            equal_codes(codes, columns, first, second) as f64
                        }
                        LayerInput::Dense { width } => {
                            dot(&factor.activations, width, first, second)
                        }
                    };
                    if first == second {
                        layer.norms_squared[first] = activations + 1.0;
                    }
                    product +=
                        (activations + 1.0) * dot(&factor.deltas, shape.outputs, first, second);
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
        // Rows of one unit may cancel; bounding each row as well keeps every factor below 2^12.
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
        Some(scale * self.reach)
    }

    /// Quantises one row of every layer; `false` where it cannot be done.
    #[inline(always)]
    fn quantise_row(
        &mut self,
        shapes: &[LayerShape],
        factors: &[LayerFactors],
        row: usize,
        word: u64,
        scale: f64,
    ) -> bool {
        // The dither of the two factors of a product must be independent.
        let (activation_word, delta_word) = (word as u32, (word >> 32) as u32);
        for ((layer, shape), factor) in self.layers.iter_mut().zip(shapes).zip(factors) {
            let norm = match shape.input {
                // The integer that stands for a 1 is rounded; the other factor makes up for it.
                LayerInput::Codes { .. } => FACTOR_SCALE / self.code_activation as f64,
                LayerInput::Dense { width } => {
                    let norm = layer.norms_squared[row].sqrt();
                    let values = &factor.activations[row * width..(row + 1) * width];
                    let out = &mut layer.activations[row * (width + 1)..(row + 1) * (width + 1)];
                    let unit = (FACTOR_SCALE / norm) as f32;
                    quantise(values, unit, activation_word, &mut out[..width]);
                    quantise(&[1.0], unit, activation_word ^ 1 << 31, &mut out[width..]);
                    norm
                }
            };
            let unit = (FACTOR_SCALE * scale * norm) as f32;
            if !unit.is_finite() {
                return false;
            }
            let values = &factor.deltas[row * shape.outputs..(row + 1) * shape.outputs];
            let out = &mut layer.deltas[row * shape.outputs..(row + 1) * shape.outputs];
            quantise(values, unit, delta_word, out);
        }
        true
    }

    /// Whether the squared norm of a unit's contribution is at most 2^48, in integers.
    #[inline(always)]
    fn norm_holds(
        &self,
        shapes: &[LayerShape],
        columns: usize,
        codes: &[u16],
        unit: &Range<usize>,
    ) -> bool {
        // At most 128² pairs of rows and 2^88 each in 2^10 layers: no overflow.
        let mut total = 0i128;
        for (layer, shape) in self.layers.iter().zip(shapes) {
            let (inputs, outputs) = (shape.inputs() + 1, shape.outputs);
            for first in unit.clone() {
                for second in unit.clone() {
                    let activations = match shape.input {
                        LayerInput::Codes { .. } => {
                            let equal = equal_codes(codes, columns, first, second) as i64 + 1;
                            self.code_activation * self.code_activation * equal
                        }
                        LayerInput::Dense { .. } => {
                            integer_dot(&layer.activations, inputs, first, second)
                        }
                    };
                    let deltas = integer_dot(&layer.deltas, outputs, first, second);
                    total += i128::from(activations) * i128::from(deltas);
                }
            }
        }
        total <= 1i128 << (4 * FACTOR_BITS)
    }

    fn clear(&mut self, shapes: &[LayerShape], unit: &Range<usize>) {
        for (layer, shape) in self.layers.iter_mut().zip(shapes) {
            layer.deltas[unit.start * shape.outputs..unit.end * shape.outputs].fill(0);
        }
    }
}

/// Rounds `values · unit` to integers, up or down at random: on average nothing is lost.
///
/// The dither of value j is `frac(word/2^32 + j·φ)`, a rotation by the golden ratio that starts at
/// the row's word, to eight binary digits.
#[inline(always)]
fn quantise(values: &[f32], unit: f32, word: u32, out: &mut [i16]) {
    let unit = unit * 256.0;
    for (index, (out, &value)) in out.iter_mut().zip(values).enumerate() {
        // Adding 1.5 · 2^23 rounds to a multiple of 1/256 and leaves it in the low bits. What is too
        // large for this gives some other integer, like any value that the model might have had.
        let fixed = (value * unit + ROUNDER)
            .to_bits()
            .wrapping_sub(ROUNDER.to_bits()) as i32;
        let dither = word.wrapping_add((index as u32).wrapping_mul(GOLDEN)) >> 24;
        let rounded = fixed.wrapping_add(dither as i32) >> 8;
        *out = rounded.clamp(-FACTOR_LIMIT, FACTOR_LIMIT) as i16;
    }
}

/// A number that rows of different codes hardly share (Fowler, Noll & Vo), so that their
/// rounding differs.
fn fingerprint(codes: &[u16]) -> u64 {
    codes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, &code| {
        (hash ^ u64::from(code)).wrapping_mul(0x0000_0100_0000_01b3)
    })
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
#[inline(always)]
fn dot(values: &[f32], width: usize, first: usize, second: usize) -> f64 {
    let row = |index: usize| values[index * width..(index + 1) * width].as_chunks::<32>();
    let ((first, first_rest), (second, second_rest)) = (row(first), row(second));
    let mut sums = [0.0f64; 32];
    for (a, b) in first.iter().zip(second) {
        for lane in 0..32 {
            sums[lane] += f64::from(a[lane]) * f64::from(b[lane]);
        }
    }
    let mut rest = 0.0;
    for (&a, &b) in first_rest.iter().zip(second_rest) {
        rest += f64::from(a) * f64::from(b);
    }
    for half in [16, 8, 4, 2, 1] {
        for lane in 0..half {
            sums[lane] += sums[lane + half];
        }
    }
    sums[0] + rest
}

/// Exact dot product of two rows of factors.
#[inline(always)]
fn integer_dot(values: &[i16], width: usize, first: usize, second: usize) -> i64 {
    let row = |index: usize| &values[index * width..(index + 1) * width];
    let mut total = 0i64;
    // 127 products of factors in each of 32 sums, and in their rest, stay below 2^31.
    const STRETCH: usize = 127 * 32;
    for (first, second) in row(first).chunks(STRETCH).zip(row(second).chunks(STRETCH)) {
        let (first, first_rest) = first.as_chunks::<32>();
        let (second, second_rest) = second.as_chunks::<32>();
        let mut sums = [0i32; 32];
        for (a, b) in first.iter().zip(second) {
            for lane in 0..32 {
                sums[lane] += i32::from(a[lane]) * i32::from(b[lane]);
            }
        }
        let mut rest = 0i32;
        for (&a, &b) in first_rest.iter().zip(second_rest) {
            rest += i32::from(a) * i32::from(b);
        }
        total += i64::from(rest) + sums.iter().map(|&sum| i64::from(sum)).sum::<i64>();
    }
    total
}

const ROUNDER: f32 = 12_582_912.0;
/// The fractional part of the golden ratio, times 2^32.
const GOLDEN: u32 = 0x9e37_79b9;

#[cfg(test)]
mod tests;
