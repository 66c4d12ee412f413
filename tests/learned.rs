//! Columns that a policy leaves open: what is learned of them, and what must never be.

use crate::program::Workplace;

const POLICY: &str = r#"version = 1

[dataset]
name = "shop"
file = "data.csv"

[privacy]
unit = UNIT
epsilon_per_release = 4.0
delta_per_release = 1e-6
epsilon_for_life = 30.0
delta_for_life = 1e-5
expected_units = 4000

[output]
rows = 2000

[[column]]
name = "customer"
kind = "id"

[[column]]
name = "town"
kind = "categorical"
categories = "private"
share = 0.2
out_of_domain = { category = "elsewhere" }

[[column]]
name = "spent"
kind = "float"
range = "private"
decimals = 2

[[column]]
name = "visits"
kind = "integer"
range = "private"
out_of_domain = "clip"
"#;

const TOWNS: [&str; 3] = ["Ayr", "Bonn", "Chur"];

/// Bytes that occur nowhere by chance: the town of a single customer, who spent most.
const RARE: &str = "Zq7VILLAGEx";
const MOST_SPENT: &str = "87654321.99";

/// As long as this because six digits do turn up in a figure by chance.
const MOST_VISITS: &str = "918273645546";

/// Two rows of each customer, and one of each of those who are rare.
fn table(rows: usize) -> String {
    let mut text = String::from("customer,town,spent,visits\n");
    for row in 0..rows {
        let (customer, town) = (row / 2, TOWNS[row % 3]);
        let spent = (row * 7919 % 9000) as f64 / 100.0;
        text.push_str(&format!("c{customer},{town},{spent:.2},{}\n", row % 40));
    }
    for village in 0..10 {
        text.push_str(&format!(
            "v{village},{RARE}{village},{MOST_SPENT},{MOST_VISITS}\n"
        ));
    }
    text
}

fn workplace(unit: &str, rows: usize) -> Workplace {
    let here = Workplace::new();
    let policy = POLICY.replace("UNIT", unit);
    here.write("dpsynth.toml", policy.replace("4000", &rows.to_string()));
    here.write("data.csv", table(rows));
    here
}

#[test]
fn frequent_categories_and_bounds_are_learned_and_rare_ones_are_not() {
    for unit in ["\"row\"", "{ user = \"customer\", max_rows = 2 }"] {
        let here = workplace(unit, 4000);
        let run = here.run(&["release", "--out", "out", "--seed", "1"]);
        assert_eq!(run.code, 0, "{}", run.err);

        let report: serde_json::Value =
            serde_json::from_str(&here.read("out/report.json")).unwrap();
        let learned = |name: &str| {
            let columns = report["columns"].as_array().unwrap();
            let column = columns
                .iter()
                .find(|column| column["name"] == name)
                .unwrap();
            assert!(column["provenance"].as_str().unwrap().contains("noise"));
            column["learned"].clone()
        };
        assert_eq!(learned("town")["categories"], serde_json::json!(TOWNS));
        let range = |name| {
            let range = &learned(name)["range"];
            (
                range["min"].as_f64().unwrap(),
                range["max"].as_f64().unwrap(),
            )
        };
        let (low, high) = range("spent");
        assert!(
            (0.0..=10.0).contains(&low) && (50.0..=100.0).contains(&high),
            "{low} {high}"
        );
        let (low, high) = range("visits");
        assert!(
            (0.0..=5.0).contains(&low) && (20.0..=50.0).contains(&high),
            "{low} {high}"
        );
        let purposes: Vec<&str> = report["mechanisms"]
            .as_array()
            .unwrap()
            .iter()
            .map(|mechanism| mechanism["purpose"].as_str().unwrap())
            .collect();
        assert_eq!(
            purposes,
            [
                "learned_range",
                "learned_categories",
                "learned_range",
                "marginals"
            ]
        );

        // Nothing of a single customer, in any file, the ledger among them; nor anybody's name.
        for (path, bytes) in here.files() {
            if path.ends_with("data.csv") {
                continue;
            }
            for secret in [RARE, MOST_SPENT, MOST_VISITS] {
                let found = bytes
                    .windows(secret.len())
                    .any(|window| window == secret.as_bytes());
                assert!(!found, "{} holds {secret}", path.display());
            }
        }
        let synthetic = here.read("out/synthetic.csv");
        let rows = synthetic
            .lines()
            .skip(1)
            .map(|line| line.split(',').next().unwrap());
        let mut elsewhere = 0;
        for town in rows {
            elsewhere += usize::from(town == "elsewhere");
            assert!(town == "elsewhere" || TOWNS.contains(&town), "{town}");
        }
        assert!(
            elsewhere < 200,
            "{elsewhere} of 2,000 rows, where 5 are meant"
        );

        let run = here.run(&["verify", "out", "--ledger", "shop.ledger.jsonl"]);
        assert_eq!(run.code, 0, "{}{}", run.out, run.err);
        let run = here.run(&[
            "sample",
            "out/model.safetensors",
            "--rows",
            "50",
            "--out",
            "more.csv",
        ]);
        assert_eq!(run.code, 0, "{}", run.err);
        assert_eq!(here.read("more.csv").lines().count(), 51);
    }
}

