//! Fitting a decoder to noisy marginals: post-processing, as long as one likes.

use std::thread;

use dpsynth_privacy::PublicRng;
use dpsynth_privacy::kernel::{Destination, Operand, ProductShape, multiply_f32, widest};

use serde::{Deserialize, Serialize};

use super::measurements::Measurements;
use super::network::{Pass, Shape};
use crate::mixture::Mixture;

/// How a decoder is fitted.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FitPlan {
    /// Number of latent coordinates.
    pub latent: usize,
    /// Width of both hidden layers.
    pub hidden: usize,
    /// Fixed latents, each of which is a component of the mixture that the decoder is.
    pub components: usize,
    /// Steps of Adam.
    pub steps: u32,
    /// Largest learning rate.
    pub learning_rate: f64,
    /// Mean squared deviation, in units of the noise, below which a fit ends before its last step:
    /// from there on it would follow the noise.
    pub enough: f64,
    /// Fits from different starts, whose mixtures are joined.
    pub restarts: u32,
    /// Seed of latents and initial weights; public.
    pub seed: u64,
}

/// Fits a decoder with a fixed set of latents to all marginals at once, each cell weighted by the
/// precision of its measurement.
///
/// With the latents fixed the decoder is a finite mixture of products of columns, so its pairwise
/// marginals are a matrix product and exact: no sampling error adds to the noise. `on_step` is
/// called with the steps taken and the mean squared deviation over the cells in units of the noise,
/// which is near 1 where the fit is as good as the measurements.
pub fn fit_decoder(
    plan: &FitPlan,
    measurements: &Measurements,
    on_step: &mut dyn FnMut(u32, f64),
) -> Mixture {
    let problem = Problem::new(measurements);
    let mut components = Vec::new();
    for restart in 0..plan.restarts {
        let rng = PublicRng::from_seed(plan.seed).stream(FIT + u64::from(restart));
        components.extend(problem.fit(plan, rng, &mut |step, deviation| {
            on_step(restart * plan.steps + step, deviation);
        }));
    }
    Mixture::new(measurements, components)
}

/// The marginals as the fit reads them.
struct Problem<'m> {
    measurements: &'m Measurements,
    /// Number of groups of all columns in the blocks, and where each column's outputs start, with
    /// the classes at the end.
    groups: usize,
    starts: Vec<usize>,
    cells: f64,
}

/// What a slice of the latents says about one class: pairs, and single groups.
struct Moments {
    pairs: Vec<f32>,
    singles: Vec<f32>,
}

impl<'m> Problem<'m> {
    fn new(measurements: &'m Measurements) -> Self {
        let mut starts = vec![0];
        for size in measurements.block_sizes() {
            starts.push(starts[starts.len() - 1] + size);
        }
        let groups = starts[starts.len() - 1];
        if !measurements.classes.is_empty() {
            starts.push(groups + measurements.classes.len());
        }
        Self {
            measurements,
            groups,
            starts,
            cells: measurements.cells() as f64,
        }
    }

    /// Logarithms of the shares of single columns, at which the outputs start.
    fn biases(&self) -> Vec<f32> {
        let classes = self.measurements.classes.iter().map(|(share, _)| share);
        let mut shares: Vec<f32> = self
            .measurements
            .one_way
            .iter()
            .chain(classes)
            .copied()
            .collect();
        for column in self.starts.windows(2) {
            let shares = &mut shares[column[0]..column[1]];
            shares
                .iter_mut()
                .for_each(|share| *share = share.max(SMALLEST_SHARE));
            let sum: f32 = shares.iter().sum();
            shares
                .iter_mut()
                .for_each(|share| *share = (*share / sum).ln());
        }
        shares
    }

