//! Why a ledger refuses.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use super::digest::ChargeId;
use super::flaw::Flaw;
use super::record::Subject;
use crate::accountant::AccountingError;
use crate::random::RandomnessError;
use crate::unit::{Adjacency, PrivacyUnit};

/// Why a ledger could not be opened, or a charge not be made. Nothing here comes from private
/// records: a ledger holds public numbers only.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LedgerError {
    /// The ledger or the policy says another adjacency.
    #[error(
        "the ledger of {subject} counts under {recorded}, and the policy says {policy}; losses under \
         different adjacencies do not add up, so use the adjacency of the ledger",
        recorded = in_policy_words(.recorded), policy = in_policy_words(.policy)
    )]
    AdjacencyDiffers {
        /// Whose ledger it is.
        subject: Subject,
        /// What the ledger was opened with.
        recorded: Adjacency,
        /// What the policy states.
        policy: Adjacency,
    },
    /// Other processes held the lock for longer than a write takes.
    #[error(
        "the ledger {} has been in use by other releases for {} seconds; wait until they have \
         written to it, then try again",
        path.display(), .waited.as_secs()
    )]
    Busy {
        /// The ledger file.
        path: PathBuf,
        /// For how long.
        waited: Duration,
    },
    /// The policy allows more for life than the ledger was opened with.
    #[error(
        "the policy allows a lifetime {} of {policy:?}, but the ledger was opened with {recorded:?}; \
         set `{}_for_life` to {recorded:?} or less, because a cap can be tightened but not loosened",
        cap.name(), cap.name()
    )]
    CapLoosened {
        /// Which cap.
        cap: Cap,
        /// The cap that the ledger was opened with.
        recorded: f64,
        /// The cap that the policy states.
        policy: f64,
    },
    /// The charge does not fit on one line.
    #[error(
        "the release has too many mechanisms for one ledger record; measure fewer marginals, \
         or leave columns out of the policy"
    )]
    ChargeTooLong,
    /// The checkpoint is not what a ledger writes.
    #[error(
        "the checkpoint {} is damaged or belongs to another ledger; restore it together with the \
         ledger and its key from one backup, and never edit it",
        path.display()
    )]
    CheckpointDamaged {
        /// The checkpoint.
        path: PathBuf,
    },
    /// There is no checkpoint, so nothing shows that the ledger is whole.
    #[error(
        "the checkpoint {} is missing, so nothing shows that the ledger was not cut; restore it, or \
         compare the ledger with every published report by `dpsynth ledger verify --release` and then \
         vouch for it with `dpsynth ledger adopt`",
        path.display()
    )]
    CheckpointMissing {
        /// Where it should be.
        path: PathBuf,
    },
    /// The charge that should be committed or refunded is not open in this ledger.
    #[error(
        "the charge {id} is not open in this ledger; commit or refund it once, in the ledger that it was made in"
    )]
    ChargeUnknown {
        /// The charge.
        id: ChargeId,
    },
    /// A line breaks a rule of the format.
    #[error("line {line} of the ledger {flaw}; restore the file from a backup, and never edit it")]
    Corrupt {
        /// The line, from 1.
        line: u64,
        /// The rule.
        flaw: Flaw,
    },
    /// The ledger belongs to another data set or universe.
    #[error(
        "the ledger is that of {recorded}, and the policy asks for that of {policy}; \
         give each data set and each universe a ledger of its own with `ledger` in the policy"
    )]
    DatasetDiffers {
        /// What the ledger was opened for.
        recorded: Subject,
        /// What the policy names.
        policy: Subject,
    },
    /// A mechanism of the charge was authorised.
    #[error(
        "a mechanism of this charge was authorised already, so it cannot be refunded; the charge stands"
    )]
    ChargeUsed,
    /// The file is longer than any ledger.
    #[error(
        "the ledger is longer than 64 MiB; check that the path names a ledger, \
         and archive it only together with its dataset"
    )]
    FileTooLong,
    /// The file changed or was replaced while this process held its lock.
    #[error(
        "the ledger {} was changed or replaced by another program while it was open; \
         restore the original file, then try again",
        path.display()
    )]
    FileReplaced {
        /// The ledger file.
        path: PathBuf,
    },
    /// The file system refused.
    #[error("cannot {action} {}, which the ledger needs; check the path, its permissions and the free space", path.display())]
    Io {
        /// What was being done, as a verb.
        action: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// The key is another ledger's, or none.
    #[error(
        "the file {} does not hold the key of this ledger; restore the key from a backup, or verify \
         the ledger without it",
        path.display()
    )]
    KeyDiffers {
        /// The key file.
        path: PathBuf,
    },
    /// Others can read the key.
    #[error(
        "the key {} can be read by others than its owner; if nobody has, run `chmod 600` on it",
        path.display()
    )]
    KeyExposed {
        /// The key file.
        path: PathBuf,
    },
    /// There is no key, so nothing can be written.
    #[error(
        "the key {} is missing, so the ledger can be verified but not charged; restore the key from a backup",
        path.display()
    )]
    KeyMissing {
        /// Where it should be.
        path: PathBuf,
    },
    /// A charge pays for nothing.
    #[error("a charge needs at least one mechanism; plan a release that measures something")]
    MechanismMissing,
    /// The lifetime budget does not cover the charge.
    #[error(
        "the release would spend epsilon {requested_epsilon:?} and delta {requested_delta:?}, \
         but only epsilon {remaining_epsilon:?} and delta {remaining_delta:?} remain for life of the {subject}; {}",
        nearest_advice(*nearest, subject)
    )]
    OverCap {
        /// Whose budget it is.
        subject: Subject,
        /// The epsilon that the release would spend.
        requested_epsilon: f64,
        /// The delta that the release would spend.
        requested_delta: f64,
        /// What remains of epsilon, rounded down.
        remaining_epsilon: f64,
        /// What remains of delta, rounded down.
        remaining_delta: f64,
        /// The largest request within both the present one and what remains: epsilon, delta.
        nearest: Option<(f64, f64)>,
    },
    /// The mechanisms cost more than was asked for.
    #[error(
        "the planned mechanisms cost epsilon {price:?}, more than the {requested:?} asked for; \
         ask for `--epsilon {price:?}` or plan with more noise"
    )]
    OverRequest {
        /// The epsilon asked for.
        requested: f64,
        /// What the accountant says, rounded up.
        price: f64,
    },
    /// An earlier write failed, so what is on disk is not known.
    #[error(
        "an earlier write to the ledger failed; open the ledger again, and count that charge as spent"
    )]
    Poisoned,
    /// A charge cannot be priced.
    #[error(transparent)]
    Pricing(#[from] AccountingError),
    /// There is no sound randomness.
    #[error(transparent)]
    Randomness(#[from] RandomnessError),
    /// A line has the right hash, but this build does not know what it says.
    #[error(
        "line {line} of the ledger has a kind or field that this version does not know; \
         use the version of dpsynth that wrote it, or a newer one"
    )]
    RecordUnknown {
        /// The line, from 1.
        line: u64,
        /// What the JSON reader said.
        source: serde_json::Error,
    },
    /// The ledger lacks lines that its checkpoint knows of.
    #[error(
        "the ledger {} does not hold the {known} lines that its checkpoint knows of: it was cut or \
         replaced by an older copy; restore the newest copy, and release nothing before",
        path.display()
    )]
    RolledBack {
        /// The ledger file.
        path: PathBuf,
        /// How many lines the checkpoint knows of.
        known: u64,
        /// How many lines there are.
        found: u64,
    },
    /// The ledger hides another unit or relation between neighbours.
    #[error(
        "the ledger protects {recorded_unit} under {recorded_adjacency}, and the policy says \
         {policy_unit} under {policy_adjacency}; losses for different units do not add up, so \
         use the unit and adjacency of the ledger",
        recorded_unit = in_policy_words(&.recorded.0), recorded_adjacency = in_policy_words(&.recorded.1),
        policy_unit = in_policy_words(&.policy.0), policy_adjacency = in_policy_words(&.policy.1)
    )]
    UnitDiffers {
        /// What the ledger was opened with.
        recorded: Box<(PrivacyUnit, Adjacency)>,
        /// What the policy states.
        policy: Box<(PrivacyUnit, Adjacency)>,
    },
    /// A recorded charge costs more than was recorded.
    #[error(
        "line {line} of the ledger records epsilon {recorded:?} for mechanisms that cost {price:?}; \
         release nothing from this dataset and report it as a bug, unless a backup of the ledger says otherwise"
    )]
    UnderPriced {
        /// The line, from 1.
        line: u64,
        /// The epsilon on record.
        recorded: f64,
        /// What the accountant says now.
        price: f64,
    },
    /// A recorded charge cannot be priced.
    #[error(
        "line {line} of the ledger cannot be priced; use the version of dpsynth that wrote it, or a newer one"
    )]
    Unpriceable {
        /// The line, from 1.
        line: u64,
        /// What the accountant said.
        source: AccountingError,
    },
    /// The ledger is from before keys.
    #[error(
        "the ledger {} was written by a version without signatures; compare it with every published \
         report, then vouch for it with `dpsynth ledger adopt`",
        path.display()
    )]
    Unsigned {
        /// The ledger file.
        path: PathBuf,
    },
    /// A record does not survive being written and read; nothing was written.
    #[error(
        "a ledger record would not have been read back as it was meant; this is a bug, please report it"
    )]
    Unwritable,
    /// The file has another format.
    #[error("the ledger has format version {version}; use a version of dpsynth that knows it")]
    VersionUnknown {
        /// The version on its first line.
        version: u32,
    },
}

