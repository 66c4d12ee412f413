//! Identifiers that are made up: how they are written, and which ones there are.

use std::fmt;

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// How identifiers of one column are written: `#` is a digit, `@` a letter from `A` to `Z`, `\` makes
/// the sign after it stand for itself, and so does every other sign.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct IdFormat {
    text: String,
    places: Vec<Place>,
    room: u64,
}

/// One sign of an identifier.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    Digit,
    Letter,
    Fixed(char),
}

impl Place {
    /// How many signs can stand here.
    fn choices(self) -> u64 {
        match self {
            Self::Digit => 10,
            Self::Letter => 26,
            Self::Fixed(_) => 1,
        }
    }

    /// The sign of a choice below [`choices`](Self::choices).
    fn sign(self, choice: u64) -> char {
        // OK because a choice is below 26.
        let after = |first: u8| char::from(first + choice as u8);
        match self {
            Self::Digit => after(b'0'),
            Self::Letter => after(b'A'),
            Self::Fixed(sign) => sign,
        }
    }

    fn fits(self, sign: char) -> bool {
        match self {
            Self::Digit => sign.is_ascii_digit(),
            Self::Letter => sign.is_ascii_uppercase(),
            Self::Fixed(own) => sign == own,
        }
    }
}

/// A format in which nothing varies, or that ends in the middle.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error(
    "an identifier's format needs a `#` for a digit or a `@` for a letter, and at most 64 signs; write \
     one such as `P-######`"
)]
pub struct IdFormatError;

/// The most signs of an identifier.
const LONGEST: usize = 64;

impl IdFormat {
    /// Reads a format.
    ///
    /// # Errors
    /// When nothing varies in it, it has more than 64 signs, one of them a line end, or it ends in
    /// a single `\`.
    pub fn new(text: &str) -> Result<Self, IdFormatError> {
        let mut places = Vec::new();
        let mut signs = text.chars();
        while let Some(sign) = signs.next() {
            places.push(match sign {
                '#' => Place::Digit,
                '@' => Place::Letter,
                '\\' => Place::Fixed(signs.next().ok_or(IdFormatError)?),
                other => Place::Fixed(other),
            });
        }
        let room = places
            .iter()
            .fold(1u64, |room, place| room.saturating_mul(place.choices()));
        let line_end = |place: &Place| matches!(place, Place::Fixed('\r' | '\n'));
        if room < 2 || places.len() > LONGEST || places.iter().any(line_end) {
            return Err(IdFormatError);
        }
        Ok(Self {
            text: text.to_owned(),
            places,
            room,
        })
    }

    /// How many identifiers there are, or as many as 64 bits count.
    #[must_use]
    pub fn room(&self) -> u64 {
        self.room
    }

    /// Writes the identifier with that number, below [`room`](Self::room); others count from the
    /// start again.
    #[must_use]
    pub fn write(&self, number: u64) -> String {
        let mut rest = number;
        let mut signs = vec!['0'; self.places.len()];
        for (sign, place) in signs.iter_mut().zip(&self.places).rev() {
            *sign = place.sign(rest % place.choices());
            rest /= place.choices();
        }
        signs.into_iter().collect()
    }

    /// Whether a text is such an identifier.
    #[must_use]
    pub fn matches(&self, text: &str) -> bool {
        let mut signs = text.chars();
        let fits = (self.places.iter()).all(|place| signs.next().is_some_and(|it| place.fits(it)));
        fits && signs.next().is_none()
    }
}

impl fmt::Display for IdFormat {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        to.write_str(&self.text)
    }
}

impl fmt::Debug for IdFormat {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(to, "IdFormat({:?})", self.text)
    }
}

impl TryFrom<String> for IdFormat {
    type Error = IdFormatError;

    fn try_from(text: String) -> Result<Self, IdFormatError> {
        Self::new(&text)
    }
}

impl From<IdFormat> for String {
    fn from(format: IdFormat) -> Self {
        format.text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identifiers_are_written_and_known_again() {
        let format = IdFormat::new("P@-##\\#").unwrap();
        assert_eq!(format.room(), 2600);
        assert_eq!(format.write(0), "PA-00#");
        assert_eq!(format.write(2599), "PZ-99#");
        let all: std::collections::BTreeSet<String> = (0..2600).map(|n| format.write(n)).collect();
        assert_eq!(all.len(), 2600, "each number has an identifier of its own");
        assert!(all.iter().all(|text| format.matches(text)));
        for other in ["", "PA-00", "PA-00##", "pA-00#", "PA-0x#", "Pä-00#"] {
            assert!(!format.matches(other), "{other}");
        }
    }

    #[test]
    fn formats_that_name_one_thing_are_refused() {
        for text in ["", "P", "\\#", "P-##\\", "##\n", &"#".repeat(65)] {
            assert_eq!(IdFormat::new(text), Err(IdFormatError), "{text:?}");
        }
        assert_eq!(IdFormat::new(&"#".repeat(64)).unwrap().room(), u64::MAX);
    }
}
