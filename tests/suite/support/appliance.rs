//! The appliance: unique events, pushed over plain sockets, cut anywhere, never answered.
//!
//! Every [`Session`] remembers what it wrote and how much of that the program has certainly read,
//! so that a drill can tell an event that was lost from one that was still in the kernel.

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use rustix::process::Signal;
use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::process::{Daemon, wait_until};
use xml_stream_aggregator::event::fields::{FIELDS, Field, Kind};

/// "At most the one read in hand": bytes that a connection may hold outside of the spool.
const READ_IN_HAND: u64 = 256 * 1024;

/// The seed of this run: `DRILL_SEED`, else a new one. Printed, so that a failure can be repeated.
pub fn seed() -> u64 {
    let seed = std::env::var("DRILL_SEED").ok().map(|text| text.parse().unwrap());
    let seed = seed.unwrap_or_else(rand::random);
    println!("DRILL_SEED={seed}");
    seed
}

/// One event, as it is sent and as it has to arrive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// Unique.
    pub cn: String,
    /// What goes over the wire, without what stands around it.
    pub sent: Vec<u8>,
    /// What has to be in an event object; None: it belongs into the quarantine.
    pub delivered: Option<Vec<u8>>,
}

/// Makes events that never repeat.
pub struct Factory {
    random: StdRng,
    run: u32,
    next: u32,
    /// One event in so many is malformed; 0: none.
    malformed: u32,
}

const TEXTS: [&str; 10] = [
    "",
    "Input point in alarm",
    "Müller &amp; Söhne",
    "O'Brien",
    "山田 太郎",
    "Иванова",
    "d&#39;Arc",
    "Ærø &lt;Nord&gt;",
    "محمد",
    "\"Front\" door",
];

impl Factory {
    /// Well-formed events only.
    pub fn new(seed: u64) -> Self {
        static RUNS: AtomicU32 = AtomicU32::new(1);
        let run = RUNS.fetch_add(1, Ordering::Relaxed);
        Self { random: StdRng::seed_from_u64(seed ^ u64::from(run)), run, next: 0, malformed: 0 }
    }

    /// One in `share` is not well-formed: in turn one that can be mended, and one that cannot.
    pub fn malformed(self, share: u32) -> Self {
        Self { malformed: share, ..self }
    }

    /// The next one.
    pub fn event(&mut self) -> Event {
        let number = self.next;
        self.next += 1;
        let cn = format!("{:08x}{number:08x}", self.run);
        let body = self.body(&cn);
        if self.malformed == 0 || number % self.malformed != self.malformed - 1 {
            let bytes = format!("<EVENT>{body}</EVENT>").into_bytes();
            return Event { cn, delivered: Some(bytes.clone()), sent: bytes };
        }
        if (number / self.malformed).is_multiple_of(2) {
            let with = |and: &str| format!("<EVENT>{body}<door>A {and} B</door></EVENT>");
            let delivered = Some(with("&amp;").into_bytes());
            return Event { cn, delivered, sent: with("&").into_bytes() };
        }
        let sent = format!("<EVENT>{body}<door>A</gate></EVENT>").into_bytes();
        Event { cn, sent, delivered: None }
    }

    /// So many of them.
    pub fn events(&mut self, count: usize) -> Vec<Event> {
        (0..count).map(|_| self.event()).collect()
    }

    /// Most of the vendor's fields, about 2 KB.
    fn body(&mut self, cn: &str) -> String {
        let end = ["", "\n", "\r\n"][self.random.random_range(0..3)];
        let mut text = end.to_owned();
        for Field { name, kind, .. } in FIELDS {
            if *name == "cn" {
                text.push_str(&format!("<cn>{cn}</cn>{end}"));
            } else if self.random.random_ratio(7, 10) {
                text.push_str(&format!("<{name}>{}</{name}>{end}", self.value(*kind)));
            }
        }
        text
    }

