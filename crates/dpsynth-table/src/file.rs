//! Opening text files, compressed or not.

use std::fs::File;
use std::io::{BufReader, Cursor, Read};
use std::path::Path;

use flate2::read::MultiGzDecoder;

use crate::decode::decoded;
use crate::error::TableError;
use crate::format::Encoding;

/// How a gzip file starts (RFC 1952).
const GZIP_MARK: [u8; 2] = [0x1f, 0x8b];

/// How a Zstandard file starts (RFC 8878).
const ZSTD_MARK: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];

/// Opens a text file, whose text comes out as UTF-8. It is decompressed on the way where it is a gzip or
/// Zstandard file, of one part or several, whatever its name.
///
/// # Errors
/// When it cannot be opened, or its first bytes cannot be read.
pub(crate) fn open_text(path: &Path, encoding: Encoding) -> Result<Box<dyn Read>, TableError> {
    let failed = |error: std::io::Error| TableError::of_read(path, &error);
    let mut file = File::open(path).map_err(failed)?;
    let mut start = Vec::new();
    (&mut file)
        .take(ZSTD_MARK.len() as u64)
        .read_to_end(&mut start)
        .map_err(failed)?;
    let (gzip, zstd) = (start.starts_with(&GZIP_MARK), start == ZSTD_MARK);
    let whole = Cursor::new(start).chain(file);
    let bytes: Box<dyn Read> = if gzip {
        Box::new(MultiGzDecoder::new(BufReader::with_capacity(BUFFER, whole)))
    } else if zstd {
        Box::new(zstd::stream::read::Decoder::new(whole).map_err(failed)?)
    } else {
        Box::new(whole)
    };
    Ok(decoded(bytes, encoding))
}

/// Bytes of a compressed file that are read at a time.
const BUFFER: usize = 1 << 16;
