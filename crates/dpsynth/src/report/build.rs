//! Putting a report together.

use std::collections::BTreeMap;

use dpsynth_constraints::{RuleKind, RuleOutcome, RuleSpec};
use dpsynth_privacy::ledger::{Booking, ChargeReceipt, LedgerSummary};
use dpsynth_privacy::{DpEvent, PrivacyUnit, Taint};
use dpsynth_table::{Column, Domain, Missing, OutOfDomain};

use super::{
    Accountants, ColumnSection, LedgerSection, LedgerSums, MechanismSection, ModelSection,
    PolicySection, PrivacySection, ProfilePoint, REPORT_VERSION, Report, RuleSection,
    SynthesisSection, UniverseSection, claim, rates, standards::tags,
};
use crate::plan::{Cost, ModelPlan, ReleasePlan};
use crate::policy::{LearnedDomain, Policy};
use crate::quality::Quality;
use crate::self_audit::SelfAuditSection;

/// What a report is made of.
pub struct Ingredients<'a> {
    /// The policy.
    pub policy: &'a Policy,
    /// The plan that was carried out.
    pub plan: &'a ReleasePlan,
    /// What the release costs, or `None` where nothing protects.
    pub cost: Option<&'a Cost>,
    /// The charge, or `None` where nothing was charged.
    pub receipt: Option<&'a ChargeReceipt>,
    /// Why the release is not private, if it is not.
    pub taint: Option<Taint>,
    /// Rows delivered.
    pub rows: usize,
    /// What enforcing the rules did to synthetic rows.
    pub outcomes: &'a [RuleOutcome],
    /// The table beside the noisy counts, where there are any.
    pub quality: Option<Quality>,
    /// What the self test found before anything was charged.
    pub self_audit: SelfAuditSection,
    /// What was learned of columns that the policy left open, by column.
    pub learned: &'a BTreeMap<String, LearnedDomain>,
}

/// Builds the report of a release.
#[must_use]
pub fn build(from: &Ingredients<'_>) -> Report {
    let Ingredients {
        policy,
        plan,
        receipt,
        taint,
        ..
    } = from;
    let delta = plan.delta.value();
    let not_private = taint.map(not_private);
    let epsilon_spent = match (taint, receipt) {
        (None, Some(receipt)) => Some(receipt.epsilon_spent()),
        _ => None,
    };
    let claim = match epsilon_spent {
        Some(epsilon) => claim(
            &policy.dataset.name,
            epsilon,
            delta,
            &plan.unit,
            plan.adjacency,
        ),
        None => {
            "NOT PRIVATE: nothing in this folder is protected; do not publish any of it".to_owned()
        }
    };
    let accountants = from.cost.map(|Cost { price, .. }| Accountants {
        certified_lower: price.certified.lower,
        certified_upper: price.certified.upper,
        renyi_upper: price.renyi,
    });
    let profile = from.cost.iter().flat_map(|cost| &cost.profile);
    Report {
        report_version: REPORT_VERSION,
        tool_version: env!("CARGO_PKG_VERSION").to_owned(),
        not_private,
        claim,
        dataset: policy.dataset.name.clone(),
        privacy: PrivacySection {
            unit: plan.unit.clone(),
            adjacency: plan.adjacency,
            epsilon_asked: plan.epsilon.value(),
            delta,
            epsilon_spent,
            accountant: ACCOUNTANT.to_owned(),
            accountants,
            readings: from.cost.map(|cost| cost.readings.clone()),
            profile: profile
                .map(|&(delta, epsilon)| ProfilePoint { delta, epsilon })
                .collect(),
        },
        mechanisms: plan
            .stages
            .iter()
            .map(|stage| MechanismSection {
                purpose: stage.purpose,
                mechanism: stage.mechanism.clone(),
                event: if taint.is_some() {
                    DpEvent::NonPrivate
                } else {
                    stage.mechanism.event()
                },
                epsilon_alone: taint.is_none().then_some(stage.epsilon_alone),
            })
            .collect(),
        ledger: receipt.map(ledger_section),
        universe: receipt.and_then(universe_section),
        policy: PolicySection {
            sha256: policy.sha256(),
            epsilon_per_release: policy.privacy.epsilon_per_release.value(),
            delta_per_release: policy.privacy.delta_per_release.value(),
            expected_units: plan.units,
            reason: policy.privacy.reason.clone(),
        },
        columns: policy
            .schema
            .columns()
            .iter()
            .map(|column| ColumnSection {
                name: column.name.clone(),
                domain: domain(column),
                provenance: match from.learned.contains_key(&column.name) {
                    true => "learned with noise, by a mechanism that was paid for",
                    false => "stated in the policy (public)",
                }
                .to_owned(),
                learned: from.learned.get(&column.name).cloned(),
                reason: policy.column_reasons.get(&column.name).cloned(),
            })
            .collect(),
        rules: rules(policy, from.outcomes),
        synthesis: SynthesisSection {
            engine: plan.engine.name().to_owned(),
            chosen_by: plan.chosen_by,
            rows: from.rows as u64,
            seed: plan.seed,
            model: match &plan.model {
                ModelPlan::Decoder(decoder) => ModelSection::Decoder { fit: decoder.fit },
                ModelPlan::Marginals(_) => ModelSection::Marginals,
                ModelPlan::Copula(_) => ModelSection::Copula,
                ModelPlan::Vae(vae) => ModelSection::Vae {
                    network: vae.shape.network().clone(),
                    optimiser: vae.optimiser,
                },
            },
            modelled_columns: policy.modelled().into_iter().map(str::to_owned).collect(),
        },
        quality: from.quality.clone(),
        self_audit: from.self_audit.clone(),
        not_covered: not_covered(policy),
        how_to_check: HOW_TO_CHECK.iter().map(|&line| line.to_owned()).collect(),
        standards: tags(),
    }
}

