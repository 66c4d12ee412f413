//! Paid figures as a page.

use std::fmt::Write as _;

use super::{NoisyFigure, PaidFigures};
use crate::report::{capital, epsilon_up, mechanism_in_words};

/// Writes the figures as Markdown.
#[must_use]
pub fn markdown(found: &PaidFigures) -> String {
    let mut page = String::new();
    let figures = &found.figures;
    // Writing to a string cannot fail.
    let _ = writeln!(page, "# Quality of a release of `{}`\n", found.dataset);
    let _ = writeln!(page, "{}.\n", capital(&found.claim));
    let _ = writeln!(
        page,
        "Every figure carries noise; ± is its standard deviation. The release and these figures together cost \
         what the ledger says. Cells were chosen from the synthetic rows: about 20 ranges of a number, the 100 \
         most frequent categories. A distance also holds the chance of the synthetic rows that were drawn.\n"
    );
    let _ = writeln!(page, "| figure | value |\n|---|---|");
    let names = ["columns", "pairs of columns", "triples of columns"];
    for (name, figure) in names.iter().zip(&figures.mean_total_variation) {
        let _ = writeln!(
            page,
            "| mean total variation distance of {name} | {} |",
            with_noise(figure)
        );
    }
    if let Some(prediction) = &figures.prediction {
        let _ = writeln!(
            page,
            "| area under the curve for `{}` = {}, trained on synthetic rows, on real ones | {} |",
            prediction.target,
            prediction.class,
            with_noise(&prediction.auc)
        );
    }
    let rows = match figures.rows.noise_stddev {
        0.0 => format!("{:.0}, by the policy", figures.rows.value),
        noise => format!("{:.0} ± {noise:.0}", figures.rows.value),
    };
    let _ = writeln!(page, "| rows that were compared | {rows} |\n");
    let _ = writeln!(page, "| column | total variation distance |\n|---|---|");
    for column in &figures.columns {
        let _ = writeln!(
            page,
            "| {} | {} |",
            column.name.replace('|', "\\|"),
            with_noise(&column.total_variation)
        );
    }
    let _ = writeln!(page, "\n## What they cost\n");
    let _ = writeln!(
        page,
        "Epsilon {} at delta {:e}; the ledger now holds epsilon {} of {}.\n",
        epsilon_up(found.epsilon_spent),
        found.delta,
        epsilon_up(found.ledger.after.epsilon_spent),
        found.ledger.epsilon_for_life
    );
    for paid in &found.mechanisms {
        let _ = writeln!(page, "- {}", mechanism_in_words(&paid.mechanism));
    }
    let _ = writeln!(
        page,
        "\nThe release has the `MANIFEST` with SHA-256 `{}`. Check these figures with `dpsynth verify FOLDER --ledger LEDGER`.",
        found.release_manifest_sha256
    );
    page
}

fn with_noise(figure: &NoisyFigure) -> String {
    format!("{:.4} ± {:.4}", figure.value, figure.noise_stddev)
}
