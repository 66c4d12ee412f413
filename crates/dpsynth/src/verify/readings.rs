//! Whether a report's readings state at least what is computed again.

use dpsynth_privacy::accountant::{self, AccountingError, Price};

use super::covers;
use crate::readings::{OtherPrice, Question, Readings, TEST_LEVEL, Whose};

/// Checks every reading of the event whose price is `price`.
///
/// What is computed again is the least that an honest report can state: no true figure is below
/// the one that the certified lower bound gives.
pub(super) fn check(stated: &Readings, question: Question<'_>, price: Price) -> Result<(), String> {
    in_other_measures(stated, question, price)?;
    let expected = Whose::all(question.unit);
    if !stated.other_units.iter().map(|it| it.whose).eq(expected) {
        return Err("other units are left out, or added, in the report".to_owned());
    }
    for other in &stated.other_units {
        let whose = other.whose.describe();
        match (question.price(other.whose).map_err(text)?, &other.price) {
            (Ok(price), OtherPrice::Epsilon(epsilon)) => {
                if !covers(Some(*epsilon), price.certified.lower) {
                    return Err(format!("the price for {whose} is more than stated"));
                }
            }
            (Err(_), OtherPrice::NotAvailable(_)) => {}
            (Ok(_), OtherPrice::NotAvailable(_)) => {
                return Err(format!("there is a price for {whose}, which is withheld"));
            }
            (Err(why), OtherPrice::Epsilon(_)) => {
                return Err(format!("a price for {whose} is stated, but {why}"));
            }
        }
    }
    Ok(())
}

fn in_other_measures(
    stated: &Readings,
    question: Question<'_>,
    price: Price,
) -> Result<(), String> {
    let Question {
        event,
        adjacency,
        delta,
        ..
    } = question;
    let agrees = |stated: Option<f64>, told: Option<f64>| match told {
        Some(told) => covers(stated, told),
        None => stated.is_none(),
    };
    let rho = accountant::zero_concentrated(event, adjacency).map_err(text)?;
    if !agrees(stated.zero_concentrated_rho, rho) {
        return Err("rho is less than the mechanisms have, or known where none is".to_owned());
    }
    let mean = accountant::gaussian_dp(event, adjacency).map_err(text)?;
    if !agrees(stated.gaussian_dp_mu, mean) {
        return Err(
            "mu of Gaussian differential privacy is less than the mechanisms have, or known where \
             none is"
                .to_owned(),
        );
    }
    let least = accountant::gaussian_of_epsilon(price.certified.lower, delta).map_err(text)?;
    if !covers(Some(stated.gaussian_of_same_price_mu), least) {
        return Err("the Gaussian mechanism of the same price has a larger mu".to_owned());
    }
    let power = accountant::largest_power(event, adjacency, TEST_LEVEL).map_err(text)?;
    if !covers(Some(stated.largest_power_at_5_percent), power.lower) {
        return Err("a test may have more power than is stated".to_owned());
    }
    Ok(())
}

fn text(error: AccountingError) -> String {
    error.to_string()
}

#[cfg(test)]
mod tests;
