//! The table of `docs/audit.md` says which audit finds which fault, and a test keeps it true.

use std::fmt::Write;

use dpsynth_faults::fault::Fault;

use crate::core_faults::{CAUGHT, caught};
use crate::pipelines::Pipeline;

/// The rows of the table. Fails if an audit misses a fault.
fn rows() -> String {
    let mut rows = String::from("| fault | audit | check that finds it |\n|---|---|---|\n");
    let mut missed = Vec::new();
    for (fault, part) in CAUGHT {
        let what = Fault::ALL.iter().find(|(it, _)| *it == fault).unwrap().1;
        match caught(fault, part) {
            Some(check) => writeln!(rows, "| {what} | `{}` | {check} |", part.audit()).unwrap(),
            None => missed.push(format!("{fault:?} by {part:?}")),
        }
    }
    for (pipeline, what) in Pipeline::ALL {
        match pipeline.caught() {
            Some(_) => {
                writeln!(rows, "| {what} | `mechanism` | an attack on the pipeline |").unwrap();
            }
            None => missed.push(format!("{pipeline:?}")),
        }
    }
    assert!(missed.is_empty(), "missed: {missed:?}");
    rows
}

#[test]
fn every_fault_is_found_as_the_documentation_says() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/audit.md");
    let page = std::fs::read_to_string(path).unwrap();
    let (start, end) = ("<!-- faults -->\n", "<!-- end of faults -->");
    let from = page.find(start).unwrap() + start.len();
    let to = page.find(end).unwrap();
    let rows = rows();
    if std::env::var_os("DPSYNTH_UPDATE_SNAPSHOTS").is_some() {
        let updated = format!("{}{rows}{}", &page[..from], &page[to..]);
        std::fs::write(path, updated).unwrap();
        return;
    }
    assert_eq!(
        &page[from..to],
        rows,
        "run the test with DPSYNTH_UPDATE_SNAPSHOTS=1"
    );
}
