//! Composition of losses by a tilted Fourier transform, with a bound on everything it gets wrong.
//!
//! The masses w(l) of each mechanism are tilted to t(l) ∝ w(l)·exp(λ·l), which moves the middle
//! of the composed distribution to the loss that is asked about. There the composed masses are
//! the largest, so that the errors of the transform, which are relative to the largest mass, are
//! relative to δ, however small δ is. What can go wrong is bounded and goes to the safe side:
//!
//! - *wrapping*: the transform is circular; what lies outside its window is bounded by Chernoff's
//!   inequality;
//! - *rounding*: the transforms err by a bound on their Euclidean norm (Higham 2002, Accuracy and
//!   Stability of Numerical Algorithms, theorem 24.2), which is followed through the power, with
//!   the spectrum that was computed, and through the sum by the inequality of Cauchy and Schwarz.

mod reading;

use realfft::num_complex::Complex64;

use super::Bound;
use super::losses::{Losses, Transformed};
use super::spectrum::{
    NEGLIGIBLE, Powers, ROUNDING, Spectrum, Transforms, multiply, transform_error,
};

/// The composed losses of some mechanisms, tilted.
pub(super) struct Composed {
    tilt: f64,
    step: f64,
    /// The loss of the first mass.
    first: f64,
    /// The masses times exp(tilt·loss - log_scale).
    masses: Vec<f64>,
    log_scale: f64,
    /// Bounds the Euclidean norm of the error of `masses`.
    error: f64,
    /// Bounds the relative error of the mechanisms' masses, all uses together.
    relative_error: f64,
    /// Bounds the tilted mass left and right of the window.
    wrapped: (f64, f64),
    /// Bounds the mass at an infinite loss.
    infinite: f64,
    /// Bounds the error of a sum of losses.
    loss_error: f64,
    /// The scale of the masses before they were put on this grid.
    given_scale: f64,
    /// Bounds the relative errors, tilted, that those masses had already.
    given: Given,
}

/// Errors that masses had before they were composed.
#[derive(Default)]
struct Given {
    /// Σ uses·ln(1 + share that wrapped around).
    wrapped: f64,
    /// The same with the sum of the magnitudes of the rounding errors.
    rounded: f64,
    /// Σ uses·(Euclidean norm of the rounding errors)·(norm of ψ on their grid).
    root: f64,
}

/// Where to look: the tilt, and the window of composed losses that matter under it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Window {
    pub(super) tilt: f64,
    /// By how much more and less to tilt in Chernoff's inequality for either end.
    pub(super) tilt_above: f64,
    pub(super) tilt_below: f64,
    /// The middle of the window.
    pub(super) middle: f64,
    /// The number of masses, a product of small factors.
    pub(super) size: usize,
}

impl Window {
    /// Returns the same window around another middle.
    pub(super) fn moved(self, by: f64) -> Self {
        Self {
            middle: self.middle + by,
            ..self
        }
    }
}

