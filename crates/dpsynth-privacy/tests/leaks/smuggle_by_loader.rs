// Smuggling a value out of the loader through a captured reference.
use dpsynth_privacy::{Paid, Private};

fn leak(paid: &Paid) -> u64 {
    let mut out = 0;
    let _ = Private::load(paid, 3u64, |value| {
        out = value;
        Ok::<u64, ()>(value)
    });
    out
}

fn main() {}
