//! The check at the end of every drill passes what is right and finds what is wrong.

use crate::support::appliance::{Event, Factory, Session, push};
use crate::support::check::{Rules, Tally, check, check_name, examine};
use crate::support::process::Site;
use crate::support::store::Store;
use xml_stream_aggregator::event::{FOOTER, HEADER};

#[test]
fn passes_what_is_right() {
    let (store, site) = (Store::start(), Site::bare());
    let events = Factory::new(1).malformed(3).events(12);
    lay(&store, "xml-events/", &name(0), &document(&events[..9]));
    lay(&store, "xml-events-quarantine/", "a.ndjson", &records(&events[..9]));
    spool(&site, "events/000000000002.open", &document(&events[9..])[..]);
    let sessions = [Session::of(events[..11].to_vec()), Session::in_kernel(events[11..].into())];
    // Of every three one is malformed: the 3rd and 9th can be mended, the 6th and 12th not.
    // The 12th is nowhere.
    let expected =
        Tally { delivered: 8, quarantined: 1, spooled: 2, unread: 1, objects: 1, strangers: 0 };
    assert_eq!(check(&store, &[&site], &sessions, &rules()), expected);
}

#[test]
fn finds_a_lost_event() {
    let (store, site) = (Store::start(), Site::bare());
    let mut events = Factory::new(1).events(3);
    lay(&store, "xml-events/", &name(0), &document(&events[..2]));
    complains(&store, &site, Session::of(events.clone()), "is lost");
    events.swap(1, 2);
    complains(&store, &site, Session::in_kernel(events), "arrived, but not all before it");
}

#[test]
fn finds_a_doubled_event() {
    let events = Factory::new(1).events(3);
    let (store, site) = (Store::start(), Site::bare());
    lay(&store, "xml-events/", &name(0), &document(&events));
    lay(&store, "xml-events/", &name(1), &document(&events[..1]));
    complains(&store, &site, Session::of(events.clone()), " is in xml-events/");
    let (store, site) = (Store::start(), Site::bare());
    lay(&store, "xml-events/", &name(0), &document(&events));
    spool(&site, "events/000000000002.sealed", &document(&events[..1]));
    complains(&store, &site, Session::of(events), " and /");
}

