//! The spool: what was received and is not yet confirmed by the store, in plain files.
//!
//! See `ARCHITECTURE.md` for the files and the order of steps. Three lanes of the same kind, each
//! with its own segments. Trusted: what was synced. Not trusted: the length of an `.open` file.

pub mod manifest;
pub mod names;

use jiff::Timestamp;
use std::net::IpAddr;

pub use names::Lane;

/// Where one item of a [`Batch`] ends, and whether the ledger counts it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Item {
    /// Offset in [`Batch::bytes`] behind the item and its line break.
    pub end: u32,
    /// False for copies of repaired events and for all but the last part of a piece.
    pub counted: bool,
}

/// What one read brought for one lane: whole events (or whole JSON lines), each followed by `\n`.
///
/// The spool takes items from the front as it writes them, so a batch that met a full disk is
/// simply handed in again: `next` is the first item not yet written.
#[derive(Debug, Default)]
pub struct Batch {
    /// The items, back to back.
    pub bytes: Vec<u8>,
    /// Their ends.
    pub items: Vec<Item>,
    /// First item that is not yet in the spool.
    pub next: usize,
    /// Who sent it.
    pub peer: Option<IpAddr>,
    /// When it was read.
    pub received_at: Option<Timestamp>,
}

impl Batch {
    /// Adds an item and its line break.
    pub fn push(&mut self, item: &[u8], counted: bool) {
        self.bytes.extend_from_slice(item);
        self.bytes.push(b'\n');
        let end = u32::try_from(self.bytes.len()).unwrap_or(u32::MAX);
        self.items.push(Item { end, counted });
    }

    /// Whether everything in it has been written.
    #[must_use]
    pub fn is_done(&self) -> bool {
        self.next >= self.items.len()
    }

    /// Empties it for the next read; keeps its memory.
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.items.clear();
        self.next = 0;
    }
}
