//! The report as one page: for a browser, for paper, and for a signature.

mod accounting;
mod budget;
mod tables;

use dpsynth_page::Page;
use dpsynth_privacy::PrivacyUnit;
use maud::{Markup, html as fragment};

use super::Report;
use super::claim::epsilon_down;
use super::markdown::capital;

/// Renders `report.json` as one page that needs nothing else. No privacy number is computed here.
#[must_use]
pub fn html(report: &Report) -> String {
    let stamp = report.not_private.as_ref().map(|why| {
        format!("This is not a private release. It was {why}. Do not publish any of it.")
    });
    let mut sections = vec![
        ("claim", "Claim"),
        ("budget", "Budget"),
        ("accounting", "Accounting"),
        ("events", "What has read the data"),
        ("columns", "Columns"),
        ("rules", "Rules"),
        ("rows", "Rows"),
    ];
    if report.quality.is_some() {
        sections.push(("quality", "Quality"));
    }
    sections.extend([
        ("not-covered", "Not covered"),
        ("check", "How to check"),
        ("standards", "Standards"),
        ("sign", "Signatures"),
    ]);
    let body = fragment! {
        h2 id="claim" { "The claim" }
        (claim(report))
        h2 id="budget" { "The budget" }
        (budget::section(report))
        h2 id="accounting" { "How the price was computed" }
        (accounting::section(report))
        h2 id="events" { "Everything that has read the data" }
        (tables::events(report))
        h2 id="columns" { "Where bounds and categories come from" }
        (tables::columns(report))
        h2 id="rules" { "Rules, and what enforcing them did" }
        (tables::rules(report))
        h2 id="rows" { "How the rows were made" }
        (tables::rows(report))
        @if let Some(quality) = &report.quality {
            h2 id="quality" { "How good the rows are, as far as may be told" }
            (tables::quality(quality))
        }
        h2 id="not-covered" { "What the claim does not cover" }
        ul { @for line in &report.not_covered { li { (code_spans(line)) } } }
        h2 id="check" { "How to check it" }
        ul { @for line in &report.how_to_check { li { (code_spans(line)) } } }
        h3 { "The self test" }
        (tables::self_test(report))
        h2 id="standards" { "Where to look for what a guide asks" }
        (tables::standards(report))
        h2 id="sign" { "Signatures" }
        (signatures(report))
    };
    let title = format!("Privacy budget report: {}", report.dataset);
    let footer = format!(
        "Rendered from report.json by dpsynth {}. The command dpsynth verify renders it again and compares.",
        report.tool_version
    );
    Page {
        title: &title,
        kind: "A synthetic table made under differential privacy",
        stamp: stamp.as_deref(),
        sections: &sections,
        body,
        footer: &footer,
    }
    .render()
}

fn claim(report: &Report) -> Markup {
    fragment! {
        p.claim { (code_spans(&capital(&report.claim))) "." }
        @if report.not_private.is_none() {
            h3 { "In plain words: what an attacker can at most learn" }
            (in_plain_words(report))
        }
    }
}

/// The claim for a reader who knows no mathematics.
fn in_plain_words(report: &Report) -> Markup {
    let (whose, were_used, many) = match &report.privacy.unit {
        PrivacyUnit::Row => ("one row of the data", "that row was used", "rows"),
        PrivacyUnit::User { .. } => (
            "all rows of one person",
            "that person's rows were used",
            "people",
        ),
    };
    let found = report.privacy.readings.as_ref().map(|readings| {
        // Up: never fewer than the tests that could be right.
        (readings.largest_power_at_5_percent * 100.0)
            .ceil()
            .min(100.0)
    });
    fragment! {
        p { "Take " (whose) ", and an attacker who holds everything in this folder, knows all other rows, and has all the "
            "time and computers there are. They want to find out whether " (were_used) "." }
        @if let Some(found) = found {
            p { "Suppose they may be wrong about 5 of every 100 " (many) " that are " em { "not" } " in the data. Then they are right "
                "about " strong { "at most " (found) " of every 100" } " that are. Blind guessing is right about 5." }
        }
        p { "This is about everything in the folder together, and it stays so: no later knowledge and no other data set weakens it. "
            "Only further releases from the same data add to it, which is what the budget below counts." }
        p { "The claim says it in two numbers. ε bounds by how much anything that the attacker concludes can hang on "
            (whose) ". δ is the slack of that bound: a chance of about " (one_in(report.privacy.delta)) "." }
        p { "It does not hide what is true of people at large. If the data show that one illness often follows another, the "
            "release may show it too, and someone may draw conclusions from that about a person, whether or not that person is in "
            "the data." }
    }
}

/// Writes a small chance as one in so many, rounded towards the larger chance.
fn one_in(delta: f64) -> String {
    if delta <= 0.0 {
        return "nought".to_owned();
    }
    // A chance that is written as a power of ten may have an inverse a hair below one.
    let count = (1.0 / delta * (1.0 + 1e-12)).floor();
    let digits = format!("{count:.0}");
    let mut grouped = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            grouped.push('\u{202f}');
        }
        grouped.push(digit);
    }
    format!("1 in {grouped}")
}

fn signatures(report: &Report) -> Markup {
    let policy: String = report.policy.sha256.chars().take(16).collect();
    fragment! {
        p { "Who signs states that the policy with the hash " code { (policy) "…" } " says what is known of the data in public, that the "
            "unit of the claim is the right one, and that the price above is acceptable." }
        @if let Some(ledger) = &report.ledger {
            p { "After this release ε " strong { (epsilon_down(ledger.after.epsilon_remaining)) } " remains of "
                (ledger.epsilon_for_life) " for all releases of this data set, of which this is charge " code { (ledger.charge) } "." }
        }
        div.sign {
            div { "Data owner" }
            div { "Privacy or compliance officer" }
            div { "Place and date" }
        }
    }
}

/// Shows what stands between backticks as code.
fn code_spans(text: &str) -> Markup {
    fragment! {
        @for (index, part) in text.split('`').enumerate() {
            @if index % 2 == 1 { code { (part) } } @else { (part) }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chances_are_written_as_one_in_so_many() {
        assert_eq!(one_in(1e-6), "1 in 1\u{202f}000\u{202f}000");
        assert_eq!(one_in(1e-3), "1 in 1\u{202f}000");
        assert_eq!(one_in(3e-6), "1 in 333\u{202f}333");
        assert_eq!(one_in(0.0), "nought");
    }

    #[test]
    fn backticks_make_code_and_nothing_else() {
        let text = code_spans("use `<b>` & go").into_string();
        assert_eq!(text, "use <code>&lt;b&gt;</code> &amp; go");
    }
}
