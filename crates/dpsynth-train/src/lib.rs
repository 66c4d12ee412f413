//! Turns paid-for counts and paid-for DP-SGD steps into a generator of rows. It reads no file, owns
//! no secret randomness, and sees records only through
//! [`Step::run`](dpsynth_privacy::Step::run) and
//! [`MarginalSession::measure`](dpsynth_privacy::MarginalSession::measure).
//!
//! It does not choose ε, charge a ledger, know column names, or enforce rules.
//!
//! ```text
//! Released one-way counts ──▶ initial weights ──▶ ┌──────────────────────────────┐
//!                                                 │ weights ─▶ Step::run ─▶ Adam │ ─▶ Generator
//! Private records, Authorized<DpSgd> ───────────▶ └──────────────────────────────┘
//! ```
//!
//! | type | what it is |
//! |---|---|
//! | [`Network`], [`VaeShape`] | sizes and loss weights, and the same checked and laid out |
//! | [`Vae`] | the forward and backward pass that the core asks for factors |
//! | [`DeviceVae`], [`Processor`] | the same pass over tensors, on a graphics processor, and where a run computes |
//! | [`TrainingPlan`], [`fit`] | what is decided beforehand, and the run itself |
//! | [`MeasurePlan`], [`measure`], [`Measurements`] | noisy marginals, to which all other engines fit |
//! | [`fit_decoder`], [`fit_graphical`], [`fit_copula`] | the fits, which are post-processing |
//! | [`Generator`] | the released model: draws rows, is written to and read from a model file |

#![forbid(unsafe_code)]

mod axes;
mod balance;
mod calibrate;
mod classes;
mod copula;
mod copula_file;
mod decoder;
mod draw;
mod elementwise;
mod error;
mod excess;
mod fit;
mod generator;
mod graphical;
mod graphical_file;
mod grouping_file;
mod initial;
mod linear;
mod marginals;
mod mixture;
mod mixture_file;
mod model_file;
mod normal;
mod on_device;
mod optimiser;
mod processor;
mod shape;
mod vae;
mod vae_weights;

pub use axes::{Axis, Move};
pub use classes::{MAX_CLASSES, fits_classes};
pub use copula::Copula;
pub use decoder::Decoder;
pub use error::TrainError;
pub use fit::{StepProgress, TrainingPlan, fit};
pub use generator::Generator;
pub use graphical::GraphicalModel;
pub use initial::{ClassCounts, StartingCounts};
pub use marginals::{
    CodeOrder, FitPlan, Grouping, MeasureOutlook, MeasurePlan, MeasureShares, MeasuredPairs,
    Measurements, PairChoice, Slice, TreeNode, fit_copula, fit_decoder, fit_graphical, measure,
};
pub use mixture::Mixture;
pub use on_device::{DeviceScratch, DeviceVae};
pub use optimiser::{NoiseVariance, Optimiser, Training};
pub use processor::{Processor, device_check};
pub use shape::{Network, VaeShape};
pub use vae::{Vae, VaeScratch};
pub use vae_weights::VaeWeights;
