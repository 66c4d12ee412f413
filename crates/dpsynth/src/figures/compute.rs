//! The mechanisms of paid figures, on records in cells that the synthetic rows chose.

use std::path::{Path, PathBuf};
use std::rc::Rc;

use dpsynth_evaluate::{EvaluateError, Scorer, area_of_counts};
use dpsynth_privacy::{
    Distances, Marginals, OwnedRows, Paid, PrivacyUnit, Private, PublicRows, Records,
};
use dpsynth_table::{
    CodedTable, Domain, OwnerColumn, ReadOptions, Schema, Table, read, read_owned,
};

use super::cells::{Cells, compared_schema};
use super::plan::Counted;
use super::{ColumnFigure, Figures, NoisyFigure, PredictionFigure};
use crate::policy::{ExpectedUnits, Policy};
use crate::release::ReleaseError;

/// The public side of the comparison.
pub(super) struct Compared {
    schema: Schema,
    cells: Cells,
    target: Option<Target>,
    scorer: Rc<Scorer>,
    /// How many records there are, where that is public.
    rows: Option<u64>,
}

struct Target {
    column: usize,
    class: u16,
}

impl Compared {
    /// Cuts the synthetic rows into cells, and trains a learner on them.
    ///
    /// # Errors
    /// If no column can be compared, the target is none of them, or the learner fails.
    pub(super) fn new(
        policy: &Policy,
        header: &[String],
        synthetic: &Table,
        target: Option<&str>,
    ) -> Result<Self, ReleaseError> {
        let schema =
            compared_schema(&policy.ruled_schema()?, header).map_err(|_| EvaluateError::Empty)?;
        let cells = Cells::new(&schema, synthetic).ok_or(EvaluateError::Empty)?;
        if synthetic.rows() == 0 {
            return Err(EvaluateError::Empty.into());
        }
        let target = target
            .map(|name| {
                let column = schema.position(name);
                let column = column.ok_or_else(|| EvaluateError::TargetUnknown {
                    column: name.to_owned(),
                })?;
                let class = cells.rarest(column);
                Ok::<_, EvaluateError>(Target { column, class })
            })
            .transpose()?;
        let scorer = match &target {
            Some(target) => Scorer::train(&cells.rows, cells.width(), target.column, target.class)?,
            // Of a class that no row has: all rows score alike.
            None => Scorer::train(&cells.rows, cells.width(), 0, u16::MAX)?,
        };
        Ok(Self {
            schema,
            cells,
            target,
            scorer: Rc::new(scorer),
            rows: match (&policy.privacy.unit, policy.privacy.expected_units) {
                (PrivacyUnit::Row, ExpectedUnits::Public(units)) => Some(units),
                _ => None,
            },
        })
    }

    pub(super) fn counted(&self) -> Counted {
        match self.rows {
            Some(_) => Counted::Scores,
            None => Counted::ScoresAndRows,
        }
    }

