//! Whether the factors of a row depend on that row alone: the one thing that the core must trust a
//! model with.

use dpsynth_privacy::{BLOCK_ROWS, Block, LayerFactors, LayerShape, LayerwiseModel, PublicRng};

use crate::outcome::{Check, Watch};

/// Replaces all rows of a block but one, and compares the bits of that one's factors.
///
/// `domain_sizes` are those of the columns that the model was built for.
#[must_use]
pub fn rows_are_independent<M: LayerwiseModel>(
    name: &str,
    shape: &M::Shape,
    domain_sizes: &[u32],
    seed: u64,
) -> Check {
    let watch = Watch::start();
    let layers = M::layers(shape);
    let mut rng = PublicRng::from_seed(seed);
    let parameters: usize = layers.iter().map(LayerShape::parameters).sum();
    let weights: Vec<f32> = (0..parameters).map(|_| 0.3 * rng.normal() as f32).collect();
    let normals_per_row = M::normals_per_row(shape);
    let mut rows = || -> (Vec<u16>, Vec<f32>) {
        let codes = (0..BLOCK_ROWS)
            .flat_map(|_| domain_sizes)
            .map(|&size| (rng.uniform() * f64::from(size)) as u16)
            .collect();
        let normals = (0..BLOCK_ROWS * normals_per_row)
            .map(|_| rng.normal() as f32)
            .collect();
        (codes, normals)
    };
    let first = rows();
    let before = factors::<M>(shape, &weights, &first);
    let mut differing = 0;
    for kept in [0, 1, 63, BLOCK_ROWS - 1] {
        let mut other = rows();
        let columns = domain_sizes.len();
        other.0[kept * columns..(kept + 1) * columns]
            .copy_from_slice(&first.0[kept * columns..(kept + 1) * columns]);
        other.1[kept * normals_per_row..(kept + 1) * normals_per_row]
            .copy_from_slice(&first.1[kept * normals_per_row..(kept + 1) * normals_per_row]);
        let after = factors::<M>(shape, &weights, &other);
        for ((layer, before), after) in layers.iter().zip(&before).zip(&after) {
            differing += u32::from(
                row_bits(&before.deltas, layer.outputs, kept)
                    != row_bits(&after.deltas, layer.outputs, kept),
            );
            if !before.activations.is_empty() {
                differing += u32::from(
                    row_bits(&before.activations, layer.inputs(), kept)
                        != row_bits(&after.activations, layer.inputs(), kept),
                );
            }
        }
    }
    Check::compare(
        format!("gradients of a row of the {name} without the other rows"),
        (f64::from(differing), 0.0),
        0.0,
        "batch normalisation and kernels that sum by batch are found for certain, on the sizes that were tried",
        &watch,
    )
}

fn factors<M: LayerwiseModel>(
    shape: &M::Shape,
    weights: &[f32],
    (codes, normals): &(Vec<u16>, Vec<f32>),
) -> Vec<LayerFactors> {
    let mut scratch = M::Scratch::default();
    let mut factors: Vec<LayerFactors> = M::layers(shape)
        .iter()
        .map(|layer| LayerFactors {
            activations: match layer.input {
                dpsynth_privacy::LayerInput::Codes { .. } => Vec::new(),
                dpsynth_privacy::LayerInput::Dense { width } => vec![0.0; BLOCK_ROWS * width],
            },
            deltas: vec![0.0; BLOCK_ROWS * layer.outputs],
        })
        .collect();
    let block = Block { codes, normals };
    let weights = M::lay_out(shape, weights);
    M::forward(shape, &weights, &block, &mut scratch, &mut factors);
    M::backward(shape, &weights, &block, &mut scratch, &mut factors);
    factors
}

fn row_bits(values: &[f32], width: usize, row: usize) -> Vec<u32> {
    values[row * width..(row + 1) * width]
        .iter()
        .map(|value| value.to_bits())
        .collect()
}
