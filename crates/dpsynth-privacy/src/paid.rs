//! Permission to run mechanisms: made by the ledger, used up by running them.

use thiserror::Error;

use crate::ledger::{ChargeId, ChargeReceipt};
use crate::mechanism::{
    ChosenMarginals, Distances, DpSgd, LaplaceCounts, Marginals, Mechanism, OpenCategories,
    Quantiles, TopCells, UnitCount,
};
use crate::random::{Purpose, RandomnessError, SecretKey, SecretRng};
use crate::records::{Records, RecordsError, RowsOfUnit};
use crate::unit::PrivacyUnit;

/// A recorded charge: the proof that its mechanisms are paid for, and the only source of
/// permissions to run them.
///
/// # Guarantee
/// Only [`Ledger::reserve`](crate::ledger::Ledger::reserve) makes one, after the charge was written
/// and synchronised. Each mechanism can be authorised once, because the permissions are moved out
/// in order and there is no `Clone`.
#[derive(Debug)]
pub struct Paid {
    /// `None` where nothing was charged.
    receipt: Option<ChargeReceipt>,
    unit: PrivacyUnit,
    mechanisms: Vec<Option<Mechanism>>,
    key: SecretKey,
    /// How often rows were capped; each time has a stream of its own.
    caps: u32,
    taint: Option<Taint>,
}

/// Why what comes out is not a private release.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Taint {
    /// Neither noise nor a meaningful clip norm: for measuring what privacy costs.
    NoNoise,
    /// Noise from a known seed, which anyone can subtract: for tests.
    FixedSeed,
}

impl Paid {
    /// Makes the permissions of a charge that the ledger has recorded.
    pub(crate) fn recorded(receipt: ChargeReceipt, key: SecretKey) -> Self {
        let unit = receipt.unit().clone();
        let mechanisms = receipt.mechanisms().iter().cloned().map(Some).collect();
        Self {
            receipt: Some(receipt),
            unit,
            mechanisms,
            key,
            caps: 0,
            taint: None,
        }
    }

    /// Makes permissions that nothing was paid for; see [`crate::insecure`].
    pub(crate) fn tainted(
        unit: PrivacyUnit,
        mechanisms: Vec<Mechanism>,
        taint: Taint,
        seed: u64,
    ) -> Self {
        Self {
            receipt: None,
            unit,
            mechanisms: mechanisms.into_iter().map(Some).collect(),
            key: SecretKey::fixed(seed),
            caps: 0,
            taint: Some(taint),
        }
    }

    /// What the ledger says of the charge, or `None` where nothing was charged.
    #[must_use]
    pub fn receipt(&self) -> Option<&ChargeReceipt> {
        self.receipt.as_ref()
    }

    /// Why this is not a private release, if it is not one.
    #[must_use]
    pub fn taint(&self) -> Option<Taint> {
        self.taint
    }

    /// Moves out the permission to run the first mechanism of kind `M` that was not yet taken.
    ///
    /// # Errors
    /// If the charge holds no further mechanism of this kind, or another process made it.
    pub fn authorize<M: Authorizable>(&mut self) -> Result<Authorized<M>, MechanismError> {
        self.key.check_process()?;
        for (index, slot) in self.mechanisms.iter_mut().enumerate() {
            if let Some(mechanism) = slot.as_ref().and_then(M::of) {
                *slot = None;
                // Every authorisation draws from a key of its own.
                return Ok(Authorized {
                    mechanism,
                    key: self.key.derive(index as u32),
                    unit: self.unit.clone(),
                    taint: self.taint,
                });
            }
        }
        Err(MechanismError::NotPaid)
    }

    /// Opens a stream for choosing rows, and tells how many of a unit to keep.
    pub(crate) fn row_choice(&mut self) -> Result<(SecretRng, u32), MechanismError> {
        self.key.check_process()?;
        let rng = self.key.stream(Purpose::RowChoice, self.caps, 0);
        self.caps = self
            .caps
            .checked_add(1)
            .ok_or(MechanismError::CapExceeded)?;
        Ok((rng, self.unit.max_rows()))
    }

    /// Gives up all permissions, and names the charge if there is one.
    pub(crate) fn charge(self) -> Option<ChargeId> {
        self.receipt.map(|receipt| receipt.id())
    }

    /// Gives up all permissions, and names the charge if none of them was taken.
    pub(crate) fn untouched(self) -> Option<ChargeId> {
        let untouched = self.mechanisms.iter().all(Option::is_some);
        self.receipt
            .filter(|_| untouched)
            .map(|receipt| receipt.id())
    }
}

/// Permission to run exactly `M`, once, with its own randomness.
///
/// It is neither `Clone` nor constructible outside this crate, and running the mechanism takes it
/// by value.
pub struct Authorized<M> {
    pub(crate) mechanism: M,
    pub(crate) key: SecretKey,
    unit: PrivacyUnit,
    pub(crate) taint: Option<Taint>,
}

