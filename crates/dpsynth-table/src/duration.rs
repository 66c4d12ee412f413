//! Lengths of time: how they are written, and in which unit they are counted.

use std::fmt::{self, Write as _};

use serde::{Deserialize, Serialize};

/// How lengths of time are written. Each form counts in a unit of its own, which is the finest that it
/// can say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum DurationForm {
    /// `36:05:59`: hours, which may be more than a day, minutes and seconds. Counts seconds.
    #[serde(rename = "HH:MM:SS")]
    HoursMinutesSeconds,
    /// `36:05`: hours and minutes. Counts minutes.
    #[serde(rename = "HH:MM")]
    HoursMinutes,
    /// `P1DT12H5M59S`: as ISO 8601 has it, without years and months, whose lengths differ. Weeks, days,
    /// hours and minutes are read; hours, minutes and seconds are written. Counts seconds.
    #[serde(rename = "ISO 8601")]
    Iso8601,
    /// A whole number of seconds.
    #[serde(rename = "seconds")]
    Seconds,
    /// A whole number of minutes.
    #[serde(rename = "minutes")]
    Minutes,
    /// A whole number of hours.
    #[serde(rename = "hours")]
    Hours,
    /// A whole number of days.
    #[serde(rename = "days")]
    Days,
}

impl DurationForm {
    /// Every form.
    pub const ALL: [Self; 7] = [
        Self::HoursMinutesSeconds,
        Self::HoursMinutes,
        Self::Iso8601,
        Self::Seconds,
        Self::Minutes,
        Self::Hours,
        Self::Days,
    ];

    /// Returns the name that policies use.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::HoursMinutesSeconds => "HH:MM:SS",
            Self::HoursMinutes => "HH:MM",
            Self::Iso8601 => "ISO 8601",
            Self::Seconds => "seconds",
            Self::Minutes => "minutes",
            Self::Hours => "hours",
            Self::Days => "days",
        }
    }

    /// Returns the unit that is counted, in seconds.
    #[must_use]
    pub fn seconds(self) -> i64 {
        match self {
            Self::HoursMinutesSeconds | Self::Iso8601 | Self::Seconds => 1,
            Self::HoursMinutes | Self::Minutes => 60,
            Self::Hours => 3600,
            Self::Days => 86_400,
        }
    }

    /// Reads a length of time, in units; nothing where the text is not of this form.
    #[must_use]
    pub fn parse(self, text: &str) -> Option<i64> {
        let text = text.trim();
        let (sign, text) = match text.strip_prefix('-') {
            Some(text) => (-1, text),
            None => (1, text),
        };
        let length = match self {
            Self::HoursMinutesSeconds => clock(text, 3)?,
            Self::HoursMinutes => clock(text, 2)?,
            Self::Iso8601 => iso(text)?,
            _ => digits(text)?,
        };
        Some(sign * length)
    }

    /// Returns a length of time, given in units, as text that [`parse`](Self::parse) reads.
    #[must_use]
    pub fn write(self, length: i64) -> String {
        let mut text = String::new();
        self.push(length, &mut text);
        text
    }

    /// Appends a length of time.
    pub(crate) fn push(self, length: i64, to: &mut String) {
        if length < 0 {
            to.push('-');
        }
        let units = length.unsigned_abs();
        // Writing to a string cannot fail.
        let _ = match self {
            Self::HoursMinutesSeconds => write!(
                to,
                "{:02}:{:02}:{:02}",
                units / 3600,
                units / 60 % 60,
                units % 60
            ),
            Self::HoursMinutes => write!(to, "{:02}:{:02}", units / 60, units % 60),
            Self::Iso8601 => {
                to.push_str("PT");
                for (count, letter) in [(units / 3600, 'H'), (units / 60 % 60, 'M')] {
                    if count > 0 {
                        let _ = write!(to, "{count}{letter}");
                    }
                }
                match units % 60 {
                    0 if units > 0 => Ok(()),
                    seconds => write!(to, "{seconds}S"),
                }
            }
            _ => write!(to, "{units}"),
        };
    }
}

