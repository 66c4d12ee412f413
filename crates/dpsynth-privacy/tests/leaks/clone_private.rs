// Copying a private value.
use dpsynth_privacy::Private;

fn leak(data: &Private<u64>) -> Private<u64> {
    data.clone()
}

fn main() {}
