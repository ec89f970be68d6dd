//! Hostile input on real sockets before the real binary: what arrives, byte for byte.
//!
//! The samples are those of `tests/hostile.rs`, which holds the sieve alone against them. Here each
//! goes over a connection of its own, one after the other, into one process for all samples of the
//! same settings; the objects behind it must hold what the `.expect` files say, in their order.

use crate::support::process::{Daemon, Site, wait_until};
use crate::support::store::{Object, Store};
use base64::Engine as _;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fs;
use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream, UdpSocket};
use std::path::{Path, PathBuf};
use xml_stream_aggregator::event::{FOOTER, HEADER, Reason, Repair};

struct Sample {
    name: String,
    bytes: Vec<u8>,
    /// The lines behind the first.
    expected: Vec<Value>,
}

/// Settings, as environment variables.
type Settings = BTreeMap<&'static str, String>;

fn samples() -> BTreeMap<Settings, Vec<Sample>> {
    let mut groups: BTreeMap<Settings, Vec<Sample>> = BTreeMap::new();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/hostile");
    let mut paths: Vec<PathBuf> =
        fs::read_dir(folder).unwrap().map(|e| e.unwrap().path()).collect();
    paths.sort();
    for path in paths.iter().filter(|path| path.extension().is_some_and(|e| e != "expect")) {
        let text = fs::read_to_string(path.with_extension("expect")).unwrap();
        let mut lines = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        let about = lines.next().unwrap();
        groups.entry(settings(&about)).or_default().push(Sample {
            name: path.file_name().unwrap().to_str().unwrap().to_owned(),
            bytes: fs::read(path).unwrap(),
            expected: lines.collect(),
        });
    }
    groups
}

fn settings(about: &Value) -> Settings {
    let names = [
        ("max_message_size", "MAX_MESSAGE_SIZE"),
        ("element", "EVENT_ELEMENT"),
        ("on_malformed", "ON_MALFORMED"),
    ];
    let given = names.into_iter().filter_map(|(key, name)| match &about[key] {
        Value::Null => None,
        Value::String(text) => Some((name, text.clone())),
        other => Some((name, other.to_string())),
    });
    given.collect()
}

/// Sends bytes over a connection and waits until the other side has read them to the end.
fn send(to: SocketAddr, bytes: &[u8]) {
    let mut socket = TcpStream::connect(to).unwrap();
    socket.write_all(bytes).unwrap();
    socket.shutdown(Shutdown::Write).unwrap();
    assert_eq!(socket.read(&mut [0; 1]).unwrap(), 0, "the appliance is sent nothing");
}

/// What stands between header and footer of all event objects, in the order of their keys.
fn delivered(store: &Store) -> Vec<u8> {
    let inside = |object: &Object| {
        let body = object.bytes.strip_prefix(HEADER).expect("a header");
        body.strip_suffix(FOOTER).expect("a footer").to_vec()
    };
    store.objects("xml-events/").iter().flat_map(inside).collect()
}

/// The quarantine's records as the `.expect` files write them.
fn quarantined(store: &Store) -> Vec<Value> {
    let mut objects = store.objects("xml-events-quarantine/");
    objects.retain(|object| object.key.ends_with(".ndjson"));
    let text = objects.into_iter().flat_map(|object| object.bytes).collect::<Vec<u8>>();
    let text = String::from_utf8(text).unwrap();
    text.lines().map(|line| record(&serde_json::from_str(line).unwrap())).collect()
}

fn record(record: &Value) -> Value {
    let mut line = match record["repaired"] == true {
        true => json!({ "repaired": record["repairs"] }),
        false => json!({ "reject": record["reason"], "detail": record["detail"] }),
    };
    match record["raw_base64"].as_str() {
        None => line["raw"] = record["raw"].clone(),
        Some(text) => {
            let raw = base64::prelude::BASE64_STANDARD.decode(text).unwrap();
            line["raw_hex"] = json!(raw.iter().map(|b| format!("{b:02x}")).collect::<String>());
        }
    }
    if record["part"].is_number() {
        line["part"] = json!([record["piece"], record["part"], record["last"]]);
    }
    line
}

fn metric(daemon: &Daemon, name: &str) -> u64 {
    let log = daemon.log();
    let address = log.split("status page on http://").nth(1).unwrap().split('/').next().unwrap();
    let mut socket = TcpStream::connect(address).unwrap();
    write!(socket, "GET /metrics HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n")
        .unwrap();
    let mut answer = String::new();
    socket.read_to_string(&mut answer).unwrap();
    let lines = answer.lines().filter(|line| line.starts_with(name));
    lines.map(|line| line.rsplit(' ').next().unwrap().parse::<u64>().unwrap()).sum()
}

fn texts<'a>(samples: &'a [Sample], key: &'a str) -> impl Iterator<Item = (&'a str, &'a Value)> {
    let lines = samples.iter().flat_map(|s| s.expected.iter().map(move |l| (s.name.as_str(), l)));
    lines.filter(move |(_, line)| !line[key].is_null())
}

