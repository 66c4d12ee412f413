// Printing a private value: `Debug` prints no content, and there is no `Display`.
use dpsynth_privacy::Private;

fn leak(data: &Private<u64>) -> String {
    format!("{data}")
}

fn main() {}
