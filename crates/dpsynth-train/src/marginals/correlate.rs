//! Fitting a Gaussian copula to noisy marginals of all pairs of columns.

use super::grouping::CodeOrder;
use super::margins::Margins;
use super::measurements::Measurements;
use crate::copula::{Copula, Margin};
use crate::linear::{cholesky, nearest_correlation};
use crate::normal::{cdf, quantile};

/// Fits a Gaussian copula: codes stand in the order of `orders`, categories by falling share, and
/// each pair of columns has the correlation of normal scores that explains its counts best.
///
/// It is post-processing. Columns without counts of pairs stay independent.
#[must_use]
pub fn fit_copula(measurements: &Measurements, orders: &[CodeOrder]) -> Copula {
    let margins = Margins::new(measurements);
    let blocks = measurements.block_columns();
    let columns = measurements.groupings.len();
    let lines: Vec<_> = (0..blocks.len())
        .map(|block| Line::new(&block_shares(&margins, block), orders[blocks[block]]))
        .collect();
    let mut matrix = vec![0.0; columns * columns];
    for (a, &left) in blocks.iter().enumerate() {
        for (b, &right) in blocks.iter().enumerate().skip(a + 1) {
            let (counts, noise) = table(measurements, &margins, (a, b));
            let correlation = correlation(&lines[a], &lines[b], &counts, noise);
            matrix[left * columns + right] = correlation;
            matrix[right * columns + left] = correlation;
        }
    }
    for column in 0..columns {
        matrix[column * columns + column] = 1.0;
    }
    let nearest = nearest_correlation(&matrix, columns, LEAST_EIGENVALUE);
    let factor = cholesky(&nearest, columns);
    let columns = (0..columns)
        .map(
            |column| match blocks.iter().position(|&block| block == column) {
                Some(block) => code_margin(measurements, orders, column, &lines[block]),
                None => Margin {
                    order: (0..margins.classes.len()).map(|code| code as u16).collect(),
                    shares: margins.classes.iter().map(|&share| share as f32).collect(),
                },
            },
        )
        .collect();
    Copula::new(
        columns,
        factor.into_iter().map(|entry| entry as f32).collect(),
    )
}

/// Shares of the groups of a block among all rows.
fn block_shares(margins: &Margins, block: usize) -> Vec<f64> {
    let mut shares = vec![0.0; margins.of(0, block).len()];
    for class in 0..margins.classes.len() {
        for (share, within) in shares.iter_mut().zip(margins.of(class, block)) {
            *share += within;
        }
    }
    shares
}

/// The groups of a column on the line of normal scores.
struct Line {
    /// Groups in the order of their scores, and their shares in that order.
    order: Vec<usize>,
    shares: Vec<f64>,
    /// Scores between the groups, without the ends of the line.
    cuts: Vec<f64>,
    /// Scores that stand for each group, evenly by probability.
    nodes: Vec<[f64; NODES]>,
}

impl Line {
    fn new(shares: &[f64], order: CodeOrder) -> Self {
        let mut groups: Vec<usize> = (0..shares.len()).collect();
        if order == CodeOrder::Nominal {
            groups.sort_by(|&a, &b| shares[b].total_cmp(&shares[a]));
        }
        let shares: Vec<f64> = groups.iter().map(|&group| shares[group]).collect();
        let total: f64 = shares.iter().sum();
        let (mut cuts, mut nodes) = (Vec::new(), Vec::new());
        let mut sum = 0.0;
        for share in &shares {
            let node = |k: usize| quantile((sum + share * (k as f64 + 0.5) / NODES as f64) / total);
            nodes.push(std::array::from_fn(node));
            sum += share;
            cuts.push(quantile(sum / total));
        }
        cuts.pop();
        Self {
            order: groups,
            shares,
            cuts,
            nodes,
        }
    }
}

/// Shares of the pairs of groups of two blocks among all rows, and the noise of each.
fn table(
    measurements: &Measurements,
    margins: &Margins,
    (a, b): (usize, usize),
) -> (Vec<f64>, f64) {
    let groups = margins.starts[margins.starts.len() - 1];
    let mut shares = Vec::new();
    for row in margins.starts[a]..margins.starts[a + 1] {
        for column in margins.starts[b]..margins.starts[b + 1] {
            let of_class = measurements
                .slices
                .iter()
                .map(|slice| slice.pairs[row * groups + column]);
            shares.push(of_class.map(f64::from).sum());
        }
    }
    let first = margins.starts[a] * groups + margins.starts[b];
    let variances = measurements
        .slices
        .iter()
        .map(|slice| f64::from(slice.pair_precision[first]).recip());
    (shares, variances.sum::<f64>().sqrt())
}

