//! Clients that misbehave, each kind in a drill of its own. In all of them eight honest connections
//! send at the same time: the check finds every event of theirs exactly once, and the process' peak
//! of resident memory stays within [`BOUND`].
//!
//! | kind | drills |
//! |---|---|
//! | half-open | handshakes never finished, connections that never send |
//! | slow | one byte a second inside of an event |
//! | flooding | garbage, event starts without end, an event without end |
//! | too many | of one address, of many addresses, while reading is stopped |
//! | refused | from outside of `ALLOW_FROM` |
//!
//! Honest senders and attackers have addresses of their own (127.0.1.x, 127.0.66.x), because the
//! limits are per address.

use crate::faults::parts::drain_and_check;
use crate::support::appliance::{Factory, Session, seed};
use crate::support::check::Rules;
use crate::support::pages::{get, metric};
use crate::support::process::{Daemon, Site, wait_until};
use crate::support::sender::{Authority, connect_from, send_from, send_secure};
use crate::support::store::Store;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use rustls::ClientConfig;
use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// The contract is 64 MiB for the release build; this is the debug build.
const BOUND: u64 = 64 << 20;
/// Honest connections, and events of each.
const HONEST: usize = 8;
const EACH: usize = 150;
/// Between two events of one honest connection.
const PAUSE: Duration = Duration::from_millis(10);

const fn attacker(n: u8) -> Ipv4Addr {
    Ipv4Addr::new(127, 0, 66, n)
}

/// One attacker's work until it is over: it gets the address to attack.
type Attack = dyn Fn(SocketAddr, &Over) + Send + Sync;

/// Whether the honest are done.
#[derive(Default)]
struct Over(AtomicBool);

impl Over {
    fn is(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }

    /// Waits so long, or until the honest are done: a look at the flag every 5 ms.
    fn sleep(&self, time: Duration) {
        let end = Instant::now() + time;
        while !self.is() && Instant::now() < end {
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

/// Ends the attack when dropped.
struct Ends<'a>(&'a Over);

impl Drop for Ends<'_> {
    fn drop(&mut self) {
        self.0.0.store(true, Ordering::Release);
    }
}

/// A site under attack.
struct Drill {
    store: Store,
    site: Site,
    seed: u64,
    secure: Option<Arc<ClientConfig>>,
}

impl Drill {
    fn new(settings: &[(&str, &str)]) -> Self {
        let store = Store::start();
        let mut site = Site::new(&store);
        for (name, value) in settings {
            site.set(name, value);
        }
        Self { store, site, seed: seed(), secure: None }
    }

    /// The honest speak TLS.
    fn secured(mut self) -> Self {
        let authority = Authority::new("site");
        let folder = self.site.path("tls");
        std::fs::create_dir(&folder).unwrap();
        authority.issue().write(&folder);
        for (variable, name) in [("TLS_CERT_FILE", "cert.pem"), ("TLS_KEY_FILE", "key.pem")] {
            self.site.set(variable, folder.join(name).to_str().unwrap());
        }
        self.secure = Some(authority.client(None));
        self
    }

    /// Attackers first; then the honest send, while `watch` may look; then all is checked.
    fn run(self, attackers: usize, attack: &Attack, watch: impl FnOnce(&Daemon, &Site)) -> String {
        let (daemon, to) = (self.site.start(), self.site.address());
        let over = Over::default();
        let sent: Vec<Session> = std::thread::scope(|scope| {
            // Also when something fails, or the scope would wait for the attackers for ever.
            let _end = Ends(&over);
            for _ in 0..attackers {
                scope.spawn(|| attack(to, &over));
            }
            let honest: Vec<_> = (0..HONEST)
                .map(|n| {
                    scope.spawn({
                        let drill = &self;
                        move || drill.honest(n, to)
                    })
                })
                .collect();
            let sent = honest.into_iter().map(|thread| thread.join().unwrap()).collect();
            watch(&daemon, &self.site);
            sent
        });
        let memory = daemon.peak_memory();
        println!("peak resident memory: {} KiB", memory >> 10);
        let log = daemon.log();
        let rules = Rules { strangers: true, ..Rules::default() };
        let tally = drain_and_check(&self.store, &[&self.site], daemon, &sent, &rules);
        assert_eq!((tally.delivered, tally.unread), (HONEST * EACH, 0), "{tally:?}");
        assert!(memory < BOUND, "peak memory {} KiB", memory >> 10);
        log
    }

