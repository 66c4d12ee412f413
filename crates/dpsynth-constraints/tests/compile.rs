//! What `Rules::compile` accepts, chooses and finds.

mod support;

use dpsynth_constraints::{Enforcement, RuleError, RuleField, RuleProblem, Rules, Strictness};
use dpsynth_table::{Missing, Schema};

use support::{
    combinations, compile, conditional, derived, enforced, inequality, problems, range, rule,
    schema, sql,
};

fn chosen(kind: dpsynth_constraints::RuleKind) -> Enforcement {
    let rules = compile(vec![rule("r", kind)]);
    support::enforce(&rules, 0, 1).expect("no rows obey").1[0].enforcement
}

#[test]
fn each_kind_has_its_best_enforcement() {
    assert_eq!(chosen(sql("age > 3")), Enforcement::Redraw);
    assert_eq!(chosen(range("age", Some(16.0), None)), Enforcement::Repair);
    assert_eq!(
        chosen(range("age", Some(0.0), Some(120.0))),
        Enforcement::Construction
    );
    assert_eq!(
        chosen(dpsynth_constraints::RuleKind::NonNegative {
            column: "age".into()
        }),
        Enforcement::Construction
    );
    assert_eq!(
        chosen(dpsynth_constraints::RuleKind::NonNegative {
            column: "visits".into()
        }),
        Enforcement::Repair
    );
    assert_eq!(
        chosen(inequality("admitted", "discharged", Strictness::OrEqual)),
        Enforcement::Redraw
    );
    assert_eq!(
        chosen(combinations(&["sex", "grade"], &[&["f", "1"]])),
        Enforcement::Repair
    );
    assert_eq!(
        chosen(derived("total", "fare + tip")),
        Enforcement::Construction
    );
    assert_eq!(
        chosen(conditional("age < 15", "grade IS NULL")),
        Enforcement::Redraw
    );
}

#[test]
fn what_a_rule_cannot_do_is_refused_with_an_alternative() {
    use Enforcement::{Construction, Redraw, Refuse, Repair};
    for (kind, asked) in [
        (sql("age > 3"), Repair),
        (sql("age > 3"), Construction),
        (conditional("age < 15", "grade > 3"), Repair),
        (conditional("age < 15", "grade = 21"), Repair),
        (conditional("age < 15", "visits IS NULL"), Repair),
        (range("age", Some(16.0), None), Construction),
        (derived("total", "fare + tip"), Redraw),
        (derived("total", "fare + tip"), Refuse),
        (inequality("age", "fare", Strictness::Strict), Repair),
    ] {
        let found = problems(vec![enforced("r", kind.clone(), asked)]);
        let [RuleProblem::EnforcementUnavailable { asked: named, .. }] = found.as_slice() else {
            panic!("{kind:?}: {found:?}")
        };
        assert_eq!(*named, asked);
    }
    // A repair would change what the formula computes.
    let found = problems(vec![
        rule("sum", derived("total", "fare + tip")),
        enforced("small", range("total", None, Some(50.0)), Repair),
    ]);
    assert!(
        matches!(found[0], RuleProblem::EnforcementUnavailable { .. }),
        "{found:?}"
    );
    assert!(matches!(
        chosen(conditional("age < 15", "grade = 20")),
        Redraw
    ));
}

