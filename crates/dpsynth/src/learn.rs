//! Learning what a policy leaves open, by mechanisms that were charged for it.

use std::collections::BTreeMap;
use std::sync::Arc;

use dpsynth_privacy::{
    Cells, LaplaceCounts, OpenCategories, OwnedRows, Paid, PrivacyUnit, Private, Records,
    RecordsError,
};
use dpsynth_table::{
    ColumnCells, ColumnValues, Domain, OwnerColumn, ReadOptions, Schema, TableError, read_column,
};

use crate::plan::{FLOAT_STEPS, candidates, doubt};
use crate::policy::{LearnedDomain, MOST_SPIKES, Open, Policy};
use crate::release::ReleaseError;

/// The cells of one open column.
pub(crate) enum OpenCells {
    Texts(Private<Cells<Arc<str>>>),
    /// Numbers, as they are written.
    Written(Private<Cells<Arc<str>>>),
    /// Between which candidates for a bound each number lies.
    Numbers(Private<Records>),
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

impl Source {
    fn read(&self) -> Result<ColumnCells, TableError> {
        read_column(&self.path, &self.schema, &self.options, self.owner.as_ref())
    }

    fn domain(&self) -> &Domain {
        &self.schema.columns()[0].domain
    }
}

/// Reads the cells of all open columns; `options` ignore every other column. No mechanism runs.
pub(crate) fn load(
    paid: &mut Paid,
    unit: &PrivacyUnit,
    policy: &Policy,
    data: &std::path::Path,
    options: &ReadOptions,
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
            options: options.clone(),
            owner: owner.clone(),
            max_rows: unit.max_rows(),
            steps_in_one,
        };
        let loaded = match unstated.what {
            Open::Categories => OpenCells::Texts(Private::load(paid, source, texts)?),
            Open::Spikes => OpenCells::Written(Private::load(paid, source, written)?),
            Open::Range if source.owner.is_none() => {
                OpenCells::Numbers(Private::load(paid, source, ranges)?)
            }
            Open::Range => {
                let rows = Private::load(paid, source, owned_ranges)?;
                OpenCells::Numbers(paid.cap(rows)?)
            }
        };
        cells.push((name.clone(), loaded));
    }
    Ok(cells)
}

/// Runs the mechanisms that learn the open columns, in the order in which they were charged.
pub(crate) fn learn(
    paid: &mut Paid,
    unit: &PrivacyUnit,
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
            OpenCells::Written(cells) => {
                let counts = paid.authorize::<OpenCategories>()?.discover(cells)?;
                LearnedDomain::Spikes(spikes(&counts))
            }
            OpenCells::Numbers(cells) => {
                let counting = paid.authorize::<LaplaceCounts>()?;
                let scale = f64::from(unit.max_rows()) / counting.mechanism().epsilon.value();
                let counts = counting.measure(cells)?;
                let domain = policy.schema.column(name).map(|column| &column.domain);
                let candidates = domain.map_or_else(Vec::new, candidates);
                range(&counts[0], &candidates, scale * doubt(counts[0].len())).scaled(domain)
            }
        };
        learned.insert(name.clone(), domain);
    }
    Ok(learned)
}

/// Two of the candidates for a bound, in steps.
#[derive(Debug, PartialEq)]
struct Bounds {
    min: i64,
    max: i64,
}

impl Bounds {
    fn scaled(self, domain: Option<&Domain>) -> LearnedDomain {
        let steps_in_one = match domain {
            Some(Domain::Float { .. }) => FLOAT_STEPS,
            _ => 1.0,
        };
        LearnedDomain::Range {
            min: self.min as f64 / steps_in_one,
            max: self.max as f64 / steps_in_one,
        }
    }
}

/// The narrowest range of candidates that holds every count above a threshold; the widest where none
/// is. `counts[k]` is that of the numbers from candidate `k - 1` on to before candidate `k`.
fn range(counts: &[i64], candidates: &[i64], threshold: f64) -> Bounds {
    // The last count is that of what is missing.
    let counts = &counts[..counts.len() - 1];
    let seen = |count: &i64| *count as f64 > threshold;
    let last = candidates.len() - 1;
    let low = counts.iter().position(seen).unwrap_or(0);
    let high = counts.iter().rposition(seen).unwrap_or(last);
    Bounds {
        min: candidates[low.saturating_sub(1)],
        max: candidates[high.min(last)],
    }
}

fn texts(source: Source) -> Result<Cells<Arc<str>>, ReleaseError> {
    let read = source.read()?;
    let ColumnValues::Texts(values) = read.values else {
        return Err(wrong_type(&source).into());
    };
    Ok(grouped(values, read.owners, source.max_rows)?)
}

