//! Learning what a policy leaves open, by mechanisms that were charged for it.

use std::collections::BTreeMap;

use dpsynth_privacy::{Cells, OpenCategories, Paid, PrivacyUnit, Private, Quantiles, RecordsError};
use dpsynth_table::{
    ColumnValues, Domain, OwnerColumn, ReadOptions, Schema, TableError, read_column,
};

use crate::plan::FLOAT_STEPS;
use crate::policy::{LearnedDomain, Open, Policy};
use crate::release::ReleaseError;

/// The cells of one open column.
pub(crate) enum OpenCells {
    Texts(Private<Cells<String>>),
    Numbers(Private<Cells<i64>>),
}

/// Where an open column is, and who owns its rows.
struct Source {
    path: std::path::PathBuf,
    /// The column alone.
    schema: Schema,
    options: ReadOptions,
    owner: Option<OwnerColumn>,
    /// Rows of an owner that count.
    max_rows: u32,
    steps_in_one: f64,
}

/// Reads the cells of all open columns. No mechanism runs.
pub(crate) fn load(
    paid: &Paid,
    unit: &PrivacyUnit,
    policy: &Policy,
    data: &std::path::Path,
    header: &[String],
) -> Result<Vec<(String, OpenCells)>, ReleaseError> {
    let owner = match unit {
        PrivacyUnit::Row => None,
        PrivacyUnit::User { column, .. } => Some(OwnerColumn {
            name: column.clone(),
            missing_tokens: policy.dataset.missing_tokens.clone(),
        }),
    };
    let mut cells = Vec::with_capacity(policy.open.len());
    for (name, unstated) in &policy.open {
        let schema = policy.schema.select(&[name.as_str()])?;
        let steps_in_one = match schema.columns()[0].domain {
            Domain::Float { .. } => FLOAT_STEPS,
            _ => 1.0,
        };
        let source = Source {
            path: data.to_owned(),
            schema,
            options: ReadOptions {
                format: None,
                delimiter: policy.dataset.delimiter,
                ignored: header.to_vec(),
            },
            owner: owner.clone(),
            max_rows: unit.max_rows(),
            steps_in_one,
        };
        let loaded = match unstated.what {
            Open::Categories => OpenCells::Texts(Private::load(paid, source, texts)?),
            Open::Range => OpenCells::Numbers(Private::load(paid, source, numbers)?),
        };
        cells.push((name.clone(), loaded));
    }
    Ok(cells)
}

/// Runs the mechanisms that learn the open columns, in the order in which they were charged.
pub(crate) fn learn(
    paid: &mut Paid,
    policy: &Policy,
    cells: &[(String, OpenCells)],
) -> Result<BTreeMap<String, LearnedDomain>, ReleaseError> {
    let mut learned = BTreeMap::new();
    for (name, cells) in cells {
        let domain = match cells {
            OpenCells::Texts(cells) => {
                let counts = paid.authorize::<OpenCategories>()?.discover(cells)?;
                LearnedDomain::Categories(counts.keys().cloned().collect())
            }
            OpenCells::Numbers(cells) => {
                let authorized = paid.authorize::<Quantiles>()?;
                let candidates = authorized.mechanism().candidates.clone();
                let steps_in_one = match policy.schema.column(name).map(|column| &column.domain) {
                    Some(Domain::Float { .. }) => FLOAT_STEPS,
                    _ => 1.0,
                };
                range(&authorized.choose(cells)?, &candidates, steps_in_one)
            }
        };
        learned.insert(name.clone(), domain);
    }
    Ok(learned)
}

/// The range of chosen quantiles, one candidate wider on both sides.
fn range(chosen: &[i64], candidates: &[i64], steps_in_one: f64) -> LearnedDomain {
    let place = |quantile: &i64| candidates.binary_search(quantile).unwrap_or_else(|at| at);
    let last = candidates.len() - 1;
    let low = chosen.iter().map(place).min().unwrap_or(0);
    let high = chosen.iter().map(place).max().unwrap_or(last).min(last);
    LearnedDomain::Range {
        min: candidates[low.saturating_sub(1)] as f64 / steps_in_one,
        max: candidates[(high + 1).min(last)] as f64 / steps_in_one,
    }
}

fn texts(source: Source) -> Result<Cells<String>, ReleaseError> {
    let read = read_column(
        &source.path,
        &source.schema,
        &source.options,
        source.owner.as_ref(),
    )?;
    let ColumnValues::Texts(values) = read.values else {
        return Err(wrong_type(&source).into());
    };
    Ok(grouped(values, read.owners, source.max_rows)?)
}

fn numbers(source: Source) -> Result<Cells<i64>, ReleaseError> {
    let read = read_column(
        &source.path,
        &source.schema,
        &source.options,
        source.owner.as_ref(),
    )?;
    let ColumnValues::Numbers(values) = read.values else {
        return Err(wrong_type(&source).into());
    };
    // Saturates, which is what a value beyond every candidate means.
    let step = |value: f64| (value * source.steps_in_one).round() as i64;
    let steps = values.into_iter().map(|value| value.map(step));
    Ok(grouped(steps.collect(), read.owners, source.max_rows)?)
}

fn wrong_type(source: &Source) -> TableError {
    TableError::WrongType {
        column: source.schema.columns()[0].name.clone(),
    }
}

/// Groups the cells that are there by owner, the first `max_rows` of each.
///
/// # Guarantee
/// What is kept of an owner depends on that owner's cells alone, and is at most `max_rows` cells, which
/// [`Cells::grouped`] checks again.
fn grouped<T>(
    values: Vec<Option<T>>,
    owners: Option<Vec<u32>>,
    max_rows: u32,
) -> Result<Cells<T>, RecordsError> {
    let Some(owners) = owners else {
        return Ok(Cells::rows(values.into_iter().flatten().collect()));
    };
    let units = owners.iter().map(|owner| *owner as usize + 1).max();
    let mut of_unit: Vec<Vec<T>> = Vec::new();
    of_unit.resize_with(units.unwrap_or(0), Vec::new);
    for (value, owner) in values.into_iter().zip(owners) {
        let kept = &mut of_unit[owner as usize];
        if let Some(value) = value
            && kept.len() < max_rows as usize
        {
            kept.push(value);
        }
    }
    let mut starts = vec![0];
    let mut all = Vec::new();
    for cells in of_unit {
        all.extend(cells);
        starts.push(u32::try_from(all.len()).map_err(|_| RecordsError::TooMany)?);
    }
    Cells::grouped(all, &starts, max_rows)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_is_one_candidate_wider_than_its_quantiles() {
        let candidates = [-10, -1, 0, 1, 10, 100];
        for (chosen, min, max) in [
            (vec![0, 10], -1.0, 100.0),
            (vec![10, 0], -1.0, 100.0),
            (vec![-10, 100], -10.0, 100.0),
            (vec![1, 1], 0.0, 10.0),
        ] {
            let expected = LearnedDomain::Range { min, max };
            assert_eq!(range(&chosen, &candidates, 1.0), expected, "{chosen:?}");
        }
    }
}
