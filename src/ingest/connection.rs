//! One connection's life: read under limits of time and memory, sift, append, until it ends.
//!
//! Between two reads a connection keeps only the bytes of an unfinished event. It owns 16 KiB; more
//! needs a share of `MAX_BUFFER_MEMORY`, and without one the connection is not read for now. Every
//! holder of a share ends by its end tag, its size or its time, so a share always comes.

use super::misuse::Misuse;
use super::pace;
use super::registry::Link;
use super::sieve::{GiveUp, Sieve};
use super::tls::is_handshake;
use super::visits::End;
use super::worker::{self, Origin, Sifted, Sorted, Worker};
use super::{House, LAST_READS, OWN_BUFFER, READ_SIZE, share_kib};
use crate::spool::Lane;
use bytes::BufMut;
use std::future::poll_fn;
use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::sync::{OwnedSemaphorePermit, watch};
use tokio::time::{Instant, sleep_until};

/// How often an otherwise idle connection looks at its time limits.
const FAR: Duration = Duration::from_secs(3600);

/// Serves one connection to its end. Whatever it brought is in the spool when this returns.
pub async fn serve<S: AsyncRead + Unpin>(stream: S, link: Arc<Link>, house: Arc<House>) {
    let mut stop = house.stop.clone();
    let mut connection = Connection::new(stream, link, house);
    let end = connection.run(&mut stop).await;
    connection.finish(&mut stop).await;
    let Connection { link, house, .. } = &connection;
    house.visits.ended(link, &end, &*house.clock);
}

/// What came of one attempt to read.
enum Step {
    /// Read and appended.
    Read,
    /// Read; the spool has no room for this.
    NoRoom(Sorted),
    /// Nothing more comes.
    Ended(End),
    /// More than 16 KiB are unfinished and all of `MAX_BUFFER_MEMORY` is lent out.
    NoShare,
}

struct Connection<S> {
    stream: S,
    link: Arc<Link>,
    peer: String,
    house: Arc<House>,
    sieve: Sieve,
    tail: Vec<u8>,
    /// Stream position of the tail's first byte.
    start: u64,
    share: Option<OwnedSemaphorePermit>,
    /// What is unfinished (its position), and when it is given up.
    unfinished: Option<(u64, Instant)>,
    last_read: Instant,
}

impl<S: AsyncRead + Unpin> Connection<S> {
    fn new(stream: S, link: Arc<Link>, house: Arc<House>) -> Self {
        Self {
            stream,
            peer: link.peer().to_string(),
            sieve: Sieve::new(Arc::clone(&house.sieve)),
            link,
            house,
            tail: Vec::new(),
            start: 0,
            share: None,
            unfinished: None,
            last_read: Instant::now(),
        }
    }

    async fn run(&mut self, stop: &mut watch::Receiver<bool>) -> End {
        loop {
            if self.is_replaced_while_held(stop).await {
                return End::Replaced;
            }
            if *stop.borrow() {
                return self.read_until_empty(stop).await;
            }
            let link = Arc::clone(&self.link);
            let deadline = self.deadline();
            let step = tokio::select! {
                biased;
                step = poll_fn(|cx| self.poll_step(cx)) => step,
                _ = stop.changed() => continue,
                () = link.close.notified() => return End::Replaced,
                () = sleep_until(deadline) => match self.time_is_up(stop).await {
                    Some(end) => return end,
                    None => continue,
                },
            };
            if let Some(end) = self.obey(step, stop).await {
                return end;
            }
        }
    }

    /// Waits while there is no room or the peer is above its rate; true: it has to go meanwhile.
    async fn is_replaced_while_held(&mut self, stop: &mut watch::Receiver<bool>) -> bool {
        let (house, link) = (Arc::clone(&self.house), Arc::clone(&self.link));
        if !house.spool.has_room(Lane::Events) {
            tokio::select! {
                () = self.pause(Lane::Events, stop) => {}
                () = link.close.notified() => return true,
            }
        }
        // A large event is read to its end first: its share is wanted by others.
        if house.pace.is_none() || self.tail.len() > OWN_BUFFER {
            return false;
        }
        let since = Instant::now();
        let replaced = pace::hold(&house, &link, stop).await;
        self.stand_still(since.elapsed());
        replaced
    }

