//! The corpora of the fuzz targets, replayed.

use std::panic::catch_unwind;

use crate::fuzz_targets;
use crate::program::workspace;

#[test]
fn every_file_of_every_corpus_is_survived() {
    replay("policy", fuzz_targets::policy);
    replay("import", fuzz_targets::import);
    replay("rules", fuzz_targets::rules);
    replay("table", fuzz_targets::table);
    replay("ledger", fuzz_targets::ledger);
    replay("model", fuzz_targets::model);
}

fn replay(name: &str, target: fn(&[u8])) {
    let folder = workspace().join("fuzz/corpus").join(name);
    let mut replayed = 0;
    for entry in std::fs::read_dir(&folder).unwrap() {
        let path = entry.unwrap().path();
        let bytes = std::fs::read(&path).unwrap();
        // Truncations stand in for what a crash or a bad transfer leaves.
        for end in [
            0,
            bytes.len() / 3,
            bytes.len() / 2,
            bytes.len().saturating_sub(1),
            bytes.len(),
        ] {
            let part = bytes[..end].to_vec();
            let survived = catch_unwind(move || target(&part)).is_ok();
            assert!(
                survived,
                "{} cut at {end} breaks the target {name}",
                path.display()
            );
        }
        replayed += 1;
    }
    assert!(replayed >= 3, "the corpus of {name} has {replayed} files");
}
