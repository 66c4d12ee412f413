//! The draft as a TOML file, with a line that says OWNER for each question.

use std::fmt::Write;

use super::draft::{Draft, DraftColumn, DraftKind, DraftRule, DraftUnit, RuleBody};
use super::times::{Precision, precision};

impl Draft {
    /// Writes the draft. It is no valid policy before the owner has answered the questions in it: what
    /// is protected and spent is never filled in for them.
    pub fn to_toml(&self) -> String {
        let mut text = String::from(HEAD);
        self.dataset(&mut text);
        self.privacy(&mut text);
        text.push_str(
            "\n[model]\n# target = \"OWNER: the column whose dependence on the others matters most\"\n\n\
             # OWNER: is there a column below that must not leave, not even as made-up values? Give it the kind\n\
             # \"ignore\"; give \"id\" to what names a person or a record: names, addresses, numbers, free text.\n",
        );
        for column in &self.columns {
            write_column(&mut text, column);
        }
        for rule in &self.rules {
            write_rule(&mut text, rule);
        }
        text
    }

    fn dataset(&self, text: &mut String) {
        let name = self
            .name
            .as_deref()
            .map(plain_name)
            .filter(|name| !name.is_empty());
        text.push_str("\n[dataset]\n");
        line(
            text,
            "name",
            &quoted(name.as_deref().unwrap_or(OWNER)),
            match name {
                Some(_) => &[],
                None => &[
                    "what the ledger and the report are to call the data: letters, digits, - and _",
                ],
            },
        );
        match &self.file {
            Some(file) => line(text, "file", &quoted(file), &[]),
            None => line(
                text,
                "# file",
                "\"OWNER: the table, relative to this file\"",
                &[],
            ),
        }
        let delimiter = self.delimiter.unwrap_or(',');
        line(text, "delimiter", &quoted(&delimiter.to_string()), &[]);
        match &self.missing_tokens {
            Some(tokens) => line(text, "missing_tokens", &list(tokens), &[]),
            None => line(
                text,
                "missing_tokens",
                "[\"\", \"NA\"]",
                &["OWNER: which texts mean that a cell is missing?"],
            ),
        }
    }

    fn privacy(&self, text: &mut String) {
        text.push_str("\n[privacy]\n");
        let (unit, hint) = match &self.unit {
            DraftUnit::Unknown { hint } => (quoted(OWNER), hint.as_deref()),
            // A description of the table proposes; whom to protect is still the owner's to say.
            DraftUnit::Row { hint } => (
                quoted(OWNER),
                Some(hint.as_deref().unwrap_or("the file says \"row\"")),
            ),
            DraftUnit::User { column, max_rows } => {
                let rows = max_rows.map_or(quoted(OWNER), |rows| rows.to_string());
                let unit = format!("{{ user = {}, max_rows = {rows} }}", quoted(column));
                (
                    unit,
                    Some(
                        "OWNER: the file says so; is it the person to protect, and enough rows of one?",
                    ),
                )
            }
        };
        let mut remarks = vec![
            "whom to protect: \"row\" where every person has one row; else the column that tells",
            "people apart and how many rows of one are used: { user = \"column\", max_rows = 5 }",
        ];
        remarks.extend(hint);
        line(text, "unit", &unit, &remarks);
        line(
            text,
            "adjacency",
            "\"add_or_remove_one\"",
            &["OWNER: or \"replace_one\" where the number of people is public"],
        );
        line(
            text,
            "epsilon_per_release",
            &quoted(OWNER),
            &["the most that one release may spend, such as 1.0; less protects more"],
        );
        line(
            text,
            "delta_per_release",
            &quoted(OWNER),
            &["far less than one in the number of people, such as 1e-6"],
        );
        line(
            text,
            "epsilon_for_life",
            &quoted(OWNER),
            &["the most that all releases may spend together, such as 3.0"],
        );
        line(text, "delta_for_life", &quoted(OWNER), &["such as 1e-5"]);
        let mut remarks = vec![
            "how many people or rows there are, if that is public; \"count\" pays for a noisy count",
        ];
        remarks.extend(self.units_hint.as_deref());
        line(text, "expected_units", &quoted(OWNER), &remarks);
        text.push_str("# reason = \"OWNER: why are these figures acceptable?\"\n");
    }
}

