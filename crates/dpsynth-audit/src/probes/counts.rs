//! Counts with Gaussian noise, on neighbours that move them as far as a unit can.

use super::{charged, permission, records, refused, unit_of};
use crate::attack::{Claim, Pair, Subject, World};
use crate::error::AuditError;
use crate::privacy::{
    ChosenMarginals, Distances, MarginalQuery, Marginals, Mechanism, NoiseMultiplier, OwnedRows,
    Private, PublicRows, RecordsError, Taint, UnitCount,
};

/// The number of units, with one unit more or less.
pub struct UnitCounts {
    /// Standard deviation of the noise, in units.
    pub noise_multiplier: f64,
}

/// Counts of two column sets; the unit has all of its rows in one cell.
pub struct Counts {
    /// Standard deviation of the noise over the sensitivity.
    pub noise_multiplier: f64,
    /// Most rows of a unit.
    pub max_rows: u32,
}

/// As [`Counts`], for a person with ten times as many rows as are paid for.
pub struct CappedCounts {
    /// Standard deviation of the noise over the sensitivity.
    pub noise_multiplier: f64,
    /// Most rows of a unit.
    pub max_rows: u32,
}

/// Marginals that are chosen one after another within one charge.
pub struct ChosenCounts {
    /// Noise multiplier of the whole charge.
    pub noise_multiplier: f64,
    /// Most rows of a unit.
    pub max_rows: u32,
}

/// Distances to public rows that lack the cell into which the unit falls: over two column sets, and over
/// three.
pub struct SummedDistances {
    /// Standard deviation of the noise over the sensitivity.
    pub noise_multiplier: f64,
    /// Most rows of a unit.
    pub max_rows: u32,
}

/// Column sets that are counted; the first column has 3 codes and the second 4.
const SETS: [&[u32]; 2] = [&[0], &[1, 0]];
const SIZES: [u32; 2] = [3, 4];
/// The cell that the unit falls into, and its place among the cells of either set.
const ROW: [u16; 2] = [2, 1];
const PLACES: [usize; 2] = [2, 5];
/// Shares of the precision of marginals that are chosen one after another.
const SHARES: [f64; 3] = [0.2, 0.3, 0.5];

impl Subject for UnitCounts {
    fn name(&self) -> String {
        "unit_count: one unit more".to_owned()
    }

    fn claim(&self) -> Result<Claim, AuditError> {
        with_pair(&self.mechanism()?, self.noise_multiplier)
    }

    fn observe(&self, world: World, runs: usize, seed: u64) -> Result<Vec<Vec<f64>>, AuditError> {
        let unit = unit_of(1);
        let data = records(&unit, SIZES.to_vec(), &people(world, 1))?;
        let mechanism = self.mechanism()?;
        let counts = (0..runs).map(|run| {
            let mut paid = permission(&unit, mechanism.clone(), Taint::FixedSeed, mixed(seed, run));
            let count = paid.authorize::<UnitCount>().and_then(|it| it.count(&data));
            count.map(|count| *count as f64).map_err(refused!())
        });
        Ok(vec![counts.collect::<Result<_, _>>()?])
    }
}

impl UnitCounts {
    fn mechanism(&self) -> Result<Mechanism, AuditError> {
        Ok(Mechanism::UnitCount(UnitCount {
            noise_multiplier: multiplier(self.noise_multiplier)?,
        }))
    }
}

impl Subject for Counts {
    fn name(&self) -> String {
        format!(
            "marginals: two column sets, a unit with {} in one cell",
            rows_text(self.max_rows)
        )
    }

    fn claim(&self) -> Result<Claim, AuditError> {
        counts_claim(self.noise_multiplier)
    }

