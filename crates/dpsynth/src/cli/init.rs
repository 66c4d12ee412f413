//! `dpsynth init`: a draft policy from a header.

use std::fmt::Write as _;
use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::Path;

use dpsynth_table::{Dialect, read_header};

use super::args::Init;
use super::error::CliError;
use super::print;

/// Drafts a policy for the table at `args.data`.
pub(super) fn run(args: &Init) -> Result<(), CliError> {
    let delimiter = u8::try_from(args.delimiter).unwrap_or(b',');
    let dialect = Dialect {
        delimiter,
        ..Dialect::default()
    };
    let header = read_header(&args.data, None, dialect)?;
    let draft = draft(&args.data, &header, delimiter);
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
            print(&format!(
                "{} drafted: answer every line that says OWNER, then run `dpsynth plan --policy {}`.\n\
                 Only the header was read; bounds and categories must come from what is public, not from the data.\n",
                out.display(),
                out.display()
            ));
            Ok(())
        }
    }
}

/// Writes the draft. It is not valid before the owner has answered every question in it.
fn draft(data: &Path, header: &[String], delimiter: u8) -> String {
    let mut text = String::new();
    let stem = data
        .file_stem()
        .map(|stem| stem.to_string_lossy().into_owned())
        .unwrap_or_default();
    let name: String = stem
        .chars()
        .map(|letter| {
            if letter.is_ascii_alphanumeric() || "_.-".contains(letter) {
                letter
            } else {
                '_'
            }
        })
        .collect();
    // Writing to a string cannot fail.
    let _ = write!(
        text,
        "# Draft policy. Answer every line that says OWNER from public knowledge: documentation, law,\n\
         # common sense. Do not look the answers up in the data: a bound or a list that was read off the\n\
         # data gives records away before any noise is added.\n\
         version = 1\n\n\
         [dataset]\n\
         name = {}\n\
         file = {}\n\
         delimiter = {}\n\
         missing_tokens = [\"\", \"NA\"]  # OWNER: which texts mean that a cell is missing?\n\n\
         [privacy]\n\
         unit = \"row\"                 # OWNER: does every person have one row only? If not, name the column that\n\
         \x20                            # tells people apart: {{ user = \"column\", max_rows = 5 }}\n\
         adjacency = \"add_or_remove_one\"\n\
         epsilon_per_release = 1.0\n\
         delta_per_release = 1e-6\n\
         epsilon_for_life = 3.0       # OWNER: how much may all releases of these data spend together?\n\
         delta_for_life = 1e-5\n\
         expected_units = \"count\"     # a public number of rows saves budget; \"count\" pays for a noisy one\n\
         # reason = \"OWNER: why are these figures acceptable?\"\n\n\
         [model]\n\
         # target = \"OWNER: the column whose dependence on the others matters most\"\n",
        toml_string(&name),
        toml_string(
            &data
                .file_name()
                .map(|name| name.to_string_lossy().into_owned())
                .unwrap_or_default()
        ),
        toml_string(&char::from(delimiter).to_string()),
    );
    for column in header {
        let _ = write!(
            text,
            "\n[[column]]\n\
             name = {}\n\
             kind = \"OWNER\"  # \"categorical\" with categories = [\"a\", \"b\"], \"boolean\", \"integer\", \"float\" or\n\
             \x20              # \"date\" with min = .. and max = .., \"id\" for what names a person or record, or\n\
             \x20              # \"ignore\" to leave the column out\n\
             missing = false\n\
             # reason = \"OWNER: where do the bounds or categories come from?\"\n",
            toml_string(column)
        );
    }
    text
}

/// Quotes a text for TOML.
fn toml_string(text: &str) -> String {
    toml::Value::String(text.to_owned()).to_string()
}
