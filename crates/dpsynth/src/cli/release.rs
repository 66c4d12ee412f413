//! `dpsynth release` and `dpsynth sample`.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use dpsynth_privacy::Released;
use dpsynth_table::{Format, TableWriter, WriteError};
use dpsynth_train::{Generator, Processor, TrainError};

use super::args::{DeviceName, Release, Sample};
use super::error::CliError;
use super::plan::{ledger_path, plan, universe_path};
use super::progress::Display;
use super::standard_input::Spooled;
use super::{inform, print, public_seed, read_policy};
use crate::model_notes;
use crate::policy::Policy;
use crate::release::{Progress, Protection, ReleaseRequest, release};
use crate::report::{Report, capital, epsilon_down, epsilon_up};
use crate::synthesise::Synthesis;

/// Makes a release.
pub(super) fn run(args: &Release) -> Result<(), CliError> {
    let policy = read_policy(&args.asked.policy)?;
    let mut plan = plan(&policy, &args.asked)?;
    let from_policy = policy.dataset.file_beside(&args.asked.policy);
    let data = args
        .data
        .clone()
        .or(from_policy)
        .ok_or(CliError::DataMissing)?;
    let spooled = match data.as_os_str() == STANDARD {
        true => Some(Spooled::take()?),
        false => None,
    };
    let data_format = spooled.as_ref().map(Spooled::format).transpose()?;
    let data = spooled.as_ref().map_or(data, Spooled::path);
    let protection = if args.insecure_no_privacy {
        plan = plan.without_privacy()?;
        Protection::None
    } else {
        Protection::Ledger {
            path: ledger_path(&policy, &args.asked),
            universe: universe_path(&policy, &args.asked),
        }
    };
    let charged = if args.insecure_no_privacy {
        "NOT PRIVATE".to_owned()
    } else {
        format!("epsilon {}", epsilon_up(plan.epsilon_spent))
    };
    let mut display = Display::start(charged);
    let request = ReleaseRequest {
        policy: &policy,
        plan,
        data: &data,
        data_format,
        out: &args.out,
        processor: match args.device {
            DeviceName::Cpu => Processor::Cpu,
            DeviceName::Cuda => Processor::Cuda,
        },
        protection,
    };
    let report = release(request, &mut |progress: Progress| display.show(progress));
    display.finish();
    let report = report?;
    match args.json {
        true => print(&report.to_json()),
        false => print(&summary(&report, &args.out)),
    }
    Ok(())
}

fn summary(report: &Report, out: &Path) -> String {
    let mut text = String::new();
    // Writing to a string cannot fail.
    if let Some(why) = &report.not_private {
        let _ = writeln!(
            text,
            "THIS IS NOT A PRIVATE RELEASE: it was {why}. Do not publish it.\n"
        );
    }
    let _ = writeln!(text, "{}.\n", capital(&report.claim));
    let _ = writeln!(
        text,
        "  {:<16} {} rows, every one in the schema and obeying every rule",
        "synthetic table", report.synthesis.rows
    );
    if let Some(ledger) = &report.ledger {
        let _ = writeln!(
            text,
            "  {:<16} epsilon {} spent of {}, {} remains",
            "ledger",
            epsilon_up(ledger.after.epsilon_spent),
            ledger.epsilon_for_life,
            epsilon_down(ledger.after.epsilon_remaining)
        );
    }
    if let Some(universe) = &report.universe {
        let _ = writeln!(
            text,
            "  {:<16} epsilon {} spent of {}, {} remains for `{}`",
            "universe",
            epsilon_up(universe.after.epsilon_spent),
            universe.epsilon_for_life,
            epsilon_down(universe.after.epsilon_remaining),
            universe.name
        );
    }
    let _ = writeln!(text, "  {:<16} {}", "folder", out.display());
    let _ = writeln!(
        text,
        "\nOpen {} and check the release with `dpsynth verify {}`.",
        out.join("report.html").display(),
        out.display()
    );
    text
}

