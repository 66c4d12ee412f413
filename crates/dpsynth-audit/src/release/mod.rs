//! Attacks on a released table: singling out, linkability and inference in the manner of Anonymeter
//! (Giomi, Boenisch, Wehmeyer & Tasnádi 2023, *A unified framework for quantifying privacy risk in
//! synthetic data*), and membership.
//!
//! Each is run against records that the release was made from and, as a control, against records of
//! the same population that it was not made from. What works as well on the control is a truth about
//! the population, and no leak.

mod singling_out;
mod table;

pub use table::{AuditColumn, AuditTable};

use crate::error::AuditError;
use crate::outcome::{Audit, Check, Level, Outcome, Watch};
use crate::statistics::{quantile, survival, wilson};
use table::Distances;

/// What is attacked, and with what.
#[derive(Clone, Copy, Debug)]
pub struct ReleaseAudit<'a> {
    /// The released table.
    pub synthetic: &'a AuditTable,
    /// Records that it was made from.
    pub real: &'a AuditTable,
    /// Records that it was not made from.
    pub control: &'a AuditTable,
    /// Records of people who ask whether it shows that they took part.
    pub canaries: Option<&'a AuditTable>,
    /// Most attacks of each kind.
    pub attacks: usize,
    /// Decides which records are attacked.
    pub seed: u64,
}

/// How often an attack succeeded on the records, and on the control.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Successes {
    real: (u64, u64),
    control: (u64, u64),
}

/// Attacks a release in every way.
///
/// An attack finds something where it succeeds more often on the records than on the control by more
/// than chance explains, with probability [`FALSE_ALARM`] each.
///
/// # Errors
/// If the tables have not the same columns, or too few rows.
pub fn release(audit: &ReleaseAudit<'_>) -> Result<Audit, AuditError> {
    let tables = [audit.real, audit.control];
    if !tables.iter().all(|table| table.like(audit.synthetic))
        || audit.canaries.is_some_and(|it| !it.like(audit.synthetic))
    {
        return Err(AuditError::Columns);
    }
    let rows = audit.real.rows().min(audit.control.rows());
    if rows < FEWEST_ROWS || audit.synthetic.rows() < FEWEST_ROWS {
        return Err(AuditError::TooFewRows);
    }
    // Of one size, because a predicate singles out in a small table what it does not in a large one.
    let real = audit.real.sample(rows, audit.seed);
    let control = audit.control.sample(rows, audit.seed ^ 1);
    let pair = Pair {
        distances: Distances::of(audit.synthetic),
        synthetic: audit.synthetic,
        real: &real,
        control: &control,
        attacks: audit.attacks.min(rows),
        seed: audit.seed,
    };
    let mut checks = vec![
        pair.univariate(),
        pair.multivariate(),
        pair.linkability(),
        pair.inference(),
        pair.membership(),
    ];
    if let Some(canaries) = audit.canaries {
        checks.push(pair.canaries(canaries));
    }
    Ok(Audit::new(Level::Release, checks))
}

/// Two tables of one size, and what they are attacked with.
struct Pair<'a> {
    distances: Distances,
    synthetic: &'a AuditTable,
    real: &'a AuditTable,
    control: &'a AuditTable,
    attacks: usize,
    seed: u64,
}

