//! Privacy loss distributions: the exact cost of a plan, between two bounds.
//!
//! Each mechanism's losses are put on a grid twice, once provably worse and once provably better
//! than they are ([`mod@bins`]), and composed with a bound on every error ([`mod@compose`]). The
//! step of the grid falls until the two answers are near enough. `docs/accounting.md` has the
//! argument in full.

mod bins;
mod compose;
mod grid;
mod likelihood;
mod losses;
mod lower;
mod outlook;
mod pair;
mod question;
mod spectrum;
mod stage;
#[cfg(test)]
mod tests;

use self::bins::{Bins, Part};
use self::compose::largest_weight;
use self::grid::{Frame, Grid, Layout};
use self::outlook::Outlook;
use self::pair::Pair;
use self::question::Question;
use self::spectrum::Transforms;
use super::charges::{Base, Charges, Use};
use super::{AccountingError, Interval};
use crate::unit::Adjacency;

/// The losses of a plan: the pair of each mechanism with the number of its uses.
pub(super) struct Plan {
    pairs: Vec<(Pair, f64)>,
    symmetric: bool,
}

/// Which of two neighbouring data sets is P.
#[derive(Clone, Copy)]
enum Direction {
    Removal,
    Addition,
}

/// Whether losses are at least as bad as the true ones, or at most as bad.
#[derive(Clone, Copy)]
enum Bound {
    Worse,
    Better,
}

impl Plan {
    /// Returns the plan's pairs; the Gaussians that nothing samples are one Gaussian.
    pub(super) fn new(charges: &Charges, adjacency: Adjacency) -> Result<Self, AccountingError> {
        let mut pairs = Vec::new();
        let mut precision = 0.0;
        for (used, uses) in charges.iter() {
            match used {
                Use {
                    base: Base::Gaussian { noise_multiplier },
                    rate: 1.0,
                } => {
                    precision += uses / (noise_multiplier * noise_multiplier);
                }
                _ => pairs.push((Pair::new(used, adjacency)?, uses)),
            }
        }
        if precision > 0.0 {
            // Down: composing k Gaussians of noise σ is one of noise σ/√k.
            let noise_multiplier = (1.0 / precision).sqrt() * (1.0 - MERGE_MARGIN);
            let base = Base::Gaussian { noise_multiplier };
            pairs.push((Pair::new(&Use { base, rate: 1.0 }, adjacency)?, 1.0));
        }
        let symmetric = pairs.iter().all(|(pair, _)| pair.symmetric);
        Ok(Self { pairs, symmetric })
    }

    /// Returns bounds on ε at `delta`.
    pub(super) fn epsilon(&self, delta: f64) -> Result<Interval, AccountingError> {
        self.narrow(Question::EpsilonAt(delta))
    }

    /// Returns about ε at `delta`; no guarantee rests on it.
    pub(super) fn estimate(&self, delta: f64) -> Result<f64, AccountingError> {
        let question = Question::EpsilonAt(delta);
        let removal = Outlook::new(&self.pairs, Direction::Removal, question)?.epsilon;
        let addition = Outlook::new(&self.pairs, Direction::Addition, question)?.epsilon;
        Ok(removal.max(addition).max(f64::MIN_POSITIVE))
    }

    /// Returns whether bounds on ε at `delta` take so long that [`Self::composed_estimate`] is
    /// worth its time.
    pub(super) fn takes_long(&self, delta: f64) -> bool {
        let outlook = Outlook::new(&self.pairs, Direction::Removal, Question::EpsilonAt(delta));
        let frame = outlook.map(|it| Frame::new(self, &it, 1.0, Layout::Staged));
        matches!(frame, Ok(Some(frame)) if frame.window.size >= LONG_WINDOW)
    }

