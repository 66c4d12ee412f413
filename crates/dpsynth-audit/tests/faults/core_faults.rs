//! The faults inside the core, and the audit that must find each.

use dpsynth_audit::{AuditError, Check};
use dpsynth_faults::fault::{Fault, with};

use crate::probes::{
    Canary, CappedCounts, Categories, Counts, GradientStep, SummedDistances, ledger_arithmetic,
    noise_distribution, quick_known_answers, refusals, sampler,
};
use crate::{attacked, found};

/// A part of an audit.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Part {
    Accountants,
    Noise,
    Sampler,
    Ledger,
    Refusals,
    Counts { max_rows: u32 },
    Capped,
    Categories,
    Distances,
    Step(Canary),
}

impl Part {
    /// The audit that it belongs to.
    pub(crate) fn audit(self) -> &'static str {
        match self {
            Self::Accountants | Self::Noise | Self::Sampler | Self::Ledger | Self::Refusals => {
                "self"
            }
            _ => "mechanism",
        }
    }

    fn run(self) -> Result<Vec<Check>, AuditError> {
        const SEED: u64 = 11;
        // About ε = 3 at δ = 10^-5, by hand, because calibration is among what is broken.
        let noise_multiplier = 1.4;
        match self {
            Self::Accountants => quick_known_answers(),
            Self::Noise => noise_distribution(SEED),
            Self::Sampler => sampler(0.2, 100, SEED),
            Self::Ledger => ledger_arithmetic(SEED),
            Self::Refusals => Ok(vec![refusals(SEED)?]),
            Self::Counts { max_rows } => attacked(
                &Counts {
                    noise_multiplier: 2.0,
                    max_rows,
                },
                4000,
            ),
            Self::Capped => attacked(
                &CappedCounts {
                    noise_multiplier: 2.0,
                    max_rows: 2,
                },
                2000,
            ),
            Self::Distances => attacked(
                &SummedDistances {
                    noise_multiplier: 2.0,
                    max_rows: 1,
                },
                4000,
            ),
            Self::Categories => attacked(&Categories { epsilon: 0.5 }, 16_000),
            Self::Step(canary) => attacked(
                &GradientStep {
                    sampling_rate: if canary == Canary::Alone { 0.5 } else { 1.0 },
                    noise_multiplier,
                    canary,
                },
                // A run of these costs 5.
                10_000,
            ),
        }
    }
}

/// Which part finds which fault.
pub(crate) const CAUGHT: [(Fault, Part); 35] = [
    (Fault::NoNoise, Part::Counts { max_rows: 1 }),
    (Fault::HalfNoise, Part::Counts { max_rows: 1 }),
    (Fault::HalfGradientNoise, Part::Step(Canary::Large)),
    (Fault::PeopleAsRows, Part::Counts { max_rows: 4 }),
    (Fault::CapNotEnforced, Part::Capped),
    (Fault::NoClipping, Part::Step(Canary::Large)),
    (Fault::NanNotClipped, Part::Step(Canary::NotANumber)),
    (Fault::ClippedByLayer, Part::Step(Canary::Large)),
    (Fault::ClippedByRow, Part::Step(Canary::SeveralRows)),
    (Fault::ClippedAfterTheSum, Part::Step(Canary::Opposed)),
    (Fault::FixedBatches, Part::Sampler),
    (Fault::ShuffledBatches, Part::Sampler),
    (Fault::RealisedBatch, Part::Step(Canary::Opposed)),
    (Fault::EmptyBatchSkipped, Part::Step(Canary::Alone)),
    (Fault::OneStepMore, Part::Noise),
    (Fault::StepsShareNoise, Part::Noise),
    (Fault::BlocksShareNoise, Part::Noise),
    (Fault::SetsShareNoise, Part::Noise),
    (Fault::GroupsAsOneSet, Part::Distances),
    (Fault::OneKey, Part::Ledger),
    (Fault::AuthorisationsShareKey, Part::Noise),
    (Fault::SinglePrecision, Part::Noise),
    (Fault::TailCut, Part::Noise),
    (Fault::NoThreshold, Part::Categories),
    (Fault::SharesNotTaken, Part::Refusals),
    (Fault::HalfTheRatePriced, Part::Accountants),
    (Fault::LastBatchNotPriced, Part::Accountants),
    (Fault::LowerBoundCharged, Part::Accountants),
    (Fault::NotPricedAgain, Part::Accountants),
    (Fault::NoiselessPriced, Part::Accountants),
    (Fault::LedgerWrittenAfter, Part::Ledger),
    (Fault::CapForLifeIgnored, Part::Ledger),
    (Fault::DeltaForgotten, Part::Ledger),
    (Fault::UsedChargeRefunded, Part::Ledger),
    (Fault::HashNotChecked, Part::Ledger),
];

/// What an audit of a faulty core says: the first check that finds something. A core that refuses what
/// it should allow, or panics, is found as well.
pub(crate) fn caught(fault: Fault, part: Part) -> Option<String> {
    match with(fault, || part.run()) {
        Ok(checks) => found(&checks).first().map(|name| (*name).to_owned()),
        Err(AuditError::Refused { code, .. }) => {
            Some(format!("refused by the core itself ({code})"))
        }
        Err(error) => Some(error.code().to_owned()),
    }
}

#[test]
fn every_fault_has_its_audit() {
    for (fault, _) in Fault::ALL {
        let times = CAUGHT.iter().filter(|(caught, _)| caught == fault).count();
        assert_eq!(times, 1, "{fault:?}");
    }
}

#[test]
fn nothing_is_found_in_the_copy_without_a_fault() {
    // The chance that a correct core fails here is below 2e-5.
    let mut parts: Vec<Part> = CAUGHT.iter().map(|(_, part)| *part).collect();
    parts.dedup();
    let mut seen: Vec<Part> = Vec::new();
    for part in parts {
        if seen.contains(&part) {
            continue;
        }
        seen.push(part);
        let checks = with(Fault::None, || part.run()).unwrap();
        assert_eq!(found(&checks), Vec::<&str>::new(), "{part:?}");
    }
}
