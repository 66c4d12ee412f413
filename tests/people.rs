//! People with several rows: the cap, the claim, and what a release says of both.

use std::collections::BTreeSet;

use crate::program::Workplace;

const POLICY: &str = r#"version = 1

[dataset]
name = "ward"
file = "data.csv"
missing_tokens = ["?"]

[privacy]
unit = { user = "patient", max_rows = 3 }
adjacency = "ADJACENCY"
epsilon_per_release = 3.0
delta_per_release = 1e-6
epsilon_for_life = 30.0
delta_for_life = 1e-5
expected_units = UNITS

[model]
engine = "ENGINE"

[[column]]
name = "patient"
kind = "ignore"
reason = "an identifier"

[[column]]
name = "ward"
kind = "categorical"
categories = ["east", "west"]

[[column]]
name = "days"
kind = "integer"
min = 1
max = 14
"#;

/// How the identifier of every patient starts: bytes that occur nowhere by chance.
const NAME: &str = "Zq7PATIENTx";

/// Patients of the table below, and the rows of theirs that a cap of 3 leaves.
const PATIENTS: usize = 200;
const KEPT: usize = 50 + 50 * 2 + 100 * 3;

/// Rows of patients `first..first + PATIENTS`, who have 1, 2, 7 and 20 rows, not next to each other.
fn table(first: usize) -> String {
    let mut text = String::from("ward,patient,days\n");
    for visit in 0..20 {
        for patient in 0..PATIENTS {
            if visit < [1, 2, 7, 20][patient % 4] {
                let ward = if patient % 2 == 0 { "east" } else { "west" };
                let name = first + patient;
                text.push_str(&format!(
                    "{ward},{NAME}{name},{}\n",
                    1 + (patient + visit) % 14
                ));
            }
        }
    }
    text
}

fn workplace(engine: &str, adjacency: &str, units: &str) -> Workplace {
    let here = Workplace::new();
    let policy = POLICY
        .replace("ENGINE", engine)
        .replace("ADJACENCY", adjacency)
        .replace("UNITS", units);
    here.write("dpsynth.toml", policy);
    here.write("data.csv", table(91_000));
    here
}

#[test]
fn every_engine_protects_people_under_both_adjacencies() {
    for (engine, adjacency, units) in [
        ("marginals", "add_or_remove_one", "200"),
        ("copula", "replace_one", "200"),
        ("vae", "add_or_remove_one", "200"),
        ("decoder", "add_or_remove_one", "\"count\""),
    ] {
        let here = workplace(engine, adjacency, units);
        here.run(&["plan", "--epsilon", "3"])
            .expect(0, "all rows of one `patient`, at most 3 of which are used");
        here.run(&["release", "--epsilon", "3", "--out", "out"])
            .expect(
                0,
                "all rows of one value of `patient`, of which at most 3 were used",
            );
        here.run(&["verify", "out", "--ledger", "ward.ledger.jsonl"])
            .expect(0, "ok");
        let report: serde_json::Value =
            serde_json::from_str(&here.read("out/report.json")).unwrap();
        assert_eq!(report["privacy"]["unit"]["user"]["max_rows"], 3);
        let spent = report["privacy"]["epsilon_spent"].as_f64().unwrap();
        assert!(spent <= 3.0 && spent > 2.9, "{engine}: {spent}");
        // The claim speaks of the person; the figure for a row stands apart from it.
        let others = &report["privacy"]["readings"]["other_units"];
        assert_eq!(others[0]["whose"], "unit");
        assert_eq!(others[0]["price"]["epsilon"].as_f64().unwrap(), spent);
        assert_eq!(others[1]["whose"], "row_of_unit");
        let row = others[1]["price"]["epsilon"].as_f64().unwrap();
        assert_eq!(row < spent, engine != "vae", "{engine}: {row} and {spent}");
        assert!(
            report["claim"]
                .as_str()
                .unwrap()
                .contains("of which at most 3 were used")
        );
        // Nobody is named, and the number of rows is noisy: not the one of the table.
        let synthetic = here.read("out/synthetic.csv");
        assert_eq!(synthetic.lines().next(), Some("ward,days"));
        for (path, content) in here.files() {
            let named = content.windows(NAME.len()).any(|it| it == NAME.as_bytes());
            assert!(!named || path.ends_with("data.csv"), "{}", path.display());
        }
    }
}

