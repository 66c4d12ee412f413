//! One example of every key, for messages.

/// Returns a line that shows how `key` is written.
pub(super) fn example(key: &str) -> &'static str {
    EXAMPLES
        .iter()
        .find(|(known, _)| *known == key)
        .map_or("key = \"value\"", |(_, example)| example)
}

/// Keys with the line that shows how each is written.
const EXAMPLES: &[(&str, &str)] = &[
    ("version", "version = 1"),
    ("dataset", "[dataset]"),
    ("privacy", "[privacy]"),
    ("universe", "[universe]"),
    ("model", "[model]"),
    ("column", "[[column]]"),
    ("rule", "[[rule]]"),
    ("output", "[output]"),
    ("name", "name = \"age\""),
    ("file", "file = \"clinic.csv\""),
    ("delimiter", "delimiter = \",\""),
    ("quote", "quote = \"'\""),
    ("encoding", "encoding = \"windows-1252\""),
    ("missing_tokens", "missing_tokens = [\"NA\"]"),
    ("ledger", "ledger = \"clinic.ledger.jsonl\""),
    ("unit", "unit = \"row\""),
    ("user", "user = \"patient\""),
    ("max_rows", "max_rows = 5"),
    ("adjacency", "adjacency = \"add_or_remove_one\""),
    ("epsilon_per_release", "epsilon_per_release = 3.0"),
    ("delta_per_release", "delta_per_release = 1e-6"),
    ("epsilon_for_life", "epsilon_for_life = 10.0"),
    ("delta_for_life", "delta_for_life = 1e-5"),
    ("expected_units", "expected_units = 32000"),
    ("reason", "reason = \"the codebook says so\""),
    ("engine", "engine = \"vae\""),
    ("target", "target = \"income\""),
    ("kind", "kind = \"integer\""),
    ("categories", "categories = [\"yes\", \"no\"]"),
    ("ordered", "ordered = true"),
    ("min", "min = 0"),
    ("max", "max = 120"),
    ("format", "format = \"%Y-%m-%d\""),
    ("decimals", "decimals = 2"),
    ("cells", "cells = { linear = 32 }"),
    ("linear", "cells = { linear = 32 }"),
    ("log", "cells = { log = 32 }"),
    ("edges", "cells = { edges = [0, 1, 10, 100] }"),
    ("after", "after = { column = \"pickup\", at_most = 7200 }"),
    ("at_least", "at_least = 0"),
    ("at_most", "at_most = 7200"),
    ("category", "category = \"other\""),
    ("share", "share = 0.05"),
    ("missing", "missing = true"),
    ("out_of_domain", "out_of_domain = \"stop\""),
    ("enforce", "enforce = \"redraw\""),
    ("sql", "sql = \"age >= 16\""),
    ("range", "range = { column = \"age\", min = 0 }"),
    ("non_negative", "non_negative = \"age\""),
    (
        "inequality",
        "inequality = { low = \"admitted\", high = \"discharged\" }",
    ),
    ("low", "low = \"admitted\""),
    ("high", "high = \"discharged\""),
    ("strict", "strict = true"),
    (
        "fixed_combinations",
        "fixed_combinations = { columns = [\"city\", \"state\"], allowed = [[\"Boston\", \"MA\"]] }",
    ),
    (
        "fixed_increments",
        "fixed_increments = { column = \"salary\", step = 1000 }",
    ),
    ("step", "step = 1000"),
    (
        "fixed_null_combinations",
        "fixed_null_combinations = { columns = [\"paid\", \"paid_at\"] }",
    ),
    (
        "mixed_scales",
        "mixed_scales = { by = [\"unit\"], column = \"size\", scales = [{ when = [\"cm\"], max = 230 }] }",
    ),
    ("by", "by = [\"unit\"]"),
    ("scales", "scales = [{ when = [\"cm\"], max = 230 }]"),
    ("one_hot", "one_hot = [\"is_red\", \"is_green\"]"),
    ("unique", "unique = [\"day\", \"room\"]"),
    ("columns", "columns = [\"city\", \"state\"]"),
    ("allowed", "allowed = [[\"Boston\", \"MA\"]]"),
    (
        "derived",
        "derived = { column = \"total\", formula = \"fare + tip\" }",
    ),
    ("formula", "formula = \"fare + tip\""),
    (
        "conditional",
        "conditional = { when = \"age < 15\", then = \"income = 0\" }",
    ),
    ("when", "when = \"age < 15\""),
    ("then", "then = \"income = 0\""),
    ("rows", "rows = 10000"),
];
