//! The operator's commands beside the running program: `replay`, `import`, `ledger --audit`, `check`.

use crate::support::appliance::{Factory, Session, push, seed};
use crate::support::check::{Rules, check};
use crate::support::process::{Site, wait_until};
use crate::support::store::{Fault, Rule, Store, files};
use base64::prelude::{BASE64_STANDARD, Engine as _};
use xml_stream_aggregator::quarantine::Record;

/// The quarantine objects, saved where `replay` reads them.
fn fetch_quarantine(store: &Store, site: &Site) -> std::path::PathBuf {
    let objects = store.objects("xml-events-quarantine/");
    let records = objects.into_iter().filter(|object| object.key.ends_with(".ndjson"));
    let bytes: Vec<u8> = records.flat_map(|object| object.bytes).collect();
    let path = site.path("quarantine.ndjson");
    std::fs::write(&path, bytes).unwrap();
    path
}

fn delivered(store: &Store) -> usize {
    let objects = store.objects("xml-events/");
    objects.iter().map(|o| String::from_utf8_lossy(&o.bytes).matches("</EVENT>").count()).sum()
}

#[test]
fn a_corrected_record_is_replayed_once() {
    let store = Store::start();
    let mut site = Site::new(&store);
    site.set("ON_MALFORMED", "quarantine").set("MAX_MESSAGE_SIZE", "1024");
    let daemon = site.start();
    let large = format!("<EVENT><cn>{}</cn></EVENT>", "7".repeat(3000));
    std::fs::write(site.path("in.xml"), format!("<EVENT><cn>1</oops></EVENT>{large}")).unwrap();
    let imported = site.run(&["import", "in.xml"]);
    assert_eq!(imported.code(), Some(0), "{}", imported.log);
    wait_until("the pieces are in the quarantine", || {
        let objects = store.objects("xml-events-quarantine/");
        let text: String = objects.iter().map(|o| String::from_utf8_lossy(&o.bytes)).collect();
        text.contains("oops") && text.contains("\"last\":true")
    });
    assert_eq!(daemon.terminate().code(), Some(0));
    let path = fetch_quarantine(&store, &site);
    let text = std::fs::read_to_string(&path).unwrap();
    assert!(text.lines().count() >= 4, "the large one is in parts: {text}");
    let corrected = text.replace("</oops>", "</cn>");
    std::fs::write(&path, format!("not a record\n{corrected}")).unwrap();
    site.set("MAX_MESSAGE_SIZE", "1MiB");
    let daemon = site.start();
    let first = site.run(&["replay", "quarantine.ndjson"]);
    assert!(first.log.contains("quarantine.ndjson:1: not a quarantine record"), "{}", first.log);
    assert!(first.output.contains("replayed 2 pieces"), "{}", first.output);
    assert_eq!(first.code(), Some(1), "a bad line is told by the exit code too");
    std::fs::write(&path, corrected).unwrap();
    let second = site.run(&["replay", "quarantine.ndjson"]);
    assert_eq!(second.code(), Some(0), "{}", second.log);
    assert!(second.output.contains("replayed 0 pieces"), "{}", second.output);
    assert!(second.output.contains("2 sent before"), "{}", second.output);
    assert_eq!(daemon.terminate().code(), Some(0));
    assert_eq!(delivered(&store), 2);
    let objects = store.objects("xml-events/");
    let text: String = objects.iter().map(|o| String::from_utf8_lossy(&o.bytes)).collect();
    assert!(text.contains(&large) && text.contains("<EVENT><cn>1</cn></EVENT>"));
}

#[test]
fn a_record_in_another_encoding_is_read_in_it_again() {
    let store = Store::start();
    let site = Site::new(&store);
    let daemon = site.start();
    let sent: [&[u8]; 3] = [
        b"d\xC3\xA9j\xC3\xA0<?xml version='1.0' encoding='shift_jis'?>",
        b"<EVENT><cn>\x93\xFA\x96{</oops></EVENT>",
        b"<?xml version='1.0' encoding='koi9'?><EVENT><cn>\xC1</cn></EVENT>",
    ];
    std::fs::write(site.path("in.xml"), sent.concat()).unwrap();
    assert_eq!(site.run(&["import", "in.xml"]).code(), Some(0));
    assert_eq!(daemon.terminate().code(), Some(0));
    let path = fetch_quarantine(&store, &site);
    let text = std::fs::read_to_string(&path).unwrap();
    let records: Vec<_> = text.lines().map(|l| Record::parse(l.as_bytes()).unwrap()).collect();
    let encodings: Vec<_> = records.iter().map(|record| record.encoding.as_deref()).collect();
    assert_eq!(encodings, [None, Some("Shift_JIS"), Some("unknown")]);
    let daemon = site.start();
    let corrected = |old: &str| {
        let raw = BASE64_STANDARD.decode(old).unwrap();
        let raw = [raw.strip_suffix(b"</oops></EVENT>").unwrap(), b"</cn></EVENT>"].concat();
        BASE64_STANDARD.encode(raw)
    };
    let old = BASE64_STANDARD.encode(&records[1].raw);
    std::fs::write(&path, text.replace(&old, &corrected(&old))).unwrap();
    let replayed = site.run(&["replay", "quarantine.ndjson"]);
    assert!(replayed.output.contains("replayed 3 pieces"), "{}", replayed.output);
    assert_eq!(daemon.terminate().code(), Some(0));
    let objects = store.objects("xml-events/");
    let text: String = objects.iter().map(|o| String::from_utf8_lossy(&o.bytes)).collect();
    assert!(text.contains("<EVENT><cn>日本</cn></EVENT>"), "{text}");
    assert_eq!(delivered(&store), 1, "nothing is guessed of the unknown one: {text}");
}

