//! Grids of cells with the stronger a tint the larger they are.

use maud::{Markup, html};

use super::{Words, frame, number, shortened};

/// Draws a square matrix of values from 0 to 1; the tint is full at `full`. Where the matrix is small,
/// the values are written into it, in hundredths.
#[must_use]
pub fn matrix(
    words: Words<'_>,
    labels: &[String],
    full: f64,
    value: &dyn Fn(usize, usize) -> f64,
) -> Markup {
    let count = labels.len();
    let cell = (400.0 / count.max(1) as f64).clamp(8.0, 23.0);
    let written = cell >= 18.0;
    let left = 112.0;
    let side = cell * count as f64;
    let foot = if count <= 40 { 16.0 } else { 4.0 };
    frame(
        words,
        left + side + 2.0,
        side + foot,
        &html! {
            rect class="frame" x=(number(left)) y="0" width=(number(side)) height=(number(side)) {}
            @for (row, label) in labels.iter().enumerate() {
                @let top = row as f64 * cell;
                text class=(if cell < 11.0 { "tiny" } else { "small" }) x=(number(left - 5.0))
                    y=(number(top + cell / 2.0 + 4.0)) text-anchor="end" {
                    (shortened(label, 14)) @if count <= 40 { " " (row + 1) }
                }
                @for (column, other) in labels.iter().enumerate() {
                    @let level = value(row, column).clamp(0.0, 1.0);
                    @let tint = (level / full.max(f64::MIN_POSITIVE)).min(1.0);
                    @let at = left + column as f64 * cell;
                    @if tint >= 0.005 {
                        rect class="cell" x=(number(at)) y=(number(top)) width=(number(cell)) height=(number(cell))
                            fill-opacity=(number(tint)) { title { (format!("{label}, {other}: {level:.2}")) } }
                    }
                    @if written && row != column {
                        text class=(if tint > 0.55 { "tiny on" } else { "tiny" }) x=(number(at + cell / 2.0))
                            y=(number(top + cell / 2.0 + 3.5)) text-anchor="middle" { (format!("{:.0}", 100.0 * level)) }
                    }
                }
            }
            @if foot > 10.0 {
                @for column in 0..count {
                    text class="tiny quiet" x=(number(left + (column as f64 + 0.5) * cell)) y=(number(side + 11.0))
                        text-anchor="middle" { (column + 1) }
                }
            }
        },
    )
}

/// An axis of a grid.
#[derive(Clone, Copy, Debug)]
pub struct Axis<'a> {
    /// What it is.
    pub title: &'a str,
    /// What each place stands for; empty where places have no names.
    pub labels: &'a [String],
}

/// Draws shares on a grid, `width` cells in a line, the first line at the bottom. The largest share has
/// the strongest tint; the root of a share decides, so that small ones are seen.
#[must_use]
pub fn density(
    words: Words<'_>,
    shares: &[f64],
    width: usize,
    across: Axis<'_>,
    up: Axis<'_>,
) -> Markup {
    let width = width.max(1);
    let lines = shares.len().div_ceil(width).max(1);
    let named = |axis: Axis<'_>| axis.labels.len() <= MOST_NAMES && !axis.labels.is_empty();
    let left = if named(up) { 118.0 } else { 18.0 };
    let foot = if named(across) { 84.0 } else { 20.0 };
    let (step, rise) = (GRID.0 / width as f64, GRID.1 / lines as f64);
    let most = shares
        .iter()
        .fold(f64::MIN_POSITIVE, |most, &share| most.max(share));
    frame(
        words,
        left + GRID.0 + 2.0,
        GRID.1 + foot,
        &html! {
            rect class="frame" x=(number(left)) y="0" width=(number(GRID.0)) height=(number(GRID.1)) {}
            @for (index, &share) in shares.iter().enumerate() {
                @if share > 0.0 {
                    @let (line, place) = (index / width, index % width);
                    rect class="cell" x=(number(left + place as f64 * step)) y=(number(GRID.1 - (line + 1) as f64 * rise))
                        width=(number(step)) height=(number(rise)) fill-opacity=(number((share / most).sqrt().max(0.05))) {}
                }
            }
            @if named(across) {
                @for (place, label) in across.labels.iter().enumerate() {
                    @let (x, y) = (left + (place as f64 + 0.5) * step + 3.0, GRID.1 + 8.0);
                    text class="small quiet" transform=(format!("translate({} {}) rotate(-45)", number(x), number(y)))
                        text-anchor="end" { (shortened(label, 15)) }
                }
            } @else {
                text class="small quiet" x=(number(left + GRID.0)) y=(number(GRID.1 + 15.0)) text-anchor="end" {
                    (shortened(across.title, 34)) " →" }
            }
            @if named(up) {
                @for (line, label) in up.labels.iter().enumerate() {
                    text class="small quiet" x=(number(left - 5.0)) y=(number(GRID.1 - (line as f64 + 0.5) * rise + 4.0))
                        text-anchor="end" { (shortened(label, 16)) }
                }
            } @else {
                text class="small quiet" x="0" y="0" transform=(format!("translate(12 {}) rotate(-90)", number(GRID.1))) {
                    (shortened(up.title, 28)) " →" }
            }
        },
    )
}

const GRID: (f64, f64) = (260.0, 210.0);
/// More names than these do not fit beside a grid.
const MOST_NAMES: usize = 16;
