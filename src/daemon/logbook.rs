//! Our own warnings and errors on their way into the store (`LOG_TO_STORE`): one JSON record a line,
//! in the logs lane of the spool, sealed and delivered like everything else.
//!
//! Never feeds on itself: what is said about the logs lane, and what libraries say, is no record.
//! Bounded in memory, in records a minute and (by the spool) in bytes on the disk; what is left out
//! is counted and said. Whoever logs waits for nothing here: records are written a second later.

use crate::spool::{Batch, Lane, Spool};
use jiff::Timestamp;
use serde_json::{Map, Value};
use std::collections::VecDeque;
use std::fmt::Debug;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::Context;

/// Records that wait in memory to be written.
const MOST_WAITING: usize = 256;
/// Records taken in a minute: a flood of refused connections is one fact, not a gigabyte.
const MOST_A_MINUTE: u32 = 300;
const MINUTE: Duration = Duration::from_secs(60);
/// Longest text of a field, in bytes.
const LONGEST: usize = 4096;
/// Only what this program says itself.
const OURS: &str = env!("CARGO_CRATE_NAME");

/// The records that wait.
#[derive(Debug, Default)]
pub(super) struct Logbook {
    state: Mutex<State>,
    /// What the spool has not taken yet.
    batch: Mutex<Batch>,
}

#[derive(Debug, Default)]
struct State {
    waiting: VecDeque<Record>,
    minute: Option<(Instant, u32)>,
    left_out: u64,
}

#[derive(Debug)]
struct Record {
    at: Timestamp,
    level: Level,
    fields: Map<String, Value>,
}

impl Logbook {
    /// Writes what waits into the spool; what finds no room stays, as long as memory has some.
    pub(super) fn write(&self, spool: &Spool, instance: &str) {
        let mut batch = self.batch.lock().unwrap_or_else(PoisonError::into_inner);
        if batch.is_done() {
            batch.clear();
            self.fill(&mut batch, instance);
        }
        // A log record is not what the last room is for, nor what stops the reading.
        if !batch.is_done() && spool.has_room(Lane::Logs) {
            let _blocked_is_tried_again = spool.append(Lane::Logs, &mut batch);
        }
    }

    fn fill(&self, batch: &mut Batch, instance: &str) {
        let (records, left_out) = {
            let mut state = self.lock();
            (std::mem::take(&mut state.waiting), std::mem::take(&mut state.left_out))
        };
        batch.received_at = records.front().map(|record| record.at);
        let about_gap = (left_out > 0).then(|| gap(left_out));
        for record in records.into_iter().chain(about_gap) {
            batch.push_with(true, |out| write_record(out, record, instance));
        }
    }

