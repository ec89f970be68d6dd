//! The watching: what `/readyz`, `status` and `check` say in each trouble, silence across
//! disconnects and restarts, histograms, and our own messages in the store.
//!
//! `cargo test --test suite watch:: -- --nocapture` prints the texts as an operator meets them.

use crate::support::appliance::{Factory, push, seed};
use crate::support::process::{Ended, PATIENCE, Site, SmallDisk, wait_until};
use crate::support::store::{ACCESS_KEY, Fault, Rule, SECRET_KEY, Store, reserve_port};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

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

/// A trouble, and by which words it is told in all three places.
struct Case {
    name: &'static str,
    /// 200 or 503.
    ready: u16,
    /// What every one of the three says: what is wrong, and what to do.
    words: &'static [&'static str],
    /// Further lines of `check`.
    check: &'static [&'static str],
    /// Settings of this case.
    settings: &'static [(&'static str, &'static str)],
    bring_about: fn(&Store, &Watched),
}

const CASES: [Case; 9] = [
    Case {
        name: "all well",
        ready: 200,
        words: &[],
        check: &["✓ program"],
        settings: &[("SILENCE_ALARM", "1h")],
        bring_about: |_, site| site.send(1),
    },
    Case {
        name: "the store refuses (403)",
        ready: 200,
        words: &["allow s3:PutObject", "the store answered 403"],
        check: &["✗ put", "403 AccessDenied", "\"s3:PutObject\"", "✓ clock", "✓ space"],
        settings: &[],
        bring_about: |store, site| {
            store.fault(Rule::always(Fault::Denied));
            site.send(1);
        },
    },
    Case {
        name: "the bucket is not there (404)",
        ready: 200,
        words: &["the bucket does not exist", "create it or correct BUCKET_NAME"],
        check: &["✗ put", "✓ clock", "✓ space"],
        settings: &[],
        bring_about: |store, site| {
            store.fault(Rule::always(Fault::NoSuchBucket));
            site.send(1);
        },
    },
    Case {
        name: "the store cannot be reached",
        ready: 200,
        words: &["cannot be reached", "network"],
        check: &["✗ put", "✗ clock", "no answer to compare", "✓ space"],
        settings: &[],
        bring_about: |store, site| {
            store.go_away();
            site.send(1);
        },
    },
    Case {
        name: "the clock is wrong by an hour",
        ready: 200,
        words: &["clock is wrong (3600 s behind", "set it (NTP)"],
        check: &["✗ put", "✗ clock", "3600 s behind the store's", "✓ space"],
        settings: &[],
        bring_about: |store, site| {
            store.fault(Rule::always(Fault::ClockSkew));
            site.send(1);
        },
    },
    Case {
        name: "the spool is full",
        ready: 503,
        words: &["paused: MAX_SPOOL_SIZE is reached", "goes on by itself below 90 %"],
        check: &["✗ program", "✗ put", "✓ space"],
        settings: &[("MAX_SPOOL_SIZE", "2MiB"), ("MAX_FILE_SIZE", "1MiB")],
        bring_about: |store, site| {
            store.go_away();
            drop(flood(site));
        },
    },
    Case {
        name: "the disk is full",
        ready: 503,
        words: &["paused: the disk that holds", "is full", "make room"],
        check: &["✗ program", "✗ space", "make room", "✓ put"],
        settings: &[("MAX_FILE_SIZE", "2MB")],
        bring_about: |store, site| {
            // Only the event objects are held up, so that the store itself is well.
            store.fault(
                Rule::always(Fault::Slow(Duration::from_secs(600))).puts().at("xml-events/"),
            );
            drop(flood(site));
        },
    },
    Case {
        name: "an appliance fell silent",
        ready: 200,
        words: &["the appliance is silent: no event from 127.0.0.1 since", "it has no connection"],
        check: &["✗ program", "✓ put", "✓ clock", "✓ space"],
        settings: &[("SILENCE_ALARM", "1s")],
        bring_about: |_, site| site.send(1),
    },
    Case {
        name: "nobody ever sent an event",
        ready: 200,
        words: &["the appliance is silent: no event ever came", "collaboration"],
        check: &["✗ program", "✓ put", "✓ clock", "✓ space"],
        settings: &[("SILENCE_ALARM", "1s")],
        bring_about: |_, _| {},
    },
];

/// Sends until the program reads no more.
fn flood(site: &Watched) -> TcpStream {
    let mut stream = TcpStream::connect(site.site.address()).unwrap();
    stream.set_write_timeout(Some(Duration::from_millis(200))).unwrap();
    let event = format!("<EVENT><cn>{}</cn></EVENT>\n", "7".repeat(5000));
    wait_until("reading is stopped", || {
        let _ = stream.write_all(event.repeat(50).as_bytes());
        site.get("/readyz").0 == 503
    });
    stream
}

