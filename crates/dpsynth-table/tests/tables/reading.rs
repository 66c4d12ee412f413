//! Files that are read, and files that are refused with the right error.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use crate::common::{categorical, integer, may_miss};
use dpsynth_table::{
    CellProblem, Cells, CodedTable, Column, Dialect, Encoding, Format, OutOfDomain, OwnedTable,
    OwnerColumn, ReadOptions, Schema, TableError, read, read_header, read_owned,
};
use flate2::{Compression, write::GzEncoder};
use polars::prelude::{Column as FrameColumn, DataFrame, NamedFrom as _, ParquetWriter, Series};
use tempfile::TempDir;

const SECRET: &str = "Sm1thers";

fn schema() -> Schema {
    let columns = vec![
        integer("age", 0, 9, Cells::Each),
        may_miss(categorical("sex", &["f", "m"]), &["?"]),
    ];
    Schema::new(columns).unwrap()
}

fn file(name: &str, bytes: &[u8]) -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name);
    std::fs::write(&path, bytes).unwrap();
    (folder, path)
}

fn read_bytes(bytes: &[u8], schema: &Schema) -> Result<CodedTable, TableError> {
    let (_folder, path) = file("t.csv", bytes);
    read(&path, schema, ReadOptions::default())
}

fn fault(text: &str) -> TableError {
    let error = read_bytes(text.as_bytes(), &schema()).unwrap_err();
    for shown in [error.to_string(), format!("{error:?}")] {
        assert!(!shown.contains(SECRET), "{shown}");
    }
    assert!(error.to_string().contains("; "), "{error}");
    error
}

