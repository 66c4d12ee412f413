//! Learners that predict whether a row is of a class, and how well they do.

use forust_ml::gradientbooster::ImportanceMethod;
use forust_ml::{GradientBooster, Matrix};
use serde::Serialize;
use smartcore::ensemble::random_forest_regressor::{
    RandomForestRegressor, RandomForestRegressorParameters,
};
use smartcore::linalg::basic::matrix::DenseMatrix;

use crate::codes::Codes;
use crate::error::EvaluateError;
use crate::random::Draws;

/// Rows to learn from or to be judged on: some columns of some rows, and whether each is of the class.
pub(crate) struct Examples {
    /// Features, column after column.
    features: Vec<f64>,
    /// 1 for rows of the class, 0 for others.
    labels: Vec<f64>,
    width: usize,
}

/// How well a learner tells rows of a class from others.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Score {
    /// Area under the receiver operating characteristic: 0.5 is a guess, 1 is perfect.
    pub auc: f64,
    /// Harmonic mean of precision and recall at the threshold of one half.
    pub f1: f64,
}

impl Examples {
    /// Takes some columns of some rows of a table; `label` says which rows are of the class.
    pub(crate) fn of(
        table: &Codes,
        columns: &[usize],
        rows: &[usize],
        label: impl Fn(usize) -> bool,
    ) -> Self {
        let mut features = Vec::with_capacity(columns.len() * rows.len());
        for &column in columns {
            let codes = &table.columns[column];
            features.extend(rows.iter().map(|&row| f64::from(codes[row])));
        }
        let labels = rows.iter().map(|&row| f64::from(u8::from(label(row))));
        Self {
            features,
            labels: labels.collect(),
            width: columns.len(),
        }
    }

    /// Puts the rows of two sets one after the other.
    pub(crate) fn joined(&self, other: &Self) -> Self {
        let (rows, more) = (self.labels.len(), other.labels.len());
        let mut features = Vec::with_capacity(self.features.len() + other.features.len());
        for column in 0..self.width {
            features.extend_from_slice(&self.features[column * rows..(column + 1) * rows]);
            features.extend_from_slice(&other.features[column * more..(column + 1) * more]);
        }
        let labels = self.labels.iter().chain(&other.labels).copied();
        Self {
            features,
            labels: labels.collect(),
            width: self.width,
        }
    }

    /// At most `most` of the rows.
    fn some(&self, most: usize) -> Self {
        let rows = self.labels.len();
        let chosen = Draws::new(FOREST_SEED).some(rows, most);
        let column = |index: usize| &self.features[index * rows..(index + 1) * rows];
        Self {
            features: (0..self.width)
                .flat_map(|index| chosen.iter().map(move |&row| column(index)[row]))
                .collect(),
            labels: chosen.iter().map(|&row| self.labels[row]).collect(),
            width: self.width,
        }
    }

    fn one_class_only(&self) -> bool {
        let of_class = self.labels.iter().filter(|&&label| label > 0.5).count();
        of_class == 0 || of_class == self.labels.len()
    }

    fn matrix(&self) -> Matrix<'_, f64> {
        Matrix::new(&self.features, self.labels.len(), self.width)
    }

    fn dense(&self) -> Result<DenseMatrix<f64>, EvaluateError> {
        DenseMatrix::new(self.labels.len(), self.width, self.features.clone(), true)
            .map_err(|_| EvaluateError::Training)
    }
}

/// Trains 120 boosted trees of depth 5 (Chen and Guestrin 2016) and judges them; also returns how
/// much of what the trees gain is due to each column.
///
/// # Errors
/// If training fails.
pub(crate) fn boosting(
    train: &Examples,
    test: &Examples,
) -> Result<(Score, Vec<f64>), EvaluateError> {
    if train.one_class_only() {
        return Ok((Score::GUESS, vec![0.0; train.width]));
    }
    let mut booster = booster();
    booster
        .fit_unweighted(&train.matrix(), &train.labels, None)
        .map_err(|_| EvaluateError::Training)?;
    let odds = booster.predict(&test.matrix(), false);
    let gains = booster.calculate_feature_importance(ImportanceMethod::TotalGain, true);
    let gains = (0..train.width)
        .map(|column| gains.get(&column).map_or(0.0, |&gain| f64::from(gain)))
        .collect();
    Ok((Score::new(&test.labels, &odds, 0.0), gains))
}

/// 120 trees of depth 5.
pub(crate) fn booster() -> GradientBooster {
    GradientBooster::default()
        .set_iterations(120)
        .set_max_depth(5)
        // As many as that depth can have.
        .set_max_leaves(32)
        .set_learning_rate(0.15)
        .set_parallel(false)
}

