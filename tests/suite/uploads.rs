//! The uploader against a real S3 server and real folders: one object for each segment, whatever
//! the store does, and never one over another.
//!
//! The spool is in memory here ([`shelf`]), so that each test sees the order of its steps. A
//! "crash" is the uploader dropped in the middle and another one started over the same spool.

mod shelf;

use crate::support::store::{ACCESS_KEY, BUCKET, Fault, Rule, SECRET_KEY, Seen, Store};
use shelf::Shelf;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::runtime::Runtime;
use tokio::sync::watch;
use xml_stream_aggregator::spool::Lane;
use xml_stream_aggregator::spool::manifest::Form;
use xml_stream_aggregator::upload::status::Mood;
use xml_stream_aggregator::upload::{
    Destination, DestinationOptions, Landed, Options, Pace, Uploader,
};

const XML: &[u8] = b"<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<EVENTS>\n<EVENT/>\n</EVENTS>\n";
const LONG: Duration = Duration::from_secs(20);

fn quick() -> Pace {
    let base = Duration::from_millis(5);
    let cap = Duration::from_millis(50);
    Pace { base, cap, cut_off: Duration::from_secs(5), bytes_per_second: 1 << 20 }
}

fn s3(store: &Store, prefix: &str) -> DestinationOptions {
    let mut options = DestinationOptions::bucket(BUCKET, prefix);
    options.aws.endpoint = Some(store.url());
    options.aws.access_key_id = Some(ACCESS_KEY.into());
    options.aws.secret_access_key = Some(SECRET_KEY.to_owned().into());
    options.aws.secrets_dir = "/nowhere".into();
    options
}

/// A running uploader.
struct House {
    uploader: Arc<Uploader>,
    landed: tokio::sync::broadcast::Receiver<Landed>,
    stop: watch::Sender<bool>,
    runtime: Runtime,
}

impl House {
    fn open(shelf: &Arc<Shelf>, destination: DestinationOptions) -> Self {
        Self::with(shelf, destination, quick())
    }

    fn with(shelf: &Arc<Shelf>, destination: DestinationOptions, pace: Pace) -> Self {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
        let runtime = runtime.unwrap();
        let options = Options { instance: shelf.id.into(), pace, ..Options::default() };
        let destination = Destination::new(destination).unwrap();
        let uploader = Uploader::new(options, shelf.clone(), destination);
        let (stop, stopped) = watch::channel(false);
        let landed = uploader.landed();
        runtime.spawn(uploader.clone().run(stopped));
        Self { uploader, landed, stop, runtime }
    }

    /// Waits until everything has landed.
    fn drained(&self) {
        assert!(self.runtime.block_on(self.uploader.drain(LONG)), "{:?}", self.uploader.status());
    }

    fn next_landed(&mut self) -> Landed {
        let landed = &mut self.landed;
        let next = async { tokio::time::timeout(LONG, landed.recv()).await };
        self.runtime.block_on(next).unwrap().unwrap()
    }

    /// The process dies: nothing more is done, nothing is cleaned up.
    fn crash(self) {
        self.stop.send(true).unwrap();
        self.runtime.shutdown_timeout(Duration::from_secs(5));
    }
}

/// Waits for a condition that nothing announces.
fn until(what: &str, condition: impl Fn() -> bool) {
    let start = std::time::Instant::now();
    while !condition() {
        assert!(start.elapsed() < LONG, "never: {what}");
        std::thread::sleep(Duration::from_millis(2));
    }
}

fn keys(store: &Store, prefix: &str) -> Vec<String> {
    let objects = store.objects(prefix).into_iter();
    objects.map(|object| object.key).filter(|key| !key.ends_with(".probe")).collect()
}

fn requests(store: &Store, method: &str, prefix: &str) -> Vec<Seen> {
    let all = store.requests().into_iter();
    all.filter(|seen| seen.method == method && seen.key.starts_with(prefix)).collect()
}

#[test]
fn a_sealed_segment_becomes_one_object_with_its_name_and_metadata() {
    let (store, shelf) = (Store::start(), Shelf::new("a"));
    shelf.seal(Lane::Events, 7, XML);
    shelf.seal(Lane::Quarantine, 1, b"{}\n");
    let house = House::open(&shelf, s3(&store, "xml-events/"));
    house.drained();

    let objects = store.objects("xml-events/");
    assert_eq!(keys(&store, "xml-events/"), ["xml-events/20260301_040513.xml"]);
    assert_eq!(objects[0].bytes, XML);
    let (kind, encoding) = &objects[0].content;
    assert_eq!((kind.as_deref(), encoding), (Some("application/xml"), &None));
    let metadata = &objects[0].metadata;
    assert_eq!(metadata["segment"], "a-events-000000000007");
    assert_eq!(metadata["event-count"], "1");
    assert_eq!(metadata["first-received"], shelf::SEALED_AT);
    assert_eq!(metadata["last-received"], shelf::SEALED_AT);
    assert_eq!(metadata["instance"], "a");
    assert!(metadata["producer"].starts_with("xml-stream-aggregator/"));
    assert_eq!(metadata["checksum"].len(), 16);
    let quarantine = ["xml-events-quarantine/20260301_040507.ndjson"];
    assert_eq!(keys(&store, "xml-events-quarantine/"), quarantine);

    assert!(shelf.is_empty());
    let log: Vec<_> = shelf.log().into_iter().filter(|l| l.contains("events")).collect();
    assert_eq!(log, ["manifest events 7", "retire events 7"], "written down, then retired");
    let status = house.uploader.status();
    assert_eq!((status.lanes[0].objects, status.lanes[1].objects), (1, 1));
    assert_eq!(status.since, None);
}

