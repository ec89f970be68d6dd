//! `inspect` and `replay` on what is in a real store: one object, a prefix, what appears in it.

use crate::support::process::{Daemon, Site, wait_until};
use crate::support::store::{Fault, Rule, Store};
use std::process::Command;

const EVENTS: &str = "s3://acm-events/xml-events/";
const QUARANTINE: &str = "s3://acm-events/xml-events-quarantine/";

fn document(names: &[&str]) -> Vec<u8> {
    let event = |name: &&str| {
        format!(
            "<EVENT><cn>{name}</cn><plasectrxFname>{name} Doe</plasectrxFname>\
             <plasectrxIsAlarm>1</plasectrxIsAlarm></EVENT>\n"
        )
    };
    let events: String = names.iter().map(event).collect();
    format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<EVENTS>\n{events}</EVENTS>\n")
        .into_bytes()
}

#[test]
fn an_object_is_inspected_by_its_url_and_a_prefix_object_by_object() {
    let store = Store::start();
    store.plant("xml-events/2.xml", &document(&["Carl"]), &[]);
    store.plant("xml-events/1.xml", &document(&["Anna", "Bert"]), &[]);
    store.plant("xml-events-quarantine/x.ndjson", b"{\"reason\":\"stray\",\"raw\":\"Eva\"}\n", &[]);
    let site = Site::new(&store);
    let one = site.run(&["inspect", "--count", &format!("{EVENTS}1.xml")]);
    assert_eq!((one.code(), one.output.as_str()), (Some(0), "2\n"), "{}", one.log);
    let all = site.run(&["inspect", "--count", EVENTS]);
    let expected = "s3://acm-events/xml-events/1.xml: 2\ns3://acm-events/xml-events/2.xml: 1\n";
    assert_eq!((all.code(), all.output.as_str()), (Some(0), expected), "{}", all.log);
    let filtered = site.run(&["inspect", "--json", "--where", "cn=Carl", EVENTS]);
    assert_eq!(filtered.output.lines().count(), 1, "{}", filtered.output);
    assert!(filtered.output.contains("\"cn\":\"Carl\""), "{}", filtered.output);
    assert!(!filtered.output.contains("Carl Doe"), "masked by default: {}", filtered.output);
    let shown = site.run(&["inspect", "--json", "--show-personal-data", EVENTS]);
    assert!(shown.output.contains("Anna Doe"), "{}", shown.output);
}

#[test]
fn a_folders_url_is_inspected_like_a_bucket() {
    let site = Site::bare();
    std::fs::create_dir(site.path("out")).unwrap();
    std::fs::write(site.path("out").join("1.xml"), document(&["Anna"])).unwrap();
    let url = format!("file://{}", site.path("out").display());
    for url in [format!("{url}/"), format!("{url}/1.xml")] {
        let ended = site.run(&["inspect", &url]);
        assert_eq!(ended.code(), Some(0), "{url}: {}", ended.log);
        assert!(ended.output.contains("1.xml: 1 records"), "{url}: {}", ended.output);
    }
}

#[test]
fn what_is_wrong_with_a_url_is_said_with_its_name_and_the_others_are_shown() {
    let store = Store::start();
    store.plant("xml-events/1.xml", &document(&["Anna"]), &[]);
    let good = format!("{EVENTS}1.xml");
    for bad in [format!("{EVENTS}missing.xml"), "ftp://host/x".into(), "s3://acm-events/".into()] {
        let ended = Site::new(&store).run(&["inspect", "--count", &bad, &good]);
        assert_eq!(ended.code(), Some(1), "{bad}");
        let name = bad.trim_end_matches('/');
        assert!(ended.log.contains(name), "{bad}: {}", ended.log);
        assert!(ended.output.contains("1.xml: 1"), "{bad}: {}", ended.output);
    }
    store.fault(Rule::always(Fault::Denied));
    let denied = Site::new(&store).run(&["inspect", &good]);
    assert_eq!(denied.code(), Some(1));
    assert!(denied.log.contains("cannot be fetched"), "{}", denied.log);
}