const ACCOUNTANT: &str = "privacy loss distributions between two bounds (connect the dots, Doroshenko et al. 2022, \
    and chords lowered below the curve), both directions; checked against Rényi differential privacy (Mironov, Talwar & \
    Zhang 2019; Canonne, Kamath & Steinke 2020, Proposition 12); every ε is an upper bound";

const HOW_TO_CHECK: [&str; 4] = [
    "`dpsynth verify FOLDER` recomputes the hashes, the signature over them, the price of every mechanism, and the schema and rules of every row; with `--ledger LEDGER` also that the ledger holds this release",
    "`dpsynth ledger verify LEDGER --release FOLDER` checks the whole ledger, and that it was not cut since this release",
    "`dpsynth ledger show LEDGER` lists all charges of the data set, of which this release is one",
    "the `event` of each mechanism has the names of Google's `dp-accounting`, so that an accountant of someone else's can price it",
];

fn not_private(taint: Taint) -> String {
    match taint {
        Taint::NoNoise => {
            "made with `--insecure-no-privacy`: no noise was added and nothing was charged"
        }
        Taint::FixedSeed => "noise was drawn from a known seed, so anyone can subtract it",
    }
    .to_owned()
}

fn sums(summary: &LedgerSummary) -> LedgerSums {
    LedgerSums {
        epsilon_spent: summary.spent_epsilon,
        delta_spent: summary.spent_delta,
        epsilon_remaining: summary.remaining_epsilon,
        delta_remaining: summary.remaining_delta,
    }
}

/// Spells the key of a ledger. A ledger that was charged has one.
fn key(summary: &LedgerSummary) -> String {
    summary
        .public_key
        .map_or_else(String::new, |key| key.to_string())
}

pub(crate) fn ledger_section(receipt: &ChargeReceipt) -> LedgerSection {
    let Booking { before, after, .. } = receipt.booking();
    LedgerSection {
        charge: receipt.id().to_string(),
        ledger: after.id.to_string(),
        public_key: key(after),
        epsilon_for_life: after.lifetime_epsilon.value(),
        delta_for_life: after.lifetime_delta.value(),
        before: sums(before),
        after: sums(after),
        head_hash: after.head_hash.to_string(),
    }
}

pub(crate) fn universe_section(receipt: &ChargeReceipt) -> Option<UniverseSection> {
    let Booking { before, after, .. } = receipt.universe()?;
    Some(UniverseSection {
        name: after.subject.name().to_owned(),
        ledger: after.id.to_string(),
        public_key: key(after),
        epsilon_for_life: after.lifetime_epsilon.value(),
        delta_for_life: after.lifetime_delta.value(),
        before: sums(before),
        after: sums(after),
        head_hash: after.head_hash.to_string(),
    })
}

fn domain(column: &Column) -> String {
    let mut text = match &column.domain {
        Domain::Categorical { categories } => format!("one of {} categories", categories.len()),
        Domain::Integer { min, max, .. } => format!("integer from {min} to {max}"),
        Domain::Duration { min, max, form, .. } => format!(
            "length of time from {} to {} as `{form}`",
            form.write(*min),
            form.write(*max)
        ),
        Domain::Float {
            min, max, decimals, ..
        } => match decimals {
            Some(1) => format!("number from {min} to {max} with 1 decimal"),
            Some(decimals) => format!("number from {min} to {max} with {decimals} decimals"),
            None => format!("number from {min} to {max}"),
        },
        Domain::Date { min, max, .. } => format!("date from {min} to {max}"),
        Domain::Identifier { format } => {
            format!("identifier written as `{format}`, made up for each row")
        }
        Domain::Timestamp { min, max, .. } => format!("time from {min} to {max}"),
    };
    if let Domain::Integer { cells, .. } | Domain::Float { cells, .. } = &column.domain
        && !cells.spikes().is_empty()
    {
        let spikes: Vec<_> = cells.spikes().iter().map(f64::to_string).collect();
        text.push_str(&format!(", of which {} stand alone", spikes.join(", ")));
    }
    if let Some(after) = &column.after {
        let (least, most) = (after.at_least, after.at_most);
        let columns = after.columns.join("` + `");
        text.push_str(&format!(", {least} to {most} after `{columns}`"));
    }
    if let OutOfDomain::BecomesCategory(category) = &column.out_of_domain {
        text.push_str(&format!("; what is not listed becomes `{category}`"));
    }
    if column.missing == Missing::Allowed {
        text.push_str(", or missing");
    }
    text
}

