//! All that touches the core: mechanisms on their worst neighbours, and checks of its parts.
//!
//! The core is named `crate::privacy` here and nowhere by its own name.

mod accountants;
mod counts;
mod crowd;
mod ledger;
mod noise;
mod opendp;
mod randomness;
mod refusals;
mod sampler;
mod sgd;
mod subjects;

pub use accountants::{known_answers, quick_known_answers};
pub use counts::{CappedCounts, ChosenCounts, Counts, SummedDistances, UnitCounts};
pub use crowd::Crowd;
pub use ledger::{charge_on_disk, ledger_arithmetic};
pub use noise::noise_distribution;
pub use opendp::{Categories, LaplaceTable, Median, MostFrequent};
pub use randomness::generator_health;
pub use refusals::refusals;
pub use sampler::sampler;
pub use sgd::{Canary, GradientStep};
pub use subjects::{MECHANISMS, subjects};

use crate::attack::Claim;
use crate::error::AuditError;
use crate::privacy::{
    Adjacency, Delta, Mechanism, Paid, PrivacyUnit, Private, Records, Taint, accountant, insecure,
};

/// The δ at which mechanisms are audited.
pub const DELTA: f64 = 1e-5;

/// Wraps an error of the core, whose families all have codes.
macro_rules! refused {
    () => {
        |error| crate::error::AuditError::refused(error.code(), &error)
    };
}
use refused;

/// Permission to run one mechanism with secret bits that `seed` decides.
fn permission(unit: &PrivacyUnit, mechanism: Mechanism, taint: Taint, seed: u64) -> Paid {
    insecure::paid(unit.clone(), vec![mechanism], taint, seed)
}

/// What a mechanism is charged for when a unit comes or goes.
fn charged(mechanism: &Mechanism) -> Result<Claim, AuditError> {
    let delta = Delta::new(DELTA).map_err(refused!())?;
    let adjacency = Adjacency::AddOrRemoveOne;
    let epsilon = accountant::epsilon(&mechanism.event(), adjacency, delta).map_err(refused!())?;
    Ok(Claim {
        epsilon,
        delta: DELTA,
        pair: None,
    })
}

/// Records whose units have the rows that are listed, one code for each of `domain_sizes`.
fn records(
    unit: &PrivacyUnit,
    domain_sizes: Vec<u32>,
    units: &[Vec<Vec<u16>>],
) -> Result<Private<Records>, AuditError> {
    let starts = units
        .iter()
        .scan(0u32, |end, rows| {
            *end += rows.len() as u32;
            Some(*end)
        })
        .fold(vec![0], |mut starts, end| {
            starts.push(end);
            starts
        });
    let codes: Vec<u16> = units.iter().flatten().flatten().copied().collect();
    // Loading asks for a charge; these records are the audit's own.
    let paid = insecure::paid(unit.clone(), Vec::new(), Taint::FixedSeed, 0);
    let source = (unit.clone(), domain_sizes, codes, starts);
    Private::load(&paid, source, |(unit, sizes, codes, starts)| match unit {
        PrivacyUnit::Row => Records::rows(sizes, codes),
        PrivacyUnit::User { max_rows, .. } => Records::grouped(sizes, codes, starts, max_rows),
    })
    .map_err(refused!())
}

/// A person with at most `max_rows` rows, or a row where that is 1.
fn unit_of(max_rows: u32) -> PrivacyUnit {
    match max_rows {
        1 => PrivacyUnit::Row,
        max_rows => PrivacyUnit::User {
            column: "person".to_owned(),
            max_rows,
        },
    }
}
