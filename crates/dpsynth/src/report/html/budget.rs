//! The budget as pictures.

use dpsynth_page::picture::{Part, Texture, Words, stacked};
use dpsynth_page::{Align, Grid};
use maud::{Markup, html as fragment};

use super::code_spans;
use crate::report::claim::{delta_text, epsilon_down, epsilon_up};
use crate::report::markdown::{adjacency, unit};
use crate::report::{LedgerSection, LedgerSums, Report, UniverseSection};

/// Writes the section.
pub(super) fn section(report: &Report) -> Markup {
    let privacy = &report.privacy;
    let spent_here = privacy.epsilon_spent.unwrap_or(0.0);
    let spent = privacy
        .epsilon_spent
        .map_or_else(|| "unbounded".to_owned(), epsilon_up);
    fragment! {
        dl.facts {
            div { dt { "ε asked for" } dd { (privacy.epsilon_asked) } }
            div { dt { "ε spent" } dd { (spent) } }
            div { dt { "δ" } dd { (format!("{:e}", privacy.delta)) } }
            @if let Some(ledger) = &report.ledger {
                div { dt { "ε that remains for this data set" }
                    dd { (epsilon_down(ledger.after.epsilon_remaining)) small { "of " (ledger.epsilon_for_life) } } }
            }
            @if let Some(universe) = &report.universe {
                div { dt { "ε that remains for the universe" }
                    dd { (epsilon_down(universe.after.epsilon_remaining)) small { "of " (universe.epsilon_for_life) } } }
            }
        }
        p { "The unit of the claim is " strong { (code_spans(&unit(&privacy.unit))) } ". Neighbouring data sets " (adjacency(privacy.adjacency))
            ". The larger ε, the weaker the protection." }
        @if let Some(ledger) = &report.ledger {
            (over_all_releases("ε over all releases of this data set", ledger.epsilon_for_life, &ledger.before, &ledger.after, spent_here))
        }
        @if let Some(universe) = &report.universe {
            (over_all_releases(&format!("ε over all data sets of the universe {}", universe.name),
                universe.epsilon_for_life, &universe.before, &universe.after, spent_here))
        }
        (of_this_release(report))
        (stages(report))
        @if let Some(ledger) = &report.ledger { (ledger_section(ledger)) }
        @if let Some(universe) = &report.universe { (universe_section(universe)) }
        @if report.ledger.is_none() { p { "Nothing was charged to a ledger." } }
        (policy(report))
    }
}

fn over_all_releases(
    title: &str,
    for_life: f64,
    before: &LedgerSums,
    after: &LedgerSums,
    spent: f64,
) -> Markup {
    let before = before.epsilon_spent;
    let remaining = after.epsilon_remaining;
    let parts = [
        Part {
            label: "spent by earlier releases",
            value: before,
            shown: epsilon_up(before),
            texture: Texture::Light,
        },
        Part {
            label: "spent by this release",
            value: spent,
            shown: epsilon_up(spent),
            texture: Texture::Solid,
        },
        Part {
            label: "remaining",
            value: remaining,
            shown: epsilon_down(remaining),
            texture: Texture::Empty,
        },
    ];
    let description = format!(
        "Of {for_life} for life, {} was spent before, {} by this release, and {} remains",
        parts[0].shown, parts[1].shown, parts[2].shown
    );
    let words = Words {
        title,
        description: &description,
    };
    fragment! {
        figure {
            figcaption { strong { (words.title) } ", of " (for_life) " for life" }
            (stacked(words, &parts, for_life))
        }
    }
}

fn of_this_release(report: &Report) -> Markup {
    let (asked, allowed) = (
        report.privacy.epsilon_asked,
        report.policy.epsilon_per_release,
    );
    let spent = report.privacy.epsilon_spent.unwrap_or(0.0);
    let parts = [
        Part {
            label: "spent",
            value: spent,
            shown: report
                .privacy
                .epsilon_spent
                .map_or_else(|| "unbounded".to_owned(), epsilon_up),
            texture: Texture::Solid,
        },
        Part {
            label: "asked for",
            value: asked - spent,
            shown: format!("{asked}"),
            texture: Texture::Light,
        },
        Part {
            label: "allowed by the policy",
            value: allowed - asked,
            shown: format!("{allowed}"),
            texture: Texture::Empty,
        },
    ];
    let description = format!(
        "The policy allows {allowed}; {asked} was asked for; {} was spent",
        parts[0].shown
    );
    let words = Words {
        title: "ε of this release",
        description: &description,
    };
    fragment! {
        figure {
            figcaption { strong { (words.title) } ", of " (allowed) " that the policy allows for one" }
            (stacked(words, &parts, allowed))
        }
    }
}

