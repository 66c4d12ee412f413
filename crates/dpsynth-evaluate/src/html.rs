//! An evaluation as one page with pictures.

use dpsynth_page::picture::{self, Axis, Words};
use dpsynth_page::{Align, Grid, Page};
use maud::{Markup, html as fragment};

use crate::evaluation::{
    CellShares, ColumnFigures, Evaluation, JointShares, PairFigures, Prediction,
};
use crate::markdown::{percent_down, rare_in_words};
use crate::projection::Projection;

/// Draws the evaluation as one page that needs nothing else. `subject` says what was compared.
#[must_use]
pub fn html(found: &Evaluation, subject: &str) -> String {
    let mut sections = vec![("short", "In short")];
    if found.prediction.is_some() {
        sections.push(("prediction", "Prediction"));
    }
    sections.extend([
        ("columns", "Columns"),
        ("association", "Association"),
        ("pairs", "Pairs"),
        ("projection", "Projection"),
        ("apart", "Telling apart"),
        ("rare", "Rare groups"),
    ]);
    if !found.rules.is_empty() {
        sections.push(("rules", "Rules"));
    }
    let body = fragment! {
        h2 id="short" { "In short" }
        (short(found))
        @if let Some(prediction) = &found.prediction {
            h2 id="prediction" { "Prediction of " (prediction.target) }
            (predicted(prediction))
        }
        h2 id="columns" { "Columns" }
        (columns(found))
        h2 id="association" { "Association of pairs" }
        (associations(found))
        h2 id="pairs" { "The pairs that depend on each other most" }
        (pairs(found))
        h2 id="projection" { "Projection on two directions" }
        (projection(&found.projection))
        h2 id="apart" { "Telling synthetic rows from real ones" }
        (apart(found))
        h2 id="rare" { "Rare groups" }
        (rare(found))
        @if !found.rules.is_empty() {
            h2 id="rules" { "Rules" }
            (rules(found))
        }
    };
    Page {
        title: subject,
        kind: "Evaluation of a synthetic table, for the custodian's own screen",
        stamp: Some(found.stamp),
        sections: &sections,
        body,
        footer: "Figures are computed by dpsynth from the real and the synthetic rows.",
    }
    .render()
}

fn short(found: &Evaluation) -> Markup {
    fragment! {
        dl.facts { @for (name, figure) in found.summary() { div { dt { (name) } dd {
            @match figure.split_once(" (") {
                Some((figure, note)) => { (figure) small { "(" (note) } }
                None => { (figure) }
            }
        } } } }
        p.quiet {
            "Total variation is the share of rows that would have to change for the two tables to have the same counts: "
            "0 is the same, 1 has nothing in common. Numbers are cut at 20 quantiles of the real column; missing cells "
            "count as a cell. Of " (found.triples[1]) " triples of columns, " (found.triples[0]) " were looked at."
        }
    }
}

fn predicted(prediction: &Prediction) -> Markup {
    let mut grid = Grid::new(
        "How well a learner finds the class in real rows that it has not seen",
        &[
            ("learner", Align::Word),
            ("trained on", Align::Word),
            ("area under the curve", Align::Number),
            ("F1", Align::Number),
        ],
    );
    for (learner, rows, score) in prediction.lines() {
        let (auc, f1) = (format!("{:.4}", score.auc), format!("{:.4}", score.f1));
        grid.row([learner, rows, &auc, &f1]);
    }
    fragment! {
        p { "The class " strong { (prediction.class) } " against all others, judged on " (prediction.judged_on) ". "
            "The closer the two lines of a learner, the more of what it needs is in the synthetic rows. "
            "Forests see at most " (prediction.most_forest_rows) " rows." }
        (grid.render())
    }
}

fn columns(found: &Evaluation) -> Markup {
    let mut grid = Grid::new(
        "Distance of each column",
        &[
            ("column", Align::Text),
            ("total variation", Align::Number),
            ("Jensen-Shannon", Align::Number),
        ],
    );
    for column in &found.columns {
        let (total, jensen) = (
            format!("{:.4}", column.total_variation),
            format!("{:.4}", column.jensen_shannon),
        );
        grid.row([&column.name, &total, &jensen]);
    }
    fragment! {
        p { "Real rows are the light bars with an outline. Synthetic rows are the dashed line, or the diamonds." }
        div.panels { @for column in &found.columns { (column_picture(column)) } }
        details { summary { "All distances as a table" } (grid.render()) }
    }
}

