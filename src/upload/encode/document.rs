//! The events of a document, one after the other, each as the very bytes that are in it.
//!
//! Trusted: accepted events, so the only thing to find is where each one ends. That cannot be
//! searched for (`</EVENT>` may stand in CDATA, line breaks anywhere), so the document is walked
//! with the XML reader. Cases: the wrapper `<EVENTS>` opens, holds, closes; declarations, comments
//! and processing instructions between events are passed over; a document without a wrapper (a
//! capture of the wire) is read too. Refused: text between events, a DOCTYPE, anything behind the
//! wrapper, an end before the wrapper has closed. Memory: a window of 64 KiB, or twice the largest
//! event; a piece without an end makes the window grow to the rest of the document.

use quick_xml::Reader;
use quick_xml::events::Event;
use std::io::{self, Read};
use std::ops::Range;

/// How much is read at a time, in bytes.
const CHUNK: usize = 64 * 1024;

/// Why a document gave no further event.
#[derive(Debug, thiserror::Error)]
pub enum DocumentError {
    /// It could not be read.
    #[error("reading the document failed: {0}")]
    Read(#[source] io::Error),
    /// It ends inside an event or inside the wrapper, or is not well-formed from here on.
    #[error("the document ends unfinished behind byte {position}")]
    Unfinished {
        /// Offset in bytes of what has no end.
        position: u64,
    },
    /// Something stands where only an event may.
    #[error("the document is damaged at byte {position}: {detail}")]
    Damaged {
        /// Offset in bytes.
        position: u64,
        /// What is wrong; never repeats input.
        detail: &'static str,
    },
}

/// The events of a document.
#[derive(Debug)]
pub struct Events<R> {
    input: R,
    /// What was read and not yet passed over begins at `at`.
    window: Vec<u8>,
    at: usize,
    /// Offset of the window's first byte in the document.
    base: u64,
    exhausted: bool,
    stage: Stage,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Before,
    Inside,
    After,
}

/// What stands next in the window.
enum Step {
    /// An event, relative to `at`.
    Event(Range<usize>),
    /// Something to pass over, that many bytes long.
    Skip(usize),
    /// `<EVENTS>` or `</EVENTS>`, and the stage behind it.
    Wrapper(usize, Stage),
    /// Nothing, or the beginning of something.
    NeedMore,
    /// What may not stand here.
    Fault(&'static str),
}

impl<R: Read> Events<R> {
    /// Reads a document from its first byte.
    pub fn new(input: R) -> Self {
        let stage = Stage::Before;
        Self { input, window: Vec::new(), at: 0, base: 0, exhausted: false, stage }
    }

    /// The next event, without what is around it; none behind the last one.
    ///
    /// # Errors
    /// See [`DocumentError`].
    #[allow(
        clippy::should_implement_trait,
        reason = "it lends its window, which no `Iterator` can"
    )]
    pub fn next(&mut self) -> Result<Option<&[u8]>, DocumentError> {
        loop {
            match look(self.rest(), self.stage) {
                Step::Event(range) => {
                    let start = self.at + range.start;
                    self.at += range.end;
                    return Ok(self.window.get(start..self.at));
                }
                Step::Skip(length) => self.at += length,
                Step::Wrapper(length, stage) => (self.at, self.stage) = (self.at + length, stage),
                Step::NeedMore if self.exhausted => return self.end(),
                Step::NeedMore => self.fill()?,
                Step::Fault(detail) => {
                    return Err(DocumentError::Damaged { position: self.position(), detail });
                }
            }
        }
    }

    /// Offset in the document of the first byte not yet passed over.
    #[must_use]
    pub fn position(&self) -> u64 {
        self.base + self.at as u64
    }

    fn rest(&self) -> &[u8] {
        self.window.get(self.at..).unwrap_or_default()
    }

    fn end(&self) -> Result<Option<&[u8]>, DocumentError> {
        if self.rest().is_empty() && self.stage != Stage::Inside {
            return Ok(None);
        }
        Err(DocumentError::Unfinished { position: self.position() })
    }

    /// Reads at least as much as is already waiting, so that a large event is looked at only a
    /// logarithmic number of times.
    fn fill(&mut self) -> Result<(), DocumentError> {
        self.window.drain(..self.at);
        self.base += self.at as u64;
        self.at = 0;
        if self.window.len() < CHUNK {
            self.window.shrink_to(4 * CHUNK);
        }
        let want = self.window.len().max(CHUNK) as u64;
        let got = (&mut self.input).take(want).read_to_end(&mut self.window);
        self.exhausted = (got.map_err(DocumentError::Read)? as u64) < want;
        Ok(())
    }
}

/// Decides what stands at the beginning of `rest`. Any fault of the reader may be a piece that is
/// not all there yet.
fn look(rest: &[u8], stage: Stage) -> Step {
    let mut reader = Reader::from_reader(rest);
    reader.config_mut().check_end_names = false;
    reader.config_mut().allow_unmatched_ends = true;
    let Ok(event) = reader.read_event() else { return Step::NeedMore };
    let here = offset(&reader);
    match event {
        Event::Eof => Step::NeedMore,
        Event::Text(text) if text.iter().all(u8::is_ascii_whitespace) => Step::Skip(here),
        Event::Decl(_) | Event::Comment(_) | Event::PI(_) => Step::Skip(here),
        Event::Start(tag) if tag.name().as_ref() == b"EVENTS" => match stage {
            Stage::Before => Step::Wrapper(here, Stage::Inside),
            Stage::Inside | Stage::After => Step::Fault("a second <EVENTS>"),
        },
        Event::End(tag) if tag.name().as_ref() == b"EVENTS" && stage == Stage::Inside => {
            Step::Wrapper(here, Stage::After)
        }
        Event::Start(_) | Event::Empty(_) if stage == Stage::After => {
            Step::Fault("an event behind </EVENTS>")
        }
        Event::Empty(tag) => Step::Event(start_of(here, tag.len() + 3)..here),
        Event::Start(tag) => match reader.read_to_end(tag.name()) {
            Ok(_) => Step::Event(start_of(here, tag.len() + 2)..offset(&reader)),
            Err(_) => Step::NeedMore,
        },
        _ => Step::Fault("something other than an event between events"),
    }
}

fn start_of(end: usize, length: usize) -> usize {
    end.saturating_sub(length)
}

fn offset(reader: &Reader<&[u8]>) -> usize {
    usize::try_from(reader.buffer_position()).unwrap_or(usize::MAX)
}
