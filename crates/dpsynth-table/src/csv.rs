//! The structure of a CSV file: its header, its records and their cells.
//!
//! Readers at hand fill short records up, guess at stray quotes or quote the file in their errors.
//! This one refuses all that is not plain, with the number of the record, and holds only
//! some of the records at a time.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::str;

use crate::error::TableError;
use crate::file::open_text;
use crate::format::{Dialect, Encoding};
use crate::scan::{RawCell, Reading, Scanned, Scanner};

/// The most bytes that one cell may have.
pub(crate) const CELL_LIMIT: usize = 1 << 20;

/// About how many bytes of a file are held at a time.
const BATCH_BYTES: usize = 1 << 20;

/// The most bytes that a header may have.
const HEADER_LIMIT: u64 = 64 << 20;

const BYTE_ORDER_MARK: &[u8] = b"\xEF\xBB\xBF";

/// Reads from a file no more than the lines of its header.
pub(crate) fn header_of_file(path: &Path, dialect: Dialect) -> Result<Vec<String>, TableError> {
    CsvFile::open(path, dialect).map(|file| file.names)
}

/// A CSV file that is read some records at a time.
pub(crate) struct CsvFile {
    file: BufReader<Box<dyn Read>>,
    /// For errors.
    path: std::path::PathBuf,
    encoding: Encoding,
    scanner: Scanner,
    names: Vec<String>,
    /// What was read and is of no batch yet.
    pending: Vec<u8>,
    /// Records of earlier batches.
    records: u64,
    /// The first of the blank lines that nothing has followed so far.
    blank: Option<u64>,
    state: Reading,
}

/// Some records of a file: the wanted cells, row by row.
pub(crate) struct TextBatch {
    /// What was read of the file.
    text: String,
    /// The cells that held doubled quotes, one after the other, without these.
    unquoted: String,
    cells: Vec<Span>,
    /// Wanted cells of a record.
    width: usize,
    /// Records of the file before the first of these.
    pub(crate) before: u64,
}

#[derive(Clone, Copy)]
struct Span {
    start: u32,
    length: u32,
    source: Source,
}

#[derive(Clone, Copy)]
enum Source {
    Text,
    Unquoted,
}

impl TextBatch {
    pub(crate) fn rows(&self) -> usize {
        self.cells.len() / self.width
    }

    /// Returns the cells of one of the wanted columns, in order.
    pub(crate) fn column(&self, wanted: usize) -> impl Iterator<Item = &str> {
        let spans = self.cells[wanted..].iter().step_by(self.width);
        spans.map(|span| {
            let from = match span.source {
                Source::Text => &self.text,
                Source::Unquoted => &self.unquoted,
            };
            let start = span.start as usize;
            &from[start..start + span.length as usize]
        })
    }
}

impl CsvFile {
    /// Opens a file and reads its header.
    pub(crate) fn open(path: &Path, dialect: Dialect) -> Result<Self, TableError> {
        dialect.check()?;
        let encoding = dialect.encoding;
        let scanner = Scanner::new(dialect);
        let failed = |error: std::io::Error| TableError::of_text(path, &error, encoding);
        let mut file = BufReader::with_capacity(1 << 16, open_text(path, encoding)?);
        let mut bytes = Vec::new();
        let mut quotes = 0;
        loop {
            let mut limited = (&mut file).take(HEADER_LIMIT - bytes.len() as u64);
            let read = limited.read_until(b'\n', &mut bytes).map_err(failed)?;
            let line = &bytes[bytes.len() - read..];
            quotes += line.iter().filter(|byte| **byte == scanner.quote).count();
            // An odd number of quotes means that the line ended inside a cell.
            if read == 0 || quotes.is_multiple_of(2) {
                break;
            }
        }
        let bytes = bytes.strip_prefix(BYTE_ORDER_MARK).unwrap_or(&bytes);
        let (names, start) = header(bytes, &scanner)?;
        Ok(Self {
            file,
            path: path.to_owned(),
            encoding,
            names,
            pending: bytes[start..].to_vec(),
            scanner,
            records: 0,
            blank: None,
            state: Reading::Going,
        })
    }

    pub(crate) fn names(&self) -> &[String] {
        &self.names
    }

