//! `dpsynth plan`: what a release would spend.

use std::fmt::Write;
use std::path::PathBuf;

use dpsynth_privacy::ledger::{Ledger, Outlook, Prospect, Standing};
use dpsynth_privacy::{Delta, Epsilon, Mechanism, PrivacyUnit};
use dpsynth_table::Format;

use super::args::{Asked, EngineName, FormatName, Plan};
use super::error::CliError;
use super::plan_json::{PlanFigures, Remaining};
use super::{print, print_json, public_seed, read_policy};
use crate::plan::{Cost, ModelPlan, ReleasePlan};
use crate::policy::{Engine, Policy};
use crate::release::{terms, universe_terms};
use crate::report::{delta_text, epsilon_down, epsilon_up, mechanism_in_words, plan_lines};

/// Prints the plan of a release.
pub(super) fn run(args: &Plan) -> Result<(), CliError> {
    let policy = read_policy(&args.asked.policy)?;
    let plan = plan(&policy, &args.asked)?;
    let budgets = budgets(&policy, &plan, &args.asked)?;
    if args.json {
        let remaining = budgets.iter().map(Budget::remaining).collect();
        print_json(&PlanFigures::new(&policy, &plan, remaining)?);
    } else {
        print(&describe(&policy, &plan, &budgets)?);
    }
    let mut refusals = budgets.into_iter().filter_map(|it| it.outlook.refusal);
    refusals
        .next()
        .map_or(Ok(()), |refusal| Err(refusal.into()))
}

/// Lays the flags over the policy and plans the release.
pub(super) fn plan(policy: &Policy, asked: &Asked) -> Result<ReleasePlan, CliError> {
    let number = |flag| move |source| CliError::Number { flag, source };
    let epsilon = asked
        .epsilon
        .map(Epsilon::new)
        .transpose()
        .map_err(number("epsilon"))?;
    let delta = asked
        .delta
        .map(Delta::new)
        .transpose()
        .map_err(number("delta"))?;
    let format = asked.format.map(|format| match format {
        FormatName::Csv => Format::Csv,
        FormatName::CsvGz => Format::CsvGz,
        FormatName::CsvZst => Format::CsvZst,
        FormatName::Parquet => Format::Parquet,
        FormatName::Arrow => Format::Arrow,
    });
    let tightened = policy.tighten(epsilon, delta, asked.rows, format)?;
    let engine = asked.engine.map(|engine| match engine {
        EngineName::Decoder => Engine::Decoder,
        EngineName::Marginals => Engine::Marginals,
        EngineName::Copula => Engine::Copula,
        EngineName::Vae => Engine::Vae,
    });
    Ok(ReleasePlan::new(
        policy,
        &tightened,
        engine,
        public_seed(asked.seed)?,
    )?)
}

/// The ledger that a release is charged to.
pub(super) fn ledger_path(policy: &Policy, asked: &Asked) -> PathBuf {
    asked
        .ledger
        .clone()
        .unwrap_or_else(|| policy.dataset.ledger_beside(&asked.policy))
}

/// The ledger of the universe that a release is charged to as well, if the policy names one.
pub(super) fn universe_path(policy: &Policy, asked: &Asked) -> Option<PathBuf> {
    let universe = policy.universe.as_ref()?;
    Some(universe.ledger_beside(&asked.policy))
}