    fn keep(&self, record: Record, now: Instant) {
        let mut state = self.lock();
        let (since, count) = state
            .minute
            .filter(|(since, _)| now.duration_since(*since) < MINUTE)
            .unwrap_or((now, 0));
        if count >= MOST_A_MINUTE || state.waiting.len() >= MOST_WAITING {
            state.left_out += 1;
            return;
        }
        state.minute = Some((since, count + 1));
        state.waiting.push_back(record);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn gap(left_out: u64) -> Record {
    let message = "messages were left out of the log objects: there were too many at once; standard error has them all";
    let fields = [("message", message.into()), ("left_out", left_out.into())];
    let fields = fields.map(|(name, value)| (name.to_owned(), value)).into_iter().collect();
    Record { at: Timestamp::now(), level: Level::WARN, fields }
}

/// The same shape as a line of `LOG_FORMAT=json`, and whose it is.
fn write_record(out: &mut Vec<u8>, record: Record, instance: &str) {
    let mut line = Map::new();
    line.insert("timestamp".to_owned(), record.at.to_string().into());
    line.insert("level".to_owned(), record.level.as_str().into());
    line.insert("instance".to_owned(), instance.into());
    line.extend(record.fields);
    out.extend_from_slice(Value::Object(line).to_string().as_bytes());
}

/// Hears what is logged.
#[derive(Debug)]
pub(super) struct Listener(pub(super) Arc<Logbook>);

impl<S: Subscriber> Layer<S> for Listener {
    fn on_event(&self, event: &Event<'_>, _context: Context<'_, S>) {
        let about = event.metadata();
        if *about.level() > Level::WARN || !about.target().starts_with(OURS) {
            return;
        }
        let mut found = Found::default();
        event.record(&mut found);
        if !found.is_about_logs {
            let (at, level) = (Timestamp::now(), *about.level());
            self.0.keep(Record { at, level, fields: found.fields }, Instant::now());
        }
    }
}

/// An event's fields.
#[derive(Debug, Default)]
struct Found {
    fields: Map<String, Value>,
    is_about_logs: bool,
}

impl Found {
    fn text(&mut self, field: &Field, mut text: String) {
        let logs = Lane::Logs.name();
        self.is_about_logs |= match field.name() {
            "lane" => text == logs,
            "segment" => text.contains(&format!("-{logs}-")),
            _ => false,
        };
        if text.len() > LONGEST {
            text.truncate(text.floor_char_boundary(LONGEST));
            text.push('…');
        }
        self.fields.insert(field.name().to_owned(), text.into());
    }
}

impl Visit for Found {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.text(field, value.to_owned());
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.text(field, format!("{value:?}"));
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.fields.insert(field.name().to_owned(), value.into());
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.fields.insert(field.name().to_owned(), value.into());
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.fields.insert(field.name().to_owned(), value.into());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tracing_subscriber::layer::SubscriberExt;

    /// The lines that come of `logging`.
    fn lines(logging: impl FnOnce()) -> Vec<Value> {
        let book = Arc::new(Logbook::default());
        let subscriber = tracing_subscriber::registry().with(Listener(Arc::clone(&book)));
        tracing::subscriber::with_default(subscriber, logging);
        let mut batch = Batch::default();
        book.fill(&mut batch, "gate-1");
        let text = String::from_utf8(batch.bytes).unwrap();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    #[test]
    fn warnings_and_errors_are_records_and_nothing_else_is() {
        let lines = lines(|| {
            tracing::error!(lane = "events", number = 7, "the \"disk\"\nfails");
            tracing::warn!(peer = %"10.0.0.1", "refused");
            tracing::info!("stored");
            tracing::error!(target: "hyper", "a library's");
        });
        assert_eq!(lines.len(), 2, "{lines:?}");
        assert_eq!(lines[0]["message"], "the \"disk\"\nfails");
        assert_eq!(lines[0]["level"], "ERROR");
        assert_eq!(lines[0]["number"], 7);
        assert_eq!(lines[0]["instance"], "gate-1");
        assert_eq!(lines[1]["peer"], "10.0.0.1");
    }

    #[test]
    fn what_is_said_about_the_logs_lane_is_no_record() {
        let lines = lines(|| {
            tracing::error!(lane = Lane::Logs.name(), "the store refuses");
            tracing::error!(segment = "00ff-logs-000000000001", "a copy");
            tracing::error!(lane = Lane::Quarantine.name(), "the store refuses");
        });
        assert_eq!(lines.len(), 1, "{lines:?}");
    }

    #[test]
    fn a_flood_is_cut_off_and_the_gap_is_told() {
        let lines = lines(|| {
            for number in 0..10_000 {
                tracing::warn!(number, text = "x".repeat(10_000), "again");
            }
        });
        assert_eq!(lines.len(), MOST_WAITING + 1);
        assert_eq!(lines[MOST_WAITING]["left_out"], 10_000 - MOST_WAITING);
        assert!(lines.iter().all(|line| line.to_string().len() < LONGEST + 300));
    }

    #[test]
    fn a_minute_has_its_number_of_records_and_the_next_one_again() {
        let (book, now) = (Logbook::default(), Instant::now());
        let offer = |count: u32, now: Instant| {
            for _ in 0..count {
                book.keep(gap(1), now);
                book.lock().waiting.pop_front();
            }
            std::mem::take(&mut book.lock().left_out)
        };
        assert_eq!(offer(MOST_A_MINUTE + 5, now), 5);
        assert_eq!(offer(2, now + MINUTE / 2), 2);
        assert_eq!(offer(2, now + MINUTE), 0);
    }
}
