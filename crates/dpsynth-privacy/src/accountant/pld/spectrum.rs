//! Spectra of tilted losses: of one grid of them, of a sum of them, and of powers.

use realfft::RealFftPlanner;
use realfft::num_complex::Complex64;

use super::compose::Window;
use super::losses::{Losses, Transformed};

/// The transforms that were planned so far.
pub(super) type Transforms = RealFftPlanner<f64>;

/// The Fourier transform of tilted losses that together have mass 1, and a bound on its errors.
pub(super) struct Spectrum {
    pub(super) values: Vec<Complex64>,
    /// The loss that place 0 stands for.
    pub(super) reference: f64,
    /// ln Σ mass·exp(tilt·(loss - reference))
    pub(super) log_total: f64,
    /// Bounds the error of each value, and the Euclidean norm of all errors together.
    pub(super) error: f64,
    /// The Euclidean norm of the masses.
    norm: f64,
    /// Bounds the relative error of the masses and their total.
    pub(super) relative_error: f64,
    /// Logarithms of the moments by which Chernoff's inequality bounds what wraps around.
    pub(super) log_above: f64,
    pub(super) log_below: f64,
    /// The mass at an infinite loss.
    pub(super) infinite: f64,
    pub(super) loss_error: f64,
    pub(super) transformed: Option<Transformed>,
}

impl Spectrum {
    /// Transforms losses; `reference` is on their grid, but for an error that is counted.
    ///
    /// A reference far from the mean under the tilt costs accuracy, never safety.
    pub(super) fn new(
        losses: &Losses,
        reference: f64,
        step: f64,
        window: &Window,
        transforms: &mut Transforms,
    ) -> Self {
        let size = window.size;
        let forward = transforms.plan_fft_forward(size);
        let shift = ((reference - losses.origin) / step).round();
        let off_grid = (reference - losses.origin - shift * step).abs();
        let mut folded = vec![0.0; size];
        let mut total = 0.0;
        let mut farthest: f64 = 0.0;
        let mut place = (-(shift as i64)).rem_euclid(size as i64) as usize;
        let rate = window.tilt * step;
        let factors = Powers::new(-rate * shift, rate);
        for ((index, &mass), factor) in losses.masses.iter().enumerate().zip(factors) {
            if mass > 0.0 {
                let tilted = mass * factor;
                if tilted > 0.0 {
                    farthest = farthest.max((rate * (index as f64 - shift)).abs());
                }
                folded[place] += tilted;
                total += tilted;
            }
            place += 1;
            if place == size {
                place = 0;
            }
        }
        let mut squares = 0.0;
        for it in &mut folded {
            *it /= total;
            squares += *it * *it;
        }
        let (norm, log_total) = (squares.sqrt(), total.ln());
        let mut values = forward.make_output_vec();
        // A length mismatch is the only error of a transform.
        forward
            .process(&mut folded, &mut values)
            .expect("the lengths are the plan's own");
        Self {
            values,
            reference,
            log_total,
            error: transform_error(size) * (size as f64).sqrt() * norm,
            norm,
            relative_error: ROUNDING
                * (96.0 + 4.0 * farthest + 2.0 * log_total.abs() + window.tilt * reference.abs()),
            log_above: losses.log_moment(step, reference, window.tilt + window.tilt_above),
            log_below: losses.log_moment(step, reference, window.tilt - window.tilt_below),
            infinite: losses.infinite,
            loss_error: losses.loss_error
                + off_grid
                + ROUNDING * (reference.abs() + losses.origin.abs()),
            transformed: losses.transformed,
        }
    }

