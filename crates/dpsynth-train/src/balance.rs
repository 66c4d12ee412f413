//! Rows that stand for a mixture better than independent draws do.
//!
//! A table of independent draws has sampling noise on top of the privacy noise. How many rows a
//! component gives, how many of them are in a group, and in which order each column's groups stand within
//! a component: all three are free, and are chosen here so that the table's counts come near to what
//! the mixture expects (balanced sampling, Deville & Tillé 2004).

use std::iter::repeat_n;

use dpsynth_privacy::PublicRng;

use crate::excess::Excess;

/// The components of a mixture of products.
#[derive(Clone, Copy)]
pub(crate) struct Components<'m> {
    /// Running sums of the components' weights.
    pub(crate) weights: &'m [f32],
    /// Shares of the groups of all columns, row-major by component.
    pub(crate) shares: &'m [f32],
    /// Where each column's groups start; the total at the end.
    pub(crate) starts: &'m [usize],
    /// A column within whose classes pairs of the others are to be balanced.
    pub(crate) classed_by: Option<usize>,
}

impl Components<'_> {
    pub(crate) fn columns(&self) -> usize {
        self.starts.len() - 1
    }

    pub(crate) fn groups(&self) -> usize {
        self.starts[self.columns()]
    }

    /// Fills rows of groups, row-major, component after component.
    pub(crate) fn draw(&self, rng: &mut PublicRng, sweeps: usize, rows: &mut [u16]) {
        let columns = self.columns();
        let counts = systematic(self.weights, rows.len() / columns, rng);
        for column in 0..columns {
            self.draw_column(column, &counts, rng, rows);
        }
        if sweeps == 0 || counts.iter().all(|&count| count < 2) {
            return;
        }
        let Some(mut excess) = Excess::new(self, &counts) else {
            return;
        };
        rows.chunks_exact(columns).for_each(|row| excess.add(row));
        for _ in 0..sweeps {
            let mut rest = &mut *rows;
            for &count in &counts {
                let (of_component, others) = rest.split_at_mut(count * columns);
                excess.swap_within(of_component, rng);
                rest = others;
            }
        }
    }

    /// Draws a column: its counts are what the mixture expects to within about a row, in each component
    /// as in all of them together, and their order within a component is random.
    fn draw_column(&self, column: usize, counts: &[usize], rng: &mut PublicRng, rows: &mut [u16]) {
        let columns = self.columns();
        let groups = self.starts[column]..self.starts[column + 1];
        // What the components so far owe to each group; it starts anywhere, so that no group is favoured.
        let mut owed: Vec<f64> = groups.clone().map(|_| rng.uniform()).collect();
        let mean = owed.iter().sum::<f64>() / owed.len() as f64;
        owed.iter_mut().for_each(|owed| *owed -= mean);
        let mut drawn = Vec::new();
        let mut places = rows[column..].iter_mut().step_by(columns);
        for (shares, &count) in self.shares.chunks_exact(self.groups()).zip(counts) {
            // What gives no row owes nothing, and under a condition may have no share of any group.
            if count == 0 {
                continue;
            }
            let shares = &shares[groups.clone()];
            let sum: f64 = shares.iter().map(|&share| f64::from(share)).sum();
            drawn.clear();
            for (group, (owed, &share)) in owed.iter_mut().zip(shares).enumerate() {
                *owed += f64::from(share) / sum * count as f64;
                let whole = if share > 0.0 {
                    owed.floor().max(0.0)
                } else {
                    0.0
                };
                let whole = (whole as usize).min(count - drawn.len());
                *owed -= whole as f64;
                drawn.extend(repeat_n(group as u16, whole));
            }
            while drawn.len() < count {
                let group = most_owed(&owed, shares);
                owed[group] -= 1.0;
                drawn.push(group as u16);
            }
            shuffle(&mut drawn, rng);
            // The groups first: the other way round, a place would be taken for no group.
            for (&group, place) in drawn.iter().zip(places.by_ref()) {
                *place = group;
            }
        }
    }
}

