// Smuggling a value out through a captured reference: `map` takes plain functions only.
use dpsynth_privacy::Private;

fn leak(data: Private<u64>) -> u64 {
    let mut out = 0;
    let _ = data.map(|value| {
        out = value;
        value
    });
    out
}

fn main() {}
