//! Cells of a numeric column: how a range of numbers is cut, and how a number is drawn from a cell.
//!
//! A grid is either *whole* or *real*. A whole grid cuts a run of equally spaced values: integers,
//! days, or decimals with a fixed number of places, all kept as integers. Its cells are
//! made of whole steps, so that none can be empty. A real grid cuts an interval of the real line.

use crate::schema::Cells;
use crate::schema_error::SchemaProblem;
use crate::spacing::{self, Curve};

/// The most cells that a column may have, its cell for missing values included.
///
/// Codes are 16-bit numbers.
pub const MAX_CODES: u32 = 65_536;

/// The most decimals that a column may declare.
pub const MAX_DECIMALS: u8 = 12;

/// Cells of a fine grid, but for those that stand alone.
const FINE_CELLS: usize = 700;

/// The most whole values of which a fine grid gives each a cell.
const MOST_EACH: i128 = 2000;

/// The widest range of real numbers of which a fine grid gives every whole number a cell.
const MOST_WHOLE: f64 = 300.0;

/// Where fine cells stop shrinking towards zero, as a share of the largest bound.
const FINE_UNIT: f64 = 1e-4;

/// Scaled bounds up to here keep all their decimals in a 64-bit float.
const MAX_SCALED: f64 = 1e15;

/// The cells of a numeric column.
///
/// Cells are numbered from 0 in increasing order of value and together hold every value
/// between the bounds.
#[derive(Debug, Clone, PartialEq)]
pub struct Grid {
    min: f64,
    max: f64,
    shape: Shape,
}

#[derive(Debug, Clone, PartialEq)]
enum Shape {
    /// Values are `step / scale`; cell `k` holds the steps from `starts[k]` to before
    /// `starts[k + 1]`, the last one those up to `last`.
    Whole {
        scale: f64,
        starts: Vec<i64>,
        last: i64,
    },
    /// Cell `k` holds the numbers from `edges[k]` to before `edges[k + 1]`, the last one its
    /// upper edge too.
    Real { edges: Vec<f64> },
}

impl Grid {
    /// Cuts the integers from `min` to `max`.
    pub(crate) fn integers(min: i64, max: i64, cells: &Cells) -> Result<Self, SchemaProblem> {
        if min > max {
            return Err(SchemaProblem::MinAboveMax);
        }
        let (low, high) = (min as f64, max as f64);
        let starts = whole_starts(min, max, 1.0, 1.0, cells, (low, high))?;
        Ok(Self {
            min: low,
            max: high,
            shape: Shape::Whole {
                scale: 1.0,
                starts,
                last: max,
            },
        })
    }

    /// Cuts the numbers from `min` to `max` that have at most `decimals` decimals.
    pub(crate) fn decimals(
        min: f64,
        max: f64,
        decimals: u8,
        cells: &Cells,
    ) -> Result<Self, SchemaProblem> {
        check_bounds(min, max)?;
        if decimals > MAX_DECIMALS {
            return Err(SchemaProblem::TooManyDecimals);
        }
        let scale = 10f64.powi(i32::from(decimals));
        if (min * scale).abs() > MAX_SCALED || (max * scale).abs() > MAX_SCALED {
            return Err(SchemaProblem::TooPrecise);
        }
        let first = step_at_or_above(min, scale);
        let last = -step_at_or_above(-max, scale);
        if first > last {
            return Err(SchemaProblem::NoValueBetweenBounds);
        }
        let unit = natural_unit(min, max).max(1.0 / scale);
        let starts = whole_starts(first, last, scale, unit, cells, (min, max))?;
        Ok(Self {
            min,
            max,
            shape: Shape::Whole {
                scale,
                starts,
                last,
            },
        })
    }