#[test]
fn counts_a_segment_that_is_stored_and_not_yet_retired_once() {
    let events = Factory::new(1).events(3);
    let (store, site) = (Store::start(), Site::bare());
    store.plant(&format!("xml-events/{}", name(0)), &document(&events), &[("segment", "s-1")]);
    spool(&site, "events/000000000002.sealed", &document(&events));
    spool(&site, "events/000000000002.meta", br#"{"identity":"s-1"}"#);
    let tally = check(&store, &[&site], &[Session::of(events)], &rules());
    assert_eq!((tally.delivered, tally.spooled), (3, 0));
}

#[test]
fn finds_two_objects_of_one_segment() {
    let events = Factory::new(1).events(2);
    let (store, site) = (Store::start(), Site::bare());
    for n in 0..2 {
        let key = format!("xml-events/{}", name(n));
        store.plant(&key, &document(&events[n..=n]), &[("segment", "s-1")]);
    }
    complains(&store, &site, Session::of(events), "are of one segment");
}

#[test]
fn finds_changed_invented_and_misplaced_events() {
    let (store, site) = (Store::start(), Site::bare());
    let events = Factory::new(1).events(3);
    lay(&store, "xml-events/", &name(0), &document(&events));
    let mut changed = events.clone();
    changed[1].delivered.as_mut().unwrap()[7] = b'!';
    complains(&store, &site, Session::of(changed), "has other bytes in");
    complains(&store, &site, Session::of(events[..2].to_vec()), "nobody sent it");
    let mut refused = events;
    refused[2].delivered = None;
    complains(&store, &site, Session::of(refused), "the wrong kind of place");
}

#[test]
fn finds_a_wrong_copy_in_the_quarantine() {
    let (store, site) = (Store::start(), Site::bare());
    let events = Factory::new(1).malformed(1).events(1);
    lay(&store, "xml-events/", &name(0), &document(&events));
    let mut other = events.clone();
    other[0].sent[7] = b'!';
    lay(&store, "xml-events-quarantine/", "a.ndjson", &records(&other));
    complains(&store, &site, Session::of(events), "its copy in the quarantine is wrong");
}

#[test]
fn finds_a_broken_object() {
    let events = Factory::new(1).events(3);
    let whole = document(&events);
    let cases: [(&str, &[u8], &str); 6] = [
        ("xml-events/", &whole[..whole.len() - 12], "is not well-formed"),
        ("xml-events/", b"<EVENTS/>", "does not begin and end as agreed"),
        ("xml-events/", &[HEADER, FOOTER].concat(), "holds no event"),
        ("elsewhere/", &whole, "is outside of the agreed prefixes"),
        ("xml-events/2026/", &whole, "is in the wrong folder"),
        ("xml-events/", &vec![b' '; 2_000_000], "more than allowed"),
    ];
    for (prefix, bytes, expected) in cases {
        let (store, site) = (Store::start(), Site::bare());
        lay(&store, prefix, &name(0), bytes);
        complains(&store, &site, Session::of(events.clone()), expected);
    }
}

#[test]
fn finds_a_ledger_that_says_something_else() {
    let store = Store::start();
    let site = Site::new(&store);
    let daemon = site.start();
    let sent = push(site.address(), Factory::new(1).events(20), 1, 1);
    site.wait_until_drained();
    assert_eq!(daemon.terminate().code(), Some(0));
    examine(&store, &[&site], &sent, &Rules::default()).unwrap();
    // As if the program had never delivered what it counted.
    store.objects("xml-events/").iter().for_each(|object| store.uproot(&object.key));
    let problems = examine(&store, &[&site], &[], &Rules::default()).unwrap_err();
    assert!(problems.iter().any(|p| p.contains("counts more")), "{problems:?}");
    assert!(problems.iter().any(|p| p.contains("as delivered")), "{problems:?}");
    // A count that does not balance.
    let ledger = std::fs::read_to_string(site.data().join("ledger")).unwrap();
    assert!(ledger.contains("\"received\": 20"), "{ledger}");
    let wrong = ledger.replacen("\"received\": 20", "\"received\": 21", 1);
    assert_ne!(ledger, wrong);
    std::fs::write(site.data().join("ledger"), wrong).unwrap();
    let problems = examine(&store, &[&site], &[], &Rules::default()).unwrap_err();
    assert!(problems.iter().any(|p| p.contains("the ledger says")), "{problems:?}");
}

#[test]
fn finds_wrong_metadata() {
    let events = Factory::new(1).events(1);
    let (store, site) = (Store::start(), Site::bare());
    let key = format!("xml-events/{}", name(0));
    store.plant(&key, &document(&events), &[("segment", "s-1"), ("event-count", "7")]);
    let rules = Rules::default();
    let problems = examine(&store, &[&site], &[Session::of(events)], &rules).unwrap_err();
    let wanted = ["event-count is Some(\"7\") instead of 1", "checksum is None", "'producer'"];
    for wanted in wanted {
        assert!(problems.iter().any(|p| p.contains(wanted)), "{wanted}: {problems:?}");
    }
}

#[test]
fn finds_a_wrong_name() {
    assert_eq!(check_name(&name(0), false), Ok(()));
    assert_eq!(check_name(&name(0).replace(".xml", "_001.xml"), false), Ok(()));
    for wrong in ["_01.xml", "_000.xml", "-1.xml", "_abc.xml", ".xml.gz", "", "x.xml"] {
        let name = name(0).replace(".xml", wrong);
        assert!(check_name(&name, false).is_err(), "{name}");
    }
    assert!(check_name("20000101_000000.xml", false).is_err());
    assert!(check_name("20269901_000000.xml", false).is_err());
    let folder = name(0);
    let folder = format!("{}/{}/{}", &folder[..4], &folder[4..6], &folder[6..8]);
    assert_eq!(check_name(&format!("{folder}/{}", name(0)), true), Ok(()));
    assert!(check_name(&name(0), true).is_err());
}

fn rules() -> Rules {
    // Laid objects carry no metadata.
    Rules { modern_store: false, max_file_size: 1_000_000, ..Rules::default() }
}

fn complains(store: &Store, site: &Site, session: Session, about: &str) {
    let problems = examine(store, &[site], &[session], &rules()).expect_err(about);
    assert!(problems.iter().any(|p| p.contains(about)), "{about}: {problems:?}");
}

fn name(seconds_ago: usize) -> String {
    let at = jiff::Timestamp::now() - jiff::SignedDuration::from_secs(seconds_ago as i64);
    at.strftime("%Y%m%d_%H%M%S.xml").to_string()
}

fn document(events: &[Event]) -> Vec<u8> {
    let mut bytes = HEADER.to_vec();
    for event in events.iter().filter_map(|event| event.delivered.as_ref()) {
        bytes.extend_from_slice(event);
        bytes.push(b'\n');
    }
    bytes.extend_from_slice(FOOTER);
    bytes
}

/// Records of the malformed ones.
fn records(events: &[Event]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for event in events.iter().filter(|event| event.delivered.as_ref() != Some(&event.sent)) {
        let record = serde_json::json!({
            "received_at": "2026-01-01T00:00:00Z", "peer": "127.0.0.1:1", "detail": "",
            "reason": "malformed", "position": 0, "repaired": event.delivered.is_some(),
            "raw": str::from_utf8(&event.sent).unwrap(),
        });
        bytes.extend_from_slice(record.to_string().as_bytes());
        bytes.push(b'\n');
    }
    bytes
}

fn lay(store: &Store, prefix: &str, name: &str, bytes: &[u8]) {
    store.plant(&format!("{prefix}{name}"), bytes, &[]);
}

fn spool(site: &Site, name: &str, bytes: &[u8]) {
    let path = site.data().join(name);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, bytes).unwrap();
}
