//! Log-moments of the Poisson-subsampled Gaussian.
//!
//! Let P = N(0, σ²) and Q = (1 - q)·N(0, σ²) + q·N(1, σ²). Adding or removing one unit moves the
//! output between P and Q, and the Rényi divergence of either direction is at most that of Q
//! from P: Mironov, Talwar & Zhang (2019), arXiv 1908.10530, theorem 5 and corollary 7. With
//! r(x) = exp((2x - 1)/(2σ²)) and w = q·(r - 1), the moment is A_α = E over x ~ P of (1 + w)^α,
//! and ln A_α is what this module bounds, in three ways:
//!
//! - at integer orders by the binomial sum (equation 3.3 of the same paper);
//! - at other orders, where σ is not very small, by the trapezoidal rule with a bound on its error;
//! - between two orders by the chord, because ln A_α is convex in α and 0 at α = 1.
//!
//! Since E of w is 0, the sum and the integral are taken of A_α - 1, whose terms are positive:
//! nothing cancels however small q is.

use std::f64::consts::PI;

/// Upper bounds on the log-moments of one subsampled Gaussian.
pub(super) struct LogMoments {
    rate: f64,
    noise_multiplier: f64,
    /// Pairs of order and log-moment, orders ascending from (1, 0) to [`LARGEST_SUMMED_ORDER`].
    nodes: Vec<(f64, f64)>,
}

impl LogMoments {
    /// Computes bounds at those of `orders`, ascending, that are within reach.
    pub(super) fn new(rate: f64, noise_multiplier: f64, orders: &[f64]) -> Self {
        let sum = BinomialSum::new(rate, noise_multiplier);
        let integers: Vec<(f64, f64)> = std::iter::once((1.0, 0.0))
            .chain(
                orders
                    .iter()
                    .filter(|&&order| order.fract() == 0.0 && order <= LARGEST_SUMMED_ORDER)
                    .map(|&order| (order, sum.log_moment(order))),
            )
            .collect();
        let mut moments = Self {
            rate,
            noise_multiplier,
            nodes: integers,
        };
        if noise_multiplier >= SMALLEST_INTEGRATED_NOISE {
            let integral = Integral::new(rate, noise_multiplier);
            let fractions = orders
                .iter()
                .filter(|order| (SMALLEST_INTEGRATED..LARGEST_INTEGRATED).contains(*order))
                .filter(|order| order.fract() != 0.0)
                // The chord is better where the integral is below its own error.
                .map(|&order| (order, integral.log_moment(order).min(moments.add_or_remove_one(order))))
                .collect::<Vec<_>>();
            moments.nodes.extend(fractions);
            moments.nodes.sort_by(|a, b| a.0.total_cmp(&b.0));
        }
        moments
    }

    /// Returns an upper bound on the log-moment for adding or removing one unit.
    pub(super) fn add_or_remove_one(&self, order: f64) -> f64 {
        self.chord(order).min(self.mixture(order, 1.0))
    }

    /// Returns an upper bound on the log-moment for replacing one unit.
    ///
    /// The first bound goes through the data without the unit: by the weak triangle inequality,
    /// Mironov (2017), arXiv 1702.07476, proposition 11, the log-moment is for every p > 1 at
    /// most `ln A_{p·α} / p + ln A_{(p·α - 1)/(p - 1)}·(1 - 1/p)`. The two orders are the same,
    /// `α + √(α² - α)`, at p = 1 + √(1 - 1/α). The second bound couples the samples: with
    /// probability q the unit takes part, and then the sensitivity is 2.
    pub(super) fn replace_one(&self, order: f64) -> f64 {
        // Up: log-moments rise with the order.
        let through = (order + (order * (order - 1.0)).sqrt()) * (1.0 + RELATIVE_MARGIN);
        self.chord(through).min(self.mixture(order, 2.0))
    }

    /// Returns ln(1 - q + q·exp(α(α - 1)·s²/(2σ²))) for sensitivity s.
    ///
    /// An upper bound, because the moment of a pair of mixtures is at most the mixture of the
    /// moments: (x, y) ↦ x^α·y^(1 - α) is jointly convex.
    fn mixture(&self, order: f64, sensitivity: f64) -> f64 {
        let inverse_multiplier = sensitivity / self.noise_multiplier;
        let exponent = order * (order - 1.0) * inverse_multiplier * inverse_multiplier / 2.0;
        log_one_plus_exp(self.rate.ln() + log_exp_minus_one(exponent) + RELATIVE_MARGIN)
    }

