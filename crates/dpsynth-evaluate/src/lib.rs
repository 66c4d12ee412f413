//! How far a synthetic table is from the real one.
//!
//! Everything here is computed from real rows **without any protection**. It is meant for the
//! custodian's own screen, says so on every page, and is never part of a release.
//!
//! ```text
//! real ──────┬─▶ cut ─▶ codes ─┬─▶ distances of columns, pairs and triples, association
//! synthetic ─┤                 ├─▶ learners: prediction, telling apart
//! hold-out ──┘                 ├─▶ rare groups            ─▶ Evaluation ─▶ JSON, Markdown, HTML
//!            └─▶ principal components
//! ```
//!
//! | type | what it is |
//! |---|---|
//! | [`Table`], [`Column`], [`Values`] | plain columns, whoever's rows they are |
//! | [`Question`] | what is compared with what |
//! | [`Evaluation`] | all figures; [`markdown`], [`html`] and serde write it |
//! | [`Scorer`], [`area_of_counts`] | for figures that are paid for: scores of rows, and what noisy counts of them say |
//! | [`EvaluateError`] | why tables cannot be compared, with a stable code |

#![forbid(unsafe_code)]
#![cfg_attr(test, allow(clippy::unwrap_used, reason = "a test may panic"))]

mod codes;
mod distance;
mod error;
mod evaluation;
mod html;
mod learn;
mod markdown;
mod projection;
mod random;
mod rare;
mod scorer;
mod table;

pub use error::EvaluateError;
pub use evaluation::{
    CellShares, ColumnFigures, Distinguishability, Evaluation, JointShares, PairFigures,
    Prediction, Question, RuleFigures, STAMP, evaluate,
};
pub use html::html;
pub use learn::Score;
pub use markdown::markdown;
pub use projection::Projection;
pub use rare::{RareGroup, RareGroups};
pub use scorer::{Scorer, area_of_counts};
pub use table::{Column, Table, Values};
