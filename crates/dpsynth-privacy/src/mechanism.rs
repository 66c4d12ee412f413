//! Mechanisms as data: what the ledger records, the accountant prices, and the core then runs.

use serde::{Deserialize, Serialize};

use crate::event::DpEvent;
use crate::numbers::{
    ClipNorm, Delta, Epsilon, NoiseMultiplier, QuantileLevel, SamplingRate, StepCount,
};

/// One mechanism of a charge, with every number that its price and its noise depend on.
///
/// The same value is priced, written to the ledger, and read by the code that adds the noise, so
/// the three cannot disagree. Every noise multiplier is relative to what a *whole privacy unit*
/// can change.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "mechanism", rename_all = "snake_case")]
pub enum Mechanism {
    /// A noisy number of privacy units.
    UnitCount(UnitCount),
    /// Counts of every cell of some column sets, with discrete Laplace noise.
    LaplaceCounts(LaplaceCounts),
    /// Noisy counts of every cell of some column sets.
    Marginals(Marginals),
    /// Noisy counts of column sets that are chosen while it runs.
    ChosenMarginals(ChosenMarginals),
    /// The categories of a column that nobody has listed, with noisy counts.
    OpenCategories(OpenCategories),
    /// Quantiles of a column of numbers.
    Quantiles(Quantiles),
    /// The most frequent cells of a column set.
    TopCells(TopCells),
    /// Noisy distances between the records and public rows.
    Distances(Distances),
    /// Training by noisy clipped gradient sums over Poisson samples of units.
    DpSgd(DpSgd),
}

/// A noisy number of privacy units: sensitivity 1, Gaussian noise rounded to the integers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UnitCount {
    /// Standard deviation of the noise, in units.
    pub noise_multiplier: NoiseMultiplier,
}

/// Noisy counts of every cell of some column sets.
///
/// Each column set is a mechanism of its own. A unit changes the counts of one set by at most its
/// number of rows, so the noise has a standard deviation of `noise_multiplier` times the largest
/// number of rows of a unit.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Marginals {
    /// Indices of the columns of each marginal.
    pub column_sets: Vec<Vec<u32>>,
    /// Standard deviation of the noise over the sensitivity of one marginal.
    pub noise_multiplier: NoiseMultiplier,
}

/// Noisy counts of column sets that are chosen one after another, each in the light of the noisy
/// counts before it.
///
/// The whole of it is one Gaussian mechanism of `noise_multiplier`. Every marginal takes a share of
/// its precision, which is the inverse square of the noise, and the shares add up to 1 at most.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ChosenMarginals {
    /// Standard deviation, over the sensitivity, of the noise that one marginal with all of the
    /// precision would have.
    pub noise_multiplier: NoiseMultiplier,
}

/// Noisy distances between the records and public rows, for some groups of column sets.
///
/// A distance is the sum over all cells of all column sets of a group of |count of the records − scaled
/// count of the public rows|. Each group is a mechanism of its own. A unit changes its sum by at most
/// its number of rows times the column sets of the group, so the noise has a standard deviation of
/// `noise_multiplier` times that.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Distances {
    /// Indices of the columns of each column set of each group.
    pub groups: Vec<Vec<Vec<u32>>>,
    /// Standard deviation of the noise over the sensitivity of one group.
    pub noise_multiplier: NoiseMultiplier,
}

/// DP-SGD: `steps` times a Poisson sample, per-unit clipping to `clip_norm`, a sum, and noise.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DpSgd {
    /// Probability with which each unit takes part in a step.
    pub sampling_rate: SamplingRate,
    /// Number of steps.
    pub steps: StepCount,
    /// Standard deviation of the noise over the clip norm.
    pub noise_multiplier: NoiseMultiplier,
    /// Largest L2 norm of a unit's gradient.
    pub clip_norm: ClipNorm,
}

/// Counts of every cell of some column sets, with discrete Laplace noise: pure ε.
///
/// Each column set is a mechanism of its own. A unit changes the counts of one set by at most its
/// number of rows in L1, so the noise has a scale of the largest number of rows of a unit over
/// `epsilon`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LaplaceCounts {
    /// Indices of the columns of each set.
    pub column_sets: Vec<Vec<u32>>,
    /// What one column set costs under adding or removing a unit.
    pub epsilon: Epsilon,
}

/// The categories of a column that nobody has listed, with noisy counts; those whose noisy count
/// is below a threshold are left out.
///
/// The noise is discrete Laplace of scale `max_rows / epsilon`, and the threshold is the smallest
/// at which a category of one unit alone shows with probability at most `delta`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OpenCategories {
    /// The ε under adding or removing a unit.
    pub epsilon: Epsilon,
    /// The chance that a category of one unit alone is released, which the threshold keeps to.
    pub delta: Delta,
}

