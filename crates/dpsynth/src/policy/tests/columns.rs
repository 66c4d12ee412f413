//! Columns, and the rules and targets that name them.

use super::*;
use dpsynth_table::MAX_CODES;

#[test]
fn identifiers_are_made_up_or_left_out() {
    let age = "[[column]]\nname = \"age\"\nkind = \"integer\"\nmin = 0\nmax = 120\n";
    let id = |keys: &str| format!("[[column]]\nname = \"p\"\nkind = \"id\"\n{keys}\n{age}");
    let dropped = valid(&id(""));
    assert_eq!(dropped.ignored, ["p"]);
    assert!(dropped.identifiers().is_empty());
    let made_up = valid(&id("format = \"P-###\""));
    assert_eq!(made_up.identifiers(), ["p"]);
    assert_eq!(made_up.modelled(), ["age"]);
    assert_eq!(made_up.identifier_room(), Some(("p", 1000)));
    for engine in Engine::ALL {
        let modelled = made_up.modelled_schema(engine).expect("a schema");
        assert_eq!(modelled.names().collect::<Vec<_>>(), ["age"]);
    }
    // The unit's column may be one; a target, a rule and the only column may not.
    let unit = PARTS[2]
        .1
        .replace("\"row\"", "{ user = \"p\", max_rows = 5 }");
    valid(&format!("{unit}\n{}", id("format = \"P-###\"")));
    let codes = |text: &str| -> Vec<&'static str> {
        match Policy::parse(&complete(text, &PARTS)) {
            Ok(_) => Vec::new(),
            Err(findings) => findings.iter().map(|finding| finding.code).collect(),
        }
    };
    assert_eq!(codes(&id("format = \"P\"")), [finding::BAD_TEXT]);
    assert_eq!(codes(&id("format = 3")), [finding::WRONG_TYPE]);
    assert_eq!(codes(&id("missing = true")), [finding::UNKNOWN_KEY]);
    let made_up = id("format = \"P-###\"");
    let target = format!("[model]\ntarget = \"p\"\n{made_up}");
    assert_eq!(codes(&target), [finding::WRONG_COLUMN]);
    let rule = format!("{made_up}\n[[rule]]\nname = \"r\"\nsql = \"p <> 'P-000'\"\n");
    assert_eq!(codes(&rule).len(), 1);
    let alone = "[[column]]\nname = \"p\"\nkind = \"id\"\nformat = \"P-###\"\n";
    assert_eq!(codes(alone), [finding::NOTHING_TO_MODEL]);
}

#[test]
fn lengths_of_time_have_a_form_and_bounds_in_it() {
    let none: [&str; 0] = [];
    let clock = "kind = \"duration\"\nmin = \"00:00:00\"\nmax = \"36:00:00\"";
    assert_eq!(column_codes(clock), none);
    let iso = "kind = \"duration\"\nformat = \"ISO 8601\"\nmin = 0\nmax = \"P2D\"";
    assert_eq!(column_codes(iso), none);
    for (column, code) in [
        ("min = \"00:00\"\nmax = \"36:00:00\"", finding::BAD_DATE),
        ("format = \"HMS\"\nmin = 0\nmax = 9", finding::UNKNOWN_WORD),
        ("format = \"days\"\nmin = 0\nmax = 9.5", finding::WRONG_TYPE),
        ("format = \"days\"\nmin = 9\nmax = 0", "DPS1006"),
    ] {
        let codes = column_codes(&format!("kind = \"duration\"\n{column}"));
        assert_eq!(codes, [code], "{column}");
    }
}

