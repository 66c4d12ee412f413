//! The bins of every mechanism of a plan, on grids that go together.

use super::bins::{Bins, Part};
use super::compose::{Composed, Window};
use super::outlook::Outlook;
use super::spectrum::{Spectrum, Transforms};
use super::stage::Stage;
use super::{Bound, Direction, Plan};

/// The bins of every mechanism, and the window that their composition is looked at in.
pub(super) struct Grid {
    direction: Direction,
    step: f64,
    pub(super) window: Window,
    parts: Vec<(Uses, f64)>,
}

/// How a plan is laid on its grids.
#[derive(Clone, Copy)]
pub(super) enum Layout {
    /// All on one grid.
    Single,
    /// In two stages where that pays.
    Staged,
    /// The same with a step that changes smoothly with the plan, whatever fills the window: for
    /// estimates that are compared.
    Smooth,
}

/// How the uses of one mechanism are composed.
enum Uses {
    /// Each on the common grid.
    Each(Bins, f64),
    /// Some together on a finer one, before.
    Staged(Box<Stage>),
}

/// The steps and the window of a grid.
pub(super) struct Frame {
    /// How many steps of a first stage make one of the common grid, 1 where there is none.
    ratio: usize,
    step: f64,
    pub(super) window: Window,
    /// How fine the step is, which need not be what was asked for.
    pub(super) fineness: f64,
}

impl Frame {
    /// Returns nothing where the grid would be too large.
    pub(super) fn new(
        plan: &Plan,
        outlook: &Outlook,
        fineness: f64,
        layout: Layout,
    ) -> Option<Self> {
        let (mut many, mut few) = (0.0, 0.0);
        for (_, uses) in &plan.pairs {
            if !matches!(layout, Layout::Single) && *uses >= FEWEST_STAGED {
                many += uses;
            } else {
                few += uses;
            }
        }
        let ratio = ratio(many, few);
        // Each use errs with the square of the step of its grid, and so does each copy of a stage.
        let step = if ratio > 1 {
            let squared = (ratio * ratio) as f64;
            outlook.step(fineness) * ((many + few) / (few + 2.0 * many / squared)).sqrt()
        } else {
            outlook.step(fineness)
        };
        let asked = step;
        let (step, window) = match layout {
            Layout::Single | Layout::Staged => outlook.window(asked)?,
            Layout::Smooth => (asked, outlook.window_of_step(asked)?),
        };
        let fineness = fineness * asked / step;
        Some(Self {
            ratio,
            step,
            window,
            fineness,
        })
    }
}

impl Grid {
    /// Returns nothing where a grid would be too large.
    pub(super) fn new(
        plan: &Plan,
        outlook: &Outlook,
        direction: Direction,
        frame: Frame,
    ) -> Option<Self> {
        let Frame {
            ratio,
            step,
            window,
            ..
        } = frame;
        let tail = outlook.tail();
        let parts = plan
            .pairs
            .iter()
            .zip(&outlook.means)
            .map(|((pair, uses), mean)| {
                let uses = if ratio > 1 && *uses >= FEWEST_STAGED {
                    Uses::Staged(Box::new(Stage::new(
                        pair,
                        *uses,
                        (ratio, step),
                        outlook,
                        direction,
                    )?))
                } else {
                    Uses::Each(Bins::new(pair, step, tail, Part::All)?, *uses)
                };
                Some((uses, *mean))
            })
            .collect::<Option<_>>()?;
        Some(Self {
            direction,
            step,
            window,
            parts,
        })
    }

    pub(super) fn composed(&self, bound: Bound, transforms: &mut Transforms) -> Option<Composed> {
        let mut spectra = Vec::new();
        for (part, mean) in &self.parts {
            match part {
                Uses::Each(bins, uses) => {
                    let losses = bins.losses(bound, self.direction);
                    let reference = losses.corner_near(*mean, self.step);
                    let spectrum =
                        Spectrum::new(&losses, reference, self.step, &self.window, transforms);
                    spectra.push((spectrum, *uses));
                }
                Uses::Staged(stage) => {
                    spectra.extend(stage.spectra(bound, &self.window, *mean, transforms)?);
                }
            }
        }
        let parts: Vec<(&Spectrum, f64)> = spectra.iter().map(|(it, uses)| (it, *uses)).collect();
        Some(Composed::new(&parts, self.step, self.window, transforms))
    }
}

/// Returns how much coarser the common grid is than that of mechanisms that are used `many` times,
/// where others are used `few` times: 1 where two stages do not pay.
fn ratio(many: f64, few: f64) -> usize {
    let best = many.sqrt().sqrt();
    let allowed = (many / few.max(1.0)).sqrt();
    let ratio = best.min(allowed).floor();
    if ratio >= SMALLEST_RATIO {
        ratio as usize
    } else {
        1
    }
}

/// From how many uses on a mechanism is composed in two stages.
const FEWEST_STAGED: f64 = 4096.0;

/// A ratio that two stages pay for.
const SMALLEST_RATIO: f64 = 4.0;
