//! A release is sealed: no byte of it can be changed unseen, and the ledger names it.

use std::path::{Path, PathBuf};
use std::process::Command;

use dpsynth::folder::{Folder, FolderError};
use dpsynth::plan::ReleasePlan;
use dpsynth::policy::{Engine, Policy};
use dpsynth::release::{Progress, Protection, ReleaseRequest, open_ledger, release as run_release};
use dpsynth::verify::{Check, Outcome, verify, verify_files, verify_ledger};
use dpsynth_privacy::ledger::Signature;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use crate::program::{POLICY, Workplace};

const LEDGER: &str = "town.ledger.jsonl";

fn release(here: &Workplace, out: &str) {
    here.run(&[
        "release",
        "--epsilon",
        "1",
        "--engine",
        "copula",
        "--out",
        out,
    ])
    .expect(0, "");
}

fn failures(checks: &[Check]) -> Vec<&Check> {
    let failed = |check: &&Check| matches!(check.outcome, Outcome::Failed { .. });
    checks.iter().filter(failed).collect()
}

fn files(folder: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut files: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .map(|path| (path.clone(), std::fs::read(path).unwrap()))
        .collect();
    files.sort();
    files
}

#[test]
fn a_changed_byte_anywhere_in_a_release_is_found() {
    let here = Workplace::new();
    release(&here, "out");
    let folder = here.path("out");
    let files = files(&folder);
    assert_eq!(files.len(), 8);
    let sound = |checks: Vec<Check>| assert_eq!(failures(&checks), Vec::<&Check>::new());
    sound(verify(&folder, Some(&here.path(LEDGER)), None));
    let byte = (0..files.len(), 0.0..1.0f64, 1..=255u8);
    let mut runner = TestRunner::new(Config::with_cases(600));
    runner
        .run(&byte, |(file, place, difference)| {
            let (path, bytes) = &files[file];
            let offset = (place * bytes.len() as f64) as usize;
            let mut changed = bytes.clone();
            changed[offset] ^= difference;
            std::fs::write(path, &changed).unwrap();
            let found = !failures(&verify_files(&folder)).is_empty();
            std::fs::write(path, bytes).unwrap();
            prop_assert!(found, "byte {offset} of {}", path.display());
            Ok(())
        })
        .unwrap();
    // Every byte of the two short files that hold the others together.
    for (path, bytes) in files.iter().filter(|(_, bytes)| bytes.len() < 1000) {
        for offset in 0..bytes.len() {
            let mut changed = bytes.clone();
            changed[offset] ^= 1;
            std::fs::write(path, &changed).unwrap();
            let found = !failures(&verify_files(&folder)).is_empty();
            assert!(found, "byte {offset} of {}", path.display());
        }
        std::fs::write(path, bytes).unwrap();
    }
    // What is cut off, added or taken away is found too.
    for (path, bytes) in &files {
        std::fs::write(path, &bytes[..bytes.len() - 1]).unwrap();
        assert!(!failures(&verify_files(&folder)).is_empty());
        std::fs::write(path, [&bytes[..], b"\n"].concat()).unwrap();
        assert!(!failures(&verify_files(&folder)).is_empty());
        std::fs::remove_file(path).unwrap();
        assert!(!failures(&verify_files(&folder)).is_empty());
        std::fs::write(path, bytes).unwrap();
    }
    here.write("out/more.txt", "surprise");
    assert!(!failures(&verify_files(&folder)).is_empty());
    std::fs::remove_file(folder.join("more.txt")).unwrap();
    // A folder, and a link to the very bytes.
    std::fs::create_dir(folder.join("more")).unwrap();
    assert!(!failures(&verify_files(&folder)).is_empty());
    std::fs::remove_dir(folder.join("more")).unwrap();
    #[cfg(unix)]
    {
        let (table, elsewhere) = (folder.join("synthetic.csv"), here.path("elsewhere.csv"));
        std::fs::rename(&table, &elsewhere).unwrap();
        std::os::unix::fs::symlink(&elsewhere, &table).unwrap();
        let told = format!("{:?}", verify_files(&folder));
        assert!(told.contains("synthetic.csv is no plain file"), "{told}");
        std::fs::remove_file(&table).unwrap();
        std::fs::rename(&elsewhere, &table).unwrap();
    }
    // What changed is named, once.
    let list = here.read("out/MANIFEST");
    here.write("out/MANIFEST", format!("{list}\n"));
    here.run(&["verify", "out"])
        .expect(4, "changed, missing or added: MANIFEST");
    here.write("out/MANIFEST", &list);
    let table = here.read("out/synthetic.csv");
    here.write("out/synthetic.csv", format!("{table}\n"));
    let told = here.run(&["verify", "out"]);
    told.expect(4, "changed, missing or added: synthetic.csv");
    assert!(!told.out.contains("synthetic.csv, synthetic.csv"));
    here.write("out/synthetic.csv", &table);
    sound(verify(&folder, Some(&here.path(LEDGER)), None));
}

