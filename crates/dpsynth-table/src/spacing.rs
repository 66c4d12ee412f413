//! Where the cells of a grid begin: evenly, or evenly on a logarithmic curve.

/// The curve `sign(x) · ln(1 + |x| / unit)`: logarithmic far from zero, straight near it, and
/// the same on both sides.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Curve {
    unit: f64,
}

impl Curve {
    /// `unit` is where the curve turns from straight to logarithmic; finite and above zero.
    pub(crate) fn new(unit: f64) -> Self {
        Self { unit }
    }

    fn height(self, x: f64) -> f64 {
        (x.abs() / self.unit).ln_1p().copysign(x)
    }

    fn at_height(self, height: f64) -> f64 {
        significant((height.abs().exp_m1() * self.unit).copysign(height))
    }

    /// The point that divides the curve between `low` and `high` as `part : whole - part`.
    fn between(self, low: f64, high: f64, part: usize, whole: usize) -> f64 {
        let (low, high) = (self.height(low), self.height(high));
        self.at_height(low + (high - low) * (part as f64 / whole as f64))
    }
}

/// Rounds to twelve significant digits, so that cells do not depend on the last bits of a
/// platform's mathematical functions.
fn significant(x: f64) -> f64 {
    format!("{x:.11e}").parse().unwrap_or(x)
}

/// The inner edges of `count` cells of equal width.
pub(crate) fn linear_edges(min: f64, max: f64, count: usize) -> Vec<f64> {
    (1..count)
        .map(|k| {
            let part = k as f64 / count as f64;
            // `min + part * (max - min)` could overflow.
            min * (1.0 - part) + max * part
        })
        .collect::<Increasing>()
        .0
}

/// The inner edges of `count` cells of equal height on the curve. Zero becomes an edge where it
/// lies inside and there are two cells or more.
pub(crate) fn log_edges(min: f64, max: f64, count: usize, curve: Curve) -> Vec<f64> {
    if min < 0.0 && max > 0.0 && count > 1 {
        let below = share(count, curve.height(-min), curve.height(max)).clamp(1, count - 1);
        let above = count - below;
        let low = (1..=below).map(|k| match k == below {
            true => 0.0,
            false => curve.between(min, 0.0, k, below),
        });
        let high = (1..above).map(|k| curve.between(0.0, max, k, above));
        return low.chain(high).collect::<Increasing>().0;
    }
    (1..count)
        .map(|k| curve.between(min, max, k, count))
        .collect::<Increasing>()
        .0
}

/// Where `count` cells of equally many steps start. There are at least `count` steps.
pub(crate) fn linear_starts(first: i64, last: i64, count: usize) -> Vec<i64> {
    let first = i128::from(first);
    let steps = i128::from(last) - first + 1;
    (0..count as i128)
        // OK because every start is between `first` and `last`.
        .map(|k| (first + steps * k / count as i128) as i64)
        .collect()
}

/// Where `count` cells of equal height on the curve start. There are at least `count` steps.
///
/// Zero gets a cell of its own where it is one of the steps and there are enough cells for it
/// and for both sides: many tables have a spike there that no neighbour shares.
pub(crate) fn log_starts(first: i64, last: i64, count: usize, curve: Curve) -> Vec<i64> {
    let (first, last) = (i128::from(first), i128::from(last));
    let (has_below, has_above) = (first < 0, last > 0);
    let holds_zero = first <= 0 && last >= 0;
    let sides = usize::from(has_below) + usize::from(has_above);
    let starts = if holds_zero && count > sides && sides > 0 {
        let cells = count - 1;
        let below = match (has_below, has_above) {
            (false, _) => 0,
            (true, false) => cells,
            (true, true) => {
                let wanted = share(
                    cells,
                    curve.height(-first as f64),
                    curve.height(last as f64),
                );
                let least = (cells as i128 - last).max(1) as usize;
                let most = (-first).min(cells as i128 - 1) as usize;
                wanted.clamp(least, most)
            }
        };
        let mut starts = match below {
            0 => Vec::new(),
            below => mirrored(one_side(1, -first, below, curve), -first),
        };
        starts.push(0);
        if cells > below {
            starts.extend(one_side(1, last, cells - below, curve));
        }
        starts
    } else if last <= 0 {
        mirrored(one_side(-last, -first, count, curve), -first)
    } else {
        one_side(first, last, count, curve)
    };
    // OK because every start is between `first` and `last`.
    starts.into_iter().map(|start| start as i64).collect()
}

/// How many of `count` cells go to the lower side, in proportion to the heights of both.
fn share(count: usize, below: f64, above: f64) -> usize {
    (count as f64 * below / (below + above)).round() as usize
}

fn one_side(first: i128, last: i128, count: usize, curve: Curve) -> Vec<i128> {
    let end = last as f64 + 1.0;
    let mut starts: Vec<i128> = (0..count)
        .map(|k| curve.between(first as f64, end, k, count).round() as i128)
        .collect();
    starts[0] = first;
    // Every cell gets a step: first pushed up from below, then down from above.
    for k in 1..count {
        starts[k] = starts[k].max(starts[k - 1] + 1);
    }
    for (k, start) in starts.iter_mut().enumerate() {
        *start = (*start).min(last - (count - 1 - k) as i128);
    }
    starts
}

/// Turns the starts of cells that end at `last` into those of their mirror image at zero.
fn mirrored(starts: Vec<i128>, last: i128) -> Vec<i128> {
    let ends = starts.iter().skip(1).map(|start| start - 1).chain([last]);
    let mut mirrored: Vec<i128> = ends.map(|end| -end).collect();
    mirrored.reverse();
    mirrored
}

/// Edges without those that are not above the one before.
struct Increasing(Vec<f64>);

impl FromIterator<f64> for Increasing {
    fn from_iter<I: IntoIterator<Item = f64>>(edges: I) -> Self {
        let mut kept: Vec<f64> = Vec::new();
        for edge in edges {
            if kept.last().is_none_or(|last| *last < edge) {
                kept.push(edge);
            }
        }
        Self(kept)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn linear_starts_are_even() {
        assert_eq!(linear_starts(0, 9, 5), [0, 2, 4, 6, 8]);
        assert_eq!(linear_starts(1, 3, 2), [1, 2]);
    }

    #[test]
    fn log_starts_mirror_at_zero() {
        let curve = Curve::new(1.0);
        let above = log_starts(0, 1000, 8, curve);
        let both = log_starts(-1000, 1000, 15, curve);
        assert_eq!(both[7..], above);
        // The first cells on both sides hold the same distances from zero.
        assert_eq!(both[6], 1 - above[2]);
        assert_eq!(both[0], -1000);
        let below = log_starts(-1000, 0, 8, curve);
        assert_eq!(below[..], both[..8]);
    }

    #[test]
    fn log_starts_fill_every_step_when_cells_are_as_many() {
        for (first, last) in [(-5, 9), (-1, 60), (3, 12), (-12, -3), (0, 4)] {
            let starts = log_starts(first, last, (last - first + 1) as usize, Curve::new(1.0));
            assert_eq!(starts, (first..=last).collect::<Vec<_>>());
        }
    }

    #[test]
    fn log_edges_have_zero_inside() {
        let edges = log_edges(-10.0, 1000.0, 10, Curve::new(1.0));
        assert_eq!(edges.len(), 9);
        assert!(edges.contains(&0.0));
    }

    #[test]
    fn edges_too_close_to_tell_apart_are_one() {
        let max = 1.0f64.next_up();
        assert!(linear_edges(1.0, max, 1000).len() < 3);
    }
}
