//! The secured network over real sockets: TLS, mutual TLS, certificates replaced while the program
//! runs, TLS misused, the rate limit, the admin listener, and what is wrong with all of it at start.

use crate::faults::parts::drain_and_check;
use crate::support::appliance::{Factory, push, seed};
use crate::support::check::Rules;
use crate::support::pages::{self, ask, get, metric};
use crate::support::process::{Daemon, Site, wait_until};
use crate::support::sender::{Authority, Pair, Secure, send_from, send_secure};
use crate::support::store::Store;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::time::{Duration, Instant};

const HOME: Ipv4Addr = Ipv4Addr::LOCALHOST;
const NEIGHBOUR: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 2);

/// A site whose listener speaks TLS with this pair.
fn secured(store: &Store, pair: &Pair) -> Site {
    let mut site = Site::new(store);
    let folder = site.path("tls");
    std::fs::create_dir(&folder).unwrap();
    pair.write(&folder);
    for (variable, name) in [("TLS_CERT_FILE", "cert.pem"), ("TLS_KEY_FILE", "key.pem")] {
        site.set(variable, folder.join(name).to_str().unwrap());
    }
    site
}

fn mutual(site: &mut Site, clients: &Authority) {
    let path = site.path("tls/clients.pem");
    std::fs::write(&path, clients.pem()).unwrap();
    site.set("TLS_CLIENT_CA_FILE", path.to_str().unwrap());
}

/// Lines of the log with this text, once there is one: what is written takes a moment to be read.
fn lines(daemon: &Daemon, text: &str) -> usize {
    daemon.wait_for(text);
    count(&daemon.log(), text)
}

fn count(log: &str, text: &str) -> usize {
    log.lines().filter(|line| line.contains(text)).count()
}

// TLS.

#[test]
fn events_arrive_over_tls() {
    let (store, seed, authority) = (Store::start(), seed(), Authority::new("site"));
    let site = secured(&store, &authority.issue());
    let daemon = site.start();
    let config = authority.client(None);
    let to = site.address();
    let threads: Vec<_> = (0..4)
        .map(|n| {
            let (config, events) =
                (config.clone(), Factory::new(seed + n).malformed(20).events(200));
            std::thread::spawn(move || send_secure(HOME, to, &config, events, Duration::ZERO))
        })
        .collect();
    let sent: Vec<_> = threads.into_iter().map(|thread| thread.join().unwrap()).collect();
    let tally = drain_and_check(&store, &[&site], daemon, &sent, &Rules::default());
    assert_eq!((tally.delivered + tally.quarantined, tally.unread), (800, 0), "{tally:?}");
}

#[test]
fn mutual_tls_takes_the_right_certificate_and_no_other() {
    let (store, seed, authority) = (Store::start(), seed(), Authority::new("site"));
    let (clients, foreign) = (Authority::new("clients"), Authority::new("foreign"));
    let mut site = secured(&store, &authority.issue());
    mutual(&mut site, &clients);
    let daemon = site.start();
    for own in [None, Some(foreign.issue())] {
        let config = authority.client(own.as_ref());
        let event = Factory::new(seed).event();
        // In TLS 1.3 the client is done before the server has looked at its certificate.
        let refused = Secure::connect(HOME, site.address(), &config).and_then(|mut socket| {
            socket.send(&event)?;
            socket.finish()
        });
        assert!(refused.is_err(), "{refused:?}");
    }
    let config = authority.client(Some(&clients.issue()));
    let events = Factory::new(seed).events(100);
    let sent = [send_secure(HOME, site.address(), &config, events, Duration::ZERO)];
    let count = metric(&daemon, "xsa_tls_handshakes_failed_total", "client-certificate");
    assert_eq!(count, 2);
    assert_eq!(lines(&daemon, "has no certificate of TLS_CLIENT_CA_FILE"), 1);
    // The refused events are nowhere: the check would find events that nobody sent.
    let tally = drain_and_check(&store, &[&site], daemon, &sent, &Rules::default());
    assert_eq!(tally.delivered, 100);
}