    /// How much one read may take with a share at hand. A peer above its rate is read to the end
    /// of its large event in small steps, so that what follows fits into the connection's own; and
    /// while rejected bytes find no room, every connection may come to wait with what it has read.
    fn step_size(&self) -> usize {
        let (house, peer) = (&self.house, self.link.peer());
        let over = |pace: &pace::Pace| pace.wait(peer, house.clock.monotonic()).is_some();
        let is_small =
            house.pace.as_ref().is_some_and(over) || !house.spool.has_room(Lane::Quarantine);
        if is_small { OWN_BUFFER } else { READ_SIZE }
    }

    async fn obey(&mut self, step: Step, stop: &mut watch::Receiver<bool>) -> Option<End> {
        match step {
            Step::Read => None,
            Step::NoRoom(sorted) => {
                self.append_later(sorted, stop).await;
                None
            }
            Step::Ended(end) => Some(end),
            Step::NoShare => self.wait_for_share(stop).await,
        }
    }

    /// After the order to stop: what is in the socket is still taken, for at most a second.
    async fn read_until_empty(&mut self, stop: &mut watch::Receiver<bool>) -> End {
        let deadline = Instant::now() + LAST_READS;
        // What finds no room is left to the sender's kernel, not read and lost here.
        while Instant::now() < deadline && self.house.spool.has_room(Lane::Events) {
            match poll_fn(|cx| Poll::Ready(self.poll_step(cx))).await {
                Poll::Ready(Step::Read) => tokio::task::yield_now().await,
                Poll::Ready(Step::NoRoom(sorted)) => self.append_later(sorted, stop).await,
                Poll::Ready(Step::Ended(end @ End::Panicked)) => return end,
                Poll::Ready(Step::Ended(_) | Step::NoShare) | Poll::Pending => break,
            }
        }
        End::Stopping
    }

    /// Reads once if the socket has something, sifts and appends: one go, on one thread.
    fn poll_step(&mut self, cx: &mut Context<'_>) -> Poll<Step> {
        let Some(limit) = self.may_read() else { return Poll::Ready(Step::NoShare) };
        worker::with(|worker| {
            let grown = self.tail.len() > OWN_BUFFER;
            let mut buffer =
                std::mem::take(if grown { &mut self.tail } else { &mut worker.buffer });
            if !grown {
                buffer.clear();
                buffer.extend_from_slice(&self.tail);
            }
            let step = self.poll_read(cx, &mut buffer, limit, worker);
            let home = if grown && step.is_pending() { &mut self.tail } else { &mut worker.buffer };
            if buffer.capacity() > 0 {
                *home = buffer;
            }
            step
        })
    }

