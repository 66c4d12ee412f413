//! What `Rules::enforce` does to rows, kind by kind.

mod ends;
#[path = "../support/mod.rs"]
mod support;
mod trades;

use std::num::NonZeroU32;

use dpsynth_constraints::{Enforcement, Limits, RuleKind, RuleProblem, Rules, Strictness};
use polars::df;
use polars::prelude::{DataFrame, DataType, NamedFrom, Series};

use support::{
    Draw, combinations, compile, conditional, derived, enforce, enforced, inequality, range, rule,
    sql, whole,
};

fn numbers(table: &DataFrame, column: &str) -> Vec<Option<i64>> {
    table
        .column(column)
        .expect(column)
        .cast(&DataType::Int64)
        .expect("numbers")
        .i64()
        .expect("numbers")
        .iter()
        .collect()
}

fn floats(table: &DataFrame, column: &str) -> Vec<Option<f64>> {
    table
        .column(column)
        .expect(column)
        .f64()
        .expect("numbers")
        .iter()
        .collect()
}

/// Enforces on given rows, over and over, and asks for as many as there are.
fn enforce_on(
    rules: &Rules,
    rows: &DataFrame,
) -> Result<(DataFrame, Vec<dpsynth_constraints::RuleOutcome>), RuleProblem> {
    let mut draw = |wanted: usize| {
        let mut table = rows.clone();
        while table.height() < wanted {
            table.vstack_mut(rows).expect("the same columns");
        }
        table.head(Some(wanted))
    };
    rules
        .enforce(rows.height(), &mut draw, &mut || 0.0, Limits::default())
        .map_err(|error| error.problem)
}

/// Rows that obey everything, with one column replaced.
fn rows_with(series: Series) -> DataFrame {
    let mut rows = whole(Draw::new(7).frame(series.len()));
    rows.with_column(series.into())
        .expect("as long as the others");
    rows
}

#[test]
fn rows_that_come_in_parts_obey_and_none_that_was_drawn_is_lost() {
    let rules = compile(vec![rule("adult", sql("age >= 18"))]);
    let (mut source, mut drawn) = (Draw::new(1), Vec::new());
    let mut draw = |wanted: usize| {
        let rows = whole(source.frame(wanted));
        let ages = numbers(&rows, "age");
        drawn.extend(
            ages.into_iter()
                .filter(|age| age.is_none_or(|age| age >= 18)),
        );
        rows
    };
    let mut enforcing = rules.enforcing(Limits::default());
    let mut delivered = Vec::new();
    for rows in [300, 1, 700, 50] {
        let part = enforcing.next_rows(rows, &mut draw, &mut || 0.0);
        let part = part.expect("most rows obey");
        assert_eq!(part.height(), rows);
        assert!(rules.check(&part).expect("it fits").is_empty());
        delivered.extend(numbers(&part, "age"));
    }
    assert_eq!(delivered, drawn[..delivered.len()]);
    let outcome = &enforcing.outcomes()[0];
    assert_eq!(outcome.drawn - outcome.redrawn, drawn.len() as u64);
    assert!(outcome.redrawn > 0, "the rule has something to do");
}

#[test]
fn redraw_keeps_obeying_rows_and_their_order() {
    let rules = compile(vec![rule("adult", sql("age >= 18"))]);
    let (table, outcomes) = enforce(&rules, 500, 1).expect("most rows obey");
    assert_eq!(table.height(), 500);
    assert!(rules.check(&table).expect("it fits").is_empty());
    let outcome = &outcomes[0];
    assert_eq!((outcome.repaired, outcome.violated), (0, outcome.redrawn));
    assert!(outcome.drawn >= 500 + outcome.redrawn);

    let mut first = Draw::new(1);
    let kept: Vec<Option<i64>> = numbers(&first.frame(500), "age")
        .into_iter()
        .filter(|age| *age >= Some(18))
        .collect();
    assert_eq!(numbers(&table, "age")[..kept.len()], kept);
}

#[test]
fn the_same_draws_give_the_same_table() {
    let rules = compile(vec![
        rule("adult", sql("age >= 18")),
        rule(
            "pairs",
            combinations(
                &["sex", "school"],
                &[&["f", "none"], &["m", "none"], &["m", "degree"]],
            ),
        ),
    ]);
    let (first, second) = (
        enforce(&rules, 300, 5).expect("fine"),
        enforce(&rules, 300, 5).expect("fine"),
    );
    assert!(first.0.equals_missing(&second.0));
    assert_eq!(first.1, second.1);
}

