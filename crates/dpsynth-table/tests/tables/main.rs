//! Tables that are read, drawn, checked and written, from outside the crate.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod common;
mod reading;
mod real_data;
mod times;
mod writing;