fn rules(policy: &Policy, outcomes: &[RuleOutcome]) -> Vec<RuleSection> {
    policy
        .rule_specs
        .iter()
        .filter_map(|spec| {
            let outcome = outcomes.iter().find(|outcome| outcome.name == spec.name)?;
            let (violation_rate, repair_rate, redraw_rate) = rates(outcome);
            Some(RuleSection {
                name: spec.name.clone(),
                rule: rule_text(spec),
                reason: policy.rule_reasons.get(&spec.name).cloned(),
                enforcement: format!("{:?}", outcome.enforcement).to_lowercase(),
                violation_rate,
                repair_rate,
                redraw_rate,
            })
        })
        .collect()
}

fn rule_text(spec: &RuleSpec) -> String {
    match &spec.kind {
        RuleKind::Sql { expression } => expression.clone(),
        RuleKind::Range { column, min, max } => {
            let bound =
                |sign: &str, bound: &Option<f64>| bound.map(|b| format!("`{column}` {sign} {b}"));
            [bound(">=", min), bound("<=", max)]
                .into_iter()
                .flatten()
                .collect::<Vec<_>>()
                .join(" and ")
        }
        RuleKind::NonNegative { column } => format!("`{column}` >= 0"),
        RuleKind::Inequality {
            low,
            high,
            strictness,
        } => {
            let sign = match strictness {
                dpsynth_constraints::Strictness::Strict => "<",
                _ => "<=",
            };
            format!("`{low}` {sign} `{high}`")
        }
        RuleKind::FixedCombinations { columns, allowed } => {
            format!(
                "({}) is one of {} listed combinations",
                columns.join(", "),
                allowed.len()
            )
        }
        RuleKind::FixedIncrements { column, step } => format!("`{column}` is a multiple of {step}"),
        RuleKind::FixedNullCombinations { columns, allowed } => {
            let columns = columns.join(", ");
            match allowed {
                None => format!("({columns}) are missing together or not at all"),
                Some(ways) => {
                    let ways: Vec<String> = ways
                        .iter()
                        .map(|way| format!("{{{}}}", way.join(", ")))
                        .collect();
                    format!(
                        "of ({columns}), one of these is missing: {}",
                        ways.join(" or ")
                    )
                }
            }
        }
        RuleKind::MixedScales { by, column, scales } => format!(
            "`{column}` lies within the bounds of its ({}), which {} segments have",
            by.join(", "),
            scales.len()
        ),
        RuleKind::OneHot { columns } => format!("exactly one of ({}) is 1", columns.join(", ")),
        RuleKind::Unique { columns } => {
            format!("({}) differs from row to row", columns.join(", "))
        }
        RuleKind::Derived { column, formula } => format!("`{column}` = {formula}"),
        RuleKind::Conditional { when, then } => format!("where {when}: {then}"),
    }
}

fn not_covered(policy: &Policy) -> Vec<String> {
    let mut lines = vec![
        "everything that the policy states: names, order, bounds and categories of the columns, the rules, and the figures of the budget".to_owned(),
        "how long the release took, how much memory it used, and whether a run failed".to_owned(),
        "what the custodian sees on their own screen, error messages about the input among it".to_owned(),
        "a person with several rows: the unit is one row, so all rows of a person together cost more; `privacy.readings` says how much for 2, 5 and 10".to_owned(),
        "the randomness is ChaCha20 keyed by the operating system: the claim holds against attackers who cannot break it".to_owned(),
    ];
    if let PrivacyUnit::User { column, max_rows } = &policy.privacy.unit {
        lines[3] = format!(
            "a person who goes by several values of `{column}`: each value is protected as a person of its own"
        );
        lines.push(format!(
            "of a person with more than {max_rows} rows, {max_rows} chosen at random were used, so people with many rows \
             count for less in the release than in the data"
        ));
    }
    if !policy.ignored.is_empty() {
        lines.push(format!(
            "columns that were left out and are not in the release: {}",
            policy
                .ignored
                .iter()
                .map(|name| format!("\"{name}\""))
                .collect::<Vec<_>>()
                .join(", ")
        ));
    }
    lines
}