#[test]
fn a_range_moves_values_to_its_nearer_bound() {
    let rows = rows_with(Series::new("visits".into(), [-3_i64, 0, 7, 50]));
    let rules = compile(vec![rule("few", range("visits", Some(-0.5), Some(9.9)))]);
    let (table, outcomes) = enforce_on(&rules, &rows).expect("repair always can");
    assert_eq!(
        numbers(&table, "visits"),
        [Some(0), Some(0), Some(7), Some(9)]
    );
    assert_eq!(
        (
            outcomes[0].violated,
            outcomes[0].repaired,
            outcomes[0].redrawn
        ),
        (2, 2, 0)
    );

    let rows = rows_with(Series::new("fare".into(), [-0.5, 0.0, 99.99]));
    let rules = compile(vec![
        rule(
            "paid",
            RuleKind::NonNegative {
                column: "fare".into(),
            },
        ),
        rule("cheap", range("fare", None, Some(10.005))),
    ]);
    assert_eq!(
        floats(&enforce_on(&rules, &rows).expect("fine").0, "fare"),
        [Some(0.0), Some(0.0), Some(10.0)]
    );
}

#[test]
fn a_rule_that_the_domain_implies_never_fires() {
    let rules = compile(vec![rule("age", range("age", Some(0.0), Some(200.0)))]);
    let (_, outcomes) = enforce(&rules, 200, 3).expect("it never fires");
    assert_eq!(outcomes[0].enforcement, Enforcement::Construction);
    assert_eq!(
        (outcomes[0].drawn, outcomes[0].violated, outcomes[0].redrawn),
        (200, 0, 0)
    );
}

#[test]
fn dates_keep_their_order_by_redraw_or_by_swap() {
    for enforcement in [Enforcement::Redraw, Enforcement::Repair] {
        let kind = inequality("admitted", "discharged", Strictness::Strict);
        let rules = compile(vec![enforced("order", kind, enforcement)]);
        let (table, outcomes) = enforce(&rules, 400, 9).expect("half of the rows obey");
        let pairs = numbers(&table, "admitted")
            .into_iter()
            .zip(numbers(&table, "discharged"));
        let mut missing = 0;
        for (admitted, discharged) in pairs {
            match discharged {
                Some(discharged) => assert!(admitted < Some(discharged)),
                None => missing += 1,
            }
        }
        // A missing date is no reason to throw a row away.
        assert!(missing > 20, "{missing}");
        if enforcement == Enforcement::Repair {
            // Only equal dates cannot be put right by a swap.
            assert!(outcomes[0].repaired > 50 && outcomes[0].redrawn < outcomes[0].repaired / 10);
        }
    }
}

#[test]
fn a_swap_that_leaves_a_domain_is_a_redraw() {
    let kind = inequality("age", "grade", Strictness::OrEqual);
    let rules = compile(vec![enforced("order", kind, Enforcement::Repair)]);
    let mut rows = rows_with(Series::new("age".into(), [15_i64, 90, 3]));
    rows.with_column(Series::new("grade".into(), [4_i64, 4, 9]).into())
        .expect("three rows");
    let (table, outcomes) = enforce_on(&rules, &rows).expect("two of three rows can be had");
    assert!(rules.check(&table).expect("it fits").is_empty());
    assert_eq!(numbers(&table, "age")[..2], [Some(4), Some(3)]);
    assert!(outcomes[0].redrawn > 0);
}

#[test]
fn combinations_repair_keeps_the_shares_of_what_it_draws_from() {
    let allowed: &[&[&str]] = &[&["primary", "1"], &["primary", "2"]];
    let rules = compile(vec![rule(
        "known",
        combinations(&["school", "grade"], allowed),
    )]);
    let grades = |count: i64| vec![count; if count == 1 { 60 } else { 20 }];
    let mut rows = rows_with(Series::new("school".into(), vec!["primary"; 100]));
    rows.with_column(
        Series::new("grade".into(), [grades(1), grades(2), grades(9)].concat()).into(),
    )
    .expect("a hundred rows");
    let mut evenly = (0..20).map(|place| (f64::from(place) + 0.5) / 20.0);
    let (table, _) = rules
        .enforce(
            100,
            &mut |_| rows.clone(),
            &mut || evenly.next().expect("twenty broken rows"),
            Limits::default(),
        )
        .expect("every row can be repaired");
    let ones = numbers(&table, "grade")
        .iter()
        .filter(|&&grade| grade == Some(1))
        .count();
    // Three quarters of the twenty; drawn alike, it would be half of them.
    assert_eq!(ones, 60 + 15);
}