impl Pair<'_> {
    fn univariate(&self) -> Check {
        let predicates = singling_out::univariate(self.synthetic, self.attacks, self.seed ^ 2);
        self.predicates("singling out by one column", &predicates)
    }

    fn multivariate(&self) -> Check {
        let predicates = singling_out::multivariate(self.synthetic, self.attacks, self.seed ^ 3);
        self.predicates("singling out by several columns", &predicates)
    }

    fn predicates(&self, name: &str, predicates: &[singling_out::Predicate]) -> Check {
        let watch = Watch::start();
        let singled = |table| {
            let hits = predicates.iter().filter(|it| it.singles_out(table)).count();
            (hits as u64, predicates.len() as u64)
        };
        self.compare(name, (singled(self.real), singled(self.control)), &watch)
    }

    /// Whether two halves of a record, each known to somebody, lead to one synthetic row.
    fn linkability(&self) -> Check {
        let watch = Watch::start();
        let distances = &self.distances;
        let columns = self.synthetic.columns().len();
        let (first, second): (Vec<usize>, Vec<usize>) =
            (0..columns).partition(|column| column % 2 == 0);
        let linked = |table: &AuditTable, row: usize| {
            let near = |columns: &[usize]| {
                distances.nearest(columns, (table, row), self.synthetic, NEIGHBOURS)
            };
            let (a, b) = (near(&first), near(&second));
            a.iter()
                .any(|(_, row)| b.iter().any(|(_, other)| other == row))
        };
        self.records("linkability of two halves of a record", linked, &watch)
    }

    /// Whether the synthetic row that is nearest to what is known of a record has its secret.
    fn inference(&self) -> Check {
        let watch = Watch::start();
        let distances = &self.distances;
        let columns = self.synthetic.columns().len();
        let inferred = |table: &AuditTable, row: usize| {
            // Every column is the secret of some of the attacks.
            let secret = row % columns;
            let known: Vec<usize> = (0..columns).filter(|&column| column != secret).collect();
            let near = distances.nearest(&known, (table, row), self.synthetic, 1);
            near.first().is_some_and(|&(_, found)| {
                match (&table.columns()[secret], &self.synthetic.columns()[secret]) {
                    (AuditColumn::Category(truth), AuditColumn::Category(guess)) => {
                        truth[row] == guess[found]
                    }
                    (AuditColumn::Numeric(truth), AuditColumn::Numeric(guess)) => {
                        let near = NEAR * distances.range(secret);
                        match (truth[row], guess[found]) {
                            (Some(truth), Some(guess)) => (truth - guess).abs() <= near,
                            (None, None) => true,
                            _ => false,
                        }
                    }
                    _ => false,
                }
            })
        };
        self.records("inference of one column from the others", inferred, &watch)
    }

    /// Whether records are nearer to the synthetic table than the control is.
    fn membership(&self) -> Check {
        let watch = Watch::start();
        let threshold = self.near_for_the_control();
        let near = |table: &AuditTable, row: usize| self.distance(table, row) <= threshold;
        self.records(
            "membership by the distance to the synthetic table",
            near,
            &watch,
        )
    }

    /// The same for people who ask: exact, because they are few.
    fn canaries(&self, canaries: &AuditTable) -> Check {
        let watch = Watch::start();
        let attacks = self.attacks.min(self.control.rows());
        let control: Vec<f64> = (0..attacks)
            .map(|row| self.distance(self.control, row))
            .collect();
        // Under no leak a canary's distance is one more draw of the control's. Each gets its rank.
        let tries = canaries.rows().min(self.attacks);
        let near = (0..tries)
            .filter(|&row| {
                let distance = self.distance(canaries, row);
                let nearer = control.iter().filter(|&&it| it <= distance).count();
                ((nearer + 1) as f64) <= 0.1 * (control.len() + 1) as f64
            })
            .count();
        let chance = survival(near as u64, tries as u64, 0.1);
        let mut check = Check::compare(
            format!(
                "membership of named canaries: {near} of {tries} are among the nearest tenth of the control"
            ),
            (-chance.max(f64::MIN_POSITIVE).ln(), -FALSE_ALARM.ln()),
            FALSE_ALARM,
            format!(
                "{tries} canaries are found if {} of them are that near",
                (0..=tries as u64)
                    .find(|&near| survival(near, tries as u64, 0.1) <= FALSE_ALARM)
                    .map_or("no number".to_owned(), |near| near.to_string())
            ),
            &watch,
        );
        if tries < 3 {
            check.outcome = Outcome::NotRun;
        }
        check
    }

    fn distance(&self, table: &AuditTable, row: usize) -> f64 {
        let columns: Vec<usize> = (0..table.columns().len()).collect();
        let nearest = self
            .distances
            .nearest(&columns, (table, row), self.synthetic, 1);
        nearest
            .first()
            .map_or(f64::INFINITY, |(distance, _)| *distance)
    }

    /// The distance that a tenth of the other half of the control is within.
    fn near_for_the_control(&self) -> f64 {
        let rows = self.control.rows();
        let mut distances: Vec<f64> = (rows / 2..rows)
            .take(self.attacks)
            .map(|row| self.distance(self.control, row))
            .collect();
        distances.sort_unstable_by(f64::total_cmp);
        distances.get(distances.len() / 10).copied().unwrap_or(0.0)
    }

    /// Attacks records one by one: those of the first half of either table.
    fn records(
        &self,
        name: &str,
        succeeds: impl Fn(&AuditTable, usize) -> bool,
        watch: &Watch,
    ) -> Check {
        let tries = self.attacks.min(self.real.rows() / 2).max(1);
        let count = |table: &AuditTable| {
            let hits = (0..tries).filter(|&row| succeeds(table, row)).count();
            (hits as u64, tries as u64)
        };
        self.compare(name, (count(self.real), count(self.control)), watch)
    }

    /// Compares successes on the records and on the control.
    fn compare(
        &self,
        name: &str,
        (real, control): ((u64, u64), (u64, u64)),
        watch: &Watch,
    ) -> Check {
        let seen = Successes { real, control };
        let (risk, low, high) = seen.risk(0.05);
        let z = seen.difference_in_deviations();
        Check::compare(
            format!(
                "{name}: {} of {} attacks succeed, {} of {} on the control; risk {:.3} ({:.3} to {:.3})",
                real.0, real.1, control.0, control.1, risk, low, high
            ),
            (z, -quantile(FALSE_ALARM)),
            FALSE_ALARM,
            seen.power(),
            watch,
        )
    }
}

