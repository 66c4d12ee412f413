//! Opening text files, compressed or not.

use std::fs::File;
use std::io::{BufReader, Chain, Cursor, Read};
use std::path::Path;

use flate2::read::MultiGzDecoder;

use crate::error::TableError;

/// How a gzip file starts (RFC 1952).
const GZIP_MARK: [u8; 2] = [0x1f, 0x8b];

/// A text file being read, decompressed on the way where it is a gzip file, whatever its name.
pub(crate) enum TextFile {
    /// As it is on disk.
    Plain(Whole),
    /// From gzip, of one member or several.
    Gzip(Box<MultiGzDecoder<BufReader<Whole>>>),
}

/// A file with its first bytes put back.
type Whole = Chain<Cursor<Vec<u8>>, File>;

impl TextFile {
    /// Opens a file.
    ///
    /// # Errors
    /// When it cannot be opened, or its first bytes cannot be read.
    pub(crate) fn open(path: &Path) -> Result<Self, TableError> {
        let failed = |error: std::io::Error| TableError::of_file(path, error.kind());
        let mut file = File::open(path).map_err(failed)?;
        let mut start = Vec::new();
        (&mut file)
            .take(GZIP_MARK.len() as u64)
            .read_to_end(&mut start)
            .map_err(failed)?;
        let compressed = start == GZIP_MARK;
        let whole = Cursor::new(start).chain(file);
        Ok(match compressed {
            true => Self::Gzip(Box::new(MultiGzDecoder::new(BufReader::new(whole)))),
            false => Self::Plain(whole),
        })
    }
}

impl Read for TextFile {
    fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
        match self {
            Self::Plain(file) => file.read(into),
            Self::Gzip(file) => file.read(into),
        }
    }
}
