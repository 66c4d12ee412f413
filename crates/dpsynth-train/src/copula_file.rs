//! A Gaussian copula in a model file.

use safetensors::tensor::SafeTensors;
use serde::{Deserialize, Serialize};

use crate::copula::{Copula, Margin};
use crate::error::TrainError;
use crate::grouping_file::{check_shares, code_entry, read_codes};
use crate::model_file::{Entry, count_tensors, float_entry, read_tensor};

/// The sizes of a copula, as its file states them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct CopulaShape {
    /// Number of codes of each column.
    codes: Vec<u32>,
}

pub(crate) fn write_copula(copula: &Copula) -> (CopulaShape, Vec<Entry>) {
    let columns = copula.margins().len();
    let dims = vec![columns, columns];
    let mut data = vec![float_entry(FACTOR.to_owned(), dims, copula.factor())];
    for (column, margin) in copula.margins().iter().enumerate() {
        let (order_name, share_name) = names(column);
        data.push(code_entry(order_name, &margin.order));
        let dims = vec![margin.shares.len()];
        data.push(float_entry(share_name, dims, &margin.shares));
    }
    let shape = CopulaShape {
        codes: copula.domain_sizes(),
    };
    (shape, data)
}

/// Reads a copula from which every draw is defined: every code once, shares that are not negative
/// and not all 0, and a triangle whose rows have length 1.
pub(crate) fn read_copula(
    file: &SafeTensors<'_>,
    shape: &CopulaShape,
) -> Result<Copula, TrainError> {
    let columns = shape.codes.len();
    if columns == 0 {
        return Err(TrainError::ModelDescription);
    }
    let factor = read_tensor(file, FACTOR.to_owned(), &[columns, columns])?;
    for (column, row) in factor.chunks_exact(columns).enumerate() {
        let (lower, upper) = row.split_at(column + 1);
        let square: f64 = lower.iter().map(|&entry| f64::from(entry).powi(2)).sum();
        if (square - 1.0).abs() > TOLERANCE || upper.iter().any(|&entry| entry != 0.0) {
            let tensor = FACTOR.to_owned();
            return Err(TrainError::ModelValue { tensor });
        }
    }
    let mut margins = Vec::new();
    for (column, &codes) in shape.codes.iter().enumerate() {
        let (order_name, share_name) = names(column);
        let order = read_codes(file, &order_name, codes as usize)?;
        let mut seen = vec![false; order.len()];
        order
            .iter()
            .for_each(|&code| seen[usize::from(code)] = true);
        if !seen.into_iter().all(|seen| seen) {
            return Err(TrainError::ModelTensor { tensor: order_name });
        }
        let shares = read_tensor(file, share_name.clone(), &[codes as usize])?;
        check_shares(&shares, &share_name)?;
        margins.push(Margin { order, shares });
    }
    count_tensors(file, 1 + 2 * columns, names(columns).0)?;
    Ok(Copula::new(margins, factor))
}

fn names(column: usize) -> (String, String) {
    (
        format!("column.{column}.order"),
        format!("column.{column}.share"),
    )
}

const FACTOR: &str = "factor";
/// How far the squared length of a row may be from 1, for the roundings of its entries.
const TOLERANCE: f64 = 1e-4;