    /// Returns about ε at `delta`, composed on a coarse grid; no guarantee rests on it.
    ///
    /// What the coarse grid adds is taken off, but for a share that hardly changes with the noise.
    /// [`Self::estimate`] may err by some tens of per cent.
    pub(super) fn composed_estimate(&self, delta: f64) -> Option<f64> {
        let question = Question::EpsilonAt(delta);
        let outlook = |direction| Outlook::new(&self.pairs, direction, question).ok();
        let (removal, addition) = (outlook(Direction::Removal)?, outlook(Direction::Addition)?);
        let at = |direction: Direction, outlook: &Outlook| {
            let frame = Frame::new(self, outlook, ESTIMATE_FINENESS, Layout::Smooth)?;
            let grid = Grid::new(self, outlook, direction, frame)?;
            let above = question.above(&grid.composed(Bound::Worse, &mut Transforms::new())?)?;
            Some(above / (1.0 + Outlook::chords(ESTIMATE_FINENESS)))
        };
        let of_removal = at(Direction::Removal, &removal)?;
        if self.symmetric || addition.epsilon < FAR_BELOW * removal.epsilon {
            return Some(of_removal);
        }
        Some(of_removal.max(at(Direction::Addition, &addition)?))
    }

    /// Returns bounds on δ at `epsilon`.
    pub(super) fn delta(&self, epsilon: f64) -> Result<Interval, AccountingError> {
        self.narrow(Question::DeltaAt(epsilon))
    }

    fn narrow(&self, question: Question) -> Result<Interval, AccountingError> {
        let given_away: f64 = self
            .pairs
            .iter()
            .map(|(pair, uses)| uses * pair.only_above.max(pair.only_below))
            .sum();
        if let Question::EpsilonAt(delta) = question
            && given_away >= delta
        {
            return Err(AccountingError::DeltaTooSmall {
                delta,
                spent: given_away,
            });
        }
        let removal = self.answer(Direction::Removal, question)?;
        if self.symmetric {
            return Ok(removal);
        }
        // Either direction's lower bound is one of both.
        match self.answer_above(question, removal)? {
            Some(addition) => Ok(Interval {
                lower: removal.lower.max(addition.lower),
                upper: removal.upper.max(addition.upper),
            }),
            None => Ok(removal),
        }
    }

    /// Returns the answer for adding a unit, unless a bound shows that it is below `other`.
    fn answer_above(
        &self,
        question: Question,
        other: Interval,
    ) -> Result<Option<Interval>, AccountingError> {
        let outlook = Outlook::new(&self.pairs, Direction::Addition, question)?;
        // On a coarse grid, which is as much of a bound as a fine one: by Chernoff's inequality, and
        // where that is not enough by composing.
        let room = CHERNOFF_ROOM * (other.lower - outlook.chernoff);
        if let Question::EpsilonAt(delta) = question
            && let Some(step) = outlook.step_within(room, COARSEST)
        {
            let (tail, tilt) = (outlook.tail(), outlook.tilt);
            let mut parts = Vec::new();
            for (pair, uses) in &self.pairs {
                let bins = Bins::new(pair, step, tail, Part::All);
                parts.extend(bins.map(|bins| (bins.worse(Direction::Addition), uses)));
            }
            if parts.len() == self.pairs.len() {
                let infinite: f64 = parts
                    .iter()
                    .map(|(losses, uses)| *uses * losses.infinite)
                    .sum();
                let moment: f64 = parts
                    .iter()
                    .zip(&outlook.means)
                    .map(|((losses, uses), mean)| {
                        *uses * (losses.log_moment(step, *mean, tilt) + tilt * mean)
                    })
                    .sum();
                let bound = (moment + largest_weight(tilt).ln() - (delta - infinite).ln()) / tilt;
                // Up: by more than rounding, which each use adds to.
                let margin = 1e-6 + 1e-14 * self.uses();
                // Written so that a bound that is not a number does not count.
                if bound * (1.0 + margin) + margin < other.lower {
                    return Ok(None);
                }
            }
        }
        let share = match question {
            Question::EpsilonAt(_) => outlook.epsilon / other.lower,
            Question::DeltaAt(_) => 1.0,
        };
        for fineness in COARSER {
            let fineness = fineness * share.clamp(1e-12, 1.0).sqrt();
            let grid = Frame::new(self, &outlook, fineness, Layout::Staged)
                .and_then(|frame| Grid::new(self, &outlook, Direction::Addition, frame));
            let worse = grid.and_then(|grid| grid.composed(Bound::Worse, &mut Transforms::new()));
            let upper = worse.and_then(|worse| question.above(&worse));
            if upper.is_some_and(|upper| upper < other.lower) {
                return Ok(None);
            }
        }
        self.refine(Direction::Addition, question, &outlook)
            .map(Some)
    }

