//! Rules about lists of columns, steps and scales: what they find, and that repaired rows obey.

mod support;

use dpsynth_constraints::{
    Enforcement, Limits, RuleKind, RuleProblem, RuleSpec, Rules, Scale, Strictness,
};
use dpsynth_table::{Missing, Schema};
use polars::prelude::{DataFrame, NamedFrom, Series};
use proptest::prelude::*;

use support::{
    Draw, categories, column, enforced, float, frame, inequality, integer, range, rule, sql,
};

/// `step` and `price` for increments; `a`, `b`, `c` for one-hot columns, `word` and `sword` too; `x`, `y`,
/// `z` that may be missing; `unit` and `size`; `key` of few values.
fn schema() -> Schema {
    let booleans = || categories(&["false", "true"]);
    Schema::new(vec![
        column("step", integer(-20, 103), Missing::Allowed),
        column("price", float(-1.0, 9.99, Some(2)), Missing::Refused),
        column("a", integer(0, 1), Missing::Refused),
        column("b", integer(0, 1), Missing::Refused),
        column("c", integer(0, 1), Missing::Allowed),
        column("word", booleans(), Missing::Refused),
        column("sword", booleans(), Missing::Refused),
        column("x", integer(0, 9), Missing::Allowed),
        column("y", categories(&["n", "s"]), Missing::Allowed),
        column("z", float(0.0, 1.0, None), Missing::Allowed),
        column("unit", categories(&["cm", "in", "ft"]), Missing::Refused),
        column("size", integer(0, 300), Missing::Refused),
        column("key", integer(1, 400), Missing::Refused),
    ])
    .expect("the schema is complete")
}

fn rows(draw: &mut Draw, rows: usize) -> DataFrame {
    let mut whole = |low: i64, high: i64, share: f64| -> Vec<Option<i64>> {
        (0..rows)
            .map(|_| {
                let value = low + (draw.uniform() * (high - low + 1) as f64) as i64;
                (draw.uniform() < share).then_some(value)
            })
            .collect()
    };
    let words = |codes: Vec<Option<i64>>, words: &[&str]| -> Vec<Option<String>> {
        let word = |code: i64| words[code as usize].to_owned();
        codes.into_iter().map(|code| code.map(word)).collect()
    };
    let tenths = |codes: Vec<Option<i64>>, scale: f64| -> Vec<Option<f64>> {
        (codes.into_iter())
            .map(|code| code.map(|code| code as f64 / scale))
            .collect()
    };
    let named = |name: &str| name.into();
    let bits = ["false", "true"];
    frame(vec![
        Series::new(named("step"), whole(-20, 103, 0.9)),
        Series::new(named("price"), tenths(whole(-100, 999, 1.0), 100.0)),
        Series::new(named("a"), whole(0, 1, 1.0)),
        Series::new(named("b"), whole(0, 1, 1.0)),
        Series::new(named("c"), whole(0, 1, 0.9)),
        Series::new(named("word"), words(whole(0, 1, 1.0), &bits)),
        Series::new(named("sword"), words(whole(0, 1, 1.0), &bits)),
        Series::new(named("x"), whole(0, 9, 0.7)),
        Series::new(named("y"), words(whole(0, 1, 0.7), &["n", "s"])),
        Series::new(named("z"), tenths(whole(0, 1, 0.7), 1.0)),
        Series::new(named("unit"), words(whole(0, 2, 1.0), &["cm", "in", "ft"])),
        Series::new(named("size"), whole(0, 300, 1.0)),
        Series::new(named("key"), whole(1, 400, 1.0)),
    ])
}

