use chrono::NaiveDate;
use dpsynth_table::{Cells, Column, Domain, Missing, OutOfDomain, Schema};
use polars::df;

use super::complexity::MAX_BRACKETS;
use super::*;
use crate::rules::evaluate;

pub(super) fn columns() -> Columns {
    let column = |name: &str, domain| Column {
        name: name.into(),
        domain,
        missing: Missing::Allowed,
        out_of_domain: OutOfDomain::Stop,
        missing_tokens: Vec::new(),
        after: None,
    };
    let date = |year| NaiveDate::from_ymd_opt(year, 1, 1).expect("a day of the calendar");
    let texts = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
    let schema = Schema::new(vec![
        column(
            "a",
            Domain::Integer {
                min: -9,
                max: 9,
                cells: Cells::Each,
            },
        ),
        column(
            "x",
            Domain::Float {
                min: -9.0,
                max: 9.0,
                decimals: None,
                cells: Cells::Linear { count: 3 },
            },
        ),
        column(
            "c",
            Domain::Categorical {
                categories: texts(&["red", "it's", "ünï"]),
            },
        ),
        column(
            "d",
            Domain::Date {
                min: date(2000),
                max: date(2030),
                format: "%d.%m.%y".into(),
                cells: Cells::Linear { count: 9 },
            },
        ),
        column(
            "hours-per-week",
            Domain::Integer {
                min: 0,
                max: 99,
                cells: Cells::Each,
            },
        ),
    ]);
    Columns::new(&schema.expect("the test schema is complete"))
}

fn problem(text: &str) -> RuleProblem {
    let mut findings = Expression::compile_condition(text, &columns()).expect_err(text);
    assert_eq!(findings.len(), 1, "{text}: {findings:?}");
    findings.remove(0).problem
}

/// Returns the text that the only finding points at.
fn pointed(text: &str) -> &str {
    let findings = Expression::compile_condition(text, &columns()).expect_err(text);
    let span = findings[0]
        .span
        .clone()
        .unwrap_or_else(|| panic!("{text}: {findings:?}"));
    &text[span]
}

#[test]
fn the_language_of_rules_compiles() {
    for text in [
        "a >= 16",
        "\"hours-per-week\" BETWEEN 1 AND 98",
        "a IN (1, 2, -3) AND c NOT IN ('red', 'it''s')",
        "c = 'ünï' OR c LIKE 'r%'",
        "a IS NULL OR a + 1 < x * 2.5",
        "CASE WHEN a > 1 THEN x > 0 WHEN c = 'red' THEN x < 0 ELSE TRUE END",
        "d >= '2001-02-03'",
        "'2001-02-03' < d AND d <> DATE '2010-01-01'",
        "d BETWEEN '2001-01-01' AND DATE '2002-01-01'",
        "d IN ('2001-01-01', '2002-01-01')",
        "d + INTERVAL '3 days' > DATE '2001-01-01'",
        "d - INTERVAL '1 year 2 months' > '2001-01-01'",
        "d - DATE '2001-01-01' >= INTERVAL '3 days'",
        "EXTRACT(YEAR FROM d) > 2005",
        "CAST(x AS BIGINT) = a",
        "a::double > x",
        "TRY_CAST(c AS INTEGER) IS NULL",
        "ABS(a) <= 9 AND SIGN(x) = 1 AND ROUND(x, 2) = x",
        "COALESCE(a, 0) = NULLIF(a, 3)",
        "x / NULLIF(a, 0) < 4",
        "UPPER(c) <> LOWER(c) AND LENGTH(c) > 2 AND STARTS_WITH(c, 'r')",
        "CONCAT(c, 'x') <> c || 'y'",
        "(a IS DISTINCT FROM 3) AND x IS NOT DISTINCT FROM 3.0",
        "NOT (a = 1) -- with a remark",
        "CEIL(x) >= FLOOR(x) AND SQRT(ABS(x)) >= 0 AND EXP(x) > 0 AND MOD(a, 2) = a % 2",
        "IF(a > 3, x > 1, x < 1) AND IFNULL(a, 1) > 0",
        "a\n  > 3",
    ] {
        let compiled = Expression::compile_condition(text, &columns());
        assert!(compiled.is_ok(), "{text}: {compiled:?}");
    }
}

