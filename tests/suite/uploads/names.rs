//! One segment, one object, one name: whatever answer is lost, whoever else uses the bucket.

use super::*;

#[test]
fn a_lost_answer_leaves_one_object_under_one_name() {
    for fault in [Fault::LoseAnswer, Fault::HalfAnswer, Fault::NoETag] {
        let (store, shelf) = (Store::start(), Shelf::new("a"));
        store.fault(Rule::always(fault.clone()).puts().at("xml-events/").times(1));
        shelf.seal(Lane::Events, 1, XML);
        let mut house = House::open(&shelf, s3(&store, "xml-events/"));
        assert!(house.next_landed().was_there, "{fault:?}");
        house.drained();
        assert_eq!(keys(&store, "xml-events/"), ["xml-events/20260301_040507.xml"], "{fault:?}");
        assert_eq!(store.rewritten(), []);
    }
}

#[test]
fn a_crash_between_stored_and_retired_leaves_one_object() {
    let (store, shelf) = (Store::start(), Shelf::new("a"));
    store.fault(Rule::always(Fault::HangInAnswer).puts().at("xml-events/").times(1));
    shelf.seal(Lane::Events, 1, XML);
    let house = House::open(&shelf, s3(&store, "xml-events/"));
    until("stored", || !keys(&store, "xml-events/").is_empty());
    house.crash();
    assert!(!shelf.is_empty());

    let mut house = House::open(&shelf, s3(&store, "xml-events/"));
    assert!(house.next_landed().was_there);
    house.drained();
    assert_eq!(keys(&store, "xml-events/"), ["xml-events/20260301_040507.xml"]);
    assert_eq!(store.rewritten(), []);
}

#[test]
fn a_put_that_commits_late_keeps_its_name() {
    // PUT 1 is lost here and still under way there; PUT 2 meets 409, its HEAD 404.
    let (store, shelf) = (Store::start(), Shelf::new("a"));
    let late = Fault::CommitLate(Duration::from_millis(300));
    store.fault(Rule::always(late).puts().at("xml-events/").times(1));
    shelf.seal(Lane::Events, 1, XML);
    let house = House::open(&shelf, s3(&store, "xml-events/"));
    house.drained();
    assert_eq!(keys(&store, "xml-events/"), ["xml-events/20260301_040507.xml"]);
    assert_eq!(store.rewritten(), []);
    let refused = requests(&store, "PUT", "xml-events/").iter().any(|r| r.status == Some(409));
    assert!(refused, "the drill did not reach the 409");
    assert!(requests(&store, "HEAD", "xml-events/").iter().any(|r| r.status == Some(404)));
}

#[test]
fn a_head_that_is_refused_changes_no_name() {
    let (store, shelf) = (Store::start(), Shelf::new("a"));
    store.fault(Rule::always(Fault::LoseAnswer).puts().at("xml-events/").times(1));
    store.fault(Rule::always(Fault::Denied).heads().at("xml-events/").times(3));
    shelf.seal(Lane::Events, 1, XML);
    let house = House::open(&shelf, s3(&store, "xml-events/"));
    house.drained();
    assert_eq!(keys(&store, "xml-events/"), ["xml-events/20260301_040507.xml"]);
    assert_eq!(shelf.log(), ["manifest events 1", "retire events 1"]);
    let words = house.uploader.status().last_error.unwrap();
    assert!(words.contains("s3:GetObject"), "{words}");
}

#[test]
fn two_instances_with_the_same_names_never_meet() {
    let store = Store::start();
    let houses: Vec<_> = ["a", "b", "c"]
        .into_iter()
        .map(|id| {
            let shelf = Shelf::new(id);
            for number in 1..=10 {
                let body = format!("<EVENTS><EVENT>{id}{number}</EVENT></EVENTS>");
                shelf.seal(Lane::Events, number, body.as_bytes());
            }
            (House::open(&shelf, s3(&store, "xml-events/")), shelf)
        })
        .collect();
    for (house, shelf) in &houses {
        house.drained();
        assert!(shelf.is_empty());
    }
    assert_eq!(store.rewritten(), []);
    let mut segments: Vec<_> = store
        .objects("xml-events/")
        .into_iter()
        .map(|object| object.metadata["segment"].clone())
        .collect();
    segments.sort();
    segments.dedup();
    assert_eq!(segments.len(), 30);
    let last = "xml-events/20260301_040516_002.xml".to_owned();
    assert!(keys(&store, "xml-events/").contains(&last));
}

#[test]
fn a_clock_set_back_to_a_second_that_was_used_gets_the_next_name() {
    let (store, shelf) = (Store::start(), Shelf::new("a"));
    let house = House::open(&shelf, s3(&store, "xml-events/"));
    for number in 1..=3 {
        let body = format!("<EVENTS><EVENT>{number}</EVENT></EVENTS>");
        shelf.seal_at(Lane::Events, number, 1, body.as_bytes(), Form::default());
        house.drained();
    }
    let stems = ["20260301_040507", "20260301_040507_001", "20260301_040507_002"];
    assert_eq!(keys(&store, "xml-events/"), stems.map(|stem| format!("xml-events/{stem}.xml")));
    assert_eq!(store.rewritten(), []);
}

