//! A graphical model: columns that are drawn one after another, each in the light of a few before.

use dpsynth_privacy::PublicRng;

use crate::draw::{BLOCK_ROWS, GroupCodes, accumulate, draw_blocks, pick};
use crate::marginals::Grouping;

/// A generator that draws the columns in an order, each by shares that depend on the groups of its
/// parents: first a group of codes, then a code of the group by the group's weights.
#[derive(Clone, Debug, PartialEq)]
pub struct GraphicalModel {
    groupings: Vec<Grouping>,
    nodes: Vec<Node>,
    /// Cumulative shares of each node.
    cumulative: Vec<Vec<f32>>,
    codes: Vec<GroupCodes>,
}

/// A column and the shares of its groups.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Node {
    pub(crate) column: usize,
    /// Columns of earlier nodes.
    pub(crate) parents: Vec<usize>,
    /// Shares of the column's groups for all groups of its parents, row-major, the first parent
    /// slowest. They need not add up to 1.
    pub(crate) shares: Vec<f32>,
}

/// A weight for each combination of groups of some columns, row-major, the first column slowest.
#[derive(Clone)]
struct Message {
    columns: Vec<usize>,
    weights: Vec<f64>,
}

impl Node {
    /// Multiplies the shares, made to add up to 1, by what is kept of each group and by messages, and returns
    /// their sum for each combination of the parents' groups.
    fn weighed(&mut self, kept: &[f64], messages: &[Message], sizes: &[usize]) -> Vec<f64> {
        let size = kept.len();
        let mut groups = vec![0usize; sizes.len()];
        let mut sums = Vec::with_capacity(self.shares.len() / size);
        for (place, shares) in self.shares.chunks_exact_mut(size).enumerate() {
            let mut rest = place;
            for &parent in self.parents.iter().rev() {
                groups[parent] = rest % sizes[parent];
                rest /= sizes[parent];
            }
            let all: f64 = shares.iter().map(|&share| f64::from(share)).sum();
            let mut weighed: Vec<f64> = Vec::with_capacity(size);
            for (group, (&share, kept)) in shares.iter().zip(kept).enumerate() {
                groups[self.column] = group;
                let of = |message: &Message| {
                    let cell = message
                        .columns
                        .iter()
                        .fold(0, |cell, &column| cell * sizes[column] + groups[column]);
                    message.weights[cell]
                };
                weighed
                    .push(f64::from(share) / all * kept * messages.iter().map(of).product::<f64>());
            }
            let sum: f64 = weighed.iter().sum();
            for (share, weighed) in shares.iter_mut().zip(weighed) {
                // Where nothing is allowed, the parents never have these groups.
                *share = if sum > 0.0 {
                    (weighed / sum) as f32
                } else {
                    1.0
                };
            }
            sums.push(sum);
        }
        sums
    }
}

impl GraphicalModel {
    /// Puts a model together from nodes of which every column has one, after those of its parents.
    pub(crate) fn new(groupings: Vec<Grouping>, nodes: Vec<Node>) -> Self {
        let cumulative = nodes
            .iter()
            .map(|node| {
                let mut cumulative = node.shares.clone();
                for row in cumulative.chunks_exact_mut(groupings[node.column].groups()) {
                    accumulate(row);
                }
                cumulative
            })
            .collect();
        let codes = groupings.iter().map(GroupCodes::new).collect();
        Self {
            groupings,
            nodes,
            cumulative,
            codes,
        }
    }

    /// Number of codes of each column.
    #[must_use]
    pub fn domain_sizes(&self) -> Vec<u32> {
        self.groupings
            .iter()
            .map(|grouping| grouping.group_of.len() as u32)
            .collect()
    }

    /// Groups of every column's codes.
    #[must_use]
    pub fn groupings(&self) -> &[Grouping] {
        &self.groupings
    }

