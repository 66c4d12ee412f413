//! All figures of one evaluation.

use serde::Serialize;

use crate::codes::{Codes, Cut};
use crate::distance::{association, jensen_shannon, joint_shares, shares, total_variation};
use crate::error::EvaluateError;
use crate::learn::{Examples, MOST_FOREST_ROWS, Score, boosting, forest};
use crate::projection::Projection;
use crate::random::Draws;
use crate::rare::RareGroups;
use crate::table::{Table, Values};

/// What is compared with what.
#[derive(Clone, Copy, Debug)]
pub struct Question<'a> {
    /// The real table that the release was made from.
    pub real: &'a Table,
    /// Real rows that the release was not made from. Without it, learners are judged on half of
    /// the real rows, chosen by a seed.
    pub holdout: Option<&'a Table>,
    /// The synthetic table.
    pub synthetic: &'a Table,
    /// The column that is to be predicted.
    pub target: Option<&'a str>,
}

/// How far a synthetic table is from the real one. Every figure depends on the real rows without any
/// protection.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Evaluation {
    /// What this is, and is not.
    pub stamp: &'static str,
    /// Mean total variation distance of the columns, of the pairs, and of the triples looked at.
    pub mean_total_variation: [f64; 3],
    /// Number of triples looked at, and that there are.
    pub triples: [usize; 2],
    /// Mean Jensen-Shannon distance of the columns.
    pub mean_jensen_shannon: f64,
    /// Mean absolute difference of association over all pairs.
    pub mean_association_error: f64,
    /// Each column.
    pub columns: Vec<ColumnFigures>,
    /// Each pair of columns, the first before the second.
    pub pairs: Vec<PairFigures>,
    /// How well learners predict the target; absent without a target.
    pub prediction: Option<Prediction>,
    /// How well a learner tells synthetic rows from real ones.
    pub distinguishability: Distinguishability,
    /// How groups of few people fare.
    pub rare_groups: RareGroups,
    /// Both tables on the real table's principal components.
    pub projection: Projection,
    /// The rules of the policy; empty where there are none.
    pub rules: Vec<RuleFigures>,
}

/// A column in both tables.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ColumnFigures {
    /// The name.
    pub name: String,
    /// Total variation distance, from 0 to 1.
    pub total_variation: f64,
    /// Jensen-Shannon distance, from 0 to 1.
    pub jensen_shannon: f64,
    /// Whether its cells are ranges of numbers, in order.
    #[serde(skip)]
    pub ordered: bool,
    /// What is compared: ranges of numbers, or levels.
    #[serde(skip)]
    pub cells: Vec<CellShares>,
}

/// A cell of a column in both tables.
#[derive(Clone, Debug, PartialEq)]
pub struct CellShares {
    /// What the cell holds.
    pub label: String,
    /// Share of the real rows.
    pub real: f64,
    /// Share of the synthetic rows.
    pub synthetic: f64,
}

/// A pair of columns in both tables.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PairFigures {
    /// Positions of the columns.
    pub columns: [usize; 2],
    /// Total variation distance of the pair, from 0 to 1.
    pub total_variation: f64,
    /// Corrected Cramér's V in the real table.
    pub association_real: f64,
    /// Corrected Cramér's V in the synthetic table.
    pub association_synthetic: f64,
    /// Joint shares, for the pairs with the largest association.
    #[serde(skip)]
    pub joint: Option<JointShares>,
}

/// Joint shares of two columns, as a grid.
#[derive(Clone, Debug, PartialEq)]
pub struct JointShares {
    /// What the lines of the grid stand for, which are cells of the first column, and the places in a
    /// line, which are cells of the second.
    pub labels: [Vec<String>; 2],
    /// Shares of real rows, row by row.
    pub real: Vec<f64>,
    /// Shares of synthetic rows.
    pub synthetic: Vec<f64>,
}

/// How well learners predict the target on real rows that they have not seen.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Prediction {
    /// The column.
    pub target: String,
    /// The class that is told from all others: the rarest one.
    pub class: String,
    /// What the rows are that learners are judged on.
    pub judged_on: &'static str,
    /// Boosted trees, trained on synthetic rows.
    pub boosting_synthetic: Score,
    /// Boosted trees, trained on real rows.
    pub boosting_real: Score,
    /// A random forest, trained on synthetic rows.
    pub forest_synthetic: Score,
    /// A random forest, trained on real rows.
    pub forest_real: Score,
    /// Forests are trained on at most so many rows.
    pub most_forest_rows: usize,
}