fn column_picture(column: &ColumnFigures) -> Markup {
    let triple = |cell: &CellShares| (cell.label.clone(), cell.real, cell.synthetic);
    let description = format!(
        "Total variation {:.3}. Real shares as bars, synthetic shares as a dashed line or diamonds, over {} cells.",
        column.total_variation,
        column.cells.len()
    );
    let words = Words {
        title: &column.name,
        description: &description,
    };
    let drawn = if column.ordered {
        let cells: Vec<_> = column.cells.iter().map(triple).collect();
        picture::compared(words, &cells)
    } else {
        picture::shares(words, &largest(&column.cells))
    };
    fragment! {
        figure {
            figcaption { strong { (column.name) } " · total variation " (format!("{:.3}", column.total_variation)) }
            (drawn)
        }
    }
}

/// The largest cells, and all others as one.
fn largest(cells: &[CellShares]) -> Vec<(String, f64, f64)> {
    let mut order: Vec<&CellShares> = cells.iter().collect();
    order.sort_by(|a, b| b.real.total_cmp(&a.real));
    let shown = if order.len() > MOST_BARS {
        MOST_BARS - 1
    } else {
        MOST_BARS
    };
    let mut bars: Vec<_> = order
        .iter()
        .take(shown)
        .map(|cell| (cell.label.clone(), cell.real, cell.synthetic))
        .collect();
    if order.len() > shown {
        let rest = &order[shown..];
        let sum = |of: fn(&CellShares) -> f64| rest.iter().map(|cell| of(cell)).sum::<f64>();
        bars.push((
            format!("{} others", rest.len()),
            sum(|it| it.real),
            sum(|it| it.synthetic),
        ));
    }
    bars
}

fn associations(found: &Evaluation) -> Markup {
    let labels: Vec<String> = found.columns.iter().map(|it| it.name.clone()).collect();
    let look_up = |row: usize, column: usize| {
        let wanted = [row.min(column), row.max(column)];
        found.pairs.iter().find(|pair| pair.columns == wanted)
    };
    let map = |title: &str, full: f64, of: fn(&PairFigures) -> f64| {
        let words = Words {
            title,
            description: "A square for each pair of columns, with the stronger a tint the larger, in hundredths where there is room.",
        };
        let value = |row: usize, column: usize| look_up(row, column).map_or(0.0, of);
        fragment! { figure.wide-figure tabindex="0" { figcaption { (title) } (picture::matrix(words, &labels, full, &value)) } }
    };
    let difference =
        |pair: &PairFigures| (pair.association_real - pair.association_synthetic).abs();
    let largest = |of: fn(&PairFigures) -> f64| found.pairs.iter().map(of).fold(0.1, f64::max);
    fragment! {
        p { "Cramér's V with correction for bias: 0 where two columns have nothing to do with each other, 1 where one "
            "gives the other." }
        div.pair {
            (map("Association in the real rows", 1.0, |pair| pair.association_real))
            (map("Association in the synthetic rows", 1.0, |pair| pair.association_synthetic))
        }
        p { "In the next two, the largest value has the full tint." }
        div.pair {
            (map("Difference of the two", largest(difference), difference))
            (map("Total variation of the pair", largest(|pair| pair.total_variation), |pair| pair.total_variation))
        }
    }
}