fn follow(store: &Store, more: &[&str]) -> Daemon {
    let mut command = Command::new(env!("CARGO_BIN_EXE_xml-stream-aggregator"));
    command
        .args(["inspect", "--every", "1", "--follow", EVENTS])
        .args(more)
        .env_clear()
        .env("AWS_ENDPOINT_URL", store.url())
        .env("AWS_REGION", "us-east-1")
        .env("AWS_ACCESS_KEY_ID", crate::support::store::ACCESS_KEY)
        .env("AWS_SECRET_ACCESS_KEY", crate::support::store::SECRET_KEY)
        .stdin(std::process::Stdio::null())
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped());
    Daemon::spawn(&mut command)
}

#[test]
fn following_shows_each_new_object_once_and_survives_the_store() {
    let store = Store::start();
    store.plant("xml-events/1.xml", &document(&["Anna"]), &[]);
    let follower = follow(&store, &["--json"]);
    follower.wait_for("1 objects are there already");
    store.plant("xml-events/2.xml", &document(&["Bert"]), &[]);
    wait_until("the new object is shown", || follower.output().contains("Bert"));
    store.go_away();
    follower.wait_for("is asked again");
    // Behind its own name in the order of keys, as after a retried upload.
    store.plant("xml-events/0.xml", &document(&["Carl"]), &[]);
    store.come_back();
    wait_until("the object behind it is shown", || follower.output().contains("Carl"));
    let output = follower.output();
    follower.kill();
    assert_eq!(output.matches("\"cn\"").count(), 2, "{output}");
    assert!(!output.contains("Anna"), "what was there is not shown: {output}");
    assert!(!output.contains(" Doe"), "masked by default: {output}");
}

#[test]
fn following_asks_again_for_an_object_that_could_not_be_fetched() {
    let store = Store::start();
    let follower = follow(&store, &["--json"]);
    follower.wait_for("0 objects are there already");
    store.fault(Rule::always(Fault::Denied).at("xml-events/1.xml"));
    store.plant("xml-events/1.xml", &document(&["Anna"]), &[]);
    follower.wait_for("xml-events/1.xml: is asked for again: cannot be fetched");
    store.plant("xml-events/2.xml", &document(&["Bert"]), &[]);
    wait_until("the object behind it is shown", || follower.output().contains("Bert"));
    assert!(!follower.output().contains("Anna"));
    store.heal();
    wait_until("the object is shown after all", || follower.output().contains("Anna"));
    store.plant("xml-events/3.xml", &document(&["Carl"]), &[]);
    wait_until("following goes on", || follower.output().contains("Carl"));
    let (output, log) = (follower.output(), follower.log());
    follower.kill();
    assert_eq!(output.matches("\"cn\"").count(), 3, "each once: {output}");
    assert_eq!(log.matches("is asked for again").count(), 1, "said once: {log}");
}

#[test]
fn the_quarantine_in_the_store_is_replayed_once() {
    let store = Store::start();
    let mut site = Site::new(&store);
    site.set("MAX_MESSAGE_SIZE", "1024");
    let daemon = site.start();
    let large = format!("<EVENT><cn>{}</cn></EVENT>", "7".repeat(3000));
    std::fs::write(site.path("in.xml"), &large).unwrap();
    assert_eq!(site.run(&["import", "in.xml"]).code(), Some(0));
    assert_eq!(daemon.terminate().code(), Some(0));
    let before = store.objects("xml-events-quarantine/");
    let object = before.iter().find(|o| o.key.ends_with(".ndjson")).expect("the piece in parts");
    site.set("MAX_MESSAGE_SIZE", "1MiB");
    let daemon = site.start();
    let first = site.run(&["replay", QUARANTINE]);
    assert_eq!(first.code(), Some(0), "{}", first.log);
    assert!(first.output.contains("replayed 1 pieces"), "{}", first.output);
    let by_name = site.run(&["replay", &format!("s3://acm-events/{}", object.key)]);
    assert_eq!(by_name.code(), Some(0), "{}", by_name.log);
    assert!(by_name.output.contains("replayed 0 pieces"), "{}", by_name.output);
    assert!(by_name.output.contains("1 sent before"), "{}", by_name.output);
    assert_eq!(daemon.terminate().code(), Some(0));
    let events = store.objects("xml-events/");
    let text: String = events.iter().map(|o| String::from_utf8_lossy(&o.bytes)).collect();
    assert_eq!(text.matches(&large).count(), 1);
    let missing = site.run(&["replay", &format!("{QUARANTINE}missing.ndjson")]);
    assert_eq!(missing.code(), Some(1));
    assert!(missing.log.contains("missing.ndjson"), "{}", missing.log);
}
