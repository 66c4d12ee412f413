//! The two accountants, the curve, and the price in other words.

use dpsynth_page::picture::{Curve, Point, Words, curve};
use dpsynth_page::{Align, Grid};
use maud::{Markup, html as fragment};

use crate::readings::Readings;
use crate::report::claim::{epsilon_down, epsilon_up};
use crate::report::{Accountants, PrivacySection, Report, other_words};

/// Writes the section.
pub(super) fn section(report: &Report) -> Markup {
    let privacy = &report.privacy;
    fragment! {
        p { "The accountant: " (privacy.accountant) "." }
        @if let Some(accountants) = privacy.accountants { (both(accountants, privacy.delta)) }
        @else { p { "Nothing protects, so there is no price." } }
        @if !privacy.profile.is_empty() { (profile(privacy)) }
        @if let Some(readings) = &privacy.readings { (other(privacy, readings)) }
    }
}

fn both(accountants: Accountants, delta: f64) -> Markup {
    let title = format!("What two accountants say of ε at δ = {delta:e}");
    let mut grid = Grid::new(
        &title,
        &[
            ("accountant", Align::Word),
            ("what it says", Align::Text),
            ("ε", Align::Number),
        ],
    );
    grid.row([
        "privacy loss distributions",
        "no smaller ε holds (lower bound)",
        &epsilon_down(accountants.certified_lower),
    ]);
    grid.row([
        "privacy loss distributions",
        "this ε holds (upper bound)",
        &epsilon_up(accountants.certified_upper),
    ]);
    grid.row([
        "Rényi divergences",
        "this ε holds (upper bound, by other mathematics)",
        &epsilon_up(accountants.renyi_upper),
    ]);
    fragment! {
        (grid.render())
        p.quiet { "Both upper bounds hold, so the smaller counts. Had the second accountant come out below the lower bound of the "
            "first, they would contradict each other, and nothing would have been released." }
    }
}

fn profile(privacy: &PrivacySection) -> Markup {
    let mut points: Vec<Point> = privacy
        .profile
        .iter()
        .map(|point| Point {
            x: point.delta,
            y: point.epsilon,
        })
        .collect();
    points.sort_by(|a, b| a.x.total_cmp(&b.x));
    let mut grid = Grid::new(
        "The same release at other values of δ",
        &[("δ", Align::Number), ("ε", Align::Number)],
    );
    for point in &privacy.profile {
        grid.row([&format!("{:e}", point.delta), &epsilon_up(point.epsilon)]);
    }
    let marked = privacy.epsilon_spent.map(|epsilon| {
        let at = Point {
            x: privacy.delta,
            y: epsilon,
        };
        (at, format!("the claim: ε {}", epsilon_up(epsilon)))
    });
    let drawn = Curve {
        words: Words {
            title: "ε of this release at other values of δ",
            description: "The smaller δ is made, the larger ε gets. Every dot is an upper bound; the table beside it has the figures.",
        },
        x_title: "δ",
        y_title: "ε",
        points: &points,
        marked: marked.as_ref().map(|(at, text)| (*at, text.as_str())),
    };
    fragment! {
        h3 { "The curve of ε and δ" }
        p { "One release has many prices: the smaller δ is made, the larger ε gets. All of them hold at once." }
        div.pair {
            figure { (curve(&drawn)) figcaption { "Dots were computed; the diamond is the claim." } }
            (grid.render())
        }
    }
}

fn other(privacy: &PrivacySection, readings: &Readings) -> Markup {
    let title = format!("ε at δ = {:e} for others than the unit", privacy.delta);
    let mut others = Grid::new(&title, &[("protected", Align::Word), ("ε", Align::Number)]);
    for other in &readings.other_units {
        others.row([&other.whose.describe(), &other.price.describe()]);
    }
    let mut measures = Grid::new(
        "The same protection in other measures; the larger, the weaker",
        &[("measure", Align::Text), ("figure", Align::Number)],
    );
    measures.row([
        "a test that accuses wrongly in 5 % of cases finds a unit in at most",
        &format!(
            "{} %",
            epsilon_up(100.0 * readings.largest_power_at_5_percent)
        ),
    ]);
    measures.row([
        "ρ of zero-concentrated differential privacy",
        &readings
            .zero_concentrated_rho
            .map_or_else(|| "none is known".to_owned(), epsilon_up),
    ]);
    match readings.gaussian_dp_mu {
        Some(mean) => measures.row([
            "μ of Gaussian differential privacy, at all δ at once",
            &epsilon_up(mean),
        ]),
        None => measures.row([
            "μ of the Gaussian mechanism with the same ε at this δ; no claim of Gaussian differential privacy",
            &epsilon_up(readings.gaussian_of_same_price_mu),
        ]),
    }
    fragment! {
        h3 { "For others than the unit" }
        p { (other_words::explanation(privacy)) }
        (others.render())
        h3 { "In other measures" }
        (measures.render())
    }
}
