//! The forward and backward pass of [`Vae`](crate::Vae) over tensors, for a graphics processor.
//!
//! Every step is a matrix product of a fixed shape or element-wise: there is no sum over rows and
//! no library function that looks at a whole block.

use candle_core::{Device, Result, Tensor, bail};
use dpsynth_privacy::{BLOCK_ROWS, Block, LayerFactors, LayerInput, LayerShape, LayerwiseModel};

use crate::elementwise::EXP_LIMIT;
use crate::shape::VaeShape;
use crate::vae::{LOG_VARIANCE_LIMIT, code_index};

/// The autoencoder of [`Vae`](crate::Vae), computed by candle: with the feature `cuda` on the first
/// graphics processor, without it on the host.
///
/// Weights and blocks are copied to the device, activations and output gradients back to the host,
/// where the core clips them, sums them and adds noise.
///
/// The core's traits have no place for an error. Where the device fails, every factor becomes NaN:
/// the core then drops every unit of the block, and the step is noise.
///
/// # Guarantee
/// Row i of every factor is a function of row i of the block alone, if a product of a fixed shape
/// computes each row from that row and alike at every place. That is a property of a library and
/// a device, and not proved; [`device_check`](crate::device_check) tries it on the device and with
/// the network that will be used. The tests of this module do so on the host.
#[derive(Clone, Copy, Debug)]
pub struct DeviceVae;

/// Working memory of [`DeviceVae`]: the network on the device, and what `forward` leaves for
/// `backward`.
#[derive(Debug, Default)]
pub struct DeviceScratch {
    network: Option<OnDevice>,
    pass: Option<Pass>,
}

impl LayerwiseModel for DeviceVae {
    type Shape = VaeShape;
    type Weights<'w> = &'w [f32];
    type Scratch = DeviceScratch;

    fn layers(shape: &VaeShape) -> Vec<LayerShape> {
        shape.layers().to_vec()
    }

    fn normals_per_row(shape: &VaeShape) -> usize {
        shape.latent()
    }

    fn lay_out<'w>(_: &'w VaeShape, weights: &'w [f32]) -> &'w [f32] {
        weights
    }

    fn forward(
        shape: &VaeShape,
        weights: &&[f32],
        block: &Block<'_>,
        scratch: &mut DeviceScratch,
        factors: &mut [LayerFactors],
    ) {
        if forward(shape, weights, block, scratch, factors).is_err() {
            // Fails closed: `backward` finds no pass, and leaves NaN as well.
            scratch.pass = None;
            fill_with_nan(shape, factors);
        }
    }

    fn backward(
        shape: &VaeShape,
        _weights: &&[f32],
        _block: &Block<'_>,
        scratch: &mut DeviceScratch,
        factors: &mut [LayerFactors],
    ) {
        let done = match (&scratch.network, scratch.pass.take()) {
            (Some(network), Some(pass)) => network.backward(&pass, factors),
            _ => Err(candle_core::Error::msg("nothing was computed forward")),
        };
        if done.is_err() {
            fill_with_nan(shape, factors);
        }
    }
}

/// Opens the device: once for all threads, because cuBLAS promises equal bits from call to call
/// only where a single stream is in use.
#[cfg(feature = "cuda")]
pub(crate) fn open() -> Result<Device> {
    static OPENED: std::sync::OnceLock<Device> = std::sync::OnceLock::new();
    if let Some(device) = OPENED.get() {
        return Ok(device.clone());
    }
    let device = Device::new_cuda(0)?;
    Ok(OPENED.get_or_init(|| device).clone())
}

/// Opens the device: the host, in a build without the feature `cuda`.
#[cfg(not(feature = "cuda"))]
pub(crate) fn open() -> Result<Device> {
    Ok(Device::Cpu)
}

/// The device's name.
pub(crate) fn name(device: &Device) -> String {
    #[cfg(feature = "cuda")]
    if let Ok(cuda) = device.as_cuda_device() {
        return (cuda.cuda_stream().context().name()).unwrap_or_else(|_| "CUDA device".to_owned());
    }
    format!("{:?}", device.location()).to_lowercase()
}

/// Runs one empty block, for the error that [`DeviceVae`] has no way to return.
pub(crate) fn try_once(shape: &VaeShape, device: &Device) -> Result<()> {
    let network = OnDevice::upload(shape, &vec![0.0; shape.parameters()], device)?;
    let block = Block {
        codes: &vec![0; BLOCK_ROWS * shape.columns()],
        normals: &vec![0.0; BLOCK_ROWS * shape.latent()],
    };
    let mut factors = vec![LayerFactors::default(); shape.layers().len()];
    network.backward(&network.forward(&block)?, &mut factors)
}