/// Quantiles of a column of numbers, chosen among public candidates: pure ε.
///
/// Each level is a mechanism of its own: permute-and-flip over the candidates, whose scores say how
/// far the counts below and above are from the level.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Quantiles {
    /// Which quantiles.
    pub levels: Vec<QuantileLevel>,
    /// The values that may be released, strictly increasing.
    pub candidates: Vec<i64>,
    /// What one level costs under adding or removing a unit.
    pub epsilon: Epsilon,
}

/// The most frequent cells of a column set, without their counts: pure ε.
///
/// Permute-and-flip, repeated without the cells that were chosen before; one cell is report noisy
/// max.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TopCells {
    /// Indices of the columns.
    pub columns: Vec<u32>,
    /// How many cells, at least 1.
    pub cells: u32,
    /// What all of them together cost under adding or removing a unit.
    pub epsilon: Epsilon,
}

impl Mechanism {
    /// Describes the mechanism as an event for the accountants.
    ///
    /// The event is in units of the sensitivity under adding or removing one unit; an accountant
    /// doubles it for replacing one.
    ///
    /// # Guarantee
    /// The event's noise multiplier is the very number that the mechanism draws its noise with;
    /// clipping and counting bound the sensitivity that it is relative to. Where the event is a
    /// pair of ε and δ, the mechanism compares OpenDP's own account with that pair before it runs.
    #[must_use]
    pub fn event(&self) -> DpEvent {
        match self {
            Self::UnitCount(count) => gaussian(count.noise_multiplier),
            Self::LaplaceCounts(counts) => repeated(pure(counts.epsilon), counts.column_sets.len()),
            Self::Marginals(marginals) => repeated(
                gaussian(marginals.noise_multiplier),
                marginals.column_sets.len(),
            ),
            Self::ChosenMarginals(chosen) => gaussian(chosen.noise_multiplier),
            Self::Distances(distances) => {
                repeated(gaussian(distances.noise_multiplier), distances.groups.len())
            }
            Self::OpenCategories(categories) => DpEvent::EpsilonDelta {
                epsilon: categories.epsilon.value(),
                delta: categories.delta.value(),
            },
            Self::Quantiles(quantiles) => repeated(pure(quantiles.epsilon), quantiles.levels.len()),
            Self::TopCells(top) => pure(top.epsilon),
            Self::DpSgd(sgd) => DpEvent::SelfComposed {
                event: Box::new(DpEvent::PoissonSampled {
                    sampling_probability: sgd.sampling_rate.value(),
                    event: Box::new(gaussian(sgd.noise_multiplier)),
                }),
                count: sgd.steps.value(),
            },
        }
    }
}

impl Mechanism {
    /// Describes, as an event to be priced under *replace one*, what the mechanism shows of one row
    /// of a unit of at most `max_rows` rows: whether the row is there at all, and what it says.
    ///
    /// # Guarantee
    /// With the choice of kept rows coupled, a row that comes, goes or changes takes at most one of
    /// its unit's rows from the records and puts at most one in. That moves the counts of one column
    /// set by at most √2 in L2, where the noise was made for `max_rows`, and the number of units by
    /// at most 1. Every other mechanism sees another contribution of the unit, within the same
    /// bounds. Events of replacing are priced at twice their sensitivity, so the noise multipliers
    /// here are twice the noise over what a row moves, rounded down. The argument is in
    /// `docs/claim.md`; the test `one_row_moves_counts_by_at_most_what_its_event_says` checks the
    /// counts, and `events_of_a_row_are_priced_at_what_a_row_moves` the multipliers.
    #[must_use]
    pub fn event_of_row(&self, max_rows: u32) -> DpEvent {
        let rows = f64::from(max_rows);
        // Down: divided by a double above √2, and rounded down again.
        let moved = (2.0 * rows / std::f64::consts::SQRT_2.next_up()).next_down();
        let scaled = |noise: NoiseMultiplier, factor: f64| DpEvent::Gaussian {
            noise_multiplier: (noise.value() * factor).next_down(),
        };
        match self {
            Self::UnitCount(count) => scaled(count.noise_multiplier, 2.0),
            Self::Marginals(marginals) => repeated(
                scaled(marginals.noise_multiplier, moved),
                marginals.column_sets.len(),
            ),
            Self::ChosenMarginals(chosen) => scaled(chosen.noise_multiplier, moved),
            Self::LaplaceCounts(_)
            | Self::OpenCategories(_)
            | Self::Quantiles(_)
            | Self::TopCells(_)
            | Self::Distances(_)
            | Self::DpSgd(_) => self.event(),
        }
    }
}

/// The event `count` times.
fn repeated(event: DpEvent, count: usize) -> DpEvent {
    match u32::try_from(count) {
        Ok(0) => DpEvent::Composed { events: Vec::new() },
        Ok(count) => DpEvent::SelfComposed {
            event: Box::new(event),
            count,
        },
        // Up: more of them than an event can count have no price.
        Err(_) => DpEvent::NonPrivate,
    }
}

