//! Crashes, locks and several releases at once.

use super::*;
use crate::ledger::account::Account;
use crate::ledger::line::{Place as At, Tail, take_apart};
use std::time::Duration;

#[test]
fn a_lock_that_is_held_too_long_is_an_error_and_reading_needs_none() {
    let place = Place::new();
    let ledger = place.open();
    let lock = std::fs::File::open(place.path()).expect("the ledger");
    lock.lock().expect("a lock");
    let opened = Account::open_within(&place.path(), &(&terms()).into(), Duration::from_millis(20));
    let error = opened.expect_err("a lock that nobody gives up");
    assert!(matches!(error, LedgerError::Busy { .. }), "{error}");
    assert_eq!(read(&place.path()), ledger.summary());
    lock.unlock().expect("a lock");
    drop(place.open());
}

#[test]
fn a_lock_is_waited_for() {
    let place = Place::new();
    let mut ledger = place.open();
    let lock = std::fs::File::open(place.path()).expect("the ledger");
    lock.lock().expect("a lock");
    std::thread::scope(|scope| {
        scope.spawn(|| {
            std::thread::sleep(Duration::from_millis(100));
            lock.unlock().expect("a lock");
        });
        let _ = charge(&mut ledger);
    });
    assert_eq!(read(&place.path()).charges.len(), 1);
}

#[test]
fn a_commit_waits_longer_than_a_charge_does() {
    let place = Place::new();
    let mut ledger = place.open();
    let paid = ledger.reserve(request()).expect("a charge");
    ledger.account.patience = Duration::from_millis(20);
    let lock = std::fs::File::open(place.path()).expect("the ledger");
    lock.lock().expect("a lock");
    let busy = ledger.reserve(request()).expect_err("a lock that is held");
    assert!(matches!(busy, LedgerError::Busy { .. }), "{busy}");
    std::thread::scope(|scope| {
        scope.spawn(|| {
            std::thread::sleep(Duration::from_millis(200));
            lock.unlock().expect("a lock");
        });
        (ledger.commit(paid, b"0123  file\n")).expect("a commit that waited");
    });
}

#[test]
fn threads_charge_one_ledger_at_once_and_never_exceed_the_cap() {
    let place = Place::new();
    // The cap on delta admits ten charges of those that are asked for.
    let granted: usize = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..4)
            .map(|_| {
                scope.spawn(|| {
                    let mut ledger = place.open();
                    let asked = (0..4).map(|_| match ledger.record_charge(request()) {
                        Ok(_) => 1,
                        Err(LedgerError::OverCap { .. }) => 0,
                        Err(error) => panic!("{error}"),
                    });
                    asked.sum::<usize>()
                })
            })
            .collect();
        let joined = threads
            .into_iter()
            .map(|thread| thread.join().expect("no panic"));
        joined.sum()
    });
    assert_eq!(granted, 10);
    let summary = read(&place.path());
    assert_eq!(summary.charges.len(), 10);
    assert_eq!((summary.spent_delta, summary.remaining_delta), (1e-5, 0.0));
}

/// The process can be killed, or the disk be full, after any byte of a write.
#[test]
fn a_crash_after_any_byte_never_forgets_a_charge_that_returned() {
    let place = Place::new();
    let mut ledger = place.open();
    let mut returned = vec![place.bytes().len()];
    let mut checkpoints = vec![place.checkpoint()];
    for _ in 0..3 {
        let _ = charge(&mut ledger);
        returned.push(place.bytes().len());
        checkpoints.push(place.checkpoint());
    }
    drop(ledger);
    let bytes = place.bytes();
    let key = std::fs::read(place.beside(".key")).expect("a key");
    for cut in 0..=bytes.len() {
        let parsed = take_apart(&bytes[..cut], At::START).expect("a cut ledger is no corrupt one");
        // A record of which only the line end is missing counts, which errs on the safe side.
        let expected = returned.iter().filter(|length| **length <= cut + 1).count();
        assert_eq!(parsed.records.len(), expected, "cut after {cut}");
        let tail = match returned.iter().any(|length| *length == cut + 1) {
            true => Tail::Unended,
            false if returned.contains(&cut) || cut == 0 => Tail::None,
            false => Tail::Torn,
        };
        assert_eq!(parsed.tail, tail, "cut after {cut}");
    }
    for cut in returned
        .iter()
        .flat_map(|length| [length - 100, length - 2, length - 1, *length])
    {
        let charges = returned
            .iter()
            .filter(|length| **length <= cut + 1)
            .count()
            .saturating_sub(1);
        let place = Place::new();
        drop(place.open());
        std::fs::write(place.beside(".key"), &key).expect("a key");
        place.put(&bytes[..cut]);
        // The checkpoint is written after the line: it knows of what had returned by then.
        let whole = returned.iter().filter(|length| **length <= cut).count();
        let before = match whole.checked_sub(1) {
            Some(last) => &checkpoints[last],
            None => {
                std::fs::remove_file(place.beside(".head")).expect("a checkpoint");
                drop(place.open());
                continue;
            }
        };
        place.put_checkpoint(before);
        let mut ledger = place.open();
        assert_eq!(ledger.summary().charges.len(), charges, "cut after {cut}");
        let _ = charge(&mut ledger);
        let summary = ledger.summary();
        assert_eq!(summary.charges.len(), charges + 1);
        assert_eq!(read(&place.path()), summary);
    }
}