    /// Fits one decoder, and returns the shares of every output for each latent.
    fn fit(
        &self,
        plan: &FitPlan,
        mut rng: PublicRng,
        on_step: &mut dyn FnMut(u32, f64),
    ) -> Vec<f32> {
        let shape = Shape {
            latent: plan.latent,
            hidden: plan.hidden,
            starts: self.starts.clone(),
        };
        let latents: Vec<f32> = (0..plan.components * plan.latent)
            .map(|_| rng.normal() as f32)
            .collect();
        let mut weights = shape.initial(&self.biases(), &mut rng);
        // Parts of a fixed size, so that no bit depends on the number of threads.
        let part = plan.components.div_ceil(PARTS) * plan.latent;
        let mut passes: Vec<_> = latents
            .chunks(part)
            .map(|latents| shape.pass(latents.to_vec()))
            .collect();
        let mut adam = Adam::new(weights.len());
        for step in 0..plan.steps {
            let moments = in_parallel(&mut passes, |pass| {
                shape.forward(&weights, pass);
                self.moments(pass)
            });
            let mut means = moments.into_iter();
            // OK because there is one part at least.
            let mut mean = means.next().expect("a part");
            for other in means {
                for (mean, other) in mean.iter_mut().zip(other) {
                    add(&mut mean.pairs, &other.pairs);
                    add(&mut mean.singles, &other.singles);
                }
            }
            let (pulls, deviation) = self.pulls(&mut mean, plan.components);
            in_parallel(&mut passes, |pass| {
                self.share_gradients(&pulls, &mean, pass);
                shape.backward(&weights, pass);
            });
            let progress = f64::from(step) / f64::from(plan.steps);
            let warm = (f64::from(step + 1) / WARM_UP).min(1.0);
            let cosine = 0.5 * (1.0 + (std::f64::consts::PI * progress).cos()) + 0.01;
            let gradients: Vec<_> = passes
                .iter()
                .map(|pass| pass.gradients.as_slice())
                .collect();
            let scale = (plan.components as f64).recip() as f32;
            adam.update(
                &mut weights,
                &gradients,
                scale,
                plan.learning_rate * warm * cosine,
            );
            on_step(step + 1, deviation);
            if deviation < plan.enough {
                break;
            }
        }
        let finished = in_parallel(&mut passes, |pass| {
            shape.forward(&weights, pass);
            pass.shares.clone()
        });
        finished.concat()
    }

    /// Number of slices and, for latents with `outputs` shares each, the weight of a slice.
    fn slice_weight(&self, class: usize, row: &[f32]) -> f32 {
        if self.measurements.classes.is_empty() {
            1.0
        } else {
            row[self.groups + class]
        }
    }

    /// Sums over the latents of a pass what each class's slice holds.
    fn moments(&self, pass: &Pass) -> Vec<Moments> {
        let outputs = self.starts[self.starts.len() - 1];
        let rows = pass.shares.len() / outputs;
        let groups = self.groups;
        let blocks = block_rows(&pass.shares, outputs, groups);
        let shape = ProductShape {
            rows: groups,
            inner: rows,
            columns: groups,
        };
        (0..self.measurements.slices.len())
            .map(|class| {
                let mut weighted = blocks.clone();
                let mut singles = vec![0.0f32; groups];
                for (row, shares) in weighted
                    .chunks_exact_mut(groups)
                    .zip(pass.shares.chunks_exact(outputs))
                {
                    let weight = self.slice_weight(class, shares);
                    for (share, single) in row.iter_mut().zip(&mut singles) {
                        *share *= weight;
                        *single += *share;
                    }
                }
                let mut pairs = vec![0.0f32; groups * groups];
                let operands = (weighted.as_slice(), Operand::Transposed);
                let right = (blocks.as_slice(), Operand::Plain);
                multiply_f32(shape, operands, right, &mut pairs, Destination::Overwrite);
                Moments { pairs, singles }
            })
            .collect()
    }

