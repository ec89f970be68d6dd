//! The uploader against a real S3 server and real folders: one object for each segment, whatever
//! the store does, and never one over another.
//!
//! The spool is in memory here ([`shelf`]), so that each test sees the order of its steps. A
//! "crash" is the uploader dropped in the middle and another one started over the same spool.

mod damage;
mod names;
mod places;
mod refusals;
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
use xml_stream_aggregator::upload::plan::{Kind, Prefixes};
use xml_stream_aggregator::upload::status::Mood;
use xml_stream_aggregator::upload::{
    Destination, DestinationOptions, Landed, Options, Pace, StoreOptions, Uploader,
};

const XML: &[u8] = b"<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<EVENTS>\n<EVENT/>\n</EVENTS>\n";
const LONG: Duration = Duration::from_secs(20);

fn quick() -> Pace {
    let base = Duration::from_millis(5);
    let cap = Duration::from_millis(50);
    Pace { base, cap, cut_off: Duration::from_secs(5), bytes_per_second: 1 << 20 }
}

fn s3(store: &Store, prefix: &str) -> DestinationOptions {
    let mut options = below(Kind::S3, BUCKET, prefix);
    let aws = &mut options.store.aws;
    aws.endpoint = Some(store.url());
    aws.access_key_id = Some(ACCESS_KEY.into());
    aws.secret_access_key = Some(SECRET_KEY.to_owned().into());
    aws.secrets_dir = "/nowhere".into();
    options
}

/// Four prefixes side by side, as the settings derive them.
fn below(kind: Kind, bucket: &str, events: &str) -> DestinationOptions {
    let beside = |what| format!("{}-{what}/", events.trim_end_matches('/'));
    let prefixes = Prefixes {
        events: events.into(),
        quarantine: beside("quarantine"),
        logs: beside("logs"),
        manifests: beside("manifests"),
    };
    DestinationOptions { store: StoreOptions::new(kind, bucket), prefixes }
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
        std::thread::sleep(Duration::from_millis(2)); // between two looks; the deadline fails above
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
