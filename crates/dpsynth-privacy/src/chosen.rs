//! Noisy counts of column sets that are chosen while the data is being measured.

use std::sync::Mutex;
use std::thread;

use crate::boundary::{Private, Released};
use crate::counts::count_cells_of;
use crate::mechanism::ChosenMarginals;
use crate::noise::RoundedGaussian;
use crate::paid::{Authorized, MechanismError, Taint};
use crate::random::Purpose;
use crate::records::Records;

/// One marginal to measure.
#[derive(Clone, Debug, PartialEq)]
pub struct MarginalQuery {
    /// Indices of the columns, in the order in which the cells are to be numbered.
    pub columns: Vec<u32>,
    /// Share of the charge's precision that this marginal takes, above 0 and at most 1.
    pub share: f64,
}

/// Noisy counts of the cells of a column set.
#[derive(Clone, Debug, PartialEq)]
pub struct MeasuredMarginal {
    /// Indices of the columns.
    pub columns: Vec<u32>,
    /// Noisy count of each cell, row-major in the order of the columns. Counts may be negative.
    pub counts: Vec<f64>,
    /// Standard deviation of the noise of each count, in rows.
    pub noise_stddev: f64,
}

/// A charge for chosen marginals while it is being spent.
///
/// Which marginals to measure next may depend on everything that was released before, and on
/// nothing else: the arguments of its methods are plain values, which no private value turns into.
pub struct MarginalSession<'d> {
    authorized: Authorized<ChosenMarginals>,
    records: &'d Records,
    /// Codes after merging, and the number of codes of each column.
    codes: Option<(Vec<u16>, Vec<u32>)>,
    left: f64,
    measured: u32,
}

impl Authorized<ChosenMarginals> {
    /// Opens the charge, to be spent on marginals of `data`.
    ///
    /// # Errors
    /// If the records may hold more rows of a unit than was paid for.
    pub fn open(self, data: &Private<Records>) -> Result<MarginalSession<'_>, MechanismError> {
        // Private: the records stay behind the session, which gives out noisy counts only.
        let records = data.expose();
        self.admits(records)?;
        Ok(MarginalSession {
            authorized: self,
            records,
            codes: None,
            left: 1.0,
            measured: 0,
        })
    }
}

impl MarginalSession<'_> {
    /// The share of the charge's precision that is left, from 0 to 1.
    #[must_use]
    pub fn left(&self) -> f64 {
        self.left.max(0.0)
    }

    /// Merges codes for the marginals to come: code `c` of column `j` counts as `merged[j][c]`.
    ///
    /// It costs nothing, because it is a public function of the records.
    ///
    /// # Errors
    /// If there is not one list for each column, as long as the column's domain.
    pub fn merge_codes(&mut self, merged: &[Vec<u16>]) -> Result<(), MechanismError> {
        let (codes, merged_sizes) = merged_codes(self.records, merged)?;
        self.codes = Some((codes, merged_sizes));
        Ok(())
    }

    /// Counts the rows of every cell of every column set and adds noise.
    ///
    /// # Guarantee
    /// A unit changes the counts of one column set by at most its number of rows in L2, which the
    /// records cap; the noise is a Gaussian of `noise_multiplier` / √share times that cap, rounded
    /// to the integers, and so a rounding of a mechanism that is μ√share-Gaussian-DP, where μ is
    /// the inverse of the noise multiplier. Shares are taken before anything is counted and add
    /// up to 1 at most, with every rounding against the caller, so the whole session is μ-Gaussian-DP however the
    /// marginals and their shares were chosen (Smith & Thakurta 2022, "Fully adaptive composition
    /// for Gaussian differential privacy", Theorem 1).
    ///
    /// # Errors
    /// If a column does not exist, a marginal has too many cells, the noise is out of range, or
    /// more precision is asked for than is left; nothing is counted then.
    pub fn measure(
        &mut self,
        queries: &[MarginalQuery],
    ) -> Result<Released<Vec<MeasuredMarginal>>, MechanismError> {
        let mut left = self.left;
        for query in queries {
            if !(query.share > 0.0 && query.share <= 1.0) {
                return Err(MechanismError::Overspent);
            }
            // Down: what is left is never more than the exact difference.
            left = (left - query.share).next_down();
        }
        let count = u32::try_from(queries.len()).map_err(|_| MechanismError::Columns)?;
        let first = self.measured;
        // The last shares of a charge may miss 1 by the roundings of their sum.
        if left < -ROUNDING {
            return Err(MechanismError::Overspent);
        }
        let measured = first.checked_add(count).ok_or(MechanismError::Columns)?;
        // Not cut at 0: what was taken beyond the whole must count against the next request.
        self.left = left;
        self.measured = measured;
        let records = self.records;
        let (codes, sizes) = match &self.codes {
            Some((codes, sizes)) => (codes.as_slice(), sizes.as_slice()),
            None => (records.codes(), records.domain_sizes()),
        };
        let authorized = &self.authorized;
        let run = |(index, query): (u32, &MarginalQuery)| {
            let scale = noise_stddev(authorized, query.share);
            let noise = RoundedGaussian::new(scale).ok_or(MechanismError::Scale)?;
            // Private: exact counts are in hand until the noise is added.
            let mut counts = count_cells_of(codes, sizes, &query.columns)?;
            if authorized.taint != Some(Taint::NoNoise) {
                let mut rng = authorized.key.stream(Purpose::CountNoise, first + index, 0);
                noise.add_to(&mut counts, &mut rng);
            }
            Ok(MeasuredMarginal {
                columns: query.columns.clone(),
                counts: counts.into_iter().map(|count| count as f64).collect(),
                noise_stddev: scale,
            })
        };
        let tables = in_parallel(queries, &run)?;
        Ok(Released::by_mechanism(tables))
    }
}

