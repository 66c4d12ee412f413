//! Crashes, locks and several releases at once.

use super::*;
use crate::ledger::record::{Tail, take_apart};

#[test]
fn a_second_handle_finds_the_ledger_busy() {
    let place = Place::new();
    let ledger = place.open();
    let error = place.refused(&terms());
    assert!(matches!(error, LedgerError::Busy { .. }), "{error}");
    // Reading needs no lock.
    assert_eq!(read(&place.path()), ledger.summary());
    drop(ledger);
    drop(place.open());
}

#[test]
fn threads_take_turns_and_every_charge_counts() {
    let place = Place::new();
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                for _ in 0..4 {
                    let mut ledger = loop {
                        match Ledger::open(&place.path(), &terms()) {
                            Ok(ledger) => break ledger,
                            Err(LedgerError::Busy { .. }) => std::thread::yield_now(),
                            Err(error) => panic!("{error}"),
                        }
                    };
                    let _ = charge(&mut ledger);
                }
            });
        }
    });
    let summary = read(&place.path());
    assert_eq!(summary.charges.len(), 8);
    assert_eq!(summary.spent_delta, 8e-6);
}

/// The process can be killed, or the disk be full, after any byte of a write.
#[test]
fn a_crash_after_any_byte_never_forgets_a_charge_that_returned() {
    let place = Place::new();
    let mut ledger = place.open();
    let mut returned = vec![place.bytes().len()];
    for _ in 0..3 {
        let _ = charge(&mut ledger);
        returned.push(place.bytes().len());
    }
    drop(ledger);
    let bytes = place.bytes();
    for cut in 0..=bytes.len() {
        let parsed = take_apart(&bytes[..cut]).expect("a cut ledger is no corrupt one");
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
        let place = Place::new();
        place.put(&bytes[..cut]);
        let charges = returned
            .iter()
            .filter(|length| **length <= cut + 1)
            .count()
            .saturating_sub(1);
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
    assert_eq!(read(&place.path()).dataset, "demo");
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
    assert_eq!(place.files(), 1);
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
    let bytes = [place.bytes(), b"not by us\n".to_vec()].concat();
    place.put(&bytes);
    let error = ledger
        .record_charge(request())
        .expect_err("somebody else wrote");
    assert!(matches!(error, LedgerError::FileReplaced { .. }), "{error}");
    assert!(matches!(
        ledger.record_charge(request()),
        Err(LedgerError::Poisoned)
    ));
    assert_eq!(place.bytes(), bytes);
}

#[cfg(unix)]
#[test]
fn a_replaced_file_is_noticed() {
    let place = Place::new();
    let mut ledger = place.open();
    let bytes = place.bytes();
    std::fs::remove_file(place.path()).expect("a file");
    place.put(&bytes);
    let error = ledger
        .record_charge(request())
        .expect_err("the path leads elsewhere");
    assert!(matches!(error, LedgerError::FileReplaced { .. }), "{error}");
}
