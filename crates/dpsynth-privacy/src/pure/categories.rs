//! The categories of a column that nobody has listed, by noisy counts above a threshold.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use opendp::core::Measurement;
use opendp::domains::{AtomDomain, MapDomain};
use opendp::error::Fallible;
use opendp::measurements::make_laplace_threshold;
use opendp::measures::{Approximate, MaxDivergence};
use opendp::metrics::{AbsoluteDistance, L0PInfDistance, L01InfDistance};

use super::{Account, refused, smallest_scale, within};
use crate::boundary::{Private, Released};
use crate::mechanism::OpenCategories;
use crate::paid::{Authorized, MechanismError, Taint};
use crate::records::Cells;

impl Authorized<OpenCategories> {
    /// Counts the cells of each category that occurs, adds discrete Laplace noise, and leaves out
    /// the categories whose noisy count is below the threshold.
    ///
    /// Returns noisy counts by category. A category that is not in the result may still occur.
    ///
    /// # Guarantee
    /// A unit changes the counts of at most `max_rows` categories, by at most `max_rows` together.
    /// OpenDP's account at that distance is at most (`epsilon`, `delta`), checked before the data
    /// is read (Korolova, Kenthapadi, Mishra & Ntoulas 2009; Rogers 2023, arXiv 2309.09170). The
    /// order of the result is that of the categories, not of the data.
    ///
    /// # Errors
    /// If units may have more rows than were paid for, or OpenDP accounts for more than that.
    pub fn discover(
        self,
        data: &Private<Cells<Arc<str>>>,
    ) -> Result<Released<BTreeMap<String, i64>>, MechanismError> {
        let (epsilon, delta) = (self.mechanism.epsilon, self.mechanism.delta.value());
        let rows = i64::from(self.max_rows());
        // A threshold far up, where δ is next to nothing, while the scale is found.
        let scale = smallest_scale(rows as f64 / epsilon.value(), epsilon, |scale| {
            cost(scale, HIGHEST, rows, 1).map(|account| account.epsilon)
        })?;
        let threshold = lowest_threshold(scale, rows, delta)?;
        within(
            epsilon,
            delta,
            cost(scale, threshold, rows, 1),
            cost(scale, threshold, rows, 2),
        )?;
        // Private: exact counts of private categories are in hand until the end.
        let cells = data.expose();
        self.admits_rows(cells.rows_of_unit())?;
        let mut counts: HashMap<String, i64> = HashMap::new();
        for cell in cells.values() {
            match counts.get_mut(&**cell) {
                Some(count) => *count += 1,
                None => {
                    counts.insert(cell.as_ref().to_owned(), 1);
                }
            }
        }
        let noisy = if self.taint == Some(Taint::NoNoise) {
            counts
        } else {
            let histogram = histogram(scale, threshold).map_err(refused)?;
            histogram.invoke(&counts).map_err(refused)?
        };
        Ok(Released::by_mechanism(noisy.into_iter().collect()))
    }
}

type Histogram = Measurement<
    MapDomain<AtomDomain<String>, AtomDomain<i64>>,
    L01InfDistance<AbsoluteDistance<i64>>,
    Approximate<MaxDivergence>,
    HashMap<String, i64>,
>;

fn histogram(scale: f64, threshold: i64) -> Fallible<Histogram> {
    make_laplace_threshold(
        MapDomain::new(AtomDomain::default(), AtomDomain::default()),
        L0PInfDistance(AbsoluteDistance::default()),
        scale,
        threshold,
        None,
    )
}

/// What `units` of at most `rows` rows cost: 1 that is added or removed, or 2 where one takes the
/// place of the other, each with categories of its own.
fn cost(scale: f64, threshold: i64, rows: i64, units: u32) -> Fallible<Account> {
    // OK because rows come from a `u32` that is at most a microbatch.
    let (categories, together) = (rows as u32 * units, rows * i64::from(units));
    // One category can change by the rows of one unit only: the two changes have opposite signs.
    let (epsilon, delta) = histogram(scale, threshold)?.map(&(categories, together, rows))?;
    Ok(Account { epsilon, delta })
}

