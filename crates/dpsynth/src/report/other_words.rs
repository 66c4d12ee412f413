//! The readings of a price, as the plan and the report's page show them.

use std::fmt::Write;

use dpsynth_privacy::PrivacyUnit;

use super::PrivacySection;
use super::claim::epsilon_up;
use crate::readings::{OtherPrice, Readings};

/// Writes the section about the price in other words.
pub(super) fn write(
    page: &mut String,
    privacy: &PrivacySection,
    readings: &Readings,
) -> std::fmt::Result {
    writeln!(page, "### For others than the unit\n")?;
    writeln!(page, "{}\n", explanation(privacy))?;
    writeln!(
        page,
        "| protected | ε at δ = {:e} |\n|---|---|",
        privacy.delta
    )?;
    for other in &readings.other_units {
        writeln!(
            page,
            "| {} | {} |",
            other.whose.describe(),
            other.price.describe()
        )?;
    }
    writeln!(page, "\n### In other measures\n")?;
    writeln!(
        page,
        "The same protection of the unit, as other reports state it. The larger, the weaker.\n"
    )?;
    writeln!(page, "| | |\n|---|---|")?;
    writeln!(
        page,
        "| a test that accuses wrongly in 5 % of cases finds a unit in at most | {} % |",
        epsilon_up(100.0 * readings.largest_power_at_5_percent)
    )?;
    match readings.zero_concentrated_rho {
        Some(rho) => writeln!(
            page,
            "| ρ of zero-concentrated differential privacy | {} |",
            epsilon_up(rho)
        )?,
        None => writeln!(
            page,
            "| ρ of zero-concentrated differential privacy | none: some mechanism is sampled, or has a δ of its own, \
             and no ρ of use is known for those |"
        )?,
    }
    match readings.gaussian_dp_mu {
        Some(mean) => writeln!(
            page,
            "| μ of Gaussian differential privacy, for all δ at once: exact, because every mechanism adds Gaussian \
             noise and nothing is sampled | {} |\n",
            epsilon_up(mean)
        ),
        None => writeln!(
            page,
            "| μ of the Gaussian mechanism with the same ε at δ = {:e}; it restates that one pair, and is no claim of \
             Gaussian differential privacy | {} |\n",
            privacy.delta,
            epsilon_up(readings.gaussian_of_same_price_mu)
        ),
    }
}

/// What the figures mean, for a reader who knows no mathematics.
pub(super) fn explanation(privacy: &PrivacySection) -> &'static str {
    match &privacy.unit {
        PrivacyUnit::Row => {
            "The claim is about one row. Someone who has several rows in the table is protected less: for them the line \
             with at least as many rows counts. The larger ε, the weaker the protection. None of these figures \
             is the claim."
        }
        PrivacyUnit::User { .. } => {
            "The claim is about all rows of one person together, and that is the figure to go by. The figure for one row \
             is about less: that nobody can tell whether one row of a person is there, or what it says, for a reader who \
             knows everything else about the person. It does not add up to the claim, and it is none."
        }
    }
}

/// Returns the readings in the few lines that a plan has for them.
pub(crate) fn plan_lines(readings: &Readings) -> String {
    let mut text = format!(
        "A test that accuses wrongly in 5 % of cases finds a unit in at most {} % of them.\n",
        epsilon_up(100.0 * readings.largest_power_at_5_percent)
    );
    let rho = readings.zero_concentrated_rho.map_or_else(
        || "no rho of zero-concentrated privacy is known".to_owned(),
        |rho| format!("rho {} of zero-concentrated privacy", epsilon_up(rho)),
    );
    let mean = match readings.gaussian_dp_mu {
        Some(mean) => format!("mu {} of Gaussian privacy (exact)", epsilon_up(mean)),
        None => format!(
            "as much at this delta as a Gaussian of mu {} (no claim of Gaussian privacy)",
            epsilon_up(readings.gaussian_of_same_price_mu)
        ),
    };
    // Writing to a string cannot fail.
    let _ = writeln!(text, "In other measures: {rho}; {mean}.");
    let _ = writeln!(
        text,
        "\nFor others than the unit of the claim, at the same delta:"
    );
    for other in &readings.other_units {
        let price = match &other.price {
            OtherPrice::Epsilon(epsilon) => format!("epsilon {}", epsilon_up(*epsilon)),
            OtherPrice::NotAvailable(_) => other.price.describe(),
        };
        let _ = writeln!(text, "  {:<28} {price}", other.whose.describe());
    }
    text
}
