// A permission of one's own kind cannot look inside a private value either.
use dpsynth_privacy::{Authorized, Private, Records, UnitCount};

fn exact(permission: &Authorized<UnitCount>, data: &Private<Records>) -> usize {
    let _ = permission;
    data.expose().unit_count()
}

fn main() {}
