//! One event's whole way: plain sockets in front of the real binary, objects behind it, read by
//! an independent parser and compared byte for byte.

use crate::support::appliance::{Event, Factory, Session, push, seed};
use crate::support::check::{Rules, check, check_folder};
use crate::support::process::{Site, wait_until};
use crate::support::store::{Fault, Rule, Store, files};
use rustix::process::Signal;
use std::io::Write;
use std::net::TcpStream;
use std::time::Duration;

#[test]
fn events_of_eight_connections_arrive_once_each() {
    let (store, seed) = (Store::start(), seed());
    let mut site = Site::new(&store);
    site.set("MAX_FILE_SIZE", "1MB");
    let daemon = site.start();
    let events = Factory::new(seed).malformed(50).events(10_000);
    let refused = events.iter().filter(|event| event.delivered.is_none()).count();
    let sent = push(site.address(), events, 8, seed);
    let memory = daemon.peak_memory();
    let ended = daemon.terminate();
    assert_eq!(ended.code(), Some(0), "{}", ended.log);
    let rules = Rules { max_file_size: 1_000_000, ..Rules::default() };
    let tally = check(&store, &[&site], &sent, &rules);
    assert_eq!((tally.delivered, tally.quarantined), (10_000 - refused, refused));
    assert!(tally.objects >= 10, "{tally:?}");
    assert!(memory < 64 << 20, "peak memory {} MiB", memory >> 20);
}

#[test]
fn an_event_cut_at_every_byte_arrives_whole() {
    let store = Store::start();
    let site = Site::new(&store);
    let daemon = site.start();
    let events = Factory::new(seed()).malformed(4).events(8);
    let mut socket = connect(&site);
    for event in &events {
        for byte in &event.sent {
            socket.write_all(&[*byte]).unwrap();
        }
    }
    drop(socket);
    deliver_all(&store, &site, events);
    assert_eq!(daemon.terminate().code(), Some(0));
}

#[test]
fn an_event_needs_no_later_event_to_arrive() {
    let store = Store::start();
    let site = Site::new(&store);
    let _daemon = site.start();
    let events = Factory::new(seed()).events(1);
    let mut socket = connect(&site);
    socket.write_all(&events[0].sent).unwrap();
    // The socket stays open and silent.
    deliver_all(&store, &site, events);
    drop(socket);
}

#[test]
fn half_an_event_at_a_disconnect_is_kept_and_costs_nobody_else_anything() {
    let store = Store::start();
    let site = Site::new(&store);
    let _daemon = site.start();
    let mut events = Factory::new(seed()).events(3);
    let length = events[1].sent.len();
    events[1].sent.truncate(length - 20);
    events[1].delivered = None;
    connect(&site).write_all(&[&events[0].sent[..], &events[1].sent].concat()).unwrap();
    connect(&site).write_all(&events[2].sent).unwrap();
    deliver_all(&store, &site, events);
    let quarantine = store.objects("xml-events-quarantine/");
    let records: Vec<_> = quarantine.iter().filter(|o| o.key.ends_with(".ndjson")).collect();
    let record: serde_json::Value = serde_json::from_slice(&records[0].bytes).unwrap();
    assert_eq!(record["reason"], "truncated");
}

#[test]
fn an_empty_interval_writes_nothing() {
    let store = Store::start();
    let site = Site::new(&store);
    let daemon = site.start();
    let events = Factory::new(seed()).events(1);
    let sent = push(site.address(), events, 1, 1);
    wait_until("the event arrives", || store.objects("xml-events/").len() == 1);
    // Nothing is to happen, so there is nothing to wait for but time: three rotations.
    std::thread::sleep(Duration::from_secs(3));
    assert_eq!(daemon.terminate().code(), Some(0));
    let tally = check(&store, &[&site], &sent, &Rules::default());
    assert_eq!((tally.objects, tally.delivered), (1, 1));
}

#[test]
fn seals_within_one_second_are_numbered() {
    for date_folders in [false, true] {
        let (store, seed) = (Store::start(), seed());
        let mut site = Site::new(&store);
        site.set("MAX_FILE_SIZE", "4096");
        site.set("USE_DATE_FOLDERS", if date_folders { "true" } else { "false" });
        let daemon = site.start();
        let sent = push(site.address(), Factory::new(seed).events(300), 1, seed);
        site.wait_until_drained();
        assert_eq!(daemon.terminate().code(), Some(0));
        let rules = Rules { date_folders, max_file_size: 4096, ..Rules::default() };
        let tally = check(&store, &[&site], &sent, &rules);
        assert_eq!(tally.delivered, 300);
        let keys: Vec<_> = store.objects("xml-events/").into_iter().map(|o| o.key).collect();
        let numbered: Vec<_> = keys.iter().filter(|key| key.contains('_')).collect();
        assert!(numbered.iter().any(|key| key.ends_with("_001.xml")), "{keys:?}");
        for key in &keys {
            let before = predecessor(key);
            assert!(before.as_ref().is_none_or(|b| keys.contains(b)), "{key} without {before:?}");
        }
    }
}

