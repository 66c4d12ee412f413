//! DP-SGD: Poisson sampling, per-unit clipping, an exact integer sum, and rounded Gaussian noise,
//! in one call.
//!
//! A unit's gradient is never formed. The model hands over the factors of each linear layer
//! (activations `a` and output gradients `δ`); the core quantises them so that a unit's
//! contribution is an integer vector whose norm is checked in integers, sums contributions with
//! matrix products that are exact in any order, and adds noise on the same integer grid.
//!
//! ```text
//! sample ──▶ factors (model, 128 rows at a time) ──▶ clip and quantise ──▶ exact sum ──▶ + noise
//! ```

mod model;
mod poisson;
mod quantise;
mod step;
mod sum;
mod times;
mod worker;

pub use model::{BLOCK_ROWS, Block, LayerFactors, LayerInput, LayerShape, LayerwiseModel};
pub use step::{Step, StepSequence};
pub use times::StepTimes;
