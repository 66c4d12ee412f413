//! The model file: the generator as safetensors, with its sizes and the caller's notes.

use std::collections::{BTreeMap, HashMap};

use dpsynth_privacy::LayerShape;
use safetensors::tensor::{Dtype, SafeTensors, TensorView};
use serde::{Deserialize, Serialize};

use crate::copula_file::{CopulaShape, read_copula, write_copula};
use crate::decoder::Decoder;
use crate::error::TrainError;
use crate::generator::Generator;
use crate::graphical_file::{GraphicalShape, read_graphical, write_graphical};
use crate::mixture_file::{MixtureShape, read_mixture, write_mixture};
use crate::shape::{Network, VaeShape};

/// What the file says about itself, as JSON in the one metadata entry.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Description {
    version: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    network: Option<Network>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    mixture: Option<MixtureShape>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    graphical: Option<GraphicalShape>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    copula: Option<CopulaShape>,
    notes: BTreeMap<String, String>,
}

/// A tensor to be written: its name, type, dimensions and little-endian bytes.
pub(crate) type Entry = (String, Dtype, Vec<usize>, Vec<u8>);

impl Generator {
    /// Writes the model as a safetensors file, with `notes` (such as the policy) beside it.
    ///
    /// Equal generators and notes give equal bytes.
    ///
    /// # Errors
    /// [`TrainError::Decoder`] if the tensors cannot be read, which is a defect.
    pub fn to_bytes(&self, notes: &BTreeMap<String, String>) -> Result<Vec<u8>, TrainError> {
        let mut description = Description {
            version: VERSION,
            copula: None,
            graphical: None,
            mixture: None,
            network: None,
            notes: notes.clone(),
        };
        let data = match self {
            Self::Copula(copula) => {
                let (shape, data) = write_copula(copula);
                description.copula = Some(shape);
                data
            }
            Self::Decoder(decoder) => {
                description.network = Some(decoder.shape().network().clone());
                write_decoder(decoder)?
            }
            Self::Graphical(model) => {
                let (shape, data) = write_graphical(model);
                description.graphical = Some(shape);
                data
            }
            Self::Mixture(mixture) => {
                let (shape, data) = write_mixture(mixture);
                description.mixture = Some(shape);
                data
            }
        };
        let description = serde_json::to_string(&description).map_err(|_| TrainError::Decoder)?;
        let views: Result<Vec<_>, _> = data
            .iter()
            .map(|(name, dtype, dims, bytes)| {
                TensorView::new(*dtype, dims.clone(), bytes).map(|view| (name.clone(), view))
            })
            .collect();
        let views = views.map_err(|_| TrainError::Decoder)?;
        // A single entry, because the order of a hash map's entries is not the same in every run.
        let metadata = HashMap::from([(DESCRIPTION.to_owned(), description)]);
        safetensors::serialize(views, Some(metadata)).map_err(|_| TrainError::Decoder)
    }

    /// Reads what [`Generator::to_bytes`] wrote, and returns the generator and the notes.
    ///
    /// Nothing about `bytes` is trusted: sizes are checked before anything of that size is
    /// made, so memory stays in proportion to the length of `bytes`.
    ///
    /// # Errors
    /// The first thing that does not fit: the container, the description, a tensor's shape, or a
    /// value that is not finite.
    pub fn from_bytes(bytes: &[u8]) -> Result<(Self, BTreeMap<String, String>), TrainError> {
        let (_, metadata) =
            SafeTensors::read_metadata(bytes).map_err(|_| TrainError::NotModelFile)?;
        let file = SafeTensors::deserialize(bytes).map_err(|_| TrainError::NotModelFile)?;
        let description = metadata
            .metadata()
            .as_ref()
            .and_then(|entries| entries.get(DESCRIPTION))
            .ok_or(TrainError::ModelDescription)?;
        let description: Description =
            serde_json::from_str(description).map_err(|_| TrainError::ModelDescription)?;
        if description.version != VERSION {
            return Err(TrainError::ModelDescription);
        }
        let Description {
            network,
            mixture,
            graphical,
            copula,
            notes,
            ..
        } = description;
        let generator = match (network, mixture, graphical, copula) {
            (Some(network), None, None, None) => Self::Decoder(read_decoder(&file, network)?),
            (None, Some(shape), None, None) => Self::Mixture(read_mixture(&file, &shape)?),
            (None, None, Some(shape), None) => Self::Graphical(read_graphical(&file, &shape)?),
            (None, None, None, Some(shape)) => Self::Copula(read_copula(&file, &shape)?),
            _ => return Err(TrainError::ModelDescription),
        };
        Ok((generator, notes))
    }
}

