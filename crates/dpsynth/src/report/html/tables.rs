//! What was done, column by column, rule by rule.

use dpsynth_page::{Align, Grid};
use maud::{Markup, html as fragment};

use super::code_spans;
use crate::quality::Quality;
use crate::report::Report;
use crate::report::claim::epsilon_up;
use crate::report::markdown::{mechanism, model, percent};

/// The event log.
pub(super) fn events(report: &Report) -> Markup {
    let mut grid = Grid::new(
        "Every mechanism, in the order in which they ran; nothing else has read the data",
        &[
            ("", Align::Number),
            ("purpose", Align::Word),
            ("mechanism", Align::Text),
            ("ε alone", Align::Number),
        ],
    );
    for (number, section) in (1..).zip(&report.mechanisms) {
        let alone = section
            .epsilon_alone
            .map_or_else(|| "unbounded".to_owned(), epsilon_up);
        grid.row([
            &format!("{number}"),
            section.purpose.describe(),
            &mechanism(&section.mechanism),
            &alone,
        ]);
    }
    fragment! {
        (grid.render())
        details {
            summary { "The events, as the accountants priced them" }
            p { "The names are those of Google's " code { "dp-accounting" } ", so that another accountant can price them." }
            @for (number, section) in (1..).zip(&report.mechanisms) {
                p { (number) ". " code { (serde_json::to_string(&section.event).unwrap_or_default()) } }
            }
        }
    }
}

/// Where the domains come from.
pub(super) fn columns(report: &Report) -> Markup {
    let mut grid = Grid::new(
        "Columns, in the order of the table",
        &[
            ("column", Align::Text),
            ("domain", Align::Text),
            ("who says so", Align::Text),
            ("reason", Align::Text),
        ],
    );
    for column in &report.columns {
        grid.row([
            &column.name,
            &column.domain,
            &column.provenance,
            column.reason.as_deref().unwrap_or(""),
        ]);
    }
    fragment! {
        p { "No bound and no list of categories was taken from the data, unless it says so here and a mechanism above has paid for it." }
        (grid.render())
    }
}

/// The rules and their rates.
pub(super) fn rules(report: &Report) -> Markup {
    if report.rules.is_empty() {
        return fragment! { p { "The policy states no rules." } };
    }
    let mut grid = Grid::new(
        "Rates are shares of the synthetic rows that were drawn",
        &[
            ("rule", Align::Text),
            ("what it says", Align::Text),
            ("enforced by", Align::Word),
            ("broken as drawn", Align::Number),
            ("repaired", Align::Number),
            ("drawn again", Align::Number),
        ],
    );
    for rule in &report.rules {
        grid.row_of(vec![
            fragment! { (rule.name) @if let Some(reason) = &rule.reason { br; span.quiet { (code_spans(reason)) } } },
            code_spans(&rule.rule),
            fragment! { (rule.enforcement) },
            fragment! { (percent(rule.violation_rate)) },
            fragment! { (percent(rule.repair_rate)) },
            fragment! { (percent(rule.redraw_rate)) },
        ]);
    }
    fragment! {
        p { "Every row of the table obeys every rule. Rules are enforced on synthetic rows only, which costs no budget. A rule that "
            "is often broken as drawn is one that the model has not learned: its rows were changed most." }
        (grid.render())
    }
}

/// How the rows came about.
pub(super) fn rows(report: &Report) -> Markup {
    let synthesis = &report.synthesis;
    fragment! {
        p { "Engine " code { (synthesis.engine) } ", " (code_spans(synthesis.chosen_by.reason())) ": " (model(&synthesis.model)) "." }
        p { (synthesis.rows) " rows were drawn from the released model with the public seed " (synthesis.seed)
            ". Whoever has the model can draw the same rows." }
    }
}

/// The table beside the noisy counts.
pub(super) fn quality(quality: &Quality) -> Markup {
    let mut grid = Grid::new(
        "Distance of each column from its noisy counts, and what noise alone would make of it",
        &[
            ("column", Align::Word),
            ("distance", Align::Number),
            ("noise alone", Align::Number),
        ],
    );
    for column in &quality.columns {
        grid.row([
            &column.name,
            &percent(column.distance),
            &percent(column.noise),
        ]);
    }
    fragment! {
        p { "The rows are compared with the noisy counts that this release has paid for. Both are released, so the comparison costs "
            "nothing and tells nothing more about anyone. Distances are total variation: the share of rows that would have to change." }
        @if let Some(pairs) = &quality.pairs {
            p { "Over " (pairs.pairs) " pairs of columns the mean distance is " strong { (percent(pairs.distance)) }
                "; noise alone would make it " strong { (percent(pairs.noise)) } "." }
        }
        p { "A distance near that of noise alone says that the rows follow the counts as far as the counts can be trusted. It does "
            "not say how far the noise has moved the counts from the data: that would cost budget. These figures cannot be recomputed "
            "from the folder, because the counts are not part of it." }
        details { summary { "Column by column" } (grid.render()) }
    }
}

/// What the self test found.
pub(super) fn self_test(report: &Report) -> Markup {
    let audit = &report.self_audit;
    let mut grid = Grid::new(
        "Every check of the self test",
        &[
            ("check", Align::Word),
            ("measured", Align::Number),
            ("at most", Align::Number),
            ("outcome", Align::Word),
        ],
    );
    for check in &audit.checks {
        grid.row([
            &check.name,
            &format!("{:.3e}", check.statistic),
            &format!("{:.3e}", check.limit),
            &check.outcome.replace('_', " "),
        ]);
    }
    let ran = audit
        .checks
        .iter()
        .filter(|check| check.outcome == "passed");
    fragment! {
        p { "Before anything was charged, " (ran.count()) " of " (audit.checks.len()) " checks of the self test ran and found nothing; "
            (audit.caution) "." }
        details { summary { "Check by check" } (grid.render()) }
    }
}

/// Themes and clauses.
pub(super) fn standards(report: &Report) -> Markup {
    let mut grid = Grid::new(
        "Parts of report.json, and the themes and clauses that they speak to",
        &[
            ("part", Align::Word),
            ("NIST SP 800-226", Align::Text),
            ("ISO/IEC 27559:2022", Align::Text),
        ],
    );
    for tags in &report.standards {
        grid.row([
            &tags.section,
            &tags.nist_sp_800_226.join(", "),
            &tags.iso_iec_27559.join(", "),
        ]);
    }
    fragment! {
        p { "A list of where to look. It certifies nothing." }
        (grid.render())
    }
}
