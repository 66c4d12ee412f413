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
