//! The report as a page for people.

use std::fmt::Write;

use dpsynth_privacy::{Adjacency, Mechanism, PrivacyUnit};

use super::claim::{delta_text, epsilon_down, epsilon_up};
use super::{LedgerSums, ModelSection, Report, other_words};

/// Renders `report.json` as Markdown. Nothing is computed here.
#[must_use]
pub fn markdown(report: &Report) -> String {
    let mut page = String::new();
    // Writing to a string cannot fail.
    let _ = write(&mut page, report);
    page
}

fn write(page: &mut String, report: &Report) -> std::fmt::Result {
    writeln!(page, "# Privacy budget report: {}\n", report.dataset)?;
    if let Some(why) = &report.not_private {
        writeln!(page, "> **THIS IS NOT A PRIVATE RELEASE.** It was {why}.\n")?;
    }
    writeln!(page, "**Claim.** {}.\n", capital(&report.claim))?;
    privacy(page, report)?;
    mechanisms(page, report)?;
    ledger(page, report)?;
    policy(page, report)?;
    columns(page, report)?;
    rules(page, report)?;
    synthesis(page, report)?;
    quality(page, report)?;
    list(page, "What the claim does not cover", &report.not_covered)?;
    list(page, "How to check it", &report.how_to_check)?;
    self_audit(page, report)?;
    if let Some(why) = &report.not_private {
        writeln!(page, "> **THIS IS NOT A PRIVATE RELEASE.** It was {why}.")?;
    }
    Ok(())
}

fn self_audit(page: &mut String, report: &Report) -> std::fmt::Result {
    let audit = &report.self_audit;
    let run = audit.checks.iter().filter(|it| it.outcome == "passed");
    writeln!(
        page,
        "Before anything was charged, {} of {} checks of the self test ran and found nothing, in {:.1} seconds; {}.\n",
        run.count(),
        audit.checks.len(),
        audit.seconds,
        audit.caution
    )
}

fn privacy(page: &mut String, report: &Report) -> std::fmt::Result {
    let privacy = &report.privacy;
    writeln!(page, "## Budget\n")?;
    writeln!(page, "| | |\n|---|---|")?;
    writeln!(page, "| privacy unit | {} |", unit(&privacy.unit))?;
    writeln!(
        page,
        "| neighbouring data sets | {} |",
        adjacency(privacy.adjacency)
    )?;
    writeln!(page, "| ε asked for | {} |", privacy.epsilon_asked)?;
    match privacy.epsilon_spent {
        Some(epsilon) => writeln!(page, "| ε spent | {} |", epsilon_up(epsilon))?,
        None => writeln!(page, "| ε spent | unbounded |")?,
    }
    writeln!(page, "| δ | {:e} |", privacy.delta)?;
    if let Some(accountants) = privacy.accountants {
        writeln!(
            page,
            "| the least ε that could be stated | {} |",
            epsilon_down(accountants.certified_lower)
        )?;
        writeln!(
            page,
            "| ε by the second accountant | {} |",
            epsilon_up(accountants.renyi_upper)
        )?;
    }
    writeln!(page, "| accountant | {} |\n", privacy.accountant)?;
    if !privacy.profile.is_empty() {
        writeln!(page, "The same release at other values of δ:\n")?;
        writeln!(page, "| δ | ε |\n|---|---|")?;
        for point in &privacy.profile {
            writeln!(
                page,
                "| {:e} | {} |",
                point.delta,
                epsilon_up(point.epsilon)
            )?;
        }
        writeln!(page)?;
    }
    match &privacy.readings {
        Some(readings) => other_words::write(page, privacy, readings),
        None => Ok(()),
    }
}

fn mechanisms(page: &mut String, report: &Report) -> std::fmt::Result {
    writeln!(page, "## Everything that has read the data\n")?;
    writeln!(page, "| purpose | mechanism | ε alone |\n|---|---|---|")?;
    for section in &report.mechanisms {
        let alone = section
            .epsilon_alone
            .map_or_else(|| "unbounded".to_owned(), epsilon_up);
        writeln!(
            page,
            "| {} | {} | {alone} |",
            section.purpose.describe(),
            mechanism(&section.mechanism)
        )?;
    }
    if report.mechanisms.len() < 2 {
        return writeln!(page);
    }
    writeln!(
        page,
        "\nThe mechanisms cost less together than the sum of what each costs alone.\n"
    )
}

