//! The loop that feeds the uploads: as many side by side as allowed, oldest first, all lanes alike.
//!
//! Everything that changes is here and in one task: claims, moods, the count of what is in the air.
//! Ends when told to; a try in the air is then given up, which costs nothing, because whether it
//! took effect is asked next time. Refused: nothing. There is no error that ends it except a panic
//! outside the encoder, which is a fault of ours.

use super::backoff;
use super::claim::{Pick, PutOff, Queue};
use super::deliver::{Depot, Outcome, SourceHandle, Trouble, Urgency};
use super::destination::Destination;
use super::memory::Memory;
use super::probe::Probe;
use super::status::{Board, Landed, Mood, UploadStatus};
use super::{Options, Source, blocking};
use crate::spool::Lane;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Mutex, broadcast, watch};
use tokio::task::JoinSet;
use tokio::time::Instant;

/// While draining nobody waits longer than this after a failed try.
const LAST_WAIT: Duration = Duration::from_secs(1);

/// Why the uploads ended although nobody told them to.
#[derive(Debug, thiserror::Error)]
pub enum UploadError {
    /// A fault of ours.
    #[error("an upload panicked: {0}")]
    Panicked(String),
    /// The spool gave no answer at all.
    #[error("the spool cannot be asked for segments: {0}")]
    Spool(std::io::Error),
}

/// Uploads whatever the spool has sealed.
#[derive(Debug)]
pub struct Uploader {
    depot: Arc<Depot>,
    board: Board,
    hurries: watch::Sender<u64>,
    drains: watch::Sender<u64>,
    drained: watch::Sender<u64>,
}

impl Uploader {
    /// Joins a source and a destination; nothing runs yet.
    #[must_use]
    pub fn new(options: Options, source: Arc<dyn Source>, destination: Destination) -> Arc<Self> {
        let depot = Depot {
            source: SourceHandle(source),
            memory: Memory::new(options.memory),
            destination,
            options,
            probe: Probe::default(),
            old_places: Mutex::default(),
        };
        Arc::new(Self {
            depot: Arc::new(depot),
            board: Board::default(),
            hurries: watch::Sender::new(0),
            drains: watch::Sender::new(0),
            drained: watch::Sender::new(0),
        })
    }

    /// What the uploads are doing.
    #[must_use]
    pub fn status(&self) -> UploadStatus {
        self.board.status()
    }

    /// Tells of every object that lands from now on; a slow listener loses the oldest.
    #[must_use]
    pub fn landed(&self) -> broadcast::Receiver<Landed> {
        self.board.listen()
    }

    /// Where the objects go.
    #[must_use]
    pub fn destination(&self) -> &Destination {
        &self.depot.destination
    }

    /// Uploads until `stop` is true (or its sender is gone).
    ///
    /// # Errors
    /// A fault of ours; the process should end in order.
    pub async fn run(self: Arc<Self>, mut stop: watch::Receiver<bool>) -> Result<(), UploadError> {
        let mut line = Line::new(&self);
        let mut sealed = self.depot.source.0.sealed_changes();
        let mut drains = self.drains.subscribe();
        let mut hurries = self.hurries.subscribe();
        loop {
            // One instant for the whole round: what becomes due while it lasts is due at its end.
            let now = Instant::now();
            line.drain(*drains.borrow_and_update(), now);
            sealed.mark_unchanged();
            line.take_up(now).await?;
            line.tell_if_drained();
            if line.tasks.is_empty() {
                self.depot.memory.rest();
            }
            let next = line.next_change(now);
            tokio::select! {
                _told_or_gone = stop.wait_for(|stop| *stop) => return Ok(()),
                Some(done) = line.tasks.join_next() => line.settle(done)?,
                () = changed(&mut sealed) => {}
                () = changed(&mut drains) => {}
                () = changed(&mut hurries) => line.hurry(Instant::now()),
                () = until(next) => {}
            }
        }
    }

    /// Whoever mended the store says so: what waits after failed tries is tried now.
    pub fn hurry(&self) {
        self.hurries.send_modify(|hurries| *hurries += 1);
    }

    /// Waits until everything sealed so far has landed, at most `limit`; true if it has.
    ///
    /// [`Uploader::run`] must be running. From now on failed tries are repeated quickly.
    pub async fn drain(&self, limit: Duration) -> bool {
        let mut request = 0;
        self.drains.send_modify(|drains| {
            *drains += 1;
            request = *drains;
        });
        let mut drained = self.drained.subscribe();
        let done = drained.wait_for(|drained| *drained >= request);
        matches!(tokio::time::timeout(limit, done).await, Ok(Ok(_)))
    }
}

/// Completes at a change; never, once nobody can make one.
async fn changed(receiver: &mut watch::Receiver<u64>) {
    if receiver.changed().await.is_err() {
        std::future::pending::<()>().await;
    }
}

async fn until(instant: Option<Instant>) {
    match instant {
        Some(instant) => tokio::time::sleep_until(instant).await,
        None => std::future::pending().await,
    }
}

type Done = (Lane, u64, Result<Outcome, Trouble>);

/// The state of the loop.
struct Line<'a> {
    uploader: &'a Uploader,
    queues: BTreeMap<Lane, Queue>,
    tasks: JoinSet<Done>,
    draining: u64,
}

impl<'a> Line<'a> {
    fn new(uploader: &'a Uploader) -> Self {
        let queues = Lane::ALL.into_iter().map(|lane| (lane, Queue::default())).collect();
        Self { uploader, queues, tasks: JoinSet::new(), draining: 0 }
    }

