//! What may be charged, and what is refused.

use super::*;
use crate::ledger::decimal::Decimal;
use crate::ledger::{Cap, ChargeId, Prospect, Standing};
use crate::mechanism::{DpSgd, Marginals};
use crate::numbers::{ClipNorm, SamplingRate, StepCount};

#[test]
fn a_new_ledger_has_spent_nothing() {
    let summary = Place::new().open().summary();
    assert_eq!((summary.spent_epsilon, summary.spent_delta), (0.0, 0.0));
    assert_eq!(
        (summary.remaining_epsilon, summary.remaining_delta),
        (10.0, 1e-5)
    );
    assert!(summary.charges.is_empty());
}

#[test]
fn a_charge_is_priced_and_survives_reopening() {
    let place = Place::new();
    let mut ledger = place.open();
    let receipt = charge(&mut ledger);
    assert_eq!(receipt.epsilon_spent(), price());
    assert_eq!(receipt.delta_spent(), delta(1e-6));
    assert_eq!(receipt.booking().sequence, 1);
    assert_eq!(receipt.mechanisms(), request().mechanisms);
    assert_eq!(receipt.booking().before.spent_epsilon, 0.0);
    assert_eq!(receipt.booking().after.spent_epsilon, price());
    assert_eq!(receipt.booking().after, ledger.summary());
    let summary = ledger.summary();
    assert_eq!(summary.charges[0].id, receipt.id());
    assert_eq!(read(&place.path()), summary);
    drop(ledger);
    assert_eq!(place.open().summary(), summary);
}

#[test]
fn the_summary_survives_json() {
    let place = Place::new();
    let mut ledger = place.open();
    let _ = charge(&mut ledger);
    let text = serde_json::to_string(&ledger.summary()).expect("JSON");
    let summary: crate::ledger::LedgerSummary = serde_json::from_str(&text).expect("a summary");
    assert_eq!(summary, ledger.summary());
}

#[test]
fn delta_adds_up_to_the_cap_exactly() {
    let place = Place::new();
    let mut ledger = place.open();
    // In doubles, ten times 1e-6 is not 1e-5.
    for _ in 0..10 {
        let _ = charge(&mut ledger);
    }
    let summary = ledger.summary();
    assert_eq!((summary.spent_delta, summary.remaining_delta), (1e-5, 0.0));
    let error = ledger
        .record_charge(request())
        .expect_err("no delta remains");
    assert!(
        matches!(error, LedgerError::OverCap { nearest: None, .. }),
        "{error}"
    );
    assert_eq!(
        error.to_string(),
        format!(
            "the release would spend epsilon {:?} and delta 1e-6, but only epsilon {:?} and delta 0.0 \
             remain for life of the data set `demo`; nothing more can be released from this data set `demo`",
            price(),
            summary.remaining_epsilon
        )
    );
    assert_eq!(ledger.summary(), summary);
}

#[test]
fn epsilon_adds_up_to_the_cap_exactly() {
    let one = Decimal::of(price()).expect("a price");
    let enough = one.plus(one).round_up();
    for (cap, fits) in [
        (enough, true),
        (enough.next_up(), true),
        (one.plus(one).round_down().next_down(), false),
    ] {
        let place = Place::new();
        let terms = LedgerTerms {
            lifetime_epsilon: epsilon(cap),
            ..terms()
        };
        let mut ledger = Ledger::open(&place.path(), &terms).expect("a new ledger");
        let _ = charge(&mut ledger);
        let second = ledger.record_charge(request());
        assert_eq!(second.is_ok(), fits, "{cap}");
        assert!(ledger.summary().spent_epsilon <= cap);
    }
}

#[test]
fn a_refusal_names_the_nearest_request_that_passes() {
    let place = Place::new();
    let cap = 1.5 * price();
    let terms = LedgerTerms {
        lifetime_epsilon: epsilon(cap),
        ..terms()
    };
    let mut ledger = Ledger::open(&place.path(), &terms).expect("a new ledger");
    let _ = charge(&mut ledger);
    let error = ledger
        .record_charge(request())
        .expect_err("half a price remains");
    let LedgerError::OverCap {
        requested_epsilon,
        remaining_epsilon,
        nearest,
        ..
    } = error
    else {
        panic!("{error}");
    };
    assert_eq!(requested_epsilon, price());
    assert!(remaining_epsilon <= cap - price() + 1e-12);
    assert_eq!(nearest, Some((remaining_epsilon, 1e-6)));
    let quieter = Mechanism::UnitCount(UnitCount {
        noise_multiplier: NoiseMultiplier::new(200.0).expect("a noise multiplier"),
    });
    let request = ChargeRequest {
        epsilon: epsilon(remaining_epsilon),
        mechanisms: vec![quieter],
        ..request()
    };
    let _ = ledger
        .record_charge(request)
        .expect("the request that was named");
}

