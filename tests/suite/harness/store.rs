//! The store is a store, seen through `object_store`, and fails when it is told to.

use crate::support::process::wait_until;
use crate::support::store::{ACCESS_KEY, BUCKET, Fault, Rule, SECRET_KEY, Store};
use object_store::aws::{AmazonS3, AmazonS3Builder, S3ConditionalPut};
use object_store::path::Path;
use object_store::{
    Attribute, Attributes, ClientOptions, Error, GetOptions, ObjectStore, PutMode, PutOptions,
    PutResult, RetryConfig,
};
use std::time::Duration;

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
