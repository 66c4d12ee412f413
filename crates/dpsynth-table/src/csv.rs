//! The structure of a CSV file: its header, and whether every record has as many cells.
//!
//! Values are parsed by polars. It renames duplicated columns, fills short records up and guesses
//! at stray quotes, so all of that is ruled out here before it sees a file, and every fault gets
//! its record number.

use std::collections::HashMap;
use std::io::{BufRead, Read};
use std::path::Path;
use std::str;

use crate::error::TableError;
use crate::file::TextFile;

/// The most bytes that one cell may have.
pub(crate) const CELL_LIMIT: usize = 1 << 20;

/// The most bytes that a header may have.
const HEADER_LIMIT: u64 = 64 << 20;

const BYTE_ORDER_MARK: &[u8] = b"\xEF\xBB\xBF";

/// Refuses delimiters that mean something else.
pub(crate) fn check_delimiter(delimiter: u8) -> Result<(), TableError> {
    match delimiter.is_ascii() && !matches!(delimiter, 0 | b'"' | b'\n' | b'\r') {
        true => Ok(()),
        false => Err(TableError::UnsupportedDelimiter),
    }
}

/// Reads from a file no more than the lines of its header.
pub(crate) fn header_of_file(path: &Path, delimiter: u8) -> Result<Vec<String>, TableError> {
    let failed = |error: std::io::Error| TableError::of_file(path, error.kind());
    let mut reader = std::io::BufReader::new(TextFile::open(path)?).take(HEADER_LIMIT);
    let mut bytes = Vec::new();
    let mut quotes = 0;
    loop {
        let read = reader.read_until(b'\n', &mut bytes).map_err(failed)?;
        let line = &bytes[bytes.len() - read..];
        quotes += line.iter().filter(|byte| **byte == b'"').count();
        // An odd number of quotes means that the line ended inside a cell.
        if read == 0 || quotes.is_multiple_of(2) {
            break;
        }
    }
    header(without_mark(&bytes), delimiter).map(|(names, _)| names)
}

/// Returns the bytes without a byte order mark.
pub(crate) fn without_mark(bytes: &[u8]) -> &[u8] {
    bytes.strip_prefix(BYTE_ORDER_MARK).unwrap_or(bytes)
}

/// Returns the names of the columns, and where the first record starts.
pub(crate) fn header(bytes: &[u8], delimiter: u8) -> Result<(Vec<String>, usize), TableError> {
    if bytes.iter().all(|byte| matches!(byte, b'\r' | b'\n')) {
        return Err(TableError::EmptyFile);
    }
    let mut names: Vec<String> = Vec::new();
    let mut at = 0;
    loop {
        let cell =
            next_cell(bytes, at, delimiter).ok_or(TableError::MalformedQuotes { record: None })?;
        let column = names.len() + 1;
        if cell.content.len() > CELL_LIMIT {
            return Err(TableError::HugeCell {
                record: None,
                column,
            });
        }
        let name =
            str::from_utf8(cell.content).map_err(|_| TableError::NotUtf8 { record: None })?;
        if !cell.quoted && name.contains('\r') {
            // Records would pass for names of columns, and be shown.
            return Err(TableError::UnsupportedLineEnds);
        }
        names.push(match cell.quoted {
            true => name.replace("\"\"", "\""),
            false => name.to_owned(),
        });
        at = cell.next;
        if cell.last {
            break;
        }
    }
    check_names(&names)?;
    Ok((names, at))
}

/// Refuses two columns of the same name.
pub(crate) fn check_names(names: &[String]) -> Result<(), TableError> {
    let mut positions = HashMap::with_capacity(names.len());
    for (second, name) in names.iter().enumerate() {
        if let Some(first) = positions.insert(name, second) {
            // Positions only: in a file without a header, the name would be a cell.
            return Err(TableError::DuplicatedColumn {
                first: first + 1,
                second: second + 1,
            });
        }
    }
    Ok(())
}

/// Checks the records that follow a header of `columns` names, and counts them.
pub(crate) fn check_records(
    bytes: &[u8],
    columns: usize,
    delimiter: u8,
) -> Result<usize, TableError> {
    let mut records = 0;
    let mut at = 0;
    while at < bytes.len() {
        let start = at;
        let record = records as u64 + 1;
        let mut cells = 0;
        loop {
            let cell = next_cell(bytes, at, delimiter).ok_or(TableError::MalformedQuotes {
                record: Some(record),
            })?;
            cells += 1;
            if cell.content.len() > CELL_LIMIT {
                let record = Some(record);
                return Err(TableError::HugeCell {
                    record,
                    column: cells,
                });
            }
            at = cell.next;
            if cell.last {
                break;
            }
        }
        if str::from_utf8(&bytes[start..at]).is_err() {
            return Err(TableError::NotUtf8 {
                record: Some(record),
            });
        }
        if cells != columns {
            return Err(TableError::RaggedRecord { record });
        }
        records += 1;
    }
    Ok(records)
}