#[test]
fn a_ledger_that_was_rolled_back_is_found_by_itself_and_by_a_release() {
    let here = Workplace::new();
    release(&here, "first");
    let older = here.read(LEDGER);
    let checkpoint = here.read("town.ledger.jsonl.head");
    release(&here, "second");
    let both = [
        "ledger",
        "verify",
        LEDGER,
        "--release",
        "first",
        "--release",
        "second",
    ];
    here.run(&both)
        .expect(0, "ok      second: the ledger names this release");
    here.run(&["ledger", "show"])
        .expect(0, "release with manifest");

    let newest = here.read(LEDGER);
    here.write(LEDGER, &older);
    for arguments in [
        &["ledger", "verify", LEDGER][..],
        &["verify", "first", "--ledger", LEDGER],
    ] {
        here.run(arguments)
            .expect(4, "was cut or replaced by an older copy");
    }
    here.run(&["release", "--epsilon", "1", "--out", "third"])
        .expect(2, "DPS0223");
    here.run(&["ledger", "adopt", LEDGER]).expect(2, "DPS0223");

    // Together with its checkpoint nothing shows but in the release.
    here.write("town.ledger.jsonl.head", &checkpoint);
    here.run(&["ledger", "verify", LEDGER, "--release", "first"])
        .expect(0, "ok      first: the ledger names this release");
    let run = here.run(&both);
    run.expect(4, "FAILED  second: the ledger holds the charge");
    here.run(&["verify", "second", "--ledger", LEDGER])
        .expect(4, "it was cut, or made anew");

    // A torn line is no fault, and is not taken for one.
    here.write(
        LEDGER,
        format!("{older}{}", &newest[older.len()..older.len() + 90]),
    );
    here.run(&["ledger", "verify", LEDGER])
        .expect(0, "skipped the part of a line at the end");
}

#[test]
fn a_ledger_that_was_rolled_back_during_a_release_stops_it() {
    let here = Workplace::new();
    release(&here, "first");
    let (ledger, checkpoint) = (here.path(LEDGER), here.path("town.ledger.jsonl.head"));
    let before = [&ledger, &checkpoint].map(|path| std::fs::read(path).unwrap());
    let policy = Policy::parse(POLICY).unwrap();
    let asked = policy.tighten(None, None, None, None).unwrap();
    let plan = ReleasePlan::new(&policy, &asked, Some(Engine::Copula), 5).unwrap();
    let request = ReleaseRequest {
        policy: &policy,
        plan,
        data: &here.path("data.csv"),
        data_format: None,
        out: &here.path("second"),
        processor: dpsynth_train::Processor::Cpu,
        protection: Protection::Ledger {
            path: ledger.clone(),
            universe: None,
        },
    };
    let stopped = run_release(request, &mut |progress| {
        if progress == Progress::Sampling {
            // The charge is gone, and its checkpoint too: from the files alone nothing shows.
            std::fs::write(&ledger, &before[0]).unwrap();
            std::fs::write(&checkpoint, &before[1]).unwrap();
        }
    });
    assert_eq!(stopped.unwrap_err().code(), "DPS0215");
    assert!(!here.path("second").exists());
    let left = here.files();
    assert!(
        !left
            .iter()
            .any(|(path, _)| path.to_string_lossy().contains("partial"))
    );
}

