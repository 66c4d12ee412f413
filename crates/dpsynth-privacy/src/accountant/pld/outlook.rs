//! Where a plan's answer lies, roughly: what to tilt by, which window to look at, which step.
//!
//! Nothing here is a bound. A poor outlook costs time or width, never safety.

use super::Direction;
use super::compose::{Window, largest_weight};
use super::pair::Pair;
use super::question::{NEAR, Question};
use crate::accountant::AccountingError;

/// An estimate of where the answer lies.
pub(super) struct Outlook {
    pub(super) tilt: f64,
    /// The mean loss of each mechanism under the tilt.
    pub(super) means: Vec<f64>,
    pub(super) epsilon: f64,
    /// What Chernoff's inequality says of ε with the exact moment.
    pub(super) chernoff: f64,
    /// ln δ
    log_delta: f64,
    /// The number of uses of all mechanisms together.
    spread: f64,
    /// The tilt under which the answer is the mean.
    saddle: f64,
    uses: f64,
    pub(super) lowest: f64,
    pub(super) highest: f64,
    tilt_below: f64,
    tilt_above: f64,
}

/// Losses of each mechanism with the logarithms of their masses, and the number of its uses.
struct Sketch(Vec<(Vec<(f64, f64)>, f64)>);

/// The logarithm of a moment, its first and its second derivative.
struct Cumulant {
    value: f64,
    slope: f64,
    bend: f64,
}

impl Outlook {
    pub(super) fn new(
        pairs: &[(Pair, f64)],
        direction: Direction,
        question: Question,
    ) -> Result<Self, AccountingError> {
        let log_delta = match question {
            Question::EpsilonAt(delta) => delta.ln(),
            Question::DeltaAt(_) => FIRST_LOG_DELTA,
        };
        let mut outlook = Self::assuming(pairs, direction, question, log_delta);
        if matches!(question, Question::DeltaAt(_)) {
            // What is cut off as a tail depends on δ, which is only known by now.
            for _ in 0..2 {
                outlook = Self::assuming(pairs, direction, question, outlook.log_delta);
            }
        }
        let numbers = [
            outlook.tilt,
            outlook.lowest,
            outlook.highest,
            outlook.epsilon,
            outlook.log_delta,
        ];
        if numbers.iter().all(|number| number.is_finite()) {
            Ok(outlook)
        } else {
            Err(AccountingError::NotFinite)
        }
    }

    fn assuming(
        pairs: &[(Pair, f64)],
        direction: Direction,
        question: Question,
        log_delta: f64,
    ) -> Self {
        let uses = pairs.iter().map(|(_, uses)| uses).sum();
        let sketch = Sketch::new(pairs, direction, tail(log_delta, uses));
        // The tilt λ at which δ is about exp(K(λ) - λ·ε)/(λ(λ + 1)·√(2π·K'')), ε = K'(λ).
        let tilt = match question {
            Question::EpsilonAt(_) => falling_root(|tilt| {
                let at = sketch.cumulant(tilt);
                at.value - tilt * at.slope - prefactor(tilt, &at) - log_delta
            }),
            Question::DeltaAt(epsilon) => {
                falling_root(|tilt| epsilon - sketch.cumulant(tilt).slope)
            }
        };
        // Where losses are bounded the answer may be at the bound, which no tilt reaches.
        let tilt = tilt.min(STRONGEST / sketch.largest_loss());
        let at = sketch.cumulant(tilt);
        let (epsilon, log_delta) = match question {
            Question::EpsilonAt(_) => (at.slope, log_delta),
            Question::DeltaAt(epsilon) => {
                let log_delta = at.value - tilt * epsilon - prefactor(tilt, &at);
                (epsilon, log_delta.clamp(SMALLEST_LOG_DELTA, 0.0))
            }
        };
        let mut outlook = Self::around(&sketch, tilt, LOG_WRAPPED);
        (outlook.epsilon, outlook.log_delta, outlook.saddle) = (epsilon, log_delta, tilt);
        outlook.chernoff = (at.value + largest_weight(tilt).ln() - log_delta) / tilt;
        outlook.lowest = outlook.lowest.min(epsilon - outlook.spread);
        outlook.highest = outlook.highest.max(epsilon + outlook.spread);
        // Single outputs can put the answer far from where the masses are.
        if pairs.iter().any(|(pair, _)| !pair.atoms.is_empty()) {
            outlook.lowest = outlook.lowest.min(-outlook.spread);
        }
        // An answer near 0 may be 0, which the window then has to show.
        if outlook.lowest > 0.0 && outlook.lowest < outlook.highest - outlook.lowest {
            outlook.lowest = -outlook.spread;
        }
        outlook
    }

