//! Decides whether one frame is a well-formed event: XML 1.0 and Namespaces in XML 1.0.
//!
//! Each event is judged on its own: what a wrapper declares does not count. What decides in the end
//! is the joined file, so the bounds here lie inside the default limits of libxml2 (256 levels,
//! names of 50,000 bytes, 10,000,000 bytes of text).
//! Known limit: libxml2 refuses a document whose different names are longer than 10,000,000 bytes
//! together, which no event can know of. It takes an object of over 95 % names, no two alike.
//! Trusted: the text is UTF-8 (its type says so). Not trusted: everything else. No entity is ever
//! expanded and no DOCTYPE allowed, so nothing grows here.
//! Refused: what either recommendation forbids, elements with the reserved prefix `xml`, `xml:id` (two equal ones make a whole file
//! invalid), namespace names that are no URIs, and what is beyond the `MAX_` constants.

mod tags;
mod text;

use crate::event::{Fault, Reason};
use crate::ingest::framer::{Section, is_space, lost_its_end};
use crate::ingest::names;
use memchr::{memchr3, memmem};
use tags::{Attribute, Bindings};

/// Deepest nesting; the event itself is level 1.
pub const MAX_LEVELS: usize = 64;
/// Most attributes of one element, namespace declarations included.
pub const MAX_ATTRIBUTES: usize = 256;
/// Longest name in bytes, prefix and colon included.
pub const MAX_NAME: usize = 255;
/// Most bytes from one tag to the next, and of one tag: libxml2 refuses more than 10,000,000
/// bytes of joined text, and as much in one comment, instruction or attribute value.
pub const MAX_RUN: usize = 9_000_000;

const XML_NAMESPACE: &str = "http://www.w3.org/XML/1998/namespace";
const XMLNS_NAMESPACE: &str = "http://www.w3.org/2000/xmlns/";

pub(super) use text::{Reference, forbidden_character, forbidden_in_utf8, reference};

type Checked<T> = Result<T, Fault>;

/// Checks one event, from the `<` of its start tag to the `>` of its end tag.
///
/// # Errors
/// What is wrong with it and where.
pub fn validate<'a>(text: &'a str, element: &'a str) -> Result<(), Fault> {
    check_characters(text)?;
    let mut check = Check {
        text,
        element,
        at: 0,
        open: Vec::new(),
        bindings: Bindings::default(),
        attributes: Vec::new(),
    };
    check.root()?;
    while !check.open.is_empty() {
        check.content()?;
    }
    if check.at == text.len() {
        Ok(())
    } else {
        check.fault("something follows the event's end tag")
    }
}

fn malformed(detail: &'static str, position: usize) -> Fault {
    Fault { reason: Reason::Malformed, detail, position }
}

fn check_characters(text: &str) -> Checked<()> {
    forbidden_character(text)
        .map_or(Ok(()), |at| Err(malformed("a character that XML does not allow", at)))
}

struct Check<'a> {
    text: &'a str,
    element: &'a str,
    at: usize,
    /// Names of the open elements, and how many bindings were there before each.
    open: Vec<(&'a str, usize)>,
    bindings: Bindings<'a>,
    /// Of the tag in hand; kept here to use its memory again.
    attributes: Vec<Attribute<'a>>,
}

impl<'a> Check<'a> {
    fn fault<T>(&self, detail: &'static str) -> Checked<T> {
        Err(malformed(detail, self.at))
    }

    fn rest(&self) -> &'a str {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn bytes(&self) -> &'a [u8] {
        self.rest().as_bytes()
    }

    fn takes(&mut self, literal: &str) -> bool {
        let found = self.rest().starts_with(literal);
        self.at += if found { literal.len() } else { 0 };
        found
    }

    fn spaces(&mut self) -> usize {
        let count = self.bytes().iter().take_while(|&&b| is_space(b)).count();
        self.at += count;
        count
    }

    fn root(&mut self) -> Checked<()> {
        let behind = self.text.strip_prefix('<').unwrap_or_default();
        if behind.get(..names::length(behind)) != Some(self.element) {
            return self.fault("not an event");
        }
        self.start_tag()
    }

    /// Text up to the next markup, and that markup.
    fn content(&mut self) -> Checked<()> {
        let from = self.at;
        loop {
            self.text_run()?;
            let tag = match self.bytes() {
                [b'<', b'!', ..] => self.bang().map(|()| false),
                [b'<', b'?', ..] => self.instruction().map(|()| false),
                [b'<', b'/', ..] => self.end_tag().map(|()| true),
                [b'<', ..] => self.start_tag().map(|()| true),
                _ => self.fault("the event has no end"),
            }?;
            if self.at - from > MAX_RUN {
                return self.fault("more text in one element than XML parsers take");
            }
            if tag {
                return Ok(());
            }
        }
    }

    fn text_run(&mut self) -> Checked<()> {
        while let Some(offset) = memchr3(b'<', b'&', b']', self.bytes()) {
            self.at += offset;
            match self.bytes() {
                [b'<', ..] => return Ok(()),
                [b'&', ..] => self.reference()?,
                [b']', b']', b'>', ..] => return self.fault("']]>' in text"),
                _ => self.at += 1,
            }
        }
        self.at = self.text.len();
        Ok(())
    }

    fn reference(&mut self) -> Checked<()> {
        match reference(self.bytes()) {
            Reference::Predefined(length) => self.at += length,
            Reference::Numeric(length, Some(_)) => self.at += length,
            Reference::Numeric(_, None) => {
                return self.fault("a reference to a character that XML does not allow");
            }
            Reference::None => {
                return self.fault("'&' that begins no reference known without a DTD");
            }
        }
        Ok(())
    }

    fn bang(&mut self) -> Checked<()> {
        let begin = self.at;
        if self.takes("<!--") {
            return self.comment();
        }
        if !self.takes("<![CDATA[") {
            return self.fault("a declaration that only a DTD may hold");
        }
        let Some(offset) = memmem::find(self.bytes(), b"]]>") else {
            return Err(malformed("a CDATA section without end", begin));
        };
        let inside = self.bytes().get(..offset).unwrap_or_default();
        if lost_its_end(inside, Section::Cdata, self.element.as_bytes()) {
            return Err(malformed("a CDATA section that took in an event and another one", begin));
        }
        self.at += offset + 3;
        Ok(())
    }

    fn comment(&mut self) -> Checked<()> {
        let Some(offset) = memmem::find(self.bytes(), b"--") else {
            return self.fault("a comment without end");
        };
        self.at += offset;
        if self.takes("-->") { Ok(()) } else { self.fault("'--' in a comment") }
    }

    fn instruction(&mut self) -> Checked<()> {
        let begin = self.at;
        self.at += 2;
        let target = self.name()?;
        if target.contains(':') {
            return Err(malformed("a colon in the target of a processing instruction", begin));
        }
        if target.eq_ignore_ascii_case("xml") {
            return Err(malformed("a processing instruction with a reserved target", begin));
        }
        let Some(offset) = memmem::find(self.bytes(), b"?>") else {
            return Err(malformed("a processing instruction without end", begin));
        };
        if offset > 0 && !self.bytes().first().is_some_and(|&b| is_space(b)) {
            return self.fault("no space behind the target of a processing instruction");
        }
        let inside = self.bytes().get(..offset).unwrap_or_default();
        if lost_its_end(inside, Section::Instruction, self.element.as_bytes()) {
            return Err(malformed("an instruction that took in an event and another one", begin));
        }
        self.at += offset + 2;
        Ok(())
    }
}

#[cfg(test)]
mod tests;