    fn observe(&self, world: World, runs: usize, seed: u64) -> Result<Vec<Vec<f64>>, AuditError> {
        let unit = unit_of(self.max_rows);
        let data = records(&unit, SIZES.to_vec(), &people(world, self.max_rows))?;
        let mechanism = marginals(self.noise_multiplier)?;
        let scores = (0..runs).map(|run| {
            let mut paid = permission(&unit, mechanism.clone(), Taint::FixedSeed, mixed(seed, run));
            let counts = paid
                .authorize::<Marginals>()
                .and_then(|it| it.measure(&data));
            counts.map(|counts| score(&counts)).map_err(refused!())
        });
        Ok(vec![scores.collect::<Result<_, _>>()?])
    }
}

impl Subject for CappedCounts {
    fn name(&self) -> String {
        format!(
            "marginals: a person with {} rows, of which {} are paid for",
            10 * self.max_rows,
            self.max_rows
        )
    }

    fn claim(&self) -> Result<Claim, AuditError> {
        counts_claim(self.noise_multiplier)
    }

    fn observe(&self, world: World, runs: usize, seed: u64) -> Result<Vec<Vec<f64>>, AuditError> {
        let unit = unit_of(self.max_rows);
        let mechanism = marginals(self.noise_multiplier)?;
        let rows: Vec<Vec<Vec<u16>>> = people(world, 10 * self.max_rows);
        let scores = (0..runs).map(|run| {
            let mut paid = permission(&unit, mechanism.clone(), Taint::FixedSeed, mixed(seed, run));
            let data = Private::load(&paid, rows.clone(), owned).map_err(refused!())?;
            let data = paid.cap(data).map_err(refused!())?;
            let counts = paid
                .authorize::<Marginals>()
                .and_then(|it| it.measure(&data));
            counts.map(|counts| score(&counts)).map_err(refused!())
        });
        Ok(vec![scores.collect::<Result<_, AuditError>>()?])
    }
}

impl Subject for ChosenCounts {
    fn name(&self) -> String {
        format!(
            "chosen_marginals: three requests, a unit with {} in one cell",
            rows_text(self.max_rows)
        )
    }

    fn cost(&self) -> usize {
        5
    }

    fn claim(&self) -> Result<Claim, AuditError> {
        with_pair(&self.mechanism()?, self.noise_multiplier)
    }

    fn observe(&self, world: World, runs: usize, seed: u64) -> Result<Vec<Vec<f64>>, AuditError> {
        let unit = unit_of(self.max_rows);
        let data = records(&unit, SIZES.to_vec(), &people(world, self.max_rows))?;
        let mechanism = self.mechanism()?;
        let scores = (0..runs).map(|run| {
            let mut paid = permission(&unit, mechanism.clone(), Taint::FixedSeed, mixed(seed, run));
            let opened = paid
                .authorize::<ChosenMarginals>()
                .and_then(|it| it.open(&data));
            let mut session = opened.map_err(refused!())?;
            let mut score = 0.0;
            for (request, share) in SHARES.into_iter().enumerate() {
                let columns = SETS[request % 2].to_vec();
                let query = MarginalQuery { columns, share };
                let measured = session.measure(&[query]).map_err(refused!())?;
                // The likelihood ratio weighs every count by its precision.
                score += share * measured[0].counts[PLACES[request % 2]];
            }
            Ok(score)
        });
        Ok(vec![scores.collect::<Result<_, AuditError>>()?])
    }
}

impl ChosenCounts {
    fn mechanism(&self) -> Result<Mechanism, AuditError> {
        Ok(Mechanism::ChosenMarginals(ChosenMarginals {
            noise_multiplier: multiplier(self.noise_multiplier)?,
        }))
    }
}

impl Subject for SummedDistances {
    fn name(&self) -> String {
        format!(
            "distances: two groups, a unit with {} in a cell that no public row has",
            rows_text(self.max_rows)
        )
    }

    fn claim(&self) -> Result<Claim, AuditError> {
        // Two Gaussians, one after another, are one of less noise.
        with_pair(
            &self.mechanism()?,
            self.noise_multiplier / (self.groups().len() as f64).sqrt(),
        )
    }

