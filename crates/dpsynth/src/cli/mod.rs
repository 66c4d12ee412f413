//! The command line: reads flags, calls the library, prints.

mod args;
mod audit;
mod checks;
mod error;
mod evaluate;
mod explain;
mod init;
mod inspect;
mod manners;
mod plan;
mod plan_json;
mod progress;
mod release;
mod report;
mod show;
mod standard_input;

use std::io::{IsTerminal, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::{Arc, Mutex};

use clap::Parser;

use crate::diagnostic::{self, Color};
use crate::policy::Policy;

use args::{Cli, Command, LedgerCommand};
use error::CliError;

/// Codes of the diagnostics that only the command line has.
pub const CODES: &[&str] = CliError::CODES;

/// Runs the program on the arguments of the process.
#[must_use]
pub fn run() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(usage) => {
            // Help and version are no failures; clap knows which.
            let code = if usage.use_stderr() { 2 } else { 0 };
            // A closed pipe is no reason to fail while failing.
            let _ = usage.print();
            return ExitCode::from(code);
        }
    };
    // A panic's own message may quote whatever was being worked on, cells included, so it is never
    // shown: only where in the program it arose.
    let place = Arc::new(Mutex::new(String::from("an unknown place")));
    let noted = Arc::clone(&place);
    std::panic::set_hook(Box::new(move |panic| {
        if let (Some(location), Ok(mut noted)) = (panic.location(), noted.lock()) {
            *noted = format!(
                "{}:{}",
                location.file().rsplit('/').next().unwrap_or(""),
                location.line()
            );
        }
    }));
    let done = catch_unwind(AssertUnwindSafe(|| dispatch(&cli.command))).unwrap_or_else(|_| {
        let place = place
            .lock()
            .map_or_else(|_| String::new(), |place| place.clone());
        Err(CliError::Defect { place })
    });
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            report_error(&error);
            error.exit_code()
        }
    }
}

fn dispatch(command: &Command) -> Result<(), CliError> {
    match command {
        Command::Init(init) => init::run(init),
        Command::Plan(plan) => plan::run(plan),
        Command::Release(release) => release::run(release),
        Command::Sample(sample) => release::sample(sample),
        Command::Inspect(inspect) => inspect::run(inspect),
        Command::Verify(verify) => checks::release(verify),
        Command::Evaluate(evaluate) => evaluate::run(evaluate),
        Command::Report(form) => report::run(form),
        Command::Completions { shell } => manners::completions(*shell),
        Command::Man { folder } => manners::manual(folder),
        Command::Audit(command) => audit::run(command),
        Command::Ledger(command) => ledger(command),
        Command::Explain(explain) => explain::run(explain),
    }
}

fn ledger(command: &LedgerCommand) -> Result<(), CliError> {
    let format = |json: &bool| match json {
        true => Shown::Json,
        false => Shown::Text,
    };
    match command {
        LedgerCommand::Show {
            ledger,
            policy,
            json,
        } => show::ledger(&ledger_path(ledger, policy)?, format(json)),
        LedgerCommand::Verify {
            ledger,
            policy,
            release,
            json,
        } => checks::ledger(&ledger_path(ledger, policy)?, release, format(json)),
        LedgerCommand::Adopt { ledger, policy } => show::adopt(&ledger_path(ledger, policy)?),
    }
}

/// What is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shown {
    /// A page for people.
    Text,
    /// JSON, for programs.
    Json,
}

/// Prints `value` as JSON.
fn print_json(value: &impl serde::Serialize) {
    // OK because what is shown has no part that JSON lacks; the fallback is never seen.
    let text = serde_json::to_string_pretty(value).unwrap_or_default();
    print(&format!("{text}\n"));
}

/// Returns the ledger that was named, or that of the policy.
fn ledger_path(named: &Option<PathBuf>, policy: &Path) -> Result<PathBuf, CliError> {
    match named {
        Some(path) => Ok(path.clone()),
        None => Ok(read_policy(policy)?.dataset.ledger_beside(policy)),
    }
}

/// Prints to standard error, where the rows themselves go to standard output.
fn inform(text: &str) {
    let _ = std::io::stderr().lock().write_all(text.as_bytes());
}

/// Prints to standard output; a reader that has gone away is no error.
fn print(text: &str) {
    let mut out = std::io::stdout().lock();
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
}

#[expect(clippy::print_stderr, reason = "this is where errors are shown")]
fn report_error(error: &CliError) {
    if let CliError::PolicyFindings {
        path,
        text,
        findings,
    } = error
    {
        let color = if std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none() {
            Color::Always
        } else {
            Color::Never
        };
        eprintln!(
            "{}",
            diagnostic::render(findings, &path.display().to_string(), text, color)
        );
        eprintln!(
            "\nerror: {} has {} findings; nothing was done",
            path.display(),
            findings.len()
        );
        return;
    }
    let text = error.to_string();
    // Every message says what happened and, after the last semicolon, what to do.
    match text.rsplit_once("; ") {
        Some((happened, advice)) => {
            eprintln!("error[{}]: {happened}\n  help: {advice}", error.code())
        }
        None => eprintln!("error[{}]: {text}", error.code()),
    }
    eprintln!("  more: dpsynth explain {}", error.code());
}

/// Reads the policy at `path`.
fn read_policy(path: &Path) -> Result<Policy, CliError> {
    let bytes = match std::fs::read(path) {
        Ok(bytes) => bytes,
        Err(missing) if missing.kind() == std::io::ErrorKind::NotFound => {
            return Err(CliError::PolicyMissing(path.to_owned()));
        }
        Err(source) => return Err(CliError::io(path, source)),
    };
    Policy::parse_bytes(&bytes).map_err(|findings| CliError::PolicyFindings {
        path: path.to_owned(),
        text: String::from_utf8_lossy(&bytes).into_owned(),
        findings,
    })
}

/// Takes a public seed from a flag, or draws one.
fn public_seed(flag: Option<u64>) -> Result<u64, CliError> {
    if let Some(seed) = flag {
        return Ok(seed);
    }
    let mut bytes = [0u8; 8];
    getrandom::fill(&mut bytes).map_err(|_| CliError::NoSeed)?;
    // 53 bits, so that every JSON reader keeps the seed as it is.
    Ok(u64::from_le_bytes(bytes) >> 11)
}
