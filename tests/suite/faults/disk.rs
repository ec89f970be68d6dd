//! The disk is too small, full, or gives back something else than it was given.

use super::parts::*;
use crate::support::appliance::{Factory, Session, Stream, push, seed};
use crate::support::check::{Rules, check};
use crate::support::process::{Site, SmallDisk, wait_until};
use crate::support::store::{Store, files};
use std::path::{Path, PathBuf};
use xml_stream_aggregator::event::HEADER;

#[test]
fn a_full_spool_stops_the_reading_and_goes_on_by_itself() {
    let (store, seed) = (Store::start(), seed());
    store.go_away();
    let mut site = Site::new(&store);
    site.set("MAX_FILE_SIZE", "300000").set("MAX_SPOOL_SIZE", "2000000");
    let mut daemon = site.start();
    let stream = Stream::start(site.address(), 4, 5_000, seed);
    let mut spool = Watch::default();
    daemon.wait_for("reading is stopped");
    wait_until("the spool is full", || spool.stands_still(spool_size(&site)) > 20);
    assert!(spool.last > 1_000_000, "only {} bytes", spool.last);
    assert!(spool.last <= 2_300_000, "{} bytes", spool.last);
    assert!(daemon.lives());
    let goal = stream.posted() + 3_000;
    mend(&store, &daemon, "it reads again", || stream.posted() >= goal);
    let sent = stream.finish();
    mend_and_drain(&store, &daemon, &site);
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
    site.set("MAX_FILE_SIZE", "2MB").set("ROTATION_INTERVAL", "1h");
    let mut daemon = site.start();
    let stream = Stream::start(site.address(), 4, 20_000, seed);
    let mut disk = Watch::default();
    daemon.wait_for("reading is stopped");
    wait_until("the disk is full", || disk.stands_still(spool_size(&site)) > 20);
    assert!(disk.last > 12 << 20, "only {} bytes", disk.last);
    assert!(daemon.lives());
    // More than twice the disk goes through it: 60 MiB of events of about 2 KB.
    let goal = stream.posted() + 30_000;
    mend(&store, &daemon, "it reads again", || stream.posted() >= goal);
    let sent = stream.finish();
    mend_and_drain(&store, &daemon, &site);
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
    site.set("MAX_FILE_SIZE", "2MB").set("ROTATION_INTERVAL", "1h");
    let daemon = site.start();
    let stream = Stream::start(site.address(), 4, 20_000, seed);
    let mut disk = Watch::default();
    daemon.wait_for("reading is stopped");
    wait_until("the disk is full", || disk.stands_still(spool_size(&site)) > 20);
    stream.kill(daemon);
    let daemon = site.start();
    let goal = stream.posted() + 1_000;
    mend(&store, &daemon, "it reads again", || stream.posted() >= goal);
    let sent = stream.finish();
    mend_and_drain(&store, &daemon, &site);
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
    daemon.wait_until_received(300);
    wait_until("enough is sealed", || site.spooled("events", "sealed").len() >= 5);
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
    assert!(events.join("000000009005.stuck").exists());
    let tally = check(&store, &[&site], &sent, &Rules { stuck: 1, ..Rules::default() });
    assert_eq!((tally.delivered, tally.spooled), (100, 0));
    assert!(events.join("notes.txt").exists() || site.data().join("damaged").is_dir());
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

/// 50 events that were delivered by a process that ended in order.
fn push_once(site: &Site, seed: u64) -> Vec<Session> {
    let daemon = site.start();
    let sent = push(site.address(), Factory::new(seed).events(50), 1, seed);
    assert_eq!(daemon.terminate().code(), Some(0));
    sent
}

/// Salvaged segments keep the checksum of what they were, so their metadata say something else.
fn loose() -> Rules {
    Rules { salvaged: true, ..Rules::default() }
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

fn stored_events(store: &Store) -> usize {
    let objects = store.objects("xml-events/");
    objects.iter().map(|o| String::from_utf8_lossy(&o.bytes).matches("</EVENT>").count()).sum()
}