    fn options(&self) -> &'a Options {
        &self.uploader.depot.options
    }

    /// Everything that waits is due.
    fn hurry(&mut self, now: Instant) {
        self.queues.values_mut().for_each(|queue| queue.wake_all(now));
    }

    /// A new wish to drain makes everything that waits due.
    fn drain(&mut self, requests: u64, now: Instant) {
        if requests > self.draining {
            self.hurry(now);
        }
        self.draining = requests;
    }

    /// Nothing in the air, nothing waiting, and [`Line::take_up`] has just found nothing.
    fn tell_if_drained(&self) {
        if self.tasks.is_empty() && self.queues.values().all(|queue| queue.waiting() == 0) {
            self.uploader.drained.send_replace(self.draining);
        }
    }

    fn next_change(&self, now: Instant) -> Option<Instant> {
        if self.tasks.len() >= self.options().concurrency {
            return None; // a slot becomes free first
        }
        self.queues.values().filter_map(|queue| queue.next_change(now)).min()
    }

    /// Fills the free slots; the lane with the fewest uploads in the air comes first.
    async fn take_up(&mut self, now: Instant) -> Result<(), UploadError> {
        while self.tasks.len() < self.options().concurrency.max(1) {
            let mut lanes = Lane::ALL;
            lanes.sort_by_key(|lane| self.queues.get(lane).map_or(0, Queue::in_flight));
            let mut is_any = false;
            for lane in lanes {
                if self.take_from(lane, now).await? {
                    is_any = true;
                    break;
                }
            }
            if !is_any {
                break;
            }
        }
        Ok(())
    }

    async fn take_from(&mut self, lane: Lane, now: Instant) -> Result<bool, UploadError> {
        let width = self.options().concurrency;
        let Some(queue) = self.queues.get(&lane) else { return Ok(false) };
        let mut pick = queue.pick(now, width);
        if pick == Pick::Fresh {
            pick = match self.fresh(lane).await? {
                Some(number) => Pick::Again(number, false),
                None => queue.pick_hindered(now, width),
            };
        }
        let Pick::Again(number, is_stored) = pick else { return Ok(false) };
        self.start(lane, number, is_stored);
        Ok(true)
    }

    /// The oldest segment that is not claimed.
    async fn fresh(&self, lane: Lane) -> Result<Option<u64>, UploadError> {
        let claimed = self.queues.get(&lane).map(Queue::numbers).unwrap_or_default();
        let source = self.uploader.depot.source.0.clone();
        let search = move || {
            let mut found = source.oldest(lane, None);
            while let Some(number) = found.filter(|number| claimed.binary_search(number).is_ok()) {
                found = source.oldest(lane, Some(number));
            }
            Ok(found)
        };
        blocking(search).await.map_err(UploadError::Spool)
    }

    fn start(&mut self, lane: Lane, number: u64, is_stored: bool) {
        let cap = self.options().pace.cap;
        if let Some(queue) = self.queues.get_mut(&lane) {
            queue.start(number, Instant::now(), cap);
        }
        let depot = self.uploader.depot.clone();
        self.tasks.spawn(async move {
            let result = if is_stored {
                depot.deliver_rest(lane, number).await
            } else {
                depot.deliver(lane, number).await
            };
            (lane, number, result)
        });
        self.count(lane);
    }

    fn settle(&mut self, done: Result<Done, tokio::task::JoinError>) -> Result<(), UploadError> {
        let (lane, number, result) =
            done.map_err(|error| UploadError::Panicked(error.to_string()))?;
        match result {
            Ok(outcome) => self.settle_well(lane, number, outcome),
            Err(trouble) => self.settle_badly(lane, number, &trouble),
        }
        self.count(lane);
        Ok(())
    }

    fn settle_well(&mut self, lane: Lane, number: u64, outcome: Outcome) {
        let Some(queue) = self.queues.get_mut(&lane) else { return };
        queue.finish(number);
        match outcome {
            Outcome::Delivered(landed) => {
                queue.speed_up(Instant::now());
                self.uploader.board.landed(landed);
            }
            Outcome::SetAside(why) => self.uploader.board.stuck(lane, &why),
            Outcome::Gone => {}
        }
    }

    fn settle_badly(&mut self, lane: Lane, number: u64, trouble: &Trouble) {
        let pace = self.options().pace;
        let is_draining = self.draining > 0;
        let Some(queue) = self.queues.get_mut(&lane) else { return };
        let tries = queue.fail(number);
        let dice = rand::random::<f64>();
        let wait = match trouble.urgency {
            Urgency::Soon => backoff::soon(&pace, tries, dice),
            Urgency::Slow => backoff::slow(&pace, dice),
        };
        let wait = if is_draining { wait.min(LAST_WAIT) } else { wait };
        let (is_stored, is_own_fault) = (trouble.is_stored, trouble.is_own_fault);
        let now = Instant::now();
        queue.put_off(number, now, PutOff { wait, is_stored, is_own_fault });
        if is_own_fault {
            self.uploader.board.hindered(lane, number, tries, &trouble.words);
        } else {
            queue.slow_down(now, pace.cap);
            let mood = if trouble.urgency == Urgency::Slow { Mood::Refusing } else { Mood::Away };
            self.uploader.board.failed(lane, mood, &trouble.words);
        }
    }

    fn count(&self, lane: Lane) {
        if let Some(queue) = self.queues.get(&lane) {
            self.uploader.board.count(lane, queue.in_flight(), queue.waiting());
        }
    }
}
