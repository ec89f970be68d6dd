//! Pushes simulated appliances' streams over sockets and counts what was handed over.
//!
//! An event counts when its last byte was taken by the socket; a connection ends by telling the
//! receiver so and waiting until the receiver has read everything and closed its side. Nothing is
//! sent again after a failure: the count would no longer be exact.

use super::appliance::{Appliance, Kind, Style};
use jiff::Timestamp;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UdpSocket};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout};

/// Bytes written at once, more or less.
const BATCH: usize = 64 * 1024;
/// How long a receiver may take to read the rest and close its side.
const CLOSING: Duration = Duration::from_secs(60);

/// What to send.
#[derive(Debug, Clone)]
pub struct Plan {
    /// Host and port.
    pub to: String,
    /// A datagram per event instead of a connection.
    pub udp: bool,
    /// Events of all connections together; `None`: until stopped.
    pub count: Option<u64>,
    /// Events a second of all connections together; `None`: as fast as it goes.
    pub rate: Option<f64>,
    /// Connections side by side, each one an appliance of its own; at least 1.
    pub connections: u16,
    /// Share of what is sent that is not well-formed, from 0 to 1.
    pub malformed: f64,
    /// What the stream is made from.
    pub seed: u64,
    /// How events are written.
    pub style: Style,
    /// Events carry the time at which they are sent, not that of the seed.
    pub live: bool,
}

/// Why sending ended early.
#[derive(Debug, thiserror::Error)]
pub enum FeedError {
    /// Nobody takes the connection.
    #[error(
        "cannot connect to {to}: {source}. Is the listener running there? Start it with \
         'xml-stream-aggregator', or name another address with --to HOST:PORT"
    )]
    Connect {
        /// Where to.
        to: String,
        /// What the system said.
        source: io::Error,
    },
    /// The receiver went away.
    #[error("the connection to {to} broke: {source}. Look at the receiver's log for the reason")]
    Lost {
        /// Where to.
        to: String,
        /// What the system said.
        source: io::Error,
    },
    /// Everything was sent, but the receiver does not read it to its end.
    #[error(
        "{to} has not read everything {} s after the last event. Its reading may be stopped \
         (spool or disk full)", CLOSING.as_secs()
    )]
    Unread {
        /// Where to.
        to: String,
    },
}

/// Counts of what was handed over; shared by all connections, read while they run.
#[derive(Debug, Default)]
pub struct Sent {
    good: AtomicU64,
    repairable: AtomicU64,
    rejected: AtomicU64,
    bytes: AtomicU64,
}

/// [`Sent`] at one moment.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tally {
    /// Well-formed events.
    pub good: u64,
    /// Events that `ON_MALFORMED=repair` delivers.
    pub repairable: u64,
    /// Pieces that nothing can repair.
    pub rejected: u64,
    /// Bytes of all.
    pub bytes: u64,
}

impl Sent {
    /// The counts now.
    #[must_use]
    pub fn tally(&self) -> Tally {
        Tally {
            good: self.good.load(Relaxed),
            repairable: self.repairable.load(Relaxed),
            rejected: self.rejected.load(Relaxed),
            bytes: self.bytes.load(Relaxed),
        }
    }

    fn count(&self, kind: Kind) {
        let counter = match kind {
            Kind::Good => &self.good,
            Kind::Repairable => &self.repairable,
            Kind::Rejected => &self.rejected,
        };
        counter.fetch_add(1, Relaxed);
    }
}

impl Tally {
    /// Everything that was handed over.
    #[must_use]
    pub fn all(self) -> u64 {
        self.good + self.repairable + self.rejected
    }
}

