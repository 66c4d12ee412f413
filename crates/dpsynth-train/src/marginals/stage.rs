//! How pairs of columns are measured before any of them is known: a function of public figures.

use super::measure::{MeasureOutlook, MeasurePlan, PairChoice};

/// The first measurement of pairs of columns.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct PairStage {
    /// The column within whose classes every pair is measured.
    pub(super) split_by: Option<usize>,
    /// Number of its classes, or 1.
    pub(super) classes: f64,
    /// What the plan's target gets beyond the other columns.
    pub(super) of_target: OfTarget,
    /// Share of the precision for single columns, which are counted before.
    pub(super) one_way: f64,
    /// Share of the precision for all of the pairs.
    pub(super) share: f64,
    /// Standard deviation of each count if all pairs of equal size were measured alike, in rows.
    pub(super) noise_stddev: f64,
    /// Into how many groups a line of cells is cut, so that the noise of a cell of a pair stays in
    /// proportion to the rows that a cell holds on average.
    pub(super) groups_of_a_line: f64,
}

/// How much more closely the pairs with the target are measured than the others.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum OfTarget {
    /// They get so many times the precision of others.
    Weight(f64),
    /// They are the only ones.
    Alone,
}

impl PairStage {
    /// Decides from the plan alone.
    ///
    /// Where rows are enough, every pair is measured within the classes of the target. Where they are
    /// not, the pairs with the target get more than others, the more the fewer the rows are for the
    /// noise; and where all other pairs would drown in it, they are left out.
    pub(super) fn new(plan: &MeasurePlan) -> Self {
        let columns = plan.codes.len() as f64;
        let within = plan.few_classes().and_then(|target| {
            let classes = f64::from(plan.codes[target]);
            let stage = Self::of_all(plan, (Some(target), classes), columns - 1.0);
            let fits = plan.pairs != PairChoice::Alike
                && classes <= MOST_SPLIT_CLASSES
                && columns >= 3.0
                && stage.groups(plan) >= FEWEST_SPLIT_GROUPS;
            fits.then_some(stage)
        });
        if let Some(stage) = within {
            return stage.clamped(plan);
        }
        let mut stage = Self::of_all(plan, (None, 1.0), columns);
        if plan.few_classes().is_some() && plan.pairs != PairChoice::Alike && columns >= 3.0 {
            let cells = FEWEST_GROUPS * FEWEST_GROUPS;
            let noise_to_rows = MEAN_ABSOLUTE * stage.noise_stddev * cells / plan.units;
            if noise_to_rows > HOPELESS && plan.pairs == PairChoice::Dependent {
                stage.of_target = OfTarget::Alone;
                // A pair with the target says something of the other column too.
                stage.one_way = stage.one_way.min(MOST_BESIDE_TARGET);
                stage.share = 1.0 - stage.one_way;
                stage.noise_stddev = plan.noise_stddev * ((columns - 1.0) / stage.share).sqrt();
            } else {
                let beyond = (noise_to_rows / SCARCE).max(1.0);
                stage.of_target = OfTarget::Weight(LEAST_WEIGHT * beyond.powi(3));
            }
        }
        stage.clamped(plan)
    }

    /// All pairs of `blocks` columns alike.
    fn of_all(plan: &MeasurePlan, (split_by, classes): (Option<usize>, f64), blocks: f64) -> Self {
        let share = match plan.pairs {
            PairChoice::Dependent | PairChoice::JunctionTree => plan.shares.all_pairs,
            PairChoice::Alike => 1.0 - plan.shares.one_way,
        };
        let pairs = (blocks * (blocks - 1.0) / 2.0).max(1.0);
        Self {
            split_by,
            classes,
            of_target: OfTarget::Weight(1.0),
            one_way: plan.shares.one_way,
            share,
            noise_stddev: plan.noise_stddev * (pairs / share).sqrt(),
            groups_of_a_line: FEWEST_GROUPS,
        }
    }

    fn groups(&self, plan: &MeasurePlan) -> f64 {
        (plan.shares.noise_to_cell * plan.units / (self.classes * self.noise_stddev)).sqrt()
    }

    fn clamped(mut self, plan: &MeasurePlan) -> Self {
        let most = match plan.pairs {
            PairChoice::Dependent | PairChoice::JunctionTree => MOST_GROUPS,
            PairChoice::Alike => MOST_ALIKE_GROUPS,
        };
        self.groups_of_a_line = self.groups(plan).clamp(FEWEST_GROUPS, most);
        self
    }
}

impl MeasurePlan {
    /// The target, if it has few classes.
    fn few_classes(&self) -> Option<usize> {
        self.target
            .filter(|&target| (2..=MOST_CLASSES).contains(&self.codes[target]))
    }

    /// Foretells the noise and the groups from public figures.
    #[must_use]
    pub fn outlook(&self) -> MeasureOutlook {
        let stage = PairStage::new(self);
        MeasureOutlook {
            one_way_noise: self.noise_stddev * (self.codes.len() as f64 / stage.one_way).sqrt(),
            pair_noise: stage.noise_stddev,
            groups: stage.groups_of_a_line,
            pairs: match (stage.split_by, stage.of_target) {
                (Some(_), _) => MeasuredPairs::WithinClasses,
                (None, OfTarget::Weight(_)) => MeasuredPairs::All,
                (None, OfTarget::Alone) => MeasuredPairs::OfTarget,
            },
        }
    }
}

