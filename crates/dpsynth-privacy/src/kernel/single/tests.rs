use super::*;
use crate::kernel::widest::available;
use crate::random::PublicRng;

fn draws(count: usize, seed: u64) -> Vec<f32> {
    let mut rng = PublicRng::from_seed(seed);
    (0..count).map(|_| rng.normal() as f32).collect()
}

fn transposed(rows: usize, columns: usize, values: &[f32]) -> Vec<f32> {
    (0..rows * columns)
        .map(|at| values[at % rows * columns + at / rows])
        .collect()
}

#[test]
fn products_are_those_of_double_precision() {
    let sizes = [
        (1, 1, 1),
        (3, 5, 7),
        (128, 17, 33),
        (40, 128, 65),
        (128, 32, 298),
        (129, 64, 48),
    ];
    for (rows, inner, columns) in sizes {
        let (left, right) = (draws(rows * inner, 1), draws(inner * columns, 2));
        let start = draws(columns, 3);
        let turned = transposed(inner, columns, &right);
        let plain = Panels::new(inner, columns, &right, Operand::Plain);
        let from_turned = Panels::new(inner, columns, &turned, Operand::Transposed);
        assert_eq!(plain.lines, from_turned.lines);
        for instructions in available() {
            let mut out = vec![f32::NAN; rows * columns];
            multiply_with(instructions, &left, &plain, &start, &mut out);
            for (at, out) in out.iter().enumerate() {
                let (r, c) = (at / columns, at % columns);
                let exact: f64 = (0..inner)
                    .map(|k| f64::from(left[r * inner + k]) * f64::from(right[k * columns + c]))
                    .sum::<f64>()
                    + f64::from(start[c]);
                // Sums of at most 128 terms of size 1, and their rounding.
                assert!((f64::from(*out) - exact).abs() < 1e-4, "{instructions:?}");
            }
        }
    }
}

#[test]
fn a_row_has_the_same_bits_wherever_it_stands_and_whatever_else_there_is() {
    let (inner, columns) = (77, 45);
    let panels = Panels::new(inner, columns, &draws(inner * columns, 3), Operand::Plain);
    let start = draws(columns, 5);
    let row = draws(inner, 4);
    for instructions in available() {
        let mut expected = vec![0.0; columns];
        multiply_with(instructions, &row, &panels, &start, &mut expected);
        for rows in [2, 7, 8, 9, 128, 131] {
            for place in [0, 1, rows / 2, rows - 1] {
                let mut left = draws(rows * inner, rows as u64);
                // What is not finite must stay in its own row.
                left[(place + 1) % rows * inner] = f32::NAN;
                left[place * inner..(place + 1) * inner].copy_from_slice(&row);
                let mut out = vec![0.0; rows * columns];
                multiply_with(instructions, &left, &panels, &start, &mut out);
                let found = &out[place * columns..(place + 1) * columns];
                let pairs = found.iter().zip(&expected);
                assert!(pairs.clone().all(|(a, b)| a.to_bits() == b.to_bits()));
                assert!(pairs.clone().all(|(a, _)| a.is_finite()));
            }
        }
    }
}

#[test]
fn the_vector_instructions_fuse_alike() {
    // Both fuse each multiplication with its addition, so they agree bit for bit.
    let (rows, inner, columns) = (19, 61, 71);
    let (left, start) = (draws(rows * inner, 6), draws(columns, 7));
    let panels = Panels::new(inner, columns, &draws(inner * columns, 8), Operand::Plain);
    let fused = available()
        .into_iter()
        .filter(|&it| it != Instructions::Baseline);
    let mut results = fused.map(|instructions| {
        let mut out = vec![0.0; rows * columns];
        multiply_with(instructions, &left, &panels, &start, &mut out);
        out
    });
    if let Some(first) = results.next() {
        assert!(results.all(|other| other == first));
    }
}

#[test]
fn a_product_over_nothing_is_the_start() {
    let panels = Panels::new(0, 3, &[], Operand::Plain);
    for instructions in available() {
        let mut out = [7.0; 6];
        multiply_with(instructions, &[], &panels, &[1.0, 2.0, 3.0], &mut out);
        assert_eq!(out, [1.0, 2.0, 3.0, 1.0, 2.0, 3.0]);
    }
    multiply_panels(&[], &Panels::new(2, 0, &[], Operand::Plain), &[], &mut []);
}

#[test]
#[should_panic(expected = "as many rows")]
fn a_short_slice_is_refused() {
    let panels = Panels::new(2, 2, &[1.0; 4], Operand::Plain);
    multiply_panels(&[1.0; 3], &panels, &[0.0; 2], &mut [0.0; 4]);
}

#[test]
#[should_panic(expected = "too short")]
fn a_short_matrix_is_refused() {
    let _ = Panels::new(2, 2, &[1.0; 3], Operand::Plain);
}
