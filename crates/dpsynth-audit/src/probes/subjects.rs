//! Every mechanism of the core on its worst neighbours, with the noise that an ε asks for.

use super::{
    Canary, CappedCounts, Categories, ChosenCounts, Counts, Crowd, DELTA, GradientStep,
    LaplaceTable, Median, MostFrequent, SummedDistances, UnitCounts, refused,
};
use crate::attack::Subject;
use crate::error::AuditError;
use crate::privacy::{
    Adjacency, Delta, DpEvent, Epsilon, NoiseMultiplier, SamplingRate, accountant::calibrate,
};

/// Mechanisms by the names that the ledger has for them.
pub const MECHANISMS: [&str; 9] = [
    "unit_count",
    "marginals",
    "chosen_marginals",
    "distances",
    "dp_sgd",
    "laplace_counts",
    "open_categories",
    "quantiles",
    "top_cells",
];

/// The attacks on `mechanism`, one of [`MECHANISMS`], each priced at `epsilon`.
///
/// # Errors
/// If no noise within range makes a mechanism cost `epsilon`.
pub fn subjects(mechanism: &str, epsilon: f64) -> Result<Vec<Box<dyn Subject>>, AuditError> {
    Ok(match mechanism {
        "unit_count" => vec![Box::new(UnitCounts {
            noise_multiplier: noise(1.0, 1, epsilon)?,
        })],
        "marginals" => {
            let noise_multiplier = noise(1.0, 2, epsilon)?;
            vec![
                Box::new(Counts {
                    noise_multiplier,
                    max_rows: 1,
                }),
                Box::new(Counts {
                    noise_multiplier,
                    max_rows: 4,
                }),
                Box::new(CappedCounts {
                    noise_multiplier,
                    max_rows: 2,
                }),
            ]
        }
        "chosen_marginals" => {
            let noise_multiplier = noise(1.0, 1, epsilon)?;
            vec![
                Box::new(ChosenCounts {
                    noise_multiplier,
                    max_rows: 1,
                }),
                Box::new(ChosenCounts {
                    noise_multiplier,
                    max_rows: 3,
                }),
            ]
        }
        "distances" => {
            let noise_multiplier = noise(1.0, 2, epsilon)?;
            vec![
                Box::new(SummedDistances {
                    noise_multiplier,
                    max_rows: 1,
                }),
                Box::new(SummedDistances {
                    noise_multiplier,
                    max_rows: 3,
                }),
            ]
        }
        "dp_sgd" => gradient_steps(epsilon)?,
        "laplace_counts" => vec![Box::new(LaplaceTable { epsilon })],
        "open_categories" => vec![Box::new(Categories { epsilon })],
        "quantiles" => vec![Box::new(Median { epsilon })],
        "top_cells" => vec![Box::new(MostFrequent { epsilon })],
        _ => Vec::new(),
    })
}

fn gradient_steps(epsilon: f64) -> Result<Vec<Box<dyn Subject>>, AuditError> {
    let crowd: Box<dyn Subject> = Box::new(Crowd {
        sampling_rate: 0.2,
        noise_multiplier: noise(0.2, 1, epsilon)?,
    });
    std::iter::once(Ok(crowd))
        .chain(Canary::ALL.into_iter().map(|canary| {
            let sampling_rate = match canary {
                Canary::Alone => 0.5,
                _ => 1.0,
            };
            let subject: Box<dyn Subject> = Box::new(GradientStep {
                sampling_rate,
                noise_multiplier: noise(sampling_rate, 1, epsilon)?,
                canary,
            });
            Ok(subject)
        }))
        .collect()
}

/// The noise at which `count` sampled Gaussians cost `epsilon`.
fn noise(sampling_rate: f64, count: u32, epsilon: f64) -> Result<f64, AuditError> {
    let rate = SamplingRate::at_most(sampling_rate).map_err(refused!())?;
    let build = |noise: NoiseMultiplier| DpEvent::SelfComposed {
        event: Box::new(DpEvent::PoissonSampled {
            sampling_probability: rate.value(),
            event: Box::new(DpEvent::Gaussian {
                noise_multiplier: noise.value(),
            }),
        }),
        count,
    };
    let epsilon = Epsilon::new(epsilon).map_err(refused!())?;
    let delta = Delta::new(DELTA).map_err(refused!())?;
    calibrate(build, Adjacency::AddOrRemoveOne, epsilon, delta)
        .map(|noise| noise.value())
        .map_err(refused!())
}