    /// Turns sums over all latents into the gradients of the loss by the means (in place of the
    /// means themselves), and says how far the means are from the measurements.
    ///
    /// The pairs of `mean` become what a share is pulled by for each share beside it; its singles
    /// what it is pulled by anyway. Returned are the pulls on all rows together and on the classes.
    fn pulls(&self, mean: &mut [Moments], components: usize) -> (Pulls, f64) {
        let scale = (components as f32).recip();
        let cells = self.cells as f32;
        let mut loss = 0.0f64;
        let mut all_rows = vec![0.0f32; self.groups];
        let mut classes = Vec::new();
        for (class, (moments, slice)) in mean.iter_mut().zip(&self.measurements.slices).enumerate()
        {
            add(&mut all_rows, &moments.singles);
            if let Some(&(share, precision)) = self.measurements.classes.get(class) {
                // Every column's groups add up to the class.
                let total: f32 = moments.singles[..self.starts[1]].iter().sum();
                classes.push(pull(total * scale, share, precision, cells, &mut loss));
            }
            let mut pair_loss = 0.0f64;
            widest(|| {
                pair_loss = pull_all(
                    &mut moments.pairs,
                    &slice.pairs,
                    &slice.pair_precision,
                    scale,
                    cells,
                );
            });
            // Each pair stands on both sides of the diagonal.
            loss += 0.5 * pair_loss;
            loss += pull_all(
                &mut moments.singles,
                &slice.singles,
                &slice.single_precision,
                scale,
                cells,
            );
        }
        let Measurements {
            one_way,
            one_way_precision,
            ..
        } = self.measurements;
        loss += pull_all(&mut all_rows, one_way, one_way_precision, scale, cells);
        (Pulls { all_rows, classes }, loss / self.cells)
    }

    /// Writes the gradient of the loss by every share of a pass.
    fn share_gradients(&self, pulls: &Pulls, mean: &[Moments], pass: &mut Pass) {
        let outputs = self.starts[self.starts.len() - 1];
        let rows = pass.shares.len() / outputs;
        let groups = self.groups;
        let blocks = block_rows(&pass.shares, outputs, groups);
        let shape = ProductShape {
            rows,
            inner: groups,
            columns: groups,
        };
        let mut pulled = vec![0.0f32; rows * groups];
        pass.share_gradients.fill(0.0);
        for (class, moments) in mean.iter().enumerate() {
            let left = (blocks.as_slice(), Operand::Plain);
            let right = (moments.pairs.as_slice(), Operand::Plain);
            multiply_f32(shape, left, right, &mut pulled, Destination::Overwrite);
            for (((gradients, shares), pulled), blocks) in pass
                .share_gradients
                .chunks_exact_mut(outputs)
                .zip(pass.shares.chunks_exact(outputs))
                .zip(pulled.chunks_exact(groups))
                .zip(blocks.chunks_exact(groups))
            {
                let weight = self.slice_weight(class, shares);
                let mut of_class = 0.0f32;
                for (((gradient, &pulled), &share), &single) in gradients
                    .iter_mut()
                    .zip(pulled)
                    .zip(blocks)
                    .zip(&moments.singles)
                {
                    *gradient += weight * (pulled + single);
                    of_class += share * (0.5 * pulled + single);
                }
                if let Some(pull) = pulls.classes.get(class) {
                    gradients[groups + class] += of_class + pull;
                }
            }
        }
        for gradients in pass.share_gradients.chunks_exact_mut(outputs) {
            add(&mut gradients[..groups], &pulls.all_rows);
        }
    }
}

/// Gradients of the loss by means over all latents.
struct Pulls {
    all_rows: Vec<f32>,
    classes: Vec<f32>,
}

/// Twice the weighted deviation of a mean, per cell; adds the squared deviation to `loss`.
fn pull(mean: f32, share: f32, precision: f32, cells: f32, loss: &mut f64) -> f32 {
    let deviation = mean - share;
    *loss += f64::from(precision * deviation * deviation);
    2.0 * precision * deviation / cells
}

