//! Both tables on the two directions in which the real one varies most.

use serde::Serialize;

use crate::random::Draws;
use crate::table::{Column, Table, Values};

/// Shares of rows on a grid over the first two principal components (Pearson 1901) of the real table.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Projection {
    /// Shares of the real table's variance along the two directions.
    pub explained: [f64; 2],
    /// Total variation distance between the two grids of shares.
    pub distance: f64,
    /// Shares of real rows, the first direction counting fastest.
    #[serde(skip)]
    pub real: Vec<f64>,
    /// Shares of synthetic rows.
    #[serde(skip)]
    pub synthetic: Vec<f64>,
}

/// One feature of a row, and where it stands: rows have few features that are not zero.
type Features = Vec<(usize, f64)>;

/// How a column becomes features.
enum Scale {
    /// A number, less the mean, over the standard deviation; missing is the mean.
    Number { mean: f64, stddev: f64 },
    /// One feature for each of the most frequent levels.
    Levels(Vec<String>),
}

impl Projection {
    /// Cells along each direction.
    pub const CELLS: usize = 32;

    pub(crate) fn new(real: &Table, synthetic: &Table) -> Self {
        let scales: Vec<Scale> = real.columns().iter().map(Scale::of).collect();
        let dimensions: usize = scales.iter().map(Scale::width).sum();
        let mut draws = Draws::new(SEED);
        let rows = features(real, real, &scales, &draws.some(real.rows(), MOST_ROWS));
        let others = features(
            real,
            synthetic,
            &scales,
            &draws.some(synthetic.rows(), MOST_ROWS),
        );
        let means = means(&rows, dimensions);
        let total = variance(&rows, &means);
        let first = component(&rows, &means, &[], &mut draws);
        let second = component(&rows, &means, &[&first.0], &mut draws);
        let axes = [first.0, second.0];
        let place = |row: &Features| axes.each_ref().map(|axis| project(row, &means, axis));
        let ours: Vec<[f64; 2]> = rows.iter().map(place).collect();
        let theirs: Vec<[f64; 2]> = others.iter().map(place).collect();
        let ranges = [0, 1].map(|axis| range(&ours, axis));
        let (real, synthetic) = (grid(&ours, ranges), grid(&theirs, ranges));
        let apart = real.iter().zip(&synthetic).map(|(a, b)| (a - b).abs());
        Self {
            explained: [first.1, second.1].map(|part| if total > 0.0 { part / total } else { 0.0 }),
            distance: 0.5 * apart.sum::<f64>(),
            real,
            synthetic,
        }
    }
}

impl Scale {
    fn of(column: &Column) -> Self {
        match &column.values {
            Values::Numeric(values) => {
                let count = values.iter().flatten().count().max(1) as f64;
                let mean = values.iter().flatten().sum::<f64>() / count;
                let squares = values.iter().flatten().map(|value| (value - mean).powi(2));
                Self::Number {
                    mean,
                    stddev: (squares.sum::<f64>() / count).sqrt(),
                }
            }
            Values::Category { codes, levels } => {
                let mut counts = vec![0u64; levels.len()];
                codes
                    .iter()
                    .flatten()
                    .for_each(|&code| counts[code as usize] += 1);
                let mut order: Vec<usize> = (0..levels.len()).collect();
                order.sort_by_key(|&level| std::cmp::Reverse(counts[level]));
                order.truncate(MOST_LEVELS);
                Self::Levels(
                    order
                        .into_iter()
                        .map(|level| levels[level].clone())
                        .collect(),
                )
            }
        }
    }

    fn width(&self) -> usize {
        match self {
            Self::Number { .. } => 1,
            Self::Levels(levels) => levels.len(),
        }
    }
}

fn features(real: &Table, table: &Table, scales: &[Scale], rows: &[usize]) -> Vec<Features> {
    let mut all = vec![Features::new(); rows.len()];
    let mut first = 0;
    for (model, scale) in real.columns().iter().zip(scales) {
        let column = table.like(model).unwrap_or(model);
        match (&column.values, scale) {
            (Values::Numeric(values), Scale::Number { mean, stddev }) => {
                for (features, &row) in all.iter_mut().zip(rows) {
                    if let Some(value) = values[row].filter(|_| *stddev > 0.0) {
                        features.push((first, (value - mean) / stddev));
                    }
                }
            }
            (Values::Category { codes, levels }, Scale::Levels(kept)) => {
                let places: Vec<Option<usize>> = levels
                    .iter()
                    .map(|level| kept.iter().position(|other| other == level))
                    .collect();
                for (features, &row) in all.iter_mut().zip(rows) {
                    if let Some(place) = codes[row].and_then(|code| places[code as usize]) {
                        features.push((first + place, 1.0));
                    }
                }
            }
            _ => {}
        }
        first += scale.width();
    }
    all
}

fn means(rows: &[Features], dimensions: usize) -> Vec<f64> {
    let mut means = vec![0.0; dimensions];
    for &(feature, value) in rows.iter().flatten() {
        means[feature] += value / rows.len() as f64;
    }
    means
}