    fn poll_read(
        &mut self,
        cx: &mut Context<'_>,
        buffer: &mut Vec<u8>,
        limit: usize,
        worker: &mut Worker,
    ) -> Poll<Step> {
        if buffer.capacity() - buffer.len() < limit / 4 {
            buffer.reserve_exact(limit);
        }
        let room = limit.min(buffer.capacity() - buffer.len());
        let polled = pin!(self.stream.read_buf(&mut (&mut *buffer).limit(room))).poll(cx);
        if polled.is_pending() && buffer.len() <= OWN_BUFFER {
            self.share = None;
        }
        polled.map(|read| match read {
            Ok(0) => self.ended(buffer, End::Closed),
            Ok(read) => self.take_in(buffer, read, worker),
            // Over TLS, the end without a farewell: what many senders do.
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                self.ended(buffer, End::Closed)
            }
            Err(error) => self.ended(buffer, End::Failed(error)),
        })
    }

    fn ended(&mut self, buffer: &mut Vec<u8>, end: End) -> Step {
        self.keep_tail(buffer, 0);
        Step::Ended(end)
    }

    /// How many bytes may be read now: a large read needs a share at hand; `None`: wait for one.
    fn may_read(&mut self) -> Option<usize> {
        if self.share.is_none() {
            self.share = self.try_share();
        }
        match &self.share {
            Some(_) => Some(self.step_size()),
            None => Some(OWN_BUFFER.saturating_sub(self.tail.len())).filter(|room| *room > 0),
        }
    }

    fn try_share(&self) -> Option<OwnedSemaphorePermit> {
        let permits = u32::try_from(share_kib(&self.house.options)).unwrap_or(u32::MAX);
        Arc::clone(&self.house.budget).try_acquire_many_owned(permits).ok()
    }

    fn take_in(&mut self, buffer: &mut Vec<u8>, read: usize, worker: &mut Worker) -> Step {
        self.last_read = Instant::now();
        self.house.tally.bytes_read.increment(read as u64);
        self.notice_tls(buffer);
        let sifted = self.sift(buffer, &mut worker.sorted, None);
        let (events, rejects) = worker.sorted.counts();
        self.link.note(read as u64, events, rejects);
        if let Some(pace) = &self.house.pace {
            pace.spend(self.link.peer(), events + rejects, self.house.clock.monotonic());
        }
        let appended = worker.sorted.append(&self.house);
        self.settle(buffer, &sifted);
        match (appended, sifted) {
            (false, _) => Step::NoRoom(std::mem::take(&mut worker.sorted)),
            (true, Sifted::Panicked) => Step::Ended(End::Panicked),
            (true, Sifted::Consumed(_)) => Step::Read,
        }
    }

    /// TLS on a plain port is told in words; its bytes take the way of all bytes.
    fn notice_tls(&self, buffer: &[u8]) {
        let first = self.link.brought().bytes == 0 && self.house.options.tls.is_none();
        if first && is_handshake(buffer) {
            self.house.misuse.note(Misuse::ToPlainPort, self.link.peer(), "", &*self.house.clock);
        }
    }

    fn sift(&mut self, buffer: &[u8], sorted: &mut Sorted, give_up: Option<GiveUp>) -> Sifted {
        let origin = Origin {
            peer: self.link.peer(),
            peer_text: &self.peer,
            received_at: self.house.clock.wall(),
        };
        sorted.sift(&self.house, origin, &mut self.sieve, buffer, self.start, give_up)
    }

    /// Keeps what the sieve did not consume, and starts or moves the clock of what is unfinished.
    fn settle(&mut self, buffer: &mut Vec<u8>, sifted: &Sifted) {
        let consumed = match *sifted {
            Sifted::Consumed(consumed) => consumed.min(buffer.len()),
            Sifted::Panicked => buffer.len(),
        };
        self.start += consumed as u64;
        self.keep_tail(buffer, consumed);
        self.unfinished = match (self.sieve.unfinished(), self.unfinished) {
            (Some(position), Some((known, deadline))) if position == known => {
                Some((known, deadline))
            }
            (Some(position), _) => {
                Some((position, Instant::now() + self.house.options.event_timeout))
            }
            (None, _) => None,
        };
    }

    /// A small rest is copied, so that the buffer can serve the next connection; a large one stays
    /// where it is, so that a slow sender costs no copies.
    fn keep_tail(&mut self, buffer: &mut Vec<u8>, consumed: usize) {
        let rest = buffer.get(consumed..).unwrap_or_default();
        if rest.len() > OWN_BUFFER {
            buffer.drain(..consumed);
            self.tail = std::mem::take(buffer);
            return;
        }
        if self.tail.capacity() > OWN_BUFFER {
            self.tail = Vec::new();
        }
        self.tail.clear();
        self.tail.extend_from_slice(rest);
        self.share = None;
    }

    fn deadline(&self) -> Instant {
        let idle = self.house.options.idle_timeout.map(|limit| self.last_read + limit);
        let event = self.unfinished.map(|(_, deadline)| deadline);
        [idle, event].into_iter().flatten().min().unwrap_or_else(|| Instant::now() + FAR)
    }

    /// A time limit has passed: gives up what is unfinished, or ends the idle connection.
    async fn time_is_up(&mut self, stop: &mut watch::Receiver<bool>) -> Option<End> {
        let now = Instant::now();
        if self.unfinished.is_some_and(|(_, deadline)| deadline <= now)
            && let Some(sorted) = self.give_up(GiveUp::TimeOut)
        {
            self.append_later(sorted, stop).await;
        }
        let limit = self.house.options.idle_timeout?;
        (self.last_read + limit <= now).then_some(End::Idle)
    }

    /// Gives up what is unfinished. What finds no room in the spool comes back.
    fn give_up(&mut self, why: GiveUp) -> Option<Sorted> {
        let mut buffer = std::mem::take(&mut self.tail);
        worker::with(|worker| {
            let sifted = self.sift(&buffer, &mut worker.sorted, Some(why));
            let (events, rejects) = worker.sorted.counts();
            self.link.note(0, events, rejects);
            self.unfinished = None;
            self.settle(&mut buffer, &sifted);
            let appended = worker.sorted.append(&self.house);
            (!appended).then(|| std::mem::take(&mut worker.sorted))
        })
    }

    /// Gives up what is left at the end and waits until it is in the spool.
    async fn finish(&mut self, stop: &mut watch::Receiver<bool>) {
        if let Some(sorted) = self.give_up(GiveUp::End) {
            self.append_later(sorted, stop).await;
        }
    }

    /// Waits for room with a batch in hand. The clocks stand still meanwhile.
    async fn append_later(&mut self, mut sorted: Sorted, stop: &mut watch::Receiver<bool>) {
        while !sorted.append(&self.house) {
            if *stop.borrow() {
                return self.lose_aloud(&sorted);
            }
            self.pause(sorted.waiting_lane(), stop).await;
        }
    }

    /// The process must end and the disk takes nothing more: what was read last, and never counted
    /// as received, is given up aloud.
    fn lose_aloud(&self, sorted: &Sorted) {
        let (events, rejects) = sorted.counts();
        tracing::error!(
            peer = self.peer,
            events,
            rejects,
            "the spool has no room and the process must end: what was read last is lost; \
             raise MAX_SPOOL_SIZE or free the disk before the next start"
        );
    }

    /// Waits until the lane has room or the process is asked to end.
    async fn pause(&mut self, lane: Lane, stop: &mut watch::Receiver<bool>) {
        let since = Instant::now();
        let mut changes = self.house.spool.pause_changes();
        while !self.house.spool.has_room(lane) && !*stop.borrow() {
            tokio::select! {
                changed = changes.changed() => if changed.is_err() { break },
                _ = stop.changed() => {}
            }
        }
        self.stand_still(since.elapsed());
    }

    async fn wait_for_share(&mut self, stop: &mut watch::Receiver<bool>) -> Option<End> {
        let since = Instant::now();
        let permits = u32::try_from(share_kib(&self.house.options)).unwrap_or(u32::MAX);
        let link = Arc::clone(&self.link);
        tokio::select! {
            share = Arc::clone(&self.house.budget).acquire_many_owned(permits) => {
                self.share = share.ok();
            }
            _ = stop.changed() => {}
            () = link.close.notified() => return Some(End::Replaced),
        }
        self.stand_still(since.elapsed());
        None
    }

    /// Moves the time limits by a while in which we did not read.
    fn stand_still(&mut self, paused: Duration) {
        self.last_read += paused;
        if let Some((_, deadline)) = &mut self.unfinished {
            *deadline += paused;
        }
    }
}
