//! A Gaussian copula: the columns' own shares, and correlations.

use dpsynth_privacy::PublicRng;

use crate::draw::{BLOCK_ROWS, draw_blocks};
use crate::linear::cholesky;
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
    given: Option<Given>,
}

/// A condition on codes, in the order in which it is drawn under.
#[derive(Clone, Debug, PartialEq)]
struct Given {
    /// The columns as they are drawn; the first has the least of its share allowed.
    order: Vec<usize>,
    /// The factor in that order.
    factor: Vec<f32>,
    /// For each allowed code of the first column, the range of chances of its scores.
    ranges: Vec<[f64; 2]>,
    allowed: Vec<Option<Vec<bool>>>,
}

/// Rows in which several conditions hold together only once in so many are left to whoever checks rows.
const MOST_TRIES: usize = 1000;

/// The number that has a share of `uniform` of the ranges below it.
fn within(ranges: &[[f64; 2]], uniform: f64) -> f64 {
    let all: f64 = ranges.iter().map(|[low, high]| high - low).sum();
    let mut left = uniform * all;
    for [low, high] in ranges {
        if left < high - low {
            return low + left;
        }
        left -= high - low;
    }
    // Rounding may leave a little beyond the last.
    ranges.last().map_or(0.5, |[low, high]| 0.5 * (low + high))
}

impl Margin {
    /// The ranges of chances that the scores of allowed codes have; each has a share above 0.
    fn ranges(&self, allowed: &[bool]) -> Vec<[f64; 2]> {
        let total: f64 = self.shares.iter().map(|&share| f64::from(share)).sum();
        let mut sum = 0.0;
        let mut ranges = Vec::new();
        for (&code, &share) in self.order.iter().zip(&self.shares) {
            let low = sum / total;
            sum += f64::from(share);
            if allowed[usize::from(code)] && sum / total > low {
                ranges.push([low, sum / total]);
            }
        }
        ranges
    }
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
            given: None,
        }
    }

    /// The copula given that the code of each column is among those that are allowed; `None` if no row has
    /// such codes.
    ///
    /// `allowed` has a list for each column, as long as its domain, or `None` where all codes are allowed. The
    /// score of the column of which the least is allowed is drawn within what is allowed, and the
    /// others given it; a row in which another column is not as it may be is drawn again.
    ///
    /// # Panics
    /// If a list is shorter than its column's domain.
    #[must_use]
    pub fn given(&self, allowed: &[Option<Vec<bool>>]) -> Option<Self> {
        let mut first: Option<(f64, usize, Vec<[f64; 2]>)> = None;
        for (column, codes) in allowed.iter().enumerate() {
            let Some(codes) = codes else { continue };
            let ranges = self.margins[column].ranges(codes);
            let share = ranges.iter().map(|[low, high]| high - low).sum();
            if share <= 0.0 {
                return None;
            }
            if first.as_ref().is_none_or(|(least, ..)| share < *least) {
                first = Some((share, column, ranges));
            }
        }
        let Some((_, first, ranges)) = first else {
            return Some(self.clone());
        };
        let columns = self.margins.len();
        let order: Vec<usize> = std::iter::once(first)
            .chain((0..columns).filter(|&column| column != first))
            .collect();
        let correlations: Vec<f64> = (order.iter())
            .flat_map(|&a| order.iter().map(move |&b| self.correlation(a, b)))
            .collect();
        let factor = cholesky(&correlations, columns);
        Some(Self {
            given: Some(Given {
                order,
                factor: factor.into_iter().map(|value| value as f32).collect(),
                ranges,
                allowed: allowed.to_vec(),
            }),
            ..self.clone()
        })
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
        if let Some(given) = &self.given {
            return self.sample_given(given, rows, rng);
        }
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
                    *code = self.code(column, score);
                }
            }
        })
    }

    fn code(&self, column: usize, score: f64) -> u16 {
        let ends = &self.ends[column];
        let place = ends[..ends.len() - 1].partition_point(|&end| end <= score);
        self.margins[column].order[place]
    }

    fn sample_given(&self, given: &Given, rows: usize, rng: &mut PublicRng) -> Vec<u16> {
        let columns = self.margins.len();
        draw_blocks(rows, columns, BLOCK_ROWS, rng, &|rng, block| {
            let mut draws = vec![0.0f64; columns];
            for row in block.chunks_exact_mut(columns) {
                for _ in 0..MOST_TRIES {
                    draws.iter_mut().for_each(|draw| *draw = rng.normal());
                    draws[0] = quantile(within(&given.ranges, rng.uniform()));
                    let mut obeys = true;
                    for (place, &column) in given.order.iter().enumerate() {
                        let factor = &given.factor[place * columns..=place * columns + place];
                        let score: f64 = (factor.iter().zip(&draws))
                            .map(|(&factor, draw)| f64::from(factor) * draw)
                            .sum();
                        let code = self.code(column, score);
                        row[column] = code;
                        let allowed = given.allowed[column].as_ref();
                        obeys &= allowed.is_none_or(|codes| codes[usize::from(code)]);
                    }
                    if obeys {
                        break;
                    }
                }
            }
        })
    }
}