fn pure(epsilon: Epsilon) -> DpEvent {
    DpEvent::EpsilonDelta {
        epsilon: epsilon.value(),
        delta: 0.0,
    }
}

fn gaussian(noise_multiplier: NoiseMultiplier) -> DpEvent {
    DpEvent::Gaussian {
        noise_multiplier: noise_multiplier.value(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sigma(value: f64) -> NoiseMultiplier {
        NoiseMultiplier::new(value).expect("in range")
    }

    fn sgd() -> DpSgd {
        DpSgd {
            sampling_rate: SamplingRate::at_most(0.01).expect("in range"),
            steps: StepCount::new(1000).expect("in range"),
            noise_multiplier: sigma(1.1),
            clip_norm: ClipNorm::new(1.0).expect("in range"),
        }
    }

    #[test]
    fn dp_sgd_prices_the_rate_that_the_sampler_uses() {
        let expected = DpEvent::SelfComposed {
            event: Box::new(DpEvent::PoissonSampled {
                sampling_probability: sgd().sampling_rate.threshold() as f64 / 4_294_967_296.0,
                event: Box::new(DpEvent::Gaussian {
                    noise_multiplier: 1.1,
                }),
            }),
            count: 1000,
        };
        assert_eq!(Mechanism::DpSgd(sgd()).event(), expected);
    }

    #[test]
    fn every_marginal_has_a_price_of_its_own() {
        let marginals = |sets: Vec<Vec<u32>>| {
            Mechanism::Marginals(Marginals {
                column_sets: sets,
                noise_multiplier: sigma(5.0),
            })
            .event()
        };
        assert_eq!(marginals(vec![]), DpEvent::Composed { events: vec![] });
        assert!(matches!(
            marginals(vec![vec![0], vec![1, 2]]),
            DpEvent::SelfComposed { count: 2, .. }
        ));
    }

    #[test]
    fn mechanisms_of_opendp_are_priced_at_what_they_state() {
        let epsilon = Epsilon::new(0.25).expect("in range");
        let counts = |sets: usize| {
            Mechanism::LaplaceCounts(LaplaceCounts {
                column_sets: vec![vec![0]; sets],
                epsilon,
            })
            .event()
        };
        assert_eq!(counts(0), DpEvent::Composed { events: vec![] });
        let one = DpEvent::EpsilonDelta {
            epsilon: 0.25,
            delta: 0.0,
        };
        assert_eq!(
            counts(3),
            DpEvent::SelfComposed {
                event: Box::new(one.clone()),
                count: 3
            }
        );
        let top = TopCells {
            columns: vec![0],
            cells: 9,
            epsilon,
        };
        assert_eq!(Mechanism::TopCells(top).event(), one);
    }

    #[test]
    fn events_of_a_row_are_priced_at_what_a_row_moves() {
        let chosen = Mechanism::ChosenMarginals(ChosenMarginals {
            noise_multiplier: sigma(5.0),
        });
        let noise = |event: &DpEvent| match event {
            DpEvent::Gaussian { noise_multiplier } => *noise_multiplier,
            other => panic!("{other:?}"),
        };
        for rows in [1u32, 2, 5, 128] {
            // Noise of 5·rows over a move of √2, twice, because replacing halves it.
            let exact = 2.0 * 5.0 * f64::from(rows) / 2.0f64.sqrt();
            let stated = noise(&chosen.event_of_row(rows));
            assert!(stated < exact && stated > exact * (1.0 - 1e-15), "{stated}");
        }
        let count = Mechanism::UnitCount(UnitCount {
            noise_multiplier: sigma(3.0),
        });
        assert!(noise(&count.event_of_row(7)) <= 6.0);
        assert_eq!(
            Mechanism::DpSgd(sgd()).event_of_row(5),
            Mechanism::DpSgd(sgd()).event()
        );
        let marginals = Mechanism::Marginals(Marginals {
            column_sets: vec![vec![0], vec![1]],
            noise_multiplier: sigma(5.0),
        });
        assert!(matches!(
            marginals.event_of_row(5),
            DpEvent::SelfComposed { count: 2, .. }
        ));
    }

    #[test]
    fn what_is_written_is_what_is_read_and_nothing_else_is_accepted() {
        let text = serde_json::to_string(&Mechanism::DpSgd(sgd())).expect("plain data");
        assert!(text.starts_with(r#"{"mechanism":"dp_sgd","#), "{text}");
        assert_eq!(
            serde_json::from_str::<Mechanism>(&text).expect("our own text"),
            Mechanism::DpSgd(sgd())
        );
        for bad in [
            text.replace("1.1", "-1.1"),
            text.replace("1.1", "null"),
            text.replace("\"steps\":1000", "\"steps\":0"),
            text.replace("clip_norm", "clip"),
            text.replace("dp_sgd", "other"),
        ] {
            assert!(serde_json::from_str::<Mechanism>(&bad).is_err(), "{bad}");
        }
    }
}
