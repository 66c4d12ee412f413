//! Mechanisms that are used very often, composed in two stages.
//!
//! Some uses are composed on a fine grid, and copies of the result on the common one. For the same
//! error the common grid may be coarser by the root of the number of uses that each copy holds.
//!
//! Rare large losses would need a wide window on the fine grid. They are parted from the bulk
//! and put on the common grid at once: (bulk + rare)^s = Σ (s over k)·bulk^(s - k)·rare^k, of
//! which only the first terms matter. The powers of the bulk are composed on the fine grid, put
//! on the common one, and the sum is formed there.

use super::bins::{Bins, Part};
use super::compose::{Composed, Window};
use super::outlook::Outlook;
use super::pair::Pair;
use super::spectrum::{Spectrum, Transforms};
use super::{Bound, Direction};

/// One mechanism's uses in two stages.
pub(super) struct Stage {
    direction: Direction,
    /// The step of the fine grid, and how many of them make one of the common one.
    step: f64,
    ratio: usize,
    bulk: Bins,
    rare: Option<Bins>,
    /// How many copies hold `uses` uses, and how many hold one more.
    uses: f64,
    copies: f64,
    longer: f64,
    /// Where `uses` uses of the bulk lie.
    outlook: Outlook,
}

impl Stage {
    /// Returns nothing where a grid would be too large.
    ///
    /// `grid` is the common grid's ratio to the fine one, and its step.
    pub(super) fn new(
        pair: &Pair,
        uses: f64,
        grid: (usize, f64),
        outlook: &Outlook,
        direction: Direction,
    ) -> Option<Self> {
        let (ratio, common) = grid;
        let step = common / ratio as f64;
        let copies = (uses / (ratio * ratio) as f64).floor().max(1.0);
        let each = (uses / copies).floor();
        let tail = outlook.tail();
        let (bulk, rare, below) = if pair.density.is_some() {
            let from = outlook.rare_above(pair, direction, RARE / each);
            let bulk = Bins::new(pair, step, tail, Part::Bulk(from))?;
            let corner = bulk.origin;
            let rare = Bins::new(pair, common, tail, Part::Rare { from, corner })?;
            (bulk, Some(rare), from)
        } else {
            let bulk = Bins::new(pair, step, tail, Part::All)?;
            (bulk, None, f64::INFINITY)
        };
        Some(Self {
            direction,
            step,
            ratio,
            bulk,
            rare,
            uses: each,
            longer: uses - each * copies,
            copies: copies - (uses - each * copies),
            outlook: outlook.alone(pair, each, below, direction),
        })
    }

    /// Returns the spectra of the copies on the common grid, with their numbers.
    ///
    /// `mean` is about the mean of one use's losses under the tilt.
    pub(super) fn spectra(
        &self,
        bound: Bound,
        window: &Window,
        mean: f64,
        transforms: &mut Transforms,
    ) -> Option<Vec<(Spectrum, f64)>> {
        let common = self.step * self.ratio as f64;
        let fine = self.outlook.window_of_step(self.step)?;
        let losses = self.bulk.losses(bound, self.direction);
        let bulk_mean = self.outlook.means[0];
        let reference = losses.corner_near(bulk_mean, self.step);
        let bulk = Spectrum::new(&losses, reference, self.step, &fine, transforms);
        let rare = self.rare.as_ref().map(|rare| {
            let losses = rare.losses(bound, self.direction);
            let reference = losses.corner_near(0.0, common);
            Spectrum::new(&losses, reference, common, window, transforms)
        });
        // The tilted mass of the rare losses among all uses, relative to the bulk's.
        let most = self.uses + if self.longer > 0.0 { 1.0 } else { 0.0 };
        let share = rare.as_ref().map_or(0.0, |rare| {
            let log = |it: &Spectrum| it.log_total + window.tilt * it.reference;
            most * (log(rare) - log(&bulk)).exp()
        });
        let (terms, left_out) = terms(share)?;

        // The powers from the highest on; on the common grid such that a power and the rare losses
        // that take the place of the others are on the same corners.
        let count = terms + if self.longer > 0.0 { 1 } else { 0 };
        let mut powers = Vec::new();
        let mut corner = None;
        for index in 0..count {
            let power = most - index as f64;
            let fine = fine.moved((power - self.uses) * bulk_mean);
            let composed = Composed::new(&[(&bulk, power)], self.step, fine, transforms);
            let losses = composed.into_losses(bound)?;
            let at = match (&rare, corner) {
                (Some(rare), Some(corner)) => corner - rare.reference,
                _ => losses.corner_near(mean * power, self.step),
            };
            corner = Some(at);
            let losses = losses.coarser(self.step, self.ratio, at, bound);
            powers.push(Spectrum::new(&losses, at, common, window, transforms));
        }
        let mixed = |from: usize, uses: f64| {
            let mut weight = 1.0;
            let mut bulks = Vec::new();
            for (k, power) in powers[from..from + terms].iter().enumerate() {
                bulks.push((weight, power));
                weight *= (uses - k as f64) / (k as f64 + 1.0);
            }
            let left_out = match bound {
                Bound::Worse => left_out,
                Bound::Better => 0.0,
            };
            Spectrum::mixed(&bulks, rare.as_ref(), window.tilt, left_out)
        };
        let mut spectra = Vec::new();
        if self.longer > 0.0 {
            spectra.push((mixed(0, most)?, self.longer));
        }
        if self.copies > 0.0 {
            spectra.push((mixed(count - terms, self.uses)?, self.copies));
        }
        Some(spectra)
    }
}

/// Returns how many terms of the binomial sum matter where the rare losses have `share` times the
/// tilted mass of the bulk among all uses, and a bound on the others relative to the first.
fn terms(share: f64) -> Option<(usize, f64)> {
    // Σ over k ≥ n of share^k/k! is at most share^n/n!·exp(share).
    let mut rest = share.exp();
    for terms in 1..=MOST_TERMS {
        rest *= share / terms as f64;
        if rest <= LEFT_OUT {
            return Some((terms, rest * 1.01));
        }
    }
    None
}

/// The share of a copy's uses, about, whose losses are rare.
const RARE: f64 = 1e-2;

/// The tilted mass that may be left out of each copy.
const LEFT_OUT: f64 = 1e-13;

/// The largest number of terms.
const MOST_TERMS: usize = 12;
