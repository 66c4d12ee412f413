//! A release: one straight line from a plan to a folder.
//!
//! Everything before the data is loaded has not touched it; everything after the generator is
//! released can no longer touch it.

mod error;
mod fit;
mod load;

use std::path::{Path, PathBuf};

use dpsynth_privacy::ledger::{ChargeRequest, Digest, Ledger, LedgerTerms, UniverseTerms};
use dpsynth_privacy::{Paid, Taint, insecure};
use dpsynth_table::Format;
use dpsynth_train::{Processor, StepProgress};

use crate::folder::Folder;
use crate::learn;
use crate::model_notes;
use crate::plan::{ModelPlan, ReleasePlan};
use crate::policy::Policy;
use crate::quality::GroupCounts;
use crate::report::{self, Ingredients, Report};
use crate::self_audit::self_audit;
use crate::synthesise::{Synthesis, SynthesisError};

use fit::fit_generator;
use load::Input;

pub use error::ReleaseError;

/// What a release is made from.
pub struct ReleaseRequest<'a> {
    /// The policy.
    pub policy: &'a Policy,
    /// What was decided before the data is opened.
    pub plan: ReleasePlan,
    /// The table.
    pub data: &'a Path,
    /// Its format; nothing to tell it from its name.
    pub data_format: Option<Format>,
    /// Folder to make; it must not exist.
    pub out: &'a Path,
    /// What computes the training steps of the engine `vae`; nothing else can use another than the host.
    pub processor: Processor,
    /// Whether anything protects.
    pub protection: Protection,
}

/// Whether anything protects what comes out.
pub enum Protection {
    /// A ledger is charged.
    Ledger {
        /// The ledger of the data set.
        path: PathBuf,
        /// The ledger of the universe, where the policy names one.
        universe: Option<PathBuf>,
    },
    /// Nothing is charged and no noise is added; the release is stamped as not private.
    None,
}

/// What a release is doing. None of it depends on the data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// The charge was recorded.
    Charged,
    /// The table cannot be read, and the charge was handed back.
    Refunded,
    /// The table is being read.
    Loading,
    /// Counts are being measured.
    Measuring,
    /// A training step was taken.
    Training(StepProgress),
    /// A step of a fit to released counts was taken.
    Fitting(StepProgress),
    /// Rows are being drawn and rules enforced.
    Sampling,
    /// Files are being written.
    Writing,
}

/// Carries out a release and returns its report.
///
/// # Guarantee
/// The ledger holds the charge before the table is opened, and names the release before the folder
/// appears, whole, by one rename, or not at all. If the table cannot be read, no mechanism has run,
/// and the charge is handed back.
///
/// # Errors
/// If the budget, the policy, the table, the rules or the file system do not allow it.
pub fn release(
    request: ReleaseRequest<'_>,
    on_progress: &mut dyn FnMut(Progress),
) -> Result<Report, ReleaseError> {
    let ReleaseRequest {
        policy,
        plan,
        data,
        data_format,
        out,
        processor,
        protection,
    } = request;
    // What can fail without a charge fails first.
    let folder = Folder::begin(out)?;
    let input = Input::new(policy, data, data_format)?;
    let format = plan.format.unwrap_or(input.format.uncompressed());
    check_feasible(policy, &plan, processor)?;
    let cost = match protection {
        Protection::Ledger { .. } => Some(plan.cost()?),
        Protection::None => None,
    };
    // A fault that the self test can see must not cost anybody anything.
    let self_audit = self_audit()?;
    let (mut ledger, mut paid) = charge(policy, &plan, protection)?;
    on_progress(Progress::Charged);

    on_progress(Progress::Loading);
    // Everything is read once before a mechanism runs, so that a faulty table costs nothing. Records
    // that will be read again are not kept meanwhile.
    let loaded = input.records(&mut paid, &plan, policy).and_then(|records| {
        let kept = policy.open.is_empty().then_some(records);
        Ok((kept, input.open_columns(&mut paid, &plan, policy)?))
    });
    let (kept, open) = match loaded {
        Ok(loaded) => loaded,
        Err(error) => {
            if let Some(ledger) = &mut ledger {
                ledger.refund(paid)?;
                on_progress(Progress::Refunded);
            }
            return Err(error);
        }
    };
    let learned = learn::learn(&mut paid, &plan.unit, policy, &open)?;
    drop(open);
    let completed = policy.completed(&learned)?;
    let records = match kept {
        Some(records) => records,
        None => input.records(&mut paid, &plan, &completed)?,
    };
    let policy = &completed;
    let plan = plan.completed(policy)?;
    let fitted = fit_generator(&plan, processor, &mut paid, &records, on_progress)?;
    drop(records);
    // ══ Below this line every value is released. ══

    on_progress(Progress::Sampling);
    // Noise must not ask for more than a stated number of rows could have asked for.
    let most = policy.room().unwrap_or(u64::MAX);
    let rows = plan.rows.unwrap_or(fitted.rows.min(most));
    let rows = usize::try_from(rows).map_err(|_| ReleaseError::TooManyRows)?;
    let modelled = policy.modelled_schema(plan.engine)?;
    let mut counts = (fitted.measured.as_deref()).map(|it| GroupCounts::new(it, &modelled));
    let mut file = folder.begin_table(&policy.schema, format)?;
    let mut drawn = (fitted.generator.clone())
        .try_map(|generator| Synthesis::begin(generator, policy, rows, plan.seed))?;
    while !drawn.is_done() {
        drawn = drawn.try_map(Synthesis::advance)?;
        file.write(&drawn)?;
        if let Some(counts) = &mut counts {
            counts.add(drawn.table());
        }
    }
    file.finish()?;
    let outcomes = drawn.outcomes();
    let quality = counts.map(|counts| counts.quality());
    let report = report::build(&Ingredients {
        policy,
        plan: &plan,
        cost: cost.as_ref(),
        receipt: paid.receipt(),
        taint: paid.taint(),
        rows,
        outcomes: &outcomes,
        quality,
        self_audit,
        learned: &learned,
    });

    on_progress(Progress::Writing);
    let model =
        (fitted.generator).try_map(|model| model.to_bytes(&model_notes::notes(policy, &report)))?;
    folder.write_model(&model)?;
    folder.write_text("report.json", &report.to_json())?;
    folder.write_text("report.md", &report::markdown(&report))?;
    folder.write_text("report.html", &report::html(&report))?;
    folder.write_text("policy.toml", &policy.text)?;
    folder.finish(|manifest| match &mut ledger {
        Some(ledger) => Ok(Some(ledger.commit(paid, manifest)?)),
        None => Ok::<_, ReleaseError>(None),
    })?;
    Ok(report)
}

