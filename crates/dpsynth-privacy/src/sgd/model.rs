//! What a model hands to the core: factors of per-unit gradients, never gradients or norms.

/// Rows in one microbatch; every block has exactly this many, padded with code 0.
///
/// A fixed size keeps the floating-point kernels on one code path, so that a row's bits do not
/// depend on how many other rows were drawn.
pub const BLOCK_ROWS: usize = 128;

/// A network whose parameters are linear layers, described to the core layer by layer.
///
/// The functions take no `self`: a model has no state of its own in which a private value could
/// be kept. What it knows is its public `Shape` and the public weights.
///
/// Weights are one flat slice. Each layer holds `inputs × outputs` values, row-major by input,
/// followed by `outputs` biases; layers follow each other in the order of [`layers`].
///
/// # Guarantee
/// The sensitivity of a step does not rest on what an implementation computes: the core quantises
/// the factors, bounds the norm in integers, and drops what is not finite. What the core must
/// trust is that row `i` of every factor depends on row `i` of the block alone.
///
/// [`layers`]: LayerwiseModel::layers
pub trait LayerwiseModel {
    /// The public shape of the network: sizes and public coefficients.
    type Shape: Clone + Send + Sync;
    /// The public weights as the passes read them: laid out once for each step.
    type Weights<'w>: Sync;
    /// Working memory that is reused between blocks.
    type Scratch: Default + Send;

    /// Lists the layers in the order of their weights.
    fn layers(shape: &Self::Shape) -> Vec<LayerShape>;

    /// Says how many standard normal draws each row needs (latent noise).
    fn normals_per_row(shape: &Self::Shape) -> usize;

    /// Lays out the weights of a step; every block of the step reads the result.
    fn lay_out<'w>(shape: &'w Self::Shape, weights: &'w [f32]) -> Self::Weights<'w>;

    /// Runs one block forward, and writes each layer's activations into `factors`.
    ///
    /// All [`BLOCK_ROWS`] rows are computed; the core ignores the padded ones.
    fn forward(
        shape: &Self::Shape,
        weights: &Self::Weights<'_>,
        block: &Block<'_>,
        scratch: &mut Self::Scratch,
        factors: &mut [LayerFactors],
    );

    /// Runs the block of the last call of [`forward`](Self::forward) backward, and writes each
    /// layer's output gradients into `factors`.
    ///
    /// Loss is summed over rows, not averaged.
    fn backward(
        shape: &Self::Shape,
        weights: &Self::Weights<'_>,
        block: &Block<'_>,
        scratch: &mut Self::Scratch,
        factors: &mut [LayerFactors],
    );
}

/// One linear layer: where its input comes from, and how wide its output is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LayerShape {
    /// What the layer reads.
    pub input: LayerInput,
    /// Number of outputs.
    pub outputs: usize,
}

/// The input of a linear layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LayerInput {
    /// The row itself, one-hot over all codes of all columns; never materialised.
    Codes {
        /// Sum of the domain sizes.
        total_codes: usize,
    },
    /// Dense activations.
    Dense {
        /// Number of inputs.
        width: usize,
    },
}

impl LayerShape {
    /// Number of inputs, without the bias.
    #[must_use]
    pub fn inputs(&self) -> usize {
        match self.input {
            LayerInput::Codes { total_codes } => total_codes,
            LayerInput::Dense { width } => width,
        }
    }

    /// Number of weights and biases.
    #[must_use]
    pub fn parameters(&self) -> usize {
        (self.inputs() + 1) * self.outputs
    }
}

/// One microbatch as the model sees it.
pub struct Block<'a> {
    /// `BLOCK_ROWS × columns` codes, row-major.
    pub codes: &'a [u16],
    /// `BLOCK_ROWS × normals_per_row` standard normal draws, row-major.
    pub normals: &'a [f32],
}

/// Activations and output gradients of one layer for one block.
#[derive(Clone, Debug, Default)]
pub struct LayerFactors {
    /// `BLOCK_ROWS × inputs` activations, row-major; empty for a layer that reads codes.
    pub activations: Vec<f32>,
    /// `BLOCK_ROWS × outputs` gradients of the loss with respect to the layer's output.
    pub deltas: Vec<f32>,
}