impl Prediction {
    /// The scores: which learner, trained on which rows, how well.
    pub(crate) fn lines(&self) -> [(&'static str, &'static str, Score); 4] {
        [
            ("boosted trees", "synthetic rows", self.boosting_synthetic),
            ("boosted trees", "real rows", self.boosting_real),
            ("random forest", "synthetic rows", self.forest_synthetic),
            ("random forest", "real rows", self.forest_real),
        ]
    }
}

/// How well boosted trees tell synthetic rows from real ones.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Distinguishability {
    /// Area under the curve: 0.5 where the rows cannot be told apart, 1 where all can.
    pub auc: f64,
    /// The columns that give synthetic rows away, with their shares of what the trees gain.
    pub columns: Vec<(String, f64)>,
}

/// A rule in both tables.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct RuleFigures {
    /// Name of the rule.
    pub name: String,
    /// Share of the real rows that obey it; absent where the real table lacks a column.
    pub kept_real: Option<f64>,
    /// Share of the synthetic rows that obey it.
    pub kept_synthetic: f64,
}

/// What stands on everything that is made here.
pub const STAMP: &str = "Made from the real data, for the custodian's own screen. Not part of the release, \
    and not differentially private: do not publish it, and do not pass it on.";

/// Compares a synthetic table with the real one.
///
/// Numbers are cut at 20 quantiles of the real table, missing cells count as a cell of their own,
/// and of the levels of a column the 100 most frequent real ones are kept apart. All choices of
/// rows are seeded, so the same tables give the same figures.
///
/// # Errors
/// If a table lacks a column of the real one, the target is no column, or a learner fails.
pub fn evaluate(
    question: Question<'_>,
    rules: Vec<RuleFigures>,
) -> Result<Evaluation, EvaluateError> {
    let cut = Cut::of(question.real);
    let real = cut.encode(question.real, question.real, "real")?;
    let synthetic = cut.encode(question.synthetic, question.real, "synthetic")?;
    let holdout = question
        .holdout
        .map(|holdout| cut.encode(holdout, question.real, "hold-out"))
        .transpose()?;
    let target = question
        .target
        .map(|name| {
            let found = cut.names.iter().position(|other| other == name);
            found.ok_or_else(|| EvaluateError::TargetUnknown {
                column: name.to_owned(),
            })
        })
        .transpose()?;
    let judges = Judges::new(&real, holdout.as_ref());
    let (learned, counted) = std::thread::scope(|scope| {
        let learning = scope.spawn(|| learned(&cut, &real, &synthetic, &judges, target));
        let counted = Counted::new(&cut, &real, &synthetic);
        (learning.join(), counted)
    });
    let (prediction, distinguishability) = learned.map_err(|_| EvaluateError::Training)??;
    let categories: Vec<usize> = (0..cut.names.len())
        .filter(|&column| {
            matches!(
                question.real.columns()[column].values,
                Values::Category { .. }
            )
        })
        .collect();
    Ok(Evaluation {
        stamp: STAMP,
        mean_total_variation: counted.means,
        triples: counted.triples,
        mean_jensen_shannon: mean(counted.columns.iter().map(|it| it.jensen_shannon)),
        mean_association_error: mean(
            (counted.pairs.iter()).map(|it| (it.association_real - it.association_synthetic).abs()),
        ),
        columns: counted.columns,
        pairs: counted.pairs,
        prediction,
        distinguishability,
        rare_groups: RareGroups::new(&cut, &real, &synthetic, &categories, target),
        projection: Projection::new(question.real, question.synthetic),
        rules,
    })
}

/// What is only counted.
struct Counted {
    means: [f64; 3],
    triples: [usize; 2],
    columns: Vec<ColumnFigures>,
    pairs: Vec<PairFigures>,
}

impl Counted {
    fn new(cut: &Cut, real: &Codes, synthetic: &Codes) -> Self {
        let width = cut.names.len();
        let sizes = &cut.sizes;
        let columns: Vec<ColumnFigures> = (0..width)
            .map(|column| ColumnFigures {
                name: cut.names[column].clone(),
                total_variation: total_variation(real, synthetic, &[column], sizes),
                jensen_shannon: jensen_shannon(real, synthetic, column, sizes),
                ordered: cut.ordered(column),
                cells: cells(cut, real, synthetic, column),
            })
            .collect();
        let mut pairs: Vec<PairFigures> = pairs_of(width)
            .map(|(i, j)| PairFigures {
                columns: [i, j],
                total_variation: total_variation(real, synthetic, &[i, j], sizes),
                association_real: association(real, i, j, sizes),
                association_synthetic: association(synthetic, i, j, sizes),
                joint: None,
            })
            .collect();
        show_largest(&mut pairs, cut, real, synthetic);
        let all: Vec<[usize; 3]> = pairs_of(width)
            .flat_map(|(i, j)| (j + 1..width).map(move |k| [i, j, k]))
            .collect();
        let chosen = Draws::new(TRIPLES_SEED).some(all.len(), MOST_TRIPLES);
        let of_triple = |&index: &usize| total_variation(real, synthetic, &all[index], sizes);
        Self {
            means: [
                mean(columns.iter().map(|it| it.total_variation)),
                mean(pairs.iter().map(|it| it.total_variation)),
                mean(chosen.iter().map(of_triple)),
            ],
            triples: [chosen.len(), all.len()],
            columns,
            pairs,
        }
    }
}

