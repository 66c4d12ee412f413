//! What OpenDP runs is charged like everything else: recorded before it answers, and refused
//! where the budget does not suffice.

use std::slice;

use super::*;
use crate::boundary::Private;
use crate::mechanism::{LaplaceCounts, OpenCategories, Quantiles, TopCells};
use crate::numbers::QuantileLevel;
use crate::paid::{MechanismError, Paid};
use crate::records::{Cells, Records};

/// Epsilon of each mechanism.
const EPSILON: f64 = 0.5;

/// A mechanism, and what it answers with once it is paid for: the number of values that come out.
type Case = (Mechanism, fn(&mut Paid) -> Result<usize, MechanismError>);

fn cases() -> Vec<Case> {
    let epsilon = epsilon(EPSILON);
    let level = |level| QuantileLevel::new(level).expect("a level");
    vec![
        (
            Mechanism::LaplaceCounts(LaplaceCounts {
                column_sets: vec![vec![0], vec![0]],
                epsilon,
            }),
            |paid| {
                let data = records(paid);
                let counts = paid.authorize::<LaplaceCounts>()?.measure(&data)?;
                Ok(counts.len())
            },
        ),
        (
            Mechanism::OpenCategories(OpenCategories {
                epsilon,
                delta: delta(1e-7),
            }),
            |paid| {
                let names = vec![std::sync::Arc::<str>::from("common"); 1000];
                let data = Private::load(paid, names, |names| Ok::<_, ()>(Cells::rows(names)));
                let data = data.expect("cells");
                let found = paid.authorize::<OpenCategories>()?.discover(&data)?;
                Ok(found.len())
            },
        ),
        (
            Mechanism::Quantiles(Quantiles {
                levels: vec![level(0.25), level(0.75)],
                candidates: vec![10, 20, 30],
                epsilon,
            }),
            |paid| {
                let values = vec![12i64; 100];
                let data = Private::load(paid, values, |values| Ok::<_, ()>(Cells::rows(values)));
                let data = data.expect("cells");
                Ok(paid.authorize::<Quantiles>()?.choose(&data)?.len())
            },
        ),
        (
            Mechanism::TopCells(TopCells {
                columns: vec![0],
                cells: 2,
                epsilon,
            }),
            |paid| {
                let data = records(paid);
                Ok(paid.authorize::<TopCells>()?.choose(&data)?.len())
            },
        ),
    ]
}

/// What each of [`cases`] costs by basic composition, and how many values it answers with.
const COSTS: [(f64, usize); 4] = [
    (2.0 * EPSILON, 2),
    (EPSILON, 1),
    (2.0 * EPSILON, 2),
    (EPSILON, 2),
];

fn records(paid: &Paid) -> Private<Records> {
    let codes = (0..300).map(|row| row % 3).collect();
    Private::load(paid, codes, |codes| Records::rows(vec![3], codes)).expect("records")
}

fn request_for(mechanism: Mechanism) -> ChargeRequest {
    ChargeRequest {
        mechanisms: vec![mechanism],
        epsilon: epsilon(2.0),
        ..request()
    }
}

#[test]
fn each_is_on_disk_at_its_price_before_it_answers() {
    for ((mechanism, answer), (cost, values)) in cases().into_iter().zip(COSTS) {
        let place = Place::new();
        let mut ledger = place.open();
        let mut paid = ledger
            .reserve(request_for(mechanism.clone()))
            .expect("a charge within the caps");
        // Nothing ran yet, and the file already says what was spent.
        let written = read(&place.path());
        let line = &written.charges[0];
        assert_eq!(line.mechanisms, slice::from_ref(&mechanism));
        assert_eq!(
            line.event,
            super::super::composed(slice::from_ref(&mechanism))
        );
        assert_eq!(written.spent_epsilon, line.epsilon_spent);
        assert_eq!(written.spent_delta, 1e-6);
        // At δ = 10^-6 a pure ε costs next to all of itself.
        assert!(
            line.epsilon_spent > 0.99 * cost && line.epsilon_spent <= cost * (1.0 + 1e-3),
            "{mechanism:?}: {}",
            line.epsilon_spent
        );
        assert_eq!(answer(&mut paid).expect("an answer"), values);
        // The permission is used up, so the charge stands, and nothing answers twice.
        assert!(answer(&mut paid).is_err(), "{mechanism:?}");
        assert!(matches!(ledger.refund(paid), Err(LedgerError::ChargeUsed)));
        assert_eq!(read(&place.path()), written);
    }
}

#[test]
fn each_is_refused_and_nothing_written_where_the_budget_does_not_suffice() {
    for ((mechanism, _), (cost, _)) in cases().into_iter().zip(COSTS) {
        // Enough for one of them, and not for a second.
        let place = Place::new();
        let terms = LedgerTerms {
            lifetime_epsilon: epsilon(1.9 * cost),
            ..terms()
        };
        let mut ledger = Ledger::open(&place.path(), &terms).expect("a new ledger");
        let _ = ledger
            .reserve(request_for(mechanism.clone()))
            .expect("the first fits");
        let before = place.bytes();
        let refused = ledger.reserve(request_for(mechanism.clone()));
        assert!(
            matches!(refused, Err(LedgerError::OverCap { .. })),
            "{mechanism:?}"
        );
        assert_eq!(place.bytes(), before);
        // Nor where it costs more than was asked for.
        let fresh = Place::new();
        let mut ledger = fresh.open();
        let before = fresh.bytes();
        let request = ChargeRequest {
            epsilon: epsilon(0.9 * cost),
            ..request_for(mechanism.clone())
        };
        assert!(
            matches!(
                ledger.reserve(request),
                Err(LedgerError::OverRequest { .. })
            ),
            "{mechanism:?}"
        );
        assert_eq!(fresh.bytes(), before);
    }
}

#[test]
fn delta_that_a_threshold_needs_is_part_of_the_price() {
    let place = Place::new();
    let mut ledger = place.open();
    let before = place.bytes();
    // Negative control: what is asked for at a δ below that of the threshold has no price.
    let mechanism = Mechanism::OpenCategories(OpenCategories {
        epsilon: epsilon(EPSILON),
        delta: delta(1e-5),
    });
    assert!(ledger.reserve(request_for(mechanism)).is_err());
    assert_eq!(place.bytes(), before);
}
