//! Running the program, and a small data set to run it on.

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

/// A folder with a policy and a table, removed at the end.
pub(crate) struct Workplace {
    folder: tempfile::TempDir,
}

impl Workplace {
    /// Makes the folder with a small valid policy and table.
    pub(crate) fn new() -> Self {
        let workplace = Self {
            folder: tempfile::tempdir().unwrap(),
        };
        workplace.write("dpsynth.toml", POLICY);
        workplace.write("data.csv", table(600));
        workplace
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, content: impl AsRef<[u8]>) {
        std::fs::write(self.path(name), content).unwrap();
    }

    pub(crate) fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.path(name)).unwrap()
    }

    /// Runs the program here.
    pub(crate) fn run(&self, arguments: &[&str]) -> Run {
        Run::of(self.command(arguments).output().unwrap())
    }

    /// The program, ready to run here.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_dpsynth"));
        command
            .args(arguments)
            .current_dir(self.folder.path())
            .stdin(Stdio::null());
        command
    }

    /// Every file below the folder, with its content.
    pub(crate) fn files(&self) -> Vec<(PathBuf, Vec<u8>)> {
        let mut files = Vec::new();
        collect(self.folder.path(), &mut files);
        files
    }
}

fn collect(folder: &Path, files: &mut Vec<(PathBuf, Vec<u8>)>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(&path, files);
        } else {
            files.push((path.clone(), std::fs::read(path).unwrap()));
        }
    }
}

/// What a run of the program has left behind.
pub(crate) struct Run {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Run {
    fn of(output: Output) -> Self {
        Self {
            code: output.status.code().unwrap_or(-1),
            out: String::from_utf8_lossy(&output.stdout).into_owned(),
            err: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    /// Fails the test unless the run ended with `code` and printed `text`.
    #[track_caller]
    pub(crate) fn expect(&self, code: i32, text: &str) -> &Self {
        let all = format!("{}{}", self.out, self.err);
        assert!(
            self.code == code && all.contains(text),
            "expected exit {code} and `{text}`, got exit {}:\n{all}",
            self.code
        );
        self
    }
}

/// The folder of the shared data sets, or `None` with a word that the test was skipped.
pub(crate) fn shared_data(test: &str) -> Option<PathBuf> {
    let given = std::env::var_os("DPSYNTH_DATA").map(PathBuf::from);
    let folder = given.unwrap_or_else(|| workspace().join("../shared/data"));
    if folder.join("adult_train.csv").is_file() {
        return Some(folder);
    }
    skipped(test, &folder);
    None
}

#[expect(clippy::print_stderr, reason = "a test that is skipped says so")]
fn skipped(test: &str, folder: &Path) {
    eprintln!(
        "SKIPPED {test}: no data in {}; set DPSYNTH_DATA",
        folder.display()
    );
}

/// The root of the workspace.
pub(crate) fn workspace() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("../..")
        .canonicalize()
        .unwrap()
}

/// A table that fits [`POLICY`]: age and city depend on each other.
pub(crate) fn table(rows: usize) -> String {
    let mut text = String::from("age,city,income,since\n");
    for row in 0..rows {
        let age = 18 + (row * 7) % 60;
        let city = if age < 40 { "north" } else { "south" };
        let income = if row % 3 == 0 {
            "NA".to_owned()
        } else {
            format!("{}.50", age * 10)
        };
        let day = 1 + row % 28;
        text.push_str(&format!("{age},{city},{income},2024-01-{day:02}\n"));
    }
    text
}

pub(crate) const POLICY: &str = r#"version = 1

[dataset]
name = "town"
file = "data.csv"
missing_tokens = ["NA"]

[privacy]
unit = "row"
adjacency = "add_or_remove_one"
epsilon_per_release = 3.0
delta_per_release = 1e-6
epsilon_for_life = 7.0
delta_for_life = 1e-5
expected_units = 600
reason = "a made-up town"

[model]
target = "city"

[[column]]
name = "age"
kind = "integer"
min = 18
max = 80
reason = "adults"

[[column]]
name = "city"
kind = "categorical"
categories = ["north", "south"]

[[column]]
name = "income"
kind = "float"
min = 0
max = 1000
decimals = 2
missing = true

[[column]]
name = "since"
kind = "date"
min = "2024-01-01"
max = "2024-12-31"
format = "%Y-%m-%d"

[[rule]]
name = "young people live in the north"
sql = "age >= 30 OR city = 'north'"
reason = "the made-up town's law"

[[rule]]
name = "income is not negative"
non_negative = "income"
"#;
