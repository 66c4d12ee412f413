//! Gaussian noise that is exact in the arithmetic that runs.
//!
//! [`RoundedGaussian`] draws `round(s·Z)` where `Z` is a real standard normal value and `s` an
//! exact number. Because `round(k + x) = k + round(x)` for every integer `k`, adding such a draw
//! to an integer `S` gives `round(S + s·Z)`: a rounding of the ideal Gaussian mechanism, to which
//! every account of the ideal mechanism applies as it stands.

mod karney;
mod rounded;

pub(crate) use rounded::RoundedGaussian;
