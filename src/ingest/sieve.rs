//! The sieve: a stream of bytes goes in; events and rejected pieces come out, each byte in one place.
//!
//! No sockets, no files, no clock: the socket and recovery use the same sieve. It gives the same
//! result however the bytes were cut into calls, and looks at each byte a fixed number of times.
//!
//! The caller keeps what was not consumed: an open event, or rejected bytes that what follows may
//! still join. That is at most `max_message_size` and 1 KiB. Trusted: the caller gives exactly those
//! bytes again. Bytes that open with a UTF-16 byte-order mark are decoded before they are framed;
//! the sieve then holds the unfinished text itself, under the same bound, and sizes are measured on
//! the decoded text; `position`, `length` and skipped bytes still count bytes of the stream.

use crate::event::ElementName;
use crate::ingest::encoding::{Mark, decode_utf16, mark};
use crate::ingest::flow::Flow;
use std::sync::Arc;

pub use crate::quarantine::{Part, Piece};

/// What is done with an event that is not well-formed (`ON_MALFORMED`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OnMalformed {
    /// Mend what the repair rules can mend; the original goes to the quarantine as a copy.
    #[default]
    Repair,
    /// Everything that is not well-formed goes to the quarantine.
    Quarantine,
}

/// How a stream is read.
#[derive(Debug, Clone)]
pub struct Options {
    /// The block's element (`EVENT_ELEMENT`).
    pub element: ElementName,
    /// Largest event in bytes as they came (`MAX_MESSAGE_SIZE`).
    pub max_message_size: usize,
    /// `ON_MALFORMED`.
    pub on_malformed: OnMalformed,
    /// Whether declared encodings are honoured; recovery reads UTF-8 only.
    pub honour_encodings: bool,
}

/// An accepted event.
#[derive(Debug, Clone, Copy)]
pub struct Event<'a> {
    /// The event as it is stored: UTF-8, without declaration, without anything around it.
    pub bytes: &'a [u8],
    /// Where its first byte stood in the stream (bytes since the sieve was made).
    pub position: u64,
    /// How many bytes of the stream it was made from.
    pub length: u64,
    /// It was found by dividing bytes that had been given up.
    pub rescued: bool,
}

/// Takes what the sieve decided, in the order of the stream.
pub trait Outlet {
    /// An accepted event.
    fn event(&mut self, event: Event<'_>);
    /// A rejected piece or a copy.
    fn reject(&mut self, piece: Piece<'_>);
    /// Bytes that belong between events: white space, declarations, comments, the wrapper.
    fn skipped(&mut self, bytes: u64);
}

/// Why unfinished bytes are given up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GiveUp {
    /// `EVENT_TIMEOUT`: the connection stays; a last part that is still open goes on as the open event.
    TimeOut,
    /// The connection, the datagram or the process ended: nothing stays open.
    End,
}

/// A stream being read. See the module for the rules of its buffer.
#[derive(Debug)]
pub struct Sieve {
    flow: Flow,
    input: Input,
    /// Stream position of bytes that cannot be decoded yet.
    undecoded: Option<u64>,
}

#[derive(Debug)]
enum Input {
    /// Nothing was read yet.
    Fresh,
    /// Framed as the bytes come.
    Bytes,
    /// Decoded into `text` before framing; `text` begins with what is unfinished.
    Utf16 { big_endian: bool, text: Vec<u8> },
}

/// Bytes of UTF-16 decoded at a time, so that the text held stays small.
const UTF16_CHUNK: usize = 16 * 1024;

impl Sieve {
    /// A sieve at the start of a stream.
    #[must_use]
    pub fn new(options: Arc<Options>) -> Self {
        let input = if options.honour_encodings { Input::Fresh } else { Input::Bytes };
        Self { flow: Flow::new(options), input, undecoded: None }
    }