    /// Returns the spectrum of Σ weight·bulk·rare^k, k from 0, where `left_out` bounds the
    /// tilted mass of further terms relative to the first one's.
    ///
    /// The references of the bulks fall by that of `rare` from one to the next.
    pub(super) fn mixed(
        bulks: &[(f64, &Self)],
        rare: Option<&Self>,
        tilt: f64,
        left_out: f64,
    ) -> Option<Self> {
        let (_, first) = *bulks.first()?;
        let given = first.transformed?;
        let rare_at = |value: fn(&Self) -> f64| rare.map_or(0.0, value);
        let log_sum = |value: &dyn Fn(&Self) -> f64, rare: f64| {
            let terms = bulks.iter().enumerate();
            let logs: Vec<f64> = terms
                .map(|(k, (weight, bulk))| weight.ln() + value(bulk) + k as f64 * rare)
                .collect();
            let largest = logs.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            let shares: Vec<f64> = logs.iter().map(|log| (log - largest).exp()).collect();
            let sum: f64 = shares.iter().sum();
            let shares: Vec<f64> = shares.iter().map(|share| share / sum).collect();
            (largest + sum.ln(), shares)
        };
        let rare_total = rare_at(|it| it.log_total);
        let (log_total, shares) = log_sum(&|it| it.log_total, rare_total);
        let absolute = rare_total + tilt * rare_at(|it| it.reference);
        let moment = |it: &Self| {
            it.transformed
                .map_or(f64::NAN, |transformed| transformed.log_moment)
        };
        let (log_moment, moment_shares) = log_sum(&moment, absolute);

        // Horner's rule over the terms.
        let mut values = vec![Complex64::new(0.0, 0.0); first.values.len()];
        for ((_, bulk), share) in bulks.iter().zip(&shares).rev() {
            match rare {
                Some(rare) if bulks.len() > 1 => {
                    let places = values.iter_mut().zip(&bulk.values).zip(&rare.values);
                    for ((value, bulk), rare) in places {
                        *value = *value * rare + bulk * *share;
                    }
                }
                _ => {
                    for (value, bulk) in values.iter_mut().zip(&bulk.values) {
                        *value += bulk * *share;
                    }
                }
            }
        }
        let (mut error, mut norm) = (0.0, 0.0);
        let mut transformed = Transformed {
            log_moment,
            wrapped: left_out,
            error: 0.0,
            ..given
        };
        let (mut relative_error, mut loss_error) = (0.0f64, 0.0f64);
        for (k, (_, bulk)) in bulks.iter().enumerate() {
            let power = k as f64;
            // (1 + e)·(1 + r)^k - 1 for a bulk that errs by e times the k-th power of what errs by r.
            let both = bulk.error.ln_1p() + power * rare_at(|it| it.error).ln_1p();
            error += shares[k] * both.exp_m1();
            norm += shares[k] * bulk.norm;
            let it = bulk.transformed?;
            transformed.wrapped += moment_shares[k] * it.wrapped;
            transformed.error += moment_shares[k] * it.error;
            relative_error = relative_error
                .max(bulk.relative_error + power * (rare_at(|it| it.relative_error) + ROUNDING));
            loss_error = loss_error.max(bulk.loss_error + power * rare_at(|it| it.loss_error));
        }
        let coarse_size = 2.0 * values.len() as f64;
        let rounding = 8.0 * ROUNDING * bulks.len() as f64 * coarse_size.sqrt() * norm;
        Some(Self {
            values,
            reference: first.reference,
            log_total,
            error: (error + rounding) * 1.01,
            norm,
            relative_error: relative_error + 16.0 * ROUNDING * (1.0 + log_total.abs()),
            log_above: log_sum(&|it| it.log_above, rare_at(|it| it.log_above)).0,
            log_below: log_sum(&|it| it.log_below, rare_at(|it| it.log_below)).0,
            infinite: first.infinite,
            loss_error,
            transformed: Some(transformed),
        })
    }
}

/// Bounds the relative error of a transform of `size` values in Euclidean norm.
pub(super) fn transform_error(size: usize) -> f64 {
    TRANSFORM_ERROR * f64::from(size.ilog2() + 1)
}

/// exp(first + i·step) for i from 0, each off by less than 64 roundings, besides those of its
/// exponent.
///
/// Products make the next one of most; where they underflow, masses are below any error by far.
pub(super) struct Powers {
    first: f64,
    step: f64,
    ratio: f64,
    index: usize,
    value: f64,
}

impl Powers {
    pub(super) fn new(first: f64, step: f64) -> Self {
        Self {
            first,
            step,
            ratio: step.exp(),
            index: 0,
            value: 0.0,
        }
    }
}

