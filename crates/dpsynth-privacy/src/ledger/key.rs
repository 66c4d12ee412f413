//! The key that signs a ledger: ed25519 (RFC 8032), in a file that its owner alone can read.

use std::fmt;
use std::path::{Path, PathBuf};

use ed25519_dalek::Signer as _;
use zeroize::Zeroizing;

use super::digest::{Digest, from_hex, spelled_in_hex};
use super::error::LedgerError;
use super::file::{self, Access, beside};
use crate::random::fresh_key;

/// The public half of a ledger's key: 32 bytes, shown as 64 lower-case hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PublicKey([u8; 32]);

/// A short name of a public key for people: the first 8 bytes of its SHA-256, as 16 hexadecimal
/// digits. Programs compare whole keys.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyId([u8; 8]);

/// An ed25519 signature: 64 bytes, shown as 128 lower-case hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Signature([u8; 64]);

impl PublicKey {
    /// Returns the key that 64 lower-case hexadecimal digits spell.
    pub fn from_hex(text: &str) -> Option<PublicKey> {
        from_hex(text).map(PublicKey)
    }

    /// Returns the short name of the key.
    #[must_use]
    pub fn id(&self) -> KeyId {
        let mut id = [0; 8];
        id.copy_from_slice(&Digest::of(&self.0).bytes()[..8]);
        KeyId(id)
    }

    /// Says whether `signature` is that of this key over `message`.
    ///
    /// # Guarantee
    /// One message has one valid signature only by the holder of the key, as far as ed25519 is
    /// unforgeable; keys of small order and second spellings of a signature are refused.
    #[must_use]
    pub fn accepts(&self, message: &[u8], signature: &Signature) -> bool {
        ed25519_dalek::VerifyingKey::from_bytes(&self.0).is_ok_and(|key| {
            let signature = ed25519_dalek::Signature::from_bytes(&signature.0);
            key.verify_strict(message, &signature).is_ok()
        })
    }
}

impl Signature {
    /// Returns the signature that 128 lower-case hexadecimal digits spell.
    pub fn from_hex(text: &str) -> Option<Signature> {
        from_hex(text).map(Signature)
    }
}

spelled_in_hex!(PublicKey, "expected 64 lower-case hexadecimal digits");
spelled_in_hex!(KeyId, "expected 16 lower-case hexadecimal digits");
spelled_in_hex!(Signature, "expected 128 lower-case hexadecimal digits");

/// What a key signs. Each kind of statement starts with other bytes, so that none passes for
/// another; a manifest starts with a hexadecimal digit.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Statement<'a> {
    /// A line of the ledger, by its hash, which covers the line before.
    Line(Digest),
    /// How long the ledger is, and its last hash.
    Head {
        ledger: super::LedgerId,
        records: u64,
        head: Digest,
    },
    /// The list of a release's files, byte for byte, so that any ed25519 program can check it.
    Manifest(&'a [u8]),
}

impl Statement<'_> {
    fn bytes(self) -> Vec<u8> {
        match self {
            Statement::Line(hash) => format!("dpsynth ledger line {hash}").into_bytes(),
            Statement::Head {
                ledger,
                records,
                head,
            } => format!("dpsynth ledger head {ledger} {records} {head}").into_bytes(),
            Statement::Manifest(bytes) => bytes.to_vec(),
        }
    }

    /// Says whether `signature` is that of `key` over this statement.
    pub(crate) fn is_signed(self, key: &PublicKey, signature: &Signature) -> bool {
        key.accepts(&self.bytes(), signature)
    }
}

/// The secret half of a ledger's key. It cannot be cloned or printed, and is wiped when dropped.
pub(crate) struct LedgerKey(ed25519_dalek::SigningKey);

impl LedgerKey {
    /// Reads the key of the ledger at `ledger`, which signs as `public`.
    ///
    /// # Errors
    /// If there is none, others than its owner can read it, or it is the key of another ledger.
    pub(crate) fn load(ledger: &Path, public: &PublicKey) -> Result<LedgerKey, LedgerError> {
        let path = key_path(ledger);
        let Some(key) = LedgerKey::read(&path)? else {
            return Err(LedgerError::KeyMissing { path });
        };
        if key.public() == *public {
            Ok(key)
        } else {
            Err(LedgerError::KeyDiffers { path })
        }
    }