/// Trains a forest of 100 trees (Breiman 2001) on at most [`MOST_FOREST_ROWS`] rows and judges it.
///
/// # Errors
/// If training fails.
pub(crate) fn forest(train: &Examples, test: &Examples) -> Result<Score, EvaluateError> {
    let train = train.some(MOST_FOREST_ROWS);
    if train.one_class_only() {
        return Ok(Score::GUESS);
    }
    let parameters = RandomForestRegressorParameters::default()
        .with_n_trees(100)
        .with_min_samples_leaf(5)
        .with_m((train.width as f64).sqrt().floor().max(1.0) as usize)
        .with_seed(FOREST_SEED);
    let forest = RandomForestRegressor::fit(&train.dense()?, &train.labels, parameters)
        .map_err(|_| EvaluateError::Training)?;
    let shares: Vec<f64> = forest
        .predict(&test.dense()?)
        .map_err(|_| EvaluateError::Training)?;
    Ok(Score::new(&test.labels, &shares, 0.5))
}

impl Score {
    /// What a learner reaches that has seen one class only.
    const GUESS: Self = Self { auc: 0.5, f1: 0.0 };

    /// Judges scores that rise with how likely a row is of the class.
    pub(crate) fn new(labels: &[f64], scores: &[f64], threshold: f64) -> Self {
        let (mut right, mut wrong, mut missed) = (0.0, 0.0, 0.0);
        for (&label, &score) in labels.iter().zip(scores) {
            match (label > 0.5, score > threshold) {
                (true, true) => right += 1.0,
                (false, true) => wrong += 1.0,
                (true, false) => missed += 1.0,
                (false, false) => {}
            }
        }
        let f1 = if right > 0.0 {
            2.0 * right / (2.0 * right + wrong + missed)
        } else {
            0.0
        };
        Self {
            auc: area_under_curve(labels, scores),
            f1,
        }
    }
}

/// The chance that a row of the class scores higher than another, ties counting half (Hanley and
/// McNeil 1982).
fn area_under_curve(labels: &[f64], scores: &[f64]) -> f64 {
    let mut order: Vec<usize> = (0..labels.len()).collect();
    order.sort_by(|&a, &b| scores[a].total_cmp(&scores[b]));
    let (mut ranks, mut below) = (0.0, 0.0);
    for tied in order.chunk_by(|&a, &b| scores[a] == scores[b]) {
        let middle = below + (tied.len() + 1) as f64 / 2.0;
        ranks += middle * tied.iter().filter(|&&row| labels[row] > 0.5).count() as f64;
        below += tied.len() as f64;
    }
    let of_class = labels.iter().filter(|&&label| label > 0.5).count() as f64;
    let others = labels.len() as f64 - of_class;
    if of_class == 0.0 || others == 0.0 {
        return 0.5;
    }
    (ranks - of_class * (of_class + 1.0) / 2.0) / (of_class * others)
}

/// Forests take long; more rows than these change little.
pub(crate) const MOST_FOREST_ROWS: usize = 40_000;
const FOREST_SEED: u64 = 1;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_area_is_one_for_a_perfect_order_and_half_for_ties() {
        let labels = [0.0, 0.0, 1.0, 1.0];
        assert_eq!(area_under_curve(&labels, &[0.1, 0.2, 0.3, 0.4]), 1.0);
        assert_eq!(area_under_curve(&labels, &[0.4, 0.3, 0.2, 0.1]), 0.0);
        assert_eq!(area_under_curve(&labels, &[0.5; 4]), 0.5);
        assert_eq!(area_under_curve(&labels, &[0.1, 0.3, 0.2, 0.4]), 0.75);
    }

    /// A rule that a single tree finds: the class is where two columns agree.
    #[test]
    fn both_learners_find_an_interaction_and_neither_finds_one_in_noise() {
        let mut draws = Draws::new(5);
        let bits = |draws: &mut Draws| -> Vec<u32> {
            (0..2000).map(|_| u32::from(draws.signed() > 0.0)).collect()
        };
        let columns: Vec<Vec<u32>> = (0..4).map(|_| bits(&mut draws)).collect();
        let table = Codes {
            columns,
            rows: 2000,
        };
        let rows: Vec<usize> = (0..2000).collect();
        let make = |rows: &[usize], a: usize, b: usize, features: &[usize]| {
            Examples::of(&table, features, rows, |row| {
                table.columns[a][row] == table.columns[b][row]
            })
        };
        let (train, test) = rows.split_at(1000);
        let found = |features: &[usize]| {
            let (train, test) = (make(train, 0, 1, features), make(test, 0, 1, features));
            let (boosted, _) = boosting(&train, &test).unwrap();
            (boosted.auc, forest(&train, &test).unwrap().auc)
        };
        let (boosted, grown) = found(&[0, 1, 2]);
        assert!(boosted > 0.99 && grown > 0.9, "{boosted} {grown}");
        // Areas of guesses on 1000 rows have a standard deviation below 0.019: six of them.
        let (boosted, grown) = found(&[2, 3]);
        assert!((boosted - 0.5).abs() < 0.11 && (grown - 0.5).abs() < 0.11);
    }
}