    /// Returns the chord between the nodes around `order`, or infinity beyond the last node.
    fn chord(&self, order: f64) -> f64 {
        let after = self.nodes.partition_point(|node| node.0 < order);
        let Some(&(high, above)) = self.nodes.get(after) else {
            return f64::INFINITY;
        };
        if high == order {
            return above;
        }
        // OK because the first node is 1 and every order is above it.
        let (low, below) = self.nodes[after - 1];
        let weight = (order - low) / (high - low);
        (below * (1.0 - weight) + above * weight) * (1.0 + RELATIVE_MARGIN)
    }
}

/// The binomial sum `A_α - 1 = Σ_{k ≥ 2} C(α, k)·(1 - q)^{α - k}·q^k·(exp((k² - k)/(2σ²)) - 1)`.
///
/// The exponentials minus one are those of equation 3.3 less a sum of binomial terms that is 1.
struct BinomialSum {
    log_rate: f64,
    log_rest: f64,
    /// ln k! for k from 0.
    log_factorials: Vec<f64>,
    /// ln(exp((k² - k)/(2σ²)) - 1) for k from 0; the first two are not used.
    log_gains: Vec<f64>,
}

impl BinomialSum {
    fn new(rate: f64, noise_multiplier: f64) -> Self {
        let inverse_multiplier = 1.0 / noise_multiplier;
        let half_inverse_variance = inverse_multiplier * inverse_multiplier / 2.0;
        let counts = || (0..=LARGEST_SUMMED_ORDER as u32).map(f64::from);
        Self {
            log_rate: rate.ln(),
            log_rest: (-rate).ln_1p(),
            log_factorials: counts()
                .scan(0.0, |sum, k| {
                    *sum += k.max(1.0).ln();
                    Some(*sum)
                })
                .collect(),
            log_gains: counts()
                .map(|k| log_exp_minus_one(k * (k - 1.0) * half_inverse_variance))
                .collect(),
        }
    }

    /// Returns an upper bound on ln A_α at an integer order from 2 to [`LARGEST_SUMMED_ORDER`].
    fn log_moment(&self, order: f64) -> f64 {
        let count = order as usize;
        let terms: Vec<f64> = (2..=count)
            .map(|k| {
                let log_choices = self.log_factorials[count]
                    - self.log_factorials[k]
                    - self.log_factorials[count - k];
                let log_weight = k as f64 * self.log_rate + (count - k) as f64 * self.log_rest;
                log_choices + log_weight + self.log_gains[k]
            })
            .collect();
        let magnitude = 2.0 * self.log_factorials[count] - order * (self.log_rate + self.log_rest)
            + self.log_gains[count].abs().max(self.log_gains[2].abs());
        // Up: the logarithm of the sum errs by no more than its largest exponent and the
        // summation do.
        let margin = SUM_MARGIN + EXPONENT_MARGIN * magnitude;
        log_one_plus_exp(log_sum_exp(&terms) + margin)
    }
}

/// The integral `A_α - 1 = ∫ φ(x)·((1 + w)^α - 1 - α·w) dx` by the trapezoidal rule, φ being the
/// density of N(0, σ²).
///
/// # Guarantee
///
/// The rule errs by at most `2·M/(exp(2π·a/h) - 1)` for step h, where the integrand is analytic
/// for imaginary parts up to a and M bounds the integral of its modulus along each such line:
/// Trefethen & Weideman (2014), SIAM Review 56(3), theorem 5.1. Here 1 + w is not zero for
/// imaginary parts below π·σ², its modulus is largest on the real line, and that of φ grows by
/// exp(a²/(2σ²)), so M ≤ exp(a²/(2σ²))·(A_α + 1 + 2·α·q). [`Integral::new`] chooses h such that
/// the factor is below exp(-[`NEGLIGIBLE_LOG`]). What lies beyond the nodes is positive and, by
/// φ·(1 + w)^α ≤ exp(α(α - 1)/(2σ²))·N(x; α, σ²) on the right and (1 + w)^α - 1 - α·w ≤ α·q on
/// the left, below the same factor of A_α + α·q.
struct Integral {
    rate: f64,
    noise_multiplier: f64,
    /// The step over σ.
    step: f64,
    /// Nodes in ascending order.
    nodes: Vec<IntegralNode>,
}

