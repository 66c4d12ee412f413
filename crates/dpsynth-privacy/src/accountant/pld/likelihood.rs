//! Pairs of output distributions with a density, along the line on which their privacy loss
//! rises.
//!
//! A pair (P, Q) is held by one parameter t, along which the likelihood ratio r(t) = dP/dQ rises.
//! The privacy loss is ln r(t). What the accountant needs of a pair are differences of r, which
//! are computed as sums of positive terms, so that nothing cancels between neighbouring t.

use std::cmp::Ordering;
use std::f64::consts::PI;

/// A pair of mixtures of normal distributions with standard deviation 1, or the continuous part
/// of a pair of Laplace distributions.
#[derive(Clone, Debug)]
pub(super) enum Likelihood {
    Normal(NormalMixture),
    Laplace(LaplaceCentre),
}

/// P = Σ p_j·N(s_j, 1) with s_j ≥ 0 and Q = Σ d_j·N(-u_j, 1) with u_j ≥ 0; t is the output.
///
/// Every term is a density ratio against N(0, 1): `exp(±s·t - s²/2)`.
#[derive(Clone, Debug)]
pub(super) struct NormalMixture {
    /// Pairs of weight and shift to the right; the weights sum to 1.
    above: Vec<(f64, f64)>,
    /// Pairs of weight and shift to the left; the weights sum to 1.
    below: Vec<(f64, f64)>,
}

/// The outputs between the two centres of a Laplace mechanism; t is the loss before sampling,
/// from `-reach` to `reach`.
#[derive(Clone, Debug)]
pub(super) struct LaplaceCentre {
    /// The sensitivity over the scale.
    pub(super) reach: f64,
    /// The chance that the unit takes part.
    pub(super) rate: f64,
}

impl NormalMixture {
    pub(super) fn new(above: Vec<(f64, f64)>, below: Vec<(f64, f64)>) -> Self {
        Self { above, below }
    }

    /// Returns dP/dN(0, 1) at t times the density at t of N(0, 1).
    fn above_density(&self, t: f64) -> f64 {
        weighted(&self.above, |shift| normal_density(t - shift))
    }

    fn below_density(&self, t: f64) -> f64 {
        weighted(&self.below, |shift| normal_density(t + shift))
    }

    fn above_ratio_log(&self, t: f64) -> f64 {
        log_weighted(&self.above, |shift| shift * (t - shift / 2.0))
    }

    fn below_ratio_log(&self, t: f64) -> f64 {
        log_weighted(&self.below, |shift| -shift * (t + shift / 2.0))
    }

    /// Returns the weight of the part of P that does not move, where Q does not move at all.
    ///
    /// The loss never falls below its logarithm.
    fn floor(&self) -> Option<f64> {
        let still = self.below.iter().all(|&(_, shift)| shift == 0.0);
        let rest: f64 = self
            .above
            .iter()
            .filter(|(_, shift)| *shift == 0.0)
            .map(|(weight, _)| weight)
            .sum();
        (still && rest > 0.0).then_some(rest)
    }

    pub(super) fn largest_shift(&self) -> f64 {
        let shifts = self.above.iter().chain(&self.below);
        shifts.map(|&(_, shift)| shift).fold(0.0, f64::max)
    }

    /// Returns the t at which the loss is `floor + rise`, `rise` > 0; see [`Self::floor`].
    fn edge_above_floor(&self, floor: f64, rise: f64) -> f64 {
        // Σ over the moving parts of p_j·exp(s_j·t - s_j²/2) has to be floor·(exp(rise) - 1).
        let target = floor.ln() + log_exp_m1(rise);
        let moving: Vec<(f64, f64)> = self.above.iter().copied().filter(|it| it.1 > 0.0).collect();
        if let [(weight, shift)] = moving[..] {
            return (target - weight.ln()) / shift + shift / 2.0;
        }
        rising_root(
            |t| log_weighted(&moving, |shift| shift * (t - shift / 2.0)) - target,
            self.scale(),
        )
    }

    fn edge(&self, loss: f64) -> f64 {
        if let ([(_, shift)], [(_, 0.0)]) = (&self.above[..], &self.below[..]) {
            return loss / shift + shift / 2.0;
        }
        rising_root(
            |t| self.above_ratio_log(t) - self.below_ratio_log(t) - loss,
            self.scale(),
        )
    }