#[test]
fn sigterm_and_sigint_deliver_what_is_there() {
    for signal in [Signal::TERM, Signal::INT] {
        let (store, seed) = (Store::start(), seed());
        let mut site = Site::new(&store);
        site.set("ROTATION_INTERVAL", "1h");
        let daemon = site.start();
        let sent = push(site.address(), Factory::new(seed).malformed(20).events(500), 4, seed);
        daemon.signal(signal);
        let ended = daemon.ended();
        assert_eq!(ended.code(), Some(0), "{}", ended.log);
        let tally = check(&store, &[&site], &sent, &Rules::default());
        assert_eq!((tally.delivered + tally.quarantined, tally.objects), (500, 1));
    }
}

#[test]
fn sigterm_takes_what_is_whole_from_open_sockets() {
    let store = Store::start();
    let mut site = Site::new(&store);
    site.set("ROTATION_INTERVAL", "1h");
    let daemon = site.start();
    let mut events = Factory::new(seed()).events(2);
    let length = events[1].sent.len();
    events[1].sent.truncate(length - 20);
    events[1].delivered = None;
    let mut socket = connect(&site);
    // The program may not even have accepted when the signal comes: the appliance thinks it sent.
    socket.write_all(&[&events[0].sent[..], &events[1].sent].concat()).unwrap();
    wait_until("the connection is served", || daemon.log().contains("connection"));
    assert_eq!(daemon.terminate().code(), Some(0));
    let tally = check(&store, &[&site], &[Session::of(events)], &Rules::default());
    assert_eq!((tally.delivered, tally.quarantined), (1, 1));
}

#[test]
fn sighup_seals_now() {
    let (store, seed) = (Store::start(), seed());
    let mut site = Site::new(&store);
    site.set("ROTATION_INTERVAL", "1h");
    let daemon = site.start();
    let sent = push(site.address(), Factory::new(seed).events(10), 1, seed);
    assert!(store.objects("xml-events/").is_empty());
    daemon.signal(Signal::HUP);
    wait_until("the object lands", || store.objects("xml-events/").len() == 1);
    site.wait_until_drained(); // the test store shows an object a moment before its metadata
    assert_eq!(check(&store, &[&site], &sent, &Rules::default()).delivered, 10);
}

#[test]
fn an_unreachable_store_at_start_is_no_error() {
    let (store, seed) = (Store::start(), seed());
    store.go_away();
    let site = Site::new(&store);
    let mut daemon = site.start();
    let sent = push(site.address(), Factory::new(seed).events(100), 2, seed);
    wait_until("a segment is sealed", || !site.spooled("events", "sealed").is_empty());
    assert!(daemon.lives());
    store.heal();
    site.wait_until_drained();
    assert_eq!(check(&store, &[&site], &sent, &Rules::default()).delivered, 100);
}

#[test]
fn other_settings_after_a_restart_do_not_deliver_a_segment_under_another_extension() {
    let store = Store::start();
    let mut site = Site::new(&store);
    site.set("ROTATION_INTERVAL", "1").set("SHUTDOWN_TIMEOUT", "1s");
    // The object is stored, but nobody can tell.
    store.fault(Rule::always(Fault::LoseAnswer).puts().at("xml-events/"));
    store.fault(Rule::always(Fault::Denied).heads().at("xml-events/"));
    let daemon = site.start();
    connect(&site).write_all(b"<EVENT><cn>1</cn></EVENT>").unwrap();
    wait_until("the object is there", || !extensions(&store).is_empty());
    assert_eq!(daemon.terminate().code(), Some(0));
    assert_eq!(extensions(&store), ["xml"]);
    assert!(!site.spooled("events", "sealed").is_empty(), "it was retired unconfirmed");
    site.set("OUTPUT_FORMAT", "ndjson").set("COMPRESSION", "gzip").set("SHUTDOWN_TIMEOUT", "30s");
    store.heal();
    let daemon = site.start();
    connect(&site).write_all(b"<EVENT><cn>2</cn></EVENT>").unwrap();
    daemon.wait_until_received(2);
    let ended = daemon.terminate();
    assert_eq!(ended.code(), Some(0), "{}", ended.log);
    assert!(ended.log.contains("stopped received=2 delivered=2"), "{}", ended.log);
    assert_eq!(extensions(&store), ["ndjson.gz", "xml"]);
}

