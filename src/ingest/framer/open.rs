//! An open event: how far it reaches in the bytes at hand, and where to go on with more of them.

use super::{Section, Token, Unclosed, find_close, tag_byte, token};
use memchr::{memchr_iter, memchr2};

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
