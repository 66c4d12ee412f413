//! Times of day, values that come after others, and buckets for what is not listed.

use dpsynth_table::{
    After, Cell, CellProblem, Cells, Column, Domain, DurationForm, Format, Missing, OutOfDomain,
    ReadOptions, Schema, Table, TableError, parse_time, read, read_table, write,
};
use polars::prelude::{Column as FrameColumn, DataFrame, NamedFrom as _, ParquetWriter, Series};
use proptest::prelude::*;

use crate::common::{categorical, column, integer, may_miss, uniform};

fn times(name: &str, format: &str, min: &str, max: &str) -> Column {
    let [min, max] = [min, max].map(|text| parse_time(text, format).unwrap());
    column(
        name,
        Domain::Timestamp {
            min,
            max,
            format: format.to_owned(),
            cells: Cells::Fine,
        },
    )
}

fn march(name: &str) -> Column {
    let bounds = ["2019-03-01 00:00:00", "2019-03-31 23:59:59"];
    times(name, "%Y-%m-%d %H:%M:%S", bounds[0], bounds[1])
}

fn after(mut column: Column, columns: &[&str], at_least: f64, at_most: f64) -> Column {
    column.after = Some(After {
        columns: columns.iter().map(|name| (*name).to_owned()).collect(),
        at_least,
        at_most,
    });
    column
}

fn decimals(name: &str) -> Column {
    column(
        name,
        Domain::Float {
            min: 0.0,
            max: 100.0,
            decimals: Some(2),
            cells: Cells::Fine,
        },
    )
}

/// Reads a text, draws the table of its codes and returns that as text.
fn made(schema: &Schema, text: &str) -> Result<String, TableError> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("t.csv");
    std::fs::write(&path, text).unwrap();
    let coded = read(&path, schema, ReadOptions::default())?;
    let table = Table::decode(schema, &coded.codes, &mut uniform(1));
    write(&table, schema, &path, Format::Csv).unwrap();
    assert_eq!(
        read_table(&path, schema, ReadOptions::default()).unwrap(),
        table
    );
    Ok(std::fs::read_to_string(&path).unwrap())
}

#[test]
fn fine_cells_are_full_hours_of_a_month_and_minutes_of_a_day() {
    let schema = Schema::new(vec![march("t"), times("u", "%H:%M", "00:00", "23:59")]).unwrap();
    assert_eq!(schema.codes(), [31 * 24, 24 * 60 / 5]);
    let text = "t,u\n2019-03-02 05:10:11,13:07\n2019-03-31 23:59:59,00:00\n";
    let made = made(&schema, text).unwrap();
    let lines: Vec<&str> = made.lines().collect();
    assert!(lines[1].starts_with("2019-03-02 05:"), "{made}");
    assert!(lines[1].contains(",13:0"), "{made}");
    assert!(
        lines[2].starts_with("2019-03-31 23:") && lines[2].contains(",00:0"),
        "{made}"
    );
}

#[test]
fn zones_are_brought_to_universal_time() {
    let (min, max) = ("2024-01-01T00:00:00+0000", "2024-01-01T23:00:00+0000");
    let mut zoned = times("t", "%Y-%m-%dT%H:%M:%S%z", min, max);
    if let Domain::Timestamp { cells, .. } = &mut zoned.domain {
        *cells = Cells::Each;
    }
    let schema = Schema::new(vec![zoned]).unwrap_err();
    // A day of seconds has more values than there are codes.
    assert_eq!(schema[0].code(), "DPS1012");
    let format = "%Y-%m-%dT%H:%M:%S%z";
    let read = |text| parse_time(text, format).unwrap().to_string();
    assert_eq!(read("2024-06-30T23:30:00-0500"), "2024-07-01 04:30:00");
    assert_eq!(read("2024-06-30T23:30:00+0000"), "2024-06-30 23:30:00");
    assert!(parse_time("2024-06-30T23:30:00", format).is_none());
}

