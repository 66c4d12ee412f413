//! Canaries in one run: a correct run passes, and one with less noise than it claims is found.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use dpsynth_audit::training::{CountCanaries, DELTA, GradientCanaries, Guesses, judge};
use dpsynth_audit::{Check, Outcome, Watch, rows_are_independent};
use dpsynth_privacy::{
    Adjacency, ClipNorm, Delta, DpSgd, Mechanism, NoiseMultiplier, SamplingRate, StepCount,
    accountant,
};
use dpsynth_train::{Network, NoiseVariance, Optimiser};

fn network() -> Network {
    Network {
        domain_sizes: vec![4, 7, 3],
        encoder_hidden: vec![16],
        decoder_hidden: vec![16],
        latent: 3,
        kl_weight: 1.0,
        column_weights: vec![1.0; 3],
    }
}

fn sgd(noise_multiplier: f64) -> DpSgd {
    DpSgd {
        sampling_rate: SamplingRate::at_most(0.2).unwrap(),
        steps: StepCount::new(40).unwrap(),
        noise_multiplier: NoiseMultiplier::new(noise_multiplier).unwrap(),
        clip_norm: ClipNorm::new(1.0).unwrap(),
    }
}

/// What a run with noise multiplier 3 claims at the δ of the audit: an ε of about 3.
fn claimed() -> f64 {
    let event = Mechanism::DpSgd(sgd(3.0)).event();
    let delta = Delta::new(DELTA).unwrap();
    accountant::epsilon(&event, Adjacency::AddOrRemoveOne, delta).unwrap()
}

fn trained(noise_multiplier: f64) -> Check {
    let guesses = GradientCanaries {
        network: network(),
        sgd: sgd(noise_multiplier),
        optimiser: Optimiser {
            learning_rate: 0.01,
            warm_up: 0.1,
            final_rate: 0.1,
            first_decay: 0.9,
            second_decay: 0.99,
            averaged: 0.25,
            noise_variance: NoiseVariance::Keep,
        },
        rows: 300,
        canaries: 3000,
        seed: 5,
    }
    .run()
    .unwrap();
    judged(&guesses, claimed())
}

fn judged(guesses: &Guesses, epsilon: f64) -> Check {
    let watch = Watch::start();
    judge("a run", guesses, (epsilon, DELTA), &watch)
}

#[test]
fn canaries_in_training_stay_below_the_claim_and_above_nothing() {
    let check = trained(3.0);
    assert_eq!(check.outcome, Outcome::Passed, "{check:?}");
    let bound = check.bounds.unwrap().epsilon_at_least;
    assert!(bound > 0.1 && bound < claimed(), "{check:?}");
}

#[test]
fn training_with_an_eighth_of_the_noise_is_found() {
    let check = trained(0.375);
    assert_eq!(check.outcome, Outcome::Found, "{check:?}");
}

#[test]
fn canaries_in_counts_are_judged_by_the_noise_that_runs() {
    let run = |noise: f64| {
        CountCanaries {
            domain_sizes: vec![300, 310, 320, 330],
            noise_multiplier: NoiseMultiplier::new(noise).unwrap(),
            rows: 500,
            canaries: 3000,
            seed: 6,
        }
        .run()
        .unwrap()
    };
    let event = dpsynth_privacy::DpEvent::Gaussian {
        noise_multiplier: 2.5,
    };
    let delta = Delta::new(DELTA).unwrap();
    let claimed = accountant::epsilon(&event, Adjacency::AddOrRemoveOne, delta).unwrap();
    let correct = judged(&run(2.5), claimed);
    assert_eq!(correct.outcome, Outcome::Passed, "{correct:?}");
    assert!(
        correct.bounds.unwrap().epsilon_at_least > 0.1,
        "{correct:?}"
    );
    let wrong = judged(&run(0.31), claimed);
    assert_eq!(wrong.outcome, Outcome::Found, "{wrong:?}");
}

#[test]
fn a_model_whose_rows_look_at_each_other_is_found() {
    use dpsynth_privacy::{Block, LayerFactors, LayerShape, LayerwiseModel};
    use dpsynth_train::{Vae, VaeScratch, VaeShape, VaeWeights};

    /// The autoencoder with its gradients centred over the batch, as batch normalisation does.
    struct Centred;
    impl LayerwiseModel for Centred {
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
            for factor in factors {
                let mean = factor.deltas.iter().sum::<f32>() / factor.deltas.len() as f32;
                factor.deltas.iter_mut().for_each(|delta| *delta -= mean);
            }
        }
    }
    let shape = VaeShape::new(network()).unwrap();
    let sizes = &network().domain_sizes;
    let right = rows_are_independent::<Vae>("autoencoder", &shape, sizes, 1);
    assert_eq!(right.outcome, Outcome::Passed, "{right:?}");
    let wrong = rows_are_independent::<Centred>("centred", &shape, sizes, 1);
    assert_eq!(wrong.outcome, Outcome::Found, "{wrong:?}");
}
