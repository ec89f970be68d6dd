//! Characters and references: which ones XML 1.0 allows, and what they stand for.
//!
//! Plain functions; `validator`, `repair` and `flat` ask them.

use memchr::{memchr2, memchr3, memmem};
use std::borrow::Cow;

/// Whether a byte is a control character that XML forbids.
const fn forbidden(byte: u8) -> bool {
    byte < 0x20 && !matches!(byte, b'\t' | b'\n' | b'\r')
}

/// Finds a character that XML 1.0 does not allow anywhere: control characters, U+FFFE, U+FFFF.
/// Surrogates cannot be in a `str`.
pub(in crate::ingest) fn forbidden_character(text: &str) -> Option<usize> {
    let bytes = text.as_bytes();
    // Folding first lets the compiler use vector instructions; almost no event has any.
    if bytes.iter().fold(false, |any, &byte| any | forbidden(byte)) {
        return bytes.iter().position(|&byte| forbidden(byte));
    }
    forbidden_in_utf8(text)
}

/// Finds U+FFFE or U+FFFF.
pub(in crate::ingest) fn forbidden_in_utf8(text: &str) -> Option<usize> {
    let bytes = text.as_bytes();
    memmem::find(bytes, b"\xEF\xBF\xBE").or_else(|| memmem::find(bytes, b"\xEF\xBF\xBF"))
}

/// What an `&` begins, and how long it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::ingest) enum Reference {
    /// One of the five.
    Predefined(usize),
    /// `&#…;`, and its character if XML allows that one.
    Numeric(usize, Option<char>),
    /// No reference that stands without a DTD.
    None,
}

/// What the `&` at the start of `bytes` begins.
pub(in crate::ingest) fn reference(bytes: &[u8]) -> Reference {
    for name in [&b"&amp;"[..], b"&lt;", b"&gt;", b"&quot;", b"&apos;"] {
        if bytes.starts_with(name) {
            return Reference::Predefined(name.len());
        }
    }
    match bytes {
        [b'&', b'#', b'x', digits @ ..] => numeric(digits, 3, 16),
        [b'&', b'#', digits @ ..] => numeric(digits, 2, 10),
        _ => Reference::None,
    }
}

fn numeric(digits: &[u8], before: usize, radix: u32) -> Reference {
    let mut value = 0u32;
    for (count, &byte) in digits.iter().enumerate() {
        match char::from(byte).to_digit(radix) {
            Some(digit) => value = value.saturating_mul(radix).saturating_add(digit),
            None if byte == b';' && count > 0 => {
                let allowed = char::from_u32(value).filter(|&c| is_allowed(c));
                return Reference::Numeric(before + count + 1, allowed);
            }
            None => break,
        }
    }
    Reference::None
}

fn is_allowed(c: char) -> bool {
    !(c < ' ' && !matches!(c, '\t' | '\n' | '\r') || matches!(c, '\u{FFFE}' | '\u{FFFF}'))
}

/// An attribute value as XML 1.0 §3.3.3 normalizes it; its references are already checked.
pub(super) fn normalized(value: &str) -> Cow<'_, str> {
    let mut at = memchr3(b'&', b'\n', b'\t', value.as_bytes())
        .or_else(|| memchr2(b'\r', b'\n', value.as_bytes()));
    if at.is_none() {
        return Cow::Borrowed(value);
    }
    let mut out = String::new();
    let mut rest = value;
    while let Some(offset) = at {
        let (before, behind) = rest.split_at_checked(offset).unwrap_or_default();
        out.push_str(before);
        let (c, length) = normal(behind);
        out.push(c);
        rest = behind.get(length..).unwrap_or_default();
        at = rest.bytes().position(|b| matches!(b, b'&' | b'\n' | b'\t' | b'\r'));
    }
    out.push_str(rest);
    Cow::Owned(out)
}

fn normal(text: &str) -> (char, usize) {
    match reference(text.as_bytes()) {
        Reference::Numeric(length, Some(c)) => (c, length),
        Reference::Predefined(length) => {
            let c = match text.as_bytes().get(1..3) {
                Some(b"lt") => '<',
                Some(b"gt") => '>',
                Some(b"am") => '&',
                Some(b"qu") => '"',
                _ => '\'',
            };
            (c, length)
        }
        _ => (' ', 1),
    }
}