#[test]
fn what_reads_files_or_other_rows_is_refused() {
    for text in [
        "a IN (SELECT a FROM read_csv('/etc/passwd'))",
        "a IN (FROM read_csv('/etc/passwd'))",
        "EXISTS (SELECT 1)",
        "(SELECT 1) = a",
        "a = ANY (SELECT 1)",
        "c IN (VALUES ('red'))",
        "read_csv('/etc/passwd') = a",
        "columns('a') > 3",
        "unnest(a) > 3",
        "a > 3 AND *",
        "c ILIKE 'r%'",
        "c ~ '(a*)*b'",
        "a > AVG(a)",
        "COUNT(*) > 3",
        "SUM(a) OVER (PARTITION BY c) > 3",
        "a > LAG(a)",
        "ROW_NUMBER() OVER () < 10",
        "ABS(a) OVER () > 3",
        "random() < a",
        "t.a > 3",
        "a > $1",
        "x'00' = c",
        "CAST(a AS JSON) IS NULL",
        "CAST(c AS DATE) > d",
        "d > INTERVAL 'nonsense'",
        "d + INTERVAL '99999 years' > d",
        "GREATEST(a, 3) > LEAST(a, 3)",
        "COALESCE() > a",
        "ROUND(x, a) > 1",
        "ROUND(x, 99999999999) > 1",
        "a > 99999999999999999999",
        "a IS TRUE",
        "CASE a WHEN 1 THEN TRUE END",
        "a // 0 = 1",
        "a > 2 * 3",
        "POW(a, -1) > 0",
    ] {
        let found = Expression::compile_condition(text, &columns()).expect_err(text);
        let refused = |finding: &Finding| {
            matches!(
                finding.problem,
                RuleProblem::NotAvailable { .. }
                    | RuleProblem::CouplesRows { .. }
                    | RuleProblem::Syntax { .. }
            )
        };
        assert!(found.iter().all(refused), "{text}: {found:?}");
    }
    assert!(matches!(
        problem("a > AVG(a)"),
        RuleProblem::CouplesRows { .. }
    ));
    let RuleProblem::NotAvailable { construct } = problem("a IN (SELECT 1)") else {
        panic!("a subquery is refused")
    };
    assert_eq!(construct, "a subquery");
}

#[test]
fn only_one_expression_is_accepted() {
    for text in [
        "",
        "   ",
        "a > 3;",
        "a > 3; DROP TABLE t",
        "a > 3 AS b",
        "SELECT a",
        "a > 3 FROM t",
        "a >",
        "'open",
        "((a > 3)",
        "a > 3, a > 4",
    ] {
        let found = problem(text);
        assert!(
            matches!(
                found,
                RuleProblem::Syntax { .. } | RuleProblem::NotAvailable { .. }
            ),
            "{text}: {found:?}"
        );
    }
}

#[test]
fn types_must_fit() {
    for text in [
        "a > 'text'",
        "c > 3",
        "d > 3",
        "d > 'yesterday'",
        "d = '2001-02-30'",
        "d > a",
        "d - DATE '2001-01-01' >= 3",
        "d + 1 > '2001-01-01'",
        "d IN (1, 2)",
        "a BETWEEN 1 AND d",
        "a AND a > 1",
        "3 OR a > 1",
        "SQRT(c) > 1",
        "NOT a",
        "UPPER(a) = 'red'",
        "EXTRACT(YEAR FROM x) = 1",
        "CASE WHEN a THEN TRUE END",
        "(a > 1) + 1 > 1",
        "d > INTERVAL '3 days'",
        "d + 1 > d",
        "a IS DISTINCT FROM 3 AND a > 1",
        "DATE '2001-13-01' < d",
        "c + 1 > 2",
    ] {
        let found = problem(text);
        assert!(
            matches!(found, RuleProblem::Types { .. }),
            "{text}: {found:?}"
        );
    }
    for text in ["a", "a + 1", "c", "d", "CASE WHEN a > 1 THEN NULL END"] {
        let found = problem(text);
        assert!(
            matches!(found, RuleProblem::NotBoolean { .. }),
            "{text}: {found:?}"
        );
    }
    for text in ["1 = 1", "TRUE", "NULL"] {
        assert_eq!(problem(text), RuleProblem::NoColumn, "{text}");
    }
}

