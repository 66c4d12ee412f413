//! Text of other encodings as UTF-8, on the way.

use std::fmt;
use std::io::{self, Read};

use encoding_rs::{Decoder, DecoderResult, UTF_16LE, WINDOWS_1252, mem};

use crate::format::Encoding;

/// Turns a stream of bytes into one of UTF-8. What claims to be UTF-8 passes as it is.
///
/// Nothing is replaced: where bytes are not of the encoding, reading fails with [`Undecodable`].
pub(crate) fn decoded(bytes: Box<dyn Read>, encoding: Encoding) -> Box<dyn Read> {
    let converter = match encoding {
        Encoding::Utf8 => return bytes,
        // Looks at the byte order mark, and takes it away.
        Encoding::Utf16 => Converter::Decoder(UTF_16LE.new_decoder()),
        Encoding::Windows1252 => {
            Converter::Decoder(WINDOWS_1252.new_decoder_without_bom_handling())
        }
        Encoding::Latin1 => Converter::Latin1,
    };
    Box::new(Decoded {
        bytes,
        converter,
        input: Piece::of(INPUT),
        output: Piece::of(OUTPUT),
        ended: false,
    })
}

/// Why reading failed: bytes that the encoding does not have.
#[derive(Debug)]
pub(crate) struct Undecodable;

impl fmt::Display for Undecodable {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        to.write_str("the bytes are not of the stated encoding")
    }
}

impl std::error::Error for Undecodable {}

/// Bytes read at a time.
const INPUT: usize = 1 << 15;
/// Room for what they become; one byte may become three.
const OUTPUT: usize = 1 << 17;

enum Converter {
    Decoder(Decoder),
    Latin1,
}

/// Bytes of which a part is still to be taken.
struct Piece {
    bytes: Vec<u8>,
    start: usize,
    end: usize,
}

impl Piece {
    fn of(size: usize) -> Self {
        Self {
            bytes: vec![0; size],
            start: 0,
            end: 0,
        }
    }

    fn left(&self) -> &[u8] {
        &self.bytes[self.start..self.end]
    }
}

struct Decoded {
    bytes: Box<dyn Read>,
    converter: Converter,
    input: Piece,
    output: Piece,
    /// Whether all of the input was converted.
    ended: bool,
}

impl Decoded {
    /// Converts some more of the input; the output is empty before.
    fn advance(&mut self) -> io::Result<()> {
        let mut last = false;
        if self.input.left().is_empty() {
            self.input.start = 0;
            self.input.end = self.bytes.read(&mut self.input.bytes)?;
            last = self.input.end == 0;
        }
        let (from, to) = (
            &self.input.bytes[self.input.start..self.input.end],
            &mut self.output.bytes,
        );
        let (read, written) = match &mut self.converter {
            Converter::Latin1 => {
                self.ended = last;
                mem::convert_latin1_to_utf8_partial(from, to)
            }
            Converter::Decoder(decoder) => {
                let (result, read, written) =
                    decoder.decode_to_utf8_without_replacement(from, to, last);
                match result {
                    DecoderResult::InputEmpty => self.ended = last,
                    DecoderResult::OutputFull => {}
                    DecoderResult::Malformed(..) => {
                        return Err(io::Error::new(io::ErrorKind::InvalidData, Undecodable));
                    }
                }
                (read, written)
            }
        };
        self.input.start += read;
        (self.output.start, self.output.end) = (0, written);
        Ok(())
    }
}

impl Read for Decoded {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        while self.output.left().is_empty() && !self.ended && !into.is_empty() {
            self.advance()?;
        }
        let left = self.output.left();
        let count = left.len().min(into.len());
        into[..count].copy_from_slice(&left[..count]);
        self.output.start += count;
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    use proptest::prelude::*;

    /// Gives out one to seven bytes at a time.
    struct Dripping {
        bytes: Vec<u8>,
        at: usize,
    }

    impl Read for Dripping {
        fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
            let left = &self.bytes[self.at..];
            let count = left.len().min(into.len()).min(1 + self.at % 7);
            into[..count].copy_from_slice(&left[..count]);
            self.at += count;
            Ok(count)
        }
    }

    fn text(bytes: Vec<u8>, encoding: Encoding) -> io::Result<String> {
        let mut text = String::new();
        decoded(Box::new(Dripping { bytes, at: 0 }), encoding).read_to_string(&mut text)?;
        Ok(text)
    }

    fn utf16(text: &str, bytes: fn(u16) -> [u8; 2]) -> Vec<u8> {
        text.encode_utf16().flat_map(bytes).collect()
    }

    #[test]
    fn bytes_that_are_not_of_the_encoding_are_refused() {
        for bytes in [
            // Half a pair of surrogates, alone and at the end; half a character.
            vec![0x41, 0x00, 0x00, 0xd8, 0x41, 0x00],
            vec![0x00, 0xd8],
            vec![0x41, 0x00, 0x41],
        ] {
            let error = text(bytes, Encoding::Utf16).unwrap_err();
            let inner = error.get_ref().expect("an inner error");
            assert!(inner.is::<Undecodable>());
        }
        assert_eq!(text(vec![0x80], Encoding::Windows1252).unwrap(), "€");
        assert_eq!(text(vec![0x80], Encoding::Latin1).unwrap(), "\u{80}");
        assert_eq!(text(vec![], Encoding::Utf16).unwrap(), "");
    }

    proptest! {
        #[test]
        fn what_was_encoded_is_read(written in "\\PC{0,300}") {
            let marked = format!("\u{feff}{written}");
            for bytes in [
                utf16(&marked, u16::to_le_bytes),
                utf16(&marked, u16::to_be_bytes),
            ] {
                prop_assert_eq!(&text(bytes, Encoding::Utf16).unwrap(), &written);
            }
            let bytes = utf16(&written, u16::to_le_bytes);
            prop_assert_eq!(&text(bytes, Encoding::Utf16).unwrap(), &written);
            let narrow: String = written.chars().filter(|c| u32::from(*c) < 256).collect();
            let bytes = narrow.chars().map(|c| c as u8).collect();
            prop_assert_eq!(text(bytes, Encoding::Latin1).unwrap(), narrow);
        }
    }
}
