//! `dpsynth init`: a draft policy from a header, from a description of the table, or from both.

use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::Path;

use dpsynth_table::{Dialect, read_header};

use super::args::Init;
use super::error::CliError;
use super::print;
use crate::import::{Draft, import};

/// Drafts a policy for the table at `args.data`, or for the one that `args.from` describes.
pub(super) fn run(args: &Init) -> Result<(), CliError> {
    let draft = draft(args)?.to_toml();
    let Some(out) = &args.out else {
        print(&draft);
        return Ok(());
    };
    let written = OpenOptions::new()
        .write(true)
        .create_new(true)
        .open(out)
        .and_then(|mut file| {
            file.write_all(draft.as_bytes())?;
            file.sync_all()
        });
    match written {
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {
            Err(CliError::FileExists(out.clone()))
        }
        Err(source) => Err(CliError::io(out, source)),
        Ok(()) => {
            let questions = draft.lines().filter(|line| line.contains("OWNER")).count() - 1;
            let read = match args.data {
                Some(_) => "Of the table only the header was read",
                None => "No table was read",
            };
            print(&format!(
                "{} drafted: answer its {questions} lines that say OWNER, then run `dpsynth plan --policy {}`.\n\
                 {read}; bounds and categories must come from what is public, not from the data.\n",
                out.display(),
                out.display()
            ));
            Ok(())
        }
    }
}

/// Gathers what is known of the table.
fn draft(args: &Init) -> Result<Draft, CliError> {
    let described = match &args.from {
        None => None,
        Some(path) => {
            let bytes = std::fs::read(path).map_err(|source| CliError::io(path, source))?;
            // What is not UTF-8 then fits no format.
            let mut draft = import(&String::from_utf8_lossy(&bytes), args.table.as_deref())?;
            draft.name = draft.name.or_else(|| stem(path));
            Some(draft)
        }
    };
    let Some(data) = &args.data else {
        // The arguments demand one of the two.
        return Ok(described.unwrap_or_default());
    };
    let described_delimiter = described.as_ref().and_then(|draft| draft.delimiter);
    let delimiter = args.delimiter.or(described_delimiter).unwrap_or(',');
    let dialect = Dialect {
        delimiter: u8::try_from(delimiter).unwrap_or(b','),
        ..Dialect::default()
    };
    let header = read_header(data, None, dialect)?;
    let mut draft = match described {
        Some(draft) => draft.arranged(&header)?,
        None => Draft::of_header(&header),
    };
    draft.delimiter = Some(delimiter);
    draft.name = draft.name.or_else(|| stem(data));
    draft.file = data
        .file_name()
        .map(|name| name.to_string_lossy().into_owned());
    Ok(draft)
}

/// Returns a file's name without its ending.
fn stem(path: &Path) -> Option<String> {
    path.file_stem()
        .map(|stem| stem.to_string_lossy().into_owned())
}
