//! A curve over a logarithmic axis.

use maud::{Markup, html};

use super::{Words, frame, number};

/// A point of a curve.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Point {
    /// Position on the logarithmic axis, above 0.
    pub x: f64,
    /// Height, at least 0.
    pub y: f64,
}

/// A curve through points.
#[derive(Clone, Copy, Debug)]
pub struct Curve<'a> {
    /// Title and description.
    pub words: Words<'a>,
    /// What the logarithmic axis is.
    pub x_title: &'a str,
    /// What the other axis is.
    pub y_title: &'a str,
    /// The points, in rising order.
    pub points: &'a [Point],
    /// A point to be marked, and what is written beside it.
    pub marked: Option<(Point, &'a str)>,
}

/// Draws a curve, with a dot at every point that was computed.
#[must_use]
pub fn curve(curve: &Curve<'_>) -> Markup {
    let (width, height) = (440.0, 270.0);
    let (left, right, top, bottom) = (52.0, 16.0, 26.0, 44.0);
    let all = curve
        .points
        .iter()
        .chain(curve.marked.iter().map(|(point, _)| point));
    let usable: Vec<Point> = all
        .copied()
        .filter(|point| point.x > 0.0 && point.y.is_finite())
        .collect();
    let (low, high) = usable
        .iter()
        .fold((f64::MAX, f64::MIN), |(low, high), point| {
            (low.min(point.x.log10()), high.max(point.x.log10()))
        });
    let (low, high) = (
        low.floor(),
        if high > low { high.ceil() } else { low + 1.0 },
    );
    let most = usable.iter().fold(0.0f64, |most, point| most.max(point.y));
    let step = nice_step(most);
    let most = (most / step).ceil().max(1.0) * step;
    let x = |value: f64| left + (value.log10() - low) / (high - low) * (width - left - right);
    let y = |value: f64| top + (1.0 - value / most) * (height - top - bottom);
    let every = ((high - low) / 7.0).ceil().max(1.0) as i32;
    let powers: Vec<i32> = (low as i32..=high as i32)
        .filter(|power| (power - low as i32) % every == 0)
        .collect();
    let levels: Vec<f64> = (0..=(most / step).round() as i32)
        .map(|level| f64::from(level) * step)
        .collect();
    let path = curve
        .points
        .iter()
        .enumerate()
        .map(|(index, point)| {
            let verb = if index == 0 { 'M' } else { 'L' };
            format!("{verb}{} {}", number(x(point.x)), number(y(point.y)))
        })
        .collect::<String>();
    frame(
        curve.words,
        width,
        height,
        &html! {
            @for level in &levels {
                line class="rule" x1=(number(left)) x2=(number(width - right)) y1=(number(y(*level))) y2=(number(y(*level))) {}
                text class="small quiet" x=(number(left - 7.0)) y=(number(y(*level) + 4.0)) text-anchor="end" { (number(*level)) }
            }
            @for power in &powers {
                @let at = x(10f64.powi(*power));
                line class="axis" x1=(number(at)) x2=(number(at)) y1=(number(height - bottom)) y2=(number(height - bottom + 5.0)) {}
                text class="small quiet" x=(number(at)) y=(number(height - bottom + 18.0)) text-anchor="middle" { (format!("1e{power}")) }
            }
            line class="axis" x1=(number(left)) x2=(number(width - right)) y1=(number(height - bottom)) y2=(number(height - bottom)) {}
            text class="small" x=(number(left)) y="14" { (curve.y_title) }
            text class="small" x=(number(width - right)) y=(number(height - 6.0)) text-anchor="end" { (curve.x_title) }
            path class="line-first" d=(path) {}
            @for point in curve.points {
                circle class="first" cx=(number(x(point.x))) cy=(number(y(point.y))) r="3.2" {}
            }
            @if let Some((point, label)) = curve.marked {
                @let (at_x, at_y) = (x(point.x), y(point.y));
                // A falling curve leaves room above it on the right, and below it on the left.
                @let beside = if at_x < width * 0.66 { (9.0, -10.0, "start") } else { (-9.0, 22.0, "end") };
                path class="mark-second" d=(format!("M{} {}l7 7l-7 7l-7 -7z", number(at_x), number(at_y - 7.0))) {}
                text class="strong" x=(number(at_x + beside.0)) y=(number(at_y + beside.1)) text-anchor=(beside.2) { (label) }
            }
        },
    )
}

/// A round step that makes about five levels.
fn nice_step(most: f64) -> f64 {
    let rough = (most / 5.0).max(1e-12);
    let power = 10f64.powf(rough.log10().floor());
    let factor = [1.0, 2.0, 5.0, 10.0]
        .into_iter()
        .find(|factor| factor * power >= rough)
        .unwrap_or(10.0);
    factor * power
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_are_round() {
        for (most, step) in [(4.2, 1.0), (9.0, 2.0), (0.35, 0.1), (23.0, 5.0)] {
            assert!((nice_step(most) - step).abs() < 1e-9, "{most}");
        }
    }
}