#[test]
fn a_folder_is_kept_once_it_is_committed_and_removed_before() {
    let here = Workplace::new();
    let begin = || {
        let folder = Folder::begin(&here.path("out")).unwrap();
        folder.write_text("policy.toml", "version = 1").unwrap();
        folder
    };
    let partial = here.path(&format!(".out.partial-{}", std::process::id()));
    let refused = || FolderError::Exists {
        path: here.path("out"),
    };
    let stopped = begin().finish(|_| Err(refused()));
    assert_eq!(stopped.unwrap_err().code(), refused().code());
    assert!(!partial.exists() && !here.path("out").exists());

    let stopped = begin().finish(|manifest| {
        assert!(manifest.ends_with(b"  policy.toml\n"));
        here.write("out", "in the way");
        Ok::<_, FolderError>(None)
    });
    assert_eq!(stopped.unwrap_err().code(), "DPS5024");
    assert!(partial.join("MANIFEST").is_file());
    assert_eq!(here.read("out"), "in the way");
}

#[test]
fn a_committed_folder_whose_signature_cannot_be_written_is_kept() {
    let here = Workplace::new();
    let signature = Signature::from_hex(&"5e".repeat(64)).unwrap();
    let folder = Folder::begin(&here.path("out")).unwrap();
    let partial = here.path(&format!(".out.partial-{}", std::process::id()));
    let stopped = folder.finish(|_| {
        // Something is in the way of the signature.
        std::fs::create_dir(partial.join("MANIFEST.sig")).unwrap();
        Ok::<_, FolderError>(Some(signature))
    });
    let error = stopped.unwrap_err();
    assert_eq!(error.code(), "DPS5025");
    assert!(error.to_string().contains(&signature.to_string()));
    assert!(partial.join("MANIFEST").is_file());
}

#[test]
fn programs_are_told_in_json_and_by_exit_codes() {
    let here = Workplace::new();
    release(&here, "out");
    let json = |arguments: &[&str], code| {
        let run = here.run(arguments);
        run.expect(code, "");
        serde_json::from_str::<serde_json::Value>(&run.out).unwrap()
    };
    let again = json(
        &[
            "release",
            "--epsilon",
            "1",
            "--engine",
            "copula",
            "--out",
            "again",
            "--json",
        ],
        0,
    );
    let written: serde_json::Value = serde_json::from_str(&here.read("again/report.json")).unwrap();
    assert_eq!(again, written);
    let verified = json(
        &["ledger", "verify", LEDGER, "--release", "out", "--json"],
        0,
    );
    assert_eq!(verified["passed"], true);
    let checks = verified["checks"].as_array().unwrap();
    assert!(checks.len() >= 9, "{verified}");
    assert!(
        checks.iter().all(|check| check["outcome"] == "passed"),
        "{verified}"
    );
    let shown = json(&["ledger", "show", "--json"], 0);
    assert_eq!(shown["subject"]["name"], "town");
    let report: serde_json::Value = serde_json::from_str(&here.read("out/report.json")).unwrap();
    assert_eq!(shown["public_key"], report["ledger"]["public_key"]);
    assert_eq!(shown["charges"][0]["id"], report["ledger"]["charge"]);
    assert_eq!(shown["head_hash"].as_str().unwrap().len(), 64);

    let text = here.read(LEDGER);
    here.write(
        LEDGER,
        text.replacen("\"purpose\":\"release\"", "\"purpose\":\"another\"", 1),
    );
    let verified = json(&["ledger", "verify", LEDGER, "--json"], 4);
    assert_eq!(verified["passed"], false);
    here.run(&["ledger", "verify", "nowhere.jsonl"])
        .expect(2, "DPS0202");
    here.run(&["ledger", "verify", LEDGER, "--release", "nowhere"])
        .expect(2, "nowhere");
    // An auditor has the ledger alone, without key and checkpoint.
    here.write("copy.jsonl", &text);
    let verified = json(
        &[
            "ledger",
            "verify",
            "copy.jsonl",
            "--release",
            "out",
            "--json",
        ],
        0,
    );
    let skipped = verified["checks"].as_array().unwrap().iter();
    assert_eq!(
        skipped
            .filter(|check| check["outcome"] == "skipped")
            .count(),
        2
    );
    assert!(failures(&verify_ledger(&here.path("copy.jsonl"), &[]).unwrap()).is_empty());
}

