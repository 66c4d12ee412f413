//! Tables that are drawn, checked, written and read back.

use crate::common::{categorical, column, integer, may_miss, uniform};
use chrono::NaiveDate;
use dpsynth_table::{
    CellProblem, Cells, Domain, Format, ReadOptions, Schema, Table, TableError, TableWriter,
    Values, WriteError, read, write,
};
use polars::prelude::{Column as FrameColumn, DataFrame, DataType, NamedFrom as _, Series};

fn day(text: &str) -> NaiveDate {
    NaiveDate::parse_from_str(text, "%Y-%m-%d").unwrap()
}

fn schema() -> Schema {
    let float = |decimals, cells| Domain::Float {
        min: -0.5,
        max: 99.95,
        decimals,
        cells,
    };
    let date = |format: &str, count| Domain::Date {
        min: day("1969-12-01"),
        max: day("2031-02-28"),
        format: format.to_owned(),
        cells: Cells::Linear { count },
    };
    let columns = vec![
        may_miss(
            categorical("", &["plain", "a,b", "\"q\"", "two\nlines", " x ", "\r"]),
            &["N/A, x"],
        ),
        may_miss(categorical("empty is a value", &["", "b"]), &["?"]),
        integer("n", -50, 5_000, Cells::Log { count: 20 }),
        may_miss(integer("m,\"x\"", 1, 3, Cells::Each), &[]),
        column("two", float(Some(2), Cells::Linear { count: 30 })),
        may_miss(
            column("all", float(None, Cells::Log { count: 30 })),
            &["-9"],
        ),
        column("day", date("%d/%m/%Y", 50)),
        may_miss(column("time", date("%b %e, %Y %H:%M", 1000)), &["never"]),
    ];
    Schema::new(columns).unwrap()
}

fn codes(schema: &Schema, rows: usize, seed: u64) -> Vec<u16> {
    let mut uniform = uniform(seed);
    let counts = schema.codes();
    let draw = |count: &u32| (uniform() * f64::from(*count)) as u16;
    counts
        .iter()
        .cycle()
        .take(rows * counts.len())
        .map(draw)
        .collect()
}

#[test]
fn what_is_written_reads_back() {
    let schema = schema();
    let codes = codes(&schema, 3_000, 1);
    let table = Table::decode(&schema, &codes, &mut uniform(2));
    assert_eq!(table.conforms(&schema), Ok(()));
    let folder = tempfile::tempdir().unwrap();
    for format in Format::ALL {
        let path = folder.path().join("t").with_extension(format.extension());
        write(&table, &schema, &path, format).unwrap();
        let back = read(&path, &schema, ReadOptions::default()).unwrap();
        let departure = back
            .codes
            .iter()
            .zip(&codes)
            .position(|(back, code)| back != code);
        assert_eq!(
            departure.map(|at| at % schema.columns().len()),
            None,
            "{format:?}"
        );
        assert_eq!(back.codes.len(), codes.len());
    }
}

#[test]
fn a_table_of_one_column_reads_back() {
    let columns = vec![may_miss(categorical("x", &["a", "b"]), &[])];
    let schema = Schema::new(columns).unwrap();
    let codes = [2, 0, 2, 2, 1, 2];
    let table = Table::decode(&schema, &codes, &mut uniform(3));
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("t.csv");
    write(&table, &schema, &path, Format::Csv).unwrap();
    let back = read(&path, &schema, ReadOptions::default()).unwrap();
    assert_eq!(back.codes, codes);
}

#[test]
fn values_are_written_as_declared() {
    let schema = schema();
    let codes = [1, 0, 0, 1, 0, 30, 0, 0, 6, 2, 3, 3, 29, 0, 49, 1000];
    let table = Table::decode(&schema, &codes, &mut || 0.0);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("t.csv");
    write(&table, &schema, &path, Format::Csv).unwrap();
    let text = std::fs::read_to_string(&path).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(
        lines[0],
        ",empty is a value,n,\"m,\"\"x\"\"\",two,all,day,time"
    );
    assert_eq!(
        lines[1],
        "\"a,b\",,-50,2,-0.50,-9,01/12/1969,\"Dec  1, 1969 00:00\""
    );
    assert!(lines[2].starts_with("\"N/A, x\",?,"), "{}", lines[2]);
    assert!(lines[2].ends_with(",never"), "{}", lines[2]);
}