    /// Returns the loss of removal beyond which one use of `pair` has less than `share` of its
    /// tilted mass, and of its mass.
    pub(super) fn rare_above(&self, pair: &Pair, direction: Direction, share: f64) -> f64 {
        let mut losses = pair.sketch(self.tail());
        losses.sort_by(|a, b| b.0.total_cmp(&a.0));
        let tilt = match direction {
            Direction::Removal => self.tilt,
            Direction::Addition => -self.tilt - 1.0,
        };
        let weight = |it: &(f64, f64), tilt: f64| it.1 * (tilt * it.0).exp();
        let whole: f64 = losses.iter().map(|it| weight(it, tilt)).sum();
        let (mut plain, mut tilted) = (0.0, 0.0);
        for it in &losses {
            plain += it.1;
            tilted += weight(it, tilt) / whole;
            if plain > share || tilted > share {
                return it.0;
            }
        }
        f64::NEG_INFINITY
    }

    /// Returns where some uses of a mechanism lie, of its losses below `below`, that is one of
    /// many under this tilt.
    pub(super) fn alone(&self, pair: &Pair, uses: f64, below: f64, direction: Direction) -> Self {
        let mut sketch = Sketch::new(&[(pair.clone(), uses)], direction, self.tail());
        for (losses, _) in &mut sketch.0 {
            losses.retain(|it| match direction {
                Direction::Removal => it.0 < below,
                Direction::Addition => it.0 > -below,
            });
        }
        Self::around(&sketch, self.tilt, LOG_WRAPPED_OF_MANY)
    }

    fn around(sketch: &Sketch, tilt: f64, log_wrapped: f64) -> Self {
        let at = sketch.cumulant(tilt);
        // Chernoff: the tilted mass beyond x is below exp(K(λ + θ) - K(λ) - θ·x).
        let spread = at.bend.sqrt().max(sketch.largest_loss() * 1e-3);
        let (mut highest, mut tilt_above) = (f64::INFINITY, 0.0);
        let (mut lowest, mut tilt_below) = (f64::NEG_INFINITY, 0.0);
        for theta in (-24..=8).map(|power| 2f64.powf(f64::from(power) / 2.0) * 6.0 / spread) {
            let above = (sketch.cumulant(tilt + theta).value - at.value - log_wrapped) / theta;
            if above < highest {
                (highest, tilt_above) = (above, theta);
            }
            let below = (at.value - sketch.cumulant(tilt - theta).value + log_wrapped) / theta;
            if below > lowest {
                (lowest, tilt_below) = (below, theta);
            }
        }
        Self {
            tilt,
            means: sketch
                .0
                .iter()
                .map(|(losses, _)| cumulant(losses, tilt).slope)
                .collect(),
            epsilon: at.slope,
            chernoff: f64::INFINITY,
            log_delta: 0.0,
            saddle: tilt,
            spread,
            uses: sketch.0.iter().map(|(_, uses)| uses).sum(),
            lowest: lowest.min(at.slope - spread * 0.5),
            highest: highest.max(at.slope + spread * 0.5),
            tilt_below,
            tilt_above,
        }
    }

    /// Returns the tail of one mechanism that all uses together may ignore.
    pub(super) fn tail(&self) -> f64 {
        tail(self.log_delta, self.uses)
    }

    /// Returns a step at which the two bounds should be near, divided by `fineness`.
    ///
    /// Chords add about `step²/6` to the mean square of each loss, which moves ε by about
    /// `(λ + 1)·step²/12` for each use; the lower bound is twice as far on the other side.
    pub(super) fn step(&self, fineness: f64) -> f64 {
        let width = self.epsilon.abs().max(1e-6) * NEAR * 0.5;
        (4.0 * width / ((self.saddle + 1.0) * self.uses)).sqrt() / fineness
    }

    /// Returns what chords at [`Self::step`] add to ε, about, relative to ε.
    pub(super) fn chords(fineness: f64) -> f64 {
        NEAR * 0.5 * 4.0 / 12.0 / (fineness * fineness)
    }

    /// Returns a step at which the chords of all uses should move the bound of
    /// [`Self::chernoff`] by no more than `room`, or nothing where even [`Self::step`] at
    /// `fineness` would be too coarse.
    ///
    /// Chords add at most `step²/4` to the mean square of each loss, which adds about
    /// `λ(λ + 1)·step²/8` to the logarithm of its moment.
    pub(super) fn step_within(&self, room: f64, fineness: f64) -> Option<f64> {
        let step = (8.0 * room / ((self.tilt + 1.0) * self.uses)).sqrt();
        // Written so that a room that is not a number is refused.
        let enough = step >= self.step(fineness);
        enough.then(|| step.min(1.0 / (self.tilt + 1.0)))
    }

    /// Returns the window for steps of exactly `step`, or nothing where it would be too large.
    pub(super) fn window_of_step(&self, step: f64) -> Option<Window> {
        let size = ((self.highest - self.lowest) / step + 4.0).max(64.0);
        let fits = size <= MOST_MASSES;
        fits.then(|| self.window_of_size(even_size(size)))
    }

    fn window_of_size(&self, size: usize) -> Window {
        Window {
            tilt: self.tilt,
            tilt_above: self.tilt_above,
            tilt_below: self.tilt_below,
            middle: (self.lowest + self.highest) / 2.0,
            size,
        }
    }