/// Sends until the plan is fulfilled or `stop` becomes true.
///
/// # Errors
/// The first connection's error; the others are ended in order.
pub async fn feed(
    plan: Plan,
    sent: Arc<Sent>,
    stop: watch::Receiver<bool>,
) -> Result<(), FeedError> {
    let plan = Arc::new(plan);
    let (abandon, abandoned) = watch::channel(false);
    let mut connections = JoinSet::new();
    for number in 0..plan.connections.max(1) {
        let feeder = Feeder {
            appliance: appliance(&plan, number),
            pace: Pace::new(plan.rate.map(|rate| rate / f64::from(plan.connections.max(1)))),
            left: share(&plan, number),
            sent: Arc::clone(&sent),
            stops: [stop.clone(), abandoned.clone()],
            batch: Batch::default(),
            plan: Arc::clone(&plan),
        };
        connections.spawn(feeder.run());
    }
    let mut outcome = Ok(());
    while let Some(ended) = connections.join_next().await {
        let ended = ended.unwrap_or_else(|panic| Err(plan.lost(io::Error::other(panic))));
        if ended.is_err() && outcome.is_ok() {
            abandon.send_replace(true);
            outcome = ended;
        }
    }
    outcome
}

fn appliance(plan: &Plan, number: u16) -> Appliance {
    Appliance::numbered(number, plan.seed, plan.style, plan.malformed)
}

/// How much of the count falls to one connection.
fn share(plan: &Plan, number: u16) -> Option<u64> {
    let (connections, number) = (u64::from(plan.connections.max(1)), u64::from(number));
    plan.count.map(|count| count / connections + u64::from(number < count % connections))
}

impl Plan {
    fn lost(&self, source: io::Error) -> FeedError {
        FeedError::Lost { to: self.to.clone(), source }
    }

    fn unreachable(&self, source: io::Error) -> FeedError {
        FeedError::Connect { to: self.to.clone(), source }
    }
}

/// One connection's appliance at work.
struct Feeder {
    plan: Arc<Plan>,
    appliance: Appliance,
    pace: Pace,
    left: Option<u64>,
    sent: Arc<Sent>,
    stops: [watch::Receiver<bool>; 2],
    batch: Batch,
}

impl Feeder {
    async fn run(mut self) -> Result<(), FeedError> {
        if self.plan.udp { self.run_udp().await } else { self.run_tcp().await }
    }

    async fn run_tcp(&mut self) -> Result<(), FeedError> {
        let plan = Arc::clone(&self.plan);
        let stream = TcpStream::connect(&plan.to).await;
        let mut stream = stream.map_err(|error| plan.unreachable(error))?;
        while let Some(allowed) = self.next_turn().await {
            self.fill(allowed);
            self.write(&mut stream).await.map_err(|error| plan.lost(error))?;
        }
        hang_up(&mut stream, &plan).await
    }

    async fn run_udp(&mut self) -> Result<(), FeedError> {
        let plan = Arc::clone(&self.plan);
        let socket = udp_socket(&plan.to).await.map_err(|error| plan.unreachable(error))?;
        while self.next_turn().await.is_some() {
            self.fill(1);
            socket.send(&self.batch.bytes).await.map_err(|error| plan.lost(error))?;
            let length = self.batch.bytes.len();
            self.batch.account(length, length, &self.sent);
        }
        Ok(())
    }

    /// Waits until something may be sent; `None` when nothing is left or somebody stopped it.
    async fn next_turn(&mut self) -> Option<u64> {
        let [stop, abandoned] = &mut self.stops;
        if self.left == Some(0) || *stop.borrow() || *abandoned.borrow() {
            return None;
        }
        let allowed = tokio::select! {
            allowed = self.pace.allowed() => allowed,
            _ = stop.wait_for(|stop| *stop) => return None,
            _ = abandoned.wait_for(|stop| *stop) => return None,
        };
        Some(self.left.map_or(allowed, |left| left.min(allowed)))
    }

