//! Generators from noisy marginals: what is measured, and what is fitted to it.
//!
//! ```text
//! one-way counts on fine cells ─▶ groups of cells ─▶ all pairs ─▶ the pairs that matter, closely
//!                                                        └──────────────┬───────────────┘
//!                                                                 Measurements
//!                     a decoder ─▶ Mixture, or a junction tree ─▶ GraphicalModel, or correlations ─▶ Copula
//! ```

mod adam;
mod choose;
mod correlate;
mod denoise;
mod fit;
mod grouping;
mod junction;
mod layout;
mod margins;
mod measure;
mod measurements;
mod network;
mod price;
mod problem;
mod refine;
mod runs;
mod stage;
mod tables;
mod thin;
mod tree;

pub use correlate::fit_copula;
pub use fit::{FitPlan, fit_decoder};
pub use grouping::{CodeOrder, Grouping};
pub use junction::fit_graphical;
pub use measure::{MeasureOutlook, MeasurePlan, MeasureShares, PairChoice, measure};
pub use measurements::{Measurements, Slice};
pub use stage::MeasuredPairs;
pub use tree::TreeNode;
