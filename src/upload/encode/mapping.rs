//! An event as a JSON object; the same mapping for `json`, `ndjson`, Parquet's `_extra` and `inspect`.
//!
//! An element with only text is a string, `""` if empty. One with attributes or children is an
//! object: `"@name"` per attribute, the children by name, then `"$"` for its text if not empty. A
//! name that is there more than once becomes an array at the first one's place. The event itself is
//! always an object. No XML name begins with `@` or `$`, so nothing collides. Values are strings,
//! never numbers: a card number keeps its leading zeros.

use super::element::{Attribute, Element};
use serde::ser::{Serialize, SerializeMap, Serializer};
use std::collections::HashMap;

/// An element as an object, with all its children or some of them.
#[derive(Debug)]
pub struct Object<'e, 'a> {
    attributes: &'e [Attribute<'a>],
    children: Vec<&'e Element<'a>>,
    text: &'e str,
}

impl<'e, 'a> Object<'e, 'a> {
    /// The whole element.
    #[must_use]
    pub fn new(element: &'e Element<'a>) -> Self {
        Self::with_children(element, element.children().iter().collect())
    }

    /// The element with only these of its children.
    #[must_use]
    pub fn with_children(element: &'e Element<'a>, children: Vec<&'e Element<'a>>) -> Self {
        Self { attributes: element.attributes(), children, text: &element.text }
    }

    /// Nothing would be written but `{}`.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.attributes.is_empty() && self.children.is_empty() && self.text.is_empty()
    }
}

impl Serialize for Object<'_, '_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        for attribute in self.attributes {
            map.serialize_entry(&At(attribute.name), &attribute.value)?;
        }
        let repeats = Repeats::of(&self.children);
        for (index, child) in self.children.iter().enumerate() {
            match repeats.at(index) {
                Place::Alone => map.serialize_entry(child.name, child)?,
                Place::First => map.serialize_entry(child.name, &repeats.from(index))?,
                Place::Later => {}
            }
        }
        if !self.text.is_empty() {
            map.serialize_entry("$", self.text)?;
        }
        map.end()
    }
}

impl Serialize for Element<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if self.is_plain() {
            return serializer.serialize_str(&self.text);
        }
        Object::new(self).serialize(serializer)
    }
}

/// An attribute's key.
struct At<'a>(&'a str);

impl Serialize for At<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&format_args!("@{}", self.0))
    }
}

/// Which children have the same name: a chain per name, in document order, in linear time.
struct Repeats<'c, 'e, 'a> {
    children: &'c [&'e Element<'a>],
    /// For each child the next one of its name; 0: none, as no first child is another's next.
    /// Empty if no name is there twice.
    next: Vec<usize>,
    later: Vec<bool>,
}

enum Place {
    Alone,
    First,
    Later,
}

impl<'c, 'e, 'a> Repeats<'c, 'e, 'a> {
    fn of(children: &'c [&'e Element<'a>]) -> Self {
        let (mut next, mut later) = (Vec::new(), Vec::new());
        let mut last: HashMap<&str, usize> = HashMap::with_capacity(children.len().min(64));
        for (index, child) in children.iter().enumerate() {
            let Some(previous) = last.insert(child.name, index) else { continue };
            next.resize(children.len(), 0);
            later.resize(children.len(), false);
            set(&mut next, previous, index);
            set(&mut later, index, true);
        }
        Self { children, next, later }
    }

    fn at(&self, index: usize) -> Place {
        if self.later.get(index).copied().unwrap_or(false) {
            return Place::Later;
        }
        if self.after(index).is_some() { Place::First } else { Place::Alone }
    }

    fn after(&self, index: usize) -> Option<usize> {
        self.next.get(index).copied().filter(|&next| next > 0)
    }

    /// The children of one name, beginning with this one.
    fn from(&self, first: usize) -> Chain<'_, 'c, 'e, 'a> {
        Chain { repeats: self, first }
    }
}

fn set<T>(list: &mut [T], index: usize, value: T) {
    if let Some(slot) = list.get_mut(index) {
        *slot = value;
    }
}

struct Chain<'r, 'c, 'e, 'a> {
    repeats: &'r Repeats<'c, 'e, 'a>,
    first: usize,
}

impl Serialize for Chain<'_, '_, '_, '_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let indices = std::iter::successors(Some(self.first), |&index| self.repeats.after(index));
        serializer.collect_seq(indices.filter_map(|index| self.repeats.children.get(index)))
    }
}