#[test]
fn copies_of_repaired_events_are_replayed_only_if_asked_for() {
    let store = Store::start();
    let site = Site::new(&store);
    let daemon = site.start();
    std::fs::write(site.path("in.xml"), "<EVENT><cn>a & b</cn></EVENT>").unwrap();
    assert_eq!(site.run(&["import", "in.xml"]).code(), Some(0));
    wait_until("the copy is in the quarantine", || {
        store.objects("xml-events-quarantine/").iter().any(|o| o.key.ends_with(".ndjson"))
    });
    fetch_quarantine(&store, &site);
    let skipped = site.run(&["replay", "quarantine.ndjson"]);
    assert!(skipped.output.contains("replayed 0 pieces"), "{}", skipped.output);
    assert!(skipped.output.contains("1 repaired copies skipped"), "{}", skipped.output);
    let asked = site.run(&["replay", "--repaired", "quarantine.ndjson"]);
    assert!(asked.output.contains("replayed 1 pieces"), "{}{}", asked.output, asked.log);
    assert_eq!(daemon.terminate().code(), Some(0));
    assert_eq!(delivered(&store), 2);
}

#[test]
fn what_the_listener_refuses_does_not_count_as_sent() {
    let store = Store::start();
    let mut site = Site::new(&store);
    site.set("ALLOW_FROM", "192.0.2.0/24");
    let _daemon = site.start();
    std::fs::write(site.path("in.xml"), "<EVENT><cn>1</cn></EVENT>").unwrap();
    for _ in 0..5 {
        let refused = site.run(&["import", "in.xml"]);
        assert_eq!(refused.code(), Some(1), "{}", refused.output);
        assert!(refused.log.contains("ALLOW_FROM"), "{}", refused.log);
    }
}

#[test]
fn a_leftover_file_of_the_python_script_is_taken_in_whole() {
    let (store, seed) = (Store::start(), seed());
    let site = Site::new(&store);
    let daemon = site.start();
    let events = Factory::new(seed).events(2000);
    let text: Vec<u8> = events.iter().flat_map(|event| event.sent.clone()).collect();
    std::fs::write(site.path("current.xml"), &text).unwrap();
    let imported = site.run(&["import", "current.xml"]);
    assert_eq!(imported.code(), Some(0), "{}", imported.log);
    assert!(imported.output.contains(&format!("{} bytes", text.len())), "{}", imported.output);
    assert_eq!(std::fs::read(site.path("current.xml")).unwrap(), text, "it stays as it was");
    assert_eq!(daemon.terminate().code(), Some(0));
    let tally = check(&store, &[&site], &[Session::of(events)], &Rules::default());
    assert_eq!(tally.delivered, 2000);
    let missing = site.run(&["import", "nowhere.xml"]);
    assert_eq!(missing.code(), Some(1));
    assert!(missing.log.contains("nowhere.xml"), "{}", missing.log);
}

#[test]
fn the_audit_counts_what_the_store_holds() {
    let (store, seed) = (Store::start(), seed());
    let mut site = Site::new(&store);
    site.set("MAX_FILE_SIZE", "20000");
    let daemon = site.start();
    let sent = push(site.address(), Factory::new(seed).malformed(10).events(200), 2, seed);
    site.wait_until_drained();
    assert_eq!(daemon.terminate().code(), Some(0));
    let tally =
        check(&store, &[&site], &sent, &Rules { max_file_size: 20_000, ..Rules::default() });
    store.plant(
        "xml-events/another.xml",
        b"<EVENTS/>",
        &[("segment", "another-events-000000000001")],
    );
    let good = audit(&site, 0);
    assert_eq!(good["audit"]["events"], tally.delivered, "{good}");
    assert_eq!(good["audit"]["unknown_events"], 0, "{good}");
    assert_eq!(good["audit"]["pieces"], tally.quarantined, "{good}");
    let (records, uncounted) = (&good["audit"]["records"], &good["audit"]["uncounted_objects"]);
    assert!(records.as_u64() > Some(tally.quarantined as u64), "no copies: {good}");
    assert_eq!((uncounted, &good["audit"]["unknown_pieces"]), (&0.into(), &0.into()), "{good}");
    assert!(good["audit"]["others"].as_u64() >= Some(1), "{good}");
    let ours = store
        .objects("xml-events/")
        .into_iter()
        .find(|o| o.metadata["segment"] != "another-events-000000000001");
    let ours = ours.unwrap();
    store.uproot(&ours.key);
    let fewer = audit(&site, 0);
    let count: u64 = ours.metadata["event-count"].parse().unwrap();
    assert_eq!(fewer["audit"]["unknown_events"], count, "{fewer}");
    let metadata: Vec<_> = ours.metadata.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect();
    store.plant(&ours.key, &ours.bytes, &metadata);
    store.plant("xml-events/copy.xml", &ours.bytes, &metadata);
    let doubled = audit(&site, 1);
    assert!(!doubled["audit"]["faults"].as_array().unwrap().is_empty(), "{doubled}");
    assert!(!doubled["audit"]["doubled"].as_array().unwrap().is_empty(), "{doubled}");
}

