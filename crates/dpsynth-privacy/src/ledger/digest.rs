//! Hashes and identifiers, written as lower-case hexadecimal.

use sha2::{Digest as _, Sha256};

use super::error::LedgerError;
use crate::random::RandomnessError;

/// A SHA-256 hash, shown as 64 lower-case hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digest([u8; 32]);

impl Digest {
    /// What the first record of a ledger names as its predecessor.
    pub(crate) const NONE: Digest = Digest([0; 32]);

    /// Returns the hash of `bytes`.
    pub fn of(bytes: &[u8]) -> Digest {
        Digest(Sha256::digest(bytes).into())
    }

    pub(crate) fn bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// Returns the hash that 64 lower-case hexadecimal digits name.
    pub fn from_hex(text: &str) -> Option<Digest> {
        from_hex(text).map(Digest)
    }
}

/// The name of one charge: 128 random bits, so that a receipt never fits another ledger.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ChargeId([u8; 16]);

/// The name of one ledger: 128 random bits, so that no line fits another ledger's chain.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LedgerId([u8; 16]);

impl ChargeId {
    /// Draws a new name from the operating system.
    pub(crate) fn draw() -> Result<ChargeId, LedgerError> {
        drawn().map(ChargeId)
    }

    /// Returns the name that 32 lower-case hexadecimal digits spell.
    pub fn from_hex(text: &str) -> Option<ChargeId> {
        from_hex(text).map(ChargeId)
    }
}

impl LedgerId {
    /// Draws a new name from the operating system.
    pub(crate) fn draw() -> Result<LedgerId, LedgerError> {
        drawn().map(LedgerId)
    }
}

fn drawn() -> Result<[u8; 16], LedgerError> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).map_err(RandomnessError::Refused)?;
    Ok(bytes)
}

/// Returns the bytes that `2 * N` lower-case hexadecimal digits spell.
pub(super) fn from_hex<const N: usize>(text: &str) -> Option<[u8; N]> {
    if text.len() != 2 * N {
        return None;
    }
    let mut bytes = [0; N];
    for (byte, pair) in bytes.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
        *byte = 16 * hex_digit(pair[0])? + hex_digit(pair[1])?;
    }
    Some(bytes)
}

/// Upper case is refused so that a value has one spelling only.
fn hex_digit(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        _ => None,
    }
}

/// Gives a byte newtype its one spelling everywhere: messages, debug output and JSON.
macro_rules! spelled_in_hex {
    ($type:ident, $wanted:literal) => {
        impl std::fmt::Display for $type {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
            }
        }

        impl std::fmt::Debug for $type {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                write!(f, "{}({self})", stringify!($type))
            }
        }

        impl serde::Serialize for $type {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> serde::Deserialize<'de> for $type {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = <String as serde::Deserialize>::deserialize(deserializer)?;
                $crate::ledger::digest::from_hex(&text)
                    .map($type)
                    .ok_or_else(|| serde::de::Error::custom($wanted))
            }
        }
    };
}
pub(super) use spelled_in_hex;

spelled_in_hex!(Digest, "expected 64 lower-case hexadecimal digits");
spelled_in_hex!(ChargeId, "expected 32 lower-case hexadecimal digits");
spelled_in_hex!(LedgerId, "expected 32 lower-case hexadecimal digits");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_is_sha_256() {
        // FIPS 180-4, example for the message "abc".
        let expected = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(Digest::of(b"abc").to_string(), expected);
        assert_eq!(Digest::from_hex(expected), Some(Digest::of(b"abc")));
    }

    #[test]
    fn a_hash_has_one_spelling() {
        let text = Digest::of(b"").to_string();
        for wrong in [
            text.to_uppercase(),
            text[1..].to_owned(),
            format!("{text}0"),
            "é".repeat(32),
        ] {
            assert_eq!(Digest::from_hex(&wrong), None, "{wrong}");
        }
    }

    #[test]
    fn charges_get_different_names() {
        let (a, b) = (ChargeId::draw(), ChargeId::draw());
        assert_ne!(a.expect("entropy"), b.expect("entropy"));
    }
}