#[test]
fn all_findings_come_at_once_and_in_order() {
    let errors = Rules::compile(
        vec![
            rule("a", sql("aeg > 3")),
            rule("a", range("sex", Some(1.0), None)),
            rule("", sql("age > 'x'")),
            rule("d", conditional("visitors > 1", "nothing = 2")),
            rule(
                "e",
                combinations(&["sex", "schol"], &[&["x", "none"], &["f"]]),
            ),
        ],
        &schema(),
    )
    .expect_err("nothing fits");
    let codes: Vec<(usize, &str)> = errors
        .iter()
        .map(|error| (error.rule().expect("a rule is to blame"), error.code()))
        .collect();
    assert_eq!(
        codes,
        [
            (0, "DPS2003"),
            (1, "DPS2002"),
            (1, "DPS2004"),
            (2, "DPS2001"),
            (2, "DPS2011"),
            (3, "DPS2003"),
            (3, "DPS2003"),
            (4, "DPS2003"),
            (4, "DPS2017"),
        ],
        "{errors:?}"
    );
    let place = errors[0].place.clone().expect("a rule is to blame");
    assert_eq!((place.field, place.span), (RuleField::Sql, Some(0..3)));
    assert_eq!(
        errors[0].to_string(),
        "rule `a`: there is no column `aeg`; did you mean `age`?"
    );
}

#[test]
fn contradictions_are_named() {
    let other = |found: &[RuleProblem]| match found {
        [RuleProblem::Contradiction { column, other }] => (column.clone(), other.clone()),
        found => panic!("{found:?}"),
    };
    let named = |column: &str, name: Option<&str>| (column.to_owned(), name.map(str::to_owned));

    let alone = problems(vec![rule("old", range("age", Some(121.0), None))]);
    assert_eq!(other(&alone), named("age", None));
    let between = problems(vec![rule(
        "no whole number",
        range("age", Some(3.2), Some(3.8)),
    )]);
    assert_eq!(other(&between), named("age", None));
    let cents = problems(vec![rule(
        "no cent",
        range("fare", Some(3.001), Some(3.009)),
    )]);
    assert_eq!(other(&cents), named("fare", None));
    let two = problems(vec![
        rule("young", range("age", None, Some(20.0))),
        rule("any", range("age", Some(1.0), None)),
        rule("old", range("age", Some(21.0), None)),
    ]);
    assert_eq!(other(&two), named("age", Some("young")));
    let order = problems(vec![
        rule("young", range("age", None, Some(20.0))),
        rule("old grade", range("grade", Some(20.0), None)),
        rule("order", inequality("grade", "age", Strictness::Strict)),
    ]);
    assert_eq!(other(&order), named("age", Some("young")));
    let listed = problems(vec![
        rule("low", range("grade", None, Some(3.0))),
        rule(
            "pairs",
            combinations(&["sex", "grade"], &[&["f", "4"], &["m", "5"]]),
        ),
    ]);
    assert_eq!(other(&listed), named("grade", Some("low")));
}

#[test]
fn bounds_must_make_a_range() {
    for (min, max) in [
        (None, None),
        (Some(f64::NAN), None),
        (None, Some(f64::INFINITY)),
        (Some(2.0), Some(1.0)),
    ] {
        assert_eq!(
            problems(vec![rule("r", range("age", min, max))]),
            [RuleProblem::Bounds]
        );
    }
    assert!(matches!(
        problems(vec![rule("r", range("admitted", Some(1.0), None))])[0],
        RuleProblem::WrongKind { .. }
    ));
    compile(vec![rule("r", range("age", Some(-1e308), Some(1e308)))]);
}

#[test]
fn inequalities_need_two_comparable_columns() {
    for (low, high) in [
        ("age", "sex"),
        ("sex", "school"),
        ("age", "admitted"),
        ("age", "age"),
    ] {
        let found = problems(vec![rule("r", inequality(low, high, Strictness::Strict))]);
        assert!(
            matches!(found[0], RuleProblem::WrongKind { .. }),
            "{found:?}"
        );
    }
    compile(vec![rule(
        "r",
        inequality("grade", "fare", Strictness::Strict),
    )]);
}

