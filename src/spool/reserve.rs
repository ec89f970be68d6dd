//! Room: when reading stops, why, and when it goes on by itself.
//!
//! Reading stops at `MAX_SPOOL_SIZE`, at a full disk, and for a moment at a disk fault; what is
//! open is then sealed at once. A file of zeros is kept in reserve and freed as soon as the disk
//! is full, so that sealing and recovery have room; it is made again before reading goes on.
//! Rejected bytes and log records may use a tenth of `MAX_SPOOL_SIZE` each; beyond it only they
//! wait.

use super::{Batch, Lane, Spool, guard};
use crate::base::disk::{self, Room};
use jiff::Timestamp;
use serde::Serialize;
use std::io;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::sync::watch;

/// The share of the disk that stays free is at most this much, in bytes.
const FREE_AT_MOST: u64 = 1 << 30;
/// After a disk fault, writing is tried again after this long.
const FAULT_WAIT: Duration = Duration::from_secs(1);

/// Why a batch was not written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, thiserror::Error)]
#[serde(rename_all = "kebab-case")]
pub enum Blocked {
    /// `MAX_SPOOL_SIZE` is reached.
    #[error("the spool is full")]
    SpoolFull,
    /// The disk is full, or nearly.
    #[error("the disk is full")]
    DiskFull,
    /// The disk refused a write or a sync.
    #[error("the disk reports errors")]
    DiskFault,
    /// Rejected bytes or log records use all of their tenth.
    #[error("the quarantine's share of the spool is full")]
    QuarantineFull,
}

/// Reading is stopped.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Pause {
    /// What the caller met.
    pub cause: Blocked,
    /// What happened and what to do, for people.
    pub reason: String,
    /// Since when.
    pub since: Timestamp,
}

/// What is paused.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Paused {
    /// Nothing is read at all.
    pub all: Option<Pause>,
    /// Only connections with rejected bytes to append wait.
    pub quarantine: Option<Pause>,
    /// Log records are dropped.
    pub logs: Option<Pause>,
}

impl Paused {
    /// Whether a batch for this lane would be refused.
    #[must_use]
    pub const fn blocks(&self, lane: Lane) -> bool {
        self.all.is_some() || self.of(lane).is_some()
    }

    const fn of(&self, lane: Lane) -> Option<&Pause> {
        match lane {
            Lane::Events => self.all.as_ref(),
            Lane::Quarantine => self.quarantine.as_ref(),
            Lane::Logs => self.logs.as_ref(),
        }
    }
}

/// What is remembered between two looks at the room.
#[derive(Debug, Default)]
pub(super) struct RoomKeeper {
    /// When the disk last refused something.
    fault_at: Duration,
    /// The disk was found full since the last resume.
    full: bool,
}

impl Spool {
    /// Why reading is stopped, if it is: the whole of it, or else that of rejected bytes.
    #[must_use]
    pub fn paused(&self) -> Option<Pause> {
        let paused = self.paused.borrow();
        paused.all.clone().or_else(|| paused.quarantine.clone())
    }

    /// Tells what is paused, and every change: wait with
    /// `wait_for(|paused| !paused.blocks(lane))`.
    #[must_use]
    pub fn pause_changes(&self) -> watch::Receiver<Paused> {
        self.paused.subscribe()
    }

    /// Whether a batch of ordinary size would be taken now. If not, the lane is paused, so that
    /// whoever waits for [`Spool::pause_changes`] is told when there is room again.
    #[must_use]
    pub fn has_room(&self, lane: Lane) -> bool {
        let blocked = self.paused.borrow().blocks(lane);
        !blocked && self.keep_limits(lane, 0).is_ok()
    }

    /// Bytes in all lanes, open segments included.
    pub(super) fn used(&self) -> u64 {
        Lane::ALL.into_iter().map(|lane| self.used_by(lane)).sum()
    }

    pub(super) fn used_by(&self, lane: Lane) -> u64 {
        self.lane(lane).used.load(Ordering::Relaxed)
    }