#[test]
fn replaced_certificates_serve_new_connections_and_old_connections_live_on() {
    let (store, seed) = (Store::start(), seed());
    let [first, second, third] = ["first", "second", "third"].map(Authority::new);
    let site = secured(&store, &first.issue());
    let (daemon, folder) = (site.start(), site.path("tls"));
    let mut factory = Factory::new(seed);
    let mut sent = Vec::new();
    let connect =
        |authority: &Authority| Secure::connect(HOME, site.address(), &authority.client(None));
    let mut old = connect(&first).unwrap();
    let before = factory.event();
    old.send(&before).unwrap();

    second.issue().write(&folder);
    assert!(connect(&first).is_err(), "the new certificate is another authority's");
    sent.push(send_secure(
        HOME,
        site.address(),
        &second.client(None),
        factory.events(5),
        Duration::ZERO,
    ));
    daemon.wait_for("the TLS files have changed and are in use");

    std::fs::write(folder.join("key.pem"), "nonsense").unwrap();
    for _ in 0..3 {
        connect(&second).unwrap().finish().unwrap();
    }
    assert_eq!(lines(&daemon, "the changed TLS files cannot be used"), 1);
    let log = daemon.log();
    let line = log.lines().find(|line| line.contains("changed TLS files cannot")).unwrap();
    for part in ["ERROR", "TLS_KEY_FILE", "key.pem", "no restart is needed"] {
        assert!(line.contains(part), "{part}: {line}");
    }
    assert_eq!(metric(&daemon, "xsa_tls_files_broken", ""), 1);

    third.issue().write(&folder);
    connect(&third).unwrap().finish().unwrap();
    assert_eq!(metric(&daemon, "xsa_tls_files_broken", ""), 0);

    let after = factory.event();
    old.send(&after).unwrap();
    old.finish().unwrap();
    sent.push(crate::support::appliance::Session::of(vec![before, after]));
    let tally = drain_and_check(&store, &[&site], daemon, &sent, &Rules::default());
    assert_eq!(tally.delivered, 7);
}

#[test]
fn plain_text_to_the_tls_port_is_told_once_and_costs_nobody_else_anything() {
    let (store, seed, authority) = (Store::start(), seed(), Authority::new("site"));
    let site = secured(&store, &authority.issue());
    let daemon = site.start();
    let mut honest = Secure::connect(HOME, site.address(), &authority.client(None)).unwrap();
    let events = Factory::new(seed).events(20);
    for event in &events {
        honest.send(event).unwrap();
        let mut plain = TcpStream::connect(site.address()).unwrap();
        plain.write_all(b"<EVENT><cn>never</cn></EVENT>").unwrap();
        // It is hung up on: the alert of TLS, or a reset, then the end.
        let _ = plain.read_to_end(&mut Vec::new());
    }
    honest.finish().unwrap();
    assert_eq!(metric(&daemon, "xsa_tls_handshakes_failed_total", "plain-text"), 20);
    assert_eq!(lines(&daemon, "a sender speaks plain text to the TLS port"), 1);
    let sent = [crate::support::appliance::Session::of(events)];
    let tally = drain_and_check(&store, &[&site], daemon, &sent, &Rules::default());
    assert_eq!(tally.delivered, 20);
}

#[test]
fn tls_to_the_plain_port_is_told_once_and_costs_nobody_else_anything() {
    let (store, seed, authority) = (Store::start(), seed(), Authority::new("site"));
    let site = Site::new(&store);
    let daemon = site.start();
    let config = authority.client(None);
    let tries: Vec<_> = (0..10)
        .map(|_| {
            let (config, to) = (config.clone(), site.address());
            std::thread::spawn(move || Secure::connect(NEIGHBOUR, to, &config).is_err())
        })
        .collect();
    let sent = push(site.address(), Factory::new(seed).events(400), 4, seed);
    wait_until("every hello was counted", || {
        metric(&daemon, "xsa_tls_handshakes_failed_total", "to-plain-port") == 10
    });
    assert_eq!(lines(&daemon, "a sender speaks TLS to the plain port"), 1);
    let log = daemon.log();
    let line = log.lines().find(|line| line.contains("speaks TLS to the plain port")).unwrap();
    assert!(line.contains("TLS_CERT_FILE") && line.contains("127.0.0.2"), "{line}");
    let rules = Rules { strangers: true, ..Rules::default() };
    site.wait_until_drained();
    let tally = drain_and_check(&store, &[&site], daemon, &sent, &rules);
    assert_eq!(tally.delivered, 400);
    for thread in tries {
        assert!(thread.join().unwrap(), "nobody there speaks TLS");
    }
}

