//! Where an event ends: the lexical half of the sieve. No I/O, no memory of its own.
//!
//! Framing is not a search for `</EVENT>`: declarations, processing instructions, comments, CDATA
//! and the quotes of a tag are known. Trusted: nothing. Everything hangs on one fact: `<` is never
//! legal inside a tag or an attribute value, so each `<` outside CDATA, comments and processing
//! instructions is looked at anew, whatever went before it.
//!
//! Cases: what begins at a `<` ([`token`]), where the next event start or declaration stands
//! ([`find_start`]), how far an open event reaches ([`Open::scan`]). `outside` has what stands
//! between events. A scan that ran out of bytes
//! remembers where it was and does not look at the same bytes again.

mod open;

pub use open::{Open, Reach};

use memchr::{memchr_iter, memmem};

/// How many bytes behind a `<` are enough to know what it begins: `</`, a name of at most
/// 64 bytes, and the byte after it.
pub const LOOKAHEAD: usize = 128;

/// What begins at a `<`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Token {
    /// `<EVENT` and white space, `/` or `>`.
    EventStart,
    /// `</EVENT` and white space, `/` or `>`.
    EventEnd,
    /// `<?xml` and white space.
    Declaration,
    /// `<?` and a byte that may begin a name.
    Instruction,
    /// `<!--`.
    Comment,
    /// `<![CDATA[`.
    Cdata,
    /// `<EVENTS` and white space, `/` or `>`.
    WrapperStart,
    /// `</EVENTS` and white space, `/` or `>`.
    WrapperEnd,
    /// `<!DOCTYPE` and white space.
    Doctype,
    /// Anything else.
    Other,
    /// The bytes end before it can be told.
    Short,
}

const WRAPPER: &[u8] = b"EVENTS";

/// XML white space.
#[must_use]
pub const fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\r' | b'\n')
}

const fn ends_name(byte: u8) -> bool {
    is_space(byte) || matches!(byte, b'/' | b'>')
}

/// A byte that may begin a name; every byte of a longer UTF-8 sequence counts as one.
#[must_use]
pub const fn begins_name(byte: u8) -> bool {
    byte.is_ascii_alphabetic() || matches!(byte, b'_' | b':' | 0x80..)
}