#[test]
fn booleans_and_ordered_categories_are_known() {
    let none: [&str; 0] = [];
    assert_eq!(column_codes("kind = \"boolean\"\nmissing = true"), none);
    let listed = "kind = \"boolean\"\ncategories = [\"no\", \"yes\"]";
    assert_eq!(column_codes(listed), [finding::UNKNOWN_KEY]);
    assert_eq!(
        column_codes("kind = \"integer\"\nmin = 0\nmax = 1\nordered = true"),
        [finding::UNKNOWN_KEY]
    );
    let column = "[[column]]\nname = \"x\"\nkind = \"categorical\"\n\
                  categories = [\"low\", \"high\"]\nmissing = true\n";
    assert!(valid(column).ordered.is_empty());
    assert!(
        valid(&format!("{column}ordered = false"))
            .ordered
            .is_empty()
    );
    let policy = valid(&format!("{column}ordered = true"));
    assert_eq!(policy.ordered, ["x"]);
    let asked = policy.tighten(None, None, None, None).expect("allowed");
    let plan =
        crate::plan::ReleasePlan::new(&policy, &asked, Some(Engine::Copula), 1).expect("a plan");
    let columns = plan.model.measured_columns().expect("measured columns");
    // The missing cell stands alone, after the order.
    assert_eq!(
        columns.orders,
        [dpsynth_train::CodeOrder::Ordered { values: 2 }]
    );
}

#[test]
fn columns_are_checked_by_reader_and_schema() {
    let none: [&str; 0] = [];
    assert_eq!(
        column_codes("kind = \"categorical\"\ncategories = [\"a\"]"),
        none
    );
    assert_eq!(column_codes("kind = \"number\""), [finding::UNKNOWN_WORD]);
    assert_eq!(
        column_codes("kind = \"categorical\""),
        [finding::MISSING_KEY]
    );
    assert_eq!(column_codes("min = 1\nmax = 2"), [finding::MISSING_KEY]);
    assert_eq!(
        column_codes("kind = \"integer\"\nmin = 1.5\nmax = 2"),
        [finding::WRONG_TYPE]
    );
    assert_eq!(
        column_codes("kind = \"integer\"\nmin = 1\nmax = 2\ndecimals = 2"),
        [finding::UNKNOWN_KEY]
    );
    assert_eq!(
        column_codes("kind = \"float\"\nmin = nan\nmax = inf"),
        [finding::BAD_NUMBER, finding::BAD_NUMBER]
    );
    assert_eq!(
        column_codes("kind = \"integer\"\nmin = 1\nmax = 2\ncells = { linear = 2, log = 2 }"),
        [finding::WRONG_TYPE]
    );
    assert_eq!(
        column_codes("kind = \"date\"\nmin = \"2020-01-01\"\nmax = 2020-02-01"),
        [finding::WRONG_TYPE]
    );
    assert_eq!(
        column_codes("kind = \"date\"\nmin = \"2020-01-01\"\nmax = \"2020-02-30\""),
        [finding::BAD_DATE]
    );
    for format in ["%Y", "%", "%Q", "day", "%H:%M", "%Y-%m-%d %z"] {
        let lines = format!("kind = \"date\"\nmin = \"x\"\nmax = \"y\"\nformat = \"{format}\"");
        assert_eq!(column_codes(&lines), [finding::BAD_DATE], "{format}");
    }
    assert_eq!(
        column_codes("kind = \"integer\"\nmin = 9\nmax = 2\nout_of_domain = \"missing\"").len(),
        2
    );
    assert_eq!(
        column_codes("kind = \"ignore\""),
        [finding::NOTHING_TO_MODEL]
    );
    assert_eq!(
        column_codes(
            "kind = \"ignore\"\n[[column]]\nname = \"x\"\nkind = \"integer\"\nmin = 0\nmax = 1"
        ),
        [finding::DUPLICATE]
    );
}

#[test]
fn data_sets_have_plain_names() {
    for name in ["", " ", "a b", "a/b", "..", ".hidden", "naïve", "a\\u0000"] {
        let text = complete(&format!("[dataset]\nname = \"{name}\"\n"), &PARTS);
        assert_eq!(
            refused(&text).iter().map(|f| f.code).collect::<Vec<_>>(),
            [finding::BAD_TEXT]
        );
    }
    for delimiter in ["", ",,", "\\\"", "é", "\\n", "a"] {
        let text = complete(
            &format!("[dataset]\nname = \"a\"\ndelimiter = \"{delimiter}\"\n"),
            &PARTS,
        );
        assert_eq!(
            refused(&text).iter().map(|f| f.code).collect::<Vec<_>>(),
            [finding::BAD_TEXT]
        );
    }
    for quote in ["", "''", "a", "é", "\\n", " ", ","] {
        let text = complete(
            &format!("[dataset]\nname = \"a\"\nquote = \"{quote}\"\n"),
            &PARTS,
        );
        assert_eq!(
            refused(&text).iter().map(|f| f.code).collect::<Vec<_>>(),
            [finding::BAD_TEXT]
        );
    }
}