/// One bar for each mechanism, on the scale of the largest.
fn stages(report: &Report) -> Markup {
    let alone: Vec<f64> = report
        .mechanisms
        .iter()
        .filter_map(|section| section.epsilon_alone)
        .collect();
    let largest = alone
        .iter()
        .fold(0.0f64, |most, &epsilon| most.max(epsilon));
    if alone.len() < 2 || largest <= 0.0 {
        return fragment! {};
    }
    fragment! {
        h3 { "Stage by stage" }
        p.quiet { "What each mechanism would cost alone. Together they cost less than the sum, so the bars do not add up." }
        @for section in &report.mechanisms {
            @if let Some(epsilon) = section.epsilon_alone {
                @let words = Words { title: section.purpose.describe(), description: "ε of this mechanism alone" };
                figure { (stacked(words, &[Part {
                    label: section.purpose.describe(), value: epsilon, shown: epsilon_up(epsilon), texture: Texture::Solid,
                }], largest)) }
            }
        }
    }
}

fn ledger_section(ledger: &LedgerSection) -> Markup {
    let caps = (ledger.epsilon_for_life, ledger.delta_for_life);
    fragment! {
        (sums("The ledger of this data set before and after this release", &ledger.before, &ledger.after, caps))
        p { "This release is charge " code { (ledger.charge) } " of the ledger " code { (ledger.ledger) }
            ". The hash of its last record was then " code { (ledger.head_hash) } ". The ledger and the list of this release's files are "
            "signed with the ed25519 key " code { (ledger.public_key) } "." }
    }
}

fn universe_section(universe: &UniverseSection) -> Markup {
    let caps = (universe.epsilon_for_life, universe.delta_for_life);
    fragment! {
        h3 { "Universe: " (universe.name) }
        p { "The same charge counts for all data sets about these people together." }
        (sums("The ledger of the universe before and after this release", &universe.before, &universe.after, caps))
        p { "It stands in the ledger " code { (universe.ledger) } ", whose last hash was then "
            code { (universe.head_hash) } ", signed with the key " code { (universe.public_key) } "." }
    }
}

fn sums(caption: &str, before: &LedgerSums, after: &LedgerSums, caps: (f64, f64)) -> Markup {
    let mut grid = Grid::new(
        caption,
        &[
            ("sum over all releases", Align::Word),
            ("before", Align::Number),
            ("after", Align::Number),
            ("cap", Align::Number),
        ],
    );
    grid.row([
        "ε spent",
        &epsilon_up(before.epsilon_spent),
        &epsilon_up(after.epsilon_spent),
        &format!("{}", caps.0),
    ]);
    grid.row([
        "ε remaining",
        &epsilon_down(before.epsilon_remaining),
        &epsilon_down(after.epsilon_remaining),
        "",
    ]);
    grid.row([
        "δ spent",
        &delta_text(before.delta_spent),
        &delta_text(after.delta_spent),
        &delta_text(caps.1),
    ]);
    grid.render()
}

fn policy(report: &Report) -> Markup {
    let policy = &report.policy;
    fragment! {
        h3 { "What the policy allows" }
        p { "The file " code { "policy.toml" } " beside this page, with the SHA-256 " code { (policy.sha256) } ", allows ε = "
            (policy.epsilon_per_release) " and δ = " (format!("{:e}", policy.delta_per_release)) " for one release. "
            @match policy.expected_units {
                Some(units) => { "It states " (units) " privacy units as a public figure." }
                None => { "It states no number of privacy units; a noisy one was paid for." }
            }
        }
        @if let Some(reason) = &policy.reason { p { "The owner's reason: " q { (code_spans(reason)) } } }
    }
}
