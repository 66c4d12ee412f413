// Reading through a private value: there is no `Deref`.
use dpsynth_privacy::{Private, Records};

fn leak(data: &Private<Records>) -> usize {
    data.domain_sizes().len()
}

fn main() {}
