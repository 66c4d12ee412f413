//! Figures of quality that are paid for, and so may be published beside a release.
//!
//! The same straight line as a release: plan, charge, load, mechanisms, folder. The cells of the comparison
//! and the learner come from the synthetic rows alone.

mod cells;
mod compute;
mod page;
mod plan;

use std::path::Path;

use dpsynth_privacy::ledger::{ChargeRequest, Digest};
use dpsynth_privacy::{Adjacency, DpEvent, Mechanism, PrivacyUnit};
use dpsynth_table::{ReadOptions, Table, read_header};
use serde::{Deserialize, Serialize};

use crate::folder::Folder;
use crate::policy::{Policy, Tightened};
use crate::release::{ReleaseError, open_ledger};
use crate::report::{LedgerSection, UniverseSection, claim, ledger_section, universe_section};
use crate::self_audit::{SelfAuditSection, self_audit};

pub(crate) use cells::cell;
pub use page::markdown;

use compute::Compared;
use plan::FigurePlan;

/// Name of the file that holds the figures.
pub const FIGURES: &str = "figures.json";

/// What paid figures are made from.
pub struct FigureRequest<'a> {
    /// The policy of the release, with what was learned.
    pub policy: &'a Policy,
    /// How much they may cost.
    pub asked: Tightened,
    /// The synthetic table of the release.
    pub synthetic: &'a Table,
    /// SHA-256 of the release's `MANIFEST`.
    pub release: Digest,
    /// The real table.
    pub data: &'a Path,
    /// The column that a learner predicts.
    pub target: Option<&'a str>,
    /// Folder to make; it must not exist.
    pub out: &'a Path,
    /// The ledger of the data set.
    pub ledger: &'a Path,
    /// The ledger of the universe, where the policy names one.
    pub universe: Option<&'a Path>,
}

/// Figures of quality with what they cost, as `figures.json` holds them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PaidFigures {
    /// Version of this format.
    pub figures_version: u32,
    /// Version of dpsynth that made them.
    pub tool_version: String,
    /// The claim in one sentence.
    pub claim: String,
    /// What they are about.
    pub dataset: String,
    /// SHA-256 of the `MANIFEST` of the release whose rows were compared.
    pub release_manifest_sha256: String,
    /// Whose participation is hidden.
    pub unit: PrivacyUnit,
    /// What neighbouring data sets are.
    pub adjacency: Adjacency,
    /// ε that was asked for.
    pub epsilon_asked: f64,
    /// δ at which ε is stated.
    pub delta: f64,
    /// ε that was spent, rounded up.
    pub epsilon_spent: f64,
    /// Every mechanism that has read the data, with the event that was priced.
    pub mechanisms: Vec<PaidMechanism>,
    /// The ledger before and after.
    pub ledger: LedgerSection,
    /// The ledger of the universe before and after; absent where the policy names none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub universe: Option<UniverseSection>,
    /// SHA-256 of the policy.
    pub policy_sha256: String,
    /// What the self test found before anything was charged.
    pub self_audit: SelfAuditSection,
    /// The figures.
    pub figures: Figures,
}

/// A mechanism and its price's event.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PaidMechanism {
    /// Its public numbers.
    pub mechanism: Mechanism,
    /// The event that the accountant priced.
    pub event: DpEvent,
}

/// The figures.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Figures {
    /// Rows that were compared; without noise where the policy states how many there are.
    pub rows: NoisyFigure,
    /// Mean total variation distance of columns, of pairs and of triples, as far as there are any.
    pub mean_total_variation: Vec<NoisyFigure>,
    /// Total variation distance of each column.
    pub columns: Vec<ColumnFigure>,
    /// How well trees that were trained on synthetic rows predict real ones; absent without a target, or
    /// where noise drowned it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub prediction: Option<PredictionFigure>,
}

/// A figure with the noise that it carries.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NoisyFigure {
    /// The figure. Noise may take it out of its range.
    pub value: f64,
    /// Standard deviation of the noise for privacy in it.
    pub noise_stddev: f64,
}

/// A column's distance.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ColumnFigure {
    /// Name of the column.
    pub name: String,
    /// Its total variation distance.
    pub total_variation: NoisyFigure,
}

