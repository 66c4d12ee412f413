//! Several data sets that draw on one universe of people.

use super::*;
use crate::ledger::{ChargeLine, LedgerSummary, Subject, UniverseTerms};

/// A folder with room for the ledgers of two data sets and of their universe.
struct Universe {
    folder: TempDir,
}

fn universe_terms(lifetime_delta: f64) -> UniverseTerms {
    UniverseTerms {
        universe: "citizens".to_owned(),
        adjacency: Adjacency::AddOrRemoveOne,
        lifetime_epsilon: epsilon(10.0),
        lifetime_delta: delta(lifetime_delta),
    }
}

impl Universe {
    fn new() -> Universe {
        Universe {
            folder: tempfile::tempdir().expect("a temporary folder"),
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn open(&self, dataset: &str, lifetime_delta: f64) -> Ledger {
        let terms = LedgerTerms {
            dataset: dataset.to_owned(),
            ..terms()
        };
        Ledger::open(&self.path(dataset), &terms)
            .and_then(|ledger| {
                ledger.within(&self.path("citizens"), &universe_terms(lifetime_delta))
            })
            .expect("sound ledgers")
    }

    fn read(&self, name: &str) -> LedgerSummary {
        read(&self.path(name))
    }
}

fn standing(summary: &LedgerSummary) -> Vec<&ChargeLine> {
    let charges = summary.charges.iter();
    charges.filter(|line| line.refunded_at.is_none()).collect()
}

#[test]
fn a_charge_counts_in_both_under_one_name() {
    let universe = Universe::new();
    let first = charge(&mut universe.open("births", 1e-5));
    let second = charge(&mut universe.open("deaths", 1e-5));
    let all = universe.read("citizens");
    assert_eq!(
        all.subject,
        Subject::Universe {
            name: "citizens".to_owned()
        }
    );
    let names: Vec<_> = all
        .charges
        .iter()
        .map(|line| (line.id, line.dataset.as_deref()))
        .collect();
    assert_eq!(
        names,
        [(first.id(), Some("births")), (second.id(), Some("deaths"))]
    );
    assert_eq!(all.charges[0].unit, Some(PrivacyUnit::Row));
    assert_eq!(all.spent_delta, 2e-6);
    for (dataset, receipt) in [("births", &first), ("deaths", &second)] {
        let one = universe.read(dataset);
        assert_eq!(one.charges.len(), 1);
        assert_eq!(one.charges[0].id, receipt.id());
        assert_eq!(one.spent_delta, 1e-6);
        assert_eq!(one.charges[0].dataset, None);
    }
    assert_eq!(
        second.universe().expect("a universe").before.spent_delta,
        1e-6
    );
    assert_eq!(second.universe().expect("a universe").after, all);
}

#[test]
fn either_cap_refuses_and_then_neither_counts() {
    let universe = Universe::new();
    let (mut births, mut deaths) = (universe.open("births", 3e-6), universe.open("deaths", 3e-6));
    for _ in 0..2 {
        let _ = charge(&mut births);
    }
    let _ = charge(&mut deaths);
    let error = deaths
        .record_charge(request())
        .expect_err("the universe is used up");
    assert!(
        error.to_string().contains("of the universe `citizens`"),
        "{error}"
    );
    assert_eq!(universe.read("deaths").charges.len(), 1);

    let universe = Universe::new();
    let terms = LedgerTerms {
        lifetime_delta: delta(1e-6),
        ..terms()
    };
    let mut small = Ledger::open(&universe.path("demo"), &terms)
        .and_then(|ledger| ledger.within(&universe.path("citizens"), &universe_terms(1e-5)))
        .expect("sound ledgers");
    let _ = charge(&mut small);
    let error = small
        .record_charge(request())
        .expect_err("the data set is used up");
    assert!(
        error.to_string().contains("of the data set `demo`"),
        "{error}"
    );
    // It was known beforehand, so nothing was written to the universe.
    assert_eq!(universe.read("citizens").charges.len(), 1);
}

#[test]
fn what_another_process_has_spent_is_handed_back_to_the_universe() {
    let universe = Universe::new();
    let terms = LedgerTerms {
        lifetime_delta: delta(1e-6),
        ..terms()
    };
    let open = || {
        Ledger::open(&universe.path("demo"), &terms)
            .and_then(|ledger| ledger.within(&universe.path("citizens"), &universe_terms(1e-5)))
            .expect("sound ledgers")
    };
    // Both were opened while the budget was whole.
    let (mut first, mut second) = (open(), open());
    let _ = charge(&mut first);
    let error = second
        .record_charge(request())
        .expect_err("the data set is used up");
    assert!(matches!(error, LedgerError::OverCap { .. }), "{error}");
    let all = universe.read("citizens");
    assert_eq!(all.charges.len(), 2);
    assert_eq!(standing(&all).len(), 1);
    assert_eq!(all.spent_delta, 1e-6);
}

#[test]
fn refund_and_commit_reach_both() {
    let universe = Universe::new();
    let mut ledger = universe.open("births", 1e-5);
    let paid = ledger.reserve(request()).expect("a charge");
    ledger.refund(paid).expect("a refund");
    let paid = ledger.reserve(request()).expect("a charge");
    ledger.commit(paid, b"a manifest").expect("a commit");
    for name in ["births", "citizens"] {
        let summary = universe.read(name);
        assert_eq!(standing(&summary).len(), 1, "{name}");
        let release = summary.charges[1].release.expect("a release");
        assert_eq!(release.manifest_sha256, Digest::of(b"a manifest"));
        assert_eq!(summary.spent_delta, 1e-6);
    }
}

#[test]
fn a_universe_is_no_data_set_and_has_one_adjacency() {
    let universe = Universe::new();
    drop(universe.open("births", 1e-5));
    let as_dataset = LedgerTerms {
        dataset: "citizens".to_owned(),
        ..terms()
    };
    let error = Ledger::open(&universe.path("citizens"), &as_dataset).expect_err("a universe");
    assert!(
        matches!(error, LedgerError::DatasetDiffers { .. }),
        "{error}"
    );
    let within = |terms: &UniverseTerms, path: &str| {
        let ledger = Ledger::open(
            &universe.path("births"),
            &LedgerTerms {
                dataset: "births".to_owned(),
                ..super::terms()
            },
        );
        ledger
            .expect("a ledger")
            .within(&universe.path(path), terms)
            .expect_err("no universe of these terms")
    };
    let replace = UniverseTerms {
        adjacency: Adjacency::ReplaceOne,
        ..universe_terms(1e-5)
    };
    let error = within(&replace, "citizens");
    assert!(
        matches!(error, LedgerError::AdjacencyDiffers { .. }),
        "{error}"
    );
    let error = within(&universe_terms(2e-5), "citizens");
    assert!(matches!(error, LedgerError::CapLoosened { .. }), "{error}");
    let error = within(&universe_terms(1e-5), "births");
    assert!(
        matches!(error, LedgerError::DatasetDiffers { .. }),
        "{error}"
    );
}