impl fmt::Display for DurationForm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Reads a number of digits and nothing else.
fn digits(text: &str) -> Option<i64> {
    let plain = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|_| plain)
}

/// Reads `parts` numbers between colons, all but the first below 60 and of two digits.
fn clock(text: &str, parts: usize) -> Option<i64> {
    let mut length = 0_i64;
    let mut count = 0;
    for part in text.split(':') {
        let number = digits(part)?;
        if count > 0 && (part.len() != 2 || number >= 60) {
            return None;
        }
        length = length.checked_mul(60)?.checked_add(number)?;
        count += 1;
    }
    (count == parts).then_some(length)
}

/// Reads what follows the sign of a length of time of ISO 8601, in seconds.
fn iso(text: &str) -> Option<i64> {
    let text = text.strip_prefix('P')?;
    let (days, time) = match text.split_once('T') {
        Some((_, "")) => return None,
        Some((days, time)) => (days, time),
        None => (text, ""),
    };
    if days.is_empty() && time.is_empty() {
        return None;
    }
    let days = designated(days, &[('W', 604_800), ('D', 86_400)])?;
    days.checked_add(designated(time, &[('H', 3600), ('M', 60), ('S', 1)])?)
}

/// Reads numbers before the letters given, each letter once at most and in their order.
fn designated(mut text: &str, letters: &[(char, i64)]) -> Option<i64> {
    let mut length = 0_i64;
    for (letter, seconds) in letters {
        if let Some((number, rest)) = text.split_once(*letter) {
            length = length.checked_add(digits(number)?.checked_mul(*seconds)?)?;
            text = rest;
        }
    }
    text.is_empty().then_some(length)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn texts_are_read_in_their_form_and_in_no_other() {
        use DurationForm::{Hours, HoursMinutes, HoursMinutesSeconds, Iso8601, Minutes};
        for (form, text, length) in [
            (HoursMinutesSeconds, "36:05:59", Some(129_959)),
            (HoursMinutesSeconds, " 0:00:00 ", Some(0)),
            (HoursMinutesSeconds, "-01:30:00", Some(-5_400)),
            (HoursMinutesSeconds, "01:60:00", None),
            (HoursMinutesSeconds, "1:5:00", None),
            (HoursMinutesSeconds, "01:30", None),
            (HoursMinutesSeconds, "01:30:00.5", None),
            (HoursMinutes, "08:15", Some(495)),
            (HoursMinutes, "+8:15", None),
            (Iso8601, "PT1H30M", Some(5_400)),
            (Iso8601, "P1DT12H5M59S", Some(129_959)),
            (Iso8601, "P2W", Some(1_209_600)),
            (Iso8601, "-PT5S", Some(-5)),
            (Iso8601, "P1Y", None),
            (Iso8601, "P", None),
            (Iso8601, "PT", None),
            (Iso8601, "P1DT", None),
            (Iso8601, "PT30M1H", None),
            (Iso8601, "PT1.5H", None),
            (Minutes, "90", Some(90)),
            (Minutes, "1e2", None),
            (Hours, "99999999999999999999", None),
            (HoursMinutesSeconds, "9223372036854775807:00:00", None),
        ] {
            assert_eq!(form.parse(text), length, "{form} {text}");
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_again(length in -4_000_000_000_000_i64..4_000_000_000_000) {
            for form in DurationForm::ALL {
                prop_assert_eq!(form.parse(&form.write(length)), Some(length));
            }
        }

        #[test]
        fn no_text_makes_it_panic(text in any::<String>(), near in "-?P?[0-9]{0,20}[:DTHMSW]?[0-9:TDHMSW]{0,12}") {
            for form in DurationForm::ALL {
                let _ = (form.parse(&text), form.parse(&near));
            }
        }
    }
}
