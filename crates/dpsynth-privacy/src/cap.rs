//! The cap on the rows of a unit: enforced here, before any mechanism sees the records.

use crate::boundary::Private;
use crate::paid::{MechanismError, Paid};
use crate::random::SecretRng;
use crate::records::{Records, RecordsError};

/// Rows of codes with the unit that owns each, before the rows of a unit are capped.
///
/// No mechanism takes them: [`Paid::cap`] turns them into [`Records`]. Values of this type are made
/// by a loader inside [`Private::load`].
pub struct OwnedRows {
    domain_sizes: Vec<u32>,
    codes: Vec<u16>,
    owners: Vec<u32>,
}

impl OwnedRows {
    /// Takes rows of codes, row-major with one code per column, and the unit of each row: any
    /// number below the number of rows, equal for rows of the same unit and for no others.
    ///
    /// # Errors
    /// If the shape does not fit, or there are more rows than 32 bits count.
    pub fn new(
        domain_sizes: Vec<u32>,
        codes: Vec<u16>,
        owners: Vec<u32>,
    ) -> Result<Self, RecordsError> {
        let rows = u32::try_from(owners.len()).map_err(|_| RecordsError::TooMany)?;
        let fits = !domain_sizes.is_empty()
            && owners.len().checked_mul(domain_sizes.len()) == Some(codes.len())
            && owners.iter().all(|&owner| owner < rows);
        if !fits {
            return Err(RecordsError::Shape);
        }
        Ok(Self {
            domain_sizes,
            codes,
            owners,
        })
    }
}

impl Paid {
    /// Keeps, of every unit that has more rows than were paid for, as many as were paid for: every
    /// choice of that many of its rows is equally likely.
    ///
    /// # Guarantee
    /// Which rows of a unit are kept depends on that unit's rows and on secret random bits of their
    /// own stream, and not on the rows of others; so whatever the bits are, data sets that differ in
    /// one unit still do. The test `no_unit_keeps_more_rows_than_were_paid_for` checks the cap,
    /// `every_row_is_kept_equally_often` the choice, and
    /// `the_rows_of_others_do_not_move_the_choice` its law beside other units.
    ///
    /// # Errors
    /// If a code lies outside its domain, the cap exceeds a microbatch, or another process drew
    /// the key.
    pub fn cap(&mut self, rows: Private<OwnedRows>) -> Result<Private<Records>, MechanismError> {
        let (mut rng, max_rows) = self.row_choice()?;
        rows.try_map_inside(|rows| Ok(capped(rows, max_rows, &mut rng)?))
    }
}

/// Groups rows by their owners, at most `max_rows` of each.
fn capped(rows: OwnedRows, max_rows: u32, rng: &mut SecretRng) -> Result<Records, RecordsError> {
    let OwnedRows {
        domain_sizes,
        codes,
        owners,
    } = rows;
    let (mut by_owner, ends) = sorted_by_owner(&owners);
    drop(owners);
    let columns = domain_sizes.len();
    let mut kept = Vec::with_capacity(codes.len());
    let mut starts = vec![0u32];
    let mut start = 0;
    for end in ends {
        let owned = &mut by_owner[start..end as usize];
        start = end as usize;
        let taken = owned.len().min(max_rows as usize);
        if taken == 0 {
            continue;
        }
        if taken < owned.len() {
            choose(owned, taken, rng);
        }
        for &row in &owned[..taken] {
            kept.extend_from_slice(&codes[row as usize * columns..][..columns]);
        }
        // OK because there are at most as many rows as before, which 32 bits count.
        starts.push((kept.len() / columns) as u32);
    }
    Records::grouped(domain_sizes, kept, starts, max_rows)
}