#[test]
fn a_release_signed_by_somebody_else_fails_against_the_ledger() {
    let here = Workplace::new();
    release(&here, "out");
    let there = Workplace::new();
    release(&there, "out");
    let other = there.path("out");
    let other = other.to_str().unwrap();
    // It is whole in itself.
    here.run(&["verify", other]).expect(0, "");
    let shown = here.run(&["ledger", "show", "--json"]).out;
    let shown: serde_json::Value = serde_json::from_str(&shown).unwrap();
    let key = shown["public_key"].as_str().unwrap();
    here.run(&["verify", "out", "--key", key])
        .expect(0, "ok      the key is the one that was given");
    here.run(&["verify", other, "--key", key])
        .expect(4, "FAILED  the key is the one that was given");
    here.run(&["verify", "out", "--key", "abc"]).expect(2, "64");
    here.run(&["verify", other, "--ledger", LEDGER]).expect(
        4,
        "the report names another ledger, or one with another key",
    );
    // Another's signature over the same kind of list is none.
    let signature = there.read("out/MANIFEST.sig");
    here.write("out/MANIFEST.sig", signature);
    here.run(&["verify", "out"]).expect(
        4,
        "FAILED  the manifest is signed with the key that the report names",
    );
}

#[test]
fn the_key_stays_with_the_ledger() {
    let here = Workplace::new();
    release(&here, "out");
    let key = here.read("town.ledger.jsonl.key");
    for (path, bytes) in here.files() {
        let is_key = path.ends_with("town.ledger.jsonl.key");
        let holds = bytes.windows(64).any(|part| part == key.trim().as_bytes());
        assert_eq!(is_key, holds, "{}", path.display());
    }
    std::fs::remove_file(here.path("town.ledger.jsonl.key")).unwrap();
    here.run(&["release", "--epsilon", "1", "--out", "second"])
        .expect(2, "can be verified but not charged");
    here.run(&["ledger", "verify", LEDGER, "--release", "out"])
        .expect(0, "skipped the key beside the ledger is its own");
    here.run(&["ledger", "show"]).expect(0, "spent of 7");
}

#[test]
fn releases_at_once_are_all_charged_and_never_exceed_the_cap() {
    let here = Workplace::new();
    // The cap for life has room for two of them.
    let start = |out: &str| {
        let arguments = [
            "release",
            "--epsilon",
            "3",
            "--engine",
            "copula",
            "--out",
            out,
        ];
        here.command(&arguments).output().unwrap()
    };
    let codes: Vec<i32> = std::thread::scope(|scope| {
        let runs =
            ["a", "b", "c"].map(|out| scope.spawn(move || start(out).status.code().unwrap()));
        runs.into_iter().map(|run| run.join().unwrap()).collect()
    });
    let whole: Vec<&str> = ["a", "b", "c"]
        .into_iter()
        .filter(|out| here.path(out).exists())
        .collect();
    assert_eq!(
        codes.iter().filter(|code| **code == 0).count(),
        2,
        "{codes:?}"
    );
    assert_eq!(
        codes.iter().filter(|code| **code == 1).count(),
        1,
        "{codes:?}"
    );
    assert_eq!(whole.len(), 2);
    let arguments = [
        "ledger",
        "verify",
        LEDGER,
        "--release",
        whole[0],
        "--release",
        whole[1],
    ];
    here.run(&arguments)
        .expect(0, "the ledger names this release");
}

#[test]
fn a_universe_and_its_ledger_go_together() {
    let here = Workplace::new();
    let alone = Policy::parse(POLICY).unwrap();
    let universe =
        "[universe]\nname = \"people\"\nepsilon_for_life = 4\ndelta_for_life = 1e-5\n\n[model]";
    let within = Policy::parse(&POLICY.replace("[model]", universe)).unwrap();
    let (ledger, shared) = (here.path(LEDGER), here.path("people.universe.jsonl"));
    for (policy, shared) in [(&alone, Some(shared.as_path())), (&within, None)] {
        let refused = open_ledger(policy, &ledger, shared).unwrap_err();
        assert_eq!(refused.code(), "DPS5014");
    }
    open_ledger(&within, &ledger, Some(&shared)).unwrap();
}

