//! Whose object is it? Words for each refusal; attributes are compared, never guessed.

use super::*;
use crate::upload::answer::Answer;
use crate::upload::{Destination, DestinationOptions};
use object_store::ObjectStoreExt;
use object_store::memory::InMemory;
use std::io;
use std::sync::Arc;

fn place() -> Place {
    let destination = Destination::on(Arc::new(InMemory::new()), DestinationOptions::fixture());
    destination.place(crate::spool::Lane::Events).clone()
}

fn object(segment: &str, text: &'static str) -> Object {
    let checksum = Checksum::of(text.as_bytes());
    let attributes = Attributes::from_iter([
        (Attribute::Metadata(SEGMENT.into()), segment.to_owned()),
        (Attribute::Metadata(CHECKSUM.into()), checksum.to_string()),
    ]);
    let mark = Mark { segment: segment.to_owned(), checksum, files: Vec::new(), own_name: false };
    Object { payload: PutPayload::from_static(text.as_bytes()), attributes, mark }
}

async fn try_put(place: &Place, object: &Object, way: Way) -> Result<Stored, PutError> {
    put(place, &Path::from("events/x.xml"), object, way, &Pace::default()).await
}

const WAYS: [Way; 3] = [Way::Conditional, Way::Unproven, Way::Unconditional { own_name: false }];

#[tokio::test]
async fn ours_is_the_same_segment_with_the_same_checksum() {
    for way in WAYS {
        let place = place();
        assert!(!try_put(&place, &object("s1", "a"), way).await.unwrap().before);
        assert!(try_put(&place, &object("s1", "a"), way).await.unwrap().before, "{way:?}");
        let other = try_put(&place, &object("s2", "a"), way).await;
        assert_eq!(other, Err(PutError::Taken { by_a_copy: false }), "{way:?}");
        let copy = try_put(&place, &object("s1", "b"), way).await;
        assert_eq!(copy, Err(PutError::Taken { by_a_copy: true }), "{way:?}");
        let stored = place.store.get(&Path::from("events/x.xml")).await.unwrap();
        assert_eq!(stored.bytes().await.unwrap(), "a", "{way:?}");
    }
}

#[tokio::test]
async fn a_store_that_refuses_the_second_time_is_proved() {
    let stored = try_put(&place(), &object("s1", "a"), Way::Unproven).await.unwrap();
    assert_eq!(stored.conditions, Some(true));
}

#[test]
fn each_refusal_has_words_that_say_what_to_do() {
    let table = [
        (403, "AccessDenied", "s3:PutObject and s3:GetObject"),
        (403, "RequestTimeTooSkewed", "clock is wrong"),
        (403, "InvalidAccessKeyId", "does not know the access key"),
        (403, "SignatureDoesNotMatch", "secret key does not fit"),
        (400, "ExpiredToken", "have expired"),
        (400, "AuthorizationHeaderMalformed", "AWS_REGION"),
        (301, "PermanentRedirect", "AWS_REGION"),
        (404, "NoSuchBucket", "does not exist: create it"),
        (400, "KMS.DisabledException", "kms:GenerateDataKey"),
        (413, "", "lower MAX_FILE_SIZE"),
        (400, "EntityTooLarge", "lower MAX_FILE_SIZE"),
    ];
    for (status, code, expected) in table {
        let code = Some(code.to_owned()).filter(|code| !code.is_empty());
        let answer = Answer { status, code, region: None, kms: false, skew: None };
        let error = sort(Doing::Put, &place(), Verdict::Refused(answer.clone()));
        let PutError::Misconfigured(words) = error else { panic!("{answer:?}") };
        assert!(words.contains(expected), "{words}");
        assert!(words.starts_with("s3://bucket/events/: "), "{words}");
    }
    let answer = Answer { status: 403, code: None, region: None, kms: true, skew: None };
    let error = sort(Doing::Put, &place(), Verdict::Refused(answer));
    assert!(error.to_string().contains("kms:"));
    let answer = Answer {
        status: 400,
        code: None,
        region: Some("eu-west-1".into()),
        kms: false,
        skew: None,
    };
    let error = sort(Doing::Head, &place(), Verdict::Refused(answer));
    assert!(error.to_string().contains("AWS_REGION=eu-west-1"));
}

#[test]
fn a_folders_troubles_have_words_too() {
    use io::ErrorKind as E;
    let words = |kind| sort(Doing::Put, &place(), Verdict::Folder(kind, String::from("why")));
    for kind in [E::PermissionDenied, E::ReadOnlyFilesystem, E::StorageFull, E::Unsupported] {
        assert!(matches!(words(kind), PutError::Misconfigured(_)), "{kind:?}");
    }
    assert!(matches!(words(E::Other), PutError::Retry(_)));
}

#[tokio::test]
async fn a_store_that_never_answers_is_cut_off() {
    let pace = Pace { cut_off: std::time::Duration::from_millis(5), ..Pace::default() };
    let cut = cut_off(&pace, 0, std::future::pending::<()>()).await;
    assert!(matches!(cut, Err(PutError::Retry(_))));
}

#[test]
fn ten_mebibytes_over_a_slow_line_have_time_enough() {
    let pace = Pace::default();
    assert_eq!(pace.limit(0).as_secs(), 60);
    assert_eq!(pace.limit(10 << 20).as_secs(), 60 + 320);
}