/// Draws rows from a released model, and writes them as they are drawn.
pub(super) fn sample(args: &Sample) -> Result<(), CliError> {
    let standard = args.out.as_os_str() == STANDARD;
    let format = match standard {
        true => Format::Csv,
        false => Format::of_path(&args.out)?,
    };
    if !standard && args.out.exists() {
        return Err(CliError::FileExists(args.out.clone()));
    }
    let (model, policy) = open_model(&args.model)?;
    let rows = policy
        .tighten(None, None, Some(args.rows), Some(format))?
        .rows
        .and_then(|rows| usize::try_from(rows).ok())
        .unwrap_or(usize::MAX);
    let seed = public_seed(args.seed)?;
    let warning = model_notes::not_private(&model.1)
        .map(|why| format!("THE MODEL IS NOT PRIVATE: it was {why}. Do not publish these rows.\n"));
    let drawn = model.try_map(|(generator, _)| match &args.condition {
        Some(condition) => Synthesis::begin_where(&generator, &policy, condition, rows, seed),
        None => Synthesis::begin(generator, &policy, rows, seed),
    })?;
    let schema = &policy.schema;
    if standard {
        let to = Box::new(std::io::stdout());
        let begin = || TableWriter::to_stream(to, "standard output", schema);
        match write_drawn(drawn, begin) {
            // Whoever reads has seen enough.
            Err(CliError::Write(WriteError::UnwritableFile {
                kind: ErrorKind::BrokenPipe,
                ..
            })) => return Ok(()),
            written => written?,
        }
    } else {
        let ending = format!("partial-{}.{}", std::process::id(), format.extension());
        let partial = Partial(args.out.with_extension(ending));
        write_drawn(drawn, || TableWriter::create(&partial.0, schema, format))?;
        std::fs::rename(&partial.0, &args.out).map_err(|source| CliError::io(&args.out, source))?;
    }
    let done = format!(
        "{}{rows} rows, every one in the schema and obeying every rule{}: {} (seed {seed})\n\
         Drawing from a released model is post-processing: it costs no budget.\n",
        warning.unwrap_or_default(),
        if args.condition.is_some() {
            " and the condition"
        } else {
            ""
        },
        if standard {
            "standard output".into()
        } else {
            args.out.display().to_string()
        }
    );
    match standard {
        true => inform(&done),
        false => print(&done),
    }
    Ok(())
}

/// Draws rows until all are there, and writes each part at once. The file is begun when its first rows are
/// there, so that nothing is written where none can be drawn.
fn write_drawn(
    mut drawn: Released<Synthesis<'_>>,
    begin: impl FnOnce() -> Result<TableWriter, WriteError>,
) -> Result<(), CliError> {
    drawn = drawn.try_map(Synthesis::advance)?;
    let mut to = begin()?;
    to.write(drawn.table())?;
    while !drawn.is_done() {
        drawn = drawn.try_map(Synthesis::advance)?;
        to.write(drawn.table())?;
    }
    Ok(to.finish()?)
}

/// A file that is not whole yet, and is removed unless it was moved to its place.
struct Partial(PathBuf);

impl Drop for Partial {
    fn drop(&mut self) {
        // Nothing can be done about a failure here; the name says that it is partial.
        let _ = std::fs::remove_file(&self.0);
    }
}

/// What stands for standard input or output in the place of a file.
const STANDARD: &str = "-";

/// Opens a released model, and reads the policy of its release out of it.
pub(super) fn open_model(path: &Path) -> Result<(Released<OpenedModel>, Policy), CliError> {
    let opened = Released::reopen_published(path, |bytes| {
        Generator::from_bytes(bytes).map_err(Opening::Model)
    });
    let model = opened.map_err(|error| match error {
        Opening::Read(source) => CliError::io(path, source),
        Opening::Model(error) => CliError::Train(error),
    })?;
    let policy = match model_notes::policy(&model.1) {
        Some(Ok(policy)) => model_notes::completed(&policy, &model.1)?,
        Some(Err(findings)) => {
            let text = model.1.values().next().cloned().unwrap_or_default();
            return Err(CliError::PolicyFindings {
                path: path.to_owned(),
                text,
                findings,
            });
        }
        None => return Err(CliError::ModelWithoutPolicy(path.to_owned())),
    };
    Ok((model, policy))
}

/// A generator, and what its file says about it.
type OpenedModel = (Generator, BTreeMap<String, String>);

/// Why a model cannot be opened.
enum Opening {
    Read(std::io::Error),
    Model(TrainError),
}

impl From<std::io::Error> for Opening {
    fn from(error: std::io::Error) -> Self {
        Self::Read(error)
    }
}