fn ledger(page: &mut String, report: &Report) -> std::fmt::Result {
    writeln!(page, "## Ledger\n")?;
    let Some(ledger) = &report.ledger else {
        return writeln!(page, "Nothing was charged.\n");
    };
    let caps = (ledger.epsilon_for_life, ledger.delta_for_life);
    sums(page, &ledger.before, &ledger.after, caps)?;
    writeln!(
        page,
        "Charge `{}` of the ledger `{}`, whose last hash was then `{}`. The ledger and the list of this \
         release's files are signed with the ed25519 key `{}`.\n",
        ledger.charge, ledger.ledger, ledger.head_hash, ledger.public_key
    )?;
    let Some(universe) = &report.universe else {
        return Ok(());
    };
    writeln!(page, "### Universe: {}\n", cell(&universe.name))?;
    writeln!(
        page,
        "The same charge counts for all data sets about these people together.\n"
    )?;
    let caps = (universe.epsilon_for_life, universe.delta_for_life);
    sums(page, &universe.before, &universe.after, caps)?;
    writeln!(
        page,
        "It stands in the ledger `{}`, whose last hash was then `{}`, signed with the key `{}`.\n",
        universe.ledger, universe.head_hash, universe.public_key
    )
}

fn sums(
    page: &mut String,
    before: &LedgerSums,
    after: &LedgerSums,
    (epsilon, delta): (f64, f64),
) -> std::fmt::Result {
    writeln!(page, "| | before | after | cap |\n|---|---|---|---|")?;
    writeln!(
        page,
        "| ε spent | {} | {} | {epsilon} |",
        epsilon_up(before.epsilon_spent),
        epsilon_up(after.epsilon_spent),
    )?;
    writeln!(
        page,
        "| ε remaining | {} | {} | |",
        epsilon_down(before.epsilon_remaining),
        epsilon_down(after.epsilon_remaining)
    )?;
    writeln!(
        page,
        "| δ spent | {} | {} | {} |\n",
        delta_text(before.delta_spent),
        delta_text(after.delta_spent),
        delta_text(delta)
    )
}

fn policy(page: &mut String, report: &Report) -> std::fmt::Result {
    let policy = &report.policy;
    writeln!(page, "## Policy\n")?;
    writeln!(
        page,
        "`policy.toml` beside this report, SHA-256 `{}`. It allows ε = {} and δ = {:e} for one release.",
        policy.sha256, policy.epsilon_per_release, policy.delta_per_release
    )?;
    match policy.expected_units {
        Some(units) => writeln!(page, "It states {units} privacy units as a public figure.")?,
        None => writeln!(
            page,
            "It states no number of privacy units; a noisy one was paid for."
        )?,
    }
    if let Some(reason) = &policy.reason {
        writeln!(page, "\nThe owner's reason: {reason}")?;
    }
    writeln!(page)
}

fn columns(page: &mut String, report: &Report) -> std::fmt::Result {
    writeln!(page, "## Columns\n")?;
    writeln!(
        page,
        "| column | domain | provenance | reason |\n|---|---|---|---|"
    )?;
    for column in &report.columns {
        writeln!(
            page,
            "| {} | {} | {} | {} |",
            cell(&column.name),
            cell(&column.domain),
            column.provenance,
            cell(column.reason.as_deref().unwrap_or(""))
        )?;
    }
    writeln!(page)
}

fn rules(page: &mut String, report: &Report) -> std::fmt::Result {
    writeln!(page, "## Rules\n")?;
    if report.rules.is_empty() {
        return writeln!(page, "The policy states none.\n");
    }
    writeln!(
        page,
        "Rates are shares of the synthetic rows that were drawn.\n"
    )?;
    writeln!(
        page,
        "| rule | | enforced by | broken as drawn | repaired | redrawn |\n|---|---|---|---|---|---|"
    )?;
    for rule in &report.rules {
        writeln!(
            page,
            "| {} | {} | {} | {} | {} | {} |",
            cell(&rule.name),
            cell(&rule.rule),
            rule.enforcement,
            percent(rule.violation_rate),
            percent(rule.repair_rate),
            percent(rule.redraw_rate)
        )?;
    }
    writeln!(page)
}

fn synthesis(page: &mut String, report: &Report) -> std::fmt::Result {
    let synthesis = &report.synthesis;
    writeln!(page, "## How the rows were made\n")?;
    writeln!(
        page,
        "Engine `{}`, {}: {}. {} rows were drawn from the released model with the public seed {}.\n",
        synthesis.engine,
        synthesis.chosen_by.reason(),
        model(&synthesis.model),
        synthesis.rows,
        synthesis.seed
    )
}

