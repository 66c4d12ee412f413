//! The same price said otherwise: for groups of units, as zero-concentrated privacy, as a Gaussian.

use std::f64::consts::{PI, SQRT_2};

use super::charges::{Base, Charges, Use};
use super::{AccountingError, price};
use crate::event::{DpEvent, valid_sampling_probability};
use crate::numbers::{Delta, NumberError};
use crate::rounding::{add_up, mul_up};
use crate::unit::Adjacency;

/// Returns an event whose price is that of `event` for a group of up to `units` units, which are
/// added or removed together.
///
/// # Guarantee
///
/// Under adding or removing one, the event is at most as private as `event` is for a group.
/// Noise that nothing samples meets a sensitivity of `units`. In a Poisson sample the number of
/// the group's units is binomial, and the mixture of Gaussians with sensitivities from 0 to
/// `units` is the worst case: Ganesh (2024), arXiv 2401.10294. An (ε, δ) becomes
/// (kε, δ·Σ exp(jε) over j < k), one unit after the other.
///
/// # Errors
///
/// [`AccountingError::Unsupported`] for an event without a known bound for groups, and
/// [`AccountingError::Number`] where a number leaves its range.
pub fn for_group(event: &DpEvent, units: u32) -> Result<DpEvent, AccountingError> {
    if !(1..=LARGEST_GROUP).contains(&units) {
        let (name, range) = ("units", "from 1 to 1000");
        return Err(NumberError::OutOfRange { name, range }.into());
    }
    if units == 1 {
        return Ok(event.clone());
    }
    // Down: less noise than there is.
    let share = |noise: f64| (noise / f64::from(units)).next_down();
    let unsupported = |inner: &DpEvent| AccountingError::Unsupported {
        event: inner.kind(),
        outer: "a group of units",
    };
    Ok(match event {
        DpEvent::Composed { events } => DpEvent::Composed {
            events: events
                .iter()
                .map(|it| for_group(it, units))
                .collect::<Result<_, _>>()?,
        },
        DpEvent::SelfComposed { event, count } => DpEvent::SelfComposed {
            event: Box::new(for_group(event, units)?),
            count: *count,
        },
        DpEvent::Gaussian { noise_multiplier } => DpEvent::Gaussian {
            noise_multiplier: share(*noise_multiplier),
        },
        DpEvent::Laplace { noise_multiplier } => DpEvent::Laplace {
            noise_multiplier: share(*noise_multiplier),
        },
        DpEvent::EpsilonDelta { epsilon, delta } => {
            let whole = f64::from(units) * epsilon;
            let times = whole.exp_m1() / epsilon.exp_m1() * (1.0 + MARGIN);
            DpEvent::EpsilonDelta {
                epsilon: whole.next_up(),
                delta: if *delta > 0.0 { delta * times } else { 0.0 },
            }
        }
        DpEvent::PoissonSampled {
            sampling_probability,
            event: inner,
        } => match inner.as_ref() {
            DpEvent::Gaussian { noise_multiplier } => {
                let rate = valid_sampling_probability(*sampling_probability)?;
                if rate == 1.0 {
                    return for_group(inner, units);
                }
                DpEvent::MixtureOfGaussians {
                    standard_deviation: *noise_multiplier,
                    sensitivities: (0..=units).map(f64::from).collect(),
                    sampling_probs: binomial(units, rate),
                }
            }
            _ => return Err(unsupported(inner)),
        },
        DpEvent::NonPrivate => return Err(AccountingError::NotPrivate),
        DpEvent::DiscreteGaussian { .. } | DpEvent::MixtureOfGaussians { .. } => {
            return Err(unsupported(event));
        }
    })
}

/// Returns the probabilities of 0 to `units` of so many independent events of chance `rate`, none
/// of the sums from the largest down too small.
fn binomial(units: u32, rate: f64) -> Vec<f64> {
    let count = f64::from(units);
    let odds = rate.ln() - (-rate).ln_1p();
    let mut log = count * (-rate).ln_1p();
    let mut probabilities = Vec::with_capacity(units as usize + 1);
    for taken in 0..=units {
        // Up: by more than a sum of logarithms errs.
        probabilities.push(log.exp() * (1.0 + BINOMIAL_MARGIN));
        log += odds + ((count - f64::from(taken)) / (f64::from(taken) + 1.0)).ln();
    }
    // What is too much is taken from the fewest, which is safe: many units tell more than few.
    let mut excess = probabilities.iter().sum::<f64>() - 1.0;
    for probability in &mut probabilities {
        let less = excess.clamp(0.0, *probability);
        *probability -= less;
        excess -= less;
    }
    probabilities
}

