//! A session that spends a charge on marginals gives out noisy counts, never the records.

use dpsynth_privacy::{ChosenMarginals, Paid, Private, Records};

fn look(mut paid: Paid, data: Private<Records>) {
    let session = paid.authorize::<ChosenMarginals>().unwrap().open(&data).unwrap();
    let _ = session.records;
    let _ = session.codes;
}

fn main() {}