#[test]
fn two_data_sets_draw_on_one_universe() {
    let here = Workplace::new();
    let universe =
        "[universe]\nname = \"people\"\nepsilon_for_life = 4\ndelta_for_life = 1e-5\n\n[model]";
    let town = POLICY.replace("[model]", universe);
    here.write("dpsynth.toml", &town);
    here.write(
        "village.toml",
        town.replace("name = \"town\"", "name = \"village\""),
    );
    here.run(&["plan", "--epsilon", "3"]).expect(0, "Universe");
    here.run(&["release", "--epsilon", "3", "--out", "a"])
        .expect(0, "remains for `people`");
    let village = |epsilon: &str, out: &str| {
        here.run(&[
            "release",
            "--engine",
            "copula",
            "--policy",
            "village.toml",
            "--epsilon",
            epsilon,
            "--out",
            out,
        ])
    };
    village("3", "b").expect(1, "of the universe `people`");
    assert!(!here.path("b").exists());
    village("0.9", "b").expect(0, "");
    for (folder, ledger) in [("a", LEDGER), ("b", "village.ledger.jsonl")] {
        here.run(&["verify", folder, "--ledger", ledger])
            .expect(0, "ok");
        here.run(&[
            "ledger",
            "verify",
            "people.universe.jsonl",
            "--release",
            folder,
        ])
        .expect(0, "the ledger names this release");
    }
    let shown = here.run(&["ledger", "show", "people.universe.jsonl"]);
    shown
        .expect(0, "Ledger of the universe `people`")
        .expect(0, "`village`, release");
    assert!(here.read("a/report.md").contains("### Universe: people"));
    // A release of a data set that draws on no universe is none of its releases.
    here.write("dpsynth.toml", POLICY);
    here.run(&["release", "--epsilon", "0.5", "--out", "c"])
        .expect(0, "");
    here.run(&[
        "ledger",
        "verify",
        "people.universe.jsonl",
        "--release",
        "c",
    ])
    .expect(4, "draws on no universe");
}

/// The commands of `docs/report.md`, where the programs that they need are at hand.
#[test]
fn openssl_accepts_the_signature() {
    let here = Workplace::new();
    release(&here, "out");
    let report: serde_json::Value = serde_json::from_str(&here.read("out/report.json")).unwrap();
    let key = report["ledger"]["public_key"].as_str().unwrap();
    let bytes = |hex: &str| -> Vec<u8> {
        let pairs = hex.trim().as_bytes().chunks(2);
        let byte = |pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap();
        pairs.map(byte).collect()
    };
    here.write("key.der", bytes(&format!("302a300506032b6570032100{key}")));
    here.write("signature", bytes(&here.read("out/MANIFEST.sig")));
    let openssl = |manifest: &str| {
        Command::new("openssl")
            .args([
                "pkeyutl", "-verify", "-pubin", "-keyform", "DER", "-inkey", "key.der", "-rawin",
            ])
            .args(["-in", manifest, "-sigfile", "signature"])
            .current_dir(here.path(""))
            .output()
    };
    let Ok(checked) = openssl("out/MANIFEST") else {
        skipped();
        return;
    };
    let said = String::from_utf8_lossy(&checked.stderr);
    if said.contains("rawin") || said.contains("unknown option") {
        skipped();
        return;
    }
    assert!(checked.status.success(), "{said}");
    here.write(
        "out/changed",
        here.read("out/MANIFEST").replacen('a', "b", 1),
    );
    assert!(!openssl("out/changed").unwrap().status.success());
}

#[expect(clippy::print_stderr, reason = "a test that is skipped says so")]
fn skipped() {
    eprintln!("SKIPPED openssl_accepts_the_signature: no OpenSSL 3 at hand");
}
