//! `dpsynth completions` and `dpsynth man`.

use std::path::Path;

use clap::CommandFactory;

use super::args::Cli;
use super::error::CliError;
use super::print;

/// Prints the completions for a shell.
pub(super) fn completions(shell: clap_complete::Shell) -> Result<(), CliError> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "dpsynth", &mut script);
    print(&String::from_utf8_lossy(&script));
    Ok(())
}

/// Writes a manual page for the program and for each of its commands.
pub(super) fn manual(folder: &Path) -> Result<(), CliError> {
    std::fs::create_dir_all(folder).map_err(|source| CliError::io(folder, source))?;
    clap_mangen::generate_to(Cli::command(), folder)
        .map_err(|source| CliError::io(folder, source))?;
    print(&format!(
        "Manual pages are in {}; read the first with `man {}`.\n",
        folder.display(),
        folder.join("dpsynth.1").display()
    ));
    Ok(())
}
