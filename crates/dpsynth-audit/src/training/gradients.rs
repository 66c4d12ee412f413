//! Gradient canaries: units whose gradient is one coordinate, among the rows of an ordinary training
//! run.

use dpsynth_privacy::{
    Block, LayerFactors, LayerShape, LayerwiseModel, Private, PublicRng, Records, Taint, insecure,
};
use dpsynth_privacy::{DpSgd, Mechanism, PrivacyUnit};
use dpsynth_train::{
    Network, Optimiser, TrainError, Training, Vae, VaeScratch, VaeShape, VaeWeights,
};

use super::{Guesses, coins};
use crate::error::AuditError;

/// One training run of the autoencoder on a stand-in table, with canaries.
#[derive(Clone, Debug)]
pub struct GradientCanaries {
    /// The network of the policy; the audit adds a column in which canaries are told apart.
    pub network: Network,
    /// The steps as they are priced.
    pub sgd: DpSgd,
    /// How the weights follow the noisy gradients.
    pub optimiser: Optimiser,
    /// Rows of the stand-in table, drawn evenly from the domains.
    pub rows: u32,
    /// Canaries, each in the data with probability a half; at most 65,000.
    pub canaries: u16,
    /// Decides the table, the coins and the secret bits.
    pub seed: u64,
}

impl GradientCanaries {
    /// Trains once, and scores every canary by all noisy gradients: what an attacker sees who is given
    /// every intermediate step.
    ///
    /// # Errors
    /// If the network and the canaries together are too large, or training fails.
    pub fn run(&self) -> Result<Guesses, AuditError> {
        let shape = self.shape()?;
        let truth = coins(usize::from(self.canaries), self.seed);
        let mechanism = Mechanism::DpSgd(self.sgd.clone());
        let unit = PrivacyUnit::Row;
        let mut paid = insecure::paid(unit, vec![mechanism], Taint::FixedSeed, self.seed);
        let data = Private::load(&paid, self.table(&truth), |(sizes, codes)| {
            Records::rows(sizes, codes)
        })
        .map_err(|error| AuditError::refused(error.code(), &error))?;
        let refused =
            |error: dpsynth_privacy::MechanismError| AuditError::refused(error.code(), &error);
        let mut sequence = paid.authorize::<DpSgd>().map_err(refused)?.steps();
        let (clip_norm, noise) = (
            self.sgd.clip_norm.value(),
            self.sgd.noise_multiplier.value(),
        );
        let rate = self.sgd.sampling_rate.value();
        let mut rng = PublicRng::from_seed(self.seed ^ 2);
        let weights = (0..shape.parameters())
            .map(|_| 0.05 * rng.normal() as f32)
            .collect();
        let mut training = Training::start(
            self.optimiser,
            self.sgd.steps.value(),
            (f64::from(self.rows) * rate).max(1.0),
            noise * clip_norm,
            weights,
        );
        let first = shape.parameters() - usize::from(self.canaries);
        let mut scores = vec![0.0; usize::from(self.canaries)];
        while let Some(step) = sequence.next_step() {
            let sum = step
                .run::<VaeWithCanaries>(&data, &shape, training.weights())
                .map_err(refused)?;
            for (score, &seen) in scores.iter_mut().zip(&sum[first..]) {
                // The likelihood ratio of this step, as the claimed pair has it.
                let x = f64::from(seen) / clip_norm;
                let odds = ((2.0 * x - 1.0) / (2.0 * noise * noise)).exp();
                *score += (1.0 - rate + rate * odds).ln();
            }
            training.update(&sum);
        }
        Ok(Guesses { scores, truth })
    }

    fn shape(&self) -> Result<VaeShape, AuditError> {
        let mut network = self.network.clone();
        network.domain_sizes.push(u32::from(self.canaries) + 1);
        // Ordinary rows must not move the canaries' coordinates.
        network.column_weights.push(0.0);
        VaeShape::new(network)
            .map_err(|error: TrainError| AuditError::refused(error.code(), &error))
    }

    /// Ordinary rows, with code 0 in the last column, and the canaries that are in.
    fn table(&self, truth: &[bool]) -> (Vec<u32>, Vec<u16>) {
        let sizes = &self.network.domain_sizes;
        let mut rng = PublicRng::from_seed(self.seed ^ 1);
        let mut codes = Vec::new();
        for _ in 0..self.rows {
            codes.extend(
                sizes
                    .iter()
                    .map(|&size| (rng.uniform() * f64::from(size)) as u16),
            );
            codes.push(0);
        }
        for (canary, _) in (1u16..).zip(truth).filter(|(_, there)| **there) {
            codes.extend(sizes.iter().map(|_| 0));
            codes.push(canary);
        }
        let mut sizes = sizes.clone();
        sizes.push(u32::from(self.canaries) + 1);
        (sizes, codes)
    }
}

/// The autoencoder, but the gradient of a canary is the bias of the logit of its own code.
struct VaeWithCanaries;

impl LayerwiseModel for VaeWithCanaries {
    type Shape = VaeShape;
    type Weights<'w> = VaeWeights<'w>;
    type Scratch = VaeScratch;

    fn layers(shape: &VaeShape) -> Vec<LayerShape> {
        Vae::layers(shape)
    }

    fn normals_per_row(shape: &VaeShape) -> usize {
        Vae::normals_per_row(shape)
    }

    fn lay_out<'w>(shape: &'w VaeShape, weights: &'w [f32]) -> VaeWeights<'w> {
        Vae::lay_out(shape, weights)
    }

    fn forward(
        shape: &VaeShape,
        weights: &VaeWeights<'_>,
        block: &Block<'_>,
        scratch: &mut VaeScratch,
        factors: &mut [LayerFactors],
    ) {
        Vae::forward(shape, weights, block, scratch, factors);
    }

    fn backward(
        shape: &VaeShape,
        weights: &VaeWeights<'_>,
        block: &Block<'_>,
        scratch: &mut VaeScratch,
        factors: &mut [LayerFactors],
    ) {
        Vae::backward(shape, weights, block, scratch, factors);
        let layers = Vae::layers(shape);
        for (row, codes) in block.codes.chunks_exact(shape.columns()).enumerate() {
            let canary = usize::from(codes[shape.columns() - 1]);
            if canary == 0 {
                continue;
            }
            for (layer, factor) in layers.iter().zip(factors.iter_mut()) {
                let (inputs, outputs) = (layer.inputs(), layer.outputs);
                factor.deltas[row * outputs..(row + 1) * outputs].fill(0.0);
                if !factor.activations.is_empty() {
                    factor.activations[row * inputs..(row + 1) * inputs].fill(0.0);
                }
            }
            if let Some(last) = factors.last_mut() {
                let outputs = shape.total_codes();
                // The canary's code is among the last of all, as its bias is among all weights.
                let codes_of_canaries = shape.network().domain_sizes[shape.columns() - 1] as usize;
                let place = outputs - codes_of_canaries + canary;
                last.deltas[row * outputs + place] = LARGE;
            }
        }
    }
}

/// More than any clip norm of use.
const LARGE: f32 = 1e9;