/// Returns the codes of `records` after code `c` of column `j` has become `merged[j][c]`, and the number of
/// codes that each column then has.
pub(crate) fn merged_codes(
    records: &Records,
    merged: &[Vec<u16>],
) -> Result<(Vec<u16>, Vec<u32>), MechanismError> {
    let sizes = records.domain_sizes();
    let fits = merged.len() == sizes.len()
        && merged
            .iter()
            .zip(sizes)
            .all(|(codes, &size)| codes.len() == size as usize);
    if !fits {
        return Err(MechanismError::Columns);
    }
    let merged_sizes = merged
        .iter()
        .map(|codes| 1 + codes.iter().copied().max().map_or(0, u32::from))
        .collect();
    let mut codes = records.codes().to_vec();
    for row in codes.chunks_exact_mut(records.columns()) {
        for (code, merged) in row.iter_mut().zip(merged) {
            *code = merged[usize::from(*code)];
        }
    }
    Ok((codes, merged_sizes))
}

/// The noise of one marginal that takes `share` of the precision, rounded up.
fn noise_stddev(authorized: &Authorized<ChosenMarginals>, share: f64) -> f64 {
    // Shares of a full charge may add up to 1 + ROUNDING; the noise of each is larger by as much.
    let share = share / (1.0 + 2.0 * ROUNDING);
    let multiplier = authorized.mechanism.noise_multiplier.value();
    let scale = multiplier / share.sqrt() * f64::from(authorized.max_rows());
    // Three roundings above, each by less than half a unit in the last place, and the division's.
    scale.next_up().next_up().next_up()
}

/// What is done for one query, with its position.
type Run<'r, R> = dyn Fn((u32, &MarginalQuery)) -> Result<R, MechanismError> + Sync + 'r;

/// Runs every query on one of two threads, and returns the results in order.
fn in_parallel<R: Send>(
    queries: &[MarginalQuery],
    run: &Run<'_, R>,
) -> Result<Vec<R>, MechanismError> {
    let next = Mutex::new((0u32..).zip(queries));
    let work = || {
        let mut done = Vec::new();
        loop {
            // OK because nothing panics while the lock is held, so it is never poisoned.
            let Some(job) = next.lock().expect("query queue").next() else {
                return done;
            };
            done.push((job.0, run(job)));
        }
    };
    let mut results = thread::scope(|scope| {
        let other = scope.spawn(work);
        let mut results = work();
        // OK because a query that panics is a defect, and must not pass for a result.
        results.extend(other.join().expect("a query panicked"));
        results
    });
    results.sort_by_key(|(index, _)| *index);
    results.into_iter().map(|(_, result)| result).collect()
}

