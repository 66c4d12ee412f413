//! Recomputing everything in a release that can be recomputed.

mod figures;
mod files;
mod ledger;
mod readings;
mod stated;

use std::cmp::Ordering;
use std::path::Path;

use dpsynth_privacy::ledger::PublicKey;
use dpsynth_privacy::{Delta, DpEvent, Released, accountant};
use dpsynth_table::{Column, OutOfDomain, ReadOptions, Schema, read_table};
use dpsynth_train::Generator;
use serde::Serialize;

use crate::figures::{FIGURES, PaidFigures};
use crate::folder::{MODEL, synthetic_table};
use crate::model_notes;
use crate::policy::{ChosenBy, Policy};
use crate::readings::{Question, event_of_row};
use crate::report::{Report, claim, html, markdown};
use crate::self_audit::{SelfAuditCheck, SelfAuditSection};
use crate::synthesise::engine;

pub use files::verify_files;
pub use ledger::verify_ledger;

use files::read_text;
use stated::Stated;

/// One check of a release or a ledger.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Check {
    /// What was checked.
    pub what: String,
    /// How it came out.
    #[serde(flatten)]
    pub outcome: Outcome,
}

/// How a check came out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub enum Outcome {
    /// It holds.
    Passed,
    /// It could not be made.
    Skipped {
        /// Why not.
        why: String,
    },
    /// It does not hold.
    Failed {
        /// What is wrong.
        why: String,
    },
}

impl Check {
    fn of(what: impl Into<String>, result: Result<(), String>) -> Self {
        let outcome = result.map_or_else(|why| Outcome::Failed { why }, |()| Outcome::Passed);
        Self {
            what: what.into(),
            outcome,
        }
    }

    fn skipped(what: impl Into<String>, why: impl Into<String>) -> Self {
        Self {
            what: what.into(),
            outcome: Outcome::Skipped { why: why.into() },
        }
    }
}

/// A figure may differ by this much, relatively, when it is computed on another machine.
const RELATIVE_TOLERANCE: f64 = 1e-9;

/// Checks the release in `folder`, or figures that were paid for beside one, its charge if a ledger is given, and who signed if a key is given.
#[must_use]
pub fn verify(folder: &Path, ledger: Option<&Path>, key: Option<&PublicKey>) -> Vec<Check> {
    if folder.join(FIGURES).is_file() {
        return figures::verify_figures(folder, ledger, key);
    }
    let mut checks = verify_files(folder);
    let mut check = |what: &str, result| checks.push(Check::of(what, result));
    let report = read_report(folder);
    check(
        "report.json is a report",
        report.as_ref().map(|_| ()).map_err(Clone::clone),
    );
    let policy = read_policy(folder);
    check(
        "policy.toml is a policy",
        policy.as_ref().map(|_| ()).map_err(Clone::clone),
    );
    let (Ok(report), Ok(policy)) = (report, policy) else {
        return checks;
    };
    let completed = policy.completed(&report.learned());
    check(
        "what was learned is what the policy left open",
        completed
            .as_ref()
            .map(|_| ())
            .map_err(|error| error.to_string()),
    );
    let Ok(policy) = completed else {
        return checks;
    };

    check(
        "the release is private",
        report.not_private.clone().map_or(Ok(()), Err),
    );
    check(
        "the policy is the one that the report names",
        same_policy(&report, &policy),
    );
    check(
        "the budget is within the policy",
        within_policy(&report, &policy),
    );
    check(
        "every mechanism has the price that the report states",
        prices(&report),
    );
    check(
        "the self test before the charge found nothing",
        self_audit(&report.self_audit),
    );
    check(
        "report.md and report.html say what report.json says",
        pages(folder, &report),
    );
    check(
        "every row is in the schema and obeys every rule",
        rows(folder, &report, &policy),
    );
    check(
        "the model is one of this policy",
        model(folder, &report, &policy),
    );
    if let Some(key) = key {
        check("the key is the one that was given", same_key(&report, key));
    }
    checks.extend(ledger::holds(ledger, folder, &Stated::of_release(&report)));
    checks
}

