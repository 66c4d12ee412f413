//! Keys, signatures, and the checkpoint that finds a ledger that was rolled back.

use super::*;
use crate::ledger::key::{LedgerKey, Statement};
use crate::ledger::line::{Place as At, encode};
use crate::ledger::record::{Entry, Open};
use crate::ledger::{
    CheckpointState, Ending, Flaw, KeyState, LedgerId, PublicKey, Signature, adopt, audit, parse,
};

#[test]
fn a_ledger_without_its_key_is_verified_but_not_charged() {
    let place = Place::new();
    let mut ledger = place.open();
    let _ = charge(&mut ledger);
    let key = std::fs::read(place.beside(".key")).expect("a key");
    std::fs::remove_file(place.beside(".key")).expect("a key");
    assert_eq!(read(&place.path()).charges.len(), 1);
    let found = audit(&place.path()).expect("a sound ledger");
    assert_eq!((found.key, found.unsigned), (KeyState::Absent, 0));
    let error = place.refused(&terms());
    assert!(matches!(error, LedgerError::KeyMissing { .. }), "{error}");
    let other = Place::new();
    drop(other.open());
    std::fs::copy(other.beside(".key"), place.beside(".key")).expect("another key");
    let error = place.refused(&terms());
    assert!(matches!(error, LedgerError::KeyDiffers { .. }), "{error}");
    for wrong in [
        &key[1..],
        b"",
        &[0xff; 65],
        &[key.clone(), vec![b'\n']].concat(),
    ] {
        std::fs::write(place.beside(".key"), wrong).expect("a file");
        let error = place.refused(&terms());
        assert!(matches!(error, LedgerError::KeyDiffers { .. }), "{error}");
    }
    std::fs::write(place.beside(".key"), key).expect("a key");
    let _ = charge(&mut place.open());
}

#[cfg(unix)]
#[test]
fn one_ledger_has_one_key_by_whichever_link_it_is_called() {
    let place = Place::new();
    let _ = charge(&mut place.open());
    let elsewhere = Place::new();
    std::os::unix::fs::symlink(place.path(), elsewhere.path()).expect("a link");
    let _ = charge(&mut elsewhere.open());
    let _ = charge(&mut place.open());
    assert_eq!(elsewhere.files(), 1);
    let found = audit(&elsewhere.path()).expect("a sound ledger");
    assert_eq!((found.key, found.summary.charges.len()), (KeyState::Own, 3));
}

#[cfg(unix)]
#[test]
fn the_key_is_for_its_owner_alone() {
    use std::os::unix::fs::PermissionsExt as _;
    let place = Place::new();
    drop(place.open());
    let path = place.beside(".key");
    let mode = |path| std::fs::metadata(path).expect("a key").permissions().mode() & 0o777;
    assert_eq!(mode(&path), 0o600);
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o640)).expect("a key");
    let error = place.refused(&terms());
    assert!(matches!(error, LedgerError::KeyExposed { .. }), "{error}");
    let found = audit(&place.path()).expect("a sound ledger");
    assert!(matches!(found.key, KeyState::Unusable { .. }));
}

#[test]
fn a_chain_computed_again_without_the_key_is_found() {
    let place = Place::new();
    let mut ledger = place.open();
    let _ = charge(&mut ledger);
    let _ = charge(&mut ledger);
    let records = parse(&place.bytes()).expect("a sound ledger");
    let Entry::Open(open) = &records[0].entry else {
        panic!("a first line")
    };
    let Entry::Charge(cheaper) = &records[2].entry else {
        panic!("a charge")
    };
    let at = At {
        records: 1,
        head: Some(records[0].hash),
        key: open.public_key,
    };
    let mut moved = cheaper.clone();
    (moved.sequence, moved.previous) = (1, records[0].hash);
    let forger = LedgerKey::from_seed([9; 32]);
    // It cannot even be written by way of this code, which reads back what it writes.
    assert!(encode(Entry::Charge(moved.clone()), at, Some(&forger)).is_err());
    let unchecked = At { key: None, ..at };
    let first = place.bytes();
    let first = first
        .split_inclusive(|byte| *byte == b'\n')
        .next()
        .expect("a line");
    let (line, _) = encode(Entry::Charge(moved), unchecked, None).expect("an unsigned line");
    let flaw = |line: &str| {
        let error = parse(&[first, line.as_bytes()].concat()).expect_err("a forged line");
        let LedgerError::Corrupt { line: 2, flaw } = error else {
            panic!("{error}")
        };
        flaw
    };
    assert_eq!(flaw(&line), Flaw::SignatureMissing);
    let hash = &line[line.len() - 67..line.len() - 3];
    let hash = Digest::from_hex(hash).expect("a hash");
    let forged = forger.sign(Statement::Line(hash));
    let signed = |signature: &Signature| {
        line.replace("\"}\n", &format!("\",\"signature\":\"{signature}\"}}\n"))
    };
    assert_eq!(flaw(&signed(&forged)), Flaw::SignatureWrong);
    // The control: the ledger's own key makes it a sound line.
    let own = LedgerKey::make(&place.path()).expect("the key that is there");
    let sound = signed(&own.sign(Statement::Line(hash)));
    assert!(parse(&[first, sound.as_bytes()].concat()).is_ok());
}

