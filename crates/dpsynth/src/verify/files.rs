//! The files of a release: their hashes, and the signature over the list of them.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use dpsynth_privacy::ledger::{PublicKey, Signature};

use super::Check;
use super::stated::Told;
use crate::folder::{MANIFEST, SIGNATURE, manifest};

/// Checks that every file of a release is the one that its manifest lists, that there is no other,
/// and that the manifest was signed with the key that the report names.
///
/// # Guarantee
/// Where both checks pass, no byte of any file was changed since the holder of that key signed,
/// nor a file added or taken away; a property test changes bytes at random. That the key is the
/// custodian's, the folder alone cannot show: somebody else's folder is whole as well.
#[must_use]
pub fn verify_files(folder: &Path) -> Vec<Check> {
    vec![
        Check::of(
            "every file is the one that the manifest lists",
            files(folder),
        ),
        Check::of(
            "the manifest is signed with the key that the report names",
            signed(folder),
        ),
    ]
}

fn files(folder: &Path) -> Result<(), String> {
    let listed = read_text(folder, MANIFEST)?;
    let found = manifest(folder).map_err(|error| format!("it cannot be read: {error}"))?;
    if listed == found {
        return Ok(());
    }
    let (before, now): (BTreeSet<&str>, BTreeSet<&str>) =
        (listed.lines().collect(), found.lines().collect());
    let differing: BTreeSet<&str> = (before.symmetric_difference(&now))
        .filter_map(|line| line.split_once("  ").map(|(_, name)| name))
        .collect();
    let differing: Vec<&str> = match differing.is_empty() {
        // All lines are there, but not as they were written.
        true => vec![MANIFEST],
        false => differing.into_iter().collect(),
    };
    Err(format!(
        "changed, missing or added: {}",
        differing.join(", ")
    ))
}

fn signed(folder: &Path) -> Result<(), String> {
    let told = Told::read(folder)?;
    let section = told.stated().ledger;
    let section = section.ok_or("nothing was charged, so nobody signed")?;
    let key = PublicKey::from_hex(&section.public_key).ok_or("the report names no key")?;
    let manifest = read_text(folder, MANIFEST)?;
    let text = read_text(folder, SIGNATURE)?;
    let signature = (text.strip_suffix('\n'))
        .and_then(Signature::from_hex)
        .ok_or_else(|| format!("{SIGNATURE} holds no signature"))?;
    if key.accepts(manifest.as_bytes(), &signature) {
        Ok(())
    } else {
        Err("the signature is not that of this key over this manifest".to_owned())
    }
}

pub(super) fn read_text(folder: &Path, name: &str) -> Result<String, String> {
    fs::read_to_string(folder.join(name)).map_err(|error| format!("{name} cannot be read: {error}"))
}
