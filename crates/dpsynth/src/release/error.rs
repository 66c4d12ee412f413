//! Why there is no release.

use dpsynth_evaluate::EvaluateError;
use dpsynth_privacy::ledger::LedgerError;
use dpsynth_privacy::{MechanismError, RecordsError};
use dpsynth_table::{SchemaError, TableError};
use dpsynth_train::TrainError;
use thiserror::Error;

use crate::folder::FolderError;
use crate::plan::PlanError;
use crate::policy::LearnError;
use crate::self_audit::SelfAuditError;
use crate::synthesise::SynthesisError;

/// Why there is no release.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ReleaseError {
    /// Tables cannot be compared.
    #[error(transparent)]
    Evaluate(#[from] EvaluateError),
    /// The folder cannot be made.
    #[error(transparent)]
    Folder(#[from] FolderError),
    /// The table's header is not what the policy states.
    #[error("the table's columns are not those of the policy ({}); declare every column in the policy, those to leave out with `kind = \"ignore\"`", header_text(.absent, .unknown))]
    Header {
        /// Columns that the policy states and the table lacks.
        absent: Vec<String>,
        /// Columns that the table has and the policy does not state.
        unknown: Vec<String>,
    },
    /// The ledger refused, or cannot be used.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// What was learned does not fit the policy.
    #[error(transparent)]
    Learn(#[from] LearnError),
    /// A mechanism did not run.
    #[error(transparent)]
    Mechanism(#[from] MechanismError),
    /// A figure of the plan cannot be computed.
    #[error(transparent)]
    Plan(#[from] PlanError),
    /// A graphics processor was asked for, and the engine has no use for it.
    #[error(
        "only the engine `vae` can train on a graphics processor; leave out `--device`, or ask for `--engine vae`"
    )]
    ProcessorUnused,
    /// The encoded table makes no records.
    #[error(transparent)]
    Records(#[from] RecordsError),
    /// The columns make no schema.
    #[error(transparent)]
    Schema(#[from] SchemaError),
    /// The self test found a fault, or could not run.
    #[error(transparent)]
    SelfAudit(#[from] SelfAuditError),
    /// No rows could be drawn.
    #[error(transparent)]
    Synthesis(#[from] SynthesisError),
    /// The table cannot be read.
    #[error(transparent)]
    Table(#[from] TableError),
    /// More rows than memory can hold.
    #[error("more rows were asked for than this machine can hold; ask for fewer with `--rows`")]
    TooManyRows,
    /// Training failed.
    #[error(transparent)]
    Train(#[from] TrainError),
    /// There is a ledger for a universe and no universe in the policy, or the other way round.
    #[error(
        "a ledger of a universe goes with a policy that names one, and with no other; give both or neither"
    )]
    UniverseUnmatched,
}

fn header_text(absent: &[String], unknown: &[String]) -> String {
    let quote = |names: &[String]| {
        names
            .iter()
            .map(|name| format!("`{name}`"))
            .collect::<Vec<_>>()
            .join(", ")
    };
    match (absent.is_empty(), unknown.is_empty()) {
        (false, true) => format!("missing: {}", quote(absent)),
        (true, false) => format!("not declared: {}", quote(unknown)),
        _ => format!(
            "missing: {}; not declared: {}",
            quote(absent),
            quote(unknown)
        )
        .replace("; ", ", "),
    }
}

impl ReleaseError {
    /// The codes of this family.
    pub const CODES: &'static [&'static str] = &["DPS5011", "DPS5012", "DPS5013", "DPS5014"];

    /// The stable code of the diagnostic.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Evaluate(error) => error.code(),
            Self::Folder(error) => error.code(),
            Self::Header { .. } => "DPS5011",
            Self::Ledger(error) => error.code(),
            Self::Learn(error) => error.code(),
            Self::Mechanism(error) => error.code(),
            Self::Plan(error) => error.code(),
            Self::ProcessorUnused => "DPS5013",
            Self::Records(error) => error.code(),
            Self::Schema(error) => error.code(),
            Self::SelfAudit(error) => error.code(),
            Self::Synthesis(error) => error.code(),
            Self::Table(error) => error.code(),
            Self::TooManyRows => "DPS5012",
            Self::Train(error) => error.code(),
            Self::UniverseUnmatched => "DPS5014",
        }
    }
}