fn describe(policy: &Policy, plan: &ReleasePlan, budgets: &[Budget]) -> Result<String, CliError> {
    let mut page = String::new();
    // Writing to a string cannot fail.
    let _ = head(&mut page, policy, plan);
    let _ = stages(&mut page, plan);
    let Cost {
        price,
        readings,
        profile,
    } = plan.cost()?;
    let _ = writeln!(
        page,
        "\nThe exact epsilon lies between {} and {}; the second accountant (Renyi) says at most {}.",
        price.certified.lower,
        price.certified.upper,
        epsilon_up(price.renyi)
    );
    page.push_str(&plan_lines(&readings));
    let _ = writeln!(page, "\nThe same release at other values of delta:");
    for (delta, epsilon) in profile {
        let _ = writeln!(page, "  delta {delta:<8e} epsilon {}", epsilon_up(epsilon));
    }
    let _ = writeln!(page, "\nWhat to expect (from public figures only):");
    for remark in plan.expectation().remarks {
        let _ = writeln!(page, "  - {}", wrap(&remark, 96, "    "));
    }
    let _ = interactions(&mut page, policy);
    let _ = writeln!(page);
    page.extend(budgets.iter().map(Budget::describe));
    Ok(page)
}

/// Lists the rules whose repair changes what another looks at.
fn interactions(page: &mut String, policy: &Policy) -> std::fmt::Result {
    let found = policy.rules.interactions();
    if found.is_empty() {
        return Ok(());
    }
    writeln!(
        page,
        "\nRules that work on the same columns (every rule is checked after all repairs):"
    )?;
    for interaction in found.iter().take(MOST_INTERACTIONS) {
        let line = format!(
            "the repair of `{}` changes `{}`, which `{}` looks at",
            interaction.changes, interaction.column, interaction.looks
        );
        writeln!(page, "  - {}", wrap(&line, 96, "    "))?;
    }
    match found.len().saturating_sub(MOST_INTERACTIONS) {
        0 => Ok(()),
        more => writeln!(page, "  - and {more} more"),
    }
}

/// More interactions than this are counted only.
const MOST_INTERACTIONS: usize = 12;

fn head(page: &mut String, policy: &Policy, plan: &ReleasePlan) -> std::fmt::Result {
    writeln!(
        page,
        "Plan for `{}`: nothing has been read or spent.\n",
        policy.dataset.name
    )?;
    writeln!(
        page,
        "  engine          {}, {}",
        plan.engine.name(),
        plan.chosen_by.reason()
    )?;
    writeln!(page, "  epsilon asked   {}", plan.epsilon.value())?;
    writeln!(
        page,
        "  epsilon spent   {}   at delta {:e}",
        epsilon_up(plan.epsilon_spent),
        plan.delta.value()
    )?;
    if let PrivacyUnit::User { column, max_rows } = &plan.unit {
        writeln!(
            page,
            "  protected       all rows of one `{column}`, at most {max_rows} of which are used"
        )?;
    }
    match plan.units {
        Some(units) => writeln!(page, "  privacy units   {units} (public)")?,
        None => writeln!(page, "  privacy units   a noisy count will be paid for")?,
    }
    match plan.rows {
        Some(rows) => writeln!(page, "  rows            {rows}")?,
        None => writeln!(page, "  rows            as many as the noisy counts say")?,
    }
    match &plan.model {
        ModelPlan::Decoder(decoder) => writeln!(
            page,
            "  model           {} columns, {} cells to count, {} mixture components\n",
            decoder.columns.codes.len(),
            decoder.columns.cells(),
            decoder.fit.components
        ),
        ModelPlan::Marginals(columns) => writeln!(
            page,
            "  model           {} columns, {} cells to count, cliques of at most four columns and the target\n",
            columns.codes.len(),
            columns.cells()
        ),
        ModelPlan::Copula(columns) => writeln!(
            page,
            "  model           {} columns, {} cells to count, {} correlations\n",
            columns.codes.len(),
            columns.cells(),
            columns.codes.len() * (columns.codes.len() - 1) / 2
        ),
        ModelPlan::Vae(vae) => writeln!(
            page,
            "  network         {} columns, {} cells, {} parameters\n",
            vae.shape.columns(),
            vae.shape.total_codes(),
            vae.shape.parameters()
        ),
    }
}