    /// Reads on. `buffer` begins with the bytes that the previous call did not consume and has new
    /// ones behind them. Returns how many bytes from its start are done with.
    pub fn feed<O: Outlet + ?Sized>(&mut self, buffer: &[u8], out: &mut O) -> usize {
        self.read(buffer, None, out)
    }

    /// Gives up what is unfinished; `buffer` as for [`Sieve::feed`]. With [`GiveUp::End`]
    /// everything is consumed; with [`GiveUp::TimeOut`] what remains is a new unfinished event.
    pub fn give_up<O: Outlet + ?Sized>(
        &mut self,
        buffer: &[u8],
        why: GiveUp,
        out: &mut O,
    ) -> usize {
        self.read(buffer, Some(why), out)
    }

    /// Stream position of the first byte of the event, comment, instruction or declaration that is
    /// unfinished, or of rejected bytes not yet handed out; `None` when nothing is held. Whoever
    /// keeps the time measures from the moment this value appears or changes.
    #[must_use]
    pub fn unfinished(&self) -> Option<u64> {
        self.flow.unfinished().or(self.undecoded)
    }

    fn read<O: Outlet + ?Sized>(
        &mut self,
        buffer: &[u8],
        why: Option<GiveUp>,
        out: &mut O,
    ) -> usize {
        let marked = match self.open(buffer, why, out) {
            Some(marked) => marked,
            None => return 0,
        };
        let rest = buffer.get(marked..).unwrap_or_default();
        marked
            + match &mut self.input {
                Input::Utf16 { big_endian, text } => {
                    let used = decoded(&mut self.flow, *big_endian, text, rest, why, out);
                    self.undecoded = (used < rest.len()).then(|| self.flow.position());
                    used
                }
                _ => pass(&mut self.flow, rest, why, out),
            }
    }

    /// Looks for a byte-order mark of UTF-16; `None` while it may still come.
    fn open<O: Outlet + ?Sized>(
        &mut self,
        buffer: &[u8],
        why: Option<GiveUp>,
        out: &mut O,
    ) -> Option<usize> {
        if !matches!(self.input, Input::Fresh) {
            return Some(0);
        }
        match mark(buffer) {
            Mark::Short if why.is_none() => {
                self.undecoded = (!buffer.is_empty()).then_some(0);
                return None;
            }
            Mark::Short if buffer.is_empty() => return None,
            Mark::Short | Mark::None => self.input = Input::Bytes,
            Mark::Utf16 { big_endian } => {
                self.input = Input::Utf16 { big_endian, text: Vec::new() };
                self.flow.widen();
                out.skipped(2);
            }
        }
        self.undecoded = None;
        Some(if matches!(self.input, Input::Utf16 { .. }) { 2 } else { 0 })
    }
}

fn pass<O: Outlet + ?Sized>(
    flow: &mut Flow,
    bytes: &[u8],
    why: Option<GiveUp>,
    out: &mut O,
) -> usize {
    match why {
        None => flow.feed(bytes, out),
        Some(why) => flow.give_up(bytes, why, out),
    }
}

/// Decodes and frames; returns how many bytes of `rest` were used.
fn decoded<O: Outlet + ?Sized>(
    flow: &mut Flow,
    big_endian: bool,
    text: &mut Vec<u8>,
    rest: &[u8],
    why: Option<GiveUp>,
    out: &mut O,
) -> usize {
    let end = why == Some(GiveUp::End);
    let mut used = 0;
    loop {
        let from = rest.get(used..).unwrap_or_default();
        let chunk = from.get(..UTF16_CHUNK).unwrap_or(from);
        let read = decode_utf16(chunk, big_endian, end && chunk.len() == from.len(), text);
        if read == 0 {
            break;
        }
        used += read;
        let done = flow.feed(text, out);
        text.drain(..done);
    }
    if let Some(why) = why {
        let done = flow.give_up(text, why, out);
        text.drain(..done);
    }
    let odd = rest.get(used..).unwrap_or_default();
    if end && !odd.is_empty() {
        flow.half_unit(odd, out);
        used = rest.len();
    }
    used
}