    /// Returns the window for steps of at most about `step` and the step that fills it, or
    /// nothing where it would be too large.
    pub(super) fn window(&self, step: f64) -> Option<(f64, Window)> {
        let width = self.highest - self.lowest;
        let size = (width / (step * 1.1)).max(64.0);
        let fits = size <= MOST_MASSES;
        if !fits {
            return None;
        }
        let size = even_size(size);
        let step = width / (size as f64 - 4.0);
        Some((step, self.window_of_size(size)))
    }
}

impl Sketch {
    fn new(pairs: &[(Pair, f64)], direction: Direction, tail: f64) -> Self {
        let one = |pair: &Pair| {
            let losses = pair
                .sketch(tail)
                .into_iter()
                .map(|(loss, mass)| match direction {
                    Direction::Removal => (loss, mass.ln()),
                    Direction::Addition => (-loss, mass.ln() - loss),
                });
            losses.filter(|it| it.1.is_finite()).collect()
        };
        Self(
            pairs
                .iter()
                .map(|(pair, uses)| (one(pair), *uses))
                .collect(),
        )
    }

    /// Returns the largest loss of one use of any mechanism, above 0.
    fn largest_loss(&self) -> f64 {
        let losses = self.0.iter().flat_map(|(losses, _)| losses);
        losses.map(|it| it.0).fold(1e-300, f64::max)
    }

    fn cumulant(&self, tilt: f64) -> Cumulant {
        let mut sum = Cumulant {
            value: 0.0,
            slope: 0.0,
            bend: 0.0,
        };
        for (losses, uses) in &self.0 {
            let one = cumulant(losses, tilt);
            sum.value += uses * one.value;
            sum.slope += uses * one.slope;
            sum.bend += uses * one.bend;
        }
        sum
    }
}

fn cumulant(losses: &[(f64, f64)], tilt: f64) -> Cumulant {
    let exponents = losses.iter().map(|(loss, log_mass)| tilt * loss + log_mass);
    let largest = exponents.clone().fold(f64::NEG_INFINITY, f64::max);
    let weights: Vec<f64> = exponents
        .map(|exponent| (exponent - largest).exp())
        .collect();
    let sum: f64 = weights.iter().sum();
    let mean = weights
        .iter()
        .zip(losses)
        .map(|(weight, it)| weight * it.0)
        .sum::<f64>()
        / sum;
    let square = |it: &(f64, f64)| (it.0 - mean) * (it.0 - mean);
    let bend = weights
        .iter()
        .zip(losses)
        .map(|(weight, it)| weight * square(it))
        .sum::<f64>()
        / sum;
    Cumulant {
        value: largest + sum.ln(),
        slope: mean,
        bend,
    }
}

fn tail(log_delta: f64, uses: f64) -> f64 {
    ((log_delta - 11.5).exp() / uses).max(1e-290)
}

/// Returns the smallest 2^k, 9·2^k, 5·2^k or 3·2^k that is at least `size`.
fn even_size(size: f64) -> usize {
    let power = (size as usize).next_power_of_two();
    let sixteenths = [9, 10, 12, 16].map(|sixteenths| power / 16 * sixteenths);
    sixteenths
        .into_iter()
        .find(|&it| it as f64 >= size)
        .unwrap_or(power)
}

/// Returns ln(λ(λ + 1)·√(2π·K'')), where that is above 0.
fn prefactor(tilt: f64, at: &Cumulant) -> f64 {
    (tilt * (tilt + 1.0) * (2.0 * std::f64::consts::PI * at.bend).sqrt())
        .max(1.0)
        .ln()
}

/// Returns the tilt at which a falling function is 0, on a logarithmic scale.
fn falling_root(f: impl Fn(f64) -> f64) -> f64 {
    let (mut low, mut high) = (SMALLEST_TILT.ln(), LARGEST_TILT.ln());
    for _ in 0..40 {
        let middle = low + (high - low) / 2.0;
        if f(middle.exp()) > 0.0 {
            low = middle;
        } else {
            high = middle;
        }
    }
    low.exp()
}

/// The tilted mass that may lie outside of the window: exp(-20), about 2·10^-9.
const LOG_WRAPPED: f64 = -20.0;

/// What δ is taken for before anything is known of it, and the smallest worth looking at.
const FIRST_LOG_DELTA: f64 = -30.0;
const SMALLEST_LOG_DELTA: f64 = -600.0;

/// The same where many copies of what is in the window are composed further.
const LOG_WRAPPED_OF_MANY: f64 = -24.0;

/// The largest tilt times the largest loss.
const STRONGEST: f64 = 60.0;

const SMALLEST_TILT: f64 = 1e-3;
const LARGEST_TILT: f64 = 1e12;

/// The largest number of masses in a window: 16 MiB of floats, and as much for the spectrum.
const MOST_MASSES: f64 = 2_097_152.0;