/// Refuses more rows than identifiers and rules have room for.
fn expect_room(policy: &Policy, rows: u64) -> Result<(), SynthesisError> {
    if let Some((column, room)) = policy.identifier_room()
        && room < rows
    {
        return Err(SynthesisError::NoRoom {
            column: column.to_owned(),
        });
    }
    Ok(policy.rules.expect_room(rows)?)
}

/// Opens the ledger of a policy, and that of its universe at `universe` where it names one.
///
/// # Errors
/// As for [`Ledger::open`] and [`Ledger::within`], and if there is a ledger for a universe and no
/// universe in the policy, or the other way round: a charge would be missing in one of them.
pub fn open_ledger(
    policy: &Policy,
    path: &Path,
    universe: Option<&Path>,
) -> Result<Ledger, ReleaseError> {
    let ledger = Ledger::open(path, &terms(policy))?;
    match (universe, universe_terms(policy)) {
        (Some(path), Some(terms)) => Ok(ledger.within(path, &terms)?),
        (None, None) => Ok(ledger),
        _ => Err(ReleaseError::UniverseUnmatched),
    }
}

/// The terms under which the policy's ledger is kept.
#[must_use]
pub fn terms(policy: &Policy) -> LedgerTerms {
    LedgerTerms {
        dataset: policy.dataset.name.clone(),
        unit: policy.privacy.unit.clone(),
        adjacency: policy.privacy.adjacency,
        lifetime_epsilon: policy.privacy.epsilon_for_life,
        lifetime_delta: policy.privacy.delta_for_life,
    }
}

/// The terms under which the policy's universe is kept, if it names one.
#[must_use]
pub fn universe_terms(policy: &Policy) -> Option<UniverseTerms> {
    let universe = policy.universe.as_ref()?;
    Some(UniverseTerms {
        universe: universe.name.clone(),
        adjacency: policy.privacy.adjacency,
        lifetime_epsilon: universe.epsilon_for_life,
        lifetime_delta: universe.delta_for_life,
    })
}

/// Charges the ledger for every mechanism of the plan, or makes permissions that nothing was paid for.
fn charge(
    policy: &Policy,
    plan: &ReleasePlan,
    protection: Protection,
) -> Result<(Option<Ledger>, Paid), ReleaseError> {
    let mechanisms = plan.mechanisms();
    let Protection::Ledger { path, universe } = protection else {
        let paid = insecure::paid(plan.unit.clone(), mechanisms, Taint::NoNoise, plan.seed);
        return Ok((None, paid));
    };
    let mut ledger = open_ledger(policy, &path, universe.as_deref())?;
    let paid = ledger.reserve(ChargeRequest {
        purpose: "release".to_owned(),
        policy_sha256: Digest::of(policy.text.as_bytes()),
        mechanisms,
        epsilon: plan.epsilon,
        delta: plan.delta,
    })?;
    Ok((Some(ledger), paid))
}

/// Refuses what could only fail, as far as policy and plan tell: nothing that could be known before may
/// fail after the charge.
fn check_feasible(
    policy: &Policy,
    plan: &ReleasePlan,
    processor: Processor,
) -> Result<(), ReleaseError> {
    policy.modelled_schema(plan.engine)?;
    if let Some(rows) = plan.rows {
        expect_room(policy, rows)?;
    }
    match &plan.model {
        ModelPlan::Vae(vae) => Ok(processor.check(&vae.shape)?),
        _ if processor != Processor::Cpu => Err(ReleaseError::ProcessorUnused),
        _ => Ok(()),
    }
}
