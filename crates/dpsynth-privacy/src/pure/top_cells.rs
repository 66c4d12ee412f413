//! The most frequent cells of a column set.

use opendp::core::Measurement;
use opendp::domains::{AtomDomain, VectorDomain};
use opendp::error::Fallible;
use opendp::measurements::make_noisy_top_k;
use opendp::measures::MaxDivergence;
use opendp::metrics::LInfDistance;

use super::{Account, refused, scale_to_run, smallest_scale, within};
use crate::boundary::{Private, Released};
use crate::counts::count_cells;
use crate::mechanism::TopCells;
use crate::paid::{Authorized, MechanismError};
use crate::records::Records;

impl Authorized<TopCells> {
    /// Chooses cells of the column set that many rows fall into.
    ///
    /// Returns the cells' places in row-major order of the columns' codes, in the order in which
    /// they were chosen. Which come first says little: each choice is noisy.
    ///
    /// # Guarantee
    /// A unit that is added or removed moves each count by at most `max_rows`, and all in one
    /// direction; one that is replaced moves them in both. OpenDP's accounts of the two are at most
    /// `epsilon` and twice that for all cells together, checked before the data is read (McKenna &
    /// Sheldon 2020, arXiv 2010.12603).
    ///
    /// # Errors
    /// If a column does not exist, the set has too many cells or fewer than are asked for, the
    /// records do not fit what was paid for, or OpenDP accounts for more than that.
    pub fn choose(self, data: &Private<Records>) -> Result<Released<Vec<usize>>, MechanismError> {
        let TopCells {
            columns,
            cells,
            epsilon,
        } = &self.mechanism;
        let rows = i64::from(self.max_rows());
        let cells = *cells as usize;
        if cells == 0 {
            return Err(MechanismError::Columns);
        }
        let start = rows as f64 * cells as f64 / epsilon.value();
        let scale = smallest_scale(start, *epsilon, |scale| {
            cost(cells, scale, rows, Counts::MoveTogether).map(|account| account.epsilon)
        })?;
        within(
            *epsilon,
            0.0,
            cost(cells, scale, rows, Counts::MoveTogether),
            cost(cells, scale, rows, Counts::MoveApart),
        )?;
        let choice = choice(cells, scale_to_run(scale, self.taint), Counts::MoveTogether)
            .map_err(refused)?;
        // Private: exact counts are in hand until cells are chosen.
        let records = data.expose();
        self.admits(records)?;
        let counts = count_cells(records, columns)?;
        if cells > counts.len() {
            return Err(MechanismError::Columns);
        }
        choice
            .invoke(&counts)
            .map(Released::by_mechanism)
            .map_err(refused)
    }
}

/// How the counts of neighbouring data sets differ.
#[derive(Clone, Copy)]
enum Counts {
    /// All up or all down: a unit is added or removed.
    MoveTogether,
    /// Some up and some down: a unit is replaced.
    MoveApart,
}

type Choice =
    Measurement<VectorDomain<AtomDomain<i64>>, LInfDistance<i64>, MaxDivergence, Vec<usize>>;

fn choice(cells: usize, scale: f64, counts: Counts) -> Fallible<Choice> {
    make_noisy_top_k(
        VectorDomain::default(),
        LInfDistance::new(matches!(counts, Counts::MoveTogether)),
        MaxDivergence,
        cells,
        scale,
        false,
    )
}

fn cost(cells: usize, scale: f64, rows: i64, counts: Counts) -> Fallible<Account> {
    let epsilon = choice(cells, scale, counts)?.map(&rows)?;
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

    fn chosen(
        cells: u32,
        epsilon: f64,
        counts: Vec<usize>,
        taint: Taint,
    ) -> Result<Vec<usize>, MechanismError> {
        let mechanism = Mechanism::TopCells(TopCells {
            columns: vec![0],
            cells,
            epsilon: Epsilon::new(epsilon).unwrap(),
        });
        let mut paid = insecure::paid(PrivacyUnit::Row, vec![mechanism], taint, 1);
        let data = Private::load(&paid, counts, |counts| {
            let repeat = |(code, &count): (usize, &usize)| vec![code as u16; count];
            let codes = counts.iter().enumerate().flat_map(repeat).collect();
            Records::rows(vec![counts.len() as u32], codes)
        });
        let authorized = paid.authorize::<TopCells>().unwrap();
        authorized.choose(&data.unwrap()).map(|it| (*it).clone())
    }

    #[test]
    fn the_most_frequent_cells_are_chosen() {
        let counts = vec![300, 0, 500, 10, 400];
        let exact = chosen(3, 1.0, counts.clone(), Taint::NoNoise).unwrap();
        assert_eq!(exact, [2, 4, 0]);
        // The nearest wrong choice is behind by 100 of a scale of 3: e^-33.
        let mut noisy = chosen(3, 1.0, counts, Taint::FixedSeed).unwrap();
        noisy.sort_unstable();
        assert_eq!(noisy, [0, 2, 4]);
    }

    #[test]
    fn choices_have_the_probabilities_of_permute_and_flip() {
        // One cell of two, behind by 1 at a scale of 1/ε: chosen with probability e^(-ε)/2, and the
        // counts of 1,500 runs by Chernoff outside of what is allowed with probability below 1e-9.
        const RUNS: usize = 1500;
        let expected = RUNS as f64 * (-1.0f64).exp() / 2.0;
        let allowed = 6.5 * expected.sqrt() + 21.0;
        let worse = |epsilon: f64| {
            let run = || chosen(1, epsilon, vec![1, 2], Taint::FixedSeed).unwrap();
            (0..RUNS).filter(|_| run() == [0]).count() as f64
        };
        let seen = worse(1.0);
        assert!((seen - expected).abs() < allowed, "{seen}");
        // Negative control: three times the ε, and a third of it.
        let seen = worse(3.0);
        assert!((seen - expected).abs() > allowed, "{seen}");
        let seen = worse(1.0 / 3.0);
        assert!((seen - expected).abs() > allowed, "{seen}");
    }

    #[test]
    fn more_cells_than_there_are_is_refused() {
        for cells in [0, 3] {
            let refused = chosen(cells, 1.0, vec![1, 2], Taint::FixedSeed);
            assert_eq!(refused, Err(MechanismError::Columns));
        }
    }
}