    /// Lets a batch in, or pauses what it would overfill.
    pub(super) fn admit(&self, lane: Lane, batch: &Batch) -> Result<(), Blocked> {
        {
            let paused = self.paused.borrow();
            if let Some(pause) = paused.all.as_ref().or_else(|| paused.of(lane)) {
                return Err(pause.cause);
            }
        }
        self.keep_limits(lane, batch.next_item())
    }

    /// Pauses the lane if the next item would exceed a limit.
    fn keep_limits(&self, lane: Lane, item: u64) -> Result<(), Blocked> {
        let Some(cause) = self.limit_met(lane, item) else { return Ok(()) };
        let (share, doing) = self.share(cause);
        self.pause(lane, cause, format!(
            "{doing} ({share} bytes): reading goes on by itself below 90 %, when the object store has taken what waits"
        ));
        Err(cause)
    }

    fn share(&self, cause: Blocked) -> (u64, &'static str) {
        match cause {
            Blocked::QuarantineFull => {
                (self.options.max_spool_size / 10, "a tenth of MAX_SPOOL_SIZE is reached")
            }
            _ => (self.options.max_spool_size, "MAX_SPOOL_SIZE is reached"),
        }
    }

    /// The limit that the next item would exceed. What is empty always takes an item, or one
    /// that is larger than the limit would wait for ever.
    fn limit_met(&self, lane: Lane, item: u64) -> Option<Blocked> {
        let exceeds = |used: u64, limit: u64| used > 0 && used + item > limit;
        let max = self.options.max_spool_size;
        if exceeds(self.used(), max) {
            return Some(Blocked::SpoolFull);
        }
        let share = lane != Lane::Events && exceeds(self.used_by(lane), max / 10);
        share.then_some(Blocked::QuarantineFull)
    }

    /// The disk refused something; nothing is lost, reading stops.
    pub(super) fn disk_trouble(&self, error: &io::Error) {
        let full = is_full(error);
        {
            let mut room = guard(&self.room);
            room.fault_at = self.clock.monotonic();
            room.full |= full;
        }
        let dir = self.paths.root().display();
        if full {
            self.free_reserve();
            self.pause(Lane::Events, Blocked::DiskFull, format!(
                "the disk that holds {dir} is full: make room on it; reading goes on by itself, also when the object store has taken what waits"
            ));
        } else {
            self.pause(
                Lane::Events,
                Blocked::DiskFault,
                format!(
                    "the disk that holds {dir} reports: {error}; it is tried again every second"
                ),
            );
        }
    }

    fn pause(&self, lane: Lane, cause: Blocked, reason: String) {
        let since = self.clock.wall();
        let changed = self.paused.send_if_modified(|paused| {
            let place = match (cause, lane) {
                (Blocked::QuarantineFull, Lane::Logs) => &mut paused.logs,
                (Blocked::QuarantineFull, _) => &mut paused.quarantine,
                _ => &mut paused.all,
            };
            let worse = place.as_ref().is_none_or(|now| severity(now.cause) < severity(cause));
            if worse {
                *place = Some(Pause { cause, reason: reason.clone(), since });
            }
            worse
        });
        if changed {
            tracing::warn!(lane = lane.name(), %reason, "reading is stopped");
        }
    }

    fn resume(&self, lane: Lane) {
        let changed = self.paused.send_if_modified(|paused| match lane {
            Lane::Events => paused.all.take().is_some(),
            Lane::Quarantine => paused.quarantine.take().is_some(),
            Lane::Logs => paused.logs.take().is_some(),
        });
        if changed {
            tracing::info!(lane = lane.name(), "reading goes on");
        }
    }

    /// Looks at the room: stops reading before the disk is full, and lets it go on.
    pub(super) fn check_room(&self) {
        let paused = self.paused.borrow().clone();
        for (lane, pause) in [(Lane::Quarantine, &paused.quarantine), (Lane::Logs, &paused.logs)] {
            if pause.is_some() && below_ninety(self.used_by(lane), self.options.max_spool_size / 10)
            {
                self.resume(lane);
            }
        }
        match &paused.all {
            // The last batch may have gone beyond the limit, and nobody has come with another since.
            None if self.keep_limits(Lane::Events, 0).is_err() => {}
            None => self.watch_disk(),
            Some(pause) if self.may_resume(pause.cause) => self.resume(Lane::Events),
            Some(_) => {}
        }
    }

