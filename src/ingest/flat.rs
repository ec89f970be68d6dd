//! The short way for the event that comes nearly always: `<name>text</name>`, one after the other,
//! without attributes, nesting, sections or prefixes. Framed and validated in one look.
//!
//! Trusted: nothing. It says yes only to what `framer` and `validator` would also frame and accept,
//! with the same end (`tests/sieve.rs` holds them against each other), and nothing else: whatever
//! is unusual or not yet whole goes the long way.

use crate::ingest::validator::{MAX_NAME, MAX_RUN, Reference, forbidden_in_utf8, reference};

/// A whole flat event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Flat {
    /// Its length in bytes.
    pub length: usize,
    /// Nothing but ASCII in it.
    pub ascii: bool,
}

/// Names that were found good in the events before, in their order: a sender repeats itself, and
/// comparing is quicker than looking at each byte.
#[derive(Debug, Default)]
pub struct Names {
    bytes: Vec<u8>,
    /// Where each name ends in `bytes`.
    ends: Vec<usize>,
}

/// Most bytes of names remembered.
const MAX_NAMES: usize = 4096;

impl Names {
    /// The name at the start of `bytes`, which is the `index`-th of its event.
    fn name<'a>(&mut self, index: usize, bytes: &'a [u8]) -> Option<&'a [u8]> {
        let from = index.checked_sub(1).map_or(Some(0), |before| self.ends.get(before).copied());
        let to = self.ends.get(index).copied();
        if let (Some(from), Some(to)) = (from, to)
            && let Some(known) = self.bytes.get(from..to)
            && bytes.starts_with(known)
            && bytes.get(known.len()) == Some(&b'>')
        {
            return bytes.get(..known.len());
        }
        let name = bytes.get(..run(bytes, NAME))?;
        let begins = name.first().is_some_and(|&b| b.is_ascii_alphabetic() || b == b'_');
        if !begins || name.len() > MAX_NAME {
            return None;
        }
        if let Some(from) = from {
            self.learn(index, from, name);
        }
        Some(name)
    }

    fn learn(&mut self, index: usize, from: usize, name: &[u8]) {
        self.ends.truncate(index);
        self.bytes.truncate(from);
        if self.bytes.len() + name.len() <= MAX_NAMES {
            self.bytes.extend_from_slice(name);
            self.ends.push(self.bytes.len());
        }
    }
}

/// Looks for a whole flat event at the start of `bytes`.
#[must_use]
pub fn flat(bytes: &[u8], element: &[u8], names: &mut Names) -> Option<Flat> {
    let mut seen = 0;
    let mut index = 0;
    let mut rest = bytes.strip_prefix(b"<")?.strip_prefix(element)?.strip_prefix(b">")?;
    loop {
        rest = text(rest, &mut seen)?;
        if let Some(end) = rest.strip_prefix(b"/") {
            rest = end.strip_prefix(element)?.strip_prefix(b">")?;
            break;
        }
        let name = names.name(index, rest).filter(|name| *name != element)?;
        rest = child(rest, name, &mut seen)?;
        index += 1;
    }
    let length = bytes.len() - rest.len();
    let ascii = seen < 0x80;
    let good = ascii || is_text(bytes.get(..length)?);
    (good && length <= MAX_RUN).then_some(Flat { length, ascii })
}

/// What is behind one `name>text</name>`.
fn child<'a>(bytes: &'a [u8], name: &[u8], seen: &mut u8) -> Option<&'a [u8]> {
    let end = text(bytes.get(name.len()..)?.strip_prefix(b">")?, seen)?;
    end.strip_prefix(b"/")?.strip_prefix(name)?.strip_prefix(b">")
}

/// What is behind the `<` that ends a text.
fn text<'a>(mut bytes: &'a [u8], seen: &mut u8) -> Option<&'a [u8]> {
    loop {
        let (plain, behind) = bytes.split_at_checked(run(bytes, TEXT))?;
        *seen = plain.iter().fold(*seen, |seen, byte| seen | byte);
        bytes = match behind {
            [b'<', rest @ ..] => return Some(rest),
            [b'&', ..] => behind.get(length(behind)?..)?,
            [b']', b']', b'>', ..] => return None,
            [b']', rest @ ..] => rest,
            _ => return None,
        };
    }
}

fn length(bytes: &[u8]) -> Option<usize> {
    match reference(bytes) {
        Reference::Predefined(length) | Reference::Numeric(length, Some(_)) => Some(length),
        Reference::Numeric(_, None) | Reference::None => None,
    }
}

fn is_text(event: &[u8]) -> bool {
    simdutf8::basic::from_utf8(event).is_ok_and(|text| forbidden_in_utf8(text).is_none())
}

/// A byte of a plain ASCII name.
const NAME: u8 = 1;
/// A byte of text that ends nothing and begins nothing.
const TEXT: u8 = 2;

static CLASSES: [u8; 256] = classes();

#[allow(clippy::indexing_slicing, reason = "at compile time, below 256")]
const fn classes() -> [u8; 256] {
    let mut classes = [0; 256];
    let mut byte = 0u8;
    loop {
        let name = byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.');
        let control = byte < 0x20 && !matches!(byte, b'\t' | b'\n' | b'\r');
        let text = !control && !matches!(byte, b'<' | b'&' | b']');
        classes[byte as usize] = if name { NAME } else { 0 } | if text { TEXT } else { 0 };
        if byte == 0xFF {
            return classes;
        }
        byte += 1;
    }
}

/// How many bytes at the front are of a class.
fn run(bytes: &[u8], class: u8) -> usize {
    let outside = |&byte: &u8| CLASSES.get(usize::from(byte)).is_none_or(|c| c & class == 0);
    bytes.iter().position(outside).unwrap_or(bytes.len())
}
