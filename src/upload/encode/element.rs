//! An event as a tree: names as written, text and attribute values as XML 1.0 says they read.
//!
//! Trusted: the event was accepted, so tags match, references are known and the tree is at most 64
//! levels deep; the reader's own refusals are passed on, and depth is limited for the sake of the
//! stack. Text of an element is all its text and CDATA joined, comments and processing instructions
//! dropped, references resolved, line ends normalized (§2.11; a `&#13;` stays), then XML white space
//! trimmed at both ends. Attribute values are normalized (§3.3.3) and not trimmed. What needs no
//! change is borrowed from the event.

use quick_xml::Reader;
use quick_xml::XmlVersion;
use quick_xml::escape::resolve_predefined_entity;
use quick_xml::events::attributes::Attributes;
use quick_xml::events::{BytesRef, Event};
use std::borrow::Cow;

/// Deeper than anything the validator accepts; bounds the recursion of whoever walks the tree.
const MAX_DEPTH: usize = 128;

/// An element.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Element<'a> {
    /// The name as written, prefix included.
    pub name: &'a str,
    /// Its trimmed text.
    pub text: Cow<'a, str>,
    /// Most elements of an event are text alone; only the others pay for more.
    more: Option<Box<More<'a>>>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct More<'a> {
    attributes: Vec<Attribute<'a>>,
    children: Vec<Element<'a>>,
}

/// An attribute, `xmlns` declarations included.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attribute<'a> {
    /// The name as written, prefix included.
    pub name: &'a str,
    /// Its normalized value.
    pub value: Cow<'a, str>,
}

/// What the XML reader did not understand; static text, so that it may be logged.
pub type Fault = &'static str;

impl<'a> Element<'a> {
    /// Reads one event.
    ///
    /// # Errors
    /// It is not what the validator accepts.
    pub fn parse(event: &'a [u8]) -> Result<Self, Fault> {
        let source = simdutf8::basic::from_utf8(event).map_err(|_| "an event is not UTF-8")?;
        let mut reader = Reader::from_str(source);
        reader.config_mut().check_end_names = false; // the validator has
        Parser { source, reader, open: Vec::new() }.run()
    }

    /// Attributes in document order.
    #[must_use]
    pub fn attributes(&self) -> &[Attribute<'a>] {
        self.more.as_ref().map_or(&[], |more| &more.attributes)
    }

    /// Child elements in document order.
    #[must_use]
    pub fn children(&self) -> &[Element<'a>] {
        self.more.as_ref().map_or(&[], |more| &more.children)
    }

    /// Text and nothing else.
    #[must_use]
    pub fn is_plain(&self) -> bool {
        self.more.is_none()
    }

    fn new(name: &'a str) -> Self {
        Self { name, text: Cow::Borrowed(""), more: None }
    }

    fn more(&mut self) -> &mut More<'a> {
        self.more.get_or_insert_default()
    }

    /// Adds text. Leading white space will be trimmed anyway, so what is only that is replaced.
    fn push_text(&mut self, part: Cow<'a, str>) {
        if self.text.trim_ascii().is_empty() {
            self.text = part;
        } else if !part.is_empty() {
            self.text.to_mut().push_str(&part);
        }
    }

    /// Rust's ASCII white space is XML's and the form feed, which XML forbids.
    fn trim(&mut self) {
        match &mut self.text {
            Cow::Borrowed(text) => *text = text.trim_ascii(),
            Cow::Owned(text) => {
                text.truncate(text.trim_ascii_end().len());
                text.drain(..text.len() - text.trim_ascii_start().len());
            }
        }
    }
}

struct Parser<'a> {
    source: &'a str,
    reader: Reader<&'a [u8]>,
    open: Vec<Element<'a>>,
}

impl<'a> Parser<'a> {
    fn run(mut self) -> Result<Element<'a>, Fault> {
        loop {
            let event = self.reader.read_event().map_err(|_| "an event is not well-formed")?;
            let closed = match event {
                Event::Start(tag) => self.start(tag.len(), tag.name().as_ref().len(), 1)?,
                Event::Empty(tag) => {
                    self.start(tag.len(), tag.name().as_ref().len(), 2)?;
                    self.close()
                }
                Event::End(_) => self.close(),
                Event::Text(text) => self.text(text.xml10_content().map_err(|_| NOT_TEXT)?)?,
                Event::CData(text) => self.text(text.xml10_content().map_err(|_| NOT_TEXT)?)?,
                Event::GeneralRef(reference) => self.text(resolve(&reference)?)?,
                Event::Comment(_) | Event::PI(_) => None,
                Event::Eof => return Err("an event has no end"),
                Event::Decl(_) | Event::DocType(_) => return Err("a declaration inside an event"),
            };
            if let Some(event) = closed {
                return Ok(event);
            }
        }
    }

    /// Opens an element: the reader stands behind its tag, whose last `closing` bytes are `>` or `/>`.
    fn start(
        &mut self,
        length: usize,
        name: usize,
        closing: usize,
    ) -> Result<Option<Element<'a>>, Fault> {
        if self.open.len() >= MAX_DEPTH {
            return Err("an event is nested too deeply");
        }
        let end = usize::try_from(self.reader.buffer_position()).unwrap_or(0);
        let end = end.saturating_sub(closing);
        let tag = self.source.get(end.saturating_sub(length)..end).ok_or(NOT_TEXT)?;
        let mut element = Element::new(tag.get(..name).ok_or(NOT_TEXT)?);
        read_attributes(&mut element, tag, name)?;
        self.open.push(element);
        Ok(None)
    }

    /// Closes the innermost element; it is returned if it was the event itself.
    fn close(&mut self) -> Option<Element<'a>> {
        let mut element = self.open.pop()?;
        element.trim();
        match self.open.last_mut() {
            Some(parent) => parent.more().children.push(element),
            None => return Some(element),
        }
        None
    }

    fn text(&mut self, part: Cow<'a, str>) -> Result<Option<Element<'a>>, Fault> {
        self.open.last_mut().ok_or("text outside an event")?.push_text(part);
        Ok(None)
    }
}

const NOT_TEXT: Fault = "an event is not UTF-8";

fn read_attributes<'a>(element: &mut Element<'a>, tag: &'a str, name: usize) -> Result<(), Fault> {
    for attribute in Attributes::new(tag, name).with_checks(false) {
        let attribute = attribute.map_err(|_| "an attribute is not well-formed")?;
        let value = attribute
            .normalized_value(XmlVersion::Implicit1_0)
            .map_err(|_| "a reference in an attribute is not known")?;
        let name = std::str::from_utf8(attribute.key.into_inner()).map_err(|_| NOT_TEXT)?;
        element.more().attributes.push(Attribute { name, value });
    }
    Ok(())
}

fn resolve<'a>(reference: &BytesRef<'a>) -> Result<Cow<'a, str>, Fault> {
    const UNKNOWN: Fault = "a reference is not known";
    if let Some(character) = reference.resolve_char_ref().map_err(|_| UNKNOWN)? {
        return Ok(Cow::Owned(character.to_string()));
    }
    let name = reference.decode().map_err(|_| UNKNOWN)?;
    resolve_predefined_entity(&name).map(Cow::Borrowed).ok_or(UNKNOWN)
}
