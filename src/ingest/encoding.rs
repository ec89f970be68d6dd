//! Which encoding the bytes of an event are in, and how they become UTF-8.
//!
//! Trusted: nothing. A declaration's label holds until the next declaration. It is honoured only if
//! the encoding agrees with ASCII, because events are framed as bytes before they are decoded.
//! Cases: no label or a UTF-8 label; a `utf-16`/`ucs-2` label on bytes that read as ASCII (a common
//! sender's fault), which means UTF-8; an honoured label; any other label, which means UTF-8 or
//! nothing. Refused: bytes that the encoding does not know. Nothing ever becomes U+FFFD here.

use crate::event::{Fault, Reason};
use crate::ingest::framer::is_space;
use crate::quarantine::UNKNOWN_ENCODING;
use encoding_rs::{DecoderResult, Encoding, UTF_8, UTF_16BE, UTF_16LE};
use std::borrow::Cow;

/// The encoding that holds at some point of the stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Charset {
    /// UTF-8, declared or not.
    #[default]
    Utf8,
    /// An honoured encoding.
    Declared(&'static Encoding),
    /// A label that is not honoured: UTF-8 or the quarantine.
    Unknown,
    /// UTF-16 from a byte-order mark, decoded before framing; a unit without partner is 0xFF here.
    Wide,
}

impl Charset {
    /// What a whole declaration (`<?xml … ?>`) says.
    #[must_use]
    pub fn declared(declaration: &[u8]) -> Self {
        let Some(label) = label(declaration) else { return Self::Utf8 };
        match Encoding::for_label(label) {
            Some(encoding) if encoding == UTF_8 => Self::Utf8,
            Some(encoding) if encoding == UTF_16LE || encoding == UTF_16BE => Self::Utf8,
            Some(encoding) if encoding.is_ascii_compatible() => Self::Declared(encoding),
            _ => Self::Unknown,
        }
    }

    /// Whether the repair rule `encoding` may be tried on bytes that are not valid UTF-8.
    #[must_use]
    pub const fn mendable(self) -> bool {
        matches!(self, Self::Utf8)
    }

    /// What a record says of bytes in this encoding; nothing where they are UTF-8 already.
    #[must_use]
    pub fn label(self) -> Option<&'static str> {
        match self {
            Self::Utf8 | Self::Wide => None,
            Self::Declared(encoding) => Some(encoding.name()),
            Self::Unknown => Some(UNKNOWN_ENCODING),
        }
    }

    /// The bytes as text.
    ///
    /// # Errors
    /// The bytes are not valid in this encoding.
    pub fn decode(self, bytes: &[u8]) -> Result<Cow<'_, str>, Fault> {
        match self {
            Self::Utf8 => utf8(bytes, Reason::Encoding, "not valid UTF-8"),
            Self::Wide => utf8(bytes, Reason::Encoding, "not valid UTF-16"),
            Self::Unknown => utf8(
                bytes,
                Reason::UnknownEncoding,
                "the declared encoding is not known here and the bytes are not valid UTF-8",
            ),
            Self::Declared(encoding) => decode(encoding, bytes),
        }
    }
}

fn utf8<'a>(bytes: &'a [u8], reason: Reason, detail: &'static str) -> Result<Cow<'a, str>, Fault> {
    simdutf8::basic::from_utf8(bytes).map(Cow::Borrowed).map_err(|_| {
        let position = std::str::from_utf8(bytes).map_or_else(|e| e.valid_up_to(), str::len);
        Fault { reason, detail, position }
    })
}

fn decode<'a>(encoding: &'static Encoding, bytes: &'a [u8]) -> Result<Cow<'a, str>, Fault> {
    encoding.decode_without_bom_handling_and_without_replacement(bytes).ok_or_else(|| Fault {
        reason: Reason::Encoding,
        detail: "not valid in the declared encoding",
        position: first_fault(encoding, bytes),
    })
}

fn first_fault(encoding: &'static Encoding, bytes: &[u8]) -> usize {
    let mut decoder = encoding.new_decoder_without_bom_handling();
    let mut sink = [0u8; 1024];
    let mut at = 0;
    loop {
        let rest = bytes.get(at..).unwrap_or_default();
        let (result, read, _) = decoder.decode_to_utf8_without_replacement(rest, &mut sink, true);
        at += read;
        match result {
            DecoderResult::InputEmpty => return at,
            DecoderResult::OutputFull => {}
            DecoderResult::Malformed(bad, after) => {
                return at.saturating_sub(usize::from(bad) + usize::from(after));
            }
        }
    }
}

/// The value of `encoding` in a declaration.
fn label(declaration: &[u8]) -> Option<&[u8]> {
    let mut rest = declaration.get(5..)?;
    loop {
        rest = rest.trim_ascii_start();
        let name_end = rest.iter().position(|&b| b == b'=' || is_space(b))?;
        let (name, behind) = rest.split_at_checked(name_end)?;
        let value = behind.trim_ascii_start().strip_prefix(b"=")?.trim_ascii_start();
        let (&quote, inside) = value.split_first().filter(|(q, _)| matches!(q, b'"' | b'\''))?;
        let end = inside.iter().position(|&b| b == quote)?;
        if name == b"encoding" {
            return inside.get(..end);
        }
        rest = inside.get(end + 1..)?;
    }
}

