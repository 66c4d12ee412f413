//! A mixture in a model file.

use safetensors::tensor::SafeTensors;
use serde::{Deserialize, Serialize};

use crate::error::TrainError;
use crate::grouping_file::{
    GROUPING_TENSORS, check_shares, next_name, read_groupings, write_groupings,
};
use crate::marginals::Grouping;
use crate::mixture::Mixture;
use crate::model_file::{Entry, count_tensors, float_entry, read_tensor};

/// The sizes of a mixture, as its file states them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct MixtureShape {
    /// Number of components.
    components: u32,
    /// Number of codes of each column.
    codes: Vec<u32>,
    /// A column within whose classes pairs of the others matter.
    classed_by: Option<u32>,
}

pub(crate) fn write_mixture(mixture: &Mixture) -> (MixtureShape, Vec<Entry>) {
    let components = mixture.components();
    let groups = mixture.shares().len() / components.max(1);
    let mut data = vec![float_entry(
        SHARES.to_owned(),
        vec![components, groups],
        mixture.shares(),
    )];
    data.extend(write_groupings(mixture.groupings()));
    let shape = MixtureShape {
        components: components as u32,
        codes: mixture.domain_sizes(),
        classed_by: mixture.classed_by().map(|column| column as u32),
    };
    (shape, data)
}

/// Reads a mixture from which every draw is defined: groups without gaps, and weights and shares
/// that are not negative and not all 0.
pub(crate) fn read_mixture(
    file: &SafeTensors<'_>,
    shape: &MixtureShape,
) -> Result<Mixture, TrainError> {
    if shape.components == 0 || shape.codes.is_empty() {
        return Err(TrainError::ModelDescription);
    }
    let groupings = read_groupings(file, &shape.codes)?;
    let groups: usize = groupings.iter().map(Grouping::groups).sum();
    let dims = [shape.components as usize, groups];
    let shares = read_tensor(file, SHARES.to_owned(), &dims)?;
    for row in shares.chunks_exact(groups) {
        let mut start = 0;
        for grouping in &groupings {
            let column = &row[start..start + grouping.groups()];
            check_shares(column, SHARES)?;
            start += column.len();
        }
    }
    let columns = shape.codes.len();
    let classed_by = shape.classed_by.map(|column| column as usize);
    if classed_by.is_some_and(|column| column >= columns) {
        return Err(TrainError::ModelDescription);
    }
    count_tensors(file, 1 + GROUPING_TENSORS * columns, next_name(columns))?;
    Ok(Mixture::from_shares(groupings, shares, classed_by))
}

const SHARES: &str = "components";
