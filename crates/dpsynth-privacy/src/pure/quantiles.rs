//! Quantiles of a column of numbers, chosen among public candidates.

use opendp::core::Measurement;
use opendp::domains::{AtomDomain, VectorDomain};
use opendp::error::Fallible;
use opendp::measurements::make_private_quantile;
use opendp::measures::MaxDivergence;
use opendp::metrics::SymmetricDistance;

use super::{Account, refused, scale_to_run, smallest_scale, within};
use crate::boundary::{Private, Released};
use crate::mechanism::Quantiles;
use crate::paid::{Authorized, MechanismError};
use crate::records::Cells;

impl Authorized<Quantiles> {
    /// Chooses, for each level, a candidate that has about that share of the cells below it.
    ///
    /// Returns one candidate per level, in the order of the levels. They need not be in order: each
    /// is chosen by itself.
    ///
    /// # Guarantee
    /// A unit adds or removes at most `max_rows` cells. OpenDP's account at that distance is at
    /// most `epsilon` for each level, checked before the data is read (Smith 2011; McKenna &
    /// Sheldon 2020, arXiv 2010.12603). The candidates are public and may not come from the data.
    ///
    /// # Errors
    /// If the candidates are not strictly increasing, units may have more rows than were paid for,
    /// or OpenDP accounts for more than that.
    pub fn choose(self, data: &Private<Cells<i64>>) -> Result<Released<Vec<i64>>, MechanismError> {
        let Quantiles {
            levels,
            candidates,
            epsilon,
        } = &self.mechanism;
        if candidates.is_empty() || candidates.windows(2).any(|pair| pair[0] >= pair[1]) {
            return Err(MechanismError::Candidates);
        }
        let mut quantiles = Vec::with_capacity(levels.len());
        for level in levels.iter().map(|level| level.value()) {
            let quantile = |scale| quantile(candidates, level, scale);
            let cost = |scale, rows| cost(&quantile(scale)?, rows);
            // A cell moves a score by at most max(level, 1 - level), and two scores apart by twice
            // that.
            let start = 2.0 * f64::from(self.max_rows()) * level.max(1.0 - level) / epsilon.value();
            let scale = smallest_scale(start, *epsilon, |scale| {
                cost(scale, self.max_rows()).map(|account| account.epsilon)
            })?;
            let rows = self.max_rows();
            let (added, replaced) = (cost(scale, rows), cost(scale, 2 * rows));
            within(*epsilon, 0.0, added, replaced)?;
            quantiles.push(quantile(scale_to_run(scale, self.taint)).map_err(refused)?);
        }
        // Private: the cells are in hand until a candidate is chosen.
        let cells = data.expose();
        self.admits_rows(cells.rows_of_unit())?;
        let values = cells.values().to_vec();
        let chosen: Fallible<Vec<i64>> = quantiles.iter().map(|it| it.invoke(&values)).collect();
        chosen.map(Released::by_mechanism).map_err(refused)
    }
}

type Quantile = Measurement<VectorDomain<AtomDomain<i64>>, SymmetricDistance, MaxDivergence, i64>;

fn quantile(candidates: &[i64], level: f64, scale: f64) -> Fallible<Quantile> {
    make_private_quantile(
        VectorDomain::default(),
        SymmetricDistance,
        MaxDivergence,
        candidates.to_vec(),
        level,
        scale,
    )
}

fn cost(quantile: &Quantile, rows: u32) -> Fallible<Account> {
    let epsilon = quantile.map(&rows)?;
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
    use crate::numbers::{Epsilon, QuantileLevel};
    use crate::paid::Taint;
    use crate::unit::PrivacyUnit;

    fn chosen(
        (levels, candidates): (Vec<f64>, Vec<i64>),
        epsilon: f64,
        values: Vec<i64>,
        taint: Taint,
    ) -> Result<Vec<i64>, MechanismError> {
        let mechanism = Mechanism::Quantiles(Quantiles {
            levels: levels
                .into_iter()
                .map(|it| QuantileLevel::new(it).unwrap())
                .collect(),
            candidates,
            epsilon: Epsilon::new(epsilon).unwrap(),
        });
        let mut paid = insecure::paid(PrivacyUnit::Row, vec![mechanism], taint, 1);
        let data = Private::load(&paid, values, |values| Ok::<_, ()>(Cells::rows(values)));
        let authorized = paid.authorize::<Quantiles>().unwrap();
        authorized.choose(&data.unwrap()).map(|it| (*it).clone())
    }

    #[test]
    fn quantiles_are_near_the_exact_ones_and_without_noise_are_them() {
        let grid: Vec<i64> = (0..=100).map(|i| i * 10).collect();
        let levels = vec![0.05, 0.5, 0.95];
        let values: Vec<i64> = (0..1000).collect();
        let exact = chosen(
            (levels.clone(), grid.clone()),
            1.0,
            values.clone(),
            Taint::NoNoise,
        );
        assert_eq!(exact.unwrap(), [50, 500, 950]);
        let noisy = chosen((levels, grid), 1.0, values, Taint::FixedSeed).unwrap();
        // A candidate whose score is worse by g is chosen with probability at most e^(-g/scale): a
        // hundred ranks away, that is e^-50.
        for (noisy, exact) in noisy.into_iter().zip([50, 500, 950]) {
            assert!((noisy - exact).abs() <= 100, "{noisy} {exact}");
        }
    }

    #[test]
    fn choices_have_the_probabilities_of_permute_and_flip() {
        // Two candidates and one cell: for the median, both scores are |below - above|/2: 1/2 for
        // the candidate above, and 0 for the one that equals the cell. With ε = 1 the scale is 1,
        // so the worse one is chosen with probability e^(-1/2)/2 = 0.303. In 1,500 runs that is 455
        // ± 18; Chernoff as elsewhere.
        const RUNS: usize = 1500;
        let expected = |epsilon: f64| RUNS as f64 * (-epsilon / 2.0).exp() / 2.0;
        let allowed = |expected: f64| 6.5 * expected.sqrt() + 21.0;
        let worse = |epsilon: f64| {
            let run = || chosen((vec![0.5], vec![0, 1]), epsilon, vec![0], Taint::FixedSeed);
            (0..RUNS).filter(|_| run().unwrap() == [1]).count() as f64
        };
        let seen = worse(1.0);
        assert!(
            (seen - expected(1.0)).abs() < allowed(expected(1.0)),
            "{seen}"
        );
        // Negative control: three times the ε is told apart by the same test.
        let seen = worse(3.0);
        assert!(
            (seen - expected(1.0)).abs() > allowed(expected(1.0)),
            "{seen}"
        );
    }

    #[test]
    fn candidates_out_of_order_are_refused() {
        for candidates in [vec![], vec![1, 1], vec![2, 1]] {
            let refused = chosen((vec![0.5], candidates), 1.0, vec![0], Taint::FixedSeed);
            assert_eq!(refused, Err(MechanismError::Candidates));
        }
    }
}
