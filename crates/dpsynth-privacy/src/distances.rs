//! Noisy distances between the records and rows that are public.

use crate::boundary::{Private, Released};
use crate::chosen::merged_codes;
use crate::counts::count_cells_of;
use crate::mechanism::Distances;
use crate::noise::RoundedGaussian;
use crate::paid::{Authorized, MechanismError, Taint};
use crate::random::Purpose;
use crate::records::Records;

/// Public rows to compare records with.
#[derive(Clone, Copy, Debug)]
pub struct PublicRows<'a> {
    /// Code `c` of column `j` of the records counts as `merged[j][c]`.
    pub merged: &'a [Vec<u16>],
    /// Merged codes of the public rows, row after row.
    pub codes: &'a [u16],
    /// How many records there are, by a public or released figure: the counts of the public rows are
    /// scaled to it.
    pub records: u64,
}

impl Authorized<Distances> {
    /// Sums, for every group of column sets, the differences between the counts of the records and
    /// the scaled counts of public rows over all cells, without their signs, and adds noise.
    ///
    /// Returns one sum for each group, in rows; it may be negative.
    ///
    /// # Guarantee
    /// A row that is added or removed moves one cell of each column set by 1, so a unit moves the sum
    /// of a group by at most its rows times the group's column sets. The noise is a Gaussian of
    /// `noise_multiplier` times that, rounded to the integers: for each group a rounding of the
    /// Gaussian mechanism of that noise multiplier. The test
    /// `one_unit_moves_a_sum_by_its_rows_in_every_set` checks the bound, and that it is reached.
    ///
    /// # Errors
    /// If a column does not exist, a marginal has too many cells, the public rows do not have the
    /// records' columns, or the records do not fit what was paid for; nothing is counted then.
    pub fn measure(
        self,
        data: &Private<Records>,
        public: PublicRows<'_>,
    ) -> Result<Released<Vec<i64>>, MechanismError> {
        // Private: exact sums are in hand until the noise is added.
        let records = data.expose();
        self.admits(records)?;
        let (codes, sizes) = merged_codes(records, public.merged)?;
        check(public.codes, &sizes)?;
        let mut released = Vec::with_capacity(self.mechanism.groups.len());
        for (index, group) in (0u32..).zip(&self.mechanism.groups) {
            // Up: a product that rounds down would be less noise than was paid for.
            let moved = group.len() as f64 * f64::from(self.max_rows());
            let scale = (self.mechanism.noise_multiplier.value() * moved).next_up();
            let noise = RoundedGaussian::new(scale).ok_or(MechanismError::Scale)?;
            let mut sum = [0i64];
            for set in group {
                let reference = scaled(count_cells_of(public.codes, &sizes, set)?, public.records);
                let counts = count_cells_of(&codes, &sizes, set)?;
                sum[0] = sum[0].saturating_add(distance(&counts, &reference));
            }
            if self.taint != Some(Taint::NoNoise) {
                let mut rng = self.key.stream(Purpose::CountNoise, index, 0);
                noise.add_to(&mut sum, &mut rng);
            }
            released.push(sum[0]);
        }
        Ok(Released::by_mechanism(released))
    }
}

fn check(codes: &[u16], sizes: &[u32]) -> Result<(), MechanismError> {
    let whole = codes.len().is_multiple_of(sizes.len());
    let within = codes
        .chunks_exact(sizes.len())
        .all(|row| (row.iter().zip(sizes)).all(|(&code, &size)| u32::from(code) < size));
    if whole && within && !codes.is_empty() {
        Ok(())
    } else {
        Err(MechanismError::Columns)
    }
}

/// Scales counts of public rows so that they add up to about `records`. A public function.
fn scaled(counts: Vec<i64>, records: u64) -> Vec<i64> {
    let rows: i128 = counts.iter().map(|&count| i128::from(count)).sum();
    let scale = |count: i64| (i128::from(count) * i128::from(records) + rows / 2) / rows.max(1);
    counts
        .into_iter()
        // OK because no count exceeds the sum, and the figure of a ledger's data set is below 2⁶³.
        .map(|count| i64::try_from(scale(count)).unwrap_or(i64::MAX))
        .collect()
}