fn write_column(text: &mut String, column: &DraftColumn) {
    text.push_str("\n[[column]]\n");
    for note in &column.notes {
        comment(text, note);
    }
    line(text, "name", &quoted(&column.name), &[]);
    write_kind(text, &column.kind);
    if matches!(column.kind, DraftKind::Id { .. }) {
        return;
    }
    match column.missing {
        Some(missing) => line(text, "missing", &missing.to_string(), &[]),
        None => line(text, "missing", "false", &["OWNER: may cells be missing?"]),
    }
    match &column.reason {
        Some(reason) => line(text, "reason", &quoted(reason), &[]),
        None if column.kind == DraftKind::Boolean => {}
        None => {
            text.push_str("# reason = \"OWNER: where do the bounds or categories come from?\"\n")
        }
    }
}

fn write_kind(text: &mut String, kind: &DraftKind) {
    let bound = |text: &mut String, key: &str, value: Option<String>, remarks: &[&str]| match value
    {
        Some(value) => line(text, key, &value, &[]),
        None => line(text, key, &quoted(OWNER), remarks),
    };
    match kind {
        DraftKind::Unknown => line(
            text,
            "kind",
            &quoted(OWNER),
            &[
                "\"categorical\" with categories = [\"a\", \"b\"], \"boolean\", \"integer\", \"float\",",
                "\"date\", \"datetime\" or \"duration\" with min = .. and max = .., \"id\" for what names a person or",
                "record, or \"ignore\" to leave the column out",
            ],
        ),
        DraftKind::Number => {
            line(text, "kind", &quoted(OWNER), &["\"integer\" or \"float\""]);
            bound(text, "min", None, &NUMBERS);
            bound(text, "max", None, &["the largest value that is possible"]);
        }
        DraftKind::Categorical {
            categories,
            ordered,
        } => {
            line(text, "kind", "\"categorical\"", &[]);
            match categories {
                Some(categories) => line(text, "categories", &list(categories), &[]),
                None => line(
                    text,
                    "categories",
                    &quoted(OWNER),
                    &[
                        "every value that is possible, such as [\"a\", \"b\"]; where nobody has listed them, they are",
                        "learned for a share of epsilon: \"private\", with out_of_domain = { category = \"other\" }",
                    ],
                ),
            }
            if *ordered {
                line(text, "ordered", "true", &[]);
            }
        }
        DraftKind::Open => {
            line(text, "kind", "\"categorical\"", &[]);
            line(
                text,
                "categories",
                "\"private\"",
                &[
                    "nobody has listed them: frequent ones are learned for a share of epsilon; \"ignore\" as",
                    "kind leaves the column out",
                ],
            );
            line(text, "out_of_domain", "{ category = \"other\" }", &[]);
        }
        DraftKind::Boolean => line(
            text,
            "kind",
            "\"boolean\"",
            &[
                "OWNER: are the cells written false and true? If they are False and True, write",
                "kind = \"categorical\" and categories = [\"False\", \"True\"]",
            ],
        ),
        DraftKind::Integer { min, max } => {
            line(text, "kind", "\"integer\"", &[]);
            bound(text, "min", min.map(|min| min.to_string()), &NUMBERS);
            bound(
                text,
                "max",
                max.map(|max| max.to_string()),
                &["the largest value that is possible"],
            );
            line(text, "out_of_domain", "\"clip\"", &["or \"stop\""]);
        }
        DraftKind::Float { min, max } => {
            line(text, "kind", "\"float\"", &[]);
            bound(text, "min", min.map(number), &NUMBERS);
            bound(
                text,
                "max",
                max.map(number),
                &["the largest value that is possible"],
            );
            line(text, "out_of_domain", "\"clip\"", &["or \"stop\""]);
            line(
                text,
                "# decimals",
                "2",
                &["how many decimals are written; as many as it takes without"],
            );
        }
        DraftKind::Time { format, min, max } => {
            let kind = match format.as_deref().map(precision) {
                Some(Precision::Time | Precision::Fraction) => "datetime",
                Some(Precision::Day) => "date",
                None => OWNER,
            };
            line(
                text,
                "kind",
                &quoted(kind),
                if kind == OWNER {
                    &["\"date\", or \"datetime\" where cells have a time"]
                } else {
                    &[]
                },
            );
            bound(
                text,
                "format",
                format.as_deref().map(quoted),
                &["how cells are written, such as \"%Y-%m-%d\" or \"%Y-%m-%d %H:%M:%S\""],
            );
            bound(
                text,
                "min",
                min.as_deref().map(quoted),
                &[
                    "the first that is possible, written as the cells are; not the first of the data",
                ],
            );
            bound(
                text,
                "max",
                max.as_deref().map(quoted),
                &["the last that is possible"],
            );
        }
        DraftKind::Id { format } => {
            line(
                text,
                "kind",
                "\"id\"",
                &["never read or released; with a format, made-up ones are written"],
            );
            match format {
                Some(format) => line(text, "format", &quoted(format), &[]),
                None => line(
                    text,
                    "# format",
                    "\"P-######\"",
                    &["# is a digit, @ a letter"],
                ),
            }
        }
    }
}

