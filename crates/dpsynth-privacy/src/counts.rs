//! Noisy counts: the number of units, and marginals of the codes.

use crate::boundary::{Private, Released};
use crate::mechanism::{Marginals, UnitCount};
use crate::noise::RoundedGaussian;
use crate::paid::{Authorized, MechanismError, Taint};
use crate::random::{Purpose, SecretRng};
use crate::records::Records;

/// Largest number of cells of one marginal.
const MAX_CELLS: usize = 1 << 26;

impl Authorized<UnitCount> {
    /// Counts the privacy units and adds noise.
    ///
    /// # Guarantee
    /// Adding or removing a unit changes the count by 1, and the noise is a Gaussian of
    /// `noise_multiplier` rounded to the integers: a rounding of the Gaussian mechanism.
    ///
    /// # Errors
    /// If the records do not fit what was paid for, or the noise's scale is out of range.
    pub fn count(self, data: &Private<Records>) -> Result<Released<i64>, MechanismError> {
        // Private: the exact count is in hand until the noise is added.
        let records = data.expose();
        self.admits(records)?;
        let noise = noise(self.mechanism.noise_multiplier.value())?;
        let mut rng = self.key.stream(Purpose::CountNoise, 0, 0);
        let count = records.unit_count() as i64;
        Ok(Released::by_mechanism(noisy(
            count, &noise, &mut rng, self.taint,
        )))
    }
}

impl Authorized<Marginals> {
    /// Counts the rows of every cell of every column set and adds noise.
    ///
    /// Returns one vector per column set, in row-major order of its columns' codes. Counts may be
    /// negative.
    ///
    /// # Guarantee
    /// A unit changes the counts of one column set by at most its number of rows in L2, which the
    /// records cap; the noise is a Gaussian of `noise_multiplier` times that cap, rounded to the
    /// integers: for each set a rounding of the Gaussian mechanism of that noise multiplier.
    ///
    /// # Errors
    /// If a column does not exist, a marginal has too many cells, or the records do not fit what
    /// was paid for.
    pub fn measure(
        self,
        data: &Private<Records>,
    ) -> Result<Released<Vec<Vec<i64>>>, MechanismError> {
        // Private: exact counts are in hand until the noise is added.
        let records = data.expose();
        self.admits(records)?;
        // Up: a product that rounds down would be less noise than was paid for.
        let scale =
            (self.mechanism.noise_multiplier.value() * f64::from(self.max_rows())).next_up();
        let noise = noise(scale)?;
        let mut released = Vec::with_capacity(self.mechanism.column_sets.len());
        for (index, set) in self.mechanism.column_sets.iter().enumerate() {
            let mut rng = self.key.stream(Purpose::CountNoise, index as u32, 0);
            let mut counts = count_cells(records, set)?;
            if self.taint != Some(Taint::NoNoise) {
                noise.add_to(&mut counts, &mut rng);
            }
            released.push(counts);
        }
        Ok(Released::by_mechanism(released))
    }
}

fn noise(scale: f64) -> Result<RoundedGaussian, MechanismError> {
    RoundedGaussian::new(scale).ok_or(MechanismError::Scale)
}

fn noisy(count: i64, noise: &RoundedGaussian, rng: &mut SecretRng, taint: Option<Taint>) -> i64 {
    if taint == Some(Taint::NoNoise) {
        count
    } else {
        count.wrapping_add(noise.draw(rng))
    }
}

pub(crate) fn count_cells(records: &Records, set: &[u32]) -> Result<Vec<i64>, MechanismError> {
    count_cells_of(records.codes(), records.domain_sizes(), set)
}

