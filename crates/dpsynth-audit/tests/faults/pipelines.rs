//! Faults around the core: pipelines that use its real mechanisms wrongly.

use dpsynth_audit::AuditError;
use dpsynth_faults::{
    Adjacency, Delta, Marginals, Mechanism, NoiseMultiplier, Paid, PrivacyUnit, Private, Records,
    Taint, UnitCount, accountant, insecure,
};

use crate::attack::{Claim, Pair, Subject, World};
use crate::{attacked, found};

/// A wrong pipeline over a column of numbers, which scores its own output.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pipeline {
    BoundsFromData,
    CategoriesFromData,
    RowsAsManyAsUnits,
    NoiseOfAnotherStage,
    BestOfManyByTheData,
}

impl Pipeline {
    pub(crate) const ALL: [(Self, &'static str); 5] = [
        (
            Self::BoundsFromData,
            "the bounds of a column taken from the data",
        ),
        (
            Self::CategoriesFromData,
            "the categories of a column taken from the data",
        ),
        (
            Self::RowsAsManyAsUnits,
            "as many synthetic rows as there are people",
        ),
        (
            Self::NoiseOfAnotherStage,
            "the noise of another stage of the charge",
        ),
        (
            Self::BestOfManyByTheData,
            "the best of 64 paid results chosen by the data",
        ),
    ];

    pub(crate) fn caught(self) -> Option<String> {
        let checks = attacked(&self, 2000).unwrap();
        found(&checks).first().map(|name| (*name).to_owned())
    }

    /// Counts that the pipeline is charged for, and their noise.
    fn charged(self) -> (usize, f64) {
        match self {
            Self::NoiseOfAnotherStage => (1, 4.0),
            Self::BestOfManyByTheData => (64, 16.0),
            _ => (1, 2.0),
        }
    }

    fn run(self, values: &[f64], seed: u64) -> f64 {
        let (sets, noise) = self.charged();
        match self {
            Self::BoundsFromData => {
                let most = values.iter().copied().fold(0.0, f64::max);
                let codes = values.iter().map(|v| (v / most * 9.0) as u16).collect();
                counts(10, codes, sets, noise, seed)[0][0] as f64
            }
            Self::CategoriesFromData => {
                let mut categories: Vec<u16> = values.iter().map(|&v| v as u16).collect();
                categories.sort_unstable();
                categories.dedup();
                let code = |v: f64| categories.binary_search(&(v as u16)).unwrap() as u16;
                let codes = values.iter().map(|&v| code(v)).collect();
                counts(categories.len() as u32, codes, sets, noise, seed)[0].len() as f64
            }
            Self::RowsAsManyAsUnits => {
                let codes = vec![0; values.len()];
                let table = counts(1, codes, sets, noise, seed);
                let synthetic = vec![table[0][0]; values.len()];
                synthetic.len() as f64
            }
            Self::NoiseOfAnotherStage => {
                let codes = vec![0; values.len()];
                counts(1, codes, sets, 1.0, seed)[0][0] as f64
            }
            Self::BestOfManyByTheData => {
                let tables = counts(1, vec![0; values.len()], sets, noise, seed);
                let error = |count: i64| (count - values.len() as i64).abs();
                let best = tables.iter().map(|table| table[0]);
                best.min_by_key(|&count| error(count)).unwrap() as f64
            }
        }
    }
}

impl Subject for Pipeline {
    fn name(&self) -> String {
        let what = Self::ALL.iter().find(|(pipeline, _)| pipeline == self);
        format!("a pipeline with {}", what.unwrap().1)
    }

    fn claim(&self) -> Result<Claim, AuditError> {
        let (sets, noise) = self.charged();
        let delta = 1e-5;
        let event = mechanism(sets, noise).event();
        let adjacency = Adjacency::AddOrRemoveOne;
        let epsilon = accountant::epsilon(&event, adjacency, Delta::new(delta).unwrap());
        Ok(Claim {
            epsilon: epsilon.unwrap(),
            delta,
            pair: Some(Pair::gaussian(noise / (sets as f64).sqrt())),
        })
    }

    fn observe(&self, world: World, runs: usize, seed: u64) -> Result<Vec<Vec<f64>>, AuditError> {
        let mut values: Vec<f64> = (0..60).map(|i| f64::from(i % 10)).collect();
        if world == World::With {
            values.push(1000.0);
        }
        let run = |run: usize| self.run(&values, seed.wrapping_add(run as u64));
        Ok(vec![(0..runs).map(run).collect()])
    }
}

fn mechanism(sets: usize, noise: f64) -> Mechanism {
    Mechanism::Marginals(Marginals {
        column_sets: vec![vec![0]; sets],
        noise_multiplier: NoiseMultiplier::new(noise).unwrap(),
    })
}

fn counts(size: u32, codes: Vec<u16>, sets: usize, noise: f64, seed: u64) -> Vec<Vec<i64>> {
    let mechanisms = vec![mechanism(sets, noise)];
    let mut paid: Paid = insecure::paid(PrivacyUnit::Row, mechanisms, Taint::FixedSeed, seed);
    let data = Private::load(&paid, (size, codes), |(size, codes)| {
        Records::rows(vec![size], codes)
    });
    let authorized = paid.authorize::<Marginals>().unwrap();
    authorized.measure(&data.unwrap()).unwrap().to_vec()
}

#[test]
fn a_right_pipeline_is_not_found() {
    /// The same counts with public bounds and categories, and the noise that is charged.
    struct Right;
    impl Subject for Right {
        fn name(&self) -> String {
            "right".to_owned()
        }
        fn claim(&self) -> Result<Claim, AuditError> {
            Pipeline::BoundsFromData.claim()
        }
        fn observe(
            &self,
            world: World,
            runs: usize,
            seed: u64,
        ) -> Result<Vec<Vec<f64>>, AuditError> {
            let mut codes: Vec<u16> = (0..60).map(|i| i % 10).collect();
            if world == World::With {
                codes.push(9);
            }
            let run = |run: usize| {
                let table = counts(10, codes.clone(), 1, 2.0, seed.wrapping_add(run as u64));
                table[0][9] as f64
            };
            Ok(vec![(0..runs).map(run).collect()])
        }
    }
    assert!(found(&attacked(&Right, 2000).unwrap()).is_empty());
    // The unit count takes part in no pipeline here; a charge for it is refused to other kinds.
    let count = Mechanism::UnitCount(UnitCount {
        noise_multiplier: NoiseMultiplier::new(2.0).unwrap(),
    });
    let mut paid = insecure::paid(PrivacyUnit::Row, vec![count], Taint::FixedSeed, 1);
    assert!(paid.authorize::<Marginals>().is_err());
}
