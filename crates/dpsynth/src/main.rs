//! The `dpsynth` program.

#![forbid(unsafe_code)]

use std::process::ExitCode;

fn main() -> ExitCode {
    dpsynth::cli::run()
}
