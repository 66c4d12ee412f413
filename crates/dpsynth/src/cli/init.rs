//! `dpsynth init`: a draft policy from a header, from a description of the table, or from both.

use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::{Component, Path, PathBuf};

use dpsynth_table::{Dialect, read_header};

use super::args::Init;
use super::error::CliError;
use super::{inform, print};
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
    if let [only] = &header[..]
        && let Some((_, shown)) = DELIMITERS.iter().find(|(other, _)| only.contains(*other))
    {
        inform(&format!(
            "The header is taken for the name of a single column. If its columns are parted otherwise, draft again \
             with `--delimiter {shown}`.\n"
        ));
    }
    let mut draft = match described {
        Some(draft) => draft.arranged(&header)?,
        None => Draft::of_header(&header),
    };
    draft.delimiter = Some(delimiter);
    draft.name = draft.name.or_else(|| stem(data));
    let folder = args.out.as_deref().and_then(Path::parent);
    let file = seen_from(folder.unwrap_or(Path::new("")), data);
    draft.file = Some(file.to_string_lossy().into_owned());
    Ok(draft)
}

/// What parts columns elsewhere, and how a shell is told of it.
const DELIMITERS: [(char, &str); 4] = [(';', "';'"), ('\t', "$'\\t'"), ('|', "'|'"), (',', "','")];

/// Returns the path of `file` from `folder`, because paths in a policy start where the policy lies.
///
/// A relative path stays one. An absolute one becomes relative where the file lies below the folder.
fn seen_from(folder: &Path, file: &Path) -> PathBuf {
    let whole = |path: &Path| match path.as_os_str().is_empty() {
        true => Path::new(".").canonicalize(),
        false => path.canonicalize(),
    };
    // A link is followed to its folder, not to what it stands for.
    let parent = whole(file.parent().unwrap_or(Path::new("")));
    let (Ok(from), Ok(parent), Some(name)) = (whole(folder), parent, file.file_name()) else {
        // Where there is no such folder, reading or writing says so.
        return file.to_owned();
    };
    let to = parent.join(name);
    if let Ok(below) = to.strip_prefix(&from) {
        return below.to_owned();
    }
    if file.is_absolute() {
        return file.to_owned();
    }
    let shared = (from.components().zip(to.components()))
        .take_while(|(a, b)| a == b)
        .count();
    let up = from.components().skip(shared).map(|_| Component::ParentDir);
    up.chain(to.components().skip(shared)).collect()
}

/// Returns a file's name without its ending.
fn stem(path: &Path) -> Option<String> {
    path.file_stem()
        .map(|stem| stem.to_string_lossy().into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_draft_names_its_table_as_seen_from_where_the_draft_lies() {
        let folder = tempfile::tempdir().expect("a folder");
        let root = folder.path().canonicalize().expect("its path");
        for name in ["demo", "policies"] {
            std::fs::create_dir(root.join(name)).expect("a folder");
        }
        let (demo, policies) = (root.join("demo"), root.join("policies"));
        let table = demo.join("clinic.csv");
        assert_eq!(seen_from(&root, &table), Path::new("demo/clinic.csv"));
        assert_eq!(seen_from(&demo, &table), Path::new("clinic.csv"));
        // An absolute path that leads elsewhere stays as it was given.
        assert_eq!(seen_from(&policies, &table), table);
        // A relative one is turned round. Tests run in the folder of their crate.
        let here = Path::new("Cargo.toml");
        assert_eq!(seen_from(Path::new(""), here), here);
        assert_eq!(
            seen_from(Path::new("src"), here),
            Path::new("../Cargo.toml")
        );
        assert_eq!(
            seen_from(Path::new("src/cli"), Path::new("src/../src/lib.rs")),
            Path::new("../lib.rs")
        );
    }
}