#[test]
fn files_of_many_shapes_are_read() {
    for text in [
        "age,sex\n1,f\n2,?\n3,\n",
        "\u{feff}age,sex\n1,f\n2,?\n3,",
        "age,sex\r\n1,f\r\n2,?\r\n3,\r\n\r\n",
        "sex,age\nf,1\n?,2\n,3\n\n\n",
        "\"age\",\"sex\"\n\" 1\",\"f\"\n\"2.0\",\"?\"\n3,\"\"\n",
    ] {
        let table = read_bytes(text.as_bytes(), &schema()).unwrap();
        assert_eq!(table.codes, [1, 0, 2, 2, 3, 2], "{text:?}");
        assert_eq!((table.rows(), table.columns), (3, 2));
    }
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

#[test]
fn compressed_files_are_read_whatever_their_name() {
    let text = b"age,sex\n1,f\n2,?\n3,\n";
    // Two members in one file, as parallel compressors write.
    let two = [gzip(&text[..9]), gzip(&text[9..])].concat();
    let zstd = |text| zstd::stream::encode_all(text, 3).unwrap();
    let two_frames = [zstd(&text[..9]), zstd(&text[9..])].concat();
    for (name, bytes) in [
        ("t.csv.gz", gzip(text)),
        ("t.CSV.GZ", two),
        ("t.csv", gzip(text)),
        ("t.csv.zst", zstd(text)),
        ("t.csv", two_frames),
    ] {
        let (_folder, path) = file(name, &bytes);
        assert_eq!(
            read_header(&path, None, Dialect::default()).unwrap(),
            ["age", "sex"]
        );
        let table = read(&path, &schema(), ReadOptions::default()).unwrap();
        assert_eq!(table.codes, [1, 0, 2, 2, 3, 2], "{name}");
    }
    for whole in [gzip(text), zstd(text)] {
        for cut in [5, 12, whole.len() - 4] {
            let (_folder, path) = file("t.csv.gz", &whole[..cut]);
            let error = read(&path, &schema(), ReadOptions::default()).unwrap_err();
            assert_eq!(error.code(), "DPS1102", "{cut}");
        }
    }
    assert!(Format::of_path(Path::new("t.parquet.gz")).is_err());
}

/// Reads a table whose cells are quoted by `'` and separated by `|`.
fn read_encoded(encoding: Encoding, bytes: &[u8], schema: &Schema) -> Result<Vec<u16>, TableError> {
    let dialect = Dialect {
        delimiter: b'|',
        quote: b'\'',
        encoding,
    };
    let (_folder, path) = file("t.csv", bytes);
    let options = ReadOptions {
        dialect,
        ..ReadOptions::default()
    };
    read(&path, schema, options).map(|table| table.codes)
}

#[test]
fn quotes_and_encodings_are_as_stated() {
    let text = "age|sex|'a ''b'''\n1|'f'|\"\n2|m|'é\n|'\n";
    let schema = Schema::new(vec![
        integer("age", 0, 9, Cells::Each),
        categorical("sex", &["f", "m"]),
        categorical("a 'b'", &["\"", "é\n|"]),
    ])
    .unwrap();
    let utf16: Vec<u8> = text.encode_utf16().flat_map(u16::to_be_bytes).collect();
    let narrow: Vec<u8> = text.chars().map(|c| c as u8).collect();
    for (encoding, bytes) in [
        (Encoding::Utf8, text.as_bytes().to_vec()),
        (Encoding::Utf8, [b"\xef\xbb\xbf", text.as_bytes()].concat()),
        (Encoding::Utf16, [b"\xfe\xff", utf16.as_slice()].concat()),
        (Encoding::Latin1, narrow.clone()),
        (Encoding::Windows1252, gzip(&narrow)),
    ] {
        let codes = read_encoded(encoding, &bytes, &schema);
        assert_eq!(codes.unwrap(), [1, 0, 0, 2, 1, 1], "{encoding:?}");
    }
    // What is not of the encoding is not guessed at.
    let found = |encoding, bytes: &[u8]| {
        let error = read_encoded(encoding, bytes, &schema).unwrap_err();
        error.code()
    };
    assert_eq!(found(Encoding::Utf8, &narrow), "DPS1106");
    assert_eq!(found(Encoding::Utf16, b"a\0g\0\x00\xd8e\0"), "DPS1119");
    assert_eq!(found(Encoding::Latin1, &utf16), "DPS1112");
}

fn read_by(name: &str, bytes: &[u8], owner: &str) -> Result<OwnedTable, TableError> {
    let (_folder, path) = file(name, bytes);
    let owner = OwnerColumn {
        name: owner.to_owned(),
        missing_tokens: vec!["nobody".to_owned()],
    };
    let schema = schema().select(&["age"]).unwrap();
    let options = ReadOptions {
        ignored: vec!["sex".to_owned(), owner.name.clone()],
        ..ReadOptions::default()
    };
    read_owned(&path, &schema, options, &owner)
}

#[test]
fn rows_of_the_same_owner_are_told() {
    let text = "sex,id,age\nf,x,1\nm, y,2\n?,x ,3\n,\"y\",4\nf,X,5\n";
    let owned = read_by("t.csv", text.as_bytes(), "id").unwrap();
    assert_eq!(owned.table.codes, [1, 2, 3, 4, 5]);
    assert_eq!(owned.owners, [0, 1, 0, 1, 2]);
    assert_eq!(format!("{owned:?}"), "CodedTable { columns: 1, .. }");
    for nobody in ["", " ", "nobody"] {
        let error = read_by(
            "t.csv",
            format!("id,age\nx,1\n{nobody},2\n").as_bytes(),
            "id",
        );
        let error = error.unwrap_err();
        assert_eq!(error.code(), "DPS1116", "{nobody:?}");
        assert!(
            error.to_string().contains("record 2, column `id`"),
            "{error}"
        );
    }
    let error = read_by("t.csv", b"age,sex\n1,f\n", "id").unwrap_err();
    assert_eq!(error.code(), "DPS1109");
}

#[test]
fn owners_may_be_numbers_in_parquet_but_no_days() {
    let owners = Series::new("id".into(), [7i64, 9, 7]);
    let days = Series::new("day".into(), [1i32, 2, 3])
        .cast(&polars::prelude::DataType::Date)
        .unwrap();
    let ages = Series::new("age".into(), [1i64, 2, 3]);
    let columns = [owners, days, ages].map(FrameColumn::from).to_vec();
    let mut frame = DataFrame::new(3, columns).unwrap();
    let mut bytes = Vec::new();
    ParquetWriter::new(&mut bytes).finish(&mut frame).unwrap();
    let (_folder, path) = file("t.parquet", &bytes);
    let read = |owner: &str| {
        let owner = OwnerColumn {
            name: owner.to_owned(),
            missing_tokens: vec![],
        };
        let options = ReadOptions {
            ignored: vec!["id".to_owned(), "day".to_owned()],
            ..ReadOptions::default()
        };
        read_owned(&path, &schema().select(&["age"]).unwrap(), options, &owner)
    };
    assert_eq!(read("id").unwrap().owners, [0, 1, 0]);
    assert_eq!(read("day").unwrap_err().code(), "DPS1114");
}

#[test]
fn a_header_alone_is_a_table_without_rows() {
    for text in ["age,sex", "age,sex\n", "age,sex\r\n\r\n"] {
        assert_eq!(read_bytes(text.as_bytes(), &schema()).unwrap().rows(), 0);
    }
}

#[test]
fn ignored_columns_may_be_there_or_not() {
    let options = ReadOptions {
        dialect: Dialect {
            delimiter: b';',
            ..Dialect::default()
        },
        ignored: vec![String::new(), "absent".to_owned()],
        ..ReadOptions::default()
    };
    let (_folder, path) = file("t.csv", b";age;sex\n0;1;f\n\"a;b\";2;m\n");
    let table = read(&path, &schema(), options).unwrap();
    assert_eq!(table.codes, [1, 0, 2, 1]);
}

#[test]
fn one_column_may_have_blank_records() {
    let columns = vec![may_miss(categorical("x", &["a", "b\nc"]), &[])];
    let schema = Schema::new(columns).unwrap();
    let table = read_bytes(b"x\n\na\n\n\"b\nc\"\n\n", &schema).unwrap();
    assert_eq!(table.codes, [2, 0, 2, 1, 2]);
    let table = read_bytes(b"x\r\n\r\n\"\"\r\na", &schema).unwrap();
    assert_eq!(table.codes, [2, 2, 0]);
}

#[test]
fn quotes_and_line_ends_inside_cells_are_kept() {
    let categories = ["a,b", "say \"x\"", "two\r\nlines", " pad ", "ä"];
    let columns = vec![
        categorical("x", &categories),
        integer("n", 0, 9, Cells::Each),
    ];
    let schema = Schema::new(columns).unwrap();
    let text = "x,n\n\"a,b\",0\n\"say \"\"x\"\"\",1\n\"two\r\nlines\",2\n pad ,3\nä,4\n";
    let table = read_bytes(text.as_bytes(), &schema).unwrap();
    assert_eq!(table.codes, [0, 0, 1, 1, 2, 2, 3, 3, 4, 4]);
}

#[test]
fn many_records_keep_their_order() {
    let mut text = "age,sex\n".to_owned();
    for row in 0..200_000 {
        text.push_str(&format!(
            "{},{}\n",
            row % 10,
            if row % 3 == 0 { "\"f\"" } else { "m" }
        ));
    }
    let table = read_bytes(text.as_bytes(), &schema()).unwrap();
    assert_eq!(table.rows(), 200_000);
    for (row, codes) in table.codes.chunks(2).enumerate() {
        assert_eq!(codes, [(row % 10) as u16, u16::from(row % 3 != 0)]);
    }
}

#[test]
fn missing_and_empty_files_are_told_apart() {
    let absent = Path::new("absent.csv");
    let path = absent.to_owned();
    assert_eq!(
        read(absent, &schema(), ReadOptions::default()),
        Err(TableError::MissingFile { path })
    );
    let folder = tempfile::tempdir().unwrap();
    let options = ReadOptions {
        format: Some(Format::Csv),
        ..ReadOptions::default()
    };
    let found = read(folder.path(), &schema(), options).unwrap_err();
    assert_eq!(found.code(), "DPS1102");
    for text in ["", "\n", "\u{feff}"] {
        assert_eq!(fault(text), TableError::EmptyFile);
    }
}

#[test]
fn unsupported_names_and_delimiters_are_refused() {
    for name in ["t.parquet.gz", "t.gz", "t.xlsx", "t"] {
        let found = read(Path::new(name), &schema(), ReadOptions::default()).unwrap_err();
        assert_eq!(found.code(), "DPS1104", "{name}");
    }
    let (_folder, path) = file("t.csv", b"age,sex\n");
    for delimiter in [b'"', b'\n', 0xe4] {
        let dialect = Dialect {
            delimiter,
            ..Dialect::default()
        };
        let found = read_header(&path, None, dialect).unwrap_err();
        assert_eq!(found, TableError::UnsupportedDelimiter);
    }
    for quote in [b',', b'\n', b'a', b' ', 0xe4] {
        let dialect = Dialect {
            quote,
            ..Dialect::default()
        };
        let found = read_header(&path, None, dialect).unwrap_err();
        assert_eq!(found, TableError::UnsupportedQuote);
    }
}

#[test]
fn wrong_headers_name_the_columns() {
    let columns = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
    assert_eq!(
        fault("age,gender,\n1,f,0\n"),
        TableError::WrongHeader {
            missing: columns(&["sex"]),
            unexpected: columns(&["gender", ""]),
        }
    );
    let (first, second) = (1, 3);
    assert_eq!(
        fault("age,sex,age\n1,f,1\n"),
        TableError::DuplicatedColumn { first, second }
    );
}

#[test]
fn a_first_record_of_data_is_not_shown() {
    assert_eq!(
        fault(&format!("1,{SECRET}\n2,f\n")),
        TableError::HeaderNotFound
    );
    assert_eq!(
        fault(&format!("age,sex\r{SECRET},f\r")),
        TableError::UnsupportedLineEnds
    );
    assert_eq!(fault("age;sex\n1;f\n"), TableError::HeaderNotFound);
    let found = fault(&format!("{SECRET},{SECRET}\n2,f\n"));
    assert_eq!(found.code(), "DPS1107");
}

#[test]
fn faults_of_structure_name_the_record() {
    let record = 2;
    for text in ["1,f\n2\n", "1,f\n2,f,f\n", "1,f\n\n2,f\n"] {
        let found = fault(&format!("age,sex\n{text}"));
        assert_eq!(found, TableError::RaggedRecord { record });
    }
    for text in ["1,f\n2,\"f\n", "1,f\n2,f\"\n", "1,f\n2,\"f\"m\n"] {
        let found = fault(&format!("age,sex\n{text}{SECRET},f\n"));
        let record = Some(record);
        assert_eq!(found, TableError::MalformedQuotes { record });
    }
    let found = read_bytes(b"age,sex\n1,f\n2,\xe4\n", &schema());
    assert_eq!(found, Err(TableError::NotUtf8 { record: Some(2) }));
    let found = read_bytes(b"\xff\xfea\0g\0e\0", &schema());
    assert_eq!(found, Err(TableError::NotUtf8 { record: None }));
}

#[test]
fn huge_cells_are_refused() {
    let huge = "x".repeat((1 << 20) + 1);
    let (record, column) = (Some(1), 2);
    assert_eq!(
        fault(&format!("age,sex\n1,{huge}\n")),
        TableError::HugeCell { record, column }
    );
    assert_eq!(
        fault(&format!("age,sex\n1,\"{huge}\"\n")),
        TableError::HugeCell { record, column }
    );
    let (record, column) = (None, 1);
    assert_eq!(
        fault(&format!("{huge},sex\n1,f\n")),
        TableError::HugeCell { record, column }
    );
    let large = "x".repeat(1 << 20);
    assert_eq!(fault(&format!("age,sex\n1,{large}\n")).code(), "DPS1115");
}

#[test]
fn faulty_cells_name_column_and_record() {
    for (cells, column, problem) in [
        (SECRET, "age", CellProblem::NotANumber),
        ("NaN", "age", CellProblem::NotANumber),
        ("inf", "age", CellProblem::NotANumber),
        ("1.5", "age", CellProblem::NotWhole),
        ("-1", "age", CellProblem::BelowMinimum),
        ("1e308", "age", CellProblem::AboveMaximum),
    ] {
        let column = column.to_owned();
        let found = fault(&format!("age,sex\n1,f\n{cells},f\n"));
        let record = 2;
        assert_eq!(
            found,
            TableError::OutOfDomain {
                column,
                record,
                problem
            }
        );
    }
    let (column, record) = ("age".to_owned(), 1);
    assert_eq!(
        fault("age,sex\n,f\n"),
        TableError::MissingCell { column, record }
    );
    let column = "sex".to_owned();
    let problem = CellProblem::NotListed;
    assert_eq!(
        fault(&format!("age,sex\n1,{SECRET}\n")),
        TableError::OutOfDomain {
            column,
            record,
            problem
        }
    );
}

#[test]
fn what_a_clipped_column_cannot_clip_is_said_so() {
    let age = Column {
        out_of_domain: OutOfDomain::Clip,
        ..integer("age", 0, 9, Cells::Each)
    };
    let schema = Schema::new(vec![age]).unwrap();
    assert_eq!(read_bytes(b"age\n-5\n99\n", &schema).unwrap().codes, [0, 9]);
    let found = read_bytes(b"age\n-5\nold\n", &schema).unwrap_err();
    assert_eq!(
        found.to_string(),
        "record 2, column `age`: the cell is not a finite number; correct the record, name it \
         among the missing tokens, or set `out_of_domain` to `missing` (it cannot be clipped)"
    );
}

#[test]
fn the_header_is_read_without_the_records() {
    let (_folder, path) = file("t.csv", b"\xef\xbb\xbf,\"a\nb\",c\r\n\xff\xff,\"broken");
    assert_eq!(
        read_header(&path, None, Dialect::default()).unwrap(),
        ["", "a\nb", "c"]
    );
    let (_folder, path) = file("t.csv", b"a,b,a\n");
    assert_eq!(
        read_header(&path, None, Dialect::default())
            .unwrap_err()
            .code(),
        "DPS1107"
    );
    let (_folder, path) = file("t.csv", b"");
    assert_eq!(
        read_header(&path, None, Dialect::default()),
        Err(TableError::EmptyFile)
    );
}

fn parquet(columns: Vec<Series>) -> (TempDir, PathBuf) {
    let rows = columns[0].len();
    let columns: Vec<FrameColumn> = columns.into_iter().map(FrameColumn::from).collect();
    let mut frame = DataFrame::new(rows, columns).unwrap();
    let (folder, path) = file("t.parquet", b"");
    let file = std::fs::File::create(&path).unwrap();
    ParquetWriter::new(file).finish(&mut frame).unwrap();
    (folder, path)
}

#[test]
fn parquet_is_read_with_its_own_types() {
    let sex = Series::new("sex".into(), [Some("f"), Some("?"), None]);
    let ages = [
        Series::new("age".into(), [1i64, 2, 3]),
        Series::new("age".into(), [1i32, 2, 3]),
        Series::new("age".into(), [1u64, 2, 3]),
        Series::new("age".into(), [1f64, 2.0, 3.0]),
        Series::new("age".into(), [1f32, 2.0, 3.0]),
        Series::new("age".into(), ["1", " 2", "3.0"]),
    ];
    for age in ages {
        let dtype = age.dtype().clone();
        let (_folder, path) = parquet(vec![sex.clone(), age]);
        let table = read(&path, &schema(), ReadOptions::default()).unwrap();
        assert_eq!(table.codes, [1, 0, 2, 2, 3, 2], "{dtype}");
        assert_eq!(
            read_header(&path, None, Dialect::default()).unwrap(),
            ["sex", "age"]
        );
    }
}

#[test]
fn numbers_and_flags_may_be_categories() {
    let columns = vec![
        categorical("a", &["1", "2"]),
        categorical("b", &["false", "true"]),
    ];
    let schema = Schema::new(columns).unwrap();
    for numbers in [
        Series::new("a".into(), [2i64, 1]),
        Series::new("a".into(), [2f64, 1.0]),
    ] {
        let (_folder, path) = parquet(vec![numbers, Series::new("b".into(), [true, false])]);
        let table = read(&path, &schema, ReadOptions::default()).unwrap();
        assert_eq!(table.codes, [1, 1, 0, 0]);
    }
}

#[test]
fn faulty_parquet_is_refused() {
    let sex = || Series::new("sex".into(), ["f"]);
    let cases = [
        (
            vec![sex(), Series::new("age".into(), [f64::NAN])],
            "DPS1115",
        ),
        (
            vec![sex(), Series::new("age".into(), [u64::MAX])],
            "DPS1115",
        ),
        (
            vec![sex(), Series::new("age".into(), [None::<i64>])],
            "DPS1116",
        ),
        (vec![sex()], "DPS1109"),
        (vec![Series::new("other".into(), ["f"])], "DPS1108"),
    ];
    for (columns, code) in cases {
        let (_folder, path) = parquet(columns);
        let found = read(&path, &schema(), ReadOptions::default()).unwrap_err();
        assert_eq!(found.code(), code, "{found}");
    }
    let days = Series::new("age".into(), [1i32])
        .cast(&polars::prelude::DataType::Date)
        .unwrap();
    let (_folder, path) = parquet(vec![sex(), days]);
    let found = read(&path, &schema(), ReadOptions::default()).unwrap_err();
    let column = "age".to_owned();
    assert_eq!(found, TableError::WrongType { column });
}

#[test]
fn damaged_parquet_is_refused() {
    let (_folder, path) = file("t.parquet", b"");
    let found = read(&path, &schema(), ReadOptions::default());
    assert_eq!(found, Err(TableError::EmptyFile));
    let series = vec![
        Series::new("age".into(), [1i64; 500]),
        Series::new("sex".into(), ["f"; 500]),
    ];
    let (_folder, path) = parquet(series);
    let whole = std::fs::read(&path).unwrap();
    for length in [1, 4, 12, whole.len() / 2, whole.len() - 1] {
        let (_folder, path) = file("t.parquet", &whole[..length]);
        let found = read(&path, &schema(), ReadOptions::default()).unwrap_err();
        assert_eq!(found.code(), "DPS1113", "{length}");
        assert_eq!(
            read_header(&path, None, Dialect::default())
                .unwrap_err()
                .code(),
            "DPS1113"
        );
    }
    let (_folder, path) = file("t.parquet", b"age,sex\n1,f\n");
    let found = read(&path, &schema(), ReadOptions::default()).unwrap_err();
    assert_eq!(found.code(), "DPS1113");
}