/// Returns the records without blank lines after the last one. In a file of one column, a blank
/// line is a record.
pub(crate) fn without_blank_end(mut bytes: &[u8], columns: usize) -> &[u8] {
    if columns == 1 {
        return bytes;
    }
    while let Some(rest) = bytes.strip_suffix(b"\n") {
        let rest = rest.strip_suffix(b"\r").unwrap_or(rest);
        if !rest.is_empty() && !rest.ends_with(b"\n") {
            break;
        }
        bytes = rest;
    }
    bytes
}

struct RawCell<'a> {
    /// What is inside the quotes, if any; quotes inside it are still doubled.
    content: &'a [u8],
    quoted: bool,
    /// Where the next cell or record starts.
    next: usize,
    /// Whether it is the last of its record.
    last: bool,
}

/// Reads the cell that starts at a position, or nothing where its quotes are not closed or stand
/// inside a cell.
fn next_cell(bytes: &[u8], at: usize, delimiter: u8) -> Option<RawCell<'_>> {
    let rest = &bytes[at..];
    let quoted = rest.first() == Some(&b'"');
    let (content, length) = match quoted {
        true => {
            let length = quoted_length(rest)?;
            (&rest[1..length - 1], length)
        }
        false => {
            let ends = |byte: &u8| *byte == delimiter || matches!(byte, b'\n' | b'"');
            let length = rest.iter().position(ends).unwrap_or(rest.len());
            let content = &rest[..length];
            let content = match rest.get(length) {
                Some(b'"') => return None,
                Some(byte) if *byte == delimiter => content,
                _ => content.strip_suffix(b"\r").unwrap_or(content),
            };
            (content, length)
        }
    };
    let (after, last) = match &rest[length..] {
        [] => (0, true),
        [b'\r'] => (1, true),
        [b'\n', ..] => (1, true),
        [b'\r', b'\n', ..] => (2, true),
        [byte, ..] if *byte == delimiter => (1, false),
        _ => return None,
    };
    Some(RawCell {
        content,
        quoted,
        next: at + length + after,
        last,
    })
}

/// The length of a quoted cell with its quotes.
fn quoted_length(bytes: &[u8]) -> Option<usize> {
    let mut at = 1;
    loop {
        at += bytes[at..].iter().position(|byte| *byte == b'"')? + 1;
        if bytes.get(at) != Some(&b'"') {
            return Some(at);
        }
        at += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(text: &str) -> Result<Vec<String>, TableError> {
        header(text.as_bytes(), b',').map(|(names, _)| names)
    }

    #[test]
    fn headers_are_read_as_csv() {
        assert_eq!(names("a,b\n1,2\n").unwrap(), ["a", "b"]);
        assert_eq!(names(",b\r\n1,2").unwrap(), ["", "b"]);
        assert_eq!(names("\"a,\"\"x\"\"\ny\",b").unwrap(), ["a,\"x\"\ny", "b"]);
        assert_eq!(names("\"\"\n").unwrap(), [""]);
        assert_eq!(names("a,").unwrap(), ["a", ""]);
        assert_eq!(names("a,\"b\"\r").unwrap(), ["a", "b"]);
    }

    #[test]
    fn faulty_headers_are_refused() {
        for text in ["", "\n", "\r\n\r\n"] {
            assert_eq!(names(text), Err(TableError::EmptyFile));
        }
        let (first, second) = (1, 3);
        assert_eq!(
            names("a,b,a\n"),
            Err(TableError::DuplicatedColumn { first, second })
        );
        for text in ["a,\"b\n1,2\n", "a,b\"c\n", "a,\"b\"c\n"] {
            assert_eq!(
                names(text),
                Err(TableError::MalformedQuotes { record: None })
            );
        }
        assert_eq!(names("a,b\r1,2\r"), Err(TableError::UnsupportedLineEnds));
        let not_utf8 = header(b"a,\xff\n", b',').unwrap_err();
        assert_eq!(not_utf8, TableError::NotUtf8 { record: None });
    }

    #[test]
    fn records_are_counted_and_checked() {
        let check = |text: &str| check_records(text.as_bytes(), 2, b',');
        assert_eq!(check(""), Ok(0));
        assert_eq!(check("1,2"), Ok(1));
        assert_eq!(check("1,2\r\n,\n\"3\n\",\"\"\n"), Ok(3));
        for text in ["1,2\n1\n", "1,2\n1,2,3\n", "1,2\n\n1,2\n", "1,2\n\"1,2\"\n"] {
            assert_eq!(
                check(text),
                Err(TableError::RaggedRecord { record: 2 }),
                "{text:?}"
            );
        }
        for text in ["1,2\n1,2\"\n", "1,2\n1,\"2\n1,2\n", "1,2\n1,\"2\"2\n"] {
            let record = Some(2);
            assert_eq!(
                check(text),
                Err(TableError::MalformedQuotes { record }),
                "{text:?}"
            );
        }
        let not_utf8 = check_records(b"1,2\n\xff,2\n", 2, b',');
        assert_eq!(not_utf8, Err(TableError::NotUtf8 { record: Some(2) }));
    }

    #[test]
    fn blank_lines_end_a_file_of_several_columns() {
        assert_eq!(without_blank_end(b"1,2\n\r\n\n", 2), b"1,2\n");
        assert_eq!(without_blank_end(b"\n\n", 2), b"");
        assert_eq!(without_blank_end(b"1\n\n", 1), b"1\n\n");
    }
}
