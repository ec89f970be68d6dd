//! The program is killed or told to end.

use super::parts::*;
use crate::support::appliance::{Factory, Stream, push, seed};
use crate::support::check::{Rules, check};
use crate::support::process::{Site, wait_until};
use crate::support::store::{Fault, Rule, Store};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use rustix::process::Signal;
use std::time::{Duration, Instant};

#[test]
fn killed_ten_times_in_mid_stream() {
    let (store, seed) = (Store::start(), seed());
    let mut random = StdRng::seed_from_u64(seed);
    let mut site = Site::new(&store);
    site.set("MAX_FILE_SIZE", "300000");
    let mut daemon = site.start();
    let stream = Stream::start(site.address(), 4, 2_000, seed);
    for _ in 0..10 {
        stream.wait_for_more(random.random_range(200..2_000));
        stream.kill(daemon);
        daemon = site.start();
    }
    stream.wait_for_more(200);
    let sent = stream.finish();
    let tally = drain_and_check(&store, &[&site], daemon, &sent, &small_files());
    assert!(tally.delivered > 2_000, "{tally:?}");
}

#[test]
fn killed_in_a_lull_loses_nothing_at_all() {
    let (store, seed) = (Store::start(), seed());
    let mut site = Site::new(&store);
    site.set("ROTATION_INTERVAL", "1h").set("MAX_FILE_SIZE", "300000");
    let mut daemon = site.start();
    let stream = Stream::start(site.address(), 4, 1_000, seed);
    for _ in 0..5 {
        stream.wait_for_more(300);
        stream.pause();
        daemon.wait_until_received(stream.posted());
        stream.kill(daemon);
        daemon = site.start();
        stream.resume();
    }
    stream.wait_for_more(100);
    stream.pause();
    let sent = stream.finish();
    let ended = daemon.terminate();
    assert_eq!(ended.code(), Some(0), "{}", ended.log);
    let tally = check(&store, &[&site], &sent, &small_files());
    assert_eq!((tally.unread, tally.spooled), (0, 0), "{tally:?}");
}

#[test]
fn terminated_during_an_upload() {
    let (store, seed) = (Store::start(), seed());
    store.fault(Rule::always(Fault::Slow(Duration::from_secs(30))).puts().at("xml-events/"));
    let mut site = Site::new(&store);
    site.set("SHUTDOWN_TIMEOUT", "2s");
    let daemon = site.start();
    let sent = push(site.address(), Factory::new(seed).malformed(10).events(500), 4, seed);
    wait_until("an upload is under way", || uploads(&store) > 0);
    let start = Instant::now();
    let ended = daemon.terminate();
    assert_eq!(ended.code(), Some(0), "{}", ended.log);
    assert!(start.elapsed() < Duration::from_secs(8), "took {:?}", start.elapsed());
    let tally = check(&store, &[&site], &sent, &Rules::default());
    assert_eq!((tally.delivered, tally.unread), (0, 0), "{tally:?}");
    store.heal();
    let tally = drain_and_check(&store, &[&site], site.start(), &sent, &Rules::default());
    assert_eq!(tally.delivered + tally.quarantined, 500);
}

/// `timeout` and service managers signal a process and then its group.
#[test]
fn a_signal_that_comes_as_two_ends_in_order() {
    let (store, seed) = (Store::start(), seed());
    let site = Site::new(&store);
    let daemon = site.start();
    let sent = push(site.address(), Factory::new(seed).events(500), 4, seed);
    daemon.signal(Signal::TERM);
    let ended = daemon.terminate();
    assert_eq!(ended.code(), Some(0), "{}", ended.log);
    let tally = check(&store, &[&site], &sent, &Rules::default());
    assert_eq!(tally.delivered, 500, "{}", ended.log);
}

#[test]
fn terminated_twice_ends_at_once() {
    let (store, seed) = (Store::start(), seed());
    store.fault(Rule::always(Fault::Slow(Duration::from_secs(60))).puts());
    let mut site = Site::new(&store);
    site.set("SHUTDOWN_TIMEOUT", "50s");
    let daemon = site.start();
    let sent = push(site.address(), Factory::new(seed).events(500), 4, seed);
    wait_until("a request is under way", || !store.requests().is_empty());
    daemon.signal(Signal::TERM);
    let first = Instant::now();
    wait_until("nobody is accepted any more, and the first signal's echo is over", || {
        std::net::TcpStream::connect(site.address()).is_err()
            && first.elapsed() > Duration::from_millis(250)
    });
    let start = Instant::now();
    let ended = daemon.terminate();
    assert!(start.elapsed() < Duration::from_secs(5), "took {:?}", start.elapsed());
    assert!(!ended.log.contains("panicked"), "{}", ended.log);
    check(&store, &[&site], &sent, &Rules::default());
    store.heal();
    let tally = drain_and_check(&store, &[&site], site.start(), &sent, &Rules::default());
    assert_eq!(tally.delivered, 500);
}
