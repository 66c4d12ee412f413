//! Distances between the shares of two tables, and association within one.

use crate::codes::Codes;

/// Total variation distance between the joint shares of some columns, from 0 to 1.
pub(crate) fn total_variation(a: &Codes, b: &Codes, columns: &[usize], sizes: &[usize]) -> f64 {
    let (of_a, of_b) = (keys(a, columns, sizes), keys(b, columns, sizes));
    let (weight_a, weight_b) = (1.0 / a.rows as f64, 1.0 / b.rows as f64);
    let cells: usize = columns.iter().map(|&column| sizes[column]).product();
    let apart: f64 = if cells <= MOST_DENSE_CELLS {
        let mut counts = vec![(0u32, 0u32); cells];
        of_a.iter().for_each(|&key| counts[key as usize].0 += 1);
        of_b.iter().for_each(|&key| counts[key as usize].1 += 1);
        counts
            .into_iter()
            .map(|(a, b)| (f64::from(a) * weight_a - f64::from(b) * weight_b).abs())
            .sum()
    } else {
        sparse(of_a, of_b, weight_a, weight_b)
    };
    0.5 * apart
}

/// The same sum over the cells that occur, where there are too many cells to list.
fn sparse(a: Vec<u64>, b: Vec<u64>, weight_a: f64, weight_b: f64) -> f64 {
    let mut signed: Vec<(u64, f64)> = a
        .into_iter()
        .map(|key| (key, weight_a))
        .chain(b.into_iter().map(|key| (key, -weight_b)))
        .collect();
    signed.sort_by_key(|&(key, _)| key);
    signed
        .chunk_by(|one, other| one.0 == other.0)
        .map(|cell| cell.iter().map(|(_, weight)| weight).sum::<f64>().abs())
        .sum()
}

/// Jensen-Shannon distance (the root of the divergence to base 2, Lin 1991) of one column.
pub(crate) fn jensen_shannon(a: &Codes, b: &Codes, column: usize, sizes: &[usize]) -> f64 {
    let (p, q) = (shares(a, column, sizes), shares(b, column, sizes));
    let divergence: f64 = p
        .iter()
        .zip(&q)
        .map(|(&p, &q)| {
            let middle = (p + q) / 2.0;
            let part = |share: f64| {
                if share > 0.0 {
                    share * (share / middle).log2()
                } else {
                    0.0
                }
            };
            part(p) + part(q)
        })
        .sum();
    (divergence / 2.0).max(0.0).sqrt()
}

/// Cramér's V of two columns, corrected for bias (Bergsma 2013), from 0 to 1.
pub(crate) fn association(table: &Codes, i: usize, j: usize, sizes: &[usize]) -> f64 {
    let width = sizes[j];
    let mut counts = vec![0.0; sizes[i] * width];
    for key in keys(table, &[i, j], sizes) {
        counts[key as usize] += 1.0;
    }
    let rows: Vec<f64> = counts.chunks(width).map(|row| row.iter().sum()).collect();
    let columns: Vec<f64> = (0..width)
        .map(|column| counts.iter().skip(column).step_by(width).sum())
        .collect();
    let used = |sums: &[f64]| sums.iter().filter(|&&sum| sum > 0.0).count() as f64;
    let (r, k, n) = (used(&rows), used(&columns), table.rows as f64);
    if r < 2.0 || k < 2.0 {
        return 0.0;
    }
    let mut chi_squared = 0.0;
    for (row, &row_sum) in rows.iter().enumerate().filter(|(_, sum)| **sum > 0.0) {
        for (column, &column_sum) in columns.iter().enumerate().filter(|(_, sum)| **sum > 0.0) {
            let expected = row_sum * column_sum / n;
            chi_squared += (counts[row * width + column] - expected).powi(2) / expected;
        }
    }
    let phi = (chi_squared / n - (k - 1.0) * (r - 1.0) / (n - 1.0)).max(0.0);
    let corrected = |levels: f64| levels - (levels - 1.0).powi(2) / (n - 1.0);
    let most = (corrected(k) - 1.0).min(corrected(r) - 1.0).max(1e-9);
    (phi / most).sqrt()
}

