//! The ground that the other tests stand on, tried first: the store is a store and fails when it
//! is told to, seen through `object_store`; the check finds what is wrong.

use crate::support::appliance::{Event, Factory, Session, push};
use crate::support::check::{Rules, Tally, check, check_name, examine};
use crate::support::process::{Site, wait_until};
use crate::support::store::{ACCESS_KEY, BUCKET, Fault, Rule, SECRET_KEY, Store};
use object_store::aws::{AmazonS3, AmazonS3Builder, S3ConditionalPut};
use object_store::path::Path;
use object_store::{
    Attribute, Attributes, ClientOptions, Error, GetOptions, ObjectStore, PutMode, PutOptions,
    PutResult, RetryConfig,
};
use std::time::Duration;

mod store {
    use super::*;

    #[test]
    fn an_object_comes_back_with_its_bytes_and_metadata() {
        let store = Store::start();
        run(async {
            let client = client(&store, SECRET_KEY);
            put(&client, "xml-events/a.xml", b"one").await.unwrap();
            assert_eq!(metadata(&client, "xml-events/a.xml").await.unwrap(), "seg-1");
        });
        let objects = store.objects("xml-events/");
        assert_eq!(objects.len(), 1);
        assert_eq!(objects[0].key, "xml-events/a.xml");
        assert_eq!(objects[0].bytes, b"one");
        assert_eq!(objects[0].metadata["segment"], "seg-1");
        assert_eq!(objects[0].content, (Some("application/xml".to_owned()), None));
    }

    #[test]
    fn a_wrong_signature_is_refused() {
        let store = Store::start();
        run(async {
            let refused = put(&client(&store, "another secret"), "a.xml", b"one").await;
            assert!(matches!(refused, Err(Error::PermissionDenied { .. })), "{refused:?}");
        });
        assert!(store.objects("").is_empty());
    }

    #[test]
    fn an_unknown_bucket_is_refused() {
        let store = Store::start();
        run(async {
            let client = builder(&store, SECRET_KEY).with_bucket_name("another").build().unwrap();
            let refused = put(&client, "a.xml", b"one").await;
            assert!(matches!(refused, Err(Error::NotFound { .. })), "{refused:?}");
        });
    }

    #[test]
    fn of_twenty_who_want_one_name_one_gets_it() {
        let store = Store::start();
        let won = run(async {
            let client = client(&store, SECRET_KEY);
            let tries = (0..20u8).map(|n| {
                let client = client.clone();
                tokio::spawn(async move { put(&client, "a.xml", &[n; 100_000]).await })
            });
            let tries: Vec<_> = tries.collect();
            let mut won = 0;
            for task in tries {
                match task.await.unwrap() {
                    Ok(_) => won += 1,
                    Err(error) => assert!(matches!(error, Error::AlreadyExists { .. }), "{error}"),
                }
            }
            won
        });
        assert_eq!(won, 1);
        assert!(store.rewritten().is_empty());
    }

    #[test]
    fn every_refusal_has_its_status_and_stores_nothing() {
        let table = [
            (Fault::Denied, 403),
            (Fault::NoSuchBucket, 404),
            (Fault::SlowDown, 503),
            (Fault::Internal, 500),
            (Fault::Conflict, 409),
            (Fault::ClockSkew, 403),
            (Fault::WrongRegion, 400),
            (Fault::Moved, 301),
            (Fault::KmsDisabled, 400),
            (Fault::RefuseConditions, 501),
        ];
        for (fault, status) in table {
            let store = Store::start();
            store.fault(Rule::always(fault.clone()));
            let refused = run(async { put(&client(&store, SECRET_KEY), "a.xml", b"one").await });
            assert!(refused.is_err(), "{fault:?}");
            assert_eq!(store.requests()[0].status, Some(status), "{fault:?}");
            assert!(store.objects("").is_empty(), "{fault:?}");
        }
    }

    #[test]
    fn a_rule_fits_the_requests_it_names() {
        let store = Store::start();
        store.fault(Rule::always(Fault::SlowDown).at("x/").puts().every(2));
        store.fault(Rule::always(Fault::Denied).at("y/").times(1));
        store.fault(Rule::always(Fault::Internal).heads());
        run(async {
            let client = client(&store, SECRET_KEY);
            let mut results = Vec::new();
            for key in ["x/1", "x/2", "x/3", "x/4", "y/1", "y/2"] {
                results.push(put(&client, key, b"one").await.is_ok());
            }
            assert_eq!(results, [true, false, true, false, false, true]);
            assert!(metadata(&client, "x/1").await.is_err());
            store.heal();
            metadata(&client, "x/1").await.unwrap();
        });
    }