    /// Cuts the real numbers from `min` to `max`.
    pub(crate) fn reals(min: f64, max: f64, cells: &Cells) -> Result<Self, SchemaProblem> {
        check_bounds(min, max)?;
        let mut edges = match cells {
            Cells::Each => return Err(SchemaProblem::EachNeedsWholeNumbers),
            Cells::Fine => fine_edges(min, max),
            Cells::Linear { count } => spacing::linear_edges(min, max, checked_count(*count)?),
            Cells::Log { count } => {
                let curve = Curve::new(natural_unit(min, max));
                spacing::log_edges(min, max, checked_count(*count)?, curve)
            }
            Cells::Edges { edges } => {
                check_edges(edges, min, max)?;
                edges.clone()
            }
        };
        edges.retain(|edge| *edge > min && *edge < max);
        edges.insert(0, min);
        edges.push(max);
        if edges.len() > MAX_CODES as usize + 1 {
            return Err(SchemaProblem::TooManyCodes);
        }
        Ok(Self {
            min,
            max,
            shape: Shape::Real { edges },
        })
    }

    /// Returns the number of cells, at least 1.
    #[must_use]
    pub fn cells(&self) -> u32 {
        let cells = match &self.shape {
            Shape::Whole { starts, .. } => starts.len(),
            Shape::Real { edges } => edges.len() - 1,
        };
        // OK because the constructors refuse more than `MAX_CODES` cells.
        cells as u32
    }

    /// Returns the edges between cells, in the column's own numbers: one more than there are cells.
    ///
    /// Cell `k` holds the values from edge `k` to before edge `k + 1`, the last cell also its
    /// upper edge. Dates count in days from 1970-01-01. A last cell of one whole number
    /// has that number as both edges.
    #[must_use]
    pub fn edges(&self) -> Vec<f64> {
        match &self.shape {
            Shape::Whole {
                scale,
                starts,
                last,
            } => starts
                .iter()
                .chain([last])
                .map(|step| *step as f64 / scale)
                .collect(),
            Shape::Real { edges } => edges.clone(),
        }
    }

    /// Returns the cell that holds `value`, or nothing when it is outside the bounds or not a number.
    ///
    /// On a whole grid the value counts as the nearest whole step.
    #[must_use]
    pub fn cell_of(&self, value: f64) -> Option<u32> {
        if !(self.min..=self.max).contains(&value) {
            return None;
        }
        match &self.shape {
            Shape::Whole { .. } => Some(self.cell_of_step(self.step_of(value))),
            Shape::Real { edges } => {
                let inner = &edges[1..edges.len() - 1];
                Some(inner.partition_point(|edge| *edge <= value) as u32)
            }
        }
    }

    /// Draws a number from a cell, evenly over it. `uniform` is in [0, 1).
    ///
    /// The number lies in the cell and between the bounds, and on a whole grid it is one of the
    /// grid's steps.
    ///
    /// # Panics
    /// When there is no such cell.
    #[must_use]
    pub fn draw(&self, cell: u32, uniform: f64) -> f64 {
        match &self.shape {
            Shape::Whole { scale, .. } => self.draw_step(cell, uniform) as f64 / scale,
            Shape::Real { edges } => {
                let (low, high) = (edges[cell as usize], edges[cell as usize + 1]);
                let uniform = within_unit(uniform);
                let highest = match cell + 1 == self.cells() {
                    // The upper bound stands alone.
                    true if low.next_up() == high => return high,
                    true => high,
                    // The upper edge belongs to the next cell.
                    false => high.next_down(),
                };
                (low * (1.0 - uniform) + high * uniform).clamp(low, highest)
            }
        }
    }

    /// Returns the number nearest to `value` that a column with this grid can hold.
    pub(crate) fn nearest(&self, value: f64) -> f64 {
        match &self.shape {
            Shape::Whole { scale, .. } if (value * scale).abs() <= MAX_SCALED => {
                (value * scale).round() / scale
            }
            _ => value,
        }
    }

    /// Returns the cell of a whole number of steps, which is first moved inside the bounds.
    pub(crate) fn cell_of_step(&self, step: i64) -> u32 {
        match &self.shape {
            Shape::Whole { starts, .. } => {
                starts[1..].partition_point(|start| *start <= step) as u32
            }
            Shape::Real { .. } => unreachable!("a real grid has no steps"),
        }
    }