#[test]
fn a_spool_that_the_last_batch_overfilled_says_so_and_reads_on_by_itself() {
    let store = Store::start();
    store.go_away();
    let mut watched = Watched::new(&store);
    watched.site.set("MAX_SPOOL_SIZE", "2MiB").set("MAX_FILE_SIZE", "1MiB");
    let daemon = watched.site.start();
    let mut stream = flood(&watched);
    daemon.wait_for("reading is stopped");
    store.heal();
    wait_until("it is ready again", || watched.get("/readyz").0 == 200);
    stream.set_write_timeout(None).unwrap();
    // The flood may have ended in the middle of an event, which this one cuts off.
    stream.write_all(b"<EVENT><cn>afterwards</cn></EVENT>\n").unwrap();
    wait_until("the same connection's next event is stored", || {
        let objects = store.objects("xml-events/");
        objects.iter().any(|o| String::from_utf8_lossy(&o.bytes).contains("afterwards"))
    });
}

#[test]
fn readyz_status_and_check_tell_every_trouble_apart_full_disk() {
    for case in &CASES {
        let store = Store::start();
        let mut watched = Watched::new(&store);
        let _disk =
            (case.name == "the disk is full").then(|| SmallDisk::mount(&watched.site.data(), 12));
        case.settings.iter().for_each(|(name, value)| {
            watched.site.set(name, value);
        });
        let daemon = watched.site.start();
        (case.bring_about)(&store, &watched);
        let mut ready = (0, String::new());
        // What is not seen by then is shown and judged below.
        let deadline = Instant::now() + Duration::from_secs(30);
        while !is_seen(case, &watched, &ready.1) && Instant::now() < deadline {
            ready = watched.get("/readyz");
            std::thread::sleep(Duration::from_millis(20));
        }
        let status = watched.site.run(&["status"]);
        let check = watched.site.run(&["check"]);
        show(case, &ready, &status, &check);
        judge(case, &ready, &status, &check);
        drop(daemon);
    }
}

fn is_seen(case: &Case, watched: &Watched, ready: &str) -> bool {
    match case.words {
        [] => watched.get("/api/status").1.contains("\"delivered\":1"),
        words => words.iter().all(|word| ready.contains(word)),
    }
}

fn show(case: &Case, ready: &(u16, String), status: &Ended, check: &Ended) {
    println!("=== {}\n--- /readyz: {}\n{}", case.name, ready.0, ready.1);
    println!("--- status: {:?}\n{}{}", status.code(), status.output, status.log);
    println!("--- check: {:?}\n{}{}", check.code(), check.output, check.log);
}

fn judge(case: &Case, ready: &(u16, String), status: &Ended, check: &Ended) {
    let name = case.name;
    assert_eq!(ready.0, case.ready, "{name}");
    let code = if case.words.is_empty() { Some(0) } else { Some(1) };
    assert_eq!((status.code(), check.code()), (code, code), "{name}");
    for word in case.words {
        assert!(ready.1.contains(word), "{name}: /readyz lacks '{word}'");
        assert!(status.output.contains(word), "{name}: status lacks '{word}'");
        assert!(check.output.contains(word), "{name}: check lacks '{word}'");
    }
    for line in case.check {
        assert!(check.output.contains(line), "{name}: check lacks '{line}'");
    }
    // Told apart: the first words of a case are in no other case's texts.
    let others = CASES.iter().filter(|other| other.name != name);
    for word in others.filter_map(|other| other.words.first()) {
        // A full spool has its cause beside it: the store that cannot be reached.
        if name == "the spool is full" && *word == "cannot be reached" {
            continue;
        }
        for text in [&ready.1, &status.output, &check.output] {
            assert!(!text.contains(word), "{name} says '{word}' as well:\n{text}");
        }
    }
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

#[test]
fn at_the_end_a_full_spool_is_not_read_into() {
    let store = Store::start();
    store.go_away();
    let mut watched = Watched::new(&store);
    watched.site.set("MAX_SPOOL_SIZE", "2MiB").set("MAX_FILE_SIZE", "1MiB");
    watched.site.set("SHUTDOWN_TIMEOUT", "1s");
    let daemon = watched.site.start();
    let mut stream = flood(&watched);
    // Fills the sockets' buffers: there would be enough to read.
    let events = "<EVENT><cn>1</cn></EVENT>\n".repeat(10_000);
    while stream.write_all(events.as_bytes()).is_ok() {}
    let ended = daemon.terminate();
    assert_eq!(ended.code(), Some(0), "{}", ended.log);
    let lost = ended.log.matches("what was read last is lost").count();
    assert!(lost <= 1, "only the batch in hand:\n{}", ended.log);
}