/// Replaces sums by twice the weighted deviation of their means, and adds up the squares.
#[inline(always)]
fn pull_all(sums: &mut [f32], shares: &[f32], precisions: &[f32], scale: f32, cells: f32) -> f64 {
    let factor = 2.0 / cells;
    let mut loss = 0.0f64;
    for ((sums, shares), precisions) in sums
        .chunks_mut(ROW)
        .zip(shares.chunks(ROW))
        .zip(precisions.chunks(ROW))
    {
        let mut of_row = [0.0f32; 16];
        for ((sums, shares), precisions) in sums
            .chunks_mut(16)
            .zip(shares.chunks(16))
            .zip(precisions.chunks(16))
        {
            for (lane, ((sum, &share), &precision)) in of_row
                .iter_mut()
                .zip(sums.iter_mut().zip(shares).zip(precisions))
            {
                let deviation = *sum * scale - share;
                let weighted = precision * deviation;
                *lane += weighted * deviation;
                *sum = factor * weighted;
            }
        }
        loss += of_row.iter().map(|&lane| f64::from(lane)).sum::<f64>();
    }
    loss
}

/// The shares of the columns in the blocks, packed.
fn block_rows(shares: &[f32], outputs: usize, groups: usize) -> Vec<f32> {
    let mut packed = Vec::with_capacity(shares.len() / outputs * groups);
    for row in shares.chunks_exact(outputs) {
        packed.extend_from_slice(&row[..groups]);
    }
    packed
}

fn add(sums: &mut [f32], values: &[f32]) {
    for (sum, value) in sums.iter_mut().zip(values) {
        *sum += value;
    }
}

/// Runs `work` on every part, each on a thread of its own, and returns the results in order.
fn in_parallel<R: Send>(passes: &mut [Pass], work: impl Fn(&mut Pass) -> R + Sync) -> Vec<R> {
    let work = &work;
    thread::scope(|scope| {
        let (first, others) = passes.split_at_mut(1);
        let others: Vec<_> = others
            .iter_mut()
            .map(|pass| scope.spawn(move || work(pass)))
            .collect();
        let mut results = vec![work(&mut first[0])];
        // OK because a part that panics is a defect.
        results.extend(
            others
                .into_iter()
                .map(|part| part.join().expect("a part panicked")),
        );
        results
    })
}

/// Adam (Kingma & Ba 2015).
struct Adam {
    first: Vec<f32>,
    second: Vec<f32>,
    taken: i32,
}

impl Adam {
    fn new(weights: usize) -> Self {
        Self {
            first: vec![0.0; weights],
            second: vec![0.0; weights],
            taken: 0,
        }
    }

    /// Follows the sum of the parts' gradients, times `scale`.
    fn update(&mut self, weights: &mut [f32], gradients: &[&[f32]], scale: f32, rate: f64) {
        self.taken += 1;
        let rate = (rate / (1.0 - FIRST_DECAY.powi(self.taken))) as f32;
        let second_scale = (1.0 - SECOND_DECAY.powi(self.taken)).recip() as f32;
        let (first_decay, second_decay) = (FIRST_DECAY as f32, SECOND_DECAY as f32);
        let mut sums = gradients[0].to_vec();
        for other in &gradients[1..] {
            add(&mut sums, other);
        }
        widest(|| {
            for (((weight, first), second), &sum) in weights
                .iter_mut()
                .zip(&mut self.first)
                .zip(&mut self.second)
                .zip(&sums)
            {
                let gradient = sum * scale;
                *first = first_decay * *first + (1.0 - first_decay) * gradient;
                *second = second_decay * *second + (1.0 - second_decay) * gradient * gradient;
                *weight -= rate * *first / ((*second * second_scale).sqrt() + 1e-8);
            }
        });
    }
}

/// First stream of the public seed for fits; each restart has one.
const FIT: u64 = 1 << 32;
/// Parts of the latents that are worked on at the same time.
const PARTS: usize = 2;
/// Cells whose squares are added in single precision.
const ROW: usize = 1024;
const WARM_UP: f64 = 20.0;
const FIRST_DECAY: f64 = 0.9;
const SECOND_DECAY: f64 = 0.99;
/// Smallest share that an output starts at.
const SMALLEST_SHARE: f32 = 1e-5;
