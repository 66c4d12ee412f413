//! Single-precision products in which a row of the result depends on that row alone.

#[cfg(target_arch = "x86_64")]
mod x86;

use super::Operand;
use super::widest::{Instructions, instructions, widest};

/// Rows of the result that are computed together.
const ROWS: usize = 8;
/// Columns of a line.
const LINE: usize = 16;
/// Columns of the result that are computed together: two lines.
const COLUMNS: usize = 2 * LINE;

/// The right operand of a product as the product reads it: panels of 32 columns, each with its
/// rows one after the other. Columns that do not exist are zero.
#[derive(Clone, Debug, Default)]
pub struct Panels {
    inner: usize,
    columns: usize,
    /// Two lines for each row of each panel; one, if the last panel needs no more.
    lines: Vec<Line>,
}

/// Part of a row, aligned so that no vector of it lies in two lines of the cache.
#[derive(Clone, Copy, Debug, PartialEq)]
#[repr(C, align(64))]
struct Line([f32; LINE]);

impl Panels {
    /// Lays out a matrix of `inner` rows and `columns` columns, after any transposition.
    ///
    /// # Panics
    /// If `source` is shorter than that.
    #[must_use]
    pub fn new(inner: usize, columns: usize, source: &[f32], operand: Operand) -> Self {
        let size = inner.checked_mul(columns).expect("matrix size overflows");
        assert!(source.len() >= size, "right operand is too short");
        let mut lines = vec![Line([0.0; LINE]); columns.div_ceil(LINE) * inner];
        let panels = lines.chunks_mut((inner * COLUMNS / LINE).max(1));
        for (panel, start) in panels.zip((0..columns).step_by(COLUMNS)) {
            let width = COLUMNS.min(columns - start);
            widest(
                #[inline(always)]
                || match operand {
                    Operand::Plain => copy(&source[start..size], columns, width, panel),
                    Operand::Transposed => {
                        let rows = &source[start * inner..(start + width) * inner];
                        transpose(rows, inner, panel);
                    }
                },
            );
        }
        Self {
            inner,
            columns,
            lines,
        }
    }
}

/// Writes the first `width` values of each of the rows, which begin `stride` apart.
#[inline(always)]
fn copy(rows: &[f32], stride: usize, width: usize, panel: &mut [Line]) {
    if width == COLUMNS {
        for (row, lines) in rows.chunks(stride).zip(panel.chunks_exact_mut(2)) {
            let (parts, _) = row.as_chunks();
            (lines[0].0, lines[1].0) = (parts[0], parts[1]);
        }
        return;
    }
    let count = width.div_ceil(LINE);
    for (row, lines) in rows.chunks(stride).zip(panel.chunks_exact_mut(count)) {
        for (line, part) in lines.iter_mut().zip(row[..width].chunks(LINE)) {
            line.0[..part.len()].copy_from_slice(part);
        }
    }
}

/// Writes rows of length `inner` as columns.
#[inline(always)]
fn transpose(rows: &[f32], inner: usize, panel: &mut [Line]) {
    let count = rows.len().div_ceil(LINE * inner);
    for (part, rows) in rows.chunks(LINE * inner).enumerate() {
        let lines = panel.iter_mut().skip(part).step_by(count);
        if rows.len() == LINE * inner {
            for (k, line) in lines.enumerate() {
                let mut values = [0.0; LINE];
                for (column, value) in values.iter_mut().enumerate() {
                    *value = rows[column * inner + k];
                }
                line.0 = values;
            }
        } else {
            for (k, line) in lines.enumerate() {
                for (value, row) in line.0.iter_mut().zip(rows.chunks_exact(inner)) {
                    *value = row[k];
                }
            }
        }
    }
}

/// Multiplies each row of `left` with `right` and adds `start`: `output = start + left · right`.
///
/// `left` has rows of `right`'s inner length and `output` rows of its columns, as many of each;
/// `start` is one row of `output`.
///
/// # Guarantee
/// Every value of the result is one sum that begins with its value of `start` and runs over the inner
/// index in ascending order, with one instruction for each term: a fused multiplication and
/// addition, or one of each where the machine has no fused one. So its bits are a function of one
/// row of `left`, one column of `right` and one value of `start`, wherever the row stands and
/// however many others there are. Tested by moving and replacing the other rows, on every
/// instruction set that the machine has.
///
/// # Panics
/// If the lengths do not fit each other.
pub fn multiply_panels(left: &[f32], right: &Panels, start: &[f32], output: &mut [f32]) {
    multiply_with(instructions(), left, right, start, output);
}

