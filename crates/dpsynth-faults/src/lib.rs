//! A copy of `dpsynth-privacy` with known faults, for the tests of the audits. No program may depend
//! on it: whatever comes out of it is not private.
//!
//! The build script copies the source of the core and writes every fault of `build/faults.rs` into
//! the copy, behind the question which fault is on. So faults stand in the code that really runs, and
//! the core holds no trace of them: a program that is built with the core cannot turn one on. With
//! no fault on, the copy is the core.

#![allow(
    warnings,
    unsafe_code,
    clippy::all,
    clippy::unwrap_used,
    reason = "the core is checked where it is; a fault is as it is"
)]

include!(concat!(env!("OUT_DIR"), "/core/lib.rs"));
