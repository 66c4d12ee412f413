//! Recomputing what can be recomputed of figures that were paid for.

use std::path::Path;

use dpsynth_privacy::ledger::PublicKey;
use dpsynth_privacy::{Delta, DpEvent, accountant};

use super::files::read_text;
use super::stated::Stated;
use super::{Check, covers, ledger, read_figures, verify_files};
use crate::figures::{PaidFigures, markdown};
use crate::report::claim;

/// Checks the figures in `folder`, their charge if a ledger is given, and who signed if a key is given.
pub(super) fn verify_figures(
    folder: &Path,
    path: Option<&Path>,
    key: Option<&PublicKey>,
) -> Vec<Check> {
    let mut checks = verify_files(folder);
    let figures = match read_figures(folder) {
        Ok(figures) => figures,
        Err(why) => {
            checks.push(Check::of("figures.json holds figures", Err(why)));
            return checks;
        }
    };
    checks.push(Check::of(
        "every mechanism has the price that the figures state",
        prices(&figures),
    ));
    let page = read_text(folder, "figures.md").and_then(|page| match page == markdown(&figures) {
        true => Ok(()),
        false => Err("figures.md differs from what figures.json gives".to_owned()),
    });
    checks.push(Check::of("figures.md says what figures.json says", page));
    if let Some(key) = key {
        let same = match figures.ledger.public_key == key.to_string() {
            true => Ok(()),
            false => Err("the figures name another key".to_owned()),
        };
        checks.push(Check::of("the key is the one that was given", same));
    }
    checks.extend(ledger::holds(path, folder, &Stated::of_figures(&figures)));
    checks
}

fn prices(figures: &PaidFigures) -> Result<(), String> {
    let events = figures.mechanisms.iter();
    if events.clone().any(|it| it.mechanism.event() != it.event) {
        return Err("an event does not describe its mechanism".to_owned());
    }
    let composed = DpEvent::Composed {
        events: events.map(|it| it.event.clone()).collect(),
    };
    let delta = Delta::new(figures.delta).map_err(|error| error.to_string())?;
    let price = accountant::price(&composed, figures.adjacency, delta)
        .map_err(|error| error.to_string())?;
    let spent = figures.epsilon_spent;
    // Written so that a number that is not one fails.
    let within = covers(Some(spent), price.certified.lower) && spent <= figures.epsilon_asked;
    if !within {
        return Err("the mechanisms cost more than stated, or than asked for".to_owned());
    }
    let told = claim(
        &figures.dataset,
        spent,
        figures.delta,
        &figures.unit,
        figures.adjacency,
    );
    if told == figures.claim {
        Ok(())
    } else {
        Err("the claim's sentence does not follow from the figures".to_owned())
    }
}