fn read_report(folder: &Path) -> Result<Report, String> {
    Report::parse(read_text(folder, "report.json")?.as_bytes()).map_err(|error| error.to_string())
}

fn read_figures(folder: &Path) -> Result<PaidFigures, String> {
    PaidFigures::parse(read_text(folder, FIGURES)?.as_bytes()).map_err(|error| error.to_string())
}

fn read_policy(folder: &Path) -> Result<Policy, String> {
    Policy::parse(&read_text(folder, "policy.toml")?)
        .map_err(|findings| format!("{} findings in the policy", findings.len()))
}

fn same_policy(report: &Report, policy: &Policy) -> Result<(), String> {
    let privacy = &policy.privacy;
    let holds = report.policy.sha256 == policy.sha256()
        && report.dataset == policy.dataset.name
        && report.privacy.unit == privacy.unit
        && report.privacy.adjacency == privacy.adjacency
        && report.policy.epsilon_per_release == privacy.epsilon_per_release.value()
        && report.policy.delta_per_release == privacy.delta_per_release.value();
    if holds {
        Ok(())
    } else {
        Err("the report states another hash, unit, adjacency or cap".to_owned())
    }
}

fn same_key(report: &Report, key: &PublicKey) -> Result<(), String> {
    match &report.ledger {
        Some(ledger) if ledger.public_key == key.to_string() => Ok(()),
        _ => Err("the report names another key, or none".to_owned()),
    }
}

fn within_policy(report: &Report, policy: &Policy) -> Result<(), String> {
    let spent = report.privacy.epsilon_spent.ok_or("no epsilon was spent")?;
    let privacy = &policy.privacy;
    // Written so that a number that is not one fails.
    let holds = spent <= report.privacy.epsilon_asked
        && report.privacy.epsilon_asked <= privacy.epsilon_per_release.value()
        && report.privacy.delta <= privacy.delta_per_release.value()
        && report.ledger.as_ref().is_some_and(|ledger| {
            ledger.after.epsilon_spent <= ledger.epsilon_for_life
                && ledger.after.delta_spent <= ledger.delta_for_life
                && ledger.after.epsilon_spent >= spent
        });
    let told = claim(
        &report.dataset,
        spent,
        report.privacy.delta,
        &report.privacy.unit,
        report.privacy.adjacency,
    );
    if !holds {
        return Err("more was spent than asked for, allowed, or left".to_owned());
    }
    if told != report.claim {
        return Err("the claim's sentence does not follow from the figures".to_owned());
    }
    Ok(())
}

fn prices(report: &Report) -> Result<(), String> {
    let privacy = &report.privacy;
    let price = |event: &DpEvent, delta: f64| {
        Delta::new(delta)
            .map_err(|error| error.to_string())
            .and_then(|delta| {
                // No true figure is below the certified lower bound.
                accountant::price(event, privacy.adjacency, delta)
                    .map(|price| price.certified.lower)
                    .map_err(|error| error.to_string())
            })
    };
    for section in &report.mechanisms {
        if section.mechanism.event() != section.event {
            return Err("an event does not describe its mechanism".to_owned());
        }
        if !covers(section.epsilon_alone, price(&section.event, privacy.delta)?) {
            return Err("a mechanism alone costs more than stated".to_owned());
        }
    }
    let composed = DpEvent::Composed {
        events: report
            .mechanisms
            .iter()
            .map(|section| section.event.clone())
            .collect(),
    };
    if !covers(privacy.epsilon_spent, price(&composed, privacy.delta)?) {
        return Err("the mechanisms together cost more than stated".to_owned());
    }
    let delta = Delta::new(privacy.delta).map_err(|error| error.to_string())?;
    let told = accountant::price(&composed, privacy.adjacency, delta)
        .map_err(|error| error.to_string())?;
    // Two machines may bound differently, but never contradict each other.
    let agrees = privacy.accountants.is_some_and(|stated| {
        stated.certified_lower <= told.certified.upper
            && stated.certified_upper >= told.certified.lower
            && stated.certified_lower <= stated.certified_upper
            && stated.renyi_upper >= told.certified.lower
    });
    if !agrees {
        return Err("the accountants' bounds are left out, or contradict the events".to_owned());
    }
    let mechanisms = report.mechanisms.iter().map(|section| &section.mechanism);
    let question = Question {
        event: &composed,
        event_of_row: &event_of_row(mechanisms, &privacy.unit),
        unit: &privacy.unit,
        adjacency: privacy.adjacency,
        delta,
    };
    let stated = privacy
        .readings
        .as_ref()
        .ok_or("the report leaves out what the price is in other words")?;
    readings::check(stated, question, told)?;
    for point in &privacy.profile {
        if !covers(Some(point.epsilon), price(&composed, point.delta)?) {
            return Err("the profile states less than the price at some delta".to_owned());
        }
    }
    Ok(())
}

