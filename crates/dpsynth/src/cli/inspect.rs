//! `dpsynth inspect`: what a model's latents are about.

use std::fmt::Write;

use dpsynth_table::{Cell, Coder};
use dpsynth_train::{Axis, Move};

use super::args::Inspect;
use super::error::CliError;
use super::print;
use super::release::open_model;
use crate::synthesise::{SynthesisError, engine};

/// Prints the axes of a released model, the columns that each moves, and where to.
pub(super) fn run(args: &Inspect) -> Result<(), CliError> {
    let (model, policy) = open_model(&args.model)?;
    let engine = engine(&model.0);
    let schema = policy
        .modelled_schema(engine)
        .map_err(SynthesisError::from)?;
    if schema.codes() != model.0.domain_sizes() {
        return Err(SynthesisError::PolicyMismatch.into());
    }
    let Some(axes) = model.0.axes(args.axes)? else {
        return Err(CliError::NoLatents {
            path: args.model.clone(),
            engine: engine.name(),
        });
    };
    let mut page = format!(
        "Latent axes of {} (engine `{}`), from the released model alone: it costs no budget.\n\
         An axis is a way in which synthetic rows differ; its ends are the tenths that lie furthest out.\n",
        args.model.display(),
        engine.name()
    );
    let columns: Vec<_> = schema.names().zip(schema.coders()).collect();
    for (number, axis) in axes.iter().enumerate() {
        // Writing to a string cannot fail.
        let _ = write_axis(&mut page, number + 1, axis, &columns);
    }
    if axes.is_empty() {
        page.push_str(
            "\nIts components do not differ: every column is independent of the others.\n",
        );
    }
    print(&page);
    Ok(())
}

fn write_axis(
    page: &mut String,
    number: usize,
    axis: &Axis,
    columns: &[(&str, &Coder)],
) -> std::fmt::Result {
    match axis.share {
        Some(share) => writeln!(
            page,
            "\naxis {number}: {:.0} % of what its components differ by",
            100.0 * share
        )?,
        None => writeln!(page, "\nlatent {number}")?,
    }
    let mut moved: Vec<_> = axis.columns.iter().zip(columns).collect();
    moved.sort_by(|a, b| b.0.distance.total_cmp(&a.0.distance));
    moved.retain(|(column, _)| column.distance >= LEAST_DISTANCE);
    if moved.is_empty() {
        return writeln!(page, "  moves no column by {LEAST_DISTANCE} or more");
    }
    writeln!(
        page,
        "  {:<22} {:>5}  {:<34} high end",
        "column", "moves", "low end"
    )?;
    for (column, (name, coder)) in moved.into_iter().take(MOST_COLUMNS) {
        let (low, high) = match coder.grid() {
            Some(_) => (
                quartiles(coder, &column.low),
                quartiles(coder, &column.high),
            ),
            None => categories(coder, column),
        };
        writeln!(
            page,
            "  {name:<22} {:>5.2}  {low:<34} {high}",
            column.distance
        )?;
    }
    Ok(())
}

/// The categories that become most frequent towards each end, with their shares there.
fn categories(coder: &Coder, column: &Move) -> (String, String) {
    let gain = |code: usize| column.high[code] - column.low[code];
    let codes = 0..column.low.len();
    let risen = codes.clone().max_by(|&a, &b| gain(a).total_cmp(&gain(b)));
    let fallen = codes.min_by(|&a, &b| gain(a).total_cmp(&gain(b)));
    let show = |code: Option<usize>, shares: &[f64]| {
        code.map_or_else(String::new, |code| {
            let text = value(coder, code);
            let short: String = text.chars().take(LONGEST_VALUE).collect();
            format!("{short} {:.0} %", 100.0 * shares[code])
        })
    };
    (show(fallen, &column.low), show(risen, &column.high))
}

/// The middle half of a numeric column, and how often it is missing.
fn quartiles(coder: &Coder, shares: &[f64]) -> String {
    let missing = coder
        .missing_code()
        .map_or(0.0, |code| shares[usize::from(code)]);
    let values = coder.grid().map_or(0, |grid| grid.cells() as usize);
    let present: f64 = shares[..values].iter().sum();
    let at = |quantile: f64| {
        let mut left = quantile * present;
        let code = shares[..values].iter().position(|share| {
            left -= share;
            left < 0.0
        });
        value(coder, code.unwrap_or(values.saturating_sub(1)))
    };
    if missing > 0.995 {
        return "missing".to_owned();
    }
    let (from, to) = (at(0.25), at(0.75));
    let middle = if from == to {
        from
    } else {
        format!("{from} to {to}")
    };
    if missing >= 0.005 {
        format!("{middle}, missing {:.0} %", 100.0 * missing)
    } else {
        middle
    }
}

/// A value in the middle of a code's cell.
fn value(coder: &Coder, code: usize) -> String {
    match coder.decode(code as u16, 0.5) {
        Cell::Text(text) => text.to_owned(),
        Cell::Integer(value) => value.to_string(),
        Cell::Float(value) => format!("{value}"),
        Cell::Date(days) => format!("day {days}"),
        Cell::Instant(instant) => instant.to_string(),
        Cell::Missing => "missing".to_owned(),
    }
}

/// Total variation distance between the ends from which on a column is shown.
const LEAST_DISTANCE: f64 = 0.1;
const MOST_COLUMNS: usize = 8;
const LONGEST_VALUE: usize = 26;
