//! The ledger: what it adds up, what it refuses, and when it writes.

use std::fs;
use std::path::{Path, PathBuf};

use super::{DELTA, records, refused, unit_of};
use crate::error::AuditError;
use crate::outcome::{Check, Outcome, Watch};
use crate::privacy::ledger::{self, ChargeRequest, Digest, Ledger, LedgerTerms};
use crate::privacy::{
    Adjacency, Delta, Epsilon, Mechanism, NoiseMultiplier, Private, UnitCount, accountant,
};

/// Charges, refunds and spoils a ledger of its own in a temporary folder. Where that folder cannot be
/// made, the check is not run, and says so.
///
/// # Errors
/// If the core refuses what it should allow.
pub fn ledger_arithmetic(seed: u64) -> Result<Vec<Check>, AuditError> {
    let watch = Watch::start();
    let folder = match Folder::make(seed) {
        Ok(folder) => folder,
        Err(error) => {
            let mut check = Check::compare(
                format!("ledger: not run, no temporary folder ({error})"),
                (0.0, 0.0),
                0.0,
                "nothing: it was not run",
                &watch,
            );
            check.outcome = Outcome::NotRun;
            return Ok(vec![check]);
        }
    };
    let path = folder.0.join("audit.ledger.jsonl");
    Ok(vec![
        sums(&path)?,
        order(&folder.0.join("order.ledger.jsonl"))?,
        keys(&folder.0.join("keys.ledger.jsonl"))?,
        tampering(&path)?,
    ])
}

/// Sums, caps and refunds.
fn sums(path: &Path) -> Result<Check, AuditError> {
    let watch = Watch::start();
    let mut wrong = 0u32;
    let mut expect = |holds: bool| wrong += u32::from(!holds);
    let mut book = Ledger::open(path, &terms()?).map_err(refused!())?;
    let price = accountant::epsilon(
        &count(NOISE)?.event(),
        Adjacency::AddOrRemoveOne,
        Delta::new(DELTA).map_err(refused!())?,
    )
    .map_err(refused!())?;
    // The caps have room for three of these.
    for charges in 1..=3 {
        book.reserve(request(NOISE)?).map_err(refused!())?;
        let spent = book.summary();
        let exact = f64::from(charges) * price;
        expect(spent.spent_epsilon >= exact * (1.0 - 1e-12));
        expect(spent.spent_epsilon <= exact * (1.0 + 1e-9));
        expect(spent.spent_delta >= f64::from(charges) * DELTA * (1.0 - 1e-12));
        expect(spent.remaining_epsilon <= LIFETIME - exact * (1.0 - 1e-12));
    }
    expect(book.reserve(request(NOISE)?).is_err());
    // A charge that costs more than it asks for.
    expect(book.reserve(request(NOISE / 4.0)?).is_err());
    let before = book.summary();
    expect(before.charges.len() == 3);
    drop(book);
    expect(ledger::read(path).is_ok_and(|read| read == before));
    // Handed back unused, it counts for nothing; used, it stays.
    let mut wider = Ledger::open(&path.with_extension("refund"), &terms()?).map_err(refused!())?;
    let unused = wider.reserve(request(NOISE)?).map_err(refused!())?;
    expect(wider.refund(unused).is_ok() && wider.summary().spent_epsilon == 0.0);
    let mut used = wider.reserve(request(NOISE)?).map_err(refused!())?;
    drop(used.authorize::<UnitCount>().map_err(refused!())?);
    expect(wider.refund(used).is_err() && wider.summary().spent_epsilon >= price);
    Ok(certain(
        "ledger: sums, caps and refunds",
        wrong,
        "a charge that is forgotten, rounded down, or allowed beyond a cap is found for certain",
        &watch,
    ))
}

/// The charge is on disk before anything can be loaded.
fn order(path: &Path) -> Result<Check, AuditError> {
    let watch = Watch::start();
    let mut book = Ledger::open(path, &terms()?).map_err(refused!())?;
    let paid = book.reserve(request(NOISE)?).map_err(refused!())?;
    let seen = Private::load(&paid, path.to_owned(), charge_on_disk);
    Ok(certain(
        "ledger: the charge is on disk before the data is loaded",
        u32::from(seen.is_err()),
        "a ledger that is written afterwards is found for certain",
        &watch,
    ))
}

/// A loader that refuses unless the ledger at `path` holds a charge.
///
/// # Errors
/// If it holds none.
pub fn charge_on_disk(path: PathBuf) -> std::io::Result<()> {
    match ledger::read(&path) {
        Ok(summary) if !summary.charges.is_empty() => Ok(()),
        _ => Err(std::io::ErrorKind::NotFound.into()),
    }
}

