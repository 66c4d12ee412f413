//! A table whose truth is known, and what can be measured of it.

#![allow(dead_code, reason = "each file of tests uses a part of this")]

use dpsynth_privacy::{
    ChosenMarginals, Mechanism, NoiseMultiplier, PrivacyUnit, Private, PublicRng, Records,
    Released, Taint, insecure,
};
use dpsynth_train::{
    CodeOrder, Generator, MeasurePlan, MeasureShares, Measurements, PairChoice, measure,
};

pub(crate) const ROWS: usize = 8000;
pub(crate) const SIZES: [u32; 5] = [40, 6, 3, 4, 2];

/// Rows in which a column of numbers, a column of categories and the class depend on each other,
/// and the others do not. Half of the numbers are exactly the first cell.
pub(crate) fn row(rng: &mut PublicRng) -> [u16; 5] {
    let class = u16::from(rng.uniform() < 0.3);
    let spike = rng.uniform() < 0.5;
    let number = if spike {
        0
    } else {
        1 + (rng.uniform() * 19.0) as u16 + 20 * class
    };
    let category = if rng.uniform() < 0.8 {
        2 * class + u16::from(number > 0)
    } else {
        (rng.uniform() * 4.0) as u16
    };
    let copy = if rng.uniform() < 0.9 { category / 2 } else { 2 };
    [number, category, copy, (rng.uniform() * 4.0) as u16, class]
}

pub(crate) fn plan(noise: f64, pairs: PairChoice) -> MeasurePlan {
    MeasurePlan {
        alone: vec![Vec::new(); SIZES.len()],
        codes: SIZES.to_vec(),
        orders: vec![
            CodeOrder::Ordered { values: 40 },
            CodeOrder::Nominal,
            CodeOrder::Nominal,
            CodeOrder::Nominal,
            CodeOrder::Nominal,
        ],
        target: Some(4),
        pairs,
        units: ROWS as f64,
        noise_stddev: noise,
        shares: SHARES,
    }
}

pub(crate) fn measured(noise: f64, seed: u64, plan: &MeasurePlan) -> Released<Measurements> {
    let mechanism = Mechanism::ChosenMarginals(ChosenMarginals {
        noise_multiplier: NoiseMultiplier::new(noise).expect("it fits"),
    });
    let mut paid = insecure::paid(PrivacyUnit::Row, vec![mechanism], Taint::FixedSeed, seed);
    let records = Private::load(&paid, seed, |seed| {
        let mut rng = PublicRng::from_seed(seed);
        let codes = (0..ROWS).flat_map(|_| row(&mut rng)).collect();
        Records::rows(SIZES.to_vec(), codes)
    })
    .expect("it fits");
    let chosen = paid.authorize::<ChosenMarginals>().expect("it fits");
    let mut session = chosen.open(&records).expect("it fits");
    let measurements = measure(plan, &mut session).expect("it fits");
    // Everything that was paid for was used.
    assert!(session.left() < 1e-6, "{}", session.left());
    measurements
}

/// Largest distance of all pairs of columns between two tables of codes.
pub(crate) fn worst_pair(a: &[u16], b: &[u16]) -> f64 {
    let histogram = |rows: &[u16], i: usize, j: usize| {
        let mut counts = vec![0.0f64; (SIZES[i] * SIZES[j]) as usize];
        let share = 5.0 / rows.len() as f64;
        for row in rows.chunks_exact(5) {
            counts[usize::from(row[i]) * SIZES[j] as usize + usize::from(row[j])] += share;
        }
        counts
    };
    let pairs = (0..5).flat_map(|i| (i + 1..5).map(move |j| (i, j)));
    pairs
        .map(|(i, j)| {
            let (a, b) = (histogram(a, i, j), histogram(b, i, j));
            0.5 * a.iter().zip(&b).map(|(a, b)| (a - b).abs()).sum::<f64>()
        })
        .fold(0.0, f64::max)
}

pub(crate) fn truth() -> Vec<u16> {
    let mut rng = PublicRng::from_seed(1000);
    (0..40_000).flat_map(|_| row(&mut rng)).collect()
}

