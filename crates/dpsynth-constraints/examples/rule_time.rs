//! How long ten rules take on a million rows: drawing aside, to repair, check and redraw.
//!
//! ```sh
//! cargo run --release -p dpsynth-constraints --example rule_time -- 1000000
//! ```

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a program for developers"
)]

use std::time::{Duration, Instant};

use dpsynth_constraints::{Enforcement, Limits, RuleKind, RuleSpec, Rules, Scale, Strictness};
use dpsynth_table::{Cells, Column, Domain, Missing, OutOfDomain, Schema};
use polars::prelude::{DataFrame, IntoColumn, NamedFrom, Series};

fn main() {
    let rows = std::env::args().nth(1).and_then(|rows| rows.parse().ok());
    let rows: usize = rows.unwrap_or(1_000_000);
    let all = rules();
    println!("{rows} rows");
    for rule in &all {
        let time = measure(vec![rule.clone()], rows);
        println!("{:<28} {:>8.2} s", rule.name, time.as_secs_f64());
    }
    let time = measure(all, rows);
    println!("{:<28} {:>8.2} s", "all ten", time.as_secs_f64());
}

/// Enforces rules and checks the result; the time for drawing rows is taken out.
fn measure(specs: Vec<RuleSpec>, rows: usize) -> Duration {
    let rules = Rules::compile(specs, &schema()).unwrap();
    let (mut state, mut choices) = (1, 2);
    let mut drawing = Duration::ZERO;
    let start = Instant::now();
    let mut draw = |wanted: usize| {
        let start = Instant::now();
        let table = rides(wanted, &mut state);
        drawing += start.elapsed();
        table
    };
    let limits = Limits::default();
    let (table, _) =
        (rules.enforce(rows, &mut draw, &mut || uniform(&mut choices), limits)).unwrap();
    assert!(rules.check(&table).unwrap().is_empty());
    start.elapsed() - drawing
}

/// Ten rules, of ten kinds, as taxi rides have them.
fn rules() -> Vec<RuleSpec> {
    let rule = |name: &str, kind| RuleSpec {
        name: name.to_owned(),
        kind,
        enforcement: None,
    };
    let zones =
        (0..ZONES).map(|zone| vec![format!("zone {zone}"), format!("borough {}", zone % 6)]);
    let column = |name: &str| name.to_owned();
    vec![
        RuleSpec {
            enforcement: Some(Enforcement::Repair),
            ..rule(
                "inequality, swapped",
                RuleKind::Inequality {
                    low: column("pickup"),
                    high: column("dropoff"),
                    strictness: Strictness::OrEqual,
                },
            )
        },
        rule(
            "total is the sum",
            RuleKind::Derived {
                column: column("total"),
                formula: "fare + tip + tolls".to_owned(),
            },
        ),
        rule(
            "range",
            RuleKind::Range {
                column: column("fare"),
                min: Some(2.5),
                max: Some(400.0),
            },
        ),
        rule(
            "fixed increments",
            RuleKind::FixedIncrements {
                column: column("tolls"),
                step: 0.25,
            },
        ),
        rule(
            "fixed combinations",
            RuleKind::FixedCombinations {
                columns: vec![column("zone"), column("borough")],
                allowed: zones.collect(),
            },
        ),
        RuleSpec {
            enforcement: Some(Enforcement::Repair),
            ..rule(
                "conditional",
                RuleKind::Conditional {
                    when: "payment = 'cash'".to_owned(),
                    then: "tip = 0".to_owned(),
                },
            )
        },
        rule(
            "one hot",
            RuleKind::OneHot {
                columns: vec![column("yellow"), column("green"), column("black")],
            },
        ),
        rule(
            "missing together",
            RuleKind::FixedNullCombinations {
                columns: vec![column("zone"), column("borough")],
                allowed: None,
            },
        ),
        rule(
            "mixed scales",
            RuleKind::MixedScales {
                by: vec![column("unit")],
                column: column("distance"),
                scales: [("miles", 60.0), ("kilometres", 100.0)]
                    .map(|(unit, max)| Scale {
                        when: vec![unit.to_owned()],
                        min: None,
                        max: Some(max),
                    })
                    .into(),
            },
        ),
        rule(
            "unique",
            RuleKind::Unique {
                columns: vec![column("pickup"), column("licence")],
            },
        ),
    ]
}

