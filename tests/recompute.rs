//! A release priced again by other people's program, where that is at hand.

use std::process::Command;

use crate::program::{POLICY, Workplace, table};

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/recompute.py");

/// The policy and table of [`POLICY`], with rows that people share.
fn with_people(here: &Workplace) {
    let column = "[[column]]\nname = \"person\"\nkind = \"id\"\n\n[[column]]\nname = \"age\"";
    let policy = POLICY
        .replace(
            "unit = \"row\"",
            "unit = { user = \"person\", max_rows = 4 }",
        )
        .replace("expected_units = 600", "expected_units = \"count\"")
        .replace("[[column]]\nname = \"age\"", column);
    here.write("dpsynth.toml", policy);
    let mut data = String::new();
    for (number, line) in table(600).lines().enumerate() {
        let person = match number {
            0 => "person".to_owned(),
            number => format!("p{}", number % 150),
        };
        data.push_str(&format!("{person},{line}\n"));
    }
    here.write("data.csv", data);
}

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

#[test]
fn another_accountant_agrees_on_one_row_of_a_person() {
    if !python_at_hand() {
        return;
    }
    let here = Workplace::new();
    with_people(&here);
    here.run(&[
        "release",
        "--epsilon",
        "2",
        "--engine",
        "marginals",
        "--out",
        "out",
    ])
    .expect(0, "differentially private");
    let python = |report: &str| {
        Command::new("python3")
            .args([SCRIPT, report])
            .current_dir(here.path("."))
            .output()
            .unwrap()
    };
    let honest = python("out/report.json");
    let said = String::from_utf8_lossy(&honest.stdout);
    assert!(
        honest.status.success() && said.contains("one row of a person"),
        "{said}"
    );

    // The control: a report that states a tenth less for the row.
    let mut report: serde_json::Value =
        serde_json::from_str(&here.read("out/report.json")).unwrap();
    let row = &mut report["privacy"]["readings"]["other_units"][1]["price"]["epsilon"];
    *row = (row.as_f64().unwrap() * 0.9).into();
    here.write("false.json", report.to_string());
    assert_eq!(python("false.json").status.code(), Some(1));
}
