// Serialising a private value.
use dpsynth_privacy::Private;

fn leak(data: &Private<u64>) -> String {
    serde_json::to_string(data).unwrap()
}

fn main() {}