#[test]
fn mechanisms_may_not_cost_more_than_was_asked_for() {
    let place = Place::new();
    let mut ledger = place.open();
    let asked = |number| ChargeRequest {
        epsilon: epsilon(number),
        ..request()
    };
    let error = ledger
        .record_charge(asked(price().next_down()))
        .expect_err("one step too little");
    assert!(matches!(error, LedgerError::OverRequest { .. }), "{error}");
    assert!(ledger.summary().charges.is_empty());
    let _ = ledger
        .record_charge(asked(price()))
        .expect("the exact price");
}

#[test]
fn a_charge_for_nothing_is_refused() {
    let place = Place::new();
    let mut ledger = place.open();
    let error = ledger.record_charge(ChargeRequest {
        mechanisms: Vec::new(),
        ..request()
    });
    assert!(matches!(error, Err(LedgerError::MechanismMissing)));
}

#[test]
fn a_charge_longer_than_a_line_is_refused_and_nothing_written() {
    let place = Place::new();
    let mut ledger = place.open();
    let bytes = place.bytes();
    let purpose = "x".repeat(1 << 20);
    let error = ledger
        .record_charge(ChargeRequest {
            purpose,
            ..request()
        })
        .expect_err("too long");
    assert!(matches!(error, LedgerError::ChargeTooLong), "{error}");
    assert_eq!(place.bytes(), bytes);
    let _ = charge(&mut ledger);
}

#[test]
fn every_kind_of_mechanism_is_read_back_as_it_was_written() {
    let noise_multiplier = NoiseMultiplier::new(30.123_456_789).expect("a noise multiplier");
    let column_sets = vec![vec![0], vec![1, 2]];
    let mechanisms = vec![
        count(),
        Mechanism::Marginals(Marginals {
            column_sets,
            noise_multiplier,
        }),
        Mechanism::DpSgd(DpSgd {
            sampling_rate: SamplingRate::at_most(1.0 / 300.0).expect("a sampling rate"),
            steps: StepCount::new(7).expect("a number of steps"),
            noise_multiplier,
            clip_norm: ClipNorm::new(0.1).expect("a clip norm"),
        }),
    ];
    let place = Place::new();
    let purpose = "Straße \"hash\":\u{2028}\n".to_owned();
    let request = ChargeRequest {
        purpose,
        mechanisms,
        epsilon: epsilon(10.0),
        ..request()
    };
    let receipt = place
        .open()
        .record_charge(request.clone())
        .expect("a charge within the caps");
    let line = &read(&place.path()).charges[0];
    assert_eq!(line.mechanisms, request.mechanisms);
    assert_eq!(line.purpose, request.purpose);
    assert_eq!(line.epsilon_spent, receipt.epsilon_spent());
}

#[test]
fn a_refund_gives_back_and_cannot_be_repeated() {
    let place = Place::new();
    let mut ledger = place.open();
    let (first, second) = (charge(&mut ledger), charge(&mut ledger));
    ledger
        .record_refund(&first.id())
        .expect("a charge that stands");
    let error = ledger
        .record_refund(&first.id())
        .expect_err("it was refunded");
    assert!(
        matches!(error, LedgerError::ChargeUnknown { .. }),
        "{error}"
    );
    let never = ChargeId::draw().expect("entropy");
    assert!(ledger.record_refund(&never).is_err());
    let summary = ledger.summary();
    assert_eq!(
        (summary.spent_epsilon, summary.spent_delta),
        (second.epsilon_spent(), 1e-6)
    );
    assert_eq!(summary.charges.len(), 2);
    assert!(summary.charges[0].refunded_at.is_some() && summary.charges[1].refunded_at.is_none());
    drop(ledger);
    assert_eq!(place.open().summary(), summary);
}

