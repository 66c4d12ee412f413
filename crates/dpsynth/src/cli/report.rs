//! `dpsynth report`: the report of a release in another form.

use std::path::Path;

use super::args::{ReportForm, ReportFormat};
use super::error::CliError;
use super::print;
use crate::report::{Report, html, markdown, registry};

/// Writes or prints the report of a release.
pub(super) fn run(args: &ReportForm) -> Result<(), CliError> {
    let report = read(&args.folder)?;
    let text = match args.format {
        ReportFormat::Html => html(&report),
        ReportFormat::Json => report.to_json(),
        ReportFormat::Md => markdown(&report),
        ReportFormat::Registry => registry(&report),
    };
    match &args.out {
        None => print(&text),
        Some(path) if path.exists() => return Err(CliError::FileExists(path.clone())),
        Some(path) => {
            std::fs::write(path, text).map_err(|source| CliError::io(path, source))?;
        }
    }
    Ok(())
}

/// Reads `report.json` of a release.
pub(super) fn read(folder: &Path) -> Result<Report, CliError> {
    let path = folder.join("report.json");
    let bytes = std::fs::read(&path).map_err(|source| CliError::io(&path, source))?;
    Report::parse(&bytes).map_err(|error| CliError::NoReport {
        folder: folder.to_owned(),
        why: error.to_string(),
    })
}
