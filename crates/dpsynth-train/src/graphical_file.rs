//! A graphical model in a model file.

use safetensors::tensor::SafeTensors;
use serde::{Deserialize, Serialize};

use crate::error::TrainError;
use crate::graphical::{GraphicalModel, Node};
use crate::grouping_file::{GROUPING_TENSORS, check_shares, read_groupings, write_groupings};
use crate::model_file::{Entry, count_tensors, float_entry, read_tensor};

/// The sizes of a graphical model, as its file states them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct GraphicalShape {
    /// Number of codes of each column.
    codes: Vec<u32>,
    /// The columns in the order in which they are drawn.
    nodes: Vec<NodeShape>,
}

/// A column, and the columns that its shares depend on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct NodeShape {
    column: u32,
    parents: Vec<u32>,
}

pub(crate) fn write_graphical(model: &GraphicalModel) -> (GraphicalShape, Vec<Entry>) {
    let groupings = model.groupings();
    let mut data = write_groupings(groupings);
    let mut nodes = Vec::new();
    for node in model.nodes() {
        let groups = groupings[node.column].groups();
        let dims = vec![node.shares.len() / groups, groups];
        data.push(float_entry(name(node.column), dims, &node.shares));
        nodes.push(NodeShape {
            column: node.column as u32,
            parents: node.parents.iter().map(|&parent| parent as u32).collect(),
        });
    }
    let shape = GraphicalShape {
        codes: model.domain_sizes(),
        nodes,
    };
    (shape, data)
}

/// Reads a model from which every draw is defined: a node for each column, after those of its
/// parents, with shares that are not negative and not all 0.
pub(crate) fn read_graphical(
    file: &SafeTensors<'_>,
    shape: &GraphicalShape,
) -> Result<GraphicalModel, TrainError> {
    let columns = shape.codes.len();
    if columns == 0 || shape.nodes.len() != columns {
        return Err(TrainError::ModelDescription);
    }
    let groupings = read_groupings(file, &shape.codes)?;
    let mut placed = vec![false; columns];
    let mut nodes = Vec::new();
    for node in &shape.nodes {
        let column = node.column as usize;
        if column >= columns || placed[column] {
            return Err(TrainError::ModelDescription);
        }
        let mut rows = 1usize;
        let mut parents: Vec<usize> = Vec::new();
        for &parent in &node.parents {
            let parent = parent as usize;
            if parent >= columns || !placed[parent] || parents.contains(&parent) {
                return Err(TrainError::ModelDescription);
            }
            rows = rows
                .checked_mul(groupings[parent].groups())
                .ok_or(TrainError::ModelDescription)?;
            parents.push(parent);
        }
        let groups = groupings[column].groups();
        let shares = read_tensor(file, name(column), &[rows, groups])?;
        for row in shares.chunks_exact(groups) {
            check_shares(row, &name(column))?;
        }
        placed[column] = true;
        nodes.push(Node {
            column,
            parents,
            shares,
        });
    }
    count_tensors(file, (GROUPING_TENSORS + 1) * columns, name(columns))?;
    Ok(GraphicalModel::new(groupings, nodes))
}

fn name(column: usize) -> String {
    format!("column.{column}.shares")
}
