//! The threads of a step: each takes blocks of rows and sums their clipped contributions.

use std::num::NonZeroUsize;
use std::ops::Range;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use super::model::{BLOCK_ROWS, Block, LayerFactors, LayerInput, LayerShape, LayerwiseModel};
use super::quantise::Quantised;
use super::sum::ExactSum;
use super::times::{StepTimes, Stopwatch};
use crate::kernel::{standard_normals, words_per_row};
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

/// The sum of one step, in the parts that the threads computed.
pub(crate) struct Parts(Vec<Worker>);

impl Parts {
    /// Adds the coordinates from `first` on to `totals`, modulo 2^64.
    pub(crate) fn add_to(&self, first: usize, totals: &mut [i64]) {
        for part in &self.0 {
            let part = &part.sum.totals()[first..first + totals.len()];
            for (total, &value) in totals.iter_mut().zip(part) {
                *total = total.wrapping_add(value);
            }
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
    pub(crate) key: &'a SecretKey,
    pub(crate) step: u32,
}

impl<M: LayerwiseModel> SumTask<'_, M> {
    /// Sums the clipped contributions of the sampled units, as integers on the grid.
    pub(crate) fn sum(&self, sampled: &[u32], workers: &Workers) -> (Parts, StepTimes) {
        let blocks = pack(self.records, sampled);
        let next = AtomicUsize::new(0);
        let threads = thread_count().min(blocks.len()).max(1);
        let parts: Vec<Worker> = (0..threads).map(|_| self.worker(workers)).collect();
        let run = |mut worker: Worker| {
            let times = worker.run(self, &blocks, &next);
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
        let mut times = StepTimes::default();
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

    /// Sums blocks that no other thread has taken, starting at zero. The sum of all threads is the
    /// same whichever takes which block.
    fn run<M: LayerwiseModel>(
        &mut self,
        task: &SumTask<'_, M>,
        blocks: &[PackedBlock],
        next: &AtomicUsize,
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
        while let Some((index, block)) = take_next(next, blocks) {
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
            M::forward(task.shape, task.weights, &view, &mut scratch, factors);
            watch.lap(&mut times.forward);
            M::backward(task.shape, task.weights, &view, &mut scratch, factors);
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

/// Takes the next block that no thread has taken.
fn take_next<'b>(
    next: &AtomicUsize,
    blocks: &'b [PackedBlock],
) -> Option<(usize, &'b PackedBlock)> {
    let index = next.fetch_add(1, Ordering::Relaxed);
    blocks.get(index).map(|block| (index, block))
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