    fn value(&mut self, kind: Kind) -> &'static str {
        match kind {
            Kind::Dn => "cn=5398f9f5a3,ou=inputs,ou=panels,ou=gateways,dc=plasec",
            Kind::Digits => " 0012E5",
            Kind::LocalTime => "20140610085028-0400",
            Kind::UtcTime => "20140610125028Z",
            Kind::DateOrNever => "19700101000000Z",
            Kind::Number => " 750",
            Kind::Flag => "1",
            Kind::Text => TEXTS[self.random.random_range(0..TEXTS.len())],
        }
    }
}

/// One connection, from its first byte to its end.
#[derive(Debug, Default)]
pub struct Session {
    /// What was handed to the socket, and the offset of each one's last byte in the stream.
    pub posted: Vec<(Event, u64)>,
    /// Bytes handed to the socket.
    written: u64,
    /// Bytes that the program has certainly read.
    pub read: u64,
    /// Our port.
    port: u16,
}

impl Session {
    /// How many of the events were certainly received.
    pub fn surely(&self) -> usize {
        self.posted.iter().take_while(|(_, end)| *end <= self.read).count()
    }

    /// A session all of which was certainly read, for whoever sends in a way of his own.
    pub fn of(events: Vec<Event>) -> Self {
        let posted = events.into_iter().map(|event| (event, 0)).collect();
        Self { posted, ..Self::default() }
    }

    /// A session of which the program may have read nothing.
    pub fn in_kernel(events: Vec<Event>) -> Self {
        let posted = events.into_iter().map(|event| (event, u64::MAX)).collect();
        Self { posted, ..Self::default() }
    }
}

/// What one event looks like on the wire: sometimes a declaration in front, something behind.
pub fn wire(event: &Event, random: &mut StdRng) -> Vec<u8> {
    let front = ["<?xml version=\"1.0\" encoding=\"UTF-8\"?>", "<?xml version=\"1.0\"?>\r\n", ""];
    let behind = ["\n", "", "\r\n \n"];
    let mut bytes = front[random.random_range(0..3)].as_bytes().to_vec();
    bytes.extend_from_slice(&event.sent);
    bytes.extend_from_slice(behind[random.random_range(0..3)].as_bytes());
    bytes
}

/// Sends events over so many connections at once, cut anywhere, and waits until the program has
/// read all and closed.
pub fn push(to: SocketAddr, events: Vec<Event>, connections: usize, seed: u64) -> Vec<Session> {
    let share = events.len().div_ceil(connections).max(1);
    let threads: Vec<_> = events
        .chunks(share)
        .map(|share| share.to_vec())
        .enumerate()
        .map(|(n, share)| std::thread::spawn(move || push_one(to, share, seed + n as u64)))
        .collect();
    threads.into_iter().map(|thread| thread.join().unwrap()).collect()
}

fn push_one(to: SocketAddr, events: Vec<Event>, seed: u64) -> Session {
    let mut random = StdRng::seed_from_u64(seed);
    let session = Arc::new(Mutex::new(Session::default()));
    let mut socket = connect(to).unwrap();
    for batch in events.chunks(16) {
        post(&mut socket, batch, &session, &mut random).unwrap();
    }
    finish(socket, &session).unwrap();
    Arc::into_inner(session).unwrap().into_inner().unwrap()
}

fn connect(to: SocketAddr) -> std::io::Result<TcpStream> {
    let socket = TcpStream::connect(to)?;
    socket.set_nodelay(true)?;
    Ok(socket)
}

/// Writes a few events, cut anywhere. They are noted before they are written.
fn post(
    socket: &mut TcpStream,
    events: &[Event],
    session: &Mutex<Session>,
    random: &mut StdRng,
) -> std::io::Result<()> {
    let mut bytes = Vec::new();
    {
        let mut session = session.lock().unwrap();
        for event in events {
            bytes.extend_from_slice(&wire(event, random));
            let end = session.written + bytes.len() as u64;
            session.posted.push((event.clone(), end));
        }
    }
    let mut rest = bytes.as_slice();
    while !rest.is_empty() {
        let longest = if random.random_ratio(1, 10) { 16 } else { 16 * 1024 };
        let cut = random.random_range(1..=rest.len().min(longest));
        socket.write_all(&rest[..cut])?;
        session.lock().unwrap().written += cut as u64;
        rest = &rest[cut..];
    }
    Ok(())
}