#[test]
fn rows_beyond_the_cap_are_not_used() {
    // Without noise the number of rows is the number that was kept.
    let here = workplace("marginals", "add_or_remove_one", "200");
    here.run(&["release", "--insecure-no-privacy", "--out", "out"])
        .expect(0, "NOT PRIVATE");
    assert_eq!(here.read("out/synthetic.csv").lines().count(), 1 + KEPT);
}

#[test]
fn a_noisy_number_of_rows_never_exceeds_what_a_rule_has_room_for() {
    // Of 450 rows only 28 can differ, and how many there are is not known before it is paid for.
    let here = workplace("copula", "add_or_remove_one", "200");
    let rule = "\n[[rule]]\nname = \"one of each\"\nunique = [\"ward\", \"days\"]\n";
    here.write("dpsynth.toml", here.read("dpsynth.toml") + rule);
    here.run(&["release", "--epsilon", "3", "--out", "out"])
        .expect(0, "");
    assert_eq!(here.read("out/synthetic.csv").lines().count(), 1 + 2 * 14);
    here.run(&["verify", "out", "--ledger", "ward.ledger.jsonl"])
        .expect(0, "");
}

#[test]
fn rows_of_nobody_stop_the_run_and_cost_nothing() {
    for nobody in ["", "?", "  "] {
        let here = workplace("marginals", "add_or_remove_one", "200");
        let data = format!("{}east,{nobody},3\n", table(91_000));
        here.write("data.csv", data);
        let run = here.run(&["release", "--epsilon", "1", "--out", "out"]);
        run.expect(2, "DPS1116");
        assert!(!format!("{}{}", run.out, run.err).contains(NAME));
        assert!(!here.path("out").exists());
        here.run(&["ledger", "show"]).expect(0, "0.0000 spent");
    }
}

#[test]
fn a_compressed_table_of_people_is_read_like_the_plain_one() {
    let here = workplace("marginals", "add_or_remove_one", "200");
    let plain = here.path("data.csv");
    let packed = std::process::Command::new("gzip")
        .arg("-k")
        .arg(&plain)
        .status();
    assert!(packed.unwrap().success());
    here.run(&[
        "release",
        "data.csv.gz",
        "--insecure-no-privacy",
        "--out",
        "out",
    ])
    .expect(0, "NOT PRIVATE");
    let wards: BTreeSet<String> = here
        .read("out/synthetic.csv")
        .lines()
        .skip(1)
        .map(|row| row.split(',').next().unwrap().to_owned())
        .collect();
    assert_eq!(wards.len(), 2);
}

#[test]
fn identifiers_are_made_up_and_never_copied() {
    for (format, out) in [
        ("csv", "out/synthetic.csv"),
        ("parquet", "out/synthetic.parquet"),
    ] {
        let here = workplace("marginals", "add_or_remove_one", "200");
        let policy = here
            .read("dpsynth.toml")
            .replace("kind = \"ignore\"", "kind = \"id\"\nformat = \"Q@-####\"");
        here.write("dpsynth.toml", policy);
        here.run(&[
            "release",
            "--epsilon",
            "3",
            "--out",
            "out",
            "--format",
            format,
        ])
        .expect(0, "differentially private");
        here.run(&["verify", "out", "--ledger", "ward.ledger.jsonl"])
            .expect(0, "ok");
        assert!(here.path(out).exists());
        let more = [
            "sample",
            "out/model.safetensors",
            "--rows",
            "900",
            "--out",
            "more.csv",
        ];
        here.run(&more).expect(0, "900 rows");
        let more = here.read("more.csv");
        assert_eq!(more.lines().next(), Some("patient,ward,days"));
        let made_up: BTreeSet<&str> = (more.lines().skip(1))
            .map(|row| row.split(',').next().unwrap())
            .collect();
        assert_eq!(made_up.len(), 900, "no two alike");
        assert!(
            made_up
                .iter()
                .all(|id| id.starts_with('Q') && id.len() == 7)
        );
        // One too many for the format is refused; when it would cost budget, before it does.
        let over = [
            "sample",
            "out/model.safetensors",
            "--rows",
            "260001",
            "--out",
            "over.csv",
        ];
        here.run(&over).expect(2, "DPS5003");
        let ledger = here.read("ward.ledger.jsonl");
        let over = [
            "release",
            "--epsilon",
            "1",
            "--rows",
            "260001",
            "--out",
            "over",
        ];
        here.run(&over).expect(2, "DPS5003");
        assert_eq!(here.read("ward.ledger.jsonl"), ledger);
    }
}