    fn may_resume(&self, cause: Blocked) -> bool {
        let (full, fault_at) = {
            let room = guard(&self.room);
            (room.full, room.fault_at)
        };
        let waited = self.clock.monotonic().saturating_sub(fault_at) >= FAULT_WAIT;
        let ready = match cause {
            Blocked::SpoolFull => below_ninety(self.used(), self.options.max_spool_size),
            Blocked::DiskFault => waited,
            Blocked::DiskFull | Blocked::QuarantineFull => true,
        };
        ready && (!full || self.disk_has_room_again())
    }

    /// There is room for the reserve and a twentieth of the disk; the reserve is made again.
    ///
    /// Where the spool itself has nothing more to give, waiting for others would be for ever: then
    /// the reserve and as much again is enough.
    fn disk_has_room_again(&self) -> bool {
        let Ok(room) = self.disk.room(self.paths.root()) else { return false };
        let held = self.disk.size(&self.paths.reserve()).ok().flatten().unwrap_or(0);
        let available = room.available + held;
        let drained = self.used() <= self.options.max_file_size;
        let needed = if drained {
            self.options.reserve * 2
        } else {
            self.options.reserve + free_share(room)
        };
        if available < needed || self.make_reserve().is_err() {
            return false;
        }
        guard(&self.room).full = false;
        true
    }

    /// Stops reading while there still is room to seal.
    fn watch_disk(&self) {
        let Ok(room) = self.disk.room(self.paths.root()) else { return };
        if room.available < free_share(room) && self.used() > self.options.max_file_size {
            self.disk_trouble(&io::ErrorKind::StorageFull.into());
        }
    }

    /// Makes the reserve, if it is not there in full.
    pub(super) fn make_reserve(&self) -> io::Result<()> {
        let path = self.paths.reserve();
        if self.disk.size(&path)? == Some(self.options.reserve) {
            return Ok(());
        }
        let made = self.write_reserve();
        if made.is_err() {
            disk::remove_if_there(&*self.disk, &path)?;
        }
        made
    }

    fn write_reserve(&self) -> io::Result<()> {
        let file = self.disk.create(&self.paths.reserve())?;
        // Zeros are written, because a hole in a file reserves nothing.
        let zeros = [0; 64 * 1024];
        let mut written = 0;
        while written < self.options.reserve {
            let left = usize::try_from(self.options.reserve - written).unwrap_or(usize::MAX);
            let part = zeros.get(..left.min(zeros.len())).unwrap_or_default();
            disk::write_all_at(&*file, written, part)?;
            written += part.len() as u64;
        }
        file.sync()
    }

    /// Gives the reserve up, so that sealing has room.
    pub(super) fn free_reserve(&self) {
        if let Err(error) = disk::remove_if_there(&*self.disk, &self.paths.reserve()) {
            tracing::warn!(%error, "the reserve could not be freed");
        }
    }
}

impl Batch {
    /// Bytes of the next item to be written.
    fn next_item(&self) -> u64 {
        let end_of = |index: usize| self.items.get(index).map_or(0, |item| item.end);
        let start = self.next.checked_sub(1).map_or(0, end_of);
        u64::from(end_of(self.next).saturating_sub(start))
    }
}

/// Whether an error means that there is no room.
pub(super) fn is_full(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::WriteZero
    )
}

const fn severity(cause: Blocked) -> u8 {
    match cause {
        Blocked::QuarantineFull => 0,
        Blocked::SpoolFull => 1,
        Blocked::DiskFault => 2,
        Blocked::DiskFull => 3,
    }
}

fn below_ninety(used: u64, of: u64) -> bool {
    used < of - of / 10
}

/// A twentieth of the disk, at most a gibibyte.
fn free_share(room: Room) -> u64 {
    (room.total / 20).min(FREE_AT_MOST)
}
