//! A release: one straight line from a plan to a folder.
//!
//! Everything before the data is loaded has not touched it; everything after the generator is
//! released can no longer touch it.

mod error;

use std::path::{Path, PathBuf};

use dpsynth_privacy::ledger::{ChargeRequest, Digest, Ledger, LedgerTerms, UniverseTerms};
use dpsynth_privacy::{
    ChosenMarginals, DpSgd, Marginals, OwnedRows, Paid, PrivacyUnit, Private, Records, Released,
    Taint, UnitCount, insecure,
};
use dpsynth_table::{
    Format, OwnerColumn, ReadOptions, Schema, TableError, read, read_header, read_owned,
};
use dpsynth_train::{
    ClassCounts, Generator, Measurements, Processor, StartingCounts, StepProgress, TrainingPlan,
    fit, fit_copula, fit_decoder, fit_graphical, measure,
};

use crate::folder::Folder;
use crate::learn;
use crate::model_notes;
use crate::plan::{MeasuredColumns, ModelPlan, ReleasePlan, VaePlan};
use crate::policy::{MAX_ROWS, Policy};
use crate::quality::GroupCounts;
use crate::report::{self, Ingredients, Report};
use crate::self_audit::self_audit;
use crate::synthesise::{Synthesis, SynthesisError};

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
    // What can fail without a charge fails first; a header holds only what the policy states.
    let folder = Folder::begin(out)?;
    let data_format = data_format.map_or_else(|| Format::of_path(data), Ok)?;
    let format = plan.format.unwrap_or(data_format.uncompressed());
    let dialect = policy.dataset.dialect;
    let header = read_header(data, Some(data_format), dialect)?;
    check_header(policy, &header)?;
    policy.modelled_schema(plan.engine)?;
    // Nothing that could be known before may fail after the charge.
    if let Some(rows) = plan.rows {
        expect_room(policy, rows)?;
    }
    match &plan.model {
        ModelPlan::Vae(vae) => processor.check(&vae.shape)?,
        _ if processor != Processor::Cpu => return Err(ReleaseError::ProcessorUnused),
        _ => {}
    }
    let cost = match protection {
        Protection::Ledger { .. } => Some(plan.cost()?),
        Protection::None => None,
    };
    // A fault that the self test can see must not cost anybody anything.
    let self_audit = self_audit()?;
    let (mut ledger, mut paid) = match protection {
        Protection::Ledger { path, universe } => {
            let mut ledger = open_ledger(policy, &path, universe.as_deref())?;
            let paid = ledger.reserve(charge(policy, &plan))?;
            (Some(ledger), paid)
        }
        Protection::None => {
            let paid = insecure::paid(
                plan.unit.clone(),
                plan.mechanisms(),
                Taint::NoNoise,
                plan.seed,
            );
            (None, paid)
        }
    };
    on_progress(Progress::Charged);

    on_progress(Progress::Loading);
    // Derived columns are computed afterwards, and identifiers made up, so those of the file are not
    // read.
    let ignored = policy
        .ignored
        .iter()
        .cloned()
        .chain(policy.derived())
        .chain(policy.identifiers())
        .collect();
    let options = ReadOptions {
        format: Some(data_format),
        dialect,
        ignored,
    };
    let load = |paid: &mut Paid, policy: &Policy| -> Result<_, ReleaseError> {
        let source = Source {
            path: data.to_owned(),
            schema: policy.modelled_schema(plan.engine)?,
            options: options.clone(),
        };
        load_records(paid, &plan.unit, policy, source)
    };
    // Everything is read once before a mechanism runs, so that a faulty table costs nothing. Records
    // that will be read again are not kept meanwhile.
    let loaded = load(&mut paid, policy).and_then(|records| {
        let kept = policy.open.is_empty().then_some(records);
        let all = ReadOptions {
            ignored: header,
            ..options.clone()
        };
        let open = learn::load(&mut paid, &plan.unit, policy, data, &all)?;
        Ok((kept, open))
    });
    let (kept, open) = match loaded {
        Ok(loaded) => loaded,
        Err(error) => {
            if let Some(ledger) = &mut ledger {
                ledger.refund(paid)?;
            }
            return Err(error);
        }
    };
    let learned = learn::learn(&mut paid, &plan.unit, policy, &open)?;
    drop(open);
    let completed = policy.completed(&learned)?;
    let records = match kept {
        Some(records) => records,
        None => load(&mut paid, &completed)?,
    };
    let policy = &completed;
    let plan = plan.completed(policy)?;

    let (generator, noisy_rows, measured) =
        fit_generator(&plan, processor, &mut paid, &records, on_progress)?;
    drop(records);
    // ══ Below this line every value is released. ══

    on_progress(Progress::Sampling);
    // Noise must not ask for more than a stated number of rows could have asked for.
    let most = policy.room().unwrap_or(u64::MAX);
    let rows = plan.rows.unwrap_or(noisy_rows.min(most));
    let rows = usize::try_from(rows).map_err(|_| ReleaseError::TooManyRows)?;
    let modelled = policy.modelled_schema(plan.engine)?;
    let mut counts = measured
        .as_deref()
        .map(|it| GroupCounts::new(it, &modelled));
    let mut file = folder.begin_table(&policy.schema, format)?;
    let mut drawn = generator
        .clone()
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
    let model = generator.try_map(|model| model.to_bytes(&model_notes::notes(policy, &report)))?;
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