/// Each sample's events must be the next bytes.
fn compare_events(samples: &[Sample], mut found: &[u8]) {
    for (name, line) in texts(samples, "event") {
        let event = format!("{}\n", line["event"].as_str().unwrap());
        let shown = String::from_utf8_lossy(found.get(..event.len()).unwrap_or(found));
        assert_eq!(shown, event, "{name}");
        found = found.strip_prefix(event.as_bytes()).unwrap_or_else(|| panic!("{name}"));
    }
    assert!(found.is_empty(), "more was delivered: {}", String::from_utf8_lossy(found));
}

fn compare_records(samples: &[Sample], found: &[Value]) {
    let lines = samples.iter().flat_map(|s| s.expected.iter().map(move |line| (&s.name, line)));
    let is_record = |line: &Value| !line["reject"].is_null() || !line["repaired"].is_null();
    let expected: Vec<_> = lines.filter(|(_, line)| is_record(line)).collect();
    for ((name, expected), found) in expected.iter().zip(found) {
        assert_eq!(found, *expected, "{name}");
    }
    assert_eq!(found.len(), expected.len());
}

/// A name and how often it must be there.
type Counts = Vec<(&'static str, u64)>;

/// How many events each rule mended, and how many pieces were rejected for each reason.
fn counts(samples: &[Sample]) -> (Counts, Counts) {
    let mended = |rule: &str| {
        let lines = texts(samples, "repaired").map(|(_, line)| line["repaired"].as_array());
        lines.filter(|rules| rules.unwrap().contains(&json!(rule))).count() as u64
    };
    // A piece in parts is one.
    let is_end = |line: &Value| line["part"].is_null() || line["part"][2] == true;
    let rejected = |reason: &str| {
        let lines = texts(samples, "reject").filter(|(_, line)| line["reject"] == reason);
        lines.filter(|(_, line)| is_end(line)).count() as u64
    };
    (
        Repair::ALL.map(Repair::name).into_iter().map(|rule| (rule, mended(rule))).collect(),
        Reason::ALL.map(Reason::name).into_iter().map(|why| (why, rejected(why))).collect(),
    )
}

/// The metrics have the names of the records, and count like the ledger.
fn compare_metrics(daemon: &Daemon, samples: &[Sample]) {
    let (mended, rejected) = counts(samples);
    for (rule, count) in mended {
        let label = format!("xsa_events_repaired_total{{rule=\"{rule}\"}}");
        assert_eq!(metric(daemon, &label), count, "{rule}");
    }
    for (reason, count) in rejected {
        let label = format!("xsa_pieces_rejected_total{{reason=\"{reason}\"}}");
        assert_eq!(metric(daemon, &label), count, "{reason}");
    }
}

/// The log names the rules that mended something, and what is said of connections adds up.
fn compare_log(log: &str, samples: &[Sample]) {
    let (mended, _) = counts(samples);
    for (rule, count) in mended {
        assert_eq!(log.contains(&format!(" rule=\"{rule}\"")), count > 0, "{rule}: {log}");
    }
    // Each sample has a connection, one after the other; of many a minute the first are said.
    let said = log.split(" rejected=").skip(1);
    let said = said.map(|rest| rest.split(|c: char| !c.is_ascii_digit()).next().unwrap());
    let said: Vec<u64> = said.map(|number| number.parse().unwrap()).collect();
    let (_, rejected) = counts(&samples[..said.len()]);
    assert!(!said.is_empty());
    assert_eq!(said.iter().sum::<u64>(), rejected.iter().map(|(_, n)| n).sum::<u64>(), "{log}");
}

fn run(settings: &Settings, samples: &[Sample]) {
    let store = Store::start();
    let mut site = Site::new(&store);
    for (name, value) in settings {
        site.set(name, value);
    }
    let daemon = site.start();
    samples.iter().for_each(|sample| send(site.address(), &sample.bytes));
    let skipped: u64 = texts(samples, "skipped").map(|(_, l)| l["skipped"].as_u64().unwrap()).sum();
    assert_eq!(metric(&daemon, "xsa_skipped_bytes_total"), skipped);
    let rescued = texts(samples, "rescued").count() as u64;
    assert_eq!(metric(&daemon, "xsa_events_rescued_total"), rescued);
    compare_metrics(&daemon, samples);
    let ended = daemon.terminate();
    assert_eq!(ended.code(), Some(0), "{}", ended.log);
    assert!(!ended.log.contains("panic"), "{}", ended.log);
    compare_log(&ended.log, samples);
    compare_events(samples, &delivered(&store));
    compare_records(samples, &quarantined(&store));
}

#[test]
fn every_hostile_sample_has_its_outcome_through_the_real_binary() {
    let groups = samples();
    let count: usize = groups.values().map(Vec::len).sum();
    assert!(count >= 75, "only {count} samples found");
    assert!(groups.len() >= 4, "samples with settings of their own are missing");
    groups.iter().for_each(|(settings, samples)| run(settings, samples));
}

#[test]
fn the_vendors_printed_sample_arrives_with_the_names_that_were_meant() {
    let store = Store::start();
    let site = Site::new(&store);
    let daemon = site.start();
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/hostile/vendor-sample.xml");
    send(site.address(), &fs::read(path).unwrap());
    assert_eq!(daemon.terminate().code(), Some(0));
    let text = String::from_utf8(store.objects("xml-events/").remove(0).bytes).unwrap();
    let document = roxmltree::Document::parse(&text).unwrap();
    let value = |name: &str| {
        let mut found = document.descendants().filter(|node| node.has_tag_name(name));
        found.next().unwrap_or_else(|| panic!("{name}: {text}")).text().unwrap().to_owned()
    };
    assert_eq!(value("plasectrxPaneldate"), "20140610085028-0400");
    assert_eq!(value("plasectrxPaneldateUTC"), "20140610125028Z");
    assert_eq!(value("plasectrxPanelname"), "elevator test");
    assert_eq!(value("plasectrxGatewayDN"), "cn=12345,ou=gateways,dc=plasec");
}

/// A site that takes datagrams, and a socket that sends them to it.
fn with_datagrams(store: &Store) -> (Site, UdpSocket) {
    let mut site = Site::new(store);
    let port = UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    site.set("UDP_PORT", &port.to_string());
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.connect(("127.0.0.1", port)).unwrap();
    (site, socket)
}

#[test]
fn a_datagram_brings_one_or_more_whole_events_and_half_a_one_goes_to_the_quarantine() {
    let store = Store::start();
    let (site, socket) = with_datagrams(&store);
    let daemon = site.start();
    let sent: [&[u8]; 4] = [
        b"<EVENT><cn>1</cn></EVENT>",
        b"<?xml version=\"1.0\"?>\n<EVENT><cn>2</cn></EVENT>\n<EVENT><cn>3</cn></EVENT>",
        b"<EVENT><cn>4</cn></EVENT><EVENT><cn>half",
        // Not the other half: a datagram is a connection of its own.
        b"</cn></EVENT><EVENT><cn>5</cn></EVENT>",
    ];
    for datagram in sent {
        assert_eq!(socket.send(datagram).unwrap(), datagram.len());
    }
    let all = (1..=5).map(|n| format!("<EVENT><cn>{n}</cn></EVENT>\n")).collect::<String>();
    wait_until("five events and two pieces are there", || {
        delivered(&store).len() >= all.len() && quarantined(&store).len() >= 2
    });
    assert_eq!(daemon.terminate().code(), Some(0));
    assert_eq!(String::from_utf8(delivered(&store)).unwrap(), all);
    let pieces = quarantined(&store);
    let found: Vec<_> = pieces.iter().map(|p| (p["reject"].as_str(), p["raw"].as_str())).collect();
    let half = (Some("truncated"), Some("<EVENT><cn>half"));
    assert_eq!(found, [half, (Some("stray"), Some("</cn></EVENT>"))]);
}

#[test]
fn the_largest_datagram_is_taken_whole_and_one_event_that_is_too_large_in_parts() {
    let store = Store::start();
    let (mut site, socket) = with_datagrams(&store);
    site.set("MAX_MESSAGE_SIZE", "4096");
    let daemon = site.start();
    // 65,507 bytes are the most that fit: a larger one is refused by our own kernel already.
    const LARGEST: usize = 65_507;
    let event = b"<EVENT><cn>1</cn></EVENT>";
    let full = [&event[..], &vec![b' '; LARGEST - 2 * event.len()], event].concat();
    assert_eq!(socket.send(&full).unwrap(), LARGEST);
    assert!(socket.send(&[&full[..], b" "].concat()).is_err());
    let large = format!("<EVENT><cn>{}</cn></EVENT>", "7".repeat(10_000));
    assert_eq!(socket.send(large.as_bytes()).unwrap(), large.len());
    assert_eq!(socket.send(event).unwrap(), event.len());
    wait_until("three events and the last part are there", || {
        delivered(&store).len() >= 3 * (event.len() + 1)
            && quarantined(&store).iter().any(|piece| piece["part"][2] == true)
    });
    assert_eq!(daemon.terminate().code(), Some(0));
    let events = String::from_utf8(delivered(&store)).unwrap();
    assert_eq!(events, format!("{}\n", String::from_utf8_lossy(event)).repeat(3));
    let pieces = quarantined(&store);
    assert!(pieces.iter().all(|piece| piece["reject"] == "too-large"), "{pieces:?}");
    let whole: String = pieces.iter().map(|piece| piece["raw"].as_str().unwrap()).collect();
    assert_eq!(whole, large);
}