/// Returns a ρ such that `event` is ρ-zero-concentrated differentially private, or nothing where
/// none of use is known: for (ε, δ) mechanisms with a δ, and for samples, whose ρ is no smaller
/// than without sampling.
///
/// # Guarantee
///
/// The divergence of order α is at most ρ·α for all α > 1: 1/(2σ²) for a Gaussian and a discrete
/// Gaussian of sensitivity 1, ε²/2 for a pure ε: Bun & Steinke (2016), arXiv 1605.02065,
/// propositions 1.6 and 1.4; Canonne, Kamath & Steinke (2020), arXiv 2004.00010, theorem 4.
/// Composition adds: lemma 1.7 of the former.
///
/// # Errors
///
/// As for [`price`].
pub fn zero_concentrated(
    event: &DpEvent,
    adjacency: Adjacency,
) -> Result<Option<f64>, AccountingError> {
    // Replacing a unit is removing one and adding another: twice the sensitivity.
    let sensitivity = match adjacency {
        Adjacency::AddOrRemoveOne => 1.0,
        Adjacency::ReplaceOne => 2.0,
    };
    let mut sum = 0.0;
    for (Use { base, rate }, uses) in Charges::of(event)?.iter() {
        if *rate < 1.0 {
            return Ok(None);
        }
        let distance = match base {
            Base::Gaussian { noise_multiplier }
            | Base::DiscreteGaussian { noise_multiplier }
            | Base::Laplace { noise_multiplier } => sensitivity / noise_multiplier,
            Base::EpsilonDelta {
                epsilon,
                delta: 0.0,
            } => sensitivity * epsilon,
            Base::EpsilonDelta { .. } | Base::Mixture { .. } => return Ok(None),
        };
        let one = distance * distance / 2.0 * (1.0 + MARGIN);
        sum = add_up(sum, mul_up(one, uses));
    }
    if sum.is_finite() {
        Ok(Some(sum))
    } else {
        Err(AccountingError::NotFinite)
    }
}

/// Returns a μ such that `event` is μ-Gaussian differentially private, at all δ at once, or nothing
/// where it holds anything but Gaussian noise that nothing samples.
///
/// # Guarantee
///
/// Telling neighbours apart is at most as easy as telling N(0, 1) from N(μ, 1), and for some
/// neighbours as easy: Gaussians of sensitivity 1 and noise σ compose to one of μ² = Σ 1/σ²: Dong,
/// Roth & Su (2022), arXiv 1905.02383, theorem 2.7 and corollary 3.3. Rounded up.
///
/// # Errors
///
/// As for [`price`].
pub fn gaussian_dp(event: &DpEvent, adjacency: Adjacency) -> Result<Option<f64>, AccountingError> {
    let charges = Charges::of(event)?;
    let gaussian = |used: &Use| matches!(used.base, Base::Gaussian { .. }) && used.rate == 1.0;
    if !charges.iter().all(|(used, _)| gaussian(used)) {
        return Ok(None);
    }
    // Each Gaussian has ρ = μ²/2.
    Ok(zero_concentrated(event, adjacency)?.map(|rho| (2.0 * rho).sqrt() * (1.0 + MARGIN)))
}

/// Returns the μ of the Gaussian mechanism that has the price of `event` at `delta`: the
/// difference of means over the standard deviation.
///
/// This says the price at one δ in another unit. It does not say that `event` is μ-Gaussian
/// differentially private, which would take all δ.
///
/// # Guarantee
///
/// As for [`gaussian_of_epsilon`], at [`price`]'s ε.
///
/// # Errors
///
/// As for [`price`].
pub fn gaussian_of_same_price(
    event: &DpEvent,
    adjacency: Adjacency,
    delta: Delta,
) -> Result<f64, AccountingError> {
    gaussian_of_epsilon(price(event, adjacency, delta)?.epsilon(), delta)
}

/// Returns the μ of the Gaussian mechanism whose ε at `delta` is `epsilon`.
///
/// # Guarantee
///
/// A μ at which `epsilon` is at most that of the Gaussian mechanism, by the closed form of Balle
/// & Wang (2018), arXiv 1805.06530, theorem 8, rounded up by 10^-9 of itself.
///
/// # Errors
///
/// [`AccountingError::NotFinite`] where `epsilon` is not a number or no μ within range has it.
pub fn gaussian_of_epsilon(epsilon: f64, delta: Delta) -> Result<f64, AccountingError> {
    if epsilon == 0.0 {
        return Ok(0.0);
    }
    let (mut low, mut high) = (1e-12f64, 1e9f64);
    // Written so that a δ that is not a number is refused.
    let inside = gaussian_delta(low, epsilon) < delta.value()
        && gaussian_delta(high, epsilon) > delta.value();
    if !inside {
        return Err(AccountingError::NotFinite);
    }
    while high > low * (1.0 + 1e-12) {
        let middle = (low * high).sqrt();
        if middle <= low || middle >= high {
            break;
        }
        if gaussian_delta(middle, epsilon) >= delta.value() {
            high = middle;
        } else {
            low = middle;
        }
    }
    Ok(high * (1.0 + 1e-9))
}

/// Returns δ at `epsilon` of a Gaussian mechanism.
fn gaussian_delta(mean: f64, epsilon: f64) -> f64 {
    // δ = Φ(-x) - exp(ε)·Φ(-x - μ) with x = ε/μ - μ/2, and exp(ε)·φ(x + μ) = φ(x).
    let x = epsilon / mean - mean / 2.0;
    let density = (-x * x / 2.0).exp() / (2.0 * PI).sqrt();
    if x > 0.0 {
        density * (mills(x) - mills(x + mean))
    } else {
        libm::erfc(x / SQRT_2) / 2.0 - density * mills(x + mean)
    }
}

/// Returns the tail of the standard normal distribution beyond `x` ≥ 0 over its density there.
fn mills(x: f64) -> f64 {
    if x < 8.0 {
        libm::erfc(x / SQRT_2) / 2.0 * (2.0 * PI).sqrt() * (x * x / 2.0).exp()
    } else {
        // Laplace's continued fraction.
        1.0 / (1..60).rev().fold(x, |rest, k| x + f64::from(k) / rest)
    }
}

/// The largest group.
const LARGEST_GROUP: u32 = 1000;

/// Bounds the relative error of a few operations.
const MARGIN: f64 = 1e-14;

/// Bounds that of up to a thousand logarithms of magnitude up to a thousand.
const BINOMIAL_MARGIN: f64 = 1e-9;

#[cfg(test)]
mod tests;
