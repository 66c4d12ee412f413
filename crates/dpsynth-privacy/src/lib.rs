//! The trusted core of dpsynth: nothing derived from records leaves [`Private`] except through a
//! mechanism that a ledger has priced and recorded first.
//!
//! It does not read tables, train networks or write releases; it knows records only as small
//! integer codes, and a network only as a list of linear layers.
//!
//! ```text
//!   Mechanism ──▶ Ledger::reserve ──▶ Paid ──▶ Authorized<M> ──▶ run once ──▶ Released<T>
//!   (numbers)     (priced, on disk)    │                            ▲
//!                                      └──▶ Private::load ──────────┘
//! ```
//!
//! | type | what it is |
//! |---|---|
//! | [`Private`] | a value derived from records; cannot be opened, copied, printed or serialised |
//! | [`Released`] | output of a mechanism, or a post-processing of one |
//! | [`Mechanism`] | a mechanism's public numbers: priced, recorded and run from one value |
//! | [`DpEvent`] | what an accountant needs to know of a mechanism |
//! | [`ledger::Ledger`] | durable, hash-chained, signed list of charges of one data set |
//! | [`Paid`], [`Authorized`] | affine permissions to run what was charged, once |
//! | [`Step`] | one DP-SGD step: sample, clip, sum and noise in one call |

pub mod accountant;
pub mod insecure;
pub mod kernel;
pub mod ledger;

mod boundary;
mod cap;
mod chosen;
mod counts;
mod distances;
mod event;
mod mechanism;
mod noise;
mod numbers;
mod paid;
mod pure;
mod random;
mod records;
mod rounding;
mod sgd;
mod unit;

pub use boundary::{Private, Released};
pub use cap::OwnedRows;
pub use chosen::{MarginalQuery, MarginalSession, MeasuredMarginal};
pub use distances::PublicRows;
pub use event::DpEvent;
pub use mechanism::{
    ChosenMarginals, Distances, DpSgd, LaplaceCounts, Marginals, Mechanism, OpenCategories,
    Quantiles, TopCells, UnitCount,
};
pub use numbers::{
    ClipNorm, Delta, Epsilon, NoiseMultiplier, NumberError, QuantileLevel, SamplingRate, StepCount,
};
pub use paid::{Authorizable, Authorized, MechanismError, Paid, Taint};
pub use random::{PublicRng, RandomnessError, check_randomness};
pub use records::{Cells, Records, RecordsError};
pub use sgd::{
    BLOCK_ROWS, Block, LayerFactors, LayerInput, LayerShape, LayerwiseModel, Step, StepSequence,
    StepTimes,
};
pub use unit::{Adjacency, PrivacyUnit};
