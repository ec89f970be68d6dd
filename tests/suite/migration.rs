//! The move from the Python script, as `docs/migrate-from-python.md` tells it: the script's own
//! `.env` starts the program, and the file that it left ends with all of its events in objects.

use crate::support::appliance::{Event, Factory, Session, seed};
use crate::support::check::{Rules, check};
use crate::support::process::{Daemon, Site, wait_until};
use crate::support::store::Store;
use rustix::process::Signal;

/// The `.env` in the guide, so that what people read is what is tried.
fn old_settings() -> Vec<(String, String)> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/migrate-from-python.md");
    let text = std::fs::read_to_string(path).unwrap();
    let (_, rest) = text.split_once("```env file=\".env\"\n").unwrap();
    let (block, _) = rest.split_once("```").unwrap();
    let pair = |line: &str| line.split_once('=').map(|(k, v)| (k.to_owned(), v.to_owned()));
    block.lines().filter_map(pair).collect()
}

/// A site with the script's settings; bucket, port and address are this test's own.
fn moved(store: &Store) -> Site {
    let mut site = Site::new(store);
    let kept = ["BUCKET_NAME", "AWS_REGION", "PORT", "BIND_HOST"];
    for (name, value) in old_settings() {
        if !kept.contains(&name.as_str()) {
            site.set(&name, &value);
        }
    }
    site
}

/// What the script leaves: header, root, a declaration before each event, and the file's end in
/// the middle of the last one.
fn leftover(events: &[Event], cut_off: &Event) -> Vec<u8> {
    let mut text = b"<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<EVENTS>\n".to_vec();
    for event in events {
        text.extend_from_slice(b"<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
        text.extend_from_slice(&event.sent);
    }
    text.extend_from_slice(&cut_off.sent);
    text
}

/// Some whole events, and one without its end.
fn events_and_half_of_one(count: usize) -> (Vec<Event>, Event) {
    let mut events = Factory::new(seed()).events(count + 1);
    let mut half = events.pop().unwrap();
    half.sent.truncate(half.sent.len() - 20);
    half.delivered = None;
    (events, half)
}

fn warnings(daemon: &Daemon) -> Vec<String> {
    daemon.log().lines().filter(|line| line.starts_with("warning:")).map(str::to_owned).collect()
}

#[test]
fn the_scripts_settings_start_the_program_with_one_warning() {
    let store = Store::start();
    let daemon = moved(&store).start();
    let said = warnings(&daemon);
    assert_eq!(said.len(), 1, "{said:?}");
    for name in ["MAX_RETRIES", "RETRY_BASE_DELAY", "CURRENT_FILE", "TEMP_FILE"] {
        assert!(said[0].contains(name), "{said:?}");
    }
    assert_eq!(daemon.terminate().code(), Some(0));
}

#[test]
fn every_event_of_the_scripts_leftover_file_ends_in_an_object() {
    let store = Store::start();
    let site = moved(&store);
    let (events, half) = events_and_half_of_one(700);
    let file = site.path("current.xml");
    std::fs::write(&file, leftover(&events, &half)).unwrap();
    let daemon = site.start();
    let imported = site.run(&["import", "current.xml"]);
    assert_eq!(imported.code(), Some(0), "{}", imported.log);
    daemon.signal(Signal::HUP);
    site.wait_until_drained();
    assert_eq!(daemon.terminate().code(), Some(0));
    let sent = [Session::of(events.into_iter().chain([half]).collect())];
    let rules = Rules { date_folders: true, max_file_size: 10_485_760, ..Rules::default() };
    let tally = check(&store, &[&site], &sent, &rules);
    assert_eq!((tally.delivered, tally.quarantined), (700, 1));
}

#[test]
fn a_second_import_sends_every_event_again_and_says_so_beforehand() {
    let store = Store::start();
    let site = moved(&store);
    let (events, half) = events_and_half_of_one(5);
    std::fs::write(site.path("current.xml"), leftover(&events, &half)).unwrap();
    let daemon = site.start();
    let first = site.run(&["import", "current.xml"]);
    assert!(first.output.contains("a second import would send its events again"));
    daemon.signal(Signal::HUP);
    wait_until("the first import is stored", || events_in(&store) == 5);
    assert_eq!(site.run(&["import", "current.xml"]).code(), Some(0));
    assert_eq!(daemon.terminate().code(), Some(0));
    assert_eq!(events_in(&store), 10, "no event is lost, and each is there twice");
}

fn events_in(store: &Store) -> usize {
    let count = |bytes: &[u8]| String::from_utf8_lossy(bytes).matches("</EVENT>").count();
    store.objects("xml-events/").iter().map(|object| count(&object.bytes)).sum()
}