    fn answer(
        &self,
        direction: Direction,
        question: Question,
    ) -> Result<Interval, AccountingError> {
        let outlook = Outlook::new(&self.pairs, direction, question)?;
        self.refine(direction, question, &outlook)
    }

    /// Refines the grid until the two bounds are near, or no finer grid fits.
    fn refine(
        &self,
        direction: Direction,
        question: Question,
        outlook: &Outlook,
    ) -> Result<Interval, AccountingError> {
        let mut transforms = Transforms::new();
        let (mut fineness, mut fitted): (f64, f64) = (1.0, 1.0 / 64.0);
        let mut layout = Layout::Staged;
        let mut best: Option<Interval> = None;
        for round in 0..MOST_ROUNDS {
            let grid = Frame::new(self, outlook, fineness, layout).and_then(|frame| {
                let reached = frame.fineness;
                Some((Grid::new(self, outlook, direction, frame)?, reached))
            });
            let Some((grid, reached)) = grid else {
                // Too fine: half way back, on a logarithmic scale, where that is worth while.
                if fineness <= 1.3 * fitted {
                    break;
                }
                fineness = (fitted * fineness).sqrt();
                continue;
            };
            fitted = reached;
            let found = match (
                grid.composed(Bound::Better, &mut transforms),
                grid.composed(Bound::Worse, &mut transforms),
            ) {
                (Some(better), Some(worse)) => question.between(&better, &worse),
                _ => None,
            };
            let Some(found) = found else {
                (fineness, layout) = (fineness * 2.0, Layout::Single);
                continue;
            };
            let large = grid.window.size > LARGE_WINDOW;
            let found = best.map_or(found, |best| found.within(best));
            best = Some(found);
            let allowed = question.allowed(found);
            let gap = found.upper - found.lower;
            if gap <= allowed {
                return Ok(found);
            }
            if large && round >= MOST_LARGE_ROUNDS {
                break;
            }
            // The gap falls with the square of the step, but for single outputs with the step.
            let factor = if self.pairs.iter().any(|(pair, _)| !pair.atoms.is_empty()) {
                (gap / allowed).clamp(1.5, 64.0)
            } else {
                ((gap / allowed).sqrt() * FINER).clamp(FINER, 4.0)
            };
            // From what was reached, or the same window might be looked at again.
            fineness = reached * factor;
        }
        match best {
            Some(found) if question.usable(found) => Ok(found),
            _ => Err(self.too_fine()),
        }
    }

    fn uses(&self) -> f64 {
        self.pairs.iter().map(|(_, uses)| uses).sum()
    }

    fn too_fine(&self) -> AccountingError {
        AccountingError::TooFine {
            name: "count",
            value: self.uses(),
        }
    }
}

impl Interval {
    fn within(self, other: Self) -> Self {
        Self {
            lower: self.lower.max(other.lower),
            upper: self.upper.min(other.upper),
        }
    }
}

/// How fine the grids are that may show that a direction does not matter.
const COARSEST: f64 = 0.25;
const COARSER: [f64; 2] = [0.125, 0.4];

/// The share of what Chernoff's inequality leaves that its grid may cost.
const CHERNOFF_ROOM: f64 = 0.3;

/// How fine the grid of an estimate is, and from which window of a price on it is worth while.
const ESTIMATE_FINENESS: f64 = 1.0 / 16.0;
const LONG_WINDOW: usize = 1 << 15;

/// A direction whose first estimate is below this share of the other's does not matter.
const FAR_BELOW: f64 = 0.7;

/// By what factor a grid is finer than the gap asks for: a window may be coarser by a tenth than
/// what it was made for.
const FINER: f64 = 1.155;

/// How often the grid is refined at most.
const MOST_ROUNDS: usize = 12;

/// How often where the window is a large one, and what that is.
const MOST_LARGE_ROUNDS: usize = 3;
const LARGE_WINDOW: usize = 1 << 17;

/// Bounds the relative error of merging Gaussians: two roundings for each mechanism, and a root.
const MERGE_MARGIN: f64 = 1e-14;