    /// Draws a whole number of steps from a cell of a whole grid.
    pub(crate) fn draw_step(&self, cell: u32, uniform: f64) -> i64 {
        match &self.shape {
            Shape::Whole { starts, last, .. } => {
                let cell = cell as usize;
                let start = i128::from(starts[cell]);
                let end = starts
                    .get(cell + 1)
                    .map_or(i128::from(*last), |next| i128::from(*next) - 1);
                let steps = end - start + 1;
                let offset = (within_unit(uniform) * steps as f64) as i128;
                // OK because the sum is at most `end`, which is an `i64`.
                (start + offset.min(steps - 1)) as i64
            }
            Shape::Real { .. } => unreachable!("a real grid has no steps"),
        }
    }

    /// How many steps of a whole grid make 1.
    pub(crate) fn scale(&self) -> Option<f64> {
        match &self.shape {
            Shape::Whole { scale, .. } => Some(*scale),
            Shape::Real { .. } => None,
        }
    }

    /// The number of steps nearest to a value, inside the bounds or not; nothing for a real grid.
    pub(crate) fn step(&self, value: f64) -> Option<i64> {
        let scaled = value * self.scale()?;
        (scaled.abs() <= MAX_SCALED).then(|| scaled.round() as i64)
    }

    /// The fewest and the most steps of a whole grid.
    pub(crate) fn step_bounds(&self) -> (i64, i64) {
        match &self.shape {
            Shape::Whole { starts, last, .. } => (starts[0], *last),
            Shape::Real { .. } => unreachable!("a real grid has no steps"),
        }
    }

    /// The value of so many steps of a whole grid, moved inside the bounds.
    pub(crate) fn value_of_step(&self, step: i64) -> f64 {
        match &self.shape {
            Shape::Whole {
                scale,
                starts,
                last,
            } => step.clamp(starts[0], *last) as f64 / scale,
            Shape::Real { .. } => unreachable!("a real grid has no steps"),
        }
    }

    /// The step of a whole grid nearest to a value between the bounds.
    fn step_of(&self, value: f64) -> i64 {
        match &self.shape {
            Shape::Whole {
                scale,
                starts,
                last,
            } => ((value * scale).round() as i64).clamp(starts[0], *last),
            Shape::Real { .. } => unreachable!("a real grid has no steps"),
        }
    }
}

/// Where the cells of a whole grid start.
fn whole_starts(
    first: i64,
    last: i64,
    scale: f64,
    unit: f64,
    cells: &Cells,
    bounds: (f64, f64),
) -> Result<Vec<i64>, SchemaProblem> {
    let steps = i128::from(last) - i128::from(first) + 1;
    let limit = i128::from(MAX_CODES);
    // More cells than steps would leave some of them empty.
    let count = |count: u32| match i128::from(count).min(steps) {
        0 => Err(SchemaProblem::NoCells),
        count if count > limit => Err(SchemaProblem::TooManyCodes),
        count => Ok(count as usize),
    };
    match cells {
        Cells::Each if steps > limit => Err(SchemaProblem::TooManyCodes),
        Cells::Each => Ok((first..=last).collect()),
        Cells::Fine => Ok(fine_starts(first, last, scale)),
        Cells::Linear { count: wanted } => Ok(spacing::linear_starts(first, last, count(*wanted)?)),
        Cells::Log { count: wanted } => {
            let curve = Curve::new(unit * scale);
            Ok(spacing::log_starts(first, last, count(*wanted)?, curve))
        }
        Cells::Edges { edges } => {
            check_edges(edges, bounds.0, bounds.1)?;
            let mut starts = vec![first];
            for edge in edges {
                let start = step_at_or_above(*edge, scale);
                // Two edges may fall between the same two steps; a cell without a step is left out.
                if start > starts[starts.len() - 1] && start <= last && *edge < bounds.1 {
                    starts.push(start);
                }
            }
            match starts.len() > MAX_CODES as usize {
                true => Err(SchemaProblem::TooManyCodes),
                false => Ok(starts),
            }
        }
    }
}

