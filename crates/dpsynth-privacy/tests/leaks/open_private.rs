// Opening a private value: its field is private and there is no accessor.
use dpsynth_privacy::{Private, Records};

fn leak(data: Private<Records>) -> Records {
    data.0
}

fn main() {}
