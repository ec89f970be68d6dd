//! What the uploads are doing, for the status page, the metrics and whoever listens.
//!
//! Counters live where the thing they count happens: `run` notes every end of a try here. A change
//! of state is logged once, when it is noted.

use crate::spool::Lane;
use jiff::Timestamp;
use serde::Serialize;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::broadcast;

/// Landed objects that a slow listener may lag behind.
const BACKLOG: usize = 256;

/// An object that the store has confirmed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Landed {
    /// Which lane.
    pub lane: Lane,
    /// Where: a URL, or the path of a file.
    pub object: String,
    /// Items in it.
    pub items: u64,
    /// Its length in bytes.
    pub bytes: u64,
    /// From the first receipt to the store's confirmation.
    pub freshness: Duration,
    /// It was there already, from a try whose answer was lost or by an earlier process.
    pub was_there: bool,
}

/// What the uploads are doing.
#[derive(Debug, Clone, Default, Serialize)]
pub struct UploadStatus {
    /// Uploads in the air.
    pub in_flight: usize,
    /// Segments that wait after a failed try.
    pub waiting: usize,
    /// The newest object.
    pub last_object: Option<String>,
    /// When it landed.
    pub last_object_at: Option<Timestamp>,
    /// What was wrong last, and what to do about it; stays after it has passed.
    pub last_error: Option<String>,
    /// When that was.
    pub last_error_at: Option<Timestamp>,
    /// Since when something has been wrong; `None` while all is well.
    pub since: Option<Timestamp>,
    /// Lane by lane: events, quarantine, logs.
    pub lanes: [LaneStatus; 3],
}

/// What one lane's uploads are doing.
#[derive(Debug, Clone, Default, Serialize)]
pub struct LaneStatus {
    /// The lane's name.
    pub lane: &'static str,
    /// Uploads in the air.
    pub in_flight: usize,
    /// Segments that wait after a failed try.
    pub waiting: usize,
    /// How the store treats this lane.
    pub mood: Mood,
    /// What was wrong last.
    pub last_error: Option<String>,
    /// When that was.
    pub last_error_at: Option<Timestamp>,
    /// Since when something has been wrong; `None` while all is well.
    pub since: Option<Timestamp>,
    /// Objects confirmed by this process.
    pub objects: u64,
    /// Items in them.
    pub items: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Tries that failed.
    pub failed_tries: u64,
    /// Segments set aside as `.stuck`.
    pub stuck: u64,
}

/// How a store treats a lane.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Mood {
    /// It takes what comes.
    #[default]
    Well,
    /// It is away or busy; nothing is lost and nobody need act.
    Away,
    /// It refuses; somebody must act.
    Refusing,
}

/// The one place that keeps it.
#[derive(Debug)]
pub(super) struct Board {
    status: Mutex<UploadStatus>,
    landed: broadcast::Sender<Landed>,
}

impl Default for Board {
    fn default() -> Self {
        let lanes = Lane::ALL.map(|lane| LaneStatus { lane: lane.name(), ..LaneStatus::default() });
        let status = Mutex::new(UploadStatus { lanes, ..UploadStatus::default() });
        Self { status, landed: broadcast::Sender::new(BACKLOG) }
    }
}

impl Board {
    pub(super) fn status(&self) -> UploadStatus {
        self.status.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn listen(&self) -> broadcast::Receiver<Landed> {
        self.landed.subscribe()
    }

    pub(super) fn count(&self, lane: Lane, in_flight: usize, waiting: usize) {
        self.change(lane, |status, _| {
            status.in_flight = in_flight;
            status.waiting = waiting;
        });
    }

    pub(super) fn landed(&self, landed: Landed) {
        metrics::histogram!("xsa_freshness_seconds", "lane" => landed.lane.name())
            .record(landed.freshness.as_secs_f64());
        tracing::info!(
            lane = landed.lane.name(),
            object = landed.object,
            items = landed.items,
            bytes = landed.bytes,
            freshness_ms = u64::try_from(landed.freshness.as_millis()).unwrap_or(u64::MAX),
            was_there = landed.was_there.then_some(true),
            "stored"
        );
        let was = self.change(landed.lane, |status, all| {
            status.objects += 1;
            status.items += landed.items;
            status.bytes += landed.bytes;
            status.since = None;
            all.0 = Some(landed.object.clone());
            std::mem::take(&mut status.mood)
        });
        if was != Mood::Well {
            tracing::info!(lane = landed.lane.name(), "the store takes objects again");
        }
        let _nobody_listens = self.landed.send(landed);
    }

    /// The store failed this lane.
    pub(super) fn failed(&self, lane: Lane, mood: Mood, words: &str) {
        let news = self.change(lane, |status, all| {
            let news = status.mood != mood
                || (mood == Mood::Refusing && status.last_error.as_deref() != Some(words));
            status.mood = mood;
            note(status, all, words);
            status.since = status.since.or(status.last_error_at);
            news
        });
        match (news, mood) {
            (true, Mood::Refusing) => {
                tracing::error!(lane = lane.name(), "the store refuses: {words}");
            }
            (true, _) => {
                tracing::warn!(lane = lane.name(), "the store is away, trying again: {words}");
            }
            (false, _) => tracing::debug!(lane = lane.name(), "still failing: {words}"),
        }
    }

    /// One segment has a trouble of its own; said once for each.
    pub(super) fn hindered(&self, lane: Lane, number: u64, tries: u32, words: &str) {
        self.change(lane, |status, all| note(status, all, words));
        if tries <= 1 {
            tracing::error!(lane = lane.name(), segment = number, "a segment waits: {words}");
        }
    }

    /// A segment is out of the way until somebody looks at it.
    pub(super) fn stuck(&self, lane: Lane, words: &str) {
        self.change(lane, |status, all| {
            note(status, all, words);
            status.stuck += 1;
        });
    }

    /// Changes a lane's status and whatever is the sum of all lanes.
    fn change<T>(
        &self,
        lane: Lane,
        change: impl FnOnce(&mut LaneStatus, &mut (Option<String>, Option<String>)) -> T,
    ) -> T {
        let mut status = self.status.lock().unwrap_or_else(PoisonError::into_inner);
        let mut news = (None, None);
        let result = change(lane_of(&mut status, lane), &mut news);
        if let Some(object) = news.0 {
            status.last_object = Some(object);
            status.last_object_at = Some(Timestamp::now());
        }
        if let Some(error) = news.1 {
            status.last_error = Some(error);
            status.last_error_at = Some(Timestamp::now());
        }
        status.in_flight = status.lanes.iter().map(|lane| lane.in_flight).sum();
        status.waiting = status.lanes.iter().map(|lane| lane.waiting).sum();
        status.since = status.lanes.iter().filter_map(|lane| lane.since).min();
        result
    }
}

fn note(status: &mut LaneStatus, all: &mut (Option<String>, Option<String>), words: &str) {
    status.failed_tries += 1;
    status.last_error = Some(words.to_owned());
    status.last_error_at = Some(Timestamp::now());
    all.1 = Some(words.to_owned());
}

fn lane_of(status: &mut UploadStatus, lane: Lane) -> &mut LaneStatus {
    let [events, quarantine, logs] = &mut status.lanes;
    match lane {
        Lane::Events => events,
        Lane::Quarantine => quarantine,
        Lane::Logs => logs,
    }
}