#[test]
fn every_engine_takes_open_columns() {
    for engine in ["marginals", "copula", "vae"] {
        let here = workplace("\"row\"", 500);
        let run = here.run(&["release", "--out", "out", "--seed", "1", "--engine", engine]);
        assert_eq!(run.code, 0, "{engine}: {}", run.err);
        let run = here.run(&["verify", "out"]);
        assert_eq!(run.code, 0, "{engine}: {}", run.out);
        let condition = ["--rows", "9", "--where", "customer = 'c1'"];
        here.run(&[&["sample", "out/model.safetensors"], &condition[..]].concat())
            .expect(2, "column `customer` is left out by the policy");
    }
}

#[test]
fn the_largest_delta_that_a_policy_may_state_makes_a_release() {
    // What categories are learned at is then far above the smallest δ at which the report bounds tests.
    let here = workplace("\"row\"", 4000);
    let policy = here.read("dpsynth.toml");
    let policy = policy
        .replace("delta_per_release = 1e-6", "delta_per_release = 1e-3")
        .replace("delta_for_life = 1e-5", "delta_for_life = 1e-3");
    here.write("dpsynth.toml", policy);
    here.run(&["plan"]).expect(0, "");
    here.run(&["release", "--out", "out", "--engine", "copula"])
        .expect(0, "");
    here.run(&["verify", "out", "--ledger", "shop.ledger.jsonl"])
        .expect(0, "");
}

#[test]
fn a_distance_from_a_learned_bound_ends_no_run() {
    let here = workplace("\"row\"", 4000);
    let mut policy = here.read("dpsynth.toml");
    policy.push_str(
        "\n[[column]]\nname = \"later\"\nkind = \"integer\"\nmin = 0\nmax = 918273645999\n\
         after = { column = \"visits\", at_most = 100 }\n",
    );
    here.write("dpsynth.toml", policy);
    // Every row is at most 100 after the visits that it has, and not after the bound that is learned.
    let table = table(4000);
    let later = table.lines().enumerate().map(|(row, line)| match row {
        0 => format!("{line},later\n"),
        _ => {
            let (_, visits) = line.rsplit_once(',').unwrap();
            format!("{line},{}\n", visits.parse::<i64>().unwrap() + 100)
        }
    });
    here.write("data.csv", later.collect::<String>());
    here.run(&["release", "--out", "out", "--engine", "copula"])
        .expect(0, "");
    here.run(&["verify", "out", "--ledger", "shop.ledger.jsonl"])
        .expect(0, "");
}

#[test]
fn a_faulty_table_costs_nothing_although_columns_are_open() {
    let here = workplace("\"row\"", 500);
    here.write("data.csv", table(500) + "x,Ayr,a lot,3\n");
    let run = here.run(&["release", "--out", "out"]);
    assert_eq!(run.code, 2, "{}", run.err);
    assert!(run.err.contains("handed back: epsilon"), "{}", run.err);
    let run = here.run(&["ledger", "show"]);
    assert!(run.out.contains("handed back unused"), "{}", run.out);
}

#[test]
fn what_is_open_is_stated_completely() {
    for (from, to, finding) in [
        (
            "out_of_domain = { category = \"elsewhere\" }\n",
            "",
            "DPS40",
        ),
        ("share = 0.2", "share = 0.6", "DPS40"),
        ("share = 0.2", "share = 0", "DPS40"),
        (
            "range = \"private\"\ndecimals",
            "range = \"secret\"\ndecimals",
            "DPS40",
        ),
        (
            "range = \"private\"\ndecimals",
            "range = \"private\"\nmin = 0\ndecimals",
            "DPS40",
        ),
        (
            "[output]",
            "[model]\ntarget = \"town\"\n\n[output]",
            "DPS40",
        ),
        (
            "range = \"private\"\ndecimals",
            "range = \"private\"\nspikes = \"private\"\ndecimals",
            "DPS40",
        ),
        (
            "range = \"private\"\ndecimals",
            "min = 0\nmax = 100\nspikes = \"secret\"\ndecimals",
            "DPS40",
        ),
        (
            "range = \"private\"\ndecimals",
            "min = 0\nmax = 100\nspikes = [0, 101]\ndecimals",
            "DPS1026",
        ),
        (
            "range = \"private\"\nout",
            "min = 0\nmax = 100\nspikes = [1]\nafter = { column = \"spent\", at_most = 9 }\nout",
            "DPS40",
        ),
    ] {
        let here = workplace("\"row\"", 500);
        let policy = POLICY.replace("UNIT", "\"row\"");
        assert!(policy.contains(from), "{from}");
        here.write("dpsynth.toml", policy.replacen(from, to, 1));
        let run = here.run(&["plan"]);
        assert_eq!(run.code, 2, "{to}: {}", run.err);
        assert!(run.err.contains(finding), "{to}: {}", run.err);
    }
}

