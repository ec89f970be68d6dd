//! Others write under the same prefix.

use super::parts::*;
use crate::support::appliance::{Factory, push, seed};
use crate::support::check::{Rules, check};
use crate::support::process::Site;
use crate::support::store::Store;

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