fn stages(page: &mut String, plan: &ReleasePlan) -> std::fmt::Result {
    writeln!(page, "What will be spent on what:")?;
    for stage in &plan.stages {
        let noise = match &stage.mechanism {
            Mechanism::UnitCount(count) => {
                format!("noise of {:.1} units", count.noise_multiplier.value())
            }
            Mechanism::Marginals(marginals) => format!(
                "{} histograms, noise of {:.1} rows in each cell",
                marginals.column_sets.len(),
                marginals.noise_multiplier.value() * f64::from(plan.unit.max_rows())
            ),
            Mechanism::DpSgd(sgd) => format!(
                "{} steps, sampling rate {:.4}, clip norm {}, noise multiplier {:.4}",
                sgd.steps.value(),
                sgd.sampling_rate.value(),
                sgd.clip_norm.value(),
                sgd.noise_multiplier.value()
            ),
            other => mechanism_in_words(other),
        };
        writeln!(
            page,
            "  {:<26} epsilon {:>8} alone   {noise}",
            stage.purpose.describe(),
            epsilon_up(stage.epsilon_alone)
        )?;
    }
    if plan.stages.len() < 2 {
        return Ok(());
    }
    writeln!(
        page,
        "  Together they cost {}, less than their sum.",
        epsilon_up(plan.epsilon_spent)
    )
}

/// A budget for life: where its ledger is, and how far it goes.
struct Budget {
    what: &'static str,
    path: PathBuf,
    outlook: Outlook,
}

impl Budget {
    fn remaining(&self) -> Remaining {
        Remaining {
            what: self.what,
            path: self.path.display().to_string(),
            epsilon: self.outlook.remaining_epsilon,
            delta: self.outlook.remaining_delta,
            suffices: self.outlook.refusal.is_none(),
        }
    }

    fn describe(&self) -> String {
        let (what, path, outlook) = (self.what, self.path.display(), &self.outlook);
        let (epsilon, delta) = (
            outlook.remaining_epsilon,
            delta_text(outlook.remaining_delta),
        );
        let mut page = String::new();
        // Writing to a string cannot fail.
        let _ = match outlook.ledger {
            Standing::Sound => {
                let left = epsilon_down(epsilon);
                writeln!(
                    page,
                    "{what} {path}: epsilon {left} and delta {delta} remain."
                )
            }
            Standing::Absent => writeln!(
                page,
                "{what} {path}: will be made; epsilon {epsilon} and delta {delta} are allowed for life."
            ),
        };
        let _ = match outlook.refusal {
            Some(_) => writeln!(
                page,
                "This release would be REFUSED: it exceeds what remains."
            ),
            None => writeln!(
                page,
                "After this release epsilon {} remains, enough for {} more like it.",
                epsilon_down(outlook.epsilon_after),
                // OK because one is admitted.
                outlook.charges - 1
            ),
        };
        page
    }
}

/// Looks how far the budgets of a policy go for releases like this one.
fn budgets(policy: &Policy, plan: &ReleasePlan, asked: &Asked) -> Result<Vec<Budget>, CliError> {
    let prospect = Prospect {
        epsilon_spent: plan.epsilon_spent,
        epsilon: plan.epsilon,
        delta: plan.delta,
    };
    let path = ledger_path(policy, asked);
    let mut budgets = vec![Budget {
        what: "Ledger",
        outlook: Ledger::outlook(&path, &terms(policy), prospect)?,
        path,
    }];
    if let (Some(path), Some(terms)) = (universe_path(policy, asked), universe_terms(policy)) {
        budgets.push(Budget {
            what: "Universe",
            outlook: Ledger::universe_outlook(&path, &terms, prospect)?,
            path,
        });
    }
    Ok(budgets)
}

/// Breaks a sentence into lines.
fn wrap(text: &str, width: usize, indent: &str) -> String {
    let (mut out, mut length) = (String::new(), 0);
    for word in text.split_whitespace() {
        if length > 0 && length + 1 + word.len() > width {
            out.push('\n');
            out.push_str(indent);
            length = 0;
        } else if length > 0 {
            out.push(' ');
            length += 1;
        }
        out.push_str(word);
        length += word.len();
    }
    out
}