fn charge(policy: &Policy, plan: &ReleasePlan) -> ChargeRequest {
    ChargeRequest {
        purpose: "release".to_owned(),
        policy_sha256: Digest::of(policy.text.as_bytes()),
        mechanisms: plan.mechanisms(),
        epsilon: plan.epsilon,
        delta: plan.delta,
    }
}

/// Refuses a table whose header is not what the policy states, before anything is spent.
fn check_header(policy: &Policy, header: &[String]) -> Result<(), ReleaseError> {
    let derived = policy.derived();
    let absent: Vec<String> = policy
        .schema
        .names()
        .filter(|name| !derived.iter().any(|derived| derived == name))
        .filter(|name| !header.iter().any(|column| column == name))
        .map(str::to_owned)
        .collect();
    if !header
        .iter()
        .any(|column| policy.schema.column(column).is_some())
    {
        // The first record may be one of data, and must not be shown then.
        return Err(TableError::HeaderNotFound.into());
    }
    let unknown: Vec<String> = header
        .iter()
        .filter(|column| policy.schema.column(column).is_none() && !policy.ignored.contains(column))
        .cloned()
        .collect();
    if absent.is_empty() && unknown.is_empty() {
        Ok(())
    } else {
        Err(ReleaseError::Header { absent, unknown })
    }
}

/// What the loader is given: where the table is, and what it must look like.
struct Source {
    path: PathBuf,
    schema: Schema,
    options: ReadOptions,
}

/// Reads the table inside the boundary, and caps the rows of each unit before anything else.
fn load_records(
    paid: &mut Paid,
    unit: &PrivacyUnit,
    policy: &Policy,
    source: Source,
) -> Result<Private<Records>, ReleaseError> {
    let column = match unit {
        PrivacyUnit::Row => return Private::load(paid, source, load),
        PrivacyUnit::User { column, .. } => column,
    };
    let owner = OwnerColumn {
        name: column.clone(),
        missing_tokens: policy.dataset.missing_tokens.clone(),
    };
    let rows = Private::load(paid, (source, owner), load_owned)?;
    Ok(paid.cap(rows)?)
}

/// Reads rows of which each is a unit.
fn load(source: Source) -> Result<Records, ReleaseError> {
    let Source {
        path,
        schema,
        options,
    } = source;
    let table = read(&path, &schema, options)?;
    Ok(Records::rows(schema.codes(), table.codes)?)
}

/// Reads rows that belong to units.
fn load_owned((source, owner): (Source, OwnerColumn)) -> Result<OwnedRows, ReleaseError> {
    let Source {
        path,
        schema,
        options,
    } = source;
    let owned = read_owned(&path, &schema, options, &owner)?;
    Ok(OwnedRows::new(
        schema.codes(),
        owned.table.codes,
        owned.owners,
    )?)
}

/// A generator, how many rows the noisy counts speak of, and the counts it was fitted to.
type Fitted = (Released<Generator>, u64, Option<Released<Measurements>>);