impl Composed {
    /// Composes each of `parts` with itself as often as its number says, and all of them.
    pub(super) fn new(
        parts: &[(&Spectrum, f64)],
        step: f64,
        window: Window,
        transforms: &mut Transforms,
    ) -> Self {
        let size = window.size;
        let inverse = transforms.plan_fft_inverse(size);
        let transform_error = transform_error(size);
        let mut product = vec![Complex64::new(1.0, 0.0); size / 2 + 1];
        let mut product_error = vec![0.0; size / 2 + 1];
        let mut composed = Self {
            tilt: window.tilt,
            step,
            first: 0.0,
            masses: Vec::new(),
            log_scale: 0.0,
            error: 0.0,
            relative_error: 0.0,
            wrapped: (0.0, 0.0),
            infinite: 0.0,
            loss_error: 0.0,
            given_scale: 0.0,
            given: Given::default(),
        };
        let (mut log_above, mut log_below) = (0.0, 0.0);
        let (mut together, mut largest, mut power_rounding) = (0.0, 1.0, 0.0);
        for &(part, uses) in parts {
            let log_moment = part.log_total + window.tilt * part.reference;
            composed.log_scale += uses * log_moment;
            composed.first += uses * part.reference;
            composed.infinite += uses * part.infinite;
            composed.loss_error += uses * part.loss_error;
            composed.relative_error += uses * part.relative_error;
            match part.transformed {
                Some(it) => {
                    composed.given_scale += uses * it.log_moment;
                    composed.given.wrapped += uses * it.wrapped.ln_1p();
                    composed.given.rounded += uses * ((it.size as f64).sqrt() * it.error).ln_1p();
                    composed.given.root += uses * it.error * weight_norm(window.tilt, it.step);
                }
                None => composed.given_scale += uses * log_moment,
            }
            log_above += uses * (part.log_above - part.log_total);
            log_below += uses * (part.log_below - part.log_total);
            let error = part.error;
            multiply(&mut product, &mut product_error, &part.values, uses, error);
            // Together the coefficients err by no more than `error` either, and a power of
            // something of at most 1 + error changes by at most uses·(1 + error)^uses times that.
            together += uses * error * (uses * error).exp();
            largest *= (uses * error).exp();
            power_rounding += 4.0 * ROUNDING * uses;
        }

        // The first mass of the window is this many steps from the sum of the references.
        let middle = ((window.middle - composed.first) / step).round();
        let start = middle - (size / 2) as f64;
        let (lowest, highest) = (start * step, (start + size as f64) * step);
        composed.wrapped = (
            (log_below + window.tilt_below * lowest + WRAP_MARGIN)
                .exp()
                .min(1.0),
            (log_above - window.tilt_above * highest + WRAP_MARGIN)
                .exp()
                .min(1.0),
        );
        let spectrum_error = {
            let root = |square: f64| (2.0 * square / size as f64).sqrt();
            let each: f64 = product_error.iter().map(|it| it * it).sum();
            let whole: f64 = product.iter().map(|it| it.norm_sqr()).sum();
            let rounded = power_rounding * root(whole) + NEGLIGIBLE * (size as f64).sqrt();
            f64::min(
                root(each),
                1.01 * (largest * together / (size as f64).sqrt() + rounded),
            )
        };
        // The imaginary parts of a real sequence's first and last coefficient are rounding.
        product[0].im = 0.0;
        product[size / 2].im = 0.0;
        let mut masses = inverse.make_output_vec();
        inverse
            .process(&mut product, &mut masses)
            .expect("the lengths are the plan's own");
        masses.iter_mut().for_each(|it| *it /= size as f64);
        let norm = masses.iter().map(|it| it * it).sum::<f64>().sqrt();
        composed.error = (spectrum_error + transform_error * (norm + spectrum_error)) * 1.01;
        masses.rotate_left((start as i64).rem_euclid(size as i64) as usize);
        composed.masses = masses;
        composed.loss_error += ROUNDING * (composed.first.abs() + lowest.abs() + highest.abs());
        composed.first += start * step;
        composed
    }

    /// Returns the masses untilted, to be composed further under the same tilt; nothing where
    /// they leave the range of floats.
    pub(super) fn into_losses(self, bound: Bound) -> Option<Losses> {
        let size = self.masses.len();
        let wrapped = self.wrapped.0 + self.wrapped.1;
        let relative = match bound {
            Bound::Worse => 1.0 + 2.0 * self.relative_error,
            Bound::Better => 1.0 - 2.0 * self.relative_error,
        };
        // What is negative is error, which the bound counts. Leaving out what is hardly more
        // than error keeps the masses smooth, and lowers the curve.
        let least = match bound {
            Bound::Worse => 0.0,
            Bound::Better => NOISE * self.error / (size as f64).sqrt(),
        };
        let untilted = Powers::new(
            self.log_scale - self.tilt * self.first,
            -self.tilt * self.step,
        );
        let masses: Vec<f64> = self
            .masses
            .iter()
            .zip(untilted)
            .map(|(&mass, factor)| {
                if mass > least {
                    mass * factor * relative
                } else {
                    0.0
                }
            })
            .collect();
        let finite = masses.iter().all(|mass| mass.is_finite());
        finite.then_some(Losses {
            origin: self.first,
            masses,
            infinite: self.infinite,
            loss_error: self.loss_error,
            transformed: Some(Transformed {
                log_moment: self.log_scale + relative.ln(),
                wrapped,
                error: self.error,
                size,
                step: self.step,
            }),
        })
    }
}

/// Returns the largest value of exp(-λ·u)·(1 - exp(-u)) over u ≥ 0: at exp(-u) = λ/(1 + λ).
pub(super) fn largest_weight(tilt: f64) -> f64 {
    (-tilt * (1.0 / tilt).ln_1p()).exp() / (1.0 + tilt)
}

/// Returns the Euclidean norm of ψ = exp(-λ·u)·(1 - exp(-u)) over u ≥ 0 on a grid: its square is
/// below the integral of ψ² over the step plus the largest ψ².
fn weight_norm(tilt: f64, step: f64) -> f64 {
    let (twice, largest) = (2.0 * tilt, largest_weight(tilt));
    (2.0 / (twice * (twice + 1.0) * (twice + 2.0)) / step + largest * largest).sqrt()
}

/// A mass below this many times the typical error of one is not told from error.
const NOISE: f64 = 4.0;

/// Covers the rounding of the moments in Chernoff's inequality.
const WRAP_MARGIN: f64 = 0.01;
