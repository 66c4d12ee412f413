//! Bad input gets a clear error, the right exit code, and costs nothing.

use crate::program::{POLICY, Workplace, table};

/// Runs a release on `data` and checks exit code and message; nothing may be left or spent.
#[track_caller]
fn refused(data: impl AsRef<[u8]>, code: i32, text: &str) {
    let here = Workplace::new();
    here.write("data.csv", data);
    here.run(&["release", "--epsilon", "1", "--out", "out"])
        .expect(code, text);
    assert!(!here.path("out").exists());
    let left: Vec<_> = here
        .files()
        .into_iter()
        .filter(|(path, _)| path.to_string_lossy().contains("partial"))
        .collect();
    assert!(left.is_empty(), "{left:?}");
    if here.path("town.ledger.jsonl").exists() {
        here.run(&["ledger", "show"])
            .expect(0, "epsilon   0.0000 spent");
    }
}

#[test]
fn tables_that_cannot_be_read() {
    refused("", 2, "empty");
    refused("a,b\n1,2\n", 2, "column");
    refused("age,city,income\n18,north,1\n", 2, "since");
    refused(
        "age,city,income,since,secret\n18,north,1,2024-01-01,x\n",
        2,
        "secret",
    );
    refused(
        "age,age,income,since\n18,18,1,2024-01-01\n",
        2,
        "the same name",
    );
    refused("age,city,income,since\n18,north,1\n", 2, "record");
    refused(
        b"age,city,income,since\n18,n\xff\xferth,1,2024-01-01\n",
        2,
        "UTF-8",
    );
}

#[test]
fn cells_outside_their_domain_are_named_by_column_and_record() {
    let good = table(5);
    let with = |row: &str| format!("{good}{row}\n");
    for (row, column) in [
        ("abc,north,1,2024-01-01", "age"),
        ("17,north,1,2024-01-01", "age"),
        ("81,north,1,2024-01-01", "age"),
        ("1e308,north,1,2024-01-01", "age"),
        ("18.5,north,1,2024-01-01", "age"),
        (",north,1,2024-01-01", "age"),
        ("18,west,1,2024-01-01", "city"),
        ("18,north,NaN,2024-01-01", "income"),
        ("18,north,inf,2024-01-01", "income"),
        ("18,north,-1,2024-01-01", "income"),
        ("18,north,1,2024-13-01", "since"),
        ("18,north,1,2023-12-31", "since"),
    ] {
        refused(with(row), 2, &format!("`{column}`"));
        refused(with(row), 2, "record 6");
    }
    refused(
        with(&format!("18,{},1,2024-01-01", "x".repeat(2 << 20))),
        2,
        "",
    );
}

#[test]
fn a_missing_table_or_policy() {
    let here = Workplace::new();
    here.run(&["release", "nowhere.csv", "--epsilon", "1"])
        .expect(2, "nowhere.csv");
    here.run(&["release", "data.xlsx", "--epsilon", "1"])
        .expect(2, "");
    here.run(&["release", "--policy", "nowhere.toml", "--epsilon", "1"])
        .expect(2, "was not found");
    here.run(&["plan", "--policy", "data.csv"])
        .expect(2, "finding");
    assert!(!here.path("town.ledger.jsonl").exists());
}

#[test]
fn budgets_that_are_none() {
    let here = Workplace::new();
    for epsilon in [
        "0", "-1", "NaN", "nan", "inf", "1e308", "-0.0", "abc", "1e-400",
    ] {
        let run = here.run(&["plan", "--epsilon", epsilon]);
        assert_eq!(run.code, 2, "epsilon {epsilon}: {}{}", run.out, run.err);
        assert!(run.err.contains("epsilon"), "{}", run.err);
    }
    for delta in ["0", "-1", "NaN", "1", "2", "inf"] {
        let run = here.run(&["plan", "--delta", delta]);
        assert_eq!(run.code, 2, "delta {delta}: {}{}", run.out, run.err);
    }
    here.run(&["plan", "--epsilon", "3.5"])
        .expect(1, "allows for one release");
    here.run(&["plan", "--delta", "1e-5"])
        .expect(1, "allows for one release");
    here.run(&["plan", "--rows", "0"]).expect(2, "rows");
    assert!(!here.path("town.ledger.jsonl").exists());
}

#[test]
fn all_findings_of_a_policy_are_shown_at_once_with_their_lines() {
    let here = Workplace::new();
    let bad = POLICY
        .replace("epsilon_per_release = 3.0", "epsilon_per_release = -3.0")
        .replace("kind = \"integer\"", "kind = \"integr\"")
        .replace("reason = \"adults\"", "raeson = \"adults\"")
        .replace("city = 'north'\"", "town = 'north'\"");
    here.write("dpsynth.toml", bad);
    let run = here.run(&["plan"]);
    assert_eq!(run.code, 2);
    for text in [
        "epsilon_per_release",
        "integr",
        "raeson",
        "-->",
        "dpsynth.toml:",
    ] {
        assert!(run.err.contains(text), "{text} is not in\n{}", run.err);
    }
}

#[test]
fn a_model_that_is_none() {
    let here = Workplace::new();
    here.write("model.safetensors", b"\x10\0\0\0\0\0\0\0{\"a\":1}        ");
    here.run(&[
        "sample",
        "model.safetensors",
        "--rows",
        "5",
        "--out",
        "x.csv",
    ])
    .expect(2, "model");
    here.run(&["sample", "nowhere", "--rows", "5", "--out", "x.csv"])
        .expect(2, "nowhere");
    here.run(&["verify", "nowhere"]).expect(2, "nowhere");
    assert!(!here.path("x.csv").exists());
}

#[test]
fn a_ledger_that_was_tampered_with_stops_everything() {
    let here = Workplace::new();
    here.run(&["release", "--epsilon", "1", "--out", "out"])
        .expect(0, "");
    let ledger = here.read("town.ledger.jsonl");
    here.write(
        "town.ledger.jsonl",
        ledger.replacen("\"epsilon_spent\":0.9", "\"epsilon_spent\":0.1", 1),
    );
    here.run(&["release", "--epsilon", "1", "--out", "second"])
        .expect(2, "ledger");
    here.run(&["ledger", "show"]).expect(2, "");
    assert!(!here.path("second").exists());
}

#[test]
fn a_graphics_processor_that_cannot_be_used_costs_nothing() {
    let here = Workplace::new();
    let release = ["release", "--epsilon", "1", "--out", "out"];
    let on = |engine| [&release[..], &["--device", "cuda", "--engine", engine]].concat();
    here.run(&on("copula")).expect(2, "DPS5013");
    if !cfg!(feature = "cuda") {
        here.run(&on("vae")).expect(2, "DPS3005");
    }
    assert!(!here.path("out").exists());
    assert!(!here.path("town.ledger.jsonl").exists());
}
