//! A spool that an older version of the program left behind: it drains, under the names it has.
//!
//! `tests/fixtures/spool-v1` was written by version 0.1.0 before its first release, whose process
//! was killed: two event segments and a quarantine segment are sealed, one of each is open.
//! A later change of the format adds a fixture and leaves the older ones as they are.

use crate::support::process::{Site, wait_until};
use crate::support::store::Store;
use std::path::Path;

/// Events in the fixture, and rejected pieces that count.
const EVENTS: u64 = 6;
const PIECES: u64 = 2;

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}

#[test]
fn a_spool_of_the_first_version_drains_under_its_own_names() {
    let store = Store::start();
    let site = Site::new(&store);
    let fixture = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/spool-v1");
    copy(&fixture, &site.data());
    let daemon = site.start();
    wait_until("three event objects and two of the quarantine are there", || {
        store.objects("xml-events/").len() == 3
            && store.objects("xml-events-quarantine/2").len() == 2
    });
    site.wait_until_drained();

    let objects = store.objects("xml-events/");
    for key in ["xml-events/20261125_010542.xml", "xml-events/20261125_010544.xml"] {
        assert!(objects.iter().any(|object| object.key == key), "{key} is not there");
    }
    let mut identities: Vec<_> = objects.iter().map(|o| o.metadata["segment"].clone()).collect();
    identities.sort();
    let expected = [1, 2, 3].map(|number| format!("fce9c6bab134dfb9-events-{number:012}"));
    assert_eq!(identities, expected);
    let all: String = objects.iter().map(|o| String::from_utf8_lossy(&o.bytes)).collect();
    for number in 1..=5 {
        assert_eq!(all.matches(&format!("<cn>old-{number}</cn>")).count(), 1, "old-{number}");
    }
    assert_eq!(all.matches("</EVENT>").count() as u64, EVENTS);

    let ended = site.run(&["ledger", "--json"]);
    let ledger: serde_json::Value = serde_json::from_str(&ended.output).unwrap();
    let count = |name: &str| ledger[name].as_u64().unwrap();
    assert_eq!((count("delivered"), count("quarantined")), (EVENTS, PIECES), "{ledger}");
    assert_eq!((count("received"), count("spooled")), (EVENTS + PIECES, 0), "{ledger}");
    let ended = daemon.terminate();
    assert_eq!(ended.code(), Some(0));
    assert!(!ended.log.contains("ERROR"), "{}", ended.log);
}
