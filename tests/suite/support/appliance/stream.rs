//! Appliances that send without end while a drill breaks something.

use super::{Factory, Session, connect, finish, post};
use crate::support::process::{Daemon, wait_until};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use rustix::process::Signal;
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// "At most the one read in hand": bytes that a connection may hold outside of the spool.
const READ_IN_HAND: u64 = 256 * 1024;

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
                // Between two tries, until the program is back or the test has enough.
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
                std::thread::sleep(Duration::from_millis(5)); // a look at the flags, until resumed
                continue;
            }
            self.idle.store(false, Ordering::Release);
            let batch = factory.events(random.random_range(1..8));
            let pace = Duration::from_secs_f64(batch.len() as f64 / f64::from(rate));
            if post(&mut socket, &batch, &session, random).is_err() {
                return;
            }
            std::thread::sleep(pace); // the rate; nothing is expected of it
        }
        // A connection that broke at the very end leaves `read` where it was.
        let _ = finish(socket, &session);
    }
}

/// Bytes of a loopback connection that its reader has not taken: what lies in the sender's queue
/// and in the reader's. None: there is no such connection.
///
/// The sender's queue is looked at first: what moves to the reader's in between counts twice, and
/// never as read.
#[cfg(target_os = "linux")]
fn unread(listener: u16, sender: u16) -> Option<u64> {
    let queue = |from: u16, to: u16, which: usize| {
        let table = std::fs::read_to_string("/proc/net/tcp").unwrap();
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
