//! Figures of quality that are paid for: what they cost, what they say, and how they are checked.

use dpsynth::figures::PaidFigures;

use crate::program::{POLICY, Workplace, table};

const ADULT_LIKE: &[&str] = &[
    "release",
    "--epsilon",
    "1",
    "--engine",
    "marginals",
    "--seed",
    "1",
];

fn released() -> Workplace {
    let here = Workplace::new();
    here.run(&[ADULT_LIKE, &["--out", "out"]].concat())
        .expect(0, "differentially private");
    here
}

fn pay(here: &Workplace, against: &str, epsilon: &str, out: &str) -> PaidFigures {
    let arguments = [
        "evaluate",
        "out",
        "--against",
        against,
        "--epsilon",
        epsilon,
        "--out",
        out,
    ];
    here.run(&arguments).expect(0, "differentially private");
    PaidFigures::parse(here.read(&format!("{out}/figures.json")).as_bytes()).unwrap()
}

#[test]
fn they_are_charged_signed_and_verified() {
    let here = released();
    let found = pay(&here, "data.csv", "0.5", "figures");
    assert!(found.epsilon_spent <= 0.5 && found.epsilon_spent > 0.499);
    assert!((found.ledger.before.epsilon_spent - 1.0).abs() < 1e-3);
    assert_eq!(found.figures.columns.len(), 4);
    assert_eq!(found.figures.mean_total_variation.len(), 3);
    let ledger = "town.ledger.jsonl";
    here.run(&["verify", "figures", "--ledger", ledger])
        .expect(0, "the ledger names this release");
    here.run(&[
        "ledger",
        "verify",
        ledger,
        "--release",
        "figures",
        "--release",
        "out",
    ])
    .expect(0, "the ledger names this release");
    here.run(&["ledger", "show"])
        .expect(0, "figures of quality");

    // Whoever changes a figure can list its hash, but not sign it, nor write the page anew by it.
    let text = here.read("figures/figures.json");
    let mut changed = found.clone();
    changed.figures.columns[0].total_variation.value += 0.125;
    here.write("figures/figures.json", changed.to_json());
    let manifest = dpsynth::folder::manifest(&here.path("figures")).unwrap();
    here.write("figures/MANIFEST", manifest);
    let run = here.run(&["verify", "figures", "--ledger", ledger]);
    run.expect(4, "the signature is not that of this key");
    run.expect(4, "figures.md differs from what figures.json gives");
    run.expect(4, "it names another manifest");
    // A price that is too low.
    let mut cheaper = PaidFigures::parse(text.as_bytes()).unwrap();
    cheaper.epsilon_spent = 0.1;
    here.write("figures/figures.json", cheaper.to_json());
    here.run(&["verify", "figures"])
        .expect(4, "the mechanisms cost more than stated");
}

#[test]
fn what_the_policy_does_not_allow_costs_nothing() {
    let here = released();
    let ask = |more: &[&str]| {
        here.run(
            &[
                &[
                    "evaluate",
                    "out",
                    "--against",
                    "data.csv",
                    "--out",
                    "figures",
                ],
                more,
            ]
            .concat(),
        )
    };
    ask(&["--epsilon", "3.5"]).expect(1, "DPS405");
    ask(&["--epsilon", "0"]).expect(2, "");
    ask(&["--epsilon", "1", "--delta", "1e-3"]).expect(1, "DPS405");
    ask(&["--epsilon", "1", "--holdout", "data.csv"]).expect(2, "cannot be used with");
    ask(&["--epsilon", "1", "--target", "none"]).expect(2, "DPS7004");
    // A faulty table is found after the charge, which is handed back.
    here.write("data.csv", format!("{}17,west,1,2024-01-01\n", table(600)));
    ask(&["--epsilon", "1"]).expect(2, "");
    let shown: serde_json::Value =
        serde_json::from_str(&here.run(&["ledger", "show", "--json"]).out).unwrap();
    assert!(
        (shown["spent_epsilon"].as_f64().unwrap() - 1.0).abs() < 1e-3,
        "{shown}"
    );
    assert!(!here.path("figures").exists());
}

#[test]
fn they_say_what_is_so_within_their_noise() {
    let here = Workplace::new();
    here.write(
        "dpsynth.toml",
        POLICY
            .replace("expected_units = 600", "expected_units = 6000")
            .replace("epsilon_per_release = 3.0", "epsilon_per_release = 20.0")
            .replace("epsilon_for_life = 7.0", "epsilon_for_life = 100.0"),
    );
    here.write("data.csv", table(6000));
    here.run(&[ADULT_LIKE, &["--out", "out"]].concat())
        .expect(0, "");
    // Against itself every distance is 0, and against a table in which everybody has moved north, that of
    // the column is the share of those who did.
    let synthetic = here.read("out/synthetic.csv");
    let south = synthetic.matches(",south,").count() as f64 / 6000.0;
    let moved = synthetic.replace(",south,", ",north,");
    here.write("moved.csv", moved);
    let same = pay(&here, "out/synthetic.csv", "10", "same").figures;
    // Six standard deviations of eight normal figures: a false alarm in 60 million runs.
    let off = |found: f64, truth: f64, noise: f64| {
        assert!(
            (found - truth).abs() < 6.0 * noise + 1e-4,
            "{found} {truth} {noise}"
        );
    };
    for figure in &same.mean_total_variation {
        off(figure.value, 0.0, figure.noise_stddev);
    }
    for column in &same.columns {
        off(
            column.total_variation.value,
            0.0,
            column.total_variation.noise_stddev,
        );
        assert!(column.total_variation.noise_stddev < 0.01);
    }
    let other = pay(&here, "moved.csv", "10", "other").figures;
    let city = &other.columns[1].total_variation;
    assert_eq!(other.columns[1].name, "city");
    assert!(south > 0.3);
    off(city.value, south, city.noise_stddev);
    // Age tells the city of a synthetic row, so the area is near 1.
    let area = same.prediction.unwrap().auc;
    assert!(area.value > 0.9 - 6.0 * area.noise_stddev && area.noise_stddev < 0.05);
}

#[test]
fn people_with_several_rows_are_protected_whole() {
    let here = Workplace::new();
    let policy = POLICY
        .replace(
            "unit = \"row\"",
            "unit = { user = \"person\", max_rows = 3 }",
        )
        .replace(
            "[[column]]\nname = \"age\"",
            "[[column]]\nname = \"person\"\nkind = \"id\"\n\n[[column]]\nname = \"age\"",
        );
    here.write("dpsynth.toml", policy);
    let people = table(600);
    let mut lines = people.lines();
    let mut text = format!("person,{}\n", lines.next().unwrap());
    for (row, line) in lines.enumerate() {
        text.push_str(&format!("p{},{line}\n", row / 3));
    }
    here.write("data.csv", text);
    here.run(&[ADULT_LIKE, &["--out", "out"]].concat())
        .expect(0, "");
    let found = pay(&here, "data.csv", "2", "figures");
    assert!(found.claim.contains("all rows of one value of `person`"));
    // How many rows people have is private, so it is counted with noise.
    assert!(found.figures.rows.noise_stddev > 1.0);
    assert!((found.figures.rows.value - 600.0).abs() < 6.0 * found.figures.rows.noise_stddev);
    assert_eq!(found.figures.columns.len(), 4);
    here.run(&["verify", "figures"]).expect(0, "");
}
