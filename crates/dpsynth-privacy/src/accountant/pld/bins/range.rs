//! Where the losses of a pair lie, and of the parts that it is put in bins in.

use super::Part;
use crate::accountant::pld::pair::Pair;

/// Where the losses of a pair lie.
pub(super) struct Range {
    /// Along t.
    pub(super) left: f64,
    pub(super) right: f64,
    pub(super) lowest: f64,
    pub(super) highest: f64,
    /// Bounds the masses of P and Q left of `left`, and right of `right`.
    pub(super) beyond_left: f64,
    pub(super) beyond_right: f64,
}

impl Range {
    /// Returns where all but a tail lies.
    pub(super) fn new(pair: &Pair, tail: f64) -> Self {
        let mut range = Self {
            left: f64::NEG_INFINITY,
            right: f64::INFINITY,
            lowest: f64::INFINITY,
            highest: f64::NEG_INFINITY,
            beyond_left: 0.0,
            beyond_right: 0.0,
        };
        if let Some(density) = &pair.density {
            let support = density.support(tail);
            let lowest = density.lowest_loss();
            range.left = support.left;
            range.right = support.right;
            range.lowest = lowest.unwrap_or_else(|| density.loss(support.left));
            range.highest = density.loss(support.right);
            range.beyond_left = support.beyond_left;
            range.beyond_right = support.beyond_right;
        }
        for atom in &pair.atoms {
            range.lowest = range.lowest.min(atom.loss);
            range.highest = range.highest.max(atom.loss);
        }
        range
    }

    /// Returns the part of the range; what is cut off there is in another part.
    pub(super) fn cut(mut self, pair: &Pair, part: Part) -> Self {
        let edge = |loss: f64| pair.density.as_ref().map_or(f64::NAN, |it| it.edge(loss));
        match part {
            Part::All => {}
            Part::Bulk(to) => {
                self.right = edge(to);
                self.highest = pair.atoms.iter().map(|it| it.loss).fold(to, f64::max);
                self.beyond_right = 0.0;
            }
            Part::Rare { from, .. } => {
                self.left = edge(from);
                self.lowest = from;
                self.beyond_left = 0.0;
            }
        }
        self
    }
}