/// What the integrand needs at one x, for every order.
struct IntegralNode {
    position: f64,
    /// x²/(2σ²)
    exponent: f64,
    /// exp(-x²/(2σ²)), 0 where that underflows: there a power that is no logarithm makes less
    /// than exp(-100) of the weight, far below [`NEGLIGIBLE`].
    weight: f64,
    /// w
    excess: f64,
    /// ln w where w is large; not used elsewhere.
    log_excess: f64,
    /// ln(1 + w)
    log_ratio: f64,
}

impl Integral {
    fn new(rate: f64, noise_multiplier: f64) -> Self {
        // Half the strip's width over σ; a wider one gains nothing above 4.
        let strip = f64::min(0.999 * PI * noise_multiplier, 4.0);
        let step = 2.0 * PI * strip / (NEGLIGIBLE_LOG + 1.0 + strip * strip / 2.0);
        let mut integral = Self {
            rate,
            noise_multiplier,
            step,
            nodes: Vec::new(),
        };
        let spacing = step * noise_multiplier;
        let first = -((2.0 * NEGLIGIBLE_LOG).sqrt() / step).ceil() as i64 - 1;
        let last = (integral.reach(LARGEST_INTEGRATED) / spacing).ceil() as i64 + 1;
        integral.nodes = (first..=last)
            .map(|index| integral.node(index as f64 * spacing))
            .collect();
        integral
    }

    /// Returns the x beyond which the integrand of this order is negligible.
    fn reach(&self, order: f64) -> f64 {
        // The moment is at least q^α of what bounds the tail, so the tail has to be smaller by
        // that factor.
        let log_tail = NEGLIGIBLE_LOG - order * self.rate.ln();
        order + ((2.0 * log_tail).sqrt() + self.step) * self.noise_multiplier
    }

    fn node(&self, position: f64) -> IntegralNode {
        let inverse_multiplier = 1.0 / self.noise_multiplier;
        let scaled = position * inverse_multiplier;
        let log_likelihood_ratio =
            (2.0 * position - 1.0) * inverse_multiplier * inverse_multiplier / 2.0;
        let log_excess = self.rate.ln() + log_likelihood_ratio;
        let (excess, log_ratio) = if log_likelihood_ratio < LARGE_EXPONENT {
            let excess = self.rate * log_likelihood_ratio.exp_m1();
            (excess, excess.ln_1p())
        } else {
            // Up: ln(1 + w) is below ln(1 + q·r).
            (f64::INFINITY, log_one_plus_exp(log_excess))
        };
        IntegralNode {
            position,
            exponent: scaled * scaled / 2.0,
            weight: (-scaled * scaled / 2.0).exp(),
            excess,
            log_excess,
            log_ratio,
        }
    }

    /// Returns an upper bound on ln A_α, 1 < α.
    fn log_moment(&self, order: f64) -> f64 {
        let reach = self.reach(order);
        let (mut sum, mut logs) = (0.0, Vec::new());
        let nodes = self.nodes.iter();
        for node in nodes.take_while(|node| node.position <= reach) {
            let power = order * node.log_ratio;
            if power < LARGE_EXPONENT {
                // A negative value is rounding, and the true one is below what is added for it.
                sum += (power.exp_m1() - order * node.excess).max(0.0) * node.weight;
            } else {
                // (1 + w)^α·(1 - (1 + α·w)/(1 + w)^α), without the first 1 in the numerator: Up.
                let lost = (order.ln() + node.log_excess - power).exp();
                logs.push(power + (-lost).ln_1p() - node.exponent);
            }
        }
        logs.push(sum.ln());
        let log_sum = log_sum_exp(&logs) + (self.step / (2.0 * PI).sqrt()).ln() + INTEGRAL_MARGIN;
        // Up: the error of the rule and the tails, relative to A_α = 1 + sum, then the rounding
        // of the terms where w is small.
        let missing = NEGLIGIBLE * (1.0 + order * self.rate);
        let rounding = ROUNDING_MARGIN * order * self.rate;
        let log_missing = missing.ln() + log_one_plus_exp(log_sum);
        log_one_plus_exp(log_sum_exp(&[log_sum, log_missing, rounding.ln()]))
    }
}

