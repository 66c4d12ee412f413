//! The worst pair of output distributions of one mechanism, and its losses cut into bins.

use super::likelihood::{LaplaceCentre, Likelihood, NormalMixture, sampled_loss};
use crate::accountant::AccountingError;
use crate::accountant::charges::{Base, Use};
use crate::unit::Adjacency;

/// P, the output with the unit, and Q, the output without it, as far as the loss ln dP/dQ tells
/// them apart.
#[derive(Clone, Debug)]
pub(super) struct Pair {
    pub(super) density: Option<Likelihood>,
    pub(super) atoms: Vec<Atom>,
    /// The mass of P where Q has none.
    pub(super) only_above: f64,
    /// The mass of Q where P has none.
    pub(super) only_below: f64,
    /// Whether exchanging P and Q gives the same losses.
    pub(super) symmetric: bool,
}

/// An output, or several, of one loss. `above` is `below·exp(loss)`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Atom {
    pub(super) loss: f64,
    pub(super) above: f64,
    pub(super) below: f64,
}

impl Pair {
    /// Returns the pair that dominates every pair of neighbouring data sets.
    ///
    /// For adding or removing a unit it is the one for removal; adding is the same with P and Q
    /// exchanged: Zhu, Dong & Wang (2022), arXiv 2106.08567, theorem 11 for Poisson sampling.
    /// For replacing a unit of a sampled Gaussian, `docs/accounting.md` proves that opposite
    /// contributions are the worst.
    pub(super) fn new(used: &Use, adjacency: Adjacency) -> Result<Self, AccountingError> {
        let replace = adjacency == Adjacency::ReplaceOne;
        let unsupported = || AccountingError::Unsupported {
            event: used.base.kind(),
            outer: "PoissonSampledDpEvent under replace_one",
        };
        let sampled = used.rate < 1.0;
        if sampled && replace && !matches!(used.base, Base::Gaussian { .. }) {
            return Err(unsupported());
        }
        let sensitivity = if replace { 2.0 } else { 1.0 };
        let (join, rest) = (used.rate, 1.0 - used.rate);
        Ok(match &used.base {
            Base::Gaussian { noise_multiplier } if !sampled => Self::normal(
                vec![(1.0, sensitivity / noise_multiplier)],
                vec![(1.0, 0.0)],
                true,
            ),
            Base::Gaussian { noise_multiplier } => {
                let parts = vec![(rest, 0.0), (join, 1.0 / noise_multiplier)];
                let below = if replace {
                    parts.clone()
                } else {
                    vec![(1.0, 0.0)]
                };
                Self::normal(parts, below, replace)
            }
            Base::Mixture {
                standard_deviation,
                parts,
            } => {
                if replace {
                    return Err(AccountingError::Unsupported {
                        event: used.base.kind(),
                        outer: "a plan under replace_one",
                    });
                }
                let scaled = parts
                    .iter()
                    .map(|&(shift, weight)| (weight, shift / standard_deviation));
                Self::normal(scaled.collect(), vec![(1.0, 0.0)], false)
            }
            Base::Laplace { noise_multiplier } => {
                let reach = sensitivity / noise_multiplier;
                let end = |base: f64, below: f64| {
                    let loss = sampled_loss(join, base);
                    let above = rest * below + join * below * base.exp();
                    Atom { loss, above, below }
                };
                Self {
                    density: Some(Likelihood::Laplace(LaplaceCentre { reach, rate: join })),
                    atoms: vec![end(-reach, 0.5), end(reach, (-reach).exp() / 2.0)],
                    only_above: 0.0,
                    only_below: 0.0,
                    symmetric: !sampled,
                }
            }
            Base::DiscreteGaussian { noise_multiplier } => {
                discrete_gaussian(*noise_multiplier, sensitivity, join)?
            }
            Base::EpsilonDelta { epsilon, delta } => {
                // Replacing is removing and adding: (2ε, (1 + exp ε)·δ) by group privacy.
                let delta = if replace {
                    (1.0 + epsilon.exp()) * delta
                } else {
                    *delta
                };
                let epsilon = sensitivity * epsilon;
                if delta >= 1.0 {
                    return Err(AccountingError::NotPrivate);
                }
                let pure = 1.0 - delta;
                let answer = |base: f64| {
                    let below = pure / (1.0 + base.exp());
                    let above = below * (rest + join * base.exp());
                    Atom {
                        loss: sampled_loss(join, base),
                        above,
                        below,
                    }
                };
                let mut atoms = vec![answer(-epsilon), answer(epsilon)];
                let only_below = if sampled && delta > 0.0 {
                    atoms.push(Atom {
                        loss: rest.ln(),
                        above: rest * delta,
                        below: delta,
                    });
                    0.0
                } else {
                    delta
                };
                Self {
                    density: None,
                    atoms,
                    only_above: join * delta,
                    only_below,
                    symmetric: !sampled,
                }
            }
        })
    }

    fn normal(above: Vec<(f64, f64)>, below: Vec<(f64, f64)>, symmetric: bool) -> Self {
        Self {
            density: Some(Likelihood::Normal(NormalMixture::new(above, below))),
            atoms: Vec::new(),
            only_above: 0.0,
            only_below: 0.0,
            symmetric,
        }
    }

    /// Returns losses with the masses of P there, for estimates that no guarantee rests on.
    pub(super) fn sketch(&self, tail: f64) -> Vec<(f64, f64)> {
        let density = self.density.iter().flat_map(|density| density.sketch(tail));
        let atoms = self.atoms.iter().map(|it| (it.loss, it.above));
        density.chain(atoms).filter(|it| it.1 > 0.0).collect()
    }
}

/// The discrete Gaussian on the integers: Q(k) ∝ exp(-k²/(2σ²)), P(k) = Q(k - shift).
fn discrete_gaussian(
    noise_multiplier: f64,
    shift: f64,
    rate: f64,
) -> Result<Pair, AccountingError> {
    let variance = noise_multiplier * noise_multiplier;
    let reach = (TAIL_DEVIATIONS * noise_multiplier).ceil() + shift + 1.0;
    if reach > MOST_ATOMS {
        return Err(AccountingError::TooFine {
            name: "noise_multiplier",
            value: noise_multiplier,
        });
    }
    let weight = |k: f64| (-k * k / (2.0 * variance)).exp();
    let reach = reach as i64;
    let total: f64 = (-reach..=reach).map(|k| weight(k as f64)).sum();
    let atoms = (-reach..=reach)
        .map(|k| {
            let k = k as f64;
            let base = (2.0 * k - shift) * shift / (2.0 * variance);
            let below = weight(k) / total;
            let above = (1.0 - rate) * below + rate * weight(k - shift) / total;
            Atom {
                loss: sampled_loss(rate, base),
                above,
                below,
            }
        })
        .filter(|it| it.above > 0.0 && it.below > 0.0)
        .collect();
    Ok(Pair {
        density: None,
        atoms,
        only_above: TAIL_MASS,
        only_below: TAIL_MASS,
        symmetric: rate == 1.0,
    })
}

/// Outputs farther out than this many standard deviations, which hold less than [`TAIL_MASS`],
/// are counted as if they gave the unit away.
const TAIL_DEVIATIONS: f64 = 37.0;
const TAIL_MASS: f64 = 1e-290;

/// The largest number of outputs of a discrete Gaussian on either side.
const MOST_ATOMS: f64 = 1e6;