fn names(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

fn increments(column: &str, step: f64) -> RuleKind {
    RuleKind::FixedIncrements {
        column: column.to_owned(),
        step,
    }
}

fn one_hot(columns: &[&str]) -> RuleKind {
    RuleKind::OneHot {
        columns: names(columns),
    }
}

fn unique(columns: &[&str]) -> RuleKind {
    RuleKind::Unique {
        columns: names(columns),
    }
}

fn nulls(columns: &[&str], allowed: Option<&[&[&str]]>) -> RuleKind {
    RuleKind::FixedNullCombinations {
        columns: names(columns),
        allowed: allowed.map(|ways| ways.iter().map(|way| names(way)).collect()),
    }
}

fn scales(scales: &[(&str, Option<f64>, Option<f64>)]) -> RuleKind {
    let scale = |&(when, min, max): &(&str, Option<f64>, Option<f64>)| Scale {
        when: names(&[when]),
        min,
        max,
    };
    RuleKind::MixedScales {
        by: names(&["unit"]),
        column: "size".to_owned(),
        scales: scales.iter().map(scale).collect(),
    }
}

fn compile(specs: Vec<RuleSpec>) -> Rules {
    Rules::compile(specs, &schema()).unwrap_or_else(|errors| panic!("the rules fit: {errors:?}"))
}

fn problems(specs: Vec<RuleSpec>) -> Vec<RuleProblem> {
    let errors = Rules::compile(specs, &schema()).expect_err("the rules do not fit");
    errors.into_iter().map(|error| error.problem).collect()
}

/// Enforces rules on drawn rows, and checks that every delivered row obeys.
fn enforce(
    rules: &Rules,
    count: usize,
    seed: u64,
) -> (DataFrame, Vec<dpsynth_constraints::RuleOutcome>) {
    let (mut draw, mut choices) = (Draw::new(seed), Draw::new(seed ^ 1));
    let (table, outcomes) = rules
        .enforce(
            count,
            &mut |n| rows(&mut draw, n),
            &mut || choices.uniform(),
            Limits::default(),
        )
        .expect("enough rows obey");
    assert_eq!(table.height(), count);
    assert_eq!(rules.check(&table).expect("it fits"), []);
    (table, outcomes)
}

fn whole_numbers(table: &DataFrame, name: &str) -> Vec<Option<i64>> {
    let column = table.column(name).expect("it is there");
    column.i64().expect("whole numbers").iter().collect()
}

#[test]
fn increments_are_rounded_to_the_nearest_multiple_within_bounds() {
    let rules = compile(vec![
        rule("tens", increments("step", 10.0)),
        rule("at most 57", range("step", None, Some(57.0))),
        rule("nickels", increments("price", 0.05)),
    ]);
    let (table, outcomes) = enforce(&rules, 3_000, 1);
    let steps: Vec<i64> = whole_numbers(&table, "step")
        .into_iter()
        .flatten()
        .collect();
    assert_eq!(steps.iter().min(), Some(&-20));
    assert_eq!(steps.iter().max(), Some(&50), "60 would break the range");
    assert_eq!(
        outcomes[0].redrawn, 0,
        "and so nothing has to be drawn again"
    );
    assert_eq!(outcomes[0].enforcement, Enforcement::Repair);
    let prices = table.column("price").unwrap().f64().unwrap().clone();
    let prices: Vec<f64> = prices.iter().flatten().collect();
    assert!(
        prices
            .iter()
            .all(|price| ((price * 100.0).round() as i64) % 5 == 0)
    );
    assert!(
        prices.contains(&9.95) && !prices.contains(&10.0),
        "10.00 is beyond the column"
    );
    let never = compile(vec![rule("ones", increments("step", 1.0))]);
    assert_eq!(
        enforce(&never, 10, 1).1[0].enforcement,
        Enforcement::Construction
    );
}

#[test]
fn exactly_one_column_is_set() {
    let rules = compile(vec![
        rule("numbers", one_hot(&["a", "b", "c"])),
        rule("words", one_hot(&["word", "sword"])),
    ]);
    let (table, outcomes) = enforce(&rules, 3_000, 2);
    assert_eq!(
        outcomes.iter().map(|outcome| outcome.redrawn).sum::<u64>(),
        0
    );
    let [first, second, third] = ["a", "b", "c"].map(|name| whole_numbers(&table, name));
    let mut shares = [0_usize; 3];
    for ((first, second), third) in first.into_iter().zip(second).zip(third) {
        let Some(cells) = [first, second, third]
            .into_iter()
            .collect::<Option<Vec<i64>>>()
        else {
            continue;
        };
        assert_eq!(cells.iter().sum::<i64>(), 1);
        shares[cells.iter().position(|cell| *cell == 1).unwrap()] += 1;
    }
    // Each is set in half of the drawn rows, so that none may be favoured: of 2,700 rows a third each, give
    // or take 6 standard deviations of 25.
    assert!(
        shares.iter().all(|share| (750..1_050).contains(share)),
        "{shares:?}"
    );
}

#[test]
fn columns_are_missing_together() {
    let together = compile(vec![rule("all or none", nulls(&["x", "y", "z"], None))]);
    let (table, outcomes) = enforce(&together, 2_000, 3);
    assert_eq!(outcomes[0].redrawn, 0, "blanking is always possible");
    let missing = |name: &str| -> Vec<bool> {
        table
            .column(name)
            .unwrap()
            .is_null()
            .iter()
            .map(|cell| cell == Some(true))
            .collect()
    };
    assert_eq!(missing("x"), missing("y"));
    assert_eq!(missing("x"), missing("z"));
    assert!(missing("x").contains(&true) && missing("x").contains(&false));

    let ordered = compile(vec![rule(
        "in order",
        nulls(&["x", "y", "z"], Some(&[&[], &["z"], &["y", "z"]])),
    )]);
    let (table, outcomes) = enforce(&ordered, 2_000, 3);
    assert!(outcomes[0].redrawn > 0, "x would have to be filled");
    assert_eq!(table.column("x").unwrap().null_count(), 0);
}

#[test]
fn a_number_has_the_scale_of_its_segment() {
    let bounds = [
        ("cm", Some(40.0), Some(230.0)),
        ("in", Some(15.0), Some(90.0)),
    ];
    let rules = compile(vec![rule("units", scales(&bounds))]);
    let (table, outcomes) = enforce(&rules, 3_000, 4);
    assert_eq!(outcomes[0].redrawn, 0);
    let units = table.column("unit").unwrap().str().unwrap().clone();
    let mut largest = [0, 0, 0];
    for (unit, size) in units.iter().zip(whole_numbers(&table, "size")) {
        let (unit, size) = (unit.unwrap(), size.unwrap());
        let place = ["cm", "in", "ft"]
            .iter()
            .position(|known| *known == unit)
            .unwrap();
        largest[place] = largest[place].max(size);
        // What is moved is spread like what was there, and does not pile up at a bound.
    }
    assert!(
        largest[0] <= 230 && largest[1] <= 90 && largest[2] > 230,
        "feet are free: {largest:?}"
    );
    let at_bound = units
        .iter()
        .zip(whole_numbers(&table, "size"))
        .filter(|(unit, size)| *unit == Some("in") && *size == Some(90));
    assert!(at_bound.count() < 60, "of about 1,000 on 76 values");
}

#[test]
fn unique_rows_are_drawn_until_they_differ() {
    let rules = compile(vec![rule("keys", unique(&["key", "a"]))]);
    let (table, outcomes) = enforce(&rules, 500, 5);
    let pairs: Vec<_> = whole_numbers(&table, "key")
        .into_iter()
        .zip(whole_numbers(&table, "a"))
        .collect();
    let distinct: std::collections::HashSet<_> = pairs.iter().collect();
    assert_eq!(distinct.len(), 500);
    assert!(outcomes[0].redrawn > 0);
    let error = rules
        .expect_room(801)
        .expect_err("400 keys and 2 values of `a`");
    assert_eq!(error.problem, RuleProblem::NoRoom { room: 800 });
    rules.expect_room(800).expect("just enough");
    // A table with a row twice breaks the rule once.
    let twice = table.head(Some(3)).vstack(&table.head(Some(1))).unwrap();
    assert_eq!(rules.check(&twice).unwrap()[0].count, 1);
    // Rows with a missing cell are like no other.
    compile(vec![rule("x", unique(&["x"]))])
        .expect_room(1_000_000)
        .expect("x may be missing");
}

#[test]
fn what_cannot_hold_is_named_before_a_row_is_drawn() {
    let shape = |kind: RuleKind| problems(vec![rule("r", kind)]).swap_remove(0);
    let list = |problem: RuleProblem| {
        assert!(
            matches!(problem, RuleProblem::ColumnList { .. }),
            "{problem}"
        )
    };
    list(shape(one_hot(&["a"])));
    list(shape(one_hot(&["a", "a"])));
    list(shape(unique(&[])));
    list(shape(unique(&["key", "key"])));
    list(shape(nulls(&["x"], None)));
    list(shape(nulls(&["x", "y"], Some(&[]))));
    assert!(matches!(
        shape(one_hot(&["a", "x"])),
        RuleProblem::WrongKind { .. }
    ));
    assert!(matches!(
        shape(unique(&["keys"])),
        RuleProblem::UnknownColumn { .. }
    ));
    assert!(matches!(
        shape(nulls(&["x", "a"], None)),
        RuleProblem::NeverMissing { .. }
    ));
    assert!(matches!(
        shape(nulls(&["x", "y"], Some(&[&["z"]]))),
        RuleProblem::NeverMissing { .. }
    ));
    assert!(matches!(
        shape(increments("unit", 1.0)),
        RuleProblem::WrongKind { .. }
    ));
    assert!(matches!(
        shape(increments("z", 1.0)),
        RuleProblem::WrongKind { .. }
    ));
    for step in [0.0, -5.0, 0.5, f64::NAN, f64::INFINITY, 1e300] {
        assert!(
            matches!(shape(increments("step", step)), RuleProblem::Step { .. }),
            "{step}"
        );
    }
    assert!(matches!(
        shape(increments("price", 0.005)),
        RuleProblem::Step { .. }
    ));
    assert!(matches!(shape(scales(&[])), RuleProblem::CombinationShape));
    assert!(matches!(
        shape(scales(&[("km", Some(1.0), None)])),
        RuleProblem::CombinationCell { .. }
    ));
    assert!(matches!(
        shape(scales(&[("cm", None, None)])),
        RuleProblem::Bounds
    ));
    assert!(matches!(
        shape(scales(&[("cm", Some(400.0), None)])),
        RuleProblem::Contradiction { .. }
    ));
    assert!(matches!(
        shape(scales(&[("cm", Some(1.0), None), ("cm", Some(2.0), None)])),
        RuleProblem::CombinationShape
    ));
    let refused = problems(vec![enforced("r", unique(&["key"]), Enforcement::Repair)]);
    assert!(matches!(
        refused[0],
        RuleProblem::EnforcementUnavailable { .. }
    ));
}

#[test]
fn rules_that_contradict_each_other_are_both_named() {
    let other = |specs: Vec<RuleSpec>| -> Option<String> {
        match problems(specs).swap_remove(0) {
            RuleProblem::Contradiction { other, .. } => other,
            problem => panic!("{problem}"),
        }
    };
    let bound = |name: &str, column: &str, min, max| rule(name, range(column, min, max));
    let sixties = bound("sixties", "step", Some(61.0), Some(69.0));
    assert_eq!(
        other(vec![sixties, rule("tens", increments("step", 10.0))]).as_deref(),
        Some("sixties")
    );
    let small = bound("small", "size", None, Some(30.0));
    assert_eq!(
        other(vec![
            small,
            rule("units", scales(&[("cm", Some(40.0), None)]))
        ])
        .as_deref(),
        Some("small")
    );
    let set = |name: &str| bound(name, name, Some(1.0), None);
    assert_eq!(
        other(vec![
            set("a"),
            set("b"),
            rule("hot", one_hot(&["a", "b", "c"]))
        ])
        .as_deref(),
        Some("b")
    );
    let circle = vec![
        rule("up", inequality("x", "step", Strictness::OrEqual)),
        rule("on", inequality("step", "key", Strictness::OrEqual)),
        rule("down", inequality("key", "x", Strictness::Strict)),
    ];
    assert_eq!(other(circle).as_deref(), Some("on"));
    // Without a strict one all could be equal.
    compile(vec![
        rule("up", inequality("x", "key", Strictness::OrEqual)),
        rule("down", inequality("key", "x", Strictness::OrEqual)),
    ]);
}

#[test]
fn lengths_of_time_are_compared_in_one_unit() {
    use dpsynth_table::{Cells, Domain, DurationForm};
    let length = |name: &str, form| {
        let (min, max, cells) = (0, 600, Cells::Each);
        let domain = Domain::Duration {
            min,
            max,
            form,
            cells,
        };
        column(name, domain, Missing::Refused)
    };
    let schema = Schema::new(vec![
        length("wait", DurationForm::HoursMinutes),
        length("ride", DurationForm::Minutes),
        length("pause", DurationForm::Seconds),
        column("age", integer(0, 99), Missing::Refused),
    ])
    .unwrap();
    let compiled = |kind| Rules::compile(vec![rule("r", kind)], &schema);
    compiled(inequality("wait", "ride", Strictness::OrEqual)).unwrap();
    compiled(range("wait", Some(5.0), None)).unwrap();
    compiled(increments("pause", 15.0)).unwrap();
    compiled(sql("wait + ride <= 700")).unwrap();
    for other in ["pause", "age"] {
        let [error] = &*compiled(inequality("wait", other, Strictness::OrEqual)).unwrap_err()
        else {
            panic!("one finding");
        };
        assert!(
            matches!(error.problem, RuleProblem::WrongKind { .. }),
            "{error}"
        );
    }
}

#[test]
fn a_repair_that_changes_what_another_rule_looks_at_is_named() {
    let rules = compile(vec![
        rule("tens", increments("step", 10.0)),
        rule("odd", sql("MOD(step, 20) <> 0 OR step IS NULL")),
        rule("apart", one_hot(&["a", "b"])),
    ]);
    let [found] = rules.interactions() else {
        panic!("{:?}", rules.interactions())
    };
    assert_eq!(
        (
            found.changes.as_str(),
            found.column.as_str(),
            found.looks.as_str()
        ),
        ("tens", "step", "odd")
    );
    enforce(&rules, 500, 6);
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(24) })]

    /// Any selection of the rules delivers rows that obey, also by hand-made checks, and a table that
    /// obeys comes back as it is.
    #[test]
    fn delivered_rows_obey(
        chosen in proptest::sample::subsequence((0..7).collect::<Vec<usize>>(), 0..=7),
        step in 1_i64..15,
        count in 0_usize..120,
        seed in any::<u64>(),
    ) {
        let pool = |index: usize| match index {
            0 => rule("steps", increments("step", step as f64)),
            1 => rule("cents", increments("price", step as f64 / 100.0)),
            2 => rule("hot", one_hot(&["a", "b", "c"])),
            3 => rule("nulls", nulls(&["x", "y"], None)),
            4 => rule("scales", scales(&[("cm", Some(40.0), None), ("ft", None, Some(7.0))])),
            5 => rule("unique", unique(&["key", "unit"])),
            _ => rule("range", range("step", Some(0.0), Some(90.0))),
        };
        let rules = compile(chosen.iter().map(|index| pool(*index)).collect());
        let (table, _) = enforce(&rules, count, seed);
        if chosen.contains(&0) {
            prop_assert!(whole_numbers(&table, "step").into_iter().flatten().all(|value| value % step == 0));
        }
        if chosen.contains(&3) {
            prop_assert_eq!(
                table.column("x").unwrap().is_null().iter().collect::<Vec<_>>(),
                table.column("y").unwrap().is_null().iter().collect::<Vec<_>>()
            );
        }
        if count > 0 {
            let mut again = |wanted: usize| { assert_eq!(wanted, count); table.clone() };
            let mut choice = || panic!("nothing is left to choose");
            let (same, _) = rules.enforce(count, &mut again, &mut choice, Limits::default()).unwrap();
            prop_assert!(same.equals_missing(&table));
        }
    }
}