#[test]
fn combinations_must_fit_their_columns() {
    let shape = |kind| {
        matches!(
            problems(vec![rule("r", kind)])[0],
            RuleProblem::CombinationShape
        )
    };
    assert!(shape(combinations(&["sex"], &[&["f"]])));
    assert!(shape(combinations(&["sex", "school"], &[])));
    assert!(shape(combinations(&["sex", "sex"], &[&["f", "f"]])));
    assert!(shape(combinations(
        &["sex", "school"],
        &[&["f", "none", "1"]]
    )));
    for cells in [["x", "1"], ["f", "21"], ["f", "one"], ["f", ""]] {
        let found = problems(vec![rule("r", combinations(&["sex", "grade"], &[&cells]))]);
        assert!(
            matches!(found[0], RuleProblem::CombinationCell { .. }),
            "{found:?}"
        );
    }
    // Dates are written as in the table, in the format of their column.
    compile(vec![rule(
        "r",
        combinations(&["sex", "admitted"], &[&["f", "31/12/2020"]]),
    )]);
}

#[test]
fn derived_columns_are_listed_and_do_not_go_in_circles() {
    let rules = compile(vec![
        rule("sum", derived("total", "fare + COALESCE(tip, 0)")),
        rule("double", derived("age", "2 * visits")),
    ]);
    assert_eq!(rules.derived_columns(), ["age", "total"]);

    let circle = problems(vec![
        rule("a", derived("age", "visits + 1")),
        rule("b", derived("visits", "grade - 1")),
        rule("c", derived("grade", "visits * 2")),
    ]);
    let cycles: Vec<String> = circle
        .into_iter()
        .map(|problem| match problem {
            RuleProblem::DerivedCycle { column } => column,
            problem => panic!("{problem:?}"),
        })
        .collect();
    assert_eq!(cycles, ["visits", "grade"]);
    assert!(matches!(
        problems(vec![rule("a", derived("age", "age + 1"))])[0],
        RuleProblem::DerivedCycle { .. }
    ));
    let twice = problems(vec![
        rule("a", derived("age", "visits")),
        rule("b", derived("age", "grade")),
    ]);
    assert!(
        matches!(twice.as_slice(), [RuleProblem::DerivedTwice { .. }]),
        "{twice:?}"
    );
}

#[test]
fn formulas_must_fill_their_column() {
    for (column, formula) in [
        ("age", "sex"),
        ("sex", "age"),
        ("admitted", "age"),
        ("age", "admitted"),
        ("age", "fare > 3"),
    ] {
        let found = problems(vec![rule("r", derived(column, formula))]);
        assert!(
            matches!(found[0], RuleProblem::Types { .. }),
            "{column} = {formula}: {found:?}"
        );
    }
    compile(vec![rule(
        "r",
        derived("discharged", "admitted + INTERVAL '3 days'"),
    )]);
    compile(vec![rule(
        "r",
        derived("sex", "CASE WHEN age > 3 THEN 'f' ELSE 'm' END"),
    )]);
}

#[test]
fn a_column_that_polars_would_read_as_a_pattern_is_refused() {
    let schema = Schema::new(vec![support::column(
        "^.*$",
        support::integer(0, 3),
        Missing::Refused,
    )])
    .expect("complete");
    let errors = Rules::compile(vec![rule("r", range("^.*$", Some(1.0), None))], &schema)
        .expect_err("a pattern");
    assert_eq!(errors[0].code(), "DPS2008");
}

#[test]
fn every_message_says_what_to_do_and_every_code_is_listed() {
    let found = [
        problems(vec![rule("", sql("agee > 3"))]),
        problems(vec![rule("r", range("age", None, None))]),
        problems(vec![rule("r", sql("age"))]),
        problems(vec![rule("r", sql("age > AVG(age)"))]),
        problems(vec![rule("r", derived("age", "age"))]),
    ];
    for problem in found.into_iter().flatten() {
        assert!(RuleError::CODES.contains(&problem.code()), "{problem:?}");
        assert!(problem.to_string().contains("; "), "{problem}");
    }
    let mut codes = RuleProblem::CODES.to_vec();
    codes.dedup();
    assert_eq!(codes, RuleProblem::CODES);
}