#[test]
fn the_target_is_a_modelled_column() {
    let code = |from: &str, to: &str| {
        let text = FULL.replace(from, to);
        refused(&text)
            .iter()
            .map(|finding| finding.code)
            .collect::<Vec<_>>()
    };
    let target = "target = \"outcome\"";
    assert_eq!(
        code(target, "target = \"outcomes\""),
        [finding::UNKNOWN_COLUMN]
    );
    assert_eq!(
        code(target, "target = \"patient\""),
        [finding::WRONG_COLUMN]
    );
    assert_eq!(code(target, "target = \"fees\""), [finding::WRONG_COLUMN]);
}

#[test]
fn a_rule_demands_one_thing() {
    let codes = |rule: &str| {
        let text = complete(&format!("[[rule]]\nname = \"r\"\n{rule}\n"), &PARTS);
        refused(&text)
            .iter()
            .map(|finding| finding.code)
            .collect::<Vec<_>>()
    };
    assert_eq!(codes(""), [finding::RULE_SHAPE]);
    assert_eq!(
        codes("sql = \"age > 1\"\nnon_negative = \"age\""),
        [finding::RULE_SHAPE]
    );
    assert_eq!(codes("sql = 5"), [finding::WRONG_TYPE]);
    assert_eq!(codes("range = \"age\""), [finding::WRONG_TYPE]);
    assert_eq!(codes("range = { min = 0 }"), [finding::MISSING_KEY]);
    assert_eq!(
        codes("sql = \"age > 1\"\nenforce = \"hope\""),
        [finding::UNKNOWN_WORD]
    );
    assert_eq!(codes("sql = \"ages > 1\""), ["DPS2003"]);
    assert_eq!(
        codes("derived = { column = \"nothing\", formula = \"age\" }"),
        ["DPS2003"]
    );
}

#[test]
fn a_rule_is_not_blamed_for_a_column_that_cannot_be_read() {
    let text = FULL.replace("kind = \"integer\"", "kind = \"whole\"");
    let findings = refused(&text);
    assert_eq!(findings.len(), 1, "{findings}");
    assert_eq!(
        findings.iter().next().map(|f| f.code),
        Some(finding::UNKNOWN_WORD)
    );
}

#[test]
fn learned_spikes_always_find_room() {
    let none: [&str; 0] = [];
    let most = MAX_CODES as usize - 2 * MOST_SPIKES;
    let column = |cells: usize, more: &str| {
        format!(
            "kind = \"integer\"\nmin = 0\nmax = {}\ncells = {{ linear = {cells} }}\n\
             spikes = \"private\"\n{more}",
            16 * cells - 1
        )
    };
    assert_eq!(column_codes(&column(most, "")), none);
    assert_eq!(column_codes(&column(most - 1, "missing = true")), none);
    let refused = [finding::WRONG_TYPE];
    assert_eq!(column_codes(&column(most + 1, "")), refused);
    assert_eq!(column_codes(&column(most, "missing = true")), refused);
    // Stated spikes are counted with the cells they make, so they may fill what there is.
    let stated = column(most + 1, "").replace("\"private\"", "[500001]");
    assert_eq!(column_codes(&stated), none);
    // As many as can be learned, each in the middle of a cell, make a schema.
    let text = format!("[[column]]\nname = \"x\"\n{}\n", column(most, ""));
    let policy = parsed(&complete(&text, &PARTS));
    let spikes = (0..MOST_SPIKES).map(|place| (place * 1600 + 7) as f64);
    let learned = LearnedDomain::Spikes(spikes.collect());
    let completed = policy.completed(&BTreeMap::from([("x".to_owned(), learned)]));
    let codes = completed.expect("room for all").schema.columns()[0].codes();
    assert_eq!(codes, MAX_CODES);
}