/// Returns ln(exp(x) - 1) for x ≥ 0, without overflow or cancellation.
fn log_exp_minus_one(x: f64) -> f64 {
    if x < 30.0 {
        x.exp_m1().ln()
    } else {
        x + (-(-x).exp()).ln_1p()
    }
}

/// Returns ln(1 + exp(x)) rounded up, at least the smallest positive number.
fn log_one_plus_exp(x: f64) -> f64 {
    let value = x.max(0.0) + (-x.abs()).exp().ln_1p();
    // Up: exp(x) underflows to 0 where x is very small, and no moment is free.
    value.max(f64::MIN_POSITIVE) * (1.0 + RELATIVE_MARGIN)
}

/// Returns the logarithm of the sum of exponentials, which errs by no more than 10^-21 besides
/// rounding.
fn log_sum_exp(exponents: &[f64]) -> f64 {
    let largest = exponents.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    if largest == f64::NEG_INFINITY {
        return largest;
    }
    // Less is left out than any margin covers; what is not a number stays, to be refused.
    let sum: f64 = exponents
        .iter()
        .map(|x| x - largest)
        .filter(|x| x.is_nan() || *x > -LEFT_OUT_LOG)
        .map(f64::exp)
        .sum();
    largest + sum.ln()
}

/// The largest order at which the binomial sum is taken. Beyond it only the bound of a mixture
/// of moments is used; the order matters for ε below about ln(1/δ)/2000.
const LARGEST_SUMMED_ORDER: f64 = 4096.0;

/// Below this noise multiplier the integral needs many thousands of nodes, and ε is in the
/// hundreds; the chord between integer orders is used alone.
const SMALLEST_INTEGRATED_NOISE: f64 = 0.1;

/// Orders at which the integral is taken. Nearer to 1 its rounding errors grow; from 8 on the
/// chord between integers is as good.
const SMALLEST_INTEGRATED: f64 = 1.01;
const LARGEST_INTEGRATED: f64 = 8.0;

/// Errors below exp(-46), about 1e-20, of what they are relative to are covered by
/// [`NEGLIGIBLE`], a hundred times as large.
const NEGLIGIBLE_LOG: f64 = 46.0;
const NEGLIGIBLE: f64 = 1e-18;

/// Terms below exp(-60), about 10^-26, of the largest are left out of a sum: fewer than 10^5
/// of them change it by less than 10^-21 of itself.
const LEFT_OUT_LOG: f64 = 60.0;

/// Exponents from here on are kept as logarithms; exp(600) is far from overflow.
const LARGE_EXPONENT: f64 = 600.0;

/// Bounds the relative error of a few float operations and logarithms, each within a few units
/// of 2^-53 (about 1.1e-16) of its result.
const RELATIVE_MARGIN: f64 = 1e-13;

/// Bounds the relative error of adding up to 4096 positive terms, which is at most 4096·2^-53
/// (about 5e-13), and of the exponentials in it.
const SUM_MARGIN: f64 = 1e-11;

/// Bounds the error of an exponent relative to the sum of the magnitudes that make it up. The
/// logarithms of factorials are the worst: 4096 additions err by at most 4096·2^-53 of the
/// result, about 5e-13, and the logarithms added by 2^-52 more.
const EXPONENT_MARGIN: f64 = 1e-12;

/// Bounds the relative error of the integral's terms where w is above 1. Exponents are at most
/// 2·10^4 and accurate to a few units of 2^-53, that is 10^-11; subtracting 1 + α·w loses a
/// factor of at most 5/(α - 1) ≤ 500 of that near α = 1, where the exponents are a tenth as large.
const INTEGRAL_MARGIN: f64 = 1e-8;

/// Bounds the absolute error of the integral's terms where w is at most 1, in units of α·q: the
/// terms subtracted are below 8·α·|w|, the mean of |w| is at most 2·q, and each float operation
/// errs by a few units of 2^-53.
const ROUNDING_MARGIN: f64 = 1e-13;

