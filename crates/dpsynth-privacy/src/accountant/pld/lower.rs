//! Losses that are provably at most as bad: chords lowered below the curve.

use super::bins::ON_CORNER;

/// The masses of P that the bins give to their ends, in one of the two directions.
pub(super) struct Ends {
    pub(super) origin: f64,
    /// What each bin gives to its left end.
    pub(super) low: Vec<f64>,
    /// What each bin gives to its right end.
    pub(super) high: Vec<f64>,
    /// The end that the bins left of it, or right of it, and the one with it, fall on together.
    pub(super) lump: Option<Lump>,
}

#[derive(Clone, Copy)]
pub(super) enum Lump {
    First(usize),
    Last(usize),
}

/// Lowers the chords of bins below the curve, and returns the masses of P at its corners.
pub(super) fn lowered(ends: Ends, step: f64, mass_error: f64) -> Vec<f64> {
    let Ends {
        mut low,
        mut high,
        lump,
        ..
    } = ends;
    let (count, growth) = (low.len(), step.exp());
    let lump = lump.and_then(|lump| fall_together(lump, step, &mut low, &mut high));
    // In units of a quarter of a bin's width: how far the curve can lie below its chord, where
    // the tangents at both ends of the bin meet.
    let mut drops = vec![0.0; count + 1];
    for (index, (low, high)) in low.iter().zip(&high).enumerate() {
        let high = high / growth;
        let sum = low + high;
        let below = if sum > 0.0 {
            4.0 * low * (high / sum)
        } else {
            0.0
        };
        for end in &mut drops[index..=index + 1] {
            *end = below.max(*end);
        }
    }
    // A drop that ends abruptly bends the curve by more mass than there is to take away.
    for index in 1..=count {
        drops[index] = drops[index].max(SPREAD * drops[index - 1]);
    }
    for index in (0..count).rev() {
        drops[index] = drops[index].max(SPREAD * drops[index + 1]);
    }
    // The drops are 0 at a lump, which has mass enough for the corner there, and beyond it.
    let (mut rest, mut slack, mut first) = (count, 0.0, 0);
    match &lump {
        Some((Lump::Last(index), _)) => rest = *index,
        other => {
            if let Some((Lump::First(index), _)) = other {
                first = index + 1;
            }
            // The last bins go to their left ends as they are. That alone lowers the curve
            // left of them by `slack`, and pays for the corner where the drops end.
            while rest > 0 && slack <= drops[rest] {
                rest -= 1;
                slack += 4.0 * high[rest] / growth;
            }
        }
    }
    let drop = |index: usize| {
        if (first..rest).contains(&index) {
            (drops[index] - slack).max(0.0)
        } else {
            0.0
        }
    };
    let mut masses = vec![0.0; count + 1];
    if let Some((Lump::First(index) | Lump::Last(index), mass)) = lump {
        masses[index] = mass;
    }
    let mut owed = 0.0;
    for index in 0..=count {
        let from_left = if index > 0 && index <= rest {
            high[index - 1]
        } else {
            0.0
        };
        let from_right = match index {
            _ if index == count => 0.0,
            _ if index < rest => low[index],
            _ => low[index] + high[index] / growth,
        };
        let (here, after) = (
            drop(index),
            if index < count { drop(index + 1) } else { 0.0 },
        );
        let before = if index == 0 { here } else { drop(index - 1) };
        let bend = ((after - here) - growth * (here - before)) / 4.0;
        let sum = from_left + from_right + masses[index];
        // Down: by more than the masses and the differences of them err.
        let margin = mass_error * (sum + growth * (after + 2.0 * here + before));
        let mass = sum - bend - margin + owed;
        // Mass of P that is missing at one loss may be taken from the next, which lowers
        // the curve further.
        masses[index] = mass.max(0.0);
        owed = mass.min(0.0);
    }
    if owed < 0.0 {
        // Nothing is left to take the last debt from. Every bin at its left end is lower as well.
        for index in 0..=count {
            let sum = if index < count {
                low[index] + high[index] / growth
            } else {
                0.0
            };
            let lumped = lump
                .and_then(|(Lump::First(at) | Lump::Last(at), mass)| (at == index).then_some(mass));
            masses[index] = (sum + lumped.unwrap_or(0.0)) * (1.0 - mass_error);
        }
    }
    masses
}

/// Takes the bins of a lump away and returns where their mass of P falls, and that mass.
///
/// Outputs taken together are one output of the loss that their masses of P and Q give.
fn fall_together(lump: Lump, step: f64, low: &mut [f64], high: &mut [f64]) -> Option<(Lump, f64)> {
    let growth = step.exp();
    let (bins, end) = match lump {
        Lump::First(index) => (0..index + 1, index),
        Lump::Last(index) => (index - 1..low.len(), index),
    };
    // Masses of Q times the likelihood ratio at the end, and masses of P.
    let (mut above, mut below) = (0.0, 0.0);
    for index in bins.clone() {
        let scale = ((end as f64 - index as f64) * step).exp();
        above += low[index] + high[index];
        below += (low[index] + high[index] / growth) * scale;
    }
    low[bins.clone()].fill(0.0);
    high[bins].fill(0.0);
    // The grid was laid such that this is 0; otherwise the lump is left out, which is safe.
    let off = (below / above).ln() / step;
    (off.abs() <= ON_CORNER).then_some((lump, above))
}

/// How much smaller than its neighbour a drop may be.
const SPREAD: f64 = 0.3;