    /// Draws a key for a ledger that has none, and keeps it beside the ledger.
    ///
    /// A key that a crash left behind before the ledger had a first line is taken instead.
    pub(crate) fn make(ledger: &Path) -> Result<LedgerKey, LedgerError> {
        let path = key_path(ledger);
        if let Some(key) = LedgerKey::read(&path)? {
            return Ok(key);
        }
        let seed = fresh_key()?;
        let key = LedgerKey(ed25519_dalek::SigningKey::from_bytes(&seed));
        let mut text = Zeroizing::new(String::with_capacity(KEY_BYTES));
        for byte in seed.iter() {
            for digit in [byte >> 4, byte & 15] {
                // OK because a half byte is a hexadecimal digit.
                text.push(char::from_digit(u32::from(digit), 16).unwrap_or('0'));
            }
        }
        text.push('\n');
        file::put_whole(&path, text.as_bytes(), Access::Owner)?;
        Ok(key)
    }

    fn read(path: &Path) -> Result<Option<LedgerKey>, LedgerError> {
        let Some(bytes) = file::read_small(path, Access::Owner)? else {
            return Ok(None);
        };
        let bytes = Zeroizing::new(bytes);
        let seed = str::from_utf8(&bytes)
            .ok()
            .and_then(|text| text.strip_suffix('\n'))
            .and_then(from_hex)
            .map(Zeroizing::new);
        match seed {
            Some(seed) => Ok(Some(LedgerKey(ed25519_dalek::SigningKey::from_bytes(
                &seed,
            )))),
            None => Err(LedgerError::KeyDiffers {
                path: path.to_owned(),
            }),
        }
    }

    /// Makes a key that anyone can make.
    #[cfg(test)]
    pub(crate) fn from_seed(seed: [u8; 32]) -> LedgerKey {
        LedgerKey(ed25519_dalek::SigningKey::from_bytes(&seed))
    }

    pub(crate) fn public(&self) -> PublicKey {
        PublicKey(self.0.verifying_key().to_bytes())
    }

    pub(crate) fn sign(&self, statement: Statement<'_>) -> Signature {
        Signature(self.0.sign(&statement.bytes()).to_bytes())
    }
}

impl fmt::Debug for LedgerKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "LedgerKey({}, ..)", self.public().id())
    }
}

/// Whether the key beside a ledger is there and its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeyState {
    /// There is none; the ledger can be verified but not charged.
    Absent,
    /// It is the key that signs the ledger.
    Own,
    /// It cannot be used.
    Unusable {
        /// Why, with what to do.
        why: String,
    },
}

/// Says whether the key beside `ledger` is there and signs as `public`.
pub(crate) fn state(ledger: &Path, public: &PublicKey) -> KeyState {
    match LedgerKey::load(ledger, public) {
        Ok(_) => KeyState::Own,
        Err(LedgerError::KeyMissing { .. }) => KeyState::Absent,
        Err(error) => KeyState::Unusable {
            why: error.to_string(),
        },
    }
}

/// Where the secret key of the ledger at `ledger` is kept.
pub(crate) fn key_path(ledger: &Path) -> PathBuf {
    beside(ledger, ".key")
}

/// 64 hexadecimal digits and a line end.
const KEY_BYTES: usize = 65;

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 8032, section 7.1, test 2.
    #[test]
    fn the_signature_is_ed25519() {
        let seed = from_hex("4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb");
        let key = LedgerKey(ed25519_dalek::SigningKey::from_bytes(&seed.expect("hex")));
        assert_eq!(
            key.public().to_string(),
            "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c"
        );
        let signature = key.sign(Statement::Manifest(&[0x72]));
        assert_eq!(
            signature.to_string(),
            "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da\
             085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00"
        );
        assert!(Statement::Manifest(&[0x72]).is_signed(&key.public(), &signature));
        assert!(!Statement::Manifest(&[0x73]).is_signed(&key.public(), &signature));
    }

    #[test]
    fn one_kind_of_statement_never_passes_for_another() {
        let hash = Digest::of(b"a line");
        let line = Statement::Line(hash).bytes();
        let head = Statement::Head {
            ledger: super::super::LedgerId::draw().expect("entropy"),
            records: 1,
            head: hash,
        };
        assert_ne!(line, head.bytes());
        for bytes in [line, head.bytes()] {
            assert!(!bytes[0].is_ascii_hexdigit() || bytes.starts_with(b"dpsynth ledger "));
            let digits = bytes.iter().take_while(|byte| byte.is_ascii_hexdigit());
            assert!(digits.count() < 64, "a manifest starts with a SHA-256");
        }
    }

    #[test]
    fn a_key_prints_its_name_only() {
        let key = LedgerKey(ed25519_dalek::SigningKey::from_bytes(&[7; 32]));
        let shown = format!("{key:?}");
        assert!(!shown.contains("0707"), "{shown}");
        assert!(shown.contains(&key.public().id().to_string()));
    }
}