    fn scale(&self) -> f64 {
        1.0 / self.largest_shift()
    }
}

impl LaplaceCentre {
    /// Returns the density of Q at t: half of the mass of Laplace(0, 1/reach) beyond 0, up to
    /// the other centre.
    fn below_density(&self, t: f64) -> f64 {
        (-(t + self.reach) / 2.0).exp() / 4.0
    }
}

impl Likelihood {
    /// Returns the privacy loss at t.
    pub(super) fn loss(&self, t: f64) -> f64 {
        match self {
            Self::Normal(it) => it.above_ratio_log(t) - it.below_ratio_log(t),
            Self::Laplace(it) => sampled_loss(it.rate, t),
        }
    }

    /// Returns the t at which the loss is `loss`, or -∞ where every output's loss is above it.
    pub(super) fn edge(&self, loss: f64) -> f64 {
        match self {
            Self::Normal(it) => match it.floor() {
                Some(floor) if loss <= floor.ln() => f64::NEG_INFINITY,
                Some(floor) => it.edge_above_floor(floor, loss - floor.ln()),
                None => it.edge(loss),
            },
            Self::Laplace(it) => {
                // The base loss t at which 1 - q + q·exp(t) is exp(loss).
                let ratio = loss.exp_m1() / it.rate;
                if ratio <= -1.0 {
                    f64::NEG_INFINITY
                } else {
                    ratio.ln_1p()
                }
            }
        }
    }

    /// Returns the masses of P and Q left of t, about, where the losses have a floor.
    pub(super) fn masses_below(&self, t: f64) -> Option<(f64, f64)> {
        match self {
            Self::Normal(it) if it.floor().is_some() => {
                let left = |x: f64| libm::erfc(-x * std::f64::consts::FRAC_1_SQRT_2) / 2.0;
                Some((weighted(&it.above, |shift| left(t - shift)), left(t)))
            }
            _ => None,
        }
    }

    /// Returns the largest loss that every output's loss is above, where there is one.
    pub(super) fn lowest_loss(&self) -> Option<f64> {
        match self {
            Self::Normal(it) => it.floor().map(f64::ln),
            Self::Laplace(it) => Some(sampled_loss(it.rate, -it.reach)),
        }
    }

    /// Returns `r(to) / r(from) - 1` for `to` ≥ `from`, the ratio being that of the lowest loss
    /// where `from` is -∞.
    pub(super) fn relative_rise(&self, from: f64, to: f64) -> f64 {
        match self {
            Self::Normal(it) => {
                if from == f64::NEG_INFINITY {
                    let moving = it.above.iter().filter(|(_, shift)| *shift > 0.0);
                    let rest: f64 = it
                        .above
                        .iter()
                        .filter(|it| it.1 == 0.0)
                        .map(|it| it.0)
                        .sum();
                    return moving
                        .map(|&(weight, shift)| (shift * (to - shift / 2.0)).exp() * weight)
                        .sum::<f64>()
                        / rest;
                }
                // r = N/D with N rising and D falling: r(to)/r(from) - 1 is
                // (1 + n)·(1 + d) - 1 for the relative changes n of N and d of 1/D.
                let above =
                    relative_change(&it.above, from, to, |shift, t| shift * (t - shift / 2.0));
                if it.below.iter().all(|&(_, shift)| shift == 0.0) {
                    return above;
                }
                let below =
                    relative_change(&it.below, to, from, |shift, t| -shift * (t + shift / 2.0));
                above + below + above * below
            }
            Self::Laplace(it) => {
                let from = from.max(-it.reach);
                let ratio = it.rate * from.exp();
                ratio / (1.0 - it.rate + ratio) * (to - from).exp_m1()
            }
        }
    }

