//! An evaluation as Markdown.

use std::fmt::Write;

use crate::evaluation::{Evaluation, Prediction};
use crate::rare::RareGroups;

/// Writes the figures as Markdown. `subject` says what was compared.
#[must_use]
pub fn markdown(evaluation: &Evaluation, subject: &str) -> String {
    let mut page = String::new();
    // Writing to a string cannot fail.
    let _ = write(&mut page, evaluation, subject);
    page
}

fn write(page: &mut String, found: &Evaluation, subject: &str) -> std::fmt::Result {
    writeln!(page, "# Evaluation: {}\n", cell(subject))?;
    writeln!(page, "> **{}**\n", found.stamp)?;
    writeln!(page, "## In short\n\n| | |\n|---|---|")?;
    for (name, figure) in found.summary() {
        writeln!(page, "| {name} | {figure} |")?;
    }
    if let Some(prediction) = &found.prediction {
        predicted(page, prediction)?;
    }
    writeln!(page, "\n## Columns\n")?;
    writeln!(
        page,
        "| column | total variation | Jensen-Shannon |\n|---|--:|--:|"
    )?;
    for column in &found.columns {
        writeln!(
            page,
            "| {} | {:.4} | {:.4} |",
            cell(&column.name),
            column.total_variation,
            column.jensen_shannon
        )?;
    }
    writeln!(page, "\n## What gives synthetic rows away\n")?;
    writeln!(page, "| column | share of the gain |\n|---|--:|")?;
    for (column, gain) in &found.distinguishability.columns {
        writeln!(page, "| {} | {:.0} % |", cell(column), 100.0 * gain)?;
    }
    rare(page, &found.rare_groups)?;
    if !found.rules.is_empty() {
        writeln!(
            page,
            "\n## Rules\n\n| rule | real rows that keep it | synthetic rows |\n|---|--:|--:|"
        )?;
        for rule in &found.rules {
            writeln!(
                page,
                "| {} | {} | {} |",
                cell(&rule.name),
                rule.kept_real
                    .map_or_else(|| "not known".to_owned(), percent_down),
                percent_down(rule.kept_synthetic)
            )?;
        }
    }
    writeln!(page, "\n> **{}**", found.stamp)
}

fn predicted(page: &mut String, prediction: &Prediction) -> std::fmt::Result {
    writeln!(page, "\n## Predicting `{}`\n", prediction.target)?;
    writeln!(
        page,
        "`{}` against all others, judged on {}. Forests see at most {} rows.\n",
        prediction.class, prediction.judged_on, prediction.most_forest_rows
    )?;
    writeln!(
        page,
        "| learner | trained on | area under the curve | F1 |\n|---|---|--:|--:|"
    )?;
    for (learner, rows, score) in prediction.lines() {
        writeln!(
            page,
            "| {learner} | {rows} | {:.4} | {:.4} |",
            score.auc, score.f1
        )?;
    }
    Ok(())
}

fn rare(page: &mut String, rare: &RareGroups) -> std::fmt::Result {
    writeln!(page, "\n## Rare groups\n")?;
    writeln!(page, "{}\n", rare_in_words(rare))?;
    writeln!(page, "| group | real | synthetic |\n|---|--:|--:|")?;
    for group in &rare.worst {
        writeln!(
            page,
            "| {} | {:.3} % | {:.3} % |",
            cell(&group.group),
            100.0 * group.real,
            100.0 * group.synthetic
        )?;
    }
    Ok(())
}

impl Evaluation {
    /// The figures that come first, with their names.
    #[must_use]
    pub fn summary(&self) -> Vec<(&'static str, String)> {
        summary(self)
    }
}

fn summary(found: &Evaluation) -> Vec<(&'static str, String)> {
    let [one, two, three] = found.mean_total_variation;
    let mut lines = vec![
        ("total variation, columns", format!("{one:.4}")),
        ("total variation, pairs", format!("{two:.4}")),
        ("total variation, triples", format!("{three:.4}")),
        (
            "Jensen-Shannon, columns",
            format!("{:.4}", found.mean_jensen_shannon),
        ),
        (
            "association, mean error",
            format!("{:.4}", found.mean_association_error),
        ),
        (
            "told apart (0.5 is best)",
            format!("{:.4}", found.distinguishability.auc),
        ),
        (
            "rare groups, median error",
            format!("{:.0} %", 100.0 * found.rare_groups.median_relative_error),
        ),
    ];
    if let Some(prediction) = &found.prediction {
        lines.push((
            "prediction, boosting",
            format!(
                "{:.4} (real {:.4})",
                prediction.boosting_synthetic.auc, prediction.boosting_real.auc
            ),
        ));
        lines.push((
            "prediction, forest",
            format!(
                "{:.4} (real {:.4})",
                prediction.forest_synthetic.auc, prediction.forest_real.auc
            ),
        ));
    }
    lines
}

pub(crate) fn rare_in_words(rare: &RareGroups) -> String {
    format!(
        "{} groups hold at most {:.0} % of the real rows each, and at least {} rows: levels of a column, or levels \
         within a class of the target. Of them {:.0} % have no synthetic row. The median error of a group's share is \
         {:.0} % of that share.",
        rare.groups,
        100.0 * rare.largest_share,
        RareGroups::LEAST_ROWS,
        100.0 * rare.lost,
        100.0 * rare.median_relative_error
    )
}

/// Writes a share in hundredths, rounded down, so that 100 % means all.
pub(crate) fn percent_down(share: f64) -> String {
    format!("{:.2} %", (share * 10_000.0).floor() / 100.0)
}

/// Keeps a text from breaking its table row or starting markup.
fn cell(text: &str) -> String {
    text.replace('|', "\\|")
        .replace('<', "&lt;")
        .replace(['\n', '\r'], " ")
}
