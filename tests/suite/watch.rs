//! The watching: what `/readyz`, `status` and `check` say in each trouble, silence across
//! disconnects and restarts, histograms, and our own messages in the store.
//!
//! `cargo test --test suite watch:: -- --nocapture` prints the texts as an operator meets them.

mod troubles;

use crate::support::appliance::{Factory, push, seed};
use crate::support::process::{PATIENCE, Site, wait_until};
use crate::support::store::{ACCESS_KEY, Fault, Rule, SECRET_KEY, Store, reserve_port};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// A site whose admin listener has a known port, held by the socket.
pub struct Watched {
    pub site: Site,
    pub admin: SocketAddr,
    _port: socket2::Socket,
}

impl Watched {
    pub fn new(store: &Store) -> Self {
        let (port, admin) = reserve_port();
        let mut site = Site::new(store);
        site.set("ADMIN_ADDR", &admin.to_string());
        Self { site, admin, _port: port }
    }

    /// Status code and body of a GET.
    pub fn get(&self, path: &str) -> (u16, String) {
        get(self.admin, path, "")
    }

    fn send(&self, count: usize) {
        push(self.site.address(), Factory::new(seed()).events(count), 1, 7);
    }
}

/// Status code and body of a GET with further header lines, each with its line end.
pub fn get(from: SocketAddr, path: &str, headers: &str) -> (u16, String) {
    let mut stream = TcpStream::connect(from).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nHost: {from}\r\n{headers}\r\n");
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let code = head.split(' ').nth(1).unwrap().parse().unwrap();
    (code, body.to_owned())
}

/// The `status` field of `/api/status` as JSON.
fn facts(watched: &Watched) -> serde_json::Value {
    serde_json::from_str(&watched.get("/api/status").1).unwrap()
}

#[test]
fn silence_is_told_once_and_outlives_connection_and_process() {
    let store = Store::start();
    let mut watched = Watched::new(&store);
    watched.site.set("SILENCE_ALARM", "2s");
    let daemon = watched.site.start();
    watched.send(1);
    let told = "no event from 127.0.0.1 since";
    daemon.wait_for(told);
    let metrics = watched.get("/metrics").1;
    assert!(metrics.contains("xsa_silences 1\n"), "{metrics}");
    assert!(metrics.contains("xsa_peer_silent{peer=\"127.0.0.1\"} 1\n"), "{metrics}");
    assert!(metrics.contains("xsa_peer_last_event_timestamp_seconds{peer=\"127.0.0.1\"} "));
    assert!(watched.get("/").1.contains("the appliance is silent"), "a mark on the page");
    assert_eq!(facts(&watched)["silence"][0]["peer"], "127.0.0.1");
    watched.send(1);
    daemon.wait_for("events from 127.0.0.1 again");
    assert!(watched.get("/metrics").1.contains("xsa_peer_silent{peer=\"127.0.0.1\"} 0\n"));
    wait_until("it is silent again", || !facts(&watched)["silence"].as_array().unwrap().is_empty());
    assert_eq!(daemon.log().matches(told).count(), 1, "repeats are limited:\n{}", daemon.log());
    let file = watched.site.data().join("peers.json");
    wait_until("that is on the disk", || {
        std::fs::read_to_string(&file).is_ok_and(|text| text.contains("\"silent\":true"))
    });
    daemon.kill();
    let daemon = watched.site.start();
    assert_eq!(facts(&watched)["silence"][0]["peer"], "127.0.0.1", "known from before");
    daemon.wait_for(told);
    watched.send(1);
    daemon.wait_for("events from 127.0.0.1 again");
    assert_eq!(daemon.terminate().code(), Some(0));
}

#[test]
fn freshness_and_sync_time_are_histograms() {
    let store = Store::start();
    let watched = Watched::new(&store);
    let _daemon = watched.site.start();
    watched.send(3);
    watched.site.wait_until_drained();
    let mut text = String::new();
    wait_until("the object counts", || {
        text = watched.get("/metrics").1;
        text.contains("xsa_freshness_seconds_count{lane=\"events\"} 1\n")
    });
    for line in [
        "# TYPE xsa_freshness_seconds histogram",
        "xsa_freshness_seconds_bucket{lane=\"events\",le=\"86400\"} 1",
        "xsa_freshness_seconds_bucket{lane=\"events\",le=\"+Inf\"} 1",
        "xsa_freshness_seconds_sum{lane=\"events\"} ",
        "# TYPE xsa_sync_seconds histogram",
        "xsa_sync_seconds_bucket{le=\"10\"} ",
        "xsa_sync_seconds_count ",
    ] {
        assert!(text.contains(line), "{line} is not in\n{text}");
    }
}

#[test]
fn a_token_guards_the_details_of_readyz() {
    let store = Store::start();
    let mut watched = Watched::new(&store);
    watched.site.set("ADMIN_TOKEN", "a-token-of-this-test").set("SILENCE_ALARM", "1s");
    let daemon = watched.site.start();
    watched.send(1);
    daemon.wait_for("no event from 127.0.0.1 since");
    let (code, text) = watched.get("/readyz");
    assert_eq!(code, 200);
    assert!(text.contains("attention: 1 more") && !text.contains("127.0.0.1"), "{text}");
    let token = "Authorization: Bearer a-token-of-this-test\r\n";
    let (_, text) = get(watched.admin, "/readyz", token);
    assert!(text.contains("no event from 127.0.0.1"), "{text}");
}

