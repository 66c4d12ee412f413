//! Fitting a graphical model to noisy marginals of the cliques of a junction tree.

use std::collections::BTreeMap;

use super::margins::Margins;
use super::measurements::Measurements;
use super::tables::{Table, ratio};
use super::tree::edges;
use crate::graphical::{GraphicalModel, Node};

/// Fits a graphical model to pairs that were chosen by
/// [`PairChoice::JunctionTree`](super::PairChoice::JunctionTree); with other measurements, to
/// single columns alone.
///
/// Pairs within a clique are made to agree on their columns and rid of most of their noise; a clique
/// of three columns is the distribution of largest entropy that has its three pairs. All that is
/// done within each class of the target where the pairs were measured so. It is post-processing.
#[must_use]
pub fn fit_graphical(measurements: &Measurements) -> GraphicalModel {
    let margins = Margins::new(measurements);
    let blocks = measurements.block_columns();
    let classes = margins.classes.len();
    let tables: BTreeMap<_, Vec<_>> = edges(&measurements.tree)
        .into_iter()
        .map(|pair| {
            let of_class = |class| Table::new(measurements, &margins, class, pair);
            (pair, (0..classes).map(of_class).collect())
        })
        .collect();
    // The table of two blocks within a class, with the first one's groups in its rows.
    let table = |class: usize, a: usize, b: usize| {
        if a < b {
            tables[&(a, b)][class].clone()
        } else {
            tables[&(b, a)][class].transposed()
        }
    };
    let mut nodes: Vec<_> = measurements
        .split_by
        .map(|column| Node {
            column,
            parents: Vec::new(),
            shares: drawable(&margins.classes, &margins.classes),
        })
        .into_iter()
        .collect();
    let alone = (0..blocks.len()).map(|column| (column, Vec::new()));
    let tree: Vec<_> = if measurements.tree.is_empty() {
        alone.collect()
    } else {
        let nodes = measurements.tree.iter();
        nodes
            .map(|node| (node.column, node.parents.clone()))
            .collect()
    };
    for (block, parents) in tree {
        let mut shares = Vec::new();
        for class in 0..classes {
            let single = margins.of(class, block);
            let joint = match parents[..] {
                [parent] => table(class, parent, block).shares,
                [first, second] => largest_entropy(
                    &table(class, first, second),
                    &table(class, first, block),
                    &table(class, second, block),
                ),
                _ => single.to_vec(),
            };
            shares.extend(drawable(&joint, single));
        }
        let parents = parents.iter().map(|&parent| blocks[parent]);
        nodes.push(Node {
            column: blocks[block],
            parents: measurements.split_by.into_iter().chain(parents).collect(),
            shares,
        });
    }
    GraphicalModel::new(measurements.groupings.clone(), nodes)
}

/// The distribution of three columns of largest entropy that has three pairs, by iterative
/// proportional fitting (Deming & Stephan 1940; Ireland & Kullback 1968); the third one fastest.
fn largest_entropy(parents: &Table, first: &Table, second: &Table) -> Vec<f64> {
    let (a, b, c) = (parents.rows, parents.columns, first.columns);
    let mut joint = vec![1.0; a * b * c];
    for _ in 0..ROUNDS {
        for (i, plane) in joint.chunks_exact_mut(b * c).enumerate() {
            let mut sums = vec![0.0; c];
            for row in plane.chunks_exact(c) {
                add(&mut sums, row);
            }
            let wanted = &first.shares[i * c..(i + 1) * c];
            for row in plane.chunks_exact_mut(c) {
                scale(row, wanted, &sums);
            }
        }
        let mut sums = vec![0.0; b * c];
        for plane in joint.chunks_exact(b * c) {
            add(&mut sums, plane);
        }
        for plane in joint.chunks_exact_mut(b * c) {
            scale(plane, &second.shares, &sums);
        }
        for (row, &wanted) in joint.chunks_exact_mut(c).zip(&parents.shares) {
            let factor = ratio(wanted, row.iter().sum());
            row.iter_mut().for_each(|share| *share *= factor);
        }
    }
    joint
}

fn add(sums: &mut [f64], values: &[f64]) {
    for (sum, value) in sums.iter_mut().zip(values) {
        *sum += value;
    }
}

fn scale(values: &mut [f64], wanted: &[f64], sums: &[f64]) {
    for ((value, &wanted), &sum) in values.iter_mut().zip(wanted).zip(sums) {
        *value *= ratio(wanted, sum);
    }
}

/// Rows of shares from which a group can be drawn: each adds up to 1, and one of which nothing is
/// known is the column by itself.
fn drawable(joint: &[f64], single: &[f64]) -> Vec<f32> {
    let total: f64 = single.iter().sum();
    let mut shares = Vec::with_capacity(joint.len());
    for row in joint.chunks_exact(single.len()) {
        let sum: f64 = row.iter().sum();
        if sum > f64::MIN_POSITIVE {
            shares.extend(row.iter().map(|share| (share / sum) as f32));
        } else if total > f64::MIN_POSITIVE {
            shares.extend(single.iter().map(|share| (share / total) as f32));
        } else {
            shares.extend(single.iter().map(|_| 1.0f32));
        }
    }
    shares
}

/// Rounds of proportional fitting.
const ROUNDS: usize = 40;
