//! One error for the command line: a code, a text, and who must act.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use dpsynth_audit::AuditError;
use dpsynth_evaluate::EvaluateError;
use dpsynth_privacy::NumberError;
use dpsynth_privacy::ledger::LedgerError;
use dpsynth_table::{TableError, WriteError};
use dpsynth_train::TrainError;
use thiserror::Error;

use crate::audits::AuditTablesError;
use crate::folder::FolderError;
use crate::import::ImportError;
use crate::plan::PlanError;
use crate::policy::{Findings, LearnError, PolicyError};
use crate::release::ReleaseError;
use crate::synthesise::SynthesisError;

/// Why a command did not do what it was asked to.
#[derive(Debug, Error)]
pub(super) enum CliError {
    #[error(transparent)]
    Audit(#[from] AuditError),
    #[error(
        "the audit found something; do not rely on this build or this release, and report what was found"
    )]
    AuditFound,
    #[error(
        "dpsynth has a defect, met at {place}; please report it with this line, nothing was released and what was charged stays charged"
    )]
    Defect { place: String },
    #[error(transparent)]
    Evaluate(#[from] EvaluateError),
    #[error(transparent)]
    Folder(#[from] FolderError),
    #[error(transparent)]
    Import(#[from] ImportError),
    #[error(
        "{} lies inside a release, and an evaluation is made from the real data without protection; name a folder elsewhere with `--out`",
        .0.display()
    )]
    InsideRelease(PathBuf),
    #[error("{} exists already; name another file, nothing is ever overwritten", .0.display())]
    FileExists(PathBuf),
    #[error("{} cannot be read or written ({source}); check the path and its permissions", .path.display())]
    Io {
        path: PathBuf,
        source: std::io::Error,
    },
    #[error(
        "the policy names no data file; name it as `dpsynth release DATA`, or with `file` under `[dataset]` in the policy"
    )]
    DataMissing,
    #[error(transparent)]
    Learn(#[from] LearnError),
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    #[error("{} holds no policy, so its rows cannot be checked; use the model of a release", .0.display())]
    ModelWithoutPolicy(PathBuf),
    #[error("{} is a model of the engine `{engine}`, which has no latents to look at; inspect one of `decoder` or `vae`", .path.display())]
    NoLatents { path: PathBuf, engine: &'static str },
    #[error("`--{flag}` is not usable: {source}")]
    Number {
        flag: &'static str,
        source: NumberError,
    },
    #[error("{} holds no report that this program can read ({why}); name the folder of a release, made by the same version", .folder.display())]
    NoReport { folder: PathBuf, why: String },
    #[error("the operating system gave no random seed; check its random device, or pass `--seed`")]
    NoSeed,
    #[error(transparent)]
    Plan(#[from] PlanError),
    #[error("the policy is not valid")]
    PolicyFindings {
        path: PathBuf,
        text: String,
        findings: Findings,
    },
    #[error("the policy {} was not found; write one with `dpsynth init DATA --out dpsynth.toml`, or name it with `--policy`", .0.display())]
    PolicyMissing(PathBuf),
    #[error(transparent)]
    Policy(#[from] PolicyError),
    #[error(transparent)]
    Release(#[from] ReleaseError),
    #[error(transparent)]
    Synthesis(#[from] SynthesisError),
    #[error(transparent)]
    Table(#[from] TableError),
    #[error(transparent)]
    Train(#[from] TrainError),
    #[error(
        "`{0}` is not a code of dpsynth; codes look like DPS4003 and are printed with every message"
    )]
    UnknownCode(String),
    #[error("the {what} failed its verification; do not rely on it, and ask who keeps it")]
    VerificationFailed { what: &'static str },
    #[error(transparent)]
    Write(#[from] WriteError),
}

impl From<AuditTablesError> for CliError {
    fn from(error: AuditTablesError) -> Self {
        match error {
            AuditTablesError::Audit(error) => Self::Audit(error),
            AuditTablesError::Schema(error) => Self::Release(error),
            AuditTablesError::Table(error) => Self::Table(error),
        }
    }
}

impl CliError {
    /// The codes of this family.
    pub(super) const CODES: &'static [&'static str] = &[
        "DPS5101", "DPS5102", "DPS5103", "DPS5104", "DPS5105", "DPS5106", "DPS5107", "DPS5108",
        "DPS5109", "DPS5121", "DPS5122", "DPS6010", "DPS9001",
    ];

    /// Wraps an error of the file system.
    pub(super) fn io(path: &Path, source: std::io::Error) -> Self {
        Self::Io {
            path: path.to_owned(),
            source,
        }
    }

    /// The stable code of the diagnostic.
    pub(super) fn code(&self) -> &'static str {
        match self {
            Self::Audit(error) => error.code(),
            Self::AuditFound => "DPS6010",
            Self::Defect { .. } => "DPS9001",
            Self::Evaluate(error) => error.code(),
            Self::Folder(error) => error.code(),
            Self::Import(error) => error.code(),
            Self::InsideRelease(_) => "DPS5121",
            Self::NoReport { .. } => "DPS5122",
            Self::FileExists(_) => "DPS5101",
            Self::Io { .. } => "DPS5102",
            Self::DataMissing => "DPS5103",
            Self::Learn(error) => error.code(),
            Self::Ledger(error) => error.code(),
            Self::ModelWithoutPolicy(_) => "DPS5104",
            Self::Number { source, .. } => source.code(),
            Self::NoLatents { .. } => "DPS5109",
            Self::NoSeed => "DPS5105",
            Self::Plan(error) => error.code(),
            Self::PolicyFindings { findings, .. } => findings
                .iter()
                .next()
                .map_or("DPS4001", |finding| finding.code),
            Self::PolicyMissing(_) => "DPS5106",
            Self::Policy(error) => error.code(),
            Self::Release(error) => error.code(),
            Self::Synthesis(error) => error.code(),
            Self::Table(error) => error.code(),
            Self::Train(error) => error.code(),
            Self::UnknownCode(_) => "DPS5107",
            Self::VerificationFailed { .. } => "DPS5108",
            Self::Write(error) => error.code(),
        }
    }

    /// The exit code: who must act.
    pub(super) fn exit_code(&self) -> ExitCode {
        ExitCode::from(match blame(self.code()) {
            Blame::Refused => 1,
            Blame::Input => 2,
            Blame::Bug => 3,
            Blame::Verification => 4,
        })
    }
}

/// Who must act on a diagnostic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Blame {
    /// The policy or the budget says no.
    Refused,
    /// Policy, flag, rule or table is wrong.
    Input,
    /// Our defect.
    Bug,
    /// A check of a release failed.
    Verification,
}

/// Sorts a code by who must act.
pub(super) fn blame(code: &str) -> Blame {
    match code {
        // More than the policy allows, more than remains, or a loosened cap.
        "DPS0208" | "DPS0209" | "DPS0210" | "DPS4050" | "DPS4051" | "DPS5121" => Blame::Refused,
        "DPS5108" | "DPS6010" | "DPS6011" => Blame::Verification,
        // The core refused its own audit.
        "DPS6001" => Blame::Bug,
        _ if code.starts_with("DPS03") || code.starts_with("DPS90") => Blame::Bug,
        _ => Blame::Input,
    }
}
