//! The functions that a rule may call: each looks at one row only and fails on no argument.

use std::ops::RangeInclusive;

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

/// The most arguments of a function that takes any number of them.
const MANY: usize = 64;

const FUNCTIONS: &[(&str, RangeInclusive<usize>)] = &[
    ("abs", 1..=1),
    ("char_length", 1..=1),
    ("coalesce", 1..=MANY),
    ("concat", 1..=MANY),
    ("ends_with", 2..=2),
    ("exp", 1..=1),
    ("greatest", 1..=MANY),
    ("if", 3..=3),
    ("ifnull", 2..=2),
    ("least", 1..=MANY),
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

/// Named only so that the message can say why they are refused; a function in neither list is refused too.
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