    /// Number of columns that are compared.
    pub(super) fn width(&self) -> u32 {
        // OK because a schema has fewer columns than that.
        self.cells.width() as u32
    }

    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.schema.names()
    }

    /// Reads the real table inside the boundary, and gives every row its score.
    ///
    /// # Errors
    /// If the table cannot be read.
    pub(super) fn load(
        &self,
        paid: &mut Paid,
        policy: &Policy,
        data: &Path,
        options: ReadOptions,
    ) -> Result<Private<Records>, ReleaseError> {
        let mut source = Source {
            path: data.to_owned(),
            schema: self.schema.clone(),
            options,
            owner: None,
            merged: self.cells.merged.clone(),
            sizes: self.cells.sizes.clone(),
            scored: self.target.as_ref().map(|it| (it.column, it.class)),
            scorer: Rc::clone(&self.scorer),
        };
        match &policy.privacy.unit {
            PrivacyUnit::Row => Private::load(paid, source, load),
            PrivacyUnit::User { column, .. } => {
                source.options.ignored.retain(|name| name != column);
                source.owner = Some(OwnerColumn {
                    name: column.clone(),
                    missing_tokens: policy.dataset.missing_tokens.clone(),
                });
                let rows = Private::load(paid, source, load_owned)?;
                Ok(paid.cap(rows)?)
            }
        }
    }

    /// Runs the mechanisms and turns what they release into figures.
    ///
    /// # Errors
    /// If a mechanism does not run.
    pub(super) fn measure(
        &self,
        paid: &mut Paid,
        records: &Private<Records>,
    ) -> Result<Figures, ReleaseError> {
        let max_rows = paid.receipt().map_or(1, |it| it.unit().max_rows());
        let counting = paid.authorize::<Marginals>()?;
        let noise = counting.mechanism().noise_multiplier.value() * f64::from(max_rows);
        let counts = counting.measure(records)?;
        let rows = NoisyFigure {
            // Noise may bring a small number below 1.
            value: match self.rows {
                Some(rows) => rows as f64,
                None => (counts[1][0] as f64).max(1.0),
            },
            noise_stddev: if self.rows.is_some() { 0.0 } else { noise },
        };
        let counts: Vec<f64> = counts[0].iter().map(|&count| count as f64).collect();
        // The records have two columns more, whose cells are not compared.
        let mut merged = self.merged();
        merged.extend([(0..self.score_cells()).collect(), vec![0]]);
        let codes: Vec<u16> = (self.cells.rows.chunks_exact(self.cells.width()))
            .flat_map(|row| row.iter().copied().chain([0, 0]))
            .collect();
        let public = PublicRows {
            merged: &merged,
            codes: &codes,
            records: rows.value.round() as u64,
        };
        let mut distances = || -> Result<Vec<NoisyFigure>, ReleaseError> {
            let charged = paid.authorize::<Distances>()?;
            let multiplier = charged.mechanism().noise_multiplier.value() * f64::from(max_rows);
            let sets: Vec<usize> = charged.mechanism().groups.iter().map(Vec::len).collect();
            let sums = charged.measure(records, public)?;
            let figures = sums.iter().zip(sets).map(|(&sum, sets)| NoisyFigure {
                value: sum as f64 / (2.0 * rows.value * sets as f64),
                // Half the noise, because a distance is half a sum of differences.
                noise_stddev: multiplier / (2.0 * rows.value),
            });
            Ok(figures.collect())
        };
        let means = distances()?;
        let each = distances()?;
        Ok(Figures {
            rows,
            mean_total_variation: means,
            columns: (self.schema.names().zip(each))
                .map(|(name, total_variation)| ColumnFigure {
                    name: name.to_owned(),
                    total_variation,
                })
                .collect(),
            prediction: self.prediction(&counts, noise),
        })
    }

    /// Each cell of a record is a cell of its own: they were merged when the records were loaded.
    fn merged(&self) -> Vec<Vec<u16>> {
        (self.cells.sizes.iter())
            .map(|&size| (0..size).collect())
            .collect()
    }

    fn score_cells(&self) -> u16 {
        score_cells(&self.scorer, self.target.is_some())
    }

    fn prediction(&self, counts: &[f64], noise: f64) -> Option<PredictionFigure> {
        let target = self.target.as_ref()?;
        let side = |side: usize| counts.iter().skip(side).step_by(2).copied();
        let (others, of_class): (Vec<f64>, Vec<f64>) = (side(0).collect(), side(1).collect());
        let (value, noise_stddev) = area_of_counts(&of_class, &others, noise)?;
        let column = &self.schema.columns()[target.column];
        let code = self.cells.merged[target.column]
            .iter()
            .position(|cell| *cell == target.class)?;
        let class = match &column.domain {
            Domain::Categorical { categories } => categories
                .get(code)
                .cloned()
                .unwrap_or_else(|| "missing".to_owned()),
            _ => format!("the rarest of {} ranges", self.cells.sizes[target.column]),
        };
        Some(PredictionFigure {
            target: column.name.clone(),
            class,
            auc: NoisyFigure {
                value,
                noise_stddev,
            },
        })
    }
}

/// Cells of the column of scores: for each step, rows that are not of the class and rows that are.
fn score_cells(scorer: &Scorer, has_target: bool) -> u16 {
    match has_target {
        true => 2 * scorer.steps(),
        false => 1,
    }
}

/// What the loader is given: where the table is, and public functions of its rows.
struct Source {
    path: PathBuf,
    schema: Schema,
    options: ReadOptions,
    owner: Option<OwnerColumn>,
    merged: Vec<Vec<u16>>,
    sizes: Vec<u16>,
    /// Column and cell that the scores tell from others.
    scored: Option<(usize, u16)>,
    scorer: Rc<Scorer>,
}

impl Source {
    /// Puts codes into cells, and adds the score and class of each row as one more column, and one that all rows share.
    ///
    /// # Guarantee
    /// What becomes of a row depends on that row and on released values alone.
    fn scored(&self, table: &CodedTable) -> (Vec<u32>, Vec<u16>) {
        let width = self.merged.len();
        let cells = Cells::of(&self.merged, &table.codes);
        let scores = self.scorer.score(&cells);
        let extended = cells
            .chunks_exact(width)
            .zip(scores)
            .flat_map(|(row, step)| {
                let score = match self.scored {
                    Some((column, class)) => 2 * step + u16::from(row[column] == class),
                    None => 0,
                };
                row.iter().copied().chain([score, 0])
            });
        let sizes = self.sizes.iter().copied();
        let last = score_cells(&self.scorer, self.scored.is_some());
        (
            sizes.chain([last, 1]).map(u32::from).collect(),
            extended.collect(),
        )
    }
}

fn load(source: Source) -> Result<Records, ReleaseError> {
    let table = read(&source.path, &source.schema, source.options.clone())?;
    let (sizes, codes) = source.scored(&table);
    Ok(Records::rows(sizes, codes)?)
}

fn load_owned(source: Source) -> Result<OwnedRows, ReleaseError> {
    // OK because this loader is given to `Private::load` together with an owner.
    let owner = source.owner.clone().unwrap_or(OwnerColumn {
        name: String::new(),
        missing_tokens: Vec::new(),
    });
    let owned = read_owned(&source.path, &source.schema, source.options.clone(), &owner)?;
    let (sizes, codes) = source.scored(&owned.table);
    Ok(OwnedRows::new(sizes, codes, owned.owners)?)
}
