//! The pages for people in three roles: every command in them runs as written.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::program::workspace;

/// Commands of a page, each with the exit code that it announces.
fn commands(page: &str) -> Vec<(String, i32)> {
    let mut found = Vec::new();
    let mut shell = false;
    for line in page.lines() {
        match line.trim_end() {
            "```sh" => shell = true,
            "```" => shell = false,
            "" => {}
            line if shell => {
                let (command, code) = match line.rsplit_once("# exit ") {
                    Some((command, code)) => (command.trim_end(), code.parse().unwrap()),
                    None => (line, 0),
                };
                found.push((command.to_owned(), code));
            }
            _ => {}
        }
    }
    found
}

/// Runs all commands of a page, one after another, in a folder with the demo.
fn runs_as_written(name: &str) {
    let root = workspace();
    let page = std::fs::read_to_string(root.join("docs").join(name)).unwrap();
    let commands = commands(&page);
    assert!(commands.len() > 4, "{name} has commands");
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    std::fs::copy(root.join("policies/clinic.toml"), here.join("dpsynth.toml")).unwrap();
    std::fs::create_dir(here.join("demo")).unwrap();
    std::fs::copy(
        root.join("policies/demo/clinic.csv"),
        here.join("demo/clinic.csv"),
    )
    .unwrap();
    for (command, code) in commands {
        let output = Command::new("sh")
            .args(["-c", &command])
            .current_dir(here)
            .env("PATH", path())
            .output()
            .unwrap();
        assert_eq!(
            output.status.code(),
            Some(code),
            "{name}: {command}\n{}{}",
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        );
    }
}

/// The search path, with the program's folder first.
fn path() -> std::ffi::OsString {
    let program = PathBuf::from(env!("CARGO_BIN_EXE_dpsynth"));
    let mut folders = vec![program.parent().map_or_else(PathBuf::new, Path::to_owned)];
    folders.extend(std::env::split_paths(
        &std::env::var_os("PATH").unwrap_or_default(),
    ));
    std::env::join_paths(folders).unwrap()
}

#[test]
fn the_page_for_compliance_officers_runs_as_written() {
    runs_as_written("for-compliance.md");
}

#[test]
fn the_page_for_auditors_runs_as_written() {
    runs_as_written("for-auditors.md");
}

#[test]
fn the_page_for_data_scientists_runs_as_written() {
    runs_as_written("for-data-scientists.md");
}

#[test]
fn a_command_that_fails_is_found() {
    let page = "text\n```sh\ntrue\nfalse   # exit 1\n```\nfalse\n```toml\nx = 1\n```\n";
    assert_eq!(
        commands(page),
        [("true".to_owned(), 0), ("false".to_owned(), 1)]
    );
}