/// Row numbers in the order of their owners, and where the rows of each owner end.
fn sorted_by_owner(owners: &[u32]) -> (Vec<u32>, Vec<u32>) {
    let units = owners.iter().max().map_or(0, |&last| last as usize + 1);
    let mut ends = vec![0u32; units];
    for &owner in owners {
        ends[owner as usize] += 1;
    }
    let mut sum = 0;
    for end in &mut ends {
        let start = sum;
        sum += *end;
        *end = start;
    }
    let mut rows = vec![0u32; owners.len()];
    for (row, &owner) in (0u32..).zip(owners) {
        let next = &mut ends[owner as usize];
        rows[*next as usize] = row;
        *next += 1;
    }
    (rows, ends)
}

/// Moves a uniform choice of `taken` rows to the front (Fisher & Yates, stopped early).
fn choose(rows: &mut [u32], taken: usize, rng: &mut SecretRng) {
    for place in 0..taken {
        // OK because there are fewer than 2^32 rows.
        let left = (rows.len() - place) as u32;
        rows.swap(place, place + rng.below(left) as usize);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::insecure;
    use crate::paid::Taint;
    use crate::random::{Purpose, SecretKey};
    use crate::records::RowsOfUnit;
    use crate::unit::PrivacyUnit;

    fn paid(max_rows: u32) -> Paid {
        let unit = PrivacyUnit::User {
            column: "patient".to_owned(),
            max_rows,
        };
        insecure::paid(unit, Vec::new(), Taint::FixedSeed, 3)
    }

    fn rng(seed: u64) -> SecretRng {
        SecretKey::fixed(seed).stream(Purpose::RowChoice, 0, 0)
    }

    /// Rows of one column whose code is the row's number.
    fn numbered(owners: &[u32]) -> OwnedRows {
        let codes = (0..owners.len() as u16).collect();
        OwnedRows::new(vec![owners.len() as u32], codes, owners.to_vec()).unwrap()
    }

    #[test]
    fn no_unit_keeps_more_rows_than_were_paid_for() {
        let owners = [2, 0, 2, 2, 5, 0, 2, 2, 5, 2];
        for max_rows in [1, 2, 3, 128] {
            let mut paid = paid(max_rows);
            let rows = Private::load(&paid, owners, |owners| {
                Ok::<_, RecordsError>(numbered(&owners))
            });
            let records = paid.cap(rows.unwrap()).unwrap();
            let records = records.expose();
            assert_eq!(records.rows_of_unit(), RowsOfUnit::AtMost(max_rows));
            assert_eq!(records.unit_count(), 3);
            for (unit, (owner, rows)) in [(0u32, 2), (2, 6), (5, 2)].into_iter().enumerate() {
                let range = records.unit_rows(unit);
                assert_eq!(range.len(), rows.min(max_rows as usize));
                let kept: std::collections::BTreeSet<u16> =
                    records.codes()[range.clone()].iter().copied().collect();
                assert_eq!(kept.len(), range.len(), "no row is taken twice");
                assert!(kept.iter().all(|&row| owners[usize::from(row)] == owner));
            }
        }
    }

    #[test]
    fn every_row_is_kept_equally_often() {
        // 40,000 choices of 2 of 5 rows: each row is kept in 16,000 ± 6.2·98 except with
        // probability below 1e-9; a choice that prefers the first rows is far outside.
        let mut kept = [0u32; 5];
        let mut first_two = 0;
        let mut rng = rng(11);
        for _ in 0..40_000 {
            let mut rows: Vec<u32> = (0..5).collect();
            choose(&mut rows, 2, &mut rng);
            rows[..2].iter().for_each(|&row| kept[row as usize] += 1);
            first_two += u32::from(rows[..2].iter().all(|&row| row < 2));
        }
        assert!(
            kept.iter().all(|&kept| kept.abs_diff(16_000) < 610),
            "{kept:?}"
        );
        // One of the ten pairs: 4,000 ± 6.2·60.
        assert!(first_two.abs_diff(4_000) < 375, "{first_two}");
    }

    #[test]
    fn the_rows_of_others_do_not_move_the_choice() {
        // The kept row of unit 1 has the same law with and without unit 0 before it: each of its
        // four rows in a quarter of 8,000 draws, 2,000 ± 6.2·39.
        for owners in [&[1, 1, 1, 1][..], &[0, 1, 0, 1, 1, 0, 1]] {
            let mine: Vec<u16> = (0..owners.len() as u16)
                .filter(|&row| owners[usize::from(row)] == 1)
                .collect();
            let mut kept = vec![0u32; owners.len()];
            let mut rng = rng(12);
            for _ in 0..8_000 {
                let records = capped(numbered(owners), 1, &mut rng).unwrap();
                let row = *records.codes().last().unwrap();
                kept[usize::from(row)] += 1;
            }
            for row in mine {
                let kept = kept[usize::from(row)];
                assert!(kept.abs_diff(2_000) < 242, "{kept} of {owners:?}");
            }
        }
    }

    #[test]
    fn one_row_moves_counts_by_at_most_what_its_event_says() {
        // Every choice that a unit with one row more can keep becomes, by putting any row that was
        // left out in the place of that row, a choice of the unit without it: all are reached, each
        // equally often, and the kept rows differ in one at most.
        for (rows, max_rows) in [(2usize, 3usize), (3, 3), (4, 3), (6, 3), (5, 1), (2, 1)] {
            let without: Vec<u32> = (0..rows as u32 - 1).collect();
            let extra = rows as u32 - 1;
            let mut reached = std::collections::BTreeMap::new();
            let mut ways = 0u32;
            for kept in subsets(rows as u32, max_rows.min(rows)) {
                let left: Vec<u32> = (without.iter().copied())
                    .filter(|row| !kept.contains(row))
                    .collect();
                let replacements: Vec<Vec<u32>> = match kept.contains(&extra) {
                    false => vec![kept.clone()],
                    true => {
                        let rest: Vec<u32> = kept.iter().copied().filter(|&r| r != extra).collect();
                        match rest.len() == max_rows.min(without.len()) {
                            true => vec![rest],
                            false => left
                                .iter()
                                .map(|&row| [&rest[..], &[row]].concat())
                                .collect(),
                        }
                    }
                };
                let weight = 60 / replacements.len() as u32;
                for mut other in replacements {
                    let gone = kept.iter().filter(|row| !other.contains(row)).count();
                    let come = other.iter().filter(|row| !kept.contains(row)).count();
                    assert!(gone <= 1 && come <= 1);
                    other.sort_unstable();
                    *reached.entry(other).or_insert(0) += weight;
                    ways += weight;
                }
            }
            let all = subsets(rows as u32 - 1, max_rows.min(rows - 1));
            assert_eq!(reached.len(), all.len());
            assert!(reached.values().all(|&w| w * all.len() as u32 == ways));
        }
    }

    /// All sets of `size` of the numbers below `of`.
    fn subsets(of: u32, size: usize) -> Vec<Vec<u32>> {
        (0u32..1 << of)
            .filter(|set| set.count_ones() as usize == size)
            .map(|set| (0..of).filter(|row| set >> row & 1 == 1).collect())
            .collect()
    }

    #[test]
    fn rows_that_are_no_table_are_refused() {
        let owned = |owners: Vec<u32>| OwnedRows::new(vec![3, 3], vec![0; 4], owners).err();
        assert_eq!(owned(vec![0, 1]), None);
        for owners in [vec![0], vec![0, 2], vec![0, 1, 1]] {
            assert_eq!(owned(owners), Some(RecordsError::Shape));
        }
        let outside = OwnedRows::new(vec![3], vec![3], vec![0]).unwrap();
        assert_eq!(
            capped(outside, 1, &mut rng(1)).err(),
            Some(RecordsError::OutOfDomain)
        );
        let many = OwnedRows::new(vec![3], vec![1], vec![0]).unwrap();
        assert_eq!(
            capped(many, 129, &mut rng(1)).err(),
            Some(RecordsError::Cap),
            "a unit never exceeds a microbatch"
        );
    }
}
