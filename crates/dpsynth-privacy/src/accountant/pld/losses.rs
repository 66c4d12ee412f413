//! Masses on a grid of losses, and the same on a coarser one.

use super::Bound;
use super::bins::MASS_ERROR;
use super::lower::{Ends, lowered};

/// Masses of P on a grid of losses.
pub(super) struct Losses {
    /// The loss of the first mass.
    pub(super) origin: f64,
    /// The mass at each loss.
    pub(super) masses: Vec<f64>,
    /// The mass at an infinite loss.
    pub(super) infinite: f64,
    /// How far the losses may be off.
    pub(super) loss_error: f64,
    /// The error of masses that come out of a transform.
    pub(super) transformed: Option<Transformed>,
}

/// What is known of masses that were composed before.
#[derive(Clone, Copy)]
pub(super) struct Transformed {
    /// ln Σ mass·exp(tilt·loss) of the masses as they came out.
    pub(super) log_moment: f64,
    /// Bounds the share of the moment that wrapped around.
    pub(super) wrapped: f64,
    /// Bounds the Euclidean norm of the errors of mass·exp(tilt·loss) relative to the moment.
    pub(super) error: f64,
    /// The number of masses and the step of the grid that they came out on.
    pub(super) size: usize,
    pub(super) step: f64,
}

impl Losses {
    /// Returns the corner of the grid that is nearest to `loss`; the grid goes on beyond its ends.
    pub(super) fn corner_near(&self, loss: f64, step: f64) -> f64 {
        self.origin + ((loss - self.origin) / step).round() * step
    }

    /// Returns these losses on the grid `ratio` times as coarse that holds the loss `corner`, at
    /// least as bad or at most as bad.
    ///
    /// `corner` is on the finer grid, but for an error that is counted.
    pub(super) fn coarser(self, step: f64, ratio: usize, corner: f64, bound: Bound) -> Self {
        let places = ((self.origin - corner) / step).round();
        let off_grid = (self.origin - corner - places * step).abs();
        // So many places before the first mass the coarse grid begins.
        let before = (places as i64).rem_euclid(ratio as i64) as usize;
        let count = (before + self.masses.len()).div_ceil(ratio);
        let (mut low, mut high) = (vec![0.0; count], vec![0.0; count]);
        let width = (ratio as f64 * step).exp_m1();
        // Of a mass of P at each place of a bin, the shares of the bin's left and right end.
        let shares: Vec<(f64, f64)> = (0..ratio)
            .map(|place| {
                let (rise, scale) = (
                    (place as f64 * step).exp_m1(),
                    (-(place as f64) * step).exp(),
                );
                (
                    scale * (width - rise) / width,
                    scale * rise / width * (1.0 + width),
                )
            })
            .collect();
        let first = (ratio - before).min(self.masses.len());
        let (partial, whole) = self.masses.split_at(first);
        let bins = std::iter::once((partial, &shares[before..]))
            .chain(whole.chunks(ratio).map(|masses| (masses, &shares[..])));
        for (bin, (masses, shares)) in bins.enumerate() {
            for (mass, (left, right)) in masses.iter().zip(shares) {
                low[bin] += mass * left;
                high[bin] += mass * right;
            }
        }
        let origin = self.origin - before as f64 * step;
        let masses = match bound {
            Bound::Worse => {
                let mut masses = vec![0.0; count + 1];
                for bin in 0..count {
                    masses[bin] += low[bin] * (1.0 + MASS_ERROR);
                    masses[bin + 1] += high[bin] * (1.0 + MASS_ERROR);
                }
                masses
            }
            Bound::Better => {
                let ends = Ends {
                    origin,
                    low,
                    high,
                    lump: None,
                };
                lowered(ends, ratio as f64 * step, MASS_ERROR)
            }
        };
        Self {
            origin,
            masses,
            loss_error: self.loss_error + off_grid,
            ..self
        }
    }
}
