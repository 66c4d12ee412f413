// The counterpart of the refused programs: what an honest caller writes compiles.
use dpsynth_privacy::{
    DpSgd, Marginals, Mechanism, NoiseMultiplier, Paid, Private, PrivacyUnit, Records, Released,
    Taint, UnitCount, insecure,
};

fn load(rows: usize) -> Result<Records, dpsynth_privacy::RecordsError> {
    Records::rows(vec![2], vec![0; rows])
}

fn main() {
    let multiplier = NoiseMultiplier::new(1.0).unwrap();
    let mechanisms = vec![Mechanism::UnitCount(UnitCount { noise_multiplier: multiplier })];
    let mut paid: Paid = insecure::paid(PrivacyUnit::Row, mechanisms, Taint::FixedSeed, 1);
    let data: Private<Records> = Private::load(&paid, 3, load).unwrap();
    let count: Released<i64> = paid.authorize::<UnitCount>().unwrap().count(&data).unwrap();
    let _twice: Released<i64> = count.map(|count| count * 2);
    assert!(paid.authorize::<UnitCount>().is_err());
    assert!(paid.authorize::<Marginals>().is_err());
    assert!(paid.authorize::<DpSgd>().is_err());
}
