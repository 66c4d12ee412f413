//! `dpsynth audit`.

use std::fmt::Write;

use dpsynth_audit::release::release as attack_release;
use dpsynth_audit::{Audit, Check, Level, Outcome};
use dpsynth_privacy::Epsilon;

use super::args::{AuditCommand, ReleaseAudit, TrainingAudit};
use super::error::CliError;
use super::plan::plan;
use super::{print, public_seed, read_policy};
use crate::audits::{ReleaseTables, training_checks};
use crate::report::{Report, capital};

/// Runs an audit, prints it, and fails if it found something.
pub(super) fn run(command: &AuditCommand) -> Result<(), CliError> {
    match command {
        AuditCommand::SelfTest { shown } => {
            let audit = dpsynth_audit::self_test(public_seed(None)?)?;
            show(&audit, shown.json)
        }
        AuditCommand::Mechanism {
            epsilon,
            mechanism,
            runs,
            shown,
        } => {
            let epsilon = Epsilon::new(*epsilon).map_err(|source| CliError::Number {
                flag: "epsilon",
                source,
            })?;
            let audit = dpsynth_audit::mechanisms(&dpsynth_audit::MechanismAudit {
                epsilon: epsilon.value(),
                mechanism: mechanism.clone(),
                runs: *runs as usize,
                seed: public_seed(None)?,
            })?;
            show(&audit, shown.json)
        }
        AuditCommand::Training(asked) => training(asked),
        AuditCommand::Release(asked) => released(asked),
    }
}

/// Canaries in one run of what the policy's engine asks of the core.
fn training(asked: &TrainingAudit) -> Result<(), CliError> {
    let policy = read_policy(&asked.asked.policy)?;
    let plan = plan(&policy, &asked.asked)?;
    let checks = training_checks(&plan, asked.canaries, public_seed(None)?)?;
    show(&Audit::new(Level::Training, checks), asked.shown.json)
}

/// Attacks on a release folder.
fn released(asked: &ReleaseAudit) -> Result<(), CliError> {
    let policy = read_policy(&asked.folder.join("policy.toml"))?;
    let path = asked.folder.join("report.json");
    let report = std::fs::read(&path).map_err(|source| CliError::io(&path, source))?;
    // What the policy left open, the report says as it was learned.
    let report =
        Report::parse(&report).map_err(|_| CliError::VerificationFailed { what: "release" })?;
    let policy = policy
        .completed(&report.learned())
        .map_err(|_| CliError::VerificationFailed { what: "release" })?;
    let tables = ReleaseTables::read(
        &policy,
        &asked.folder,
        (&asked.against, &asked.control),
        asked.canary.as_deref(),
    )?;
    let audit = attack_release(&dpsynth_audit::release::ReleaseAudit {
        synthetic: &tables.synthetic,
        real: &tables.real,
        control: &tables.control,
        canaries: tables.canaries.as_ref(),
        attacks: asked.attacks as usize,
        seed: public_seed(asked.seed)?,
    })?;
    show(&audit, asked.shown.json)
}

/// Prints an audit for people or for programs.
fn show(audit: &Audit, json: bool) -> Result<(), CliError> {
    if json {
        let text = serde_json::to_string_pretty(audit).unwrap_or_default();
        print(&format!("{text}\n"));
    } else {
        print(&describe(audit));
    }
    if audit.found() {
        Err(CliError::AuditFound)
    } else {
        Ok(())
    }
}

fn describe(audit: &Audit) -> String {
    let mut text = String::new();
    // Writing to a string cannot fail.
    if let Some(why) = &audit.not_private {
        let _ = writeln!(text, "{}.\n", capital(why));
    }
    for check in &audit.checks {
        let _ = writeln!(text, "  {}{}", word(check.outcome), check.name);
        let _ = writeln!(text, "          {}", figures(check));
        let _ = writeln!(text, "          power: {}", check.power);
    }
    let found = audit
        .checks
        .iter()
        .filter(|check| check.outcome == Outcome::Found)
        .count();
    let result = match found {
        0 => "nothing was found".to_owned(),
        1 => "1 check found something".to_owned(),
        found => format!("{found} checks found something"),
    };
    let alarm = if audit.false_alarm > 0.0 {
        format!(
            "in a correct program something is found with probability {:.0e}",
            audit.false_alarm
        )
    } else {
        "none of them depends on chance".to_owned()
    };
    let _ = writeln!(
        text,
        "\n{} in {:.1} seconds: {result}; {alarm}.\nNote {}.",
        match audit.checks.len() {
            1 => "1 check".to_owned(),
            checks => format!("{checks} checks"),
        },
        audit.seconds(),
        audit.caution
    );
    text
}

fn word(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Passed => "ok      ",
        Outcome::Found => "FOUND   ",
        Outcome::NotRun => "not run ",
    }
}

fn figures(check: &Check) -> String {
    match &check.bounds {
        None => format!(
            "statistic {}, limit {}",
            short(check.statistic),
            short(check.limit)
        ),
        Some(bounds) => {
            let gaussian = bounds
                .epsilon_at_least_if_gaussian
                .map_or_else(String::new, |epsilon| {
                    format!("; at least {} if the noise is Gaussian", short(epsilon))
                });
            format!(
                "epsilon {} claimed at delta {:e}; at 95 % confidence at least {}{gaussian}",
                short(bounds.epsilon_claimed),
                bounds.delta,
                short(bounds.epsilon_at_least)
            )
        }
    }
}

/// A number with three digits behind the point, or in words where it is out of all bounds.
fn short(value: f64) -> String {
    if value > 1e9 {
        "beyond all bounds".to_owned()
    } else {
        format!("{value:.3}")
    }
}