#[test]
fn a_new_name_is_written_down_before_it_is_used() {
    let (store, shelf) = (Store::start(), Shelf::new("a"));
    store.plant("xml-events/20260301_040507.xml", b"x", &[("segment", "somebody")]);
    store.plant("xml-events/20260301_040507_001.xml", b"x", &[]);
    shelf.seal(Lane::Events, 1, XML);
    let house = House::open(&shelf, s3(&store, "xml-events/"));
    house.drained();
    assert!(keys(&store, "xml-events/").contains(&"xml-events/20260301_040507_002.xml".into()));
    let expected = ["manifest events 1", "manifest events 1", "retire events 1"];
    assert_eq!(shelf.log(), expected);
    assert_eq!(store.objects("xml-events/20260301_040507.xml")[0].bytes, b"x");
}

#[test]
fn a_copied_data_dir_gets_the_next_name() {
    let (store, shelf) = (Store::start(), Shelf::new("a"));
    let planted = [("segment", "a-events-000000000001"), ("checksum", "0000000000000000")];
    store.plant("xml-events/20260301_040507.xml", b"other", &planted);
    shelf.seal(Lane::Events, 1, XML);
    let house = House::open(&shelf, s3(&store, "xml-events/"));
    house.drained();
    assert_eq!(keys(&store, "xml-events/").len(), 2);
    assert_eq!(store.objects("xml-events/20260301_040507.xml")[0].bytes, b"other");
}

#[test]
fn where_the_probe_is_forbidden_a_store_without_conditions_is_still_found_out() {
    let (store, shelf) = (Store::start(), Shelf::new("a"));
    store.fault(Rule::always(Fault::Denied).at("xml-events-quarantine/"));
    store.fault(Rule::always(Fault::IgnoreConditions).puts());
    store.plant("xml-events/20260301_040507.xml", b"x", &[]);
    shelf.seal(Lane::Events, 1, XML);
    let house = House::open(&shelf, s3(&store, "xml-events/"));
    house.drained();
    shelf.seal(Lane::Events, 2, XML);
    house.drained();
    assert_eq!(store.objects("xml-events/20260301_040507.xml")[0].bytes, b"x");
    let expected = [
        "xml-events/20260301_040507.xml",
        "xml-events/20260301_040507_001.xml",
        "xml-events/20260301_040508_a-events-000000000002.xml",
    ];
    assert_eq!(keys(&store, "xml-events/"), expected);
}

#[test]
fn a_store_without_conditions_gets_names_that_nobody_else_has() {
    for fault in [Fault::IgnoreConditions, Fault::RefuseConditions, Fault::DropMetadata] {
        let (store, shelf) = (Store::start(), Shelf::new("a"));
        store.fault(Rule::always(fault.clone()).puts());
        store.plant("xml-events/20260301_040507.xml", b"x", &[]);
        shelf.seal(Lane::Events, 1, XML);
        let house = House::open(&shelf, s3(&store, "xml-events/"));
        house.drained();
        let own = "xml-events/20260301_040507_a-events-000000000001.xml";
        assert_eq!(
            keys(&store, "xml-events/"),
            ["xml-events/20260301_040507.xml", own],
            "{fault:?}"
        );
        assert_eq!(store.objects("xml-events/20260301_040507.xml")[0].bytes, b"x");
        let first = store.requests().into_iter().find(|seen| seen.key == own).unwrap();
        assert_eq!(first.method, "HEAD", "asked before it is put");
    }
}

#[test]
fn a_lost_answer_of_a_store_without_conditions_is_not_sent_again() {
    let (store, shelf) = (Store::start(), Shelf::new("a"));
    store.fault(Rule::always(Fault::IgnoreConditions).puts().at("xml-events-quarantine/"));
    store.fault(Rule::always(Fault::LoseAnswer).puts().at("xml-events/").times(1));
    shelf.seal(Lane::Events, 1, XML);
    let house = House::open(&shelf, s3(&store, "xml-events/"));
    house.drained();
    assert_eq!(keys(&store, "xml-events/").len(), 1);
    assert_eq!(requests(&store, "PUT", "xml-events/").len(), 1);
}

/// Without metadata only the name can say whose an object is, and this one is nobody else's.
#[test]
fn a_crash_before_retiring_leaves_one_object_in_a_store_that_drops_metadata() {
    let (store, shelf) = (Store::start(), Shelf::new("a"));
    store.fault(Rule::always(Fault::DropMetadata).puts());
    shelf.failing.lock().unwrap().extend(["retire"; 100]);
    shelf.seal(Lane::Events, 1, XML);
    let house = House::open(&shelf, s3(&store, "xml-events/"));
    until("stored", || shelf.log().contains(&"retire events 1".to_owned()));
    house.crash();
    shelf.failing.lock().unwrap().clear();

    let house = House::open(&shelf, s3(&store, "xml-events/"));
    house.drained();
    assert!(shelf.is_empty());
    assert_eq!(
        keys(&store, "xml-events/"),
        ["xml-events/20260301_040507_a-events-000000000001.xml"]
    );
    assert_eq!(store.rewritten(), []);
}

#[test]
fn nothing_is_put_before_it_is_written_down() {
    let (store, shelf) = (Store::start(), Shelf::new("a"));
    shelf.failing.lock().unwrap().extend(["manifest"; 3]);
    shelf.seal(Lane::Events, 1, XML);
    let house = House::open(&shelf, s3(&store, "xml-events/"));
    house.drained();
    assert_eq!(requests(&store, "PUT", "xml-events/").len(), 1);
    assert_eq!(shelf.log().iter().filter(|line| line.starts_with("manifest")).count(), 4);
}