/// Shares of the codes of a column.
pub(crate) fn shares(table: &Codes, column: usize, sizes: &[usize]) -> Vec<f64> {
    joint_shares(table, &[column], sizes)
}

/// Shares of the joint cells of some columns, the last column counting fastest.
pub(crate) fn joint_shares(table: &Codes, columns: &[usize], sizes: &[usize]) -> Vec<f64> {
    let cells: usize = columns.iter().map(|&column| sizes[column]).product();
    let mut counts = vec![0u64; cells];
    for key in keys(table, columns, sizes) {
        counts[key as usize] += 1;
    }
    let rows = table.rows as f64;
    counts
        .into_iter()
        .map(|count| count as f64 / rows)
        .collect()
}

/// The joint cell of each row.
fn keys(table: &Codes, columns: &[usize], sizes: &[usize]) -> Vec<u64> {
    let mut keys = vec![0u64; table.rows];
    for &column in columns {
        let size = sizes[column] as u64;
        for (key, &code) in keys.iter_mut().zip(&table.columns[column]) {
            *key = *key * size + u64::from(code);
        }
    }
    keys
}

const MOST_DENSE_CELLS: usize = 1 << 20;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn codes(columns: Vec<Vec<u32>>) -> Codes {
        let rows = columns[0].len();
        Codes { columns, rows }
    }

    proptest! {
        #[test]
        fn few_cells_and_many_are_counted_alike(
            a in proptest::collection::vec(0u64..40, 1..60),
            b in proptest::collection::vec(0u64..40, 1..60),
        ) {
            let of = |keys: &[u64]| codes(vec![keys.iter().map(|&key| key as u32).collect()]);
            let dense = total_variation(&of(&a), &of(&b), &[0], &[40]);
            let (weight_a, weight_b) = (1.0 / a.len() as f64, 1.0 / b.len() as f64);
            let listed = 0.5 * sparse(a, b, weight_a, weight_b);
            prop_assert!((dense - listed).abs() < 1e-12);
            prop_assert!((0.0..=1.0 + 1e-12).contains(&dense));
        }

        #[test]
        fn more_columns_are_never_nearer(
            a in proptest::collection::vec((0u32..4, 0u32..3), 1..60),
            b in proptest::collection::vec((0u32..4, 0u32..3), 1..60),
        ) {
            let of = |rows: &[(u32, u32)]| {
                codes(vec![rows.iter().map(|row| row.0).collect(), rows.iter().map(|row| row.1).collect()])
            };
            let (a, b, sizes) = (of(&a), of(&b), [4, 3]);
            let single = total_variation(&a, &b, &[0], &sizes);
            prop_assert!(single <= total_variation(&a, &b, &[0, 1], &sizes) + 1e-12);
            prop_assert!(jensen_shannon(&a, &b, 0, &sizes) <= single.sqrt() + 1e-12);
        }
    }

    #[test]
    fn tables_that_share_nothing_are_at_distance_one() {
        let (a, b) = (codes(vec![vec![0, 1]]), codes(vec![vec![2, 3, 3]]));
        assert_eq!(total_variation(&a, &b, &[0], &[4]), 1.0);
        assert_eq!(jensen_shannon(&a, &b, 0, &[4]), 1.0);
        assert_eq!(total_variation(&a, &a, &[0], &[4]), 0.0);
    }

    #[test]
    fn a_copy_is_fully_associated_and_a_constant_not_at_all() {
        let table = codes(vec![
            (0..400).map(|row| row % 4).collect(),
            (0..400).map(|row| 3 - row % 4).collect(),
            vec![1; 400],
        ]);
        let sizes = [4, 4, 2];
        assert!((association(&table, 0, 1, &sizes) - 1.0).abs() < 0.01);
        assert_eq!(association(&table, 0, 2, &sizes), 0.0);
    }
}
