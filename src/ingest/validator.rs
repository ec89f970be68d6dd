//! Decides whether one frame is a well-formed event: XML 1.0 and Namespaces in XML 1.0.
//!
//! Each event is judged on its own: what a wrapper declares does not count. What decides in the end
//! is the joined file, so the bounds here lie inside the default limits of libxml2 (256 levels,
//! names of 50,000 bytes, 10,000,000 bytes of text).
//! Trusted: the text is UTF-8 (its type says so). Not trusted: everything else. No entity is ever
//! expanded and no DOCTYPE allowed, so nothing grows here.
//! Refused: what either recommendation forbids, elements with the reserved prefix `xml`, `xml:id` (two equal ones make a whole file
//! invalid), namespace names that are no URIs, and what is beyond the `MAX_` constants.

use crate::event::{Fault, Reason};
use crate::ingest::framer::{Section, is_space, lost_its_end};
use crate::ingest::names;
use memchr::{memchr, memchr2, memchr3, memmem};
use std::borrow::Cow;
use std::collections::HashMap;

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

/// Whether a byte is a control character that XML forbids.
const fn forbidden(byte: u8) -> bool {
    byte < 0x20 && !matches!(byte, b'\t' | b'\n' | b'\r')
}

/// Finds a character that XML 1.0 does not allow anywhere: control characters, U+FFFE, U+FFFF.
/// Surrogates cannot be in a `str`.
pub(super) fn forbidden_character(text: &str) -> Option<usize> {
    let bytes = text.as_bytes();
    // Folding first lets the compiler use vector instructions; almost no event has any.
    if bytes.iter().fold(false, |any, &byte| any | forbidden(byte)) {
        return bytes.iter().position(|&byte| forbidden(byte));
    }
    forbidden_in_utf8(text)
}

/// Finds U+FFFE or U+FFFF.
pub(super) fn forbidden_in_utf8(text: &str) -> Option<usize> {
    let bytes = text.as_bytes();
    memmem::find(bytes, b"\xEF\xBF\xBE").or_else(|| memmem::find(bytes, b"\xEF\xBF\xBF"))
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

/// The namespace declarations in scope. A map, because an event may hold thousands of them.
#[derive(Default)]
struct Bindings<'a> {
    /// Prefixes in the order of their declaration.
    order: Vec<&'a str>,
    /// What each prefix stands for, the innermost last.
    namespaces: HashMap<&'a str, Vec<Cow<'a, str>>>,
}

impl<'a> Bindings<'a> {
    fn push(&mut self, prefix: &'a str, namespace: Cow<'a, str>) {
        self.order.push(prefix);
        self.namespaces.entry(prefix).or_default().push(namespace);
    }

    fn truncate(&mut self, length: usize) {
        while self.order.len() > length {
            if let Some(stack) = self.order.pop().and_then(|p| self.namespaces.get_mut(p)) {
                stack.pop();
            }
        }
    }

    fn get(&self, prefix: &str) -> Option<&str> {
        self.namespaces.get(prefix)?.last().map(|namespace| &**namespace)
    }
}