    #[test]
    fn a_lost_answer_is_an_error_for_an_object_that_is_there() {
        for fault in [Fault::LoseAnswer, Fault::HalfAnswer] {
            let store = Store::start();
            store.fault(Rule::always(fault.clone()).puts().times(1));
            run(async {
                let client = client(&store, SECRET_KEY);
                assert!(put(&client, "a.xml", b"one").await.is_err(), "{fault:?}");
                assert_eq!(metadata(&client, "a.xml").await.unwrap(), "seg-1");
                let again = put(&client, "a.xml", b"one").await;
                assert!(matches!(again, Err(Error::AlreadyExists { .. })), "{again:?}");
            });
            assert_eq!(store.requests()[0].status, None);
        }
    }

    #[test]
    fn a_reset_stores_nothing() {
        let store = Store::start();
        store.fault(Rule::always(Fault::Reset));
        run(async {
            let failed = put(&client(&store, SECRET_KEY), "a.xml", &[0; 5_000_000]).await;
            assert!(failed.is_err());
        });
        assert!(store.objects("").is_empty());
    }

    #[test]
    fn a_hanging_store_answers_never() {
        for (fault, stored) in [(Fault::HangInBody, 0), (Fault::HangInAnswer, 1)] {
            let store = Store::start();
            store.fault(Rule::always(fault.clone()));
            run(async {
                let client = client(&store, SECRET_KEY);
                let waited = put(&client, "a.xml", &[0; 5_000_000]);
                let waited = tokio::time::timeout(Duration::from_secs(2), waited).await;
                assert!(waited.is_err(), "{fault:?}: {waited:?}");
            });
            assert_eq!(store.objects("").len(), stored, "{fault:?}");
        }
    }

    #[test]
    fn a_late_commit_is_not_there_and_in_the_way_until_it_is_there() {
        let store = Store::start();
        let late = Duration::from_secs(2);
        store.fault(Rule::always(Fault::CommitLate(late)).puts().times(1));
        run(async {
            let client = client(&store, SECRET_KEY);
            assert!(put(&client, "a.xml", b"one").await.is_err());
            let missing = metadata(&client, "a.xml").await;
            assert!(matches!(missing, Err(Error::NotFound { .. })), "{missing:?}");
            assert!(put(&client, "a.xml", b"one").await.is_err());
            assert_eq!(store.requests().last().unwrap().status, Some(409));
            assert!(store.objects("").is_empty());
        });
        wait_until("the late commit", || store.objects("").len() == 1);
        assert!(store.rewritten().is_empty());
    }

    #[test]
    fn an_old_server_overwrites_and_it_is_seen() {
        let store = Store::start();
        store.fault(Rule::always(Fault::IgnoreConditions));
        run(async {
            let client = client(&store, SECRET_KEY);
            put(&client, "a.xml", b"one").await.unwrap();
            put(&client, "a.xml", b"two").await.unwrap();
        });
        assert_eq!(store.rewritten(), [("a.xml".to_owned(), 2)]);
    }

    #[test]
    fn metadata_and_etag_are_dropped_on_demand() {
        let store = Store::start();
        store.fault(Rule::always(Fault::DropMetadata).at("a"));
        store.fault(Rule::always(Fault::NoETag).at("b"));
        run(async {
            let client = client(&store, SECRET_KEY);
            put(&client, "a.xml", b"one").await.unwrap();
            assert!(metadata(&client, "a.xml").await.is_none_or_missing());
            let answered = put(&client, "b.xml", b"one").await;
            assert!(answered.is_err(), "object_store wants an ETag: {answered:?}");
        });
        assert_eq!(store.requests().last().unwrap().status, Some(200));
        assert_eq!(store.objects("").len(), 2);
    }