/// The sum of the differences without their signs, which saturates: more than that no table holds.
fn distance(counts: &[i64], reference: &[i64]) -> i64 {
    (counts.iter().zip(reference)).fold(0i64, |sum, (count, reference)| {
        sum.saturating_add((count - reference).saturating_abs())
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::insecure;
    use crate::mechanism::Mechanism;
    use crate::numbers::NoiseMultiplier;
    use crate::paid::Paid;
    use crate::unit::PrivacyUnit;

    fn charged(taint: Taint, seed: u64, unit: PrivacyUnit) -> Paid {
        let mechanism = Mechanism::Distances(Distances {
            groups: vec![vec![vec![0], vec![1]], vec![vec![1, 0]]],
            noise_multiplier: NoiseMultiplier::new(3.0).unwrap(),
        });
        insecure::paid(unit, vec![mechanism], taint, seed)
    }

    fn measured(mut paid: Paid, codes: Vec<u16>, public: PublicRows<'_>) -> Vec<i64> {
        let data = Private::load(&paid, codes, |codes| {
            // Every unit has one row.
            let starts = (0..=codes.len() as u32 / 2).collect();
            Records::grouped(vec![2, 4], codes, starts, 1)
        })
        .unwrap();
        let authorized = paid.authorize::<Distances>().unwrap();
        authorized.measure(&data, public).unwrap().to_vec()
    }

    fn each() -> Vec<Vec<u16>> {
        vec![vec![0, 1], vec![0, 1, 2, 2]]
    }

    #[test]
    fn without_noise_the_sums_are_those_of_scaled_counts() {
        let paid = charged(Taint::NoNoise, 0, PrivacyUnit::Row);
        let merged = each();
        // Two public rows stand for four records each time: (0, 0) and (1, 2).
        let public = PublicRows {
            merged: &merged,
            codes: &[0, 0, 1, 2],
            records: 4,
        };
        let records = vec![0, 0, 0, 1, 1, 2, 1, 3];
        // Column 0 agrees; of column 1 one row is at 1 instead of 0; of the pair likewise.
        assert_eq!(measured(paid, records, public), [2, 2]);
    }

    #[test]
    fn rows_of_other_columns_are_refused() {
        let merged = each();
        for (codes, merged) in [
            (vec![0u16, 0, 1], merged.clone()),
            (vec![0, 3], merged.clone()),
            (vec![], merged.clone()),
            (vec![0, 0], vec![vec![0, 1]]),
        ] {
            let mut paid = charged(Taint::NoNoise, 0, PrivacyUnit::Row);
            let data =
                Private::load(&paid, (), |()| Records::rows(vec![2, 4], vec![0, 0])).unwrap();
            let public = PublicRows {
                merged: &merged,
                codes: &codes,
                records: 1,
            };
            let refused = paid
                .authorize::<Distances>()
                .unwrap()
                .measure(&data, public);
            assert_eq!(refused.err(), Some(MechanismError::Columns));
        }
    }

    #[test]
    fn the_noise_has_the_scale_that_was_paid_for() {
        // For 2,000 draws the sample variance lies within 20 % of the true one except with
        // probability below 1e-8 (chi-squared, Laurent & Massart 2000); ±10 % in scale is ±21 % in
        // variance and would be rejected.
        let merged = each();
        let public = PublicRows {
            merged: &merged,
            codes: &[0, 0],
            records: 1,
        };
        let mut squares = [0.0; 2];
        for seed in 0..2000 {
            let paid = charged(Taint::FixedSeed, seed, PrivacyUnit::Row);
            let sums = measured(paid, vec![0, 0], public);
            for (square, sum) in squares.iter_mut().zip(sums) {
                *square += (sum as f64).powi(2) / 2000.0;
            }
        }
        // Two sets in the first group: twice the noise of the second.
        for (square, scale) in squares.into_iter().zip([6.0f64, 3.0]) {
            let ratio = square / (scale.powi(2) + 1.0 / 12.0);
            assert!((ratio - 1.0).abs() < 0.2, "{ratio}");
        }
    }

    proptest! {
        #[test]
        fn one_unit_moves_a_sum_by_its_rows_in_every_set(
            records in proptest::collection::vec((0u16..2, 0u16..4), 1..20),
            added in proptest::collection::vec((0u16..2, 0u16..4), 1..4),
            public in proptest::collection::vec((0u16..2, 0u16..3), 1..20),
            total in 0u64..100,
        ) {
            let flat = |rows: &[(u16, u16)]| -> Vec<u16> {
                rows.iter().flat_map(|row| [row.0, row.1]).collect()
            };
            let merged = each();
            let codes = flat(&public);
            let public = PublicRows { merged: &merged, codes: &codes, records: total };
            let unit = PrivacyUnit::User { column: "id".to_owned(), max_rows: 3 };
            let sums = |rows: &[(u16, u16)]| {
                measured(charged(Taint::NoNoise, 0, unit.clone()), flat(rows), public)
            };
            let (without, with) = (sums(&records), sums(&[records.clone(), added.clone()].concat()));
            let rows = added.len() as i64;
            prop_assert!((with[0] - without[0]).abs() <= 2 * rows);
            prop_assert!((with[1] - without[1]).abs() <= rows);
        }
    }

    #[test]
    fn the_bound_is_reached() {
        let merged = each();
        let public = PublicRows {
            merged: &merged,
            codes: &[0, 0],
            records: 0,
        };
        let sums =
            |rows: Vec<u16>| measured(charged(Taint::NoNoise, 0, PrivacyUnit::Row), rows, public);
        assert_eq!(sums(vec![0, 0]), [2, 1]);
        assert_eq!(sums(vec![0, 0, 1, 2]), [4, 2]);
    }
}