#[test]
fn a_sender_that_hangs_up_without_a_farewell_is_no_trouble_of_the_network() {
    let (store, authority) = (Store::start(), Authority::new("site"));
    let site = secured(&store, &authority.issue());
    let daemon = site.start();
    let mut sender = Secure::connect(HOME, site.address(), &authority.client(None)).unwrap();
    sender.send(&Factory::new(seed()).event()).unwrap();
    sender.hang_up();
    daemon.wait_for("connection closed by the sender");
    let ended = daemon.terminate();
    assert!(!ended.log.contains("WARN"), "{}", ended.log);
    assert!(ended.log.contains("delivered=1"), "{}", ended.log);
}

#[test]
fn healthcheck_and_status_look_at_no_tls_file() {
    let (store, authority) = (Store::start(), Authority::new("site"));
    let mut site = secured(&store, &authority.issue());
    let daemon = site.start();
    site.set("ADMIN_ADDR", &pages::address(&daemon).to_string());
    std::fs::remove_dir_all(site.path("tls")).unwrap();
    for command in ["healthcheck", "status", "ledger"] {
        let ended = site.run(&[command]);
        assert_eq!(ended.code(), Some(0), "{command}: {}", ended.log);
    }
}

#[test]
fn an_expired_certificate_is_used_and_told() {
    let store = Store::start();
    let key = rcgen::KeyPair::generate().unwrap();
    let mut params = rcgen::CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    params.not_after = rcgen::date_time_ymd(2001, 1, 1);
    let cert = params.self_signed(&key).unwrap().pem();
    let site = secured(&store, &Pair { cert, key: key.serialize_pem() });
    let ended = site.start().terminate();
    assert_eq!(ended.code(), Some(0), "{}", ended.log);
    assert_eq!(count(&ended.log, "is not valid at this time"), 1, "{}", ended.log);
}

// At start.

#[test]
fn wrong_files_networks_and_addresses_in_use_are_named_all_at_once() {
    let (store, authority) = (Store::start(), Authority::new("site"));
    let mut site = secured(&store, &authority.issue());
    std::fs::write(site.path("tls/key.pem"), authority.issue().key).unwrap();
    let ca = site.path("tls/ca.pem");
    std::fs::write(&ca, "no certificate").unwrap();
    site.set("TLS_CLIENT_CA_FILE", ca.to_str().unwrap());
    let taken: Vec<_> = (0..2).map(|_| TcpListener::bind("127.0.0.1:0").unwrap()).collect();
    let udp = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    let ports = taken.iter().map(|listener| listener.local_addr().unwrap());
    let [port, admin] = ports.collect::<Vec<_>>().try_into().unwrap();
    site.set("PORT", &port.port().to_string()).set("ADMIN_ADDR", &admin.to_string());
    site.set("UDP_PORT", &udp.local_addr().unwrap().port().to_string());
    site.set("ALLOW_FROM", "10.0.0.0/33");
    let ended = site.run(&[]);
    assert_eq!(ended.code(), Some(2), "{}", ended.log);
    assert!(ended.log.contains("6 settings cannot be used"), "{}", ended.log);
    let named = ["TLS_KEY_FILE", "TLS_CLIENT_CA_FILE", "ALLOW_FROM", "PORT=", "UDP_PORT="];
    for text in named.into_iter().chain(["ADMIN_ADDR=", "10.0.0.0/33", &admin.to_string()]) {
        assert!(ended.log.contains(text), "'{text}' is not in: {}", ended.log);
    }
    assert!(!site.data().exists(), "nothing was started");
    // Beside a running program only the files are judged.
    let checked = site.run(&["check"]);
    assert_eq!(checked.code(), Some(1));
    assert!(checked.output.contains("TLS_KEY_FILE"), "{}", checked.output);
    assert!(!checked.output.contains("ADMIN_ADDR"), "{}", checked.output);
}

