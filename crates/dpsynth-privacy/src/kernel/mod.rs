//! Dense products, over `gemm` and over integers, and vector instructions. This is the only
//! module of the workspace with unsafe code.
//!
//! Every matrix is a packed row-major slice. The functions check lengths before they hand
//! pointers on, and run on the calling thread only, so that a product's bits depend on its
//! operands and its shape alone.

#![expect(
    unsafe_code,
    reason = "gemm and vector loads take raw pointers, and instructions must exist; each is checked here first"
)]

mod integer;
mod normals;
mod single;
mod widest;

use gemm::Parallelism;

pub(crate) use integer::{FACTOR_LIMIT, LeftRows, RightRows, add_product};
pub use normals::{standard_normals, words_per_row};
pub use single::{Panels, multiply_panels};
pub use widest::widest;

/// What happens to the values already in the destination.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Destination {
    /// They are replaced by the product.
    Overwrite,
    /// The product is added to them.
    Accumulate,
}

/// How an operand is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operand {
    /// As it is stored.
    Plain,
    /// Transposed: rows and columns change places.
    Transposed,
}

/// The shape of a product: `rows × inner` times `inner × columns`, after any transposition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProductShape {
    /// Rows of the result.
    pub rows: usize,
    /// Length of the sums.
    pub inner: usize,
    /// Columns of the result.
    pub columns: usize,
}

/// Multiplies two single-precision matrices: `output = left · right`, or `output += left · right`.
///
/// # Panics
/// If a slice is shorter than its shape says.
pub fn multiply_f32(
    shape: ProductShape,
    left: (&[f32], Operand),
    right: (&[f32], Operand),
    output: &mut [f32],
    destination: Destination,
) {
    multiply(shape, left, right, output, destination, 1.0);
}

/// Multiplies two double-precision matrices: `output = left · right`, or `output += left · right`.
///
/// # Guarantee
/// When every operand is an integer and the sum of the absolute values of the products for each
/// cell is below 2^53, the result is exact whatever the order of summation, because every partial
/// sum is an integer that a double holds.
///
/// # Panics
/// If a slice is shorter than its shape says.
pub fn multiply_f64(
    shape: ProductShape,
    left: (&[f64], Operand),
    right: (&[f64], Operand),
    output: &mut [f64],
    destination: Destination,
) {
    multiply(shape, left, right, output, destination, 1.0);
}

fn multiply<T: Copy + Default + 'static>(
    shape: ProductShape,
    (left, left_operand): (&[T], Operand),
    (right, right_operand): (&[T], Operand),
    output: &mut [T],
    destination: Destination,
    one: T,
) {
    let ProductShape {
        rows,
        inner,
        columns,
    } = shape;
    let size = |a: usize, b: usize| a.checked_mul(b).expect("matrix size overflows");
    assert!(left.len() >= size(rows, inner), "left operand is too short");
    assert!(
        right.len() >= size(inner, columns),
        "right operand is too short"
    );
    assert!(output.len() >= size(rows, columns), "output is too short");
    if size(rows, columns) == 0 {
        return;
    }
    // (column stride, row stride) of each operand as the product reads it.
    let (left_cs, left_rs) = match left_operand {
        Operand::Plain => (1, inner as isize),
        Operand::Transposed => (rows as isize, 1),
    };
    let (right_cs, right_rs) = match right_operand {
        Operand::Plain => (1, columns as isize),
        Operand::Transposed => (inner as isize, 1),
    };
    // SAFETY: the three slices hold at least rows × inner, inner × columns and rows × columns
    // values (checked above), every index that the strides reach is below those products, the
    // output is borrowed mutably and so overlaps neither operand, and T is f32 or f64, both of
    // which `gemm` supports.
    unsafe {
        gemm::gemm(
            rows,
            columns,
            inner,
            output.as_mut_ptr(),
            1,
            columns as isize,
            destination == Destination::Accumulate,
            left.as_ptr(),
            left_cs,
            left_rs,
            right.as_ptr(),
            right_cs,
            right_rs,
            one,
            one,
            false,
            false,
            false,
            Parallelism::None,
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plain(shape: ProductShape, left: &[f64], right: &[f64]) -> Vec<f64> {
        let mut out = vec![0.0; shape.rows * shape.columns];
        for r in 0..shape.rows {
            for c in 0..shape.columns {
                for k in 0..shape.inner {
                    out[r * shape.columns + c] +=
                        left[r * shape.inner + k] * right[k * shape.columns + c];
                }
            }
        }
        out
    }

    fn transpose(rows: usize, columns: usize, values: &[f64]) -> Vec<f64> {
        let mut out = vec![0.0; values.len()];
        for r in 0..rows {
            for c in 0..columns {
                out[c * rows + r] = values[r * columns + c];
            }
        }
        out
    }

    #[test]
    fn products_of_integers_are_exact_in_every_orientation() {
        let mut rng = crate::random::PublicRng::from_seed(11);
        for (rows, inner, columns) in [(1, 1, 1), (3, 5, 7), (128, 17, 33), (40, 128, 65)] {
            let shape = ProductShape {
                rows,
                inner,
                columns,
            };
            let mut draw = |n: usize| -> Vec<f64> {
                (0..n)
                    .map(|_| (rng.next_u64() % (1 << 21)) as f64 - f64::from(1 << 20))
                    .collect()
            };
            let (left, right) = (draw(rows * inner), draw(inner * columns));
            let expected = plain(shape, &left, &right);
            for left_t in [false, true] {
                for right_t in [false, true] {
                    let (mut l, mut r) = (
                        (left.clone(), Operand::Plain),
                        (right.clone(), Operand::Plain),
                    );
                    if left_t {
                        l = (transpose(rows, inner, &left), Operand::Transposed);
                    }
                    if right_t {
                        r = (transpose(inner, columns, &right), Operand::Transposed);
                    }
                    let mut out = vec![1.0; rows * columns];
                    multiply_f64(
                        shape,
                        (&l.0, l.1),
                        (&r.0, r.1),
                        &mut out,
                        Destination::Overwrite,
                    );
                    assert_eq!(out, expected);
                    multiply_f64(
                        shape,
                        (&l.0, l.1),
                        (&r.0, r.1),
                        &mut out,
                        Destination::Accumulate,
                    );
                    assert!(out.iter().zip(&expected).all(|(a, b)| *a == 2.0 * b));
                }
            }
        }
    }

    #[test]
    #[should_panic(expected = "too short")]
    fn a_short_slice_is_refused() {
        let shape = ProductShape {
            rows: 2,
            inner: 2,
            columns: 2,
        };
        multiply_f32(
            shape,
            (&[1.0; 3], Operand::Plain),
            (&[1.0; 4], Operand::Plain),
            &mut [0.0; 4],
            Destination::Overwrite,
        );
    }
}
