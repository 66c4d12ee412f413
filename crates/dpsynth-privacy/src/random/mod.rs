//! The two kinds of randomness: secret draws that protect people, and public ones that do not.

mod health;
mod public;
mod secret;
mod words;

pub use health::RandomnessError;
pub use public::PublicRng;
pub(crate) use secret::{Purpose, SecretKey, SecretRng, fresh_key};
pub(crate) use words::{FetchedWords, Words};