fn cells(cut: &Cut, real: &Codes, synthetic: &Codes, column: usize) -> Vec<CellShares> {
    let (ours, theirs) = (
        shares(real, column, &cut.sizes),
        shares(synthetic, column, &cut.sizes),
    );
    (0..cut.sizes[column])
        .filter(|&code| ours[code] > 0.0 || theirs[code] > 0.0)
        .map(|code| CellShares {
            label: cut.describe(column, code as u32),
            real: ours[code],
            synthetic: theirs[code],
        })
        .collect()
}

/// Adds the joint shares of the pairs with the largest association in the real table.
fn show_largest(pairs: &mut [PairFigures], cut: &Cut, real: &Codes, synthetic: &Codes) {
    let mut order: Vec<usize> = (0..pairs.len()).collect();
    order.sort_by(|&a, &b| {
        pairs[b]
            .association_real
            .total_cmp(&pairs[a].association_real)
    });
    for &index in order.iter().take(MOST_JOINT) {
        let columns = pairs[index].columns;
        let used = columns.map(|column| used(cut, real, synthetic, column));
        let of = |table: &Codes| {
            let shares = joint_shares(table, &columns, &cut.sizes);
            gathered(&shares, cut.sizes[columns[1]], &used)
        };
        let (real, synthetic) = (of(real), of(synthetic));
        let labels = [0, 1].map(|side| {
            let codes = used[side].iter().enumerate();
            codes
                .filter(|(code, place)| used[side][..*code].iter().all(|other| other != *place))
                .filter_map(|(code, place)| place.map(|place| (code, place)))
                .map(|(code, place)| match place + 1 == MOST_SHOWN_CODES {
                    true => "all others".to_owned(),
                    false => cut.describe(columns[side], code as u32),
                })
                .collect()
        });
        pairs[index].joint = Some(JointShares {
            labels,
            real,
            synthetic,
        });
    }
}

/// The place in a grid of each code of a column: none for codes that nobody has, and one together for
/// all beyond the first [`MOST_SHOWN_CODES`].
fn used(cut: &Cut, real: &Codes, synthetic: &Codes, column: usize) -> Vec<Option<usize>> {
    let (ours, theirs) = (
        shares(real, column, &cut.sizes),
        shares(synthetic, column, &cut.sizes),
    );
    let mut next = 0;
    ours.iter()
        .zip(&theirs)
        .map(|(ours, theirs)| {
            (*ours > 0.0 || *theirs > 0.0).then(|| {
                next += 1;
                (next - 1).min(MOST_SHOWN_CODES - 1)
            })
        })
        .collect()
}

/// Adds up shares by the places of their codes.
fn gathered(shares: &[f64], width: usize, places: &[Vec<Option<usize>>; 2]) -> Vec<f64> {
    let count = |side: usize| {
        places[side]
            .iter()
            .flatten()
            .max()
            .map_or(0, |last| last + 1)
    };
    let mut sums = vec![0.0; count(0) * count(1)];
    for (index, share) in shares.iter().enumerate() {
        if let (Some(line), Some(place)) = (places[0][index / width], places[1][index % width]) {
            sums[line * count(1) + place] += share;
        }
    }
    sums
}

fn pairs_of(width: usize) -> impl Iterator<Item = (usize, usize)> {
    (0..width).flat_map(move |i| (i + 1..width).map(move |j| (i, j)))
}