fn write_rule(text: &mut String, rule: &DraftRule) {
    text.push_str("\n[[rule]]\n");
    line(text, "name", &quoted(&rule.name), &[]);
    match &rule.body {
        RuleBody::Inequality { low, high, strict } => line(
            text,
            "inequality",
            &format!(
                "{{ low = {}, high = {}, strict = {strict} }}",
                quoted(low),
                quoted(high)
            ),
            &[],
        ),
        RuleBody::Range { column, min, max } => {
            let mut inner = format!("column = {}", quoted(column));
            for (key, bound) in [("min", min), ("max", max)] {
                if let Some(bound) = bound {
                    let _ = write!(inner, ", {key} = {}", number(*bound));
                }
            }
            line(text, "range", &format!("{{ {inner} }}"), &[]);
        }
        RuleBody::Sql(expression) => line(text, "sql", &quoted(expression), &[]),
        RuleBody::FixedCombinations { columns } => line(
            text,
            "fixed_combinations",
            &format!("{{ columns = {}, allowed = \"OWNER\" }}", inline(columns)),
            &["the combinations that are possible, such as [[\"a\", \"b\"], [\"c\", \"d\"]]"],
        ),
        RuleBody::FixedIncrements { column, step } => line(
            text,
            "fixed_increments",
            &format!("{{ column = {}, step = {step} }}", quoted(column)),
            &[],
        ),
        RuleBody::FixedNulls { columns } => line(
            text,
            "fixed_null_combinations",
            &format!("{{ columns = {}, allowed = \"OWNER\" }}", inline(columns)),
            &[
                "which of the columns may be missing together, such as [[], [\"a\", \"b\"]]; without `allowed`: all or none",
            ],
        ),
        RuleBody::MixedScales { by, column } => line(
            text,
            "mixed_scales",
            &format!(
                "{{ by = {}, column = {}, scales = \"OWNER\" }}",
                inline(by),
                quoted(column)
            ),
            &[
                "between which values it lies where, such as [{ when = [\"cm\"], min = 40, max = 230 }]",
            ],
        ),
        RuleBody::OneHot { columns } => line(text, "one_hot", &inline(columns), &[]),
        RuleBody::Unique { columns } => line(text, "unique", &inline(columns), &[]),
        RuleBody::Unclear { said } => line(
            text,
            "sql",
            &quoted(OWNER),
            &[
                "an expression that holds for every row, or remove the rule; the file says:",
                said,
            ],
        ),
    }
}