/// The numbers of a column within its bounds, each written in the one way that its domain has for it.
fn written(source: Source) -> Result<Cells<Arc<str>>, ReleaseError> {
    let read = numbers(&source)?;
    let (min, max, steps_in_one) = match source.domain() {
        Domain::Integer { min, max, .. } => (*min as f64, *max as f64, Some(1.0)),
        Domain::Float {
            min, max, decimals, ..
        } => {
            let scale = |decimals: &u8| 10f64.powi(i32::from(*decimals));
            (*min, *max, decimals.as_ref().map(scale))
        }
        _ => return Err(wrong_type(&source).into()),
    };
    let text = |value: f64| {
        let value = steps_in_one.map_or(value, |scale| (value * scale).round() / scale);
        // Not the negative zero.
        let value = value + 0.0;
        (min..=max)
            .contains(&value)
            .then(|| value.to_string().into())
    };
    let texts = read.values.into_iter().map(|value| text(value?)).collect();
    Ok(grouped(texts, read.owners, source.max_rows)?)
}

/// The numbers that were counted most, in increasing order.
fn spikes(counts: &BTreeMap<String, i64>) -> Vec<f64> {
    let mut most: Vec<(i64, f64)> = counts
        .iter()
        .filter_map(|(text, count)| Some((*count, text.parse().ok()?)))
        .collect();
    most.sort_by(|a, b| b.0.cmp(&a.0).then(a.1.total_cmp(&b.1)));
    most.truncate(MOST_SPIKES);
    let mut spikes: Vec<f64> = most.into_iter().map(|(_, spike)| spike).collect();
    spikes.sort_by(f64::total_cmp);
    spikes
}

/// A column of numbers, each as the place among the candidates where it lies.
struct Coded {
    sizes: Vec<u32>,
    codes: Vec<u16>,
    owners: Option<Vec<u32>>,
}

/// Says of each number between which candidates it lies.
fn coded(source: &Source) -> Result<Coded, ReleaseError> {
    let Numbers { values, owners } = numbers(source)?;
    let candidates = candidates(source.domain());
    let missing = candidates.len() + 1;
    let code = |value: Option<f64>| {
        let place = value.map_or(missing, |value| {
            // Saturates, which is what a value beyond every candidate means.
            let step = (value * source.steps_in_one).round() as i64;
            candidates.partition_point(|candidate| *candidate <= step)
        });
        // OK because there are a few hundred candidates.
        place as u16
    };
    Ok(Coded {
        sizes: vec![missing as u32 + 1],
        codes: values.into_iter().map(code).collect(),
        owners,
    })
}

/// The cells of a column of numbers, as they were read.
struct Numbers {
    values: Vec<Option<f64>>,
    owners: Option<Vec<u32>>,
}

fn numbers(source: &Source) -> Result<Numbers, TableError> {
    let read = source.read()?;
    let owners = read.owners;
    match read.values {
        ColumnValues::Numbers(values) => Ok(Numbers { values, owners }),
        ColumnValues::Texts(_) => Err(wrong_type(source)),
    }
}

fn ranges(source: Source) -> Result<Records, ReleaseError> {
    let Coded { sizes, codes, .. } = coded(&source)?;
    Ok(Records::rows(sizes, codes)?)
}

fn owned_ranges(source: Source) -> Result<OwnedRows, ReleaseError> {
    let coded = coded(&source)?;
    let owners = coded.owners.unwrap_or_default();
    Ok(OwnedRows::new(coded.sizes, coded.codes, owners)?)
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
    fn spikes_are_the_numbers_that_were_counted_most_in_their_order() {
        let mut counts: BTreeMap<String, i64> = (0..MOST_SPIKES)
            .map(|i| (format!("{}.5", i + 10), 50))
            .collect();
        counts.extend([("-4.2", 900), ("0.35", 60), ("10000", 40)].map(|(t, n)| (t.to_owned(), n)));
        let spikes = spikes(&counts);
        assert_eq!(spikes.len(), MOST_SPIKES);
        assert_eq!(spikes[..3], [-4.2, 0.35, 10.5]);
        assert!(spikes.is_sorted());
        // Of those that were counted alike the smaller ones are kept.
        assert!(!spikes.contains(&10_000.0));
    }

    #[test]
    fn a_range_holds_every_count_above_the_threshold_and_no_candidate_more() {
        let candidates = [-10, 0, 1, 10, 100];
        // Below -10, from -10, from 0, from 1, from 10, from 100 on; missing.
        for (counts, min, max) in [
            ([0, 0, 50, 60, 3, 0, 900], 0, 10),
            ([0, 0, 5, 60, 3, 0, 0], 1, 10),
            ([70, 0, 0, 0, 0, 80, 0], -10, 100),
            ([5, 5, 5, 5, 5, 5, 900], -10, 100),
        ] {
            assert_eq!(range(&counts, &candidates, 10.0), Bounds { min, max });
        }
    }
}
