//! A generator from noisy marginals: what is measured, how a decoder is fitted to it, and the
//! mixture of products that the decoder then is.
//!
//! ```text
//! one-way counts on fine cells ─▶ groups of cells ─▶ all pairs ─▶ the pairs that matter, closely
//!                                                        └──────────────┬───────────────┘
//!                                                             Measurements ─▶ decoder ─▶ Mixture
//! ```

mod denoise;
mod fit;
mod grouping;
mod measure;
mod measurements;
mod network;

pub use fit::{FitPlan, fit_decoder};
pub use grouping::{CodeOrder, Grouping};
pub use measure::{MeasureOutlook, MeasurePlan, MeasureShares, measure};
pub use measurements::Measurements;