    /// Reads the next records and keeps the cells at these positions; nothing after the last record.
    pub(crate) fn next_batch(
        &mut self,
        positions: &[usize],
    ) -> Result<Option<TextBatch>, TableError> {
        let mut places = vec![None; self.names.len()];
        for (wanted, position) in positions.iter().enumerate() {
            places[*position] = Some(wanted);
        }
        let mut size = BATCH_BYTES;
        loop {
            self.fill(size)?;
            let mut batch = TextBatch {
                text: String::new(),
                unquoted: String::new(),
                cells: Vec::new(),
                width: positions.len(),
                before: self.records,
            };
            let taken = self.take_records(&places, &mut batch)?;
            if taken > 0 {
                let rest = self.pending.split_off(taken);
                let text = std::mem::replace(&mut self.pending, rest);
                // OK because each record was checked.
                batch.text = String::from_utf8(text).unwrap_or_default();
                if !batch.cells.is_empty() {
                    return Ok(Some(batch));
                }
                // Nothing but blank lines.
            } else if self.state == Reading::Ended {
                return Ok(None);
            } else {
                // A record that does not end in here.
                size *= 2;
            }
        }
    }

    /// Reads on until so many bytes are pending, or the file ends.
    fn fill(&mut self, size: usize) -> Result<(), TableError> {
        let wanted = size.saturating_sub(self.pending.len()) as u64;
        if wanted > 0 && self.state == Reading::Going {
            // One byte more, so that the end is seen without asking for more room.
            self.pending.reserve(wanted as usize + 1);
            let read = (&mut self.file).take(wanted).read_to_end(&mut self.pending);
            let failed = |error| TableError::of_text(&self.path, &error, self.encoding);
            let read = read.map_err(failed)?;
            if (read as u64) < wanted {
                self.state = Reading::Ended;
            }
        }
        Ok(())
    }

    /// Takes the records that end in what is pending, and returns where the last of them does.
    fn take_records(
        &mut self,
        places: &[Option<usize>],
        batch: &mut TextBatch,
    ) -> Result<usize, TableError> {
        let bytes = &self.pending;
        let columns = places.len();
        let mut taken = 0;
        while taken < bytes.len() {
            let record = self.records + 1;
            let kept = batch.cells.len();
            let empty = Span {
                start: 0,
                length: 0,
                source: Source::Text,
            };
            batch.cells.resize(kept + batch.width, empty);
            let mut at = taken;
            let mut cells = 0;
            let blank = loop {
                let huge = TableError::HugeCell {
                    record: Some(record),
                    column: cells + 1,
                };
                let cell = match self.scanner.next_cell(bytes, at, self.state) {
                    Scanned::Cell(cell) => cell,
                    Scanned::Malformed => {
                        return Err(TableError::MalformedQuotes {
                            record: Some(record),
                        });
                    }
                    Scanned::Incomplete => {
                        batch.cells.truncate(kept);
                        // Both quotes and a line end may be there besides.
                        return match bytes.len() - at > CELL_LIMIT + 4 {
                            true => Err(huge),
                            false => Ok(taken),
                        };
                    }
                };
                if cell.content.len() > CELL_LIMIT {
                    return Err(huge);
                }
                if let Some(Some(wanted)) = places.get(cells) {
                    let not_utf8 = TableError::NotUtf8 {
                        record: Some(record),
                    };
                    batch.cells[kept + wanted] =
                        span(&cell, &self.scanner, &mut batch.unquoted).ok_or(not_utf8)?;
                }
                cells += 1;
                at = cell.next;
                if cell.last {
                    break cells == 1 && !cell.quoted && cell.content.is_empty() && columns > 1;
                }
            };
            if str::from_utf8(&bytes[taken..at]).is_err() {
                return Err(TableError::NotUtf8 {
                    record: Some(record),
                });
            }
            if let (false, Some(first)) = (blank, self.blank) {
                return Err(TableError::RaggedRecord { record: first });
            }
            self.records += 1;
            if blank {
                // Blank lines may end a file.
                batch.cells.truncate(kept);
                self.blank = self.blank.or(Some(record));
            } else if cells != columns {
                return Err(TableError::RaggedRecord { record });
            }
            taken = at;
            // Places in a batch are counted in 32 bits.
            if taken > u32::MAX as usize / 2 {
                break;
            }
        }
        Ok(taken)
    }
}