/// Says that nothing follows and waits until the program closes, which it does after it has read
/// everything.
fn finish(mut socket: TcpStream, session: &Mutex<Session>) -> std::io::Result<()> {
    socket.shutdown(Shutdown::Write)?;
    socket.set_read_timeout(Some(super::process::PATIENCE))?;
    let answered = socket.read(&mut [0; 16])?;
    assert_eq!(answered, 0, "the program answered the appliance");
    let mut session = session.lock().unwrap();
    session.read = session.written;
    Ok(())
}

/// Appliances that send without end, and come back whenever they are cut off.
pub struct Stream {
    lines: Vec<Arc<Line>>,
    threads: Vec<std::thread::JoinHandle<()>>,
    to: SocketAddr,
}

#[derive(Default)]
struct Line {
    sessions: Mutex<Vec<Arc<Mutex<Session>>>>,
    paused: AtomicBool,
    idle: AtomicBool,
    stopped: AtomicBool,
    hang_ups: AtomicU64,
}

impl Stream {
    /// Starts so many connections, each at `rate` events a second (about).
    pub fn start(to: SocketAddr, connections: usize, rate: u32, seed: u64) -> Self {
        let lines: Vec<_> = (0..connections).map(|_| Arc::new(Line::default())).collect();
        let threads = lines.iter().enumerate().map(|(n, line)| {
            let (line, seed) = (line.clone(), seed + n as u64);
            std::thread::spawn(move || line.talk(to, rate, seed))
        });
        Self { threads: threads.collect(), lines, to }
    }

    /// Events handed to sockets so far.
    pub fn posted(&self) -> usize {
        let sessions = self.sessions();
        sessions.iter().map(|session| session.lock().unwrap().posted.len()).sum()
    }

    /// Waits until so many more events were handed to sockets.
    pub fn wait_for_more(&self, events: usize) {
        let goal = self.posted() + events;
        wait_until("the appliances have sent more", || self.posted() >= goal);
    }

    /// Stops sending between two events and waits until the program has read all that was sent.
    pub fn pause(&self) {
        for line in &self.lines {
            line.idle.store(false, Ordering::Release);
            line.paused.store(true, Ordering::Release);
        }
        wait_until("the appliances pause", || {
            self.lines.iter().all(|line| line.idle.load(Ordering::Acquire))
        });
        wait_until("everything sent was read", || {
            self.live().iter().all(|session| {
                let session = session.lock().unwrap();
                unread(self.to.port(), session.port) == Some(0)
            })
        });
        for session in self.live() {
            let mut session = session.lock().unwrap();
            session.read = session.written;
        }
    }

    /// Goes on after a pause.
    pub fn resume(&self) {
        for line in &self.lines {
            line.paused.store(false, Ordering::Release);
        }
    }

    /// `kill -9`, and for each connection what the program had certainly read before it died,
    /// less the one read that it may have had in hand.
    pub fn kill(&self, daemon: Daemon) {
        daemon.signal(Signal::STOP);
        for session in self.live() {
            let mut session = session.lock().unwrap();
            let left = unread(self.to.port(), session.port).unwrap_or(session.written);
            let read = session.written.saturating_sub(left);
            session.read = session.read.max(read.saturating_sub(READ_IN_HAND));
        }
        // Only a dead process: a stopped one still has its listener, and a line that came back to
        // that would write into a connection that nobody ever accepts.
        daemon.kill();
        for line in &self.lines {
            line.hang_ups.fetch_add(1, Ordering::AcqRel);
        }
    }

    /// Ends all connections in order and hands out what was sent.
    pub fn finish(self) -> Vec<Session> {
        for line in &self.lines {
            line.stopped.store(true, Ordering::Release);
        }
        for thread in self.threads {
            thread.join().unwrap();
        }
        let sessions = self.lines.iter().flat_map(|line| std::mem::take(&mut *line.sessions()));
        sessions.map(|s| Arc::into_inner(s).unwrap().into_inner().unwrap()).collect()
    }