/// Uploads the weights if they are others than those on the device, runs the block forward, and
/// copies the activations to the host.
fn forward(
    shape: &VaeShape,
    weights: &[f32],
    block: &Block<'_>,
    scratch: &mut DeviceScratch,
    factors: &mut [LayerFactors],
) -> Result<()> {
    let known = scratch.network.take();
    let network = match known.filter(|it| it.weights == weights && it.shape == *shape) {
        Some(network) => network,
        None => OnDevice::upload(shape, weights, &open()?)?,
    };
    let network = scratch.network.insert(network);
    let pass = network.forward(block)?;
    for (layer, factor) in factors.iter_mut().enumerate() {
        factor.activations.clear();
        if layer > 0 {
            copy_to_host(&pass.inputs[layer], &mut factor.activations)?;
        }
    }
    scratch.pass = Some(pass);
    Ok(())
}

/// A network on the device.
#[derive(Debug)]
struct OnDevice {
    shape: VaeShape,
    /// What the tensors were made from; compared with the weights of each block.
    weights: Vec<f32>,
    /// Matrix (inputs × outputs) and biases (1 × outputs) of each layer.
    layers: Vec<(Tensor, Tensor)>,
    /// 1 where a code belongs to a column: total codes × columns.
    membership: Tensor,
    /// Weight of each column: 1 × columns.
    column_weights: Tensor,
    /// Weight of the column of each code: 1 × total codes.
    code_weights: Tensor,
}

/// What one block leaves on its way forward.
#[derive(Debug)]
struct Pass {
    /// What each layer reads: the rows one-hot, then activations.
    inputs: Vec<Tensor>,
    /// Standard normal draws: rows × latent.
    epsilon: Tensor,
    /// Mean and raw log-variance: rows × 2 latent.
    statistics: Tensor,
    /// Output of the last layer: rows × total codes.
    logits: Tensor,
}

impl OnDevice {
    fn upload(shape: &VaeShape, weights: &[f32], device: &Device) -> Result<Self> {
        if weights.len() != shape.parameters() {
            bail!("the weights are not those of the network");
        }
        let layers = (shape.layers().iter().enumerate())
            .map(|(index, layer)| {
                let (matrix, bias) = shape.layer_weights(index, weights);
                Ok((
                    Tensor::from_slice(matrix, (layer.inputs(), layer.outputs), device)?,
                    Tensor::from_slice(bias, (1, layer.outputs), device)?,
                ))
            })
            .collect::<Result<_>>()?;
        let (columns, codes) = (shape.columns(), shape.total_codes());
        let column_weights = &shape.network().column_weights;
        let mut membership = vec![0.0f32; codes * columns];
        let mut code_weights = vec![0.0f32; codes];
        for (column, &weight) in column_weights.iter().enumerate() {
            for code in shape.column_range(column) {
                membership[code * columns + column] = 1.0;
                code_weights[code] = weight;
            }
        }
        Ok(Self {
            shape: shape.clone(),
            weights: weights.to_vec(),
            layers,
            membership: Tensor::from_vec(membership, (codes, columns), device)?,
            column_weights: Tensor::from_slice(column_weights, (1, columns), device)?,
            code_weights: Tensor::from_vec(code_weights, (1, codes), device)?,
        })
    }

    fn forward(&self, block: &Block<'_>) -> Result<Pass> {
        let shape = &self.shape;
        let (columns, codes, latent) = (shape.columns(), shape.total_codes(), shape.latent());
        if block.codes.len() != BLOCK_ROWS * columns || block.normals.len() != BLOCK_ROWS * latent {
            bail!("the block is not one of the network");
        }
        // One-hot rows make the first layer a product like all others.
        let mut one_hot = vec![0.0f32; BLOCK_ROWS * codes];
        for (row, out) in (block.codes.chunks_exact(columns)).zip(one_hot.chunks_exact_mut(codes)) {
            for (column, &code) in row.iter().enumerate() {
                out[code_index(shape, column, code)] = 1.0;
            }
        }
        let device = self.membership.device();
        let epsilon = Tensor::from_slice(block.normals, (BLOCK_ROWS, latent), device)?;
        let mut inputs = vec![Tensor::from_vec(one_hot, (BLOCK_ROWS, codes), device)?];
        let mut statistics = None;
        let last = self.layers.len() - 1;
        for (layer, (matrix, bias)) in self.layers[..last].iter().enumerate() {
            let output = inputs[layer].matmul(matrix)?.broadcast_add(bias)?;
            if layer == shape.latent_layer() {
                let mean = output.narrow(1, 0, latent)?;
                let spread = (deviation(&clamped(&output, latent)?)? * &epsilon)?;
                inputs.push((mean + spread)?);
                statistics = Some(output);
            } else {
                inputs.push(output.relu()?);
            }
        }
        let (matrix, bias) = &self.layers[last];
        let Some(statistics) = statistics else {
            bail!("the network has no latents");
        };
        Ok(Pass {
            logits: inputs[last].matmul(matrix)?.broadcast_add(bias)?,
            inputs,
            epsilon,
            statistics,
        })
    }

