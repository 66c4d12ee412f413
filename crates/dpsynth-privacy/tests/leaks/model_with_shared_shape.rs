// A shape with a cell in it, through which two threads could carry values out.
use std::cell::RefCell;

use dpsynth_privacy::{Block, LayerFactors, LayerShape, LayerwiseModel};

struct Keeper;

impl LayerwiseModel for Keeper {
    type Shape = RefCell<Vec<u16>>;
    type Weights<'w> = ();
    type Scratch = ();
    fn layers(_: &Self::Shape) -> Vec<LayerShape> {
        Vec::new()
    }
    fn normals_per_row(_: &Self::Shape) -> usize {
        0
    }
    fn lay_out<'w>(_: &'w Self::Shape, _: &'w [f32]) {}
    fn backward(_: &Self::Shape, _: &(), _: &Block<'_>, _: &mut (), _: &mut [LayerFactors]) {}
    fn forward(_: &Self::Shape, _: &(), _: &Block<'_>, _: &mut (), _: &mut [LayerFactors]) {}
}

fn main() {}
