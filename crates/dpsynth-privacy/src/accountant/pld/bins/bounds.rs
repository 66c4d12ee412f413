//! What bins say of losses: worse ones by chords, better ones by chords that are lowered.

use super::{Bins, ON_CORNER};
use crate::accountant::pld::losses::Losses;
use crate::accountant::pld::lower::{Ends, Lump, lowered};
use crate::accountant::pld::{Bound, Direction};

impl Bins {
    fn ends(&self, direction: Direction) -> Ends {
        let (count, growth) = (self.down.len(), self.step.exp());
        let (mut low, mut high) = (vec![0.0; count], vec![0.0; count]);
        for index in 0..count {
            let (above, below) = self.factors(index);
            let (down, up) = (self.down[index], self.up[index]);
            match direction {
                Direction::Removal => {
                    low[index] = down * above;
                    high[index] = up * above * growth;
                }
                Direction::Addition => {
                    low[count - 1 - index] = up * below;
                    high[count - 1 - index] = down * below;
                }
            }
        }
        match direction {
            Direction::Removal => Ends {
                origin: self.origin,
                low,
                high,
                lump: self.lump.map(Lump::First),
            },
            Direction::Addition => {
                let lump = self.lump.map(|index| Lump::Last(count - index));
                Ends {
                    origin: -self.loss(count),
                    low,
                    high,
                    lump,
                }
            }
        }
    }

    /// Returns losses that are at least as bad, or at most as bad.
    pub(in crate::accountant::pld) fn losses(&self, bound: Bound, direction: Direction) -> Losses {
        match bound {
            Bound::Worse => self.worse(direction),
            Bound::Better => self.better(direction),
        }
    }

    /// Returns losses that are at least as bad.
    pub(in crate::accountant::pld) fn worse(&self, direction: Direction) -> Losses {
        let Ends {
            origin, low, high, ..
        } = self.ends(direction);
        let count = low.len();
        let mut masses = vec![0.0; count + 1];
        for index in 0..count {
            masses[index] += low[index];
            masses[index + 1] += high[index];
        }
        for atom in &self.atoms {
            let (index, down, up) = self.split(atom);
            let (above, below) = self.factors(index);
            match direction {
                Direction::Removal => {
                    masses[index] += down * above;
                    masses[index + 1] += up * above * self.step.exp();
                }
                Direction::Addition => {
                    masses[count - index] += down * below;
                    masses[count - 1 - index] += up * below;
                }
            }
        }
        // Up: what lies beyond the grid on the harmless side counts as having no loss, or the
        // least that there is, and never weighs under a tilt.
        let (harmless, harmful, only) = match direction {
            Direction::Removal => (self.beyond_left, self.beyond_right, self.only_above),
            Direction::Addition => (self.beyond_right, self.beyond_left, self.only_below),
        };
        let none = ((-origin / self.step).ceil().max(0.0) as usize).min(count);
        masses[none] += harmless;
        let up = 1.0 + self.mass_error;
        masses.iter_mut().for_each(|mass| *mass *= up);
        let infinite = (harmful + only) * up;
        Losses {
            origin,
            masses,
            infinite,
            loss_error: self.loss_error,
            transformed: None,
        }
    }

    /// Returns losses that are at most as bad.
    ///
    /// What lies beyond the grid is left out, which can only lower a curve.
    fn better(&self, direction: Direction) -> Losses {
        let ends = self.ends(direction);
        let (origin, count) = (ends.origin, ends.low.len());
        let mut masses = lowered(ends, self.step, self.mass_error);
        let down = 1.0 - self.mass_error;
        for atom in &self.atoms {
            // Down: an atom keeps its mass of P and loses up to a step.
            let (loss, mass) = match direction {
                Direction::Removal => (atom.loss, atom.above),
                Direction::Addition => (-atom.loss, atom.below),
            };
            let places = (loss - origin) / self.step;
            // An atom on a corner is on the corner, however the division rounded.
            let near = places.round();
            let index = if (places - near).abs() <= ON_CORNER {
                near
            } else {
                places.floor()
            };
            if index >= 0.0 {
                masses[(index as usize).min(count)] += mass * down;
            }
        }
        let only = match direction {
            Direction::Removal => self.only_above,
            Direction::Addition => self.only_below,
        };
        let loss_error = self.loss_error + ON_CORNER * self.step;
        Losses {
            origin,
            masses,
            infinite: only * down,
            loss_error,
            transformed: None,
        }
    }
}