fn multiply_with(
    instructions: Instructions,
    left: &[f32],
    right: &Panels,
    start: &[f32],
    output: &mut [f32],
) {
    match instructions {
        #[cfg(target_arch = "x86_64")]
        Instructions::Avx512 => x86::multiply_avx512_checked(left, right, start, output),
        #[cfg(target_arch = "x86_64")]
        Instructions::Avx2 => x86::multiply_avx2_checked(left, right, start, output),
        Instructions::Baseline => {
            multiply_tiles(left, right, start, output, |tile, output, stride| {
                tile.compute(output, stride);
            });
        }
    }
}

/// Multiplies tile by tile; `compute` writes one to an output whose rows are so far apart.
#[inline(always)]
fn multiply_tiles(
    left: &[f32],
    right: &Panels,
    start: &[f32],
    output: &mut [f32],
    compute: impl Fn(&Tile<'_>, &mut [f32], usize),
) {
    let (inner, columns) = (right.inner, right.columns);
    assert_eq!(start.len(), columns, "start is one row of the output");
    if columns == 0 {
        return;
    }
    let rows = output.len() / columns;
    assert_eq!(output.len(), rows * columns, "output has whole rows");
    assert_eq!(left.len(), rows * inner, "left operand has as many rows");
    let panel_lines = inner * COLUMNS / LINE;
    for (panel, first_column) in (0..columns).step_by(COLUMNS).enumerate() {
        let width = COLUMNS.min(columns - first_column);
        let lines = &right.lines[panel * panel_lines..];
        let mut begin = [Line([0.0; LINE]); 2];
        for (line, part) in begin
            .iter_mut()
            .zip(start[first_column..first_column + width].chunks(LINE))
        {
            line.0[..part.len()].copy_from_slice(part);
        }
        for first in (0..rows).step_by(ROWS) {
            // What lies beyond the last row computes the last row again.
            let tile = Tile {
                inner,
                left: std::array::from_fn(|row| {
                    let row = (first + row).min(rows - 1);
                    &left[row * inner..(row + 1) * inner]
                }),
                count: width.div_ceil(LINE),
                lines: &lines[..inner * width.div_ceil(LINE)],
                begin: &begin,
            };
            let out = &mut output[first * columns + first_column..];
            if rows - first >= ROWS && width == COLUMNS {
                compute(&tile, out, columns);
                continue;
            }
            let mut sums = [0.0; ROWS * COLUMNS];
            compute(&tile, &mut sums, COLUMNS);
            let kept = out.chunks_mut(columns).zip(sums.chunks(COLUMNS));
            for (out, sums) in kept.take(rows - first) {
                out[..width].copy_from_slice(&sums[..width]);
            }
        }
    }
}

/// What a tile of the result is computed from: eight rows, and one or two lines of columns.
struct Tile<'a> {
    /// Length of the sums.
    inner: usize,
    /// Rows of this length.
    left: [&'a [f32]; ROWS],
    /// Lines of the tile's columns: one or two.
    count: usize,
    /// So many lines for each term of the sums.
    lines: &'a [Line],
    begin: &'a [Line; 2],
}

impl Tile<'_> {
    /// Writes the tile's rows to `output`, `stride` apart.
    fn compute(&self, output: &mut [f32], stride: usize) {
        for (row, left) in self.left.iter().enumerate() {
            for (part, begin) in self.begin.iter().enumerate().take(self.count) {
                let mut sums = begin.0;
                for k in 0..self.inner {
                    let right = self.lines[k * self.count + part].0;
                    for (sum, right) in sums.iter_mut().zip(right) {
                        *sum += left[k] * right;
                    }
                }
                output[row * stride + part * LINE..][..LINE].copy_from_slice(&sums);
            }
        }
    }
}

#[cfg(test)]
mod tests;
