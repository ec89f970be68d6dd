//! What a worker thread lends to the connection it serves: a read buffer and two batches.
//!
//! An idle connection therefore holds no buffer. Everything between a read and the append happens
//! in one go on one thread, so at most one batch a thread is in hand when the disk says no.

use super::House;
use super::sieve::{Event, GiveUp, Outlet, Piece, Sieve};
use crate::event::{Fault, Reason};
use crate::quarantine;
use crate::spool::{Batch, Lane};
use jiff::Timestamp;
use std::cell::RefCell;
use std::net::IpAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};

thread_local! {
    static WORKER: RefCell<Worker> = RefCell::default();
}

/// A thread's buffers.
#[derive(Debug, Default)]
pub(super) struct Worker {
    /// The unfinished tail and behind it what was just read.
    pub(super) buffer: Vec<u8>,
    /// What the sieve made of it.
    pub(super) sorted: Sorted,
}

/// Events and rejected pieces on their way to the spool.
#[derive(Debug, Default)]
pub(super) struct Sorted {
    events: Batch,
    rejects: Batch,
}

/// What the sieve's run over a buffer came to.
pub(super) enum Sifted {
    /// So many bytes from the buffer's start are done with.
    Consumed(usize),
    /// The sieve panicked; everything it had not decided is in the quarantine.
    Panicked,
}

/// Runs `work` with this thread's buffers.
pub(super) fn with<R>(work: impl FnOnce(&mut Worker) -> R) -> R {
    WORKER.with_borrow_mut(work)
}

/// Who sent the bytes and when they were read.
#[derive(Debug, Clone, Copy)]
pub(super) struct Origin<'a> {
    pub(super) peer: IpAddr,
    pub(super) peer_text: &'a str,
    pub(super) received_at: Timestamp,
}

impl Sorted {
    /// Lets the sieve look at `buffer`; with `give_up` it ends what is unfinished.
    pub(super) fn sift(
        &mut self,
        house: &House,
        origin: Origin<'_>,
        sieve: &mut Sieve,
        buffer: &[u8],
        start: u64,
        give_up: Option<GiveUp>,
    ) -> Sifted {
        self.clear_for(origin);
        let keep_copies = house.spool.has_room(Lane::Quarantine);
        let mut sorter = Sorter { sorted: self, house, origin, keep_copies, decided: start };
        let run = catch_unwind(AssertUnwindSafe(|| match give_up {
            None => sieve.feed(buffer, &mut sorter),
            Some(why) => sieve.give_up(buffer, why, &mut sorter),
        }));
        sorter.house.tally.events.increment(sorter.sorted.events.items.len() as u64);
        match run {
            Ok(consumed) => Sifted::Consumed(consumed),
            Err(_) => sorter.keep_undecided(buffer, start),
        }
    }

    fn clear_for(&mut self, origin: Origin<'_>) {
        for batch in [&mut self.events, &mut self.rejects] {
            batch.clear();
            batch.peer = Some(origin.peer);
            batch.received_at = Some(origin.received_at);
        }
    }

    /// Hands both batches to the spool; false if something is left because there is no room.
    pub(super) fn append(&mut self, house: &House) -> bool {
        let events =
            self.events.is_done() || house.spool.append(Lane::Events, &mut self.events).is_ok();
        let rejects = self.rejects.is_done()
            || house.spool.append(Lane::Quarantine, &mut self.rejects).is_ok();
        if events && !self.events.items.is_empty() {
            house.heard(self.events.peer);
        }
        events && rejects
    }

    /// The lane that still waits for room.
    pub(super) fn waiting_lane(&self) -> Lane {
        if self.events.is_done() { Lane::Quarantine } else { Lane::Events }
    }

    /// How many events and rejected pieces are in hand, as the ledger counts them: a copy of a
    /// repaired event is none, and a piece in parts is one.
    pub(super) fn counts(&self) -> (u64, u64) {
        let pieces = self.rejects.items.iter().filter(|item| item.counted);
        (self.events.items.len() as u64, pieces.count() as u64)
    }
}

/// Writes what the sieve says into the batches.
struct Sorter<'a> {
    sorted: &'a mut Sorted,
    house: &'a House,
    origin: Origin<'a>,
    keep_copies: bool,
    /// Stream position up to which everything has been decided.
    decided: u64,
}

impl Sorter<'_> {
    /// After a panic: what was not decided goes to the quarantine as it came.
    fn keep_undecided(&mut self, buffer: &[u8], start: u64) -> Sifted {
        let offset = usize::try_from(self.decided.saturating_sub(start)).unwrap_or(usize::MAX);
        let raw = buffer.get(offset..).unwrap_or_default();
        let fault = Fault {
            reason: Reason::Panic,
            detail: "the program failed while reading this; please report it",
            position: 0,
        };
        let (position, encoding) = (self.decided, None);
        self.reject(Piece { raw, fault, position, repaired: &[], part: None, encoding });
        Sifted::Panicked
    }
}

impl Outlet for Sorter<'_> {
    fn event(&mut self, event: Event<'_>) {
        self.sorted.events.push(event.bytes, true);
        self.decided = event.position + event.length;
        if event.rescued {
            self.house.tally.rescued.increment(1);
        }
    }

    fn reject(&mut self, piece: Piece<'_>) {
        let copy = !piece.repaired.is_empty();
        let counted = !copy && piece.part.is_none_or(|part| part.last);
        if copy {
            let (peer, clock) = (self.origin.peer, &*self.house.clock);
            self.house.tally.repaired(piece.repaired, peer, clock);
        } else {
            self.decided = piece.position + piece.raw.len() as u64;
        }
        if counted {
            self.house.tally.rejected(piece.fault.reason);
        }
        if copy && !self.keep_copies {
            self.house.tally.copies_dropped.increment(1);
            return;
        }
        let origin = self.origin;
        self.sorted.rejects.push_with(counted, |out| {
            quarantine::write_record(out, &piece, origin.received_at, Some(origin.peer_text));
        });
    }

    fn skipped(&mut self, bytes: u64) {
        self.decided += bytes;
        self.house.tally.bytes_skipped.increment(bytes);
    }
}