#[test]
fn an_address_that_this_machine_has_not_is_named() {
    let store = Store::start();
    let mut site = Site::new(&store);
    site.set("ADMIN_ADDR", "198.51.100.1:8081").set("BIND_HOST", "198.51.100.2");
    let ended = site.run(&[]);
    assert_eq!(ended.code(), Some(2), "{}", ended.log);
    for text in ["198.51.100.1:8081", "198.51.100.2", "no such address"] {
        assert!(ended.log.contains(text), "'{text}' is not in: {}", ended.log);
    }
}

// The rate limit.

#[test]
fn a_peer_above_the_rate_is_slowed_and_nothing_is_dropped() {
    let (store, seed) = (Store::start(), seed());
    let mut site = Site::new(&store);
    site.set("RATE_LIMIT_ENABLED", "true").set("RATE_LIMIT_WINDOW", "1s");
    site.set("RATE_LIMIT_MAX_EVENTS", "500").set("EVENT_TIMEOUT", "1s");
    let (daemon, to) = (site.start(), site.address());
    let start = Instant::now();
    let others = Factory::new(seed + 1).events(400);
    let neighbour = std::thread::spawn(move || {
        let session = send_from(NEIGHBOUR, to, others, Duration::ZERO);
        (session, start.elapsed())
    });
    let mut sent = push(to, Factory::new(seed).malformed(30).events(3_000), 2, seed);
    let took = start.elapsed();
    let (session, unhindered) = neighbour.join().unwrap();
    sent.push(session);
    println!("3000 events at 500 a second took {took:?}; 400 of a neighbour {unhindered:?}");
    // 500 are in hand at the start, and one read of each of the two connections may overdraw.
    assert!(took > Duration::from_secs(4), "{took:?}");
    assert!(unhindered < took / 2, "the neighbour took {unhindered:?}");
    assert!(metric(&daemon, "xsa_rate_limit_waits_total", "") > 0);
    daemon.wait_for("slowed down");
    let log = daemon.log();
    let slowed: Vec<_> = log.lines().filter(|line| line.contains("slowed down")).collect();
    assert!(!slowed.is_empty() && slowed.len() <= 1 + took.as_secs() as usize / 10, "{log}");
    assert!(slowed.iter().all(|line| line.contains("127.0.0.1")), "{slowed:?}");
    let tally = drain_and_check(&store, &[&site], daemon, &sent, &Rules::default());
    assert_eq!((tally.delivered + tally.quarantined, tally.unread), (3_400, 0));
    // Nothing was given up because of a clock that ran while we did not read.
    let text: String = store
        .objects("xml-events-quarantine/")
        .iter()
        .map(|object| String::from_utf8_lossy(&object.bytes).into_owned())
        .collect();
    assert!(!text.contains("\"truncated\"") && !text.contains("\"timeout\""), "{text}");
}

/// Held by the limit for an hour, and yet the end of the process takes what is in the socket.
#[test]
fn a_peer_that_is_held_back_does_not_hold_up_the_end() {
    let (store, seed) = (Store::start(), seed());
    let mut site = Site::new(&store);
    site.set("RATE_LIMIT_ENABLED", "true").set("RATE_LIMIT_WINDOW", "1h");
    site.set("RATE_LIMIT_MAX_EVENTS", "1");
    let daemon = site.start();
    let mut socket = TcpStream::connect(site.address()).unwrap();
    let events = Factory::new(seed).events(10);
    socket.write_all(&events[..5].iter().flat_map(|e| e.sent.clone()).collect::<Vec<_>>()).unwrap();
    daemon.wait_for("slowed down");
    socket.write_all(&events[5..].iter().flat_map(|e| e.sent.clone()).collect::<Vec<_>>()).unwrap();
    let start = Instant::now();
    let ended = daemon.terminate();
    assert_eq!(ended.code(), Some(0), "{}", ended.log);
    assert!(start.elapsed() < Duration::from_secs(8), "took {:?}", start.elapsed());
    let sent = [crate::support::appliance::Session::of(events)];
    let tally = crate::support::check::check(&store, &[&site], &sent, &Rules::default());
    assert_eq!(tally.delivered, 10);
}

