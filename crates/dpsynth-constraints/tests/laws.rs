//! Laws that hold for any rules and any draws.

mod support;

use dpsynth_constraints::{Enforcement, Limits, RuleSpec, Rules, Strictness};
use dpsynth_table::{Column, Domain};
use polars::prelude::DataFrame;
use proptest::prelude::*;
use proptest::sample::subsequence;

use support::{
    Draw, combinations, conditional, derived, enforce, enforced, inequality, range, rule, schema,
    sql, whole,
};

/// Rules that can be obeyed together in any selection.
fn pool() -> Vec<RuleSpec> {
    use Enforcement::{Redraw, Repair};
    vec![
        rule("adult", sql("age >= 18 OR school <> 'degree'")),
        rule("visits", range("visits", Some(0.0), Some(40.0))),
        enforced("fare", range("fare", Some(-5.0), None), Redraw),
        enforced(
            "order",
            inequality("admitted", "discharged", Strictness::Strict),
            Repair,
        ),
        rule("graded", inequality("grade", "age", Strictness::OrEqual)),
        enforced(
            "swapped",
            inequality("grade", "visits", Strictness::OrEqual),
            Repair,
        ),
        rule("sum", derived("total", "fare + COALESCE(tip, 0)")),
        enforced("child", conditional("age < 15", "grade = 0"), Repair),
        enforced(
            "silent",
            conditional("sex = 'f' AND age > 70", "tip IS NULL"),
            Repair,
        ),
        rule(
            "pairs",
            combinations(
                &["sex", "school"],
                &[&["f", "none"], &["f", "degree"], &["m", "primary"]],
            ),
        ),
        rule(
            "spring",
            sql("admitted BETWEEN '2020-01-01' AND '2020-11-30'"),
        ),
    ]
}

fn rules() -> impl Strategy<Value = Rules> {
    subsequence(pool(), 0..=11)
        .prop_shuffle()
        .prop_map(|specs| Rules::compile(specs, &schema()).expect("any selection fits"))
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(16) })]

    /// Exactly the rows asked for, in domain types and order, and all obey.
    #[test]
    fn delivered_rows_are_counted_and_obey(
        rules in rules(),
        rows in 0_usize..300,
        seed in any::<u64>(),
    ) {
        let (table, outcomes) = enforce(&rules, rows, seed).expect("any selection can be obeyed");
        prop_assert_eq!(table.height(), rows);
        prop_assert!(rules.check(&table).expect("it fits").is_empty());
        for outcome in outcomes {
            prop_assert!(outcome.violated <= outcome.drawn && outcome.redrawn <= outcome.drawn);
            prop_assert!(outcome.repaired == 0 || outcome.enforcement == Enforcement::Repair);
        }
    }

    /// A table that obeys comes back as it is, without a draw too many and without a choice.
    #[test]
    fn an_obeying_table_is_left_alone(
        rules in rules(),
        rows in 1_usize..200,
        seed in any::<u64>(),
    ) {
        let (table, _) = enforce(&rules, rows, seed).expect("any selection can be obeyed");
        let mut again = |wanted: usize| { assert_eq!(wanted, rows); table.clone() };
        let mut choice = || panic!("nothing is left to choose");
        let (same, outcomes) = rules
            .enforce(rows, &mut again, &mut choice, Limits::default())
            .expect("it obeys");
        prop_assert!(same.equals_missing(&table));
        for outcome in outcomes {
            prop_assert_eq!(outcome.drawn, rows as u64);
            prop_assert_eq!((outcome.violated, outcome.repaired, outcome.redrawn), (0, 0, 0));
        }
    }

    /// Repairs write only values that the column can hold.
    #[test]
    fn repaired_rows_stay_in_their_domains(rules in rules(), seed in any::<u64>()) {
        let (table, _) = enforce(&rules, 100, seed).expect("any selection can be obeyed");
        for column in schema().columns() {
            let inside = inside(column);
            let domain = Rules::compile(vec![rule(&column.name, sql(&inside))], &schema());
            let broken = domain.expect("it fits").check(&table).expect("it fits");
            prop_assert!(broken.is_empty(), "{}", inside);
        }
    }

    /// The judgement on a row does not depend on the rows beside it.
    #[test]
    fn rows_are_judged_alone(rules in rules(), seed in any::<u64>()) {
        let table = whole(Draw::new(seed).frame(20));
        let count = |table: &DataFrame| -> usize {
            let broken = rules.check(table).expect("it fits");
            broken.iter().map(|violation| violation.count).sum()
        };
        let alone: usize = (0..20).map(|row| count(&table.slice(row, 1))).sum();
        prop_assert_eq!(alone, count(&table));
    }
}

/// Says in SQL what the column can hold.
fn inside(column: &Column) -> String {
    let name = format!("\"{}\"", column.name);
    match &column.domain {
        Domain::Categorical { categories } => format!("{name} IN ('{}')", categories.join("', '")),
        Domain::Date { min, max, .. } => format!("{name} BETWEEN '{min}' AND '{max}'"),
        Domain::Timestamp { min, max, .. } => format!("{name} BETWEEN '{min}' AND '{max}'"),
        Domain::Float {
            min, max, decimals, ..
        } => {
            let decimals = decimals.unwrap_or(9);
            let rounded = format!("ROUND({name}, {decimals}) = {name}");
            format!("{name} BETWEEN {min:.3} AND {max:.3} AND {rounded}")
        }
        Domain::Identifier { .. } => format!("{name} IS NOT NULL"),
        Domain::Duration { min, max, .. } | Domain::Integer { min, max, .. } => {
            format!("{name} BETWEEN {min} AND {max}")
        }
    }
}

/// A table as large as a census extract, with ten rules of every kind, takes a moment and not a
/// coffee.
#[test]
fn a_hundred_thousand_rows_with_ten_rules_are_quick() {
    let rules = Rules::compile(pool().into_iter().take(10).collect(), &schema()).expect("they fit");
    let mut draw = Draw::new(1);
    let mut choices = Draw::new(2);
    let mut drawing = std::time::Duration::ZERO;
    let start = std::time::Instant::now();
    let mut timed = |rows: usize| {
        let start = std::time::Instant::now();
        let frame = whole(draw.frame(rows));
        drawing += start.elapsed();
        frame
    };
    let (table, _) = rules
        .enforce(
            100_000,
            &mut timed,
            &mut || choices.uniform(),
            Limits::default(),
        )
        .expect("they can be obeyed");
    let taken = start.elapsed() - drawing;
    assert_eq!(table.height(), 100_000);
    // Generous, because test machines are shared; quadratic work would take far longer.
    assert!(taken < std::time::Duration::from_secs(60), "{taken:?}");
    eprintln!("enforced in {taken:?}");
}