/// Where fine cells of a whole grid start.
fn fine_starts(first: i64, last: i64, scale: f64) -> Vec<i64> {
    let steps = i128::from(last) - i128::from(first) + 1;
    if steps <= MOST_EACH {
        return (first..=last).collect();
    }
    let largest = (first as f64).abs().max((last as f64).abs());
    let curve = Curve::new((largest * FINE_UNIT).max(scale.min(largest * FINE_UNIT * 10.0)));
    let mut starts = spacing::log_starts(first, last, FINE_CELLS, curve);
    for own in [first + 1, 0, 1, last] {
        if first < own && own <= last {
            starts.push(own);
        }
    }
    starts.sort_unstable();
    starts.dedup();
    starts
}

/// The inner edges of fine cells of a real grid.
fn fine_edges(min: f64, max: f64) -> Vec<f64> {
    let largest = min.abs().max(max.abs());
    let unit = (largest * FINE_UNIT * 10.0).max(f64::MIN_POSITIVE);
    let mut edges = spacing::log_edges(min, max, FINE_CELLS, Curve::new(unit));
    // A cell from a number to the next one above it holds that number alone.
    let mut alone = |value: f64| edges.extend([value, value.next_up()]);
    alone(min);
    alone(max.next_down());
    if (max - min) <= MOST_WHOLE {
        let mut whole = min.ceil();
        while whole <= max {
            // Not the negative zero.
            alone(whole + 0.0);
            whole += 1.0;
        }
    } else if min < 0.0 && max > 0.0 {
        alone(0.0);
    }
    edges.retain(|edge| (min..=max).contains(edge));
    edges.sort_by(f64::total_cmp);
    edges.dedup();
    edges
}

/// The smallest whole number of steps that is not below `value`.
fn step_at_or_above(value: f64, scale: f64) -> i64 {
    // `(value * scale).ceil()` would skip a step whenever the product rounds up.
    let step = (value * scale).round();
    match step / scale < value {
        true => step as i64 + 1,
        false => step as i64,
    }
}

fn check_bounds(min: f64, max: f64) -> Result<(), SchemaProblem> {
    if !min.is_finite() || !max.is_finite() {
        return Err(SchemaProblem::NotFinite);
    }
    match min > max {
        true => Err(SchemaProblem::MinAboveMax),
        false => Ok(()),
    }
}

fn check_edges(edges: &[f64], min: f64, max: f64) -> Result<(), SchemaProblem> {
    if edges.is_empty() {
        return Err(SchemaProblem::NoCells);
    }
    if !edges.iter().all(|edge| (min..=max).contains(edge)) {
        return Err(SchemaProblem::EdgeOutOfBounds);
    }
    match edges.windows(2).any(|pair| pair[0] >= pair[1]) {
        true => Err(SchemaProblem::EdgesNotIncreasing),
        false => Ok(()),
    }
}

fn checked_count(count: u32) -> Result<usize, SchemaProblem> {
    match count {
        0 => Err(SchemaProblem::NoCells),
        count if count > MAX_CODES => Err(SchemaProblem::TooManyCodes),
        count => Ok(count as usize),
    }
}

/// Where logarithmic cells stop shrinking towards zero: at 1, or at a thousandth of the largest
/// bound where all values are small.
fn natural_unit(min: f64, max: f64) -> f64 {
    let largest = min.abs().max(max.abs());
    match largest > 0.0 {
        true => (largest / 1000.0).clamp(f64::MIN_POSITIVE, 1.0),
        false => 1.0,
    }
}