/// What the first bytes of a connection say about UTF-16.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mark {
    /// One byte of a mark, perhaps.
    Short,
    /// No byte-order mark of UTF-16.
    None,
    /// UTF-16, the most significant byte first (`true`) or last.
    Utf16 {
        /// The most significant byte comes first.
        big_endian: bool,
    },
}

/// Reads a byte-order mark of UTF-16.
#[must_use]
pub fn mark(bytes: &[u8]) -> Mark {
    match bytes {
        [0xFF, 0xFE, ..] => Mark::Utf16 { big_endian: false },
        [0xFE, 0xFF, ..] => Mark::Utf16 { big_endian: true },
        [] | [0xFF | 0xFE] => Mark::Short,
        _ => Mark::None,
    }
}

/// Decodes whole UTF-16 units into `text` and returns how many bytes were used. A high surrogate
/// at the end and an odd byte are left, unless `last`: then the surrogate is decoded too, as a
/// unit without partner. Such units become the byte 0xFF, which no UTF-8 text holds.
pub fn decode_utf16(bytes: &[u8], big_endian: bool, last: bool, text: &mut Vec<u8>) -> usize {
    let read = if big_endian { u16::from_be_bytes } else { u16::from_le_bytes };
    let (pairs, _) = bytes.as_chunks::<2>();
    let waits = !last && pairs.last().is_some_and(|&p| (0xD800..0xDC00).contains(&read(p)));
    let whole = pairs.get(..pairs.len() - usize::from(waits)).unwrap_or_default();
    for unit in char::decode_utf16(whole.iter().map(|&p| read(p))) {
        match unit {
            Ok(c) => text.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes()),
            Err(_) => text.push(0xFF),
        }
    }
    whole.len() * 2
}

/// How many bytes of UTF-16 the decoded bytes stand for.
#[must_use]
pub fn utf16_length(decoded: &[u8]) -> u64 {
    decoded
        .iter()
        .map(|&byte| match byte {
            0x80..=0xBF => 0,
            0xF0..=0xF7 => 4,
            _ => 2,
        })
        .sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use encoding_rs::{SHIFT_JIS, WINDOWS_1252};

    #[test]
    fn a_label_is_found_wherever_it_stands() {
        let declared = |text: &str| Charset::declared(format!("<?xml {text}?>").as_bytes());
        assert_eq!(declared("version='1.0'"), Charset::Utf8);
        assert_eq!(declared("version='1.0' encoding='utf-8'"), Charset::Utf8);
        assert_eq!(declared("encoding = \"ISO-8859-1\""), Charset::Declared(WINDOWS_1252));
        assert_eq!(declared("version='encoding' encoding='sjis'"), Charset::Declared(SHIFT_JIS));
        assert_eq!(declared("version=' encoding=\"sjis\"'"), Charset::Utf8);
        assert_eq!(declared("xencoding='sjis'"), Charset::Utf8);
        assert_eq!(declared("encoding='sjis"), Charset::Utf8);
    }

    #[test]
    fn only_encodings_that_agree_with_ascii_are_honoured() {
        let declared =
            |label: &str| Charset::declared(format!("<?xml encoding='{label}'?>").as_bytes());
        for label in ["UTF-16", "utf-16le", "UTF-16BE", "ucs-2", "iso-10646-ucs-2"] {
            assert_eq!(declared(label), Charset::Utf8, "{label}");
        }
        for label in ["iso-2022-jp", "utf-7", "ebcdic-cp-us", "", "UTF-32"] {
            assert_eq!(declared(label), Charset::Unknown, "{label}");
        }
    }

    #[test]
    fn a_fault_says_where_it_is() {
        let position = |charset: Charset, bytes: &[u8]| charset.decode(bytes).unwrap_err().position;
        assert_eq!(position(Charset::Utf8, b"abc\xFFd"), 3);
        assert_eq!(position(Charset::Declared(SHIFT_JIS), b"ab\x83\x5C\xFFd"), 4);
        let long = [&b"x".repeat(5000)[..], b"\xFF"].concat();
        assert_eq!(position(Charset::Declared(SHIFT_JIS), &long), 5000);
    }

    #[test]
    fn utf16_keeps_a_high_surrogate_until_its_partner_comes() {
        let mut text = Vec::new();
        assert_eq!(decode_utf16(b"\xD8\x3D", true, false, &mut text), 0);
        assert_eq!(decode_utf16(b"\xD8\x3D\xDE\x00a", true, false, &mut text), 4);
        assert_eq!(text, "😀".as_bytes());
        assert_eq!(decode_utf16(b"\x3D\xD8", false, true, &mut text), 2);
        assert_eq!(text, b"\xF0\x9F\x98\x80\xFF");
        assert_eq!(utf16_length(&text), 6);
    }
}
