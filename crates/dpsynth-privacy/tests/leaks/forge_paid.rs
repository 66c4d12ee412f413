// Making a charge without the ledger.
use dpsynth_privacy::Paid;

fn forge() -> Paid {
    Paid { receipt: None }
}

fn main() {}
