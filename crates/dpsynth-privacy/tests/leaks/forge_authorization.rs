// Making a permission without the ledger.
use dpsynth_privacy::{Authorized, PrivacyUnit, UnitCount};

fn forge(mechanism: UnitCount) -> Authorized<UnitCount> {
    Authorized { mechanism, unit: PrivacyUnit::Row, taint: None }
}

fn main() {}