    /// Returns [`Self::relative_rise`] from one t, for many.
    pub(super) fn rises(&self, from: f64) -> Rises<'_> {
        match self {
            Self::Normal(NormalMixture { above, below }) if from.is_finite() => {
                match (&above[..], &below[..]) {
                    ([(_, shift)], [(_, 0.0)]) => Rises::One {
                        from,
                        shift: *shift,
                        share: 1.0,
                    },
                    ([(rest, 0.0), (weight, shift)], [(_, 0.0)]) => {
                        let moving = weight * (shift * (from - shift / 2.0)).exp();
                        let share = if moving.is_finite() {
                            moving / (rest + moving)
                        } else {
                            1.0
                        };
                        Rises::One {
                            from,
                            shift: *shift,
                            share,
                        }
                    }
                    _ => Rises::Any {
                        likelihood: self,
                        from,
                    },
                }
            }
            _ => Rises::Any {
                likelihood: self,
                from,
            },
        }
    }

    /// Returns the density of Q at t.
    pub(super) fn below_density(&self, t: f64) -> f64 {
        match self {
            Self::Normal(it) => it.below_density(t),
            Self::Laplace(it) => it.below_density(t),
        }
    }

    /// Returns the density of P at t.
    pub(super) fn above_density(&self, t: f64) -> f64 {
        match self {
            Self::Normal(it) => it.above_density(t),
            Self::Laplace(it) => it.below_density(t) * (1.0 - it.rate + it.rate * t.exp()),
        }
    }

    /// Returns the t between which all but a tail lies, and bounds on what P and Q hold beyond
    /// either end, each below `tail`.
    pub(super) fn support(&self, tail: f64) -> Support {
        match self {
            Self::Normal(it) => {
                // Mills: the tail of N(0, 1) beyond x > 1 is below its density at x.
                let share = tail / it.above.len().max(it.below.len()) as f64;
                let reach = |parts: &[(f64, f64)]| {
                    let distance =
                        |weight: f64| (-2.0 * (share / weight).min(0.5).ln()).sqrt().max(1.0);
                    parts
                        .iter()
                        .map(|&(weight, shift)| shift + distance(weight))
                        .fold(0.0, f64::max)
                };
                let far = reach(&[(1.0, 0.0)]);
                Support {
                    left: -reach(&it.below).max(far),
                    right: reach(&it.above).max(far),
                    beyond_left: tail,
                    beyond_right: tail,
                }
            }
            Self::Laplace(it) => Support {
                left: -it.reach,
                right: it.reach,
                beyond_left: 0.0,
                beyond_right: 0.0,
            },
        }
    }

    /// Returns half the width of the intervals, at |t| ≤ `largest`, on which five-point
    /// Gauss–Legendre quadrature of a density times a relative rise errs by less than 10^-13 of
    /// the integral.
    ///
    /// With half-width d·R the modulus grows by less than e^2 in a disc of R = 18 half-widths, so
    /// inside the Bernstein ellipse of ρ = 2·R - 1 the integrand is below a constant times its
    /// mean, and the error below that times `ρ^-10`: Trefethen (2013), Approximation Theory and
    /// Approximation Practice, theorem 19.3.
    pub(super) fn panel(&self, largest: f64) -> f64 {
        match self {
            Self::Normal(it) => 1.0 / (18.0 * (largest + it.largest_shift()).max(2.0)),
            Self::Laplace(_) => 1.0 / 18.0,
        }
    }

    /// Returns points along t with their loss and the mass of P around them, for estimates.
    pub(super) fn sketch(&self, tail: f64) -> Vec<(f64, f64)> {
        let support = self.support(tail);
        let spacing = match self {
            Self::Normal(it) => 0.125_f64
                .min(1.5 / it.largest_shift())
                .max((support.right - support.left) / 4096.0),
            Self::Laplace(it) => it.reach / 64.0,
        };
        let count = ((support.right - support.left) / spacing).ceil().max(1.0) as usize;
        let spacing = (support.right - support.left) / count as f64;
        (0..count)
            .map(|index| {
                let t = support.left + (index as f64 + 0.5) * spacing;
                (self.loss(t), self.above_density(t) * spacing)
            })
            .collect()
    }
}

/// How the likelihood ratio rises from one t.
pub(super) enum Rises<'a> {
    /// As `share·(exp(shift·(t - from)) - 1)`.
    One { from: f64, shift: f64, share: f64 },
    Any {
        likelihood: &'a Likelihood,
        from: f64,
    },
}

impl Rises<'_> {
    /// Returns r(t)/r(from) - 1.
    pub(super) fn to(&self, t: f64) -> f64 {
        match self {
            Self::One { from, shift, share } => share * (shift * (t - from)).exp_m1(),
            Self::Any { likelihood, from } => likelihood.relative_rise(*from, t),
        }
    }
}