#[test]
fn combinations_repair_agrees_in_the_leading_columns() {
    let allowed: &[&[&str]] = &[
        &["f", "primary", "1"],
        &["f", "primary", "2"],
        &["f", "degree", "9"],
        &["f", "primary", "2"],
    ];
    let rules = compile(vec![rule(
        "known",
        combinations(&["sex", "school", "grade"], allowed),
    )]);
    let mut rows = rows_with(Series::new("sex".into(), ["f", "f", "f", "m", "m"]));
    for series in [
        Series::new(
            "school".into(),
            ["degree", "primary", "none", "none", "none"],
        ),
        Series::new(
            "grade".into(),
            [Some(9_i64), Some(3), Some(1), None, Some(5)],
        ),
    ] {
        rows.with_column(series.into()).expect("five rows");
    }
    // Grades 1 and 2 weigh 2 and 1 here, by how often they occur and once more.
    let mut choices = [0.7, 0.7].into_iter();
    let mut draws = 0;
    let mut draw = |wanted: usize| {
        draws += 1;
        if draws == 1 {
            rows.clone()
        } else {
            rows.head(Some(1)).new_from_index(0, wanted)
        }
    };
    let (table, outcomes) = rules
        .enforce(
            5,
            &mut draw,
            &mut || choices.next().expect("two choices"),
            Limits::default(),
        )
        .expect("redraws obey");
    // Kept; third column drawn from two; second and third drawn from three; silent about the
    // missing grade; no combination begins with the last row's first cell.
    assert_eq!(
        numbers(&table, "grade"),
        [Some(9), Some(2), Some(9), None, Some(9)]
    );
    let schools: Vec<Option<&str>> = table
        .column("school")
        .expect("a column")
        .str()
        .expect("texts")
        .iter()
        .collect();
    assert_eq!(
        schools,
        [
            Some("degree"),
            Some("primary"),
            Some("degree"),
            Some("none"),
            Some("degree")
        ]
    );
    assert_eq!(
        (
            outcomes[0].violated,
            outcomes[0].repaired,
            outcomes[0].redrawn
        ),
        (3, 2, 1)
    );
}

#[test]
fn the_first_of_two_columns_may_decide_the_second() {
    let decided = |allowed: &[&[&str]]| {
        let kind = combinations(&["school", "sex"], allowed);
        enforced("decided", kind, Enforcement::Construction)
    };
    let rules = compile(vec![decided(&[&["none", "f"], &["primary", "m"]])]);
    assert_eq!(rules.derived_columns(), ["sex"]);
    let (table, outcomes) = enforce(&rules, 200, 3).expect("most rows have a school of the list");
    let column = |name: &str| {
        table
            .column(name)
            .expect(name)
            .str()
            .expect("texts")
            .clone()
    };
    for (school, sex) in column("school").iter().zip(column("sex").iter()) {
        let expected = match school {
            Some("none") => "f",
            Some("primary") => "m",
            other => panic!("no combination has {other:?}"),
        };
        assert_eq!(sex, Some(expected));
    }
    assert!(outcomes[0].redrawn > 0 && outcomes[0].repaired == 0);
    assert!(rules.check(&table).expect("it fits").is_empty());

    for undecided in [
        &[&["none", "f"][..], &["none", "m"]][..],
        &[&["none", "f"][..], &["primary", "m"], &["none", "m"]],
    ] {
        let found = support::problems(vec![decided(undecided)]);
        assert!(matches!(
            found[0],
            RuleProblem::EnforcementUnavailable { .. }
        ));
    }
}