/// Writes a key with its value, and remarks beside and below it, or above it where it is long.
fn line(text: &mut String, key: &str, value: &str, remarks: &[&str]) {
    let entry = format!("{key} = {value}");
    let mut lines = remarks.iter().flat_map(|remark| wrapped(remark));
    if entry.chars().count() >= COLUMN {
        for remark in lines {
            let _ = writeln!(text, "# {remark}");
        }
        let _ = writeln!(text, "{entry}");
        return;
    }
    match lines.next() {
        Some(first) => {
            let _ = writeln!(text, "{entry:COLUMN$} # {first}");
        }
        None => {
            let _ = writeln!(text, "{entry}");
        }
    }
    for remark in lines {
        let _ = writeln!(text, "{:COLUMN$} # {remark}", "");
    }
}

/// Breaks a remark into lines of bearable length.
fn wrapped(remark: &str) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in one_line(remark).split(' ') {
        let last = lines.len() - 1;
        if !lines[last].is_empty() && lines[last].chars().count() + word.chars().count() >= WIDTH {
            lines.push(word.to_owned());
            continue;
        }
        if !lines[last].is_empty() {
            lines[last].push(' ');
        }
        lines[last].push_str(word);
    }
    lines
}

fn comment(text: &mut String, remark: &str) {
    let _ = writeln!(text, "# {}", one_line(remark));
}

/// Takes out what would end a comment.
fn one_line(remark: &str) -> String {
    remark
        .chars()
        .map(|sign| if sign.is_control() { ' ' } else { sign })
        .collect()
}

/// Writes a list, in lines of bearable length.
fn list(texts: &[String]) -> String {
    let single = inline(texts);
    if single.chars().count() <= LONGEST {
        return single;
    }
    let (mut written, mut row) = (String::from("[\n"), String::from("   "));
    for text in texts {
        let item = quoted(text);
        if row.chars().count() + item.chars().count() + 2 > LONGEST && row.len() > 3 {
            written.push_str(&row);
            written.push('\n');
            row = String::from("   ");
        }
        let _ = write!(row, " {item},");
    }
    written + &row + "\n]"
}

fn inline(texts: &[String]) -> String {
    let texts: Vec<String> = texts.iter().map(|text| quoted(text)).collect();
    format!("[{}]", texts.join(", "))
}

/// Quotes a text for TOML, on one line.
fn quoted(text: &str) -> String {
    let mut quoted = String::from("\"");
    for sign in text.chars() {
        match sign {
            '"' | '\\' => quoted.extend(['\\', sign]),
            sign if sign.is_control() => {
                let _ = write!(quoted, "\\u{:04X}", u32::from(sign));
            }
            sign => quoted.push(sign),
        }
    }
    quoted.push('"');
    quoted
}

/// Writes a number for TOML.
fn number(number: f64) -> String {
    format!("{number:?}")
}

/// Makes a name of a data set of any text.
fn plain_name(text: &str) -> String {
    let plain: String = (text.chars().take(LONGEST_NAME))
        .map(|sign| {
            if sign.is_ascii_alphanumeric() || "_.-".contains(sign) {
                sign
            } else {
                '_'
            }
        })
        .collect();
    plain.trim_start_matches('.').to_owned()
}

/// What stands where the owner has to answer.
const OWNER: &str = "OWNER";

const NUMBERS: [&str; 2] = [
    "the smallest value that is possible, from documentation, not from the data; where nobody",
    "knows, replace min and max by range = \"private\", which learns them for a share of epsilon",
];

const HEAD: &str = "\
# Draft policy. Answer every line that says OWNER from public knowledge: documentation, law,
# common sense. Do not look the answers up in the data: a bound or a list that was read off the
# data gives records away before any noise is added.
version = 1
";

/// Where remarks start.
const COLUMN: usize = 31;

/// How wide remarks are.
const WIDTH: usize = 72;

/// How long a line of a list may be.
const LONGEST: usize = 96;

/// The longest name of a data set.
const LONGEST_NAME: usize = 100;