/// Where the text of a cell is, without its quotes. The record is known to be UTF-8.
fn span(cell: &RawCell<'_>, scanner: &Scanner, unquoted: &mut String) -> Option<Span> {
    let (start, length, source) = match cell.quoted && cell.content.contains(&scanner.quote) {
        true => {
            let start = unquoted.len();
            unquoted.push_str(&scanner.undoubled(str::from_utf8(cell.content).ok()?));
            (start, unquoted.len() - start, Source::Unquoted)
        }
        false => (cell.start, cell.content.len(), Source::Text),
    };
    Some(Span {
        start: u32::try_from(start).ok()?,
        length: u32::try_from(length).ok()?,
        source,
    })
}

/// Returns the names of the columns, and where the first record starts.
fn header(bytes: &[u8], scanner: &Scanner) -> Result<(Vec<String>, usize), TableError> {
    if bytes.iter().all(|byte| matches!(byte, b'\r' | b'\n')) {
        return Err(TableError::EmptyFile);
    }
    let mut names: Vec<String> = Vec::new();
    let mut at = 0;
    loop {
        let Scanned::Cell(cell) = scanner.next_cell(bytes, at, Reading::Ended) else {
            return Err(TableError::MalformedQuotes { record: None });
        };
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
            true => scanner.undoubled(name),
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

#[cfg(test)]
mod tests {
    use super::*;

    fn names(text: &str) -> Result<Vec<String>, TableError> {
        header(text.as_bytes(), &Scanner::new(Dialect::default())).map(|(names, _)| names)
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
        let not_utf8 = header(b"a,\xff\n", &Scanner::new(Dialect::default()));
        assert_eq!(not_utf8, Err(TableError::NotUtf8 { record: None }));
    }

    /// The cells of both columns of a file of two, or the first fault.
    fn cells(bytes: &[u8]) -> Result<Vec<String>, TableError> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("t.csv");
        std::fs::write(&path, bytes).unwrap();
        let mut file = CsvFile::open(&path, Dialect::default())?;
        let mut cells = Vec::new();
        while let Some(batch) = file.next_batch(&[1, 0])? {
            let (second, first): (Vec<_>, Vec<_>) =
                (batch.column(0).collect(), batch.column(1).collect());
            for (first, second) in first.into_iter().zip(second) {
                cells.extend([first.to_owned(), second.to_owned()]);
            }
        }
        Ok(cells)
    }

    fn check(records: &str) -> Result<usize, TableError> {
        cells(format!("a,b\n{records}").as_bytes()).map(|cells| cells.len() / 2)
    }

    #[test]
    fn records_are_counted_and_checked() {
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
        let not_utf8 = cells(b"a,b\n1,2\n\xff,2\n");
        assert_eq!(not_utf8, Err(TableError::NotUtf8 { record: Some(2) }));
    }

    #[test]
    fn blank_lines_end_a_file_of_several_columns() {
        assert_eq!(check("1,2\n\r\n\n"), Ok(1));
        assert_eq!(check("\n\n"), Ok(0));
        let blank_within = check("1,2\n\r\n\n3,4\n");
        assert_eq!(blank_within, Err(TableError::RaggedRecord { record: 2 }));
    }

    #[test]
    fn cells_are_the_same_wherever_a_batch_ends() {
        let mut text = "a,b\r\n".to_owned();
        let mut expected = Vec::new();
        for record in 0..60_000 {
            let filling = "x".repeat(record % 23);
            text.push_str(&format!("\"{filling}\"\"\n,\",{filling}{record}\r\n"));
            expected.extend([format!("{filling}\"\n,"), format!("{filling}{record}")]);
        }
        assert!(text.len() > 2 * BATCH_BYTES, "there are several batches");
        assert!(cells(text.as_bytes()) == Ok(expected));
    }

    #[test]
    fn a_record_may_be_longer_than_a_batch_but_no_cell_too_long() {
        let cell = "x".repeat(CELL_LIMIT);
        let text = format!("a,b\n{cell},{cell}\n1,2\n");
        assert_eq!(
            cells(text.as_bytes()).unwrap()[..2],
            [cell.clone(), cell.clone()]
        );
        let long = "x".repeat(4 * CELL_LIMIT);
        for text in [format!("a,b\n1,{cell}y\n"), format!("a,b\n1,\"{long}")] {
            let (record, column) = (Some(1), 2);
            assert_eq!(
                cells(text.as_bytes()),
                Err(TableError::HugeCell { record, column })
            );
        }
    }
}