fn variance(rows: &[Features], means: &[f64]) -> f64 {
    let squares: f64 = rows.iter().flatten().map(|(_, value)| value * value).sum();
    squares / rows.len() as f64 - means.iter().map(|mean| mean * mean).sum::<f64>()
}

fn project(row: &Features, means: &[f64], axis: &[f64]) -> f64 {
    let offset: f64 = means.iter().zip(axis).map(|(mean, part)| mean * part).sum();
    row.iter()
        .map(|&(feature, value)| value * axis[feature])
        .sum::<f64>()
        - offset
}

/// The direction of largest variance that is orthogonal to those before, and that variance, by power
/// iteration.
fn component(
    rows: &[Features],
    means: &[f64],
    before: &[&[f64]],
    draws: &mut Draws,
) -> (Vec<f64>, f64) {
    let mut axis: Vec<f64> = means.iter().map(|_| draws.signed()).collect();
    let mut variance = 0.0;
    for _ in 0..ITERATIONS {
        for other in before {
            let along: f64 = axis.iter().zip(*other).map(|(a, b)| a * b).sum();
            axis.iter_mut()
                .zip(*other)
                .for_each(|(part, other)| *part -= along * other);
        }
        let length = axis.iter().map(|part| part * part).sum::<f64>().sqrt();
        if length <= f64::MIN_POSITIVE {
            return (axis, 0.0);
        }
        axis.iter_mut().for_each(|part| *part /= length);
        let mut next = vec![0.0; axis.len()];
        let mut sum = 0.0;
        for row in rows {
            let along = project(row, means, &axis);
            sum += along;
            row.iter()
                .for_each(|&(feature, value)| next[feature] += along * value);
        }
        next.iter_mut()
            .zip(means)
            .for_each(|(part, mean)| *part -= sum * mean);
        variance = next.iter().zip(&axis).map(|(a, b)| a * b).sum::<f64>() / rows.len() as f64;
        std::mem::swap(&mut axis, &mut next);
        if next.iter().all(|&part| part == 0.0) {
            break;
        }
    }
    let length = axis.iter().map(|part| part * part).sum::<f64>().sqrt();
    axis.iter_mut()
        .for_each(|part| *part /= length.max(f64::MIN_POSITIVE));
    // A direction has two ends; the one with the larger sum is called positive.
    if axis.iter().sum::<f64>() < 0.0 {
        axis.iter_mut().for_each(|part| *part = -*part);
    }
    (axis, variance)
}

/// From the 0.5th to the 99.5th percentile.
fn range(places: &[[f64; 2]], axis: usize) -> (f64, f64) {
    let mut sorted: Vec<f64> = places.iter().map(|place| place[axis]).collect();
    sorted.sort_by(f64::total_cmp);
    let cut = sorted.len() / 200;
    (sorted[cut], sorted[sorted.len() - 1 - cut])
}

fn grid(places: &[[f64; 2]], ranges: [(f64, f64); 2]) -> Vec<f64> {
    let cells = Projection::CELLS;
    let mut shares = vec![0.0; cells * cells];
    for place in places {
        let cell = [0, 1].map(|axis: usize| {
            let (low, high) = ranges[axis];
            let share = (place[axis] - low) / (high - low).max(f64::MIN_POSITIVE);
            // Beyond the ends counts as the last cell.
            (share * cells as f64).clamp(0.0, (cells - 1) as f64) as usize
        });
        shares[cell[1] * cells + cell[0]] += 1.0 / places.len() as f64;
    }
    shares
}

const ITERATIONS: usize = 40;
const MOST_LEVELS: usize = 20;
const MOST_ROWS: usize = 10_000;
const SEED: u64 = 2;

#[cfg(test)]
mod tests {
    use super::*;

    fn table(slope: f64, rows: usize) -> Table {
        let mut draws = Draws::new(9);
        let x: Vec<f64> = (0..rows).map(|_| draws.signed()).collect();
        let y = x.iter().map(|x| slope * x).collect::<Vec<_>>();
        let noise: Vec<f64> = (0..rows).map(|_| draws.signed()).collect();
        let column = |name: &str, values: Vec<f64>| Column {
            name: name.to_owned(),
            values: Values::Numeric(values.into_iter().map(Some).collect()),
        };
        Table::new(vec![column("x", x), column("y", y), column("z", noise)]).unwrap()
    }

    #[test]
    fn a_table_lies_where_it_lies_and_a_mirrored_one_elsewhere() {
        let real = table(1.0, 2000);
        let same = Projection::new(&real, &real);
        assert_eq!(same.distance, 0.0);
        // Of three columns of variance 1, two are one direction.
        assert!(
            (same.explained[0] - 2.0 / 3.0).abs() < 0.02,
            "{:?}",
            same.explained
        );
        assert!(
            (same.explained[1] - 1.0 / 3.0).abs() < 0.02,
            "{:?}",
            same.explained
        );
        assert!(Projection::new(&real, &table(-1.0, 2000)).distance > 0.5);
    }
}
