//! Canaries in counts: rows of their own among a stand-in table, in one run of chosen marginals.

use dpsynth_privacy::{
    ChosenMarginals, MarginalQuery, Mechanism, MechanismError, NoiseMultiplier, PrivacyUnit,
    Private, PublicRng, Records, Taint, insecure,
};

use super::{Guesses, coins};
use crate::error::AuditError;

/// One run of chosen marginals over all columns and all pairs of a stand-in table, with canaries.
#[derive(Clone, Debug)]
pub struct CountCanaries {
    /// Codes of each column, as the policy's engine counts them.
    pub domain_sizes: Vec<u32>,
    /// Noise multiplier of the whole charge.
    pub noise_multiplier: NoiseMultiplier,
    /// Rows of the stand-in table, drawn evenly from the domains; the attacker knows them.
    pub rows: u32,
    /// Canaries, each in the data with probability a half.
    pub canaries: u16,
    /// Decides the table, the coins and the secret bits.
    pub seed: u64,
}

impl CountCanaries {
    /// Measures once, and scores every canary by the counts of its cells, less the rows that the
    /// attacker knows.
    ///
    /// # Errors
    /// If a marginal is refused.
    pub fn run(&self) -> Result<Guesses, AuditError> {
        let refused = |error: MechanismError| AuditError::refused(error.code(), &error);
        let truth = coins(usize::from(self.canaries), self.seed);
        let known = self.draw(self.rows as usize, self.seed ^ 1);
        let canaries = self.draw(usize::from(self.canaries), self.seed ^ 2);
        let inside = canaries.iter().zip(&truth).filter(|(_, there)| **there);
        let codes: Vec<u16> = known
            .iter()
            .chain(inside.map(|(row, _)| row))
            .flatten()
            .copied()
            .collect();
        let mechanism = Mechanism::ChosenMarginals(ChosenMarginals {
            noise_multiplier: self.noise_multiplier,
        });
        let unit = PrivacyUnit::Row;
        let mut paid = insecure::paid(unit, vec![mechanism], Taint::FixedSeed, self.seed);
        let data = Private::load(
            &paid,
            (self.domain_sizes.clone(), codes),
            |(sizes, codes)| Records::rows(sizes, codes),
        )
        .map_err(|error| AuditError::refused(error.code(), &error))?;
        let chosen = paid.authorize::<ChosenMarginals>().map_err(refused)?;
        let mut session = chosen.open(&data).map_err(refused)?;
        let mut scores = vec![0.0; usize::from(self.canaries)];
        let sets = self.sets();
        let share = (1.0 - 1e-9) / sets.len() as f64;
        for columns in sets {
            let cell = |row: &[u16]| {
                columns.iter().fold(0usize, |cell, &column| {
                    cell * self.domain_sizes[column as usize] as usize
                        + usize::from(row[column as usize])
                })
            };
            let query = MarginalQuery {
                columns: columns.clone(),
                share,
            };
            let measured = session.measure(&[query]).map_err(refused)?;
            let mut counts = measured[0].counts.clone();
            for row in &known {
                counts[cell(row)] -= 1.0;
            }
            // The other canaries are noise as well: a coin each, evenly over the cells.
            let cells = counts.len() as f64;
            let others = f64::from(self.canaries) / (4.0 * cells);
            let precision = (measured[0].noise_stddev.powi(2) + others).recip();
            for (score, row) in scores.iter_mut().zip(&canaries) {
                *score += precision * counts[cell(row)];
            }
        }
        Ok(Guesses { scores, truth })
    }

    /// All columns, and all pairs whose tables are not too large.
    fn sets(&self) -> Vec<Vec<u32>> {
        let columns = self.domain_sizes.len() as u32;
        let cells = |set: &[u32]| -> u64 {
            set.iter()
                .map(|&column| u64::from(self.domain_sizes[column as usize]))
                .product()
        };
        let singles = (0..columns).map(|column| vec![column]);
        let pairs = (0..columns).flat_map(|a| (a + 1..columns).map(move |b| vec![a, b]));
        singles
            .chain(pairs)
            .filter(|set| cells(set) <= MOST_CELLS)
            .collect()
    }

    fn draw(&self, rows: usize, seed: u64) -> Vec<Vec<u16>> {
        let mut rng = PublicRng::from_seed(seed);
        let mut row = || {
            let sizes = self.domain_sizes.iter();
            sizes
                .map(|&size| (rng.uniform() * f64::from(size)) as u16)
                .collect()
        };
        (0..rows).map(|_| row()).collect()
    }
}

/// Larger tables are left out: they would only take time.
const MOST_CELLS: u64 = 1 << 20;