#[test]
fn other_terms_are_refused() {
    let place = Place::new();
    drop(place.open());
    let bytes = place.bytes();
    let other = LedgerTerms {
        dataset: "other".to_owned(),
        ..terms()
    };
    assert!(matches!(
        place.refused(&other),
        LedgerError::DatasetDiffers { .. }
    ));
    let user = PrivacyUnit::User {
        column: "patient".to_owned(),
        max_rows: 5,
    };
    let error = place.refused(&LedgerTerms {
        unit: user,
        ..terms()
    });
    assert!(matches!(error, LedgerError::UnitDiffers { .. }));
    assert_eq!(
        error.to_string(),
        "the ledger protects \"row\" under \"add_or_remove_one\", and the policy says \
         {\"user\":{\"column\":\"patient\",\"max_rows\":5}} under \"add_or_remove_one\"; losses for \
         different units do not add up, so use the unit and adjacency of the ledger"
    );
    let replace = LedgerTerms {
        adjacency: Adjacency::ReplaceOne,
        ..terms()
    };
    assert!(matches!(
        place.refused(&replace),
        LedgerError::UnitDiffers { .. }
    ));
    let looser = LedgerTerms {
        lifetime_epsilon: epsilon(10.0_f64.next_up()),
        ..terms()
    };
    assert!(matches!(
        place.refused(&looser),
        LedgerError::CapLoosened {
            cap: Cap::Epsilon,
            ..
        }
    ));
    let looser = LedgerTerms {
        lifetime_delta: delta(2e-5),
        ..terms()
    };
    let error = place.refused(&looser);
    assert_eq!(
        error.to_string(),
        "the policy allows a lifetime delta of 2e-5, but the ledger was opened with 1e-5; \
         set `delta_for_life` to 1e-5 or less, because a cap can be tightened but not loosened"
    );
    assert_eq!(place.bytes(), bytes);
}

#[test]
fn a_tighter_cap_applies_at_once() {
    let place = Place::new();
    let _ = charge(&mut place.open());
    let tight = LedgerTerms {
        lifetime_epsilon: epsilon(price() / 2.0),
        ..terms()
    };
    let mut ledger = Ledger::open(&place.path(), &tight).expect("a tighter cap");
    assert_eq!(ledger.summary().remaining_epsilon, 0.0);
    assert!(matches!(
        ledger.record_charge(request()),
        Err(LedgerError::OverCap { nearest: None, .. })
    ));
}

#[test]
fn every_code_is_listed_once() {
    let mut codes = LedgerError::CODES.to_vec();
    codes.sort_unstable();
    codes.dedup();
    assert_eq!(codes, LedgerError::CODES);
    assert!(codes.contains(&LedgerError::Unwritable.code()));
}

#[test]
fn no_line_says_how_long_a_run_took() {
    let place = Place::new();
    let mut ledger = place.open();
    let [used, unused] = [(); 2].map(|()| ledger.reserve(request()).expect("a charge"));
    // Times are in seconds.
    std::thread::sleep(std::time::Duration::from_millis(1100));
    ledger.commit(used, b"0123  file\n").expect("a commit");
    ledger.refund(unused).expect("a refund");
    let [used, unused] = &read(&place.path()).charges[..] else {
        panic!("two charges");
    };
    assert_eq!(used.release.expect("a release").at, used.at);
    assert_eq!(unused.refunded_at, Some(unused.at));
}

#[test]
fn an_outlook_admits_what_the_ledger_admits() {
    let place = Place::new();
    let prospect = Prospect {
        epsilon_spent: price(),
        epsilon: epsilon(1.0),
        delta: delta(1e-6),
    };
    let look = |terms: &LedgerTerms| Ledger::outlook(&place.path(), terms, prospect);
    let before = look(&terms()).expect("an outlook");
    assert_eq!((before.ledger, before.charges), (Standing::Absent, 10));
    assert_eq!(place.files(), 0, "looking makes nothing");
    let mut ledger = place.open();
    // In doubles, 1e-5 less nine times 1e-6 is below 1e-6.
    for made in 0..10 {
        let now = look(&terms()).expect("an outlook");
        assert_eq!((now.ledger, now.charges), (Standing::Sound, 10 - made));
        assert!(now.refusal.is_none());
        let _ = charge(&mut ledger);
        assert_eq!(now.epsilon_after, ledger.summary().remaining_epsilon);
    }
    let spent = look(&terms()).expect("an outlook");
    assert_eq!((spent.charges, spent.remaining_delta), (0, 0.0));
    assert!(matches!(spent.refusal, Some(LedgerError::OverCap { .. })));
    // What a charge would fail on, an outlook fails on.
    let other = LedgerTerms {
        dataset: "other".to_owned(),
        ..terms()
    };
    let refused = look(&other).expect_err("another data set");
    assert!(matches!(refused, LedgerError::DatasetDiffers { .. }));
    std::fs::remove_file(place.beside(".head")).expect("a checkpoint");
    let refused = look(&terms()).expect_err("no checkpoint");
    assert!(matches!(refused, LedgerError::CheckpointMissing { .. }));
}
