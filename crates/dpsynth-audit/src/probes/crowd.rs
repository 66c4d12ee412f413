//! One step of DP-SGD with many units at once, each with a parameter of its own.

use super::{charged, permission, records, refused, unit_of};
use crate::attack::{Claim, Pair, Subject, World};
use crate::error::AuditError;
use crate::privacy::{
    Block, ClipNorm, DpSgd, LayerFactors, LayerInput, LayerShape, LayerwiseModel, Mechanism,
    NoiseMultiplier, SamplingRate, StepCount, Taint,
};

/// A step in which every unit has a large gradient along a parameter of its own.
///
/// Each parameter is an experiment about its unit, with the others in their places, so one step gives
/// as many runs as there are parameters. It sharpens the bound of a correct step; faults that couple
/// units are for [`GradientStep`](super::GradientStep) to find.
pub struct Crowd {
    /// Probability with which a unit takes part.
    pub sampling_rate: f64,
    /// Standard deviation of the noise over the clip norm.
    pub noise_multiplier: f64,
}

/// Units and parameters, without the rest.
const UNITS: usize = 256;
const CLIP_NORM: f64 = 0.5;

impl Subject for Crowd {
    fn name(&self) -> String {
        format!(
            "dp_sgd: {UNITS} units with a parameter each, sampled at rate {:.2}",
            self.sampling_rate
        )
    }

    fn claim(&self) -> Result<Claim, AuditError> {
        let sgd = self.mechanism(1)?;
        let pair = Pair {
            sampling_rate: sgd.sampling_rate.value(),
            noise_multiplier: self.noise_multiplier,
        };
        Ok(Claim {
            pair: Some(pair),
            ..charged(&Mechanism::DpSgd(sgd))?
        })
    }

    fn observe(&self, world: World, runs: usize, seed: u64) -> Result<Vec<Vec<f64>>, AuditError> {
        let unit = unit_of(1);
        let units: Vec<Vec<Vec<u16>>> = match world {
            World::Without => Vec::new(),
            World::With => (0..UNITS as u16).map(|code| vec![vec![code]]).collect(),
        };
        let data = records(&unit, vec![UNITS as u32], &units)?;
        // OK because a run is a parameter of a step, and there are far fewer than 2^32 of them.
        let steps = runs.div_ceil(UNITS) as u32;
        let mechanism = Mechanism::DpSgd(self.mechanism(steps)?);
        let mut paid = permission(&unit, mechanism, Taint::FixedSeed, seed);
        let mut sequence = paid.authorize::<DpSgd>().map_err(refused!())?.steps();
        let weights = vec![0.0; 2 * UNITS];
        let mut scores = Vec::with_capacity(steps as usize * UNITS);
        while let Some(step) = sequence.next_step() {
            let sum = step
                .run::<OwnBias>(&data, &(), &weights)
                .map_err(refused!())?;
            scores.extend(sum[UNITS..].iter().map(|&x| f64::from(x)));
        }
        scores.truncate(runs);
        Ok(vec![scores])
    }
}

impl Crowd {
    fn mechanism(&self, steps: u32) -> Result<DpSgd, AuditError> {
        Ok(DpSgd {
            sampling_rate: SamplingRate::at_most(self.sampling_rate).map_err(refused!())?,
            steps: StepCount::new(steps).map_err(refused!())?,
            noise_multiplier: NoiseMultiplier::new(self.noise_multiplier).map_err(refused!())?,
            clip_norm: ClipNorm::new(CLIP_NORM).map_err(refused!())?,
        })
    }
}

/// One dense layer without input: each code moves a bias of its own.
struct OwnBias;

impl LayerwiseModel for OwnBias {
    type Shape = ();
    type Weights<'w> = ();
    type Scratch = ();

    fn layers((): &()) -> Vec<LayerShape> {
        vec![LayerShape {
            input: LayerInput::Dense { width: 1 },
            outputs: UNITS,
        }]
    }

    fn normals_per_row((): &()) -> usize {
        0
    }

    fn lay_out<'w>((): &'w (), _: &'w [f32]) {}

    fn forward((): &(), (): &(), _: &Block<'_>, (): &mut (), _: &mut [LayerFactors]) {}

    fn backward((): &(), (): &(), block: &Block<'_>, (): &mut (), factors: &mut [LayerFactors]) {
        let deltas = factors[0].deltas.chunks_exact_mut(UNITS);
        for (row, &code) in deltas.zip(block.codes) {
            row.fill(0.0);
            row[usize::from(code)] = 100.0;
        }
    }
}
