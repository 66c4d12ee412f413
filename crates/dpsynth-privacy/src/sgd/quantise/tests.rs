use super::*;
use crate::random::PublicRng;

const WIDTHS: (usize, usize) = (40, 60);

fn shapes() -> Vec<LayerShape> {
    vec![
        LayerShape {
            input: LayerInput::Codes { total_codes: 9 },
            outputs: WIDTHS.0,
        },
        LayerShape {
            input: LayerInput::Dense { width: WIDTHS.0 },
            outputs: WIDTHS.1,
        },
    ]
}

/// Factors of one block, as a network with rectified activations and a softmax might have them.
fn factors(seed: u64, scale: f64) -> Vec<LayerFactors> {
    let mut rng = PublicRng::from_seed(seed);
    let mut normals = |count: usize, scale: f64| -> Vec<f32> {
        (0..count).map(|_| (scale * rng.normal()) as f32).collect()
    };
    let deltas = [
        normals(BLOCK_ROWS * WIDTHS.0, scale),
        // Most of a softmax's gradient is tiny.
        normals(BLOCK_ROWS * WIDTHS.1, 1.0)
            .iter()
            .map(|x| x * x * x * scale as f32)
            .collect(),
    ];
    let mut hidden = normals(BLOCK_ROWS * WIDTHS.0, 1.0);
    hidden.iter_mut().for_each(|x| *x = x.max(0.0));
    let [first, second] = deltas;
    vec![
        LayerFactors {
            activations: Vec::new(),
            deltas: first,
        },
        LayerFactors {
            activations: hidden,
            deltas: second,
        },
    ]
}

fn rows() -> Vec<Range<usize>> {
    (0..BLOCK_ROWS).map(|row| row..row + 1).collect()
}

/// The step's word.
fn word(seed: u64) -> u64 {
    PublicRng::from_seed(seed).next_u64()
}

/// Integer contribution of row 3 to the second layer.
fn contribution(quantised: &Quantised) -> Vec<f64> {
    let layer = &quantised.layers[1];
    let a = &layer.activations[3 * (WIDTHS.0 + 1)..4 * (WIDTHS.0 + 1)];
    let d = &layer.deltas[3 * WIDTHS.1..4 * WIDTHS.1];
    a.iter()
        .flat_map(|&a| d.iter().map(move |&d| f64::from(a) * f64::from(d)))
        .collect()
}

#[test]
fn an_honest_unit_is_never_dropped() {
    let codes = vec![0u16; 3 * BLOCK_ROWS];
    for seed in 0..200 {
        let factors = factors(seed, [0.01, 1.0, 100.0][seed as usize % 3]);
        let mut quantised = Quantised::new(&shapes(), 3);
        quantised.fill(&shapes(), &codes, &factors, word(seed), &rows(), 1.0);
        for row in 0..BLOCK_ROWS {
            let d = &quantised.layers[0].deltas[row * WIDTHS.0..(row + 1) * WIDTHS.0];
            assert!(d.iter().any(|&d| d != 0), "seed {seed}, row {row}");
        }
    }
}

#[test]
fn rounding_is_right_on_average() {
    let (shapes, codes, factors) = (shapes(), vec![0u16; 3 * BLOCK_ROWS], factors(7, 0.002));
    let mut quantised = Quantised::new(&shapes, 3);
    const DRAWS: u64 = 4000;
    let size = (WIDTHS.0 + 1) * WIDTHS.1;
    let (mut mean, mut nearest) = (vec![0.0; size], 0.0f64);
    for seed in 0..DRAWS {
        quantised.fill(&shapes, &codes, &factors, word(seed), &rows(), 1.0);
        for (mean, value) in mean.iter_mut().zip(contribution(&quantised)) {
            *mean += value / DRAWS as f64;
        }
    }
    let (mut worst, mut norm) = (0.0f64, 0.0f64);
    for (i, row) in mean.chunks_exact(WIDTHS.1).enumerate() {
        let a = match i == WIDTHS.0 {
            true => 1.0,
            false => f64::from(factors[1].activations[3 * WIDTHS.0 + i]),
        };
        for (j, mean) in row.iter().enumerate() {
            let exact = a
                * f64::from(factors[1].deltas[3 * WIDTHS.1 + j])
                * quantised.reach
                * CLIP_NORM_ON_GRID;
            worst = worst.max((mean - exact).abs());
            norm += exact * exact;
            // What rounding to the nearest integer would lose: all of the small gradients.
            if exact.abs() < 1000.0 {
                nearest = nearest.max(exact.abs());
            }
        }
    }
    // One product has a standard deviation of at most half a grid step times the other factor,
    // about 1,000; six standard errors of the mean are below 100, plus 1/256 steps of the dither.
    assert!(norm.sqrt() > 1000.0 && worst < 110.0, "{worst} of {norm}");
    // Negative control: always rounding to zero is off by more.
    assert!(nearest > 110.0, "{nearest}");
}

#[test]
fn a_rows_integers_do_not_depend_on_its_place() {
    let (shapes, factors) = (shapes(), factors(3, 1.0));
    let codes: Vec<u16> = (0..3 * BLOCK_ROWS).map(|i| (i * i % 7) as u16).collect();
    let mut before = Quantised::new(&shapes, 3);
    before.fill(&shapes, &codes, &factors, word(3), &rows(), 1.0);
    // The first row goes last, and others are not drawn at all.
    let (mut moved, mut moved_codes) = (factors, codes);
    moved_codes.rotate_left(3);
    for (layer, shape) in moved.iter_mut().zip(&shapes) {
        layer.deltas.rotate_left(shape.outputs);
        if let LayerInput::Dense { width } = shape.input {
            layer.activations.rotate_left(width);
        }
    }
    let mut after = Quantised::new(&shapes, 3);
    let units = [5..6, BLOCK_ROWS - 1..BLOCK_ROWS];
    after.fill(&shapes, &moved_codes, &moved, word(3), &units, 1.0);
    for (before, after) in before.layers.iter().zip(&after.layers) {
        for (was, is) in [(0, BLOCK_ROWS - 1), (6, 5)] {
            for (before, after) in [
                (&before.deltas, &after.deltas),
                (&before.activations, &after.activations),
            ] {
                let width = before.len() / BLOCK_ROWS;
                assert_eq!(
                    before[was * width..(was + 1) * width],
                    after[is * width..(is + 1) * width]
                );
            }
        }
    }
}

#[test]
fn integer_dots_are_exact_at_the_largest_factors() {
    let limit = FACTOR_LIMIT as i16;
    for width in [1, 31, 32, 33, 4064, 4065, 9000] {
        let values = [vec![limit; width], vec![-limit; width]].concat();
        let square = i64::from(FACTOR_LIMIT).pow(2) * width as i64;
        assert_eq!(integer_dot(&values, width, 0, 0), square);
        assert_eq!(integer_dot(&values, width, 0, 1), -square);
    }
}
