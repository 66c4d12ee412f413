//! The threads of a step: each takes blocks of rows and sums their clipped contributions, and draws
//! noise for blocks of parameters when no rows are left.

use std::num::NonZeroUsize;
use std::ops::Range;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use super::model::{BLOCK_ROWS, Block, LayerFactors, LayerInput, LayerShape, LayerwiseModel};
use super::quantise::Quantised;
use super::sum::ExactSum;
use super::times::{StepTimes, Stopwatch};
use crate::kernel::{standard_normals, widest, words_per_row};
use crate::noise::RoundedGaussian;
use crate::random::{Purpose, SecretKey, SecretRng};
use crate::records::Records;

/// Working memory of threads between the steps of a sequence, so that it is not asked of the
/// system and cleared for every step.
#[derive(Default)]
pub(crate) struct Workers(Mutex<Vec<Worker>>);

impl Workers {
    /// Keeps the memory for the next step.
    pub(crate) fn keep(&self, parts: Parts) {
        if let Ok(mut kept) = self.0.lock() {
            kept.extend(parts.0);
        }
    }
}

/// Parameters whose noise comes from one stream.
const NOISE_BLOCK: usize = 4096;

/// The noisy sum of one step, in the parts that the threads computed: none of them is noisy by itself.
pub(crate) struct Parts(Vec<Worker>);

impl Parts {
    /// Adds the coordinates from `first` on to `totals`, modulo 2^64.
    pub(crate) fn add_to(&self, first: usize, totals: &mut [i64]) {
        for part in &self.0 {
            let part = &part.sum.totals()[first..first + totals.len()];
            widest(
                #[inline(always)]
                || {
                    for (total, &value) in totals.iter_mut().zip(part) {
                        *total = total.wrapping_add(value);
                    }
                },
            );
        }
    }
}

/// What the sum of one step is made of, besides the sample.
pub(crate) struct SumTask<'a, M: LayerwiseModel> {
    pub(crate) records: &'a Records,
    pub(crate) layers: &'a [LayerShape],
    pub(crate) shape: &'a M::Shape,
    pub(crate) weights: &'a [f32],
    pub(crate) clip_norm: f64,
    /// What is added to every coordinate; `None` only under a taint.
    pub(crate) noise: Option<RoundedGaussian>,
    pub(crate) key: &'a SecretKey,
    pub(crate) step: u32,
}

impl<M: LayerwiseModel> SumTask<'_, M> {
    /// Sums the clipped contributions of the sampled units, as integers on the grid, and adds an
    /// independent draw of the noise to every coordinate.
    pub(crate) fn sum(&self, sampled: &[u32], workers: &Workers) -> (Parts, StepTimes) {
        let mut watch = Stopwatch::start();
        let mut times = StepTimes::default();
        let rows = Queue::new(pack(self.records, sampled));
        let noise_blocks = self.weights.len().div_ceil(NOISE_BLOCK);
        let noise = Queue::new((0..noise_blocks).collect());
        let weights = M::lay_out(self.shape, self.weights);
        watch.lap(&mut times.lay_out);
        let threads = thread_count().min(rows.len().max(noise.len())).max(1);
        let parts: Vec<Worker> = (0..threads).map(|_| self.worker(workers)).collect();
        let run = |mut worker: Worker| {
            let times = worker.run(self, &weights, &rows, &noise);
            (worker, times)
        };
        let done = thread::scope(|scope| {
            let mut parts = parts.into_iter();
            let own = parts.next();
            let others: Vec<_> = parts
                .map(|worker| scope.spawn(move || run(worker)))
                .collect();
            let mut done: Vec<_> = own.map(run).into_iter().collect();
            for other in others {
                // A panic of a worker is ours to pass on, not to hide in a smaller sum.
                done.push(
                    other
                        .join()
                        .unwrap_or_else(|panic| std::panic::resume_unwind(panic)),
                );
            }
            done
        });
        let parts = done.into_iter().map(|(worker, part)| {
            times.add(&part);
            worker
        });
        (Parts(parts.collect()), times)
    }

    /// Takes working memory of an earlier step that fits, or makes some.
    fn worker(&self, workers: &Workers) -> Worker {
        let sizes = self.records.domain_sizes();
        let normals_per_row = M::normals_per_row(self.shape);
        let kept = workers.0.lock().ok().and_then(|mut kept| kept.pop());
        kept.filter(|worker| worker.fits(self.layers, sizes, normals_per_row))
            .unwrap_or_else(|| Worker::new(self.layers, sizes, normals_per_row))
    }
}

/// Working memory of one thread.
struct Worker {
    layers: Vec<LayerShape>,
    domain_sizes: Vec<u32>,
    factors: Vec<LayerFactors>,
    quantised: Quantised,
    sum: ExactSum,
    codes: Vec<u16>,
    draws: Draws,
}

impl Worker {
    fn new(layers: &[LayerShape], domain_sizes: &[u32], normals_per_row: usize) -> Self {
        let columns = domain_sizes.len();
        let code_offsets = domain_sizes
            .iter()
            .scan(0, |end, &size| {
                let start = *end;
                *end += size as usize;
                Some(start)
            })
            .collect();
        let quantised = Quantised::new(layers, columns);
        Self {
            layers: layers.to_vec(),
            domain_sizes: domain_sizes.to_vec(),
            factors: empty_factors(layers),
            sum: ExactSum::new(layers, code_offsets, quantised.code_activation()),
            quantised,
            codes: vec![0; BLOCK_ROWS * columns],
            draws: Draws::new(normals_per_row),
        }
    }

