// A mechanism defined outside the core.
use dpsynth_privacy::{Authorizable, Mechanism};

struct Exact;

impl Authorizable for Exact {
    fn of(_: &Mechanism) -> Option<Self> {
        Some(Exact)
    }
}

fn main() {}