    #[test]
    fn a_store_that_went_away_refuses_and_comes_back_on_its_port() {
        let store = Store::start();
        run(async {
            let client = client(&store, SECRET_KEY);
            put(&client, "a.xml", b"one").await.unwrap();
        });
        store.go_away();
        run(async {
            let client = client(&store, SECRET_KEY);
            assert!(put(&client, "b.xml", b"one").await.is_err());
        });
        store.heal();
        run(async {
            put(&client(&store, SECRET_KEY), "b.xml", b"one").await.unwrap();
        });
        assert_eq!(store.objects("").len(), 2);
    }

    #[test]
    fn a_slow_store_is_slow() {
        let store = Store::start();
        store.fault(Rule::always(Fault::Slow(Duration::from_millis(300))).at("a"));
        store.fault(Rule::always(Fault::Trickle(1_000_000)).at("b"));
        run(async {
            let client = client(&store, SECRET_KEY);
            for key in ["a.xml", "b.xml"] {
                let start = std::time::Instant::now();
                put(&client, key, &[0; 300_000]).await.unwrap();
                assert!(start.elapsed() >= Duration::from_millis(290), "{key}");
            }
        });
    }

    trait NoneOrMissing {
        fn is_none_or_missing(&self) -> bool;
    }

    impl NoneOrMissing for Result<String, Error> {
        fn is_none_or_missing(&self) -> bool {
            matches!(self, Ok(text) if text.is_empty())
        }
    }

    fn run<T>(what: impl Future<Output = T>) -> T {
        tokio::runtime::Runtime::new().unwrap().block_on(what)
    }

    fn builder(store: &Store, secret: &str) -> AmazonS3Builder {
        let _ = rustls::crypto::ring::default_provider().install_default();
        AmazonS3Builder::new()
            .with_bucket_name(BUCKET)
            .with_endpoint(store.url())
            .with_region("us-east-1")
            .with_access_key_id(ACCESS_KEY)
            .with_secret_access_key(secret)
            .with_conditional_put(S3ConditionalPut::ETagMatch)
            .with_client_options(ClientOptions::new().with_allow_http(true))
            .with_retry(RetryConfig { max_retries: 0, ..RetryConfig::default() })
    }

    fn client(store: &Store, secret: &str) -> AmazonS3 {
        builder(store, secret).build().unwrap()
    }

    async fn put(client: &AmazonS3, key: &str, bytes: &[u8]) -> Result<PutResult, Error> {
        let mut attributes = Attributes::new();
        attributes.insert(Attribute::ContentType, "application/xml".into());
        attributes.insert(Attribute::Metadata("segment".into()), "seg-1".into());
        let options = PutOptions { mode: PutMode::Create, attributes, ..PutOptions::default() };
        client.put_opts(&Path::from(key), bytes.to_vec().into(), options).await
    }

    /// The segment that a HEAD shows; empty if the object has no metadata.
    async fn metadata(client: &AmazonS3, key: &str) -> Result<String, Error> {
        let options = GetOptions { head: true, ..GetOptions::default() };
        let found = client.get_opts(&Path::from(key), options).await?;
        let value = found.attributes.get(&Attribute::Metadata("segment".into()));
        Ok(value.map(|value| value.to_string()).unwrap_or_default())
    }
}

mod the_check {
    use super::*;
    use xml_stream_aggregator::event::{FOOTER, HEADER};

    #[test]
    fn passes_what_is_right() {
        let (store, site) = (Store::start(), Site::bare());
        let events = Factory::new(1).malformed(3).events(12);
        lay(&store, "xml-events/", &name(0), &document(&events[..9]));
        lay(&store, "xml-events-quarantine/", "a.ndjson", &records(&events[..9]));
        spool(&site, "events/000000000002.open", &document(&events[9..])[..]);
        let sessions =
            [Session::of(events[..11].to_vec()), Session::in_kernel(events[11..].into())];
        // Of every three one is malformed: the 3rd and 9th can be mended, the 6th and 12th not.
        // The 12th is nowhere.
        let expected =
            Tally { delivered: 8, quarantined: 1, spooled: 2, unread: 1, objects: 1, strangers: 0 };
        assert_eq!(check(&store, &[&site], &sessions, &rules()), expected);
    }

    #[test]
    fn finds_a_lost_event() {
        let (store, site) = (Store::start(), Site::bare());
        let mut events = Factory::new(1).events(3);
        lay(&store, "xml-events/", &name(0), &document(&events[..2]));
        complains(&store, &site, Session::of(events.clone()), "is lost");
        events.swap(1, 2);
        complains(&store, &site, Session::in_kernel(events), "arrived, but not all before it");
    }

