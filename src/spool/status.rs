//! What the spool says about itself: counts, ages and reasons, never content.

use super::ledger::{PerLane, Sums};
use super::reserve::Pause;
use super::{Lane, Spool, Writer, guard};
use jiff::Timestamp;
use serde::Serialize;
use std::time::Duration;

/// The state of the spool.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Status {
    /// The spool's identity.
    pub spool_id: String,
    /// Each lane's backlog.
    pub lanes: PerLane<LaneStatus>,
    /// Where everything is that was received.
    pub ledger: Sums,
    /// Bytes in the spool.
    pub used: u64,
    /// `MAX_SPOOL_SIZE`.
    pub max_spool_size: u64,
    /// Why reading is stopped, if it is.
    pub paused: Option<Pause>,
    /// How long the last sync took.
    pub last_sync: Option<Duration>,
    /// When a segment was last sealed.
    pub last_seal: Option<Timestamp>,
}

/// The backlog of a lane.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct LaneStatus {
    /// Bytes, the open segment included.
    pub bytes: u64,
    /// Sealed segments.
    pub segments: u64,
    /// Items that the ledger counts in the open segment and in those being sealed.
    pub open_items: u64,
    /// Items that the ledger counts, since the spool was made.
    pub received: u64,
    /// Those of them that are in objects which the store has confirmed.
    pub confirmed: u64,
    /// Since when the oldest sealed segment waits.
    pub oldest_age: Option<Duration>,
}

impl Spool {
    /// The state of the spool.
    #[must_use]
    pub fn status(&self) -> Status {
        Status {
            spool_id: self.id.clone(),
            lanes: PerLane::make(|lane| self.lane_status(lane)),
            ledger: self.ledger(),
            used: self.used(),
            max_spool_size: self.options.max_spool_size,
            paused: self.paused(),
            last_sync: *guard(&self.last_sync),
            last_seal: *guard(&self.last_seal),
        }
    }

    /// Whether everything received is in exactly one place, at this moment.
    #[must_use]
    pub fn ledger(&self) -> Sums {
        // All writers stand still meanwhile, so that nothing is on its way between two sums.
        let writers = PerLane::make(|lane| guard(&self.lane(lane).writer));
        let open = PerLane::make(|lane| open_items(writers.get(lane)));
        guard(&self.ledger).sums(&open)
    }

    fn lane_status(&self, lane: Lane) -> LaneStatus {
        // One lock at a time: a guard inside the struct would live to the end of it.
        let totals = guard(&self.ledger).totals(lane).clone();
        let open_items = open_items(&guard(&self.lane(lane).writer));
        let oldest_age = self.oldest_age(lane);
        LaneStatus {
            bytes: self.used_by(lane),
            segments: totals.segments,
            open_items,
            received: totals.received + open_items,
            confirmed: totals.confirmed,
            oldest_age,
        }
    }

    fn oldest_age(&self, lane: Lane) -> Option<Duration> {
        let number = self.oldest(lane, None)?;
        // A segment that is retired at this very moment has no age any more.
        let sealed_at = self.manifest(lane, number).ok()?.name?.sealed_at;
        Some(Duration::try_from(self.clock.wall().duration_since(sealed_at)).unwrap_or_default())
    }
}

fn open_items(writer: &Writer) -> u64 {
    let closing = writer.closing.iter().map(|c| c.segment.counted).sum::<u64>();
    writer.in_hand + closing + writer.current.as_ref().map_or(0, |c| c.counted)
}
