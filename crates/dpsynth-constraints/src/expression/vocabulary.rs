//! The words of the rule language: functions, types and parts of dates that look at one row only
//! and fail on no argument.

use std::ops::RangeInclusive;

use sqlparser::ast::{DataType as SqlType, DateTimeField, ExactNumberInfo, Expr as SqlExpr};

/// Returns how many arguments the function takes; `None` where a rule may not call it.
pub(super) fn arguments(name: &str) -> Option<RangeInclusive<usize>> {
    let name = name.to_ascii_lowercase();
    FUNCTIONS
        .iter()
        .find(|(known, _)| *known == name)
        .map(|(_, arguments)| arguments.clone())
}

/// Returns whether the function is one that looks at other rows.
pub(super) fn couples_rows(name: &str) -> bool {
    COUPLING.contains(&name.to_ascii_lowercase().as_str())
}

/// Returns whether polars can convert to the type, and rules have a use for it. Not to dates: from
/// text polars is about to stop.
pub(super) fn castable(sql: &SqlType) -> bool {
    matches!(
        sql,
        SqlType::BigInt(None)
            | SqlType::Double(_)
            | SqlType::DoublePrecision
            | SqlType::Float(ExactNumberInfo::None)
            | SqlType::Int(None)
            | SqlType::Integer(None)
            | SqlType::Text
            | SqlType::Varchar(None)
    )
}

/// Returns whether polars can take the part from a date or a time, and computes it from one copy of it.
pub(super) fn extractable(field: &DateTimeField) -> bool {
    use DateTimeField as Part;
    matches!(
        field,
        Part::Day | Part::DayOfYear | Part::Doy | Part::Isodow | Part::Isoyear | Part::Month
    ) || matches!(
        field,
        Part::Hour
            | Part::Minute
            | Part::Second
            | Part::IsoWeek
            | Part::Quarter
            | Part::Week(None)
            | Part::Year
    )
}

/// Returns whether the text is numbers with units of a day or more, and small enough that no date
/// overflows.
pub(super) fn is_interval(text: &str) -> bool {
    let words: Vec<&str> = text.split_ascii_whitespace().collect();
    let number = |word: &str| {
        (1..=4).contains(&word.len()) && word.bytes().all(|byte| byte.is_ascii_digit())
    };
    let unit =
        |word: &str| INTERVAL_UNITS.contains(&word.to_ascii_lowercase().trim_end_matches('s'));
    (2..=6).contains(&words.len())
        && words
            .chunks(2)
            .all(|pair| matches!(pair, [amount, name] if number(amount) && unit(name)))
}

/// Names what a rule may not use.
pub(super) fn construct(sql: &SqlExpr) -> String {
    match sql {
        SqlExpr::Case { .. } => {
            "`CASE` with a value before `WHEN` (write `CASE WHEN column = ...`)".into()
        }
        SqlExpr::CompoundIdentifier(_) => "a name with a dot (put it in double quotes)".into(),
        SqlExpr::Exists { .. } | SqlExpr::InSubquery { .. } | SqlExpr::Subquery(_) => {
            "a subquery".into()
        }
        SqlExpr::ILike { .. } | SqlExpr::RLike { .. } | SqlExpr::SimilarTo { .. } => {
            "a pattern other than `LIKE` with a literal".into()
        }
        SqlExpr::Interval(_) => "an interval that is not added, subtracted or compared".into(),
        SqlExpr::IsFalse(_)
        | SqlExpr::IsNotFalse(_)
        | SqlExpr::IsNotTrue(_)
        | SqlExpr::IsTrue(_) => "`IS TRUE` or `IS FALSE` (use `COALESCE(..., FALSE)`)".into(),
        SqlExpr::Like { .. } => "`LIKE` with `ANY` or `ESCAPE`".into(),
        SqlExpr::QualifiedWildcard(..) | SqlExpr::Wildcard(_) => "`*`".into(),
        SqlExpr::Tuple(_) => "a list in brackets other than after `IN`".into(),
        _ => "this construct".into(),
    }
}

/// What to write instead of a function that people look for, if there is something.
pub(super) fn instead(name: &str) -> &'static str {
    match name.to_ascii_lowercase().as_str() {
        "greatest" => " (write `CASE WHEN a > b THEN a ELSE b END`)",
        "least" => " (write `CASE WHEN a < b THEN a ELSE b END`)",
        _ => "",
    }
}

/// Whether what a function makes of a number is looked at once more, because it may be none.
pub(super) fn leaves_range(name: &str) -> bool {
    const FUNCTIONS: [&str; 6] = ["exp", "ln", "log10", "log2", "mod", "sqrt"];
    FUNCTIONS.iter().any(|it| name.eq_ignore_ascii_case(it))
}

/// The most arguments of a function that takes any number of them.
const MANY: usize = 64;

/// Not `GREATEST` and `LEAST`: what polars makes of a value that is not a number depends on whether
/// another row has a missing one. `CASE` does the same, and [`instead`] says so.
const FUNCTIONS: &[(&str, RangeInclusive<usize>)] = &[
    ("abs", 1..=1),
    ("char_length", 1..=1),
    ("coalesce", 1..=MANY),
    ("concat", 1..=MANY),
    ("ends_with", 2..=2),
    ("exp", 1..=1),
    ("if", 3..=3),
    ("ifnull", 2..=2),
    ("length", 1..=1),
    ("ln", 1..=1),
    ("log10", 1..=1),
    ("log2", 1..=1),
    ("lower", 1..=1),
    ("mod", 2..=2),
    ("nullif", 2..=2),
    ("round", 1..=2),
    ("sign", 1..=1),
    ("sqrt", 1..=1),
    ("starts_with", 2..=2),
    ("upper", 1..=1),
];

/// Named only so that the message can say why they are refused; a function in neither list is
/// refused too.
const COUPLING: &[&str] = &[
    "array_agg",
    "avg",
    "corr",
    "count",
    "covar",
    "covar_pop",
    "covar_samp",
    "dense_rank",
    "first",
    "first_value",
    "group_concat",
    "lag",
    "last",
    "last_value",
    "lead",
    "listagg",
    "max",
    "median",
    "min",
    "quantile_cont",
    "quantile_disc",
    "rank",
    "row_number",
    "stddev",
    "stddev_samp",
    "stdev",
    "stdev_samp",
    "string_agg",
    "sum",
    "total",
    "unnest",
    "var",
    "var_samp",
    "variance",
];

const INTERVAL_UNITS: &[&str] = &["day", "month", "week", "year"];