#[derive(Clone, Copy)]
struct Attribute<'a> {
    name: &'a str,
    value: &'a str,
    at: usize,
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

    /// A name as XML 1.0 has it; where colons may stand is judged by who asks.
    fn name(&mut self) -> Checked<&'a str> {
        let length = names::length(self.rest());
        match self.rest().get(..length) {
            Some(name) if (1..=MAX_NAME).contains(&length) => {
                self.at += length;
                Ok(name)
            }
            Some("") | None => self.fault("a name was expected"),
            Some(_) => self.fault("a name longer than 255 bytes"),
        }
    }

    fn qualified_name(&mut self) -> Checked<&'a str> {
        let begin = self.at;
        let name = self.name()?;
        if memchr(b':', name.as_bytes()).is_some() && !names::is_qualified(name) {
            return Err(malformed("a colon where no prefix ends", begin));
        }
        Ok(name)
    }

    fn end_tag(&mut self) -> Checked<()> {
        let begin = self.at;
        self.at += 2;
        let name = self.name()?;
        self.spaces();
        if !self.takes(">") {
            return self.fault("an end tag holds nothing but its name");
        }
        match self.open.pop() {
            Some((open, bindings)) if open == name => {
                self.bindings.truncate(bindings);
                Ok(())
            }
            _ => Err(malformed("an end tag that does not match its start tag", begin)),
        }
    }

    fn start_tag(&mut self) -> Checked<()> {
        let begin = self.at;
        self.at += 1;
        let name = self.qualified_name()?;
        if name.starts_with("xml:") {
            return Err(malformed("an element name with the reserved prefix xml", begin));
        }
        let bindings = self.bindings.order.len();
        let empty = self.attributes()?;
        if self.at - begin > MAX_RUN {
            return Err(malformed("a tag larger than XML parsers take", begin));
        }
        if self.open.len() >= MAX_LEVELS {
            return Err(malformed("more than 64 levels", begin));
        }
        self.namespaces(name, begin)?;
        if empty {
            self.bindings.truncate(bindings);
        } else {
            self.open.push((name, bindings));
        }
        Ok(())
    }

    /// The attributes up to the end of the tag; whether the tag is an empty element.
    fn attributes(&mut self) -> Checked<bool> {
        self.attributes.clear();
        loop {
            let spaces = self.spaces();
            match self.bytes() {
                [b'>', ..] => {
                    self.at += 1;
                    return Ok(false);
                }
                [b'/', b'>', ..] => {
                    self.at += 2;
                    return Ok(true);
                }
                _ if spaces == 0 => return self.fault("a character that no tag may hold"),
                _ => self.attribute()?,
            }
        }
    }

    fn attribute(&mut self) -> Checked<()> {
        let at = self.at;
        let name = self.qualified_name()?;
        self.spaces();
        if !self.takes("=") {
            return self.fault("an attribute without value");
        }
        self.spaces();
        let value = self.value()?;
        if self.attributes.len() >= MAX_ATTRIBUTES {
            return Err(malformed("more than 256 attributes", at));
        }
        if name == "xml:id" {
            return Err(malformed("xml:id, which must be unique in a whole file", at));
        }
        self.attributes.push(Attribute { name, value, at });
        Ok(())
    }

    fn value(&mut self) -> Checked<&'a str> {
        let quote = match self.bytes() {
            [quote @ (b'"' | b'\''), ..] => *quote,
            _ => return self.fault("an attribute value without quotes"),
        };
        self.at += 1;
        let begin = self.at;
        while let Some(offset) = memchr3(b'<', b'&', quote, self.bytes()) {
            self.at += offset;
            match self.bytes() {
                [b'<', ..] => return self.fault("'<' in a tag"),
                [b'&', ..] => self.reference()?,
                _ => {
                    self.at += 1;
                    return Ok(self.text.get(begin..self.at - 1).unwrap_or_default());
                }
            }
        }
        self.fault("an attribute value without end")
    }

    /// Binds what the tag declares, then resolves its name and its attributes.
    fn namespaces(&mut self, name: &'a str, begin: usize) -> Checked<()> {
        if self.attributes.is_empty() && !name.contains(':') {
            return Ok(());
        }
        let attributes = std::mem::take(&mut self.attributes);
        let checked = self.unique_names(&attributes).and_then(|()| {
            attributes.iter().try_for_each(|a| self.bind(a))?;
            self.resolve(name, begin)?;
            self.unique_expanded(&attributes)
        });
        self.attributes = attributes;
        checked
    }

    fn unique_names(&self, attributes: &[Attribute<'_>]) -> Checked<()> {
        unique(attributes.iter().map(|a| ("", a.name, a.at)))
    }

    fn bind(&mut self, attribute: &Attribute<'a>) -> Checked<()> {
        let Attribute { name, value, at } = *attribute;
        let Some(rest) = name.strip_prefix("xmlns") else { return Ok(()) };
        let prefix = match rest.strip_prefix(':') {
            Some(prefix) => prefix,
            None if rest.is_empty() => "",
            None => return Ok(()),
        };
        let namespace = normalized(value);
        match namespace_fault(prefix, &namespace) {
            Some(detail) => Err(malformed(detail, at)),
            None => {
                self.bindings.push(prefix, namespace);
                Ok(())
            }
        }
    }

    /// The namespace of a name with a prefix; empty without one.
    fn resolve(&self, name: &str, at: usize) -> Checked<&str> {
        match name.split_once(':') {
            None => Ok(""),
            Some(("xml", _)) => Ok(XML_NAMESPACE),
            Some((prefix, _)) => self
                .bindings
                .get(prefix)
                .ok_or_else(|| malformed("a prefix that the event does not declare", at)),
        }
    }

    fn unique_expanded(&self, attributes: &[Attribute<'_>]) -> Checked<()> {
        let mut expanded = Vec::new();
        for a in attributes {
            if let Some((_, local)) = a.name.split_once(':').filter(|(p, _)| *p != "xmlns") {
                expanded.push((self.resolve(a.name, a.at)?, local, a.at));
            }
        }
        unique(expanded.into_iter())
    }
}

/// Refuses two equal pairs of namespace and name.
fn unique<'n>(names: impl Iterator<Item = (&'n str, &'n str, usize)>) -> Checked<()> {
    let mut sorted: Vec<_> = names.collect();
    sorted.sort_unstable();
    let twice = sorted.windows(2).find_map(|pair| match pair {
        [(n1, l1, _), (n2, l2, at)] if n1 == n2 && l1 == l2 => Some(*at),
        _ => None,
    });
    twice.map_or(Ok(()), |at| Err(malformed("an attribute given twice", at)))
}