    /// Runs a block backward, and copies each layer's output gradients to the host.
    fn backward(&self, pass: &Pass, factors: &mut [LayerFactors]) -> Result<()> {
        let mut deltas = self.reconstruction_gradient(pass)?;
        for layer in (0..self.layers.len()).rev() {
            copy_to_host(&deltas, &mut factors[layer].deltas)?;
            if layer == 0 {
                break;
            }
            let gradient = deltas.matmul(&self.layers[layer].0.t()?)?;
            deltas = if layer == self.shape.latent_layer() + 1 {
                self.latent_gradient(pass, &gradient)?
            } else {
                let zeros = gradient.zeros_like()?;
                let on = pass.inputs[layer].gt(&zeros)?;
                on.where_cond(&gradient, &zeros)?
            };
        }
        Ok(())
    }

    /// The gradient at the logits: w_j (softmax − one-hot) for each column.
    ///
    /// The sum over a column's codes is a product with `membership`, and so is the way back.
    fn reconstruction_gradient(&self, pass: &Pass) -> Result<Tensor> {
        let limit = f64::from(EXP_LIMIT);
        let powers = pass.logits.clamp(-limit, limit)?.exp()?;
        let sums = powers.matmul(&self.membership)?;
        let scales = self.column_weights.broadcast_div(&sums)?;
        let shares = (powers * scales.matmul(&self.membership.t()?)?)?;
        shares - pass.inputs[0].broadcast_mul(&self.code_weights)?
    }

    /// Adds the Kullback–Leibler term to the gradient that arrives at z, and takes both to the mean
    /// and the raw log-variance.
    fn latent_gradient(&self, pass: &Pass, gradient: &Tensor) -> Result<Tensor> {
        let latent = self.shape.latent();
        let beta = f64::from(self.shape.network().kl_weight);
        let mean = pass.statistics.narrow(1, 0, latent)?;
        let raw = pass.statistics.narrow(1, latent, latent)?;
        let log_variance = clamped(&pass.statistics, latent)?;
        let deviation = deviation(&log_variance)?;
        let through_draw = ((gradient * &pass.epsilon)? * &deviation)?;
        let divergence = (deviation.sqr()? - 1.0)?;
        let slope = ((through_draw * 0.5)? + (divergence * (0.5 * beta))?)?;
        // The clamp is flat outside its range.
        let inside = raw.eq(&log_variance)?;
        let log_variance_delta = inside.where_cond(&slope, &slope.zeros_like()?)?;
        let mean_delta = (gradient + (mean * beta)?)?;
        Tensor::cat(&[mean_delta, log_variance_delta], 1)
    }
}

/// The log-variances among the statistics, in their range.
fn clamped(statistics: &Tensor, latent: usize) -> Result<Tensor> {
    let limit = f64::from(LOG_VARIANCE_LIMIT);
    (statistics.narrow(1, latent, latent)?).clamp(-limit, limit)
}

/// e^{s/2}.
fn deviation(log_variance: &Tensor) -> Result<Tensor> {
    (log_variance * 0.5)?.exp()
}

fn copy_to_host(tensor: &Tensor, out: &mut Vec<f32>) -> Result<()> {
    *out = tensor.flatten_all()?.to_vec1()?;
    Ok(())
}

/// Makes every factor NaN, so that the core drops every unit.
fn fill_with_nan(shape: &VaeShape, factors: &mut [LayerFactors]) {
    for (layer, factor) in shape.layers().iter().zip(factors) {
        let width = match layer.input {
            LayerInput::Codes { .. } => 0,
            LayerInput::Dense { width } => width,
        };
        factor.activations.clear();
        factor.activations.resize(BLOCK_ROWS * width, f32::NAN);
        factor.deltas.clear();
        factor.deltas.resize(BLOCK_ROWS * layer.outputs, f32::NAN);
    }
}

#[cfg(test)]
#[path = "on_device_tests.rs"]
mod tests;
