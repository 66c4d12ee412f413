use polars::df;
use polars::prelude::{Column, DataType};
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;

use super::Expression;
use super::tests::columns;
use crate::rules::evaluate;

/// Returns whether each row's value is the same beside other rows and alone; `None` where the text
/// is refused or cannot be computed.
fn judged_alone(text: &str) -> Option<bool> {
    let columns = columns();
    let expression = Expression::compile(text, &columns).ok()?;
    let mut table = df!(
        "a" => [Some(3_i64), None, Some(-2), Some(0)],
        "x" => [Some(0.5), Some(-1.0), None, Some(0.0)],
        "c" => [Some("red"), Some("it's"), None, Some("red")],
        "d" => [Some(11_000_i32), None, Some(12_000), Some(21_000)],
        "hours-per-week" => [1_i64, 2, 3, 99]
    )
    .expect("five columns");
    let days = table.column("d").expect("a column");
    let dates = days.cast(&DataType::Date).expect("days are dates");
    table.with_column(dates).expect("as long as the others");
    let together = evaluate(&table, &expression.plan).ok()?;
    Some((0..4).all(|row| {
        let alone = table.slice(row as i64, 1);
        let alone = evaluate(&alone, &expression.plan).expect("one row of them");
        // As text, because two values that are not a number are not equal. The two zeros are.
        let shown = |column: &Column, row| {
            let value = column.get(row).expect("a row of it").into_static();
            format!("{value:?}").replace("(-0.0)", "(0.0)")
        };
        shown(&together, row) == shown(&alone, 0)
    }))
}

/// Text that the language knows, whether or not its types fit.
fn well_formed() -> impl Strategy<Value = String> {
    let leaf = prop::sample::select(LEAVES).prop_map(str::to_owned);
    leaf.prop_recursive(3, 24, 3, |inner| {
        let operators = prop::sample::select(OPERATORS);
        let forms = prop::sample::select(FORMS);
        prop_oneof![
            (inner.clone(), operators, inner.clone())
                .prop_map(|(left, operator, right)| format!("({left} {operator} {right})")),
            (forms, inner.clone(), inner.clone(), inner).prop_map(|(form, a, b, c)| {
                form.replace('①', &a).replace('②', &b).replace('③', &c)
            }),
        ]
    })
}

#[test]
fn text_of_the_language_often_compiles() {
    // Guards the property below against a language that refuses everything.
    let mut runner = TestRunner::deterministic();
    let compiled = (0..500).filter(|_| {
        let text = well_formed()
            .new_tree(&mut runner)
            .expect("a text")
            .current();
        judged_alone(&text).is_some()
    });
    assert!(compiled.count() > 50);
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever the text, it compiles or is refused; and what compiles speaks of one row.
    #[test]
    fn well_formed_text_is_judged_row_by_row(text in well_formed()) {
        prop_assert!(judged_alone(&text) != Some(false), "{}", text);
    }

    /// The same for texts that are mostly not of the language.
    #[test]
    fn any_words_are_judged_row_by_row(
        words in prop::collection::vec(prop::sample::select(WORDS), 1..14),
    ) {
        let text = words.join(" ");
        prop_assert!(judged_alone(&text) != Some(false), "{}", text);
    }

    #[test]
    fn no_text_panics(text in "[ -~\u{e9}\n]{0,80}") {
        let _ = Expression::compile(&text, &columns());
    }
}

/// Without a zero to subtract from: polars makes either zero of the difference to a zero.
const LEAVES: &[&str] = &[
    "a",
    "a",
    "a",
    "x",
    "x",
    "c",
    "d",
    "d",
    "\"hours-per-week\"",
    "3",
    "7",
    "-2",
    "2.5",
    "9223372036854775807",
    "'red'",
    "''",
    "'2001-01-01'",
    "DATE '2029-12-31'",
    "NULL",
    "TRUE",
];

const OPERATORS: &[&str] = &[
    "+",
    "-",
    "*",
    "/",
    "%",
    "=",
    "<>",
    "<",
    "<=",
    ">",
    ">=",
    "AND",
    "OR",
    "||",
    "IS DISTINCT FROM",
    "+ INTERVAL '1 month' <",
    "- INTERVAL '9999 years' >",
];

/// The encircled digits stand for operands.
const FORMS: &[&str] = &[
    "① IS NULL",
    "NOT (①)",
    "-(a)",
    "ABS(①)",
    "CEIL(①)",
    "FLOOR(①)",
    "SQRT(①)",
    "LN(①)",
    "EXP(①)",
    "SIGN(①)",
    "ROUND(①)",
    "UPPER(①)",
    "LENGTH(①)",
    "EXTRACT(YEAR FROM ①)",
    "① LIKE 'r%'",
    "EXTRACT(ISOWEEK FROM ①)",
    "CAST(① AS BIGINT)",
    "TRY_CAST(① AS DOUBLE)",
    "CAST(① AS TEXT)",
    "MOD(①, ②)",
    "NULLIF(①, ②)",
    "COALESCE(①, ②)",
    "STARTS_WITH(①, ②)",
    "CONCAT(①, ②)",
    "IF(①, ②, ③)",
    "① BETWEEN ② AND ③",
    "① IN (7, -8)",
    "① NOT IN ('red', NULL)",
    "CASE WHEN ① THEN ② ELSE ③ END",
    "CASE WHEN ① THEN ② END",
];

const WORDS: &[&str] = &[
    "a",
    "a",
    "x",
    "x",
    "c",
    "d",
    "\"hours-per-week\"",
    "(",
    ")",
    "(",
    ")",
    "1",
    "2.5",
    "-",
    "+",
    "*",
    "/",
    "%",
    "=",
    "<",
    ">=",
    "<>",
    "AND",
    "OR",
    "NOT",
    "IS NULL",
    "IS NOT NULL",
    "BETWEEN",
    "IN",
    "IN (1, 2)",
    "LIKE 'r%'",
    "'red'",
    "'2001-01-01'",
    "DATE '2001-01-01'",
    "INTERVAL '1 month'",
    "CASE WHEN",
    "THEN",
    "ELSE",
    "END",
    "ABS(",
    "COALESCE(",
    "NULLIF(",
    "GREATEST(",
    ",",
    "CAST(",
    "AS BIGINT)",
    "::double",
    "EXTRACT(YEAR FROM",
    "LENGTH(",
    "ROUND(",
    "NULL",
    "TRUE",
    "||",
    "MAX(",
    "COUNT(*)",
    "OVER ()",
    "SELECT",
    "FROM",
    "IS DISTINCT FROM",
    "LAMBDA",
    "[",
    "]",
    "->",
    "INTERVAL",
    "EXISTS",
];
