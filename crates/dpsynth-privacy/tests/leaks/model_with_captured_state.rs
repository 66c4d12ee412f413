// A model that keeps what it sees: the functions of a model take no `self`.
use std::cell::RefCell;

use dpsynth_privacy::{Block, LayerFactors, LayerShape, LayerwiseModel};

struct Keeper(RefCell<Vec<u16>>);

impl LayerwiseModel for Keeper {
    type Shape = ();
    type Weights<'w> = ();
    type Scratch = ();
    fn layers(_: &()) -> Vec<LayerShape> {
        Vec::new()
    }
    fn normals_per_row(_: &()) -> usize {
        0
    }
    fn lay_out<'w>(_: &'w (), _: &'w [f32]) {}
    fn backward(&self, _: &(), block: &Block<'_>, _: &mut (), _: &mut [LayerFactors]) {
        self.0.borrow_mut().extend(block.codes);
    }
    fn forward(_: &(), _: &(), _: &Block<'_>, _: &mut (), _: &mut [LayerFactors]) {}
}

fn main() {}
