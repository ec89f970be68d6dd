//! The store fails in every way that it knows; what was taken lands all the same, once.

use super::parts::*;
use crate::support::appliance::{Factory, push, seed};
use crate::support::check::{Rules, Tally};
use crate::support::process::{Site, wait_until};
use crate::support::store::{Fault, Rule, Store};
use rustix::process::Signal;
use std::time::{Duration, Instant};

#[test]
fn the_store_is_away_for_several_rotations() {
    let (store, seed) = (Store::start(), seed());
    let mut site = Site::new(&store);
    site.set("MAX_FILE_SIZE", "300000");
    let mut daemon = site.start();
    let mut factory = Factory::new(seed);
    let mut sent = push(site.address(), factory.events(100), 1, seed);
    site.wait_until_drained();
    store.go_away();
    let waves = 5;
    for wave in 0..waves {
        let sealed = site.spooled("events", "sealed").len();
        sent.extend(push(site.address(), factory.events(events() / waves), 4, seed + wave as u64));
        wait_until("a rotation", || site.spooled("events", "sealed").len() > sealed);
    }
    assert!(daemon.lives());
    let memory = daemon.peak_memory();
    println!("peak memory while the store was away: {:.1} MiB", memory as f64 / 1048576.0);
    assert!(memory < 64 << 20, "peak memory {} MiB", memory >> 20);
    mend_and_drain(&store, &daemon, &site);
    let memory = daemon.peak_memory();
    println!("peak memory with the backlog delivered: {:.1} MiB", memory as f64 / 1048576.0);
    let tally = drain_and_check(&store, &[&site], daemon, &sent, &small_files());
    assert_eq!(tally.delivered, 100 + events() / waves * waves);
}

#[test]
fn the_store_refuses_with_403() {
    refusing(Fault::Denied);
}

#[test]
fn the_store_knows_no_such_bucket() {
    refusing(Fault::NoSuchBucket);
}

#[test]
fn the_store_says_that_the_clock_is_wrong() {
    refusing(Fault::ClockSkew);
}

#[test]
fn the_store_is_in_another_region() {
    refusing(Fault::WrongRegion);
}

#[test]
fn the_store_has_moved() {
    refusing(Fault::Moved);
}

#[test]
fn the_store_lost_its_key() {
    refusing(Fault::KmsDisabled);
}

#[test]
fn the_store_has_an_internal_error_and_heals_without_a_word() {
    refusing_until(Fault::Internal, true);
}

#[test]
fn the_store_reports_a_conflict_that_is_none() {
    refusing(Fault::Conflict);
}

#[test]
fn the_store_is_too_busy_for_every_other_request() {
    let tally = under(Rule::always(Fault::SlowDown).every(2), 3_000);
    assert_eq!(tally.delivered, 3_000);
}

#[test]
fn the_store_is_slow() {
    under(Rule::always(Fault::Slow(Duration::from_secs(1))), 1_000);
    under(Rule::always(Fault::Trickle(500_000)), 1_000);
}

#[test]
fn the_store_resets_connections() {
    under(Rule::always(Fault::Reset).every(2), 1_000);
}

#[test]
fn the_store_answers_half() {
    under(Rule::always(Fault::HalfAnswer).puts().every(2), 1_000);
}

#[test]
fn the_store_stores_and_the_answer_is_lost() {
    under(Rule::always(Fault::LoseAnswer).puts().every(2), 1_000);
    // Nor does the question what became of it get an answer at first.
    let (store, seed) = (Store::start(), seed());
    store.fault(Rule::always(Fault::LoseAnswer).puts().at("xml-events/").times(2));
    store.fault(Rule::always(Fault::Denied).heads().at("xml-events/").times(2));
    let site = small_site(&store);
    let daemon = site.start();
    let sent = push(site.address(), Factory::new(seed).events(300), 4, seed);
    let refused = || {
        let seen = store.requests();
        seen.iter().filter(|seen| seen.method == "HEAD" && seen.fault.is_some()).count()
    };
    wait_until("asking was refused", || refused() > 0);
    mend_and_drain(&store, &daemon, &site);
    let tally = drain_and_check(&store, &[&site], daemon, &sent, &small_files());
    assert_eq!(tally.delivered, 300);
}

#[test]
fn the_store_stores_long_after_the_connection_is_gone() {
    let late = Fault::CommitLate(Duration::from_secs(4));
    under(Rule::always(late).puts().at("xml-events/").times(3), 1_000);
}

#[test]
fn the_store_answers_200_without_an_etag() {
    under(Rule::always(Fault::NoETag).puts().at("xml-events/").times(3), 1_000);
}

#[test]
fn the_store_hangs_in_one_body_and_the_others_go_on() {
    let (store, seed) = (Store::start(), seed());
    store.fault(Rule::always(Fault::HangInBody).puts().at("xml-events/").times(1));
    let mut site = Site::new(&store);
    site.set("MAX_FILE_SIZE", "100000").set("SHUTDOWN_TIMEOUT", "2s");
    let daemon = site.start();
    let sent = push(site.address(), Factory::new(seed).events(1_000), 4, seed);
    wait_until("all but one are stored", || site.spooled("events", "sealed").len() == 1);
    assert!(store.objects("xml-events/").len() > 5);
    let ended = daemon.terminate();
    assert_eq!(ended.code(), Some(0), "{}", ended.log);
    let tally = drain_and_check(&store, &[&site], site.start(), &sent, &small_files());
    assert_eq!(tally.delivered, 1_000);
}

