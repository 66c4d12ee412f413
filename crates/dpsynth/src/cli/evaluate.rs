//! `dpsynth evaluate`: how far a release is from the real table, for the custodian's own screen.

use std::fmt::Write as _;
use std::fs::{self, DirBuilder, OpenOptions};
use std::io::Write as _;
use std::path::{Path, PathBuf};

use dpsynth_evaluate::{
    Column, Evaluation, Question, RuleFigures, Table, Values, evaluate, html, markdown,
};
use dpsynth_privacy::ledger::Digest;
use dpsynth_privacy::{Delta, Epsilon, PrivacyUnit};
use dpsynth_table::{
    self as table, Dialect, ReadOptions, Schema, read_header, read_table, read_unprotected,
};

use super::args::Evaluate;
use super::error::CliError;
use super::{print, read_policy, report};
use crate::figures::{self, FigureRequest, paid_figures};
use crate::folder::{FolderError, MANIFEST, synthetic_table};
use crate::policy::Policy;
use crate::release::ReleaseError;

/// Compares a release with the real table and writes the figures beside it.
pub(super) fn run(args: &Evaluate) -> Result<(), CliError> {
    let out = args.out.as_deref().unwrap_or(Path::new("evaluation"));
    // What can fail before a row is read fails first.
    outside_of_releases(out)?;
    let policy = policy_of(&args.folder)?;
    if let Some(epsilon) = args.epsilon {
        return paid(args, &policy, epsilon, out);
    }
    let real = Side::read(&args.against, &policy, policy.dataset.dialect)?;
    let holdout = args
        .holdout
        .as_deref()
        .map(|path| Side::read(path, &policy, policy.dataset.dialect))
        .transpose()?;
    let synthetic = Side::read(&table_of(&args.folder)?, &policy, Dialect::default())?;
    let rules = rules(&policy, &real, &synthetic);
    let target = args.target.as_deref().or(policy.model.target.as_deref());
    let question = Question {
        real: &real.plain,
        holdout: holdout.as_ref().map(|side| &side.plain),
        synthetic: &synthetic.plain,
        target,
    };
    let found = evaluate(question, rules)?;
    let subject = format!(
        "{} against {}",
        policy.dataset.name,
        args.against
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
    );
    write_pages(out, &found, &subject)?;
    if args.json {
        print(&json(&found));
    } else {
        print(&summary(&found, out));
    }
    Ok(())
}

/// Pays for figures with noise, which may be published.
fn paid(args: &Evaluate, policy: &Policy, epsilon: f64, out: &Path) -> Result<(), CliError> {
    let number = |flag| move |source| CliError::Number { flag, source };
    let epsilon = Epsilon::new(epsilon).map_err(number("epsilon"))?;
    let delta = (args.delta.map(Delta::new).transpose()).map_err(number("delta"))?;
    let manifest = args.folder.join(MANIFEST);
    let manifest = fs::read(&manifest).map_err(|source| CliError::io(&manifest, source))?;
    let beside = &args.policy;
    let ledger = (args.ledger.clone()).unwrap_or_else(|| policy.dataset.ledger_beside(beside));
    let universe = policy.universe.as_ref().map(|it| it.ledger_beside(beside));
    let synthetic = read_table(
        &table_of(&args.folder)?,
        &policy.schema,
        ReadOptions::default(),
    )?;
    let found = paid_figures(&FigureRequest {
        policy,
        asked: policy.tighten(Some(epsilon), delta, None, None)?,
        synthetic: &synthetic,
        release: Digest::of(&manifest),
        data: &args.against,
        target: args.target.as_deref().or(policy.model.target.as_deref()),
        out,
        ledger: &ledger,
        universe: universe.as_deref(),
    })?;
    if args.json {
        print(&found.to_json());
    } else {
        print(&figures::markdown(&found));
        print(&format!("\nFolder: {}\n", out.display()));
    }
    Ok(())
}

/// The policy of a release, with what was learned of the columns that it leaves open.
fn policy_of(folder: &Path) -> Result<Policy, CliError> {
    let policy = read_policy(&folder.join("policy.toml"))?;
    if policy.open.is_empty() {
        return Ok(policy);
    }
    let learned = report::read(folder)?.learned();
    Ok(policy.completed(&learned).map_err(ReleaseError::from)?)
}

/// One table, as rules see it and as it is compared.
struct Side {
    table: table::Table,
    plain: Table,
}

impl Side {
    /// Reads a table with the columns that the policy keeps, but for identifiers, and for derived
    /// columns that the file does not have.
    fn read(path: &Path, policy: &Policy, dialect: Dialect) -> Result<Self, CliError> {
        let header = read_header(path, None, dialect)?;
        let absent: Vec<String> = policy
            .derived()
            .into_iter()
            .filter(|name| !header.contains(name))
            .collect();
        let schema = policy
            .ruled_schema()
            .and_then(|schema| schema.without(&absent))
            .map_err(ReleaseError::from)?;
        let mut ignored = policy.ignored.clone();
        ignored.extend(policy.identifiers());
        if let PrivacyUnit::User { column, .. } = &policy.privacy.unit {
            ignored.push(column.clone());
        }
        let options = ReadOptions {
            format: None,
            dialect,
            ignored,
        };
        let table = read_unprotected(path, &schema, options)?;
        let plain = plain(&table, &schema)?;
        Ok(Self { table, plain })
    }
}

