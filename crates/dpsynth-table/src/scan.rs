//! One cell of a CSV file: where it starts and ends, and whether its quotes are plain.

use crate::format::Dialect;

/// Whether there is more of a file than what was read so far.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reading {
    Going,
    Ended,
}

/// Finds cells in the bytes of a file.
pub(crate) struct Scanner {
    delimiter: u8,
    pub(crate) quote: u8,
    /// For each byte, whether a cell without quotes ends at it, or is faulty.
    ends: [bool; 256],
}

/// What stands at a place where a cell starts.
pub(crate) enum Scanned<'a> {
    Cell(RawCell<'a>),
    /// A cell that ends, if at all, after what was read so far.
    Incomplete,
    /// A quote inside a cell, or one that is never closed.
    Malformed,
}

pub(crate) struct RawCell<'a> {
    /// What is inside the quotes, if any; quotes inside it are still doubled.
    pub(crate) content: &'a [u8],
    /// Where the content starts.
    pub(crate) start: usize,
    pub(crate) quoted: bool,
    /// Where the next cell or record starts.
    pub(crate) next: usize,
    /// Whether it is the last of its record.
    pub(crate) last: bool,
}

impl Scanner {
    pub(crate) fn new(dialect: Dialect) -> Self {
        let Dialect {
            delimiter, quote, ..
        } = dialect;
        let mut ends = [false; 256];
        for byte in [delimiter, quote, b'\n'] {
            ends[usize::from(byte)] = true;
        }
        Self {
            delimiter,
            quote,
            ends,
        }
    }

    /// Reads the cell that starts at a position.
    #[inline]
    pub(crate) fn next_cell<'a>(&self, bytes: &'a [u8], at: usize, state: Reading) -> Scanned<'a> {
        let rest = &bytes[at..];
        // Most cells: no quotes, and another one follows.
        let length = rest.iter().position(|byte| self.ends[usize::from(*byte)]);
        match length {
            Some(length) if rest[length] == self.delimiter => Scanned::Cell(RawCell {
                content: &rest[..length],
                start: at,
                quoted: false,
                next: at + length + 1,
                last: false,
            }),
            Some(0) if rest[0] == self.quote => self.quoted_cell(rest, at, state),
            Some(length) if rest[length] == self.quote => Scanned::Malformed,
            length => self.last_cell(rest, at, length.unwrap_or(rest.len()), state),
        }
    }

    /// Reads a cell without quotes that ends with its line, or with the bytes.
    fn last_cell<'a>(
        &self,
        rest: &'a [u8],
        at: usize,
        length: usize,
        state: Reading,
    ) -> Scanned<'a> {
        if length == rest.len() && state == Reading::Going {
            return Scanned::Incomplete;
        }
        let content = &rest[..length];
        Scanned::Cell(RawCell {
            content: content.strip_suffix(b"\r").unwrap_or(content),
            start: at,
            quoted: false,
            next: at + (length + 1).min(rest.len()),
            last: true,
        })
    }

    /// Reads a cell in quotes.
    fn quoted_cell<'a>(&self, rest: &'a [u8], at: usize, state: Reading) -> Scanned<'a> {
        let more = match state {
            Reading::Going => Scanned::Incomplete,
            Reading::Ended => Scanned::Malformed,
        };
        let length = match self.quoted_length(rest) {
            // The quote that closes it may be the first of two.
            Some(length) if length == rest.len() && state == Reading::Going => return more,
            Some(length) => length,
            None => return more,
        };
        let (after, last) = match &rest[length..] {
            [b'\r'] if state == Reading::Going => return more,
            [] => (0, true),
            [b'\r'] => (1, true),
            [b'\n', ..] => (1, true),
            [b'\r', b'\n', ..] => (2, true),
            [byte, ..] if *byte == self.delimiter => (1, false),
            _ => return Scanned::Malformed,
        };
        Scanned::Cell(RawCell {
            content: &rest[1..length - 1],
            start: at + 1,
            quoted: true,
            next: at + length + after,
            last,
        })
    }

    /// The length of a quoted cell with its quotes.
    fn quoted_length(&self, bytes: &[u8]) -> Option<usize> {
        let mut at = 1;
        loop {
            at += bytes[at..].iter().position(|byte| *byte == self.quote)? + 1;
            if bytes.get(at) != Some(&self.quote) {
                return Some(at);
            }
            at += 1;
        }
    }

    /// What a cell in quotes says, whose quotes inside are still doubled.
    pub(crate) fn undoubled(&self, content: &str) -> String {
        let quote = char::from(self.quote);
        let doubled: String = [quote, quote].iter().collect();
        content.replace(&doubled, &quote.to_string())
    }
}