/// Counts rows of `codes`, whose columns have `sizes` codes, by the cells of a column set.
pub(crate) fn count_cells_of(
    codes: &[u16],
    sizes: &[u32],
    set: &[u32],
) -> Result<Vec<i64>, MechanismError> {
    let mut cells = 1usize;
    for &column in set {
        let size = *sizes.get(column as usize).ok_or(MechanismError::Columns)? as usize;
        cells = cells
            .checked_mul(size)
            .filter(|&c| c <= MAX_CELLS)
            .ok_or(MechanismError::Columns)?;
    }
    if set.is_empty() {
        return Err(MechanismError::Columns);
    }
    let mut counts = vec![0i64; cells];
    for row in codes.chunks_exact(sizes.len()) {
        let cell = set.iter().fold(0usize, |cell, &column| {
            cell * sizes[column as usize] as usize + usize::from(row[column as usize])
        });
        counts[cell] += 1;
    }
    Ok(counts)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::insecure;
    use crate::mechanism::Mechanism;
    use crate::numbers::NoiseMultiplier;
    use crate::unit::PrivacyUnit;

    fn data(rows: usize) -> (Private<Records>, crate::paid::Paid) {
        data_with(rows, Taint::FixedSeed, 5)
    }

    fn data_with(rows: usize, taint: Taint, seed: u64) -> (Private<Records>, crate::paid::Paid) {
        let multiplier = NoiseMultiplier::new(3.0).unwrap();
        let mechanisms = vec![
            Mechanism::UnitCount(UnitCount {
                noise_multiplier: multiplier,
            }),
            Mechanism::Marginals(Marginals {
                column_sets: vec![vec![0], vec![1, 0]],
                noise_multiplier: multiplier,
            }),
        ];
        let paid = insecure::paid(PrivacyUnit::Row, mechanisms, taint, seed);
        let records = Private::load(&paid, rows, |rows| {
            Records::rows(
                vec![2, 3],
                (0..rows)
                    .flat_map(|i| [(i % 2) as u16, (i % 3) as u16])
                    .collect(),
            )
        });
        (records.unwrap(), paid)
    }

    #[test]
    fn without_noise_the_counts_are_exact() {
        let (data, mut paid) = data_with(12, Taint::NoNoise, 0);
        assert_eq!(
            *paid.authorize::<UnitCount>().unwrap().count(&data).unwrap(),
            12
        );
        let counts = paid
            .authorize::<Marginals>()
            .unwrap()
            .measure(&data)
            .unwrap();
        assert_eq!(*counts, vec![vec![6, 6], vec![2; 6]]);
    }

    #[test]
    fn the_noise_has_the_scale_that_was_paid_for() {
        // For 3,000 draws of variance 9 the sample variance lies within 15 % except with
        // probability below 1e-8 (chi-squared, Laurent & Massart 2000); ±10 % in scale is ±20 %
        // in variance and would be rejected.
        let mut squares = 0.0;
        for seed in 0..3000 {
            let (data, mut paid) = data_with(12, Taint::FixedSeed, seed);
            squares +=
                (*paid.authorize::<UnitCount>().unwrap().count(&data).unwrap() - 12).pow(2) as f64;
        }
        let variance = squares / 3000.0;
        // Rounding to integers adds 1/12.
        assert!(
            (variance / (9.0 + 1.0 / 12.0) - 1.0).abs() < 0.15,
            "{variance}"
        );
    }

    #[test]
    fn a_mechanism_runs_once() {
        let (_, mut paid) = data(12);
        assert!(paid.authorize::<UnitCount>().is_ok());
        assert_eq!(
            paid.authorize::<UnitCount>().err(),
            Some(MechanismError::NotPaid)
        );
        assert_eq!(
            paid.authorize::<crate::mechanism::DpSgd>().err(),
            Some(MechanismError::NotPaid)
        );
    }

    #[test]
    fn marginals_that_make_no_sense_are_refused() {
        let (data, _) = data(4);
        for set in [vec![], vec![2], vec![0; 27]] {
            assert_eq!(
                count_cells(data.expose(), &set).err(),
                Some(MechanismError::Columns)
            );
        }
    }
}