    fn fill(&mut self, allowed: u64) {
        if self.plan.live {
            self.appliance.set_time(Timestamp::now());
        }
        let batch = &mut self.batch;
        batch.clear();
        while (batch.ends.len() as u64) < allowed && batch.bytes.len() < BATCH {
            let kind = self.appliance.next_into(&mut batch.bytes);
            batch.ends.push((batch.bytes.len(), kind));
        }
        let made = batch.ends.len() as u64;
        self.left = self.left.map(|left| left - made);
        self.pace.done += made;
    }

    async fn write(&mut self, stream: &mut TcpStream) -> io::Result<()> {
        let mut done = 0;
        while let Some(rest) = self.batch.bytes.get(done..).filter(|rest| !rest.is_empty()) {
            let written = stream.write(rest).await?;
            done += written;
            self.batch.account(written, done, &self.sent);
        }
        Ok(())
    }
}

/// What is written at once, and where each event in it ends.
#[derive(Default)]
struct Batch {
    bytes: Vec<u8>,
    ends: Vec<(usize, Kind)>,
    counted: usize,
}

impl Batch {
    fn clear(&mut self) {
        self.bytes.clear();
        self.ends.clear();
        self.counted = 0;
    }

    /// Counts what has left with the latest `written` bytes, up to `done`: whole events only.
    fn account(&mut self, written: usize, done: usize, sent: &Sent) {
        sent.bytes.fetch_add(written as u64, Relaxed);
        while let Some(&(end, kind)) = self.ends.get(self.counted)
            && end <= done
        {
            sent.count(kind);
            self.counted += 1;
        }
    }
}

async fn udp_socket(to: &str) -> io::Result<UdpSocket> {
    let target = tokio::net::lookup_host(to).await?.next();
    let target = target.ok_or_else(|| io::Error::other("the name has no address"))?;
    let any = if target.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" };
    let socket = UdpSocket::bind(any).await?;
    socket.connect(target).await?;
    Ok(socket)
}

/// Says that nothing follows, and waits until the receiver has read everything.
async fn hang_up(stream: &mut TcpStream, plan: &Plan) -> Result<(), FeedError> {
    stream.shutdown().await.map_err(|error| plan.lost(error))?;
    let mut ignored = [0; 1024];
    let closed = async {
        while stream.read(&mut ignored).await? > 0 {}
        Ok(())
    };
    match timeout(CLOSING, closed).await {
        Ok(closed) => closed.map_err(|error| plan.lost(error)),
        Err(_) => Err(FeedError::Unread { to: plan.to.clone() }),
    }
}

/// How many events may have been sent by now.
struct Pace {
    rate: Option<f64>,
    start: Instant,
    done: u64,
}

impl Pace {
    fn new(rate: Option<f64>) -> Self {
        Self { rate, start: Instant::now(), done: 0 }
    }

    /// Waits until at least one more event may be sent.
    async fn allowed(&self) -> u64 {
        let Some(rate) = self.rate else { return u64::MAX };
        let due = self.start + Duration::from_secs_f64(self.done as f64 / rate);
        if let Some(wait) = due.checked_duration_since(Instant::now()).filter(|d| !d.is_zero()) {
            sleep(wait).await;
        }
        let by_now = (self.start.elapsed().as_secs_f64() * rate) as u64 + 1;
        by_now.saturating_sub(self.done).max(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_counts_when_its_last_byte_has_left() {
        let ends = vec![(10, Kind::Good), (20, Kind::Rejected), (30, Kind::Repairable)];
        let mut batch = Batch { bytes: vec![0; 30], ends, counted: 0 };
        let sent = Sent::default();
        let mut done = 0;
        let all = [(9, 0), (1, 1), (9, 1), (11, 3)].map(|(written, expected)| {
            done += written;
            batch.account(written, done, &sent);
            (sent.tally().all(), expected)
        });
        assert!(all.iter().all(|(counted, expected)| counted == expected), "{all:?}");
        let tally = Tally { good: 1, repairable: 1, rejected: 1, bytes: 30 };
        assert_eq!(sent.tally(), tally);
    }
}