impl LedgerError {
    /// Every code that [`LedgerError::code`] returns, but for those of pricing and of randomness.
    pub const CODES: &'static [&'static str] = &[
        "DPS0201", "DPS0202", "DPS0203", "DPS0204", "DPS0205", "DPS0206", "DPS0207", "DPS0208",
        "DPS0209", "DPS0210", "DPS0211", "DPS0212", "DPS0213", "DPS0214", "DPS0215", "DPS0216",
        "DPS0217", "DPS0218", "DPS0220", "DPS0221", "DPS0222", "DPS0223", "DPS0224", "DPS0225",
        "DPS0226", "DPS0227", "DPS0228", "DPS0229",
    ];

    /// Returns the stable code of this diagnostic.
    pub fn code(&self) -> &'static str {
        match self {
            LedgerError::Busy { .. } => "DPS0201",
            LedgerError::Io { .. } => "DPS0202",
            LedgerError::Corrupt { .. } => "DPS0203",
            LedgerError::RecordUnknown { .. } => "DPS0204",
            LedgerError::VersionUnknown { .. } => "DPS0205",
            LedgerError::DatasetDiffers { .. } => "DPS0206",
            LedgerError::UnitDiffers { .. } => "DPS0207",
            LedgerError::CapLoosened { .. } => "DPS0208",
            LedgerError::OverRequest { .. } => "DPS0209",
            LedgerError::OverCap { .. } => "DPS0210",
            LedgerError::MechanismMissing => "DPS0211",
            LedgerError::UnderPriced { .. } => "DPS0212",
            LedgerError::Unpriceable { .. } => "DPS0213",
            LedgerError::Poisoned => "DPS0214",
            LedgerError::FileReplaced { .. } => "DPS0215",
            LedgerError::FileTooLong => "DPS0216",
            LedgerError::ChargeTooLong => "DPS0217",
            LedgerError::ChargeUnknown { .. } => "DPS0218",
            LedgerError::Unwritable => "DPS0220",
            LedgerError::ChargeUsed => "DPS0221",
            LedgerError::Unsigned { .. } => "DPS0222",
            LedgerError::RolledBack { .. } => "DPS0223",
            LedgerError::CheckpointMissing { .. } => "DPS0224",
            LedgerError::CheckpointDamaged { .. } => "DPS0225",
            LedgerError::KeyMissing { .. } => "DPS0226",
            LedgerError::KeyDiffers { .. } => "DPS0227",
            LedgerError::KeyExposed { .. } => "DPS0228",
            LedgerError::AdjacencyDiffers { .. } => "DPS0229",
            LedgerError::Pricing(source) => source.code(),
            LedgerError::Randomness(source) => source.code(),
        }
    }
}

/// A lifetime cap.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cap {
    /// On delta.
    Delta,
    /// On epsilon.
    Epsilon,
}

impl Cap {
    fn name(self) -> &'static str {
        match self {
            Cap::Delta => "delta",
            Cap::Epsilon => "epsilon",
        }
    }
}

fn nearest_advice(nearest: Option<(f64, f64)>, subject: &Subject) -> String {
    match nearest {
        Some((epsilon, delta)) => {
            format!("ask for `--epsilon {epsilon:?} --delta {delta:?}` or less")
        }
        None => format!("nothing more can be released from this {subject}"),
    }
}

/// Shows a public value as the ledger and the policy spell it.
fn in_policy_words(value: &impl serde::Serialize) -> String {
    // OK because units and relations have no part that JSON lacks; the fallback is never seen.
    serde_json::to_string(value).unwrap_or_default()
}
