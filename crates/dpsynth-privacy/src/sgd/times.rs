//! Where the time of a step goes, for benchmarks.

use std::time::Instant;

/// Seconds that the parts of one step took, each added up over the threads that worked on it.
///
/// How long a step takes depends on the units that it drew, so these numbers are private. They
/// leave the core only through [`insecure::run_timed`](crate::insecure::run_timed), and only where
/// nothing that comes out is private anyway.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct StepTimes {
    /// Drawing the units.
    pub sample: f64,
    /// Copying their codes into blocks, and the model's own random draws.
    pub lay_out: f64,
    /// The model's forward pass.
    pub forward: f64,
    /// The model's backward pass, down to each layer's output gradients.
    pub backward: f64,
    /// Norms, clipping, quantising, and the check in integers.
    pub clip: f64,
    /// The integer products that sum the contributions.
    pub product: f64,
    /// Noise.
    pub noise: f64,
}

impl StepTimes {
    /// The sum of all parts.
    #[must_use]
    pub fn total(&self) -> f64 {
        self.sample
            + self.lay_out
            + self.forward
            + self.backward
            + self.clip
            + self.product
            + self.noise
    }

    pub(crate) fn add(&mut self, other: &Self) {
        self.sample += other.sample;
        self.lay_out += other.lay_out;
        self.forward += other.forward;
        self.backward += other.backward;
        self.clip += other.clip;
        self.product += other.product;
        self.noise += other.noise;
    }
}

/// Measures the stretches between its calls.
pub(crate) struct Stopwatch(Instant);

impl Stopwatch {
    pub(crate) fn start() -> Self {
        Self(Instant::now())
    }

    /// Adds the time since the last call to `part`.
    pub(crate) fn lap(&mut self, part: &mut f64) {
        let now = Instant::now();
        *part += (now - self.0).as_secs_f64();
        self.0 = now;
    }
}
