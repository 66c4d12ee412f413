//! The two kinds of randomness: secret draws that protect people, and public ones that do not.

mod health;
mod public;
mod secret;
mod words;

pub use health::RandomnessError;
pub use public::PublicRng;
pub(crate) use secret::{Purpose, SecretKey, SecretRng, fresh_key};
pub(crate) use words::{FetchedWords, Words};

/// Draws a key as a charge does, after the same checks, and wipes it.
///
/// # Errors
/// If the cipher is not the one of RFC 8439, or the operating system gives no random bits or repeats
/// itself.
pub fn check_randomness() -> Result<(), RandomnessError> {
    SecretKey::from_os().map(drop)
}