fn write_decoder(decoder: &Decoder) -> Result<Vec<Entry>, TrainError> {
    let mut data = Vec::new();
    for (index, layer) in decoder.layers().iter().enumerate() {
        let (weight_name, bias_name) = tensor_names(index);
        for (name, tensor) in [
            (weight_name, Some(layer.weight())),
            (bias_name, layer.bias()),
        ] {
            let tensor = tensor.ok_or(TrainError::Decoder)?;
            let values: Vec<f32> = tensor
                .flatten_all()
                .and_then(|flat| flat.to_vec1())
                .map_err(|_| TrainError::Decoder)?;
            data.push(float_entry(name, tensor.dims().to_vec(), &values));
        }
    }
    Ok(data)
}

fn read_decoder(file: &SafeTensors<'_>, network: Network) -> Result<Decoder, TrainError> {
    let shape = VaeShape::new(network)?;
    let decoder = &shape.layers()[shape.latent_layer() + 1..];
    let mut tensors = Vec::with_capacity(decoder.len());
    for (index, layer) in decoder.iter().enumerate() {
        tensors.push(read_layer(file, index, layer)?);
    }
    count_tensors(file, 2 * decoder.len(), tensor_names(decoder.len()).0)?;
    Decoder::from_decoder(shape, tensors)
}

/// A tensor of single-precision numbers.
pub(crate) fn float_entry(name: String, dims: Vec<usize>, values: &[f32]) -> Entry {
    let bytes = values
        .iter()
        .flat_map(|value| value.to_le_bytes())
        .collect();
    (name, Dtype::F32, dims, bytes)
}

/// Reads one layer's matrix, turned row-major by input, and biases.
fn read_layer(
    file: &SafeTensors<'_>,
    index: usize,
    layer: &LayerShape,
) -> Result<(Vec<f32>, Vec<f32>), TrainError> {
    let (weight_name, bias_name) = tensor_names(index);
    let stored = read_tensor(file, weight_name, &[layer.outputs, layer.inputs()])?;
    let bias = read_tensor(file, bias_name, &[layer.outputs])?;
    let mut matrix = vec![0.0; stored.len()];
    for (output, row) in stored.chunks_exact(layer.inputs()).enumerate() {
        for (input, &value) in row.iter().enumerate() {
            matrix[input * layer.outputs + output] = value;
        }
    }
    Ok((matrix, bias))
}

/// Reads one tensor whose dimensions must be `dims`.
pub(crate) fn read_tensor(
    file: &SafeTensors<'_>,
    tensor: String,
    dims: &[usize],
) -> Result<Vec<f32>, TrainError> {
    let Ok(view) = file.tensor(&tensor) else {
        return Err(TrainError::ModelTensor { tensor });
    };
    if view.dtype() != Dtype::F32 || view.shape() != dims {
        return Err(TrainError::ModelTensor { tensor });
    }
    let values: Vec<f32> = view
        .data()
        .chunks_exact(4)
        .map(|bytes| f32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]))
        .collect();
    if values.iter().all(|value| value.is_finite()) {
        Ok(values)
    } else {
        Err(TrainError::ModelValue { tensor })
    }
}

/// Refuses a file with more or fewer tensors than the model has.
///
/// `next` is the name that a further tensor would have.
pub(crate) fn count_tensors(
    file: &SafeTensors<'_>,
    expected: usize,
    next: String,
) -> Result<(), TrainError> {
    if file.len() == expected {
        Ok(())
    } else {
        Err(TrainError::ModelTensor { tensor: next })
    }
}

/// Names of the matrix and the biases of a decoder layer.
fn tensor_names(index: usize) -> (String, String) {
    (
        format!("decoder.{index}.weight"),
        format!("decoder.{index}.bias"),
    )
}

const DESCRIPTION: &str = "dpsynth";
const VERSION: u32 = 1;

#[cfg(test)]
#[path = "model_file_tests.rs"]
mod tests;
