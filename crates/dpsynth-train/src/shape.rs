//! The public shape of the network: sizes, loss weights, and where each weight lies.

use dpsynth_privacy::{LayerInput, LayerShape};
use serde::{Deserialize, Serialize};

use crate::error::TrainError;

/// The variational autoencoder as it is written down: in a plan, a report or a model file.
///
/// Everything here is public and none of it is learned. [`VaeShape::new`] checks it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Network {
    /// Number of codes of each column, in the schema's order.
    pub domain_sizes: Vec<u32>,
    /// Widths of the encoder's hidden layers.
    pub encoder_hidden: Vec<u32>,
    /// Widths of the decoder's hidden layers.
    pub decoder_hidden: Vec<u32>,
    /// Number of latent coordinates.
    pub latent: u32,
    /// Weight of the Kullback–Leibler term against the reconstruction, 1 for a plain VAE.
    pub kl_weight: f32,
    /// Weight of each column's cross-entropy, 1 for a plain VAE.
    pub column_weights: Vec<f32>,
}

/// A checked [`Network`], with the layout of its weights.
///
/// ```text
/// codes ─▶ encoder hidden (ReLU) ─▶ mean, log-variance ─▶ z ─▶ decoder hidden (ReLU) ─▶ logits
/// ```
///
/// The logits hold one softmax per column. Each arrow but the draw of z is one linear layer, in
/// this order.
#[derive(Clone, Debug, PartialEq)]
pub struct VaeShape {
    network: Network,
    column_starts: Vec<usize>,
    layers: Vec<LayerShape>,
    layer_starts: Vec<usize>,
}

impl VaeShape {
    /// Checks a network and lays out its weights.
    ///
    /// # Errors
    /// [`TrainError::Network`] names the first field that is out of range.
    pub fn new(network: Network) -> Result<Self, TrainError> {
        let refuse = |field, expected| Err(TrainError::Network { field, expected });
        let columns = network.domain_sizes.len();
        if columns == 0 || columns > MAX_COLUMNS {
            return refuse("domain_sizes", "give 1 to 4096 columns");
        }
        if network
            .domain_sizes
            .iter()
            .any(|&size| size == 0 || size > MAX_DOMAIN)
        {
            return refuse("domain_sizes", "give every column 1 to 65536 codes");
        }
        for (field, widths) in [
            ("encoder_hidden", &network.encoder_hidden),
            ("decoder_hidden", &network.decoder_hidden),
        ] {
            if widths.len() > MAX_HIDDEN_LAYERS {
                return refuse(field, "use at most 4 hidden layers");
            }
            if widths.iter().any(|&width| width == 0 || width > MAX_WIDTH) {
                return refuse(field, "use widths from 1 to 4096");
            }
        }
        if network.latent == 0 || network.latent > MAX_LATENT {
            return refuse("latent", "use 1 to 1024 latent coordinates");
        }
        if !in_range(network.kl_weight) {
            return refuse("kl_weight", "use a number from 0 to 1000");
        }
        if network.column_weights.len() != columns
            || !network
                .column_weights
                .iter()
                .all(|&weight| in_range(weight))
        {
            return refuse(
                "column_weights",
                "give every column a number from 0 to 1000",
            );
        }
        let column_starts = running_starts(network.domain_sizes.iter().map(|&size| size as usize));
        let total_codes = column_starts[columns];
        if total_codes > MAX_CODES {
            return refuse(
                "domain_sizes",
                "use at most 1048576 codes in all columns together",
            );
        }
        let layers = lay_out(&network, total_codes);
        let layer_starts = running_starts(layers.iter().map(LayerShape::parameters));
        if layer_starts[layers.len()] > MAX_PARAMETERS {
            return refuse(
                "domain_sizes",
                "use fewer codes or narrower layers (2^30 weights)",
            );
        }
        Ok(Self {
            network,
            column_starts,
            layers,
            layer_starts,
        })
    }

    /// The network as it was written down.
    #[must_use]
    pub fn network(&self) -> &Network {
        &self.network
    }

    /// Number of columns.
    #[must_use]
    pub fn columns(&self) -> usize {
        self.network.domain_sizes.len()
    }

    /// Sum of the columns' domain sizes.
    #[must_use]
    pub fn total_codes(&self) -> usize {
        self.column_starts[self.columns()]
    }

    /// Number of weights and biases.
    #[must_use]
    pub fn parameters(&self) -> usize {
        self.layer_starts[self.layers.len()]
    }

    /// The codes of `column` among all codes of all columns.
    pub(crate) fn column_range(&self, column: usize) -> std::ops::Range<usize> {
        self.column_starts[column]..self.column_starts[column + 1]
    }

    /// Number of latent coordinates.
    pub(crate) fn latent(&self) -> usize {
        self.network.latent as usize
    }

    /// All linear layers, in the order of their weights.
    pub(crate) fn layers(&self) -> &[LayerShape] {
        &self.layers
    }