/// What an `&` begins, and how long it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reference {
    /// One of the five.
    Predefined(usize),
    /// `&#…;`, and its character if XML allows that one.
    Numeric(usize, Option<char>),
    /// No reference that stands without a DTD.
    None,
}

/// What the `&` at the start of `bytes` begins.
pub(super) fn reference(bytes: &[u8]) -> Reference {
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
fn normalized(value: &str) -> Cow<'_, str> {
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

/// What is wrong with declaring `prefix` (empty: the default) to stand for `namespace`.
fn namespace_fault(prefix: &str, namespace: &str) -> Option<&'static str> {
    if prefix == "xmlns" {
        return Some("the prefix xmlns cannot be declared");
    }
    if (prefix == "xml") != (namespace == XML_NAMESPACE) {
        return Some("the prefix xml and its namespace belong to each other");
    }
    if namespace == XMLNS_NAMESPACE {
        return Some("the namespace of xmlns cannot be declared");
    }
    if namespace.is_empty() {
        return (!prefix.is_empty()).then_some("a prefix cannot be declared empty");
    }
    (!names::is_uri(namespace)).then_some("a namespace name that is no URI")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(event: &str) -> (&'static str, usize) {
        validate(event, "EVENT").map_or_else(|fault| (fault.detail, fault.position), |()| ("", 0))
    }

    #[test]
    fn a_fault_says_what_and_where() {
        assert_eq!(fault("<EVENT>\u{1}</EVENT>"), ("a character that XML does not allow", 7));
        assert_eq!(fault("<EVENT>&x;</EVENT>").1, 7);
        assert_eq!(fault("<EVENT a='1' b='2' a='3'/>"), ("an attribute given twice", 19));
        assert_eq!(fault("<EVENT><a></b></EVENT>").1, 10);
        assert_eq!(fault("<EVENT/> "), ("something follows the event's end tag", 8));
        assert_eq!(fault("<EVENT>"), ("the event has no end", 7));
        assert_eq!(fault("<EVENTS/>"), ("not an event", 0));
        assert_eq!(fault("EVENT"), ("not an event", 0));
    }

    #[test]
    fn no_run_of_text_is_longer_than_libxml2_takes() {
        let event = |text: &str| format!("<EVENT><a/>{text}<a/></EVENT>");
        let text = "x".repeat(MAX_RUN / 2);
        assert_eq!(validate(&event(&text), "EVENT"), Ok(()));
        assert!(
            fault(&event(&format!("{text}<!-- --><![CDATA[{text}]]>"))).0.contains("more text")
        );
        let long = "x".repeat(MAX_RUN);
        assert!(fault(&event(&long)).0.contains("more text"));
        assert!(fault(&event(&format!("<b c='{long}'/>"))).0.contains("a tag larger"));
        assert!(fault(&event(&format!("<!--{long}-->"))).0.contains("more text"));
    }

    /// A lookup of each prefix among all declarations would take minutes here.
    #[test]
    fn many_declarations_cost_no_more_than_few() {
        let declarations = |level: usize| -> String {
            (0..MAX_ATTRIBUTES).map(|n| format!(" xmlns:p{level}-{n}='u'")).collect()
        };
        let open: String = (2..60).map(|level| format!("<a{}>", declarations(level))).collect();
        let use_them = "<p2-0:b/>".repeat(100_000);
        let event = format!("<EVENT>{open}{use_them}{}</EVENT>", "</a>".repeat(58));
        assert_eq!(validate(&event, "EVENT"), Ok(()));
    }
}
