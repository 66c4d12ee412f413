//! What a folder says about its charge, whatever else it holds.

use std::path::Path;

use dpsynth_privacy::{Mechanism, PrivacyUnit};

use super::{read_figures, read_report};
use crate::figures::{FIGURES, PaidFigures};
use crate::report::{LedgerSection, Report, UniverseSection};

/// A release, or figures that were paid for beside one.
pub(super) enum Told {
    Release(Box<Report>),
    Figures(Box<PaidFigures>),
}

/// What was charged, as a folder states it.
pub(super) struct Stated<'a> {
    pub(super) dataset: &'a str,
    pub(super) ledger: Option<&'a LedgerSection>,
    pub(super) universe: Option<&'a UniverseSection>,
    pub(super) mechanisms: Vec<&'a Mechanism>,
    pub(super) epsilon_spent: Option<f64>,
    pub(super) delta: f64,
    pub(super) policy_sha256: &'a str,
    pub(super) unit: &'a PrivacyUnit,
}

impl Told {
    /// Reads what the folder states.
    pub(super) fn read(folder: &Path) -> Result<Self, String> {
        if folder.join(FIGURES).is_file() {
            read_figures(folder).map(|it| Self::Figures(Box::new(it)))
        } else {
            read_report(folder).map(|it| Self::Release(Box::new(it)))
        }
    }

    pub(super) fn stated(&self) -> Stated<'_> {
        match self {
            Self::Release(report) => Stated::of_release(report),
            Self::Figures(figures) => Stated::of_figures(figures),
        }
    }
}

impl<'a> Stated<'a> {
    pub(super) fn of_release(report: &'a Report) -> Self {
        Self {
            dataset: &report.dataset,
            ledger: report.ledger.as_ref(),
            universe: report.universe.as_ref(),
            mechanisms: (report.mechanisms.iter().map(|it| &it.mechanism)).collect(),
            epsilon_spent: report.privacy.epsilon_spent,
            delta: report.privacy.delta,
            policy_sha256: &report.policy.sha256,
            unit: &report.privacy.unit,
        }
    }

    pub(super) fn of_figures(figures: &'a PaidFigures) -> Self {
        Self {
            dataset: &figures.dataset,
            ledger: Some(&figures.ledger),
            universe: figures.universe.as_ref(),
            mechanisms: (figures.mechanisms.iter().map(|it| &it.mechanism)).collect(),
            epsilon_spent: Some(figures.epsilon_spent),
            delta: figures.delta,
            policy_sha256: &figures.policy_sha256,
            unit: &figures.unit,
        }
    }
}
