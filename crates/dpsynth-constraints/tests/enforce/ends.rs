//! How enforcing ends where rules cannot be kept, and what is left alone.

use super::*;

#[test]
fn refuse_ends_the_run_and_says_how_much() {
    let rules = compile(vec![
        rule("fine", sql("age >= 0")),
        enforced("adult", sql("age >= 60"), Enforcement::Refuse),
    ]);
    let error = enforce(&rules, 1_000, 1).expect_err("half of the rows break it");
    let place = error.place.clone().expect("a rule is to blame");
    assert_eq!((place.rule, place.name.as_str()), (1, "adult"));
    let RuleProblem::Refused { share } = error.problem else {
        panic!("{error}")
    };
    assert!((0.4..0.6).contains(&share), "{share}");

    // What a repair puts right first is still refused as drawn.
    let rules = compile(vec![
        rule("raised", range("age", Some(60.0), None)),
        enforced("adult", sql("age >= 60"), Enforcement::Refuse),
    ]);
    assert!(enforce(&rules, 100, 1).is_err());
    let rules = compile(vec![enforced(
        "always",
        sql("age >= 0"),
        Enforcement::Refuse,
    )]);
    assert_eq!(
        enforce(&rules, 100, 1)
            .expect("no row breaks it")
            .0
            .height(),
        100
    );
}

#[test]
fn a_repair_never_leaves_another_rule_broken() {
    let rules = compile(vec![
        enforced(
            "children",
            conditional("age < 15", "grade = 0"),
            Enforcement::Repair,
        ),
        rule("graded", sql("grade > 0 OR age >= 10")),
        enforced(
            "order",
            inequality("grade", "visits", Strictness::OrEqual),
            Enforcement::Repair,
        ),
        rule("visits", range("visits", Some(1.0), None)),
        rule("sum", derived("total", "fare + tip")),
        rule("small", sql("total < 60 OR age > 50")),
    ]);
    let (table, outcomes) = enforce(&rules, 400, 6).expect("enough rows obey");
    assert_eq!(table.height(), 400);
    assert!(rules.check(&table).expect("it fits").is_empty());
    assert!(
        outcomes
            .iter()
            .all(|outcome| outcome.drawn == outcomes[0].drawn)
    );
}

#[test]
fn impossible_rules_end_in_an_error_that_names_the_worst() {
    let rules = compile(vec![
        rule("mild", sql("age < 110")),
        rule("never", sql("age > grade + 200")),
    ]);
    let mut draw = Draw::new(1);
    let limits = Limits::default();
    let mut missing_less = |rows: usize| {
        let mut frame = whole(draw.frame(rows));
        frame
            .with_column(Series::new("grade".into(), vec![1_i64; rows]).into())
            .expect("a column");
        frame
    };
    let error = rules
        .enforce(50, &mut missing_less, &mut || 0.0, limits)
        .expect_err("no row obeys");
    assert_eq!(error.rule(), Some(1));
    assert_eq!(error.problem, RuleProblem::Unsatisfied { share: 1.0 });
    assert!(draw.rows_drawn() <= 50 * 1_000);

    // Each is possible, but not both: nothing tells but the rows.
    let rules = compile(vec![
        rule("up", inequality("age", "visits", Strictness::Strict)),
        rule("down", sql("visits < age")),
    ]);
    let error = enforce(&rules, 2_000, 1).expect_err("no row obeys both");
    assert!(
        matches!(error.problem, RuleProblem::Unsatisfied { .. }),
        "{error}"
    );
}

#[test]
fn limits_hold() {
    let rules = compile(vec![rule("rare", sql("age = 1"))]);
    for (rounds, factor) in [(1, 1_000), (1_000, 2)] {
        let limits = Limits {
            max_rounds: NonZeroU32::new(rounds).expect("not zero"),
            max_draw_factor: NonZeroU32::new(factor).expect("not zero"),
        };
        let (mut draw, mut calls) = (Draw::new(1), 0);
        let mut counted = |rows| {
            calls += 1;
            whole(draw.frame(rows))
        };
        rules
            .enforce(3_000, &mut counted, &mut || 0.0, limits)
            .expect_err("one row in 121 obeys");
        assert!(calls <= rounds as usize && draw.rows_drawn() <= 3_000 * factor as usize);
    }
    // A rare rule is met within the default limits where the table is small.
    assert_eq!(
        enforce(&rules, 20, 1)
            .expect("fifty thousand draws suffice")
            .0
            .height(),
        20
    );
}

#[test]
fn an_expression_that_fails_on_a_row_names_its_rule() {
    let rules = compile(vec![
        rule("fine", sql("age > 1")),
        rule("cast", sql("CAST(school AS BIGINT) > 1")),
    ]);
    let error = enforce(&rules, 10, 1).expect_err("no school is a number");
    assert_eq!(
        (error.rule(), error.problem),
        (Some(1), RuleProblem::Evaluation)
    );
}

#[test]
fn a_table_of_another_shape_is_refused() {
    let rules = compile(vec![rule("adult", sql("age >= 18"))]);
    let mut draw = |rows: usize| df!("age" => vec!["x"; rows]).expect("one column");
    let error = rules
        .enforce(5, &mut draw, &mut || 0.0, Limits::default())
        .expect_err("a text is no age");
    assert_eq!(
        error.problem,
        RuleProblem::TableMismatch {
            column: "age".into()
        }
    );
    assert!(rules.check(&DataFrame::empty()).is_err());
    let mut short = |_| whole(Draw::new(1).frame(1));
    let error = rules
        .enforce(5, &mut short, &mut || 0.0, Limits::default())
        .expect_err("one row is not five");
    assert_eq!(error.problem, RuleProblem::WrongShape);
}

#[test]
fn no_rows_are_no_rows() {
    let rules = compile(vec![
        rule("adult", sql("age >= 18")),
        rule("sum", derived("total", "fare + tip")),
    ]);
    let mut never = |_| panic!("nothing is drawn for no rows");
    let (table, outcomes) = rules
        .enforce(0, &mut never, &mut || 0.0, Limits::default())
        .expect("nothing to do");
    assert_eq!(
        (table.height(), table.width(), outcomes[0].drawn),
        (0, 10, 0)
    );
}

#[test]
fn check_counts_what_a_table_breaks() {
    let rules = compile(vec![
        rule("adult", sql("age >= 18")),
        rule("fine", sql("age >= 0")),
        rule("sum", derived("total", "fare + tip")),
        rule("known", combinations(&["sex", "school"], &[&["f", "none"]])),
    ]);
    let mut rows = rows_with(Series::new("age".into(), [3_i64, 18, 40]));
    for series in [
        Series::new("fare".into(), [1.0, 2.0, 3.0]),
        Series::new("tip".into(), [Some(0.1), Some(0.2), None]),
        Series::new("total".into(), [Some(1.1), Some(2.3), Some(3.0)]),
        Series::new("sex".into(), ["f", "f", "m"]),
        Series::new("school".into(), ["none", "none", "none"]),
    ] {
        rows.with_column(series.into()).expect("three rows");
    }
    let found: Vec<(usize, usize)> = rules
        .check(&rows)
        .expect("it fits")
        .into_iter()
        .map(|violation| (violation.rule, violation.count))
        .collect();
    assert_eq!(found, [(0, 1), (2, 2), (3, 1)]);
}