    fn honest(&self, n: usize, to: SocketAddr) -> Session {
        let source = Ipv4Addr::new(127, 0, 1, 1 + n as u8);
        let events = Factory::new(self.seed + n as u64).events(EACH);
        match &self.secure {
            Some(config) => send_secure(source, to, config, events, PAUSE),
            None => send_from(source, to, events, PAUSE),
        }
    }
}

fn nothing_more(_: &Daemon, _: &Site) {}

/// Writes until it is over, as much as the other end takes; false: it was hung up on.
fn press(socket: &mut TcpStream, mut bytes: &[u8], over: &Over) -> bool {
    socket.set_write_timeout(Some(Duration::from_millis(50))).unwrap();
    while !bytes.is_empty() && !over.is() {
        match socket.write(bytes) {
            Ok(written) => bytes = &bytes[written..],
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
            Err(_) => return false,
        }
    }
    true
}

// Half-open.

#[test]
fn connections_that_never_send() {
    let attack = |to: SocketAddr, over: &Over| {
        let silent: Vec<_> = (0..90).map(|_| connect_from(attacker(1), to).unwrap()).collect();
        over.sleep(Duration::from_secs(600));
        drop(silent);
    };
    let log = Drill::new(&[]).run(1, &attack, nothing_more);
    assert!(!log.contains("connection cap reached"), "{log}");
}

#[test]
fn handshakes_that_are_never_finished() {
    let attack = |to: SocketAddr, over: &Over| {
        let mut half: Vec<_> = (0..90).map(|_| connect_from(attacker(1), to).unwrap()).collect();
        for (n, socket) in half.iter_mut().enumerate() {
            // Nothing; half a hello; a record that announces more than it brings.
            let bytes: &[u8] = [&b""[..], b"\x16\x03\x01\x01", b"\x16\x03\x01\x40\x00\x01"][n % 3];
            socket.write_all(bytes).unwrap();
        }
        over.sleep(Duration::from_secs(600));
        // After 10 s each of them was closed.
        for socket in &mut half {
            assert_eq!(socket.read(&mut [0; 16]).unwrap_or(0), 0);
        }
    };
    let closed = |daemon: &Daemon, _: &Site| {
        wait_until("the handshakes have timed out", || {
            metric(daemon, "xsa_tls_handshakes_failed_total", "too-slow") == 90
        });
        wait_until("their places are free", || metric(daemon, "xsa_connections", "") == 0);
    };
    let log = Drill::new(&[]).secured().run(1, &attack, closed);
    let said = log.matches("a TLS handshake was not over after 10 s").count();
    assert!((1..=2).contains(&said), "{said} lines: {log}");
}

#[test]
fn idle_connections_are_closed_after_idle_timeout_and_others_are_not() {
    let attack = |to: SocketAddr, _: &Over| {
        let mut silent: Vec<_> = (0..50).map(|_| connect_from(attacker(1), to).unwrap()).collect();
        let start = Instant::now();
        for socket in &mut silent {
            assert_eq!(socket.read(&mut [0; 16]).unwrap(), 0);
        }
        assert!(start.elapsed() > Duration::from_millis(900), "{:?}", start.elapsed());
    };
    let log = Drill::new(&[("IDLE_TIMEOUT", "1s")]).run(1, &attack, |daemon, _| {
        wait_until("they are closed", || metric(daemon, "xsa_connections", "") == 0);
    });
    let said = log.matches("closed after IDLE_TIMEOUT").count();
    assert!((1..=20).contains(&said), "{said} lines: {log}");
}

// Slow.

#[test]
fn one_byte_a_second_inside_an_event() {
    let attack = |to: SocketAddr, over: &Over| {
        let mut slow: Vec<_> = (0..40).map(|_| connect_from(attacker(1), to).unwrap()).collect();
        for socket in &mut slow {
            socket.write_all(b"<EVENT><a>").unwrap();
        }
        while !over.is() {
            slow.iter_mut().for_each(|socket| socket.write_all(b"x").unwrap());
            over.sleep(Duration::from_secs(1));
        }
    };
    // Given up again and again, and never closed for it.
    Drill::new(&[("EVENT_TIMEOUT", "2s")]).run(1, &attack, |daemon, _| {
        wait_until("the slow ones are given up", || {
            metric(daemon, "xsa_pieces_rejected_total", "") >= 40
        });
        assert_eq!(metric(daemon, "xsa_connections", ""), 40);
    });
}

// Flooding.

#[test]
fn garbage_as_fast_as_it_goes() {
    let attack = |to: SocketAddr, over: &Over| {
        let mut random = StdRng::seed_from_u64(1);
        let mut socket = connect_from(attacker(1), to).unwrap();
        let mut block = vec![0; 64 << 10];
        for _ in 0..100 {
            random.fill_bytes(&mut block);
            assert!(press(&mut socket, &block, over) || over.is(), "it was hung up on");
        }
        over.sleep(Duration::from_secs(600));
    };
    Drill::new(&[]).run(4, &attack, |daemon, _| {
        assert!(metric(daemon, "xsa_pieces_rejected_total", "") > 0);
    });
}

#[test]
fn event_starts_without_end() {
    let attack = |to: SocketAddr, over: &Over| {
        let mut socket = connect_from(attacker(1), to).unwrap();
        let block = b"<EVENT><a b=\"<EVENT ><![CDATA[<EVENT><!-- <?xml ".repeat(1_000);
        for _ in 0..60 {
            assert!(press(&mut socket, &block, over) || over.is(), "it was hung up on");
        }
        over.sleep(Duration::from_secs(600));
    };
    Drill::new(&[]).run(4, &attack, |daemon, _| {
        assert!(metric(daemon, "xsa_pieces_rejected_total", "") > 0);
    });
}

#[test]
fn events_that_never_end_on_more_connections_than_there_is_memory_for() {
    let attack = |to: SocketAddr, over: &Over| {
        let mut sockets: Vec<_> = (0..10).map(|_| connect_from(attacker(1), to).unwrap()).collect();
        let block = vec![b'x'; 64 << 10];
        for socket in &mut sockets {
            socket.write_all(b"<EVENT><a>").unwrap();
        }
        // 2.5 MiB each, in turns, so that all of them are unfinished at the same time.
        for _ in 0..40 {
            for socket in &mut sockets {
                socket.set_write_timeout(Some(Duration::from_millis(20))).unwrap();
                // Whoever has no share is not read for now; that is the point.
                let _ = socket.write(&block);
            }
            if over.is() {
                return;
            }
        }
        over.sleep(Duration::from_secs(600));
    };
    let settings = [("EVENT_TIMEOUT", "2s"), ("MAX_BUFFER_MEMORY", "6MiB")];
    Drill::new(&settings).run(4, &attack, |daemon, _| {
        wait_until("some are given up", || metric(daemon, "xsa_pieces_rejected_total", "") > 0);
    });
}

// Too many.

#[test]
fn more_connections_than_one_address_may_have() {
    let attack = |to: SocketAddr, over: &Over| {
        let mut kept = Vec::new();
        while !over.is() {
            kept.extend(connect_from(attacker(1), to));
            if kept.len() > 200 {
                kept.drain(..100);
            }
            over.sleep(Duration::from_millis(5));
        }
    };
    let settings = [("MAX_CONNECTIONS_PER_PEER", "20")];
    let log = Drill::new(&settings).run(2, &attack, |daemon, _| {
        assert!(metric(daemon, "xsa_connections_replaced_total", "") > 50);
        let open = metric(daemon, "xsa_connections", "");
        assert!(open <= 20, "{open} connections");
    });
    let replaced = log.lines().filter(|line| line.contains("connection cap reached"));
    let replaced: Vec<_> = replaced.collect();
    assert!((1..10).contains(&replaced.len()), "{} lines", replaced.len());
    assert!(replaced.iter().all(|line| line.contains("127.0.66.1")), "{replaced:?}");
    // 20 a minute of each kind, whoever comes.
    for kind in ["connection opened", "connection closed", "connection broken"] {
        let told = log.matches(kind).count();
        assert!(told <= 40, "{told} lines '{kind}'");
    }
    assert!(log.contains("connection opened"), "{log}");
}

#[test]
fn more_connections_than_all_together_may_have() {
    let attack = |to: SocketAddr, over: &Over| {
        let mut kept = Vec::new();
        // Ten addresses: none of them above its own cap, together far above the other.
        for n in (0..10).cycle() {
            if over.is() {
                return;
            }
            kept.extend(connect_from(attacker(n), to));
            if kept.len() > 200 {
                kept.drain(..100);
            }
            over.sleep(Duration::from_millis(5));
        }
    };
    let settings = [("MAX_CONNECTIONS", "40"), ("MAX_CONNECTIONS_PER_PEER", "20")];
    let log = Drill::new(&settings).run(2, &attack, |daemon, _| {
        assert!(metric(daemon, "xsa_connections_replaced_total", "") > 50);
        let open = metric(daemon, "xsa_connections", "");
        assert!(open <= 40, "{open} connections");
    });
    assert!(log.contains("connection cap reached"), "{log}");
}

/// Whoever makes room has to go also while nothing is read: otherwise connections pile up without
/// bound behind a full spool.
#[test]
fn connections_do_not_pile_up_while_reading_is_stopped() {
    let (store, seed) = (Store::start(), seed());
    store.go_away();
    let mut site = Site::new(&store);
    site.set("MAX_FILE_SIZE", "100000").set("MAX_SPOOL_SIZE", "400000");
    site.set("MAX_CONNECTIONS_PER_PEER", "20");
    let (daemon, to) = (site.start(), site.address());
    let events = Factory::new(seed).events(600);
    let honest = std::thread::spawn(move || {
        send_from(Ipv4Addr::new(127, 0, 1, 1), to, events, Duration::ZERO)
    });
    wait_until("reading is stopped", || get(&daemon, "/readyz").0 == 503);
    let open = || std::fs::read_dir(format!("/proc/{}/fd", daemon.id())).unwrap().count();
    let before = open();
    let kept: Vec<_> = (0..200).map(|_| connect_from(attacker(1), to).unwrap()).collect();
    wait_until("the others were replaced", || {
        metric(&daemon, "xsa_connections_replaced_total", "") == 180
    });
    wait_until("their files are closed", || open() <= before + 30);
    println!("{} files open, {before} before", open());
    drop(kept);
    store.heal();
    let sent = [honest.join().unwrap()];
    let rules = Rules { max_file_size: 100_000, ..Rules::default() };
    let tally = drain_and_check(&store, &[&site], daemon, &sent, &rules);
    assert_eq!((tally.delivered, tally.unread), (600, 0), "{tally:?}");
}

/// Whoever makes room waits with its rejected bytes while the quarantine is full: without an end
/// to that, one sender of garbage that connects again and again would take every file descriptor.
#[test]
fn connections_with_rejected_bytes_do_not_pile_up_behind_a_full_quarantine() {
    let (store, seed) = (Store::start(), seed());
    store.go_away();
    let mut site = Site::new(&store);
    site.set("MAX_FILE_SIZE", "100000").set("MAX_SPOOL_SIZE", "400000");
    site.set("MAX_CONNECTIONS", "20").set("MAX_CONNECTIONS_PER_PEER", "20");
    let (daemon, to) = (site.start(), site.address());
    let before = std::fs::read_dir(format!("/proc/{}/fd", daemon.id())).unwrap().count();
    let piece = format!("<EVENT><a>{}</EVENT>", "x".repeat(3000));
    let garbage = |_| {
        let mut socket = connect_from(attacker(1), to).unwrap();
        socket.write_all(piece.repeat(7).as_bytes()).unwrap();
        socket
    };
    let kept: Vec<_> = (0..100).map(garbage).collect();
    daemon.wait_for("no more connections are taken");
    let open = std::fs::read_dir(format!("/proc/{}/fd", daemon.id())).unwrap().count();
    assert!(open <= before + 40 + 20, "{open} files open, {before} before");
    drop(kept);
    store.heal();
    daemon.wait_for("connections are taken again");
    let events = Factory::new(seed).events(50);
    let sent = [send_from(Ipv4Addr::new(127, 0, 1, 1), to, events, Duration::ZERO)];
    let rules = Rules { max_file_size: 100_000, strangers: true, ..Rules::default() };
    let tally = drain_and_check(&store, &[&site], daemon, &sent, &rules);
    assert_eq!((tally.delivered, tally.unread), (50, 0), "{tally:?}");
}

// Refused.

#[test]
fn whoever_is_not_in_allow_from_is_refused_and_said_seldom() {
    let attack = |to: SocketAddr, over: &Over| {
        while !over.is() {
            if let Ok(mut socket) = connect_from(attacker(1), to) {
                // The check would find this event, which nobody honest has sent.
                let _ = socket.write_all(b"<EVENT><cn>stranger</cn></EVENT>");
                assert_eq!(socket.read(&mut [0; 16]).unwrap_or(0), 0);
            }
        }
    };
    let log = Drill::new(&[("ALLOW_FROM", "127.0.1.0/24")]).run(2, &attack, |daemon, _| {
        assert!(metric(daemon, "xsa_connections_refused_total", "") > 100);
    });
    let said = log.matches("refused: not in ALLOW_FROM").count();
    assert!((1..10).contains(&said), "{said} lines");
}
