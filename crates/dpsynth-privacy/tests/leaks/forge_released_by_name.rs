// Calling the constructor that mechanisms use.
use dpsynth_privacy::Released;

fn forge(value: u64) -> Released<u64> {
    Released::by_mechanism(value)
}

fn main() {}
