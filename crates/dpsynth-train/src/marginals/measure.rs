//! Which marginals are measured, and how closely.

use dpsynth_privacy::{MarginalQuery, MarginalSession, MechanismError, Released};

use super::grouping::CodeOrder;
use super::layout::Layout;
use super::measurements::Measurements;
use super::runs::Runs;
use super::stage::{MeasuredPairs, OfTarget, PairStage};
use super::tree::edges;

/// What is decided about the measurement before the data is opened.
#[derive(Clone, Debug, PartialEq)]
pub struct MeasurePlan {
    /// Number of codes of each column.
    pub codes: Vec<u32>,
    /// What the order of each column's codes means.
    pub orders: Vec<CodeOrder>,
    /// Codes of each column that are counted alone, whatever the noise.
    pub alone: Vec<Vec<u32>>,
    /// A column whose dependence on the others matters most.
    pub target: Option<usize>,
    /// Which pairs of columns the model needs.
    pub pairs: PairChoice,
    /// Public or noisy number of units; it decides how fine the groups are.
    pub units: f64,
    /// Standard deviation of a marginal that would have all of the precision, in rows.
    pub noise_stddev: f64,
    /// How the precision is parted.
    pub shares: MeasureShares,
}

/// How the precision of a measurement is parted among its stages; the rest is for the pairs that are
/// measured closely.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct MeasureShares {
    /// For single columns on their codes.
    pub one_way: f64,
    /// For single columns within each class of the target.
    pub by_class: f64,
    /// For all pairs, where some of them are measured once more.
    pub all_pairs: f64,
    /// Noise of a cell of a pair over the rows that it holds on average, at the groups that are
    /// chosen.
    pub noise_to_cell: f64,
}

/// Which pairs of columns a model needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PairChoice {
    /// All, and closely those that depend on each other beyond the noise.
    Dependent,
    /// All, and closely those within a clique of a junction tree.
    JunctionTree,
    /// All alike, with all of the precision and never within classes.
    Alike,
}

/// Measures in three stages: single columns on their codes (or runs of them, where there is too much
/// noise for a line's many cells), all pairs of columns on groups of
/// codes, and once more the pairs that the plan's choice picks in the light of these.
///
/// Where there is a target of few classes and rows enough, every pair is measured within each
/// class: the classes part the rows, so that has the sensitivity of measuring the pair once. Where rows are
/// few, the target's own pairs come before the others, or alone.
///
/// # Guarantee
/// The data is read by [`MarginalSession::measure`] alone, which takes every marginal's share out
/// of what was paid for; every choice here is a function of the plan and of released counts.
///
/// # Errors
/// If a marginal has too many cells, or the noise is out of range.
pub fn measure(
    plan: &MeasurePlan,
    session: &mut MarginalSession<'_>,
) -> Result<Released<Measurements>, MechanismError> {
    let columns = plan.codes.len();
    let stage = PairStage::new(plan);
    let one_way_shares = plan.one_way_shares(stage.one_way);
    let runs = Runs::new(plan, &one_way_shares);
    if let Some(merged) = runs.merged_codes() {
        session.merge_codes(merged)?;
    }
    let singles: Vec<_> = (0u32..)
        .zip(one_way_shares)
        .map(|(column, share)| MarginalQuery {
            columns: vec![column],
            share,
        })
        .collect();
    let one_way = session.measure(&singles)?;
    let layout = Layout::new(plan, &stage, &runs, one_way.clone());
    session.merge_codes(&layout.merged_codes())?;
    if columns == 1 {
        return Ok(layout.map(|layout| layout.finish(&[], Vec::new(), Vec::new())));
    }
    let pairs = layout.pairs();
    let mut class_share = 0.0;
    let mut queries = Vec::new();
    if stage.split_by.is_some() {
        class_share = plan.shares.by_class;
        let blocks = layout.blocks.len() as f64;
        queries.extend((0..layout.blocks.len()).map(|block| MarginalQuery {
            columns: layout.query_columns(&[block]),
            share: class_share / blocks,
        }));
    }
    let pair_share = stage.share;
    let first_pairs: Vec<_> = pairs
        .iter()
        .copied()
        .zip(layout.shares(&pairs, pair_share))
        .collect();
    queries.extend(layout.queries(&first_pairs));
    let broad = session.measure(&queries)?;
    let left = 1.0 - stage.one_way - class_share - pair_share;
    let mut tree = Vec::new();
    let chosen = match plan.pairs {
        PairChoice::Dependent if stage.of_target == OfTarget::Alone => Vec::new(),
        PairChoice::Dependent => layout.close_pairs(&pairs, &broad, pair_share, left),
        PairChoice::JunctionTree => {
            tree = layout.junction_tree(&pairs, &broad, pair_share, left);
            let pairs = edges(&tree);
            let shares = layout.shares(&pairs, left);
            pairs.into_iter().zip(shares).collect()
        }
        PairChoice::Alike => Vec::new(),
    };
    let close = session.measure(&layout.queries(&chosen))?;
    let close_pairs: Vec<_> = chosen.iter().map(|&(pair, _)| pair).collect();
    Ok(layout
        .zip(broad)
        .zip(close)
        .map(|((layout, broad), close)| {
            let mut all = broad;
            all.extend(close);
            layout.finish(&all, close_pairs, tree)
        }))
}

impl MeasurePlan {
    /// Parts this share of the precision among single columns so that the sum of their errors is
    /// least, where a column of many codes counts as one of [`COUNTED_CODES`], because its cells will be
    /// averaged.
    fn one_way_shares(&self, share: f64) -> Vec<f64> {
        let weights: Vec<_> = self
            .codes
            .iter()
            .map(|&codes| f64::from(codes.clamp(2, COUNTED_CODES)).powf(2.0 / 3.0))
            .collect();
        let sum: f64 = weights.iter().sum();
        let total = share * (1.0 - 1e-12);
        weights.iter().map(|weight| total * weight / sum).collect()
    }
}

/// What public figures say about a measurement before it is made.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct MeasureOutlook {
    /// Standard deviation of each count of a single column, in rows.
    pub one_way_noise: f64,
    /// The same of a pair of columns, before some are measured once more.
    pub pair_noise: f64,
    /// About how many groups a numeric column is cut into.
    pub groups: f64,
    /// Which pairs are measured.
    pub pairs: MeasuredPairs,
}

/// Codes as which a column of more counts when precision is parted among single columns.
const COUNTED_CODES: u32 = 24;