/// What a self test found cannot be found again, but whether it passed follows from its figures.
fn self_audit(section: &SelfAuditSection) -> Result<(), String> {
    let fails = |check: &&SelfAuditCheck| match check.outcome.as_str() {
        // A number that is not one fails.
        "passed" => (check.statistic.partial_cmp(&check.limit)).is_none_or(Ordering::is_gt),
        outcome => outcome != "not_run",
    };
    match section.checks.iter().find(fails) {
        Some(check) => Err(format!("`{}` is beyond its limit", check.name)),
        None if section.checks.is_empty() => Err("no check was made".to_owned()),
        None => Ok(()),
    }
}

/// Returns whether a figure is stated that is no less than `price`.
fn covers(stated: Option<f64>, price: f64) -> bool {
    stated.is_some_and(|stated| stated >= price * (1.0 - RELATIVE_TOLERANCE))
}

fn pages(folder: &Path, report: &Report) -> Result<(), String> {
    for (name, rendered) in [
        ("report.md", markdown(report)),
        ("report.html", html(report)),
    ] {
        if read_text(folder, name)? != rendered {
            return Err(format!("{name} differs from what report.json gives"));
        }
    }
    Ok(())
}

fn rows(folder: &Path, report: &Report, policy: &Policy) -> Result<(), String> {
    let (path, format) = synthetic_table(folder).ok_or("there is no synthetic table")?;
    let options = ReadOptions {
        format: Some(format),
        ..ReadOptions::default()
    };
    let table =
        read_table(&path, &strict(&policy.schema)?, options).map_err(|error| error.to_string())?;
    if table.rows() as u64 != report.synthesis.rows {
        return Err("the table has another number of rows than the report states".to_owned());
    }
    let frame = table.to_dataframe();
    // Rules do not speak of identifiers.
    let frame = (policy.identifiers().iter())
        .try_fold(frame, |frame, name| frame.drop(name))
        .map_err(|error| error.to_string())?;
    let broken = policy
        .rules
        .check(&frame)
        .map_err(|error| error.to_string())?;
    match broken.first() {
        None => Ok(()),
        Some(first) => Err(format!(
            "{} rows break the rule `{}`",
            first.count, first.name
        )),
    }
}

/// The schema under which nothing is clipped or made missing.
fn strict(schema: &Schema) -> Result<Schema, String> {
    let columns = schema
        .columns()
        .iter()
        .map(|column| Column {
            out_of_domain: OutOfDomain::Stop,
            ..column.clone()
        })
        .collect();
    Schema::new(columns).map_err(|_| "the schema is not consistent".to_owned())
}

fn model(folder: &Path, report: &Report, policy: &Policy) -> Result<(), String> {
    let model = Released::reopen_published(&folder.join(MODEL), |bytes| {
        Generator::from_bytes(bytes).map_err(|error| std::io::Error::other(error.to_string()))
    })
    .map_err(|error| error.to_string())?;
    match model_notes::policy(&model.1) {
        Some(Ok(noted)) if noted.text == policy.text => {}
        _ => return Err("the model names another policy".to_owned()),
    }
    let made_by = engine(&model.0);
    let chosen_by = report.synthesis.chosen_by;
    let asked = (chosen_by == ChosenBy::CommandLine).then_some(made_by);
    if report.synthesis.engine != made_by.name() {
        return Err("the report names another engine than the model's".to_owned());
    }
    if policy.model.choose(asked) != (made_by, chosen_by) {
        return Err("the report does not say rightly who chose the engine".to_owned());
    }
    Ok(())
}
