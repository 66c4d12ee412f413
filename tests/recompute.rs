//! A release priced again by other people's program, where that is at hand.

use std::process::Command;

use crate::program::Workplace;

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/recompute.py");

/// Returns whether Python and `dp-accounting` are here, and says aloud where they are not.
fn python_at_hand() -> bool {
    let found = Command::new("python3")
        .args(["-c", "import dp_accounting"])
        .output()
        .is_ok_and(|output| output.status.success());
    if !found {
        eprintln!("SKIPPED: no python3 with dp-accounting here, so nobody else priced the release");
    }
    found
}

#[test]
fn another_accountant_agrees_with_a_release_and_catches_a_false_one() {
    if !python_at_hand() {
        return;
    }
    let workplace = Workplace::new();
    let run = workplace.run(&["release", "--epsilon", "2", "--out", "out"]);
    assert_eq!(run.code, 0, "{}", run.err);
    let python = |report: &str| {
        Command::new("python3")
            .args([SCRIPT, report])
            .current_dir(workplace.path("."))
            .output()
            .unwrap()
    };
    let honest = python("out/report.json");
    assert!(
        honest.status.success(),
        "{}",
        String::from_utf8_lossy(&honest.stdout)
    );

    // The control: a report that states a tenth less than it should.
    let mut report: serde_json::Value =
        serde_json::from_str(&workplace.read("out/report.json")).unwrap();
    let spent = report["privacy"]["epsilon_spent"].as_f64().unwrap();
    report["privacy"]["epsilon_spent"] = (spent * 0.9).into();
    workplace.write("false.json", report.to_string());
    assert_eq!(python("false.json").status.code(), Some(1));

    // The same for the price of a group.
    let mut report: serde_json::Value =
        serde_json::from_str(&workplace.read("out/report.json")).unwrap();
    let group = &mut report["privacy"]["readings"]["other_units"][2]["price"]["epsilon"];
    *group = (group.as_f64().unwrap() * 0.9).into();
    workplace.write("false.json", report.to_string());
    assert_eq!(python("false.json").status.code(), Some(1));
}
