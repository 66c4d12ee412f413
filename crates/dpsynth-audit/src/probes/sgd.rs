//! One step of DP-SGD, on neighbours that a wrong step would tell apart.

use super::{charged, permission, records, refused, unit_of};
use crate::attack::{Claim, Pair, Subject, World};
use crate::error::AuditError;
use crate::privacy::{
    BLOCK_ROWS, Block, ClipNorm, DpSgd, LayerFactors, LayerInput, LayerShape, LayerwiseModel,
    Mechanism, NoiseMultiplier, SamplingRate, StepCount, Taint,
};

/// One step of DP-SGD with a unit whose gradient is known to the attacker.
pub struct GradientStep {
    /// Probability with which a unit takes part.
    pub sampling_rate: f64,
    /// Standard deviation of the noise over the clip norm.
    pub noise_multiplier: f64,
    /// What the unit's gradient is like.
    pub canary: Canary,
}

/// What the gradient of the unit under attack is like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Canary {
    /// More than a thousand times the clip norm, in five layers.
    Large,
    /// Infinite or not a number.
    NotANumber,
    /// Large, against the gradient of another unit, which is as long as the clip norm.
    Opposed,
    /// A person with eight rows of large gradients in one direction.
    SeveralRows,
    /// Large, in a table that is empty without it.
    Alone,
}

impl Canary {
    /// Every kind.
    pub const ALL: [Self; 5] = [
        Self::Large,
        Self::NotANumber,
        Self::Opposed,
        Self::SeveralRows,
        Self::Alone,
    ];

    fn max_rows(self) -> u32 {
        match self {
            Self::SeveralRows => 8,
            _ => 1,
        }
    }

    /// Codes of the rows of each unit, and the gradients that they stand for.
    fn units(self, world: World) -> Vec<Vec<Vec<u16>>> {
        let row = |code: u16| vec![vec![code]];
        let mut units = match self {
            Self::Large | Self::NotANumber | Self::SeveralRows => vec![row(QUIET); 3],
            Self::Opposed => vec![row(OPPOSED)],
            Self::Alone => Vec::new(),
        };
        if world == World::With {
            units.push(match self {
                Self::NotANumber => row(NOT_A_NUMBER),
                Self::SeveralRows => vec![vec![LARGE]; 8],
                _ => row(LARGE),
            });
        }
        units
    }
}

const CLIP_NORM: f64 = 2.0;

impl Subject for GradientStep {
    fn name(&self) -> String {
        let canary = match self.canary {
            Canary::Large => "a gradient of 1000 clip norms in all layers",
            Canary::NotANumber => "a gradient that is no number",
            Canary::Opposed => "a large gradient against another unit's",
            Canary::SeveralRows => "a person with 8 rows of large gradients",
            Canary::Alone => "the only unit of the table",
        };
        format!("dp_sgd: {canary}")
    }