impl<M> Authorized<M> {
    /// The public numbers of the mechanism.
    pub fn mechanism(&self) -> &M {
        &self.mechanism
    }

    /// The most rows of one unit that were paid for.
    pub(crate) fn max_rows(&self) -> u32 {
        self.unit.max_rows()
    }

    /// Refuses records whose units may have more rows than was paid for, and a process that is a
    /// copy of the one that paid.
    pub(crate) fn admits(&self, records: &Records) -> Result<(), MechanismError> {
        self.admits_rows(records.rows_of_unit())
    }

    /// As [`admits`](Self::admits), where that is known of the rows of each unit.
    pub(crate) fn admits_rows(&self, rows: RowsOfUnit) -> Result<(), MechanismError> {
        self.key.check_process()?;
        match (rows, &self.unit) {
            (RowsOfUnit::Ungrouped, PrivacyUnit::Row) => Ok(()),
            (RowsOfUnit::AtMost(rows), unit) if rows <= unit.max_rows() => Ok(()),
            _ => Err(MechanismError::CapExceeded),
        }
    }
}

/// Kinds of mechanisms that a charge can hold. Sealed: mechanisms live in this crate.
pub trait Authorizable: sealed::Sealed + Sized {
    /// Takes the numbers of this kind out of a mechanism, if it is of this kind.
    #[doc(hidden)]
    fn of(mechanism: &Mechanism) -> Option<Self>;
}

mod sealed {
    pub trait Sealed {}
}

/// Declares a kind of mechanism: a variant of [`Mechanism`] and the type of its numbers.
macro_rules! authorizable {
    ($($kind:ident),*) => {
        $(
            impl sealed::Sealed for $kind {}

            impl Authorizable for $kind {
                fn of(mechanism: &Mechanism) -> Option<Self> {
                    match mechanism {
                        Mechanism::$kind(numbers) => Some(numbers.clone()),
                        _ => None,
                    }
                }
            }
        )*
    };
}

authorizable!(
    ChosenMarginals,
    Distances,
    DpSgd,
    LaplaceCounts,
    Marginals,
    OpenCategories,
    Quantiles,
    TopCells,
    UnitCount
);

/// Why a mechanism did not run.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum MechanismError {
    /// The values among which a quantile is chosen are none, or not in order.
    #[error(
        "the candidates of a quantile must be strictly increasing, and at least one; list each value once"
    )]
    Candidates,
    /// Units may have more rows than the charge was priced for.
    #[error(
        "the records allow more rows per unit than the charge was priced for; cap the rows of each unit first"
    )]
    CapExceeded,
    /// A column set names columns that the records lack, or its cells are too many.
    #[error(
        "a marginal names a column that does not exist, or has too many cells; choose fewer or smaller columns"
    )]
    Columns,
    /// The model's shape does not fit the records or the weights.
    #[error("the model does not fit the records or its weights; build it from the same schema")]
    ModelMismatch,
    /// A marginal asks for more of the charge's precision than is left, or for none.
    #[error(
        "the marginals ask for more noise precision than was paid for; nothing was counted; ask for smaller shares"
    )]
    Overspent,
    /// The charge holds no such mechanism, or it was authorised already.
    #[error("the charge holds no further mechanism of this kind; charge the ledger for it first")]
    NotPaid,
    /// OpenDP refused the numbers of the mechanism. Its message is not shown: it might quote data.
    #[error("OpenDP refuses the numbers of this mechanism; choose a more usual epsilon or delta")]
    OpenDp,
    /// OpenDP's own account of the mechanism exceeds what was charged.
    #[error(
        "OpenDP accounts for more than was charged for this mechanism; nothing was run; this is a bug, please report it"
    )]
    Overpriced,
    /// The randomness of the charge may not be used here.
    #[error(transparent)]
    Randomness(#[from] RandomnessError),
    /// The rows make no records.
    #[error(transparent)]
    Records(#[from] RecordsError),
    /// The noise's scale is outside what the sampler supports.
    #[error(
        "the scale of the noise is outside what the exact sampler supports; choose another noise multiplier"
    )]
    Scale,
}

impl MechanismError {
    /// The codes of this family, without those of [`RandomnessError`] and
    /// [`RecordsError`].
    pub const CODES: &'static [&'static str] = &[
        "DPS0311", "DPS0312", "DPS0313", "DPS0314", "DPS0315", "DPS0316", "DPS0317", "DPS0318",
        "DPS0319",
    ];

    /// The stable code of the diagnostic.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Candidates => "DPS0318",
            Self::CapExceeded => "DPS0311",
            Self::Columns => "DPS0312",
            Self::ModelMismatch => "DPS0313",
            Self::NotPaid => "DPS0314",
            Self::OpenDp => "DPS0316",
            Self::Overpriced => "DPS0317",
            Self::Overspent => "DPS0319",
            Self::Randomness(error) => error.code(),
            Self::Records(error) => error.code(),
            Self::Scale => "DPS0315",
        }
    }
}
