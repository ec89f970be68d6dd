//! What stands between events and how far it reaches: declarations, the wrapper's tags, a DOCTYPE,
//! white space. No I/O, no memory of its own.
//!
//! Trusted: nothing. A `<` ends a tag and is looked at anew, so nothing broken here takes in an
//! event; within an internal subset only an event start or a declaration outside its literals does.

use crate::ingest::framer::{Section, Token, find_close, tag_byte, token};
use memchr::{memchr, memchr2};

/// How far a tag of the wrapper or a DOCTYPE reaches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TagReach {
    /// It ends before this offset.
    Closed(usize),
    /// A `<` at this offset, or one byte too many, breaks it.
    Broken(usize),
    /// The bytes end before it does.
    More,
}

/// A tag outside events, scanned up to its `>` with quotes respected.
#[derive(Debug, Clone, Copy)]
pub struct Tag {
    at: usize,
    quote: Option<u8>,
}

impl Tag {
    /// A tag whose `<` stands at `start`.
    #[must_use]
    pub const fn new(start: usize) -> Self {
        Self { at: start + 1, quote: None }
    }

    /// Moves the offsets after `by` bytes were taken from the front.
    pub fn shift(&mut self, by: usize) {
        self.at -= by;
    }

    /// Scans on.
    pub fn scan(&mut self, bytes: &[u8]) -> TagReach {
        loop {
            let rest = bytes.get(self.at..).unwrap_or_default();
            let found = match self.quote {
                Some(quote) => memchr2(b'<', quote, rest),
                None => tag_byte(rest),
            };
            let Some(offset) = found else {
                self.at = bytes.len();
                return TagReach::More;
            };
            let here = self.at + offset;
            self.at = here + 1;
            match rest.get(offset) {
                Some(b'<') => return TagReach::Broken(here),
                Some(b'>') => return TagReach::Closed(self.at),
                Some(&quote) if self.quote.is_none() => self.quote = Some(quote),
                _ => self.quote = None,
            }
        }
    }
}

/// Longest declaration in bytes.
pub const MAX_DECLARATION: usize = 1024;

/// How far the declaration at `start` reaches.
#[must_use]
pub fn declaration(bytes: &[u8], start: usize) -> TagReach {
    let whole = bytes.get(start..).unwrap_or_default();
    let text = whole.get(..MAX_DECLARATION).unwrap_or(whole);
    let mut at = 1;
    while let Some(offset) = text.get(at..).and_then(|rest| memchr2(b'<', b'>', rest)) {
        let here = at + offset;
        if text.get(here) == Some(&b'<') {
            return TagReach::Broken(start + here);
        }
        if text.get(..here).is_some_and(|before| before.ends_with(b"?")) {
            return TagReach::Closed(start + here + 1);
        }
        at = here + 1;
    }
    if whole.len() >= MAX_DECLARATION {
        return TagReach::Broken(start + MAX_DECLARATION);
    }
    TagReach::More
}

/// How far a DOCTYPE reaches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DoctypeReach {
    /// It has no internal subset and ends before this offset.
    Plain(usize),
    /// It has an internal subset and ends before this offset, or is interrupted there.
    Subset(usize),
    /// A `<` at this offset breaks it before any subset.
    Broken(usize),
    /// The bytes end before it does.
    More,
}

/// A DOCTYPE being scanned.
#[derive(Debug, Clone, Copy)]
pub struct Doctype {
    at: usize,
    place: DoctypePlace,
    quote: Option<u8>,
    section: Option<(Section, usize)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum DoctypePlace {
    Head,
    Subset,
    Tail,
}

impl Doctype {
    /// A DOCTYPE whose `<` stands at `start`.
    #[must_use]
    pub const fn new(start: usize) -> Self {
        Self { at: start + 1, place: DoctypePlace::Head, quote: None, section: None }
    }

    /// Moves the offsets after `by` bytes were taken from the front.
    pub fn shift(&mut self, by: usize) {
        self.at -= by;
        if let Some((_, from)) = &mut self.section {
            *from -= by;
        }
    }

