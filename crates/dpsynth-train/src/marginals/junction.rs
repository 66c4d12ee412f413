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
/// is the distribution of largest entropy that has its pairs. All that is done within each class of
/// the target where the pairs were measured so. It is post-processing.
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
                [] => single.to_vec(),
                _ => {
                    let members: Vec<_> = parents.iter().copied().chain([block]).collect();
                    let sizes: Vec<_> = members
                        .iter()
                        .map(|&m| margins.of(class, m).len())
                        .collect();
                    let mut pairs = Vec::new();
                    for (b, &second) in members.iter().enumerate() {
                        for (a, &first) in members[..b].iter().enumerate() {
                            pairs.push(((a, b), table(class, first, second).shares));
                        }
                    }
                    // The parents' own pairs last, because they were met before.
                    pairs.reverse();
                    largest_entropy(&sizes, &pairs)
                }
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

/// The distribution of some columns of largest entropy that has the given pairs, by iterative
/// proportional fitting (Deming & Stephan 1940; Ireland & Kullback 1968); the last column fastest.
fn largest_entropy(sizes: &[usize], pairs: &[((usize, usize), Vec<f64>)]) -> Vec<f64> {
    let cells: usize = sizes.iter().product();
    let stride = |column: usize| sizes[column + 1..].iter().product::<usize>();
    let places: Vec<Vec<u32>> = pairs
        .iter()
        .map(|&((a, b), _)| {
            let of = |column: usize, cell: usize| cell / stride(column) % sizes[column];
            let place = |cell: usize| (of(a, cell) * sizes[b] + of(b, cell)) as u32;
            (0..cells).map(place).collect()
        })
        .collect();
    let mut joint = vec![1.0; cells];
    for _ in 0..ROUNDS {
        for ((_, wanted), places) in pairs.iter().zip(&places) {
            let mut factors = vec![0.0; wanted.len()];
            for (share, &place) in joint.iter().zip(places) {
                factors[place as usize] += share;
            }
            for (factor, &wanted) in factors.iter_mut().zip(wanted) {
                *factor = ratio(wanted, *factor);
            }
            for (share, &place) in joint.iter_mut().zip(places) {
                *share *= factors[place as usize];
            }
        }
    }
    joint
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
