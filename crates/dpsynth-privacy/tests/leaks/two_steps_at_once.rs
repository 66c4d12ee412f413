// Holding two steps of one sequence at a time.
use dpsynth_privacy::StepSequence;

fn both(steps: &mut StepSequence) {
    let first = steps.next_step();
    let second = steps.next_step();
    drop((first, second));
}

fn main() {}
