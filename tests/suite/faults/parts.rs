//! What the drills have in common: two sites, a store that is mended, the end of a drill.

use crate::support::appliance::{Factory, Session, push};
use crate::support::check::{Rules, Tally, check};
use crate::support::process::{Daemon, Site, wait_until};
use crate::support::store::Store;
use rustix::process::Signal;
use std::time::{Duration, Instant};

/// Somebody mends the store and says so, with SIGHUP, until something comes true. Once is not
/// always enough: a try that was in the air meanwhile fails and waits anew.
pub fn mend(store: &Store, daemon: &Daemon, what: &str, mut done: impl FnMut() -> bool) {
    store.heal();
    let mut said: Option<Instant> = None;
    wait_until(what, || {
        if said.is_none_or(|at| at.elapsed() > Duration::from_secs(1)) {
            daemon.signal(Signal::HUP);
            said = Some(Instant::now());
        }
        done()
    });
}

pub fn mend_and_drain(store: &Store, daemon: &Daemon, site: &Site) {
    mend(store, daemon, "the spool is drained", || site.drained());
}

pub fn small_site(store: &Store) -> Site {
    let mut site = Site::new(store);
    site.set("MAX_FILE_SIZE", "300000");
    site
}

/// Lets everything land, ends the program in order, and checks.
pub fn drain_and_check(
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

pub fn drain_all(
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
pub fn neighbours(store: &Store) -> Vec<Site> {
    ["site-1", "site-2"]
        .map(|name| {
            let mut site = Site::new(store);
            site.set("INSTANCE_ID", name).set("MAX_FILE_SIZE", "4096");
            site
        })
        .into()
}

/// So many events to each site, all at the same time.
pub fn crowd(sites: &[Site], events: usize, seed: u64) -> Vec<Session> {
    let pushing = |(site, n): (&Site, u64)| {
        let (to, events) = (site.address(), Factory::new(seed + n).events(events));
        std::thread::spawn(move || push(to, events, 2, seed + n))
    };
    let threads: Vec<_> = sites.iter().zip(0..).map(pushing).collect();
    threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
}

pub fn small_files() -> Rules {
    Rules { max_file_size: 300_000, ..Rules::default() }
}

pub fn uploads(store: &Store) -> usize {
    let seen = store.requests();
    seen.iter().filter(|r| r.method == "PUT" && r.key.starts_with("xml-events/")).count()
}
