//! Rules on real tables: the policies' own and others that people state about them. What is real obeys
//! them; rows whose columns were torn apart are made to.

use dpsynth::policy::Policy;
use dpsynth_constraints::{Enforcement, Limits, RuleKind, RuleSpec, Rules, Strictness};
use dpsynth_table::{ReadOptions, read_unprotected};
use polars::prelude::{DataFrame, IdxCa, IdxSize, NewChunkedArray};

use crate::program::{shared_data, workspace};

/// Rows enough to meet rare cases, few enough for a test.
const ROWS: usize = 3_000;

/// The policy and the first rows of a real table.
fn real(policy: &str, data: &std::path::Path) -> (Policy, DataFrame) {
    let text = std::fs::read_to_string(workspace().join("policies").join(policy)).unwrap();
    let policy = Policy::parse(&text).unwrap_or_else(|findings| panic!("{findings:?}"));
    let options = ReadOptions {
        ignored: [policy.ignored.clone(), policy.identifiers()].concat(),
        ..ReadOptions::default()
    };
    // Open columns are read by their bucket, which rules do not speak of.
    let table = read_unprotected(data, &policy.ruled_schema().unwrap(), options).unwrap();
    (policy, table.to_dataframe().head(Some(ROWS)))
}

/// Every column by itself, each starting at another row: nothing is left of what belongs together.
fn torn(table: &DataFrame) -> DataFrame {
    let rows = table.height();
    let mut torn = table.clone();
    for (index, name) in table.get_column_names_owned().iter().enumerate() {
        let from = (0..rows).map(|row| Some(((row * 7 + (index + 1) * 331) % rows) as IdxSize));
        let from = IdxCa::from_iter_options("".into(), from);
        let column = table.column(name).unwrap().take(&from).unwrap();
        torn.with_column(column).unwrap();
    }
    torn
}

/// Makes torn rows obey the policy's rules and `more`, and returns the names of the rules that real rows
/// break.
fn enforced(
    policy: &str,
    file: &str,
    more: Vec<RuleSpec>,
    without: &[&str],
) -> Option<Vec<String>> {
    let folder = shared_data(&format!("rules of {policy}"))?;
    let (policy, table) = real(policy, &folder.join(file));
    let mut specs = policy.rule_specs.clone();
    specs.retain(|spec| !without.contains(&spec.name.as_str()));
    specs.extend(more);
    let rules = Rules::compile(specs, &policy.ruled_schema().unwrap()).unwrap();
    let broken = rules.check(&table).unwrap();
    let torn = torn(&table);
    let mut start = 0;
    let mut draw = |wanted: usize| {
        start += 1;
        let from = (0..wanted).map(|row| Some(((row + start * 17) % ROWS) as IdxSize));
        torn.take(&IdxCa::from_iter_options("".into(), from))
            .unwrap()
    };
    let mut state = 0_u32;
    let mut choice = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        f64::from(state) / 4_294_967_296.0
    };
    let (made, outcomes) = rules
        .enforce(ROWS, &mut draw, &mut choice, Limits::default())
        .unwrap();
    assert_eq!((made.height(), rules.check(&made).unwrap()), (ROWS, vec![]));
    // Torn rows break rules, or nothing was tested.
    assert!(outcomes.iter().any(|outcome| outcome.violated > 0));
    Some(broken.into_iter().map(|violation| violation.name).collect())
}

fn rule(name: &str, kind: RuleKind, enforcement: Option<Enforcement>) -> RuleSpec {
    RuleSpec {
        name: name.to_owned(),
        kind,
        enforcement,
    }
}

fn names(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

#[test]
fn people_of_the_census_have_no_income_below_fifteen() {
    let income = rule(
        "no income below fifteen",
        RuleKind::Conditional {
            when: "AGEP < 15".to_owned(),
            then: "PINCP IS NULL".to_owned(),
        },
        Some(Enforcement::Repair),
    );
    let together = rule(
        "income and its decile are asked together",
        RuleKind::FixedNullCombinations {
            columns: names(&["PINCP", "PINCP_DECILE"]),
            allowed: None,
        },
        None,
    );
    for (policy, file) in [
        ("acs_ma2019.toml", "ma2019.csv"),
        ("acs_tx2019.toml", "tx2019.csv"),
    ] {
        let more = vec![income.clone(), together.clone()];
        let Some(broken) = enforced(policy, file, more, &[]) else {
            return;
        };
        assert_eq!(broken, [""; 0], "{policy}: real people obey every rule");
    }
}

#[test]
fn rides_end_after_they_start_and_cost_their_sum() {
    let ends = rule(
        "the drop-off comes after the pick-up",
        RuleKind::Inequality {
            low: "pickup".to_owned(),
            high: "dropoff".to_owned(),
            strictness: Strictness::OrEqual,
        },
        Some(Enforcement::Repair),
    );
    let sum = rule(
        "the total is the sum",
        RuleKind::Derived {
            column: "total".to_owned(),
            formula: "fare + tip + tolls".to_owned(),
        },
        None,
    );
    let Some(broken) = enforced("taxis.toml", "taxis.csv", vec![ends, sum], &[]) else {
        return;
    };
    // Real totals hold surcharges as well.
    assert_eq!(broken, ["the total is the sum"]);
}

#[test]
fn flights_that_did_not_leave_have_no_times() {
    let times = rule(
        "what is missing of a flight",
        RuleKind::FixedNullCombinations {
            columns: names(&["dep_delay", "arr_delay", "air_time"]),
            allowed: Some(vec![
                vec![],
                names(&["arr_delay", "air_time"]),
                names(&["dep_delay", "arr_delay", "air_time"]),
            ]),
        },
        None,
    );
    let Some(broken) = enforced("flights.toml", "flights.csv.gz", vec![times], &[]) else {
        return;
    };
    // A flight that was diverted arrived, and has no delay on record.
    assert_eq!(broken, ["a flight arrives its delay after its schedule"]);
}
