//! `dpsynth audit` as a user runs it.

use crate::program::{Workplace, table};

#[test]
fn the_self_test_passes_and_says_that_this_proves_nothing() {
    let place = Workplace::new();
    place
        .run(&["audit", "self"])
        .expect(0, "nothing was found")
        .expect(0, "proves nothing")
        .expect(0, "power:");
    let json = place.run(&["audit", "self", "--json"]);
    let audit: serde_json::Value = serde_json::from_str(&json.out).unwrap();
    assert_eq!(audit["level"], "self");
    assert!(audit["checks"].as_array().unwrap().len() > 30);
    assert!(place.files().len() == 2, "it leaves nothing behind");
}

#[test]
fn a_mechanism_is_bounded_from_below_and_not_found() {
    let place = Workplace::new();
    let run = place.run(&[
        "audit",
        "mechanism",
        "--mechanism",
        "unit_count",
        "--runs",
        "20000",
        "--epsilon",
        "3",
        "--json",
    ]);
    run.expect(0, "unit_count");
    let audit: serde_json::Value = serde_json::from_str(&run.out).unwrap();
    let bounds = &audit["checks"][0]["bounds"];
    let bound = bounds["epsilon_at_least_if_gaussian"].as_f64().unwrap();
    // Secret bits are fresh, so by chance it exceeds ε once in 20 runs; by a tenth of it, once in 10^6.
    assert!(bound > 1.5 && bound < 3.3, "{bound}");
    place
        .run(&["audit", "mechanism", "--mechanism", "magic"])
        .expect(2, "unit_count");
    place
        .run(&["audit", "mechanism", "--epsilon=-1"])
        .expect(2, "--epsilon");
}

#[test]
fn canaries_in_one_run_of_the_policy_are_guessed_within_the_claim() {
    let place = Workplace::new();
    place
        .run(&["audit", "training", "--canaries", "200"])
        .expect(0, "guesses about 200 canaries are right")
        .expect(0, "proves nothing");
}

#[test]
fn a_release_that_copies_its_records_is_found() {
    let place = Workplace::new();
    // Ages that differ from those of the data in every row.
    let control: String = table(600)
        .lines()
        .enumerate()
        .map(|(row, line)| match line.split_once(',') {
            Some((age, rest)) if row > 0 => {
                let age: usize = age.parse().unwrap();
                let other = 18 + (age - 18 + 3 + row % 5) % 60;
                let shifted = rest.replace("2024-01", "2024-07");
                format!("{other},{shifted}\n")
            }
            _ => format!("{line}\n"),
        })
        .collect();
    place.write("control.csv", control);
    place
        .run(&["release", "--seed", "1", "--rows", "600"])
        .expect(0, "synthetic table");
    let arguments = ["audit", "release", "release"];
    let with = ["--against", "data.csv", "--control", "control.csv"];
    let audit = |more: &[&str]| place.run(&[&arguments[..], &with, more].concat());
    // Another population is no control; but a copy is worse.
    let json = audit(&["--json", "--seed", "1"]);
    let parsed: serde_json::Value = serde_json::from_str(&json.out).unwrap();
    assert_eq!(parsed["checks"].as_array().unwrap().len(), 5);
    let warning = parsed["not_private"].as_str().unwrap();
    assert!(warning.contains("do not publish them"));
    place.write("release/synthetic.csv", table(600));
    audit(&["--seed", "1"])
        .expect(4, "DPS6010")
        .expect(4, "FOUND")
        .expect(4, "do not publish them");
    place.write("tiny.csv", table(5));
    place
        .run(&[
            "audit",
            "release",
            "release",
            "--against",
            "tiny.csv",
            "--control",
            "tiny.csv",
        ])
        .expect(2, "DPS6004");
}