/// The group that is owed most among those that the component can give.
fn most_owed(owed: &[f64], shares: &[f32]) -> usize {
    let able = owed
        .iter()
        .enumerate()
        .filter(|&(group, _)| shares[group] > 0.0);
    // OK because the shares of a column are not all 0.
    able.max_by(|a, b| a.1.total_cmp(b.1)).expect("a share").0
}

/// Splits `rows` in proportion to weights, given by their running sums: each to within a row.
fn systematic(cumulative: &[f32], rows: usize, rng: &mut PublicRng) -> Vec<usize> {
    let total = f64::from(cumulative[cumulative.len() - 1]);
    let offset = rng.uniform();
    let mut before = 0;
    let mut counts: Vec<usize> = cumulative
        .iter()
        .map(|&sum| {
            let until = (f64::from(sum) / total * rows as f64 + offset) as usize;
            let count = until.clamp(before, rows) - before;
            before += count;
            count
        })
        .collect();
    // Only where rounding lost one.
    let heaviest = (0..counts.len())
        .max_by_key(|&place| counts[place])
        .unwrap_or(0);
    counts[heaviest] += rows - before;
    counts
}

/// Puts values into a random order.
fn shuffle(values: &mut [u16], rng: &mut PublicRng) {
    for place in (1..values.len()).rev() {
        values.swap(place, below(rng, place + 1));
    }
}

/// Puts rows of `columns` codes into a random order.
pub(crate) fn shuffle_rows(rows: &mut [u16], columns: usize, rng: &mut PublicRng) {
    for row in (1..rows.len() / columns).rev() {
        let other = below(rng, row + 1);
        if other < row {
            let (head, tail) = rows.split_at_mut(row * columns);
            head[other * columns..][..columns].swap_with_slice(&mut tail[..columns]);
        }
    }
}