#[test]
fn findings_point_at_their_characters() {
    assert_eq!(pointed("a > 3 AND agee < 4"), "agee");
    assert_eq!(pointed("c = 'ünï' AND\n  ünknown < 4"), "ünknown");
    assert_eq!(pointed("c = 'ünï' AND c <> 'blue'"), "'blue'");
    assert_eq!(pointed("a > 3 AND d > 'soon'"), "'soon'");
    assert_eq!(pointed("a > 3 )"), ")");
    assert_eq!(pointed("x > 1 OR read_csv('f') > 1"), "read_csv");
    assert!(pointed("x > 1 OR AVG(a) > 3").starts_with("AVG"));
    let found = Expression::compile("nope + nada", &columns()).expect_err("two unknown names");
    assert_eq!(found.len(), 2);
}

#[test]
fn a_slip_in_a_name_is_recognised() {
    let RuleProblem::UnknownColumn { column, nearest } = problem("\"hours-per-weak\" > 3") else {
        panic!("the name is unknown")
    };
    assert_eq!(
        (column.as_str(), nearest.as_deref()),
        ("hours-per-weak", Some("hours-per-week"))
    );
    let RuleProblem::UnknownColumn { nearest, .. } = problem("a = \"quite another\"") else {
        panic!("the name is unknown")
    };
    assert_eq!(nearest, None);
}

#[test]
fn a_text_that_a_column_can_never_be_is_found() {
    for text in [
        "c = 'blue'",
        "'blue' <> c",
        "c IN ('red', 'blue')",
        "(c) = ('blue')",
    ] {
        assert!(
            matches!(problem(text), RuleProblem::LiteralOutsideDomain { .. }),
            "{text}"
        );
    }
}

#[test]
fn size_is_bounded_before_anything_recurses() {
    assert_eq!(
        problem(&format!("a > {}", " ".repeat(5_000))),
        RuleProblem::TooLong { limit: MAX_BYTES }
    );
    assert_eq!(
        problem(&format!("{}a{} > 1", "(".repeat(1_000), ")".repeat(1_000))),
        RuleProblem::TooComplex
    );
    for times in [MAX_DEPTH as usize, 300] {
        assert_eq!(
            problem(&format!("a > 1{}", " AND a > 1".repeat(times))),
            RuleProblem::TooComplex
        );
    }
    // Each operand is written twice.
    let mut nested = "a".to_owned();
    for _ in 0..14 {
        nested = format!("NULLIF({nested}, 1)");
    }
    assert_eq!(problem(&format!("{nested} > 1")), RuleProblem::TooComplex);
    let list = (0..900)
        .map(|value| value.to_string())
        .collect::<Vec<_>>()
        .join(",");
    assert!(Expression::compile_condition(&format!("a IN ({list})"), &columns()).is_ok());
}

#[test]
fn the_longest_accepted_chain_fits_a_small_stack() {
    let deep = usize::try_from(MAX_DEPTH).expect("a small number") - 2;
    let chains = [
        format!("a > 1{}", " AND a > 1".repeat(deep)),
        format!("a{} > 1", " + a".repeat(deep)),
        format!("{}a > 1", "NOT ".repeat(290)),
        format!("{}a > 1", "NOT ".repeat(20)),
        format!("{}a > 1", "- ".repeat(290)),
        format!("CASE{} END", " WHEN a > 1 THEN a > 2".repeat(deep)),
        format!(
            "{}TRUE{}",
            "CASE WHEN a > 1 THEN ".repeat(10),
            " END".repeat(10)
        ),
        format!(
            "{}a > 1{}",
            "(".repeat(MAX_BRACKETS),
            ")".repeat(MAX_BRACKETS)
        ),
        format!(
            "{}a{} > 1",
            "ABS(".repeat(MAX_BRACKETS),
            ")".repeat(MAX_BRACKETS)
        ),
        format!("a{} > 1", "::bigint".repeat(deep)),
        format!("a{}", " IS NULL".repeat(deep)),
        format!("a{}", " BETWEEN 1 AND 2".repeat(90)),
        format!("a{}", " NOT IN (1, 2) = TRUE".repeat(deep / 2)),
    ];
    for text in chains {
        // Whether it compiles does not matter here, only that it ends.
        let worker = std::thread::Builder::new()
            .stack_size(3 << 19)
            .spawn(move || {
                let columns = columns();
                if let Ok(expression) = Expression::compile(&text, &columns) {
                    let table = columns.empty_frame();
                    evaluate(&table, &expression.plan).expect("it evaluates on nothing");
                }
            });
        worker.expect("a thread").join().expect("no overflow");
    }
}