/// Which pairs of columns are measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MeasuredPairs {
    /// All, within each class of the target.
    WithinClasses,
    /// All.
    All,
    /// Those with the target alone.
    OfTarget,
}

/// Most classes of a target within which pairs are measured.
const MOST_SPLIT_CLASSES: f64 = 4.0;
/// Most classes of a target whose pairs are measured more closely than others.
const MOST_CLASSES: u32 = 16;
/// Fewest groups of a line at which pairs are still measured within classes.
const FEWEST_SPLIT_GROUPS: f64 = 6.5;
const FEWEST_GROUPS: f64 = 6.0;
const MOST_GROUPS: f64 = 32.0;
/// The same where one number is taken from each pair, which finer groups hardly sharpen.
const MOST_ALIKE_GROUPS: f64 = 12.0;
/// Noise of all cells of a pair of columns of the fewest groups, over the rows, above which the
/// target's pairs get more than the least weight.
const SCARCE: f64 = 0.7;
/// The same, above which other pairs are not worth measuring.
const HOPELESS: f64 = 1.6;
/// Most that single columns get where the target's pairs alone are measured.
const MOST_BESIDE_TARGET: f64 = 0.75;
/// Precision of a pair with the target over that of others, at least.
const LEAST_WEIGHT: f64 = 3.0;
/// Mean of the absolute value of a standard normal draw.
pub(super) const MEAN_ABSOLUTE: f64 = 0.797_884_560_802_865_4;

#[cfg(test)]
mod tests {
    use super::super::grouping::CodeOrder;
    use super::super::measure::MeasureShares;
    use super::*;

    /// Ten columns, the last of which is a target of two classes.
    fn plan(units: f64) -> MeasurePlan {
        MeasurePlan {
            codes: vec![50, 50, 50, 50, 4, 4, 4, 4, 4, 2],
            orders: vec![CodeOrder::Nominal; 10],
            alone: vec![Vec::new(); 10],
            target: Some(9),
            pairs: PairChoice::Dependent,
            units,
            noise_stddev: 4.0,
            shares: MeasureShares {
                one_way: 0.5,
                by_class: 0.04,
                all_pairs: 0.2,
                noise_to_cell: 2.7,
            },
        }
    }

    #[test]
    fn the_fewer_rows_the_more_goes_to_the_target() {
        let stages = [1e6, 1500.0, 1300.0, 1100.0, 1000.0, 500.0];
        let stages = stages.map(|units| PairStage::new(&plan(units)));
        assert_eq!(stages[0].split_by, Some(9));
        assert_eq!(stages[0].of_target, OfTarget::Weight(1.0));
        let weights = stages[1..4].iter().map(|stage| match stage.of_target {
            OfTarget::Weight(weight) => weight,
            OfTarget::Alone => f64::INFINITY,
        });
        let weights: Vec<_> = weights.collect();
        assert!(weights[0] >= LEAST_WEIGHT);
        assert!(weights.is_sorted_by(|a, b| a < b), "{weights:?}");
        assert!(weights[2] < 50.0);
        for alone in &stages[4..] {
            assert_eq!((alone.of_target, alone.split_by), (OfTarget::Alone, None));
            assert_eq!((alone.one_way, alone.share), (0.5, 0.5));
            // Nine pairs instead of 45, and half of the precision instead of a fifth.
            assert!((alone.noise_stddev - 4.0 * f64::sqrt(18.0)).abs() < 1e-9);
        }
    }

    #[test]
    fn single_columns_leave_something_for_the_target() {
        let mut few = plan(500.0);
        few.shares.one_way = 0.85;
        let stage = PairStage::new(&few);
        assert_eq!((stage.one_way, stage.share), (MOST_BESIDE_TARGET, 0.25));
        few.target = None;
        assert_eq!(PairStage::new(&few).one_way, 0.85);
    }

    #[test]
    fn without_a_target_of_few_classes_all_pairs_are_measured_alike() {
        for units in [1e6, 500.0] {
            let many = MeasurePlan {
                target: Some(0),
                ..plan(units)
            };
            let none = MeasurePlan {
                target: None,
                ..plan(units)
            };
            let alike = MeasurePlan {
                pairs: PairChoice::Alike,
                ..plan(units)
            };
            for plan in [many, none, alike] {
                let stage = PairStage::new(&plan);
                assert_eq!(stage.of_target, OfTarget::Weight(1.0));
                assert_eq!(stage.split_by, None);
                assert_eq!(plan.outlook().pairs, MeasuredPairs::All);
            }
        }
        // A tree needs pairs of all columns.
        let tree = MeasurePlan {
            pairs: PairChoice::JunctionTree,
            ..plan(500.0)
        };
        assert!(matches!(PairStage::new(&tree).of_target, OfTarget::Weight(more) if more > 3.0));
    }
}