/// A number below `bound`, all alike to within 2^-40.
pub(crate) fn below(rng: &mut PublicRng, bound: usize) -> usize {
    ((u128::from(rng.next_u64()) * bound as u128) >> 64) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROWS: usize = 3_000;
    const STARTS: [usize; 4] = [0, 2, 5, 8];

    /// Thirty components over columns of two, three and three groups.
    fn shares() -> Vec<f32> {
        let mut rng = PublicRng::from_seed(8);
        let mut shares: Vec<f32> = (0..240)
            .map(|_| (1.5 * rng.normal()).exp() as f32)
            .collect();
        for row in shares.chunks_exact_mut(8) {
            for column in STARTS.windows(2) {
                let sum: f32 = row[column[0]..column[1]].iter().sum();
                row[column[0]..column[1]]
                    .iter_mut()
                    .for_each(|share| *share /= sum);
            }
        }
        shares
    }

    fn drawn(sweeps: usize, classed_by: Option<usize>, seed: u64) -> Vec<u16> {
        let weights: Vec<f32> = (1..=30).map(|sum| sum as f32).collect();
        let shares = shares();
        let components = Components {
            weights: &weights,
            shares: &shares,
            starts: &STARTS,
            classed_by,
        };
        let mut rows = vec![0; ROWS * 3];
        components.draw(&mut PublicRng::from_seed(seed), sweeps, &mut rows);
        rows
    }

    /// Largest deviation of a count from what the mixture expects, over cells of the given columns.
    fn worst(rows: &[u16], columns: &[usize]) -> f64 {
        let shares = shares();
        let mut counts = vec![0.0f64; 27];
        let cell = |groups: &mut dyn Iterator<Item = usize>| groups.fold(0, |cell, g| cell * 3 + g);
        for row in rows.chunks_exact(3) {
            counts[cell(&mut columns.iter().map(|&c| usize::from(row[c])))] += 1.0;
        }
        for row in shares.chunks_exact(8) {
            for (groups, count) in counts.iter_mut().enumerate() {
                let digits = [groups / 9, groups / 3 % 3, groups % 3];
                let digits = &digits[3 - columns.len()..];
                let inside = columns
                    .iter()
                    .zip(digits)
                    .all(|(&c, &g)| STARTS[c] + g < STARTS[c + 1]);
                if inside && groups < 3usize.pow(columns.len() as u32) {
                    let share: f32 = columns
                        .iter()
                        .zip(digits)
                        .map(|(&c, &g)| row[STARTS[c] + g])
                        .product();
                    *count -= f64::from(share) * ROWS as f64 / 30.0;
                }
            }
        }
        counts.into_iter().map(f64::abs).fold(0.0, f64::max)
    }

    #[test]
    fn counts_are_nearer_to_the_expected_ones_than_independent_draws() {
        // Independent draws miss a cell of a few hundred rows by some fifteen, and the worst by more.
        for seed in 0..5 {
            for column in 0..3 {
                let worst = worst(&drawn(0, None, seed), &[column]);
                assert!(worst < 2.5, "{column}: {worst}");
            }
            let rows = drawn(5, None, seed);
            for pair in [[0, 1], [0, 2], [1, 2]] {
                assert!(worst(&rows, &pair) < 2.5, "{pair:?}");
            }
            let rows = drawn(5, Some(0), seed);
            assert!(worst(&rows, &[0, 1, 2]) < 4.0);
        }
        assert!(worst(&drawn(0, None, 1), &[1, 2]) > 4.0);
    }

    #[test]
    fn every_row_of_a_component_can_come_from_it() {
        let shares = [1.0, 0.0, 0.5, 0.5, 0.0, 1.0, 0.0, 1.0];
        let components = Components {
            weights: &[1.0, 4.0],
            shares: &shares,
            starts: &[0, 2, 4],
            classed_by: None,
        };
        let mut rows = vec![0; 2 * 101];
        components.draw(&mut PublicRng::from_seed(1), 3, &mut rows);
        let first = rows.chunks_exact(2).filter(|row| row[0] == 0).count();
        assert!((25..=26).contains(&first), "{first}");
        assert!(rows[2 * first..].iter().all(|&group| group == 1));
    }

    #[test]
    fn a_component_that_gives_no_row_leaves_the_others_as_they_are() {
        // The first component has lost all groups of the first column to a condition.
        let shares = [0.0, 0.0, 0.5, 0.5, 0.5, 0.5, 0.25, 0.75];
        let components = Components {
            weights: &[0.0, 1.0],
            shares: &shares,
            starts: &[0, 2, 4],
            classed_by: None,
        };
        let mut rows = vec![0; 2 * 1000];
        components.draw(&mut PublicRng::from_seed(1), 1, &mut rows);
        let ones = |column: usize| {
            let places = rows[column..].iter().step_by(2);
            places.filter(|&&group| group == 1).count()
        };
        assert!(ones(0).abs_diff(500) <= 2, "{}", ones(0));
        assert!(ones(1).abs_diff(750) <= 2, "{}", ones(1));
    }

    #[test]
    fn no_row_is_lost_to_rounding() {
        for rows in [0, 1, 7, 1000] {
            let counts = systematic(&[0.1, 0.1, 0.3, 7.0], rows, &mut PublicRng::from_seed(3));
            assert_eq!(counts.iter().sum::<usize>(), rows);
            assert_eq!(counts[1], 0);
        }
    }

    #[test]
    fn rows_stay_whole_in_their_new_order() {
        let mut rows: Vec<u16> = (0..90).flat_map(|row| [row, row + 100]).collect();
        shuffle_rows(&mut rows, 2, &mut PublicRng::from_seed(3));
        let mut firsts: Vec<u16> = rows.chunks_exact(2).map(|row| row[0]).collect();
        assert!(rows.chunks_exact(2).all(|row| row[1] == row[0] + 100));
        assert!(!firsts.is_sorted());
        firsts.sort_unstable();
        assert!(firsts.into_iter().eq(0..90));
    }
}