impl Successes {
    /// What the records are worse off than the control, of what they could be (Giomi et al. 2023,
    /// section 3), with an interval at confidence `1 - error`.
    fn risk(self, error: f64) -> (f64, f64, f64) {
        let rate = |(hits, tries): (u64, u64)| hits as f64 / tries.max(1) as f64;
        let excess = |real: f64, control: f64| {
            if control >= 1.0 {
                0.0
            } else {
                (real - control) / (1.0 - control)
            }
        };
        // Each interval gets half of the error.
        let real = wilson(self.real.0, self.real.1, error / 2.0);
        let control = wilson(self.control.0, self.control.1, error / 2.0);
        (
            excess(rate(self.real), rate(self.control)),
            excess(real.0, control.1),
            excess(real.1, control.0),
        )
    }

    /// The difference of two proportions over its standard deviation if there were none, each with one
    /// success and one failure more so that rare successes are not overrated.
    fn difference_in_deviations(self) -> f64 {
        let (n, m) = (self.real.1 as f64 + 2.0, self.control.1 as f64 + 2.0);
        let (a, b) = (self.real.0 as f64 + 1.0, self.control.0 as f64 + 1.0);
        let pooled = (a + b) / (n + m);
        (a / n - b / m) / (pooled * (1.0 - pooled) * (1.0 / n + 1.0 / m)).sqrt()
    }

    fn power(self) -> String {
        let n = self.real.1.max(1) as f64 + 2.0;
        let rate = (self.control.0 as f64 + 1.0) / n;
        let deviation = (2.0 * rate * (1.0 - rate) / n).sqrt();
        // Probability 0.9 takes 1.28 deviations more than the limit.
        let found = (-quantile(FALSE_ALARM) + 1.28) * deviation;
        format!(
            "success on {:.1} per cent more of the records than of the control is found with probability 0.9",
            100.0 * found
        )
    }
}

/// Chance that one attack finds something in a table that does not leak, in the limit of many attacks.
pub const FALSE_ALARM: f64 = 1e-4;
/// Fewer rows than this say nothing.
const FEWEST_ROWS: usize = 20;
/// Synthetic rows that count as near in linkability.
const NEIGHBOURS: usize = 5;
/// What of a column's range counts as the same number.
const NEAR: f64 = 0.05;

#[cfg(test)]
mod tests;