/// The real rows that learners are trained and judged on.
struct Judges<'a> {
    train: (&'a Codes, Vec<usize>),
    test: (&'a Codes, Vec<usize>),
    judged_on: &'static str,
}

impl<'a> Judges<'a> {
    fn new(real: &'a Codes, holdout: Option<&'a Codes>) -> Self {
        match holdout {
            Some(holdout) => Self {
                train: (real, (0..real.rows).collect()),
                test: (holdout, (0..holdout.rows).collect()),
                judged_on: "the hold-out",
            },
            None => {
                let mut train = Draws::new(HALVES_SEED).order(real.rows);
                let test = train.split_off(real.rows / 2);
                Self {
                    train: (real, train),
                    test: (real, test),
                    judged_on: "half of the real rows, which the release was made from; \
                                a hold-out would be fairer",
                }
            }
        }
    }
}

type Learned = (Option<Prediction>, Distinguishability);

fn learned(
    cut: &Cut,
    real: &Codes,
    synthetic: &Codes,
    judges: &Judges<'_>,
    target: Option<usize>,
) -> Result<Learned, EvaluateError> {
    std::thread::scope(|scope| {
        let apart = scope.spawn(|| distinguish(cut, synthetic, &judges.test));
        let prediction = target
            .map(|target| predict(cut, real, synthetic, judges, target))
            .transpose()?;
        let apart = apart.join().map_err(|_| EvaluateError::Training)??;
        Ok((prediction, apart))
    })
}

fn predict(
    cut: &Cut,
    real: &Codes,
    synthetic: &Codes,
    judges: &Judges<'_>,
    target: usize,
) -> Result<Prediction, EvaluateError> {
    let features: Vec<usize> = (0..cut.names.len()).filter(|&it| it != target).collect();
    let shares = shares(real, target, &cut.sizes);
    let class = (0..shares.len())
        .filter(|&code| shares[code] > 0.0)
        .min_by(|&a, &b| shares[a].total_cmp(&shares[b]))
        .unwrap_or(0) as u32;
    let examples = |table: &Codes, rows: &[usize]| {
        Examples::of(table, &features, rows, |row| {
            table.columns[target][row] == class
        })
    };
    let every: Vec<usize> = (0..synthetic.rows).collect();
    let drawn = examples(synthetic, &every);
    let own = examples(judges.train.0, &judges.train.1);
    let test = examples(judges.test.0, &judges.test.1);
    let scores = std::thread::scope(|scope| {
        let of_own = scope.spawn(|| forest(&own, &test));
        let of_drawn = forest(&drawn, &test)?;
        let of_own = of_own.join().map_err(|_| EvaluateError::Training)??;
        Ok::<_, EvaluateError>((of_drawn, of_own))
    })?;
    Ok(Prediction {
        target: cut.names[target].clone(),
        class: cut.describe(target, class),
        judged_on: judges.judged_on,
        boosting_synthetic: boosting(&drawn, &test)?.0,
        boosting_real: boosting(&own, &test)?.0,
        forest_synthetic: scores.0,
        forest_real: scores.1,
        most_forest_rows: MOST_FOREST_ROWS,
    })
}

/// Trains boosted trees to tell as many synthetic rows as there are real ones from those, on half of
/// the rows, and judges them on the other half.
fn distinguish(
    cut: &Cut,
    synthetic: &Codes,
    real: &(&Codes, Vec<usize>),
) -> Result<Distinguishability, EvaluateError> {
    let features: Vec<usize> = (0..cut.names.len()).collect();
    let mut draws = Draws::new(APART_SEED);
    let count = real.1.len().min(synthetic.rows);
    let own: Vec<usize> = draws
        .order(real.1.len())
        .into_iter()
        .map(|place| real.1[place])
        .take(count)
        .collect();
    let mut drawn = draws.order(synthetic.rows);
    drawn.truncate(count);
    let (half, rest) = (count / 2, count - count / 2);
    let examples = |from: usize, to: usize| {
        let own = Examples::of(real.0, &features, &own[from..to], |_| false);
        own.joined(&Examples::of(
            synthetic,
            &features,
            &drawn[from..to],
            |_| true,
        ))
    };
    let (score, gains) = boosting(&examples(0, half), &examples(half, half + rest))?;
    let total: f64 = gains.iter().sum();
    let mut columns: Vec<(String, f64)> = cut
        .names
        .iter()
        .zip(gains)
        .map(|(name, gain)| (name.clone(), if total > 0.0 { gain / total } else { 0.0 }))
        .collect();
    columns.sort_by(|a, b| b.1.total_cmp(&a.1));
    columns.truncate(MOST_TELLING);
    Ok(Distinguishability {
        auc: score.auc,
        columns,
    })
}

fn mean(values: impl ExactSizeIterator<Item = f64>) -> f64 {
    let count = values.len().max(1) as f64;
    values.sum::<f64>() / count
}

const MOST_TRIPLES: usize = 1000;
const MOST_JOINT: usize = 6;
const MOST_SHOWN_CODES: usize = 30;
const MOST_TELLING: usize = 5;
const TRIPLES_SEED: u64 = 3;
const HALVES_SEED: u64 = 4;
const APART_SEED: u64 = 5;
