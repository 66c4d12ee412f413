//! An exact sampler of the standard normal distribution: Karney (2016), Algorithm N.
//!
//! "Sampling exactly from the normal distribution", ACM TOMS 42(1), arXiv 1303.6257v2. No table,
//! no tail cut, no call of a mathematical library: only comparisons of uniform numbers whose
//! binary digits are drawn as they are needed.

use crate::random::SecretRng;

/// A uniform number in `[0, 1)` whose digits, 64 bits at a time, are drawn when needed.
///
/// Two such numbers are almost always told apart by their first digit, which is kept apart from
/// the others so that the common case allocates nothing.
#[derive(Clone, Debug)]
pub(super) struct LazyUniform {
    first: u64,
    rest: Vec<u64>,
}

impl LazyUniform {
    #[inline]
    pub(super) fn draw(rng: &mut SecretRng) -> Self {
        Self {
            first: rng.next_u64(),
            rest: Vec::new(),
        }
    }

    /// Digit `index`, most significant first.
    #[inline]
    pub(super) fn digit(&mut self, index: usize, rng: &mut SecretRng) -> u64 {
        if index == 0 {
            return self.first;
        }
        while self.rest.len() < index {
            self.rest.push(rng.next_u64());
        }
        self.rest[index - 1]
    }

    /// Whether `self < other`, drawing digits until they differ.
    #[inline]
    fn less_than(&mut self, other: &mut Self, rng: &mut SecretRng) -> bool {
        if self.first != other.first {
            return self.first < other.first;
        }
        self.less_than_slowly(other, rng)
    }

    #[cold]
    fn less_than_slowly(&mut self, other: &mut Self, rng: &mut SecretRng) -> bool {
        let mut index = 1;
        loop {
            let (mine, theirs) = (self.digit(index, rng), other.digit(index, rng));
            if mine != theirs {
                return mine < theirs;
            }
            index += 1;
        }
    }

    /// Whether `self < 1/2`: the first binary digit decides.
    #[inline]
    fn below_half(&self) -> bool {
        self.first >> 63 == 0
    }
}

/// A standard normal value: its sign, its whole part, and its fraction as lazy digits.
#[derive(Clone, Debug)]
pub(super) struct LazyNormal {
    pub(super) negative: bool,
    pub(super) whole: u32,
    pub(super) fraction: LazyUniform,
}

/// Draws one standard normal value exactly.
#[inline]
pub(super) fn standard_normal(rng: &mut SecretRng) -> LazyNormal {
    loop {
        // Step N1: k with probability exp(-k/2)·(1 - 1/√e).
        let mut whole = 0u32;
        while bernoulli_exp_minus_half(rng) {
            whole += 1;
        }
        // Step N2: accept k with probability exp(-k(k-1)/2).
        let trials = u64::from(whole) * u64::from(whole.saturating_sub(1));
        if (0..trials).any(|_| !bernoulli_exp_minus_half(rng)) {
            continue;
        }
        // Steps N3 and N4: accept x with probability exp(-x(2k+x)/2), as k+1 equal factors.
        let mut fraction = LazyUniform::draw(rng);
        if (0..=whole).any(|_| !bernoulli_exp_partial(whole, &mut fraction, rng)) {
            continue;
        }
        // Step N5: the sign.
        return LazyNormal {
            negative: rng.next_u32() >> 31 == 1,
            whole,
            fraction,
        };
    }
}

/// Algorithm H: true with probability exp(-1/2).
#[inline]
fn bernoulli_exp_minus_half(rng: &mut SecretRng) -> bool {
    let mut previous = LazyUniform::draw(rng);
    if !previous.below_half() {
        return true;
    }
    // The length of the decreasing run that starts below 1/2 is even with probability exp(-1/2).
    loop {
        let mut next = LazyUniform::draw(rng);
        if !next.less_than(&mut previous, rng) {
            return false;
        }
        previous = LazyUniform::draw(rng);
        if !previous.less_than(&mut next, rng) {
            return true;
        }
    }
}

/// Algorithm B: true with probability exp(-x(2k+x)/(2k+2)).
#[inline]
fn bernoulli_exp_partial(whole: u32, x: &mut LazyUniform, rng: &mut SecretRng) -> bool {
    let sides = 2 * u64::from(whole) + 2;
    let mut even = true;
    let mut previous: Option<LazyUniform> = None;
    loop {
        let mut next = LazyUniform::draw(rng);
        let decreasing = match &mut previous {
            None => next.less_than(x, rng),
            Some(last) => next.less_than(last, rng),
        };
        if !decreasing || !below_ratio(whole, sides, x, rng) {
            return even;
        }
        previous = Some(next);
        even = !even;
    }
}

/// True with probability (2k+x)/(2k+2).
#[inline]
fn below_ratio(whole: u32, sides: u64, x: &mut LazyUniform, rng: &mut SecretRng) -> bool {
    let side = uniform_below(sides, rng);
    if side < 2 * u64::from(whole) {
        return true;
    }
    side == 2 * u64::from(whole) && LazyUniform::draw(rng).less_than(x, rng)
}

/// A uniform integer below `bound`, exactly: words that would bias the remainder are drawn again.
#[inline]
fn uniform_below(bound: u64, rng: &mut SecretRng) -> u64 {
    if bound.is_power_of_two() {
        return rng.next_u64() & (bound - 1);
    }
    let limit = u64::MAX - u64::MAX % bound;
    loop {
        let word = rng.next_u64();
        if word < limit {
            return word % bound;
        }
    }
}