/// Where a density lies.
pub(super) struct Support {
    pub(super) left: f64,
    pub(super) right: f64,
    /// Bounds the mass of P, and that of Q, left of `left`.
    pub(super) beyond_left: f64,
    /// The same right of `right`.
    pub(super) beyond_right: f64,
}

/// Returns the loss ln(1 - q + q·exp(base)) of a mechanism that a unit joins with probability q.
pub(super) fn sampled_loss(rate: f64, base: f64) -> f64 {
    if base < 1.0 {
        (rate * base.exp_m1()).ln_1p()
    } else {
        base + (rate + (1.0 - rate) * (-base).exp()).ln()
    }
}

fn weighted(parts: &[(f64, f64)], value: impl Fn(f64) -> f64) -> f64 {
    parts
        .iter()
        .map(|&(weight, shift)| weight * value(shift))
        .sum()
}

fn log_weighted(parts: &[(f64, f64)], log_value: impl Fn(f64) -> f64) -> f64 {
    if let [(weight, shift)] = parts {
        return weight.ln() + log_value(*shift);
    }
    let largest = parts
        .iter()
        .map(|&(_, shift)| log_value(shift))
        .fold(f64::NEG_INFINITY, f64::max);
    largest + weighted(parts, |shift| (log_value(shift) - largest).exp()).ln()
}

/// Returns `f(to)/f(from) - 1` for a sum f of `weight·exp(log_ratio(shift, t))` that rises from
/// `from` to `to`.
fn relative_change(
    parts: &[(f64, f64)],
    from: f64,
    to: f64,
    log_ratio: impl Fn(f64, f64) -> f64,
) -> f64 {
    if let [(_, shift)] = parts {
        return (shift * (to - from).abs()).exp_m1();
    }
    let largest = parts
        .iter()
        .map(|&(_, shift)| log_ratio(shift, from))
        .fold(f64::NEG_INFINITY, f64::max);
    let (mut sum, mut rise) = (0.0, 0.0);
    for &(weight, shift) in parts {
        let term = if shift == 0.0 && largest == 0.0 {
            weight
        } else {
            weight * (log_ratio(shift, from) - largest).exp()
        };
        sum += term;
        if shift > 0.0 {
            rise += term * (shift * (to - from).abs()).exp_m1();
        }
    }
    rise / sum
}

fn normal_density(t: f64) -> f64 {
    (-t * t / 2.0).exp() / (2.0 * PI).sqrt()
}

/// Returns ln(exp(x) - 1) for x > 0.
fn log_exp_m1(x: f64) -> f64 {
    if x < 30.0 {
        x.exp_m1().ln()
    } else {
        x + (-(-x).exp()).ln_1p()
    }
}

/// Returns the root of a rising function by bisection from a bracket that grows by `scale`.
fn rising_root(f: impl Fn(f64) -> f64, scale: f64) -> f64 {
    let (mut low, mut high, mut width) = (-1.0, 1.0, scale.max(1.0));
    while f(low) > 0.0 && width < 1e12 {
        low -= width;
        width *= 2.0;
    }
    width = scale.max(1.0);
    while f(high) < 0.0 && width < 1e12 {
        high += width;
        width *= 2.0;
    }
    // Illinois' variant of the secant rule keeps a bracket and converges faster than halving.
    let (mut f_low, mut f_high) = (f(low), f(high));
    let mut moved = Ordering::Equal;
    for _ in 0..200 {
        let secant = low + (high - low) * (f_low / (f_low - f_high));
        let inside = secant > low && secant < high;
        let middle = if inside {
            secant
        } else {
            low + (high - low) / 2.0
        };
        let value = f(middle);
        let narrow = high - low <= 4.0 * f64::EPSILON * (low.abs() + high.abs());
        if value == 0.0 || narrow || middle == low || middle == high {
            return middle;
        }
        if value < 0.0 {
            (low, f_low) = (middle, value);
            if moved == Ordering::Less {
                f_high /= 2.0;
            }
            moved = Ordering::Less;
        } else {
            (high, f_high) = (middle, value);
            if moved == Ordering::Greater {
                f_low /= 2.0;
            }
            moved = Ordering::Greater;
        }
    }
    low + (high - low) / 2.0
}
