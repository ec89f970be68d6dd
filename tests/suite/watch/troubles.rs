//! Each trouble, and by which words `/readyz`, `status` and `check` tell it from all others.

use super::*;
use crate::support::process::{Ended, SmallDisk};
use std::time::Instant;

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
            std::thread::sleep(Duration::from_millis(20)); // between two looks
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