    fn sessions(&self) -> Vec<Arc<Mutex<Session>>> {
        self.lines.iter().flat_map(|line| line.sessions().clone()).collect()
    }

    fn live(&self) -> Vec<Arc<Mutex<Session>>> {
        self.lines.iter().filter_map(|line| line.sessions().last().cloned()).collect()
    }
}

impl Line {
    fn sessions(&self) -> std::sync::MutexGuard<'_, Vec<Arc<Mutex<Session>>>> {
        self.sessions.lock().unwrap()
    }

    fn stopped(&self) -> bool {
        self.stopped.load(Ordering::Acquire)
    }

    fn talk(&self, to: SocketAddr, rate: u32, seed: u64) {
        let mut random = StdRng::seed_from_u64(seed);
        let mut factory = Factory::new(seed);
        while !self.stopped() {
            match connect(to) {
                Ok(socket) => self.hold(socket, &mut factory, rate, &mut random),
                Err(_) => std::thread::sleep(Duration::from_millis(10)),
            }
        }
    }

    /// One connection, until it breaks or the test has enough.
    fn hold(&self, mut socket: TcpStream, factory: &mut Factory, rate: u32, random: &mut StdRng) {
        let session = Arc::new(Mutex::new(Session::default()));
        session.lock().unwrap().port = socket.local_addr().unwrap().port();
        self.sessions().push(session.clone());
        let hang_ups = self.hang_ups.load(Ordering::Acquire);
        while !self.stopped() {
            // The first write to a peer that has died succeeds and is lost: nobody's fault but TCP's.
            if self.hang_ups.load(Ordering::Acquire) != hang_ups {
                return;
            }
            if self.paused.load(Ordering::Acquire) {
                self.idle.store(true, Ordering::Release);
                std::thread::sleep(Duration::from_millis(5));
                continue;
            }
            self.idle.store(false, Ordering::Release);
            let batch = factory.events(random.random_range(1..8));
            let pace = Duration::from_secs_f64(batch.len() as f64 / f64::from(rate));
            if post(&mut socket, &batch, &session, random).is_err() {
                return;
            }
            std::thread::sleep(pace);
        }
        // A connection that broke at the very end leaves `read` where it was.
        let _ = finish(socket, &session);
    }
}

/// Bytes of a loopback connection that its reader has not taken: what lies in the sender's queue
/// and in the reader's. None: there is no such connection.
#[cfg(target_os = "linux")]
fn unread(listener: u16, sender: u16) -> Option<u64> {
    let table = std::fs::read_to_string("/proc/net/tcp").unwrap();
    let queue = |from: u16, to: u16, which: usize| {
        let row = table.lines().skip(1).find(|line| {
            let mut fields = line.split_whitespace().skip(1);
            let ours = fields.next().unwrap().ends_with(&format!(":{from:04X}"));
            ours && fields.next().unwrap().ends_with(&format!(":{to:04X}"))
        })?;
        let (sending, receiving) = row.split_whitespace().nth(4)?.split_once(':')?;
        u64::from_str_radix([sending, receiving][which], 16).ok()
    };
    Some(queue(sender, listener, 0)? + queue(listener, sender, 1)?)
}

/// The same where there is no `/proc`: `netstat` has both queues, and the port behind the last dot.
#[cfg(not(target_os = "linux"))]
fn unread(listener: u16, sender: u16) -> Option<u64> {
    let asked = std::process::Command::new("netstat").args(["-an", "-p", "tcp"]).output().unwrap();
    let table = String::from_utf8(asked.stdout).unwrap();
    let queue = |from: u16, to: u16, which: usize| {
        let row =
            table.lines().map(|line| line.split_whitespace().collect::<Vec<_>>()).find(|f| {
                let is_port = |at: usize, port: u16| {
                    f.get(at).is_some_and(|address| address.ends_with(&format!(".{port}")))
                };
                is_port(3, from) && is_port(4, to)
            })?;
        row[which].parse::<u64>().ok()
    };
    Some(queue(sender, listener, 2)? + queue(listener, sender, 1)?)
}
