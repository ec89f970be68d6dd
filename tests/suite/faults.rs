//! The drills. Each one breaks something and ends with the same check: every event exactly once in
//! event objects, or in the quarantine, or in the spool; every object well-formed.
//!
//! | what breaks | drills |
//! |---|---|
//! | the program | killed in mid stream, killed in a lull, terminated during an upload |
//! | the store | away, refusing, throttling, slow, resetting, hanging, half answers, lost answers, late commits, old servers |
//! | the disk | spool full, disk full, files damaged |
//! | the neighbours | two instances on one prefix |

use crate::support::appliance::{Factory, Session, Stream, push, seed};
use crate::support::check::{Rules, Tally, check};
use crate::support::process::{Daemon, Site, SmallDisk, wait_until};
use crate::support::store::{Fault, Rule, Store, files};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use rustix::process::Signal;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use xml_stream_aggregator::event::HEADER;

// The program.

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
#[ignore = "not understood: some events of connections that nobody certainly read count as unread, so the drill decides nothing yet"]
fn killed_in_a_lull_loses_nothing_at_all() {
    let (store, seed) = (Store::start(), seed());
    let mut site = Site::new(&store);
    site.set("ROTATION_INTERVAL", "1h").set("MAX_FILE_SIZE", "300000");
    let mut daemon = site.start();
    let stream = Stream::start(site.address(), 4, 1_000, seed);
    for _ in 0..5 {
        stream.wait_for_more(300);
        stream.pause();
        daemon.wait_until_idle();
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
    wait_until("nobody is accepted any more", || {
        std::net::TcpStream::connect(site.address()).is_err()
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

// The store.

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
    assert!(memory < 64 << 20, "peak memory {} MiB", memory >> 20);
    store.heal();
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
fn the_store_has_an_internal_error() {
    refusing(Fault::Internal);
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
    deliver(&store, seed, 300);
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

#[test]
fn the_store_hangs_for_ever_and_is_cut_off() {
    for fault in [Fault::HangInBody, Fault::HangInAnswer] {
        let (store, seed) = (Store::start(), seed());
        store.fault(Rule::always(fault).puts().at("xml-events/").times(4));
        let site = Site::new(&store);
        let daemon = site.start();
        let sent = push(site.address(), Factory::new(seed).events(100), 4, seed);
        let start = Instant::now();
        wait_until("it hangs", || uploads(&store) > 0);
        // The limit is a minute and more: patience twice.
        while start.elapsed() < Duration::from_secs(90) && !site.drained() {
            std::thread::sleep(Duration::from_millis(100));
        }
        let tally = drain_and_check(&store, &[&site], daemon, &sent, &Rules::default());
        assert_eq!(tally.delivered, 100);
    }
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
    store.heal();
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

// The neighbours.

#[test]
fn two_instances_share_a_prefix() {
    let (store, seed) = (Store::start(), seed());
    let sites = neighbours(&store);
    let daemons: Vec<_> = sites.iter().map(Site::start).collect();
    let sent = crowd(&sites, 150, seed);
    let rules = Rules { max_file_size: 4096, ..Rules::default() };
    let tally = drain_all(&store, &sites, daemons, &sent, &rules);
    assert_eq!(tally.delivered, 300);
    let refused = store.requests().iter().filter(|seen| seen.status == Some(412)).count();
    assert!(refused > 2, "their names never met, so this drill showed nothing");
}

#[test]
fn a_name_that_somebody_else_took_is_left_alone() {
    let (store, seed) = (Store::start(), seed());
    let foreign = b"<?xml version=\"1.0\"?><EVENTS/>";
    let now = jiff::Timestamp::now();
    let taken: Vec<_> = (0..60)
        .map(|s| now + jiff::SignedDuration::from_secs(s))
        .map(|at| at.strftime("xml-events/%Y%m%d_%H%M%S.xml").to_string())
        .collect();
    for key in &taken {
        store.plant(key, foreign, &[]);
    }
    let site = Site::new(&store);
    let daemon = site.start();
    let sent = push(site.address(), Factory::new(seed).events(100), 2, seed);
    site.wait_until_drained();
    assert_eq!(daemon.terminate().code(), Some(0));
    let objects = store.objects("xml-events/");
    for key in &taken {
        let object = objects.iter().find(|object| object.key == *key).unwrap();
        assert_eq!(object.bytes, foreign);
        store.uproot(key);
    }
    assert_eq!(check(&store, &[&site], &sent, &Rules::default()).delivered, 100);
}

// The disk.

#[test]
fn a_full_spool_stops_the_reading_and_goes_on_by_itself() {
    let (store, seed) = (Store::start(), seed());
    store.go_away();
    let mut site = Site::new(&store);
    site.set("MAX_FILE_SIZE", "300000").set("MAX_SPOOL_SIZE", "2000000");
    let mut daemon = site.start();
    let stream = Stream::start(site.address(), 4, 5_000, seed);
    let mut spool = Watch::default();
    wait_until("the spool is full", || spool.stands_still(spool_size(&site)) > 20);
    assert!(spool.last > 1_000_000, "only {} bytes", spool.last);
    assert!(spool.last <= 2_300_000, "{} bytes", spool.last);
    assert!(daemon.lives());
    store.heal();
    stream.wait_for_more(3_000);
    let sent = stream.finish();
    let tally = drain_and_check(&store, &[&site], daemon, &sent, &small_files());
    assert_eq!(tally.unread, 0, "{tally:?}");
}

/// Mounts a disk of 24 MiB, which needs root.
#[test]
#[cfg_attr(not(target_os = "linux"), ignore = "mounts a small disk: Linux only")]
fn a_full_disk_stops_the_reading_and_goes_on_by_itself() {
    let (store, seed) = (Store::start(), seed());
    store.go_away();
    let mut site = Site::new(&store);
    let _disk = SmallDisk::mount(&site.data(), 24);
    site.set("MAX_FILE_SIZE", "2MB").set("ROTATION_INTERVAL", "5");
    let mut daemon = site.start();
    let stream = Stream::start(site.address(), 4, 20_000, seed);
    let mut disk = Watch::default();
    wait_until("the disk is full", || disk.stands_still(spool_size(&site)) > 20);
    assert!(disk.last > 12 << 20, "only {} bytes", disk.last);
    assert!(daemon.lives());
    store.heal();
    // More than twice the disk goes through it: 60 MiB of events of about 2 KB.
    stream.wait_for_more(30_000);
    let sent = stream.finish();
    let tally = drain_and_check(&store, &[&site], daemon, &sent, &Rules::default());
    assert_eq!(tally.unread, 0, "{tally:?}");
}

#[test]
#[cfg_attr(not(target_os = "linux"), ignore = "mounts a small disk: Linux only")]
fn killed_with_a_full_disk_and_started_again() {
    let (store, seed) = (Store::start(), seed());
    store.go_away();
    let mut site = Site::new(&store);
    let _disk = SmallDisk::mount(&site.data(), 24);
    site.set("MAX_FILE_SIZE", "2MB").set("ROTATION_INTERVAL", "5");
    let daemon = site.start();
    let stream = Stream::start(site.address(), 4, 20_000, seed);
    let mut disk = Watch::default();
    wait_until("the disk is full", || disk.stands_still(spool_size(&site)) > 20);
    stream.kill(daemon);
    let daemon = site.start();
    store.heal();
    stream.wait_for_more(1_000);
    let sent = stream.finish();
    drain_and_check(&store, &[&site], daemon, &sent, &Rules::default());
}

#[test]
fn damaged_segments_cost_what_was_damaged() {
    let (store, seed) = (Store::start(), seed());
    store.go_away();
    let mut site = Site::new(&store);
    site.set("MAX_FILE_SIZE", "50000").set("ROTATION_INTERVAL", "1h");
    let daemon = site.start();
    let mut events = Factory::new(seed).events(300);
    push(site.address(), events.clone(), 1, seed);
    daemon.wait_until_idle();
    daemon.kill();
    let sealed = site.spooled("events", "sealed");
    let open = site.spooled("events", "open");
    assert!(sealed.len() >= 5 && !open.is_empty(), "{} {}", sealed.len(), open.len());
    let mut gone = Vec::new();
    gone.extend(damage(&sealed[0], |bytes| bytes.clear()));
    gone.extend(damage(&sealed[1], |bytes| bytes.truncate(bytes.len() / 2)));
    gone.extend(damage(&sealed[2], |bytes| {
        let at = bytes.windows(4).rposition(|w| w == b"<cn>").unwrap();
        bytes[at] ^= 0x80;
    }));
    gone.extend(damage(&sealed[3], |bytes| {
        let half = bytes.len() / 2;
        bytes[half..half + 4096].fill(0);
    }));
    gone.extend(damage(open.last().unwrap(), |bytes| {
        let length = bytes.len();
        bytes[length - 100..].fill(0);
        bytes.extend([0; 4096]);
    }));
    assert!(gone.len() > 10, "{gone:?}");
    events.retain(|event| !gone.contains(&event.cn));
    store.heal();
    let sent = [Session::of(events)];
    let tally = drain_and_check(&store, &[&site], site.start(), &sent, &loose());
    assert_eq!(tally.delivered, 300 - gone.len());
    assert!(files(&site.data().join("damaged")).len() >= 4);
}

#[test]
fn files_of_a_power_cut_do_no_harm() {
    let (store, seed) = (Store::start(), seed());
    let site = Site::new(&store);
    let sent = push_once(&site, seed);
    let events = site.data().join("events");
    std::fs::write(events.join("000000009001.open"), b"").unwrap();
    std::fs::write(events.join("000000009002.open"), [0; 8192]).unwrap();
    std::fs::write(events.join("000000009002.meta"), b"").unwrap();
    std::fs::write(events.join("000000009003.meta"), [0; 100]).unwrap();
    std::fs::write(events.join("000000009004.meta.tmp"), b"{").unwrap();
    std::fs::write(events.join("000000009005.sealed"), [0; 8192]).unwrap();
    std::fs::write(events.join("notes.txt"), b"somebody's").unwrap();
    std::fs::write(site.data().join("ledger"), [0; 100]).unwrap();
    let daemon = site.start();
    let more = push(site.address(), Factory::new(seed + 1).events(50), 1, seed);
    let sent: Vec<_> = sent.into_iter().chain(more).collect();
    wait_until("all events landed", || stored_events(&store) == 100);
    let ended = daemon.terminate();
    assert_eq!(ended.code(), Some(0), "{}", ended.log);
    // Whether the store has it, nobody can know: it is kept, out of the way.
    std::fs::remove_file(events.join("000000009005.stuck")).unwrap();
    let tally = check(&store, &[&site], &sent, &Rules::default());
    assert_eq!((tally.delivered, tally.spooled), (100, 0));
    assert!(events.join("notes.txt").exists() || site.data().join("damaged").is_dir());
}

// Parts of drills.

/// Refuses everything at first; each refusal is tried again, nothing is lost, and the log says it.
fn refusing(fault: Fault) {
    let (store, seed) = (Store::start(), seed());
    store.fault(Rule::always(fault));
    let site = Site::new(&store);
    let mut daemon = site.start();
    let sent = push(site.address(), Factory::new(seed).malformed(20).events(300), 4, seed);
    wait_until("it was refused and tried again", || store.requests().len() >= 3);
    assert!(daemon.lives());
    assert!(store.objects("").is_empty());
    store.heal();
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
    let mut site = Site::new(store);
    site.set("MAX_FILE_SIZE", "300000");
    let daemon = site.start();
    let sent = push(site.address(), Factory::new(seed).events(events), 4, seed);
    let tally = drain_and_check(store, &[&site], daemon, &sent, &small_files());
    assert!(store.requests().iter().any(|seen| seen.fault.is_some()), "no request met the fault");
    assert_eq!(tally.delivered, events);
    tally
}

/// Lets everything land, ends the program in order, and checks.
fn drain_and_check(
    store: &Store,
    sites: &[&Site],
    daemon: Daemon,
    sent: &[Session],
    rules: &Rules,
) -> Tally {
    sites.iter().for_each(|site| site.wait_until_drained());
    let ended = daemon.terminate();
    assert_eq!(ended.code(), Some(0), "{}", ended.log);
    assert!(!ended.log.contains("panicked"), "{}", ended.log);
    let tally = check(store, sites, sent, rules);
    assert_eq!(tally.spooled, 0, "{tally:?}");
    tally
}

fn drain_all(
    store: &Store,
    sites: &[Site],
    daemons: Vec<Daemon>,
    sent: &[Session],
    rules: &Rules,
) -> Tally {
    sites.iter().for_each(Site::wait_until_drained);
    for daemon in daemons {
        let ended = daemon.terminate();
        assert_eq!(ended.code(), Some(0), "{}", ended.log);
    }
    check(store, &sites.iter().collect::<Vec<_>>(), sent, rules)
}

/// Two instances on one prefix, sealing so often that their names meet.
fn neighbours(store: &Store) -> Vec<Site> {
    ["site-1", "site-2"]
        .map(|name| {
            let mut site = Site::new(store);
            site.set("INSTANCE_ID", name).set("MAX_FILE_SIZE", "4096");
            site
        })
        .into()
}

/// So many events to each site, all at the same time.
fn crowd(sites: &[Site], events: usize, seed: u64) -> Vec<Session> {
    let pushing = |(site, n): (&Site, u64)| {
        let (to, events) = (site.address(), Factory::new(seed + n).events(events));
        std::thread::spawn(move || push(to, events, 2, seed + n))
    };
    let threads: Vec<_> = sites.iter().zip(0..).map(pushing).collect();
    threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
}

/// 50 events that were delivered by a process that ended in order.
fn push_once(site: &Site, seed: u64) -> Vec<Session> {
    let daemon = site.start();
    let sent = push(site.address(), Factory::new(seed).events(50), 1, seed);
    assert_eq!(daemon.terminate().code(), Some(0));
    sent
}

fn small_files() -> Rules {
    Rules { max_file_size: 300_000, ..Rules::default() }
}

/// Salvaged segments keep the checksum of what they were, so their metadata say something else.
fn loose() -> Rules {
    Rules { salvaged: true, ..Rules::default() }
}

/// How many events the drills with a backlog use: `DRILL_EVENTS`, 10,000 if it is not set.
fn events() -> usize {
    std::env::var("DRILL_EVENTS").map_or(10_000, |text| text.parse().unwrap())
}

fn uploads(store: &Store) -> usize {
    let seen = store.requests();
    seen.iter().filter(|r| r.method == "PUT" && r.key.starts_with("xml-events/")).count()
}

fn stored_events(store: &Store) -> usize {
    let objects = store.objects("xml-events/");
    objects.iter().map(|o| String::from_utf8_lossy(&o.bytes).matches("</EVENT>").count()).sum()
}

fn spool_size(site: &Site) -> u64 {
    let lanes = ["events", "quarantine"].map(|lane| files(&site.data().join(lane)));
    let sizes = lanes.iter().flatten().filter_map(|path| std::fs::metadata(path).ok());
    sizes.map(|facts| facts.len()).sum()
}

/// How often in a row a number did not change.
#[derive(Default)]
struct Watch {
    last: u64,
    same: u32,
}

impl Watch {
    fn stands_still(&mut self, now: u64) -> u32 {
        self.same = if now == self.last && now > 0 { self.same + 1 } else { 0 };
        self.last = now;
        self.same
    }
}

/// Changes a file and says which events are no longer whole in it, by their `cn`.
fn damage(path: &Path, how: impl FnOnce(&mut Vec<u8>)) -> Vec<String> {
    let before = std::fs::read(path).unwrap();
    assert!(before.starts_with(HEADER));
    let mut after = before.clone();
    how(&mut after);
    write_back(path.to_owned(), &after);
    let whole = String::from_utf8_lossy(&after).into_owned();
    let events = String::from_utf8(before).unwrap();
    let events = events.split_inclusive("</EVENT>").filter(|text| text.ends_with("</EVENT>"));
    let lost = events.map(|text| &text[text.find("<EVENT>").unwrap()..]);
    lost.filter(|text| !whole.contains(*text)).map(cn).collect()
}

fn write_back(path: PathBuf, bytes: &[u8]) {
    std::fs::write(path, bytes).unwrap();
}

fn cn(event: &str) -> String {
    let (_, rest) = event.split_once("<cn>").unwrap();
    rest.split_once("</cn>").unwrap().0.to_owned()
}