/// By how much the shares of a charge may exceed 1 in floating point: the noise of every marginal is
/// larger by this, so the exact sum of what they cost is at most the charge.
const ROUNDING: f64 = 1e-9;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::insecure;
    use crate::mechanism::Mechanism;
    use crate::numbers::NoiseMultiplier;
    use crate::paid::Paid;
    use crate::unit::PrivacyUnit;

    fn charged(taint: Taint, seed: u64, unit: PrivacyUnit, multiplier: f64) -> Paid {
        let mechanism = Mechanism::ChosenMarginals(ChosenMarginals {
            noise_multiplier: NoiseMultiplier::new(multiplier).unwrap(),
        });
        insecure::paid(unit, vec![mechanism], taint, seed)
    }

    fn data(paid: &Paid, rows: usize) -> Private<Records> {
        Private::load(paid, rows, |rows| {
            let codes = (0..rows).flat_map(|i| [(i % 2) as u16, (i % 3) as u16]);
            // Every unit has one row.
            Records::grouped(vec![2, 3], codes.collect(), (0..=rows as u32).collect(), 1)
        })
        .unwrap()
    }

    fn query(columns: &[u32], share: f64) -> MarginalQuery {
        MarginalQuery {
            columns: columns.to_vec(),
            share,
        }
    }

    #[test]
    fn counts_are_of_the_merged_codes() {
        let mut paid = charged(Taint::NoNoise, 0, PrivacyUnit::Row, 2.0);
        let data = data(&paid, 12);
        let mut session = paid
            .authorize::<ChosenMarginals>()
            .unwrap()
            .open(&data)
            .unwrap();
        let fine = session.measure(&[query(&[1], 0.25)]).unwrap();
        assert_eq!(fine[0].counts, [4.0, 4.0, 4.0]);
        session.merge_codes(&[vec![0, 1], vec![0, 1, 1]]).unwrap();
        let both = session
            .measure(&[query(&[1, 0], 0.25), query(&[1], 0.5)])
            .unwrap();
        assert_eq!(both[0].counts, [2.0, 2.0, 4.0, 4.0]);
        assert_eq!(both[1].counts, [4.0, 8.0]);
        // A quarter of the precision is twice the noise, and never less.
        assert!(both[0].noise_stddev >= 4.0 && both[0].noise_stddev < 4.0 + 1e-7);
        for merged in [vec![vec![0, 1]], vec![vec![0], vec![0, 1, 1]]] {
            assert_eq!(session.merge_codes(&merged), Err(MechanismError::Columns));
        }
    }

    #[test]
    fn no_more_precision_is_given_than_was_paid_for() {
        let mut paid = charged(Taint::FixedSeed, 1, PrivacyUnit::Row, 2.0);
        let data = data(&paid, 12);
        let mut session = paid
            .authorize::<ChosenMarginals>()
            .unwrap()
            .open(&data)
            .unwrap();
        for share in [0.0, -1.0, f64::NAN, f64::INFINITY, 1.1] {
            let refused = session.measure(&[query(&[0], share)]).err();
            assert_eq!(refused, Some(MechanismError::Overspent), "{share}");
        }
        assert_eq!(session.left(), 1.0);
        // Ten tenths are what was paid for, however they round; then nothing is left.
        let tenths: Vec<_> = (0..10).map(|_| query(&[0], 0.1)).collect();
        session.measure(&tenths).unwrap();
        assert!(session.left() < 1e-12);
        for share in [1e-6, 1e-3, 1.0] {
            let refused = session.measure(&[query(&[0], share)]).err();
            assert_eq!(refused, Some(MechanismError::Overspent), "{share}");
        }
    }

    #[test]
    fn what_all_marginals_cost_is_at_most_the_charge() {
        let mut paid = charged(Taint::FixedSeed, 1, PrivacyUnit::Row, 7.3);
        let data = data(&paid, 12);
        let mut session = paid
            .authorize::<ChosenMarginals>()
            .unwrap()
            .open(&data)
            .unwrap();
        let mut precision = 0.0;
        let mut state = 1u64;
        while session.left() > 0.0 {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            let share = ((state >> 33) as f64 / 2f64.powi(31))
                .max(1e-3)
                .min(session.left());
            let measured = session.measure(&[query(&[0], share)]).unwrap();
            precision += measured[0].noise_stddev.powi(-2);
        }
        // What rounding forgives is forgiven once, however small the shares that ask for it.
        for _ in 0..1000 {
            match session.measure(&[query(&[0], 5e-10)]) {
                Ok(measured) => precision += measured[0].noise_stddev.powi(-2),
                Err(error) => assert_eq!(error, MechanismError::Overspent),
            }
        }
        assert!(precision <= 7.3f64.powi(-2), "{precision}");
        assert!(precision > 7.3f64.powi(-2) * (1.0 - 1e-6), "{precision}");
    }

    #[test]
    fn the_noise_has_the_scale_of_its_share() {
        // For 4,000 draws of variance 36 the sample variance lies within 15 % except with
        // probability below 1e-9 (chi-squared, Laurent & Massart 2000); ±10 % in scale is ±20 %
        // in variance and would be rejected.
        let unit = PrivacyUnit::User {
            column: "id".to_owned(),
            max_rows: 3,
        };
        let mut squares = 0.0;
        for seed in 0..1000 {
            let mut paid = charged(Taint::FixedSeed, seed, unit.clone(), 1.0);
            let data = data(&paid, 12);
            let mut session = paid
                .authorize::<ChosenMarginals>()
                .unwrap()
                .open(&data)
                .unwrap();
            let measured = session
                .measure(&[query(&[0], 0.25), query(&[0], 0.25)])
                .unwrap();
            for table in measured.iter() {
                squares += table
                    .counts
                    .iter()
                    .map(|count| (count - 6.0).powi(2))
                    .sum::<f64>();
            }
        }
        let variance = squares / 4000.0;
        assert!(
            (variance / (36.0 + 1.0 / 12.0) - 1.0).abs() < 0.15,
            "{variance}"
        );
    }
}
