//! A store that refuses, hangs or is away: it is said what to do, and everything lands in the end.

use super::*;

#[test]
fn whoever_mended_the_store_need_not_wait() {
    let (store, shelf) = (Store::start(), Shelf::new("a"));
    store.fault(Rule::always(Fault::Denied));
    for number in 1..=6 {
        shelf.seal(Lane::Events, number, XML);
    }
    let pace = Pace { cap: Duration::from_secs(3600), ..quick() };
    let mut house = House::with(&shelf, s3(&store, "xml-events/"), pace);
    until("all that are tried wait", || {
        let lane = &house.uploader.status().lanes[0];
        (lane.in_flight, lane.waiting) == (0, 4)
    });
    store.heal();
    house.uploader.hurry();
    for _ in 1..=6 {
        house.next_landed();
    }
}

#[test]
fn a_policy_that_forbids_the_quarantine_holds_back_nothing_else() {
    let (store, shelf) = (Store::start(), Shelf::new("a"));
    store.fault(Rule::always(Fault::Denied).at("xml-events-quarantine/"));
    for number in 1..=8 {
        shelf.seal(Lane::Quarantine, number, b"{}\n");
    }
    let mut house = House::open(&shelf, s3(&store, "xml-events/"));
    until("refused", || house.uploader.status().lanes[1].mood == Mood::Refusing);
    for number in 1..=8 {
        shelf.seal(Lane::Events, number, XML);
    }
    for _ in 1..=8 {
        assert_eq!(house.next_landed().lane, Lane::Events);
    }
    assert!(keys(&store, "xml-events/").iter().all(|key| !key.contains("events-")));
    assert_eq!(keys(&store, "xml-events/").len(), 8, "under their plain names");
    let status = house.uploader.status();
    assert_eq!(status.lanes[0].since, None);
    assert!(status.lanes[1].since.is_some());
    let words = status.lanes[1].last_error.clone().unwrap();
    assert!(words.contains("s3:PutObject") && words.contains("403"), "{words}");

    store.heal();
    house.drained();
    assert_eq!(keys(&store, "xml-events-quarantine/").len(), 8);
    assert_eq!(house.uploader.status().since, None);
}

#[test]
fn a_store_that_hangs_is_cut_off_and_tried_again() {
    let (store, shelf) = (Store::start(), Shelf::new("a"));
    store.fault(Rule::always(Fault::HangInBody).puts().at("xml-events/").times(4));
    for number in 1..=4 {
        shelf.seal(Lane::Events, number, XML);
    }
    let pace = Pace { cut_off: Duration::from_millis(300), ..quick() };
    let house = House::with(&shelf, s3(&store, "xml-events/"), pace);
    house.drained();
    assert_eq!(keys(&store, "xml-events/").len(), 4);
    let words = house.uploader.status().last_error.unwrap();
    assert!(words.contains("did not answer within"), "{words}");
}

#[test]
fn every_refusal_says_what_to_do() {
    let table = [
        (Fault::NoSuchBucket, "the bucket does not exist"),
        (Fault::ClockSkew, "clock is wrong"),
        (Fault::WrongRegion, "set AWS_REGION=eu-central-1"),
        (Fault::Moved, "set AWS_REGION=eu-central-1"),
        (Fault::KmsDisabled, "kms:GenerateDataKey"),
        (Fault::Denied, "s3:PutObject"),
    ];
    for (fault, expected) in table {
        let (store, shelf) = (Store::start(), Shelf::new("a"));
        store.fault(Rule::always(fault.clone()).puts());
        shelf.seal(Lane::Events, 1, XML);
        let house = House::open(&shelf, s3(&store, "xml-events/"));
        until("refused", || house.uploader.status().lanes[0].mood == Mood::Refusing);
        let words = house.uploader.status().last_error.unwrap();
        assert!(words.contains(expected), "{fault:?}: {words}");
        store.heal();
        house.drained();
        assert_eq!(keys(&store, "xml-events/"), ["xml-events/20260301_040507.xml"], "{fault:?}");
    }
}

#[test]
fn what_passes_is_no_refusal_and_everything_lands() {
    let table =
        [Fault::SlowDown, Fault::Internal, Fault::Reset, Fault::Conflict, Fault::HalfAnswer];
    for fault in table {
        let (store, shelf) = (Store::start(), Shelf::new("a"));
        store.fault(Rule::always(fault.clone()).puts().every(2));
        for number in 1..=6 {
            shelf.seal(Lane::Events, number, XML);
        }
        let house = House::open(&shelf, s3(&store, "xml-events/"));
        house.drained();
        assert_eq!(keys(&store, "xml-events/").len(), 6, "{fault:?}");
        assert_eq!(store.rewritten(), [], "{fault:?}");
        assert_eq!(house.uploader.status().since, None);
    }
}

#[test]
fn a_store_that_is_away_is_not_hammered_and_memory_does_not_grow_with_the_backlog() {
    let (store, shelf) = (Store::start(), Shelf::new("a"));
    for number in 1..=2000 {
        shelf.seal(Lane::Events, number, XML);
    }
    store.fault(Rule::always(Fault::SlowDown));
    let pace = Pace { cap: Duration::from_secs(1), ..quick() };
    let house = House::with(&shelf, s3(&store, "xml-events/"), pace);
    until("away", || house.uploader.status().lanes[0].mood == Mood::Away);
    until("tried again", || house.uploader.status().lanes[0].failed_tries > 12);
    let status = house.uploader.status();
    assert!(status.waiting + status.in_flight <= 6, "{status:?}");
    store.heal();
    house.drained();
    assert_eq!(keys(&store, "xml-events/").len(), 2000);
}
