//! The optimiser of the fits.

use dpsynth_privacy::kernel::widest;

/// Adam (Kingma & Ba 2015), with a warm-up and a cosine decay of the learning rate.
pub(super) struct Adam {
    first: Vec<f32>,
    second: Vec<f32>,
    taken: i32,
    steps: u32,
    learning_rate: f64,
}

impl Adam {
    /// Starts `steps` steps over `values` values with at most `learning_rate`.
    pub(super) fn new(values: usize, steps: u32, learning_rate: f64) -> Self {
        Self {
            first: vec![0.0; values],
            second: vec![0.0; values],
            taken: 0,
            steps,
            learning_rate,
        }
    }

    /// Takes a step down the gradient, whose scale does not matter.
    pub(super) fn update(&mut self, values: &mut [f32], gradients: &[f32]) {
        let progress = f64::from(self.taken) / f64::from(self.steps);
        self.taken += 1;
        let warm = (f64::from(self.taken) / WARM_UP).min(1.0);
        let cosine = 0.5 * (1.0 + (std::f64::consts::PI * progress).cos()) + 0.01;
        let rate = self.learning_rate * warm * cosine;
        let rate = (rate / (1.0 - FIRST_DECAY.powi(self.taken))) as f32;
        let second_scale = (1.0 - SECOND_DECAY.powi(self.taken)).recip() as f32;
        let (first_decay, second_decay) = (FIRST_DECAY as f32, SECOND_DECAY as f32);
        widest(|| {
            for (((value, first), second), &gradient) in values
                .iter_mut()
                .zip(&mut self.first)
                .zip(&mut self.second)
                .zip(gradients)
            {
                *first = first_decay * *first + (1.0 - first_decay) * gradient;
                *second = second_decay * *second + (1.0 - second_decay) * gradient * gradient;
                *value -= rate * *first / ((*second * second_scale).sqrt() + SMALLEST_GRADIENT);
            }
        });
    }
}

const WARM_UP: f64 = 20.0;
const FIRST_DECAY: f64 = 0.9;
const SECOND_DECAY: f64 = 0.99;
/// Gradients well below this one move nothing.
const SMALLEST_GRADIENT: f32 = 1e-12;