/// The correlation of normal scores at which the cells of two columns come closest to noisy shares
/// (least squares, which is the most likely one under Gaussian noise; Olsson 1979 for counts
/// without), shrunk by as much of its square as its noise explains.
fn correlation(left: &Line, right: &Line, shares: &[f64], noise: f64) -> f64 {
    if !noise.is_finite() || left.order.len() < 2 || right.order.len() < 2 {
        return 0.0;
    }
    let columns = right.order.len();
    let ordered: Vec<f64> = left
        .order
        .iter()
        .flat_map(|&i| right.order.iter().map(move |&j| shares[i * columns + j]))
        .collect();
    let misfit = |correlation: f64| {
        let cells = cells(left, right, correlation);
        let squares = cells
            .iter()
            .zip(&ordered)
            .map(|(cell, share)| (cell - share).powi(2));
        squares.sum::<f64>()
    };
    let mut best = (f64::INFINITY, 0.0);
    for step in -STEPS..=STEPS {
        let candidate = (f64::from(step) / f64::from(STEPS) * WIDEST).tanh();
        let misfit = misfit(candidate);
        if misfit < best.0 {
            best = (misfit, candidate);
        }
    }
    // Golden sections between the neighbours of the best step.
    let middle: f64 = best.1.atanh();
    let (mut below, mut above) = (
        middle - WIDEST / f64::from(STEPS),
        middle + WIDEST / f64::from(STEPS),
    );
    for _ in 0..SECTIONS {
        let (a, b) = (
            above - GOLDEN * (above - below),
            below + GOLDEN * (above - below),
        );
        if misfit(a.tanh()) < misfit(b.tanh()) {
            above = b;
        } else {
            below = a;
        }
    }
    let found = (0.5 * (below + above)).tanh();
    let near = cells(left, right, found - SLOPE);
    let slopes = cells(left, right, found + SLOPE);
    let information: f64 = slopes
        .iter()
        .zip(&near)
        .map(|(after, before)| ((after - before) / (2.0 * SLOPE * noise)).powi(2))
        .sum();
    let explained = (found * found * information).recip();
    if explained < 1.0 {
        found * (1.0 - explained)
    } else {
        0.0
    }
}

/// Probabilities of the pairs of groups at a correlation, row-major.
fn cells(left: &Line, right: &Line, correlation: f64) -> Vec<f64> {
    let spread = (1.0 - correlation * correlation).max(1e-6).sqrt();
    let columns = right.order.len();
    let mut cells = vec![0.0; left.order.len() * columns];
    let total: f64 = left.shares.iter().sum();
    for ((row, nodes), share) in cells
        .chunks_exact_mut(columns)
        .zip(&left.nodes)
        .zip(&left.shares)
    {
        let weight = share / total / NODES as f64;
        for score in nodes {
            let mut before = 0.0;
            for (cell, cut) in row.iter_mut().zip(&right.cuts) {
                let until = cdf((cut - correlation * score) / spread);
                *cell += weight * (until - before);
                before = until;
            }
            row[columns - 1] += weight * (1.0 - before);
        }
    }
    cells
}

/// The codes of a column in the order of its groups, within a group as they are or by falling
/// weight.
fn code_margin(
    measurements: &Measurements,
    orders: &[CodeOrder],
    column: usize,
    line: &Line,
) -> Margin {
    let grouping = &measurements.groupings[column];
    let mut margin = Margin {
        order: Vec::new(),
        shares: Vec::new(),
    };
    for (&group, &share) in line.order.iter().zip(&line.shares) {
        let mut codes: Vec<usize> = (0..grouping.group_of.len())
            .filter(|&code| usize::from(grouping.group_of[code]) == group)
            .collect();
        if orders[column] == CodeOrder::Nominal {
            codes.sort_by(|&a, &b| grouping.weights[b].total_cmp(&grouping.weights[a]));
        }
        let sum: f64 = codes
            .iter()
            .map(|&code| f64::from(grouping.weights[code]))
            .sum();
        for code in codes {
            margin.order.push(code as u16);
            let weight = f64::from(grouping.weights[code]) / sum;
            margin.shares.push((share * weight) as f32);
        }
    }
    margin
}

/// Scores that stand for a group.
const NODES: usize = 6;
/// Candidates on either side of no correlation, and how far they go by Fisher's transformation.
const STEPS: i32 = 12;
const WIDEST: f64 = 2.6;
const SECTIONS: usize = 16;
const GOLDEN: f64 = 0.618_033_988_749_895;
/// Step of the derivative by the correlation.
const SLOPE: f64 = 1e-3;
/// Smallest eigenvalue of the correlation matrix.
const LEAST_EIGENVALUE: f64 = 1e-4;
