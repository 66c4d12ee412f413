//! `dpsynth ledger show` and `dpsynth ledger adopt`.

use std::fmt::Write;
use std::path::Path;

use dpsynth_privacy::ledger::{self, ChargeLine, LedgerSummary};

use super::error::CliError;
use super::{Shown, print, print_json};
use crate::report::{delta_text, epsilon_down, epsilon_up};

/// Prints what a ledger says.
pub(super) fn ledger(path: &Path, shown: Shown) -> Result<(), CliError> {
    let summary = ledger::read(path)?;
    match shown {
        Shown::Text => print(&describe(&summary)),
        Shown::Json => print_json(&summary),
    }
    Ok(())
}

/// Vouches for a ledger as it stands.
pub(super) fn adopt(path: &Path) -> Result<(), CliError> {
    let summary = ledger::adopt(path)?;
    print(&describe(&summary));
    print("\nThe ledger is vouched for as it stands above, and can be charged.\n");
    Ok(())
}

fn describe(summary: &LedgerSummary) -> String {
    let mut text = String::new();
    // Writing to a string cannot fail.
    let _ = writeln!(text, "Ledger of the {}\n", summary.subject);
    let _ = writeln!(
        text,
        "  epsilon   {} spent of {}, {} remains",
        epsilon_up(summary.spent_epsilon),
        summary.lifetime_epsilon.value(),
        epsilon_down(summary.remaining_epsilon)
    );
    let _ = writeln!(
        text,
        "  delta     {} spent of {}, {} remains\n",
        delta_text(summary.spent_delta),
        delta_text(summary.lifetime_delta.value()),
        delta_text(summary.remaining_delta)
    );
    let _ = writeln!(
        text,
        "  {:>6}  {:<20}  {:>10}  {:>8}  {:<18}  {:<32}  what became of it",
        "record", "time (UTC)", "epsilon", "delta", "for", "charge"
    );
    let mut unused = false;
    for line in &summary.charges {
        let time = chrono::DateTime::from_timestamp(line.at, 0).map_or_else(
            || line.at.to_string(),
            |time| time.format("%Y-%m-%d %H:%M:%S").to_string(),
        );
        unused |= line.refunded_at.is_none() && line.release.is_none();
        let _ = writeln!(
            text,
            "  {:>6}  {time:<20}  {:>10}  {:>8e}  {:<18}  {}  {}",
            line.sequence,
            epsilon_up(line.epsilon_spent),
            line.delta_asked.value(),
            line.purpose,
            line.id,
            state(line)
        );
    }
    if unused {
        let _ = writeln!(
            text,
            "\n  A charge without a release runs at this moment, or its run failed or crashed, or it was made before\n  \
             releases were recorded: it counts in full for ever."
        );
    }
    let key = match summary.public_key {
        Some(key) => format!("{} ({key})", key.id()),
        None => "none: the ledger is from before signatures; see `dpsynth ledger adopt --help`"
            .to_owned(),
    };
    let _ = writeln!(text, "\n  key       {key}");
    let _ = writeln!(text, "  last hash {}", summary.head_hash);
    text
}

/// Says what became of a charge.
fn state(line: &ChargeLine) -> String {
    let of = line
        .dataset
        .as_ref()
        .map_or(String::new(), |name| format!("`{name}`, "));
    match (line.refunded_at, &line.release) {
        (Some(_), _) => format!("{of}handed back unused: counts for nothing"),
        (None, Some(release)) => {
            let manifest = release.manifest_sha256.to_string();
            let what = if line.purpose == "release" {
                "release"
            } else {
                "folder"
            };
            format!("{of}{what} with manifest {}", &manifest[..16])
        }
        (None, None) => format!("{of}no release: counts in full"),
    }
}