/// The lowest threshold whose δ by OpenDP's account is at most `delta`.
fn lowest_threshold(scale: f64, rows: i64, delta: f64) -> Result<i64, MechanismError> {
    let holds = |threshold: i64| -> Result<bool, MechanismError> {
        let account = cost(scale, threshold, rows, 1).map_err(refused)?;
        Ok(account.delta <= delta)
    };
    // OpenDP refuses thresholds below what one unit can reach, hence the start.
    let (mut below, mut at) = (rows, rows + 1);
    while !holds(at)? {
        below = at;
        at *= 2;
        if at > HIGHEST {
            return Err(MechanismError::OpenDp);
        }
    }
    while at - below > 1 {
        let middle = below + (at - below) / 2;
        if holds(middle)? {
            at = middle;
        } else {
            below = middle;
        }
    }
    Ok(at)
}

/// The highest threshold that is looked at: 2^48, more than any table has rows.
const HIGHEST: i64 = 1 << 48;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::insecure;
    use crate::mechanism::Mechanism;
    use crate::numbers::{Delta, Epsilon};
    use crate::unit::PrivacyUnit;

    fn discovered(
        delta: f64,
        cells: Vec<(&'static str, usize)>,
        taint: Taint,
    ) -> BTreeMap<String, i64> {
        let mechanism = Mechanism::OpenCategories(OpenCategories {
            epsilon: Epsilon::new(1.0).unwrap(),
            delta: Delta::new(delta).unwrap(),
        });
        let mut paid = insecure::paid(PrivacyUnit::Row, vec![mechanism], taint, 1);
        let data = Private::load(&paid, cells, |cells| {
            let repeat = |(name, count): (&str, usize)| vec![Arc::<str>::from(name); count];
            Ok::<_, ()>(Cells::rows(cells.into_iter().flat_map(repeat).collect()))
        });
        let authorized = paid.authorize::<OpenCategories>().unwrap();
        (*authorized.discover(&data.unwrap()).unwrap()).clone()
    }

    #[test]
    fn frequent_categories_show_and_those_of_one_person_do_not() {
        let cells = vec![("flu", 500), ("cold", 400), ("a very rare disease", 1)];
        let exact = discovered(1e-9, cells.clone(), Taint::NoNoise);
        assert_eq!(exact["a very rare disease"], 1);
        // At δ = 1e-9 the rare one shows in one run of 10^9; noise of scale 1 moves a count by more
        // than 30 in one of 10^13.
        let noisy = discovered(1e-9, cells, Taint::FixedSeed);
        assert_eq!(noisy.keys().collect::<Vec<_>>(), ["cold", "flu"]);
        assert!((noisy["flu"] - 500).abs() < 30 && (noisy["cold"] - 400).abs() < 30);
    }

    #[test]
    fn a_category_of_one_unit_shows_as_often_as_delta_allows() {
        // 2,000 categories of one cell each, δ = 0.02: the expected number that shows is at most
        // 40, and by Chernoff the limit is exceeded with probability below 1e-9.
        let names: Vec<String> = (0..2000).map(|i| format!("category {i}")).collect();
        let names: Vec<(&'static str, usize)> = names
            .into_iter()
            .map(|name| (&*Box::leak(name.into_boxed_str()), 1))
            .collect();
        let shown = discovered(0.02, names.clone(), Taint::FixedSeed).len() as f64;
        assert!(shown < 40.0 + 6.5 * 40f64.sqrt() + 21.0, "{shown}");
        // Negative control: with a threshold for a δ twenty times as large, the same test would
        // reject.
        let shown = discovered(0.4, names, Taint::FixedSeed).len() as f64;
        assert!(shown > 40.0 + 6.5 * 40f64.sqrt() + 21.0, "{shown}");
    }

    #[test]
    fn the_threshold_is_the_lowest_that_holds_and_grows_with_the_unit() {
        let mut last = 0;
        for rows in [1, 2, 5] {
            let scale = rows as f64;
            let threshold = lowest_threshold(scale, rows, 1e-6).unwrap();
            assert!(cost(scale, threshold, rows, 1).unwrap().delta <= 1e-6);
            assert!(cost(scale, threshold - 1, rows, 1).unwrap().delta > 1e-6);
            assert!(threshold > last);
            last = threshold;
        }
    }
}