/// Runs every mechanism of the plan; the last values here that depend on records unreleased.
///
/// Returns the generator, how many rows the noisy counts speak of, and these counts where the model was
/// fitted to them.
fn fit_generator(
    plan: &ReleasePlan,
    processor: Processor,
    paid: &mut Paid,
    records: &Private<Records>,
    on_progress: &mut dyn FnMut(Progress),
) -> Result<Fitted, ReleaseError> {
    on_progress(Progress::Measuring);
    let mut kept = None;
    let units = match plan.units {
        Some(units) => units,
        None => {
            let count = paid.authorize::<UnitCount>()?.count(records)?;
            // Noise may bring a small count below 1.
            (*count).max(1).unsigned_abs()
        }
    };
    let expected = units as f64;
    let (generator, counted_rows) = match &plan.model {
        ModelPlan::Decoder(decoder) => {
            let measured = measure_columns(plan, &decoder.columns, expected, paid, records)?;
            kept = Some(measured.clone());
            let steps = decoder.fit.most_steps();
            let rows = measured.total;
            let fitted = measured.map(|measurements| {
                Generator::Mixture(fit_decoder(&decoder.fit, &measurements, &mut |taken, _| {
                    on_progress(Progress::Fitting(StepProgress { taken, steps }));
                }))
            });
            (fitted, rows)
        }
        ModelPlan::Marginals(columns) => {
            let measured = measure_columns(plan, columns, expected, paid, records)?;
            kept = Some(measured.clone());
            let rows = measured.total;
            let fitted = measured.map(|it| Generator::Graphical(fit_graphical(&it)));
            (fitted, rows)
        }
        ModelPlan::Copula(columns) => {
            let measured = measure_columns(plan, columns, expected, paid, records)?;
            kept = Some(measured.clone());
            let rows = measured.total;
            let fitted = measured.map(|it| Generator::Copula(fit_copula(&it, &columns.orders)));
            (fitted, rows)
        }
        ModelPlan::Vae(vae) => {
            let training = TrainingPlan {
                shape: vae.shape.clone(),
                expected_units: expected,
                optimiser: vae.optimiser,
                seed: plan.seed,
                processor,
            };
            train(plan, vae, &training, paid, records, on_progress)?
        }
    };
    let rows = match plan.unit {
        PrivacyUnit::Row => units,
        // The rows of all units, after the cap: as released counts say, within what can be written.
        PrivacyUnit::User { .. } => counted_rows.round().clamp(1.0, MAX_ROWS as f64) as u64,
    };
    Ok((generator, rows, kept))
}

/// Spends the charge for chosen marginals.
fn measure_columns(
    plan: &ReleasePlan,
    columns: &MeasuredColumns,
    units: f64,
    paid: &mut Paid,
    records: &Private<Records>,
) -> Result<Released<Measurements>, ReleaseError> {
    let chosen = paid.authorize::<ChosenMarginals>()?;
    let planned = columns.measure(chosen.mechanism().noise_multiplier, &plan.unit, units);
    Ok(measure(&planned, &mut chosen.open(records)?)?)
}

/// Measures the counts to start from and trains the autoencoder; returns it with the number of rows
/// that the counts speak of.
fn train(
    plan: &ReleasePlan,
    vae: &VaePlan,
    training: &TrainingPlan,
    paid: &mut Paid,
    records: &Private<Records>,
    on_progress: &mut dyn FnMut(Progress),
) -> Result<(Released<Generator>, f64), ReleaseError> {
    let marginals = paid.authorize::<Marginals>()?;
    let noise_stddev =
        marginals.mechanism().noise_multiplier.value() * f64::from(plan.unit.max_rows());
    let sizes = &vae.shape.network().domain_sizes;
    let counts = marginals
        .measure(records)?
        .map(|marginals| starting_counts(sizes, vae.target, marginals, noise_stddev));
    let columns = counts.one_way.len() as f64;
    let rows = counts.one_way.iter().flatten().sum::<f64>() / columns;
    let generator = fit(
        training,
        &counts,
        paid.authorize::<DpSgd>()?,
        records,
        &mut |step| {
            on_progress(Progress::Training(step));
        },
    )?;
    Ok((generator, rows))
}

/// Sorts measured marginals into the counts at which training starts. Without a target they are
/// of single columns; with one, every other column was measured together with it.
fn starting_counts(
    sizes: &[u32],
    target: Option<usize>,
    marginals: Vec<Vec<i64>>,
    noise_stddev: f64,
) -> StartingCounts {
    let tables: Vec<Vec<f64>> = marginals
        .into_iter()
        .map(|counts| counts.into_iter().map(|count| count as f64).collect())
        .collect();
    let Some(target) = target else {
        return StartingCounts {
            one_way: tables,
            by_class: None,
            noise_stddev,
        };
    };
    let classes = sizes[target] as usize;
    let one_way = tables
        .iter()
        .enumerate()
        .map(|(column, table)| {
            if column == target {
                table.clone()
            } else {
                table
                    .chunks(classes)
                    .map(|within| within.iter().sum())
                    .collect()
            }
        })
        .collect();
    let tables = tables
        .into_iter()
        .enumerate()
        .map(|(column, table)| if column == target { Vec::new() } else { table })
        .collect();
    let by_class = Some(ClassCounts { target, tables });
    StartingCounts {
        one_way,
        by_class,
        noise_stddev,
    }
}
