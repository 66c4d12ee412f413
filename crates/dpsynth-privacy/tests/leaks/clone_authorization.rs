// Copying a permission.
use dpsynth_privacy::{Authorized, DpSgd};

fn copy(permission: &Authorized<DpSgd>) -> Authorized<DpSgd> {
    permission.clone()
}

fn main() {}
