//! The boundary: private values go in, and only what a mechanism releases comes out.

use std::fmt;
use std::ops::Deref;
use std::path::Path;

use crate::paid::Paid;

/// A value derived from records.
///
/// There is no way to look at one outside this crate: no `Clone`, `Deref`, `Display`,
/// `PartialEq` or `Serialize`, and `Debug` prints `Private(..)`. Mechanisms of this crate read it
/// when they hold an authorisation that the ledger has priced.
///
/// # Guarantee
/// A `Private` value exists only after its charge was recorded, because [`Private::load`] asks
/// for the [`Paid`] that only the ledger makes. The programs under `tests/leaks` show that the
/// compiler refuses to open, copy, print or serialise one.
pub struct Private<T>(T);

impl<T> Private<T> {
    /// Loads private data with `loader`, after the charge has been recorded.
    ///
    /// `loader` is a plain function, so it can capture nothing that would carry the data out.
    /// It is given `source`, which names where the data is.
    ///
    /// # Errors
    /// Whatever `loader` reports. Such an error goes to the custodian's terminal and must name
    /// columns and records only, never a cell.
    pub fn load<S, E>(
        _charged: &Paid,
        source: S,
        loader: fn(S) -> Result<T, E>,
    ) -> Result<Self, E> {
        loader(source).map(Self)
    }

    /// Transforms the value inside the boundary.
    ///
    /// `transform` is a plain function for the same reason as in [`Private::load`].
    #[must_use]
    pub fn map<U>(self, transform: fn(T) -> U) -> Private<U> {
        Private(transform(self.0))
    }

    /// As [`map`](Self::map), for code of this crate, which may hold secret randomness and fail.
    pub(crate) fn try_map_inside<U, E>(
        self,
        transform: impl FnOnce(T) -> Result<U, E>,
    ) -> Result<Private<U>, E> {
        transform(self.0).map(Private)
    }

    /// Opens the value to the mechanisms of this crate.
    pub(crate) fn expose(&self) -> &T {
        &self.0
    }
}

impl<T> fmt::Debug for Private<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Private(..)")
    }
}

/// The output of a paid mechanism, or a post-processing of one.
///
/// It may be read freely; what cannot be done is to make one from anything else, so a writer
/// that accepts only `Released` cannot be handed a private value.
///
/// # Guarantee
/// Differential privacy is closed under post-processing (Dwork & Roth 2014, Proposition 2.1),
/// which is why [`Released::map`] needs no price.
#[derive(Clone, Debug, PartialEq)]
pub struct Released<T>(T);

impl<T> Released<T> {
    /// Marks the output of a mechanism of this crate.
    pub(crate) fn by_mechanism(value: T) -> Self {
        Self(value)
    }

    /// Post-processes the value.
    pub fn map<U>(self, transform: impl FnOnce(T) -> U) -> Released<U> {
        Released(transform(self.0))
    }

    /// Post-processes the value with something that can fail.
    ///
    /// # Errors
    /// Whatever `transform` reports.
    pub fn try_map<U, E>(
        self,
        transform: impl FnOnce(T) -> Result<U, E>,
    ) -> Result<Released<U>, E> {
        transform(self.0).map(Released)
    }

    /// Joins two released values: both are public, so the pair is.
    pub fn zip<U>(self, other: Released<U>) -> Released<(T, U)> {
        Released((self.0, other.0))
    }

    /// Reads a file that an earlier release has published, such as a model.
    ///
    /// The caller states with this call that the file is public already. The name is meant to be
    /// searched for in a review.
    ///
    /// # Errors
    /// The error of reading the file, or what `parse` reports.
    pub fn reopen_published<E>(
        path: &Path,
        parse: impl FnOnce(&[u8]) -> Result<T, E>,
    ) -> Result<Self, E>
    where
        E: From<std::io::Error>,
    {
        parse(&std::fs::read(path)?).map(Self)
    }
}

impl<T> Deref for Released<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}
