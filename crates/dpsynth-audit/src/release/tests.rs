use dpsynth_privacy::PublicRng;

use super::*;

/// People whose columns depend on each other a little.
fn people(rows: usize, seed: u64) -> AuditTable {
    let mut rng = PublicRng::from_seed(seed);
    let (mut age, mut income, mut city, mut job) = (vec![], vec![], vec![], vec![]);
    for _ in 0..rows {
        let years = 20.0 + 60.0 * rng.uniform();
        age.push(Some(years));
        income.push((rng.uniform() > 0.05).then(|| years * 1000.0 + 20_000.0 * rng.normal()));
        city.push(Some((30.0 * rng.uniform() * rng.uniform()) as u32));
        job.push(Some((years / 8.0 + 3.0 * rng.uniform()) as u32));
    }
    let names = ["age", "income", "city", "job"].map(str::to_owned).to_vec();
    let columns = vec![
        AuditColumn::Numeric(age),
        AuditColumn::Numeric(income),
        AuditColumn::Category(city),
        AuditColumn::Category(job),
    ];
    AuditTable::new(names, columns).unwrap()
}

fn audited(synthetic: &AuditTable, real: &AuditTable, control: &AuditTable) -> Audit {
    release(&ReleaseAudit {
        synthetic,
        real,
        control,
        canaries: Some(&real.sample(30, 9)),
        attacks: 300,
        seed: 4,
    })
    .unwrap()
}

#[test]
fn a_table_of_other_people_is_not_found() {
    // Five attacks and ten seeds at 10^-4 each, and the canaries: fails once in 200 times at most, were
    // the seeds not fixed.
    for seed in 0..10 {
        let (real, control) = (people(600, seed), people(600, 100 + seed));
        let audit = audited(&people(600, 200 + seed), &real, &control);
        assert!(!audit.found(), "{audit:#?}");
    }
}

#[test]
fn a_copy_of_the_records_is_found_in_every_way() {
    let (real, control) = (people(600, 1), people(600, 2));
    let audit = audited(&real, &real, &control);
    for check in &audit.checks {
        assert_eq!(check.outcome, Outcome::Found, "{check:?}");
    }
}

#[test]
fn a_copy_among_made_up_rows_is_found() {
    // Half of the table is copied.
    let (real, control) = (people(600, 1), people(600, 2));
    let other = people(600, 3);
    let mixed: Vec<AuditColumn> = real
        .columns()
        .iter()
        .zip(other.columns())
        .map(|(copied, made)| match (copied, made) {
            (AuditColumn::Numeric(a), AuditColumn::Numeric(b)) => {
                AuditColumn::Numeric(a[..300].iter().chain(&b[..300]).copied().collect())
            }
            (AuditColumn::Category(a), AuditColumn::Category(b)) => {
                AuditColumn::Category(a[..300].iter().chain(&b[..300]).copied().collect())
            }
            _ => unreachable!("columns of one kind"),
        })
        .collect();
    let mixed = AuditTable::new(real.names().to_vec(), mixed).unwrap();
    let audit = audited(&mixed, &real, &control);
    let found = audit
        .checks
        .iter()
        .filter(|it| it.outcome == Outcome::Found);
    assert!(found.count() >= 3, "{audit:#?}");
}

#[test]
fn tables_that_do_not_fit_are_refused() {
    let (real, control) = (people(600, 1), people(600, 2));
    let small = real.sample(10, 1);
    let refused = |synthetic: &AuditTable, real: &AuditTable| {
        release(&ReleaseAudit {
            synthetic,
            real,
            control: &control,
            canaries: None,
            attacks: 300,
            seed: 4,
        })
        .unwrap_err()
    };
    assert_eq!(refused(&real, &small), AuditError::TooFewRows);
    let names = vec!["a".to_owned(); 4];
    let renamed = AuditTable::new(names, real.columns().to_vec()).unwrap();
    assert_eq!(refused(&renamed, &real), AuditError::Columns);
    assert_eq!(AuditTable::new(vec![], vec![]), Err(AuditError::Columns));
}
