//! Losses on a grid: distributions that are provably worse, and provably better, than a pair.
//!
//! A pair (P, Q) is as private as its curve h(α) = ∫ (dP - α·dQ)_+ says, α ≥ 0, and composing
//! keeps the order of curves: if W ≥ h everywhere, then every composition with W in the place of
//! the pair is at most as private. A set of atoms on the grid of losses l_i = l_0 + i·h has a
//! curve that is piecewise linear with its corners at α_i = exp(l_i).
//!
//! - *Above*: the chords of h between the α_i. Each bit of mass in a bin goes to the bin's two
//!   ends such that the masses of P and of Q are both kept: Doroshenko, Ghazi, Kamath, Kumar &
//!   Manurangsi (2022), arXiv 2207.04380, "connect the dots".
//! - *Below*: the same chords lowered at each α_i by c_i. A convex curve whose slope changes by
//!   Q_i over a bin of width Δ_i lies at most Q_i·Δ_i/4 below its chord, so it suffices that c_i
//!   is at least that of both neighbouring bins. Both curves differ from h in second order of
//!   the step. `docs/accounting.md` has the proof.

mod bounds;
mod range;

use self::range::Range;
use super::likelihood::Likelihood;
use super::pair::{Atom, Pair};

/// A pair's losses in bins, the mass of each bin split between its two ends.
pub(super) struct Bins {
    /// The loss at the left end of the first bin.
    pub(super) origin: f64,
    /// The width of a bin.
    step: f64,
    /// What goes to the left end of each bin: mass of P where that end's loss is at least 0,
    /// mass of Q otherwise. The larger of the two never underflows first.
    down: Vec<f64>,
    /// What goes to the right end, *in the masses of the left end*: times exp(loss of the left
    /// end) it is mass of P, times exp(-step) less.
    up: Vec<f64>,
    /// Outputs of one loss each, where they are too few to be a density.
    atoms: Vec<Atom>,
    /// The bins up to this one together have about the loss at its left end.
    lump: Option<usize>,
    /// Bounds on the masses of P and Q beyond the first bin and the last.
    beyond_left: f64,
    beyond_right: f64,
    only_above: f64,
    only_below: f64,
    /// Bounds the relative error of every mass.
    mass_error: f64,
    /// Bounds the error of the loss that an end of a bin stands for.
    loss_error: f64,
}

/// Which losses of a pair are put in bins.
#[derive(Clone, Copy)]
pub(super) enum Part {
    All,
    /// Those of a density below this loss, and all single outputs.
    Bulk(f64),
    /// Those of a density from this loss on, on a grid that holds the loss `corner`.
    Rare {
        from: f64,
        corner: f64,
    },
}

impl Bins {
    /// Cuts the losses of `pair` into bins of width `step`, or returns nothing where they would
    /// be more than [`MOST_BINS`].
    ///
    /// Tails of less than `tail` are bounded as a whole.
    pub(super) fn new(pair: &Pair, step: f64, tail: f64, part: Part) -> Option<Self> {
        let rest;
        let pair = if let Part::Rare { .. } = part {
            rest = Pair {
                atoms: Vec::new(),
                only_above: 0.0,
                only_below: 0.0,
                ..pair.clone()
            };
            &rest
        } else {
            pair
        };
        let range = Range::new(pair, tail).cut(pair, part);
        let count = ((range.highest - range.lowest) / step).ceil().max(1.0);
        // Written so that a count that is not a number is refused.
        let fits = count <= MOST_BINS;
        if !fits {
            return None;
        }
        let lump = match part {
            Part::Rare { .. } => None,
            Part::All | Part::Bulk(_) => pair
                .density
                .as_ref()
                .and_then(|density| Self::lump(density, &range, step)),
        };
        // The bins below the lump hold nothing but what falls on it.
        let below = lump.map_or(0.0, |loss| ((loss - range.lowest) / step).max(0.0).ceil());
        let origin = match part {
            Part::Rare { corner, .. } => corner + ((range.lowest - corner) / step).floor() * step,
            Part::All | Part::Bulk(_) => lump.map_or(range.lowest, |loss| loss - below * step),
        };
        // Two bins more, so that the highest loss lies inside however the division rounded.
        let count = count as usize + 2;
        let highest = range.lowest.abs().max(range.highest.abs());
        let dense = pair.atoms.len() > DENSE * count;
        let mut bins = Self {
            origin,
            step,
            down: vec![0.0; count],
            up: vec![0.0; count],
            atoms: if dense {
                Vec::new()
            } else {
                pair.atoms.clone()
            },
            lump: lump.map(|_| below as usize),
            beyond_left: range.beyond_left,
            beyond_right: range.beyond_right,
            only_above: pair.only_above,
            only_below: pair.only_below,
            mass_error: MASS_ERROR * (1.0 + highest / 64.0),
            loss_error: LOSS_ERROR * (1.0 + highest),
        };
        if let Some(density) = &pair.density {
            bins.add_density(density, &range);
        }
        if dense {
            for atom in &pair.atoms {
                let (index, low, high) = bins.split(atom);
                bins.down[index] += low;
                bins.up[index] += high;
            }
        }
        Some(bins)
    }

    /// Returns the loss of all outputs together that are less than a step above it, where there
    /// are outputs of hardly any loss but the lowest.
    ///
    /// Such outputs crowd within less than a step, where a density cannot be told from a single
    /// output; taken together they are one.
    fn lump(density: &Likelihood, range: &Range, step: f64) -> Option<f64> {
        density.masses_below(0.0)?;
        let together = |t: f64| {
            density
                .masses_below(t)
                .map_or(f64::NAN, |(above, below)| (above / below).ln())
        };
        let (mut low, mut high) = (range.left, range.right);
        for _ in 0..64 {
            let middle = low + (high - low) / 2.0;
            if density.loss(middle) - together(middle) < step {
                low = middle;
            } else {
                high = middle;
            }
        }
        let loss = together(low);
        (loss >= range.lowest && loss < range.highest).then_some(loss)
    }