impl Iterator for Powers {
    type Item = f64;

    fn next(&mut self) -> Option<f64> {
        self.value = if self.index.is_multiple_of(AFRESH) {
            (self.first + self.index as f64 * self.step).exp()
        } else {
            self.value * self.ratio
        };
        self.index += 1;
        Some(self.value)
    }
}

/// How many powers are made from each exponential.
const AFRESH: usize = 16;

impl Losses {
    /// Returns ln Σ mass·exp(tilt·(loss - reference)).
    pub(super) fn log_moment(&self, step: f64, reference: f64, tilt: f64) -> f64 {
        let exponent = |index: usize| tilt * (self.origin - reference + index as f64 * step);
        let factors = Powers::new(exponent(0), tilt * step);
        let masses = self.masses.iter().zip(factors);
        let plain: f64 = masses
            .filter(|it| *it.0 > 0.0)
            .map(|(mass, factor)| mass * factor)
            .sum();
        if plain.is_finite() && plain > f64::MIN_POSITIVE {
            return plain.ln();
        }
        // Against the largest term, which neither overflows nor underflows.
        let held = self.masses.iter().enumerate().filter(|it| *it.1 > 0.0);
        let logs = held.map(|(index, mass)| exponent(index) + mass.ln());
        let largest = logs.clone().fold(f64::NEG_INFINITY, f64::max);
        largest + logs.map(|log| (log - largest).exp()).sum::<f64>().ln()
    }
}

/// Multiplies `product` by the power of a spectrum whose coefficients err by at most `error`.
///
/// `product_error` bounds the error of each coefficient of the product.
pub(super) fn multiply(
    product: &mut [Complex64],
    product_error: &mut [f64],
    spectrum: &[Complex64],
    uses: f64,
    error: f64,
) {
    // Below this modulus the power is below exp(-100) and counts as 0.
    let negligible = (-100.0 / uses).exp();
    let power_rounding = 4.0 * ROUNDING * uses;
    for ((total, total_error), &value) in product.iter_mut().zip(product_error).zip(spectrum) {
        // Overflow is out of question, so the plain root does.
        let modulus = value.norm_sqr().sqrt();
        let most = modulus + error;
        if most < negligible || modulus == 0.0 {
            // (most)^uses, and what the other factors make of it: they are at most 1 + error.
            *total_error = if most < negligible {
                NEGLIGIBLE
            } else {
                (uses * most.ln()).exp()
            } * (total.norm_sqr().sqrt() + *total_error);
            *total = Complex64::new(0.0, 0.0);
            continue;
        }
        let power = raise(value, uses as u64);
        let size = power.norm_sqr().sqrt();
        // |(v + e)^T - v^T| ≤ T·e·(|v| + e)^(T - 1)
        let growth = uses * error / modulus;
        let power_error = if growth < 0.03 {
            size * growth * 1.04
        } else {
            (uses * most.ln()).exp() - size.min((uses * modulus.ln()).exp())
        } + size * power_rounding;
        *total_error = *total_error * (size + power_error) + total.norm_sqr().sqrt() * power_error;
        *total *= power;
    }
}

/// Returns the power of a complex number by repeated squaring: its relative error is below
/// `exponent` times three roundings.
fn raise(value: Complex64, mut exponent: u64) -> Complex64 {
    let (mut base, mut power) = (value, Complex64::new(1.0, 0.0));
    loop {
        if exponent & 1 == 1 {
            power *= base;
        }
        exponent >>= 1;
        if exponent == 0 {
            return power;
        }
        base *= base;
    }
}

/// 2^-52, twice the largest relative error of a float operation.
pub(super) const ROUNDING: f64 = f64::EPSILON;

/// Bounds the relative error of a transform, in Euclidean norm, for each factor 2 of its size: a
/// butterfly errs by less than 7·2^-53, and its factor, the cosine and sine of an angle that is
/// rounded three times, by less than 13·2^-53.
const TRANSFORM_ERROR: f64 = 10.0 * ROUNDING;

/// exp(-100) and a bit.
pub(super) const NEGLIGIBLE: f64 = 4e-44;
