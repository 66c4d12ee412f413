//! A Gaussian copula: the columns' own shares, and correlations.

use dpsynth_privacy::PublicRng;

use crate::draw::{BLOCK_ROWS, draw_blocks};
use crate::normal::quantile;

/// A generator that draws correlated normal scores and turns each into a code of its column: the
/// codes stand in an order and divide the line of scores by their shares.
#[derive(Clone, Debug, PartialEq)]
pub struct Copula {
    margins: Vec<Margin>,
    /// Lower triangle with rows of length 1, row-major: scores are its product with independent
    /// normal draws.
    factor: Vec<f32>,
    /// Scores at which each column's codes end, in their order.
    ends: Vec<Vec<f64>>,
}

/// The codes of a column and their shares.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Margin {
    /// The codes in the order of their scores.
    pub(crate) order: Vec<u16>,
    /// Share of each of them, in that order. They need not add up to 1.
    pub(crate) shares: Vec<f32>,
}

impl Copula {
    /// Puts a copula together.
    pub(crate) fn new(margins: Vec<Margin>, factor: Vec<f32>) -> Self {
        let ends = margins
            .iter()
            .map(|margin| {
                let total: f64 = margin.shares.iter().map(|&share| f64::from(share)).sum();
                let mut sum = 0.0;
                let ends = margin.shares.iter().map(|&share| {
                    sum += f64::from(share);
                    quantile(sum / total)
                });
                ends.collect()
            })
            .collect();
        Self {
            margins,
            factor,
            ends,
        }
    }

    /// Number of codes of each column.
    #[must_use]
    pub fn domain_sizes(&self) -> Vec<u32> {
        let sizes = self.margins.iter();
        sizes.map(|margin| margin.order.len() as u32).collect()
    }

    /// Correlation of the scores of two columns.
    #[must_use]
    pub fn correlation(&self, a: usize, b: usize) -> f64 {
        let columns = self.margins.len();
        let row = |column: usize| self.factor[column * columns..(column + 1) * columns].iter();
        row(a)
            .zip(row(b))
            .map(|(&a, &b)| f64::from(a) * f64::from(b))
            .sum()
    }

    pub(crate) fn margins(&self) -> &[Margin] {
        &self.margins
    }

    pub(crate) fn factor(&self) -> &[f32] {
        &self.factor
    }

    /// Draws `rows` rows of codes, row-major.
    ///
    /// The draws are a function of the state of `rng` alone.
    pub fn sample(&self, rows: usize, rng: &mut PublicRng) -> Vec<u16> {
        let columns = self.margins.len();
        draw_blocks(rows, columns, BLOCK_ROWS, rng, &|rng, block| {
            let mut draws = vec![0.0f64; columns];
            for row in block.chunks_exact_mut(columns) {
                draws.iter_mut().for_each(|draw| *draw = rng.normal());
                for (column, code) in row.iter_mut().enumerate() {
                    let factor = &self.factor[column * columns..=column * columns + column];
                    let score: f64 = factor
                        .iter()
                        .zip(&draws)
                        .map(|(&factor, draw)| f64::from(factor) * draw)
                        .sum();
                    let ends = &self.ends[column];
                    let place = ends[..ends.len() - 1].partition_point(|&end| end <= score);
                    *code = self.margins[column].order[place];
                }
            }
        })
    }
}
