//! The sieve: a stream of bytes goes in; events and rejected pieces come out, each byte in one place.
//!
//! No sockets, no files, no clock: the socket and recovery use the same sieve. It gives the same
//! result however the bytes were cut into calls.

use crate::event::{ElementName, Fault, Repair};

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

/// A rejected piece, or the original of a repaired event.
#[derive(Debug, Clone, Copy)]
pub struct Piece<'a> {
    /// The bytes as they came.
    pub raw: &'a [u8],
    /// Why.
    pub fault: Fault,
    /// Where its first byte stood in the stream.
    pub position: u64,
    /// Rules that mended it. Not empty: the event was delivered and this is a copy, not counted.
    pub repaired: &'a [Repair],
    /// Set for a piece that comes in parts (`too-large`).
    pub part: Option<Part>,
}

/// One part of a piece that was too large to be kept in one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Part {
    /// Number of the piece on this connection.
    pub piece: u64,
    /// Number of the part, from 0.
    pub part: u32,
    /// Nothing of this piece follows. The ledger counts the piece once, here.
    pub last: bool,
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
