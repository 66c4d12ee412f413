//! Files that somebody changed, by accident or with a recomputed chain.

use super::*;
use crate::event::DpEvent;
use crate::ledger::book::{Book, composed};
use crate::ledger::record::{Charge, Entry, Record, Refund, encode};
use crate::ledger::{ChargeId, Flaw, LedgerSummary, parse};
use proptest::prelude::*;

/// A small ledger with every kind of record.
fn sample() -> (Vec<u8>, LedgerSummary) {
    let place = Place::new();
    let mut ledger = place.open();
    let first = charge(&mut ledger);
    ledger.record_refund(&first.id()).expect("a refund");
    let _ = charge(&mut ledger);
    (place.bytes(), ledger.summary())
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
        [0, 2, 1, 3].as_slice(),
        &[0, 1, 3],
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

/// A ledger whose chain was computed again around one changed charge.
fn forged(change: impl FnOnce(&mut Charge)) -> Result<Book, LedgerError> {
    let records = forged_records(change)?;
    Book::replay(&records)
}

fn forged_records(change: impl FnOnce(&mut Charge)) -> Result<Vec<Record>, LedgerError> {
    let (bytes, _) = sample();
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
    let (_, record) = encode(Entry::Charge(charge), Some(records[0].hash))?;
    records.push(record);
    Ok(records)
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
fn a_charge_cannot_be_booked_or_refunded_twice() {
    let records = forged_records(|_| {}).expect("two records");
    let (open, charge) = (&records[0], &records[1]);
    let Entry::Charge(again) = &charge.entry else {
        panic!("a charge")
    };
    let again = Charge {
        sequence: 2,
        previous: charge.hash,
        ..again.clone()
    };
    let (_, again) = encode(Entry::Charge(again), Some(charge.hash)).expect("a record");
    let id = ChargeId::draw().expect("entropy");
    let refund = Refund {
        sequence: 2,
        at: 0,
        charge: id,
        previous: charge.hash,
    };
    let (_, refund) = encode(Entry::Refund(refund), Some(charge.hash)).expect("a record");
    for third in [again, refund] {
        let error = Book::replay(&[open.clone(), charge.clone(), third]).expect_err("a wrong name");
        assert!(
            matches!(
                error,
                LedgerError::Corrupt {
                    line: 3,
                    flaw: Flaw::ChargeMisnamed
                }
            ),
            "{error}"
        );
    }
}

/// Ends a record's JSON with its hash, as a program that knows the format would.
fn sealed(body: &str) -> Vec<u8> {
    let hash = Digest::of(body.as_bytes());
    let open = body.strip_suffix('}').expect("an object");
    format!("{open},\"hash\":\"{hash}\"}}\n").into_bytes()
}

#[test]
fn what_this_version_does_not_know_is_refused() {
    let (bytes, _) = sample();
    let line = bytes
        .split(|byte| *byte == b'\n')
        .next()
        .expect("a first line");
    let line = str::from_utf8(line).expect("UTF-8");
    let (body, _) = line.split_once(",\"hash\"").expect("a hash");
    let body = format!("{body}}}");
    assert_eq!(sealed(&body), [line.as_bytes(), b"\n"].concat());
    assert!(parse(&sealed(&body)).is_ok());
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
        let error = parse(&sealed(&body)).expect_err("an unknown record");
        assert!(
            matches!(error, LedgerError::RecordUnknown { line: 1, .. }),
            "{body}: {error}"
        );
    }
    for body in [
        body.replace("\"version\":1", "\"version\":2"),
        "{\"kind\":\"open\",\"version\":9}".to_owned(),
    ] {
        let error = parse(&sealed(&body)).expect_err("another version");
        assert!(
            matches!(error, LedgerError::VersionUnknown { .. }),
            "{body}: {error}"
        );
    }
}

proptest! {
    #[test]
    fn parsing_never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        let _ = parse(&bytes);
        let _ = parse(&sealed(&format!("{}}}", String::from_utf8_lossy(&bytes))));
    }
}