/// Moves a number into [0, 1]; what is not a number becomes 0.
fn within_unit(uniform: f64) -> f64 {
    match uniform.is_nan() {
        true => 0.0,
        false => uniform.clamp(0.0, 1.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn cells() -> impl Strategy<Value = Cells> {
        prop_oneof![
            (1u32..60).prop_map(|count| Cells::Linear { count }),
            (1u32..60).prop_map(|count| Cells::Log { count }),
            Just(Cells::Fine),
        ]
    }

    #[test]
    fn fine_cells_keep_numbers_that_many_rows_share() {
        for (min, max) in [
            (0.0, 1.0),
            (-3.5, 120.0),
            (0.0, 1e6),
            (-50.0, 0.0),
            (0.1, 0.2),
        ] {
            let grid = Grid::reals(min, max, &Cells::Fine).unwrap();
            assert!(grid.cells() < 2100, "{min}..{max}");
            let mut shared = vec![min, max];
            shared.extend([0.0, 1.0, 17.0].iter().filter(|v| (min..=max).contains(*v)));
            for value in shared {
                if max - min > MOST_WHOLE && value != 0.0 && value != min && value != max {
                    continue;
                }
                let cell = grid.cell_of(value).unwrap();
                for uniform in [0.0, 0.3, 0.7, 0.999_999] {
                    assert_eq!(grid.draw(cell, uniform), value, "{min}..{max}");
                }
            }
        }
        let grid = Grid::integers(0, 99_999, &Cells::Fine).unwrap();
        for value in [0, 99_999] {
            let cell = grid.cell_of(f64::from(value)).unwrap();
            assert_eq!(grid.draw_step(cell, 0.9), i64::from(value));
        }
        assert_eq!(
            Grid::integers(-5, 1990, &Cells::Fine).unwrap().cells(),
            1996
        );
    }

    #[test]
    fn zero_has_its_own_cell_on_a_logarithmic_grid() {
        for (min, max) in [(0, 99_999), (-500, 500), (-7, 1_000_000), (-10, 0), (0, 1)] {
            let grid = Grid::integers(min, max, &Cells::Log { count: 20 }).unwrap();
            let zero = grid.cell_of(0.0).unwrap();
            assert!(
                min == 0 || grid.cell_of(-1.0) == Some(zero - 1),
                "{min}..{max}"
            );
            assert!(
                max == 0 || grid.cell_of(1.0) == Some(zero + 1),
                "{min}..{max}"
            );
        }
    }

    #[test]
    fn logarithmic_cells_widen_away_from_zero() {
        let grid = Grid::integers(0, 99_999, &Cells::Log { count: 30 }).unwrap();
        assert_eq!(grid.cells(), 30);
        let edges = grid.edges();
        let widths: Vec<f64> = edges.windows(2).map(|pair| pair[1] - pair[0]).collect();
        assert_eq!(widths[0], 1.0);
        assert!(widths[28] > 20_000.0, "{widths:?}");
        assert!(widths[..28].is_sorted(), "{widths:?}");
    }

    #[test]
    fn more_cells_than_integers_means_one_cell_for_each() {
        let grid = Grid::integers(1, 16, &Cells::Linear { count: 1000 }).unwrap();
        assert_eq!(grid, Grid::integers(1, 16, &Cells::Each).unwrap());
    }

    #[test]
    fn edges_start_cells_and_bounds_are_implied() {
        let cells = Cells::Edges {
            edges: vec![0.0, 1.0, 7.5, 10.0],
        };
        let grid = Grid::integers(0, 20, &cells).unwrap();
        assert_eq!(grid.edges(), [0.0, 1.0, 8.0, 10.0, 20.0]);
        let grid = Grid::reals(0.0, 10.0, &cells).unwrap();
        assert_eq!(grid.edges(), [0.0, 1.0, 7.5, 10.0]);
        assert_eq!(grid.cell_of(10.0), Some(2));
    }

    #[test]
    fn decimal_bounds_off_the_grid_keep_values_inside() {
        let grid = Grid::decimals(0.05, 0.96, 1, &Cells::Each).unwrap();
        assert_eq!(grid.cells(), 9);
        assert_eq!(grid.draw(0, 0.0), 0.1);
        assert_eq!(grid.draw(8, 0.99), 0.9);
        assert_eq!(grid.cell_of(0.96), Some(8));
        assert_eq!(
            Grid::decimals(0.01, 0.09, 1, &Cells::Each),
            Err(SchemaProblem::NoValueBetweenBounds)
        );
        // 0.07 × 100 and 0.29 × 100 are not whole in binary.
        let grid = Grid::decimals(0.07, 0.29, 2, &Cells::Each).unwrap();
        assert_eq!(grid.cells(), 23);
    }

    #[test]
    fn the_widest_ranges_do_not_overflow() {
        for cells in [Cells::Linear { count: 30 }, Cells::Log { count: 30 }] {
            let grid = Grid::integers(i64::MIN, i64::MAX, &cells).unwrap();
            assert_eq!(grid.cells(), 30);
            assert_eq!(grid.draw_step(0, 0.0), i64::MIN);
            assert!(grid.draw_step(29, 1.0) > i64::MAX / 2);
            let grid = Grid::reals(f64::MIN, f64::MAX, &cells).unwrap();
            assert_eq!(grid.cells(), 30);
            assert!((0..30).all(|cell| grid.draw(cell, 0.5).is_finite()));
        }
    }

    #[test]
    fn one_value_is_one_cell() {
        for cells in [Cells::Linear { count: 5 }, Cells::Log { count: 5 }] {
            assert_eq!(Grid::integers(3, 3, &cells).unwrap().cells(), 1);
            let grid = Grid::reals(3.5, 3.5, &cells).unwrap();
            assert_eq!((grid.cells(), grid.draw(0, 0.7)), (1, 3.5));
        }
    }

    proptest! {
        #[test]
        fn integers_survive_their_cell(
            bounds in (-100_000i64..100_000, 0i64..100_000), cells in cells(),
            at in 0.0..1.0f64, uniform in 0.0..1.0f64,
        ) {
            let (min, max) = (bounds.0, bounds.0 + bounds.1);
            let grid = Grid::integers(min, max, &cells).unwrap();
            let value = min + ((max - min) as f64 * at) as i64;
            let cell = grid.cell_of(value as f64).unwrap();
            prop_assert_eq!(grid.cell_of_step(value), cell);
            let drawn = grid.draw(cell, uniform);
            prop_assert!(drawn >= min as f64 && drawn <= max as f64 && drawn.fract() == 0.0);
            prop_assert_eq!(grid.cell_of(drawn), Some(cell));
            prop_assert!((0..grid.cells()).all(|cell| grid.cell_of(grid.draw(cell, uniform)) == Some(cell)));
        }

        #[test]
        fn decimals_survive_their_cell(
            bounds in (-1e4..1e4f64, 0.5..1e4f64), decimals in 1u8..5, cells in cells(),
            at in 0.0..=1.0f64, uniform in 0.0..1.0f64,
        ) {
            let (min, max) = (bounds.0, bounds.0 + bounds.1);
            let grid = Grid::decimals(min, max, decimals, &cells).unwrap();
            let value = (min + (max - min) * at).clamp(min, max);
            let cell = grid.cell_of(value).unwrap();
            let drawn = grid.draw(cell, uniform);
            prop_assert!(drawn >= min && drawn <= max);
            prop_assert_eq!(grid.cell_of(drawn), Some(cell));
            let text = format!("{drawn:.*}", usize::from(decimals));
            prop_assert_eq!(text.parse::<f64>().unwrap(), drawn);
            prop_assert_eq!(grid.nearest(drawn), drawn);
        }

        #[test]
        fn reals_survive_their_cell(
            min in -1e6..1e6f64, width in 1e-6..1e6f64, cells in cells(),
            at in 0.0..=1.0f64, uniform in 0.0..1.0f64,
        ) {
            let max = min + width;
            let grid = Grid::reals(min, max, &cells).unwrap();
            let value = (min + (max - min) * at).clamp(min, max);
            let cell = grid.cell_of(value).unwrap();
            let drawn = grid.draw(cell, uniform);
            prop_assert!(drawn >= min && drawn <= max);
            prop_assert_eq!(grid.cell_of(drawn), Some(cell));
        }
    }
}
