//! Mechanisms that OpenDP runs, on neighbours that their noise must hide. Their random bits come
//! from the operating system, so a seed does not repeat them.

use std::sync::Arc;

use super::{charged, permission, records, refused, unit_of};
use crate::attack::{Claim, Subject, World};
use crate::error::AuditError;
use crate::privacy::{
    Cells, Delta, Epsilon, LaplaceCounts, Mechanism, OpenCategories, Private, QuantileLevel,
    Quantiles, Taint, TopCells,
};

/// Counts with discrete Laplace noise; the unit is one more in a cell.
pub struct LaplaceTable {
    /// What the table costs.
    pub epsilon: f64,
}

/// The categories of a column that nobody has listed; the unit has one of its own.
pub struct Categories {
    /// The ε; the δ is half of [`DELTA`](super::DELTA).
    pub epsilon: f64,
}

/// The median among two candidates; the unit is the only cell.
pub struct Median {
    /// What it costs.
    pub epsilon: f64,
}

/// The most frequent of two cells that differ by the unit.
pub struct MostFrequent {
    /// What it costs.
    pub epsilon: f64,
}

impl Subject for LaplaceTable {
    fn name(&self) -> String {
        "laplace_counts: one unit more in a cell".to_owned()
    }

    fn claim(&self) -> Result<Claim, AuditError> {
        charged(&self.mechanism()?)
    }

    fn observe(&self, world: World, runs: usize, seed: u64) -> Result<Vec<Vec<f64>>, AuditError> {
        let mechanism = self.mechanism()?;
        let data = one_column(world)?;
        let scores = (0..runs).map(|_| {
            let mut paid = permission(&unit_of(1), mechanism.clone(), Taint::FixedSeed, seed);
            let counts = paid
                .authorize::<LaplaceCounts>()
                .and_then(|it| it.measure(&data));
            counts.map(|counts| counts[0][1] as f64).map_err(refused!())
        });
        Ok(vec![scores.collect::<Result<_, _>>()?])
    }
}

impl LaplaceTable {
    fn mechanism(&self) -> Result<Mechanism, AuditError> {
        Ok(Mechanism::LaplaceCounts(LaplaceCounts {
            column_sets: vec![vec![0]],
            epsilon: epsilon(self.epsilon)?,
        }))
    }
}

impl Subject for Categories {
    fn name(&self) -> String {
        "open_categories: a unit with a category of its own, and one more in another".to_owned()
    }

    fn cost(&self) -> usize {
        40
    }

    fn claim(&self) -> Result<Claim, AuditError> {
        charged(&self.mechanism()?)
    }

    /// Scores: whether the unit's own category shows, and the count of a common one that it joins.
    fn observe(&self, world: World, runs: usize, seed: u64) -> Result<Vec<Vec<f64>>, AuditError> {
        let mechanism = self.mechanism()?;
        let score = |own: bool| {
            let mut cells = vec![Arc::<str>::from("common"); 200];
            if world == World::With {
                cells.push(if own { "rare" } else { "common" }.into());
            }
            let scores = (0..runs).map(|_| {
                let mut paid = permission(&unit_of(1), mechanism.clone(), Taint::FixedSeed, seed);
                let data = Private::load(&paid, cells.clone(), |cells| {
                    Ok::<_, AuditError>(Cells::rows(cells))
                })?;
                let found = paid
                    .authorize::<OpenCategories>()
                    .and_then(|it| it.discover(&data))
                    .map_err(refused!())?;
                Ok(if own {
                    f64::from(u8::from(found.contains_key("rare")))
                } else {
                    found.get("common").map_or(-1.0, |&count| count as f64)
                })
            });
            scores.collect::<Result<Vec<f64>, AuditError>>()
        };
        Ok(vec![score(true)?, score(false)?])
    }
}

impl Categories {
    fn mechanism(&self) -> Result<Mechanism, AuditError> {
        Ok(Mechanism::OpenCategories(OpenCategories {
            epsilon: epsilon(self.epsilon)?,
            // Below the δ of the audit, so that there is a price at it.
            delta: Delta::new(super::DELTA / 2.0).map_err(refused!())?,
        }))
    }
}

impl Subject for Median {
    fn name(&self) -> String {
        "quantiles: the median of one cell more".to_owned()
    }

    fn cost(&self) -> usize {
        4
    }

    fn claim(&self) -> Result<Claim, AuditError> {
        charged(&self.mechanism()?)
    }

    fn observe(&self, world: World, runs: usize, seed: u64) -> Result<Vec<Vec<f64>>, AuditError> {
        let mechanism = self.mechanism()?;
        // Level with the other candidate without the unit, and below it with the unit.
        let mut cells: Vec<i64> = vec![0, 1];
        if world == World::With {
            cells.push(1);
        }
        let scores = (0..runs).map(|_| {
            let mut paid = permission(&unit_of(1), mechanism.clone(), Taint::FixedSeed, seed);
            let data = Private::load(&paid, cells.clone(), |cells| {
                Ok::<_, AuditError>(Cells::rows(cells))
            })?;
            let chosen = paid
                .authorize::<Quantiles>()
                .and_then(|it| it.choose(&data))
                .map_err(refused!())?;
            Ok(chosen[0] as f64)
        });
        Ok(vec![scores.collect::<Result<_, AuditError>>()?])
    }
}

impl Median {
    fn mechanism(&self) -> Result<Mechanism, AuditError> {
        Ok(Mechanism::Quantiles(Quantiles {
            levels: vec![QuantileLevel::new(0.5).map_err(refused!())?],
            candidates: vec![0, 1],
            epsilon: epsilon(self.epsilon)?,
        }))
    }
}

impl Subject for MostFrequent {
    fn name(&self) -> String {
        "top_cells: the more frequent of two cells, one unit apart".to_owned()
    }

    fn cost(&self) -> usize {
        4
    }

    fn claim(&self) -> Result<Claim, AuditError> {
        charged(&self.mechanism()?)
    }

    fn observe(&self, world: World, runs: usize, seed: u64) -> Result<Vec<Vec<f64>>, AuditError> {
        let mechanism = self.mechanism()?;
        let data = one_column(world)?;
        let scores = (0..runs).map(|_| {
            let mut paid = permission(&unit_of(1), mechanism.clone(), Taint::FixedSeed, seed);
            let chosen = paid.authorize::<TopCells>().and_then(|it| it.choose(&data));
            chosen.map(|cells| cells[0] as f64).map_err(refused!())
        });
        Ok(vec![scores.collect::<Result<_, _>>()?])
    }
}

impl MostFrequent {
    fn mechanism(&self) -> Result<Mechanism, AuditError> {
        Ok(Mechanism::TopCells(TopCells {
            columns: vec![0],
            cells: 1,
            epsilon: epsilon(self.epsilon)?,
        }))
    }
}

/// One column of two codes, three of either; the unit is a fourth of the second.
fn one_column(world: World) -> Result<Private<crate::privacy::Records>, AuditError> {
    let mut units: Vec<Vec<Vec<u16>>> = (0..6).map(|i| vec![vec![i % 2]]).collect();
    if world == World::With {
        units.push(vec![vec![1]]);
    }
    records(&unit_of(1), vec![2], &units)
}

fn epsilon(value: f64) -> Result<Epsilon, AuditError> {
    Epsilon::new(value).map_err(refused!())
}