#[test]
fn formats_that_lose_the_time_are_refused() {
    for format in ["%Y-%m-%d", "%H", "%q"] {
        let mut column = march("t");
        if let Domain::Timestamp { format: held, .. } = &mut column.domain {
            *held = format.to_owned();
        }
        let found = Schema::new(vec![column]).unwrap_err();
        assert_eq!(found[0].code(), "DPS1016", "{format}");
    }
}

#[test]
fn parquet_keeps_times_and_several_batches_their_order() {
    let rows = 300_000i64;
    let seconds: Vec<i64> = (0..rows).map(|row| 1_551_398_400 + row).collect();
    let milliseconds: Vec<i64> = seconds.iter().map(|it| it * 1000).collect();
    let dtype = polars::prelude::DataType::Datetime(polars::prelude::TimeUnit::Milliseconds, None);
    let instants = Series::new("t".into(), milliseconds).cast(&dtype).unwrap();
    let numbers = Series::new("n".into(), (0..rows).map(|row| row % 7).collect::<Vec<_>>());
    let columns = [numbers, instants].map(FrameColumn::from).to_vec();
    let mut frame = DataFrame::new(rows as usize, columns).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("t.parquet");
    let file = std::fs::File::create(&path).unwrap();
    ParquetWriter::new(file)
        .with_row_group_size(Some(100_000))
        .finish(&mut frame)
        .unwrap();
    let schema = Schema::new(vec![march("t"), integer("n", 0, 6, Cells::Each)]).unwrap();
    let coded = read(&path, &schema, ReadOptions::default()).unwrap();
    assert_eq!(coded.rows(), rows as usize);
    for (row, codes) in coded.codes.chunks(2).enumerate() {
        assert_eq!(codes, [(row / 3600) as u16, (row % 7) as u16]);
    }
}

#[test]
fn a_value_is_never_drawn_before_the_one_that_it_follows() {
    let schema = Schema::new(vec![
        after(march("end"), &["start"], 0.0, 7200.0),
        march("start"),
    ])
    .unwrap();
    let mut text = "end,start\n".to_owned();
    for minute in 0..60 {
        text.push_str(&format!(
            "2019-03-02 0{}:{minute:02}:30,2019-03-02 05:{minute:02}:00\n",
            5 + minute % 2
        ));
    }
    let made = made(&schema, &text).unwrap();
    for (row, line) in made.lines().skip(1).enumerate() {
        let (end, start) = line.split_once(',').unwrap();
        let [end, start] = [end, start].map(|text| parse_time(text, "%Y-%m-%d %H:%M:%S").unwrap());
        let seconds = (end - start).num_seconds();
        let meant = 30 + 3600 * (row as i64 % 2);
        // Cells of distances are fine: 7,200 seconds in about 700 cells that widen.
        assert!((seconds - meant).abs() <= meant / 50 + 2, "{line}");
    }
}

#[test]
fn a_total_is_its_parts_and_a_rest() {
    let schema = Schema::new(vec![
        decimals("fare"),
        decimals("tip"),
        after(decimals("total"), &["fare", "tip"], 0.0, 5.0),
    ])
    .unwrap();
    let made = made(
        &schema,
        "fare,tip,total\n7.50,1.25,9.75\n3,0,3\n99,1,100.00\n",
    )
    .unwrap();
    for line in made.lines().skip(1) {
        let cells: Vec<f64> = line.split(',').map(|cell| cell.parse().unwrap()).collect();
        let rest = cells[2] - cells[0] - cells[1];
        assert!(
            (-0.001..=5.001).contains(&rest) || cells[2] == 100.0,
            "{line}"
        );
    }
}