#[test]
fn what_is_sealed_later_follows_oldest_first() {
    let (store, shelf) = (Store::start(), Shelf::new("a"));
    let mut house = House::open(&shelf, s3(&store, "xml-events/"));
    for number in [1, 2, 3] {
        shelf.seal(Lane::Events, number, XML);
        let landed = house.next_landed();
        assert!(landed.object.ends_with(&format!("xml-events/20260301_04050{}.xml", 6 + number)));
        assert_eq!((landed.items, landed.bytes, landed.was_there), (1, XML.len() as u64, false));
    }
}

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

#[test]
fn a_new_destination_gets_what_was_never_tried_and_not_what_has_landed() {
    let (store, shelf) = (Store::start(), Shelf::new("a"));
    store.fault(Rule::always(Fault::HangInAnswer).puts().at("old/20260301_040507").times(1));
    store.fault(Rule::always(Fault::HangInBody).puts().at("old/20260301_040508").times(1));
    shelf.seal(Lane::Events, 1, XML);
    shelf.seal(Lane::Events, 2, XML);
    let house = House::open(&shelf, s3(&store, "old/"));
    until("stored", || keys(&store, "old/").len() == 1);
    until("under way", || requests(&store, "PUT", "old/").len() == 2);
    house.crash();
    shelf.seal(Lane::Events, 3, XML);

    let house = House::open(&shelf, s3(&store, "new/"));
    house.drained();
    assert_eq!(keys(&store, "old/"), ["old/20260301_040507.xml"]);
    let moved = ["new/20260301_040508.xml", "new/20260301_040509.xml"];
    assert_eq!(keys(&store, "new/"), moved);
    assert!(shelf.is_empty());
}

#[test]
fn while_the_old_destination_gives_no_answer_its_segments_wait_and_the_others_go_on() {
    let (store, shelf) = (Store::start(), Shelf::new("a"));
    let other = Store::start();
    store.fault(Rule::always(Fault::HangInBody).puts().at("xml-events/"));
    for number in 1..=4 {
        shelf.seal(Lane::Events, number, XML);
    }
    let house = House::open(&shelf, s3(&store, "xml-events/"));
    until("tried", || requests(&store, "PUT", "xml-events/").len() == 4);
    house.crash();
    store.go_away();
    for number in 5..=12 {
        shelf.seal(Lane::Events, number, XML);
    }

    // The same bucket name at another address is another place.
    let mut house = House::open(&shelf, s3(&other, "xml-events/"));
    for _ in 5..=12 {
        house.next_landed();
    }
    assert_eq!(keys(&other, "xml-events/").len(), 8);
    let words = house.uploader.status().last_error.unwrap();
    assert!(words.contains("set the destination back"), "{words}");

    store.heal();
    house.drained();
    assert_eq!(keys(&other, "xml-events/").len(), 12);
    assert!(keys(&store, "xml-events/").is_empty());
}

/// An outage of an hour leaves 64 segments behind that were tried; if their store never comes back,
/// they must not be all that is ever looked at.
#[test]
fn many_segments_that_wait_for_an_old_destination_hold_back_nobody() {
    let (store, shelf) = (Store::start(), Shelf::new("a"));
    let other = Store::start();
    store.fault(Rule::always(Fault::HangInBody).puts().at("xml-events/"));
    shelf.seal(Lane::Events, 1, XML);
    let house = House::open(&shelf, s3(&store, "xml-events/"));
    until("tried", || requests(&store, "PUT", "xml-events/").len() == 1);
    house.crash();
    store.go_away();
    for number in 2..=100 {
        shelf.seal(Lane::Events, number, XML);
        let mut slots = shelf.slots.lock().unwrap();
        let tried = slots[&(Lane::Events, 1)].manifest.tried.clone();
        slots.get_mut(&(Lane::Events, number)).unwrap().manifest.tried = tried;
    }
    shelf.seal(Lane::Events, 101, XML);

    let mut house = House::open(&shelf, s3(&other, "xml-events/"));
    house.next_landed();
    assert_eq!(keys(&other, "xml-events/").len(), 1);
    store.heal();
    house.drained();
    assert_eq!(keys(&other, "xml-events/").len(), 101);
}

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