fn schema() -> Schema {
    let column = |name: &str, domain, missing| Column {
        name: name.to_owned(),
        domain,
        missing,
        out_of_domain: OutOfDomain::Stop,
        missing_tokens: vec![],
        after: None,
    };
    let whole = |max| Domain::Integer {
        min: 0,
        max,
        cells: Cells::Linear { count: 32 },
    };
    let money = |max| Domain::Float {
        min: 0.0,
        max,
        decimals: Some(2),
        cells: Cells::Linear { count: 32 },
    };
    let list = |names: Vec<String>| Domain::Categorical { categories: names };
    let named = |name: &str, count| (0..count).map(|at| format!("{name} {at}")).collect();
    let words = |words: &[&str]| list(words.iter().map(|word| (*word).to_owned()).collect());
    let bit = || Domain::Integer {
        min: 0,
        max: 1,
        cells: Cells::Each,
    };
    use Missing::{Allowed, Refused};
    Schema::new(vec![
        column("pickup", whole(SECONDS), Refused),
        column("dropoff", whole(SECONDS), Refused),
        column("fare", money(500.0), Refused),
        column("tip", money(200.0), Refused),
        column("tolls", money(100.0), Refused),
        column("total", money(1000.0), Refused),
        column("payment", words(&["credit card", "cash"]), Refused),
        column("zone", list(named("zone", ZONES)), Allowed),
        column("borough", list(named("borough", 6)), Allowed),
        column("yellow", bit(), Refused),
        column("green", bit(), Refused),
        column("black", bit(), Refused),
        column("unit", words(&["miles", "kilometres"]), Refused),
        column("distance", money(120.0), Refused),
        column("licence", whole(9_999), Refused),
    ])
    .unwrap()
}

/// Rides that break every rule now and then.
fn rides(rows: usize, state: &mut u64) -> DataFrame {
    let mut whole = |max: i64| -> Vec<i64> {
        (0..rows)
            .map(|_| (uniform(state) * (max + 1) as f64) as i64)
            .collect()
    };
    let cents = |cents: Vec<i64>| -> Vec<f64> {
        cents
            .into_iter()
            .map(|cents| cents as f64 / 100.0)
            .collect()
    };
    let texts = |codes: Vec<i64>, name: &dyn Fn(i64) -> Option<String>| -> Vec<Option<String>> {
        codes.into_iter().map(name).collect()
    };
    let zone = |code: i64| (code < ZONES).then(|| format!("zone {code}"));
    let borough = |code: i64| (code < 6).then(|| format!("borough {code}"));
    let payment = |code: i64| Some(["credit card", "cash"][code as usize].to_owned());
    let unit = |code: i64| Some(["miles", "kilometres"][code as usize].to_owned());
    let columns = vec![
        Series::new("pickup".into(), whole(SECONDS)),
        Series::new("dropoff".into(), whole(SECONDS)),
        Series::new("fare".into(), cents(whole(50_000))),
        Series::new("tip".into(), cents(whole(20_000))),
        Series::new("tolls".into(), cents(whole(10_000))),
        Series::new("payment".into(), texts(whole(1), &payment)),
        Series::new("zone".into(), texts(whole(ZONES), &zone)),
        Series::new("borough".into(), texts(whole(6), &borough)),
        Series::new("yellow".into(), whole(1)),
        Series::new("green".into(), whole(1)),
        Series::new("black".into(), whole(1)),
        Series::new("unit".into(), texts(whole(1), &unit)),
        Series::new("distance".into(), cents(whole(12_000))),
        Series::new("licence".into(), whole(9_999)),
        Series::new("total".into(), vec![0.0; rows]),
    ];
    DataFrame::new_infer_height(columns.into_iter().map(IntoColumn::into_column).collect()).unwrap()
}

/// Uniform in [0, 1), from SplitMix64.
fn uniform(state: &mut u64) -> f64 {
    *state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let mut bits = *state;
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    ((bits ^ (bits >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
}

/// Zones of the city.
const ZONES: i64 = 260;

/// Seconds of a month.
const SECONDS: i64 = 2_678_400;
