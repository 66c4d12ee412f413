//! From the parser's lines and columns to byte ranges.

use std::ops::Range;

use sqlparser::tokenizer::{Location, Span};

/// Where each line of a text starts.
pub(super) struct Positions<'a> {
    text: &'a str,
    starts: Vec<usize>,
}

impl<'a> Positions<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        let later = text.match_indices('\n').map(|(index, _)| index + 1);
        Self {
            text,
            starts: std::iter::once(0).chain(later).collect(),
        }
    }

    /// Returns the byte offset of a place; `None` where the parser does not know it (it counts from
    /// one).
    pub(super) fn offset(&self, place: Location) -> Option<usize> {
        let line = usize::try_from(place.line.checked_sub(1)?).ok()?;
        let characters = usize::try_from(place.column.checked_sub(1)?).ok()?;
        let start = *self.starts.get(line)?;
        let bytes: usize = self.text[start..]
            .chars()
            .take(characters)
            .map(char::len_utf8)
            .sum();
        Some(start + bytes)
    }

    /// Returns the byte range of a span that the parser knows.
    pub(super) fn between(&self, span: Span) -> Option<Range<usize>> {
        let (start, end) = (self.offset(span.start)?, self.offset(span.end)?);
        (start <= end).then_some(start..end)
    }

    /// Returns the byte range from a place to the end of the text.
    pub(super) fn from(&self, place: Location) -> Range<usize> {
        self.offset(place).unwrap_or(0)..self.text.len()
    }
}