#[test]
fn distances_outside_their_bounds_meet_the_fate_of_the_column() {
    let columns = |fate: OutOfDomain, missing| {
        let mut high = after(integer("high", 0, 99, Cells::Each), &["low"], 0.0, 10.0);
        high.out_of_domain = fate;
        high.missing = missing;
        Schema::new(vec![integer("low", 0, 50, Cells::Each), high]).unwrap()
    };
    let codes = |schema: &Schema, text: &str| {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("t.csv");
        std::fs::write(&path, format!("low,high\n{text}\n")).unwrap();
        read(&path, schema, ReadOptions::default()).map(|coded| coded.codes)
    };
    let stop = columns(OutOfDomain::Stop, Missing::Refused);
    assert_eq!(codes(&stop, "20,25").unwrap(), [20, 5]);
    for (text, expected) in [
        ("20,19", CellProblem::TooNear),
        ("20,31", CellProblem::TooFar),
    ] {
        match codes(&stop, text).unwrap_err() {
            TableError::OutOfDomain { problem, .. } => assert_eq!(problem, expected),
            other => panic!("{other}"),
        }
    }
    let clip = columns(OutOfDomain::Clip, Missing::Refused);
    assert_eq!(codes(&clip, "20,19").unwrap(), [20, 0]);
    assert_eq!(codes(&clip, "20,31").unwrap(), [20, 10]);
    assert_eq!(codes(&clip, "45,200").unwrap(), [45, 10], "200 is 99 first");
    let missing = columns(OutOfDomain::BecomesMissing, Missing::Allowed);
    assert_eq!(codes(&missing, "20,19").unwrap(), [20, 11]);
    assert_eq!(codes(&missing, "20,").unwrap(), [20, 11]);
}

#[test]
fn what_follows_a_missing_value_is_missing() {
    let low = may_miss(integer("low", 0, 9, Cells::Each), &[]);
    let high = after(
        may_miss(integer("high", 0, 9, Cells::Each), &[]),
        &["low"],
        0.0,
        9.0,
    );
    let schema = Schema::new(vec![low.clone(), high.clone()]).unwrap();
    let table = Table::decode(&schema, &[10, 3, 2, 3], &mut || 0.5);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("t.csv");
    write(&table, &schema, &path, Format::Csv).unwrap();
    assert_eq!(
        std::fs::read_to_string(&path).unwrap(),
        "low,high\n,\n2,5\n"
    );
    let never = Column {
        missing: Missing::Refused,
        ..high
    };
    assert_eq!(
        Schema::new(vec![low, never]).unwrap_err()[0].code(),
        "DPS1024"
    );
}

#[test]
fn what_cannot_be_followed_is_refused() {
    let low = || integer("low", 0, 9, Cells::Each);
    let high = |columns: &[&str], least, most| {
        after(integer("high", 0, 9, Cells::Each), columns, least, most)
    };
    let code = |columns: Vec<Column>| Schema::new(columns).unwrap_err()[0].code();
    assert_eq!(code(vec![low(), high(&["lo"], 0.0, 1.0)]), "DPS1021");
    assert_eq!(code(vec![low(), high(&[], 0.0, 1.0)]), "DPS1021");
    assert_eq!(code(vec![low(), high(&["high"], 0.0, 1.0)]), "DPS1021");
    assert_eq!(
        code(vec![decimals("low"), high(&["low"], 0.0, 1.0)]),
        "DPS1022"
    );
    let twice = after(march("end"), &["a", "b"], 0.0, 1.0);
    assert_eq!(code(vec![march("a"), march("b"), twice]), "DPS1022");
    for (least, most) in [(-1.0, 1.0), (2.0, 1.0), (0.0, 1.5), (0.0, f64::INFINITY)] {
        assert_eq!(code(vec![low(), high(&["low"], least, most)]), "DPS1023");
    }
}

