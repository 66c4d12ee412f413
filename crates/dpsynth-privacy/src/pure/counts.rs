//! Counts of the cells of column sets, with discrete Laplace noise.

use opendp::domains::{AtomDomain, VectorDomain};
use opendp::error::Fallible;
use opendp::measurements::make_laplace;
use opendp::measures::MaxDivergence;
use opendp::metrics::L1Distance;

use super::{Account, refused, scale_to_run, smallest_scale, within};
use crate::boundary::{Private, Released};
use crate::counts::count_cells;
use crate::mechanism::LaplaceCounts;
use crate::paid::{Authorized, MechanismError};
use crate::records::Records;

impl Authorized<LaplaceCounts> {
    /// Counts the rows of every cell of every column set and adds discrete Laplace noise.
    ///
    /// Returns one vector per column set, in row-major order of its columns' codes. Counts may be
    /// negative.
    ///
    /// # Guarantee
    /// A unit changes the counts of one column set by at most its number of rows in L1, which the
    /// records cap. OpenDP's account at that distance is at most `epsilon` for each column set,
    /// checked before the data is read (Ghosh, Roughgarden & Sundararajan 2009).
    ///
    /// # Errors
    /// If a column does not exist, a set has too many cells, the records do not fit what was paid
    /// for, or OpenDP accounts for more than that.
    pub fn measure(
        self,
        data: &Private<Records>,
    ) -> Result<Released<Vec<Vec<i64>>>, MechanismError> {
        let epsilon = self.mechanism.epsilon;
        let rows = i64::from(self.max_rows());
        let scale = smallest_scale(rows as f64 / epsilon.value(), epsilon, |scale| {
            cost(scale, rows).map(|account| account.epsilon)
        })?;
        within(epsilon, 0.0, cost(scale, rows), cost(scale, 2 * rows))?;
        let laplace = laplace(scale_to_run(scale, self.taint)).map_err(refused)?;
        // Private: exact counts are in hand until the noise is added.
        let records = data.expose();
        self.admits(records)?;
        let mut released = Vec::with_capacity(self.mechanism.column_sets.len());
        for set in &self.mechanism.column_sets {
            let counts = count_cells(records, set)?;
            released.push(laplace.invoke(&counts).map_err(refused)?);
        }
        Ok(Released::by_mechanism(released))
    }
}

fn laplace(scale: f64) -> Fallible<Laplace> {
    make_laplace(VectorDomain::default(), L1Distance::default(), scale, None)
}

type Laplace = opendp::core::Measurement<
    VectorDomain<AtomDomain<i64>>,
    L1Distance<i64>,
    MaxDivergence,
    Vec<i64>,
>;

fn cost(scale: f64, rows: i64) -> Fallible<Account> {
    let epsilon = laplace(scale)?.map(&rows)?;
    Ok(Account {
        epsilon,
        delta: 0.0,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::insecure;
    use crate::mechanism::Mechanism;
    use crate::numbers::Epsilon;
    use crate::paid::Taint;
    use crate::unit::PrivacyUnit;

    fn unit(max_rows: u32) -> PrivacyUnit {
        PrivacyUnit::User {
            column: "patient".into(),
            max_rows,
        }
    }

    fn measured(max_rows: u32, cells: usize, taint: Taint) -> Vec<i64> {
        let mechanism = Mechanism::LaplaceCounts(LaplaceCounts {
            column_sets: vec![vec![0]],
            epsilon: Epsilon::new(0.5).unwrap(),
        });
        let mut paid = insecure::paid(unit(max_rows), vec![mechanism], taint, 1);
        let data = Private::load(&paid, cells, |cells| {
            // Every unit has one row.
            let starts = (0..=cells as u32).collect();
            Records::grouped(vec![cells as u32], (0..cells as u16).collect(), starts, 1)
        });
        let authorized = paid.authorize::<LaplaceCounts>().unwrap();
        authorized.measure(&data.unwrap()).unwrap()[0].clone()
    }

    #[test]
    fn without_noise_counts_are_exact() {
        assert_eq!(measured(1, 7, Taint::NoNoise), vec![1; 7]);
    }

    #[test]
    fn the_noise_has_the_scale_of_the_whole_unit() {
        const CELLS: usize = 4000;
        for max_rows in [1, 3] {
            let counts = measured(max_rows, CELLS, Taint::FixedSeed);
            // A discrete Laplace value is 0 with probability (1 - p)/(1 + p) for p = exp(-1/scale),
            // and at most k in magnitude with probability 1 - 2·p^(k+1)/(1 + p).
            let distance = |scale: f64| {
                let p = (-1.0 / scale).exp();
                (0..40)
                    .map(|k| {
                        let within = |count: &&i64| (**count - 1).abs() <= k;
                        let seen = counts.iter().filter(within).count() as f64 / CELLS as f64;
                        (seen - (1.0 - 2.0 * p.powi(k as i32 + 1) / (1.0 + p))).abs()
                    })
                    .fold(0.0, f64::max)
            };
            // 2·exp(-2nt²) = 1e-9 (Massart 1990). OpenDP cannot be seeded: one run in 10^9 fails.
            let limit = ((2.0f64 / 1e-9).ln() / (2.0 * CELLS as f64)).sqrt();
            let scale = f64::from(max_rows) / 0.5;
            assert!(distance(scale) < limit);
            // Negative controls: the scale of a row where a unit is meant, and half as much again.
            assert!(distance(scale / 1.5) > limit);
            assert!(distance(scale * 1.5) > limit);
        }
    }

    #[test]
    fn units_with_more_rows_than_were_paid_for_are_refused() {
        let mechanism = Mechanism::LaplaceCounts(LaplaceCounts {
            column_sets: vec![vec![0]],
            epsilon: Epsilon::new(1.0).unwrap(),
        });
        let mut paid = insecure::paid(unit(2), vec![mechanism], Taint::FixedSeed, 1);
        let data = Private::load(&paid, (), |()| {
            Records::grouped(vec![2], vec![0, 1, 0], vec![0, 3], 3)
        });
        let authorized = paid.authorize::<LaplaceCounts>().unwrap();
        let refused = authorized.measure(&data.unwrap());
        assert_eq!(refused, Err(MechanismError::CapExceeded));
    }

    #[test]
    fn rows_whose_owners_nobody_looked_at_are_refused_where_units_have_several() {
        let mechanism = Mechanism::LaplaceCounts(LaplaceCounts {
            column_sets: vec![vec![0]],
            epsilon: Epsilon::new(1.0).unwrap(),
        });
        for (unit, admitted) in [(PrivacyUnit::Row, true), (unit(1), false), (unit(5), false)] {
            let mut paid = insecure::paid(unit, vec![mechanism.clone()], Taint::NoNoise, 1);
            let data = Private::load(&paid, (), |()| Records::rows(vec![2], vec![0; 40]));
            let authorized = paid.authorize::<LaplaceCounts>().unwrap();
            let measured = authorized
                .measure(&data.unwrap())
                .map(|counts| counts[0][0]);
            let expected = if admitted {
                Ok(40)
            } else {
                Err(MechanismError::CapExceeded)
            };
            assert_eq!(measured, expected);
        }
    }
}
