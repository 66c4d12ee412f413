//! Columns that several tests describe.

use dpsynth_table::{Cells, Column, Domain, Missing, OutOfDomain};

pub(crate) fn column(name: &str, domain: Domain) -> Column {
    Column {
        name: name.to_owned(),
        domain,
        missing: Missing::Refused,
        out_of_domain: OutOfDomain::Stop,
        missing_tokens: Vec::new(),
        after: None,
    }
}

pub(crate) fn integer(name: &str, min: i64, max: i64, cells: Cells) -> Column {
    column(name, Domain::Integer { min, max, cells })
}

pub(crate) fn categorical(name: &str, categories: &[&str]) -> Column {
    let categories = categories.iter().map(|text| (*text).to_owned()).collect();
    column(name, Domain::Categorical { categories })
}

pub(crate) fn may_miss(column: Column, tokens: &[&str]) -> Column {
    Column {
        missing: Missing::Allowed,
        missing_tokens: tokens.iter().map(|token| (*token).to_owned()).collect(),
        ..column
    }
}

/// Numbers in [0, 1) from a fixed seed.
pub(crate) fn uniform(seed: u64) -> impl FnMut() -> f64 {
    let mut state = seed;
    move || {
        // The constants of Knuth's MMIX generator.
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (state >> 11) as f64 / (1u64 << 53) as f64
    }
}
