//! A small hospital table, and rows drawn for it from a seed.

#![allow(dead_code, reason = "each test crate uses its own part")]

use chrono::NaiveDate;
use dpsynth_constraints::{
    Enforcement, Limits, RuleError, RuleKind, RuleOutcome, RuleProblem, RuleSpec, Rules, Strictness,
};
use dpsynth_table::{Cells, Column, Domain, Missing, OutOfDomain, Schema};
use polars::prelude::{Column as Cells_, DataFrame, DataType, IntoColumn, NamedFrom, Series};

/// Columns `age`, `visits`, `fare`, `tip`, `total`, `sex`, `school`, `grade`, `admitted`,
/// `discharged`. `tip`, `total`, `grade` and `discharged` may be missing.
pub(crate) fn schema() -> Schema {
    Schema::new(vec![
        column("age", integer(0, 120), Missing::Refused),
        column("visits", integer(-5, 50), Missing::Refused),
        column("fare", float(-10.0, 100.0, Some(2)), Missing::Refused),
        column("tip", float(0.0, 20.0, Some(2)), Missing::Allowed),
        column("total", float(0.0, 110.0, Some(2)), Missing::Allowed),
        column("sex", categories(&["f", "m"]), Missing::Refused),
        column(
            "school",
            categories(&["none", "primary", "degree"]),
            Missing::Refused,
        ),
        column("grade", integer(0, 20), Missing::Allowed),
        column("admitted", dates(), Missing::Refused),
        column("discharged", dates(), Missing::Allowed),
    ])
    .expect("the test schema is complete")
}

pub(crate) fn column(name: &str, domain: Domain, missing: Missing) -> Column {
    Column {
        name: name.into(),
        domain,
        missing,
        out_of_domain: OutOfDomain::Stop,
        missing_tokens: Vec::new(),
        after: None,
    }
}

pub(crate) fn integer(min: i64, max: i64) -> Domain {
    Domain::Integer {
        min,
        max,
        cells: Cells::Each,
    }
}

pub(crate) fn float(min: f64, max: f64, decimals: Option<u8>) -> Domain {
    Domain::Float {
        min,
        max,
        decimals,
        cells: Cells::Linear { count: 10 },
    }
}

pub(crate) fn categories(names: &[&str]) -> Domain {
    Domain::Categorical {
        categories: names.iter().map(|name| (*name).into()).collect(),
    }
}

fn dates() -> Domain {
    Domain::Date {
        min: day(2020, 1, 1),
        max: day(2020, 12, 31),
        format: "%d/%m/%Y".into(),
        cells: Cells::Each,
    }
}

pub(crate) fn day(year: i32, month: u32, day: u32) -> NaiveDate {
    NaiveDate::from_ymd_opt(year, month, day).expect("a day of the calendar")
}

/// Rows within the schema's domains, a pure function of the seed.
pub(crate) struct Draw {
    state: u64,
    rows: usize,
}

impl Draw {
    pub(crate) fn new(seed: u64) -> Self {
        Self {
            state: seed ^ 0x9E37_79B9_7F4A_7C15,
            rows: 0,
        }
    }

