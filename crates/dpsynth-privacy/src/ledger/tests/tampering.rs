//! Files that somebody changed, by accident or with a recomputed chain.

use super::*;
use crate::event::DpEvent;
use crate::ledger::book::{Book, composed};
use crate::ledger::key::{LedgerKey, Statement};
use crate::ledger::line::{Place as At, encode};
use crate::ledger::record::{Charge, Commit, Entry, Record, Refund};
use crate::ledger::{ChargeId, Flaw, LedgerSummary, parse};
use proptest::prelude::*;

/// A small ledger with every kind of record that follows the first.
fn sample() -> (Vec<u8>, LedgerSummary) {
    let (bytes, summary, _) = sample_and_key();
    (bytes, summary)
}

fn sample_and_key() -> (Vec<u8>, LedgerSummary, LedgerKey) {
    let place = Place::new();
    let mut ledger = place.open();
    let first = charge(&mut ledger);
    ledger.record_refund(&first.id()).expect("a refund");
    let second = charge(&mut ledger);
    ledger
        .record_commit(&second.id(), b"a manifest")
        .expect("a commit");
    let key = LedgerKey::make(&place.path()).expect("the key that is there");
    (place.bytes(), ledger.summary(), key)
}

/// The place after `records`.
fn after(records: &[Record]) -> At {
    let Entry::Open(open) = &records[0].entry else {
        panic!("a first line")
    };
    At {
        records: records.len() as u64,
        head: records.last().map(|record| record.hash),
        key: open.public_key,
    }
}

fn summary(bytes: &[u8]) -> Result<LedgerSummary, LedgerError> {
    let place = Place::new();
    place.put(bytes);
    crate::ledger::read(&place.path())
}

#[test]
fn a_change_of_any_byte_is_found_or_changes_nothing() {
    let (bytes, whole) = sample();
    let records = parse(&bytes).expect("a sound ledger");
    assert_eq!(summary(&bytes).expect("a sound ledger"), whole);
    for offset in 0..bytes.len() {
        let (before, after) = (&bytes[..offset], &bytes[offset + 1..]);
        let byte = bytes[offset];
        let flips = (0..8).map(|bit| vec![byte ^ (1 << bit)]);
        let others = [
            vec![],
            vec![b'\n'],
            vec![b'0'],
            vec![b' ', byte],
            vec![byte, byte],
            vec![0xff],
        ];
        for instead in flips.chain(others).filter(|instead| *instead != [byte]) {
            if let Ok(read) = parse(&[before, &instead, after].concat()) {
                assert_eq!(read, records, "{instead:?} instead of byte {offset}");
            }
        }
    }
}

#[test]
fn lines_cannot_be_moved_repeated_or_taken_out() {
    let (bytes, _) = sample();
    let lines: Vec<&[u8]> = bytes.split_inclusive(|byte| *byte == b'\n').collect();
    for orders in [
        [0, 2, 1, 3, 4].as_slice(),
        &[0, 1, 3, 4],
        &[0, 1, 1],
        &[0, 0, 1],
        &[1, 2, 3],
        &[0, 2],
    ] {
        let changed: Vec<u8> = orders
            .iter()
            .flat_map(|index| lines[*index])
            .copied()
            .collect();
        let error = parse(&changed).expect_err("another order");
        assert!(
            matches!(error, LedgerError::Corrupt { .. }),
            "{orders:?}: {error}"
        );
    }
    let (other, _) = sample();
    let other = other
        .split_inclusive(|byte| *byte == b'\n')
        .nth(1)
        .expect("a charge");
    assert!(parse(&[lines[0], other].concat()).is_err());
}

#[test]
fn a_line_end_of_another_system_is_a_change() {
    let (bytes, _) = sample();
    let text = String::from_utf8(bytes)
        .expect("UTF-8")
        .replace('\n', "\r\n");
    assert!(matches!(
        parse(text.as_bytes()),
        Err(LedgerError::Corrupt {
            line: 1,
            flaw: Flaw::HashMissing
        })
    ));
}