    /// Whether an internal subset was seen.
    #[must_use]
    pub fn has_subset(&self) -> bool {
        self.place != DoctypePlace::Head
    }

    /// Scans on.
    pub fn scan(&mut self, bytes: &[u8], element: &[u8]) -> DoctypeReach {
        loop {
            if let Some((section, from)) = self.section {
                let begin = from + section.opening();
                let Some(end) = find_close(bytes, begin, self.at, section.close()) else {
                    self.at = bytes.len();
                    return DoctypeReach::More;
                };
                self.at = end;
                self.section = None;
            }
            let Some(&byte) = bytes.get(self.at) else { return DoctypeReach::More };
            if let Some(reach) = self.byte(bytes, byte, element) {
                return reach;
            }
        }
    }

    fn byte(&mut self, bytes: &[u8], byte: u8, element: &[u8]) -> Option<DoctypeReach> {
        let here = self.at;
        let subset = self.place == DoctypePlace::Subset;
        self.at += 1;
        match (byte, self.quote) {
            (b'<', quote) if !subset || quote.is_none() => {
                return self.markup(bytes, here, element);
            }
            (_, Some(quote)) => self.quote = Some(quote).filter(|&q| q != byte),
            (b'"' | b'\'', None) => self.quote = Some(byte),
            (b'[', None) if self.place == DoctypePlace::Head => self.place = DoctypePlace::Subset,
            (b']', None) if subset => self.place = DoctypePlace::Tail,
            (b'>', None) if self.place == DoctypePlace::Head => {
                return Some(DoctypeReach::Plain(self.at));
            }
            (b'>', None) if self.place == DoctypePlace::Tail => {
                return Some(DoctypeReach::Subset(self.at));
            }
            _ => {}
        }
        None
    }

    fn markup(&mut self, bytes: &[u8], here: usize, element: &[u8]) -> Option<DoctypeReach> {
        match self.place {
            DoctypePlace::Head => return Some(DoctypeReach::Broken(here)),
            DoctypePlace::Tail => return Some(DoctypeReach::Subset(here)),
            DoctypePlace::Subset => {}
        }
        let token = token(bytes.get(here..).unwrap_or_default(), element);
        match (token, Section::of(token)) {
            (Token::EventStart | Token::Declaration, _) => return Some(DoctypeReach::Subset(here)),
            (Token::Short, _) => {
                self.at = here;
                return Some(DoctypeReach::More);
            }
            (_, Some(section)) if section != Section::Cdata => {
                self.section = Some((section, here));
                self.at = here + section.opening();
            }
            _ => {}
        }
        None
    }
}

/// How many bytes at the front belong between events without being markup: white space, NUL and
/// UTF-8 byte-order marks.
#[must_use]
pub fn skippable(bytes: &[u8]) -> usize {
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        match byte {
            b' ' | b'\t' | b'\r' | b'\n' | 0 => at += 1,
            0xEF if bytes.get(at..).is_some_and(|b| b.starts_with(b"\xEF\xBB\xBF")) => at += 3,
            _ => break,
        }
    }
    at
}

/// Where the next `<` stands, or the end.
#[must_use]
pub fn next_markup(bytes: &[u8], from: usize) -> usize {
    bytes.get(from..).and_then(|rest| memchr(b'<', rest)).map_or(bytes.len(), |o| from + o)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_declaration_ends_within_1_kib_and_before_any_other_markup() {
        assert_eq!(declaration(b"..<?xml a='>' ?>x", 2), TagReach::Closed(16));
        assert_eq!(declaration(b"<?xml <", 0), TagReach::Broken(6));
        assert_eq!(declaration(b"<?xml ", 0), TagReach::More);
        let text = |length: usize| format!("<?xml {}?>", " ".repeat(length - 8));
        assert_eq!(declaration(text(1024).as_bytes(), 0), TagReach::Closed(1024));
        assert_eq!(declaration(text(1025).as_bytes(), 0), TagReach::Broken(1024));
    }
}
