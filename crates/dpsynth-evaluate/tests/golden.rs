//! Agreement with an implementation in Python (numpy 2.4, pandas), which cut, counted and summed the
//! same tables.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use dpsynth_evaluate::{Column, Question, Table, Values, evaluate};

/// Two tables by formula: numbers and levels with missing ones, a column that copies another, one of
/// more levels, one of few values.
fn table(rows: i64, shift: i64) -> Table {
    let letters = |text: &str| text.chars().map(String::from).collect::<Vec<_>>();
    let x = |row: i64| (row * 37 + shift * 11) % 101;
    let numbers = |of: &dyn Fn(i64) -> Option<f64>| Values::Numeric((0..rows).map(of).collect());
    let levels = |levels: Vec<String>, of: &dyn Fn(i64) -> Option<i64>| Values::Category {
        codes: (0..rows).map(|row| of(row).map(|it| it as u32)).collect(),
        levels,
    };
    let column = |name: &str, values| Column {
        name: name.to_owned(),
        values,
    };
    Table::new(vec![
        column(
            "n",
            numbers(&|row| {
                ((row * 13 + shift) % 17 != 0)
                    .then(|| x(row) as f64 + ((row * 7) % 10) as f64 / 4.0)
            }),
        ),
        column(
            "c",
            levels(letters("abcde"), &|row| {
                let moved = shift * i64::from(row % 5 == 0);
                ((row + shift) % 23 != 0).then(|| (x(row) / 25 + moved) % 5)
            }),
        ),
        column(
            "d",
            levels(letters("lmn"), &|row| Some((row * row + shift) % 3)),
        ),
        column(
            "k",
            levels((0..130).map(|it| it.to_string()).collect(), &|row| {
                Some((x(row) * (1 + shift)) / 3 % 130)
            }),
        ),
        column("i", numbers(&|row| Some(((row * row) % 7) as f64))),
    ])
    .unwrap()
}

#[track_caller]
fn close(got: f64, expected: f64) {
    assert!((got - expected).abs() < 1e-9, "{got} is not {expected}");
}

#[test]
fn distances_and_association_are_those_of_the_other_implementation() {
    let (real, synthetic) = (table(400, 0), table(300, 1));
    let question = Question {
        real: &real,
        holdout: None,
        synthetic: &synthetic,
        target: None,
    };
    let found = evaluate(question, Vec::new()).unwrap();
    let total_variation = [
        0.059166666666666666,
        0.06500000000000003,
        0.6666666666666666,
        0.4966666666666666,
        0.003333333333333355,
    ];
    let jensen_shannon = [
        0.06094038338229157,
        0.12407169191457351,
        0.7357581486847306,
        0.5682988795661473,
        0.0029567955163845917,
    ];
    for (column, figures) in found.columns.iter().enumerate() {
        close(figures.total_variation, total_variation[column]);
        close(figures.jensen_shannon, jensen_shannon[column]);
    }
    close(found.mean_total_variation[1], 0.5630833333333334);
    close(found.mean_total_variation[2], 0.80575);
    assert_eq!(found.triples, [10, 10]);
    let association = [0.7204627330210871, 0.0, 0.7925377303506448, 0.0];
    for (pair, expected) in found.pairs.iter().zip(association) {
        close(pair.association_real, expected);
    }
    close(found.mean_association_error, 0.09468764095017151);
}

#[test]
fn a_table_is_at_no_distance_from_itself_and_cannot_be_told_apart() {
    let real = table(400, 0);
    let question = Question {
        real: &real,
        holdout: Some(&real),
        synthetic: &real,
        target: Some("c"),
    };
    let found = evaluate(question, Vec::new()).unwrap();
    assert_eq!(found.mean_total_variation, [0.0; 3]);
    assert_eq!(found.mean_association_error, 0.0);
    assert_eq!(found.projection.distance, 0.0);
    let prediction = found.prediction.unwrap();
    assert_eq!(prediction.boosting_real, prediction.boosting_synthetic);
    assert_eq!(prediction.forest_real, prediction.forest_synthetic);
    // The column is a function of another but for missing cells, so nearly all is learned.
    assert!(prediction.boosting_real.auc > 0.9);
    assert_eq!(found.rare_groups.lost, 0.0);
}

#[test]
fn tables_that_do_not_fit_each_other_are_refused() {
    let real = table(50, 0);
    let narrow = Table::new(real.columns()[1..].to_vec()).unwrap();
    let refused = |synthetic: &Table, target| {
        let question = Question {
            real: &real,
            holdout: None,
            synthetic,
            target,
        };
        evaluate(question, Vec::new()).unwrap_err().code()
    };
    assert_eq!(refused(&narrow, None), "DPS7001");
    assert_eq!(refused(&real, Some("nobody")), "DPS7004");
    assert_eq!(Table::new(Vec::new()).unwrap_err().code(), "DPS7002");
    let mut twice = real.columns().to_vec();
    twice[1].name = "n".to_owned();
    assert_eq!(Table::new(twice).unwrap_err().code(), "DPS7003");
}