/// The parser tries some words in several ways; nested, the ways multiply.
#[test]
fn nests_are_judged_quickly() {
    let start = std::time::Instant::now();
    for word in [
        "CASE ",
        "CASE WHEN ",
        "NOT ",
        "INTERVAL ",
        "EXISTS ",
        "CAST(",
        "EXTRACT(",
        "f(",
        "(",
        "(a, ",
        "[",
        "{",
        "a IN (",
        "POSITION(",
        "SUBSTRING(",
        "TRIM(",
        "ARRAY[",
        "STRUCT(",
        "MAP {",
        "LAMBDA ",
        "DATE ",
        "a BETWEEN ",
        "x -> (",
        "(x, y) -> ",
        "CONVERT(",
        "INTERVAL (",
        "CASE (",
        "CEIL(",
        "GROUPING SETS (",
        "PRIOR ",
        "IF(",
        "a[",
        "OVERLAY(",
        "TRY_CAST(",
    ] {
        let text = word.repeat(300.min(MAX_BYTES / word.len()));
        for length in [16, 40, 90, text.len()] {
            let text: String = text.chars().take(length * word.len()).collect();
            for text in [
                text.clone(),
                format!("{text}a > 1"),
                format!("{text}{}", ")".repeat(MAX_BRACKETS)),
            ] {
                // Whether it compiles does not matter here, only when.
                let _ = Expression::compile_condition(&text, &columns());
                assert!(
                    start.elapsed() < std::time::Duration::from_secs(30),
                    "{text}"
                );
            }
        }
    }
}

#[test]
fn an_unknown_comparison_is_neither_true_nor_false() {
    let table = df!("a" => [Some(1_i64), None], "x" => [None, Some(2.0)]).expect("two columns");
    let truth = |text| {
        let plan = Expression::compile_condition(text, &columns())
            .expect(text)
            .plan;
        let value = evaluate(&table, &plan).expect(text);
        value
            .bool()
            .expect("true or false")
            .iter()
            .collect::<Vec<_>>()
    };
    assert_eq!(truth("a > 0"), [Some(true), None]);
    assert_eq!(truth("NOT a > 0"), [Some(false), None]);
    assert_eq!(truth("a > 0 AND x > 9"), [None, Some(false)]);
    assert_eq!(truth("a > 0 OR x > 0"), [Some(true), Some(true)]);
    assert_eq!(truth("a IN (1, NULL)"), [Some(true), None]);
    assert_eq!(truth("a NOT IN (2, NULL)"), [None, None]);
    assert_eq!(truth("a BETWEEN 0 AND x"), [None, None]);
    assert_eq!(truth("a IS NULL"), [Some(false), Some(true)]);
    assert_eq!(truth("a = NULL"), [None, None]);
    assert_eq!(truth("a IS DISTINCT FROM NULL"), [Some(true), Some(false)]);
}

#[test]
fn small_results_have_room_for_a_difference() {
    let table = df!("c" => ["red"], "d" => [11_000_i32]).expect("two columns");
    let days = table.column("d").expect("a column");
    let date = days.cast(&DataType::Date).expect("days are dates");
    let table = table.clone().with_column(date).expect("one row").clone();
    for text in [
        "LENGTH(c) - 5 < 0",
        "EXTRACT(MONTH FROM d) * 100 > 100",
        "CAST(LENGTH(c) AS INTEGER) * 1000000000 > 2999999999",
    ] {
        let plan = Expression::compile_condition(text, &columns())
            .expect(text)
            .plan;
        let value = evaluate(&table, &plan).expect(text);
        assert_eq!(
            value.bool().expect("true or false").get(0),
            Some(true),
            "{text}"
        );
    }
}