/// Every record of the log objects, with the key of its object.
fn records(store: &Store) -> Vec<serde_json::Value> {
    let objects = store.objects("xml-events-logs/");
    let text: String =
        objects.iter().map(|o| String::from_utf8(o.bytes.clone()).unwrap()).collect();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn warnings_and_errors_become_objects_once_and_never_feed_on_themselves() {
    let store = Store::start();
    store.fault(Rule::always(Fault::Denied).puts().at("xml-events/"));
    store.fault(Rule::always(Fault::Denied).puts().at("xml-events-logs/"));
    let mut watched = Watched::new(&store);
    watched.site.set("LOG_TO_STORE", "true").set("SHUTDOWN_TIMEOUT", "1s");
    let daemon = watched.site.start();
    watched.send(1);
    let refusal = |lane: &str| {
        let log = daemon.log();
        log.lines().filter(|l| l.contains("store refuses") && l.contains(lane)).count()
    };
    wait_until("the logs are refused as well", || refusal("lane=\"logs\"") > 0);
    let files = |site: &Site| site.spooled("logs", "sealed").len() + open_records(site);
    let before = files(&watched.site);
    let since = facts(&watched)["uptime_s"].as_u64().unwrap();
    // Several looks, rotations and further tries later nothing has been added.
    wait_until("some time has passed", || facts(&watched)["uptime_s"].as_u64() > Some(since + 4));
    assert_eq!((before, files(&watched.site)), (1, 1), "{}", daemon.log());
    assert_eq!(refusal("lane=\"events\""), 1, "{}", daemon.log());
    let ended = daemon.terminate();
    assert_eq!(ended.code(), Some(0), "{}", ended.log);
    store.heal();
    let daemon = watched.site.start();
    wait_until("the logs are stored", || {
        watched.site.spooled("logs", "sealed").is_empty()
            && watched.site.spooled("logs", "open").is_empty()
            && records(&store).len() >= 2
    });
    assert_eq!(daemon.terminate().code(), Some(0));
    let records = records(&store);
    let count = |words: &str| {
        let has = |record: &&serde_json::Value| record["message"].as_str().unwrap().contains(words);
        records.iter().filter(has).count()
    };
    assert_eq!(count("the store refuses"), 1, "{records:#?}");
    assert_eq!(count("not everything could be uploaded in time"), 1, "{records:#?}");
    for record in &records {
        assert!(matches!(record["level"].as_str(), Some("WARN" | "ERROR")), "{record}");
        assert_eq!(record["instance"], "site-1");
        assert!(record["timestamp"].as_str().unwrap().ends_with('Z'), "{record}");
        assert_ne!(record["lane"], "logs", "{record}");
    }
    assert!(store.rewritten().iter().all(|(key, _)| !key.contains("logs")));
    assert!(!store.objects("xml-events-logs/")[0].metadata["segment"].is_empty());
}

/// Open log segments with something in them.
fn open_records(site: &Site) -> usize {
    let open = site.spooled("logs", "open");
    open.iter().filter(|path| std::fs::metadata(path).is_ok_and(|facts| facts.len() > 0)).count()
}

#[test]
fn check_says_which_place_the_keys_came_from_and_leaves_only_its_probe_behind() {
    let store = Store::start();
    let mut site = Site::new(&store);
    site.set("AWS_ACCESS_KEY_ID", "").set("AWS_SECRET_ACCESS_KEY", "");
    let (key, secret) = (ACCESS_KEY, SECRET_KEY);
    std::fs::create_dir(site.path(".aws")).unwrap();
    let script = site.path("keys.sh");
    std::fs::write(
        &script,
        format!(
            "echo '{{\"Version\":1,\"AccessKeyId\":\"{key}\",\"SecretAccessKey\":\"{secret}\"}}'\n"
        ),
    )
    .unwrap();
    let keys = |name: &str| {
        format!("[{name}]\naws_access_key_id = {key}\naws_secret_access_key = {secret}\n")
    };
    let process = format!("[helper]\ncredential_process = /bin/sh {}\n", script.display());
    let text = keys("default") + &keys("site") + &process;
    std::fs::write(site.path(".aws/credentials"), text).unwrap();
    for (profile, words) in [
        ("", "from profile \"default\" of the shared files"),
        ("site", "from profile \"site\" of the shared files"),
        ("helper", "from credential_process of profile \"helper\""),
    ] {
        site.set("AWS_PROFILE", profile);
        let ended = site.run(&["check"]);
        assert_eq!(ended.code(), Some(0), "{profile}: {}{}", ended.output, ended.log);
        assert!(ended.output.contains(words), "{profile}: {}", ended.output);
    }
    site.set("AWS_PROFILE", "nowhere");
    let ended = site.run(&["check"]);
    assert_eq!(ended.code(), Some(1));
    assert!(ended.output.contains("✗ credentials"), "{}", ended.output);
    assert!(ended.output.contains("nowhere"), "the profile is named: {}", ended.output);
    let keys: Vec<String> = store.objects("").into_iter().map(|object| object.key).collect();
    assert_eq!(keys, ["xml-events-quarantine/check.probe"]);
}

#[test]
fn check_is_right_about_a_clock_that_is_a_little_off() {
    let store = Store::start();
    let site = Site::new(&store);
    let ended = site.run(&["check"]);
    assert!(ended.output.contains("✓ clock            within 1 s of"), "{}", ended.output);
    store.fault(Rule::always(Fault::ClockAhead(Duration::from_secs(120))));
    let ended = site.run(&["check"]);
    assert_eq!(ended.code(), Some(1), "{}", ended.output);
    assert!(ended.output.contains("✓ put"), "the store still takes it: {}", ended.output);
    let is_close =
        |line: &str| (119..=121).any(|s| line.contains(&format!("{s} s behind the store's")));
    let line = ended.output.lines().find(|line| line.starts_with("✗ clock")).unwrap();
    assert!(is_close(line), "{line}");
}
