//! What `dpsynth audit` needs of policies and tables: numbers of a plan, and columns of files.

use std::path::Path;

use dpsynth_audit::release::{AuditColumn, AuditTable};
use dpsynth_audit::training::{CountCanaries, DELTA, GradientCanaries, judge};
use dpsynth_audit::{AuditError, Check, Watch};
use dpsynth_privacy::{Adjacency, Delta, Mechanism, accountant};
use dpsynth_table::{Dialect, Domain, ReadOptions, Schema, TableError, read};

use crate::folder::synthetic_table;
use crate::plan::{ModelPlan, ReleasePlan};
use crate::policy::{Engine, Policy};
use crate::release::ReleaseError;

/// Rows of the stand-in table, besides canaries.
const STAND_IN_ROWS: u32 = 1000;

/// Runs every stage of a plan that can have canaries, once, on a stand-in table of the plan's codes.
///
/// # Errors
/// If a stage refuses to run.
pub fn training_checks(
    plan: &ReleasePlan,
    canaries: u16,
    seed: u64,
) -> Result<Vec<Check>, AuditError> {
    let mut checks = Vec::new();
    let delta = Delta::new(DELTA).map_err(|error| AuditError::refused(error.code(), &error))?;
    for stage in &plan.stages {
        let watch = Watch::start();
        // Canaries come and go, whatever the neighbours of the policy are.
        let event = stage.mechanism.event();
        let epsilon = accountant::epsilon(&event, Adjacency::AddOrRemoveOne, delta)
            .map_err(|error| AuditError::refused(error.code(), &error))?;
        let claim = (epsilon, DELTA);
        let (name, guesses) = match (&stage.mechanism, &plan.model) {
            (Mechanism::DpSgd(sgd), ModelPlan::Vae(vae)) => (
                "training by DP-SGD, every step seen",
                GradientCanaries {
                    network: vae.shape.network().clone(),
                    sgd: sgd.clone(),
                    optimiser: vae.optimiser,
                    rows: STAND_IN_ROWS,
                    canaries,
                    seed,
                }
                .run()?,
            ),
            (
                Mechanism::ChosenMarginals(chosen),
                ModelPlan::Decoder(crate::plan::DecoderPlan { columns, .. })
                | ModelPlan::Marginals(columns)
                | ModelPlan::Copula(columns),
            ) => (
                "counts of all columns and pairs, every count seen",
                CountCanaries {
                    domain_sizes: columns.codes.clone(),
                    noise_multiplier: chosen.noise_multiplier,
                    rows: STAND_IN_ROWS,
                    canaries,
                    seed,
                }
                .run()?,
            ),
            _ => continue,
        };
        checks.push(judge(name, &guesses, claim, &watch));
    }
    Ok(checks)
}

/// The tables of a release audit.
pub struct ReleaseTables {
    /// The released one.
    pub synthetic: AuditTable,
    /// Records that it was made from.
    pub real: AuditTable,
    /// Records that it was not made from.
    pub control: AuditTable,
    /// Records of people who ask.
    pub canaries: Option<AuditTable>,
}

impl ReleaseTables {
    /// Reads all tables under the schema of the policy, numbers to within a cell of its finest grid.
    ///
    /// # Errors
    /// If a table cannot be read or does not fit the schema.
    pub fn read(
        policy: &Policy,
        folder: &Path,
        (against, control): (&Path, &Path),
        canary: Option<&Path>,
    ) -> Result<Self, AuditTablesError> {
        let schema = policy
            .modelled_schema(Engine::Decoder)
            .map_err(ReleaseError::from)?;
        let mut ignored: Vec<String> = policy.ignored.clone();
        ignored.extend(policy.derived());
        ignored.extend(policy.identifiers());
        let table = |path: &Path, dialect: Dialect| -> Result<AuditTable, AuditTablesError> {
            let options = ReadOptions {
                format: None,
                dialect,
                ignored: ignored.clone(),
            };
            columns(&schema, read(path, &schema, options)?.codes)
        };
        let dialect = policy.dataset.dialect;
        let released = synthetic_table(folder);
        let released = released.map_or_else(|| folder.join("synthetic.csv"), |(path, _)| path);
        Ok(Self {
            synthetic: table(&released, Dialect::default())?,
            real: table(against, dialect)?,
            control: table(control, dialect)?,
            canaries: canary.map(|path| table(path, dialect)).transpose()?,
        })
    }
}

/// Turns rows of codes into columns.
fn columns(schema: &Schema, codes: Vec<u16>) -> Result<AuditTable, AuditTablesError> {
    let width = schema.columns().len();
    let cells = |index: usize| codes.iter().skip(index).step_by(width).copied();
    let columns = schema
        .columns()
        .iter()
        .zip(schema.coders())
        .enumerate()
        .map(|(index, (column, coder))| {
            let present = |code: u16| (Some(code) != coder.missing_code()).then_some(code);
            match column.domain {
                Domain::Duration { .. }
                | Domain::Integer { .. }
                | Domain::Float { .. }
                | Domain::Date { .. }
                | Domain::Timestamp { .. } => AuditColumn::Numeric(
                    cells(index).map(|it| present(it).map(f64::from)).collect(),
                ),
                _ => AuditColumn::Category(
                    cells(index).map(|it| present(it).map(u32::from)).collect(),
                ),
            }
        })
        .collect();
    let names = schema.names().map(str::to_owned).collect();
    Ok(AuditTable::new(names, columns)?)
}

/// Why the tables of a release audit cannot be had.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AuditTablesError {
    /// They are no tables for an audit.
    #[error(transparent)]
    Audit(#[from] AuditError),
    /// The columns make no schema.
    #[error(transparent)]
    Schema(#[from] ReleaseError),
    /// One cannot be read.
    #[error(transparent)]
    Table(#[from] TableError),
}