#[test]
fn what_is_written_in_parts_is_one_table() {
    let schema = schema();
    let codes = codes(&schema, 3_000, 1);
    let width = schema.columns().len();
    let folder = tempfile::tempdir().unwrap();
    for format in Format::ALL {
        let path = folder.path().join("t").with_extension(format.extension());
        let mut writer = TableWriter::create(&path, &schema, format).unwrap();
        for part in [&codes[..width], &codes[width..width], &codes[width..]] {
            let part = Table::decode(&schema, part, &mut uniform(2));
            writer.write(&part).unwrap();
        }
        writer.finish().unwrap();
        let back = read(&path, &schema, ReadOptions::default()).unwrap();
        assert!(back.codes == codes, "{format:?}");
    }
    // The text is the same as that of the whole.
    let written = |parts: &[&[u16]]| {
        let path = folder.path().join("parts.csv");
        let mut writer = TableWriter::create(&path, &schema, Format::Csv).unwrap();
        for part in parts {
            let part = Table::decode(&schema, part, &mut || 0.25);
            writer.write(&part).unwrap();
        }
        writer.finish().unwrap();
        std::fs::read(&path).unwrap()
    };
    let (first, second) = codes.split_at(100 * width);
    assert!(written(&[first, second]) == written(&[&codes]));
    assert!(written(&[first]) != written(&[&codes]));
}

#[test]
fn damaged_columnar_files_are_refused_without_a_panic() {
    let schema = schema();
    let table = Table::decode(&schema, &codes(&schema, 300, 1), &mut uniform(2));
    let folder = tempfile::tempdir().unwrap();
    for (format, code) in [(Format::Parquet, "DPS1113"), (Format::Arrow, "DPS1120")] {
        let path = folder.path().join("t").with_extension(format.extension());
        write(&table, &schema, &path, format).unwrap();
        let whole = std::fs::read(&path).unwrap();
        for cut in [1, 9, whole.len() / 2, whole.len() - 1] {
            std::fs::write(&path, &whole[..cut]).unwrap();
            let error = read(&path, &schema, ReadOptions::default()).unwrap_err();
            assert_eq!(error.code(), code, "{format:?} cut at {cut}");
        }
        if format == Format::Parquet {
            // A changed length can make polars ask for more memory than there is, which ends the process.
            continue;
        }
        // Whatever a changed byte does, nothing panics, and what is read lies in its domain.
        let mut refused = 0;
        for at in (0..whole.len()).step_by(whole.len() / 200) {
            let mut bytes = whole.clone();
            bytes[at] ^= 0x55;
            std::fs::write(&path, &bytes).unwrap();
            match read(&path, &schema, ReadOptions::default()) {
                Ok(table) => assert!(
                    (table.codes.chunks_exact(table.columns))
                        .flat_map(|row| row.iter().zip(schema.codes()))
                        .all(|(&code, size)| u32::from(code) < size)
                ),
                Err(_) => refused += 1,
            }
        }
        assert!(refused > 20, "{format:?}: only {refused} changes mattered");
    }
}

#[test]
fn a_table_without_rows_is_written() {
    let schema = schema();
    let table = Table::decode(&schema, &[], &mut || 0.0);
    let folder = tempfile::tempdir().unwrap();
    for format in Format::ALL {
        let path = folder.path().join("t").with_extension(format.extension());
        write(&table, &schema, &path, format).unwrap();
        assert_eq!(
            read(&path, &schema, ReadOptions::default()).unwrap().rows(),
            0
        );
    }
}

#[test]
fn a_table_survives_a_data_frame() {
    let schema = schema();
    let table = Table::decode(&schema, &codes(&schema, 500, 4), &mut uniform(5));
    let frame = table.to_dataframe();
    let types: Vec<DataType> = frame.dtypes();
    assert_eq!(types[0], DataType::String);
    assert_eq!(types[2], DataType::Int64);
    assert_eq!(types[4], DataType::Float64);
    assert_eq!(types[6], DataType::Date);
    assert_eq!(Table::from_dataframe(&frame, &schema).unwrap(), table);
}