/// What stands behind the first dot of each event object's name.
fn extensions(store: &Store) -> Vec<String> {
    let objects = store.objects("xml-events/");
    let mut found: Vec<_> =
        objects.iter().map(|o| o.key.split_once('.').unwrap().1.to_owned()).collect();
    found.sort();
    found
}

#[test]
fn a_local_folder_is_a_destination() {
    for scheme in ["", "file://"] {
        let seed = seed();
        let mut site = Site::bare();
        let folder = site.path("out folder");
        let destination = format!("{scheme}{}", folder.display());
        site.set("DESTINATION", &destination).set("MAX_FILE_SIZE", "20000");
        let daemon = site.start();
        let sent = push(site.address(), Factory::new(seed).malformed(10).events(500), 4, seed);
        site.wait_until_drained();
        assert_eq!(daemon.terminate().code(), Some(0));
        let rules = Rules { max_file_size: 20_000, ..Rules::default() };
        let tally = check_folder(&folder, &site, &sent, &rules);
        assert_eq!((tally.delivered, tally.quarantined), (475, 25));
        assert!(files(&folder).iter().all(|path| path.extension().is_some_and(|e| e == "xml")));
    }
}

#[test]
fn a_folder_has_its_quarantine_where_it_was_asked_for() {
    let mut site = Site::bare();
    let (folder, aside) = (site.path("out/events"), site.path("out/aside"));
    site.set("DESTINATION", folder.to_str().unwrap());
    site.set("QUARANTINE_PREFIX", aside.to_str().unwrap());
    let daemon = site.start();
    connect(&site).write_all(b"<EVENT><broken></EVENT>").unwrap();
    site.wait_until_drained();
    wait_until("the record is there", || !files(&aside).is_empty());
    assert_eq!(daemon.terminate().code(), Some(0));
}

#[test]
fn a_connection_counts_what_the_ledger_counts() {
    let store = Store::start();
    let site = Site::new(&store);
    let daemon = site.start();
    let mut socket = TcpStream::connect(site.address()).unwrap();
    socket.write_all(b"<EVENT><a>x & y</a></EVENT> stray <EVENT><a></EVENT>").unwrap();
    drop(socket);
    daemon.wait_for("connection closed by the sender");
    let ended = daemon.terminate();
    assert!(ended.log.contains("events=1 rejected=2"), "{}", ended.log);
    assert!(ended.log.contains("received=3 delivered=1 quarantined=2"), "{}", ended.log);
}

#[test]
fn a_log_names_nobody() {
    let store = Store::start();
    let mut site = Site::new(&store);
    site.set("LOG_LEVEL", "debug");
    let daemon = site.start();
    let events = Factory::new(seed()).malformed(2).events(50);
    let sent = push(site.address(), events, 1, 1);
    let ended = daemon.terminate();
    check(&store, &[&site], &sent, &Rules::default());
    for secret in ["plasectrx", "Müller", "0012E5", crate::support::store::SECRET_KEY] {
        assert!(!ended.log.contains(secret), "the log holds '{secret}'");
    }
}

fn connect(site: &Site) -> TcpStream {
    let socket = TcpStream::connect(site.address()).unwrap();
    socket.set_nodelay(true).unwrap();
    socket
}

/// Waits until all of these are in the store, each in its place.
fn deliver_all(store: &Store, site: &Site, events: Vec<Event>) {
    let refused = events.iter().filter(|event| event.delivered.is_none()).count();
    let expected = (events.len() - refused, refused);
    let in_objects = |prefix: &str, text: &str| -> usize {
        let objects = store.objects(prefix);
        objects.iter().map(|o| String::from_utf8_lossy(&o.bytes).matches(text).count()).sum()
    };
    wait_until("all events are in objects", || {
        in_objects("xml-events/", "</EVENT>") == expected.0
            && in_objects("xml-events-quarantine/", "\"raw\"") >= expected.1
    });
    site.wait_until_drained();
    let tally = check(store, &[site], &[Session::of(events)], &Rules::default());
    assert_eq!((tally.delivered, tally.quarantined), expected);
}

/// `…_002.xml` follows `…_001.xml`, which follows `….xml`.
fn predecessor(key: &str) -> Option<String> {
    let stem = key.strip_suffix(".xml")?;
    let (base, number) = stem.rsplit_once('_').filter(|(_, digits)| digits.len() == 3)?;
    match number.parse::<u32>().ok()? {
        1 => Some(format!("{base}.xml")),
        n => Some(format!("{base}_{:03}.xml", n - 1)),
    }
}