#[test]
fn combinations_speak_of_numbers_and_dates() {
    let rules = compile(vec![rule(
        "known",
        combinations(
            &["admitted", "fare", "grade"],
            &[&["01/02/2020", "1.50", "3"], &["02/02/2020", "-0", "4"]],
        ),
    )]);
    let mut rows = rows_with(
        Series::new("admitted".into(), [18_293_i32, 18_294])
            .cast(&DataType::Date)
            .expect("days"),
    );
    rows.with_column(Series::new("fare".into(), [9.0, 0.0]).into())
        .expect("two rows");
    rows.with_column(Series::new("grade".into(), [9_i64, 4]).into())
        .expect("two rows");
    let (table, outcomes) = enforce_on(&rules, &rows).expect("both dates have a combination");
    assert_eq!(floats(&table, "fare"), [Some(1.5), Some(0.0)]);
    assert_eq!(numbers(&table, "grade"), [Some(3), Some(4)]);
    assert_eq!((outcomes[0].violated, outcomes[0].repaired), (1, 1));
}

#[test]
fn derived_columns_are_computed_in_their_type_and_domain() {
    let rules = compile(vec![
        // Needs the column that the next rule computes.
        rule("grade", derived("grade", "total / 5")),
        rule("sum", derived("total", "fare + tip")),
    ]);
    let mut draw = Draw::new(4);
    let mut modelled = |rows: usize| draw.frame(rows).drop("grade").expect("a column");
    let (table, outcomes) = rules
        .enforce(300, &mut modelled, &mut || 0.0, Limits::default())
        .expect("most sums are in domain");
    let names: Vec<String> = table
        .get_column_names_owned()
        .iter()
        .map(ToString::to_string)
        .collect();
    assert_eq!(names[4], "total", "the schema's order holds");
    assert!(rules.check(&table).expect("it fits").is_empty());
    assert!(
        outcomes
            .iter()
            .all(|outcome| outcome.enforcement == Enforcement::Construction)
    );
    assert!(
        outcomes[1].redrawn > 0,
        "a negative fare makes a sum outside the domain"
    );
    let (fare, tip, total) = (
        floats(&table, "fare"),
        floats(&table, "tip"),
        floats(&table, "total"),
    );
    let grade = numbers(&table, "grade");
    for row in 0..300 {
        let sum = fare[row]
            .zip(tip[row])
            .map(|(fare, tip)| ((fare + tip) * 100.0).round_ties_even() / 100.0);
        assert_eq!(total[row], sum);
        assert_eq!(
            grade[row],
            sum.map(|sum| (sum / 5.0).round_ties_even() as i64)
        );
    }
}

#[test]
fn a_missing_or_impossible_result_needs_a_column_that_may_miss() {
    let rules = compile(vec![rule("age", derived("age", "grade * 3"))]);
    let (table, outcomes) = enforce(&rules, 200, 2).expect("most grades are there");
    assert!(numbers(&table, "grade").iter().all(Option::is_some));
    assert!(outcomes[0].redrawn > 0);

    let rules = compile(vec![rule("rate", derived("total", "fare / visits"))]);
    let (table, _) = enforce(&rules, 200, 2).expect("most quotients are in domain");
    // A total may be missing: then rows with what nothing is divided by are not drawn away.
    let (totals, fares) = (floats(&table, "total"), floats(&table, "fare"));
    let mut impossible = 0;
    for ((total, fare), visits) in totals.into_iter().zip(fares).zip(numbers(&table, "visits")) {
        let computable = fare.is_some() && visits.is_some_and(|visits| visits != 0);
        assert_eq!(total.is_some_and(f64::is_finite), computable);
        impossible += usize::from(visits == Some(0));
    }
    assert!(impossible > 0);
}

#[test]
fn a_conditional_rule_writes_what_it_says() {
    for (then, expected) in [("grade = 0", Some(0)), ("grade IS NULL", None)] {
        let rules = compile(vec![enforced(
            "children",
            conditional("age < 15", then),
            Enforcement::Repair,
        )]);
        let (table, outcomes) = enforce(&rules, 300, 8).expect("repair always can");
        for (age, grade) in numbers(&table, "age")
            .into_iter()
            .zip(numbers(&table, "grade"))
        {
            // A missing grade is not known to differ from what it should be.
            assert!(age >= Some(15) || grade == expected || grade.is_none());
        }
        assert_eq!((outcomes[0].drawn, outcomes[0].redrawn), (300, 0));
        assert_eq!(outcomes[0].violated, outcomes[0].repaired);
    }
}
