//! Single values that many rows share come out as often as they went in.

use crate::program::Workplace;

const ROWS: usize = 20_000;

const POLICY: &str = r#"version = 1

[dataset]
name = "atoms"
file = "data.csv"
missing_tokens = ["NA"]

[privacy]
unit = "row"
adjacency = "add_or_remove_one"
epsilon_per_release = 3.0
delta_per_release = 1e-6
epsilon_for_life = 3.0
delta_for_life = 1e-6
expected_units = 20000
reason = "a made-up table"

[[column]]
name = "rate"
kind = "float"
min = 0
max = 1

[[column]]
name = "paid"
kind = "float"
min = 0
max = 1e6

[[column]]
name = "code"
kind = "float"
min = 0
max = 90

[[column]]
name = "gain"
kind = "integer"
min = 0
max = 99999
missing = true

[[column]]
name = "group"
kind = "categorical"
categories = ["a", "b", "c", "d"]
"#;

/// Numbers from 0 to below 1 that are the same in every run.
struct Uniform(u64);

impl Uniform {
    fn next(&mut self) -> f64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 11) as f64 / (1u64 << 53) as f64
    }
}

/// A rate that is exactly 0 in half of the rows and exactly 1 in some; an amount that is 0 or of any
/// size; whole numbers stored as floats; and a gain with a spike at its bound.
fn table() -> String {
    let mut uniform = Uniform(7);
    let mut text = String::from("rate,paid,code,gain,group\n");
    for _ in 0..ROWS {
        let mut u = || uniform.next();
        let group = (4.0 * u() * u()) as usize;
        let rate = match u() {
            x if x < 0.5 => 0.0,
            x if x < 0.55 => 1.0,
            _ => u() * u(),
        };
        let paid = if u() < 0.3 { 0.0 } else { (13.0 * u()).exp() };
        let code = (90.0 * u() * u()).floor();
        let gain = match u() {
            x if x < 0.05 => "NA".to_owned(),
            x if x < 0.85 => "0".to_owned(),
            x if x < 0.88 => "99999".to_owned(),
            _ => ((11.0 * u()).exp() as u32).to_string(),
        };
        let group = ["a", "b", "c", "d"][group];
        text.push_str(&format!("{rate},{paid},{code},{gain},{group}\n"));
    }
    text
}

fn columns(text: &str) -> Vec<Vec<&str>> {
    let mut columns = vec![Vec::new(); 5];
    for row in text.lines().skip(1) {
        for (column, cell) in columns.iter_mut().zip(row.split(',')) {
            column.push(cell);
        }
    }
    columns
}

/// Total variation distance of two columns, numbers cut at 20 quantiles of the first.
fn distance(real: &[&str], made: &[&str]) -> f64 {
    let mut sorted: Vec<f64> = real.iter().filter_map(|cell| cell.parse().ok()).collect();
    sorted.sort_by(f64::total_cmp);
    let mut cuts: Vec<f64> = (1..20)
        .filter_map(|k| sorted.get(k * sorted.len() / 20).copied())
        .collect();
    cuts.dedup();
    let mut shares = std::collections::BTreeMap::<String, f64>::new();
    for (cells, sign) in [(real, 1.0), (made, -1.0)] {
        for cell in cells {
            let place = cell.parse::<f64>().map_or_else(
                |_| (*cell).to_owned(),
                |number| cuts.partition_point(|&cut| cut < number).to_string(),
            );
            *shares.entry(place).or_default() += sign / cells.len() as f64;
        }
    }
    0.5 * shares.values().map(|share| share.abs()).sum::<f64>()
}

#[test]
fn exact_values_keep_their_share() {
    let here = Workplace::new();
    let table = table();
    here.write("data.csv", &table);
    here.write("dpsynth.toml", POLICY);
    here.run(&["release", "--out", "out"]).expect(0, "");
    let made = here.read("out/synthetic.csv");
    let (real, made) = (columns(&table), columns(&made));
    let distances: Vec<f64> = (0..5).map(|j| distance(&real[j], &made[j])).collect();
    let mean = distances.iter().sum::<f64>() / 5.0;
    assert!(mean <= 0.02, "{distances:?}");
    let share = |cells: &[&str], value: f64| {
        let equal = |cell: &&&str| cell.parse::<f64>() == Ok(value);
        cells.iter().filter(equal).count() as f64 / cells.len() as f64
    };
    for (column, value) in [(0, 0.0), (0, 1.0), (1, 0.0), (3, 0.0), (3, 99_999.0)] {
        let (real, made) = (share(&real[column], value), share(&made[column], value));
        assert!(
            (real - made).abs() < 0.02,
            "{column} {value}: {real} {made}"
        );
    }
    // Whole numbers that are stored as floats stay whole.
    let whole = |cell: &&&str| {
        cell.parse::<f64>()
            .is_ok_and(|number| number.fract() == 0.0)
    };
    assert!(made[2].iter().filter(whole).count() as f64 / ROWS as f64 > 0.97);
    // The measure itself tells a spike from small numbers beside it.
    let beside = |cell: &&str| if *cell == "0" { "0.00001" } else { *cell }.to_owned();
    let smeared: Vec<String> = real[0].iter().map(beside).collect();
    let smeared: Vec<&str> = smeared.iter().map(String::as_str).collect();
    assert!(distance(&real[0], &smeared) > 0.3);
}
