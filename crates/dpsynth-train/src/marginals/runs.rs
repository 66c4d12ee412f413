//! Runs of neighbouring cells that single columns are counted in, where there is too much noise for cells.

use super::grouping::{CodeOrder, Grouping};
use super::measure::MeasurePlan;

/// For each column, the run that each code belongs to.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Runs(Vec<Vec<u16>>);

impl Runs {
    /// Joins neighbouring cells of a line until the noise of all runs together is a certain part of
    /// the rows; a function of public figures. `shares` are those of the columns.
    pub(super) fn new(plan: &MeasurePlan, shares: &[f64]) -> Self {
        let columns = plan.codes.iter().zip(&plan.orders).zip(shares).enumerate();
        let of_column = |(column, ((&codes, &order), &share)): (usize, ((&u32, _), &f64))| {
            let noise_stddev = plan.noise_stddev / share.sqrt();
            let most = (NOISE_TO_ROWS * plan.units / noise_stddev).powi(2);
            let most = (most as u64).max(FEWEST_RUNS);
            match order {
                CodeOrder::Ordered { values }
                    if u64::from(values) > most && Some(column) != plan.target =>
                {
                    let run = |code: u32| match code < values {
                        true => u64::from(code) * most / u64::from(values),
                        false => most + u64::from(code - values),
                    };
                    numbered(codes, run, &plan.alone[column])
                }
                _ => (0..codes).map(|code| code as u16).collect(),
            }
        };
        Self(columns.map(of_column).collect())
    }

    /// The run of each code of each column, unless each has one of its own.
    pub(super) fn merged_codes(&self) -> Option<&[Vec<u16>]> {
        let alone = |runs: &Vec<u16>| {
            runs.iter()
                .enumerate()
                .all(|(code, &run)| code == usize::from(run))
        };
        (!self.0.iter().all(alone)).then_some(&self.0)
    }

    /// What the order of a column's runs means.
    pub(super) fn order(&self, column: usize, order: CodeOrder) -> CodeOrder {
        let CodeOrder::Ordered { values } = order else {
            return order;
        };
        // The last code of the line; a plan may say that there are more than codes.
        let runs = &self.0[column];
        let line = runs.len().min(values as usize);
        CodeOrder::Ordered {
            values: runs[..line].last().map_or(0, |&run| u32::from(run) + 1),
        }
    }

    /// The grouping of a column's codes that one of its runs means: within a run all weigh alike.
    pub(super) fn of_codes(&self, column: usize, grouping: &Grouping) -> Grouping {
        let runs = &self.0[column];
        let mut sizes = vec![0.0f32; grouping.group_of.len()];
        for &run in runs {
            sizes[usize::from(run)] += 1.0;
        }
        let of = |run: &u16| usize::from(*run);
        Grouping {
            group_of: runs.iter().map(|run| grouping.group_of[of(run)]).collect(),
            weights: (runs.iter())
                .map(|run| grouping.weights[of(run)] / sizes[of(run)])
                .collect(),
        }
    }
}

/// Numbers runs in the order of their codes, where the codes that are `alone` have one for themselves.
fn numbered(codes: u32, run: impl Fn(u32) -> u64, alone: &[u32]) -> Vec<u16> {
    let mut number = 0;
    (0..codes)
        .map(|code| {
            let apart = |code| alone.contains(&code);
            if code > 0 && (run(code) != run(code - 1) || apart(code) || apart(code - 1)) {
                // OK because a column has at most 65,536 codes.
                number += 1;
            }
            number
        })
        .collect()
}

/// Noise of all runs of a line together, at most, over the rows.
const NOISE_TO_ROWS: f64 = 0.125;

/// Runs that a line has at least.
const FEWEST_RUNS: u64 = 16;

#[cfg(test)]
mod tests {
    use super::super::measure::{MeasureShares, PairChoice};
    use super::*;

