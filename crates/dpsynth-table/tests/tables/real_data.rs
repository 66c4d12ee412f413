//! Public tables of the wild, where they are at hand. `DPSYNTH_DATA` says where.

#![allow(clippy::print_stdout, reason = "a test that is skipped must say so")]

use std::path::PathBuf;

use crate::common::{categorical, column, integer, may_miss, uniform};
use chrono::NaiveDate;
use dpsynth_table::{
    Cells, CodedTable, Column, Dialect, Domain, Format, OutOfDomain, ReadOptions, Schema, Table,
    read, read_header, write,
};

fn data(name: &str) -> Option<PathBuf> {
    let folder = std::env::var_os("DPSYNTH_DATA").map_or_else(
        || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data"),
        PathBuf::from,
    );
    let path = folder.join(name);
    if path.exists() {
        return Some(path);
    }
    println!("skipped: there is no `{name}` in the folder that `DPSYNTH_DATA` names");
    None
}

fn list(text: &str) -> Vec<&str> {
    text.split(' ').collect()
}

fn adult() -> Schema {
    let log = Cells::Log { count: 30 };
    let token = ["?"];
    let countries = "United-States Cambodia England Puerto-Rico Canada Germany \
        Outlying-US(Guam-USVI-etc) India Japan Greece South China Cuba Iran Honduras Philippines \
        Italy Poland Jamaica Vietnam Mexico Portugal Ireland France Dominican-Republic Laos \
        Ecuador Taiwan Haiti Columbia Hungary Guatemala Nicaragua Scotland Thailand Yugoslavia \
        El-Salvador Trinadad&Tobago Peru Hong Holand-Netherlands";
    let occupations = "Tech-support Craft-repair Other-service Sales Exec-managerial \
        Prof-specialty Handlers-cleaners Machine-op-inspct Adm-clerical Farming-fishing \
        Transport-moving Priv-house-serv Protective-serv Armed-Forces";
    let workclasses = "Private Self-emp-not-inc Self-emp-inc Federal-gov Local-gov State-gov \
        Without-pay Never-worked";
    let educations = "Bachelors Some-college 11th HS-grad Prof-school Assoc-acdm Assoc-voc 9th \
        7th-8th 12th Masters 1st-4th 10th Doctorate 5th-6th Preschool";
    let marital = "Married-civ-spouse Divorced Never-married Separated Widowed \
        Married-spouse-absent Married-AF-spouse";
    let relationships = "Wife Own-child Husband Not-in-family Other-relative Unmarried";
    let races = "White Asian-Pac-Islander Amer-Indian-Eskimo Other Black";
    let columns = vec![
        integer("age", 17, 90, Cells::Linear { count: 37 }),
        may_miss(categorical("workclass", &list(workclasses)), &token),
        integer("fnlwgt", 0, 1_500_000, Cells::Linear { count: 50 }),
        categorical("education", &list(educations)),
        integer("education-num", 1, 16, Cells::Each),
        categorical("marital-status", &list(marital)),
        may_miss(categorical("occupation", &list(occupations)), &token),
        categorical("relationship", &list(relationships)),
        categorical("race", &list(races)),
        categorical("sex", &["Female", "Male"]),
        integer("capital-gain", 0, 99_999, log.clone()),
        integer("capital-loss", 0, 5_000, log),
        integer("hours-per-week", 1, 99, Cells::Each),
        may_miss(categorical("native-country", &list(countries)), &token),
        categorical("income", &["<=50K", ">50K"]),
    ];
    Schema::new(columns).unwrap()
}

/// Decodes, writes and reads back, and expects the same codes.
fn survives(schema: &Schema, table: &CodedTable) {
    let drawn = Table::decode(schema, &table.codes, &mut uniform(1));
    let folder = tempfile::tempdir().unwrap();
    for format in Format::ALL {
        let path = folder.path().join("t").with_extension(format.extension());
        write(&drawn, schema, &path, format).unwrap();
        let back = read(&path, schema, ReadOptions::default()).unwrap();
        assert!(back == *table, "{format:?}");
    }
}

#[test]
fn adult_encodes_and_every_value_decodes_to_its_own_cell() {
    let Some(path) = data("adult_train.csv") else {
        return;
    };
    let schema = adult();
    let table = read(&path, &schema, ReadOptions::default()).unwrap();
    assert_eq!(table.rows(), 32_561);
    for (position, code) in table.codes.iter().enumerate() {
        let coder = &schema.coders()[position % table.columns];
        let cell = coder.decode(*code, (position % 97) as f64 / 97.0);
        assert_eq!(coder.encode(cell), Ok(*code));
    }
    survives(&schema, &table);
}

#[test]
fn german_credit_has_a_column_without_a_name() {
    let Some(path) = data("german_credit_data.csv") else {
        return;
    };
    let names = read_header(&path, None, Dialect::default()).unwrap();
    assert_eq!((names.len(), names[0].as_str()), (10, ""));
    let levels = ["little", "moderate", "quite rich", "rich"];
    let purposes = [
        "car",
        "furniture/equipment",
        "radio/TV",
        "domestic appliances",
        "repairs",
        "education",
        "business",
        "vacation/others",
    ];
    let columns = vec![
        integer("Age", 18, 100, Cells::Linear { count: 20 }),
        categorical("Sex", &["male", "female"]),
        categorical("Job", &["0", "1", "2", "3"]),
        categorical("Housing", &["own", "free", "rent"]),
        may_miss(categorical("Saving accounts", &levels), &["NA"]),
        may_miss(categorical("Checking account", &levels), &["NA"]),
        integer("Credit amount", 0, 20_000, Cells::Log { count: 30 }),
        integer("Duration", 1, 120, Cells::Linear { count: 20 }),
        categorical("Purpose", &purposes),
    ];
    let schema = Schema::new(columns).unwrap();
    let options = ReadOptions {
        ignored: vec![String::new()],
        ..ReadOptions::default()
    };
    let table = read(&path, &schema, options).unwrap();
    assert_eq!(table.rows(), 1_000);
    survives(&schema, &table);
}

#[test]
fn taxis_have_timestamps_and_decimals() {
    let Some(path) = data("taxis.csv") else {
        return;
    };
    let day = |text| NaiveDate::parse_from_str(text, "%Y-%m-%d").unwrap();
    let date = |name| {
        let domain = Domain::Date {
            min: day("2019-02-28"),
            max: day("2019-04-01"),
            format: "%Y-%m-%d %H:%M:%S".to_owned(),
            cells: Cells::Each,
        };
        column(name, domain)
    };
    let money = |name, max| {
        let domain = Domain::Float {
            min: 0.0,
            max,
            decimals: Some(2),
            cells: Cells::Log { count: 40 },
        };
        Column {
            out_of_domain: OutOfDomain::Clip,
            ..column(name, domain)
        }
    };
    let columns = vec![
        date("pickup"),
        date("dropoff"),
        integer("passengers", 0, 9, Cells::Each),
        money("distance", 100.0),
        money("fare", 500.0),
        money("tip", 200.0),
        money("tolls", 100.0),
        money("total", 1000.0),
        may_miss(categorical("payment", &["credit card", "cash"]), &[]),
    ];
    let schema = Schema::new(columns).unwrap();
    let ignored = [
        "color",
        "pickup_zone",
        "dropoff_zone",
        "pickup_borough",
        "dropoff_borough",
    ];
    let options = ReadOptions {
        ignored: ignored.map(str::to_owned).to_vec(),
        ..ReadOptions::default()
    };
    let table = read(&path, &schema, options).unwrap();
    assert_eq!(table.rows(), 6_433);
    survives(&schema, &table);
}