    fn fits(&self, layers: &[LayerShape], domain_sizes: &[u32], normals_per_row: usize) -> bool {
        self.layers == layers
            && self.domain_sizes == domain_sizes
            && self.draws.normals_per_row == normals_per_row
    }

    /// Sums blocks that no other thread has taken, starting at zero, and adds the noise of blocks of
    /// coordinates that no other has taken. The sum of all threads is the same whichever takes
    /// which block: each block of coordinates has one stream, and integers are added modulo 2^64.
    fn run<M: LayerwiseModel>(
        &mut self,
        task: &SumTask<'_, M>,
        weights: &M::Weights<'_>,
        rows: &Queue<PackedBlock>,
        noise_blocks: &Queue<usize>,
    ) -> StepTimes {
        let columns = self.domain_sizes.len();
        let word = task
            .key
            .stream(Purpose::LatentDraws, task.step, ROUNDING)
            .next_u64();
        let mut scratch = M::Scratch::default();
        let mut times = StepTimes::default();
        let mut watch = Stopwatch::start();
        self.sum.restart();
        while let Some((index, block)) = rows.take_next() {
            self.codes.fill(0);
            for (&row, codes) in block.rows.iter().zip(self.codes.chunks_exact_mut(columns)) {
                let start = row as usize * columns;
                codes.copy_from_slice(&task.records.codes()[start..start + columns]);
            }
            let purpose = Purpose::LatentDraws;
            self.draws
                .fill(&mut task.key.stream(purpose, task.step, index as u32));
            let view = Block {
                codes: &self.codes,
                normals: &self.draws.normals,
            };
            let factors = &mut self.factors;
            watch.lap(&mut times.lay_out);
            M::forward(task.shape, weights, &view, &mut scratch, factors);
            watch.lap(&mut times.forward);
            M::backward(task.shape, weights, &view, &mut scratch, factors);
            watch.lap(&mut times.backward);
            self.quantised.fill(
                &self.layers,
                &self.codes,
                factors,
                word,
                &block.units,
                task.clip_norm,
            );
            watch.lap(&mut times.clip);
            self.sum.add(&self.quantised, &self.codes);
            watch.lap(&mut times.product);
        }
        self.sum.finish();
        watch.lap(&mut times.product);
        if let Some(noise) = &task.noise {
            while let Some((_, &block)) = noise_blocks.take_next() {
                let mut rng = (task.key).stream(Purpose::GradientNoise, task.step, block as u32);
                noise.add_to(self.sum.coordinates(block, NOISE_BLOCK), &mut rng);
            }
            watch.lap(&mut times.noise);
        }
        times
    }
}

/// Units of one block and the block rows that they fill.
struct PackedBlock {
    rows: Vec<u32>,
    units: Vec<Range<usize>>,
}

/// Packs the rows of the sampled units into blocks; a unit is never split.
fn pack(records: &Records, sampled: &[u32]) -> Vec<PackedBlock> {
    let mut blocks: Vec<PackedBlock> = Vec::new();
    for &unit in sampled {
        let rows = records.unit_rows(unit as usize);
        if blocks
            .last()
            .is_none_or(|block| block.rows.len() + rows.len() > BLOCK_ROWS)
        {
            blocks.push(PackedBlock {
                rows: Vec::with_capacity(BLOCK_ROWS),
                units: Vec::new(),
            });
        }
        if let Some(block) = blocks.last_mut() {
            let start = block.rows.len();
            block.rows.extend(rows.map(|row| row as u32));
            block.units.push(start..block.rows.len());
        }
    }
    blocks
}

/// Pieces of work, each of which is handed to one thread.
struct Queue<T> {
    pieces: Vec<T>,
    next: AtomicUsize,
}

impl<T> Queue<T> {
    fn new(pieces: Vec<T>) -> Self {
        Self {
            pieces,
            next: AtomicUsize::new(0),
        }
    }

    fn len(&self) -> usize {
        self.pieces.len()
    }

    /// Takes the next piece that no thread has taken, and its index.
    fn take_next(&self) -> Option<(usize, &T)> {
        let index = self.next.fetch_add(1, Ordering::Relaxed);
        self.pieces.get(index).map(|piece| (index, piece))
    }
}

/// Room for the factors of one block.
fn empty_factors(layers: &[LayerShape]) -> Vec<LayerFactors> {
    layers
        .iter()
        .map(|layer| LayerFactors {
            activations: match layer.input {
                LayerInput::Codes { .. } => Vec::new(),
                LayerInput::Dense { width } => vec![0.0; BLOCK_ROWS * width],
            },
            deltas: vec![0.0; BLOCK_ROWS * layer.outputs],
        })
        .collect()
}

/// Random draws of the model's own for the rows of a block: independent of who takes part, and no
/// draw is shared by two rows.
struct Draws {
    normals_per_row: usize,
    words: Vec<u32>,
    normals: Vec<f32>,
}

impl Draws {
    fn new(normals_per_row: usize) -> Self {
        Self {
            normals_per_row,
            words: vec![0; BLOCK_ROWS * words_per_row(normals_per_row)],
            normals: vec![0.0; BLOCK_ROWS * normals_per_row],
        }
    }

    fn fill(&mut self, rng: &mut SecretRng) {
        rng.fill_words(&mut self.words);
        standard_normals(&self.words, self.normals_per_row, &mut self.normals);
    }
}

/// Threads that a step uses.
pub(crate) fn thread_count() -> usize {
    thread::available_parallelism().map_or(1, NonZeroUsize::get)
}

/// Stream of the word that steers the rounding of a step, beyond those of its blocks.
const ROUNDING: u32 = (1 << 24) - 1;