    /// Pairs of a column and one that it is drawn after.
    #[must_use]
    pub fn edges(&self) -> Vec<(usize, usize)> {
        let of = |node: &Node| {
            let column = node.column;
            let pair = move |&parent: &usize| (column, parent);
            node.parents.iter().map(pair).collect::<Vec<_>>()
        };
        self.nodes.iter().flat_map(of).collect()
    }

    pub(crate) fn nodes(&self) -> &[Node] {
        &self.nodes
    }

    /// The model given that the code of each column is among those that are allowed; `None` if no row has
    /// such codes.
    ///
    /// `allowed` has a list for each column, as long as its domain, or `None` where all codes are allowed. The
    /// result is exact: what is allowed of later columns is summed out and weighs the shares of their
    /// parents, from the last column to the first (Lauritzen & Spiegelhalter 1988). That takes a node
    /// whose parents are the last of them and parents of it, as in a junction tree; where a file holds another
    /// model, it is returned as it is.
    ///
    /// # Panics
    /// If a list is shorter than its column's domain.
    #[must_use]
    pub fn given(&self, allowed: &[Option<Vec<bool>>]) -> Option<Self> {
        let mut groupings = self.groupings.clone();
        let mut kept: Vec<Vec<f64>> = (groupings.iter())
            .map(|grouping| vec![1.0; grouping.groups()])
            .collect();
        for (column, allowed) in allowed.iter().enumerate() {
            if let Some(allowed) = allowed {
                (groupings[column], kept[column]) = self.groupings[column].given(allowed);
            }
        }
        let sizes: Vec<usize> = kept.iter().map(Vec::len).collect();
        let mut nodes = self.nodes.clone();
        // For each node, what is allowed of the columns after it, by the groups of some of its columns.
        let mut messages: Vec<Vec<Message>> = vec![Vec::new(); nodes.len()];
        for index in (0..nodes.len()).rev() {
            let received = std::mem::take(&mut messages[index]);
            let node = &mut nodes[index];
            let weighed = node.weighed(&kept[node.column], &received, &sizes);
            let parents = node.parents.clone();
            let largest = weighed.iter().copied().fold(0.0, f64::max);
            if largest <= 0.0 {
                return None;
            }
            let Some(last) = parents.iter().map(|&parent| self.place(parent)).max() else {
                continue;
            };
            let above = &self.nodes[last];
            let fits = |parent: &usize| *parent == above.column || above.parents.contains(parent);
            if !parents.iter().all(fits) {
                return Some(self.clone());
            }
            messages[last].push(Message {
                columns: parents,
                // Relative to the largest, so that a rare condition keeps its precision.
                weights: weighed.iter().map(|weight| weight / largest).collect(),
            });
        }
        Some(Self::new(groupings, nodes))
    }

    /// Position of a column's node.
    fn place(&self, column: usize) -> usize {
        let mut nodes = self.nodes.iter();
        // OK because every column has a node.
        nodes
            .position(|node| node.column == column)
            .unwrap_or_default()
    }

    /// Draws `rows` rows of codes, row-major.
    ///
    /// The draws are a function of the state of `rng` alone.
    pub fn sample(&self, rows: usize, rng: &mut PublicRng) -> Vec<u16> {
        let columns = self.groupings.len();
        let sizes: Vec<_> = self.groupings.iter().map(Grouping::groups).collect();
        draw_blocks(rows, columns, BLOCK_ROWS, rng, &|rng, block| {
            let mut groups = vec![0; columns];
            for row in block.chunks_exact_mut(columns) {
                for (node, cumulative) in self.nodes.iter().zip(&self.cumulative) {
                    let place = node
                        .parents
                        .iter()
                        .fold(0, |place, &parent| place * sizes[parent] + groups[parent]);
                    let size = sizes[node.column];
                    let shares = &cumulative[place * size..(place + 1) * size];
                    let group = pick(shares, rng.uniform());
                    groups[node.column] = group;
                    row[node.column] = self.codes[node.column].draw(group, rng);
                }
            }
        })
    }
}