    fn observe(&self, world: World, runs: usize, seed: u64) -> Result<Vec<Vec<f64>>, AuditError> {
        let unit = unit_of(self.max_rows);
        let data = records(&unit, SIZES.to_vec(), &people(world, self.max_rows))?;
        let mechanism = self.mechanism()?;
        let merged: Vec<Vec<u16>> = SIZES
            .iter()
            .map(|&size| (0..size as u16).collect())
            .collect();
        let public = PublicRows {
            merged: &merged,
            codes: &[0, 0],
            records: 1,
        };
        let scores = (0..runs).map(|run| {
            let mut paid = permission(&unit, mechanism.clone(), Taint::FixedSeed, mixed(seed, run));
            let sums = paid
                .authorize::<Distances>()
                .and_then(|it| it.measure(&data, public))
                .map_err(refused!())?;
            // The likelihood ratio weighs every sum by what a unit moves it over its variance.
            let groups = self.groups();
            Ok((sums.iter().zip(&groups))
                .map(|(&sum, sets)| sum as f64 / sets.len() as f64)
                .sum())
        });
        Ok(vec![scores.collect::<Result<_, AuditError>>()?])
    }
}

impl SummedDistances {
    fn groups(&self) -> Vec<Vec<Vec<u32>>> {
        let sets = SETS.map(|set| set.to_vec());
        let again = [sets[1].clone(), vec![1], sets[0].clone()];
        vec![sets.to_vec(), again.to_vec()]
    }

    fn mechanism(&self) -> Result<Mechanism, AuditError> {
        Ok(Mechanism::Distances(Distances {
            groups: self.groups(),
            noise_multiplier: multiplier(self.noise_multiplier)?,
        }))
    }
}

/// A few people who are there in both worlds, and one with `rows` rows who is there in one.
fn people(world: World, rows: u32) -> Vec<Vec<Vec<u16>>> {
    let mut people: Vec<Vec<Vec<u16>>> = (0..5)
        .map(|person| vec![vec![person % 3, person % 4]])
        .collect();
    if world == World::With {
        people.push(vec![ROW.to_vec(); rows as usize]);
    }
    people
}

fn owned(people: Vec<Vec<Vec<u16>>>) -> Result<OwnedRows, RecordsError> {
    let owners = (0u32..)
        .zip(&people)
        .flat_map(|(person, rows)| vec![person; rows.len()])
        .collect();
    let codes = people.into_iter().flatten().flatten().collect();
    OwnedRows::new(SIZES.to_vec(), codes, owners)
}

fn marginals(noise_multiplier: f64) -> Result<Mechanism, AuditError> {
    Ok(Mechanism::Marginals(Marginals {
        column_sets: SETS.iter().map(|set| set.to_vec()).collect(),
        noise_multiplier: multiplier(noise_multiplier)?,
    }))
}

fn counts_claim(noise_multiplier: f64) -> Result<Claim, AuditError> {
    // Two Gaussians, one after another, are one of less noise.
    with_pair(
        &marginals(noise_multiplier)?,
        noise_multiplier / (SETS.len() as f64).sqrt(),
    )
}

/// What a mechanism is charged for, and the Gaussian that it is.
fn with_pair(mechanism: &Mechanism, noise_multiplier: f64) -> Result<Claim, AuditError> {
    Ok(Claim {
        pair: Some(Pair::gaussian(noise_multiplier)),
        ..charged(mechanism)?
    })
}

fn score(counts: &[Vec<i64>]) -> f64 {
    counts
        .iter()
        .zip(PLACES)
        .map(|(counts, place)| counts[place] as f64)
        .sum()
}

fn multiplier(value: f64) -> Result<NoiseMultiplier, AuditError> {
    NoiseMultiplier::new(value).map_err(refused!())
}

fn rows_text(rows: u32) -> String {
    match rows {
        1 => "one row".to_owned(),
        rows => format!("{rows} rows"),
    }
}

/// Secret bits of one run among many.
fn mixed(seed: u64, run: usize) -> u64 {
    seed.wrapping_add((run as u64).wrapping_mul(0xd134_2543_de82_ef95))
}
