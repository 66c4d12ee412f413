//! Gaussian noise that is exact in the arithmetic that runs.
//!
//! [`RoundedGaussian`] draws `round(s·Z)` where `Z` is a real standard normal value and `s` an
//! exact number. Because `round(k + x) = k + round(x)` for every integer `k`, adding such a draw
//! to an integer `S` gives `round(S + s·Z)`: a rounding of the ideal Gaussian mechanism, to which
//! every account of the ideal mechanism applies as it stands.
//!
//! `Z` is drawn from strips ([`mod@strips`]); Karney's algorithm ([`mod@karney`]), which shares no
//! code with them, is the oracle.

mod exponential;
mod karney;
mod lazy;
mod rounded;
mod strips;

#[cfg(test)]
mod attack_tests;
#[cfg(test)]
mod distribution_tests;
#[cfg(test)]
mod statistics;

pub(crate) use rounded::RoundedGaussian;