    fn plan(units: f64) -> MeasurePlan {
        let shares = MeasureShares {
            one_way: 0.5,
            by_class: 0.1,
            all_pairs: 0.2,
            noise_to_cell: 1.0,
        };
        MeasurePlan {
            codes: vec![701, 701, 12, 3],
            orders: vec![
                CodeOrder::Ordered { values: 700 },
                CodeOrder::Ordered { values: 701 },
                CodeOrder::Ordered { values: 12 },
                CodeOrder::Nominal,
            ],
            alone: vec![Vec::new(); 4],
            target: Some(1),
            pairs: PairChoice::Dependent,
            units,
            noise_stddev: 10.0,
            shares,
        }
    }

    const SHARES: [f64; 4] = [0.25; 4];

    #[test]
    fn cells_are_joined_where_the_noise_of_all_would_hide_the_rows() {
        // Noise of 20 in each count: 100 runs have 200 together, an eighth of 1,600 rows.
        let runs = Runs::new(&plan(1600.0), &SHARES);
        let merged = runs.merged_codes().unwrap();
        assert!(merged[0].is_sorted());
        assert_eq!((merged[0][0], merged[0][699]), (0, 99));
        // The code for missing values stays alone, and so do the target, few cells and categories.
        assert_eq!(merged[0][700], 100);
        assert_eq!(merged[1][700], 700);
        assert_eq!(merged[2], (0..12).collect::<Vec<u16>>());
        let sizes = |run| merged[0].iter().filter(|&&of| of == run).count();
        assert!((0..100).all(|run| sizes(run) == 7));
        let order = runs.order(0, CodeOrder::Ordered { values: 700 });
        assert_eq!(order, CodeOrder::Ordered { values: 100 });
        for (values, line) in [(0, 0), (12, 12), (90, 12)] {
            let order = runs.order(2, CodeOrder::Ordered { values });
            assert_eq!(order, CodeOrder::Ordered { values: line });
        }
        assert_eq!(Runs::new(&plan(4250.0), &SHARES).merged_codes(), None);
        // However few rows there are, a line keeps some runs.
        let runs = Runs::new(&plan(1.0), &SHARES);
        assert_eq!(runs.merged_codes().unwrap()[0][699], 15);
        assert_eq!(runs.merged_codes().unwrap()[2][11], 11);
    }

    #[test]
    fn values_that_stand_alone_are_counted_alone() {
        let plan = MeasurePlan {
            alone: vec![vec![0, 344, 349, 350, 699], vec![], vec![], vec![]],
            ..plan(1600.0)
        };
        let runs = Runs::new(&plan, &SHARES);
        let merged = &runs.merged_codes().unwrap()[0];
        assert!(merged.is_sorted());
        let alone = |code: usize| merged.iter().filter(|run| **run == merged[code]).count() == 1;
        assert!([0, 344, 349, 350, 699, 700].into_iter().all(alone));
        // The others keep their runs, but for what was taken out of them.
        assert_eq!((merged[1], merged[6], merged[7]), (1, 1, 2));
        assert_eq!(
            (merged[343], merged[345]),
            (merged[344] - 1, merged[344] + 1)
        );
        let order = runs.order(0, CodeOrder::Ordered { values: 700 });
        assert_eq!(
            order,
            CodeOrder::Ordered {
                values: u32::from(merged[699]) + 1
            }
        );
    }

    #[test]
    fn the_codes_of_a_run_share_its_group_and_its_weight() {
        let runs = Runs::new(&plan(1600.0), &SHARES);
        let of_runs = Grouping {
            group_of: (0..101).map(|run| run / 10).collect(),
            weights: (0..101u16).map(|run| f32::from(run % 3)).collect(),
        };
        let of_codes = runs.of_codes(0, &of_runs);
        assert_eq!(of_codes.group_of.len(), 701);
        for (code, &run) in runs.0[0].iter().enumerate() {
            assert_eq!(of_codes.group_of[code], of_runs.group_of[usize::from(run)]);
        }
        let mass = |grouping: &Grouping, group| -> f32 {
            let codes = grouping.group_of.iter().zip(&grouping.weights);
            codes.filter(|(of, _)| **of == group).map(|(_, w)| w).sum()
        };
        for group in 0..=10 {
            let (found, expected) = (mass(&of_codes, group), mass(&of_runs, group));
            assert!((found - expected).abs() < 1e-4, "{group}");
        }
    }
}
