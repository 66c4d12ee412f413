//! Tables in every format, through files and through standard input and output.

use std::io::{Read as _, Write as _};
use std::process::Stdio;

use crate::program::Workplace;

/// A release of the small made-up town, by its quickest engine.
const RELEASE: [&str; 7] = [
    "release", "--engine", "copula", "--seed", "1", "--out", "out",
];

fn released() -> Workplace {
    let here = Workplace::new();
    here.run(&RELEASE).expect(0, "differentially private");
    here
}

const SAMPLE: [&str; 6] = [
    "sample",
    "out/model.safetensors",
    "--seed",
    "5",
    "--rows",
    "300",
];

#[test]
fn rows_on_standard_output_are_those_of_a_file() {
    let here = released();
    here.run(&[&SAMPLE[..], &["--out", "rows.csv"]].concat())
        .expect(0, "300 rows");
    for out in [&["--out", "-"][..], &[]] {
        let run = here.run(&[&SAMPLE[..], out].concat());
        run.expect(0, "300 rows");
        assert_eq!(run.out, here.read("rows.csv"));
        assert!(run.err.contains("costs no budget"), "{}", run.err);
    }
    assert!(!here.path("-").exists());
}

#[test]
fn rows_of_many_parts_are_all_there_and_obey() {
    let here = released();
    let arguments = ["--rows", "140000", "--seed", "5", "--out", "rows.csv"];
    here.run(&[&SAMPLE[..2], &arguments[..]].concat())
        .expect(0, "140000 rows");
    let text = here.read("rows.csv");
    assert_eq!(text.lines().count(), 140_001);
    for line in text.lines().skip(1) {
        let (age, rest) = line.split_once(',').unwrap();
        let old = age.parse::<u32>().unwrap() >= 30;
        assert!(old || rest.starts_with("north,"), "{line}");
    }
}

#[test]
fn a_reader_who_has_seen_enough_ends_the_command_without_a_word() {
    let here = released();
    let arguments = ["--rows", "400000", "--seed", "5", "--out", "-"];
    let mut command = here.command(&[&SAMPLE[..2], &arguments[..]].concat());
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut running = command.spawn().unwrap();
    let mut start = [0; 20];
    let mut rows = running.stdout.take().unwrap();
    rows.read_exact(&mut start).unwrap();
    drop(rows);
    let ended = running.wait_with_output().unwrap();
    assert!(ended.status.success());
    assert_eq!(String::from_utf8_lossy(&ended.stderr), "");
}

#[test]
fn rows_are_the_same_in_every_format() {
    let here = released();
    let mut texts = Vec::new();
    for name in ["a.csv", "a.csv.gz", "a.csv.zst", "a.parquet", "a.arrow"] {
        here.run(&[&SAMPLE[..], &["--out", name]].concat())
            .expect(0, "300 rows");
        // Read back by a release without noise, whose counts are then those of the rows.
        let out = format!("of-{name}");
        let run = here.run(&[
            "release",
            name,
            "--insecure-no-privacy",
            "--engine",
            "copula",
            "--seed",
            "1",
            "--format",
            "csv",
            "--out",
            &out,
        ]);
        run.expect(0, "NOT A PRIVATE RELEASE");
        texts.push(here.read(&format!("{out}/synthetic.csv")));
    }
    assert!(texts.iter().all(|text| *text == texts[0]));
    assert!(texts[0].lines().count() > 100);
    let partial = |name: &str| name.contains("partial");
    let left = here.files().into_iter();
    assert!(
        !left
            .map(|(path, _)| path)
            .any(|path| partial(&path.to_string_lossy()))
    );
    here.run(&[&SAMPLE[..], &["--out", "a.txt"]].concat())
        .expect(2, "DPS1104");
    here.run(&[&SAMPLE[..], &["--out", "a.arrow"]].concat())
        .expect(2, "exists already");
}

#[test]
fn a_release_is_verified_in_every_format() {
    let here = Workplace::new();
    for format in ["csv.gz", "csv.zst", "parquet", "arrow"] {
        let out = format!("out-{format}");
        here.run(&[
            "release",
            "--engine",
            "copula",
            "--epsilon",
            "0.1",
            "--seed",
            "1",
            "--format",
            format,
            "--out",
            &out,
        ])
        .expect(0, "differentially private");
        assert!(here.path(&format!("{out}/synthetic.{format}")).is_file());
        here.run(&["verify", &out]).expect(0, "");
    }
}

#[test]
fn a_table_may_come_through_standard_input() {
    let here = Workplace::new();
    let table = here.read("data.csv");
    here.write("elsewhere.csv", &table);
    std::fs::remove_file(here.path("data.csv")).unwrap();
    let temporary = here.path("temporary");
    std::fs::create_dir(&temporary).unwrap();
    let through = |text: &[u8], out: &str| {
        let mut command = here.command(&["release", "-", "--engine", "copula", "--out", out]);
        command.env("TMPDIR", &temporary);
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        command.stderr(Stdio::piped());
        let mut running = command.spawn().unwrap();
        running.stdin.take().unwrap().write_all(text).unwrap();
        let ended = running.wait_with_output().unwrap();
        let left = std::fs::read_dir(&temporary).unwrap().count();
        assert_eq!(left, 0, "nothing is left of what came in");
        (
            ended.status.code(),
            String::from_utf8_lossy(&ended.stderr).into_owned(),
        )
    };
    assert_eq!(through(table.as_bytes(), "out").0, Some(0));
    here.run(&["verify", "out"]).expect(0, "");
    // A faulty table is refused as one in a file is, and its charge handed back.
    let (code, words) = through(&table.as_bytes()[..table.len() - 8], "faulty");
    assert_eq!(code, Some(2), "{words}");
    assert!(!here.path("faulty").exists());
}
