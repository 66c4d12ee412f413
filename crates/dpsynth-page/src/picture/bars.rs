//! Bars.

use maud::{Markup, html};

use super::{Words, frame, number, shortened};

/// How a part of a bar is filled, so that parts differ without colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Texture {
    /// Filled.
    Solid,
    /// Light, with an outline.
    Light,
    /// Not filled, with a dashed outline.
    Empty,
}

impl Texture {
    fn class(self) -> &'static str {
        match self {
            Self::Solid => "first",
            Self::Light => "first-wash",
            Self::Empty => "empty",
        }
    }
}

/// A part of a stacked bar.
#[derive(Clone, Debug)]
pub struct Part<'a> {
    /// What it is.
    pub label: &'a str,
    /// How long it is.
    pub value: f64,
    /// The figure that is written.
    pub shown: String,
    /// How it is filled.
    pub texture: Texture,
}

/// Draws one bar of parts out of `whole`, with a legend below that repeats every figure.
#[must_use]
pub fn stacked(words: Words<'_>, parts: &[Part<'_>], whole: f64) -> Markup {
    let width = 560.0;
    let whole = whole.max(f64::MIN_POSITIVE);
    let mut starts = Vec::with_capacity(parts.len());
    let mut start = 0.0;
    for part in parts {
        starts.push(start);
        start += part.value.max(0.0) / whole * width;
    }
    html! {
        svg.wide role="img" aria-label=(format!("{}. {}", words.title, words.description))
            width="100%" height="34" viewBox=(format!("0 0 {width} 34")) preserveAspectRatio="none" {
            title { (words.title) }
            desc { (words.description) }
            rect class="frame" x="0" y="0" width=(number(width)) height="34" {}
            @for (part, start) in parts.iter().zip(&starts) {
                rect class=(part.texture.class()) x=(number(start + 0.5)) y="1"
                    width=(number((part.value.max(0.0) / whole * width - 1.0).max(0.0))) height="32"
                    vector-effect="non-scaling-stroke" {}
            }
        }
        ul.legend {
            @for part in parts {
                li {
                    svg width="22" height="14" aria-hidden="true" {
                        rect class=(part.texture.class()) x="1" y="1" width="20" height="12" {}
                    }
                    " " (part.label) ": " strong { (part.shown) }
                }
            }
        }
    }
}

/// Draws shares of many cells in their order: the first as bars, the second as a stepped line.
#[must_use]
pub fn compared(words: Words<'_>, cells: &[(String, f64, f64)]) -> Markup {
    let (width, height, foot) = (300.0, 110.0, 16.0);
    let most = tallest(cells);
    let step = width / cells.len().max(1) as f64;
    let y = |share: f64| 4.0 + (height - 4.0) * (1.0 - share / most);
    let mut line = String::new();
    for (index, (_, _, share)) in cells.iter().enumerate() {
        let (from, to, level) = (index as f64 * step, (index + 1) as f64 * step, y(*share));
        let verb = if index == 0 { 'M' } else { 'L' };
        line.push_str(&format!(
            "{verb}{} {}H{}",
            number(from),
            number(level),
            number(to)
        ));
    }
    let ends = cells.first().zip(cells.last());
    frame(
        words,
        width,
        height + foot,
        &html! {
            @for (index, (label, first, second)) in cells.iter().enumerate() {
                rect class="first-wash" x=(number(index as f64 * step)) y=(number(y(*first)))
                    width=(number(step)) height=(number(height - y(*first))) {
                    title { (format!("{label}: {} real, {} synthetic", percent(*first), percent(*second))) }
                }
            }
            path class="line-second" d=(line) {}
            line class="axis" x1="0" x2=(number(width)) y1=(number(height)) y2=(number(height)) {}
            @if let Some((first, last)) = ends {
                text class="small quiet" x="0" y=(number(height + 13.0)) { (shortened(&first.0, 20)) }
                text class="small quiet" x=(number(width)) y=(number(height + 13.0)) text-anchor="end" { (shortened(&last.0, 20)) }
            }
        },
    )
}

/// Draws shares of named cells: the first as a bar, the second as a diamond on the same line.
#[must_use]
pub fn shares(words: Words<'_>, cells: &[(String, f64, f64)]) -> Markup {
    let (left, width, line) = (118.0, 300.0, 20.0);
    let most = tallest(cells);
    let room = width - left - 8.0;
    let x = |share: f64| left + room * share / most;
    frame(
        words,
        width,
        line * cells.len() as f64 + 4.0,
        &html! {
            @for (index, (label, first, second)) in cells.iter().enumerate() {
                @let top = index as f64 * line + 2.0;
                @let middle = top + line / 2.0;
                g {
                    title { (format!("{label}: {} real, {} synthetic", percent(*first), percent(*second))) }
                    text class="small" x=(number(left - 6.0)) y=(number(middle + 4.0)) text-anchor="end" { (shortened(label, 18)) }
                    rect class="first-wash" x=(number(left)) y=(number(top + 3.0)) width=(number(x(*first) - left)) height=(number(line - 6.0)) {}
                    path class="mark-second" d=(diamond(x(*second), middle)) {}
                }
            }
            line class="axis" x1=(number(left)) x2=(number(left)) y1="0" y2=(number(line * cells.len() as f64 + 4.0)) {}
        },
    )
}

fn diamond(x: f64, y: f64) -> String {
    format!("M{} {}l5 5l-5 5l-5 -5z", number(x), number(y - 5.0))
}

fn tallest(cells: &[(String, f64, f64)]) -> f64 {
    cells
        .iter()
        .fold(f64::MIN_POSITIVE, |most, (_, first, second)| {
            most.max(*first).max(*second)
        })
}

fn percent(share: f64) -> String {
    format!("{:.1} %", 100.0 * share)
}