#[test]
fn a_ledger_that_was_cut_or_put_back_is_found_by_its_checkpoint() {
    let place = Place::new();
    let mut ledger = place.open();
    let mut states = vec![place.bytes()];
    for _ in 0..3 {
        let _ = charge(&mut ledger);
        states.push(place.bytes());
    }
    let newest = states.pop().expect("a state");
    for older in states
        .iter()
        .chain([&newest[..newest.len() - 2].to_vec(), &Vec::new()])
    {
        place.put(older);
        let error = place.refused(&terms());
        if older.len() + 2 == newest.len() {
            // Cut within its last line, which had returned.
            assert!(
                matches!(
                    error,
                    LedgerError::RolledBack {
                        known: 4,
                        found: 3,
                        ..
                    }
                ),
                "{error}"
            );
        }
        assert!(
            matches!(error, LedgerError::RolledBack { known: 4, .. }),
            "{error}"
        );
        assert_eq!(&place.bytes(), older, "nothing is changed");
        assert!(crate::ledger::read(&place.path()).is_err());
    }
    std::fs::remove_file(place.path()).expect("a ledger");
    let error = place.refused(&terms());
    assert!(
        matches!(
            error,
            LedgerError::RolledBack {
                known: 4,
                found: 0,
                ..
            }
        ),
        "{error}"
    );
    place.put(&newest);
    assert_eq!(place.open().summary().charges.len(), 3);
}

#[test]
fn a_checkpoint_that_is_missing_or_not_the_ledgers_stops_charges() {
    let place = Place::new();
    let mut ledger = place.open();
    let behind = place.checkpoint();
    let _ = charge(&mut ledger);
    let current = place.checkpoint();
    let state = || audit(&place.path()).expect("a sound ledger").checkpoint;
    assert!(matches!(state(), Ok(CheckpointState::Behind(0))));
    place.put_checkpoint(&behind);
    assert!(matches!(state(), Ok(CheckpointState::Behind(1))));
    // A crash between the line and the checkpoint is no fault, and is repaired.
    drop(place.open());
    assert_eq!(place.checkpoint(), current);
    for offset in 0..current.len() {
        let mut changed = current.clone();
        changed[offset] ^= 1;
        place.put_checkpoint(&changed);
        let error = place.refused(&terms());
        assert!(
            matches!(error, LedgerError::CheckpointDamaged { .. }),
            "byte {offset}: {error}"
        );
    }
    std::fs::remove_file(place.beside(".head")).expect("a checkpoint");
    assert!(matches!(state(), Ok(CheckpointState::Absent)));
    let error = place.refused(&terms());
    assert!(
        matches!(error, LedgerError::CheckpointMissing { .. }),
        "{error}"
    );
    // The owner may vouch for it.
    assert_eq!(
        adopt(&place.path()).expect("a ledger with its key"),
        read(&place.path())
    );
    let _ = charge(&mut place.open());
    // But not for one that was cut.
    let whole = place.bytes();
    let first = whole
        .iter()
        .position(|byte| *byte == b'\n')
        .expect("a line")
        + 1;
    place.put(&whole[..first]);
    let error = adopt(&place.path()).expect_err("a ledger that was cut");
    assert!(matches!(error, LedgerError::RolledBack { .. }), "{error}");
}

/// A ledger as version 0.1.0 wrote it: one line, without a key.
fn unsigned() -> (String, LedgerId) {
    let id = LedgerId::draw().expect("entropy");
    let open = Open {
        version: 1,
        sequence: 0,
        id,
        at: 0,
        dataset: Some("demo".to_owned()),
        universe: None,
        unit: Some(PrivacyUnit::Row),
        adjacency: Adjacency::AddOrRemoveOne,
        lifetime_epsilon: epsilon(10.0),
        lifetime_delta: delta(1e-5),
        public_key: None,
        previous: Digest::NONE,
    };
    let (line, _) = encode(Entry::Open(open), At::START, None).expect("a line");
    (line, id)
}