#[cfg(test)]
mod tests {
    use super::*;

    /// Sampling rate, noise multiplier, order and ln A_α by mpmath 1.3.0 with 40 digits: `quad` of
    /// the integrand of [`Integral`] over 79 intervals from -16·σ to α + 30·σ.
    const FRACTIONAL: [(f64, f64, f64, f64); 10] = [
        (0.01, 1.0, 1.5, 6.362_687_166_372_492e-5),
        (0.01, 0.3, 1.7, 0.253_943_272_453_856_67),
        (0.001, 0.3, 1.25, 0.000_318_705_765_716_776_74),
        (0.0001, 0.6, 2.5, 2.840_527_830_017_911e-7),
        (0.0001, 0.6, 7.75, 1.522_723_182_599_778_4),
        (0.5, 2.0, 1.01, 0.000_325_306_855_285_962_37),
        (0.9, 0.1, 1.125, 6.912_794_035_239_207),
        (0.9, 0.1, 5.5, 1_236.920_517_163_881_8),
        (1e-5, 100.0, 3.25, 3.656_432_823_164_761e-14),
        (0.25, 3.0, 6.5, 0.145_654_252_351_945_7),
    ];

    #[test]
    fn the_integral_is_above_the_exact_moment_by_its_margins_only() {
        for (rate, noise_multiplier, order, exact) in FRACTIONAL {
            let bound = Integral::new(rate, noise_multiplier).log_moment(order);
            assert!(bound >= exact, "{bound} below {exact} at order {order}");
            let room = 2e-8 * exact + 2.0 * (NEGLIGIBLE + ROUNDING_MARGIN * order * rate);
            assert!(
                bound <= exact + room,
                "{bound} far above {exact} at order {order}"
            );
        }
    }

    #[test]
    fn the_integral_and_the_sum_agree_at_integer_orders() {
        for noise_multiplier in [0.1, 0.3, 1.0, 7.0, 300.0] {
            for rate in [1e-7, 1e-3, 0.1, 0.999] {
                let sum = BinomialSum::new(rate, noise_multiplier);
                let integral = Integral::new(rate, noise_multiplier);
                for order in [2.0, 3.0, 5.0, 7.0] {
                    let (summed, integrated) = (sum.log_moment(order), integral.log_moment(order));
                    let room = 2e-8 * summed + 2.0 * (NEGLIGIBLE + ROUNDING_MARGIN * order * rate);
                    assert!(
                        (summed - integrated).abs() <= room,
                        "{summed} and {integrated} at rate {rate}, noise multiplier \
                         {noise_multiplier}, order {order}"
                    );
                }
            }
        }
    }

    #[test]
    fn the_sum_at_order_two_is_its_closed_form() {
        for noise_multiplier in [0.05f64, 0.3, 1.0, 7.0] {
            for rate in [1e-9f64, 0.01, 0.5] {
                let gain = noise_multiplier.powi(-2).exp_m1();
                let exact = (rate * rate * gain).ln_1p();
                let bound = BinomialSum::new(rate, noise_multiplier).log_moment(2.0);
                assert!(
                    bound >= exact && bound <= exact * (1.0 + 1e-8),
                    "{bound}, {exact}"
                );
            }
        }
    }

    #[test]
    fn log_moments_rise_with_the_order_and_replacing_is_above_removing() {
        let orders: Vec<f64> = (0..600).map(|index| 1.001 * 1.02f64.powi(index)).collect();
        let mut nodes: Vec<f64> = orders.iter().map(|order| order.floor()).collect();
        nodes.extend(&orders);
        nodes.retain(|order| *order > 1.0);
        nodes.sort_by(f64::total_cmp);
        nodes.dedup();
        for noise_multiplier in [0.05, 0.2, 1.0, 20.0] {
            let moments = LogMoments::new(0.02, noise_multiplier, &nodes);
            let mut before = 0.0;
            for &order in &orders {
                let removing = moments.add_or_remove_one(order);
                assert!(removing.is_finite() && removing >= before, "order {order}");
                assert!(moments.replace_one(order) >= removing, "order {order}");
                before = removing;
            }
        }
    }
}