    fn loss(&self, index: usize) -> f64 {
        self.origin + index as f64 * self.step
    }

    fn add_density(&mut self, density: &Likelihood, range: &Range) {
        let width = self.step.exp_m1();
        let mut from = density.edge(self.origin);
        for index in 0..self.down.len() {
            if from >= range.right {
                break;
            }
            let to = density.edge(self.loss(index + 1));
            if to > range.left {
                let (down, up) = self.share(density, range, index, (from, to), width);
                self.down[index] += down;
                self.up[index] += up;
            }
            from = to;
        }
    }

    /// Returns what the bin from `edges.0` to `edges.1` gives to its left and to its right end.
    fn share(
        &self,
        density: &Likelihood,
        range: &Range,
        index: usize,
        edges: (f64, f64),
        width: f64,
    ) -> (f64, f64) {
        let (from, to) = edges;
        let right = to.min(range.right);
        let above = self.loss(index) >= 0.0;
        // How far the lowest ratio is above the bin's left end.
        let floor = if from == f64::NEG_INFINITY {
            (range.lowest - self.loss(index)).exp_m1()
        } else {
            0.0
        };
        let rises = density.rises(from);
        let (mut down, mut up) = (0.0, 0.0);
        let mut start = from.max(range.left);
        while start < right {
            let largest = start.abs().max((start + 1.0).min(right).abs());
            let half = density.panel(largest);
            let last = start + 2.0 * half >= right || start + 2.0 * half <= start;
            let half = if last { (right - start) / 2.0 } else { half };
            // On a sixteenth of the width three points are as good as five.
            let rule: &[(f64, f64)] = if 16.0 * half <= density.panel(largest) {
                &GAUSS_LEGENDRE_3
            } else {
                &GAUSS_LEGENDRE_5
            };
            for (node, weight) in rule {
                let t = start + half * (1.0 + node);
                let rise = (floor + (1.0 + floor) * rises.to(t)).min(width);
                // The mass of Q times the likelihood ratio at the left end.
                let mass = weight
                    * half
                    * if above {
                        density.above_density(t) / (1.0 + rise)
                    } else {
                        density.below_density(t)
                    };
                up += mass * rise;
                down += mass * density_fall(density, t, to, rise, width);
            }
            start = if last { right } else { start + 2.0 * half };
        }
        (down / width, up / width)
    }

    /// Returns the bin of an atom and what it gives to the bin's ends, as [`Self::down`] and
    /// [`Self::up`] count it.
    fn split(&self, atom: &Atom) -> (usize, f64, f64) {
        let last = self.down.len() - 1;
        let index = (((atom.loss - self.origin) / self.step).floor().max(0.0) as usize).min(last);
        let left = self.loss(index);
        let width = self.step.exp_m1();
        let rise = (atom.loss - left).exp_m1().clamp(0.0, width);
        let mass = if left >= 0.0 {
            atom.above / (1.0 + rise)
        } else {
            atom.below
        };
        (index, mass * (width - rise) / width, mass * rise / width)
    }

    /// Returns the factors from a bin's stored masses to masses of P and of Q at its left end.
    fn factors(&self, index: usize) -> (f64, f64) {
        let loss = self.loss(index);
        if loss >= 0.0 {
            (1.0, (-loss).exp())
        } else {
            (loss.exp(), 1.0)
        }
    }
}

/// Returns `1 + width - (1 + rise)` where that does not cancel, and from the other end where it
/// would.
fn density_fall(density: &Likelihood, t: f64, to: f64, rise: f64, width: f64) -> f64 {
    let difference = width - rise;
    if difference > 0.25 * width {
        difference
    } else {
        // (1 + width)·(1 - r(t)/r(to))
        let back = density.relative_rise(t, to);
        (1.0 + width) * back / (1.0 + back)
    }
}

/// Nodes and weights of the five-point Gauss–Legendre rule on [-1, 1].
const GAUSS_LEGENDRE_5: [(f64, f64); 5] = [
    (-0.906_179_845_938_664, 0.236_926_885_056_189_1),
    (-0.538_469_310_105_683_1, 0.478_628_670_499_366_5),
    (0.0, 0.568_888_888_888_888_9),
    (0.538_469_310_105_683_1, 0.478_628_670_499_366_5),
    (0.906_179_845_938_664, 0.236_926_885_056_189_1),
];

/// Nodes and weights of the three-point rule.
const GAUSS_LEGENDRE_3: [(f64, f64); 3] = [
    (-0.774_596_669_241_483_4, 0.555_555_555_555_555_6),
    (0.0, 8.0 / 9.0),
    (0.774_596_669_241_483_4, 0.555_555_555_555_555_6),
];

/// Atoms are a density where there are this many for each bin.
const DENSE: usize = 8;

/// How far from a corner, in steps, an output counts as on it. The error of the loss is counted.
pub(super) const ON_CORNER: f64 = 1e-7;

/// The largest number of bins: 32 MiB of masses.
const MOST_BINS: f64 = 2_097_152.0;

/// Bounds the relative error of a mass at losses of a few dozen: the quadrature's 10^-13, and
/// exponents of magnitude up to a few hundred that err by 2^-52 of that.
pub(super) const MASS_ERROR: f64 = 1e-12;

/// Bounds the error of the loss at an edge relative to 1 + the largest loss.
const LOSS_ERROR: f64 = 1e-15;
