//! The accountants against answers that are known without them.

use super::{DELTA, refused};
use crate::attack::Pair;
use crate::error::AuditError;
use crate::outcome::{Check, Outcome, Watch};
use crate::privacy::accountant::{calibrate, price};
use crate::privacy::{
    Adjacency, ClipNorm, Delta, DpEvent, DpSgd, Epsilon, Marginals, Mechanism, NoiseMultiplier,
    SamplingRate, StepCount,
};

/// Relative error that is allowed of a price: what an upper bound may exceed the exact value by.
const LOOSE: f64 = 2e-3;

/// Compares prices with closed forms, with figures of other programs, and with each other.
///
/// # Errors
/// If the accountant refuses an event that has a price.
pub fn known_answers() -> Result<Vec<Check>, AuditError> {
    let mut checks = quick_known_answers()?;
    checks.push(figures(&FIGURES)?);
    checks.push(calibration(true)?);
    Ok(checks)
}

/// The part of [`known_answers`] that takes well under a second.
///
/// # Errors
/// As for [`known_answers`].
pub fn quick_known_answers() -> Result<Vec<Check>, AuditError> {
    Ok(vec![
        closed_forms()?,
        composition()?,
        figures(&FIGURES[..1])?,
        charged_events()?,
        calibration(false)?,
        impossible_events(),
    ])
}

/// Figures of Google's `dp-accounting` and of mpmath: rate, noise, steps, δ, ε.
const FIGURES: [(f64, f64, u32, f64, f64); 6] = [
    (1.0, 10.0, 100, 1e-6, 4.886_554),
    (0.1, 4.0, 500, 1e-6, 2.648_202),
    (0.01, 1.0, 1000, 1e-5, 1.828_237),
    (0.01, 0.8, 1000, 1e-5, 3.141_014),
    (0.02, 1.5, 2500, 1e-5, 3.231_985),
    (0.25, 3.0, 200, 1e-6, 6.280_363),
];

/// One Gaussian and one sampled Gaussian, by the formula and by the accountant.
fn closed_forms() -> Result<Check, AuditError> {
    let watch = Watch::start();
    let mut worst = 0.0f64;
    for (rate, noise) in [(1.0, 1.0), (1.0, 4.2), (0.01, 1.0), (0.3, 1.7)] {
        let pair = Pair {
            sampling_rate: rate,
            noise_multiplier: noise,
        };
        let event = sampled(rate, gaussian(noise));
        worst = worst.max(apart(
            &event,
            Adjacency::AddOrRemoveOne,
            DELTA,
            pair.epsilon(DELTA),
        )?);
    }
    // Replacing a unit moves a sum by twice as much.
    let replaced = Pair::gaussian(2.0).epsilon(DELTA);
    worst = worst.max(apart(
        &gaussian(4.0),
        Adjacency::ReplaceOne,
        DELTA,
        replaced,
    )?);
    Ok(agreement(
        "prices of single mechanisms against closed forms",
        worst,
        &watch,
    ))
}

/// Many mechanisms against one that is the same.
fn composition() -> Result<Check, AuditError> {
    let watch = Watch::start();
    let one = Pair::gaussian(5.0).epsilon(DELTA);
    let many = repeated(gaussian(50.0), 100);
    let mixed = DpEvent::Composed {
        events: vec![gaussian(50.0 / 6.0), repeated(gaussian(12.5), 4)],
    };
    // 36/2500 + 4·16/2500 = 1/25.
    let worst = apart(&many, Adjacency::AddOrRemoveOne, DELTA, one)?.max(apart(
        &mixed,
        Adjacency::AddOrRemoveOne,
        DELTA,
        one,
    )?);
    Ok(agreement(
        "prices of composed Gaussians against one Gaussian",
        worst,
        &watch,
    ))
}

/// DP-SGD runs against other people's programs.
fn figures(figures: &[(f64, f64, u32, f64, f64)]) -> Result<Check, AuditError> {
    let watch = Watch::start();
    let mut worst = 0.0f64;
    for &(rate, noise, steps, delta, epsilon) in figures {
        let event = repeated(sampled(rate, gaussian(noise)), steps);
        // Six digits are all that the figures have.
        worst = worst.max(apart(
            &event,
            Adjacency::AddOrRemoveOne,
            delta,
            epsilon - 1e-6,
        )?);
    }
    let name = format!(
        "prices of {} training runs against other programs",
        figures.len()
    );
    Ok(agreement(&name, worst, &watch))
}