    /// Uniform in [0, 1), from SplitMix64.
    pub(crate) fn uniform(&mut self) -> f64 {
        self.state = self.state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut bits = self.state;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((bits ^ (bits >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
    }

    fn integer(&mut self, low: i64, high: i64) -> i64 {
        low + (self.uniform() * (high - low + 1) as f64) as i64
    }

    fn cents(&mut self, low: i64, high: i64) -> f64 {
        self.integer(low, high) as f64 / 100.0
    }

    fn sometimes<T>(&mut self, value: T) -> Option<T> {
        (self.uniform() < 0.8).then_some(value)
    }

    /// Draws rows of every modelled column: all but `total`.
    pub(crate) fn frame(&mut self, rows: usize) -> DataFrame {
        self.rows += rows;
        let mut each = |cell: &mut dyn FnMut(&mut Self)| (0..rows).for_each(|_| cell(self));
        let (mut age, mut visits, mut fare, mut tip) = (vec![], vec![], vec![], vec![]);
        let (mut sex, mut school, mut grade) = (vec![], vec![], vec![]);
        let (mut admitted, mut discharged) = (vec![], vec![]);
        each(&mut |draw| {
            age.push(draw.integer(0, 120));
            visits.push(draw.integer(-5, 50));
            fare.push(draw.cents(-1_000, 10_000));
            let value = draw.cents(0, 2_000);
            tip.push(draw.sometimes(value));
            sex.push(["f", "m"][draw.integer(0, 1) as usize]);
            school.push(["none", "primary", "degree"][draw.integer(0, 2) as usize]);
            let value = draw.integer(0, 20);
            grade.push(draw.sometimes(value));
            admitted.push(18_262 + draw.integer(0, 365) as i32);
            let value = 18_262 + draw.integer(0, 365) as i32;
            discharged.push(draw.sometimes(value));
        });
        frame(vec![
            Series::new("age".into(), age),
            Series::new("visits".into(), visits),
            Series::new("fare".into(), fare),
            Series::new("tip".into(), tip),
            Series::new("sex".into(), sex),
            Series::new("school".into(), school),
            Series::new("grade".into(), grade),
            Series::new("admitted".into(), admitted)
                .cast(&DataType::Date)
                .expect("days are dates"),
            Series::new("discharged".into(), discharged)
                .cast(&DataType::Date)
                .expect("days are dates"),
        ])
    }

    pub(crate) fn rows_drawn(&self) -> usize {
        self.rows
    }
}

pub(crate) fn frame(series: Vec<Series>) -> DataFrame {
    let columns: Vec<Cells_> = series.into_iter().map(IntoColumn::into_column).collect();
    DataFrame::new_infer_height(columns).expect("columns of one length")
}

/// A frame with `total` too, as every whole table of the schema has it.
pub(crate) fn whole(mut modelled: DataFrame) -> DataFrame {
    if modelled.column("total").is_err() {
        let none: Vec<Option<f64>> = vec![None; modelled.height()];
        modelled
            .with_column(Series::new("total".into(), none).into_column())
            .expect("one more column");
    }
    let order: Vec<String> = schema()
        .columns()
        .iter()
        .map(|column| column.name.clone())
        .collect();
    modelled.select(order).expect("every column")
}

pub(crate) fn rule(name: &str, kind: RuleKind) -> RuleSpec {
    RuleSpec {
        name: name.into(),
        kind,
        enforcement: None,
    }
}

pub(crate) fn enforced(name: &str, kind: RuleKind, enforcement: Enforcement) -> RuleSpec {
    RuleSpec {
        name: name.into(),
        kind,
        enforcement: Some(enforcement),
    }
}

pub(crate) fn sql(expression: &str) -> RuleKind {
    RuleKind::Sql {
        expression: expression.into(),
    }
}

pub(crate) fn range(column: &str, min: Option<f64>, max: Option<f64>) -> RuleKind {
    RuleKind::Range {
        column: column.into(),
        min,
        max,
    }
}

pub(crate) fn inequality(low: &str, high: &str, strictness: Strictness) -> RuleKind {
    RuleKind::Inequality {
        low: low.into(),
        high: high.into(),
        strictness,
    }
}

pub(crate) fn derived(column: &str, formula: &str) -> RuleKind {
    RuleKind::Derived {
        column: column.into(),
        formula: formula.into(),
    }
}

pub(crate) fn conditional(when: &str, then: &str) -> RuleKind {
    RuleKind::Conditional {
        when: when.into(),
        then: then.into(),
    }
}

pub(crate) fn combinations(columns: &[&str], allowed: &[&[&str]]) -> RuleKind {
    let owned = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
    RuleKind::FixedCombinations {
        columns: owned(columns),
        allowed: allowed.iter().map(|texts| owned(texts)).collect(),
    }
}

pub(crate) fn compile(specs: Vec<RuleSpec>) -> Rules {
    Rules::compile(specs, &schema()).unwrap_or_else(|errors| panic!("the rules fit: {errors:?}"))
}

/// Returns the problems of rules that do not compile.
pub(crate) fn problems(specs: Vec<RuleSpec>) -> Vec<RuleProblem> {
    let errors = Rules::compile(specs, &schema()).expect_err("the rules do not fit");
    errors.into_iter().map(|error| error.problem).collect()
}

/// Enforces with rows drawn from a seed; `total` is drawn as missing where no rule derives it.
pub(crate) fn enforce(
    rules: &Rules,
    rows: usize,
    seed: u64,
) -> Result<(DataFrame, Vec<RuleOutcome>), RuleError> {
    let mut draw = Draw::new(seed);
    let mut choices = Draw::new(seed ^ 1);
    rules.enforce(
        rows,
        &mut |n| whole(draw.frame(n)),
        &mut || choices.uniform(),
        Limits::default(),
    )
}
