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

use memchr::{memchr_iter, memchr2, memmem};

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

/// How far an open event reaches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// It is whole and ends before this offset.
    Whole(usize),
    /// An event start or a declaration at this offset interrupts it.
    Cut(usize),
    /// The bytes end before it does.
    More,
}

/// An open event being scanned; offsets count from the start of the bytes given to `scan`.
#[derive(Debug, Clone, Copy)]
pub struct Open {
    /// Bytes before this offset were looked at.
    at: usize,
    place: Place,
}

#[derive(Debug, Clone, Copy)]
enum Place {
    /// In the event's own start tag, perhaps inside an attribute value.
    StartTag { quote: Option<u8> },
    /// Between tags, or in one: the next `<` decides.
    Content,
    /// In the event's own end tag.
    EndTag,
    /// In a section whose opening stands at `from`.
    Section { section: Section, from: usize },
}

impl Open {
    /// An event whose `<` stands at `start`.
    #[must_use]
    pub const fn new(start: usize, element: &[u8]) -> Self {
        Self { at: start + 1 + element.len(), place: Place::StartTag { quote: None } }
    }

    /// Moves the offsets after `by` bytes were taken from the front.
    pub fn shift(&mut self, by: usize) {
        self.at -= by;
        if let Place::Section { from, .. } = &mut self.place {
            *from -= by;
        }
    }

    /// Scans on. With `unclosed` the bytes are a part that ends here for good: a section counts
    /// only if it closes in them.
    pub fn scan(
        &mut self,
        bytes: &[u8],
        element: &[u8],
        mut unclosed: Option<&mut Unclosed>,
    ) -> Reach {
        loop {
            let step = match self.place {
                Place::StartTag { quote } => self.start_tag(bytes, quote),
                Place::Content => self.content(bytes, element, unclosed.as_deref_mut()),
                Place::EndTag => self.end_tag(bytes),
                Place::Section { section, from } => {
                    self.section(bytes, section, from, unclosed.as_deref_mut())
                }
            };
            if let Some(reach) = step {
                return reach;
            }
        }
    }

    fn start_tag(&mut self, bytes: &[u8], quote: Option<u8>) -> Option<Reach> {
        let rest = bytes.get(self.at..).unwrap_or_default();
        let found = match quote {
            Some(quote) => memchr2(b'<', quote, rest),
            None => tag_byte(rest),
        };
        let Some(offset) = found else {
            self.at = bytes.len();
            return Some(Reach::More);
        };
        let here = self.at + offset;
        let byte = bytes.get(here).copied().unwrap_or_default();
        self.at = here + usize::from(byte != b'<');
        self.place = match byte {
            b'"' | b'\'' if quote.is_none() => Place::StartTag { quote: Some(byte) },
            b'"' | b'\'' => Place::StartTag { quote: None },
            b'>' if bytes.get(..here).is_some_and(|before| before.ends_with(b"/")) => {
                return Some(Reach::Whole(self.at));
            }
            _ => Place::Content,
        };
        None
    }

    fn content(
        &mut self,
        bytes: &[u8],
        element: &[u8],
        unclosed: Option<&mut Unclosed>,
    ) -> Option<Reach> {
        let rest = bytes.get(self.at..).unwrap_or_default();
        for offset in memchr_iter(b'<', rest) {
            let here = self.at + offset;
            let token = token(rest.get(offset..).unwrap_or_default(), element);
            match token {
                Token::EventStart | Token::Declaration => {
                    return self.rest_at(here, Reach::Cut(here));
                }
                Token::EventEnd => {
                    self.at = here + 2 + element.len();
                    self.place = Place::EndTag;
                    return None;
                }
                Token::Short if unclosed.is_none() => return self.rest_at(here, Reach::More),
                _ => {}
            }
            if let Some(section) = Section::of(token)
                && !unclosed.as_ref().is_some_and(|u| *{ **u }.flag(section))
            {
                self.at = here + section.opening();
                self.place = Place::Section { section, from: here };
                return None;
            }
        }
        self.rest_at(bytes.len(), Reach::More)
    }

    fn rest_at(&mut self, at: usize, reach: Reach) -> Option<Reach> {
        self.at = at;
        Some(reach)
    }

    fn end_tag(&mut self, bytes: &[u8]) -> Option<Reach> {
        let rest = bytes.get(self.at..).unwrap_or_default();
        let Some(offset) = memchr2(b'<', b'>', rest) else {
            return self.rest_at(bytes.len(), Reach::More);
        };
        self.at += offset;
        if rest.get(offset) == Some(&b'>') {
            return Some(Reach::Whole(self.at + 1));
        }
        self.place = Place::Content;
        None
    }

    fn section(
        &mut self,
        bytes: &[u8],
        section: Section,
        from: usize,
        unclosed: Option<&mut Unclosed>,
    ) -> Option<Reach> {
        let begin = from + section.opening();
        if let Some(end) = find_close(bytes, begin, self.at, section.close()) {
            self.at = end;
            self.place = Place::Content;
            return None;
        }
        let Some(unclosed) = unclosed else {
            return self.rest_at(bytes.len(), Reach::More);
        };
        *unclosed.flag(section) = true;
        self.at = from + 1;
        self.place = Place::Content;
        None
    }
}

/// The first byte of a tag that changes how the rest is read: `<`, `>` or a quote.
pub(super) fn tag_byte(bytes: &[u8]) -> Option<usize> {
    bytes.iter().position(|byte| matches!(byte, b'<' | b'>' | b'"' | b'\''))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_cut_anywhere_is_short_and_never_another_token() {
        for (text, expected) in [
            ("<EVENT>", Token::EventStart),
            ("<EVENT/", Token::EventStart),
            ("<EVENT\n", Token::EventStart),
            ("</EVENT ", Token::EventEnd),
            ("<EVENTS>", Token::WrapperStart),
            ("</EVENTS>", Token::WrapperEnd),
            ("<?xml\t", Token::Declaration),
            ("<?xmlx", Token::Instruction),
            ("<?xml?", Token::Instruction),
            ("<?é", Token::Instruction),
            ("<!--", Token::Comment),
            ("<![CDATA[", Token::Cdata),
            ("<!DOCTYPE ", Token::Doctype),
            ("<EVENTX", Token::Other),
            ("<event>", Token::Other),
            ("<? ", Token::Other),
            ("<!doctype ", Token::Other),
            ("</X", Token::Other),
        ] {
            assert_eq!(token(text.as_bytes(), b"EVENT"), expected, "{text}");
            for end in 1..text.len() {
                let cut = token(&text.as_bytes()[..end], b"EVENT");
                assert!(cut == Token::Short || cut == expected, "{text} cut at {end}: {cut:?}");
            }
        }
    }

    #[test]
    fn an_opening_does_not_close_itself() {
        assert_eq!(find_close(b"<!-->", 4, 4, b"-->"), None);
        assert_eq!(find_close(b"<!--->", 4, 4, b"-->"), None);
        assert_eq!(find_close(b"<!---->", 4, 4, b"-->"), Some(7));
        assert_eq!(find_close(b"<?a?>", 2, 2, b"?>"), Some(5));
        assert_eq!(find_close(b"<?>", 2, 2, b"?>"), None);
    }
}
