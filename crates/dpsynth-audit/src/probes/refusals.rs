//! What the core must refuse.

use super::{permission, records, refused, unit_of};
use crate::error::AuditError;
use crate::outcome::{Check, Watch};
use crate::privacy::{
    ChosenMarginals, MarginalQuery, Marginals, Mechanism, NoiseMultiplier, Taint,
};

/// Asks for more than was paid for, in four ways.
///
/// # Errors
/// If the core refuses what it should allow.
pub fn refusals(seed: u64) -> Result<Check, AuditError> {
    let watch = Watch::start();
    let mut allowed = 0u32;
    let noise_multiplier = NoiseMultiplier::new(2.0).map_err(refused!())?;
    let row = unit_of(1);
    let data = records(&row, vec![2], &[vec![vec![0]]])?;
    let chosen = Mechanism::ChosenMarginals(ChosenMarginals { noise_multiplier });
    let mut paid = permission(&row, chosen, Taint::FixedSeed, seed);
    let opened = paid
        .authorize::<ChosenMarginals>()
        .and_then(|it| it.open(&data));
    let mut session = opened.map_err(refused!())?;
    let mut ask = |share: f64| {
        let columns = vec![0];
        session.measure(&[MarginalQuery { columns, share }]).is_ok()
    };
    if !ask(0.6) {
        return Ok(done(1, &watch));
    }
    // More than is left, a second time more, and a share that is not a number.
    allowed += u32::from(ask(0.6)) + u32::from(ask(0.41)) + u32::from(ask(f64::NAN));
    // What was authorised once.
    allowed += u32::from(paid.authorize::<ChosenMarginals>().is_ok());
    // People with more rows than were paid for.
    let people = records(&unit_of(3), vec![2], &[vec![vec![0]; 3]])?;
    let counts = Mechanism::Marginals(Marginals {
        column_sets: vec![vec![0]],
        noise_multiplier,
    });
    let mut paid = permission(&row, counts, Taint::FixedSeed, seed);
    let counted = paid
        .authorize::<Marginals>()
        .and_then(|it| it.measure(&people));
    allowed += u32::from(counted.is_ok());
    Ok(done(allowed, &watch))
}

fn done(allowed: u32, watch: &Watch) -> Check {
    Check::compare(
        "refusals: more marginals, more runs and larger people than were paid for",
        (f64::from(allowed), 0.0),
        0.0,
        "a charge that can be spent twice is found for certain",
        watch,
    )
}
