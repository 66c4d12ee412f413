//! The claim in one sentence, generated and never typed.

use dpsynth_privacy::{Adjacency, PrivacyUnit};

/// States the claim: ε, δ, whose participation, which neighbours, which model.
///
/// `epsilon` is written rounded up to four decimals, so that the sentence never claims more than
/// was computed.
#[must_use]
pub fn claim(
    dataset: &str,
    epsilon: f64,
    delta: f64,
    unit: &PrivacyUnit,
    adjacency: Adjacency,
) -> String {
    let whose = match unit {
        PrivacyUnit::Row => "one row".to_owned(),
        PrivacyUnit::User { column, max_rows } => {
            format!("all rows of one value of `{column}`, of which at most {max_rows} were used")
        }
    };
    let how = match adjacency {
        Adjacency::AddOrRemoveOne => "adding or removing",
        Adjacency::ReplaceOne => "replacing",
    };
    format!(
        "everything in this release is ({}, {delta:e})-differentially private for `{dataset}` with \
         respect to {how} {whose}, in the central model",
        epsilon_up(epsilon)
    )
}

/// Writes an ε with four decimals, rounded up.
#[must_use]
pub(crate) fn epsilon_up(epsilon: f64) -> String {
    // Up: the text must not claim less than was spent. The first rounding may land just below.
    let mut shown = (epsilon * 10_000.0).ceil() / 10_000.0;
    if shown < epsilon {
        shown += 0.0001;
    }
    format!("{shown:.4}")
}

/// Writes what remains of an ε with four decimals, rounded down.
#[must_use]
pub(crate) fn epsilon_down(epsilon: f64) -> String {
    // Down: what remains must not be overstated.
    let mut shown = (epsilon * 10_000.0).floor() / 10_000.0;
    if shown > epsilon {
        shown -= 0.0001;
    }
    format!("{:.4}", shown.max(0.0))
}

/// Writes a δ in powers of ten, and nothing spent as a plain zero.
#[must_use]
pub(crate) fn delta_text(delta: f64) -> String {
    if delta == 0.0 {
        "0".to_owned()
    } else {
        format!("{delta:e}")
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_delta_of_nothing_is_a_plain_zero() {
        assert_eq!(delta_text(0.0), "0");
        assert_eq!(delta_text(1e-6), "1e-6");
    }

    proptest! {
        #[test]
        fn figures_round_away_from_comfort(epsilon in 0.0f64..1e5) {
            prop_assert!(epsilon_up(epsilon).parse::<f64>().unwrap() >= epsilon);
            prop_assert!(epsilon_down(epsilon).parse::<f64>().unwrap() <= epsilon);
        }
    }

    #[test]
    fn the_claim_names_everything_that_matters() {
        let text = claim(
            "adult",
            2.999_96,
            1e-6,
            &PrivacyUnit::Row,
            Adjacency::AddOrRemoveOne,
        );
        assert_eq!(
            text,
            "everything in this release is (3.0000, 1e-6)-differentially private for `adult` with \
             respect to adding or removing one row, in the central model"
        );
    }
}