#[test]
fn a_manifest_object_lies_outside_the_loaded_prefix() {
    let (store, shelf) = (Store::start(), Shelf::new("a"));
    let form = Form { manifest_object: true, date_folders: true, ..Form::default() };
    let file = b"<EVENTS><EVENT><plasectrxRecdateUTC>20140610125028Z</plasectrxRecdateUTC></EVENT></EVENTS>";
    shelf.seal_at(Lane::Events, 1, 0, file, form);
    store.fault(Rule::always(Fault::Reset).puts().at("xml-events-manifests/").times(2));
    let house = House::open(&shelf, s3(&store, "xml-events/"));
    house.drained();
    let objects = store.objects("xml-events-manifests/");
    assert_eq!(objects.len(), 1);
    assert_eq!(objects[0].key, "xml-events-manifests/2026/03/01/20260301_040506.json");
    let said: serde_json::Value = serde_json::from_slice(&objects[0].bytes).unwrap();
    assert_eq!(said["object"], format!("s3://{BUCKET}/xml-events/2026/03/01/20260301_040506.xml"));
    assert_eq!(said["event_count"], 1);
    assert_eq!(said["bytes"], file.len());
    assert_eq!(said["first_recdate_utc"], "20140610125028Z");
    assert_eq!(said["peers"][0], "192.0.2.1");
    assert_eq!(store.objects("xml-events/").len(), 1);
    assert_eq!(store.rewritten(), []);
}

#[test]
fn draining_ends_in_time_and_leaves_the_rest_in_the_spool() {
    let (store, shelf) = (Store::start(), Shelf::new("a"));
    store.fault(Rule::always(Fault::HangInBody).puts().at("xml-events/20260301_040508"));
    shelf.seal(Lane::Events, 1, XML);
    shelf.seal(Lane::Events, 2, XML);
    let house = House::open(&shelf, s3(&store, "xml-events/"));
    let is_done = house.runtime.block_on(house.uploader.drain(Duration::from_millis(500)));
    assert!(!is_done);
    house.crash();
    assert!(shelf.manifest_of(Lane::Events, 1).is_none());
    assert!(shelf.manifest_of(Lane::Events, 2).is_some());
}

#[test]
fn a_folder_gets_whole_files_with_siblings_for_the_rest() {
    let dir = tempfile::tempdir().unwrap();
    for name in ["out", "with space", "per%20cent", "ha#sh~", "ünï"] {
        let shelf = Shelf::new("a");
        shelf.seal(Lane::Events, 1, XML);
        shelf.seal(Lane::Quarantine, 1, b"{}\n");
        let folder = dir.path().join(name);
        let mut house = House::open(&shelf, DestinationOptions::new(folder.to_str().unwrap()));
        let landed = [house.next_landed(), house.next_landed()];
        house.drained();
        let file = folder.join("20260301_040507.xml");
        assert_eq!(std::fs::read(&file).unwrap(), XML);
        assert!(landed.iter().any(|l| Path::new(&l.object) == file), "{landed:?}");
        let beside = dir.path().join(format!("{name}-quarantine/20260301_040507.ndjson"));
        assert_eq!(std::fs::read(beside).unwrap(), b"{}\n");
        assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 1, "nothing unfinished");
    }
}

#[test]
fn a_folders_own_file_is_known_again_and_a_strangers_is_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().join("out");
    let options = || DestinationOptions::new(folder.to_str().unwrap());
    let shelf = Shelf::new("a");
    shelf.failing.lock().unwrap().extend(["retire"; 1000]);
    shelf.seal(Lane::Events, 1, XML);
    let house = House::open(&shelf, options());
    until("stored", || folder.join("20260301_040507.xml").exists());
    house.crash();
    shelf.failing.lock().unwrap().clear();
    std::fs::write(folder.join("20260301_040507.xml#1"), b"half").unwrap();
    std::fs::write(folder.join("20260301_040508.xml"), b"a stranger's").unwrap();
    shelf.seal(Lane::Events, 2, XML);

    let house = House::open(&shelf, options());
    house.drained();
    let mut names: Vec<_> = std::fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    let expected = ["20260301_040507.xml", "20260301_040508.xml", "20260301_040508_001.xml"];
    assert_eq!(names, expected);
    assert_eq!(std::fs::read(folder.join("20260301_040508.xml")).unwrap(), b"a stranger's");
}

#[test]
fn a_folder_that_cannot_be_written_is_said_and_healed() {
    let dir = tempfile::tempdir().unwrap();
    let in_the_way = dir.path().join("out");
    std::fs::write(&in_the_way, b"a file").unwrap();
    let shelf = Shelf::new("a");
    shelf.seal(Lane::Events, 1, XML);
    let house = House::open(&shelf, DestinationOptions::new(in_the_way.to_str().unwrap()));
    until("refused", || house.uploader.status().lanes[0].mood == Mood::Refusing);
    let words = house.uploader.status().last_error.unwrap();
    assert!(words.contains("correct DESTINATION"), "{words}");
    std::fs::remove_file(&in_the_way).unwrap();
    house.drained();
    assert!(in_the_way.join("20260301_040507.xml").exists());
}
