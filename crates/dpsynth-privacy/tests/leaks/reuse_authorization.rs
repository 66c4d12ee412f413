// Running a mechanism twice with one permission.
use dpsynth_privacy::{Authorized, Private, Records, UnitCount};

fn twice(permission: Authorized<UnitCount>, data: &Private<Records>) {
    let _ = permission.count(data);
    let _ = permission.count(data);
}

fn main() {}
