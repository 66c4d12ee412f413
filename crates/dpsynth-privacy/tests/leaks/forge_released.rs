// Declaring a value released that no mechanism has made.
use dpsynth_privacy::Released;

fn forge(value: u64) -> Released<u64> {
    Released(value)
}

fn main() {}