    #[test]
    fn finds_a_doubled_event() {
        let events = Factory::new(1).events(3);
        let (store, site) = (Store::start(), Site::bare());
        lay(&store, "xml-events/", &name(0), &document(&events));
        lay(&store, "xml-events/", &name(1), &document(&events[..1]));
        complains(&store, &site, Session::of(events.clone()), " is in xml-events/");
        let (store, site) = (Store::start(), Site::bare());
        lay(&store, "xml-events/", &name(0), &document(&events));
        spool(&site, "events/000000000002.sealed", &document(&events[..1]));
        complains(&store, &site, Session::of(events), " and /");
    }

    #[test]
    fn counts_a_segment_that_is_stored_and_not_yet_retired_once() {
        let events = Factory::new(1).events(3);
        let (store, site) = (Store::start(), Site::bare());
        store.plant(&format!("xml-events/{}", name(0)), &document(&events), &[("segment", "s-1")]);
        spool(&site, "events/000000000002.sealed", &document(&events));
        spool(&site, "events/000000000002.meta", br#"{"identity":"s-1"}"#);
        let tally = check(&store, &[&site], &[Session::of(events)], &rules());
        assert_eq!((tally.delivered, tally.spooled), (3, 0));
    }

    #[test]
    fn finds_two_objects_of_one_segment() {
        let events = Factory::new(1).events(2);
        let (store, site) = (Store::start(), Site::bare());
        for n in 0..2 {
            let key = format!("xml-events/{}", name(n));
            store.plant(&key, &document(&events[n..=n]), &[("segment", "s-1")]);
        }
        complains(&store, &site, Session::of(events), "are of one segment");
    }

    #[test]
    fn finds_changed_invented_and_misplaced_events() {
        let (store, site) = (Store::start(), Site::bare());
        let events = Factory::new(1).events(3);
        lay(&store, "xml-events/", &name(0), &document(&events));
        let mut changed = events.clone();
        changed[1].delivered.as_mut().unwrap()[7] = b'!';
        complains(&store, &site, Session::of(changed), "has other bytes in");
        complains(&store, &site, Session::of(events[..2].to_vec()), "nobody sent it");
        let mut refused = events;
        refused[2].delivered = None;
        complains(&store, &site, Session::of(refused), "the wrong kind of place");
    }

    #[test]
    fn finds_a_wrong_copy_in_the_quarantine() {
        let (store, site) = (Store::start(), Site::bare());
        let events = Factory::new(1).malformed(1).events(1);
        lay(&store, "xml-events/", &name(0), &document(&events));
        let mut other = events.clone();
        other[0].sent[7] = b'!';
        lay(&store, "xml-events-quarantine/", "a.ndjson", &records(&other));
        complains(&store, &site, Session::of(events), "its copy in the quarantine is wrong");
    }

    #[test]
    fn finds_a_broken_object() {
        let events = Factory::new(1).events(3);
        let whole = document(&events);
        let cases: [(&str, &[u8], &str); 6] = [
            ("xml-events/", &whole[..whole.len() - 12], "is not well-formed"),
            ("xml-events/", b"<EVENTS/>", "does not begin and end as agreed"),
            ("xml-events/", &[HEADER, FOOTER].concat(), "holds no event"),
            ("elsewhere/", &whole, "is outside of the agreed prefixes"),
            ("xml-events/2026/", &whole, "is in the wrong folder"),
            ("xml-events/", &vec![b' '; 2_000_000], "more than allowed"),
        ];
        for (prefix, bytes, expected) in cases {
            let (store, site) = (Store::start(), Site::bare());
            lay(&store, prefix, &name(0), bytes);
            complains(&store, &site, Session::of(events.clone()), expected);
        }
    }

    #[test]
    fn finds_a_ledger_that_says_something_else() {
        let store = Store::start();
        let site = Site::new(&store);
        let daemon = site.start();
        let sent = push(site.address(), Factory::new(1).events(20), 1, 1);
        site.wait_until_drained();
        assert_eq!(daemon.terminate().code(), Some(0));
        examine(&store, &[&site], &sent, &Rules::default()).unwrap();
        // As if the program had never delivered what it counted.
        store.objects("xml-events/").iter().for_each(|object| store.uproot(&object.key));
        let problems = examine(&store, &[&site], &[], &Rules::default()).unwrap_err();
        assert!(problems.iter().any(|p| p.contains("counts more")), "{problems:?}");
        assert!(problems.iter().any(|p| p.contains("as delivered")), "{problems:?}");
        // A count that does not balance.
        let ledger = std::fs::read_to_string(site.data().join("ledger")).unwrap();
        assert!(ledger.contains("\"received\": 20"), "{ledger}");
        let wrong = ledger.replacen("\"received\": 20", "\"received\": 21", 1);
        assert_ne!(ledger, wrong);
        std::fs::write(site.data().join("ledger"), wrong).unwrap();
        let problems = examine(&store, &[&site], &[], &Rules::default()).unwrap_err();
        assert!(problems.iter().any(|p| p.contains("the ledger says")), "{problems:?}");
    }

    #[test]
    fn finds_wrong_metadata() {
        let events = Factory::new(1).events(1);
        let (store, site) = (Store::start(), Site::bare());
        let key = format!("xml-events/{}", name(0));
        store.plant(&key, &document(&events), &[("segment", "s-1"), ("event-count", "7")]);
        let rules = Rules::default();
        let problems = examine(&store, &[&site], &[Session::of(events)], &rules).unwrap_err();
        let wanted = ["event-count is Some(\"7\") instead of 1", "checksum is None", "'producer'"];
        for wanted in wanted {
            assert!(problems.iter().any(|p| p.contains(wanted)), "{wanted}: {problems:?}");
        }
    }

    #[test]
    fn finds_a_wrong_name() {
        assert_eq!(check_name(&name(0), false), Ok(()));
        assert_eq!(check_name(&name(0).replace(".xml", "_001.xml"), false), Ok(()));
        for wrong in ["_01.xml", "_000.xml", "-1.xml", "_abc.xml", ".xml.gz", "", "x.xml"] {
            let name = name(0).replace(".xml", wrong);
            assert!(check_name(&name, false).is_err(), "{name}");
        }
        assert!(check_name("20000101_000000.xml", false).is_err());
        assert!(check_name("20269901_000000.xml", false).is_err());
        let folder = name(0);
        let folder = format!("{}/{}/{}", &folder[..4], &folder[4..6], &folder[6..8]);
        assert_eq!(check_name(&format!("{folder}/{}", name(0)), true), Ok(()));
        assert!(check_name(&name(0), true).is_err());
    }

    fn rules() -> Rules {
        // Laid objects carry no metadata.
        Rules { modern_store: false, max_file_size: 1_000_000, ..Rules::default() }
    }

    fn complains(store: &Store, site: &Site, session: Session, about: &str) {
        let problems = examine(store, &[site], &[session], &rules()).expect_err(about);
        assert!(problems.iter().any(|p| p.contains(about)), "{about}: {problems:?}");
    }

    fn name(seconds_ago: usize) -> String {
        let at = jiff::Timestamp::now() - jiff::SignedDuration::from_secs(seconds_ago as i64);
        at.strftime("%Y%m%d_%H%M%S.xml").to_string()
    }

    fn document(events: &[Event]) -> Vec<u8> {
        let mut bytes = HEADER.to_vec();
        for event in events.iter().filter_map(|event| event.delivered.as_ref()) {
            bytes.extend_from_slice(event);
            bytes.push(b'\n');
        }
        bytes.extend_from_slice(FOOTER);
        bytes
    }

    /// Records of the malformed ones.
    fn records(events: &[Event]) -> Vec<u8> {
        let mut bytes = Vec::new();
        for event in events.iter().filter(|event| event.delivered.as_ref() != Some(&event.sent)) {
            let record = serde_json::json!({
                "received_at": "2026-01-01T00:00:00Z", "peer": "127.0.0.1:1", "detail": "",
                "reason": "malformed", "position": 0, "repaired": event.delivered.is_some(),
                "raw": str::from_utf8(&event.sent).unwrap(),
            });
            bytes.extend_from_slice(record.to_string().as_bytes());
            bytes.push(b'\n');
        }
        bytes
    }

    fn lay(store: &Store, prefix: &str, name: &str, bytes: &[u8]) {
        store.plant(&format!("{prefix}{name}"), bytes, &[]);
    }

    fn spool(site: &Site, name: &str, bytes: &[u8]) {
        let path = site.data().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, bytes).unwrap();
    }
}