#[test]
fn a_torn_line_is_set_aside() {
    let place = Place::new();
    let _ = charge(&mut place.open());
    let whole = place.bytes();
    for number in 1..=2 {
        let torn = &b"{\"kind\":\"charge\",\"sequence\":2,"[..20 + number];
        place.put(&[&whole, torn].concat());
        assert_eq!(read(&place.path()).charges.len(), 1);
        assert_eq!(place.open().summary().charges.len(), 1);
        assert_eq!(place.bytes(), whole);
        let aside = place
            .folder
            .path()
            .join(format!("demo.ledger.jsonl.torn-{number}"));
        assert_eq!(std::fs::read(aside).expect("the torn bytes"), torn);
    }
}

#[test]
fn a_torn_first_line_is_no_ledger_yet() {
    let place = Place::new();
    place.put(b"{\"kind\":\"open\",\"ver");
    assert!(place.open().summary().charges.is_empty());
    assert_eq!(read(&place.path()).subject.name(), "demo");
}

#[test]
fn another_file_is_never_changed() {
    let cases: [&[u8]; 6] = [
        b"a,b\n1,2\n",
        b"a,b",
        b"{}",
        b"{\"kind\":\"charge\"",
        b"\n",
        b"{\"kind\":\"open\",\"version\":1}\n",
    ];
    for bytes in cases {
        let place = Place::new();
        place.put(bytes);
        let error = place.refused(&terms());
        assert!(
            matches!(error, LedgerError::Corrupt { line: 1, .. }),
            "{error}"
        );
        assert_eq!(place.bytes(), bytes);
        assert_eq!(place.files(), 1);
    }
}

#[test]
fn nothing_is_repaired_under_other_terms() {
    let place = Place::new();
    drop(place.open());
    let bytes = [place.bytes(), b"{\"kind\":".to_vec()].concat();
    place.put(&bytes);
    place.refused(&LedgerTerms {
        dataset: "other".to_owned(),
        ..terms()
    });
    assert_eq!(place.bytes(), bytes);
    // The ledger, its key and its checkpoint.
    assert_eq!(place.files(), 3);
}

#[test]
fn a_missing_folder_is_an_error_with_its_path() {
    let place = Place::new();
    let path = place
        .folder
        .path()
        .join("nowhere")
        .join("demo.ledger.jsonl");
    let error = Ledger::open(&path, &terms()).expect_err("no folder");
    assert!(
        matches!(error, LedgerError::Io { action: "open", .. }),
        "{error}"
    );
    assert!(matches!(
        crate::ledger::read(&path),
        Err(LedgerError::Io { .. })
    ));
}

#[test]
fn a_failed_write_poisons_the_ledger() {
    let place = Place::new();
    let mut ledger = place.open();
    // A folder where the checkpoint belongs lets the line be written, and the checkpoint not.
    std::fs::remove_file(place.beside(".head")).expect("a checkpoint");
    std::fs::create_dir(place.beside(".head")).expect("a folder");
    std::fs::write(place.beside(".head").join("x"), b"").expect("a file");
    let error = ledger.record_charge(request()).expect_err("no checkpoint");
    assert!(matches!(error, LedgerError::Io { .. }), "{error}");
    assert!(matches!(
        ledger.record_charge(request()),
        Err(LedgerError::Poisoned)
    ));
    // The line is there, so it counts.
    let records = crate::ledger::parse(&place.bytes()).expect("a sound ledger");
    assert_eq!(records.len(), 2);
}

#[test]
fn what_others_write_without_the_format_is_refused_and_left() {
    let place = Place::new();
    let mut ledger = place.open();
    let bytes = [place.bytes(), b"not by us\n".to_vec()].concat();
    place.put(&bytes);
    let error = ledger
        .record_charge(request())
        .expect_err("somebody else wrote");
    assert!(
        matches!(error, LedgerError::Corrupt { line: 2, .. }),
        "{error}"
    );
    assert_eq!(place.bytes(), bytes);
}

#[test]
fn a_ledger_that_was_rolled_back_meanwhile_is_noticed() {
    let place = Place::new();
    let (empty, checkpoint) = {
        drop(place.open());
        (place.bytes(), place.checkpoint())
    };
    let mut ledger = place.open();
    let receipt = charge(&mut ledger);
    // Ledger and checkpoint together: from the files alone nothing shows.
    place.put(&empty);
    place.put_checkpoint(&checkpoint);
    for error in [
        ledger.record_charge(request()).map(|_| ()),
        ledger.record_refund(&receipt.id()),
        ledger.record_commit(&receipt.id(), b"").map(|_| ()),
    ] {
        let error = error.expect_err("the charge is gone");
        assert!(matches!(error, LedgerError::FileReplaced { .. }), "{error}");
    }
    std::fs::remove_file(place.path()).expect("a file");
    let error = ledger.record_charge(request()).expect_err("no file");
    assert!(matches!(error, LedgerError::FileReplaced { .. }), "{error}");
    assert!(
        !place.path().exists(),
        "a ledger that is gone is not made anew"
    );
}
