//! A spool that fails under the uploads: damaged segments, unusable manifests, a disk in trouble.

use super::*;

#[test]
fn a_damaged_segment_that_has_landed_is_retired() {
    let (store, shelf) = (Store::start(), Shelf::new("a"));
    store.fault(Rule::always(Fault::HangInAnswer).puts().at("xml-events/").times(1));
    shelf.seal(Lane::Events, 1, XML);
    let house = House::open(&shelf, s3(&store, "xml-events/"));
    until("stored", || !keys(&store, "xml-events/").is_empty());
    house.crash();
    shelf.damage(Lane::Events, 1);

    let house = House::open(&shelf, s3(&store, "xml-events/"));
    house.drained();
    assert_eq!(keys(&store, "xml-events/").len(), 1);
    assert_eq!(shelf.log(), ["manifest events 1", "retire events 1"]);
}

#[test]
fn a_damaged_segment_is_salvaged_only_after_the_store_has_answered() {
    let (store, shelf) = (Store::start(), Shelf::new("a"));
    store.fault(Rule::always(Fault::HangInBody).puts().at("xml-events/").times(1));
    shelf.seal(Lane::Events, 1, XML);
    let house = House::open(&shelf, s3(&store, "xml-events/"));
    until("tried", || !requests(&store, "PUT", "xml-events/").is_empty());
    house.crash();
    shelf.damage(Lane::Events, 1);
    store.fault(Rule::always(Fault::Denied).heads().at("xml-events/"));

    let house = House::open(&shelf, s3(&store, "xml-events/"));
    until("asked", || requests(&store, "HEAD", "xml-events/").len() > 2);
    assert!(!shelf.log().contains(&"salvage events 1".to_owned()));
    store.heal();
    house.drained();
    assert_eq!(shelf.log(), ["manifest events 1", "salvage events 1", "retire events 1"]);
    assert_eq!(store.objects("xml-events/")[0].bytes, XML);
}

#[test]
fn a_segment_whose_manifest_is_unusable_is_set_aside_and_the_rest_goes_on() {
    let (store, shelf) = (Store::start(), Shelf::new("a"));
    shelf.seal(Lane::Events, 1, XML);
    shelf.seal(Lane::Events, 2, XML);
    shelf.slots.lock().unwrap().get_mut(&(Lane::Events, 1)).unwrap().manifest.sealed = None;
    let house = House::open(&shelf, s3(&store, "xml-events/"));
    house.drained();
    assert!(shelf.log().contains(&"stuck events 1".to_owned()));
    assert_eq!(keys(&store, "xml-events/").len(), 1);
    assert_eq!(house.uploader.status().lanes[0].stuck, 1);
}

#[test]
fn a_disk_that_fails_at_the_retiring_does_not_send_the_object_again() {
    let (store, shelf) = (Store::start(), Shelf::new("a"));
    shelf.failing.lock().unwrap().extend(["retire", "retire"]);
    shelf.seal(Lane::Events, 1, XML);
    let house = House::open(&shelf, s3(&store, "xml-events/"));
    house.drained();
    assert_eq!(requests(&store, "PUT", "xml-events/").len(), 1);
    assert_eq!(shelf.log().iter().filter(|line| line.starts_with("retire")).count(), 3);
}
