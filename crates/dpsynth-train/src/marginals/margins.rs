//! Shares of single groups, from everything that says something about them.

use super::denoise::project;
use super::measurements::Measurements;

/// Shares of single groups within each class; they are not negative and add up.
#[derive(Clone, Debug)]
pub(super) struct Margins {
    /// Share of each class; a single 1 without classes.
    pub(super) classes: Vec<f64>,
    /// Shares of the groups of all blocks, by class; each block's add up to the class.
    pub(super) singles: Vec<Vec<f64>>,
    /// Where each block's groups start; the total at the end.
    pub(super) starts: Vec<usize>,
}

impl Margins {
    /// Averages, by their precisions, single columns, sums of pairs and one-way counts.
    pub(super) fn new(measurements: &Measurements) -> Self {
        let mut starts = vec![0];
        for size in measurements.block_sizes() {
            starts.push(starts[starts.len() - 1] + size);
        }
        let groups = starts[starts.len() - 1];
        let classes = class_shares(measurements, &starts);
        let mut averages: Vec<_> = (0..classes.len())
            .map(|class| within_class(measurements, &starts, class))
            .collect();
        for group in 0..groups {
            reconcile(measurements, &mut averages, group);
        }
        let singles = averages
            .iter()
            .zip(&classes)
            .map(|(averages, &class)| {
                starts
                    .windows(2)
                    .flat_map(|block| {
                        let shares: Vec<_> = averages[block[0]..block[1]]
                            .iter()
                            .map(|average| average.share)
                            .collect();
                        project(&shares, class)
                    })
                    .collect()
            })
            .collect();
        Self {
            classes,
            singles,
            starts,
        }
    }

    /// Shares of the groups of a block within a class.
    pub(super) fn of(&self, class: usize, block: usize) -> &[f64] {
        &self.singles[class][self.starts[block]..self.starts[block + 1]]
    }
}

/// An average by precision.
#[derive(Clone, Copy, Debug, Default)]
struct Average {
    share: f64,
    precision: f64,
}

impl Average {
    fn learn(&mut self, share: f64, precision: f64) {
        if precision > 0.0 {
            let sum = self.precision + precision;
            self.share += (share - self.share) * precision / sum;
            self.precision = sum;
        }
    }
}

fn class_shares(measurements: &Measurements, starts: &[usize]) -> Vec<f64> {
    if measurements.classes.is_empty() {
        return vec![1.0];
    }
    let groups = starts[starts.len() - 1];
    let mut shares = Vec::new();
    for (&(share, precision), slice) in measurements.classes.iter().zip(&measurements.slices) {
        let mut average = Average::default();
        average.learn(f64::from(share), f64::from(precision));
        for (a, rows) in starts.windows(2).enumerate() {
            let rows = rows[0]..rows[1];
            average.learn(
                slice.singles[rows.clone()]
                    .iter()
                    .map(|&s| f64::from(s))
                    .sum(),
                f64::from(slice.single_precision[rows.start]) / rows.len() as f64,
            );
            for columns in starts[a + 1..].windows(2) {
                let columns = columns[0]..columns[1];
                let cells = rows.clone().flat_map(|row| {
                    let row = row * groups;
                    slice.pairs[row + columns.start..row + columns.end].iter()
                });
                average.learn(
                    cells.map(|&s| f64::from(s)).sum(),
                    f64::from(slice.pair_precision[rows.start * groups + columns.start])
                        / (rows.len() * columns.len()) as f64,
                );
            }
        }
        shares.push(average.share);
    }
    project(&shares, 1.0)
}

fn within_class(measurements: &Measurements, starts: &[usize], class: usize) -> Vec<Average> {
    let slice = &measurements.slices[class];
    let groups = starts[starts.len() - 1];
    (0..groups)
        .map(|group| {
            let mut average = Average::default();
            let single = f64::from(slice.singles[group]);
            average.learn(single, f64::from(slice.single_precision[group]));
            for block in starts.windows(2) {
                let cells = group * groups + block[0]..group * groups + block[1];
                let sum = slice.pairs[cells.clone()]
                    .iter()
                    .map(|&s| f64::from(s))
                    .sum();
                // What was not measured, such as a block with itself, has a precision of 0.
                let precision = f64::from(slice.pair_precision[cells.start]);
                average.learn(sum, precision / cells.len() as f64);
            }
            average
        })
        .collect()
}

/// Joins what the classes say about a group with its share among all rows: what that adds is
/// parted among the classes by their variances.
fn reconcile(measurements: &Measurements, averages: &mut [Vec<Average>], group: usize) {
    let share = f64::from(measurements.one_way[group]);
    let precision = f64::from(measurements.one_way_precision[group]);
    if averages.iter().any(|class| class[group].precision == 0.0) {
        // A table of one column has no pairs.
        averages
            .iter_mut()
            .for_each(|class| class[group].learn(share, precision));
        return;
    }
    let variance: f64 = averages
        .iter()
        .map(|class| class[group].precision.recip())
        .sum();
    let sum: f64 = averages.iter().map(|class| class[group].share).sum();
    let missing = (share - sum) * precision / (precision + variance.recip());
    for class in averages {
        class[group].share += missing * class[group].precision.recip() / variance;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::marginals::Grouping;
    use crate::marginals::measurements::Slice;

    /// Two columns of two groups each within two classes; pairs say 0.1 and 0.15 for each cell.
    fn measured(one_way: f32, one_way_precision: f32) -> Measurements {
        let mut slices = Vec::new();
        for share in [0.1f32, 0.15] {
            let mut slice = Slice::unknown(4);
            for pair in [(0, 2), (0, 3), (1, 2), (1, 3)] {
                slice.learn_pair(4, pair, share, 1e4);
            }
            slices.push(slice);
        }
        Measurements {
            groupings: vec![Grouping::each(2), Grouping::each(2), Grouping::each(2)],
            split_by: Some(2),
            classes: vec![(0.4, 1e4), (0.6, 1e4)],
            slices,
            one_way: vec![one_way, 1.0 - one_way, 0.5, 0.5],
            one_way_precision: vec![one_way_precision; 4],
            total: 1000.0,
            close_pairs: Vec::new(),
            tree: Vec::new(),
        }
    }

    #[test]
    fn what_agrees_is_kept() {
        let margins = Margins::new(&measured(0.5, 1e4));
        assert!((margins.classes[0] - 0.4).abs() < 1e-6);
        for (class, half) in [(0, 0.2), (1, 0.3)] {
            for block in 0..2 {
                let shares = margins.of(class, block);
                assert!(
                    shares.iter().all(|share| (share - half).abs() < 1e-6),
                    "{shares:?}"
                );
            }
        }
    }

    #[test]
    fn what_disagrees_is_averaged_by_precision_and_adds_up() {
        // A row sum of two cells has half of their precision, and the sum of two classes a quarter.
        let margins = Margins::new(&measured(0.6, 2500.0));
        let first = margins.of(0, 0)[0] + margins.of(1, 0)[0];
        assert!((first - 0.55).abs() < 1e-6, "{first}");
        // However wild, shares are not negative and add up to their class.
        for wild in [-3.0, 0.0, 5.0] {
            let margins = Margins::new(&measured(wild, 1e9));
            for class in 0..2 {
                let shares = margins.of(class, 0);
                assert!(shares.iter().all(|&share| share >= 0.0));
                assert!((shares.iter().sum::<f64>() - margins.classes[class]).abs() < 1e-9);
            }
        }
    }
}