/// The limit is a minute, and a little for the size (SPOOL.md): this drill takes as long.
#[test]
fn the_store_hangs_for_ever_and_is_cut_off() {
    let (store, seed) = (Store::start(), seed());
    for fault in [Fault::HangInBody, Fault::HangInAnswer] {
        store.fault(Rule::always(fault).puts().at("xml-events/").times(1));
    }
    let mut site = Site::new(&store);
    site.set("MAX_FILE_SIZE", "50000");
    let daemon = site.start();
    let sent = push(site.address(), Factory::new(seed).events(100), 4, seed);
    let start = Instant::now();
    let tally = drain_and_check(&store, &[&site], daemon, &sent, &small_files());
    assert_eq!(tally.delivered, 100);
    assert!(start.elapsed() > Duration::from_secs(50), "cut off after {:?}", start.elapsed());
    let hung = store.requests().iter().filter(|seen| seen.fault.is_some()).count();
    assert_eq!(hung, 2, "each fault once");
}

#[test]
fn only_the_quarantine_is_forbidden() {
    let (store, seed) = (Store::start(), seed());
    store.fault(Rule::always(Fault::Denied).at("xml-events-quarantine/").puts());
    let mut site = Site::new(&store);
    site.set("MAX_FILE_SIZE", "10000");
    let daemon = site.start();
    let mut factory = Factory::new(seed).malformed(2);
    let mut sent = Vec::new();
    for wave in 0..6 {
        sent.extend(push(site.address(), factory.events(40), 1, seed + wave));
        daemon.signal(Signal::HUP);
        wait_until("this wave's events land", || site.spooled("events", "sealed").is_empty());
    }
    assert!(!site.spooled("quarantine", "sealed").is_empty());
    mend_and_drain(&store, &daemon, &site);
    let rules = Rules { max_file_size: 10_000, ..Rules::default() };
    let tally = drain_and_check(&store, &[&site], daemon, &sent, &rules);
    assert_eq!((tally.delivered, tally.quarantined), (180, 60));
}

#[test]
fn an_old_store_without_conditions_is_never_overwritten() {
    for fault in [Fault::IgnoreConditions, Fault::RefuseConditions, Fault::DropMetadata] {
        let (store, seed) = (Store::start(), seed());
        store.fault(Rule::always(fault.clone()));
        let sites = neighbours(&store);
        let daemons: Vec<_> = sites.iter().map(Site::start).collect();
        let sent = crowd(&sites, 150, seed);
        let rules = Rules { modern_store: false, max_file_size: 4096, ..Rules::default() };
        let tally = drain_all(&store, &sites, daemons, &sent, &rules);
        assert_eq!(tally.delivered, 300, "{fault:?}");
        let events = |(key, _): &(String, usize)| key.starts_with("xml-events/");
        assert!(!store.rewritten().iter().any(events), "{fault:?}: {:?}", store.rewritten());
    }
}

/// Refuses everything at first; each refusal is tried again, nothing is lost, and the log says it.
fn refusing(fault: Fault) {
    refusing_until(fault, false);
}

/// Healed, and either told so or not.
fn refusing_until(fault: Fault, by_itself: bool) {
    let (store, seed) = (Store::start(), seed());
    store.fault(Rule::always(fault));
    let site = Site::new(&store);
    let mut daemon = site.start();
    let sent = push(site.address(), Factory::new(seed).malformed(20).events(300), 4, seed);
    wait_until("it was refused and tried again", || store.requests().len() >= 3);
    assert!(daemon.lives());
    assert!(store.objects("").is_empty());
    if by_itself {
        store.heal();
    } else {
        mend_and_drain(&store, &daemon, &site);
    }
    let tally = drain_and_check(&store, &[&site], daemon, &sent, &Rules::default());
    assert_eq!(tally.delivered + tally.quarantined, 300);
}

/// Delivers so many events under a fault that lets something pass.
fn under(rule: Rule, events: usize) -> Tally {
    let (store, seed) = (Store::start(), seed());
    store.fault(rule);
    deliver(&store, seed, events)
}

fn deliver(store: &Store, seed: u64, events: usize) -> Tally {
    let site = small_site(store);
    let daemon = site.start();
    let sent = push(site.address(), Factory::new(seed).events(events), 4, seed);
    let tally = drain_and_check(store, &[&site], daemon, &sent, &small_files());
    assert!(store.requests().iter().any(|seen| seen.fault.is_some()), "no request met the fault");
    assert_eq!(tally.delivered, events);
    tally
}

/// How many events the drills with a backlog use: `DRILL_EVENTS`, 10,000 if it is not set.
fn events() -> usize {
    std::env::var("DRILL_EVENTS").map_or(10_000, |text| text.parse().unwrap())
}
