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
        let mut edges = real_edges(min, max, cells)?;
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
        Cells::Spiked { cells, spikes } => {
            check_spikes(spikes, bounds.0, bounds.1)?;
            let mut starts = whole_starts(first, last, scale, unit, cells, bounds)?;
            for spike in spikes {
                // OK because a bound in steps is far below the largest whole number.
                let step = ((spike * scale).round() as i64).clamp(first, last);
                starts.push(step);
                if step < last {
                    starts.push(step + 1);
                }
            }
            starts.sort_unstable();
            starts.dedup();
            match starts.len() > MAX_CODES as usize {
                true => Err(SchemaProblem::TooManyCodes),
                false => Ok(starts),
            }
        }
    }
}

/// Where the cells of a real grid start, in order; the bounds may be among them.
fn real_edges(min: f64, max: f64, cells: &Cells) -> Result<Vec<f64>, SchemaProblem> {
    Ok(match cells {
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
        Cells::Spiked { cells, spikes } => {
            check_spikes(spikes, min, max)?;
            let mut edges = real_edges(min, max, cells)?;
            for spike in spikes {
                // Not the negative zero.
                let spike = spike + 0.0;
                // A cell from a number to the next one above it holds that number alone.
                edges.extend([spike, spike.next_up()]);
            }
            edges.sort_by(f64::total_cmp);
            edges.dedup();
            edges
        }
    })
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

fn check_spikes(spikes: &[f64], min: f64, max: f64) -> Result<(), SchemaProblem> {
    match spikes.iter().all(|spike| (min..=max).contains(spike)) {
        true => Ok(()),
        false => Err(SchemaProblem::SpikeOutOfBounds),
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
mod tests;
