//! What a format of dates and times says.

/// What a `strftime` format writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Precision {
    /// A day.
    Day,
    /// A time of day, with or without a day.
    Time,
    /// Parts of a second, which no column keeps.
    Fraction,
}

/// Returns how precise a format is.
pub(super) fn precision(format: &str) -> Precision {
    let mut precision = Precision::Day;
    let mut signs = format.chars();
    while let Some(sign) = signs.next() {
        if sign != '%' {
            continue;
        }
        // Flags of padding stand between the percent sign and its letter.
        let letter = signs.find(|sign| !matches!(sign, '-' | '_' | '0' | '.' | '3' | '6' | '9'));
        match letter {
            Some('f') => return Precision::Fraction,
            Some(
                'H' | 'I' | 'k' | 'l' | 'M' | 'S' | 'p' | 'P' | 'T' | 'R' | 'r' | 'X' | 'c' | 's',
            ) => {
                precision = Precision::Time;
            }
            _ => {}
        }
    }
    precision
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_format_with_an_hour_is_a_time() {
        assert_eq!(precision("%Y-%m-%d"), Precision::Day);
        assert_eq!(precision("%d %b %Y"), Precision::Day);
        assert_eq!(precision("100%%"), Precision::Day);
        assert_eq!(precision("%Y-%m-%d %H:%M:%S"), Precision::Time);
        assert_eq!(precision("%-I %p"), Precision::Time);
        assert_eq!(precision("%Y-%m-%dT%H:%M:%S.%f"), Precision::Fraction);
        assert_eq!(precision("%"), Precision::Day);
    }
}
