//! The audits of the core: which checks each is made of.

use dpsynth_train::{Network, Vae, VaeShape};

use crate::attack::{Effort, attack};
use crate::error::AuditError;
use crate::independence::rows_are_independent;
use crate::outcome::{Audit, Check, Level};
use crate::probes::{
    MECHANISMS, generator_health, known_answers, ledger_arithmetic, noise_distribution,
    quick_known_answers, refusals, sampler, subjects,
};

/// The self test: seconds.
///
/// `seed` decides the secret bits of what is tested, and should come from the operating system.
///
/// # Errors
/// If the core refuses what it should allow.
pub fn self_test(seed: u64) -> Result<Audit, AuditError> {
    let mut checks = known_answers()?;
    checks.extend(noise_distribution(seed)?);
    checks.extend(sampler(0.2, 1000, seed)?);
    checks.extend(sampler(0.02, 2000, seed ^ 1)?);
    checks.extend(ledger_arithmetic(seed)?);
    checks.push(refusals(seed)?);
    checks.push(rows_of_the_autoencoder(seed)?);
    checks.push(generator_health());
    Ok(Audit::new(Level::SelfTest, checks))
}

/// The autoencoder, at sizes that are no multiples of what kernels like.
fn rows_of_the_autoencoder(seed: u64) -> Result<Check, AuditError> {
    let network = Network {
        domain_sizes: vec![3, 17, 40, 2],
        encoder_hidden: vec![37],
        decoder_hidden: vec![29, 64],
        latent: 5,
        kl_weight: 1.0,
        column_weights: vec![1.0; 4],
    };
    let sizes = network.domain_sizes.clone();
    let shape =
        VaeShape::new(network).map_err(|error| AuditError::refused(error.code(), &error))?;
    Ok(rows_are_independent::<Vae>(
        "autoencoder",
        &shape,
        &sizes,
        seed,
    ))
}

/// The part of [`self_test`] that every release runs before it charges: about a second.
///
/// # Errors
/// As for [`self_test`].
pub fn self_test_before_release(seed: u64) -> Result<Audit, AuditError> {
    let mut checks = quick_known_answers()?;
    checks.extend(noise_distribution(seed)?);
    checks.extend(sampler(0.2, 100, seed)?);
    checks.extend(ledger_arithmetic(seed)?);
    checks.push(refusals(seed)?);
    checks.push(generator_health());
    Ok(Audit::new(Level::SelfBeforeRelease, checks))
}

/// What the audit of mechanisms is to do.
#[derive(Clone, Debug, PartialEq)]
pub struct MechanismAudit {
    /// What each mechanism is made to cost.
    pub epsilon: f64,
    /// One of [`MECHANISMS`], or all of them.
    pub mechanism: Option<String>,
    /// Runs on either data set of mechanisms that take microseconds; others take a part of them.
    pub runs: usize,
    /// Decides the secret bits of all runs.
    pub seed: u64,
}

/// Attacks mechanisms on their worst neighbours.
///
/// # Errors
/// If no noise in range makes a mechanism cost the ε, or one refuses to run.
pub fn mechanisms(asked: &MechanismAudit) -> Result<Audit, AuditError> {
    let mut checks: Vec<Check> = Vec::new();
    for mechanism in MECHANISMS {
        if asked.mechanism.as_ref().is_some_and(|it| it != mechanism) {
            continue;
        }
        for subject in subjects(mechanism, asked.epsilon)? {
            let effort = Effort {
                runs: asked.runs,
                false_alarm: FALSE_ALARM,
                seed: asked.seed.wrapping_add(checks.len() as u64),
            };
            checks.push(attack(&*subject, effort)?);
        }
    }
    Ok(Audit::new(Level::Mechanism, checks))
}

/// Chance that the attack on one correct mechanism finds something.
pub const FALSE_ALARM: f64 = 1e-6;