// The admin listener.

#[test]
fn a_public_name_in_host_is_refused_and_a_token_is_asked_for() {
    let store = Store::start();
    let mut site = Site::new(&store);
    site.set("ADMIN_TOKEN", "s3cret-token");
    let daemon = site.start();
    let host = pages::address(&daemon).to_string();
    let asked = |path: &str, host: &str, more: &str| {
        ask(
            &daemon,
            &format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n{more}\r\n"),
        )
    };
    let right = "Authorization: Bearer s3cret-token\r\n";
    for path in ["/", "/metrics", "/api/status"] {
        assert_eq!(asked(path, &host, right).0, 200, "{path}");
        assert_eq!(asked(path, &host, "").0, 401, "{path}");
        assert_eq!(asked(path, &host, "Authorization: Bearer s3cret\r\n").0, 401, "{path}");
        let (code, text) = asked(path, "rebind.evil.com", right);
        assert_eq!(code, 403, "{path}: {text}");
        assert!(!text.contains("xsa_") && !text.contains("ledger"), "{text}");
    }
    // Browsers know only the second, and not behind a comma.
    let mut socket = TcpStream::connect(pages::address(&daemon)).unwrap();
    write!(socket, "GET / HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n").unwrap();
    let mut refusal = String::new();
    socket.read_to_string(&mut refusal).unwrap();
    assert!(refusal.contains("\r\nwww-authenticate: Bearer\r\n"), "{refusal}");
    assert!(refusal.contains("\r\nwww-authenticate: Basic realm="), "{refusal}");
    let password = "Authorization: Basic YW55OnMzY3JldC10b2tlbg==\r\n"; // any:s3cret-token
    assert_eq!(asked("/", &host, password).0, 200);
    for path in ["/healthz", "/readyz"] {
        assert_eq!(asked(path, &host, "").0, 200, "{path} needs no token");
        assert_eq!(asked(path, "evil.example.org:8081", "").0, 403, "{path}");
    }
    for method in ["POST", "PUT", "DELETE"] {
        let request = format!(
            "{method} /api/status HTTP/1.1\r\nHost: {host}\r\n{right}Content-Length: 0\r\nConnection: close\r\n\r\n"
        );
        assert_eq!(ask(&daemon, &request).0, 405, "{method}");
    }
    let status = site.run(&["status"]);
    let ended = daemon.terminate();
    for text in [&ended.log, &ended.output, &status.log, &status.output] {
        assert!(!text.contains("s3cret"), "the token is shown: {text}");
    }
}

#[test]
fn silent_and_slow_clients_of_the_admin_port_cost_nothing() {
    let (store, seed) = (Store::start(), seed());
    let site = Site::new(&store);
    let daemon = site.start();
    let admin = pages::address(&daemon);
    let before = daemon.peak_memory();
    let mut silent: Vec<_> = (0..200).map(|_| TcpStream::connect(admin).unwrap()).collect();
    for (n, socket) in silent.iter_mut().enumerate().filter(|(n, _)| n % 2 == 1) {
        // Half a head, and a head that is too large.
        let half =
            if n % 4 == 1 { "GET / HTTP/1.1\r\nHost: 127.".to_owned() } else { "x".repeat(9_000) };
        let _ = socket.write_all(half.as_bytes());
    }
    let start = Instant::now();
    let (code, text) = get(&daemon, "/readyz");
    let took = start.elapsed();
    let grown = daemon.peak_memory() - before;
    println!("/readyz behind 200 silent clients: {took:?}; memory grew by {} KiB", grown >> 10);
    assert_eq!((code, text.as_str()), (200, "ready: events are taken\n"));
    assert!(took < Duration::from_secs(2), "{took:?}"); // half of what a head may take
    assert!(grown < 8 << 20, "memory grew by {} KiB", grown >> 10);
    let sent = push(site.address(), Factory::new(seed).events(50), 1, seed);
    drain_and_check(&store, &[&site], daemon, &sent, &Rules::default());
    drop(silent);
}
