//! Events as JSON: one array, or one object a line.
//!
//! Both have one event's object a line; the array has brackets and commas around them, and may be
//! indented (`PRETTY_PRINT_JSON`). One event's object is held at a time.

use super::document::Events;
use super::element::Element;
use super::mapping::Object;
use super::sink::Sink;
use super::{EncodeError, Open};
use crate::spool::manifest::Compression;
use serde::Serialize;
use serde_json::ser::PrettyFormatter;
use std::io::{self, Write};

/// How the objects are put together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Layout {
    /// One object a line.
    Lines,
    /// One array, an object a line.
    Array,
    /// One array, indented.
    PrettyArray,
}

/// Writes the events of a document as JSON.
///
/// # Errors
/// See [`EncodeError`].
pub fn encode(
    layout: Layout,
    compression: Compression,
    open: &mut Open<'_>,
    output: &mut (dyn Write + Send),
) -> Result<(), EncodeError> {
    let mut events = Events::new(open().map_err(EncodeError::Read)?);
    let mut sink = Sink::new(compression, output).map_err(EncodeError::Write)?;
    let mut line = Vec::new();
    let mut first = true;
    loop {
        let position = events.position();
        let Some(event) = events.next()? else { break };
        let event =
            Element::parse(event).map_err(|detail| EncodeError::Damaged { position, detail })?;
        line.clear();
        line.extend_from_slice(before(layout, first));
        write_object(layout, &event, &mut line).map_err(EncodeError::Write)?;
        sink.write_all(&line).map_err(EncodeError::Write)?;
        first = false;
    }
    sink.write_all(end(layout, first)).map_err(EncodeError::Write)?;
    sink.finish().map_err(EncodeError::Write)
}

fn before(layout: Layout, first: bool) -> &'static [u8] {
    match (layout, first) {
        (Layout::Lines, true) => b"",
        (Layout::Lines, false) => b"\n",
        (Layout::Array | Layout::PrettyArray, true) => b"[\n",
        (Layout::Array | Layout::PrettyArray, false) => b",\n",
    }
}

fn end(layout: Layout, empty: bool) -> &'static [u8] {
    match (layout, empty) {
        (Layout::Lines, true) => b"",
        (Layout::Lines, false) => b"\n",
        (Layout::Array | Layout::PrettyArray, true) => b"[]\n",
        (Layout::Array | Layout::PrettyArray, false) => b"\n]\n",
    }
}

fn write_object(layout: Layout, event: &Element<'_>, line: &mut Vec<u8>) -> io::Result<()> {
    let object = Object::new(event);
    if layout != Layout::PrettyArray {
        return Ok(serde_json::to_writer(line, &object)?);
    }
    let formatter = PrettyFormatter::with_indent(b"  ");
    let mut serializer = serde_json::Serializer::with_formatter(line, formatter);
    Ok(object.serialize(&mut serializer)?)
}
