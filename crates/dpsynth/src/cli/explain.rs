//! `dpsynth explain`: a diagnostic at length.

use super::args::Explain;
use super::error::CliError;
use super::print;

/// The page that holds every diagnostic.
pub(crate) const DIAGNOSTICS: &str = include_str!("../../../../docs/diagnostics.md");

/// Prints the section of the page that a code heads.
pub(super) fn run(args: &Explain) -> Result<(), CliError> {
    let code = args.code.to_ascii_uppercase();
    let section = section(&code).ok_or(CliError::UnknownCode(args.code.clone()))?;
    print(&format!("{section}\n"));
    Ok(())
}

/// The section of a code, from its heading to the next.
pub(crate) fn section(code: &str) -> Option<&'static str> {
    let heading = format!("## {code} ");
    let start = DIAGNOSTICS.find(&heading)?;
    let rest = &DIAGNOSTICS[start + 3..];
    Some(rest[..rest.find("\n## ").unwrap_or(rest.len())].trim_end())
}