/// Checks that a generator is read back as it was written, and that files in which a byte was
/// changed give an error or a generator that draws codes of its domain, and never a panic.
pub(crate) fn survives_its_file(generator: &Generator) {
    let notes = std::collections::BTreeMap::new();
    let bytes = generator.to_bytes(&notes).expect("it fits");
    let (read, _) = Generator::from_bytes(&bytes).expect("it fits");
    assert_eq!(read.to_bytes(&notes).expect("it fits"), bytes);
    let draw = |generator: &Generator| {
        generator
            .sample(999, &mut PublicRng::from_seed(3))
            .expect("it fits")
    };
    assert_eq!(draw(&read), draw(generator));
    let header = 8 + u64::from_le_bytes(bytes[..8].try_into().expect("it fits")) as usize;
    let mut rng = PublicRng::from_seed(9);
    let mut refused = 0;
    for trial in 0..400 {
        let mut changed = bytes.clone();
        // Half of the changes are to sizes and names.
        let (start, end) = if trial % 2 == 0 {
            (8, header)
        } else {
            (header, bytes.len())
        };
        let at = start + (rng.uniform() * (end - start) as f64) as usize;
        changed[at] = rng.next_u64() as u8;
        match Generator::from_bytes(&changed) {
            Err(_) => refused += 1,
            Ok((read, _)) => {
                let rows = read
                    .sample(5, &mut PublicRng::from_seed(1))
                    .expect("it fits");
                let sizes = read.domain_sizes();
                for row in rows.chunks_exact(sizes.len()) {
                    assert!(
                        row.iter()
                            .zip(&sizes)
                            .all(|(&code, &size)| u32::from(code) < size)
                    );
                }
            }
        }
    }
    assert!(refused > 50, "{refused}");
    // One of the numbers negative, so that there is no share to draw by.
    let mut changed = bytes;
    let last = changed.len() - 1;
    changed[last] = 0xff;
    assert!(Generator::from_bytes(&changed).is_err());
}

/// How the precision is parted in these tests.
pub(crate) const SHARES: MeasureShares = MeasureShares {
    one_way: 0.12,
    by_class: 0.04,
    all_pairs: 0.22,
    noise_to_cell: 2.7,
};

/// Codes that are allowed: the upper half of one column's, and the even ones of another.
pub(crate) fn condition(sizes: &[u32], upper: usize, even: usize) -> Vec<Option<Vec<bool>>> {
    let mut allowed = vec![None; sizes.len()];
    allowed[upper] = Some(
        (0..sizes[upper])
            .map(|code| 2 * code >= sizes[upper])
            .collect(),
    );
    allowed[even] = Some((0..sizes[even]).map(|code| code % 2 == 0).collect());
    allowed
}

/// Asserts that `drawn` rows meet a condition and have the columns of those of `all` rows that do.
pub(crate) fn assert_those_that_meet(allowed: &[Option<Vec<bool>>], all: &[u16], drawn: &[u16]) {
    let obeys = |row: &&[u16]| {
        let mut columns = row.iter().zip(allowed);
        columns.all(|(&code, allowed)| allowed.as_ref().is_none_or(|it| it[usize::from(code)]))
    };
    let width = allowed.len();
    assert!(drawn.chunks_exact(width).all(|row| obeys(&row)));
    let kept: Vec<u16> = (all.chunks_exact(width).filter(obeys).flatten().copied()).collect();
    let rows = (kept.len() / width) as f64;
    assert!(rows > 2000.0, "{rows}");
    // Six standard deviations of a share of so few rows, of which there are fewer than a hundred: a
    // false alarm in some million runs, and the seeds are fixed.
    let room = 6.0 * (0.25 / rows).sqrt();
    for column in 0..width {
        for code in 0..100 {
            let share = |table: &[u16]| {
                let rows = table.chunks_exact(width);
                let count = rows.clone().filter(|row| row[column] == code).count();
                count as f64 / rows.len() as f64
            };
            let (drawn, kept) = (share(drawn), share(&kept));
            assert!(
                (drawn - kept).abs() < room,
                "{drawn} {kept}: column {column}"
            );
        }
    }
}