    /// Index of the layer that gives mean and log-variance; the decoder starts after it.
    pub(crate) fn latent_layer(&self) -> usize {
        self.network.encoder_hidden.len()
    }

    /// Where the weights of `layer` lie.
    pub(crate) fn layer_range(&self, layer: usize) -> std::ops::Range<usize> {
        self.layer_starts[layer]..self.layer_starts[layer + 1]
    }

    /// Splits the weights of `layer` into matrix (row-major by input) and biases.
    pub(crate) fn layer_weights<'w>(
        &self,
        layer: usize,
        weights: &'w [f32],
    ) -> (&'w [f32], &'w [f32]) {
        let shape = self.layers[layer];
        weights[self.layer_range(layer)].split_at(shape.inputs() * shape.outputs)
    }
}

/// Lists the linear layers of a network whose sizes are in range.
fn lay_out(network: &Network, total_codes: usize) -> Vec<LayerShape> {
    let latent = network.latent as usize;
    let widths = |hidden: &[u32]| {
        hidden
            .iter()
            .map(|&width| width as usize)
            .collect::<Vec<_>>()
    };
    let mut layers = Vec::new();
    let mut input = LayerInput::Codes { total_codes };
    for outputs in widths(&network.encoder_hidden)
        .into_iter()
        .chain([2 * latent])
    {
        layers.push(LayerShape { input, outputs });
        input = LayerInput::Dense { width: outputs };
    }
    input = LayerInput::Dense { width: latent };
    for outputs in widths(&network.decoder_hidden)
        .into_iter()
        .chain([total_codes])
    {
        layers.push(LayerShape { input, outputs });
        input = LayerInput::Dense { width: outputs };
    }
    layers
}

/// Turns lengths into the offsets at which they start, and the total at the end.
fn running_starts(lengths: impl Iterator<Item = usize>) -> Vec<usize> {
    let mut starts = vec![0];
    let mut total = 0usize;
    for length in lengths {
        total = total.saturating_add(length);
        starts.push(total);
    }
    starts
}

fn in_range(weight: f32) -> bool {
    (0.0..=1000.0).contains(&weight)
}

/// A bound on columns, so that a described network cannot ask for more memory than a table has.
const MAX_COLUMNS: usize = 4096;
/// Codes are 16-bit.
const MAX_DOMAIN: u32 = 65_536;
const MAX_CODES: usize = 1 << 20;
const MAX_HIDDEN_LAYERS: usize = 4;
const MAX_WIDTH: u32 = 4096;
const MAX_LATENT: u32 = 1024;
const MAX_PARAMETERS: usize = 1 << 30;

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn small() -> Network {
        Network {
            domain_sizes: vec![3, 5, 2, 9],
            encoder_hidden: vec![12],
            decoder_hidden: vec![10],
            latent: 3,
            kl_weight: 0.7,
            column_weights: vec![1.0, 1.0, 2.0, 0.5],
        }
    }

    #[test]
    fn layers_follow_each_other() {
        let shape = VaeShape::new(small()).unwrap();
        let sizes: Vec<_> = shape
            .layers()
            .iter()
            .map(|layer| (layer.inputs(), layer.outputs))
            .collect();
        assert_eq!(sizes, [(19, 12), (12, 6), (3, 10), (10, 19)]);
        assert_eq!(shape.parameters(), 20 * 12 + 13 * 6 + 4 * 10 + 11 * 19);
        assert_eq!(shape.column_range(2), 8..10);
        let bare = VaeShape::new(Network {
            encoder_hidden: vec![],
            decoder_hidden: vec![],
            ..small()
        });
        assert_eq!(bare.unwrap().layers().len(), 2);
    }

    #[test]
    fn what_is_out_of_range_is_named() {
        let cases = [
            (
                "domain_sizes",
                Network {
                    domain_sizes: vec![],
                    ..small()
                },
            ),
            (
                "domain_sizes",
                Network {
                    domain_sizes: vec![3, 0, 2, 9],
                    ..small()
                },
            ),
            (
                "domain_sizes",
                Network {
                    domain_sizes: vec![65_537, 5, 2, 9],
                    ..small()
                },
            ),
            (
                "encoder_hidden",
                Network {
                    encoder_hidden: vec![1; 5],
                    ..small()
                },
            ),
            (
                "decoder_hidden",
                Network {
                    decoder_hidden: vec![0],
                    ..small()
                },
            ),
            (
                "latent",
                Network {
                    latent: 0,
                    ..small()
                },
            ),
            (
                "kl_weight",
                Network {
                    kl_weight: f32::NAN,
                    ..small()
                },
            ),
            (
                "column_weights",
                Network {
                    column_weights: vec![1.0; 3],
                    ..small()
                },
            ),
            (
                "column_weights",
                Network {
                    column_weights: vec![-1.0; 4],
                    ..small()
                },
            ),
        ];
        for (name, network) in cases {
            match VaeShape::new(network) {
                Err(TrainError::Network { field, .. }) => assert_eq!(field, name),
                other => panic!("{name}: {other:?}"),
            }
        }
    }
}