    fn cost(&self) -> usize {
        5
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

    /// Scores: the gradient along the unit's own, and how much there is in the coordinates that no
    /// gradient points to.
    fn observe(&self, world: World, runs: usize, seed: u64) -> Result<Vec<Vec<f64>>, AuditError> {
        let unit = unit_of(self.canary.max_rows());
        let data = records(&unit, vec![CODES as u32], &self.canary.units(world))?;
        let steps = u32::try_from(runs).unwrap_or(u32::MAX);
        let mechanism = Mechanism::DpSgd(self.mechanism(steps)?);
        let mut paid = permission(&unit, mechanism, Taint::FixedSeed, seed);
        let authorized = paid.authorize::<DpSgd>().map_err(refused!())?;
        let mut sequence = authorized.steps();
        let weights = vec![0.0; KnownGradients::parameters()];
        let direction = KnownGradients::direction(self.canary);
        let (mut along, mut rest) = (Vec::with_capacity(runs), Vec::with_capacity(runs));
        while let Some(step) = sequence.next_step() {
            let sum = step
                .run::<KnownGradients>(&data, &(), &weights)
                .map_err(refused!())?;
            let parts = sum.iter().zip(&direction);
            along.push(parts.clone().map(|(&x, u)| f64::from(x) * u).sum());
            let quiet = parts.filter(|(_, u)| **u == 0.0);
            rest.push(quiet.map(|(&x, _)| f64::from(x).powi(2)).sum());
        }
        Ok(vec![along, rest])
    }
}

impl GradientStep {
    fn mechanism(&self, steps: u32) -> Result<DpSgd, AuditError> {
        Ok(DpSgd {
            sampling_rate: SamplingRate::at_most(self.sampling_rate).map_err(refused!())?,
            steps: StepCount::new(steps).map_err(refused!())?,
            noise_multiplier: NoiseMultiplier::new(self.noise_multiplier).map_err(refused!())?,
            clip_norm: ClipNorm::new(CLIP_NORM).map_err(refused!())?,
        })
    }
}

/// A network whose gradients follow from the code of a row and from nothing else.
struct KnownGradients;

/// Codes of rows: no gradient, a large one, its opposite at the clip norm, and one that is no number.
const QUIET: u16 = 0;
const LARGE: u16 = 1;
const OPPOSED: u16 = 2;
const NOT_A_NUMBER: u16 = 3;
const CODES: usize = 4;
/// Dense layers, and outputs of each; they have one input, which is 0.
const DENSE: usize = 4;
const OUTPUTS: usize = 8;
/// Parameters of a dense layer.
const DENSE_PARAMETERS: usize = 2 * OUTPUTS;
/// Output gradient of the layer of codes, where that of a dense layer is 1: so all layers have
/// gradients of one length.
const CODE_DELTA: f32 = 2.0;

impl KnownGradients {
    fn shapes() -> Vec<LayerShape> {
        let codes = LayerShape {
            input: LayerInput::Codes { total_codes: CODES },
            outputs: 1,
        };
        let dense = LayerShape {
            input: LayerInput::Dense { width: 1 },
            outputs: OUTPUTS,
        };
        std::iter::once(codes)
            .chain(std::iter::repeat_n(dense, DENSE))
            .collect()
    }

    fn parameters() -> usize {
        Self::shapes().iter().map(LayerShape::parameters).sum()
    }

    /// The gradient that a code stands for, up to its size.
    fn gradient(code: u16) -> Vec<f64> {
        let mut gradient = vec![0.0; Self::parameters()];
        let (codes, dense) = gradient.split_at_mut(CODES + 1);
        // The row of the code, and the bias.
        for input in [usize::from(code), CODES] {
            codes[input] = f64::from(CODE_DELTA);
        }
        for layer in dense.chunks_exact_mut(DENSE_PARAMETERS) {
            layer[OUTPUTS..].fill(1.0);
        }
        gradient
    }

    fn length(code: u16) -> f64 {
        Self::gradient(code)
            .iter()
            .map(|x| x * x)
            .sum::<f64>()
            .sqrt()
    }

    /// The direction of the canary's gradient among all parameters, of length 1.
    fn direction(canary: Canary) -> Vec<f64> {
        let code = match canary {
            Canary::NotANumber => NOT_A_NUMBER,
            _ => LARGE,
        };
        let length = Self::length(code);
        Self::gradient(code).iter().map(|x| x / length).collect()
    }
}

impl LayerwiseModel for KnownGradients {
    type Shape = ();
    type Weights<'w> = ();
    type Scratch = ();

    fn layers((): &()) -> Vec<LayerShape> {
        Self::shapes().to_vec()
    }

    fn normals_per_row((): &()) -> usize {
        0
    }

    fn lay_out<'w>((): &'w (), _: &'w [f32]) {}

    fn forward((): &(), (): &(), _: &Block<'_>, (): &mut (), _: &mut [LayerFactors]) {}

    fn backward((): &(), (): &(), block: &Block<'_>, (): &mut (), factors: &mut [LayerFactors]) {
        let at_clip_norm = (CLIP_NORM / Self::length(OPPOSED)) as f32;
        for (row, &code) in block.codes.iter().enumerate().take(BLOCK_ROWS) {
            let size = match code {
                LARGE => 1000.0,
                OPPOSED => -at_clip_norm,
                NOT_A_NUMBER => f32::INFINITY,
                _ => 0.0,
            };
            factors[0].deltas[row] = CODE_DELTA * size;
            for layer in &mut factors[1..] {
                layer.deltas[row * OUTPUTS..(row + 1) * OUTPUTS].fill(size);
            }
            if code == NOT_A_NUMBER {
                factors[DENSE].deltas[row * OUTPUTS] = f32::NAN;
            }
        }
    }
}
