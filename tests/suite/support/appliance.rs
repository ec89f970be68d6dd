//! The appliance: unique events, pushed over plain sockets, cut anywhere, never answered.
//!
//! Every [`Session`] remembers what it wrote and how much of that the program has certainly read,
//! so that a drill can tell an event that was lost from one that was still in the kernel.

mod stream;

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use xml_stream_aggregator::event::fields::{FIELDS, Field, Kind};

pub use stream::Stream;

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
