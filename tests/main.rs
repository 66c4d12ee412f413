//! Everything that crosses crates: the program as a user runs it, what it leaves behind when it
//! fails, and what the workspace promises about itself.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod atoms;
mod audit;
mod bad_input;
mod canary;
mod crash;
mod drafts;
mod durations;
mod figures;
mod formats;
#[allow(
    unreachable_pub,
    reason = "the fuzz targets are a library of their own elsewhere"
)]
#[path = "../fuzz/src/lib.rs"]
mod fuzz_targets;
mod learned;
mod oracle;
mod pages;
mod people;
mod program;
mod recompute;
mod registry;
mod release;
mod replay;
mod rules;
mod screen;
mod sealed;
mod workspace;
