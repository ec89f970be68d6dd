//! What the keeper does a few times a second: sync, seal by age, look at the room.
//!
//! The group commit syncs outside the append lock. A sync that failed is never repeated: Linux
//! reports the error once and forgets the pages; the segment is closed at once and what can be
//! read back is written into a new file.

use super::manifest::SealedBy;
use super::names::State;
use super::{Closing, Lane, Spool, guard};
use std::sync::Arc;
use std::time::Duration;

impl Spool {
    /// To be called about every 50 to 100 ms, by one thread.
    pub fn tick(&self) {
        for lane in Lane::ALL {
            self.close_if_due(lane);
            self.sync_if_due(lane);
            self.finish(lane);
        }
        self.check_room();
        self.recover_again();
        if guard(&self.ledger).dirty {
            self.store_ledger();
        }
    }

    /// Seals whatever is open and not empty, now: SIGHUP, and the end of the process.
    pub fn seal(&self, by: SealedBy) {
        for lane in Lane::ALL {
            {
                let mut writer = guard(&self.lane(lane).writer);
                self.close_current(&mut writer, by);
            }
            self.finish(lane);
        }
    }

    /// Sends the current segment on its way if it is old, or if reading has stopped.
    fn close_if_due(&self, lane: Lane) {
        let blocked = self.paused.borrow().blocks(lane);
        let now = self.clock.monotonic();
        let mut writer = guard(&self.lane(lane).writer);
        let Some(current) = &writer.current else { return };
        if blocked {
            self.close_current(&mut writer, SealedBy::Space);
        } else if now.saturating_sub(current.opened) >= self.options.rotation_interval {
            self.close_current(&mut writer, SealedBy::Time);
        }
    }

    fn sync_if_due(&self, lane: Lane) {
        let _keeper = guard(&self.lane(lane).keeper);
        let now = self.clock.monotonic();
        let (file, number, manifest) = {
            let mut writer = guard(&self.lane(lane).writer);
            let due = now.saturating_sub(writer.synced_at) >= self.options.sync_interval;
            let Some(current) = writer.current.as_mut().filter(|c| due && c.unsynced) else {
                return;
            };
            current.unsynced = false;
            let manifest = current.peers_changed.then(|| current.open_manifest());
            current.peers_changed = false;
            let facts = (Arc::clone(&current.file), current.number, manifest);
            writer.synced_at = now;
            facts
        };
        if let Err(error) = file.sync() {
            tracing::error!(lane = lane.name(), number, %error, "a sync failed; what the segment holds is read back into a new file");
            self.distrust(lane, number);
        }
        if let Some(manifest) = manifest {
            let path = self.paths.segment(lane, number, State::Meta);
            if let Err(error) = manifest.store(&*self.disk, &path) {
                self.note_peers_again(lane, number);
                self.disk_trouble(&error);
            }
        }
        self.note_sync(now);
    }

    /// A sync that began then is over, well or not.
    pub(super) fn note_sync(&self, began: Duration) {
        let took = self.clock.monotonic().saturating_sub(began);
        metrics::histogram!("xsa_sync_seconds").record(took.as_secs_f64());
        *guard(&self.last_sync) = Some(took);
    }

    /// Takes a segment whose sync failed out of use.
    fn distrust(&self, lane: Lane, number: u64) {
        let mut writer = guard(&self.lane(lane).writer);
        if let Some(segment) = writer.current.take_if(|s| s.number == number) {
            let mut closing = Closing::new(segment, SealedBy::Recovery);
            closing.suspect = true;
            writer.closing.push_back(closing);
        } else if let Some(closing) = writer.closing.iter_mut().find(|c| c.segment.number == number)
        {
            closing.suspect = true;
        }
    }

    fn note_peers_again(&self, lane: Lane, number: u64) {
        let mut writer = guard(&self.lane(lane).writer);
        if let Some(current) = writer.current.as_mut().filter(|s| s.number == number) {
            current.peers_changed = true;
            current.unsynced = true;
        }
    }

    /// Writes the ledger file; what fails is tried again at the next tick.
    pub(super) fn store_ledger(&self) {
        if let Err(error) = self.write_ledger() {
            self.disk_trouble(&error);
        }
    }
}
