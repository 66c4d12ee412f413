//! Killing the process at any stage leaves no half release, and a ledger that says no less than
//! was spent.

use std::process::Stdio;
use std::thread;
use std::time::{Duration, Instant};

use crate::program::{POLICY, Workplace};

#[test]
fn a_kill_at_any_moment_leaves_a_whole_release_or_none() {
    let here = Workplace::new();
    // Small charges, so that the caps for life allow all of them.
    here.write(
        "dpsynth.toml",
        POLICY.replace("delta_for_life = 1e-5", "delta_for_life = 1e-3"),
    );
    let epsilon = "0.05";
    let arguments = |out: &str| {
        ["release", "--epsilon", epsilon, "--out", out]
            .map(str::to_owned)
            .to_vec()
    };
    let start = Instant::now();
    let first = arguments("whole");
    here.run(&first.iter().map(String::as_str).collect::<Vec<_>>())
        .expect(0, "");
    let whole = start.elapsed();

    const KILLS: u32 = 16;
    let (mut finished, mut charged) = (1, 1);
    for kill in 0..KILLS {
        let out = format!("killed-{kill}");
        let arguments = arguments(&out);
        let mut command = here.command(&arguments.iter().map(String::as_str).collect::<Vec<_>>());
        let mut child = command
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        thread::sleep(whole * kill / KILLS + Duration::from_millis(3));
        // On this platform a kill is SIGKILL, which no handler sees.
        let _ = child.kill();
        let output = child.wait_with_output().unwrap();
        charged += usize::from(String::from_utf8_lossy(&output.stderr).contains("charged"));
        if here.path(&out).exists() {
            here.run(&["verify", &out, "--ledger", "town.ledger.jsonl"])
                .expect(0, "ok");
            finished += 1;
        } else {
            assert!(
                !output.status.success(),
                "a run that succeeded left no folder"
            );
        }
    }
    // The ledger opens, and holds at least one charge for every folder that was finished.
    let summary = dpsynth_privacy::ledger::read(&here.path("town.ledger.jsonl")).unwrap();
    let charges = summary.charges.len();
    assert!(
        charges >= finished,
        "{charges} charges for {finished} releases"
    );
    // Every run that got as far as saying that it had charged is in the sum, and some were killed after.
    assert!(
        charges >= charged && charged > finished,
        "{charges} charges on record, {charged} told of, {finished} releases"
    );
    let price = summary.charges[0].epsilon_spent;
    assert!(
        summary.spent_epsilon >= charged as f64 * price * (1.0 - 1e-12),
        "the charge of a killed run is forgotten"
    );
    // The ledger is not left locked or torn: the next release runs.
    let last = arguments("last");
    here.run(&last.iter().map(String::as_str).collect::<Vec<_>>())
        .expect(0, "");
}