/// Values that a third, a quarter and a sixth of the rows have; the others have one of their own.
const FEES: [&str; 3] = ["19.95", "0.35", "-4.2"];

fn fees(rows: usize) -> String {
    let mut text = String::from("customer,fee\n");
    for row in 0..rows {
        let fee = match row % 12 {
            0..4 => FEES[0].to_owned(),
            4..7 => FEES[1].to_owned(),
            7..9 => FEES[2].to_owned(),
            _ => format!("{:.2}", (row * 7919 % 6000) as f64 / 100.0),
        };
        text.push_str(&format!("c{},{fee}\n", row / 2));
    }
    text
}

/// A column of numbers, and how its spikes are stated.
fn fee_policy(unit: &str, spikes: &str) -> String {
    let head = POLICY.split("[[column]]\nname = \"town\"").next().unwrap();
    let column = format!(
        "[[column]]\nname = \"fee\"\nkind = \"float\"\nmin = -10\nmax = 1000\ndecimals = 2\n{spikes}\n"
    );
    head.replace("UNIT", unit) + &column
}

/// Shares of the rows that have each of the fees exactly.
fn exact_fees(synthetic: &str) -> Vec<f64> {
    let rows: Vec<f64> = (synthetic.lines().skip(1))
        .map(|line| line.rsplit(',').next().unwrap().parse().unwrap())
        .collect();
    let share = |fee: &&str| {
        let fee: f64 = fee.parse().unwrap();
        rows.iter().filter(|row| **row == fee).count() as f64 / rows.len() as f64
    };
    FEES.iter().map(share).collect()
}

#[test]
fn numbers_that_many_rows_share_are_learned_and_kept_exactly() {
    for unit in ["\"row\"", "{ user = \"customer\", max_rows = 2 }"] {
        let here = Workplace::new();
        here.write("dpsynth.toml", fee_policy(unit, "spikes = \"private\""));
        here.write("data.csv", fees(4000));
        let run = here.run(&["release", "--out", "out", "--seed", "1"]);
        assert_eq!(run.code, 0, "{}", run.err);
        let report: serde_json::Value =
            serde_json::from_str(&here.read("out/report.json")).unwrap();
        let columns = report["columns"].as_array().unwrap();
        let fee = columns
            .iter()
            .find(|column| column["name"] == "fee")
            .unwrap();
        assert_eq!(
            fee["learned"]["spikes"],
            serde_json::json!([-4.2, 0.35, 19.95]),
            "the others have a row or two each"
        );
        assert_eq!(report["mechanisms"][0]["purpose"], "learned_spikes");
        assert!(
            here.read("out/report.md")
                .contains("-4.2, 0.35, 19.95 stand alone")
        );
        // Noise of some 20 rows in each count, of 4,000: 0.05 is ten standard deviations.
        let shares = exact_fees(&here.read("out/synthetic.csv"));
        for (share, expected) in shares.iter().zip([1.0 / 3.0, 0.25, 1.0 / 6.0]) {
            assert!((share - expected).abs() < 0.05, "{unit} {shares:?}");
        }
        let run = here.run(&["verify", "out", "--ledger", "shop.ledger.jsonl"]);
        assert_eq!(run.code, 0, "{}{}", run.out, run.err);
    }
}

#[test]
fn stated_spikes_cost_nothing_and_are_kept_by_every_engine() {
    for engine in ["decoder", "marginals", "copula", "vae"] {
        let here = Workplace::new();
        let stated = "spikes = [19.95, 0.35, -4.2]";
        here.write("dpsynth.toml", fee_policy("\"row\"", stated));
        here.write("data.csv", fees(4000));
        let run = here.run(&["release", "--out", "out", "--seed", "1", "--engine", engine]);
        assert_eq!(run.code, 0, "{engine}: {}", run.err);
        let report = here.read("out/report.json");
        assert!(!report.contains("learned"), "{engine}");
        let shares = exact_fees(&here.read("out/synthetic.csv"));
        // Training under noise is not as near as counts.
        let room = if engine == "vae" { 0.15 } else { 0.05 };
        for (share, expected) in shares.iter().zip([1.0 / 3.0, 0.25, 1.0 / 6.0]) {
            assert!((share - expected).abs() < room, "{engine} {shares:?}");
        }
    }
    // Without a word about them they are drawn from cells that hold other values too.
    let here = Workplace::new();
    here.write("dpsynth.toml", fee_policy("\"row\"", ""));
    here.write("data.csv", fees(4000));
    let run = here.run(&["release", "--out", "out", "--seed", "1"]);
    assert_eq!(run.code, 0, "{}", run.err);
    let shares = exact_fees(&here.read("out/synthetic.csv"));
    assert!(shares[0] < 0.2, "{shares:?}");
}