fn frame(columns: Vec<Series>) -> DataFrame {
    let columns: Vec<FrameColumn> = columns.into_iter().map(FrameColumn::from).collect();
    DataFrame::new(columns[0].len(), columns).unwrap()
}

#[test]
fn computed_columns_are_brought_to_their_kind() {
    let total = Domain::Float {
        min: 0.0,
        max: 10.0,
        decimals: Some(2),
        cells: Cells::Linear { count: 10 },
    };
    let columns = vec![integer("n", 0, 9, Cells::Each), column("total", total)];
    let schema = Schema::new(columns).unwrap();
    let computed = frame(vec![
        Series::new("total".into(), [0.1 + 0.2, 3.0]),
        Series::new("n".into(), [2.0, 9.0]),
    ]);
    let table = Table::from_dataframe(&computed, &schema).unwrap();
    assert_eq!(
        table.columns()[0].values,
        Values::Integer(vec![Some(2), Some(9)])
    );
    assert_eq!(
        table.columns()[1].values,
        Values::Float(vec![Some(0.3), Some(3.0)])
    );
    assert_eq!(table.conforms(&schema), Ok(()));
}

#[test]
fn tables_that_do_not_conform_are_not_written() {
    let columns = vec![
        integer("n", 0, 9, Cells::Each),
        categorical("c", &["a", "b"]),
    ];
    let schema = Schema::new(columns).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("t.csv");
    let letters = || Series::new("c".into(), ["a", "b"]);
    let (column, record) = ("n".to_owned(), 2);
    let problem = CellProblem::AboveMaximum;
    let cases = [
        (
            Series::new("n".into(), [9i64, 10]),
            TableError::OutOfDomain {
                column: column.clone(),
                record,
                problem,
            },
        ),
        (
            Series::new("n".into(), [Some(9i64), None]),
            TableError::MissingCell { column, record },
        ),
    ];
    for (numbers, source) in cases {
        let table = Table::from_dataframe(&frame(vec![numbers, letters()]), &schema).unwrap();
        assert_eq!(table.conforms(&schema), Err(source.clone()));
        let found = write(&table, &schema, &path, Format::Csv);
        assert_eq!(found, Err(WriteError::Nonconforming { source }));
        assert!(!path.exists());
    }
    let other = schema.select(&["c", "n"]).unwrap();
    let table = Table::decode(&other, &[0, 0], &mut || 0.0);
    assert_eq!(table.conforms(&schema).unwrap_err().code(), "DPS1109");
}

#[test]
fn data_frames_that_cannot_be_tables_are_refused() {
    let columns = vec![
        integer("n", 0, 9, Cells::Each),
        categorical("c", &["a", "b"]),
    ];
    let schema = Schema::new(columns).unwrap();
    let numbers = || Series::new("n".into(), [1i64]);
    let letter = |letter: &str| Series::new("c".into(), [letter]);
    for (columns, code) in [
        (vec![numbers()], "DPS1109"),
        (
            vec![numbers(), letter("a"), Series::new("x".into(), [1i64])],
            "DPS1109",
        ),
        (vec![numbers(), letter("z")], "DPS1115"),
        (vec![Series::new("n".into(), [1.5]), letter("a")], "DPS1115"),
        (
            vec![Series::new("n".into(), ["one"]), letter("a")],
            "DPS1115",
        ),
    ] {
        let found = Table::from_dataframe(&frame(columns), &schema).unwrap_err();
        assert_eq!(found.code(), code, "{found}");
    }
}

#[test]
fn a_folder_that_is_not_there_is_an_error() {
    let schema = schema();
    let table = Table::decode(&schema, &[], &mut || 0.0);
    let path = std::path::Path::new("absent/t.csv");
    let found = write(&table, &schema, path, Format::Csv).unwrap_err();
    assert_eq!(found.code(), "DPS1202");
}
