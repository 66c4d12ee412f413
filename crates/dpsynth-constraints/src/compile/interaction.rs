//! Which repairs change what other rules look at.

use std::collections::BTreeSet;

use super::kinds::Draft;
use crate::interaction::Interaction;
use crate::repair::Repair;
use crate::spec::{Enforcement, RuleSpec};

/// Returns every pair of a rule that is repaired and another that looks at a column it changes.
pub(super) fn between(
    drafts: &[(usize, Enforcement, Draft)],
    specs: &[RuleSpec],
) -> Vec<Interaction> {
    let mut found = Vec::new();
    for (changing, _, draft) in drafts
        .iter()
        .filter(|(_, way, _)| *way == Enforcement::Repair)
    {
        let written = written(draft);
        for (looking, _, other) in drafts.iter().filter(|(index, ..)| index != changing) {
            found.extend(
                other
                    .reads
                    .intersection(&written)
                    .map(|column| Interaction {
                        changes: specs[*changing].name.clone(),
                        column: column.clone(),
                        looks: specs[*looking].name.clone(),
                    }),
            );
        }
    }
    found
}

/// Returns the columns that a rule's repair changes.
fn written(draft: &Draft) -> BTreeSet<String> {
    match &draft.repair {
        Ok(Repair::Clip { column, .. }) => BTreeSet::from([column.clone()]),
        Ok(Repair::Trade(trade)) => BTreeSet::from([trade.column().to_owned()]),
        Ok(Repair::Swap { low, high, .. }) => BTreeSet::from([low.clone(), high.clone()]),
        Ok(Repair::Own) => match &draft.claim {
            super::kinds::Claim::Scales { column, .. } => BTreeSet::from([column.clone()]),
            _ => draft.reads.clone(),
        },
        Err(_) => BTreeSet::new(),
    }
}