/// Charges of the same mechanism must not have the same noise.
fn keys(path: &Path) -> Result<Check, AuditError> {
    let watch = Watch::start();
    let mut book = Ledger::open(path, &terms()?).map_err(refused!())?;
    let data = records(&unit_of(1), vec![1], &[])?;
    let mut seen = std::collections::BTreeSet::new();
    let mut repeated = 0;
    // So much noise that there is room for many charges, and equal draws are rare.
    for _ in 0..6 {
        let mut paid = book.reserve(request(MOST)?).map_err(refused!())?;
        let counted = paid.authorize::<UnitCount>().and_then(|it| it.count(&data));
        repeated += u32::from(!seen.insert(*counted.map_err(refused!())?));
    }
    // One pair meets once in 60,000 times, two in 10^9.
    let mut check = certain(
        "ledger: noise that two charges share",
        repeated.saturating_sub(1),
        "a fixed seed is found for certain",
        &watch,
    );
    check.false_alarm = 1e-9;
    Ok(check)
}

/// A file that was changed, cut inside or given a negative charge is refused.
fn tampering(path: &Path) -> Result<Check, AuditError> {
    const TAMPERED: &str = "ledger: files that were tampered with";
    const POWER: &str = "a changed, lost, moved or cut line is found for certain; an older file with all that lies beside it is not";
    let watch = Watch::start();
    let io = |error: std::io::Error| AuditError::TemporaryFolder { kind: error.kind() };
    let text = fs::read_to_string(path).map_err(io)?;
    let lines: Vec<&str> = text.lines().collect();
    let [open, first, second, third] = lines[..] else {
        return Ok(certain(TAMPERED, 1, POWER, &watch));
    };
    let spoiled = [
        text.replacen("\"epsilon_spent\":", "\"epsilon_spent\":-", 1),
        text.replacen("audit", "other", 1),
        [open, second, third, ""].join("\n"),
        [open, second, first, third, ""].join("\n"),
    ];
    let mut wrong = u32::from(ledger::parse(text.as_bytes()).is_err());
    for spoiled in &spoiled {
        wrong += u32::from(*spoiled == text || ledger::parse(spoiled.as_bytes()).is_ok());
    }
    // An older file: the checkpoint beside it knows better.
    fs::write(path, [open, first, second, ""].join("\n")).map_err(io)?;
    wrong += u32::from(ledger::read(path).is_ok());
    Ok(certain(TAMPERED, wrong, POWER, &watch))
}

fn certain(name: &str, wrong: u32, power: &str, watch: &Watch) -> Check {
    Check::compare(name, (f64::from(wrong), 0.0), 0.0, power, watch)
}

/// Noise of which three counts fit the caps, and four do not.
const NOISE: f64 = 10.0;
/// The largest noise multiplier there is.
const MOST: f64 = 262_144.0;
/// The cap on ε: three counts at that noise cost about 1.1.
const LIFETIME: f64 = 1.2;

fn terms() -> Result<LedgerTerms, AuditError> {
    Ok(LedgerTerms {
        dataset: "audit".to_owned(),
        unit: unit_of(1),
        adjacency: Adjacency::AddOrRemoveOne,
        lifetime_epsilon: Epsilon::new(LIFETIME).map_err(refused!())?,
        lifetime_delta: Delta::new(1e-3).map_err(refused!())?,
    })
}

fn request(noise: f64) -> Result<ChargeRequest, AuditError> {
    Ok(ChargeRequest {
        purpose: "audit".to_owned(),
        policy_sha256: Digest::of(b"audit"),
        mechanisms: vec![count(noise)?],
        epsilon: Epsilon::new(0.45).map_err(refused!())?,
        delta: Delta::new(DELTA).map_err(refused!())?,
    })
}

fn count(noise: f64) -> Result<Mechanism, AuditError> {
    Ok(Mechanism::UnitCount(UnitCount {
        noise_multiplier: NoiseMultiplier::new(noise).map_err(refused!())?,
    }))
}

/// A folder that is removed again.
struct Folder(PathBuf);

impl Folder {
    #[expect(
        clippy::disallowed_methods,
        reason = "the folder is made anew, under a name that nobody can guess, and holds nothing of anybody's"
    )]
    fn make(seed: u64) -> std::io::Result<Self> {
        let name = format!("dpsynth-audit-{}-{seed:016x}", std::process::id());
        let path = std::env::temp_dir().join(name);
        // Fails where it exists, so nobody else's folder is used.
        fs::create_dir(&path)?;
        Ok(Self(path))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // What cannot be removed holds nothing of anybody's.
        let _ = fs::remove_dir_all(&self.0);
    }
}
