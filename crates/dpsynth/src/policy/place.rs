//! From a fault inside a value to its bytes in the policy.

use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// Returns the value of `key` in `table` or in a table right below it.
pub(super) fn value_of<'a>(table: &'a DeTable<'a>, key: &str) -> Option<&'a Spanned<DeValue<'a>>> {
    if let Some(value) = table.get(key) {
        return Some(value);
    }
    table.values().find_map(|value| match value.get_ref() {
        DeValue::Table(inner) => inner.get(key),
        _ => None,
    })
}

/// Returns where the bytes `inner` of the decoded `text` of the TOML string at `span` stand, or
/// the whole string when the place cannot be found.
pub(super) fn inside(
    source: &str,
    span: Range<usize>,
    text: &str,
    inner: Range<usize>,
) -> Range<usize> {
    let Some(token) = source.get(span.clone()) else {
        return span;
    };
    let Some(decoded) = decode(token).filter(|decoded| decoded.text == text) else {
        return span;
    };
    let place = |offset| decoded.starts.get(offset).copied();
    match (place(inner.start), place(inner.end)) {
        (Some(start), Some(end)) if start < end => span.start + start..span.start + end,
        _ => span,
    }
}

/// A TOML string with the place of each of its bytes.
struct Decoded {
    text: String,
    /// For each byte of `text`, and for its end, where it stands in the token.
    starts: Vec<usize>,
}

/// Decodes a TOML string token, quotes included; `None` for what is not one.
fn decode(token: &str) -> Option<Decoded> {
    let (quote, escapes) = [("\"\"\"", true), ("'''", false), ("\"", true), ("'", false)]
        .into_iter()
        .find(|(quote, _)| token.starts_with(quote))?;
    let body_end = token.len().checked_sub(quote.len())?;
    let mut at = quote.len();
    if quote.len() == 3 {
        // A line break right after the opening quotes is not part of the string.
        let rest = token.get(at..body_end)?;
        at += if rest.starts_with("\r\n") {
            2
        } else {
            usize::from(rest.starts_with('\n'))
        };
    }
    let mut decoded = Decoded {
        text: String::new(),
        starts: Vec::new(),
    };
    while at < body_end {
        let rest = token.get(at..body_end)?;
        let (character, length) = if escapes && rest.starts_with('\\') {
            escape(rest)?
        } else {
            let character = rest.chars().next()?;
            (Some(character), character.len_utf8())
        };
        if let Some(character) = character {
            decoded.text.push(character);
            decoded.starts.resize(decoded.text.len(), at);
        }
        at += length;
    }
    decoded.starts.push(at);
    Some(decoded)
}

/// Decodes the escape at the start of `rest`: the character it stands for (none for a line that is
/// continued) and its length in bytes.
fn escape(rest: &str) -> Option<(Option<char>, usize)> {
    let letter = rest.chars().nth(1)?;
    let simple = match letter {
        'b' => '\u{8}',
        't' => '\t',
        'n' => '\n',
        'f' => '\u{c}',
        'r' => '\r',
        'e' => '\u{1b}',
        '"' => '"',
        '\\' => '\\',
        'x' => return unicode(rest, 2),
        'u' => return unicode(rest, 4),
        'U' => return unicode(rest, 8),
        _ => {
            let after = rest.get(1..)?;
            let blank = after.len() - after.trim_start_matches([' ', '\t', '\r', '\n']).len();
            return (blank > 0).then_some((None, 1 + blank));
        }
    };
    Some((Some(simple), 2))
}

/// Decodes an escape of `digits` hexadecimal digits.
fn unicode(rest: &str, digits: usize) -> Option<(Option<char>, usize)> {
    let number = u32::from_str_radix(rest.get(2..2 + digits)?, 16).ok()?;
    Some((Some(char::from_u32(number)?), 2 + digits))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns the source text that `inside` points at for `needle`.
    fn pointed(source: &str, needle: &str) -> String {
        let tree = DeTable::parse(source).expect("the test's TOML is valid");
        let value = tree.get_ref().get("sql").expect("the test sets the key");
        let text = value.get_ref().as_str().expect("the test sets a string");
        let start = text.find(needle).expect("the needle is in the text");
        source[inside(source, value.span(), text, start..start + needle.len())].to_owned()
    }

    #[test]
    fn a_fault_is_found_in_every_kind_of_string() {
        assert_eq!(pointed("sql = \"age > eighteen\"", "eighteen"), "eighteen");
        assert_eq!(pointed("sql = 'age > eighteen'", "eighteen"), "eighteen");
        assert_eq!(pointed(r#"sql = "\"a\" > \u0041ge""#, "Age"), r"\u0041ge");
        assert_eq!(pointed("sql = '''\nage\n> é x'''", "é"), "é");
        assert_eq!(pointed("sql = \"\"\"age \\\n   > old\"\"\"", "old"), "old");
        assert_eq!(pointed("sql = \"a > b\"", "> b"), "> b");
    }

    #[test]
    fn what_cannot_be_mapped_points_at_the_whole_string() {
        let source = "sql = 'abc'";
        assert_eq!(inside(source, 6..11, "other", 2..3), 6..11);
        assert_eq!(inside(source, 6..11, "abc", 99..100), 6..11);
        assert_eq!(inside(source, 6..11, "abc", 3..3), 6..11);
        assert_eq!(inside(source, 6..99, "abc", 0..1), 6..99);
    }
}
