//! A release from end to end, and what becomes of it.

use crate::program::{POLICY, Workplace, shared_data, table, workspace};

#[test]
fn a_release_is_whole_verifies_and_is_charged() {
    let here = Workplace::new();
    here.run(&["plan", "--epsilon", "3"])
        .expect(0, "nothing has been read or spent");
    assert!(
        !here.path("town.ledger.jsonl").exists(),
        "a plan spends nothing"
    );
    here.run(&["release", "--epsilon", "3", "--out", "out", "--seed", "5"])
        .expect(0, "differentially private");
    let mut names: Vec<String> = std::fs::read_dir(here.path("out"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    assert_eq!(
        names,
        [
            "MANIFEST",
            "MANIFEST.sig",
            "model.safetensors",
            "policy.toml",
            "report.html",
            "report.json",
            "report.md",
            "synthetic.csv"
        ]
    );
    let synthetic = here.read("out/synthetic.csv");
    assert_eq!(synthetic.lines().count(), 601);
    assert_eq!(synthetic.lines().next(), Some("age,city,income,since"));
    for row in synthetic.lines().skip(1) {
        let cells: Vec<&str> = row.split(',').collect();
        let age: u32 = cells[0].parse().unwrap();
        assert!(
            (18..=80).contains(&age) && (age >= 30 || cells[1] == "north"),
            "{row}"
        );
        assert!(
            cells[2] == "NA" || (0.0..=1000.0).contains(&cells[2].parse::<f64>().unwrap()),
            "{row}"
        );
        assert!(cells[3].starts_with("2024-"), "{row}");
    }
    here.run(&["verify", "out", "--ledger", "town.ledger.jsonl"])
        .expect(0, "ok");
    here.run(&["ledger", "show"]).expect(0, "spent of 7");

    // The report says what was spent, never more than was asked for.
    let report: serde_json::Value = serde_json::from_str(&here.read("out/report.json")).unwrap();
    let spent = report["privacy"]["epsilon_spent"].as_f64().unwrap();
    assert!(spent <= 3.0 && spent > 2.9, "{spent}");
    // People with several rows are told what holds for them.
    let groups = report["privacy"]["readings"]["other_units"]
        .as_array()
        .unwrap();
    assert_eq!(groups.len(), 3);
    let two = groups[0]["price"]["epsilon"].as_f64().unwrap();
    assert_eq!(groups[0]["whose"]["rows_together"], 2);
    assert!(two > 1.5 * spent, "{two}");
    assert!(here.read("out/report.md").contains("any 10 rows together"));

    // A second release fits the cap for life, a third does not.
    here.run(&["release", "--epsilon", "3", "--out", "second"])
        .expect(0, "1.0");
    here.run(&["release", "--epsilon", "3", "--out", "third"])
        .expect(1, "remain");
    assert!(!here.path("third").exists());

    // A release is never overwritten.
    here.run(&["release", "--epsilon", "0.5", "--out", "out"])
        .expect(2, "exists already");
}

#[test]
fn the_same_seed_and_model_give_the_same_rows_and_more_rows_cost_nothing() {
    let here = Workplace::new();
    here.run(&["release", "--epsilon", "1", "--out", "out"])
        .expect(0, "");
    let ledger = here.read("town.ledger.jsonl");
    for name in ["a.csv", "b.csv"] {
        let arguments = [
            "sample",
            "out/model.safetensors",
            "--rows",
            "1234",
            "--out",
            name,
            "--seed",
            "9",
        ];
        here.run(&arguments).expect(0, "1234 rows");
    }
    assert_eq!(here.read("a.csv"), here.read("b.csv"));
    assert_eq!(here.read("a.csv").lines().count(), 1235);
    assert_eq!(here.read("town.ledger.jsonl"), ledger);
    let arguments = [
        "sample",
        "out/model.safetensors",
        "--rows",
        "50",
        "--out",
        "c.parquet",
    ];
    here.run(&arguments).expect(0, "50 rows");
}

#[test]
fn rows_that_meet_a_condition_are_drawn_by_construction() {
    let here = Workplace::new();
    here.run(&["release", "--epsilon", "3", "--out", "out"])
        .expect(0, "");
    let ledger = here.read("town.ledger.jsonl");
    let sample = |condition: &str, out: &str| {
        let model = "out/model.safetensors";
        here.run(&[
            "sample", model, "--rows", "700", "--where", condition, "--out", out,
        ])
    };
    // The days of one month are a twelfth of the declared year; a bound lies inside an income's cell.
    let condition = "city = 'south' AND since < '2024-01-15' AND income > 500.125";
    sample(condition, "some.csv").expect(0, "700 rows");
    let rows = here.read("some.csv");
    assert_eq!(rows.lines().count(), 701);
    for row in rows.lines().skip(1) {
        let cells: Vec<&str> = row.split(',').collect();
        assert_eq!(cells[1], "south", "{row}");
        assert!(
            cells[2].parse::<f64>().is_ok_and(|income| income > 500.125),
            "{row}"
        );
        assert!(cells[3] < "2024-01-15", "{row}");
    }
    // Across columns no construction helps, and rows are drawn until enough meet it.
    sample("income / 10 < age OR income IS NULL", "across.csv").expect(0, "700 rows");
    sample("income IS NULL", "missing.csv").expect(0, "700 rows");
    sample("age > 30 -- and no remark harms", "grown.csv").expect(0, "700 rows");
    let missing = here.read("missing.csv");
    assert!(missing.lines().skip(1).all(|row| row.contains(",NA,")));
    for (condition, code) in [
        ("age < 18", "DPS5002"),
        ("age > 80.5 AND city = 'north'", "DPS5002"),
        // The town's law, and the condition, leave nobody.
        ("age < 30 AND city = 'south'", "DPS5004"),
        ("agee < 30", "[DPS2003]: condition `agee < 30`"),
        ("COUNT(*) > 3", "DPS20"),
    ] {
        let run = sample(condition, "none.csv");
        assert!(run.err.contains(code), "{condition}: {}", run.err);
        assert!(!here.path("none.csv").exists());
        assert_eq!(sample(condition, "-").out, "", "not even a header");
    }
    assert_eq!(here.read("town.ledger.jsonl"), ledger);
}

#[test]
fn the_autoencoder_is_still_an_engine() {
    let here = Workplace::new();
    let arguments = [
        "release",
        "--epsilon",
        "3",
        "--engine",
        "vae",
        "--out",
        "out",
    ];
    here.run(&arguments).expect(0, "");
    here.run(&["verify", "out", "--ledger", "town.ledger.jsonl"])
        .expect(0, "ok      the ledger holds the charge");
    assert!(here.read("out/report.json").contains("dp_sgd"));
    let model = "out/model.safetensors";
    let condition = ["--where", "city = 'south'", "--out", "south.csv"];
    here.run(&[&["sample", model, "--rows", "300"], &condition[..]].concat())
        .expect(0, "300 rows");
    here.run(&["inspect", model]).expect(0, "latent 1");
}

#[test]
fn every_engine_makes_a_release_that_verifies() {
    for engine in ["decoder", "marginals", "copula"] {
        let here = Workplace::new();
        let arguments = [
            "release",
            "--engine",
            engine,
            "--epsilon",
            "2",
            "--out",
            "out",
        ];
        here.run(&arguments).expect(0, "");
        here.run(&["verify", "out", "--ledger", "town.ledger.jsonl"])
            .expect(0, "ok");
        let report = here.read("out/report.md");
        assert!(report.contains(&format!("Engine `{engine}`")), "{report}");
        let inspect = here.run(&["inspect", "out/model.safetensors", "--axes", "2"]);
        if engine == "decoder" {
            inspect.expect(0, "axis 1");
        } else {
            inspect.expect(2, "has no latents");
        }
        let arguments = [
            "sample",
            "out/model.safetensors",
            "--rows",
            "50",
            "--out",
            "c.csv",
        ];
        here.run(&arguments).expect(0, "50 rows");
    }
}

#[test]
fn parquet_goes_in_and_comes_out() {
    let here = Workplace::new();
    here.run(&[
        "release",
        "--epsilon",
        "1",
        "--out",
        "first",
        "--format",
        "parquet",
    ])
    .expect(0, "");
    std::fs::rename(
        here.path("first/synthetic.parquet"),
        here.path("data.parquet"),
    )
    .unwrap();
    here.run(&[
        "release",
        "data.parquet",
        "--epsilon",
        "1",
        "--out",
        "second",
    ])
    .expect(0, "");
    assert!(here.path("second/synthetic.parquet").is_file());
    here.run(&["verify", "second"])
        .expect(0, "skipped the ledger holds the charge");
}

#[test]
fn a_changed_byte_in_any_file_is_found() {
    let here = Workplace::new();
    here.run(&["release", "--epsilon", "1", "--out", "out"])
        .expect(0, "");
    for name in [
        "model.safetensors",
        "policy.toml",
        "report.json",
        "report.html",
        "report.md",
        "synthetic.csv",
        "MANIFEST",
        "MANIFEST.sig",
    ] {
        let path = here.path("out").join(name);
        let sound = std::fs::read(&path).unwrap();
        for offset in [0, sound.len() / 3, sound.len() - 2] {
            let mut changed = sound.clone();
            changed[offset] ^= 1;
            std::fs::write(&path, &changed).unwrap();
            here.run(&["verify", "out"]).expect(4, "FAILED");
        }
        std::fs::write(&path, &sound).unwrap();
    }
    here.run(&["verify", "out"]).expect(0, "");
}

#[test]
fn a_report_whose_figures_do_not_follow_fails_even_with_a_fresh_manifest() {
    let here = Workplace::new();
    here.run(&["release", "--epsilon", "1", "--out", "out"])
        .expect(0, "");
    let report = here.read("out/report.json");
    let value: serde_json::Value = serde_json::from_str(&report).unwrap();
    let spent = value["privacy"]["epsilon_spent"].to_string();
    let field = format!("\"epsilon_spent\": {spent}");
    here.write(
        "out/report.json",
        report.replace(&field, "\"epsilon_spent\": 0.1"),
    );
    here.run(&["verify", "out"])
        .expect(4, "the mechanisms together cost more than stated");
    // The price of a mechanism alone is checked as well.
    let field = format!("\"epsilon_alone\": {spent}");
    assert!(report.contains(&field), "{report}");
    here.write(
        "out/report.json",
        report.replace(&field, "\"epsilon_alone\": 0.1"),
    );
    here.run(&["verify", "out"])
        .expect(4, "a mechanism alone costs more than stated");

    // Nor may the price of a group be lowered, or all of them be left out.
    let mut lowered = value.clone();
    let group = &mut lowered["privacy"]["readings"]["other_units"][1]["price"]["epsilon"];
    *group = (group.as_f64().unwrap() * 0.99).into();
    here.write("out/report.json", lowered.to_string());
    here.run(&["verify", "out"])
        .expect(4, "the price for any 5 rows together is more than stated");
    let mut failing = value.clone();
    failing["self_audit"]["checks"][0]["statistic"] = 1e9.into();
    here.write("out/report.json", failing.to_string());
    here.run(&["verify", "out"])
        .expect(4, "is beyond its limit");
    for (field, lie, answer) in [
        ("engine", "vae", "another engine than the model's"),
        ("chosen_by", "policy", "who chose the engine"),
    ] {
        let mut lying = value.clone();
        lying["synthesis"][field] = lie.into();
        here.write("out/report.json", lying.to_string());
        here.run(&["verify", "out"]).expect(4, answer);
    }
    let mut without = value;
    without["privacy"]
        .as_object_mut()
        .unwrap()
        .remove("readings");
    here.write("out/report.json", without.to_string());
    here.run(&["verify", "out"])
        .expect(4, "leaves out what the price is in other words");
}

#[test]
fn without_privacy_everything_says_so() {
    let here = Workplace::new();
    let arguments = [
        "release",
        "--epsilon",
        "1",
        "--out",
        "out",
        "--insecure-no-privacy",
    ];
    here.run(&arguments).expect(0, "NOT A PRIVATE RELEASE");
    assert!(!here.path("town.ledger.jsonl").exists());
    assert!(
        here.read("out/report.md")
            .matches("NOT A PRIVATE RELEASE")
            .count()
            >= 2
    );
    assert!(here.read("out/report.json").contains("not_private"));
    here.run(&["verify", "out"])
        .expect(4, "FAILED  the release is private");
    let arguments = [
        "sample",
        "out/model.safetensors",
        "--rows",
        "5",
        "--out",
        "x.csv",
    ];
    here.run(&arguments).expect(0, "THE MODEL IS NOT PRIVATE");
}

#[test]
fn a_paid_count_replaces_a_public_number_of_units() {
    let here = Workplace::new();
    here.write(
        "dpsynth.toml",
        POLICY.replace("expected_units = 600", "expected_units = \"count\""),
    );
    here.run(&["release", "--epsilon", "3", "--out", "out"])
        .expect(0, "");
    let rows = here.read("out/synthetic.csv").lines().count() - 1;
    assert!(
        (500..700).contains(&rows),
        "the noisy count is near the true one: {rows}"
    );
    here.run(&["verify", "out"]).expect(0, "");
}

#[test]
fn replacing_a_row_costs_more_noise_than_adding_one() {
    let here = Workplace::new();
    let add = noise_multiplier(&here, "1");
    here.write(
        "dpsynth.toml",
        POLICY.replace("add_or_remove_one", "replace_one"),
    );
    let replace = noise_multiplier(&here, "1");
    assert!(replace > 1.5 * add, "{add} {replace}");
}

/// What a plan says of its first mechanism.
fn noise_multiplier(here: &Workplace, epsilon: &str) -> f64 {
    let plan = here.run(&["plan", "--epsilon", epsilon]);
    plan.expect(0, "noise multiplier");
    let (_, rest) = plan.out.split_once("noise multiplier ").unwrap();
    rest.split_whitespace().next().unwrap().parse().unwrap()
}

#[test]
fn epsilon_changes_the_noise() {
    let here = Workplace::new();
    let (small, large) = (
        noise_multiplier(&here, "0.01"),
        noise_multiplier(&here, "3"),
    );
    // At a fixed δ the noise falls faster than 1/ε where ε is small, and slower than 1/ε² up to 3.
    let ratio = small / large;
    assert!((100.0..3.0 * 300.0).contains(&ratio), "{small} {large}");
}

#[test]
fn the_demo_runs_from_its_policy() {
    let here = Workplace::new();
    let policies = workspace().join("policies");
    here.write(
        "clinic.toml",
        std::fs::read(policies.join("clinic.toml")).unwrap(),
    );
    std::fs::create_dir(here.path("demo")).unwrap();
    here.write(
        "demo/clinic.csv",
        std::fs::read(policies.join("demo/clinic.csv")).unwrap(),
    );
    here.run(&[
        "release",
        "--policy",
        "clinic.toml",
        "--epsilon",
        "3",
        "--out",
        "out",
    ])
    .expect(0, "");
    here.run(&["verify", "out"])
        .expect(0, "ok      every row is in the schema and obeys every rule");
}

#[test]
fn german_credit_runs_and_the_plan_says_how_little_it_can_carry() {
    let Some(data) = shared_data("german_credit") else {
        return;
    };
    let here = Workplace::new();
    let policy = workspace().join("policies/german_credit.toml");
    let policy = policy.to_str().unwrap();
    let ledger = here.path("ledger.jsonl");
    let common = [
        "--policy",
        policy,
        "--epsilon",
        "3",
        "--ledger",
        ledger.to_str().unwrap(),
    ];
    here.run(&[&["plan"], &common[..]].concat())
        .expect(0, "only strong dependence between columns will be");
    let table = data.join("german_credit_data_with_risk.csv");
    here.run(
        &[
            &["release", table.to_str().unwrap(), "--out", "out"],
            &common[..],
        ]
        .concat(),
    )
    .expect(0, "");
    assert_eq!(here.read("out/synthetic.csv").lines().count(), 1001);
    here.run(&["verify", "out", "--ledger", ledger.to_str().unwrap()])
        .expect(0, "");
}

#[test]
fn a_draft_asks_the_owner_and_reads_nothing_but_the_header() {
    let here = Workplace::new();
    here.write("data.csv", table(3));
    here.run(&["init", "data.csv", "--out", "draft.toml"])
        .expect(0, "OWNER");
    let draft = here.read("draft.toml");
    for name in ["age", "city", "income", "since"] {
        assert!(draft.contains(&format!("name = \"{name}\"")), "{draft}");
    }
    assert!(!draft.contains("north"), "a draft must not show a cell");
    here.run(&["plan", "--policy", "draft.toml"])
        .expect(2, "findings; nothing was done");
}

#[test]
fn codes_are_explained_and_help_helps() {
    let here = Workplace::new();
    here.run(&["explain", "DPS0210"]).expect(0, "DPS0210");
    here.run(&["explain", "DPS7777"]).expect(2, "is not a code");
    here.run(&["--help"]).expect(0, "A first release");
    for command in [
        "init", "plan", "release", "sample", "inspect", "verify", "ledger", "explain",
    ] {
        here.run(&[command, "--help"]).expect(0, "Usage");
    }
    let help = here.run(&["release", "--help"]).out;
    assert!(
        !help.contains("insecure"),
        "what protects nobody is not advertised"
    );
}

#[test]
fn booleans_and_ordered_categories_are_released_by_every_engine() {
    let policy = POLICY.split("[model]").next().unwrap().to_owned()
        + "[[column]]\nname = \"insured\"\nkind = \"boolean\"\n\n\
           [[column]]\nname = \"pain\"\nkind = \"categorical\"\n\
           categories = [\"none\", \"mild\", \"severe\"]\nordered = true\nmissing = true\n";
    let mut data = String::from("pain,insured\n");
    for row in 0..600 {
        let pain = ["none", "none", "mild", "severe", "NA"][row % 5];
        data.push_str(&format!("{pain},{}\n", row % 3 == 0));
    }
    for engine in ["decoder", "marginals", "copula", "vae"] {
        let here = Workplace::new();
        here.write("dpsynth.toml", &policy);
        here.write("data.csv", &data);
        let release = [
            "release",
            "--epsilon",
            "3",
            "--engine",
            engine,
            "--out",
            "out",
        ];
        here.run(&release).expect(0, "differentially private");
        here.run(&["verify", "out", "--ledger", "town.ledger.jsonl"])
            .expect(0, "ok");
        let synthetic = here.read("out/synthetic.csv");
        assert_eq!(synthetic.lines().next(), Some("insured,pain"));
        for row in synthetic.lines().skip(1) {
            let (insured, pain) = row.split_once(',').unwrap();
            assert!(["false", "true"].contains(&insured), "{row}");
            assert!(["none", "mild", "severe", "NA"].contains(&pain), "{row}");
        }
    }
}
