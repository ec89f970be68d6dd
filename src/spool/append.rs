//! Many connections, one writer: a batch becomes part of the open segment.
//!
//! Under the lane's lock there is one write for all items that fit, one pass of the checksum, and
//! now and then the making of the next segment. Syncing and sealing happen elsewhere. What could
//! not be written stays in the batch.

use super::manifest::{Manifest, SealedBy};
use super::names::{self, State};
use super::open::{self, OpenSegment};
use super::reserve::Blocked;
use super::{Batch, Closing, Lane, Spool, Writer, guard};
use std::io;
use std::sync::atomic::Ordering;

/// With more segments than this waiting to be sealed, whoever appends helps.
const HELP_FROM: usize = 8;

impl Spool {
    /// Writes the items of a batch from its `next` on. When it returns `Ok`, they survive the end
    /// of this process; `SYNC_INTERVAL` later they survive a power cut.
    ///
    /// # Errors
    /// There is no room or the disk refuses: the batch keeps what is not written, and is handed
    /// in again when [`Spool::pause_changes`] says so.
    pub fn append(&self, lane: Lane, batch: &mut Batch) -> Result<(), Blocked> {
        let waiting = {
            let mut writer = guard(&self.lane(lane).writer);
            while !batch.is_done() {
                self.admit(lane, batch)?;
                if let Err(error) = self.append_some(lane, &mut writer, batch) {
                    return Err(self.refuse(&mut writer, &error));
                }
            }
            writer.closing.len()
        };
        if waiting > HELP_FROM {
            self.finish(lane);
        }
        Ok(())
    }

    /// Writes into the current segment; makes the next one if there is none or it is full.
    fn append_some(&self, lane: Lane, writer: &mut Writer, batch: &mut Batch) -> io::Result<()> {
        let now = self.now();
        if writer.current.is_none() {
            writer.current = Some(self.next_segment(lane, writer, batch)?);
        }
        let Some(current) = writer.current.as_mut() else { return Ok(()) };
        let written = current.write(batch, self.options.max_file_size, now)?;
        self.lane(lane).used.fetch_add(written, Ordering::Relaxed);
        if !batch.is_done() {
            self.close_current(writer, SealedBy::Size);
        }
        Ok(())
    }

    fn next_segment(
        &self,
        lane: Lane,
        writer: &mut Writer,
        batch: &Batch,
    ) -> io::Result<OpenSegment> {
        let now = self.now();
        let number = self.allot(lane, writer)?;
        let element = self.options.element.as_str().to_owned();
        let manifest = Manifest::new(self.identity(lane, number), element, now.wall);
        let first = (batch.received_at.unwrap_or(now.wall), batch.peer);
        let segment =
            OpenSegment::create(&*self.disk, &self.paths, lane, number, manifest, first, now)?;
        writer.number = None;
        let overhead = open::header(lane).len() + open::footer(lane).len();
        self.lane(lane).used.fetch_add(overhead as u64, Ordering::Relaxed);
        Ok(segment)
    }

    /// A number that was never used: the ledger file has reserved it, and no file has it. One
    /// whose files could not be made is tried again.
    fn allot(&self, lane: Lane, writer: &mut Writer) -> io::Result<u64> {
        let state = self.lane(lane);
        loop {
            let number = match writer.number {
                Some(number) => number,
                None => state.next.fetch_add(1, Ordering::SeqCst),
            };
            writer.number = Some(number);
            if number > state.reserved.load(Ordering::SeqCst) {
                guard(&self.ledger).dirty = true;
                self.write_ledger()?;
            }
            let mine = guard(&state.hidden).contains(&number);
            if mine || !self.exists(lane, number)? {
                guard(&state.hidden).insert(number);
                return Ok(number);
            }
            tracing::error!(
                lane = lane.name(),
                number,
                "the ledger file is older than the spool; a number was skipped"
            );
            writer.number = None;
        }
    }

    pub(super) fn exists(&self, lane: Lane, number: u64) -> io::Result<bool> {
        for state in [State::Sealed, State::Open, State::Stuck] {
            if self.disk.size(&self.paths.segment(lane, number, state))?.is_some() {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Sends the current segment on its way to being sealed, unless nothing is in it.
    pub(super) fn close_current(&self, writer: &mut Writer, by: SealedBy) {
        if let Some(segment) = writer.current.take_if(|s| s.items > 0) {
            writer.closing.push_back(Closing::new(segment, by));
        }
    }

    /// The disk refused: pause, and seal what is open, so that a healthy store can make room.
    fn refuse(&self, writer: &mut Writer, error: &io::Error) -> Blocked {
        self.close_current(writer, SealedBy::Space);
        self.disk_trouble(error);
        self.paused.borrow().all.as_ref().map_or(Blocked::DiskFault, |pause| pause.cause)
    }

    /// The name of the object that a segment sealed now will have.
    pub(super) fn object_name(&self, lane: Lane) -> super::manifest::Name {
        let second = self.clock.wall().as_second();
        let mut writer = guard(&self.lane(lane).writer);
        let next = writer.names.entry(second).or_default();
        let suffix = *next;
        *next += 1;
        while writer.names.len() > names::SECONDS_REMEMBERED {
            writer.names.pop_first();
        }
        let sealed_at = jiff::Timestamp::from_second(second).unwrap_or_default();
        super::manifest::Name { sealed_at, suffix, with_identity: false }
    }
}