/// Says what was fitted.
pub(super) fn model(model: &ModelSection) -> String {
    match model {
        ModelSection::Decoder { fit } => format!(
            "a decoder, fitted to the noisy marginals alone: {} fixed latents of {} coordinates, two hidden layers of {}, \
             {} steps; then its components by themselves, {} steps",
            fit.components, fit.latent, fit.hidden, fit.steps, fit.refining_steps
        ),
        ModelSection::Marginals => "a graphical model, fitted to the noisy marginals alone: columns are drawn one after \
             another, each by shares that depend on at most three columns before it, and on the target where the \
             marginals were measured within its classes"
            .to_owned(),
        ModelSection::Copula => "a Gaussian copula, fitted to the noisy marginals alone: the columns' own shares, and one \
             correlation for each pair of columns"
            .to_owned(),
        ModelSection::Vae { network, .. } => format!(
            "a variational autoencoder with {} latent coordinates, encoder layers {:?} and decoder layers {:?}",
            network.latent, network.encoder_hidden, network.decoder_hidden
        ),
    }
}

fn quality(page: &mut String, report: &Report) -> std::fmt::Result {
    let Some(quality) = &report.quality else {
        return Ok(());
    };
    writeln!(page, "## How good the rows are, as far as may be told\n")?;
    writeln!(
        page,
        "Distance of the rows from the noisy counts that were paid for, and what noise alone would make of it. Both are \
         released, so this costs nothing; how far the noise has moved the counts, it does not say.\n"
    )?;
    writeln!(page, "| | distance | noise alone |\n|---|--:|--:|")?;
    if let Some(pairs) = &quality.pairs {
        writeln!(
            page,
            "| mean of {} pairs of columns | {} | {} |",
            pairs.pairs,
            percent(pairs.distance),
            percent(pairs.noise)
        )?;
    }
    for column in &quality.columns {
        writeln!(
            page,
            "| {} | {} | {} |",
            cell(&column.name),
            percent(column.distance),
            percent(column.noise)
        )?;
    }
    writeln!(page)
}

fn list(page: &mut String, title: &str, lines: &[String]) -> std::fmt::Result {
    writeln!(page, "## {title}\n")?;
    for line in lines {
        writeln!(page, "- {line}")?;
    }
    writeln!(page)
}

pub(super) fn unit(unit: &PrivacyUnit) -> String {
    match unit {
        PrivacyUnit::Row => "one row".to_owned(),
        PrivacyUnit::User { column, max_rows } => {
            format!("all rows of one `{column}`, at most {max_rows}")
        }
    }
}

pub(super) fn adjacency(adjacency: Adjacency) -> &'static str {
    match adjacency {
        Adjacency::AddOrRemoveOne => "differ in the presence of one unit (add or remove)",
        Adjacency::ReplaceOne => "differ in the content of one unit (replace)",
    }
}

/// Says what a mechanism does, with its public numbers.
pub(crate) fn mechanism(mechanism: &Mechanism) -> String {
    match mechanism {
        Mechanism::LaplaceCounts(counts) => format!(
            "{} histograms with discrete Laplace noise, epsilon {} each",
            counts.column_sets.len(),
            counts.epsilon.value()
        ),
        Mechanism::OpenCategories(categories) => format!(
            "categories whose noisy counts pass a threshold, epsilon {}, delta {}",
            categories.epsilon.value(),
            categories.delta.value()
        ),
        Mechanism::Quantiles(quantiles) => format!(
            "{} quantiles among {} candidates, epsilon {} each",
            quantiles.levels.len(),
            quantiles.candidates.len(),
            quantiles.epsilon.value()
        ),
        Mechanism::TopCells(top) => format!(
            "the {} most frequent cells, epsilon {}",
            top.cells,
            top.epsilon.value()
        ),
        Mechanism::UnitCount(count) => {
            format!(
                "count with Gaussian noise, noise multiplier {}",
                count.noise_multiplier.value()
            )
        }
        Mechanism::Marginals(marginals) => format!(
            "{} histograms with Gaussian noise, noise multiplier {} each",
            marginals.column_sets.len(),
            marginals.noise_multiplier.value()
        ),
        Mechanism::ChosenMarginals(chosen) => format!(
            "histograms with Gaussian noise, chosen one after another, noise multiplier {} together",
            chosen.noise_multiplier.value()
        ),
        Mechanism::Distances(distances) => format!(
            "{} sums of differences to public counts, with Gaussian noise, noise multiplier {} each",
            distances.groups.len(),
            distances.noise_multiplier.value()
        ),
        Mechanism::DpSgd(sgd) => format!(
            "{} steps of DP-SGD: Poisson sampling rate {}, clip norm {}, noise multiplier {}",
            sgd.steps.value(),
            sgd.sampling_rate.value(),
            sgd.clip_norm.value(),
            sgd.noise_multiplier.value()
        ),
    }
}

pub(super) fn percent(rate: f64) -> String {
    format!("{:.2} %", rate * 100.0)
}

/// Keeps a text from breaking its table row.
fn cell(text: &str) -> String {
    text.replace('|', "\\|").replace(['\n', '\r'], " ")
}

/// Makes the first letter a capital.
pub(crate) fn capital(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| {
        first.to_uppercase().chain(letters).collect()
    })
}
