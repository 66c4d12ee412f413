// Making a permission without the ledger.
use dpsynth_privacy::{Authorized, UnitCount};

fn forge(mechanism: UnitCount) -> Authorized<UnitCount> {
    Authorized { mechanism, max_rows: 1, taint: None }
}

fn main() {}
