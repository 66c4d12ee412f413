// Reading through a private value: there is no `Deref`.
use dpsynth_privacy::Private;

fn leak(data: &Private<Vec<u16>>) -> usize {
    data.len()
}

fn main() {}
