//! What the workspace promises about itself: its dependency edges and its diagnostics.

use std::collections::BTreeSet;
use std::process::Command;

use crate::program::workspace;

/// The edges that `docs/architecture.md` allows.
const ALLOWED: [(&str, &[&str]); 9] = [
    (
        "dpsynth-privacy",
        &[
            "chacha20",
            "dashu-int",
            "ed25519-dalek",
            "gemm",
            "realfft",
            "libm",
            "getrandom",
            "opendp",
            "serde",
            "serde_json",
            "sha2",
            "thiserror",
            "zeroize",
        ],
    ),
    (
        "dpsynth-table",
        &[
            "chrono",
            "encoding_rs",
            "flate2",
            "foldhash",
            "polars",
            "polars-arrow",
            "serde",
            "thiserror",
            "zstd",
        ],
    ),
    (
        "dpsynth-constraints",
        &[
            "chrono",
            "dpsynth-table",
            "foldhash",
            "polars",
            "polars-lazy",
            "serde",
            "sqlparser",
            "thiserror",
        ],
    ),
    (
        "dpsynth-train",
        &[
            "candle-core",
            "candle-nn",
            "dpsynth-privacy",
            "dpsynth-table",
            "safetensors",
            "serde",
            "serde_json",
            "thiserror",
        ],
    ),
    ("dpsynth-page", &["maud"]),
    // Nothing of the boundary: what it sees is not protected, and it can release nothing.
    (
        "dpsynth-evaluate",
        &[
            "dpsynth-page",
            "forust-ml",
            "maud",
            "serde",
            "serde_json",
            "smartcore",
            "thiserror",
        ],
    ),
    (
        "dpsynth-audit",
        &[
            "dpsynth-privacy",
            "dpsynth-train",
            "libm",
            "serde",
            "thiserror",
        ],
    ),
    (
        // A copy of the core with faults: its dependencies, and no crate of this table.
        "dpsynth-faults",
        &[
            "chacha20",
            "dashu-int",
            "ed25519-dalek",
            "gemm",
            "realfft",
            "libm",
            "getrandom",
            "opendp",
            "serde",
            "serde_json",
            "sha2",
            "thiserror",
            "zeroize",
        ],
    ),
    (
        "dpsynth",
        &[
            "annotate-snippets",
            "chrono",
            "clap",
            "clap_complete",
            "clap_mangen",
            "dpsynth-audit",
            "dpsynth-constraints",
            "dpsynth-evaluate",
            "dpsynth-page",
            "dpsynth-privacy",
            "dpsynth-table",
            "dpsynth-train",
            "getrandom",
            "indicatif",
            "maud",
            "saphyr-parser",
            "schemars",
            "serde",
            "serde_json",
            "sha2",
            "tempfile",
            "thiserror",
            "toml",
        ],
    ),
];

#[test]
fn crates_depend_on_nothing_but_what_is_allowed() {
    let output = Command::new(env!("CARGO"))
        .args([
            "metadata",
            "--format-version",
            "1",
            "--no-deps",
            "--offline",
        ])
        .current_dir(workspace())
        .output()
        .unwrap();
    let metadata: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let packages = metadata["packages"].as_array().unwrap();
    assert_eq!(
        packages.len(),
        ALLOWED.len(),
        "a new crate needs a line here and in docs/architecture.md"
    );
    for package in packages {
        let name = package["name"].as_str().unwrap();
        let allowed = ALLOWED.iter().find(|(crate_name, _)| *crate_name == name);
        let allowed = allowed
            .unwrap_or_else(|| panic!("{name} is not in the table"))
            .1;
        for dependency in package["dependencies"].as_array().unwrap() {
            if dependency["kind"].is_null() {
                let dependency = dependency["name"].as_str().unwrap();
                assert_ne!(
                    dependency, "dpsynth-faults",
                    "only tests may have the core with faults, and {name} is built into a program"
                );
                assert!(
                    allowed.contains(&dependency),
                    "{name} must not depend on {dependency}"
                );
            }
        }
    }
}

#[test]
fn every_code_has_its_section_and_every_section_its_code() {
    let mut codes = BTreeSet::new();
    let families: [&[&str]; 22] = [
        dpsynth::cli::CODES,
        dpsynth::folder::FolderError::CODES,
        dpsynth::import::ImportError::CODES,
        dpsynth::plan::PlanError::CODES,
        dpsynth::policy::CODES,
        dpsynth::policy::LearnError::CODES,
        dpsynth::policy::PolicyError::CODES,
        dpsynth::release::ReleaseError::CODES,
        dpsynth::self_audit::SelfAuditError::CODES,
        dpsynth::synthesise::SynthesisError::CODES,
        dpsynth_audit::AuditError::CODES,
        dpsynth_constraints::RuleError::CODES,
        dpsynth_evaluate::EvaluateError::CODES,
        dpsynth_privacy::MechanismError::CODES,
        dpsynth_privacy::NumberError::CODES,
        dpsynth_privacy::RandomnessError::CODES,
        dpsynth_privacy::RecordsError::CODES,
        dpsynth_privacy::accountant::AccountingError::CODES,
        dpsynth_privacy::ledger::LedgerError::CODES,
        dpsynth_table::SchemaError::CODES,
        dpsynth_table::TableError::CODES,
        dpsynth_train::TrainError::CODES,
    ];
    for code in families
        .into_iter()
        .flatten()
        .chain(dpsynth_table::WriteError::CODES)
    {
        assert!(codes.insert(*code), "{code} has two meanings");
    }
    let page = std::fs::read_to_string(workspace().join("docs/diagnostics.md")).unwrap();
    let sections: BTreeSet<&str> = page
        .lines()
        .filter_map(|line| line.strip_prefix("## DPS").map(|_| &line[3..10]))
        .collect();
    let missing: Vec<_> = codes.difference(&sections).collect();
    let stale: Vec<_> = sections.difference(&codes).collect();
    assert!(
        missing.is_empty() && stale.is_empty(),
        "missing: {missing:?}; stale: {stale:?}"
    );
}
