//! Tags: names, attributes, and what Namespaces in XML 1.0 makes of them.
//!
//! An element's declarations hold for its own name and attributes and for what is inside it, so a
//! tag is read whole before any of its names is resolved.

use super::text::normalized;
use super::{Check, Checked, MAX_ATTRIBUTES, MAX_LEVELS, MAX_NAME, MAX_RUN, malformed};
use super::{XML_NAMESPACE, XMLNS_NAMESPACE};
use crate::ingest::names;
use memchr::{memchr, memchr3};
use std::borrow::Cow;
use std::collections::HashMap;

/// The namespace declarations in scope. A map, because an event may hold thousands of them.
#[derive(Default)]
pub(super) struct Bindings<'a> {
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
pub(super) struct Attribute<'a> {
    name: &'a str,
    value: &'a str,
    at: usize,
}

impl<'a> Check<'a> {
    /// A name as XML 1.0 has it; where colons may stand is judged by who asks.
    pub(super) fn name(&mut self) -> Checked<&'a str> {
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

    pub(super) fn end_tag(&mut self) -> Checked<()> {
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

    pub(super) fn start_tag(&mut self) -> Checked<()> {
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
