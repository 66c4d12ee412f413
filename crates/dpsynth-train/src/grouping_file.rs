//! Groupings and shares in a model file, checked so that every draw from them is defined.

use safetensors::tensor::{Dtype, SafeTensors};

use crate::error::TrainError;
use crate::marginals::Grouping;
use crate::model_file::{Entry, float_entry, read_tensor};

/// Tensors that a grouping takes.
pub(crate) const GROUPING_TENSORS: usize = 2;

pub(crate) fn write_groupings(groupings: &[Grouping]) -> Vec<Entry> {
    let mut data = Vec::new();
    for (column, grouping) in groupings.iter().enumerate() {
        let (group_name, weight_name) = names(column);
        let codes = grouping.group_of.len();
        data.push(code_entry(group_name, &grouping.group_of));
        data.push(float_entry(weight_name, vec![codes], &grouping.weights));
    }
    data
}

/// Reads groupings of columns with so many codes: groups without gaps, and weights that are not
/// negative and, within a group, not all 0.
pub(crate) fn read_groupings(
    file: &SafeTensors<'_>,
    codes: &[u32],
) -> Result<Vec<Grouping>, TrainError> {
    let mut groupings = Vec::new();
    for (column, &codes) in codes.iter().enumerate() {
        let (group_name, weight_name) = names(column);
        let group_of = read_codes(file, &group_name, codes as usize)?;
        let weights = read_tensor(file, weight_name.clone(), &[codes as usize])?;
        let grouping = Grouping { group_of, weights };
        let mut sums = vec![0.0f32; grouping.groups()];
        for (&group, &weight) in grouping.group_of.iter().zip(&grouping.weights) {
            sums[usize::from(group)] += non_negative(weight, &weight_name)?;
        }
        if !sums.iter().all(|&sum| drawable(sum)) {
            return Err(TrainError::ModelValue {
                tensor: weight_name,
            });
        }
        groupings.push(grouping);
    }
    Ok(groupings)
}

/// A tensor of codes.
pub(crate) fn code_entry(name: String, codes: &[u16]) -> Entry {
    let bytes = codes.iter().flat_map(|code| code.to_le_bytes()).collect();
    (name, Dtype::U16, vec![codes.len()], bytes)
}

/// Reads a tensor of `length` codes, each below `length`; more would leave one without a place.
pub(crate) fn read_codes(
    file: &SafeTensors<'_>,
    name: &str,
    length: usize,
) -> Result<Vec<u16>, TrainError> {
    let misfit = || TrainError::ModelTensor {
        tensor: name.to_owned(),
    };
    let view = file.tensor(name).map_err(|_| misfit())?;
    if view.dtype() != Dtype::U16 || view.shape() != [length] || length == 0 {
        return Err(misfit());
    }
    let codes: Vec<u16> = view
        .data()
        .chunks_exact(2)
        .map(|bytes| u16::from_le_bytes([bytes[0], bytes[1]]))
        .collect();
    if codes.iter().all(|&code| usize::from(code) < length) {
        Ok(codes)
    } else {
        Err(misfit())
    }
}

/// Refuses shares that are negative or whose sum is 0, so that nothing could be drawn, or infinite.
pub(crate) fn check_shares(shares: &[f32], tensor: &str) -> Result<(), TrainError> {
    let mut sum = 0.0;
    for &share in shares {
        sum += non_negative(share, tensor)?;
    }
    if drawable(sum) {
        Ok(())
    } else {
        Err(TrainError::ModelValue {
            tensor: tensor.to_owned(),
        })
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

fn drawable(sum: f32) -> bool {
    sum > 0.0 && sum.is_finite()
}

/// Name of a tensor that a file with so many columns does not have.
pub(crate) fn next_name(columns: usize) -> String {
    names(columns).0
}

fn names(column: usize) -> (String, String) {
    (
        format!("column.{column}.group"),
        format!("column.{column}.weight"),
    )
}