#[test]
fn what_is_not_listed_goes_to_its_bucket() {
    let mut towns = categorical("town", &["Boston", "elsewhere"]);
    towns.out_of_domain = OutOfDomain::BecomesCategory("elsewhere".to_owned());
    let schema = Schema::new(vec![towns.clone()]).unwrap();
    let coder = &schema.coders()[0];
    for (town, code) in [("Boston", 0), ("Salem", 1), ("elsewhere", 1)] {
        assert_eq!(coder.encode(Cell::Text(town)), Ok(code));
    }
    assert_eq!(coder.encode(Cell::Text("")), Err(CellProblem::Missing));
    towns.out_of_domain = OutOfDomain::BecomesCategory("nowhere".to_owned());
    let found = Schema::new(vec![towns]).unwrap_err();
    assert_eq!(
        (found[0].code(), found[0].field),
        ("DPS1025", "out_of_domain")
    );
}

proptest! {
    #[test]
    fn a_distance_survives_its_code(base in 0i64..50, distance in 0i64..=5000, at in 0.0..1.0f64) {
        let high = after(integer("high", 0, 100_000, Cells::Fine), &["low"], 0.0, 5000.0);
        let schema = Schema::new(vec![integer("low", 0, 50, Cells::Each), high]).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("t.csv");
        std::fs::write(&path, format!("low,high\n{base},{}\n", base + distance)).unwrap();
        let first = read(&path, &schema, ReadOptions::default()).unwrap();
        let table = Table::decode(&schema, &first.codes, &mut || at);
        write(&table, &schema, &path, Format::Csv).unwrap();
        let second = read(&path, &schema, ReadOptions::default()).unwrap();
        prop_assert_eq!(first.codes, second.codes);
    }
}

fn lengths(name: &str, form: DurationForm, min: &str, max: &str) -> Column {
    let [min, max] = [min, max].map(|text| form.parse(text).unwrap());
    column(
        name,
        Domain::Duration {
            min,
            max,
            form,
            cells: Cells::Fine,
        },
    )
}

#[test]
fn lengths_of_time_are_read_and_written_in_their_form() {
    let schema = Schema::new(vec![
        lengths(
            "clock",
            DurationForm::HoursMinutesSeconds,
            "00:00:00",
            "48:00:00",
        ),
        may_miss(
            lengths("iso", DurationForm::Iso8601, "-PT1H", "P1D"),
            &["-"],
        ),
        lengths("days", DurationForm::Days, "0", "400"),
    ])
    .unwrap();
    assert_eq!(schema.codes()[2], 401, "a cell for each day");
    let clock = &schema.coders()[0];
    let code = |text| clock.encode(Cell::Text(text)).unwrap();
    assert!(
        code("00:00:00") != code("00:00:01"),
        "nothing at all is a cell of its own"
    );
    let read = |text: &str| made(&schema, &format!("clock,iso,days\n{text}\n"));
    let made = read("47:59:59,-,400").unwrap();
    let cells: Vec<&str> = made.lines().nth(1).unwrap().split(',').collect();
    assert!(cells[0].starts_with("47:"), "{made}");
    assert_eq!(cells[1..], ["-", "400"]);
    for wrong in [
        "47:59,-,1",
        "1:60:00,-,1",
        "00:00:00,1h,1",
        "48:00:01,-,1",
        "00:00:00,-,1.5",
    ] {
        assert!(read(wrong).is_err(), "{wrong}");
    }
    // A number in Parquet counts the unit of the form.
    let coder = &schema.coders()[1];
    assert_eq!(
        coder.encode(Cell::Integer(5400)),
        coder.encode(Cell::Text("PT1H30M"))
    );
    assert_eq!(
        coder.encode(Cell::Text("soon")),
        Err(CellProblem::NotADuration)
    );
}

#[test]
fn lengths_of_time_follow_others_of_the_same_unit() {
    let clock = || lengths("a", DurationForm::HoursMinutes, "00:00", "10:00");
    let total = |form| after(lengths("b", form, "0", "900"), &["a"], 0.0, 120.0);
    Schema::new(vec![clock(), total(DurationForm::Minutes)]).unwrap();
    Schema::new(vec![clock(), total(DurationForm::Seconds)]).unwrap_err();
}