fn plain(table: &table::Table, schema: &Schema) -> Result<Table, CliError> {
    let columns = table.columns().iter().zip(schema.columns());
    let columns = columns.map(|(column, _)| Column {
        name: column.name.clone(),
        values: match &column.values {
            table::Values::Categorical {
                categories,
                positions,
            } => Values::Category {
                codes: positions.iter().map(|it| it.map(u32::from)).collect(),
                levels: categories.to_vec(),
            },
            table::Values::Date(days) => Values::Numeric(
                days.iter()
                    .map(|day| day.map(|day| f64::from(day.to_epoch_days())))
                    .collect(),
            ),
            table::Values::Float(numbers) => Values::Numeric(numbers.clone()),
            table::Values::Integer(numbers) => {
                Values::Numeric(numbers.iter().map(|it| it.map(|it| it as f64)).collect())
            }
            table::Values::Timestamp(times) => Values::Numeric(
                times
                    .iter()
                    .map(|time| time.map(|time| time.and_utc().timestamp_millis() as f64))
                    .collect(),
            ),
            // Identifiers are not read.
            table::Values::Identifier(_) => Values::Numeric(Vec::new()),
        },
    });
    Ok(Table::new(columns.collect())?)
}

fn table_of(folder: &Path) -> Result<PathBuf, CliError> {
    if let Some((found, _)) = synthetic_table(folder) {
        return Ok(found);
    }
    let path = folder.join("synthetic.csv");
    // It may have come meanwhile.
    std::fs::metadata(&path).map_err(|missing| CliError::io(&path, missing))?;
    Ok(path)
}

fn rules(policy: &Policy, real: &Side, synthetic: &Side) -> Vec<RuleFigures> {
    let kept = |side: &Side| {
        let rows = side.table.rows() as f64;
        policy
            .rules
            .check(&side.table.to_dataframe())
            .ok()
            .map(|broken| {
                move |name: &str| {
                    let count = broken.iter().find(|it| it.name == name);
                    1.0 - count.map_or(0.0, |it| it.count as f64) / rows
                }
            })
    };
    let (of_real, of_synthetic) = (kept(real), kept(synthetic));
    let Some(of_synthetic) = of_synthetic else {
        return Vec::new();
    };
    policy
        .rule_specs
        .iter()
        .map(|spec| RuleFigures {
            name: spec.name.clone(),
            kept_real: of_real.as_ref().map(|kept| kept(&spec.name)),
            kept_synthetic: of_synthetic(&spec.name),
        })
        .collect()
}

/// Refuses a place inside a release: whoever publishes that folder would publish the evaluation.
fn outside_of_releases(out: &Path) -> Result<(), CliError> {
    if out.exists() {
        return Err(FolderError::Exists {
            path: out.to_owned(),
        }
        .into());
    }
    let absolute = std::path::absolute(out).map_err(|source| CliError::io(out, source))?;
    let existing = absolute.ancestors().find(|path| path.exists());
    // Links and dots are followed as far as there is something to follow.
    let resolved = existing.map(fs::canonicalize).transpose();
    let resolved = resolved.map_err(|source| CliError::io(out, source))?;
    let inside = resolved
        .iter()
        .flat_map(|path| path.ancestors())
        .any(|path| path.join(MANIFEST).is_file() && path.join("report.json").is_file());
    if inside {
        return Err(CliError::InsideRelease(out.to_owned()));
    }
    Ok(())
}

/// Writes the three forms, readable by the owner alone where the system knows owners.
fn write_pages(out: &Path, found: &Evaluation, subject: &str) -> Result<(), CliError> {
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder
        .create(out)
        .map_err(|source| CliError::io(out, source))?;
    let pages = [
        ("evaluation.json", json(found)),
        ("evaluation.md", markdown(found, subject)),
        ("evaluation.html", html(found, subject)),
    ];
    for (name, text) in pages {
        let path = out.join(name);
        OpenOptions::new()
            .write(true)
            .create_new(true)
            .open(&path)
            .and_then(|mut file| file.write_all(text.as_bytes()))
            .map_err(|source| CliError::io(&path, source))?;
    }
    Ok(())
}

fn json(found: &Evaluation) -> String {
    let mut text = serde_json::to_string_pretty(found).unwrap_or_default();
    text.push('\n');
    text
}

fn summary(found: &Evaluation, out: &Path) -> String {
    let mut text = String::new();
    // Writing to a string cannot fail.
    let _ = writeln!(text, "{}\n", found.stamp);
    for (name, figure) in found.summary() {
        let _ = writeln!(text, "  {name:<28} {figure}");
    }
    let _ = writeln!(
        text,
        "\nPictures and all figures: {}",
        out.join("evaluation.html").display()
    );
    text
}