fn pairs(found: &Evaluation) -> Markup {
    let mut shown: Vec<(&PairFigures, &JointShares)> = found
        .pairs
        .iter()
        .filter_map(|pair| pair.joint.as_ref().map(|joint| (pair, joint)))
        .collect();
    shown.sort_by(|a, b| b.0.association_real.total_cmp(&a.0.association_real));
    fragment! {
        p { "Each square is a cell of two columns, with the stronger a tint the more rows it has: real rows first, "
            "then synthetic ones. Ranges of numbers stand in their order, levels by how frequent they are." }
        @for (pair, joint) in shown {
            @let names = pair.columns.map(|column| found.columns[column].name.as_str());
            h3 { (names[0]) " and " (names[1]) }
            p.quiet { "Association " (format!("{:.2}", pair.association_real)) " real, "
                (format!("{:.2}", pair.association_synthetic)) " synthetic; total variation "
                (format!("{:.3}", pair.total_variation)) }
            div.pair {
                @for (rows, shares) in [("real rows", &joint.real), ("synthetic rows", &joint.synthetic)] {
                    (joint_picture(rows, names, joint, shares))
                }
            }
        }
    }
}

fn joint_picture(rows: &str, names: [&str; 2], joint: &JointShares, shares: &[f64]) -> Markup {
    let title = format!("{} and {} in the {rows}", names[0], names[1]);
    let words = Words {
        title: &title,
        description: "Shares of rows in the cells of the two columns, with the stronger a tint the more rows.",
    };
    fragment! {
        figure {
            figcaption { (rows) }
            (picture::density(words, shares, joint.labels[1].len(),
                Axis { title: names[1], labels: &joint.labels[1] }, Axis { title: names[0], labels: &joint.labels[0] }))
        }
    }
}

fn projection(projection: &Projection) -> Markup {
    let map = |rows: &str, shares: &[f64]| {
        let title = format!("Projection of the {rows}");
        let words = Words {
            title: &title,
            description: "Shares of rows on a grid over the two directions, with the stronger a tint the more rows.",
        };
        let axis = |title| Axis { title, labels: &[] };
        fragment! {
            figure {
                figcaption { (rows) }
                (picture::density(words, shares, Projection::CELLS, axis("first direction"), axis("second direction")))
            }
        }
    };
    fragment! {
        p { "The two directions in which real rows differ most (principal components); they hold "
            (format!("{:.0} % and {:.0} %", 100.0 * projection.explained[0], 100.0 * projection.explained[1]))
            " of what rows differ by. Total variation between the two grids: " (format!("{:.3}", projection.distance)) "." }
        div.pair {
            (map("real rows", &projection.real))
            (map("synthetic rows", &projection.synthetic))
        }
    }
}

fn apart(found: &Evaluation) -> Markup {
    let mut grid = Grid::new(
        "The columns that give synthetic rows away",
        &[
            ("column", Align::Text),
            ("share of the gain", Align::Number),
        ],
    );
    for (column, gain) in &found.distinguishability.columns {
        grid.row([column, &format!("{:.0} %", 100.0 * gain)]);
    }
    fragment! {
        p { "Boosted trees that are shown as many synthetic rows as real ones reach an area under the curve of "
            strong { (format!("{:.4}", found.distinguishability.auc)) }
            " on rows that they have not seen. At 0.5 nothing tells the rows apart, at 1 everything does." }
        (grid.render())
    }
}

fn rare(found: &Evaluation) -> Markup {
    let mut grid = Grid::new(
        "The rare groups that are furthest off",
        &[
            ("group", Align::Text),
            ("real", Align::Number),
            ("synthetic", Align::Number),
        ],
    );
    for group in &found.rare_groups.worst {
        let (real, synthetic) = (
            format!("{:.3} %", 100.0 * group.real),
            format!("{:.3} %", 100.0 * group.synthetic),
        );
        grid.row([&group.group, &real, &synthetic]);
    }
    fragment! {
        p { (rare_in_words(&found.rare_groups)) }
        (grid.render())
    }
}

fn rules(found: &Evaluation) -> Markup {
    let mut grid = Grid::new(
        "Rows that keep each rule",
        &[
            ("rule", Align::Text),
            ("real", Align::Number),
            ("synthetic", Align::Number),
        ],
    );
    for rule in &found.rules {
        grid.row([
            &rule.name,
            &rule
                .kept_real
                .map_or_else(|| "not known".to_owned(), percent_down),
            &percent_down(rule.kept_synthetic),
        ]);
    }
    fragment! {
        p { "A rule that real rows break is a rule that says more than the data does; synthetic rows keep it all the same." }
        (grid.render())
    }
}

const MOST_BARS: usize = 12;