/// What begins at the first byte of `bytes`, which is a `<`.
#[must_use]
pub fn token(bytes: &[u8], element: &[u8]) -> Token {
    let Some((&second, rest)) = bytes.get(1..).and_then(<[u8]>::split_first) else {
        return Token::Short;
    };
    match second {
        b'/' => first_of(&[
            (named(rest, element), Token::EventEnd),
            (named(rest, WRAPPER), Token::WrapperEnd),
        ]),
        b'!' => first_of(&[
            (literal(rest, b"--"), Token::Comment),
            (literal(rest, b"[CDATA["), Token::Cdata),
            (spaced(rest, b"DOCTYPE"), Token::Doctype),
        ]),
        b'?' => first_of(&[
            (spaced(rest, b"xml"), Token::Declaration),
            (opens_name(rest), Token::Instruction),
        ]),
        _ => {
            let name = bytes.get(1..).unwrap_or_default();
            first_of(&[
                (named(name, element), Token::EventStart),
                (named(name, WRAPPER), Token::WrapperStart),
            ])
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Match {
    Yes,
    No,
    Short,
}

fn first_of(candidates: &[(Match, Token)]) -> Token {
    for &(matched, token) in candidates {
        match matched {
            Match::Yes => return token,
            Match::Short => return Token::Short,
            Match::No => {}
        }
    }
    Token::Other
}

fn literal(bytes: &[u8], word: &[u8]) -> Match {
    if bytes.starts_with(word) {
        Match::Yes
    } else if word.starts_with(bytes) {
        Match::Short
    } else {
        Match::No
    }
}

fn followed(bytes: &[u8], word: &[u8], by: fn(u8) -> bool) -> Match {
    match (literal(bytes, word), bytes.get(word.len())) {
        (Match::Yes, None) => Match::Short,
        (Match::Yes, Some(&byte)) if !by(byte) => Match::No,
        (matched, _) => matched,
    }
}

fn named(bytes: &[u8], name: &[u8]) -> Match {
    followed(bytes, name, ends_name)
}

fn spaced(bytes: &[u8], word: &[u8]) -> Match {
    followed(bytes, word, is_space)
}

fn opens_name(bytes: &[u8]) -> Match {
    match bytes.first() {
        None => Match::Short,
        Some(&byte) if begins_name(byte) => Match::Yes,
        Some(_) => Match::No,
    }
}

/// Where the next event start or declaration stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Start {
    /// At this offset.
    At(usize),
    /// The bytes end at this offset in what may become one.
    Perhaps(usize),
    /// Nowhere.
    None,
}

/// The first literal event start or declaration at or behind `from`, whatever surrounds it.
#[must_use]
pub fn find_start(bytes: &[u8], from: usize, element: &[u8]) -> Start {
    let rest = bytes.get(from..).unwrap_or_default();
    for offset in memchr_iter(b'<', rest) {
        match token(rest.get(offset..).unwrap_or_default(), element) {
            Token::EventStart | Token::Declaration => return Start::At(from + offset),
            Token::Short => return Start::Perhaps(from + offset),
            _ => {}
        }
    }
    Start::None
}

/// Whether a literal event start stands anywhere in `bytes`.
#[must_use]
pub fn holds_event_start(bytes: &[u8], element: &[u8]) -> bool {
    memchr_iter(b'<', bytes)
        .any(|at| token(bytes.get(at..).unwrap_or_default(), element) == Token::EventStart)
}

/// The offset behind the first `close` (which ends in `>`) that lies wholly at or behind `begin`,
/// looking only at `>` at or behind `from`.
#[must_use]
pub fn find_close(bytes: &[u8], begin: usize, from: usize, close: &[u8]) -> Option<usize> {
    let rest = bytes.get(from..)?;
    memchr_iter(b'>', rest)
        .map(|offset| from + offset + 1)
        .find(|&end| bytes.get(begin..end).is_some_and(|inside| inside.ends_with(close)))
}

/// A section in which markup does not count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Section {
    /// `<![CDATA[ … ]]>`
    Cdata,
    /// `<!-- … -->`
    Comment,
    /// `<? … ?>`
    Instruction,
}

impl Section {
    /// The section that a token begins.
    #[must_use]
    pub const fn of(token: Token) -> Option<Self> {
        match token {
            Token::Cdata => Some(Self::Cdata),
            Token::Comment => Some(Self::Comment),
            Token::Instruction => Some(Self::Instruction),
            _ => None,
        }
    }

    /// What ends it.
    #[must_use]
    pub const fn close(self) -> &'static [u8] {
        match self {
            Self::Cdata => b"]]>",
            Self::Comment => b"-->",
            Self::Instruction => b"?>",
        }
    }

    /// Length of what begins it.
    #[must_use]
    pub const fn opening(self) -> usize {
        match self {
            Self::Cdata => 9,
            Self::Comment => 4,
            Self::Instruction => 2,
        }
    }
}

/// Whether a whole section shows by its inside that its own end was lost, so that it closed at a
/// later one's: it took in an event start and another opening of its kind. A comment needs no such
/// rule, because it may not hold `--`.
#[must_use]
pub fn lost_its_end(inside: &[u8], section: Section, element: &[u8]) -> bool {
    let opens = |at: usize| Section::of(token(inside.get(at..).unwrap_or_default(), element));
    let again = match section {
        Section::Cdata => memmem::find(inside, b"<![CDATA[").is_some(),
        Section::Comment => memmem::find(inside, b"--").is_some(),
        Section::Instruction => {
            memmem::find_iter(inside, b"<?").any(|at| opens(at) == Some(Section::Instruction))
        }
    };
    again && holds_event_start(inside, element)
}

/// The sections known not to close in a part that is framed a second time: without this, a flood
/// of openings would be searched to the end of the part again and again.
#[derive(Debug, Clone, Copy, Default)]
pub struct Unclosed {
    cdata: bool,
    comment: bool,
    instruction: bool,
}

impl Unclosed {
    /// The flag of one kind of section.
    pub fn flag(&mut self, section: Section) -> &mut bool {
        match section {
            Section::Cdata => &mut self.cdata,
            Section::Comment => &mut self.comment,
            Section::Instruction => &mut self.instruction,
        }
    }
}

/// The first byte of a tag that changes how the rest is read: `<`, `>` or a quote.
pub(super) fn tag_byte(bytes: &[u8]) -> Option<usize> {
    bytes.iter().position(|byte| matches!(byte, b'<' | b'>' | b'"' | b'\''))
}

#[cfg(test)]
mod tests;
