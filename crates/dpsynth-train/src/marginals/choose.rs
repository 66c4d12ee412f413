//! Which pairs of columns are worth a close measurement, by what a broad one has shown.

use dpsynth_privacy::MeasuredMarginal;

use super::layout::Layout;
use super::stage::MEAN_ABSOLUTE;
use super::tree::{TreeNode, edges, grow};

impl Layout {
    /// Chooses the pairs to measure again: those whose distance from independence, beyond what the
    /// noise shows, exceeds what a close measurement would leave, as many as gain together.
    pub(super) fn close_pairs(
        &self,
        pairs: &[(usize, usize)],
        broad: &[MeasuredMarginal],
        broad_share: f64,
        share: f64,
    ) -> Vec<((usize, usize), f64)> {
        let mut scored = self.dependences(pairs, broad);
        scored.sort_by(|a, b| b.1.total_cmp(&a.1));
        let noise = self.whole_noise(pairs, broad, broad_share);
        let mut best = (f64::NEG_INFINITY, 0);
        let (mut signal, mut weight) = (0.0, 0.0);
        for (kept, &(pair, score)) in scored.iter().enumerate() {
            signal += score.max(0.0);
            weight += self.cells(pair).powf(2.0 / 3.0);
            // With shares in proportion to cells^(2/3), the summed errors are this.
            let error = MEAN_ABSOLUTE * noise * (weight / share).sqrt() * weight;
            if signal - error > best.0 || kept < FEWEST_CLOSE_PAIRS {
                best = (signal - error, kept + 1);
            }
        }
        let chosen: Vec<_> = scored[..best.1].iter().map(|&(pair, _)| pair).collect();
        let shares = self.shares(&chosen, share);
        chosen.into_iter().zip(shares).collect()
    }

    /// Chooses a junction tree of the blocks; the pairs within its cliques are to be measured again.
    ///
    /// A pair is worth its distance from independence, and costs what one more pair adds to the
    /// errors of all; that depends on how many there are, so the tree is grown a few times.
    pub(super) fn junction_tree(
        &self,
        pairs: &[(usize, usize)],
        broad: &[MeasuredMarginal],
        broad_share: f64,
        share: f64,
    ) -> Vec<TreeNode> {
        let scored = self.dependences(pairs, broad);
        let noise = self.whole_noise(pairs, broad, broad_share);
        let weight = |&pair: &(usize, usize)| self.cells(pair).powf(2.0 / 3.0);
        let sizes: Vec<_> = (0..self.blocks.len()).map(|b| self.groups(b)).collect();
        let most_cells = MOST_CLIQUE_CELLS / self.classes;
        let mut total = 0.0;
        let mut tree = Vec::new();
        for _ in 0..GROWTHS {
            // The derivative by the weight of the errors' sum, which `close_pairs` states.
            let price = DENOISED * 1.5 * MEAN_ABSOLUTE * noise * (total / share).sqrt();
            let gains: Vec<_> = scored
                .iter()
                .map(|(pair, score)| (*pair, score - price * weight(pair)))
                .collect();
            tree = grow(&sizes, &gains, most_cells);
            total = edges(&tree).iter().map(weight).sum();
        }
        if edges(&tree).is_empty() {
            // Where nothing stands out, any spanning tree is as good a use of what is left.
            let least = scored.iter().map(|s| s.1).fold(f64::INFINITY, f64::min);
            let gains: Vec<_> = scored
                .iter()
                .map(|&(pair, score)| (pair, score - least + 1.0))
                .collect();
            tree = grow(&sizes, &gains, 0);
        }
        tree
    }

    /// The noise of a marginal that would have all of the precision, in rows.
    fn whole_noise(
        &self,
        pairs: &[(usize, usize)],
        broad: &[MeasuredMarginal],
        broad_share: f64,
    ) -> f64 {
        let first = self.shares(pairs, broad_share)[0];
        broad[broad.len() - pairs.len()].noise_stddev * first.sqrt()
    }

    /// Distance of each pair from independence beyond what the noise shows, in rows.
    fn dependences(
        &self,
        pairs: &[(usize, usize)],
        broad: &[MeasuredMarginal],
    ) -> Vec<((usize, usize), f64)> {
        // Single columns within classes come before the pairs.
        let broad = &broad[broad.len() - pairs.len()..];
        pairs
            .iter()
            .zip(broad)
            .map(|(&pair, table)| {
                let noise = MEAN_ABSOLUTE * table.noise_stddev * self.cells(pair);
                (pair, self.distance_from_independence(pair, table) - noise)
            })
            .collect()
    }

    /// Sum of the absolute differences between a measured pair and the product of its margins,
    /// within each class.
    fn distance_from_independence(&self, (a, b): (usize, usize), table: &MeasuredMarginal) -> f64 {
        let (rows, columns) = (self.groups(a), self.groups(b));
        let mut distance = 0.0;
        for class in 0..self.classes {
            let at = |i: usize, j: usize| table.counts[(i * columns + j) * self.classes + class];
            let left: Vec<f64> = (0..rows)
                .map(|i| (0..columns).map(|j| at(i, j)).sum())
                .collect();
            let right: Vec<f64> = (0..columns)
                .map(|j| (0..rows).map(|i| at(i, j)).sum())
                .collect();
            let total = left.iter().sum::<f64>().max(1.0);
            for (i, left) in left.iter().enumerate() {
                for (j, right) in right.iter().enumerate() {
                    distance += (at(i, j) - left.max(0.0) * right.max(0.0) / total).abs();
                }
            }
        }
        distance
    }
}

const FEWEST_CLOSE_PAIRS: usize = 3;
/// Most cells of a clique of a junction tree, with its classes.
const MOST_CLIQUE_CELLS: usize = 1 << 18;
/// Times a tree is grown, each at the price that the one before asks for.
const GROWTHS: usize = 5;
/// Part of the noise of a table that denoising leaves.
const DENOISED: f64 = 0.5;