/// A ledger whose chain was computed and signed again around one changed charge: the worst that
/// somebody with the key can do.
fn forged(change: impl FnOnce(&mut Charge)) -> Result<Book, LedgerError> {
    let records = forged_records(change)?;
    Book::replay(&records)
}

fn forged_records(change: impl FnOnce(&mut Charge)) -> Result<Vec<Record>, LedgerError> {
    forged_with_key(change).map(|(records, _)| records)
}

fn forged_with_key(
    change: impl FnOnce(&mut Charge),
) -> Result<(Vec<Record>, LedgerKey), LedgerError> {
    let (bytes, _, key) = sample_and_key();
    let mut records = parse(&bytes)?;
    records.truncate(2);
    let Some(Record {
        entry: Entry::Charge(mut charge),
        ..
    }) = records.pop()
    else {
        panic!("the second record is a charge");
    };
    change(&mut charge);
    let (_, record) = encode(Entry::Charge(charge), after(&records), Some(&key))?;
    records.push(record);
    Ok((records, key))
}

#[test]
fn a_recomputed_chain_does_not_hide_a_wrong_charge() {
    assert!(forged(|_| {}).is_ok());
    let error = forged(|charge| charge.epsilon_spent *= 0.999).expect_err("too cheap");
    assert!(
        matches!(error, LedgerError::UnderPriced { line: 2, .. }),
        "{error}"
    );
    for number in [-1.0, -0.0, 1.5, 1e300] {
        let error = forged(|charge| charge.epsilon_spent = number).expect_err("out of range");
        let LedgerError::Corrupt { flaw, .. } = error else {
            panic!("{number}: {error}")
        };
        assert_eq!(flaw, Flaw::NumberOutOfRange, "{number}");
    }
    for number in [f64::NAN, f64::INFINITY] {
        let error = forged(|charge| charge.epsilon_spent = number).expect_err("no number of JSON");
        assert!(matches!(error, LedgerError::Unwritable), "{error}");
    }
    let events = [
        DpEvent::NonPrivate,
        DpEvent::Composed { events: Vec::new() },
        composed(&request().mechanisms[..1]),
    ];
    for event in events {
        let error = forged(|charge| charge.event = event).expect_err("not its mechanisms");
        assert!(
            matches!(
                error,
                LedgerError::Corrupt {
                    flaw: Flaw::EventDiffers,
                    ..
                }
            ),
            "{error}"
        );
    }
    let none = forged(|charge| (charge.mechanisms, charge.event) = (Vec::new(), composed(&[])));
    assert!(matches!(
        none,
        Err(LedgerError::Corrupt {
            flaw: Flaw::EventDiffers,
            ..
        })
    ));
}

#[test]
fn the_larger_of_the_recorded_and_the_present_price_counts() {
    let book = forged(|charge| charge.epsilon_spent *= 1.0 - 1e-12).expect("rounding explains it");
    assert_eq!(book.charges[0].epsilon, price());
    let book = forged(|charge| charge.epsilon_spent = 0.9).expect("dearer than needed");
    assert_eq!(book.charges[0].epsilon, 0.9);
}

