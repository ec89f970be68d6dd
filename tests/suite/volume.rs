//! The job in its ordinary size: 100,000 events of `send` over eight connections, and one by hand.

use crate::support::check::check_name;
use crate::support::process::Site;
use crate::support::store::{Object, Store};
use std::collections::HashSet;
use std::io::Write;
use std::net::TcpStream;

const EVENTS: usize = 100_000;
const MAX_FILE_SIZE: usize = 10 * 1024 * 1024;

#[test]
fn a_hundred_thousand_events_of_send_arrive_once_each_in_bounded_memory() {
    let store = Store::start();
    let mut site = Site::new(&store);
    site.set("ROTATION_INTERVAL", "5");
    let daemon = site.start();
    let by_hand = "<EVENT><cn>by hand</cn></EVENT>\n";
    TcpStream::connect(site.address()).unwrap().write_all(by_hand.as_bytes()).unwrap();
    let to = site.address().to_string();
    let count = EVENTS.to_string();
    let sender = site.run(&["send", "--to", &to, "--count", &count, "--connections", "8"]);
    assert_eq!(sender.code(), Some(0), "{}", sender.log);
    site.wait_until_drained();
    let memory = daemon.peak_memory();
    let ended = daemon.terminate();
    assert_eq!(ended.code(), Some(0), "{}", ended.log);
    let objects = store.objects("xml-events/");
    let arrived: Vec<String> = objects.iter().flat_map(identities).collect();
    let (distinct, largest) = (arrived.iter().collect::<HashSet<_>>().len(), largest(&objects));
    println!(
        "{} events, {distinct} different, in {} objects of at most {largest} bytes; peak memory {} KiB",
        arrived.len(),
        objects.len(),
        memory >> 10,
    );
    assert_eq!((arrived.len(), distinct), (EVENTS + 1, EVENTS + 1));
    assert!(largest <= MAX_FILE_SIZE);
    assert!(memory < 64 << 20, "peak memory {} KiB", memory >> 10);
}

/// The `cn` of each event of a well-formed object in the right place.
fn identities(object: &Object) -> Vec<String> {
    check_name(object.key.strip_prefix("xml-events/").unwrap(), false).unwrap();
    let text = std::str::from_utf8(&object.bytes).unwrap();
    let document = roxmltree::Document::parse(text).unwrap();
    let events = document.root_element().children().filter(roxmltree::Node::is_element);
    let cn = |event: roxmltree::Node<'_, '_>| {
        let cn = event.children().find(|field| field.has_tag_name("cn"));
        cn.and_then(|cn| cn.text()).unwrap().to_owned()
    };
    events.map(cn).collect()
}

fn largest(objects: &[Object]) -> usize {
    objects.iter().map(|object| object.bytes.len()).max().unwrap_or_default()
}
