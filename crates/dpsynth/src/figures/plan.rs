//! What paid figures cost, decided before the data is opened.

use dpsynth_privacy::{
    Adjacency, Delta, Distances, DpEvent, Epsilon, Marginals, Mechanism, NoiseMultiplier,
    accountant,
};

use crate::plan::PlanError;

/// The mechanisms of paid figures, for a number of columns.
pub(super) struct FigurePlan {
    /// Rows by score and class, and their number where it is not public.
    pub(super) scores: Marginals,
    /// Mean distances of columns, pairs and triples; fewer groups where there are fewer columns.
    pub(super) means: Distances,
    /// The distance of each column.
    pub(super) columns: Distances,
}

impl FigurePlan {
    /// Parts the budget among the figures of `width` columns.
    ///
    /// # Errors
    /// If the budget is too small for any noise that the mechanisms support.
    pub(super) fn new(
        width: u32,
        counted: Counted,
        adjacency: Adjacency,
        epsilon: Epsilon,
        delta: Delta,
    ) -> Result<Self, PlanError> {
        let groups: Vec<Vec<Vec<u32>>> = [singles(width), pairs(width), triples(width)]
            .into_iter()
            .filter(|sets| !sets.is_empty())
            .collect();
        let each: Vec<Vec<Vec<u32>>> = (0..width).map(|column| vec![vec![column]]).collect();
        let parts = |base: NoiseMultiplier| {
            // A share of the budget is a share of the inverse square of the noise at which one Gaussian
            // would spend all of it (Dong, Roth & Su 2022, Corollary 3.3).
            let noise = |share: f64, mechanisms: usize| {
                NoiseMultiplier::new(base.value() * (mechanisms as f64 / share).sqrt())
            };
            Ok::<_, PlanError>(Self {
                scores: Marginals {
                    noise_multiplier: noise(SCORES, counted.sets(width).len())?,
                    column_sets: counted.sets(width),
                },
                means: Distances {
                    noise_multiplier: noise(MEANS, groups.len())?,
                    groups: groups.clone(),
                },
                columns: Distances {
                    noise_multiplier: noise(1.0 - SCORES - MEANS, each.len())?,
                    groups: each.clone(),
                },
            })
        };
        let base = accountant::calibrate(
            |base| parts(base).map_or(DpEvent::NonPrivate, |plan| plan.event()),
            adjacency,
            epsilon,
            delta,
        )?;
        parts(base)
    }

    pub(super) fn mechanisms(&self) -> Vec<Mechanism> {
        vec![
            Mechanism::Marginals(self.scores.clone()),
            Mechanism::Distances(self.means.clone()),
            Mechanism::Distances(self.columns.clone()),
        ]
    }

    fn event(&self) -> DpEvent {
        DpEvent::Composed {
            events: self.mechanisms().iter().map(Mechanism::event).collect(),
        }
    }
}

/// What is counted beside the columns. Of each record, the score follows the columns, and then a code that all
/// records share.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Counted {
    /// Scores; how many records there are is public.
    Scores,
    /// Scores, and how many records there are.
    ScoresAndRows,
}

impl Counted {
    fn sets(self, width: u32) -> Vec<Vec<u32>> {
        match self {
            Self::Scores => vec![vec![width]],
            Self::ScoresAndRows => vec![vec![width], vec![width + 1]],
        }
    }
}

/// Shares of the budget: the rest is for single columns.
const SCORES: f64 = 0.5;
const MEANS: f64 = 0.3;

fn singles(width: u32) -> Vec<Vec<u32>> {
    (0..width).map(|column| vec![column]).collect()
}

fn pairs(width: u32) -> Vec<Vec<u32>> {
    (0..width)
        .flat_map(|first| (first + 1..width).map(move |second| vec![first, second]))
        .collect()
}

/// At most [`MOST_TRIPLES`] of all triples, evenly spaced in their order.
fn triples(width: u32) -> Vec<Vec<u32>> {
    let all: Vec<Vec<u32>> = pairs(width)
        .into_iter()
        .flat_map(|pair| (pair[1] + 1..width).map(move |third| vec![pair[0], pair[1], third]))
        .collect();
    let kept = all.len().min(MOST_TRIPLES);
    (0..kept)
        .map(|place| all[place * all.len() / kept].clone())
        .collect()
}

const MOST_TRIPLES: usize = 100;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_budget_is_spent_and_not_exceeded() {
        let (epsilon, delta) = (Epsilon::new(0.1).unwrap(), Delta::new(1e-6).unwrap());
        for width in [1, 2, 15, 50] {
            for adjacency in [Adjacency::AddOrRemoveOne, Adjacency::ReplaceOne] {
                for counted in [Counted::Scores, Counted::ScoresAndRows] {
                    let plan = FigurePlan::new(width, counted, adjacency, epsilon, delta).unwrap();
                    let price = accountant::epsilon(&plan.event(), adjacency, delta).unwrap();
                    assert!(price <= 0.1 && price > 0.0999, "{price}");
                }
            }
        }
    }

    #[test]
    fn triples_are_spread_over_all() {
        assert!(triples(2).is_empty());
        assert_eq!(triples(3), [[0, 1, 2]]);
        let some = triples(15);
        assert_eq!(some.len(), MOST_TRIPLES);
        assert!((0..15).all(|column| some.iter().any(|set| set.contains(&column))));
    }
}