fn audit(site: &Site, code: i32) -> serde_json::Value {
    let ended = site.run(&["ledger", "--audit", "--json"]);
    assert_eq!(ended.code(), Some(code), "{}{}", ended.log, ended.output);
    serde_json::from_str(&ended.output).unwrap()
}

#[test]
fn check_passes_where_all_is_well() {
    let store = Store::start();
    let ended = Site::new(&store).run(&["check"]);
    assert_eq!(ended.code(), Some(0), "{}{}", ended.output, ended.log);
    assert!(!ended.output.contains('✗'), "{}", ended.output);
    let lines =
        ["settings", "spool", "space", "credentials", "put", "head", "conditional put", "clock"];
    for line in lines {
        assert!(ended.output.contains(&format!("✓ {line}")), "{line}: {}", ended.output);
    }
    assert!(ended.output.contains("from AWS_ACCESS_KEY_ID"), "{}", ended.output);
    assert!(store.objects("xml-events/").is_empty(), "nothing goes where it would be loaded");
}

#[test]
fn check_tells_the_troubles_of_a_store_apart() {
    let table = [
        (Fault::Denied, "✗ put", "\"s3:PutObject\""),
        (Fault::NoSuchBucket, "✗ put", "the bucket does not exist"),
        (Fault::ClockSkew, "✗ put", "clock is wrong"),
        (Fault::IgnoreConditions, "✗ conditional put", "does not keep If-None-Match"),
        (Fault::DropMetadata, "✗ head", "lost its metadata"),
    ];
    for (fault, line, advice) in table {
        let store = Store::start();
        store.fault(Rule::always(fault.clone()));
        let ended = Site::new(&store).run(&["check"]);
        assert_eq!(ended.code(), Some(1), "{fault:?}: {}", ended.output);
        assert!(ended.output.contains(line), "{fault:?}: {}", ended.output);
        assert!(ended.output.contains(advice), "{fault:?}: {}", ended.output);
        let policy = ended.output.contains("s3:ListBucket\"");
        assert_eq!(policy, matches!(fault, Fault::Denied), "{fault:?}: {}", ended.output);
    }
    let store = Store::start();
    store.go_away();
    assert_eq!(Site::new(&store).run(&["check"]).code(), Some(1));
}

#[test]
fn check_names_wrong_settings_and_an_unusable_spool() {
    let mut site = Site::bare();
    let wrong = site.run(&["check"]);
    assert_eq!(wrong.code(), Some(1));
    assert!(
        wrong.output.contains("✗ settings") && wrong.output.contains("BUCKET_NAME"),
        "{}",
        wrong.output
    );
    std::fs::write(site.path("file"), "").unwrap();
    let inside = site.path("file").join("data");
    let folder = site.path("out");
    site.set("DESTINATION", folder.to_str().unwrap()).set("DATA_DIR", inside.to_str().unwrap());
    let unusable = site.run(&["check"]);
    assert_eq!(unusable.code(), Some(1));
    assert!(unusable.output.contains("✗ spool"), "{}", unusable.output);
    assert!(unusable.output.contains("✓ put"), "a folder is tried too: {}", unusable.output);
}

#[test]
fn every_metric_is_in_the_table_and_the_table_has_no_other() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let sources: String = files(&root.join("src"))
        .iter()
        .map(|path| String::from_utf8_lossy(&std::fs::read(path).unwrap()).into_owned())
        .collect();
    let table = std::fs::read_to_string(root.join("docs/metrics.md")).unwrap();
    let (in_source, in_table) = (metrics(&sources, '"'), metrics(&table, '`'));
    assert!(in_source.len() > 10, "{in_source:?}");
    assert_eq!(in_source, in_table);
}

/// The names of metrics between two of these marks.
fn metrics(text: &str, mark: char) -> std::collections::BTreeSet<String> {
    let words = text.split(mark).filter(|word| word.starts_with("xsa_"));
    let is_name = |word: &&str| word.chars().all(|c| c.is_ascii_lowercase() || c == '_');
    words.filter(is_name).map(str::to_owned).collect()
}
