// Running a step twice: one charge, two noisy sums of the same sample.
use dpsynth_privacy::{LayerwiseModel, Private, Records, Step};

fn twice<M: LayerwiseModel>(step: Step<'_>, data: &Private<Records>, shape: &M::Shape) {
    let _ = step.run::<M>(data, shape, &[]);
    let _ = step.run::<M>(data, shape, &[]);
}

fn main() {}