/// Mechanisms are charged as what they are: rate, steps, sets and noise of the numbers that run.
fn charged_events() -> Result<Check, AuditError> {
    let watch = Watch::start();
    let noise = NoiseMultiplier::new(2.5).map_err(refused!())?;
    let rate = SamplingRate::at_most(0.125).map_err(refused!())?;
    let sgd = Mechanism::DpSgd(DpSgd {
        sampling_rate: rate,
        steps: StepCount::new(17).map_err(refused!())?,
        noise_multiplier: noise,
        clip_norm: ClipNorm::new(3.0).map_err(refused!())?,
    });
    let marginals = Mechanism::Marginals(Marginals {
        column_sets: vec![vec![0], vec![1], vec![0, 1]],
        noise_multiplier: noise,
    });
    let wrong = [
        (sgd, repeated(sampled(0.125, gaussian(2.5)), 17)),
        (marginals, repeated(gaussian(2.5), 3)),
    ]
    .into_iter()
    .filter(|(mechanism, event)| mechanism.event() != *event)
    .count();
    Ok(Check::compare(
        "events of mechanisms against their numbers",
        (wrong as f64, 0.0),
        0.0,
        "another rate, number of steps or noise is found for certain",
        &watch,
    ))
}

/// Calibrated noise is priced again, and is not much more than it need be.
fn calibration(with_training: bool) -> Result<Check, AuditError> {
    let watch = Watch::start();
    let delta = Delta::new(DELTA).map_err(refused!())?;
    let mut worst = 0.0f64;
    let runs: &[(f64, u32)] = if with_training {
        &[(1.0, 1), (0.05, 300)]
    } else {
        &[(1.0, 1)]
    };
    for &(rate, steps) in runs {
        for target in [0.5, 3.0] {
            let build =
                |noise: NoiseMultiplier| repeated(sampled(rate, gaussian(noise.value())), steps);
            let adjacency = Adjacency::AddOrRemoveOne;
            let epsilon = Epsilon::new(target).map_err(refused!())?;
            let noise = calibrate(build, adjacency, epsilon, delta).map_err(refused!())?;
            let reached = if steps == 1 {
                Pair {
                    sampling_rate: rate,
                    noise_multiplier: noise.value(),
                }
                .epsilon(DELTA)
            } else {
                price(&build(noise), adjacency, delta)
                    .map_err(refused!())?
                    .certified
                    .lower
            };
            let short = (target - reached) / target;
            worst = worst.max(if short < 0.0 { f64::INFINITY } else { short });
        }
    }
    Ok(Check::compare(
        "calibrated noise against its target",
        (worst, 5.0 * LOOSE),
        0.0,
        "noise whose exact price is above its target is found for certain",
        &watch,
    ))
}

/// What has no price must have none.
fn impossible_events() -> Check {
    let watch = Watch::start();
    let events = [
        DpEvent::NonPrivate,
        gaussian(0.0),
        gaussian(-1.0),
        gaussian(f64::NAN),
        sampled(1.5, gaussian(1.0)),
        sampled(f64::NAN, gaussian(1.0)),
        DpEvent::Composed {
            events: vec![gaussian(1.0), DpEvent::NonPrivate],
        },
    ];
    let priced = events
        .iter()
        .filter(|event| {
            Delta::new(DELTA)
                .is_ok_and(|delta| price(event, Adjacency::AddOrRemoveOne, delta).is_ok())
        })
        .count();
    let numbers = usize::from(Epsilon::new(-1.0).is_ok())
        + usize::from(Epsilon::new(0.0).is_ok())
        + usize::from(Epsilon::new(f64::NAN).is_ok())
        + usize::from(Delta::new(1.0).is_ok());
    Check::compare(
        "events and numbers that must have no price",
        ((priced + numbers) as f64, 0.0),
        0.0,
        "a price for no noise, or a budget below zero, is found for certain",
        &watch,
    )
}

/// How far the accountant's bounds are from an exact ε, in parts of what is allowed: above 1 where
/// the upper bound is too high, infinite where a bound is on the wrong side.
fn apart(event: &DpEvent, adjacency: Adjacency, delta: f64, exact: f64) -> Result<f64, AuditError> {
    let delta = Delta::new(delta).map_err(refused!())?;
    let price = price(event, adjacency, delta).map_err(refused!())?;
    // The closed forms themselves are good to nine digits.
    let slack = 2e-6 * exact;
    if price.certified.lower > exact + slack || price.epsilon() < exact - slack {
        return Ok(f64::INFINITY);
    }
    Ok((price.epsilon() - exact) / exact / LOOSE)
}

fn agreement(name: &str, worst: f64, watch: &Watch) -> Check {
    let mut check = Check::compare(
        name,
        (worst, 1.0),
        0.0,
        "an upper bound below the exact price is found for certain, one 0.2 per cent above it as well",
        watch,
    );
    if worst.is_infinite() {
        check.outcome = Outcome::Found;
    }
    check
}

fn gaussian(noise_multiplier: f64) -> DpEvent {
    DpEvent::Gaussian { noise_multiplier }
}

fn sampled(sampling_probability: f64, event: DpEvent) -> DpEvent {
    DpEvent::PoissonSampled {
        sampling_probability,
        event: Box::new(event),
    }
}

fn repeated(event: DpEvent, count: u32) -> DpEvent {
    DpEvent::SelfComposed {
        event: Box::new(event),
        count,
    }
}
