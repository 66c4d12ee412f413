//! Tests of the ledger as a whole, on files.

mod charging;
mod durability;
mod opendp;
mod signing;
mod tampering;
mod universe;

use std::path::{Path, PathBuf};

use tempfile::TempDir;

use super::{ChargeReceipt, ChargeRequest, Digest, Ledger, LedgerError, LedgerTerms};
use crate::accountant;
use crate::mechanism::{Mechanism, UnitCount};
use crate::numbers::{Delta, Epsilon, NoiseMultiplier};
use crate::unit::{Adjacency, PrivacyUnit};

/// A folder with room for one ledger.
struct Place {
    folder: TempDir,
}

impl Place {
    fn new() -> Place {
        Place {
            folder: tempfile::tempdir().expect("a temporary folder"),
        }
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("demo.ledger.jsonl")
    }

    fn open(&self) -> Ledger {
        Ledger::open(&self.path(), &terms()).expect("a sound ledger")
    }

    fn refused(&self, terms: &LedgerTerms) -> LedgerError {
        Ledger::open(&self.path(), terms).expect_err("terms that do not fit")
    }

    fn bytes(&self) -> Vec<u8> {
        std::fs::read(self.path()).expect("the ledger's bytes")
    }

    fn put(&self, bytes: &[u8]) {
        std::fs::write(self.path(), bytes).expect("a writable ledger");
    }

    fn files(&self) -> usize {
        std::fs::read_dir(self.folder.path())
            .expect("the folder")
            .count()
    }

    fn beside(&self, ending: &str) -> PathBuf {
        let mut name = self.path().into_os_string();
        name.push(ending);
        name.into()
    }

    /// Returns the checkpoint, to put it back later.
    fn checkpoint(&self) -> Vec<u8> {
        std::fs::read(self.beside(".head")).expect("a checkpoint")
    }

    fn put_checkpoint(&self, bytes: &[u8]) {
        std::fs::write(self.beside(".head"), bytes).expect("a writable checkpoint");
    }
}

fn epsilon(number: f64) -> Epsilon {
    Epsilon::new(number).expect("an epsilon")
}

fn delta(number: f64) -> Delta {
    Delta::new(number).expect("a delta")
}

fn terms() -> LedgerTerms {
    LedgerTerms {
        dataset: "demo".to_owned(),
        unit: PrivacyUnit::Row,
        adjacency: Adjacency::AddOrRemoveOne,
        lifetime_epsilon: epsilon(10.0),
        lifetime_delta: delta(1e-5),
    }
}

fn count() -> Mechanism {
    let noise_multiplier = NoiseMultiplier::new(20.0).expect("a noise multiplier");
    Mechanism::UnitCount(UnitCount { noise_multiplier })
}

fn request() -> ChargeRequest {
    ChargeRequest {
        purpose: "release".to_owned(),
        policy_sha256: Digest::of(b"version = 1"),
        mechanisms: vec![count(), count()],
        epsilon: epsilon(1.0),
        delta: delta(1e-6),
    }
}

/// What the accountant asks for [`request`].
fn price() -> f64 {
    let event = super::composed(&request().mechanisms);
    accountant::epsilon(&event, terms().adjacency, request().delta).expect("a price")
}

fn charge(ledger: &mut Ledger) -> ChargeReceipt {
    ledger
        .record_charge(request())
        .expect("a charge within the caps")
}

fn read(path: &Path) -> super::LedgerSummary {
    super::read(path).expect("a sound ledger")
}