#[test]
fn what_a_rule_assigns_is_read_from_it() {
    let assigned = |text: &str| {
        let assignment = Expression::compile_condition(text, &columns())
            .expect(text)
            .assignment;
        assignment.map(|assignment| (assignment.column, assignment.cell))
    };
    let cell = |column: &str, cell| Some((column.to_owned(), cell));
    assert_eq!(assigned("(a = -3)"), cell("a", Some(Cell::Integer(-3))));
    assert_eq!(assigned("2 = x"), cell("x", Some(Cell::Float(2.0))));
    assert_eq!(
        assigned("c = 'it''s'"),
        cell("c", Some(Cell::Text("it's".into())))
    );
    assert_eq!(
        assigned("d = '2001-01-02'"),
        cell("d", Some(Cell::Date(11_324)))
    );
    assert_eq!(
        assigned("d = DATE '2001-01-02'"),
        cell("d", Some(Cell::Date(11_324)))
    );
    assert_eq!(assigned("a IS NULL"), cell("a", None));
    for text in [
        "a = 10",
        "a = 1 OR a = 2",
        "a = x",
        "a > 1",
        "a IS NOT NULL",
        "d = '2031-01-01'",
    ] {
        assert_eq!(assigned(text), None, "{text}");
    }
}

/// What a condition says of rows with these whole and other numbers.
fn truths(text: &str, rows: &[(i64, f64)]) -> Vec<Option<bool>> {
    let columns = columns();
    let expression = Expression::compile_condition(text, &columns).expect(text);
    let (a, x): (Vec<i64>, Vec<f64>) = rows.iter().copied().unzip();
    let table = polars::df!("a" => a, "x" => x).expect("two columns");
    let truth = evaluate(&table, &expression.plan).expect("it evaluates");
    truth.bool().expect("truths").iter().collect()
}

#[test]
fn what_cannot_be_computed_is_unknown() {
    let rows = [(4, 2.5), (0, 0.0), (-9, -1e308), (i64::MAX, 1e308)];
    for (text, expected) in [
        ("SQRT(x) > 1", [Some(true), Some(false), None, Some(true)]),
        ("x / x > 0", [Some(true), None, Some(true), Some(true)]),
        (
            "x / x IS NULL",
            [Some(false), Some(true), Some(false), Some(false)],
        ),
        ("a / a > 0", [Some(true), None, Some(true), Some(true)]),
        ("1 / x > 0", [Some(true), None, Some(false), Some(true)]),
        ("LN(x) > 0", [Some(true), None, None, Some(true)]),
        ("EXP(a) > 0", [Some(true), Some(true), Some(true), None]),
        ("x * x > 5", [Some(true), Some(false), None, None]),
        ("x + x > 0", [Some(true), Some(false), None, None]),
        ("a * 2 > 7", [Some(true), Some(false), Some(false), None]),
        ("a + 1 > 0", [Some(true), Some(true), Some(false), None]),
        ("a - 1 - a < 0", [Some(true); 4]),
        ("-2 - a < 0", [Some(true), Some(true), Some(false), None]),
        ("8 % a = 0", [Some(true), None, Some(false), Some(false)]),
        ("MOD(x, x) = 0", [Some(true), None, Some(true), Some(true)]),
        (
            "a % 2 = 0",
            [Some(true), Some(true), Some(false), Some(false)],
        ),
    ] {
        assert_eq!(truths(text, &rows), expected, "{text}");
    }
    // The value of a row is the same alone as among others.
    assert_eq!(truths("a * 2 > 7", &rows[3..]), [None]);
}

#[test]
fn a_list_may_hold_numbers_of_both_kinds() {
    let rows = [(20, 20.0), (25, 25.5)];
    for text in ["x IN (20, 25.5)", "x IN (25.5, 20)", "x NOT IN (1, 2.5)"] {
        assert_eq!(truths(text, &rows), [Some(true); 2], "{text}");
    }
    assert_eq!(truths("a IN (20, 25.5)", &rows), [Some(true), Some(false)]);
    for text in ["a IN ('20')", "c IN (1, 2.5)"] {
        let RuleProblem::Types { detail } = problem(text) else {
            panic!("{text} has other types")
        };
        assert!(detail.starts_with("`IN` between"), "{detail}");
    }
}

#[test]
fn functions_that_people_look_for_are_refused_with_another_way() {
    let RuleProblem::NotAvailable { construct } = problem("GREATEST(a, 3) > 4") else {
        panic!("it is refused")
    };
    assert!(construct.contains("CASE WHEN"), "{construct}");
}
