//! What a rule about a group of rows does to the distribution of its column.

use super::*;

/// Rows with these ages, grades and tips; `None` is a missing cell.
fn people(rows: &[(i64, Option<i64>, Option<f64>)]) -> DataFrame {
    let mut table = whole(Draw::new(3).frame(rows.len()));
    let ages: Vec<i64> = rows.iter().map(|row| row.0).collect();
    let grades: Vec<Option<i64>> = rows.iter().map(|row| row.1).collect();
    let tips: Vec<Option<f64>> = rows.iter().map(|row| row.2).collect();
    for series in [
        Series::new("age".into(), ages),
        Series::new("grade".into(), grades),
        Series::new("tip".into(), tips),
    ] {
        table.with_column(series.into()).expect("a column");
    }
    table
}

fn no_answers_of_children() -> Rules {
    let rule = |name, then| enforced(name, conditional("age < 15", then), Enforcement::Repair);
    compile(vec![
        rule("no grades", "grade IS NULL"),
        rule("no tips", "tip IS NULL"),
    ])
}

#[test]
fn answers_are_handed_on_and_not_lost() {
    // Every second person has a grade, whatever the age, as a model may have it that has not learned
    // the rule. A fifth are children, so there are more adults without a grade than children with one.
    let rows: Vec<_> = (0..1000)
        .map(|row| (row % 75, (row % 2 == 0).then_some(row % 21), None))
        .collect();
    let drawn = people(&rows);
    let (table, outcomes) = enforce_on(&no_answers_of_children(), &drawn).expect("it can be kept");
    let (ages, grades) = (numbers(&table, "age"), numbers(&table, "grade"));
    for (age, grade) in ages.iter().zip(&grades) {
        assert!(*age >= Some(15) || grade.is_none());
    }
    // The column is the same, to the last cell; blanking would have lost a fifth of the grades.
    let sorted = |mut cells: Vec<Option<i64>>| {
        cells.sort_unstable();
        cells
    };
    assert_eq!(sorted(grades), sorted(numbers(&drawn, "grade")));
    assert_eq!(ages, numbers(&drawn, "age"));
    assert_eq!(outcomes[0].violated, outcomes[0].repaired);
    assert_eq!((outcomes[0].redrawn, outcomes[1].violated), (0, 0));
}

#[test]
fn answers_that_belong_together_stay_together() {
    // The tip says which grade it belongs to; adults without one have neither.
    let rows: Vec<_> = (0..1000)
        .map(|row| {
            let grade = (row % 2 == 0).then_some(row % 21);
            (row % 75, grade, grade.map(|grade| grade as f64 / 2.0))
        })
        .collect();
    let (table, outcomes) =
        enforce_on(&no_answers_of_children(), &people(&rows)).expect("it can be kept");
    for (grade, tip) in numbers(&table, "grade")
        .into_iter()
        .zip(floats(&table, "tip"))
    {
        assert_eq!(grade.map(|grade| grade as f64 / 2.0), tip);
    }
    for outcome in outcomes {
        assert!(outcome.violated > 50);
        assert_eq!(outcome.violated, outcome.repaired);
    }
}

#[test]
fn where_nobody_can_give_the_value_is_written() {
    // Two children with grades and one adult without; and one whose age allows a grade and has none to give.
    let rows = [
        (3, Some(4), Some(1.0)),
        (5, Some(6), None),
        (40, None, Some(2.5)),
        (50, Some(7), None),
    ];
    let (table, outcomes) =
        enforce_on(&no_answers_of_children(), &people(&rows)).expect("it can be kept");
    assert_eq!(numbers(&table, "grade"), [None, None, Some(4), Some(7)]);
    assert_eq!(floats(&table, "tip"), [None, None, Some(2.5), Some(1.0)]);
    assert_eq!((outcomes[0].repaired, outcomes[1].repaired), (2, 1));
}

#[test]
fn a_rule_for_another_group_takes_no_part() {
    // Same column, other conditions: each trades for itself, and both hold.
    let rules = compile(vec![
        enforced(
            "young",
            conditional("age < 15", "grade IS NULL"),
            Enforcement::Repair,
        ),
        enforced(
            "old",
            conditional("age >= 60", "grade = 0"),
            Enforcement::Repair,
        ),
    ]);
    let (table, outcomes) = enforce(&rules, 2000, 5).expect("repair always can");
    for (age, grade) in numbers(&table, "age")
        .into_iter()
        .zip(numbers(&table, "grade"))
    {
        assert!(age >= Some(15) || grade.is_none());
        assert!(age < Some(60) || grade.is_none_or(|grade| grade == 0));
    }
    assert!(outcomes.iter().all(|outcome| outcome.redrawn == 0));
}