/// What a learner reaches.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PredictionFigure {
    /// The column that is predicted.
    pub target: String,
    /// The cell of it that is told from all others: the rarest one among the synthetic rows.
    pub class: String,
    /// Area under the receiver operating characteristic.
    pub auc: NoisyFigure,
}

/// Version of the format of `figures.json`.
pub const FIGURES_VERSION: u32 = 2;

impl PaidFigures {
    /// Reads figures; unknown fields are refused.
    ///
    /// # Errors
    /// The parser's message where the text is not of this form.
    pub fn parse(text: &[u8]) -> Result<Self, serde_json::Error> {
        serde_json::from_slice(text)
    }

    /// Writes the figures as they lie in their folder.
    #[must_use]
    pub fn to_json(&self) -> String {
        let mut text = serde_json::to_string_pretty(self).unwrap_or_default();
        text.push('\n');
        text
    }
}

/// Pays for figures, computes them, and writes them to a folder of their own.
///
/// # Guarantee
/// The ledger holds the charge before the real table is opened. What is written is a function of what the charged mechanisms released,
/// and of the release; the tests in `tests/figures.rs` check the charge, and that figures of two tables that differ in
/// one row are those that the noise makes of it.
///
/// # Errors
/// If the budget, the policy, the tables or the file system do not allow it. If the real table cannot be read, the
/// charge is handed back.
pub fn paid_figures(request: &FigureRequest<'_>) -> Result<PaidFigures, ReleaseError> {
    let FigureRequest { policy, asked, .. } = request;
    let folder = Folder::begin(request.out)?;
    let header = read_header(request.data, None, policy.dataset.dialect)?;
    let compared = Compared::new(policy, &header, request.synthetic, request.target)?;
    let adjacency = policy.privacy.adjacency;
    let plan = FigurePlan::new(
        compared.width(),
        compared.counted(),
        adjacency,
        asked.epsilon,
        asked.delta,
    )?;
    let self_audit = self_audit()?;

    let mut ledger = open_ledger(policy, request.ledger, request.universe)?;
    let mut paid = ledger.reserve(ChargeRequest {
        purpose: "figures of quality".to_owned(),
        policy_sha256: Digest::of(policy.text.as_bytes()),
        mechanisms: plan.mechanisms(),
        epsilon: asked.epsilon,
        delta: asked.delta,
    })?;

    let names: Vec<String> = compared.names().map(str::to_owned).collect();
    let options = ReadOptions {
        format: None,
        dialect: policy.dataset.dialect,
        ignored: header
            .into_iter()
            .filter(|name| !names.contains(name))
            .collect(),
    };
    let records = match compared.load(&mut paid, policy, request.data, options) {
        Ok(records) => records,
        Err(error) => {
            ledger.refund(paid)?;
            return Err(error);
        }
    };
    let figures = compared.measure(&mut paid, &records)?;
    drop(records);
    // ══ Below this line every value is released. ══

    // OK because a charge that the ledger has recorded has a receipt.
    let receipt = paid
        .receipt()
        .ok_or(dpsynth_privacy::MechanismError::NotPaid)?;
    let delta = asked.delta.value();
    let unit = policy.privacy.unit.clone();
    let found = PaidFigures {
        figures_version: FIGURES_VERSION,
        tool_version: env!("CARGO_PKG_VERSION").to_owned(),
        claim: claim(
            &policy.dataset.name,
            receipt.epsilon_spent(),
            delta,
            &unit,
            adjacency,
        ),
        dataset: policy.dataset.name.clone(),
        release_manifest_sha256: request.release.to_string(),
        unit,
        adjacency,
        epsilon_asked: asked.epsilon.value(),
        delta,
        epsilon_spent: receipt.epsilon_spent(),
        mechanisms: (plan.mechanisms().into_iter())
            .map(|mechanism| PaidMechanism {
                event: mechanism.event(),
                mechanism,
            })
            .collect(),
        ledger: ledger_section(receipt),
        universe: universe_section(receipt),
        policy_sha256: policy.sha256(),
        self_audit,
        figures,
    };
    folder.write_text(FIGURES, &found.to_json())?;
    folder.write_text("figures.md", &markdown(&found))?;
    folder.finish(|manifest| Ok::<_, ReleaseError>(Some(ledger.commit(paid, manifest)?)))?;
    Ok(found)
}
