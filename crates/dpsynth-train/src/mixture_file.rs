//! A mixture in a model file.

use safetensors::tensor::{Dtype, SafeTensors};
use serde::{Deserialize, Serialize};

use crate::error::TrainError;
use crate::marginals::Grouping;
use crate::mixture::Mixture;
use crate::model_file::{Entry, float_entry, read_tensor};

/// The sizes of a mixture, as its file states them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct MixtureShape {
    /// Number of components.
    components: u32,
    /// Number of codes of each column.
    codes: Vec<u32>,
}

pub(crate) fn write_mixture(mixture: &Mixture) -> (MixtureShape, Vec<Entry>) {
    let components = mixture.components();
    let groups = mixture.shares().len() / components.max(1);
    let mut data = vec![float_entry(
        SHARES.to_owned(),
        vec![components, groups],
        mixture.shares(),
    )];
    for (column, grouping) in mixture.groupings().iter().enumerate() {
        let (group_name, weight_name) = names(column);
        let codes = grouping.group_of.len();
        let bytes = grouping
            .group_of
            .iter()
            .flat_map(|group| group.to_le_bytes())
            .collect();
        data.push((group_name, Dtype::U16, vec![codes], bytes));
        data.push(float_entry(weight_name, vec![codes], &grouping.weights));
    }
    let shape = MixtureShape {
        components: components as u32,
        codes: mixture.domain_sizes(),
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
    let mut groupings = Vec::new();
    for (column, &codes) in shape.codes.iter().enumerate() {
        let (group_name, weight_name) = names(column);
        let group_of = read_groups(file, &group_name, codes as usize)?;
        let weights = read_tensor(file, weight_name.clone(), &[codes as usize])?;
        let grouping = Grouping { group_of, weights };
        let mut sums = vec![0.0f32; grouping.groups()];
        for (&group, &weight) in grouping.group_of.iter().zip(&grouping.weights) {
            sums[usize::from(group)] += non_negative(weight, &weight_name)?;
        }
        positive(&sums, &weight_name)?;
        groupings.push(grouping);
    }
    let groups: usize = groupings.iter().map(Grouping::groups).sum();
    let dims = [shape.components as usize, groups];
    let shares = read_tensor(file, SHARES.to_owned(), &dims)?;
    for row in shares.chunks_exact(groups) {
        let mut start = 0;
        for grouping in &groupings {
            let column = &row[start..start + grouping.groups()];
            let mut sum = 0.0;
            for &share in column {
                sum += non_negative(share, SHARES)?;
            }
            positive(&[sum], SHARES)?;
            start += column.len();
        }
    }
    if file.len() != 1 + 2 * shape.codes.len() {
        let tensor = names(shape.codes.len()).0;
        return Err(TrainError::ModelTensor { tensor });
    }
    Ok(Mixture::from_shares(groupings, shares))
}

fn read_groups(file: &SafeTensors<'_>, name: &str, codes: usize) -> Result<Vec<u16>, TrainError> {
    let misfit = || TrainError::ModelTensor {
        tensor: name.to_owned(),
    };
    let view = file.tensor(name).map_err(|_| misfit())?;
    if view.dtype() != Dtype::U16 || view.shape() != [codes] || codes == 0 {
        return Err(misfit());
    }
    let groups: Vec<u16> = view
        .data()
        .chunks_exact(2)
        .map(|bytes| u16::from_le_bytes([bytes[0], bytes[1]]))
        .collect();
    // More groups than codes would leave one without a code.
    if groups.iter().all(|&group| usize::from(group) < codes) {
        Ok(groups)
    } else {
        Err(misfit())
    }
}

fn non_negative(number: f32, tensor: &str) -> Result<f32, TrainError> {
    if number >= 0.0 {
        Ok(number)
    } else {
        Err(TrainError::ModelValue {
            tensor: tensor.to_owned(),
        })
    }
}

/// Refuses sums of which one is 0, so that nothing could be drawn, or infinite.
fn positive(sums: &[f32], tensor: &str) -> Result<(), TrainError> {
    if sums.iter().all(|&sum| sum > 0.0 && sum.is_finite()) {
        Ok(())
    } else {
        Err(TrainError::ModelValue {
            tensor: tensor.to_owned(),
        })
    }
}

fn names(column: usize) -> (String, String) {
    (
        format!("column.{column}.group"),
        format!("column.{column}.weight"),
    )
}

const SHARES: &str = "components";