#[test]
fn a_charge_is_booked_committed_and_refunded_once() {
    let (records, key) = forged_with_key(|_| {}).expect("two records");
    let charge = &records[1];
    let Entry::Charge(again) = &charge.entry else {
        panic!("a charge")
    };
    let again = Charge {
        sequence: 2,
        previous: charge.hash,
        ..again.clone()
    };
    let refund = |id, records: &[Record]| {
        Entry::Refund(Refund {
            sequence: records.len() as u64,
            at: 0,
            charge: id,
            previous: after(records).head.expect("a head"),
        })
    };
    let commit = |id, records: &[Record]| {
        Entry::Commit(Commit {
            sequence: records.len() as u64,
            at: 0,
            charge: id,
            manifest_sha256: Digest::of(b""),
            previous: after(records).head.expect("a head"),
        })
    };
    let other = ChargeId::draw().expect("entropy");
    let add = |records: &[Record], entry| {
        let (_, record) = encode(entry, after(records), Some(&key)).expect("a record");
        [records, &[record]].concat()
    };
    let misnamed = |records: &[Record]| {
        let error = Book::replay(records).expect_err("a wrong name");
        let LedgerError::Corrupt { line, flaw } = error else {
            panic!("{error}")
        };
        assert_eq!((line, flaw), (records.len() as u64, Flaw::ChargeMisnamed));
    };
    misnamed(&add(&records, Entry::Charge(again.clone())));
    misnamed(&add(&records, refund(other, &records)));
    misnamed(&add(&records, commit(other, &records)));
    for settle in [commit, refund] {
        let settled = add(&records, settle(again.id, &records));
        assert!(Book::replay(&settled).is_ok());
        misnamed(&add(&settled, refund(again.id, &settled)));
        misnamed(&add(&settled, commit(again.id, &settled)));
    }
}

/// Ends a record's JSON with its hash and a signature, as a program that knows the format would.
fn sealed(body: &str, key: &LedgerKey) -> Vec<u8> {
    let hash = Digest::of(body.as_bytes());
    let signature = key.sign(Statement::Line(hash));
    let open = body.strip_suffix('}').expect("an object");
    format!("{open},\"hash\":\"{hash}\",\"signature\":\"{signature}\"}}\n").into_bytes()
}

#[test]
fn what_this_version_does_not_know_is_refused() {
    let (bytes, _, key) = sample_and_key();
    let line = bytes
        .split(|byte| *byte == b'\n')
        .next()
        .expect("a first line");
    let line = str::from_utf8(line).expect("UTF-8");
    let (body, _) = line.split_once(",\"hash\"").expect("a hash");
    let body = format!("{body}}}");
    assert_eq!(sealed(&body, &key), [line.as_bytes(), b"\n"].concat());
    assert!(parse(&sealed(&body, &key)).is_ok());
    let unknown = [
        body.replace("\"kind\":\"open\"", "\"kind\":\"gift\""),
        body.replace("\"at\":", "\"new\":1,\"at\":"),
        body.replace("\"at\":", "\"sequence\":0,\"at\":"),
        body.replace("\"lifetime_epsilon\":10.0", "\"lifetime_epsilon\":-10.0"),
        body.replace("\"lifetime_epsilon\":10.0", "\"lifetime_epsilon\":1e999"),
        body.replace("\"lifetime_epsilon\":10.0,", ""),
        "[[[[{}".replace('[', "[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[["),
    ];
    for body in unknown {
        let error = parse(&sealed(&body, &key)).expect_err("an unknown record");
        assert!(
            matches!(error, LedgerError::RecordUnknown { line: 1, .. }),
            "{body}: {error}"
        );
    }
    for body in [
        body.replace("\"version\":2", "\"version\":3"),
        "{\"kind\":\"open\",\"version\":9}".to_owned(),
    ] {
        let error = parse(&sealed(&body, &key)).expect_err("another version");
        assert!(
            matches!(error, LedgerError::VersionUnknown { .. }),
            "{body}: {error}"
        );
    }
    let unclear = [
        body.replace("\"dataset\":\"demo\",", ""),
        body.replace("\"unit\":\"row\",", ""),
        body.replace("\"unit\":", "\"universe\":\"all\",\"unit\":"),
        body.replace("\"version\":2", "\"version\":1"),
    ];
    for body in unclear {
        let error = parse(&sealed(&body, &key)).expect_err("nobody's ledger");
        let LedgerError::Corrupt { flaw, .. } = error else {
            panic!("{body}: {error}")
        };
        assert_eq!(flaw, Flaw::SubjectUnclear);
    }
}

proptest! {
    #[test]
    fn parsing_never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        let key = LedgerKey::from_seed([1; 32]);
        let _ = parse(&bytes);
        let _ = parse(&sealed(&format!("{}}}", String::from_utf8_lossy(&bytes)), &key));
    }
}
