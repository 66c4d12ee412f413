//! Formats of files, and how the text of a CSV file is written.

use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::error::TableError;

/// The format of a table in a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Format {
    /// Comma-separated text with a header. Quotes as in RFC 4180.
    Csv,
    /// CSV compressed by gzip (RFC 1952).
    CsvGz,
    /// CSV compressed by Zstandard (RFC 8878).
    CsvZst,
    /// Apache Parquet.
    Parquet,
    /// Arrow IPC file, which is Feather version 2.
    Arrow,
}

impl Format {
    /// All formats, each once.
    pub const ALL: [Self; 5] = [
        Self::Csv,
        Self::CsvGz,
        Self::CsvZst,
        Self::Parquet,
        Self::Arrow,
    ];

    /// Tells the format from the name of a file.
    ///
    /// # Errors
    /// When the name ends in none of `.csv`, `.csv.gz`, `.csv.zst`, `.parquet`, `.arrow`, `.feather`
    /// and `.ipc`.
    pub fn of_path(path: &Path) -> Result<Self, TableError> {
        let name = path.file_name().and_then(|name| name.to_str());
        let name = name.unwrap_or_default().to_ascii_lowercase();
        ENDINGS
            .into_iter()
            .find(|(ending, _)| name.ends_with(ending))
            .map(|(_, format)| format)
            .ok_or_else(|| TableError::UnsupportedExtension {
                path: path.to_owned(),
            })
    }

    /// Tells the format from the first bytes of a file: CSV, unless they are those of another one.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn of_content(path: &Path) -> Result<Self, TableError> {
        let failed = |error: std::io::Error| TableError::of_read(path, &error);
        let mut start = Vec::new();
        let file = File::open(path).map_err(failed)?;
        file.take(8).read_to_end(&mut start).map_err(failed)?;
        Ok(match start.as_slice() {
            [b'P', b'A', b'R', b'1', ..] => Self::Parquet,
            [b'A', b'R', b'R', b'O', b'W', b'1', ..] => Self::Arrow,
            _ => Self::Csv,
        })
    }

    /// The same format without compression of its own.
    #[must_use]
    pub fn uncompressed(self) -> Self {
        match self {
            Self::Csv | Self::CsvGz | Self::CsvZst => Self::Csv,
            Self::Parquet => Self::Parquet,
            Self::Arrow => Self::Arrow,
        }
    }

    /// Returns the extension of files of this format, without the dot in front.
    #[must_use]
    pub fn extension(self) -> &'static str {
        match self {
            Self::Csv => "csv",
            Self::CsvGz => "csv.gz",
            Self::CsvZst => "csv.zst",
            Self::Parquet => "parquet",
            Self::Arrow => "arrow",
        }
    }
}

const ENDINGS: [(&str, Format); 7] = [
    (".csv", Format::Csv),
    (".csv.gz", Format::CsvGz),
    (".csv.zst", Format::CsvZst),
    (".parquet", Format::Parquet),
    (".arrow", Format::Arrow),
    (".feather", Format::Arrow),
    (".ipc", Format::Arrow),
];

/// How the text of a CSV file is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Dialect {
    /// What separates the cells.
    pub delimiter: u8,
    /// What stands around cells that hold delimiters or line ends, and is doubled inside them.
    pub quote: u8,
    /// How characters are written as bytes.
    pub encoding: Encoding,
}

impl Default for Dialect {
    /// Commas, double quotes, UTF-8: what is written by [`write`](crate::write()).
    fn default() -> Self {
        Self {
            delimiter: b',',
            quote: b'"',
            encoding: Encoding::Utf8,
        }
    }
}

impl Dialect {
    /// Refuses characters that mean something else.
    pub(crate) fn check(self) -> Result<(), TableError> {
        let plain = |byte: u8| byte.is_ascii() && !matches!(byte, 0 | b'\n' | b'\r');
        if !plain(self.delimiter) || self.delimiter == b'"' {
            return Err(TableError::UnsupportedDelimiter);
        }
        if !plain(self.quote) || self.quote == self.delimiter || !self.quote.is_ascii_punctuation()
        {
            return Err(TableError::UnsupportedQuote);
        }
        Ok(())
    }
}

/// How characters are written as bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encoding {
    /// UTF-8, with a byte order mark or without.
    Utf8,
    /// UTF-16 in the order of its byte order mark, little-endian where it has none.
    Utf16,
    /// ISO 8859-1: every byte is the character of its number.
    Latin1,
    /// Windows code page 1252, as the WHATWG Encoding Standard has it.
    Windows1252,
}

impl Encoding {
    /// The name that policies and messages use.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Utf8 => "utf-8",
            Self::Utf16 => "utf-16",
            Self::Latin1 => "latin-1",
            Self::Windows1252 => "windows-1252",
        }
    }
}