#[test]
fn a_ledger_from_before_keys_is_read_and_charged_once_it_is_adopted() {
    let place = Place::new();
    let (line, id) = unsigned();
    assert!(
        line.contains("\"dataset\":\"demo\",\"unit\":\"row\",\"adjacency\""),
        "{line}"
    );
    place.put(line.as_bytes());
    let before = read(&place.path());
    assert_eq!((before.id, before.public_key), (id, None));
    let error = place.refused(&terms());
    assert!(matches!(error, LedgerError::Unsigned { .. }), "{error}");
    assert_eq!(
        (place.bytes(), place.files()),
        (line.clone().into_bytes(), 1)
    );

    // Where a checkpoint lies, there was a signed ledger: this one was put in its place.
    let other = Place::new();
    drop(other.open());
    place.put_checkpoint(&other.checkpoint());
    let error = adopt(&place.path()).expect_err("another ledger's checkpoint");
    assert!(
        matches!(error, LedgerError::CheckpointDamaged { .. }),
        "{error}"
    );
    std::fs::remove_file(place.beside(".head")).expect("a checkpoint");
    let adopted = adopt(&place.path()).expect("a sound ledger");
    assert_eq!(adopted.id, id);
    assert!(adopted.public_key.is_some());
    let mut ledger = place.open();
    let _ = charge(&mut ledger);
    let found = audit(&place.path()).expect("a sound ledger");
    assert_eq!((found.unsigned, found.records.len()), (1, 3));
    assert_eq!(found.ending, Ending::Whole);
    // The lines before the key are sealed by it now.
    let bytes = place.bytes();
    for offset in 0..line.len() {
        let mut changed = bytes.clone();
        changed[offset] ^= 1;
        assert!(parse(&changed).is_err(), "byte {offset}");
    }
    // An unsigned line after it is refused, and so is a second key.
    let records = parse(&bytes).expect("a sound ledger");
    let Entry::Adopt(again) = &records[1].entry else {
        panic!("an adoption")
    };
    let mut again = again.clone();
    (again.sequence, again.previous) = (3, records[2].hash);
    let at = At {
        records: 3,
        head: Some(records[2].hash),
        key: None,
    };
    let forger = LedgerKey::from_seed([9; 32]);
    again.public_key = forger.public();
    let (line, _) = encode(Entry::Adopt(again), at, Some(&forger)).expect("a line");
    let error = parse(&[bytes, line.into_bytes()].concat()).expect_err("a second key");
    assert!(
        matches!(
            error,
            LedgerError::Corrupt {
                line: 4,
                flaw: Flaw::KeyRepeated
            }
        ),
        "{error}"
    );
}

#[test]
fn what_is_not_there_cannot_be_adopted() {
    let place = Place::new();
    let error = adopt(&place.path()).expect_err("no ledger");
    assert!(
        matches!(error, LedgerError::Io { action: "open", .. }),
        "{error}"
    );
    assert_eq!(place.files(), 0);
}

#[test]
fn a_torn_adoption_leaves_the_ledger_as_it_was() {
    let place = Place::new();
    let (line, _) = unsigned();
    place.put(line.as_bytes());
    adopt(&place.path()).expect("a sound ledger");
    let whole = place.bytes();
    for cut in line.len() + 1..whole.len() - 1 {
        let records = parse(&whole[..cut]).expect("a torn ledger is no corrupt one");
        assert_eq!(records.len(), 1, "cut after {cut}");
    }
    assert_eq!(
        parse(&whole[..whole.len() - 1])
            .expect("a whole line")
            .len(),
        2
    );
}

#[test]
fn a_commit_signs_the_manifest_and_changes_no_sum() {
    let place = Place::new();
    let mut ledger = place.open();
    let paid = ledger.reserve(request()).expect("a charge");
    let before = ledger.summary();
    let manifest = b"0123  file\n";
    let signature = ledger.commit(paid, manifest).expect("a commit");
    let after = read(&place.path());
    assert_eq!(after.spent_epsilon, before.spent_epsilon);
    assert_eq!(after.remaining_delta, before.remaining_delta);
    let release = after.charges[0].release.expect("a release");
    assert_eq!(release.manifest_sha256, Digest::of(manifest));
    let key = after.public_key.expect("a key");
    assert!(key.accepts(manifest, &signature));
    assert!(!key.accepts(b"0123  other\n", &signature));
    assert_eq!(PublicKey::from_hex(&key.to_string()), Some(key));
    // A charge of another ledger cannot be committed here.
    let other = Place::new();
    let paid = other.open().reserve(request()).expect("a charge");
    let error = ledger.commit(paid, manifest).expect_err("another ledger's");
    assert!(
        matches!(error, LedgerError::ChargeUnknown { .. }),
        "{error}"
    );
}

#[test]
fn no_file_but_the_key_holds_the_key() {
    let place = Place::new();
    let mut ledger = place.open();
    let _ = charge(&mut ledger);
    let key = std::fs::read_to_string(place.beside(".key")).expect("a key");
    let key = key.trim();
    for entry in std::fs::read_dir(place.folder.path()).expect("the folder") {
        let path = entry.expect("a file").path();
        if path != place.beside(".key") {
            let text = std::fs::read_to_string(&path).expect("text");
            assert!(!text.contains(key), "{}", path.display());
        }
    }
    assert!(!format!("{ledger:?}").contains(key));
}
